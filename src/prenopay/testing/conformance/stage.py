"""The stage of every rule: one host process at the world's gateway, in one colour, on a database of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Final, Protocol, TypeVar, cast

from prenopay._blocking import run_blocking
from prenopay.accounts.accounts import AsyncAccounts
from prenopay.accounts.sweep import SweepReport
from prenopay.blocking import Accounts
from prenopay.errors import PrenopayError
from prenopay.payments.use_cases import AsyncPayments
from prenopay.ports import HttpRequest, HttpResponse
from prenopay.provider import (
    Cancels,
    Captures,
    ChangeRequest,
    ChargesMandates,
    Observation,
    PaymentProvider,
    PaysOut,
    ReceivesCallbacks,
    Refunds,
    Reply,
    Updates,
)
from prenopay.testing.callbacks import hand_over
from prenopay.testing.conformance.wire import Wire
from prenopay.testing.conformance.world import Totals, Trouble, World, an_order
from prenopay.testing.listening import listening
from prenopay.values.callbacks import CallbackReply, CallbackRequest
from prenopay.values.events import Event
from prenopay.values.money import Money
from prenopay.values.orders import CaptureMode, Order
from prenopay.values.payments import Operation, Payment
from prenopay.values.subjects import Subject

__all__ = ["CALLBACK_KEY", "TOKEN_KEY", "Everything", "Stage", "staged"]

T = TypeVar("T")

CALLBACK_URL: Final = "https://shop.example/callbacks"
CALLBACK_KEY: Final = "a-key-that-signs-addresses-in-the-suite"
"""No secret; but it must not be seen either."""
TOKEN_KEY: Final = "a-key-that-seals-tokens-in-the-suite-only"  # noqa: S105 - it protects nothing
_SETTLING_STEPS: Final = (2, 2, 5, 10, 30, 60, 120)
"""Minutes between the sweeps that settle what is open: a lost request may be on its way for ten."""


class Everything(
    PaymentProvider,
    Captures,
    Cancels,
    Refunds,
    Updates,
    ChargesMandates,
    ReceivesCallbacks,
    PaysOut,
):
    """Stands for the provider in types: a rule calls only the verbs that it says it needs."""


class _Run(Protocol):
    """Drives a use case to its end."""

    def __call__(self, use_case: Coroutine[object, None, T], /) -> T:
        """Return its result, or raise what it raised."""
        ...


class Stage:
    """One process of a host, with everything a rule does to it and looks at. Made by ``staged``."""

    def __init__(self, world: World, wire: Wire, log: list[str]) -> None:
        """Stand at the gateway of ``world``; ``log`` fills with what is logged."""
        self.world: World = world
        self.wire: Wire = wire
        self.log: list[str] = log
        self.events: list[Event] = []
        self.heard: list[CallbackRequest] = []
        """Every callback that was delivered, as it came."""
        self.database: str = ""

    def open(self, database: str, colour: str, closing: ExitStack) -> None:
        """Start the process; ``closing`` ends it."""
        self.database = database
        self._accounts, self._run = self._opened(colour, closing)
        config = self.world.config
        self._payments = cast("AsyncPayments[Everything]", self._accounts.add(config))
        self.provider: Everything = self._payments.provider

    def _opened(self, colour: str, closing: ExitStack) -> tuple[AsyncAccounts, _Run]:
        keys, token_keys = [CALLBACK_KEY], [TOKEN_KEY]
        wire, clock = self.wire, self.world.clock
        if colour == "blocking":
            blocking = Accounts.open(
                self.database,
                callback_url=CALLBACK_URL,
                callback_keys=keys,
                token_keys=token_keys,
                on_event=self.events.append,
                sender=wire,
                clock=clock,
            )
            closing.callback(blocking.close)
            return blocking._accounts, run_blocking  # noqa: SLF001 - the blocking twin drives the same coroutines

        async def on_event(event: Event) -> None:
            self.events.append(event)

        async def opened() -> AsyncAccounts:
            return AsyncAccounts.open(
                self.database,
                callback_url=CALLBACK_URL,
                callback_keys=keys,
                token_keys=token_keys,
                on_event=on_event,
                sender=wire,
                clock=clock,
            )

        runner = closing.enter_context(asyncio.Runner())
        accounts = runner.run(opened())
        closing.callback(lambda: runner.run(accounts.aclose()))

        def run(use_case: Coroutine[object, None, T], /) -> T:
            return runner.run(use_case)

        return accounts, run

    # What a host does

    def do(self, use_case: Callable[[AsyncPayments[Everything]], Coroutine[object, None, T]]) -> T:
        """Carry out a use case of the account, and return its result or raise its error."""
        return self._run(use_case(self._payments))

    def tries(self, use_case: Callable[[], object]) -> PrenopayError | None:
        """Call, and return the error, if it was one of prenopay's; any other is raised: that is a fault."""
        try:
            use_case()
        except PrenopayError as error:
            return error
        return None

    def order(self, **changes: object) -> Order:
        """Return the world's order with other fields; another ``amount`` makes other lines."""
        amount = changes.get("amount")
        if isinstance(amount, Money) and "lines" not in changes:
            changes["lines"] = an_order(amount).lines
        return replace(self.world.order, **changes)  # type: ignore[arg-type]  # fields are given by name

    @property
    def due(self) -> int:
        """What the world's order comes to, in minor units."""
        return self.world.order.amount.minor

    def money(self, minor: int) -> Money:
        """Return an amount in the order's currency."""
        return Money(minor, self.world.order.amount.currency)

    def bought(self, operation_id: str = "order:1", **changes: object) -> Payment:
        """Make an order payable."""
        order = self.order(**changes)
        return self.do(lambda payments: payments.create(order, operation_id=operation_id))

    def reserved(self, operation_id: str = "order:1", **changes: object) -> Payment:
        """Make an order payable, have it paid, and look at it."""
        payment = self.bought(operation_id, **changes)
        self.world.pays(payment)
        return self.observed(payment)

    def taken(self, operation_id: str = "order:1", **changes: object) -> Payment:
        """As ``reserved``, with the money taken."""
        payment = self.reserved(operation_id, capture=CaptureMode.AUTOMATIC, **changes)
        self.settle()
        return self.got(payment)

    def observed(self, payment: Payment) -> Payment:
        """Look at a payment."""
        return self.do(lambda payments: payments.observe(payment.payment_id))

    def got(self, payment: Payment) -> Payment:
        """Return a payment as the books have it."""
        return self.do(lambda payments: payments.get(payment.payment_id))

    def seen_at_gateway(self, payment: Payment) -> Observation:
        """Let the provider look at a payment, past the books."""
        reference = str(payment.provider_reference)
        return self._run(self._look(reference))

    async def _look(self, provider_reference: str) -> Observation:
        return await self.provider.observe(self._send, provider_reference)

    async def _send(self, request: HttpRequest) -> HttpResponse:
        return await self.wire.send(request, timeout=self.provider.limits.deadline_seconds)

    def cancel_at_gateway(self, payment: Payment) -> Reply:
        """Let the provider cancel a payment, past the books, which would refuse what they know to be too late."""
        rule = self.provider.limits.reference
        request = ChangeRequest(
            payment_id=payment.payment_id,
            provider_reference=str(payment.provider_reference),
            reference=rule.alphabet.value[0] * rule.length,
            amount=None,
            vat=None,
            lines=(),
            description=payment.description,
        )
        return self._run(self.provider.cancel(self._send, request))

    def could_pay(self, payment: Payment) -> bool:
        """Let the payer try to pay; return whether that moved money at the gateway."""
        before = self.taken_at_gateway()
        try:
            self.world.pays(self.got(payment))
        except Exception:  # noqa: BLE001 - each gateway's stand-in refuses in its own way
            return False
        return self.taken_at_gateway() > before

    def every_payment(self) -> tuple[Payment, ...]:
        """Return every payment in the books."""
        return self.do(lambda payments: payments.find(limit=100))

    def operation(self, operation_id: str) -> Operation:
        """Return an operation as the books have it."""
        return self.do(lambda payments: payments.operation(operation_id))

    def sweep(self) -> SweepReport:
        """Sweep once."""
        return self._run(self._accounts.sweep())

    def later(self, **much: float) -> None:
        """Time passes; ``much`` as ``timedelta`` takes it."""
        self.world.clock.advance(timedelta(**much))

    def settle(self) -> None:
        """Sweep, over some hours, until nothing is open any more."""
        for minutes in _SETTLING_STEPS:
            self.later(minutes=minutes)
            report = self.sweep()
            assert report.failures == (), f"the sweep failed: {report.failures}"
            open_ones = self.do(lambda payments: payments.open_operations())
            payouts = self.do(lambda payments: payments.payouts())
            if not open_ones and all(payout.settled_at for payout in payouts):
                return

    # What goes wrong

    @contextmanager
    def trouble(self, trouble: Trouble, verb: str) -> Generator[None]:
        """Let what the provider's ``verb`` changes meet ``trouble``; fails if it changes nothing."""
        if self.world.lose is not None:
            self.world.lose(verb, trouble)
            yield
            return
        before = self.wire.lost
        with self.wire.trouble(trouble):
            yield
        assert self.wire.lost > before, f"{verb} sent nothing that changes something (POST, PUT, PATCH, DELETE)"

    # Callbacks

    def address(self, payment: Payment, *, account: str = "") -> str:
        """Return the path to which callbacks about a payment are sent, or would be if it were another account's."""
        url = self._accounts.callback_urls.url(account or payment.account, Subject.payment(payment.payment_id))
        return url.removeprefix("https://shop.example")

    def receive(self, request: CallbackRequest) -> CallbackReply:
        """A callback comes in, is answered, and then worked on."""
        reply = self._run(self._accounts.receive(request))
        if reply.address is not None:
            self._run(self._accounts.work(reply.address))
        return reply

    def deliver(self) -> int:
        """The gateway's callbacks of the next minute arrive; returns how many there were."""
        before = len(self.heard)

        def receive(request: CallbackRequest) -> int:
            self.heard.append(request)
            return self.receive(request).status

        assert self.world.deliver is not None
        for _ in range(6):
            self.world.deliver(hand_over(receive))
            self.later(seconds=10)
        return len(self.heard) - before

    # What there is to see

    @property
    def told(self) -> list[str]:
        """The kinds of events that the host was told, in order."""
        return [event.kind.value for event in self.events]

    def at_gateway(self, payment: Payment) -> Totals:
        """Return what a payment adds up to at the gateway."""
        return self.world.books()[str(payment.provider_reference)]

    def taken_at_gateway(self) -> int:
        """Return all that the gateway holds of the payers' money: captured, or else reserved."""
        every = self.world.books().values()
        return sum(max(each.captured, each.authorized - each.cancelled) for each in every)

    def books_agree(self) -> None:
        """Every payment's totals are the gateway's."""
        theirs = self.world.books()
        for payment in self.every_payment():
            if payment.provider_reference is None:
                continue
            gateway = theirs[payment.provider_reference]
            ours = (payment.captured.minor, payment.refunded.minor)
            assert ours == (gateway.captured, gateway.refunded), (
                f"the books say {ours} (captured, refunded), the gateway "
                f"{(gateway.captured, gateway.refunded)} of {payment!r}"
            )


@contextmanager
def staged(world: World, *, colour: str, database: str) -> Generator[Stage]:
    """Set the stage at ``world``; ``colour`` is ``blocking`` or ``awaiting``, ``database`` empty and with tables."""
    log: list[str] = []
    stage = Stage(world, Wire(world.sender, world.clock), log)
    with listening(lambda heard: log.append(heard.text)), ExitStack() as closing:
        stage.open(database, colour, closing)
        yield stage
