"""Money: whole minor units (öre, cent) of one currency, with arithmetic that never loses or invents one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Final

from prenopay._arguments import check_arguments, refuse_misuse
from prenopay._hidden import raise_alone
from prenopay._text import quoted

__all__ = ["Money"]

_MOST: Final = 2**63 - 1
"""Databases keep whole numbers in 64 bits."""
_CURRENCY: Final = re.compile(r"[A-Z]{3}")

_WITHOUT_MINOR_UNIT: Final = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_IN_THOUSANDTHS: Final = "BHD IQD JOD KWD LYD OMR TND"
_MINOR_DIGITS: Final = {
    **dict.fromkeys(_WITHOUT_MINOR_UNIT.split(), 0),
    **dict.fromkeys(_IN_THOUSANDTHS.split(), 3),
    "CLF": 4,
    "UYW": 4,
}
"""Currencies whose minor unit is not a hundredth (ISO 4217 table A.1)."""
_MOST_DIGITS: Final = 15
"""The most digits of an amount that a person types. Every database column can hold such an amount."""


@check_arguments(refuse_misuse, any_text=True)
@dataclass(frozen=True, slots=True)
class Money:
    """An amount in whole minor units: ``Money(14900, "SEK")`` is 149 kronor.

    Raises ``TypeError`` for an amount that is not an ``int`` (a float or a bool), and for arithmetic with anything
    but money. Raises ``ValueError`` for an amount beyond 64 bits, for a currency that is not three capital letters
    (ISO 4217), and for arithmetic or order between two currencies.
    """

    minor: int
    currency: str

    def __post_init__(self) -> None:
        """Refuse an amount that is not a whole number of minor units of a currency."""
        if type(self.minor) is not int:
            message = (
                f"Money takes whole minor units as int, not {quoted(self.minor)} ({type(self.minor).__name__}); "
                "149 kronor is Money(14900, 'SEK')"
            )
            raise TypeError(message)
        if abs(self.minor) > _MOST:
            message = f"{quoted(self.minor)} does not fit in the 64 bits of a database column"
            raise ValueError(message)
        if type(self.currency) is not str or not _CURRENCY.fullmatch(self.currency):
            message = f"currency must be three capital letters (ISO 4217), not {quoted(self.currency)}"
            raise ValueError(message)

    @classmethod
    def zero(cls, currency: str) -> Money:
        """Return an amount of zero in ``currency``."""
        return cls(0, currency)

    @classmethod
    def from_decimal(cls, amount: Decimal | str, currency: str) -> Money:
        """Return the amount that a person typed in major units (``"149.50"``).

        Raises ``ValueError`` for a text that is not an amount, for too many digits, and for parts of a minor unit.
        Raises ``TypeError`` for anything but a ``Decimal`` or a text.
        """
        try:
            typed = Decimal(amount)
        except InvalidOperation:
            message = f"{quoted(amount)} is not an amount; write it like 149.50"
            raise_alone(ValueError(message))
        if not typed.is_finite() or abs(typed.adjusted()) >= _MOST_DIGITS:
            message = f"{quoted(amount)} is not an amount; write it like 149.50, with at most {_MOST_DIGITS} digits"
            raise ValueError(message)
        minor = Fraction(typed) * 10 ** _minor_digits(currency)
        if minor.denominator != 1:
            message = f"{quoted(amount)} {currency} has parts of a minor unit"
            raise ValueError(message)
        return cls(minor.numerator, currency)

    def to_decimal(self) -> Decimal:
        """Return the exact amount in major units. The thread's decimal context does not matter."""
        return Decimal(f"{self.minor}E-{_minor_digits(self.currency)}")

    def allocate(self, weights: Sequence[int]) -> tuple[Money, ...]:
        """Divide by ``weights``. The parts add up, and each is within one minor unit of its exact share.

        Raises ``ValueError`` for weights that are negative or all zero, ``TypeError`` for those that are not whole.
        """
        if any(weight < 0 for weight in weights) or not sum(weights):
            message = f"weights: must be none negative and not all zero, not {quoted(weights)}"
            raise ValueError(message)
        total, taken, weighed = sum(weights), 0, 0
        parts: list[int] = []
        for weight in weights:
            weighed += weight
            upto = abs(self.minor) * weighed // total
            parts.append(upto - taken)
            taken = upto
        sign = -1 if self.minor < 0 else 1
        return tuple(Money(sign * part, self.currency) for part in parts)

    def vat_share(self, percent: Decimal | int) -> Money:
        """Return the VAT inside this amount, which includes VAT at ``percent``; a half rounds away from zero."""
        if not Decimal(percent).is_finite() or percent < 0:
            message = f"a VAT rate is zero or more, not {percent}"
            raise ValueError(message)
        rate = Fraction(percent)
        share = abs(self.minor) * rate / (100 + rate)
        rounded = (2 * share.numerator + share.denominator) // (2 * share.denominator)
        return Money(-rounded if self.minor < 0 else rounded, self.currency)

    def split_vat(self, percent: Decimal | int) -> tuple[Money, Money]:
        """Return net and VAT of this amount, which includes VAT at ``percent``; they add up to it."""
        vat = self.vat_share(percent)
        return self - vat, vat

    def __add__(self, other: Money) -> Money:
        return Money(self.minor + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.minor - self._same(other), self.currency)

    def __mul__(self, times: int) -> Money:
        if type(times) is not int:
            message = f"money can be multiplied by a whole number only, not {quoted(times)}"
            raise TypeError(message)
        return Money(self.minor * times, self.currency)

    __rmul__ = __mul__

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def __bool__(self) -> bool:
        return self.minor != 0

    def __lt__(self, other: Money) -> bool:
        return self.minor < self._same(other)

    def __le__(self, other: Money) -> bool:
        return self.minor <= self._same(other)

    def __gt__(self, other: Money) -> bool:
        return self.minor > self._same(other)

    def __ge__(self, other: Money) -> bool:
        return self.minor >= self._same(other)

    def __str__(self) -> str:
        return f"{self.to_decimal():.{_minor_digits(self.currency)}f} {self.currency}"

    def _same(self, other: object) -> int:
        if not isinstance(other, Money):
            message = f"money goes with money only, not with {type(other).__name__}"
            raise TypeError(message)
        if other.currency != self.currency:
            message = f"{self} and {other} are different currencies"
            raise ValueError(message)
        return other.minor


def _minor_digits(currency: str) -> int:
    return _MINOR_DIGITS.get(currency, 2)
