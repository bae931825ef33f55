"""What people type in forms, in the one form that every gateway takes: phone, e-mail, personal number, country.

The values of an order call these, so that no order fails at one gateway with what another takes. A host may call
them as well, to tell a reader at once. No error repeats what was typed.
"""

from __future__ import annotations

import re
from typing import Final, NoReturn

from prenopay._arguments import check_arguments, refuse_argument
from prenopay._text import quoted
from prenopay.errors import InvalidOrder

__all__ = ["country_code", "email_address", "language_tag", "personal_number", "phone_number"]

_PHONE_SEPARATORS: Final = re.compile(r"[\s().\u00a0\u2010-\u2015/-]+")
_SWEDEN: Final = "46"
_DIGITS_LEAST, _DIGITS_MOST = 8, 15
"""The most is that of E.164; the least is what Swedbank Pay takes (docs: payer, msisdn)."""
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_EMAIL_MOST: Final = 254
"""The longest address that mail servers take (RFC 5321, section 4.5.3.1.3)."""
_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_LANGUAGE: Final = re.compile(r"[a-z]{2}-[A-Z]{2}")
_PERSONAL_NUMBER: Final = re.compile(r"(18|19|20)[0-9]{10}")
_PERSONAL_NUMBER_SEPARATORS: Final = re.compile(r"[\s+-]")


@check_arguments(refuse_argument)
def phone_number(phone: str, *, field: str = "phone") -> str:
    """Return a phone number as ``+`` and digits with the country code, such as ``+46701234567`` (E.164).

    A number that begins with one 0 is Swedish; any other needs ``+`` or ``00``, or begins with 46. Raises
    ``InvalidOrder`` for ``field``.
    """
    digits, why = _phone_digits(phone)
    del phone  # error trackers show the variables of this frame
    if why:
        _refuse(field, why)
    return f"+{digits}"


@check_arguments(refuse_argument)
def email_address(email: str, *, field: str = "email") -> str:
    """Return an e-mail address without the space around it; raises ``InvalidOrder`` for ``field``."""
    plain = email.strip()
    if not plain:
        _refuse(field, "is empty")
    if len(plain) > _EMAIL_MOST or not _EMAIL.fullmatch(plain):
        _refuse(field, "is not an e-mail address; write it as name@domain")
    return plain


def personal_number(written: str, *, field: str = "personal_number") -> str:
    """Return a Swedish personal number as 12 digits; raises ``InvalidOrder`` for ``field``."""
    digits = _PERSONAL_NUMBER_SEPARATORS.sub("", written)
    if not (digits.isascii() and _PERSONAL_NUMBER.fullmatch(digits)):
        _refuse(field, "must have 12 digits, with the century: 10 digits may belong to two persons")
    return digits


def country_code(written: str, *, field: str = "country") -> str:
    """Return the code of a country (ISO 3166-1 alpha-2); raises ``InvalidOrder`` for ``field``."""
    if not _COUNTRY.fullmatch(written):
        _refuse(field, f"must be the two capitals of a country, such as SE, not {quoted(written)}")
    return written


def language_tag(written: str, *, field: str = "language") -> str:
    """Return a language with its country (BCP 47); raises ``InvalidOrder`` for ``field``."""
    if not _LANGUAGE.fullmatch(written):
        _refuse(field, f"must be a language and a country, such as sv-SE or en-US, not {quoted(written)}")
    return written


def _phone_digits(written: str) -> tuple[str, str]:
    """Return the digits of a phone number with its country code, or nothing and why it is none."""
    plain = written.strip().replace("(0)", "")
    if not plain:
        return "", "is empty"
    typed = sum(each.isdecimal() for each in written.strip().removeprefix("00"))
    international = plain.startswith(("+", "00"))
    digits = _PHONE_SEPARATORS.sub("", plain).removeprefix("+")
    if not (digits.isascii() and digits.isdecimal()):
        return "", "a phone number holds only digits, spaces, '-' and a leading '+'"
    if digits.startswith("00"):
        digits = digits[2:]
    elif digits.startswith("0") and not international:
        digits = _SWEDEN + digits[1:]
    elif not (international or digits.startswith(_SWEDEN) or typed < _DIGITS_LEAST):
        return "", "the country is not clear; write it as 070… or with its country code, as +46 70 …"
    if digits.startswith(_SWEDEN + "0"):  # +46 070…: there is no 0 after the country code
        digits = _SWEDEN + digits[3:]
    if digits.startswith("0"):
        return "", "is not a phone number with country code: its digits do not begin with 0"
    if not _DIGITS_LEAST <= len(digits) <= _DIGITS_MOST:
        what = "too short" if len(digits) < _DIGITS_LEAST else "too long"
        needed = f"{_DIGITS_LEAST} to {_DIGITS_MOST} digits with its country code"
        return "", f"is {what}: a phone number has {needed}, and this has {typed}"
    return digits, ""


def _refuse(field: str, why: str) -> NoReturn:
    message = f"{field}: {why}"
    raise InvalidOrder(message, field=field)
