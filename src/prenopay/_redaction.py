"""Masks secrets in texts, headers and JSON, so that they never leave the process.

Everything that could carry a secret out of the process passes through here when it is *built*: error messages, log
lines, stored gateway bodies, values for handlers. Only ``_text`` is below this module, so that the errors can use it
too.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, cast, final

from prenopay._text import shown

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

TEXT_MOST: Final = 2_000
"""How many characters of a text are looked through and shown. No sentence of a gateway's is longer."""
SAID_MOST: Final = 400
"""How much of a gateway's own words an error or a decline repeats."""
_SECRET_MOST: Final = 500
"""How many more are looked through, so that a secret at the end of what is shown is seen whole."""

_CUT_NOTE_MOST: Final = 40

_WORTH_A_LOOK: Final = re.compile(r"(?i)@|%40|\bbearer\b|\bbasic\b|tokens/|\d(?:\D?\d){5}")
"""Most texts contain none of these, nor six digits close together. They need no further check."""
_CREDENTIALS: Final = (
    re.compile(r"(?i)\b(?:bearer|basic)\s+([\w.~+/=-]+)"),
    re.compile(r"(?i)tokens/([\w.~%-]+)"),
)
"""What follows the kind of a credential, and tokens in paths: gateways have ``/payers/tokens/{token}-Unscheduled`` and
``/unscheduledtokens/{token}``."""
_ADDRESSES: Final = (
    re.compile(r"(?i)((?<![\w.+'-])[\w.+'-]+(?:@|%40)[\w-]+(?:\.[\w-]+)+)"),
    re.compile(r"(?i)((?<![\w-])(?:\+|%2b)\d(?:[ -]?\d){7,14})(?!\d)"),
    # without a plus, as Swish, Vipps and MobilePay write them: a country, and how its mobile numbers begin
    re.compile(
        r"((?<![\w-])(?:00)?(?:46[ -]?7(?:[ -]?\d){7,8}|47[ -]?[49](?:[ -]?\d){7}|45[ -]?[2-9](?:[ -]?\d){7}"
        r"|358[ -]?(?:4|50)(?:[ -]?\d){6,8}))(?![\w-])",
    ),
    re.compile(r"((?<![\w-])07\d(?:[ -]?\d){7})(?![\w-])"),
)
"""E-mail addresses and phone numbers."""
_DAY_FIRST: Final = r"(?<![\w-])(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])\d{2}"
_PERSONAL_NUMBERS: Final = (
    re.compile(rf"({_DAY_FIRST}-\d{{4}})(?![\w-])"),  # Danish
    re.compile(rf"({_DAY_FIRST}[-+A-FU-Y]\d{{3}}[0-9A-FHJ-NPR-Y])(?![\w-])"),  # Finnish
)
_NORWEGIAN_PERSONAL_NUMBER: Final = re.compile(r"(?<![\w-])\d{6} ?\d{5}(?![\w-])")
_NORWEGIAN_WEIGHTS: Final = ((3, 7, 6, 1, 8, 9, 4, 5, 2, 1), (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1))
_SWEDISH_PERSONAL_NUMBER: Final = re.compile(
    r"(?<!\w)(?<!\w-)(?:19|20)?\d{2}(?:0[1-9]|1[0-2])(?:[06][1-9]|[1278]\d|[39][01])[-+]?\d{4}(?!-?\w)",
)
_GROUPS_OF_DIGITS: Final = re.compile(r"\d+(?:[ -]\d+)*")
"""May hold a card number, alone or between other numbers ("4925000000000004 12/26")."""
_DIGITS: Final = re.compile(r"\d+")
_CARD_DIGITS: Final = range(13, 20)

Span = tuple[int, int]


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


def scrub(text: str, *, most: int = TEXT_MOST) -> str:
    """Return ``text`` as one line, with credentials, card, personal and phone numbers and e-mails masked.

    What is longer than ``most`` is cut. The work grows with the length of what is kept, and no faster.
    """
    window = shown(text[: most + _SECRET_MOST])
    seen = _masked_text(window, most) if _WORTH_A_LOOK.search(window) else window
    if len(text) <= most and len(seen) <= most:
        return seen
    return f"{seen[: most - _CUT_NOTE_MOST]}… ({len(text)} characters)"


def _masked_text(text: str, most: int) -> str:
    """Return the first ``most`` characters; a secret that begins in them is masked whole, wherever it ends."""
    parts: list[str] = []
    done = 0
    for start, end in sorted(_secrets(text)):
        if start >= most:
            break
        if start >= done:
            parts += [text[done:start], MASK]
        done = max(done, end)
    return "".join([*parts, text[done:most]])


