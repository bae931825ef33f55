"""What is bought in a story: order by order, the same in every process, so that processes do the same thing twice."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from prenopay import CaptureMode, Money, Order, OrderLine, Payer
from prenopay.values.mandates import Consent, StoreMethod
from prenopay.values.orders import PayoutOrder

__all__ = ["CARDS", "LOOKS_BACK", "MONTHLY", "PERIODS", "SWISH", "account_of", "is_stored", "order", "parts", "payout"]

CARDS: Final = "cards"
SWISH: Final = "swish"
LOOKS_BACK: Final = 15
"""How many of the latest orders are worked on."""
MONTHLY: Final = Money(9900, "SEK")
PERIODS: Final = ("2026-02", "2026-03", "2026-04")
_AMOUNT: Final = Money(11900, "SEK")
_CONSENT: Final = Consent(text_version="terms-2026-01", agreed_at=datetime(2026, 1, 2, tzinfo=UTC), channel="web")


def account_of(number: int) -> str:
    """Return the account that takes an order: every third one is paid by Swish."""
    return SWISH if number % 3 == 0 else CARDS


def is_stored(number: int) -> bool:
    """Whether the payer's card is stored, to be drawn on each month."""
    return number % 3 == 1


def order(number: int) -> Order:
    """Return an order of 119 kronor. Every fourth order by card is taken later, by hand."""
    by_hand = account_of(number) == CARDS and number % 4 == 0
    more: dict[str, Any] = {}
    if is_stored(number):
        more = {"payer": Payer(reference=f"R-{number}"), "store": StoreMethod(consent=_CONSENT)}
    return Order(
        amount=_AMOUNT,
        description="One month",
        lines=(OrderLine(name="Digital subscription", reference="D1", amount=_AMOUNT, vat_percent=6),),
        order_reference=f"K-{number}",
        return_url="https://shop.example/return",
        cancel_url="https://shop.example/cancelled",
        capture=CaptureMode.MANUAL if by_hand else CaptureMode.AUTOMATIC,
        **more,
    )


def parts(number: int) -> tuple[Money, ...]:
    """Return the parts of an order that are given back: together less than was paid."""
    return (Money(1500 + number % 7, "SEK"), Money(2500, "SEK"))


def payout(number: int) -> PayoutOrder:
    """Return the prize that the payer of an order won."""
    return PayoutOrder(
        amount=Money(25000, "SEK"),
        payee_phone="070-174 06 06",
        payee_personal_number="199710202392",
        description="Vinst i korsordet",
        reference=f"VINST-{number}",
    )
