"""The gateway's own books, to be read and compared: every order with its totals, as values that never change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from prenopay.testing.emulators.jsonvalues import JsonObject, as_object
from prenopay.testing.emulators.swedbankpay.formats import stamp
from prenopay.testing.emulators.swedbankpay.orders import PaymentOrder, Status, TransactionKind
from prenopay.testing.emulators.swedbankpay.tokens import ArchivedBy, StoredToken, TokenKind

__all__ = [
    "ChargeRecord",
    "OrderRecord",
    "TokenRecord",
    "Totals",
    "TransactionRecord",
    "charge_of",
    "describe",
    "record_of",
    "token_record",
]

_PERSONAL: Final = frozenset(
    {
        "deliveryEmailAddress",
        "email",
        "homePhoneNumber",
        "msisdn",
        "socialSecurityNumber",
        "workPhoneNumber",
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionRecord:
    """One movement."""

    kind: TransactionKind
    amount: int
    vat_amount: int
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
    operation: str
    payee_id: str
    payee_reference: str
    order_reference: str
    status: Status
    amount: int
    vat_amount: int
    totals: Totals
    transactions: tuple[TransactionRecord, ...]
    failed_attempts: tuple[str, ...]
    """The problem types of the payer's tries that failed."""
    failed_operations: tuple[TransactionKind, ...]
    open_attempts: tuple[int, ...]
    is_payable: bool
    """Whether somebody who opens its page now can pay it."""
    is_locked: bool
    page_path: str
    personal: tuple[str, ...] = field(repr=False)
    """Phone numbers, e-mail addresses and personal numbers in the order and in the payer's tries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRecord:
    """One stored token as it stands."""

    token: str = field(repr=False)
    kind: TokenKind
    payee_id: str
    payer_reference: str
    instrument: str
    name: str
    """The masked card or account."""
    expiry: str
    is_network_token: bool
    is_active: bool
    archived_by: ArchivedBy | None
    archive_reason: str
    made_by: str
    """The order that stored it; empty for one that was put straight in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeRecord:
    """One charge of a token as it stands. ``problem`` is the type of what declined it."""

    order: str
    operation: str
    payee_reference: str
    payer_reference: str
    token: str = field(repr=False)
    instrument: str
    card: str
    """The masked card or account that was charged."""
    amount: int
    currency: str
    status: Status
    problem: str
    created: datetime


def record_of(order: PaymentOrder, *, page_path: str, page_is_open: bool) -> OrderRecord:
    """Return the order as a value; its page may be closed because time went by."""
    return OrderRecord(
        id=order.id,
        operation=order.operation,
        payee_id=order.merchant.payee_id,
        payee_reference=order.payee_reference,
        order_reference=order.order_reference,
        status=order.status,
        amount=order.amount,
        vat_amount=order.vat_amount,
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
                vat_amount=transaction.vat_amount,
                number=transaction.number,
                payee_reference=transaction.payee_reference,
                created=transaction.created,
            )
            for transaction in order.transactions
        ),
        failed_attempts=tuple(str(attempt.problem["type"]) for attempt in order.attempts if attempt.problem),
        failed_operations=tuple(failed.kind for failed in order.failed_operations),
        open_attempts=tuple(attempt.number for attempt in order.open_attempts),
        is_payable=order.status is Status.INITIALIZED and page_is_open,
        is_locked=order.is_locked,
        page_path=page_path,
        personal=(*_personal(order.request), *(attempt.msisdn for attempt in order.attempts if attempt.msisdn)),
    )


def _personal(value: object) -> Iterator[str]:
    """Yield what tells of a person, wherever it stands in a request."""
    for name, part in (as_object(value) or {}).items():
        if name in _PERSONAL and isinstance(part, str):
            yield part
        else:
            yield from _personal(part)


def token_record(stored: StoredToken) -> TokenRecord:
    """Return the token as a value."""
    return TokenRecord(
        token=stored.token,
        kind=stored.kind,
        payee_id=stored.payee_id,
        payer_reference=stored.payer_reference,
        instrument=stored.instrument.name,
        name=stored.name,
        expiry=stored.expiry,
        is_network_token=stored.card is not None and stored.card.is_network_token,
        is_active=stored.is_active,
        archived_by=stored.archived_by,
        archive_reason=stored.archive_reason,
        made_by=stored.made_by,
    )


def charge_of(order: PaymentOrder) -> ChargeRecord | None:
    """Return the charge that an order is, if it is one."""
    attempt = next((entry for entry in order.attempts if entry.is_by_merchant), None)
    if attempt is None or attempt.stored is None:
        return None
    return ChargeRecord(
        order=order.id,
        operation=order.operation,
        payee_reference=order.payee_reference,
        payer_reference=order.payer_reference,
        token=attempt.stored.token,
        instrument=attempt.instrument.name,
        card=attempt.card.masked if attempt.card else attempt.stored.masked_account,
        amount=order.amount,
        currency=order.text("currency"),
        status=order.status,
        problem=str((order.failure or {}).get("type", "")),
        created=order.created,
    )


def describe(record: OrderRecord) -> JsonObject:
    """Return the record as JSON."""
    totals = record.totals
    return {
        "id": record.id,
        "operation": record.operation,
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
