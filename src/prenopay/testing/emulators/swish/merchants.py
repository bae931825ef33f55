"""Who takes part: merchants and technical suppliers with an agreement, and payers with the app."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

__all__ = ["DEFAULT_NUMBER", "SwishMerchant", "SwishPayer"]

DEFAULT_NUMBER: Final = "1230000017"


@dataclass(frozen=True, slots=True, kw_only=True)
class SwishMerchant:
    """One agreement, known by its Swish number. A technical supplier's number begins with 987."""

    number: str = DEFAULT_NUMBER
    name: str = "Emulerat förlag"
    organisation: str = "5560000000"
    opening_balance: Decimal | None = None
    """What refunds and payouts may take, together with what was paid; ``None`` is without end."""
    may_pay_out: bool = True
    is_active: bool = True
    """A supplier that is not gets UNKW."""
    acts_for: frozenset[str] = field(default_factory=frozenset[str])
    """The merchants that named this supplier at their bank."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SwishPayer:
    """A person with a phone. Numbers that nobody listed are enrolled, and nothing else is known of them."""

    msisdn: str
    ssn: str = ""
    """Twelve digits; from it the age follows. Invent one that nobody has."""
    is_enrolled: bool = True
