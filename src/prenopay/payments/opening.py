"""What a create and a charge have in common: the payment is written down with the operation that makes it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from prenopay.account import Account
from prenopay.asking import failed
from prenopay.books import operations
from prenopay.books.operations import Asked, Begun, StoredOperation
from prenopay.errors import PrenopayError
from prenopay.payments import observing, rows
from prenopay.payments.rows import StoredPayment
from prenopay.provider.values import Created
from prenopay.values.orders import Order
from prenopay.values.payments import Outcome
from prenopay.values.subjects import Subject

__all__ = ["begin", "name_if_first", "unanswered"]


def begin(
    connection: Connection,
    account: Account,
    intent: operations.Intent,
    subject: Subject,
    order: Order,
    *,
    asked: Asked,
    expires_at: datetime | None,
    parameters: Mapping[str, Any] | None = None,
) -> tuple[StoredPayment, Begun]:
    """Write down a new payment and the operation that makes it."""
    stored = rows.insert_payment(
        connection,
        order,
        payment_id=subject.id,
        account=account.name,
        provider=account.gateway.name,
        expires_at=expires_at,
        now=intent.now,
    )
    begun = operations.begin(
        connection,
        intent,
        subject,
        asked=asked,
        currency=order.amount.currency,
        amount=order.amount,
        vat=order.vat_amount,
        parameters=parameters,
    )
    return stored, begun


def name_if_first(
    connection: Connection, stored: StoredPayment, operation: StoredOperation, created: Created
) -> StoredPayment | None:
    """Write down the gateway's name of a locked payment; ``None`` if another try has made the payment meanwhile.

    ``operation`` is the one under whose reference the gateway was asked. A try that was frozen may hear late of a
    payment that nobody can pay any more, and the payer holds another one's page.
    """
    made, present = operation.operation, stored.payment.provider_reference
    books = operations.load(connection, made.account, made.operation_id).operation
    if books.reference != made.reference or present not in {None, created.observation.provider_reference}:
        return None
    return rows.name_at_gateway(connection, stored, created)


def unanswered(connection: Connection, account: Account, begun: Begun, error: PrenopayError) -> None:
    """Write down what ``error`` proves about the operation, and what follows for its payment."""
    stored = rows.lock(connection, account.name, begun.operation.operation.subject.id)
    outcome = failed(connection, account, begun, error)
    observing.note_unanswered(connection, stored, outcome)
    if outcome is not Outcome.UNKNOWN:
        rows.drop_personal_number(connection, stored)
    observing.flag_strange(connection, account, stored, error)
