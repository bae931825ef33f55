"""How often a card may be tried again: failures per payee and card, the schemes' limits, and blocks.

The counts are the gateway's own (docs: problems, "Do Not Try Again & Excessive Reattempts"): per agreement
and card number, so that another token for the same card changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from prenopay.testing.emulators.swedbankpay.behaviour import AttemptLimits
from prenopay.testing.emulators.swedbankpay.cards import CardUsed

__all__ = ["Reattempts", "Window"]

_DAY: Final = timedelta(days=1)
_MONTH: Final = timedelta(days=30)
_BLOCK: Final = timedelta(days=30)
"""So long does "do not retry" keep a card away from a payee."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One limit and how far it is used up."""

    word: str
    """``daily`` or ``monthly``."""
    most: int
    used: int

    @property
    def remaining(self) -> int:
        """How many failures are left."""
        return max(self.most - self.used, 0)


class Reattempts:
    """The failures of every card at every payee."""

    def __init__(self, failures: dict[tuple[str, str], list[datetime]]) -> None:
        """Keep what fails in ``failures``, by payee and masked number."""
        self._failures = failures
        self._blocked: dict[tuple[str, str], datetime] = {}

    def failures(self, payee_id: str, card: CardUsed) -> list[datetime]:
        """Return when the card failed at the payee's."""
        return self._failures.setdefault((payee_id, card.masked), [])

    def fail(self, payee_id: str, card: CardUsed, now: datetime) -> None:
        """Count a failure."""
        self.failures(payee_id, card).append(now)

    def block(self, payee_id: str, card: CardUsed, now: datetime) -> None:
        """Keep the card away for thirty days."""
        self._blocked[payee_id, card.masked] = now + _BLOCK

    def is_blocked(self, payee_id: str, card: CardUsed, now: datetime) -> bool:
        """Say whether the card may not be tried at all."""
        until = self._blocked.get((payee_id, card.masked))
        return until is not None and now < until

    def windows(self, payee_id: str, card: CardUsed, limits: AttemptLimits, now: datetime) -> list[Window]:
        """Return the limits of the card's scheme; schemes without any are not limited."""
        failures = self.failures(payee_id, card)
        today = sum(1 for failure in failures if now - failure < _DAY)
        this_month = sum(1 for failure in failures if now - failure < _MONTH)
        match card.brand:
            case "MasterCard":
                daily = Window(word="daily", most=limits.mastercard_daily, used=today)
                return [daily, Window(word="monthly", most=limits.mastercard_monthly, used=this_month)]
            case "Visa":
                return [Window(word="monthly", most=limits.visa_monthly, used=this_month)]
            case _:
                return []
