"""Events and their delivery: written with the change that they report, delivered after the commit.

An event is due only when every earlier event of its subject was delivered. That keeps them in order. A failed
delivery stays, and is tried again with growing pauses, forever.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, func, insert, or_, select, update

from prenopay._arguments import checked_fields
from prenopay.books import answers, codec, due, erased, ids, schema
from prenopay.books.words import known, word
from prenopay.values.events import Event, EventKind
from prenopay.values.money import Money
from prenopay.values.payments import Decline, FlagKind, PaymentState
from prenopay.values.subjects import Subject, SubjectKind

__all__ = [
    "Delivery",
    "NewEvent",
    "Undelivered",
    "append",
    "claim",
    "delivered",
    "failed",
    "retry",
    "undelivered",
]


_KINDS: Final = known(EventKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """What happened; the subject adds its own numbers as they are after the change."""

    kind: EventKind
    amount: Money | None = None
    operation_id: str | None = None
    decline: Decline | None = None
    flag: FlagKind | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """An event that is to be delivered now."""

    sequence: int
    tries: int
    claimed_until: datetime
    event: Event


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class Undelivered:
    """An event that the host's handler has not taken: how often it failed, why, and when it is called again."""

    event: Event
    tries: int
    last_error: str
    next_at: datetime


def append(
    connection: Connection,
    account: str,
    subject: Subject,
    news: Sequence[NewEvent],
    *,
    facts: Mapping[str, Any],
    now: datetime,
    answer: int | None = None,
) -> None:
    """Write down what happened to a subject, in the transaction that changed it.

    ``facts`` are the subject's numbers after the change. Every event of the subject carries them. ``answer`` is the
    stored answer of the gateway that shows it.
    """
    if not news:
        return
    if any(new.decline or new.detail for new in news) and erased.is_erased(connection, subject):
        news = [_without_words(new) for new in news]
    last = select(func.max(schema.events.c.number)).where(schema.events.c.subject_id == subject.id)
    written = connection.execute(last).scalar() or 0
    for number, new in enumerate(news, start=written + 1):
        sequence = connection.execute(
            insert(schema.events)
            .values(
                event_id=ids.event_id(subject.id, number, now),
                account=account,
                subject_kind=subject.kind.value,
                subject_id=subject.id,
                number=number,
                kind=new.kind.value,
                body=_body(facts, new),
                observation_id=answer,
                occurred_at=now,
            )
            .returning(schema.events.c.sequence),
        ).scalar_one()
        connection.execute(
            insert(schema.deliveries).values(sequence=sequence, account=account, subject_id=subject.id, next_at=now),
        )


def claim(
    connection: Connection,
    accounts: Sequence[str],
    *,
    now: datetime,
    until: datetime,
    subjects: Sequence[Subject] = (),
) -> Delivery | None:
    """Claim the next event to deliver until ``until``; ``None`` if none is due.

    ``subjects``: only their events. An event of a kind that only a newer prenopay knows is left to that one.
    """
    events, deliveries = schema.events, schema.deliveries
    query = (
        select(events, deliveries.c.tries)
        .join(deliveries, deliveries.c.sequence == events.c.sequence)
        .where(
            deliveries.c.account.in_(accounts),
            _is_ready(now, at_once=bool(subjects)),
            due.free(deliveries, now),
            _is_first(),
            events.c.kind.in_(_KINDS),
        )
        .order_by(deliveries.c.next_at, deliveries.c.sequence)
        .limit(1)
        .with_for_update(of=deliveries, skip_locked=True)
    )
    if subjects:
        waits = (deliveries.c.subject_id.in_([subject.id for subject in subjects]), deliveries.c.delivered_at.is_(None))
        query = query.where(*waits)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    connection.execute(update(deliveries).where(deliveries.c.sequence == row.sequence).values(claimed_until=until))
    return Delivery(
        sequence=row.sequence, tries=row.tries, claimed_until=until, event=_event(row, _answer(connection, row))
    )


def delivered(connection: Connection, delivery: Delivery, *, now: datetime) -> None:
    """Mark an event as delivered: the host's handler succeeded."""
    table = schema.deliveries
    connection.execute(
        update(table)
        .where(table.c.sequence == delivery.sequence)
        .values(delivered_at=now, next_at=None, claimed_until=None, tries=delivery.tries + 1),
    )
    if delivery.tries:
        _let_followers_wait(connection, delivery.event.subject.id, delivery.sequence, until=now)


def failed(connection: Connection, delivery: Delivery, why: str, *, now: datetime) -> None:
    """Keep an event whose handler raised, and try again after a pause.

    Nothing changes if the handler took so long that another process has claimed the event, or delivered it.
    """
    if erased.is_erased(connection, delivery.event.subject):
        why = erased.error_left(why)  # the handler may name the person
    table, again = schema.deliveries, now + due.pause(due.EVENTS, delivery.tries)
    changed = connection.execute(
        update(table)
        .where(table.c.sequence == delivery.sequence, table.c.claimed_until == delivery.claimed_until)
        .values(next_at=again, claimed_until=None, tries=delivery.tries + 1, last_error=why),
    )
    if changed.rowcount:
        _let_followers_wait(connection, delivery.event.subject.id, delivery.sequence, until=again)


