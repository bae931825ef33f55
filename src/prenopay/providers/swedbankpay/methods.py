"""From the tokens an answer names to stored methods in our words. Pure.

A token comes with little beside it, and each of the gateway's lists says it in another way: the
masked number as the token's name, as its display name, or as the card's first six and last four.
Source: developer.swedbankpay.com, resource sub-models and token handling (2026-07-01).
"""

from __future__ import annotations

import calendar
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final

from prenopay._redaction import Secret, scrub
from prenopay.providers.swedbankpay import _wire
from prenopay.providers.swedbankpay.instruments import instrument_of
from prenopay.values.mandates import MandateKind, MethodSeen
from prenopay.values.orders import Instrument

__all__ = ["ACTIVE", "methods_listed", "methods_stored"]

ACTIVE: Final = frozenset({"", "active"})
"""``state`` of a token that works; the older API lists no others, and so says nothing."""

_KINDS: Final = {
    "payment": MandateKind.ONE_CLICK,
    "oneclick": MandateKind.ONE_CLICK,
    "recurrence": MandateKind.RECURRENCE,
    "unscheduled": MandateKind.UNSCHEDULED,
}
"""``type`` of a token → our kind; the legacy "transaction on file" is none."""

_EXPIRY: Final = re.compile(r"(0[1-9]|1[0-2])/(\d{4}|\d{2})")
_YEARS: Final = range(2000, 2100)
"""Years of the docs' own junk (``12/0023``) are none."""
_MASKED: Final = re.compile(r"(?:(\d*)[*x•]+)?(\d{4,})(?<!\d{9})", re.IGNORECASE)
"""A masked number, whole, or its last digits alone: what stands before the mask, and after it.

A name that the payer chose is none, and neither is a number of so many digits that nothing is masked.
"""
_BIN: Final = 6
"""So many leading digits name the issuer, and the brand with it."""
_BRAND_MOST: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What an answer says of the card or account behind a token."""

    instrument: str | None
    brand: str = ""
    masked: tuple[str, ...] = ()
    """Masked numbers, the most telling first."""
    bin: str = ""
    expiry: str = ""
    network_tokenized: bool = False

    @property
    def word(self) -> str:
        """The instrument in our word; tokens stand for cards where nothing else is said."""
        return instrument_of(self.instrument) or str(Instrument.CARD)

    @property
    def is_card(self) -> bool:
        return self.word == Instrument.CARD or bool(self.brand)

    @property
    def numbers(self) -> list[tuple[str, str]]:
        """What the masked numbers show: leading and trailing digits."""
        plain = [re.sub(r"[ -]", "", number) for number in self.masked]
        return [(match[1] or "", match[2]) for number in plain if (match := _MASKED.fullmatch(number))]

    @property
    def last_four(self) -> str:
        return next((shown[-4:] for _, shown in self.numbers), "")

    @property
    def first_six(self) -> str:
        shown = next((first for first, _ in self.numbers if len(first) >= _BIN), "") or self.bin
        return shown[:_BIN] if shown[:_BIN].isdecimal() and len(shown) >= _BIN else ""

    @property
    def expires(self) -> date | None:
        """The last day of the month the card names."""
        match = _EXPIRY.fullmatch(self.expiry.strip())
        if match is None:
            return None
        month, year = int(match[1]), int(match[2]) + (2000 if len(match[2]) == 2 else 0)  # noqa: PLR2004 - MM/YY
        return date(year, month, calendar.monthrange(year, month)[1]) if year in _YEARS else None

    @property
    def display(self) -> str:
        """What the payer recognises: ``Visa •••• 0004, 12/27``."""
        name = self.brand or ("Card" if self.is_card else self.instrument or "")
        shows_number = self.is_card or self.word == Instrument.TRUSTLY  # others' names may be phone numbers
        number = f" •••• {self.last_four}" if shows_number and self.last_four else ""
        until = f", {self.expires:%m/%y}" if self.is_card and self.expires else ""
        return scrub(name)[:_BRAND_MOST] + number + until

    @property
    def card_key(self) -> str:
        """The same for two tokens of one card, renewed or not; the first six digits say the brand too."""
        if not (self.is_card and self.first_six and self.last_four):
            return ""
        return hashlib.sha256(f"card {self.first_six} {self.last_four}".encode()).hexdigest()

    def method(self, kind: MandateKind, token: str) -> MethodSeen:
        return MethodSeen(
            kind=kind,
            token=Secret(token),
            display=self.display,
            instrument=self.word,
            expires=self.expires,
            card_key=self.card_key,
            network_tokenized=self.network_tokenized,
        )


def methods_stored(order: _wire.Order) -> tuple[MethodSeen, ...]:
    """Return the methods that a paid order stored, whichever API version names them."""
    nodes = [node for node in (order.paid, order.cancelled, order.reversed) if node is not None]
    found = [method for node in nodes for method in _of_result(node)]
    root = _Facts(instrument=order.instrument)
    at_the_root = (order.payment_token, order.recurrence_token, order.unscheduled_token)
    return _once([*found, *_bare(root, at_the_root)])


def methods_listed(tokens: Iterable[_wire.ListedToken]) -> tuple[MethodSeen, ...]:
    """Return the methods among a payer's tokens that still work."""
    found = [
        _facts_of_listed(token).method(kind, token.token)
        for token in tokens
        if token.token and token.state.lower() in ACTIVE and (kind := _KINDS.get(token.token_type.lower()))
    ]
    return _once(found)


def _of_result(node: _wire.Result) -> list[MethodSeen]:
    details = node.details or _wire.Details()
    is_card = instrument_of(node.instrument) in {None, Instrument.CARD}

    def facts(name: str, expiry: str) -> _Facts:
        return _Facts(
            instrument=node.instrument,
            brand=details.card_brand,
            masked=(name, details.masked_pan),
            bin=details.bin,
            expiry=expiry or details.expiry_date,
            network_tokenized=is_card and bool(details.masked_d_pan),  # a wallet's number is the device's own
        )

    found = [
        facts(token.name, token.expiry_date).method(kind, token.token)
        for token in node.tokens
        if token.token and (kind := _KINDS.get(token.type.lower()))
    ]
    return [*found, *_bare(facts("", ""), (node.payment_token, node.recurrence_token, node.unscheduled_token))]


def _bare(facts: _Facts, tokens: tuple[str, str, str]) -> list[MethodSeen]:
    """Return the methods of version 3.0 and earlier, which names tokens without anything beside them."""
    kinds = (MandateKind.ONE_CLICK, MandateKind.RECURRENCE, MandateKind.UNSCHEDULED)
    return [facts.method(kind, token) for kind, token in zip(kinds, tokens, strict=True) if token]


def _facts_of_listed(token: _wire.ListedToken) -> _Facts:
    details = token.instrument_parameters or _wire.InstrumentParameters()
    return _Facts(
        instrument=token.instrument,
        brand=details.card_brand,
        masked=(
            details.last_four_pan,
            token.instrument_display_name,
            details.masked_account_number,
            token.display_name,
        ),
        bin=details.bin,
        expiry=details.expiry_pan or details.expiry_date,
        network_tokenized=token.network_tokenized,
    )


def _once(methods: Iterable[MethodSeen]) -> tuple[MethodSeen, ...]:
    """Leave out repetitions; the first, which says most, stays."""
    seen: dict[tuple[MandateKind, Secret], MethodSeen] = {}
    for method in methods:
        seen.setdefault((method.kind, method.token), method)
    return tuple(seen.values())
