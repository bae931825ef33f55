"""The gateways' answers about payments, kept for support: each one once, and in little room.

An answer repeats most of the one before it. So it is compressed with that one as its dictionary, and is read by
unpacking a payment's answers from the first on.
"""

from __future__ import annotations

import json
import logging
import zlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from prenopay.books import schema
from prenopay.books.text import as_json

__all__ = ["keep", "load", "of_payment"]

_log = logging.getLogger("prenopay")


def keep(connection: Connection, payment_id: str, raw: Mapping[str, object], *, source: str, now: datetime) -> int:
    """Store an answer about a locked payment, unless it equals the last one that was stored; return its id."""
    table, answer = schema.observations, as_json(raw).encode()
    rows = connection.execute(_of(payment_id)).all()
    before = _unpacked(row.raw for row in rows)
    if rows and before == answer:
        return int(rows[-1].observation_id)
    values = {"payment_id": payment_id, "source": source, "raw": _pack(answer, before), "at": now}
    observation_id: int = connection.execute(
        insert(table).values(values).returning(table.c.observation_id)
    ).scalar_one()
    return observation_id


def load(connection: Connection, payment_id: str, observation_id: int) -> dict[str, Any]:
    """Return one answer about a payment; empty if it is not kept any more."""
    until = _of(payment_id).where(schema.observations.c.observation_id <= observation_id)
    return _read(_unpacked(row.raw for row in connection.execute(until)))


def of_payment(connection: Connection, payment_id: str) -> tuple[dict[str, Any], ...]:
    """Return every answer about a payment, oldest first."""
    found, before = list[dict[str, Any]](), b""
    for row in connection.execute(_of(payment_id)):
        before = _unpack(row.raw, before)
        found.append(_read(before))
    return tuple(found)


def _of(payment_id: str) -> Any:
    table = schema.observations
    query = select(table.c.observation_id, table.c.raw).where(table.c.payment_id == payment_id)
    return query.order_by(table.c.observation_id)


def _read(answer: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer) if answer else {}
    return found


def _unpacked(packed: Iterable[bytes]) -> bytes:
    """Return the last of a payment's answers; empty if there is none."""
    before = b""
    for each in packed:
        before = _unpack(each, before)
    return before


def _pack(answer: bytes, before: bytes) -> bytes:
    packing = zlib.compressobj(zlib.Z_BEST_COMPRESSION, zdict=before)
    return packing.compress(answer) + packing.flush()


def _unpack(packed: bytes, before: bytes) -> bytes:
    """Return an answer; empty if it cannot be unpacked. It is kept for support, and no money depends on it."""
    try:
        return zlib.decompressobj(zdict=before).decompress(packed)
    except zlib.error:
        _log.error("a stored answer of a gateway cannot be unpacked: the one before it is not there")
        return b""
