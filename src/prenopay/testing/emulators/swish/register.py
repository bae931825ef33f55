"""Everything the emulated Swish remembers and hands out: requests, ids, tokens, and what is still to happen."""

from __future__ import annotations

import base64
import heapq
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from prenopay.testing.callbacks import CallbackQueue
from prenopay.testing.clock import VirtualClock
from prenopay.testing.emulators.swish.behaviour import Behaviour
from prenopay.testing.emulators.swish.merchants import SwishMerchant, SwishPayer
from prenopay.testing.emulators.swish.objects import Payment, Payout, Refund, Status
from prenopay.testing.http import EmulatorAnswer

__all__ = ["Register", "UsedId"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedId:
    """Which request used an ``instructionUUID`` first, and what it was answered."""

    fingerprint: str
    answer: EmulatorAnswer


class Register:
    """Swish's memory. One seed and one order of calls give the same ids and tokens every time."""

    def __init__(
        self,
        *,
        clock: VirtualClock,
        callbacks: CallbackQueue,
        merchants: Iterable[SwishMerchant],
        payers: Iterable[SwishPayer],
        behaviour: Behaviour,
        seed: int,
    ) -> None:
        """Begin empty."""
        self.clock = clock
        self.callbacks = callbacks
        self.behaviour = behaviour
        self.merchants: dict[str, SwishMerchant] = {merchant.number: merchant for merchant in merchants}
        self.payers: dict[str, SwishPayer] = {payer.msisdn: payer for payer in payers}
        self.payments: dict[str, Payment] = {}
        self.refunds: dict[str, Refund] = {}
        self.payouts: dict[str, Payout] = {}
        self.used: dict[tuple[str, str], UsedId] = {}
        self.handed_on: dict[str, datetime] = {}
        """Phone numbers that have a new owner, and since when."""
        self.last_refund: dict[str, datetime] = {}
        self._random = random.Random(seed)  # noqa: S311 - ids of play money, which must replay
        self._to_come: list[tuple[datetime, int, Callable[[], None]]] = []
        self._promised = 0
        self._moment: datetime | None = None

    def now(self) -> datetime:
        """Return the time; while something overdue is settled, the time at which it was due."""
        return self._moment or self.clock.now()

    def new_reference(self) -> str:
        """Return a fresh bank reference: 32 upper-case hex digits."""
        return f"{self._random.getrandbits(128):032X}"

    def new_token(self) -> str:
        """Return a fresh ``PaymentRequestToken``: short-lived, and opaque to everybody."""
        if self.behaviour.token_style == "hex":  # noqa: S105 - the name of a style
            return f"{self._random.getrandbits(128):032x}"
        return base64.urlsafe_b64encode(self._random.randbytes(24)).decode()

    def by_token(self, token: str) -> Payment | None:
        """Return the request that a token opens."""
        return next((payment for payment in self.payments.values() if token and payment.token == token), None)

    def by_payment_reference(self, reference: str) -> Payment | None:
        """Return the paid request whose bank reference this is."""
        wanted = (payment for payment in self.payments.values() if payment.payment_reference == reference)
        return next((payment for payment in wanted if payment.status is Status.PAID), None)

    def balance(self, merchant: SwishMerchant) -> Decimal | None:
        """Return what the merchant's account holds; ``None`` is without end."""
        merchant = self.merchants.get(merchant.number, merchant)
        if merchant.opening_balance is None:
            return None
        came = [one.amount for one in self.payments.values() if one.merchant.number == merchant.number and one.paid]
        out: list[Refund | Payout] = [*self.refunds.values(), *self.payouts.values()]
        went = [one.amount for one in out if one.merchant.number == merchant.number and one.status is not Status.ERROR]
        return merchant.opening_balance + sum(came, Decimal(0)) - sum(went, Decimal(0))

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
