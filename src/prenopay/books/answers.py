"""The gateway's own words, kept for support: each answer that says something new."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime

from sqlalchemy import Connection, insert, select

from prenopay.books import schema
from prenopay.books.records import StoredPayment
from prenopay.provider import Observation

__all__ = ["keep"]


def keep(connection: Connection, stored: StoredPayment, observed: Observation, now: datetime, source: str) -> None:
    """Keep the gateway's answer unless it says the same as the last one kept."""
    table = schema.observations
    fingerprint = hashlib.sha256(json.dumps(observed.raw, sort_keys=True, default=str).encode()).hexdigest()
    last = (
        select(table.c.digest)
        .where(table.c.payment_id == stored.payment.payment_id)
        .order_by(table.c.observation_id.desc())
        .limit(1)
    )
    if connection.execute(last).scalar() != fingerprint:
        connection.execute(
            insert(table).values(
                payment_id=stored.payment.payment_id,
                source=source,
                digest=fingerprint,
                raw=observed.raw,
                at=now,
            ),
        )
