"""Events and their delivery: written with the change they tell of, delivered after it is durable.

Per payment, an event is due only when every earlier one has been delivered: that keeps them in
order. A delivery that failed stays, and is tried again with growing pauses, for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Exists, Row, func, insert, or_, select, update

from prenopay.books import codec, ids, schema
from prenopay.values.events import Event, EventKind
from prenopay.values.money import Money
from prenopay.values.payments import Decline, FlagKind, PaymentState

__all__ = ["Due", "NewEvent", "append_events", "claim_due", "delivered", "failed", "undelivered"]

_RETRY_AFTER: Final = tuple(timedelta(seconds=pause) for pause in (5, 30, 120, 600, 1800, 3600))
"""Pauses after a handler raised; the last one repeats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """What is to be told; the ledger adds the payment's numbers as they stand after the change."""

    kind: EventKind
    amount: Money | None = None
    operation_id: str | None = None
    mandate_id: str | None = None
    decline: Decline | None = None
    flag: FlagKind | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """An event that is to be delivered now."""

    sequence: int
    attempts: int
    event: Event


def append_events(
    connection: Connection,
    account: str,
    payment_id: str,
    news: Sequence[NewEvent],
    *,
    now: datetime,
    raw: Any = None,
) -> None:
    """Write down what is to be told, after the payment row has its new values."""
    if not news:
        return
    payments = schema.payments
    row = connection.execute(select(payments).where(payments.c.payment_id == payment_id)).one()
    for number, new in enumerate(news, start=row.events + 1):
        sequence = connection.execute(
            insert(schema.events)
            .values(
                event_id=ids.event_id(payment_id, number),
                account=account,
                payment_id=payment_id,
                number=number,
                kind=new.kind.value,
                body=_body(row, new, raw),
                occurred_at=now,
            )
            .returning(schema.events.c.sequence),
        ).scalar_one()
        connection.execute(
            insert(schema.deliveries).values(sequence=sequence, payment_id=payment_id, next_attempt_at=now),
        )
    connection.execute(
        update(payments).where(payments.c.payment_id == payment_id).values(events=row.events + len(news)),
    )


def _body(payment: Row[Any], new: NewEvent, raw: Any) -> dict[str, Any]:
    """Return what is told: the news, and the payment's numbers as they stand."""
    return {
        "kind": new.kind.value,
        "order_reference": payment.order_reference,
        "state": payment.state,
        "currency": payment.currency,
        "amount": new.amount.minor if new.amount is not None else payment.amount,
        "captured": payment.captured,
        "refunded": payment.refunded,
        "is_paid": bool(payment.state == "captured" and payment.captured >= payment.due and not payment.quarantined),
        "operation_id": new.operation_id,
        "mandate_id": new.mandate_id,
        "decline": None if new.decline is None else codec.dump(new.decline),
        "flag": None if new.flag is None else new.flag.value,
        "detail": new.detail,
        "raw": raw or {},
    }


def claim_due(
    connection: Connection,
    accounts: Sequence[str],
    *,
    now: datetime,
    until: datetime,
    payment_id: str | None = None,
) -> Due | None:
    """Take the next event to deliver, so that nobody else does until ``until``; ``None`` when all is told."""
    events, deliveries = schema.events, schema.deliveries
    query = (
        select(events, deliveries.c.attempts)
        .join(deliveries, deliveries.c.sequence == events.c.sequence)
        .where(
            events.c.account.in_(accounts),
            deliveries.c.delivered_at.is_(None),
            deliveries.c.next_attempt_at <= now,
            or_(deliveries.c.claimed_until.is_(None), deliveries.c.claimed_until <= now),
            ~_something_earlier_is_untold(),
        )
        .order_by(deliveries.c.next_attempt_at, deliveries.c.sequence)
        .limit(1)
        .with_for_update(of=deliveries, skip_locked=True)
    )
    if payment_id is not None:
        query = query.where(deliveries.c.payment_id == payment_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    connection.execute(update(deliveries).where(deliveries.c.sequence == row.sequence).values(claimed_until=until))
    return Due(sequence=row.sequence, attempts=row.attempts, event=_event(row))


def _something_earlier_is_untold() -> Exists:
    deliveries, earlier = schema.deliveries, schema.deliveries.alias("earlier")
    return (
        select(earlier.c.sequence)
        .where(
            earlier.c.payment_id == deliveries.c.payment_id,
            earlier.c.sequence < deliveries.c.sequence,
            earlier.c.delivered_at.is_(None),
        )
        .exists()
    )


def delivered(connection: Connection, sequence: int, *, now: datetime) -> None:
    """The host's handler has done it."""
    table = schema.deliveries
    connection.execute(
        update(table)
        .where(table.c.sequence == sequence)
        .values(delivered_at=now, next_attempt_at=None, claimed_until=None, attempts=table.c.attempts + 1),
    )


def failed(connection: Connection, due: Due, why: str, *, now: datetime) -> None:
    """The host's handler raised: keep the event, and try again after a pause."""
    pause = _RETRY_AFTER[min(due.attempts, len(_RETRY_AFTER) - 1)]
    table = schema.deliveries
    connection.execute(
        update(table)
        .where(table.c.sequence == due.sequence)
        .values(next_attempt_at=now + pause, claimed_until=None, attempts=due.attempts + 1, last_error=why),
    )


def undelivered(connection: Connection, accounts: Sequence[str]) -> int:
    """Return how many events wait for a handler."""
    events, deliveries = schema.events, schema.deliveries
    query = (
        select(func.count())
        .select_from(deliveries.join(events, deliveries.c.sequence == events.c.sequence))
        .where(events.c.account.in_(accounts), deliveries.c.delivered_at.is_(None))
    )
    return connection.execute(query).scalar_one()


def _event(row: Any) -> Event:
    body = row.body

    def money(minor: int) -> Money:
        return Money(minor, body["currency"])

    return Event(
        event_id=row.event_id,
        number=row.number,
        kind=EventKind(row.kind),
        account=row.account,
        payment_id=row.payment_id,
        order_reference=body["order_reference"],
        occurred_at=row.occurred_at,
        state=PaymentState(body["state"]),
        amount=money(body["amount"]),
        captured=money(body["captured"]),
        refunded=money(body["refunded"]),
        is_paid=body["is_paid"],
        operation_id=body["operation_id"],
        mandate_id=body.get("mandate_id"),
        decline=None if body["decline"] is None else codec.load_as(Decline, body["decline"]),
        flag=None if body["flag"] is None else FlagKind(body["flag"]),
        detail=body["detail"],
        raw=body["raw"],
    )
