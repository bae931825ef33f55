"""The gateway's own books, to be read and compared: every order with its totals, as values that never change."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from prenopay.testing.emulators.jsonvalues import JsonObject
from prenopay.testing.emulators.swedbankpay.formats import stamp
from prenopay.testing.emulators.swedbankpay.orders import PaymentOrder, Status, TransactionKind

__all__ = ["OrderRecord", "Totals", "TransactionRecord", "describe", "record_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionRecord:
    """One movement."""

    kind: TransactionKind
    amount: int
    number: int
    payee_reference: str
    created: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What an order's movements add up to, in minor units."""

    currency: str
    authorized: int
    captured: int
    cancelled: int
    reversed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRecord:
    """One payment order as it stands."""

    id: str
    payee_id: str
    payee_reference: str
    order_reference: str
    status: Status
    amount: int
    totals: Totals
    transactions: tuple[TransactionRecord, ...]
    failed_attempts: tuple[str, ...]
    """The problem types of the payer's tries that failed."""
    failed_operations: tuple[TransactionKind, ...]
    open_attempts: tuple[int, ...]
    is_locked: bool
    page_path: str


def record_of(order: PaymentOrder, *, page_path: str) -> OrderRecord:
    """Return the order as a value."""
    return OrderRecord(
        id=order.id,
        payee_id=order.merchant.payee_id,
        payee_reference=order.payee_reference,
        order_reference=order.order_reference,
        status=order.status,
        amount=order.amount,
        totals=Totals(
            currency=order.text("currency"),
            authorized=order.authorized,
            captured=order.captured,
            cancelled=order.cancelled,
            reversed=order.reversed,
        ),
        transactions=tuple(
            TransactionRecord(
                kind=transaction.kind,
                amount=transaction.amount,
                number=transaction.number,
                payee_reference=transaction.payee_reference,
                created=transaction.created,
            )
            for transaction in order.transactions
        ),
        failed_attempts=tuple(str(attempt.problem["type"]) for attempt in order.attempts if attempt.problem),
        failed_operations=tuple(failed.kind for failed in order.failed_operations),
        open_attempts=tuple(attempt.number for attempt in order.open_attempts),
        is_locked=order.is_locked,
        page_path=page_path,
    )


def describe(record: OrderRecord) -> JsonObject:
    """Return the record as JSON."""
    totals = record.totals
    return {
        "id": record.id,
        "payeeId": record.payee_id,
        "payeeReference": record.payee_reference,
        "orderReference": record.order_reference,
        "status": record.status,
        "amount": record.amount,
        "currency": totals.currency,
        "authorized": totals.authorized,
        "captured": totals.captured,
        "cancelled": totals.cancelled,
        "reversed": totals.reversed,
        "transactions": [
            {
                "type": entry.kind,
                "amount": entry.amount,
                "number": entry.number,
                "payeeReference": entry.payee_reference,
                "created": stamp(entry.created),
            }
            for entry in record.transactions
        ],
        "failedAttempts": list(record.failed_attempts),
        "failedOperations": list(record.failed_operations),
        "openAttempts": list(record.open_attempts),
        "isLocked": record.is_locked,
        "page": record.page_path,
    }
