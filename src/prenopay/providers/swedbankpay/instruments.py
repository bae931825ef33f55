"""The ways to pay, in our words and in the gateway's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from prenopay.values.orders import Instrument

__all__ = ["INSTRUMENTS", "instrument_of", "name_of"]

INSTRUMENTS: Final[Mapping[str, str]] = {
    Instrument.CARD: "CreditCard",
    Instrument.SWISH: "Swish",
    Instrument.VIPPS: "Vipps",
    Instrument.MOBILEPAY: "MobilePay",
    Instrument.APPLE_PAY: "ApplePay",
    Instrument.GOOGLE_PAY: "GooglePay",
    Instrument.CLICK_TO_PAY: "ClickToPay",
    Instrument.TRUSTLY: "Trustly",
    Instrument.INVOICE: "Invoice-PayExFinancingSe",
    Instrument.MONTHLY_INVOICE: "Invoice-PayMonthlyInvoiceSe",
    Instrument.CREDIT_ACCOUNT: "CreditAccount-CreditAccountSe",
}
"""Our word → theirs, in requests. Others (such as the Norwegian invoice) may be given in theirs."""

_WORDS: Final[Mapping[str, str]] = {
    **{theirs.lower(): ours for ours, theirs in INSTRUMENTS.items()},
    "invoice": Instrument.INVOICE,
    "invoice-payexfinancingno": Instrument.INVOICE,
    "creditaccount": Instrument.CREDIT_ACCOUNT,
    "creditaccount-creditaccountno": Instrument.CREDIT_ACCOUNT,
}


def name_of(instrument: str) -> str:
    """Return the gateway's name for one of our words, or what was given where it is theirs already."""
    return INSTRUMENTS.get(instrument, str(instrument))


def instrument_of(name: str | None) -> str | None:
    """Return our word for an instrument, theirs where we have none, ``None`` for nothing said."""
    if not name or name.lower() == "paymentorders":
        return None
    known = _WORDS.get(name.lower())
    return str(known) if known is not None else name
