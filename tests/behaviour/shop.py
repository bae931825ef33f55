"""A host for the tests: accounts at an emulated gateway, in either colour, on either database."""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from prenopay import (
    Accounts,
    AsyncAccounts,
    CallbackReply,
    CallbackRequest,
    CaptureMode,
    Environment,
    Event,
    Money,
    Operation,
    Order,
    OrderLine,
    Payer,
    Payment,
    Secret,
)
from prenopay.errors import PrenopayError
from prenopay.ports import Clock, HttpRequest, HttpResponse, HttpSender
from prenopay.providers.swedbankpay import ReferenceFormat, SwedbankPay
from prenopay.testing.callbacks import hand_over
from prenopay.testing.clock import VirtualClock
from prenopay.testing.emulators.swedbankpay import DEFAULT_ACCESS_TOKEN, DEFAULT_PAYEE_ID, SwedbankPayEmulator
from prenopay.testing.http import EmulatorAnswer, EmulatorRequest, EmulatorSender
from prenopay.values.mandates import Consent, Mandate, StoreMethod

CALLBACK_URL = "https://shop.example/callbacks"
KEY = "a-key-for-the-tests-that-is-long-enough"
TOKEN_KEY = "a-key-that-seals-tokens-for-the-tests"
COLOURS = ("blocking", "awaiting")
READER = Payer(reference="R-77")
CONSENT = Consent(text_version="terms-2026-01", agreed_at=datetime(2026, 1, 2, tzinfo=UTC), channel="web")


def sek(minor: int) -> Money:
    return Money(minor, "SEK")


def an_order(**changes: Any) -> Order:
    """Return an order of 119 kronor, 6 % VAT."""
    values: dict[str, Any] = {
        "amount": sek(11900),
        "description": "One month",
        "lines": (OrderLine(name="Digital subscription", reference="D1", amount=sek(11900), vat_percent=6),),
        "order_reference": "K-1001",
        "return_url": "https://shop.example/orders/K-1001/return",
        "cancel_url": "https://shop.example/orders/K-1001/cancelled",
        "capture": CaptureMode.MANUAL,
    }
    if "amount" in changes and "lines" not in changes:
        values["lines"] = (OrderLine(name="Something", amount=changes["amount"], vat_percent=6),)
    return Order(**(values | changes))


def transaction(**members: Any) -> dict[str, Any]:
    """Return the body of a capture, cancellation or reversal made by hand."""
    return {"transaction": {"description": "by hand", **members}}


class Rewriter(EmulatorSender):
    """Something between shop and gateway that changes answers: ``rewrite`` gets request and answer."""

    def __init__(self, mounts: Any) -> None:
        super().__init__(mounts)
        self.rewrite: Callable[[HttpRequest, HttpResponse], HttpResponse] = lambda _request, answer: answer

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - see the port
        return self.rewrite(request, await super().send(request, timeout=timeout))


class Interrupted(EmulatorSender):
    """Lets something happen once, while an answer is on its way."""

    def __init__(self, emulator: SwedbankPayEmulator) -> None:
        super().__init__(emulator.mounts)
        self.happens: Callable[[], object] | None = None

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - see the port
        answer = await super().send(request, timeout=timeout)
        happens, self.happens = self.happens, None
        if happens is not None:
            happens()
        return answer


class Driven:
    """Calls an object of either colour as if it were blocking."""

    def __init__(self, target: object, run: Callable[[Any], Any]) -> None:
        self.target = target
        self._run = run

    def __getattr__(self, name: str) -> Any:
        member = getattr(self.target, name)
        if not inspect.iscoroutinefunction(member):
            return member

        @functools.wraps(member)
        def call(*arguments: Any, **named: Any) -> Any:
            return self._run(member(*arguments, **named))

        return call


