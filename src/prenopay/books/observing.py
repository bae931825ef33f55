"""The one way in which anything changes: an observation is held against the books and written in.

Everything an observation leads to (movements, state, settled operations, flags, events) is written
in one transaction, on the locked payment. Applying the same observation twice changes nothing the
second time; applying an old one late changes nothing at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from prenopay.books import answers, charges, codec, mandates, schema
from prenopay.books.evidence import FIRST_TRY_HAS_ENDED
from prenopay.books.lifecycle import ENDED, UNPAID, advance
from prenopay.books.movements import Movement, Totals, contradiction, new_movements, overrules
from prenopay.books.outbox import NewEvent, append_events
from prenopay.books.records import (
    PERSONAL,
    StoredOperation,
    StoredPayment,
    load_order,
    load_payment,
    lock_payment,
    movements_of,
    operations_of,
)
from prenopay.books.settling import settle
from prenopay.books.vault import Sealed
from prenopay.errors import IllegalTransition
from prenopay.provider import Observation, ProviderTransaction, TransactionKind
from prenopay.values.events import EventKind
from prenopay.values.money import Money
from prenopay.values.orders import OrderLine
from prenopay.values.payments import FlagKind, OperationKind, Outcome, Payment, PaymentState

__all__ = ["apply", "flag"]

_CLOCK_SKEW: Final = timedelta(seconds=300)
"""How far a gateway's clock may be behind ours when a failed refund is matched by its time."""

_MOVED: Final = {
    OperationKind.CAPTURE: TransactionKind.CAPTURE,
    OperationKind.CANCEL: TransactionKind.RELEASE,
    OperationKind.REFUND: TransactionKind.REFUND,
}
_EVENT_OF: Final = {
    PaymentState.CANCELLED: EventKind.CANCELLED,
    PaymentState.DECLINED: EventKind.DECLINED,
    PaymentState.EXPIRED: EventKind.EXPIRED,
}


@dataclass(slots=True)
class _Changes:
    """What one observation leads to, collected while it is worked through."""

    payment: StoredPayment
    now: datetime
    values: dict[str, Any] = field(default_factory=dict[str, Any])
    events: list[NewEvent] = field(default_factory=list[NewEvent])

    def tell(self, kind: EventKind, **details: Any) -> None:
        self.events.append(NewEvent(kind=kind, **details))


def apply(
    connection: Connection,
    account: str,
    payment_id: str,
    observed: Observation,
    *,
    now: datetime,
    read_at: datetime,
    source: str,
    next_check_at: datetime | None,
    methods: Sequence[Sealed] = (),
) -> StoredPayment:
    """Write ``observed`` (redacted) into the books and return the payment as it now stands.

    ``read_at`` is when the gateway was asked: an older reading never
    overrules a newer one on what can be done next. Raises ``IllegalTransition`` if someone changed the
    payment behind the lock.
    """
    stored = lock_payment(connection, account, payment_id)
    changes = _Changes(stored, now)
    answers.keep(connection, stored, observed, now, source)
    unsettled = [each for each in operations_of(connection, payment_id) if _is_unsettled(each)]
    if wrong := _mismatch(stored, observed, unsettled):
        flag(connection, changes.payment, FlagKind.MISMATCH, wrong, now=now, events=changes.events)
        changes.values["quarantined"] = True
    else:
        changes.values["quarantined"] = False
        before = Totals.of(movements_of(connection, payment_id), observed.authorized.currency)
        totals = _move_money(connection, changes, observed)
        _advance(connection, changes, observed, totals)
        _note_attempts(connection, changes, observed)
        _settle_operations(connection, changes, observed, unsettled)
        _raise_flags(connection, changes, observed, totals)
        _note_methods(connection, changes, methods, totals)
        last_read = stored.observed_at or read_at
        if overrules(before, totals, observed, asked_last=read_at >= last_read):
            changes.values["allowed_actions"] = sorted(action.value for action in observed.allowed_actions)
            changes.values["observed_at"] = max(read_at, last_read)
    _write(connection, changes, observed, next_check_at)
    return load_payment(connection, account, payment_id)


