"""The gateway's published test cards: the only ones the emulator takes, and what of a card is ever kept."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

__all__ = ["PLAIN_CARD", "TEST_CARDS", "CardUsed", "TestCard", "find_card", "is_good_until"]

_SHOWN_FIRST: Final = 6
_SHOWN_LAST: Final = 4
_EXPIRY: Final = re.compile(r"(0[1-9]|1[0-2])/(20[0-9]{2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class CardUsed:
    """What is kept of a card: never its number."""

    masked: str
    brand: str
    expiry: str
    is_challenged: bool
    """Whether 3-D Secure asks the payer."""
    is_network_token: bool

    def until(self, expiry: str) -> CardUsed:
        """Return the card with another date."""
        return replace(self, expiry=expiry)

    def as_network_token(self) -> CardUsed:
        """Return the card with a network token in its place."""
        return replace(self, is_network_token=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class TestCard:
    """One published test card."""

    __test__ = False

    number: str
    brand: str
    is_challenged: bool = False
    is_network_token: bool = False
    expiry: str = "12/2034"
    cvc: str = "123"

    def used(self, expiry: str) -> CardUsed:
        """Return what is kept when a payer pays with it."""
        hidden = "*" * (len(self.number) - _SHOWN_FIRST - _SHOWN_LAST)
        return CardUsed(
            masked=f"{self.number[:_SHOWN_FIRST]}{hidden}{self.number[-_SHOWN_LAST:]}",
            brand=self.brand,
            expiry=expiry,
            is_challenged=self.is_challenged,
            is_network_token=self.is_network_token,
        )


TEST_CARDS: Final = (
    TestCard(number="4761739001010416", brand="Visa", is_challenged=True),
    TestCard(number="5226612199533406", brand="MasterCard", is_challenged=True),
    TestCard(number="4925000000000004", brand="Visa"),
    TestCard(number="4581097032723517", brand="Visa"),
    TestCard(number="4581099940323133", brand="Visa"),
    TestCard(number="5226600159865967", brand="MasterCard"),
    TestCard(number="5226603115488031", brand="MasterCard"),
    TestCard(number="5226604266737382", brand="MasterCard"),
    TestCard(number="5226600156995650", brand="MasterCard"),
    TestCard(number="5510000000001232", brand="MasterCard", is_network_token=True, expiry="04/2035"),
    TestCard(
        number="5510000000002347",
        brand="MasterCard",
        is_challenged=True,
        is_network_token=True,
        expiry="06/2035",
    ),
    TestCard(number="4111112000003211", brand="Visa", is_network_token=True, expiry="09/2035"),
    TestCard(
        number="4111112000006545",
        brand="Visa",
        is_challenged=True,
        is_network_token=True,
        expiry="11/2035",
    ),
    TestCard(number="5510000000009631", brand="MasterCard", expiry="08/2035"),
    TestCard(number="5510000000005431", brand="MasterCard", expiry="02/2035"),
    TestCard(number="4111112000004565", brand="Visa", expiry="07/2035"),
    TestCard(number="4111112000007899", brand="Visa", expiry="12/2035"),
    TestCard(number="377601000000000", brand="American Express", cvc="1234"),
    TestCard(number="5019994016316467", brand="Dankort"),
    TestCard(number="5019994001307083", brand="Dankort"),
    TestCard(number="6007220000000004", brand="Forbrugsforeningen"),
    TestCard(number="6764429999947470", brand="Maestro"),
    TestCard(number="4571994016401817", brand="Visa/Dankort"),
    TestCard(number="4571994016471869", brand="Visa/Dankort"),
)
"""All of them. Any other number might be somebody's, so it is refused before it is looked at twice."""

PLAIN_CARD: Final = TEST_CARDS[2]
"""A Visa that 3-D Secure does not ask about: what is used when nobody says which."""
_BY_NUMBER: Final = {card.number: card for card in TEST_CARDS}


def find_card(number: str) -> TestCard | None:
    """Return the test card with this number, spaces aside."""
    return _BY_NUMBER.get("".join(number.split()))


def is_good_until(expiry: str, now: datetime) -> bool:
    """Say whether ``expiry`` is MM/YYYY, and not past."""
    found = _EXPIRY.fullmatch(expiry)
    if found is None:
        return False
    month, year = int(found[1]), int(found[2])
    return (year, month) >= (now.year, now.month)
