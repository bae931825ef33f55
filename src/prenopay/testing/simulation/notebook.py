"""What the host knows by itself: what it asked for, what left on the wire for it, and what it was notified of.

It stands for the host's own database: it survives crashes, and it is what the promises are checked with.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final

from prenopay.accounts.accounts import AsyncAccounts
from prenopay.ports import HttpRequest
from prenopay.testing.gateway import Asked, Totals
from prenopay.testing.simulation.gateways import Gateways, text_of
from prenopay.values.events import Event
from prenopay.values.payments import Outcome

__all__ = ["Notebook", "Wish"]

_HANDLER_MAY_TAKE: Final = timedelta(minutes=5)
"""Until then an event belongs to the process that has it."""


@dataclass(slots=True, kw_only=True)
class Wish:
    """Something that the host asked for under an operation id. ``ask`` asks it (again), with so many öre more."""

    operation_id: str
    what: str
    account: str
    ask: Callable[[AsyncAccounts, int], Awaitable[object]] = field(repr=False)
    amount: int | None = None
    order_reference: str = ""
    payment_id: str = ""
    payer: str = ""
    mandate_id: str = ""
    period: str = ""
    replaces: str = ""
    """The payment that a new one takes the place of."""
    until: date | None = None
    """The last day on which the method that is stored may be remembered."""
    stores: bool = False
    is_by_phone: bool = False
    """Whether the gateway asks the payer by itself, before the host has an answer."""
    answered: bool = False

    @property
    def text(self) -> str:
        """What it is described as on the wire."""
        return text_of(self.account, self.operation_id)


class Notebook:
    """What one host wrote down. ``broken`` collects the promises that were seen broken on the way."""

    def __init__(self, gateways: Gateways) -> None:
        """Begin empty; what leaves is compared with ``gateways`` at once."""
        self.wishes: dict[str, Wish] = {}
        """What was asked for, by its text."""
        self.blocked: dict[str, datetime] = {}
        """Mandates whose last decline forbids another draw until then."""
        self.said: dict[str, Outcome] = {}
        """What the host was last answered of each operation, by its text."""
        self.references: dict[tuple[str, str], set[str]] = {}
        """What asks were for, and the host's name of them, with the gateway references they went out under."""
        self.heard: dict[str, Event] = {}
        self.numbers: dict[str, int] = {}
        """How many events of each subject were acted on."""
        self.owed: dict[str, Totals] = {}
        """What the gateway had of a payment when a callback was taken: from its answer on the books have it too."""
        self.names: dict[str, str] = {}
        """Payment ids, by the gateways' names."""
        self.ended_unnamed: set[str] = set()
        """Payments that were ended before it was known whether the gateway has them."""
        self.tampered: set[str] = set()
        self.by_hand: set[str] = set()
        """Payments, by the gateways' names, that somebody moved money of without prenopay."""
        self.misused: int = 0
        """How often something was asked for that must be refused under a new id."""
        self.foreign: set[str] = set()
        """Payments of which a callback was taken that names another."""
        self.shown: list[str] = []
        """Reprs and errors that a host might log."""
        self.broken: list[str] = []
        self._gateways = gateways
        self._in_hand: dict[str, datetime] = {}

    def witness(self, request: HttpRequest) -> Asked | None:
        """Remember under which reference a request asks for what, and return that."""
        asked = self._gateways.asked_in(request)
        if asked is None:
            return None
        known = self.references.setdefault((asked.what, asked.text), set())
        if asked.reference not in known and asked.what == "refund":
            self._refund_is_within_bounds(asked)
        known.add(asked.reference)
        return asked

    def _refund_is_within_bounds(self, asked: Asked) -> None:
        """Who asks for all that is left must not be given what is on its way back already."""
        wish = self.wishes.get(asked.text)
        if wish is None or wish.amount is not None:
            return
        name = next((name for name, payment_id in self.names.items() if payment_id == wish.payment_id), "")
        left = self._gateways.left_to_refund(name)
        if left is not None and name not in self.by_hand and (asked.amount or 0) > left:
            self.broken.append(f"never twice: {wish.operation_id} asks for {asked.amount} back, {left} is left to give")

    def next_number(self, what: str, account: str) -> int:
        """Return the number of the next operation: each account counts by itself, so that ids are shared."""
        return sum((wish.what, wish.account) == (what, account) for wish in self.wishes.values()) + 1

    def least_asked(self) -> dict[tuple[str, str], int]:
        """Return, for each order of each account, the least that the host would call paid."""
        least: dict[tuple[str, str], int] = {}
        for wish in self.wishes.values():
            if wish.what == "authorize" and wish.amount is not None:
                order = wish.account, wish.order_reference
                least[order] = min(wish.amount, least.get(order, wish.amount))
        return least

    def sent(self, account: str, operation_id: str) -> set[str]:
        """Return the references under which an operation asked for a payment."""
        return self.references.get(("authorize", text_of(account, operation_id)), set())

    @contextmanager
    def in_hand(self, event: Event, now: datetime) -> Generator[None]:
        """Hold an event while the host's handler has it: for five minutes, no other process is handed it."""
        if now < self._in_hand.get(event.event_id, now):
            self.broken.append(f"told once: {event.event_id} was handed to two processes at once")
        self._in_hand[event.event_id] = now + _HANDLER_MAY_TAKE
        try:
            yield
        finally:
            self._in_hand.pop(event.event_id, None)

    def hear(self, event: Event) -> None:
        """Act on an event, once, and see that the events of a subject come in order."""
        before = self.heard.get(event.event_id)
        if before is not None:
            if event.number < self.numbers[event.subject.id]:
                self.broken.append(f"in order: {event.event_id} came again after a later event")
            if before != event:
                self.broken.append(f"told once: {event.event_id} came with another content the second time")
            return
        number = self.numbers.get(event.subject.id, 0)
        if event.number != number + 1:
            self.broken.append(
                f"in order: {event.subject} told {event.kind.value} as number {event.number} after number {number}"
            )
        self.heard[event.event_id] = event
        self.numbers[event.subject.id] = event.number
        self.shown.append(repr(event) + repr(event.raw))
