"""The durable inbox: callbacks are stored before they are answered, and worked on after.

A repeat of a callback finds its row and counts up. One that repeats a finished row opens it again:
Swedbank Pay may well send the same bytes for two different changes, and looking once more costs
little while a lost change costs a customer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Executable, Row, bindparam, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from prenopay.books import schema

__all__ = ["Arrived", "Callback", "add", "done", "due", "due_of", "failed", "find", "replay", "waiting"]

OPEN_MOST: Final = 100_000
"""Callbacks of one account that may wait; beyond it the gateway is told to come again later."""

_RETRY_AFTER: Final = tuple(timedelta(seconds=pause) for pause in (5, 30, 120, 600, 3600))


def _storing(make: Any) -> Executable:
    """Build the statement once: it stands in the way of every callback."""
    table = schema.inbox
    names = ("account", "payment_id", "digest", "body", "peer", "note", "claims", "received_at", "next_attempt_at")
    statement = make(table).values({name: bindparam(name) for name in names})
    repeat = {
        "times": table.c.times + 1,
        "done_at": None,
        "next_attempt_at": statement.excluded.next_attempt_at,
    }
    stored: Executable = statement.on_conflict_do_update(
        index_elements=["account", "payment_id", "digest"],
        set_=repeat,
    )
    return stored


_STORE: Final = {"postgresql": _storing(postgresql_insert), "sqlite": _storing(sqlite_insert)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """One stored callback, as the command line shows it."""

    inbox_id: int
    account: str
    payment_id: str
    received_at: datetime
    done_at: datetime | None
    times: int
    attempts: int
    note: str
    claims: str
    last_error: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """A callback that has just come in; ``note`` says what is wrong with it, if anything.

    ``claims`` is the gateway's name of the payment that the body gives.
    """

    account: str
    payment_id: str
    body: bytes = field(repr=False)
    peer: str
    note: str
    claims: str
    at: datetime


def add(connection: Connection, arrived: Sequence[Arrived]) -> None:
    """Store callbacks, or count repeats."""
    values = [
        {
            "account": each.account,
            "payment_id": each.payment_id,
            "digest": hashlib.sha256(each.body).hexdigest(),
            "body": each.body,
            "peer": each.peer.encode(errors="replace").decode()[:60],
            "note": each.note,
            "claims": each.claims[:200],
            "received_at": each.at,
            "next_attempt_at": each.at,
        }
        for each in arrived
    ]
    connection.execute(_STORE[connection.dialect.name], values)


def waiting(connection: Connection, account: str) -> int:
    """Return how many callbacks of ``account`` are not done, counting no further than the limit."""
    table = schema.inbox
    some = (
        select(table.c.inbox_id)
        .where(table.c.account == account, table.c.next_attempt_at.is_not(None))
        .limit(OPEN_MOST)
    )
    return connection.execute(select(func.count()).select_from(some.subquery())).scalar_one()


def due(connection: Connection, accounts: Sequence[str], now: datetime, limit: int) -> tuple[Callback, ...]:
    """Return callbacks to work on now, longest waiting first."""
    table = schema.inbox
    query = (
        select(table)
        .where(table.c.account.in_(accounts), table.c.next_attempt_at <= now)
        .order_by(table.c.next_attempt_at, table.c.inbox_id)
        .limit(limit)
    )
    return tuple(_callback(row) for row in connection.execute(query))


def due_of(connection: Connection, account: str, payment_id: str, now: datetime) -> tuple[Callback, ...]:
    """Return the callbacks of one payment to work on now."""
    table = schema.inbox
    query = (
        select(table)
        .where(table.c.account == account, table.c.payment_id == payment_id, table.c.next_attempt_at <= now)
        .order_by(table.c.inbox_id)
    )
    return tuple(_callback(row) for row in connection.execute(query))


def find(
    connection: Connection,
    accounts: Sequence[str],
    *,
    payment_id: str | None = None,
    open_only: bool = False,
    limit: int = 50,
) -> tuple[Callback, ...]:
    """Return callbacks, newest first."""
    table = schema.inbox
    query = select(table).where(table.c.account.in_(accounts)).order_by(table.c.inbox_id.desc()).limit(limit)
    if payment_id is not None:
        query = query.where(table.c.payment_id == payment_id)
    if open_only:
        query = query.where(table.c.done_at.is_(None))
    return tuple(_callback(row) for row in connection.execute(query))


def done(connection: Connection, account: str, payment_id: str, *, received_until: datetime, now: datetime) -> None:
    """The payment has been looked at since: what came before is answered."""
    table = schema.inbox
    connection.execute(
        update(table)
        .where(
            table.c.account == account,
            table.c.payment_id == payment_id,
            table.c.done_at.is_(None),
            or_(table.c.next_attempt_at.is_(None), table.c.next_attempt_at <= received_until),
        )
        .values(done_at=now, next_attempt_at=None, last_error=""),
    )


def failed(connection: Connection, callbacks: Sequence[Callback], why: str, *, now: datetime) -> None:
    """Working on them failed: keep them, and try again after a pause."""
    for callback in callbacks:
        _failed(connection, callback, why, now=now)


def _failed(connection: Connection, callback: Callback, why: str, *, now: datetime) -> None:
    pause = _RETRY_AFTER[min(callback.attempts, len(_RETRY_AFTER) - 1)]
    table = schema.inbox
    connection.execute(
        update(table)
        .where(table.c.inbox_id == callback.inbox_id)
        .values(attempts=callback.attempts + 1, next_attempt_at=now + pause, last_error=why),
    )


def replay(connection: Connection, accounts: Sequence[str], inbox_id: int, *, now: datetime) -> Callback | None:
    """Make a callback due again and return it; ``None`` when there is none with that id."""
    table = schema.inbox
    row = connection.execute(
        update(table)
        .where(table.c.inbox_id == inbox_id, table.c.account.in_(accounts))
        .values(done_at=None, next_attempt_at=now, attempts=0)
        .returning(table),
    ).one_or_none()
    return None if row is None else _callback(row)


def _callback(row: Row[Any]) -> Callback:
    return Callback(
        inbox_id=row.inbox_id,
        account=row.account,
        payment_id=row.payment_id,
        received_at=row.received_at,
        done_at=row.done_at,
        times=row.times,
        attempts=row.attempts,
        note=row.note,
        claims=row.claims,
        last_error=row.last_error,
        body=row.body,
    )
