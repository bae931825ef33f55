"""What must be true when a story has ended: the books are the gateways', nothing moved twice, nothing was lost."""

from __future__ import annotations

import functools
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, select
from sqlalchemy.pool import NullPool

from prenopay.books import schema
from prenopay.testing.gateway import Totals
from tests.chaos import story

__all__ = ["broken", "counted", "names"]

_NOTHING = Totals()


@functools.cache
def _engine(database: str) -> Engine:
    return create_engine(database.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool)


def names(database: str) -> set[str]:
    """Return the gateways' names of the payments in the books."""
    with _engine(database).connect() as connection:
        return set(connection.execute(select(schema.payments.c.provider_reference)).scalars()) - {None}


def broken(database: str, cards: Any, swish: Any, diary: Path) -> list[str]:
    """Return every promise that was broken, in words."""
    engine = _engine(database)
    gateways = {story.CARDS: cards, story.SWISH: swish}
    return [
        *_books_differ(engine, gateways),
        *_moved_twice(engine, gateways),
        *_drawn_twice(engine),
        *_left_open(engine),
        *_events(engine, diary),
        *_surprises(diary),
    ]


def counted(database: str) -> Counter[str]:
    """Return how many operations of each kind ended in which way, and how many events there were."""
    engine = _engine(database)
    ends = Counter(f"{row.kind} {row.outcome}" for row in _rows(engine, schema.operations))
    return ends + Counter({"events": len(_rows(engine, schema.events))})


def _rows(engine: Engine, table: Any) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(select(table)))


def _books_differ(engine: Engine, gateways: dict[str, Any]) -> Iterator[str]:
    """Every payment adds up to what it does at its gateway, and no gateway has money that the books do not know."""
    ours = {(row.account, row.provider_reference): row for row in _rows(engine, schema.payments)}
    for account, gateway in gateways.items():
        for name, totals in gateway.books().items():
            row = ours.get((account, name))
            if row is None:
                if totals != _NOTHING:
                    yield f"lost: {account} has {name} with {totals}, which the books do not know"
                continue
            written = Totals(
                authorized=row.authorized, captured=row.captured, refunded=row.refunded, cancelled=row.cancelled
            )
            if written != totals:
                what = f"{row.payment_id} ({row.order_reference}, {row.state})"
                yield f"books: {what} is {written}, at {account} {totals}"
    for (account, name), row in ours.items():
        if name is not None and name not in gateways[account].books():
            yield f"books: {row.payment_id} has a name that {account} does not know: {name}"


def _moved_twice(engine: Engine, gateways: dict[str, Any]) -> Iterator[str]:
    """Each reference moved money once, and belongs to an operation that has succeeded. An order is paid once."""
    made = {(row.account, row.reference): row for row in _rows(engine, schema.operations)}
    for account, gateway in gateways.items():
        moves = [move for move in gateway.moves() if move.what != "cancel"]
        for (what, payment, reference), times in Counter((m.what, m.payment, m.reference) for m in moves).items():
            if times > 1:
                yield f"twice: {what} of {payment} under {reference} happened {times} times"
        for move in moves:
            row = made.get((account, move.reference))
            if row is None:
                yield f"twice or lost: {move} has no operation"
            elif row.outcome != "succeeded" and move.what != "authorize":
                yield f"lost: {move} is {row.outcome} in the books ({row.operation_id})"
            elif row.amount is not None and move.what in {"refund", "pay out"} and row.amount != move.amount:
                yield f"other amount: {move}, asked {row.amount}"
    paid: dict[str, int] = defaultdict(int)
    for row in _rows(engine, schema.payments):
        if row.order_reference:
            paid[row.order_reference] += row.captured
    for reference, minor in paid.items():
        most = story.order(int(reference.removeprefix("K-"))).amount.minor
        if minor > most:
            yield f"twice: order {reference} took {minor}, at most {most}"


def _drawn_twice(engine: Engine) -> Iterator[str]:
    """A period of a mandate is charged once."""
    captured = {row.payment_id: row.captured for row in _rows(engine, schema.payments)}
    charged = Counter((row.mandate_id, row.period) for row in _rows(engine, schema.charges) if captured[row.payment_id])
    for (mandate, period), times in charged.items():
        if times > 1:
            yield f"twice: {period} of {mandate} was charged {times} times"


def _left_open(engine: Engine) -> Iterator[str]:
    """After days without trouble every operation has ended, every callback is done, and every event is delivered."""
    for row in _rows(engine, schema.operations):
        if row.outcome in {"unknown", "pending"}:
            yield f"left open: {row.kind} {row.operation_id} is {row.outcome}: {row.error}"
    for row in _rows(engine, schema.inbox):
        if row.done_at is None:
            yield f"left open: callback {row.inbox_id}: {row.last_error}"
    for row in _rows(engine, schema.deliveries):
        if row.delivered_at is None:
            yield f"left open: event {row.sequence}: {row.last_error}"


def _events(engine: Engine, diary: Path) -> Iterator[str]:
    """The host received every event at least once, and each subject's first deliveries in order."""
    with closing(sqlite3.connect(diary)) as connection:
        received = list(connection.execute("SELECT event_id, subject, number FROM received ORDER BY place"))
    known = {event_id for event_id, _, _ in received}
    for row in _rows(engine, schema.events):
        if row.event_id not in known:
            yield f"lost: event {row.event_id} ({row.kind}) was never received"
    last: dict[str, int] = defaultdict(int)
    for event_id, subject, number in received:
        if number > last[subject] + 1:
            yield f"out of order: {event_id} came after number {last[subject]}"
        last[subject] = max(last[subject], number)


def _surprises(diary: Path) -> Iterator[str]:
    """No call ended in an error that is not prenopay's."""
    with closing(sqlite3.connect(diary)) as connection:
        for what, times in connection.execute("SELECT what, COUNT(*) FROM surprises GROUP BY what"):
            yield f"surprise ({times} times): {what}"
