"""Nordpay's stand-in for tests: payments in memory, a payer, callbacks, and what it all adds up to."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from prenopay.provider import Environment, HttpRequest, Secret
from prenopay.testing.clock import VirtualClock
from prenopay.testing.gateway import (
    Asked,
    FakeGateway,
    History,
    Move,
    Ordered,
    PayerRefused,
    Portal,
    SharedAgreement,
    StrangeCode,
    StrangeStatus,
    Totals,
)
from prenopay.testing.http import EmulatorAnswer, EmulatorRequest, json_answer

from .provider import Nordpay

__all__ = ["API_KEY", "NordpayGateway"]

API_KEY: Final = "nordpay-key-of-an-invented-merchant"
_HOST: Final = "test.nordpay.example"
_PAGE_LIVES: Final = timedelta(hours=1)


@dataclass(slots=True, kw_only=True)
class _Payment:
    reference: str
    amount: int
    currency: str
    callback_url: str
    closes_at: datetime
    status: str = "open"
    reason: str = ""
    paid: int = 0
    refunds: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def refunded(self) -> int:
        return sum(self.refunds.values())

    def shown(self, status: int = 200) -> EmulatorAnswer:
        names = ("reference", "amount", "currency", "status", "reason", "paid", "refunded", "refunds", "callback_url")
        page = f"https://{_HOST}/pay/{self.reference}"
        return json_answer(status, {name: getattr(self, name) for name in names} | {"page": page})


class NordpayGateway(FakeGateway, History, Portal, StrangeStatus, StrangeCode, SharedAgreement):
    """One Nordpay with one merchant. ``FakeGateway`` meets planned faults and writes down what is asked."""

    def __init__(self, *, clock: VirtualClock | None = None, seed: int = 0) -> None:
        """Have no payments. Nothing here is random, so ``seed`` changes nothing."""
        super().__init__(_HOST, clock=clock, calls=("create", "get", "cancel", "refund"))
        self._payments: dict[str, _Payment] = {}

    def account(self, name: str) -> Nordpay:
        """Return an account of the one merchant."""
        return Nordpay(account=name, environment=Environment.TEST, api_key=Secret(API_KEY))

    # What the provider asks

    def settle(self) -> None:
        """Close the pages whose time is over."""
        for payment in self._payments.values():
            if payment.status == "open" and payment.closes_at <= self.clock.now():
                payment.status = "closed"

    def answer(self, request: EmulatorRequest) -> EmulatorAnswer:
        """Act on one call."""
        self.settle()
        if request.header("authorization") != f"Bearer {API_KEY}":
            return json_answer(401, {"error": "who are you?"})
        match request.method, request.path.strip("/").split("/"):
            case "PUT", ["payments", reference]:
                return self._put(reference, json.loads(request.body))
            case "GET", ["payments", reference] if reference in self._payments:
                return self._payments[reference].shown()
            case "DELETE", ["payments", reference] if reference in self._payments:
                return self._close(self._payments[reference])
            case "PUT", ["payments", reference, "refunds", name] if reference in self._payments:
                return self._refund(self._payments[reference], name, json.loads(request.body)["amount"])
            case _:
                return json_answer(404, {"error": "no such payment"})

    def describe(self, request: EmulatorRequest) -> tuple[str, str]:
        """Return a name of the call for faults and transcripts, and the reference in it."""
        parts = request.path.strip("/").split("/")
        verb = {"PUT": "create", "GET": "get", "DELETE": "cancel"}.get(request.method, "")
        return "refund" if "refunds" in parts else verb, parts[-1]

    def _put(self, reference: str, body: dict[str, Any]) -> EmulatorAnswer:
        if reference in self._payments:
            return self._payments[reference].shown()
        made = _Payment(
            reference=reference,
            amount=int(body["amount"]),
            currency=str(body["currency"]),
            callback_url=str(body["callback_url"]),
            closes_at=self.clock.now() + _PAGE_LIVES,
        )
        self._payments[reference] = made
        return made.shown(201)

    def _close(self, payment: _Payment) -> EmulatorAnswer:
        if payment.status == "paid":
            return json_answer(409, {"error": "paid"})
        if payment.status == "open":
            payment.status = "closed"
        return payment.shown()

    def _refund(self, payment: _Payment, name: str, amount: int) -> EmulatorAnswer:
        if name not in payment.refunds:
            if payment.refunded + amount > payment.paid:
                return json_answer(409, {"error": "more than was paid"})
            payment.refunds[name] = amount
            self._notify(payment, payment.reference)
        return payment.shown()

    # What payers do

    def pays(self, payment: str) -> None:
        """Pay."""
        found = self._open(payment)
        found.status, found.paid = "paid", found.amount
        self._notify(found, payment)

    def declines(self, payment: str) -> None:
        """The bank says no."""
        found = self._open(payment)
        found.status, found.reason = "refused", "no-funds"
        self._notify(found, payment)

    def gives_back_by_hand(self, payment: str, amount: int) -> bool:
        """Give money back in Nordpay's portal, without prenopay."""
        found = self._payments[payment]
        return self._refund(found, f"portal-{len(found.refunds)}", amount).status == 200

    def forge_callback(self, *, to: str, naming: str) -> None:
        """Queue a callback to one payment's address that names another."""
        self._notify(self._payments[to], naming)

    def take_reference(self, request: HttpRequest) -> str | None:
        """Another shop of the merchant makes a payment under this reference; refunds have a payment of their own."""
        asked = self.asked_in(request)
        if asked is None or asked.what != "authorize" or asked.reference in self._payments:
            return None
        theirs = json.loads(request.body) | {"callback_url": "https://other.example/callbacks"}
        self._put(asked.reference, theirs | {"amount": theirs["amount"] + 100})
        return asked.reference

    def _open(self, reference: str) -> _Payment:
        self.settle()
        found = self._payments.get(reference)
        if found is None or found.status != "open":
            message = f"{reference} is {'unknown' if found is None else found.status}"
            raise PayerRefused(message)
        return found

    def _notify(self, payment: _Payment, naming: str) -> None:
        self.call_back(payment.callback_url, json.dumps({"payment": naming}).encode(), about=naming)

    # What the conformance suite reads

    def books(self) -> dict[str, Totals]:
        """Return what every payment adds up to."""
        return {
            name: Totals(authorized=each.paid, captured=each.paid, refunded=each.refunded)
            for name, each in self._payments.items()
        }

    def secrets(self) -> tuple[str, ...]:
        """Return the one credential."""
        return (API_KEY,)

    def with_strange_status(self, body: bytes) -> bytes:
        """Return the body with a status that Nordpay may add later."""
        return body.replace(b'"open"', b'"on hold"')

    def with_strange_code(self, body: bytes) -> bytes:
        """Return the body with a reason that is on no page."""
        return body.replace(b'"no-funds"', b'"sunspots"')

    # What the simulation reads too

    def moves(self) -> list[Move]:
        """Return every payment that was paid, and every refund."""
        paid = [each for each in self._payments.values() if each.paid]
        taken = [
            Move(what="authorize", payment=each.reference, reference=each.reference, amount=each.paid) for each in paid
        ]
        back = [
            Move(what="refund", payment=each.reference, reference=name, amount=amount)
            for each in paid
            for name, amount in each.refunds.items()
        ]
        return taken + back

    def asked_in(self, request: HttpRequest) -> Asked | None:
        """Return what a ``PUT`` asks for."""
        parts = urlsplit(request.url)
        if parts.netloc != _HOST or request.method != "PUT":
            return None
        body, path = json.loads(request.body), parts.path.split("/")
        return Asked(
            what="refund" if "refunds" in path else "authorize",
            text=body["text"],
            reference=path[-1],
            amount=body["amount"],
        )

    def ordered(self) -> dict[str, Ordered]:
        """Return what each payment is for."""
        return {name: Ordered(amount=each.amount) for name, each in self._payments.items()}

    def payable(self) -> list[str]:
        """Return the payments that are open."""
        self.settle()
        return [name for name, each in self._payments.items() if each.status == "open"]

    def find(self, reference: str) -> str | None:
        """Return the payment of this reference: Nordpay takes ours as its own."""
        return reference if reference in self._payments else None

    def left_to_refund(self, payment: str) -> int | None:
        """Return what was paid and not given back."""
        found = self._payments.get(payment)
        return None if found is None else found.paid - found.refunded
