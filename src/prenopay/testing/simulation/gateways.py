"""What the gateways did, in plain numbers: the truth that prenopay's books are held against.

Read from the emulators' own books and from requests as they left. Nothing here asks prenopay.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Final, cast
from urllib.parse import urlsplit

from prenopay.ports import HttpRequest
from prenopay.testing.emulators.swedbankpay import SwedbankPayEmulator, TransactionKind
from prenopay.testing.emulators.swedbankpay.api import describe_call
from prenopay.testing.emulators.swish import Status, SwishEmulator
from prenopay.testing.emulators.swish.requests import minor
from prenopay.testing.faults import Fault
from prenopay.testing.http import EmulatorRequest

__all__ = [
    "CARDS",
    "CARD_ACCOUNTS",
    "FOREIGN_NAMES",
    "OTHER_CARDS",
    "SWISH",
    "Asked",
    "Gateways",
    "Move",
    "Ordered",
    "Sums",
    "asked_in",
    "text_of",
]

CARDS: Final = "cards"
OTHER_CARDS: Final = "cards-two"
"""The same gateway under another merchant's agreement."""
SWISH: Final = "swish"
CARD_ACCOUNTS: Final = (CARDS, OTHER_CARDS)
"""The accounts' names."""
_NOBODYS_ORDER: Final = "/psp/paymentorders/5adc265f-f87f-4313-577e-08d3dca1a26c"
FOREIGN_NAMES: Final = {**dict.fromkeys(CARD_ACCOUNTS, _NOBODYS_ORDER), SWISH: "AB" * 16}
"""What false callbacks name, account by account: payments that are nobody's here."""

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
    vat: int | None = None
    """``None`` at a gateway that knows no VAT."""
    is_charge: bool = False


@dataclass(frozen=True, slots=True)
class Ordered:
    """What the gateway was asked to take from the payer."""

    amount: int
    vat: int | None = None


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

    def open_pages(self) -> set[str]:
        """Return the gateway's names of what nobody has paid yet."""
        cards = {order.id for order in self.cards.orders if not order.totals.authorized}
        return cards | {each.id for each in self.swish.payments if not each.totals.paid}

    def ordered(self) -> dict[str, Ordered]:
        """Return what every payment is for, by the gateway's name of it."""
        cards = {order.id: Ordered(order.amount, order.vat_amount) for order in self.cards.orders}
        return cards | {each.id: Ordered(minor(each.amount)) for each in self.swish.payments}

    def payable(self) -> set[str]:
        """Return the gateway's names of the payments that somebody could pay now."""
        cards = {order.id for order in self.cards.orders if order.is_payable}
        return cards | {each.id for each in self.swish.payments if each.status is Status.CREATED}

    def failed_back(self) -> set[str]:
        """Return the names of payments of which a refund was accepted and failed later."""
        return {order.id for order in self.cards.orders if TransactionKind.REVERSAL in order.failed_operations}

    def live_tokens(self) -> Counter[str]:
        """Return how many methods each payment stored that still can be charged, by the gateway's names."""
        return Counter(token.made_by for token in self.cards.tokens() if token.is_active)

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
                vat=each.vat_amount,
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
            Move(what="refund", payment=each.payment, reference=each.id, amount=minor(each.amount))
            for each in self.swish.refunds
            if each.status is Status.PAID
        ]
        out = [
            Move(what="pay out", payment=each.id, reference=each.id, amount=minor(each.amount))
            for each in self.swish.payouts
            if each.status is Status.PAID
        ]
        return [*payments, *back, *out]

    def secrets(self) -> set[str]:
        """Return what the gateways hold and nobody may ever see in a log: tokens, and addresses of payment pages."""
        pages = {order.page_path.rsplit("/", 1)[-1] for order in self.cards.orders}
        apps = {each.token for each in self.swish.payments}
        return (pages | apps | self.tokens()) - {""}

    def tokens(self) -> set[str]:
        """Return the tokens of stored methods, live or not."""
        return {each.token for each in self.cards.tokens()}


def text_of(account: str, operation_id: str) -> str:
    """Return what an operation is described as on the wire: accounts share operation ids, and texts they do not."""
    return operation_id if account == CARDS else f"{operation_id} {account}"


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
            asked = round(float(str(inner.get("amount"))) * 100)
            return Asked(what=what, text=str(inner.get("message", "")), reference=reference, amount=asked)
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