def flag(
    connection: Connection,
    stored: StoredPayment,
    kind: FlagKind,
    detail: str,
    *,
    now: datetime,
    events: list[NewEvent] | None = None,
) -> None:
    """Mark a payment for a person, once for each kind and detail; tell the host."""
    if any(each.kind is kind and each.detail == detail for each in stored.payment.flags):
        return
    connection.execute(
        insert(schema.flags).values(
            payment_id=stored.payment.payment_id,
            kind=kind.value,
            detail=detail,
            raised_at=now,
        ),
    )
    told = NewEvent(kind=EventKind.FLAGGED, flag=kind, detail=detail)
    if events is None:
        append_events(connection, stored.payment.account, stored.payment.payment_id, [told], now=now)
    else:
        events.append(told)


def _is_unsettled(operation: StoredOperation) -> bool:
    return operation.operation.outcome in {Outcome.UNKNOWN, Outcome.PENDING}


def _mismatch(stored: StoredPayment, observed: Observation, unsettled: Sequence[StoredOperation]) -> str | None:
    """Say how the gateway's payment differs from the one that was ordered."""
    payment = stored.payment
    asked = [payment.amount]
    asked += [each.operation.amount for each in unsettled if _may_have_updated(each) and each.operation.amount]
    if observed.submitted not in asked:
        return f"the gateway has an order of {observed.submitted}, ordered was {payment.amount}"
    if payment.provider_reference and observed.provider_reference != payment.provider_reference:
        return f"the gateway answered with {observed.provider_reference}, asked was {payment.provider_reference}"
    if observed.reference is not None and observed.reference != stored.reference:
        return f"the gateway has our reference as {observed.reference}, it is {stored.reference}"
    if observed.order_reference is not None and observed.order_reference != payment.order_reference:
        return f"the gateway has order {observed.order_reference!r}, ordered was {payment.order_reference!r}"
    return None


def _may_have_updated(operation: StoredOperation) -> bool:
    return operation.operation.kind is OperationKind.UPDATE


def _move_money(connection: Connection, changes: _Changes, observed: Observation) -> Totals:
    """Append the movements that are new, tell the host of money, and return the new totals."""
    payment = changes.payment.payment
    written = movements_of(connection, payment.payment_id)
    currency = payment.amount.currency
    known = {(each.kind, each.number) for each in written if each.number is not None}
    added = new_movements(Totals.of(written, currency), observed, known)
    for movement in added:
        connection.execute(
            insert(schema.movements).values(
                payment_id=payment.payment_id,
                kind=movement.kind.value,
                amount=movement.amount.minor,
                currency=currency,
                number=movement.number,
                reference=movement.reference,
                at=changes.now,
            ),
        )
    totals = Totals.of((*written, *added), currency)
    changes.values |= {
        "authorized": totals.authorized.minor,
        "captured": totals.captured.minor,
        "refunded": totals.refunded.minor,
        "cancelled": totals.cancelled.minor,
    }
    if observed.fee or observed.discount:
        changes.values["due"] = (payment.amount + observed.fee - observed.discount).minor
    _tell_of_money(changes, added)
    return totals


def _tell_of_money(changes: _Changes, added: tuple[Movement, ...]) -> None:
    told = {
        TransactionKind.AUTHORIZATION: EventKind.AUTHORIZED,
        TransactionKind.CAPTURE: EventKind.CAPTURED,
        TransactionKind.REFUND: EventKind.REFUNDED,
    }
    for kind, event in told.items():
        moved = [each for each in added if each.kind is kind]
        if moved:
            amount = sum((each.amount for each in moved), Money.zero(moved[0].amount.currency))
            changes.tell(event, amount=Money(abs(amount.minor), amount.currency))


