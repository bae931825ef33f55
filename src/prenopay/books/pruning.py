"""Removes what nobody asks for after a while: answers of gateways, callbacks and events that were delivered.

Payments, operations, movements, flags, decisions and mandates stay: they are the books.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, Connection, Engine, delete, func, select

from prenopay.books import schema
from prenopay.books.engine import our_errors

__all__ = ["Pruned", "prune"]

_AT_ONCE: Final = 1_000
"""How many rows of a table one transaction goes through, so that nobody else waits long."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many rows were removed."""

    answers: int
    callbacks: int
    events: int


def prune(engine: Engine, *, before: datetime) -> Pruned:
    """Remove what was over ``before`` then; safe to repeat, and to stop in the middle. Raises ``LedgerUnavailable``.

    The newest event of each subject stays, because it says how many there were. What waits stays.
    """
    return Pruned(
        answers=_each(engine, schema.payments.c.payment_id, _answers, before),
        callbacks=_each(engine, schema.inbox.c.inbox_id, _callbacks, before),
        events=_each(engine, schema.deliveries.c.sequence, _events, before),
    )


def _each(
    engine: Engine, key: Column[Any], remove: Callable[[Connection, Sequence[Any], datetime], int], before: datetime
) -> int:
    """Go through a table by its key, some rows in each transaction."""
    removed = 0
    last: Any = None
    while True:
        with our_errors(), engine.begin() as connection:
            page = select(key).order_by(key).limit(_AT_ONCE)
            keys = list(connection.scalars(page if last is None else page.where(key > last)))
            if not keys:
                return removed
            removed, last = removed + remove(connection, keys, before), keys[-1]


def _answers(connection: Connection, payment_ids: Sequence[str], before: datetime) -> int:
    """Remove the answers about payments that did not change since, and are not to be looked at again.

    A payment that somebody works on at this moment is left: the next answer is packed with the one before it.
    """
    payments, answers = schema.payments, schema.observations
    over = (
        select(payments.c.payment_id)
        .where(payments.c.payment_id.in_(payment_ids), payments.c.updated_at < before, payments.c.next_at.is_(None))
        .with_for_update(skip_locked=True)
    )
    mine = list(connection.scalars(over))
    return connection.execute(delete(answers).where(answers.c.payment_id.in_(mine))).rowcount


def _callbacks(connection: Connection, inbox_ids: Sequence[int], before: datetime) -> int:
    inbox = schema.inbox
    return connection.execute(delete(inbox).where(inbox.c.inbox_id.in_(inbox_ids), inbox.c.done_at < before)).rowcount


def _events(connection: Connection, sequences: Sequence[int], before: datetime) -> int:
    events, deliveries = schema.events, schema.deliveries
    later = events.alias("later")
    newest = (
        select(func.max(later.c.number)).where(later.c.subject_id == events.c.subject_id).correlate(events)
    ).scalar_subquery()
    over = list(
        connection.scalars(
            select(deliveries.c.sequence)
            .join(events, events.c.sequence == deliveries.c.sequence)
            .where(
                deliveries.c.sequence.in_(sequences),
                deliveries.c.delivered_at < before,
                events.c.number < newest,
            )
        )
    )
    connection.execute(delete(deliveries).where(deliveries.c.sequence.in_(over)))
    return connection.execute(delete(events).where(events.c.sequence.in_(over))).rowcount