def _secrets(text: str) -> Iterator[Span]:
    """Yield where secrets are in ``text``. Each pattern passes over it once; none of them looks at a place again."""
    for pattern in (*_CREDENTIALS, *_ADDRESSES, *_PERSONAL_NUMBERS):
        yield from (found.span(1) for found in pattern.finditer(text))
    for found in _NORWEGIAN_PERSONAL_NUMBER.finditer(text):
        if _is_norwegian(_digits(found[0])):
            yield found.span()
    for found in _SWEDISH_PERSONAL_NUMBER.finditer(text):
        if _passes_luhn(_digits(found[0])[-10:]):
            yield found.span()
    for found in _GROUPS_OF_DIGITS.finditer(text):
        if found.end() - found.start() >= _CARD_DIGITS.start:
            yield from _cards(text, found.start(), found.end())


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
    shows = isinstance(value, int | float) and not inside_person and MASK not in scrub(str(value))
    return value if shows else MASK


def _redact_members(value: Any, *, inside_person: bool, depth: int) -> Any:
    if isinstance(value, Mapping):
        members = cast("Mapping[str, Any]", value)
        return {
            scrub(key): _redact_member(key, member, inside_person=inside_person, depth=depth)
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
        return {scrub(key): _masked(member, depth + 1) for key, member in members.items()}
    if isinstance(value, list | tuple):
        listed = cast("Sequence[Any]", value)
        return [_masked(member, depth + 1) for member in listed]
    return value if value in (None, "") else MASK


def _cards(text: str, start: int, end: int) -> Iterator[Span]:
    """Yield possible card numbers among groups of digits: any groups side by side may form one.

    A group that belongs to a word, such as the end of a GUID, is no part of one.
    """
    groups = [group.span() for group in _DIGITS.finditer(text, start, end)]
    is_apart_before = [not _in_word_before(text, begins) for begins, _ in groups]
    is_apart_after = [not _in_word_after(text, ends) for _, ends in groups]
    if not (any(is_apart_before) and any(is_apart_after)):
        return
    groups = groups[is_apart_before.index(True) : len(groups) - is_apart_after[::-1].index(True)]
    sums = _sums_of_luhn(text[begins:ends] for begins, ends in groups)
    before = [0, *itertools.accumulate(ends - begins for begins, ends in groups)]
    last = 0
    for first, (begins, _) in enumerate(groups):
        while last < len(groups) and before[last + 1] - before[first] < _CARD_DIGITS.start:
            last += 1
        for place in range(last, len(groups)):
            count = before[place + 1] - before[first]
            if count >= _CARD_DIGITS.stop:
                break
            summed = sums[before[place + 1] % 2]
            if (summed[before[place + 1]] - summed[before[first]]) % 10 == 0:
                yield begins, groups[place][1]
                break


def _sums_of_luhn(groups: Iterable[str]) -> tuple[list[int], list[int]]:
    """Return the sums of the first digits of a run, as the check digit's rule adds them up.

    The rule doubles every second digit, counted from the end. So there are sums for numbers that end at an even place
    of the run, and for those that end at an odd one.
    """
    digits = [int(digit) for group in groups for digit in group]
    doubled = [sum(divmod(digit * 2, 10)) for digit in digits]
    pairs = list(zip(digits, doubled, strict=True))
    at_even = (pair[place % 2 == 0] for place, pair in enumerate(pairs))
    at_odd = (pair[place % 2 == 1] for place, pair in enumerate(pairs))
    return [0, *itertools.accumulate(at_even)], [0, *itertools.accumulate(at_odd)]


def _in_word_before(text: str, place: int) -> bool:
    before = text[max(place - 2, 0) : place]
    return _is_word(before[-1:]) or (before[-1:] == "-" and _is_word(before[:-1]))


def _in_word_after(text: str, place: int) -> bool:
    after = text[place : place + 2]
    return _is_word(after[:1]) or (after[:1] == "-" and _is_word(after[1:]))


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _is_norwegian(digits: str) -> bool:
    """Check both control digits, so that a gateway's own eleven-digit numbers are not masked."""
    numbers = [int(sign) for sign in digits]
    return all(
        sum(weight * number for weight, number in zip(weights, numbers, strict=False)) % 11 == 0
        for weights in _NORWEGIAN_WEIGHTS
    )


def _digits(text: str) -> str:
    return "".join(sign for sign in text if sign.isdecimal())


def _passes_luhn(number: str) -> bool:
    digits = [int(sign) for sign in reversed(number) if sign.isdecimal()]
    doubled = [digit if place % 2 == 0 else sum(divmod(digit * 2, 10)) for place, digit in enumerate(digits)]
    return sum(doubled) % 10 == 0
