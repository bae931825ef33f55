"""Everything the emulated gateway remembers and hands out: orders, references, numbers, what is still to happen."""

from __future__ import annotations

import heapq
import random
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from prenopay.testing.callbacks import CallbackQueue
from prenopay.testing.clock import VirtualClock
from prenopay.testing.emulators.swedbankpay.behaviour import Behaviour, DeclineChannel
from prenopay.testing.emulators.swedbankpay.merchants import Merchant
from prenopay.testing.emulators.swedbankpay.orders import HistoryEntry, PaymentOrder
from prenopay.testing.emulators.swedbankpay.reattempts import Reattempts
from prenopay.testing.emulators.swedbankpay.tokens import Vault
from prenopay.testing.http import EmulatorAnswer

__all__ = ["PAGE_LIVES", "PlannedDecline", "Register", "UsedReference"]

PAGE_LIVES: Final = timedelta(days=28)
"""How long a payer can pay."""
_FIRST_NUMBER: Final = 40_100_000_000
"""Numbers have eleven digits, so that nobody squeezes them into 32 bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedReference:
    """Which request used a reference first, and what it was answered."""

    fingerprint: str
    answer: EmulatorAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedDecline:
    """What the acquirer will say to a coming charge; without a ``channel``, told as the behaviour says."""

    word: str
    channel: DeclineChannel | None = None


class Register:
    """The gateway's memory. One seed and one order of calls give the same ids and numbers every time."""

    def __init__(
        self,
        *,
        clock: VirtualClock,
        callbacks: CallbackQueue,
        merchants: Iterable[Merchant],
        behaviour: Behaviour,
        seed: int,
    ) -> None:
        """Begin empty."""
        self.clock = clock
        self.callbacks = callbacks
        self.behaviour = behaviour
        self.merchants: dict[str, Merchant] = {merchant.access_token: merchant for merchant in merchants}
        self.orders: dict[str, PaymentOrder] = {}
        self.references: dict[tuple[str, str], UsedReference] = {}
        self.vault: Vault = Vault()
        self.card_failures: dict[tuple[str, str], list[datetime]] = {}
        self.reattempts: Reattempts = Reattempts(self.card_failures)
        self.planned_declines: list[PlannedDecline] = []
        self._random = random.Random(seed)  # noqa: S311 - ids of play money, which must replay
        self._last_number = _FIRST_NUMBER
        self._by_token: dict[str, PaymentOrder] = {}
        self._to_come: list[tuple[datetime, int, Callable[[], None]]] = []
        self._promised = 0
        self._moment: datetime | None = None

    def now(self) -> datetime:
        """Return the time; while something overdue is settled, the time at which it was due."""
        return self._moment or self.clock.now()

    def new_guid(self) -> str:
        """Return a fresh id."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def new_token(self) -> str:
        """Return a fresh secret for a payment page."""
        return f"{self._random.getrandbits(256):064x}"

    def new_number(self) -> int:
        """Return a fresh transaction number."""
        self._last_number += self._random.randint(1, 97)
        return self._last_number

    def add(self, order: PaymentOrder) -> None:
        """Remember an order; a charge has no page."""
        self.orders[order.id] = order
        if not order.is_charge:
            self._by_token[order.page_token] = order

    def by_token(self, page_token: str) -> PaymentOrder | None:
        """Return the order whose payment page this is."""
        return self._by_token.get(page_token)

    def page_has_expired(self, order: PaymentOrder) -> bool:
        """Say whether the payer comes too late."""
        return self.now() >= order.created + PAGE_LIVES

    def note(self, order: PaymentOrder, entry: HistoryEntry) -> None:
        """Write a line of the order's history."""
        order.history.append(entry)
        order.updated = entry.created

    def later(self, delay: timedelta, act: Callable[[], None]) -> None:
        """Have ``act`` happen after ``delay``."""
        self._promised += 1
        heapq.heappush(self._to_come, (self.now() + delay, self._promised, act))

    def settle(self) -> None:
        """Let happen what was due by now, in order, each thing at its own time."""
        while self._to_come and self._to_come[0][0] <= self.clock.now():
            self._moment, _, act = heapq.heappop(self._to_come)
            try:
                act()
            finally:
                self._moment = None
