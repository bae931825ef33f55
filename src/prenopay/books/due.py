"""Everything that has a next time: one claim, one release and one backoff for every table with the due columns.

``next_at`` says when a row is due. ``claimed_until`` says until when somebody works on it. ``tries`` counts the
tries since it last went well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    case,
    func,
    literal,
    or_,
    select,
    true,
    union,
    union_all,
    update,
)

from prenopay.books import schema
from prenopay.books.words import known
from prenopay.values.mandates import MandateKind, MandateState
from prenopay.values.orders import CaptureMode
from prenopay.values.payments import OperationKind, Outcome, PaymentState
from prenopay.values.subjects import SubjectKind

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
    "busy",
    "claim",
    "free",
    "is_claimed",
    "misdated",
    "pause",
    "postpone",
    "release",
    "unread",
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

_WORDS: Final[Mapping[str, tuple[tuple[Column[Any], tuple[str, ...]], ...]]] = {
    "callbacks": ((schema.inbox.c.subject_kind, ("", *known(SubjectKind))),),
    "operations": (
        (schema.operations.c.kind, known(OperationKind)),
        (schema.operations.c.outcome, known(Outcome)),
        (schema.operations.c.subject_kind, known(SubjectKind)),
    ),
    "mandates": (
        (schema.mandates.c.kind, known(MandateKind)),
        (schema.mandates.c.state, known(MandateState)),
    ),
    "payments": (
        (schema.payments.c.state, known(PaymentState)),
        (schema.payments.c.capture_mode, known(CaptureMode)),
    ),
}
"""The columns whose words decide what is done with a row, and the words that this version knows."""


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


def busy(connection: Connection, accounts: Sequence[str], now: datetime) -> tuple[str, ...]:
    """Return the accounts that have anything due."""
    kinds = (
        select(table.c.account).where(table.c.account.in_(accounts), *_is_due(kind, now))
        for kind, (table, _key) in TABLES.items()
    )
    return tuple(sorted(connection.scalars(union(*kinds))))


def unread(connection: Connection, accounts: Sequence[str], now: datetime) -> tuple[tuple[str, str, int], ...]:
    """Return account, kind and count of the rows that are due, and have words that only a newer prenopay knows."""
    counts = (
        select(table.c.account, literal(kind).label("kind"), func.count().label("count"))
        .where(table.c.account.in_(accounts), table.c.next_at <= now, ~_is_known(kind))
        .group_by(table.c.account)
        for kind, (table, _key) in TABLES.items()
        if kind in _WORDS
    )
    found = connection.execute(union_all(*counts))
    return tuple((account, kind, count) for account, kind, count in found)


def waiting(connection: Connection, account: str, now: datetime, *, limit: int) -> dict[str, tuple[Due, ...]]:
    """Return what is due of one account, by kind, longest waiting first. A kind with nothing due is left out."""
    found: dict[str, tuple[Due, ...]] = {}
    for kind in TABLES:
        rows = tuple(_due(row) for row in connection.execute(_waiting(kind, account, now, limit)))
        if rows:
            found[kind] = rows
    return found


def claim(
    connection: Connection, kind: str, account: str, now: datetime, *, until: datetime, limit: int
) -> tuple[Due, ...]:
    """Claim rows of one account that are due, so that nobody else takes them before ``until``."""
    table, key = TABLES[kind]
    found = connection.execute(_waiting(kind, account, now, limit).with_for_update(skip_locked=True))
    due = tuple(_due(row) for row in found)
    keys = [each.key for each in due]
    if keys:
        connection.execute(update(table).where(table.c.account == account, key.in_(keys)).values(claimed_until=until))
    return tuple(replace(each, claimed_until=until) for each in due)


def release(connection: Connection, kind: str, rows: Sequence[Due]) -> None:
    """Give back rows that were claimed and not worked on: they are due as before."""
    table, key = TABLES[kind]
    for row in rows:
        mine = (table.c.account == row.account, key == row.key, table.c.claimed_until == row.claimed_until)
        connection.execute(update(table).where(*mine).values(claimed_until=None))


def postpone(connection: Connection, kind: str, row: Due, at: datetime) -> None:
    """Release a row that was tried and is not done; it is due again at ``at``.

    Nothing changes if the try was so slow that somebody else has claimed the row since.
    """
    table, key = TABLES[kind]
    mine = or_(table.c.claimed_until.is_(None), table.c.claimed_until == row.claimed_until)
    connection.execute(
        update(table)
        .where(table.c.account == row.account, key == row.key, table.c.next_at.is_not(None), mine)
        .values(next_at=at, claimed_until=None, tries=row.tries + 1),
    )


def misdated(connection: Connection, accounts: Sequence[str], now: datetime) -> bool:
    """Whether a row is due later than it can be, because it was written while a clock was ahead."""
    late = (
        select(TABLES[kind][0].c.account).where(*_is_misdated(kind, accounts, now)).limit(1).subquery()
        for kind in _LONGEST
    )
    return connection.execute(union_all(*(select(each) for each in late))).first() is not None


def bring_back(connection: Connection, accounts: Sequence[str], now: datetime) -> int:
    """Make rows due that were written while a clock was ahead; return how many there were.

    What such an operation may have sent counts as sent now: nobody knows when it was.
    """
    found = 0
    for kind in _LONGEST:
        table, _key = TABLES[kind]
        values: dict[str, Any] = {"next_at": now, "claimed_until": None}
        if table is schema.operations:
            for column in (table.c.first_sent_at, table.c.last_sent_at):
                values[column.name] = case((column > now, now), else_=column)
        found += connection.execute(update(table).where(*_is_misdated(kind, accounts, now)).values(**values)).rowcount
    return found


def _is_misdated(kind: str, accounts: Sequence[str], now: datetime) -> tuple[ColumnElement[bool], ...]:
    table, _key = TABLES[kind]
    return (table.c.account.in_(accounts), table.c.next_at > now + _LONGEST[kind])


def _is_due(kind: str, now: datetime) -> tuple[ColumnElement[bool], ...]:
    table, _key = TABLES[kind]
    return (table.c.next_at <= now, free(table, now), _is_known(kind))


def _is_known(kind: str) -> ColumnElement[bool]:
    """Return the condition that this version knows the words of a row. It leaves other rows alone."""
    return and_(true(), *(column.in_(words) for column, words in _WORDS.get(kind, ())))


def _waiting(kind: str, account: str, now: datetime, limit: int) -> Select[Any]:
    table, key = TABLES[kind]
    query: Any = (
        select(table.c.account, key.label("key"), table.c.tries)
        .where(table.c.account == account, *_is_due(kind, now))
        .order_by(table.c.next_at, key)
        .limit(limit)
    )
    selected: Select[Any] = query
    return selected


def _due(row: Any) -> Due:
    return Due(row.account, row.key, row.tries)
