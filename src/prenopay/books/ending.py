"""Ends that no observation tells of: time is over, a charge was refused before the gateway made a payment of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, update

from prenopay.books import codec, schema
from prenopay.books.lifecycle import ENDED
from prenopay.books.outbox import NewEvent, append_events
from prenopay.books.records import StoredOperation, lock_payment
from prenopay.provider.values import Observation
from prenopay.values.events import EventKind
from prenopay.values.payments import Action, Decline, Operation, Payment, PaymentState

__all__ = [
    "closes_page_only",
    "decline",
    "expire",
    "expired_if_so",
    "expiry_operation_id",
    "leaves_page",
    "replacing_operation_id",
    "tell_declined",
]


def expire(connection: Connection, seen: Payment, *, now: datetime) -> bool:
    """End a payment that nobody paid; one that was paid or ended meanwhile stays as it is.

    Says ``False`` where it cannot be ended yet: it has a page at the gateway that it had not when it was ``seen``.
    """
    account, payment_id = seen.account, seen.payment_id
    stored = lock_payment(connection, account, payment_id)
    if not stored.payment.is_open:
        return True
    if stored.payment.provider_reference != seen.provider_reference:
        return False
    connection.execute(
        update(schema.payments)
        .where(schema.payments.c.payment_id == payment_id)
        .values(
            state=PaymentState.EXPIRED.value,
            next_check_at=None,
            allowed_actions=[],
            updated_at=now,
            version=stored.version + 1,
        ),
    )
    append_events(connection, account, payment_id, [NewEvent(kind=EventKind.EXPIRED)], now=now)
    return True


def expiry_operation_id(payment_id: str) -> str:
    """Return the id of the operation that closes a payment's page when its time is over."""
    return f"{payment_id}:expire"


def replacing_operation_id(payment_id: str) -> str:
    """Return the id of the operation that closes a payment's page when another payment takes its place."""
    return f"{payment_id}:replaced"


def closes_page_only(made: Operation) -> bool:
    """Whether a cancel is prenopay's own: it is meant for a payment nobody has paid, and must release no money."""
    return made.operation_id in {expiry_operation_id(made.payment_id), replacing_operation_id(made.payment_id)}


def leaves_page(payment: Payment) -> bool:
    """Whether a payment is over and can be paid all the same, as its page was made or found since."""
    return payment.state in ENDED and not payment.authorized and Action.CANCEL in payment.allowed_actions


def expired_if_so(observed: Observation, made: Operation) -> Observation:
    """Return what was observed; a page closed because its time was over makes the payment expired, not cancelled."""
    closed = observed.state is PaymentState.CANCELLED and made.operation_id == expiry_operation_id(made.payment_id)
    return replace(observed, state=PaymentState.EXPIRED) if closed else observed


def tell_declined(
    connection: Connection, operation: StoredOperation, decline: Decline | None, *, now: datetime
) -> None:
    """Tell the host that a change it (or the automatic capture) asked for was refused."""
    made = operation.operation
    told = NewEvent(kind=EventKind.OPERATION_DECLINED, operation_id=made.operation_id, decline=decline)
    append_events(connection, made.account, made.payment_id, [told], now=now)


def decline(connection: Connection, account: str, payment_id: str, why: Decline | None, *, now: datetime) -> None:
    """End a charge that was refused; one that has money or ended meanwhile stays as it is."""
    stored = lock_payment(connection, account, payment_id)
    if not stored.payment.is_open:
        return
    connection.execute(
        update(schema.payments)
        .where(schema.payments.c.payment_id == payment_id)
        .values(
            state=PaymentState.DECLINED.value,
            decline=None if why is None else codec.dump(why),
            next_check_at=None,
            allowed_actions=[],
            updated_at=now,
            version=stored.version + 1,
        ),
    )
    append_events(connection, account, payment_id, [NewEvent(kind=EventKind.DECLINED, decline=why)], now=now)
