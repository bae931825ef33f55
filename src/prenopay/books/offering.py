"""Stored methods that a payer is offered again, in the gateway's page, where the payer says yes or no."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from prenopay.books import mandates
from prenopay.errors import MandateUnusable
from prenopay.values.mandates import Mandate, MandateKind
from prenopay.values.orders import Order

__all__ = ["check", "may_be_offered"]


def check(connection: Connection, account: str, order: Order, *, now: datetime) -> None:
    """Raise ``MandateUnusable`` unless ``order.pay_with`` is a method that its payer may be offered."""
    mandate = mandates.load(connection, account, order.pay_with)
    why = ""
    if mandate.kind is not MandateKind.ONE_CLICK:
        why = f"is {mandate.kind}: charge it, or store a one_click method to offer"
    elif order.payer is None or mandate.payer_reference != order.payer.reference:
        why = "is another payer's"
    elif not may_be_offered(mandate, now):
        why = f"is {mandate.state}" + (f" ({mandate.reason})" if mandate.reason else "")
    if why:
        message = f"mandate {mandate.mandate_id} {why}"
        raise MandateUnusable(message).about(account=account)


def may_be_offered(mandate: Mandate, now: datetime) -> bool:
    """Whether the method still works, and its payer still wants it remembered."""
    until = mandate.consent.until
    remembered = until is None or now.date() <= until
    return mandate.kind is MandateKind.ONE_CLICK and mandate.state.is_chargeable and remembered
