"""What nobody told us of: payments that are due for a look."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select, update

from prenopay.books import schema
from prenopay.books.records import load_payment
from prenopay.values.payments import Payment

__all__ = ["claim", "postpone"]


def claim(connection: Connection, account: str, now: datetime, *, until: datetime, limit: int) -> tuple[Payment, ...]:
    """Take payments that are due for a look, so that no other sweep takes them before ``until``."""
    table = schema.payments
    query = (
        select(table.c.payment_id)
        .where(table.c.account == account, table.c.next_check_at <= now)
        .order_by(table.c.next_check_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    due = list(connection.scalars(query))
    if due:
        connection.execute(update(table).where(table.c.payment_id.in_(due)).values(next_check_at=until))
    return tuple(load_payment(connection, account, payment_id).payment for payment_id in due)


def postpone(connection: Connection, payment_id: str, at: datetime) -> None:
    """Say when a payment that could not be looked at is looked at next."""
    connection.execute(
        update(schema.payments).where(schema.payments.c.payment_id == payment_id).values(next_check_at=at),
    )
