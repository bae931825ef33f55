"""What the gateway tells of how an order was paid: masked numbers, terminal, bank; different for each instrument."""

from __future__ import annotations

from typing import Final

from prenopay.testing.emulators.jsonvalues import JsonObject
from prenopay.testing.emulators.swedbankpay.behaviour import Behaviour
from prenopay.testing.emulators.swedbankpay.formats import stamp, trace_of
from prenopay.testing.emulators.swedbankpay.orders import Purchase

__all__ = ["paid_details"]

_SOMEBODYS_CARD: Final = "492500******0004"
"""The card behind a wallet or an app, where the payer types none."""
_ACQUIRER: Final = ("acquirerTransactionType", "acquirerTerminalId", "acquirerTransactionTime")
_TOKENS: Final = ("nonPaymentToken", "externalNonPaymentToken")
_CARD: Final = (
    *_TOKENS,
    "cardBrand",
    "cardType",
    "issuingBank",
    "expiryDate",
    "issuerAuthorizationApprovalCode",
    "acquirerStan",
    *_ACQUIRER,
    "transactionInitiator",
    "bin",
)
_MEMBERS: Final = {
    "CreditCard": ("paymentAccountReference", "maskedPan", *_CARD),
    "ApplePay": ("maskedDPan", *_CARD),
    "GooglePay": ("maskedPan", "maskedDPan", *_CARD),
    "ClickToPay": ("maskedPan", "maskedDPan", *_CARD),
    "MobilePay": ("maskedDPan", *(name for name in _CARD if name not in {"cardType", "transactionInitiator"})),
    "Vipps": ("cardBrand", "issuingBank", "maskedDPan", *_ACQUIRER, "transactionInitiator", "bin"),
}
"""What is told of each instrument with a card behind it; invoices and instalments tell nothing."""


def paid_details(purchase: Purchase, behaviour: Behaviour) -> JsonObject:
    """Return the ``details`` of what is paid."""
    attempt, instrument = purchase.attempt, purchase.attempt.instrument
    if instrument.name == "Swish":
        return {behaviour.swish_number_key: attempt.msisdn}
    if instrument.name == "Trustly":
        return {"trustlyOrderId": attempt.number + 1}
    known = _known(purchase)
    members = {name: known[name] for name in _MEMBERS.get(instrument.name, ())}
    if attempt.is_by_merchant and attempt.card is not None and attempt.card.is_network_token:
        members["maskedDPan"] = known["maskedDPan"]
    return members


def _known(purchase: Purchase) -> JsonObject:
    attempt, card = purchase.attempt, purchase.attempt.card
    masked, trace = card.masked if card else _SOMEBODYS_CARD, trace_of(str(attempt.number))
    return {
        "nonPaymentToken": trace_of(f"card {masked}"),
        "externalNonPaymentToken": trace_of(f"external {masked}"),
        "paymentAccountReference": trace_of(f"account {masked}"),
        "cardBrand": card.brand if card else "Visa",
        "cardType": "Credit",
        "issuingBank": "Emulated bank",
        "maskedPan": f"************{masked[-4:]}" if card and card.is_network_token else masked,
        "maskedDPan": masked,
        "expiryDate": card.expiry if card else "12/2034",
        "issuerAuthorizationApprovalCode": f"L{int(trace[:4], 16):05d}",
        "acquirerTransactionType": _acquirer_type(purchase),
        "acquirerStan": str(int(trace[4:8], 16)),
        "acquirerTerminalId": str(attempt.number),
        "acquirerTransactionTime": f"{stamp(purchase.transaction.created)[:23]}Z",
        "transactionInitiator": "MERCHANT" if attempt.is_by_merchant else "CARDHOLDER",
        "bin": masked[:6],
    }


def _acquirer_type(purchase: Purchase) -> str:
    if purchase.attempt.card is not None:
        return "3DSECURE" if purchase.attempt.is_challenged else "STANDARD"
    return "MOBILEPAY" if purchase.attempt.instrument.name == "MobilePay" else "WALLET"
