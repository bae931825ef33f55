"""What the tests of stored cards and of charges send."""

from __future__ import annotations

from typing import Any

from prenopay.testing.emulators.swedbankpay import DEFAULT_PAYEE_ID, SwedbankPayEmulator

from .calling import Answer, Merchant

PAYER = {"payerReference": "p-1"}
MASTERCARD = "5226600159865967"
CHALLENGED = "4761739001010416"
NETWORK = "4111112000003211"


def verify(**changes: object) -> dict[str, Any]:
    """Return what turns a purchase into a Verify that stores an unscheduled token."""
    order = {"operation": "Verify", "amount": None, "vatAmount": None, "generateUnscheduledToken": True}
    return {**order, "payer": PAYER, **changes}


def stored(merchant: Merchant, reference: str = "S1", **changes: object) -> dict[str, Any]:
    """Pay an order that stores an unscheduled token by card, and return that token as the order shows it."""
    order = merchant.order(reference, **{"generateUnscheduledToken": True, "payer": PAYER, **changes})
    merchant.emulator.pay_by_card(order)
    (token,) = merchant.get(order, "paid").order["paid"]["tokens"]
    return dict(token)


def charge(merchant: Merchant, token: str, reference: str = "C1", **changes: object) -> Answer:
    """Charge an unscheduled token; ``None`` takes a member out."""
    order: dict[str, object] = {
        "operation": "UnscheduledPurchase",
        "unscheduledToken": token,
        "currency": "SEK",
        "amount": 1500,
        "vatAmount": 375,
        "description": "Test Charge",
        "userAgent": "tests/1",
        "language": "sv-SE",
        "urls": {"callbackUrl": "https://shop.example/callback?secret=1"},
        "payeeInfo": {"payeeId": DEFAULT_PAYEE_ID, "payeeReference": reference},
        "payer": PAYER,
        **changes,
    }
    body = {"paymentorder": {name: value for name, value in order.items() if value is not None}}
    return merchant.call("POST", "/psp/paymentorders?$expand=paid,failed,failedAttempts", body)


def card_token(emulator: SwedbankPayEmulator, **changes: Any) -> str:
    """Put a card straight into the vault."""
    return emulator.store_card("p-1", **changes).token
