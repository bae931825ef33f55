"""Reading the books: rows become the values a host sees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, and_, insert, or_, select

from prenopay.books import codec, schema
from prenopay.books.movements import Movement, Totals
from prenopay.errors import NotFound
from prenopay.provider import TransactionKind
from prenopay.values.money import Money
from prenopay.values.orders import CaptureMode, Order
from prenopay.values.payments import (
    Action,
    AppSwitch,
    Decline,
    Flag,
    FlagKind,
    Operation,
    OperationKind,
    Outcome,
    Payment,
    PaymentState,
    SeamlessView,
    TimelineEntry,
)

__all__ = [
    "PERSONAL",
    "StoredOperation",
    "StoredPayment",
    "decided",
    "find_operation",
    "find_payments",
    "load_operation",
    "load_order",
    "load_payment",
    "lock_payment",
    "movements_of",
    "operations_of",
    "stored_operation",
    "timeline",
    "totals_that_disagree",
]

PERSONAL: Final = ("payer", "payer_user_agent", "risk")
"""What an order says of a person: kept apart, so that it can be erased while the history stays."""

_PAGE_MOST: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPayment:
    """A payment with what only the core needs to know of it."""

    payment: Payment
    reference: str
    capture_mode: CaptureMode
    version: int
    events: int
    observed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredOperation:
    """An operation with what only the core needs to know of it."""

    operation: Operation
    digest: str
    vat: Money | None
    parameters: dict[str, Any] = field(default_factory=dict[str, Any])
    checks: int = 0
    first_sent_at: datetime
    claimed_until: datetime | None

    def in_flight(self, now: datetime) -> bool:
        """Whether someone is (or was moments ago) talking to the gateway about it."""
        return self.claimed_until is not None and self.claimed_until > now


def load_payment(connection: Connection, account: str, payment_id: str) -> StoredPayment:
    """Return the payment; raises ``NotFound`` for one that this account does not have."""
    return _load_payment(connection, account, payment_id, lock=False)


def lock_payment(connection: Connection, account: str, payment_id: str) -> StoredPayment:
    """Return the payment and keep others from changing it until the transaction ends."""
    return _load_payment(connection, account, payment_id, lock=True)


def _load_payment(connection: Connection, account: str, payment_id: str, *, lock: bool) -> StoredPayment:
    table = schema.payments
    query = select(table).where(table.c.payment_id == payment_id, table.c.account == account)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        message = f"there is no payment {payment_id!r} in account {account!r}"
        raise NotFound(message).about(account=account, payment_id=payment_id)
    return _stored_payment(row, _flags(connection, [row.payment_id]))


def find_payments(
    connection: Connection,
    account: str,
    *,
    order_reference: str | None = None,
    state: PaymentState | None = None,
    after: str | None = None,
    limit: int = 50,
) -> tuple[Payment, ...]:
    """Return payments, newest first; ``after`` is the last payment id of the page before."""
    table = schema.payments
    query = select(table).where(table.c.account == account)
    if order_reference is not None:
        query = query.where(table.c.order_reference == order_reference)
    if state is not None:
        query = query.where(table.c.state == state.value)
    if after is not None:
        last = select(table.c.created_at).where(table.c.payment_id == after).scalar_subquery()
        query = query.where(
            or_(table.c.created_at < last, and_(table.c.created_at == last, table.c.payment_id < after)),
        )
    query = query.order_by(table.c.created_at.desc(), table.c.payment_id.desc()).limit(min(limit, _PAGE_MOST))
    rows = connection.execute(query).all()
    flags = _flags(connection, [row.payment_id for row in rows])
    return tuple(_stored_payment(row, flags).payment for row in rows)


def load_order(connection: Connection, account: str, payment_id: str) -> Order:
    """Return the order as it was given, with what is personal unless that was erased."""
    load_payment(connection, account, payment_id)
    payments, payers = schema.payments, schema.payers
    stored = connection.execute(select(payments.c.order).where(payments.c.payment_id == payment_id)).scalar_one()
    personal = connection.execute(select(payers.c.data).where(payers.c.payment_id == payment_id)).scalar_one_or_none()
    return codec.load_as(Order, {**stored, **(personal or {})})


def find_operation(connection: Connection, account: str, operation_id: str) -> StoredOperation | None:
    """Return the operation, or ``None``."""
    table = schema.operations
    query = select(table).where(table.c.account == account, table.c.operation_id == operation_id)
    row = connection.execute(query).one_or_none()
    return None if row is None else stored_operation(row)


def load_operation(connection: Connection, account: str, operation_id: str) -> StoredOperation:
    """Return the operation; raises ``NotFound`` for one that this account does not have."""
    found = find_operation(connection, account, operation_id)
    if found is None:
        message = f"there is no operation {operation_id!r} in account {account!r}"
        raise NotFound(message).about(account=account, operation_id=operation_id)
    return found


def timeline(connection: Connection, account: str, payment_id: str) -> tuple[TimelineEntry, ...]:
    """Return everything that happened to a payment, oldest first."""
    stored = load_payment(connection, account, payment_id)
    currency = stored.payment.amount.currency
    entries: list[TimelineEntry] = []
    for operation in operations_of(connection, payment_id):
        made = operation.operation
        entries.append(_entry(made.created_at, f"operation.{made.kind}", f"asked: {made.operation_id}", made.amount))
        if made.settled_at is not None or made.outcome is not Outcome.UNKNOWN:
            text = " · ".join(filter(None, [made.outcome.value, made.decline.text if made.decline else "", made.error]))
            entries.append(_entry(made.settled_at or made.created_at, f"operation.{made.kind}.{made.outcome}", text))
    for row in _rows(connection, schema.movements, payment_id):
        name = " · ".join(filter(None, [row.number and f"no. {row.number}", row.reference]))
        entries.append(_entry(row.at, f"movement.{row.kind}", name, Money(row.amount, currency)))
    for row in _rows(connection, schema.attempts, payment_id):
        decline = codec.load_as(Decline, row.decline)
        entries.append(_entry(row.at, "attempt.declined", f"{row.instrument or 'unknown'}: {decline.code.value}"))
    for row in _rows(connection, schema.decisions, payment_id):
        entries.append(_entry(row.at, "decision", f"{row.outcome} by {row.person}: {row.reason}"))
    for row in _rows(connection, schema.flags, payment_id):
        entries.append(_entry(row.raised_at, f"flag.{row.kind}", row.detail))
    for row in _rows(connection, schema.inbox, payment_id):
        entries.append(_entry(row.received_at, "callback", f"received {row.times} times" if row.times > 1 else ""))
    for row in _rows(connection, schema.observations, payment_id):
        entries.append(_entry(row.at, "observation", f"read because of: {row.source}"))
    return tuple(sorted(entries, key=lambda entry: entry.at))


def decided(
    connection: Connection,
    made: Operation,
    outcome: Outcome,
    *,
    person: str,
    reason: str,
    now: datetime,
) -> None:
    """Write down what a person settled by hand, and how that was found out."""
    connection.execute(
        insert(schema.decisions).values(
            account=made.account,
            operation_id=made.operation_id,
            payment_id=made.payment_id,
            outcome=outcome.value,
            person=person,
            reason=reason,
            at=now,
        ),
    )


def operations_of(connection: Connection, payment_id: str) -> tuple[StoredOperation, ...]:
    """Return every operation on a payment, oldest first."""
    table = schema.operations
    query = select(table).where(table.c.payment_id == payment_id).order_by(table.c.created_at, table.c.operation_id)
    return tuple(stored_operation(row) for row in connection.execute(query))


def movements_of(connection: Connection, payment_id: str) -> tuple[Movement, ...]:
    """Return what the books have of a payment."""
    return tuple(
        Movement(TransactionKind(row.kind), Money(row.amount, row.currency), row.number, row.reference)
        for row in _rows(connection, schema.movements, payment_id)
    )


def totals_that_disagree(connection: Connection) -> tuple[str, ...]:
    """Return the ids of payments whose totals are not the sums of their movements (there must be none)."""
    table = schema.payments
    wrong: list[str] = []
    for row in connection.execute(select(table)).all():
        totals = Totals.of(movements_of(connection, row.payment_id), row.currency)
        stated = (row.authorized, row.captured, row.refunded, row.cancelled)
        summed = (totals.authorized, totals.captured, totals.refunded, totals.cancelled)
        if stated != tuple(total.minor for total in summed):
            wrong.append(str(row.payment_id))
    return tuple(wrong)


def stored_operation(row: Row[Any]) -> StoredOperation:
    """Read one row of the operations table."""
    return StoredOperation(
        operation=Operation(
            operation_id=row.operation_id,
            kind=OperationKind(row.kind),
            account=row.account,
            payment_id=row.payment_id,
            amount=None if row.amount is None else Money(row.amount, row.currency),
            outcome=Outcome(row.outcome),
            decline=None if row.decline is None else codec.load_as(Decline, row.decline),
            reference=row.reference,
            attempts=row.attempts,
            created_at=row.created_at,
            settled_at=row.settled_at,
            error=row.error,
        ),
        digest=row.digest,
        vat=None if row.vat is None else Money(row.vat, row.currency),
        parameters=row.parameters,
        checks=row.checks,
        first_sent_at=row.first_sent_at,
        claimed_until=row.claimed_until,
    )


def _flags(connection: Connection, payment_ids: list[str]) -> Mapping[str, tuple[Flag, ...]]:
    table = schema.flags
    found: dict[str, tuple[Flag, ...]] = {}
    for row in connection.execute(select(table).where(table.c.payment_id.in_(payment_ids)).order_by(table.c.flag_id)):
        flag = Flag(kind=FlagKind(row.kind), detail=row.detail, raised_at=row.raised_at)
        found[row.payment_id] = (*found.get(row.payment_id, ()), flag)
    return found


def _stored_payment(row: Row[Any], flags: Mapping[str, tuple[Flag, ...]]) -> StoredPayment:
    def money(minor: int) -> Money:
        return Money(minor, row.currency)

    return StoredPayment(
        payment=Payment(
            payment_id=row.payment_id,
            account=row.account,
            provider=row.provider,
            order_reference=row.order_reference,
            provider_reference=row.provider_reference,
            state=PaymentState(row.state),
            amount=money(row.amount),
            due=money(row.due),
            authorized=money(row.authorized),
            captured=money(row.captured),
            refunded=money(row.refunded),
            cancelled=money(row.cancelled),
            description=row.description,
            instrument=row.instrument,
            allowed_actions=frozenset() if row.quarantined else frozenset(Action(name) for name in row.allowed_actions),
            flags=flags.get(row.payment_id, ()),
            quarantined=row.quarantined,
            decline=None if row.decline is None else codec.load_as(Decline, row.decline),
            created_at=row.created_at,
            updated_at=row.updated_at,
            expires_at=row.expires_at,
            redirect_url=row.redirect_url,
            seamless_view=None if row.seamless_view is None else codec.load_as(SeamlessView, row.seamless_view),
            app_switch=None if row.app_switch is None else codec.load_as(AppSwitch, row.app_switch),
        ),
        reference=row.reference,
        capture_mode=CaptureMode(row.capture_mode),
        version=row.version,
        events=row.events,
        observed_at=row.observed_at,
    )


def _rows(connection: Connection, table: Any, payment_id: str) -> list[Row[Any]]:
    key = next(iter(table.primary_key.columns))
    return list(connection.execute(select(table).where(table.c.payment_id == payment_id).order_by(key)))


def _entry(at: datetime, kind: str, text: str, amount: Money | None = None) -> TimelineEntry:
    return TimelineEntry(at=at, kind=kind, text=text, amount=amount)
