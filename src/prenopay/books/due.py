"""Everything that has a next time: one claim, one release and one backoff for every table with the due columns.

``next_at`` says when a row is due. ``claimed_until`` says until when somebody works on it. ``tries`` counts the
tries since it last went well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Connection, Select, Table, case, or_, select, update

from prenopay.books import schema

__all__ = [
    "CALLBACKS",
    "CLAIM_MOST",
    "EVENTS",
    "LOOKS",
    "LOOK_MOST",
    "OPERATIONS",
    "TABLES",
    "Due",
    "bring_back",
    "claim",
    "free",
    "is_claimed",
    "misdated",
    "pause",
    "postpone",
    "waiting",
]


def _minutes(*pauses: int) -> tuple[timedelta, ...]:
    return tuple(timedelta(minutes=pause) for pause in pauses)


CLAIM_MOST: Final = timedelta(hours=1)
"""No claim is longer. One that ends later than this was written while a clock was ahead, and counts for nothing."""

CALLBACKS: Final = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 3600))
EVENTS: Final = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 1800, 3600))
OPERATIONS: Final = _minutes(1, 5, 30, 120, 480, 1440)
LOOKS: Final = _minutes(10, 20, 30, 60, 60, 120, 120, 240, 240, 480, 480, 1440)
"""Pauses after a failed look at a payment, or a failed removal of a token. The last pause of every schedule repeats."""


def pause(schedule: Sequence[timedelta], tries: int) -> timedelta:
    """Return how long to wait after ``tries`` tries."""
    return schedule[min(tries, len(schedule) - 1)]


LOOK_MOST: Final = timedelta(days=35)
"""A payment is looked at once in this time at least, while it is due at all."""

TABLES: Final[Mapping[str, tuple[Table, Column[Any]]]] = {
    "callbacks": (schema.inbox, schema.inbox.c.inbox_id),
    "operations": (schema.operations, schema.operations.c.operation_id),
    "mandates": (schema.mandates, schema.mandates.c.mandate_id),
    "tokens": (schema.tokens, schema.tokens.c.mandate_id),
    "payments": (schema.payments, schema.payments.c.payment_id),
    "events": (schema.deliveries, schema.deliveries.c.sequence),
}
"""The tables that the sweep reads, in the order in which it works."""


_LONGEST: Final[Mapping[str, timedelta]] = {
    "callbacks": CALLBACKS[-1] + CLAIM_MOST,
    "operations": OPERATIONS[-1] + CLAIM_MOST,
    "tokens": LOOKS[-1] + CLAIM_MOST,
    "payments": LOOK_MOST + CLAIM_MOST,
    "events": EVENTS[-1] + CLAIM_MOST,
}
"""How far in the future a row of each kind can be due. Mandates are left out: a card may run out in years."""


@dataclass(frozen=True, slots=True)
class Due:
    """One row that is due."""

    account: str
    key: Any
    tries: int
    claimed_until: datetime | None = None


def free(table: Table, now: datetime) -> ColumnElement[bool]:
    """Return the condition that nobody works on a row."""
    until = table.c.claimed_until
    return or_(until.is_(None), until <= now, until > now + CLAIM_MOST)


def is_claimed(until: datetime | None, now: datetime) -> bool:
    """Whether somebody works on a row that is claimed ``until`` then: the opposite of ``free``."""
    return until is not None and now < until <= now + CLAIM_MOST


def waiting(
    connection: Connection, accounts: Sequence[str], now: datetime, *, limit: int
) -> dict[str, tuple[Due, ...]]:
    """Return what is due, by kind, longest waiting first. A kind with nothing due is left out."""
    found: dict[str, tuple[Due, ...]] = {}
    for kind in TABLES:
        rows = tuple(_due(row) for row in connection.execute(_waiting(kind, accounts, now, limit)))
        if rows:
            found[kind] = rows
    return found


def claim(
    connection: Connection, kind: str, accounts: Sequence[str], now: datetime, *, until: datetime, limit: int
) -> tuple[Due, ...]:
    """Claim rows that are due, so that nobody else takes them before ``until``."""
    table, key = TABLES[kind]
    due = tuple(
        _due(row) for row in connection.execute(_waiting(kind, accounts, now, limit).with_for_update(skip_locked=True))
    )
    for account in {each.account for each in due}:
        keys = [each.key for each in due if each.account == account]
        connection.execute(update(table).where(table.c.account == account, key.in_(keys)).values(claimed_until=until))
    return tuple(replace(each, claimed_until=until) for each in due)


def postpone(connection: Connection, kind: str, row: Due, at: datetime) -> None:
    """Release a row that was tried and is not done; it is due again at ``at``.

    Nothing changes if the try was so slow that somebody else has claimed the row since.
    """
    table, key = TABLES[kind]
    connection.execute(
        update(table)
        .where(
            table.c.account == row.account,
            key == row.key,
            table.c.next_at.is_not(None),
            or_(table.c.claimed_until.is_(None), table.c.claimed_until == row.claimed_until),
        )
        .values(next_at=at, claimed_until=None, tries=row.tries + 1),
    )


def misdated(connection: Connection, accounts: Sequence[str], now: datetime) -> bool:
    """Whether a row is due later than it can be, because it was written while a clock was ahead."""
    for kind, longest in _LONGEST.items():
        table, key = TABLES[kind]
        late = select(key).where(table.c.account.in_(accounts), table.c.next_at > now + longest).limit(1)
        if connection.execute(late).first() is not None:
            return True
    return False


def bring_back(connection: Connection, accounts: Sequence[str], now: datetime) -> int:
    """Make rows due that were written while a clock was ahead; return how many there were.

    What such an operation may have sent counts as sent now: nobody knows when it was.
    """
    found = 0
    for kind, longest in _LONGEST.items():
        table, _ = TABLES[kind]
        late = (table.c.account.in_(accounts), table.c.next_at > now + longest)
        values: dict[str, Any] = {"next_at": now, "claimed_until": None}
        if table is schema.operations:
            for column in (table.c.first_sent_at, table.c.last_sent_at):
                values[column.name] = case((column > now, now), else_=column)
        found += connection.execute(update(table).where(*late).values(**values)).rowcount
    return found


def _waiting(kind: str, accounts: Sequence[str], now: datetime, limit: int) -> Select[Any]:
    table, key = TABLES[kind]
    query: Any = (
        select(table.c.account, key.label("key"), table.c.tries)
        .where(table.c.account.in_(accounts), table.c.next_at <= now, free(table, now))
        .order_by(table.c.next_at, key)
        .limit(limit)
    )
    selected: Select[Any] = query
    return selected


def _due(row: Any) -> Due:
    return Due(row.account, row.key, row.tries)