def _advance(connection: Connection, changes: _Changes, observed: Observation, totals: Totals) -> None:
    payment = changes.payment.payment
    had_money = bool(payment.authorized or payment.captured)
    step = advance(payment.state, observed.state, had_money=had_money)
    changes.values["state"] = step.state.value
    if observed.decline is not None:
        changes.values["decline"] = codec.dump(observed.decline)
    if step.state is not payment.state and step.state in ENDED:
        changes.tell(_EVENT_OF[step.state], decline=observed.decline)
    if step.late:
        detail = f"{totals.authorized} came after the payment was {payment.state}"
        flag(connection, changes.payment, FlagKind.LATE, detail, now=changes.now, events=changes.events)
    if step.contradiction:
        detail = f"the gateway says {observed.state} of a payment that was {payment.state}"
        flag(connection, changes.payment, FlagKind.CONTRADICTION, detail, now=changes.now, events=changes.events)


def _note_attempts(connection: Connection, changes: _Changes, observed: Observation) -> None:
    """Keep each failed try of the payer's once, and tell the host of new ones while another may follow."""
    payment = changes.payment.payment
    table = schema.attempts
    known = set(connection.scalars(select(table.c.number).where(table.c.payment_id == payment.payment_id)))
    for attempt in observed.attempts:
        if attempt.number in known:
            continue
        known.add(attempt.number)
        at = attempt.created_at or changes.now
        connection.execute(
            insert(table).values(
                payment_id=payment.payment_id,
                number=attempt.number,
                instrument=attempt.instrument,
                decline=codec.dump(attempt.decline),
                at=at,
            ),
        )
        changes.values["decline"] = codec.dump(attempt.decline)
        if changes.values["state"] in {state.value for state in UNPAID}:
            changes.tell(EventKind.ATTEMPT_DECLINED, decline=attempt.decline)


def _settle_operations(
    connection: Connection,
    changes: _Changes,
    observed: Observation,
    unsettled: Sequence[StoredOperation],
) -> None:
    """Settle operations on the gateway's evidence: its lists name them by our reference."""
    done = {each.reference for each in observed.transactions if each.reference}
    claimed: set[str] = set()
    for operation in unsettled:
        made = operation.operation
        if made.reference in done and made.kind in _MOVED:
            settle(connection, operation, Outcome.SUCCEEDED, now=changes.now)
        elif made.kind is OperationKind.UPDATE and made.amount == observed.submitted:
            settle(connection, operation, Outcome.SUCCEEDED, now=changes.now)
            changes.values |= _updated(connection, changes.payment.payment, operation, observed)
        elif made.kind is OperationKind.CHARGE and made.outcome is Outcome.PENDING:
            changes.events += charges.settle_seen(connection, operation, observed, now=changes.now)
        elif made.kind is OperationKind.CANCEL and observed.state is PaymentState.CANCELLED:
            settle(connection, operation, Outcome.SUCCEEDED, now=changes.now)
        elif failed := _failure_of(operation, observed, claimed, changes.now):
            claimed.add(failed.number)
            settle(connection, operation, Outcome.DECLINED, now=changes.now, decline=failed.decline)
            changes.tell(EventKind.OPERATION_DECLINED, operation_id=made.operation_id, decline=failed.decline)


def _updated(
    connection: Connection, payment: Payment, operation: StoredOperation, observed: Observation
) -> dict[str, Any]:
    """Return the payment's columns after an update: from now on this is what was ordered."""
    amount = operation.operation.amount or payment.amount
    lines: tuple[OrderLine, ...] = codec.load(operation.parameters["lines"])
    order = load_order(connection, payment.account, payment.payment_id)
    stored = codec.dump(replace(order, amount=amount, vat=operation.vat, lines=lines))
    stored = {name: value for name, value in stored.items() if name not in PERSONAL}
    due = amount + observed.fee - observed.discount
    return {"amount": amount.minor, "due": due.minor, "order": stored}


