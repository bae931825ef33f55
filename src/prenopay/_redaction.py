"""What must never leave: finds secrets in texts, headers and JSON, and puts a mask in their place.

Everything that could carry a secret out of the process passes here when it is *built*: error
messages, log lines, stored gateway bodies, values handed to handlers. The lowest module of the
package, so that even the errors can use it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast, final

MASK: Final = "***"

_SECRET_KEYS: Final = frozenset(
    {
        # tokens and credentials
        "accesstoken",
        "authorization",
        "cookie",
        "externalnonpaymenttoken",
        "nonpaymenttoken",
        "password",
        "paymentaccountreference",
        "paymenttoken",
        "recurrencetoken",
        "secret",
        "setcookie",
        "token",
        "transactionsonfiletoken",
        "transactiononfiletoken",
        "unscheduledtoken",
        # who the payer is
        "accountid",
        "accountnumber",
        "addressee",
        "birthyear",
        "coaddress",
        "email",
        "emailhash",
        "firstname",
        "homephonenumber",
        "ipaddress",
        "lastname",
        "misidn",
        "msisdn",
        "msisdnhash",
        "payeralias",
        "payerssn",
        "socialsecuritynumber",
        "socialsecuritynumberhash",
        "streetaddress",
        "workphonenumber",
        "zipcode",
    },
)
"""Names whose values are masked wherever they stand, compared without case, ``-`` and ``_``."""

_PERSON_NODES: Final = frozenset({"payer", "payers", "billingaddress", "shippingaddress", "device"})
"""Nodes that describe a person: every text in them is masked, whatever its name."""

_LINK_KEYS: Final = frozenset({"id", "href", "rel", "method", "contenttype"})

_BEARER: Final = re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]+")
_EMAIL: Final = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_MSISDN: Final = re.compile(r"(?<![\w-])\+\d{8,15}(?!\d)")
_PERSONAL_NUMBER: Final = re.compile(
    r"(?<![\w-])(?:19|20)?\d{2}(?:0[1-9]|1[0-2])(?:[06][1-9]|[1278]\d|[39][01])-?\d{4}(?![\w-])",
)
_CARD_NUMBER: Final = re.compile(r"(?<![\w-])\d(?:[ -]?\d){12,18}(?![\w-])")


@final
class Secret:
    """A text that shows itself only when asked: ``repr``, ``str`` and ``format`` print a mask."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        if not value:
            message = "a secret must not be empty"
            raise ValueError(message)
        self._value = value

    def reveal(self) -> str:
        """Return the text itself. Hand it straight to whoever needs it, and keep no copy."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({MASK!r})"

    def __str__(self) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))


def scrub(text: str) -> str:
    """Return ``text`` with credentials, card, personal and phone numbers and e-mails masked."""
    text = _BEARER.sub(rf"\1 {MASK}", text)
    text = _EMAIL.sub(MASK, text)
    text = _MSISDN.sub(MASK, text)
    text = _CARD_NUMBER.sub(lambda found: MASK if _passes_luhn(found[0]) else found[0], text)
    return _PERSONAL_NUMBER.sub(
        lambda found: MASK if _passes_luhn(found[0][-11:] if "-" in found[0] else found[0][-10:]) else found[0],
        text,
    )


def redact(value: Any, *, inside_person: bool = False) -> Any:
    """Return a copy of decoded JSON in which secrets and everything about a person are masked."""
    if isinstance(value, str):
        return MASK if inside_person and value else scrub(value)
    if isinstance(value, Mapping):
        members = cast("Mapping[str, Any]", value)
        return {key: _redact_member(key, member, inside_person=inside_person) for key, member in members.items()}
    if isinstance(value, list | tuple):
        listed = cast("Sequence[Any]", value)
        return [redact(member, inside_person=inside_person) for member in listed]
    if value is None or isinstance(value, bool):
        return value
    return value if isinstance(value, int | float) and not inside_person else MASK


def _redact_member(key: str, value: Any, *, inside_person: bool) -> Any:
    plain = key.replace("-", "").replace("_", "").lower()
    if plain in _SECRET_KEYS and value not in (None, "") and not isinstance(value, Mapping | list):
        return MASK
    if inside_person and plain in _LINK_KEYS:
        return redact(value)
    return redact(value, inside_person=inside_person or plain in _PERSON_NODES)


def _passes_luhn(number: str) -> bool:
    digits = [int(sign) for sign in reversed(number) if sign.isdigit()]
    doubled = [digit if place % 2 == 0 else sum(divmod(digit * 2, 10)) for place, digit in enumerate(digits)]
    return sum(doubled) % 10 == 0
