"""What the host knows by itself: what it asked for, what left on the wire for it, and what it was told.

It stands for the host's own database: it survives crashes, and it is what the promises are checked with.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from prenopay.ports import HttpRequest
from prenopay.testing.simulation.gateways import Asked, Gateways, asked_in, text_of
from prenopay.values.events import Event
from prenopay.values.payments import Outcome

if TYPE_CHECKING:
    from prenopay.testing.simulation.process import Process

__all__ = ["Notebook", "Wish"]


@dataclass(slots=True, kw_only=True)
class Wish:
    """Something that the host asked for under an operation id. ``ask`` asks it (again), with so many öre more."""

    operation_id: str
    what: str
    account: str
    ask: Callable[[Process, int], Awaitable[object]] = field(repr=False)
    amount: int | None = None
    order_reference: str = ""
    payment_id: str = ""
    payer: str = ""
    mandate_id: str = ""
    period: str = ""
    replaces: str = ""
    """The payment that a new one takes the place of."""
    is_automatic: bool = False
    stores: bool = False
    answered: bool = False

    @property
    def text(self) -> str:
        """What it is described as on the wire."""
        return text_of(self.account, self.operation_id)


class Notebook:
    """What one host wrote down. ``broken`` collects the promises that were seen broken on the way."""

    def __init__(self, gateways: Gateways) -> None:
        """Begin empty; what is heard is held against ``gateways`` at once."""
        self.wishes: dict[str, Wish] = {}
        """What was asked for, by its text."""
        self.blocked: dict[str, datetime] = {}
        """Mandates whose last decline forbids another draw until then."""
        self.said: dict[str, Outcome] = {}
        """What the host was last answered of each operation, by its text."""
        self.references: dict[tuple[str, str], set[str]] = {}
        """What asks were for, and the host's name of them, with the gateway references they went out under."""
        self.heard: dict[str, Event] = {}
        self.told: dict[str, int] = {}
        """How many events of each payment were acted on."""
        self.names: dict[str, str] = {}
        """Payment ids, by the gateway's names."""
        self.ended_unnamed: set[str] = set()
        """Payments that were ended before it was known whether the gateway has them."""
        self.tampered: set[str] = set()
        self.by_hand: set[str] = set()
        """Payments, by the gateway's names, that somebody moved money of without prenopay."""
        self.misused: int = 0
        """How often something was asked for that must be refused under a new id."""
        self.foreign: set[str] = set()
        """Payments of which a callback was taken that names another."""
        self.shown: list[str] = []
        """Reprs and errors that a host might log."""
        self.broken: list[str] = []
        self._gateways = gateways

    def witness(self, request: HttpRequest) -> Asked | None:
        """Remember under which reference a request asks for what, and return that."""
        asked = asked_in(request)
        if asked is None:
            return None
        known = self.references.setdefault((asked.what, asked.text), set())
        if asked.reference not in known and asked.what == "refund":
            self._refund_is_within_bounds(asked)
        known.add(asked.reference)
        return asked

    def _refund_is_within_bounds(self, asked: Asked) -> None:
        """Whoever asks for all that is left must not be given what is on its way back already."""
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

    def hear(self, event: Event) -> None:
        """Act on an event, once; everything about it is held against what the gateways did."""
        before = self.heard.get(event.event_id)
        if before is not None:
            if before != event:
                self.broken.append(f"told once: {event.event_id} was told with another content the second time")
            return
        number = self.told.get(event.subject.id, 0)
        if event.number != number + 1:
            self.broken.append(
                f"in order: {event.subject} told {event.kind.value} as number {event.number} after number {number}"
            )
        self.heard[event.event_id] = event
        self.told[event.subject.id] = event.number
        self.shown.append(repr(event) + repr(event.raw))
