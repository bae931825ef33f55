"""Nordpay's stand-in for tests: payments in memory, a payer, callbacks, and what it all adds up to."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Final

from prenopay.testing.callbacks import CallbackAttempt, CallbackQueue, Post
from prenopay.testing.clock import VirtualClock
from prenopay.testing.conformance import Totals
from prenopay.testing.http import EmulatorAnswer, EmulatorRequest, Outcome, json_answer

__all__ = ["API_KEY", "NordpayEmulator"]

API_KEY: Final = "nordpay-key-of-an-invented-merchant"


@dataclass(slots=True, kw_only=True)
class _Payment:
    reference: str
    amount: int
    currency: str
    callback_url: str
    status: str = "open"
    reason: str = ""
    paid: int = 0
    refunds: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def refunded(self) -> int:
        return sum(self.refunds.values())

    def shown(self, status: int = 200) -> EmulatorAnswer:
        names = ("reference", "amount", "currency", "status", "reason", "paid", "refunded")
        page = f"https://test.nordpay.example/pay/{self.reference}"
        return json_answer(status, {name: getattr(self, name) for name in names} | {"page": page})


class NordpayEmulator:
    """One Nordpay with one merchant; an ``Emulator``, so that ``EmulatorSender`` can call it."""

    def __init__(self) -> None:
        """Have no payments."""
        self.clock: VirtualClock = VirtualClock()
        self.callbacks: CallbackQueue = CallbackQueue(self.clock)
        self._payments: dict[str, _Payment] = {}

    # What the provider asks

    def handle(self, request: EmulatorRequest) -> Outcome:
        """Act on one call."""
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

    def settle(self) -> None:
        """Nothing happens by itself here."""

    def _put(self, reference: str, body: dict[str, object]) -> EmulatorAnswer:
        found = self._payments.get(reference)
        if found is not None:
            return found.shown()
        made = _Payment(
            reference=reference,
            amount=int(str(body["amount"])),
            currency=str(body["currency"]),
            callback_url=str(body["callback_url"]),
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
            self._tell(payment, payment.reference)
        return payment.shown()

    # What a payer does, and what tests read

    def pay(self, reference: str) -> None:
        """Pay; raises ``LookupError`` when that is not possible now."""
        payment = self._open(reference)
        payment.status, payment.paid = "paid", payment.amount
        self._tell(payment, reference)

    def refuse(self, reference: str) -> None:
        """The bank says no."""
        payment = self._open(reference)
        payment.status, payment.reason = "refused", "no-funds"
        self._tell(payment, reference)

    def forge(self, reference: str, *, naming: str) -> None:
        """Queue a callback to one payment's address that names another."""
        self._tell(self._payments[reference], naming)

    def deliver(self, post: Post) -> tuple[CallbackAttempt, ...]:
        """Deliver the callbacks that are due."""
        return self.callbacks.deliver(post)

    def books(self) -> dict[str, Totals]:
        """Return what every payment adds up to."""
        return {name: Totals(captured=each.paid, refunded=each.refunded) for name, each in self._payments.items()}

    def _open(self, reference: str) -> _Payment:
        payment = self._payments[reference]
        if payment.status != "open":
            message = f"{reference} is {payment.status}"
            raise LookupError(message)
        return payment

    def _tell(self, payment: _Payment, naming: str) -> None:
        self.callbacks.put(payment.callback_url, json.dumps({"payment": naming}).encode(), about=naming)
