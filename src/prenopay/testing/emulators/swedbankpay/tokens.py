"""Stored payment details: what a token stands for, whose it is, whether it can be used, and where all are kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from prenopay.testing.emulators.swedbankpay.cards import CardUsed
from prenopay.testing.emulators.swedbankpay.instruments import Instrument

__all__ = ["CHARGES", "GENERATE", "VERIFY", "ArchivedBy", "StoredToken", "TokenKind", "TokenMade", "Vault"]


class TokenKind(StrEnum):
    """What a token is good for (docs: token-handling)."""

    PAYMENT = "payment"
    """One click: the payer chooses it on the page."""
    RECURRENCE = "recurrence"
    """Charged by ``Recur``."""
    UNSCHEDULED = "unscheduled"
    """Charged by ``UnscheduledPurchase``."""

    @property
    def field(self) -> str:
        """The member that carries such a token in requests."""
        return f"{self.value}Token"


class ArchivedBy(StrEnum):
    """Who ended a token, as the Payer API says it."""

    PAYEE = "PAYEE"
    SWEDBANK_PAY = "SWEDBANK_PAY"
    TOKEN_ISSUER = "TOKEN_ISSUER"  # noqa: S105 - a word of the gateway's, no secret


VERIFY: Final = "Verify"
"""The operation that stores without a purchase."""
CHARGES: Final = {"Recur": TokenKind.RECURRENCE, "UnscheduledPurchase": TokenKind.UNSCHEDULED}
"""The operations that charge a token while nobody is present."""
GENERATE: Final = {kind: f"generate{kind.value.capitalize()}Token" for kind in TokenKind}
"""The members that ask for a token of each kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenMade:
    """What an order tells of a token it made; it stays as it was then."""

    kind: TokenKind
    token: str
    name: str
    expiry: str


@dataclass(slots=True, kw_only=True)
class StoredToken:
    """One token. It never changes; the card behind it may (docs: network-tokenization)."""

    token: str
    kind: TokenKind
    payee_id: str
    payer_reference: str
    instrument: Instrument
    correlation_id: str
    created: datetime
    made_by: str = ""
    """The order that stored it; empty when it was put straight in."""
    card: CardUsed | None = None
    account_id: str = ""
    masked_account: str = ""
    given_name: str = ""
    archived_by: ArchivedBy | None = None
    archive_reason: str = ""

    @property
    def is_active(self) -> bool:
        """Whether it can be charged, or chosen."""
        return self.archived_by is None

    @property
    def name(self) -> str:
        """What it stands for, masked."""
        return self.card.masked if self.card else self.masked_account

    @property
    def display_name(self) -> str:
        """What the Payer API shows: the last four, until somebody gives it a name."""
        return self.given_name or self.name[-4:]

    @property
    def expiry(self) -> str:
        """``MM/YYYY``; empty for a bank account."""
        return self.card.expiry if self.card else ""

    def told(self) -> TokenMade:
        """Return it as its order tells of it."""
        return TokenMade(kind=self.kind, token=self.token, name=self.name, expiry=self.expiry)


class Vault:
    """Every token there ever was, in the order in which they were stored."""

    def __init__(self) -> None:
        """Begin empty."""
        self._tokens: dict[str, StoredToken] = {}

    def __iter__(self) -> Iterator[StoredToken]:
        return iter(self._tokens.values())

    def add(self, stored: StoredToken) -> None:
        """Keep a token."""
        self._tokens[stored.token] = stored

    def find(self, payee_id: str, token: str, kind: TokenKind | None = None) -> StoredToken | None:
        """Return the payee's token of that kind (or of any); nobody sees another's."""
        found = self._tokens.get(token.lower())
        if found is None or found.payee_id != payee_id or kind not in {None, found.kind}:
            return None
        return found

    def of_payer(self, payee_id: str, payer_reference: str) -> list[StoredToken]:
        """Return everything ever stored for a payer of the payee's."""
        return [stored for stored in self if (stored.payee_id, stored.payer_reference) == (payee_id, payer_reference)]

    def replace_card(self, stored: StoredToken, card: CardUsed) -> None:
        """Put another card behind ``stored`` and behind the payer's other active tokens for the same card."""
        before = stored.card
        for other in self.of_payer(stored.payee_id, stored.payer_reference):
            is_same = other.is_active and other.card is not None and before is not None
            if other is stored or (is_same and other.card == before):
                other.card = card