def undelivered(
    connection: Connection, accounts: Sequence[str], *, failed_only: bool, limit: int
) -> tuple[Undelivered, ...]:
    """Return events that wait for the host's handler, oldest first."""
    events, deliveries = schema.events, schema.deliveries
    query = (
        select(events, deliveries.c.tries, deliveries.c.last_error, deliveries.c.next_at)
        .join(deliveries, deliveries.c.sequence == events.c.sequence)
        .where(deliveries.c.account.in_(accounts), deliveries.c.next_at.is_not(None))
        .order_by(deliveries.c.sequence)
        .limit(limit)
    )
    if failed_only:
        query = query.where(deliveries.c.tries > 0)
    return tuple(
        Undelivered(
            event=_event(row, _answer(connection, row)), tries=row.tries, last_error=row.last_error, next_at=row.next_at
        )
        for row in connection.execute(query)
    )


def retry(
    connection: Connection, accounts: Sequence[str], event_ids: Sequence[str] | None, *, now: datetime
) -> tuple[str, ...]:
    """Make events due now (``None``: all on which the handler failed); return their ids, oldest first.

    Events that wait for one of them are due with it.
    """
    events, deliveries = schema.events, schema.deliveries
    query = (
        select(deliveries.c.sequence, deliveries.c.subject_id, events.c.event_id)
        .join(events, events.c.sequence == deliveries.c.sequence)
        .where(deliveries.c.account.in_(accounts), deliveries.c.next_at.is_not(None))
        .order_by(deliveries.c.sequence)
    )
    query = query.where(deliveries.c.tries > 0 if event_ids is None else events.c.event_id.in_(event_ids))
    found = connection.execute(query).all()
    for row in found:
        connection.execute(
            update(deliveries)
            .where(deliveries.c.sequence == row.sequence, deliveries.c.next_at.is_not(None))
            .values(next_at=now, tries=0)  # a handler that is at work keeps its claim
        )
        _let_followers_wait(connection, row.subject_id, row.sequence, until=now)
    return tuple(row.event_id for row in found)


def _is_ready(now: datetime, *, at_once: bool) -> ColumnElement[bool]:
    """Return the condition that an event may be delivered. ``at_once``: also one that waits for one before it.

    Events behind one that fails wait as long as that one, so that nobody looks at them in vain.
    """
    table = schema.deliveries
    is_due = table.c.next_at <= now
    return or_(is_due, and_(table.c.next_at.is_not(None), table.c.tries == 0)) if at_once else is_due


def _let_followers_wait(connection: Connection, subject_id: str, sequence: int, *, until: datetime) -> None:
    """Make what waits for event ``sequence`` of its subject due at the same time as that one."""
    table = schema.deliveries
    follows = (table.c.subject_id == subject_id, table.c.sequence > sequence, table.c.delivered_at.is_(None))
    connection.execute(update(table).where(*follows).values(next_at=until))


def _is_first() -> ColumnElement[bool]:
    """Return the condition that nothing earlier of the subject waits."""
    deliveries, waiting = schema.deliveries, schema.deliveries.alias("waiting")
    first = (
        select(func.min(waiting.c.sequence))
        .where(waiting.c.subject_id == deliveries.c.subject_id, waiting.c.delivered_at.is_(None))
        .correlate(deliveries)
    )
    return deliveries.c.sequence == first.scalar_subquery()


def _without_words(new: NewEvent) -> NewEvent:
    """Return an event about somebody who was erased, without the words of strangers."""
    decline = None if new.decline is None else replace(new.decline, text="")
    return replace(new, decline=decline, detail=erased.detail_left(new.flag, new.detail))


def _body(facts: Mapping[str, Any], new: NewEvent) -> dict[str, Any]:
    said: dict[str, Any] = {
        "operation_id": new.operation_id,
        **facts,
        "decline": None if new.decline is None else codec.dump(new.decline),
        "flag": None if new.flag is None else new.flag.value,
        "detail": new.detail,
    }
    if new.amount is not None:
        said |= {"amount": new.amount.minor, "currency": new.amount.currency}
    return {name: value for name, value in said.items() if value not in (None, "", {})}


def _answer(connection: Connection, row: Any) -> dict[str, Any]:
    answer: int | None = row.observation_id
    return {} if answer is None else answers.load(connection, row.subject_id, answer)


def _event(row: Any, raw: Mapping[str, Any]) -> Event:
    body = row.body
    subject = Subject(word(SubjectKind, row.subject_kind), row.subject_id)

    def money(name: str) -> Money | None:
        return Money(body[name], body["currency"]) if name in body else None

    return Event(
        event_id=row.event_id,
        number=row.number,
        kind=word(EventKind, row.kind),
        account=row.account,
        subject=subject,
        payment_id=body.get("payment_id", ""),
        order_reference=body.get("order_reference", ""),
        occurred_at=row.occurred_at,
        state=word(PaymentState, body["state"]) if "state" in body else None,
        amount=money("amount"),
        captured=money("captured"),
        refunded=money("refunded"),
        is_paid=body.get("is_paid", False),
        operation_id=body.get("operation_id"),
        mandate_id=body.get("mandate_id"),
        decline=codec.load_shown(Decline, body["decline"]) if "decline" in body else None,
        flag=word(FlagKind, body["flag"]) if "flag" in body else None,
        detail=body.get("detail", ""),
        raw=raw,
    )
