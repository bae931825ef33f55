"""Masks secrets in texts, headers and JSON, so that they never leave the process.

Everything that could carry a secret out of the process passes through here when it is *built*: error messages, log
lines, stored gateway bodies, values for handlers. This is the lowest module of the package, so that the errors can
use it too.
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
        "callbackidentifier",
        "password",
        "paymentaccountreference",
        "paymentrequesttoken",
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
        "href",
        "ipaddress",
        "lastname",
        "misidn",
        "msisdn",
        "msisdnhash",
        "payeealias",
        "payeessn",
        "payeralias",
        "payerssn",
        "socialsecuritynumber",
        "socialsecuritynumberhash",
        "streetaddress",
        "tin",
        "workphonenumber",
        "zipcode",
    },
)
"""Names whose values are always masked. The comparison ignores case, ``-`` and ``_``."""

_PERSON_NODES: Final = frozenset({"payer", "payers", "billingaddress", "shippingaddress", "device"})
"""Nodes that describe a person: every text in them is masked, whatever its name."""

_DEPTH_MOST: Final = 40
"""The deepest known answer of a gateway has some eight levels."""

_LINK_KEYS: Final = frozenset({"id", "rel", "method", "contenttype"})

_WORTH_A_LOOK: Final = re.compile(r"(?i)@|%40|\bbearer\b|\bbasic\b|tokens/|\d(?:\D?\d){5}")
"""Most texts contain none of these, nor six digits close together. They need no further check."""
_BEARER: Final = re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]+")
_TOKEN_IN_PATH: Final = re.compile(r"(?i)(tokens/)[\w.~%-]+")
"""Gateways put stored tokens into paths: ``/payers/tokens/{token}-Unscheduled``, ``/unscheduledtokens/{token}``."""
_EMAIL: Final = re.compile(r"(?i)(?<![\w.+'-])[\w.+'-]+(?:@|%40)[\w-]+(?:\.[\w-]+)+")
_MSISDN: Final = re.compile(r"(?i)(?<![\w-])(?:\+|%2b)\d(?:[ -]?\d){7,14}(?!\d)")
_SWEDISH_MOBILE: Final = re.compile(r"(?<![\w-])07\d(?:[ -]?\d){7}(?![\w-])")
_DANISH_PERSONAL_NUMBER: Final = re.compile(r"(?<![\w-])(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])\d{2}-\d{4}(?![\w-])")
_FINNISH_PERSONAL_NUMBER: Final = re.compile(
    r"(?<![\w-])(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])\d{2}[-+A-FU-Y]\d{3}[0-9A-FHJ-NPR-Y](?![\w-])",
)
_NORWEGIAN_PERSONAL_NUMBER: Final = re.compile(r"(?<![\w-])\d{6} ?\d{5}(?![\w-])")
_NORWEGIAN_WEIGHTS: Final = ((3, 7, 6, 1, 8, 9, 4, 5, 2, 1), (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1))
_PERSONAL_NUMBER: Final = re.compile(
    r"(?<!\w)(?<!\w-)(?:19|20)?\d{2}(?:0[1-9]|1[0-2])(?:[06][1-9]|[1278]\d|[39][01])[-+]?\d{4}(?!-?\w)",
)
_RUN_OF_DIGITS: Final = re.compile(r"(?<!\w)(?<!\w-)\d(?:[ -]?\d){12,}(?!-?\w)")
"""May hold a card number, alone or between other numbers ("4925000000000004 12/26")."""
_DIGITS: Final = re.compile(r"\d+")
_CARD_DIGITS: Final = range(13, 20)


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
        """Return the text itself. Pass it directly to the code that needs it, and keep no copy."""
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
    if not _WORTH_A_LOOK.search(text):
        return text
    text = _BEARER.sub(rf"\1 {MASK}", text)
    text = _TOKEN_IN_PATH.sub(rf"\1{MASK}", text)
    text = _EMAIL.sub(MASK, text)
    for pattern in (_MSISDN, _SWEDISH_MOBILE, _DANISH_PERSONAL_NUMBER, _FINNISH_PERSONAL_NUMBER):
        text = pattern.sub(MASK, text)
    text = _NORWEGIAN_PERSONAL_NUMBER.sub(lambda found: MASK if _is_norwegian(_digits(found[0])) else found[0], text)
    text = _RUN_OF_DIGITS.sub(lambda found: _without_cards(found[0]), text)
    return _PERSONAL_NUMBER.sub(lambda found: MASK if _passes_luhn(_digits(found[0])[-10:]) else found[0], text)


def redact(value: Any, *, inside_person: bool = False, depth: int = 0) -> Any:
    """Return a copy of decoded JSON in which secrets and everything about a person are masked.

    What nests deeper than any gateway's answer is masked as a whole.
    """
    if isinstance(value, str):
        return MASK if inside_person and value else scrub(value)
    if isinstance(value, Mapping | list | tuple):
        return MASK if depth > _DEPTH_MOST else _redact_members(value, inside_person=inside_person, depth=depth + 1)
    if value is None or isinstance(value, bool):
        return value
    shows = isinstance(value, int | float) and not inside_person and not _is_card(str(value))
    return value if shows else MASK


def _redact_members(value: Any, *, inside_person: bool, depth: int) -> Any:
    if isinstance(value, Mapping):
        members = cast("Mapping[str, Any]", value)
        return {
            key: _redact_member(key, member, inside_person=inside_person, depth=depth)
            for key, member in members.items()
        }
    listed = cast("Sequence[Any]", value)
    return [redact(member, inside_person=inside_person, depth=depth) for member in listed]


def _redact_member(key: str, value: Any, *, inside_person: bool, depth: int) -> Any:
    plain = key.replace("-", "").replace("_", "").lower()
    if plain in _SECRET_KEYS:
        return _masked(value, depth)
    if inside_person and plain in _LINK_KEYS:
        return redact(value, depth=depth)
    return redact(value, inside_person=inside_person or plain in _PERSON_NODES, depth=depth)


def _masked(value: Any, depth: int) -> Any:
    """Mask every leaf of any type. Only ``None`` and an empty text stay as they are."""
    if depth > _DEPTH_MOST:
        return MASK
    if isinstance(value, Mapping):
        members = cast("Mapping[str, Any]", value)
        return {key: _masked(member, depth + 1) for key, member in members.items()}
    if isinstance(value, list | tuple):
        listed = cast("Sequence[Any]", value)
        return [_masked(member, depth + 1) for member in listed]
    return value if value in (None, "") else MASK


def _without_cards(run: str) -> str:
    """Mask possible card numbers in a run of digit groups: any groups side by side may form one."""
    groups = [(group.start(), group.end()) for group in _DIGITS.finditer(run)]
    parts: list[str] = []
    done = 0
    for first, (start, _) in enumerate(groups):
        for _, end in groups[first : first + _CARD_DIGITS.stop] if start >= done else ():
            if _is_card(run[start:end]):
                parts += [run[done:start], MASK]
                done = end
                break
    return "".join([*parts, run[done:]])


def _is_norwegian(digits: str) -> bool:
    """Check both control digits, so that a gateway's own eleven-digit numbers are not masked."""
    numbers = [int(sign) for sign in digits]
    return all(
        sum(weight * number for weight, number in zip(weights, numbers, strict=False)) % 11 == 0
        for weights in _NORWEGIAN_WEIGHTS
    )


def _is_card(text: str) -> bool:
    return len(_digits(text)) in _CARD_DIGITS and _passes_luhn(text)


def _digits(text: str) -> str:
    return "".join(sign for sign in text if sign.isdecimal())


def _passes_luhn(number: str) -> bool:
    digits = [int(sign) for sign in reversed(number) if sign.isdecimal()]
    doubled = [digit if place % 2 == 0 else sum(divmod(digit * 2, 10)) for place, digit in enumerate(digits)]
    return sum(doubled) % 10 == 0