class Shop:
    """One host process: it can be killed and started again on the same database and gateway."""

    def __init__(
        self,
        colour: str,
        database: str,
        *,
        emulator: SwedbankPayEmulator | None = None,
        sender: HttpSender | None = None,
        clock: Clock | None = None,
        account: str = "cards",
        tells: bool = True,
        **settings: Any,
    ) -> None:
        self.colour = colour
        self.database = database
        self.emulator = emulator or SwedbankPayEmulator(clock=VirtualClock())
        self.clock = self.emulator.clock
        self._clock: Clock = clock or self.clock
        self.sender = sender or EmulatorSender(self.emulator.mounts)
        self.events: list[Event] = []
        self.on_event: Callable[[Event], None] = self.events.append
        self.account_name = account
        self._tells = tells
        self._settings = settings
        self._runner = asyncio.Runner() if colour == "awaiting" else None
        self.hear: Callable[[Event], Any] = self._hear if self._runner is None else self._hear_awaiting
        self.accounts = self._open()
        self.payments = self.add(account, **settings)

    def add(self, account: str, **settings: Any) -> Driven:
        """Add an account, and return its use cases."""
        values: dict[str, Any] = {
            "environment": Environment.TEST,
            "payee_id": DEFAULT_PAYEE_ID,
            "access_token": Secret(DEFAULT_ACCESS_TOKEN),
            "reference_format": ReferenceFormat.ALPHANUMERIC_30,
        }
        return Driven(self.accounts.add(SwedbankPay(account=account, **(values | settings))), self._run)

    def _open(self) -> Driven:
        shared: dict[str, Any] = {
            "callback_url": CALLBACK_URL,
            "callback_keys": [KEY],
            "token_keys": [TOKEN_KEY],
            "sender": self.sender,
            "clock": self._clock,
            "on_event": self._told if self._tells else None,
        }
        if self._runner is None:
            return Driven(Accounts.open(self.database, **shared), self._run)

        async def opened() -> AsyncAccounts:
            return AsyncAccounts.open(self.database, **shared)

        return Driven(self._runner.run(opened()), self._run)

    def _told(self, event: Event) -> Any:
        return self.hear(event)  # looked up each time, so that a test may change it

    def _hear(self, event: Event) -> None:
        self.on_event(event)

    async def _hear_awaiting(self, event: Event) -> None:
        self._hear(event)

    def _run(self, work: Any) -> Any:
        assert self._runner is not None
        return self._runner.run(work)

    def close(self) -> None:
        """End the process."""
        if self._runner is None:
            self.accounts.close()
        else:
            self.accounts.aclose()
            self._runner.close()

    def restarted(self, *, sender: HttpSender | None = None) -> Shop:
        """Start another process on the same database and gateway."""
        return Shop(
            self.colour,
            self.database,
            emulator=self.emulator,
            sender=sender,
            account=self.account_name,
            **self._settings,
        )

    # What happens to a shop

    def bought(self, operation_id: str = "order:1", **changes: Any) -> Payment:
        """Make an order payable."""
        payment: Payment = self.payments.create(an_order(**changes), operation_id=operation_id)
        return payment

    def paid(self, operation_id: str = "order:1", **changes: Any) -> Payment:
        """Make an order payable, have it paid by card, and look at it."""
        payment = self.bought(operation_id, **changes)
        self.pay(payment)
        seen: Payment = self.payments.observe(payment.payment_id)
        return seen

    def captured(self, operation_id: str = "order:1", **changes: Any) -> Payment:
        """Return a payment as ``paid`` does, with the money taken."""
        return self.paid(operation_id, capture=CaptureMode.AUTOMATIC, **changes)

    def pay(self, payment: Payment, **answers: Any) -> None:
        """Let the payer pay by card."""
        assert payment.provider_reference is not None
        self.emulator.pay_by_card(payment.provider_reference, **answers)

    def by_hand(self, method: str, path: str, body: dict[str, Any]) -> None:
        """Change a payment at the gateway without prenopay, as its portal or an older system does."""
        outcome = self.emulator.handle(
            EmulatorRequest(
                method=method,
                target=path,
                headers=(
                    ("authorization", f"Bearer {DEFAULT_ACCESS_TOKEN}"),
                    ("content-type", "application/json;version=3.1"),
                    ("accept", "application/json;version=3.1"),
                ),
                body=json.dumps(body).encode(),
                origin="https://api.externalintegration.payex.com",
            ),
        )
        assert isinstance(outcome, EmulatorAnswer)
        assert outcome.status == 200, outcome.body

    @property
    def mandates(self) -> Driven:
        """The payers' stored methods."""
        return Driven(self.payments.mandates, self._run)

    def stored(self, operation_id: str = "order:store", *, pan: str = "4761739001010416", **changes: Any) -> Mandate:
        """Have a reader's card stored with a first purchase, and return the mandate."""
        values: dict[str, Any] = {"payer": READER, "store": StoreMethod(consent=CONSENT)}
        payment = self.bought(operation_id, **(values | {"capture": CaptureMode.AUTOMATIC} | changes))
        self.pay(payment, pan=pan)
        self.payments.observe(payment.payment_id)
        payer: Payer = values["payer"] if "payer" not in changes else changes["payer"]
        found: tuple[Mandate, ...] = self.mandates.of_payer(payer.reference)
        return next(each for each in found if each.payment_id == payment.payment_id)

    def drawn(self, mandate: Mandate, operation_id: str, *, amount: int = 11900, **details: Any) -> Operation:
        """Charge a mandate."""
        operation: Operation = self.payments.charge(
            mandate.mandate_id,
            sek(amount),
            operation_id=operation_id,
            description="One month",
            **details,
        )
        return operation

    def deliver_callbacks(self) -> None:
        """Deliver the gateway's callbacks that are due, and work on them."""

        def receive(request: CallbackRequest) -> int:
            reply = self.accounts.receive(request)
            self.works(reply)
            status: int = reply.status
            return status

        self.emulator.deliver_callbacks(hand_over(receive))

    def works(self, reply: CallbackReply) -> None:
        """Work on what a reply names, as a host does when the reply has left."""
        if reply.address is not None:
            self.accounts.work(reply.address)

    def later(self, **much: float) -> None:
        """Let time pass."""
        self.clock.advance(timedelta(**much))

    def tries(self, use_case: Callable[[], object]) -> PrenopayError | None:
        """Call, and return the error, if any."""
        try:
            use_case()
        except PrenopayError as error:
            return error
        return None

    @property
    def told(self) -> list[str]:
        """Return the kinds of events that the host received, in order."""
        return [event.kind.value for event in self.events]

    def books_agree(self) -> None:
        """Check that every payment's totals are the gateway's."""
        theirs = self.emulator.books()
        for payment in self.payments.find(limit=500):
            if payment.provider_reference is None:
                continue
            gateway = theirs[payment.provider_reference]
            ours = (payment.authorized.minor, payment.captured.minor, payment.refunded.minor, payment.cancelled.minor)
            assert (gateway.authorized, gateway.captured, gateway.reversed, gateway.cancelled) == ours, payment
