"""What a create and a charge have in common: the payment is written down with the operation that makes it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from prenopay.account import Account, News, failed
from prenopay.books import operations
from prenopay.books.operations import Begun
from prenopay.errors import PrenopayError
from prenopay.payments import observing, rows
from prenopay.payments.rows import StoredPayment
from prenopay.provider.values import Created
from prenopay.values.orders import Order
from prenopay.values.subjects import Subject

__all__ = ["begin", "name", "unanswered"]


def begin(
    connection: Connection,
    account: Account,
    intent: operations.Intent,
    subject: Subject,
    order: Order,
    *,
    digest: str,
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
        digest=digest,
        currency=order.amount.currency,
        amount=order.amount,
        vat=order.vat_amount,
        parameters=parameters,
    )
    return stored, begun


def name(connection: Connection, stored: StoredPayment, created: Created) -> StoredPayment:
    """Give a locked payment the gateway's name, unless the answer is about another payment."""
    made = operations.of_subject(connection, stored.subject)
    if observing.why_foreign(stored, created.observation, made):
        return stored
    return rows.name_at_gateway(connection, stored, created)


def unanswered(connection: Connection, account: Account, begun: Begun, error: PrenopayError) -> News:
    """Write down what ``error`` proves about the operation, and what follows for its payment."""
    stored = rows.lock(connection, account.name, begun.operation.operation.subject.id)
    observing.note_unanswered(connection, stored, failed(connection, account, begun, error))
    return observing.flag_strange(connection, account, stored, error)