def _failure_of(
    operation: StoredOperation,
    observed: Observation,
    claimed: set[str],
    now: datetime,
) -> ProviderTransaction | None:
    """Find the failed try that is this operation, by reference, or by time where none is given.

    By time (as the gateway's pages say) only what was accepted, or a lost refund that cannot be on its way any more:
    it may have been accepted, and while one is under way no other is.
    """
    for failed in observed.failed_transactions:
        if failed.kind is not _MOVED.get(operation.operation.kind) or failed.number in claimed:
            continue
        if failed.reference is not None:
            if failed.reference == operation.operation.reference:
                return failed
            continue
        lost = operation.operation.kind is OperationKind.REFUND and now - operation.first_sent_at >= FIRST_TRY_HAS_ENDED
        if operation.operation.outcome is not Outcome.PENDING and not lost:
            continue
        since = operation.first_sent_at - _CLOCK_SKEW
        if failed.created_at is None or failed.created_at >= since:
            return failed
    return None


def _note_methods(
    connection: Connection,
    changes: _Changes,
    methods: Sequence[Sealed],
    totals: Totals,
) -> None:
    """Hold the stored methods that the gateway shows against what the payer was asked."""
    payment = changes.payment.payment
    is_over = changes.values["state"] in {state.value for state in ENDED}
    has_money = bool(totals.authorized) and not payment.authorized
    if methods or is_over or has_money:
        changes.events += mandates.note_methods(
            connection,
            payment.payment_id,
            methods,
            is_over=is_over,
            has_money=bool(totals.authorized),
            now=changes.now,
        )


def _raise_flags(connection: Connection, changes: _Changes, observed: Observation, totals: Totals) -> None:
    stored, now = changes.payment, changes.now

    def raise_flag(kind: FlagKind, detail: str) -> None:
        flag(connection, stored, kind, detail, now=now, events=changes.events)

    if impossible := contradiction(totals):
        raise_flag(FlagKind.CONTRADICTION, impossible)
    if observed.state is PaymentState.UNKNOWN:
        raise_flag(FlagKind.UNCERTAIN, observed.decline.text if observed.decline else observed.raw_status)
    if not observed.status_is_known:
        raise_flag(FlagKind.UNREADABLE_STATUS, f"the gateway says {observed.raw_status!r}")
    paid_amount = observed.authorized
    if paid_amount and paid_amount != observed.submitted:
        detail = f"asked {observed.submitted}, paid {paid_amount} (fee {observed.fee}, discount {observed.discount})"
        raise_flag(FlagKind.ADJUSTED, detail)
    if totals.authorized and not stored.payment.authorized and (other := _other_paid(connection, stored)):
        raise_flag(FlagKind.PAID_TWICE, f"order {stored.payment.order_reference} was also paid by {other}")


def _other_paid(connection: Connection, stored: StoredPayment) -> str | None:
    """Return another payment of the same order that holds money, if there is one."""
    payment, table = stored.payment, schema.payments
    if not payment.order_reference:
        return None
    query = select(table.c.payment_id).where(
        table.c.account == payment.account,
        table.c.order_reference == payment.order_reference,
        table.c.payment_id != payment.payment_id,
        table.c.authorized - table.c.cancelled - table.c.refunded > 0,
    )
    found = connection.execute(query).scalar()
    return None if found is None else str(found)


def _write(
    connection: Connection,
    changes: _Changes,
    observed: Observation,
    next_check_at: datetime | None,
) -> None:
    stored, table = changes.payment, schema.payments
    values = changes.values | {"next_check_at": next_check_at, "updated_at": changes.now, "version": stored.version + 1}
    if observed.instrument is not None:
        values["instrument"] = observed.instrument
    written = connection.execute(
        update(table)
        .where(table.c.payment_id == stored.payment.payment_id, table.c.version == stored.version)
        .values(**values),
    )
    if written.rowcount != 1:
        message = "someone changed the payment while it was locked: the books were left as they were"
        raise IllegalTransition(message).about(account=stored.payment.account, payment_id=stored.payment.payment_id)
    append_events(
        connection,
        stored.payment.account,
        stored.payment.payment_id,
        changes.events,
        now=changes.now,
        raw=observed.raw,
    )
