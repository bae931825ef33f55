"""The ways to pay: what the gateway calls them, in which currencies they exist, and whether they take at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

__all__ = ["INSTRUMENTS", "Instrument", "available_instruments"]

_ALL: Final = frozenset({"SEK", "NOK", "DKK", "EUR"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """One way to pay. ``name`` is the gateway's word in menus, ``paid_name`` its word in results."""

    name: str
    paid_name: str
    currencies: frozenset[str] = _ALL
    takes_at_once: bool = False
    """A sale, with nothing to capture; all others reserve first."""
    opens_app: bool = False
    """The payer leaves for an app; meanwhile the merchant cannot abort."""
    is_invoice: bool = False
    problem_prefix: str = ""
    """What stands before the word in the types of its problems."""

    @property
    def is_card(self) -> bool:
        """Whether a card number is typed."""
        return self.name == "CreditCard"

    @property
    def is_bank_account(self) -> bool:
        """Whether it pays from an account that can be stored and charged later."""
        return self.name == "Trustly"


def _one_of(*instruments: Instrument) -> dict[str, Instrument]:
    return {instrument.name: instrument for instrument in instruments}


INSTRUMENTS: Final = _one_of(
    Instrument(name="CreditCard", paid_name="CreditCard", problem_prefix="creditcard/"),
    Instrument(
        name="Swish",
        paid_name="Swish",
        currencies=frozenset({"SEK"}),
        takes_at_once=True,
        opens_app=True,
    ),
    Instrument(
        name="Trustly",
        paid_name="Trustly",
        currencies=frozenset({"SEK", "EUR"}),
        takes_at_once=True,
        problem_prefix="trustly/",
    ),
    Instrument(
        name="Vipps",
        paid_name="Vipps",
        currencies=frozenset({"NOK"}),
        opens_app=True,
        problem_prefix="vipps/",
    ),
    Instrument(
        name="MobilePay",
        paid_name="MobilePay",
        currencies=frozenset({"DKK", "EUR"}),
        opens_app=True,
        problem_prefix="mobilepay/",
    ),
    Instrument(name="ApplePay", paid_name="ApplePay", problem_prefix="creditcard/"),
    Instrument(name="GooglePay", paid_name="GooglePay", problem_prefix="creditcard/"),
    Instrument(name="ClickToPay", paid_name="ClickToPay", problem_prefix="creditcard/"),
    Instrument(
        name="Invoice-PayExFinancingSe",
        paid_name="Invoice",
        currencies=frozenset({"SEK"}),
        is_invoice=True,
        problem_prefix="invoice/",
    ),
    Instrument(
        name="Invoice-PayExFinancingNo",
        paid_name="Invoice",
        currencies=frozenset({"NOK"}),
        is_invoice=True,
        problem_prefix="invoice/",
    ),
    Instrument(
        name="Invoice-PayMonthlyInvoiceSe",
        paid_name="Invoice",
        currencies=frozenset({"SEK"}),
        is_invoice=True,
        problem_prefix="invoice/",
    ),
    Instrument(
        name="CreditAccount-CreditAccountSe",
        paid_name="CreditAccount",
        currencies=frozenset({"SEK"}),
        problem_prefix="creditaccount/",
    ),
)
"""All of them, in the order of a menu that nobody restricted."""

_OTHER_NAMES: Final = {"CreditAccount": "CreditAccount-CreditAccountSe"}
"""Names that the gateway takes in requests for another of its own."""


def available_instruments(names: Iterable[str], currency: str) -> tuple[Instrument, ...]:
    """Return the instruments called ``names``, in that order, that exist in ``currency``."""
    known = (INSTRUMENTS.get(_OTHER_NAMES.get(name, name)) for name in names)
    return tuple(instrument for instrument in known if instrument is not None and currency in instrument.currencies)
