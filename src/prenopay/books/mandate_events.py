"""News of a mandate, told among the events of a payment of its own: the one that stored it, else its latest charge."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select

from prenopay.books import schema
from prenopay.books.outbox import NewEvent, append_events

__all__ = ["tell_of_mandate"]


def tell_of_mandate(connection: Connection, account: str, new: NewEvent, *, now: datetime) -> str | None:
    """Write down what is to be told of ``new.mandate_id``; return the payment it is told with.

    ``None``: a mandate from another system that was never charged has no payment, and nobody to tell.
    """
    mandates, charges = schema.mandates, schema.charges
    stored_by = select(mandates.c.payment_id).where(mandates.c.mandate_id == new.mandate_id)
    drawn_by = (
        select(charges.c.payment_id)
        .where(charges.c.mandate_id == new.mandate_id)
        .order_by(charges.c.at.desc())
        .limit(1)
    )
    payment_id = connection.scalar(stored_by) or connection.scalar(drawn_by)
    if payment_id is None:
        return None
    append_events(connection, account, payment_id, [new], now=now)
    return str(payment_id)
