"""Values that several tests use."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from prenopay import Action, Money, Payment, PaymentState

from .fakes import NOON


def payment(**fields: Any) -> Payment:
    """Return an open payment of 149 kronor, with ``fields`` as given."""
    nothing = Money.zero("SEK")
    plain: dict[str, Any] = {
        "payment_id": "pay_1",
        "account": "paper",
        "provider": "swedbankpay",
        "order_reference": "4711",
        "provider_reference": "/psp/paymentorders/1",
        "state": PaymentState.PENDING,
        "amount": Money(14900, "SEK"),
        "due": Money(14900, "SEK"),
        "authorized": nothing,
        "captured": nothing,
        "refunded": nothing,
        "cancelled": nothing,
        "description": "Digital",
        "instrument": None,
        "allowed_actions": frozenset({Action.CANCEL}),
        "flags": (),
        "quarantined": False,
        "decline": None,
        "created_at": NOON,
        "updated_at": NOON,
        "expires_at": NOON + timedelta(days=28),
    }
    return Payment(**{**plain, **fields})
