"""What happens to stored cards behind the merchant's back, and what the acquirer will say to the next charge."""

from __future__ import annotations

from datetime import timedelta

from prenopay.testing.control import ControlRefused
from prenopay.testing.emulators.swedbankpay.behaviour import DeclineChannel
from prenopay.testing.emulators.swedbankpay.books import TokenRecord, token_record
from prenopay.testing.emulators.swedbankpay.cards import CardUsed, find_card, is_good_until
from prenopay.testing.emulators.swedbankpay.declines import CARD_WORDS
from prenopay.testing.emulators.swedbankpay.instruments import INSTRUMENTS
from prenopay.testing.emulators.swedbankpay.merchants import Merchant
from prenopay.testing.emulators.swedbankpay.register import PlannedDecline, Register
from prenopay.testing.emulators.swedbankpay.storing import make_token
from prenopay.testing.emulators.swedbankpay.tokens import ArchivedBy, StoredToken, TokenKind

__all__ = ["TokenKeeper"]


class TokenKeeper:
    """Acts on the vault; raises ``ControlRefused`` where nobody could."""

    def __init__(self, register: Register) -> None:
        """Work on ``register``."""
        self._register = register

    def store_card(
        self,
        merchant: Merchant,
        payer_reference: str,
        *,
        kind: TokenKind,
        number: str,
        expiry: str,
    ) -> TokenRecord:
        """Put a test card into the vault."""
        return self._store(merchant, payer_reference, kind, self._card(number, expiry))

    def store_account(self, merchant: Merchant, payer_reference: str, *, kind: TokenKind) -> TokenRecord:
        """Put a bank account into the vault."""
        return self._store(merchant, payer_reference, kind, None)

    def archive(self, token: str, *, by: ArchivedBy, reason: str) -> TokenRecord:
        """End a token."""
        stored = self._find(token)
        stored.archived_by, stored.archive_reason = by, reason
        return token_record(stored)

    def expire_card(self, token: str) -> TokenRecord:
        """Move the card's date into last month."""
        stored, card = self._with_card(token)
        last_month = self._register.now().replace(day=1) - timedelta(days=1)
        stored.card = card.until(f"{last_month:%m/%Y}")
        return token_record(stored)

    def replace_card(self, token: str, *, number: str, expiry: str) -> TokenRecord:
        """Put another card behind a network token."""
        stored, card = self._with_card(token)
        if not card.is_network_token:
            message = (
                "the gateway learns of new cards through network tokens only: "
                "store one of the test cards whose is_network_token is true"
            )
            raise ControlRefused(message)
        self._register.vault.replace_card(stored, self._card(number, expiry).as_network_token())
        return token_record(stored)

    def plan_decline(self, word: str, *, channel: DeclineChannel | None, times: int) -> None:
        """Have coming charges declined."""
        if word not in CARD_WORDS or times < 1:
            message = f"problem must be one of {', '.join(CARD_WORDS)}, and times 1 or more"
            raise ControlRefused(message)
        self._register.planned_declines += [PlannedDecline(word=word, channel=channel)] * times

    def _store(self, merchant: Merchant, payer: str, kind: TokenKind, card: CardUsed | None) -> TokenRecord:
        register = self._register
        stored = make_token(
            register,
            merchant,
            kind=kind,
            payer_reference=payer,
            instrument=INSTRUMENTS["CreditCard" if card else "Trustly"],
            card=card,
            correlation_id=register.new_guid(),
            account=register.new_number(),
        )
        return token_record(stored)

    def _card(self, number: str, expiry: str) -> CardUsed:
        card = find_card(number)
        if card is None:
            message = "only the published test cards can be used here"
            raise ControlRefused(message)
        if not is_good_until(expiry, self._register.now()):
            message = f"expiry: write MM/YYYY, not in the past, instead of {expiry!r}"
            raise ControlRefused(message)
        return card.used(expiry)

    def _with_card(self, token: str) -> tuple[StoredToken, CardUsed]:
        stored = self._find(token)
        if stored.card is None:
            message = f"there is no card behind the {stored.kind} token, but a bank account"
            raise ControlRefused(message)
        return stored, stored.card

    def _find(self, token: str) -> StoredToken:
        stored = next((entry for entry in self._register.vault if entry.token == token.lower()), None)
        if stored is None:
            message = "there is no such token"
            raise ControlRefused(message)
        return stored
