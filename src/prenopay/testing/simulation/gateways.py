"""What the gateways did, in plain numbers: the truth that prenopay's books are held against.

Read from the emulators' own books and from requests as they left. Nothing here asks prenopay.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final, cast
from urllib.parse import urlsplit

from prenopay.ports import HttpRequest
from prenopay.testing.emulators.exchange import EmulatorRequest
from prenopay.testing.emulators.faults import Fault
from prenopay.testing.emulators.swedbankpay import SwedbankPayEmulator, TransactionKind
from prenopay.testing.emulators.swedbankpay.calls import describe_call
from prenopay.testing.emulators.swish import Status, SwishEmulator

__all__ = ["CARDS", "SWISH", "Asked", "Gateways", "Move", "Sums", "asked_in"]

CARDS: Final = "cards"
SWISH: Final = "swish"
"""The accounts' names."""

_MOVES: Final = {
    TransactionKind.AUTHORIZATION: "authorize",
    TransactionKind.SALE: "authorize",
    TransactionKind.CAPTURE: "capture",
    TransactionKind.CANCELLATION: "cancel",
    TransactionKind.REVERSAL: "refund",
}
_CALLS: Final = {"create": "authorize", "charge": "authorize", "reversal": "refund"}
_SWISH_CALLS: Final = {"paymentrequests": "authorize", "refunds": "refund", "payouts": "pay out"}


@dataclass(frozen=True, slots=True)
class Sums:
    """What one payment comes to at its gateway, in öre."""

    authorized: int = 0
    captured: int = 0
    refunded: int = 0
    cancelled: int = 0

    @property
    def kept(self) -> int:
        """What is reserved and neither taken nor released."""
        return self.authorized - self.captured - self.cancelled


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One movement of money at a gateway, under the reference that it was asked for with."""

    what: str
    payment: str
    reference: str
    amount: int
    is_charge: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a request on the wire asked for: ``text`` is the description, which names the host's operation."""

    what: str
    text: str
    reference: str
    amount: int | None


class Gateways:
    """Both gateways of one world."""

    def __init__(self, cards: SwedbankPayEmulator, swish: SwishEmulator) -> None:
        """Read from the two emulators."""
        self.cards: SwedbankPayEmulator = cards
        self.swish: SwishEmulator = swish

    def plan(self, fault: Fault) -> None:
        """Have the next call meet ``fault``, whichever gateway it goes to."""
        for emulator in (self.cards, self.swish):
            emulator.faults.add(fault)

    def forget_plans(self) -> None:
        """Take back what was planned for the gateway that was not called."""
        for emulator in (self.cards, self.swish):
            emulator.faults.clear()

    def sums(self) -> dict[str, Sums]:
        """Return what every payment comes to, by the gateway's name of it."""
        cards = {
            order.id: Sums(
                order.totals.authorized,
                order.totals.captured,
                order.totals.reversed,
                order.totals.cancelled,
            )
            for order in self.cards.orders
        }
        swish = {each.id: each.totals for each in self.swish.payments}
        return cards | {name: Sums(each.paid, each.paid, each.refunded) for name, each in swish.items()}

    def left_to_refund(self, name: str) -> int | None:
        """Return what can still be given back, what is on its way taken off; ``None`` for what nobody knows."""
        swish = next((each.totals for each in self.swish.payments if each.id == name), None)
        if swish is not None:
            return swish.paid - swish.refunded - swish.refunding
        sums = self.sums().get(name)
        return None if sums is None else sums.captured - sums.refunded

    def moves(self) -> list[Move]:
        """Return every movement of money there ever was."""
        return [*self._card_moves(), *self._swish_moves()]

    def _card_moves(self) -> list[Move]:
        charges = {charge.order for charge in self.cards.charges()}
        return [
            Move(
                what=_MOVES[each.kind],
                payment=order.id,
                reference=each.payee_reference or order.payee_reference,
                amount=each.amount,
                is_charge=order.id in charges,
            )
            for order in self.cards.orders
            for each in order.transactions
            if each.kind in _MOVES
        ]

    def _swish_moves(self) -> list[Move]:
        payments = [
            Move(what="authorize", payment=each.id, reference=each.id, amount=each.totals.paid)
            for each in self.swish.payments
            if each.paid is not None
        ]
        back = [
            Move(what="refund", payment=each.payment, reference=each.id, amount=int(each.amount * 100))
            for each in self.swish.refunds
            if each.status is Status.PAID
        ]
        out = [
            Move(what="pay out", payment=each.id, reference=each.id, amount=int(each.amount * 100))
            for each in self.swish.payouts
            if each.status is Status.PAID
        ]
        return [*payments, *back, *out]

    def secrets(self) -> set[str]:
        """Return what the gateways hold and nobody may ever see in a log: tokens, and addresses of payment pages."""
        pages = {order.page_path.rsplit("/", 1)[-1] for order in self.cards.orders}
        tokens = {each.token for each in self.cards.tokens()} | {each.token for each in self.swish.payments}
        return (pages | tokens) - {""}


def asked_in(request: HttpRequest) -> Asked | None:
    """Return what a request asks for, if it is one that moves money."""
    if request.method not in {"POST", "PUT"} or not request.body:
        return None
    path = urlsplit(request.url).path
    body = _object(json.loads(request.body))
    for word, what in _SWISH_CALLS.items():
        if f"/{word}" in path:
            inner = _object(body.get("payload")) or body
            reference = str(inner.get("payoutInstructionUUID") or path.rsplit("/", 1)[-1])
            minor = round(float(str(inner.get("amount"))) * 100)
            return Asked(what=what, text=str(inner.get("message", "")), reference=reference, amount=minor)
    call, reference = describe_call(EmulatorRequest(method=request.method, target=path, body=request.body))
    inner = _object(body.get("transaction")) or _object(body.get("paymentorder"))
    amount = inner.get("amount")
    return Asked(
        what=_CALLS.get(call, call),
        text=str(inner.get("description", "")),
        reference=reference,
        amount=amount if isinstance(amount, int) else None,
    )


def _object(value: object) -> dict[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}
