"""The amounts that the emulator of Swedbank Pay declines on purpose, and the cards that it accepts."""

from __future__ import annotations

from from_code.markdown import Texts, code, table
from prenopay.providers.swedbankpay.problems import TABLE
from prenopay.testing.emulators.swedbankpay import TEST_CARDS, cards

__all__ = ["magic_amounts", "published_cards"]


def magic_amounts(_texts: Texts) -> str:
    """Return the amounts of card orders that the emulator declines, and how prenopay reads each decline."""
    words = {amount: row[0] for amount, row in cards._BY_AMOUNT.items()}  # noqa: SLF001
    words[cards._NEEDS_AUTHENTICATION] = "authenticationrequired"  # noqa: SLF001
    words[cards._DO_NOT_RETRY] = "acquirererrordonotretry"  # noqa: SLF001
    rows = [
        (code(amount), code(word), code(TABLE[word].code), code(TABLE[word].advice)) for amount, word in words.items()
    ]
    return table(("Amount (öre)", "Problem", "`decline.code`", "`decline.advice`"), rows)


def published_cards(_texts: Texts) -> str:
    """Return the published test cards."""
    rows = [
        (code(card.number), card.brand, card.expiry, "asks" if card.is_challenged else "asks nothing")
        for card in TEST_CARDS
    ]
    return table(("Number", "Brand", "Expiry", "3-D Secure"), rows)
