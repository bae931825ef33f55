"""Phone numbers as people write them, as Swish wants them: digits only, country code first (MSS guide, section 5.1)."""

from __future__ import annotations

import re
from typing import Final

from prenopay.errors import InvalidOrder

__all__ = ["msisdn"]

_SIGNS: Final = re.compile(r"[\s().\u00a0\u2010-\u2015/-]+")
_SWEDEN: Final = "46"
_DIGITS_LEAST, _DIGITS_MOST = 8, 15


def msisdn(written: str, *, field: str) -> str:
    """Return ``written`` as digits with country code; raises ``InvalidOrder`` with the reason.

    A number that begins with one 0 is Swedish; any other needs ``+`` or ``00``, or begins with 46.
    """
    plain = written.strip().replace("(0)", "")
    international = plain.startswith(("+", "00"))
    digits = _SIGNS.sub("", plain).removeprefix("+")
    if not (digits.isascii() and digits.isdecimal()):
        message = f"{field}: a phone number holds digits, spaces, '-' and a leading '+', nothing else"
        raise InvalidOrder(message, field=field)
    if digits.startswith("00"):
        digits = digits[2:]
    elif digits.startswith("0") and not international:
        digits = _SWEDEN + digits[1:]
    elif not (international or digits.startswith(_SWEDEN)):
        message = f"{field}: the country is not clear; write it as 070… or with its country code, as +46 70 …"
        raise InvalidOrder(message, field=field)
    if digits.startswith(_SWEDEN + "0"):  # +46 070…: the 0 falls away after the country code
        digits = _SWEDEN + digits[3:]
    if digits.startswith("0") or not _DIGITS_LEAST <= len(digits) <= _DIGITS_MOST:
        message = (
            f"{field}: is no phone number with country code: {_DIGITS_LEAST} to {_DIGITS_MOST} digits "
            f"that do not begin with 0, these are {len(digits)}"
        )
        raise InvalidOrder(message, field=field)
    return digits
