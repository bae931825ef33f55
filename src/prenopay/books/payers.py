"""Forgetting a payer: their data goes, the history of money stays."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, update

from prenopay.books import schema
from prenopay.books.records import load_payment

__all__ = ["erase"]


def erase(connection: Connection, account: str, payment_id: str, *, now: datetime) -> None:
    """Remove what is known of the payer of one payment, and the callbacks' bodies."""
    load_payment(connection, account, payment_id)
    connection.execute(
        update(schema.payers).where(schema.payers.c.payment_id == payment_id).values(data=None, erased_at=now),
    )
    connection.execute(update(schema.inbox).where(schema.inbox.c.payment_id == payment_id).values(body=b""))
