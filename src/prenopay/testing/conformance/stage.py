"""The stage of every rule: which rules apply, and one host at a gateway, in one colour, on its own database."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final, Protocol, TypeVar, cast

from prenopay._arguments import check_arguments, checked_fields, refuse_misuse
from prenopay._blocking import run_blocking
from prenopay.accounts.accounts import AsyncAccounts
from prenopay.accounts.sweep import SweepReport
from prenopay.blocking import Accounts
from prenopay.errors import NotSent, PrenopayError
from prenopay.payments.use_cases import AsyncPayments
from prenopay.ports import HttpRequest, HttpResponse, HttpSender, Send
from prenopay.provider import (
    Cancels,
    Captures,
    ChangeRequest,
    ChargesMandates,
    Observation,
    PaymentProvider,
    PaysOut,
    ProviderConfig,
    ReceivesCallbacks,
    Refunds,
    Reply,
    Updates,
)
from prenopay.testing.callbacks import hand_over
from prenopay.testing.faults import Fault, FaultKind
from prenopay.testing.gateway import Gateway, PayerRefused, Totals, an_order
from prenopay.testing.http import EmulatorSender
from prenopay.testing.listening import listening
from prenopay.values.callbacks import CallbackReply, CallbackRequest
from prenopay.values.events import Event
from prenopay.values.money import Money
from prenopay.values.orders import CaptureMode, Order
from prenopay.values.payments import Operation, Payment
from prenopay.values.subjects import Subject

__all__ = ["ACCOUNT", "CALLBACK_KEY", "TOKEN_KEY", "Answer", "Edit", "Everything", "Needs", "Rule", "Stage", "Wire"]
__all__ += ["answering", "changes_something", "needs", "needs_of", "refused", "rules_of", "staged"]

T = TypeVar("T")
RuleT = TypeVar("RuleT", bound=Callable[..., object])

ACCOUNT: Final = "account"
"""The name of the one account."""
CALLBACK_URL: Final = "https://shop.example/callbacks"
CALLBACK_KEY: Final = "a-key-that-signs-addresses-in-the-suite"
"""It protects nothing; but it must not be seen either."""
TOKEN_KEY: Final = "a-key-that-seals-tokens-in-the-suite-only"  # noqa: S105 - it protects nothing
_SETTLING_STEPS: Final = (2, 2, 5, 10, 30, 60, 120)
"""Minutes between the sweeps that settle what is open: a lost request may be on its way for ten."""
_READS: Final = frozenset({"GET", "HEAD"})
_CHANGES: Final = ("POST", "PUT", "PATCH", "DELETE")
_ALL: Final = 10_000
"""A fault that hits so often hits every call."""
_ATTRIBUTE: Final = "prenopay_needs"

Answer = Callable[[HttpRequest], HttpResponse]
"""Answers instead of the gateway; may raise what the port may."""
Edit = Callable[[HttpRequest, HttpResponse], HttpResponse]
"""Returns what arrives of the gateway's answer."""


# Which rules apply


@check_arguments(refuse_misuse, any_text=True)
@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class Needs:
    """What a rule needs: protocols that the provider inherits, or must not inherit, and limits that are true.

    ``gateway``: what the gateway must inherit, or the rule cannot be tried.
    """

    protocols: tuple[type, ...] = ()
    without: tuple[type, ...] = ()
    limits: tuple[str, ...] = ()
    gateway: tuple[type, ...] = ()

    def missing(self, provider: PaymentProvider) -> str:
        """Return why the rule does not apply to the provider; empty when it does."""
        for protocol in self.protocols:
            if protocol not in type(provider).__mro__:
                return f"{provider.name} does not inherit {protocol.__name__}"
        for protocol in self.without:
            if protocol in type(provider).__mro__:
                return f"{provider.name} inherits {protocol.__name__}"
        for limit in self.limits:
            if not getattr(provider.limits, limit):
                return f"{provider.name} declares limits.{limit} as {getattr(provider.limits, limit)}"
        return ""

    def not_given(self, gateway: Gateway) -> str:
        """Return what the gateway lacks, with what to do; empty when all is there."""
        absent = [kind.__name__ for kind in self.gateway if not isinstance(gateway, kind)]
        who = type(gateway).__name__
        if not absent:
            return ""
        return f"let {who} inherit {', '.join(absent)} of prenopay.testing.gateway: this rule applies"


@check_arguments(refuse_misuse, any_text=True)
def needs(
    *protocols: type,
    without: tuple[type, ...] = (),
    limits: tuple[str, ...] = (),
    gateway: tuple[type, ...] = (),
) -> Callable[[RuleT], RuleT]:
    """Declare what a rule needs; see ``Needs``."""
    wanted = Needs(protocols=protocols, without=without, limits=limits, gateway=gateway)

    def mark(rule: RuleT) -> RuleT:
        rule.__dict__[_ATTRIBUTE] = wanted
        return rule

    return mark


def needs_of(rule: Callable[..., object]) -> Needs:
    """Return what a rule needs; one that says nothing applies to every provider."""
    return cast("Needs", getattr(rule, _ATTRIBUTE, Needs()))


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class Rule:
    """One rule: its test's name, what it says, and why it does not apply (empty when it does)."""

    name: str
    says: str
    missing: str


def rules_of(suite: type, provider: PaymentProvider) -> tuple[Rule, ...]:
    """Return every rule of a suite, by name."""
    found: list[Rule] = []
    for name in dir(suite):
        member: object = getattr(suite, name)
        if name.startswith("test_") and callable(member):
            says = (inspect.getdoc(member) or "").partition("\n")[0]
            found.append(Rule(name=name, says=says, missing=needs_of(member).missing(provider)))
    return tuple(found)


# The wire, apart from the gateway's own faults


class Wire:
    """An ``HttpSender`` that keeps what was sent, and can answer in the gateway's place or edit its answers."""

    def __init__(self, sender: HttpSender) -> None:
        """Send through ``sender``."""
        self._sender = sender
        self._answer: Answer | None = None
        self._edit: Edit | None = None
        self.seen: list[HttpRequest] = []
        """Every request that went to the gateway, in order."""

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - see the port
        """Send, and return what arrives; raises as the port says."""
        if self._answer is not None:
            return self._answer(request)
        self.seen.append(request)
        answer = await self._sender.send(request, timeout=timeout)
        return answer if self._edit is None else self._edit(request, answer)

    @contextmanager
    def answered(self, answer: Answer) -> Generator[None]:
        """Let nothing reach the gateway: ``answer`` answers."""
        self._answer = answer
        try:
            yield
        finally:
            self._answer = None

    @contextmanager
    def edited(self, edit: Edit) -> Generator[None]:
        """Pass every answer through ``edit``."""
        self._edit = edit
        try:
            yield
        finally:
            self._edit = None


def answering(status: int, body: bytes = b"", *, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """Return an ``Answer`` that is the same to every request."""
    answer = HttpResponse(status=status, headers=(("content-type", "application/json"), *headers), body=body)
    return lambda _request: answer


def refused(request: HttpRequest) -> HttpResponse:
    """Refuse the connection: an ``Answer`` that never answers."""
    message = f"{request.label}: the connection was refused"
    raise NotSent(message)


def changes_something(request: HttpRequest) -> bool:
    """Say whether a request may change something at a gateway: everything but a read by its method."""
    return request.method.upper() not in _READS


# The host


class Everything(PaymentProvider, Captures, Cancels, Refunds, Updates, ChargesMandates, ReceivesCallbacks, PaysOut):
    """Stands for the provider in types: a rule calls only the verbs that it says it needs."""


class _Run(Protocol):
    """Drives a use case to its end."""

    def __call__(self, use_case: Coroutine[object, None, T], /) -> T:
        """Return its result, or raise what it raised."""
        ...


class Stage:
    """One process of a host, with everything a rule does to it and looks at. Made by ``staged``."""

    def __init__(self, gateway: Gateway, log: list[str]) -> None:
        """Use ``gateway``; ``log`` collects what is logged."""
        self.gateway: Gateway = gateway
        self.config: ProviderConfig[PaymentProvider] = gateway.account(ACCOUNT)
        self.wire: Wire = Wire(EmulatorSender(gateway.mounts))
        self.log: list[str] = log
        self.events: list[Event] = []
        self.heard: list[CallbackRequest] = []
        """Every callback that was delivered, as it came."""
        self.database: str = ""

    def open(self, database: str, colour: str, closing: ExitStack) -> None:
        """Start the process; ``closing`` ends it."""
        self.database = database
        self._accounts, self._run = self._opened(colour, closing)
        self._payments = cast("AsyncPayments[Everything]", self._accounts.add(self.config))
        self.provider: Everything = self._payments.provider

    def _opened(self, colour: str, closing: ExitStack) -> tuple[AsyncAccounts, _Run]:
        ports: dict[str, Any] = {
            "callback_url": CALLBACK_URL,
            "callback_keys": [CALLBACK_KEY],
            "token_keys": [TOKEN_KEY],
            "sender": self.wire,
            "clock": self.gateway.clock,
        }
        if colour == "blocking":
            blocking = Accounts.open(self.database, on_event=self.events.append, **ports)
            closing.callback(blocking.close)
            return blocking._accounts, run_blocking  # noqa: SLF001 - the blocking twin drives the same coroutines

        async def on_event(event: Event) -> None:
            self.events.append(event)

        async def opened() -> AsyncAccounts:
            return AsyncAccounts.open(self.database, on_event=on_event, **ports)

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
        """Call, and return the error, if it is one of prenopay's; any other is raised: it is a bug."""
        try:
            use_case()
        except PrenopayError as error:
            return error
        return None

    def order(self, **changes: object) -> Order:
        """Return the gateway's order with other fields; another ``amount`` makes other lines."""
        amount = changes.get("amount")
        if isinstance(amount, Money) and "lines" not in changes:
            changes["lines"] = an_order(amount).lines
        return replace(self.gateway.order(), **changes)  # type: ignore[arg-type]  # fields are given by name

    @property
    def due(self) -> int:
        """What the gateway's order comes to, in minor units."""
        return self.gateway.order().amount.minor

    def money(self, minor: int) -> Money:
        """Return an amount in the order's currency."""
        return Money(minor, self.gateway.order().amount.currency)

    def bought(self, operation_id: str = "order:1", **changes: object) -> Payment:
        """Make an order payable."""
        order = self.order(**changes)
        return self.do(lambda payments: payments.create(order, operation_id=operation_id))

    def reserved(self, operation_id: str = "order:1", **changes: object) -> Payment:
        """Make an order payable, have it paid, and look at it."""
        payment = self.bought(operation_id, **({"capture": CaptureMode.MANUAL} | changes))
        self.pays(payment)
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
        """Have the provider look at a payment, without the books."""
        return self._run(self._look(_named(payment)))

    async def _look(self, provider_reference: str) -> Observation:
        return await self.provider.observe(self._send, provider_reference)

    async def _send(self, request: HttpRequest) -> HttpResponse:
        return await self.wire.send(request, timeout=self.provider.limits.deadline_seconds)

    def asks(self, verb: Callable[[Everything, Send], Coroutine[object, None, T]]) -> T:
        """Have the provider ask the gateway without the books, as another system of the same merchant would."""
        return self._run(verb(self.provider, self._send))

    def cancel_at_gateway(self, payment: Payment) -> Reply:
        """Have the provider cancel a payment, without the books, which would refuse what is too late."""
        rule = self.provider.limits.reference
        request = ChangeRequest(
            payment_id=payment.payment_id,
            provider_reference=_named(payment),
            reference=rule.alphabet.value[0] * rule.length,
            amount=None,
            vat=None,
            lines=(),
            description=payment.description,
        )
        return self._run(self.provider.cancel(self._send, request))

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
        self.gateway.clock.advance(timedelta(**much))

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

    # What the payer does, and what goes wrong

    def pays(self, payment: Payment) -> None:
        """The payer pays an open payment."""
        self.gateway.pays(_named(payment))

    def could_pay(self, payment: Payment) -> bool:
        """Let the payer try to pay; return whether that moved money at the gateway."""
        before = self.taken_at_gateway()
        try:
            self.pays(self.got(payment))
        except PayerRefused:
            return False
        return self.taken_at_gateway() > before

    @contextmanager
    def losing(self, fault: FaultKind, verb: str) -> Generator[None]:
        """Have every change of the provider's ``verb`` meet ``fault``; fails if none met it."""
        with self.meeting(*(Fault(kind=fault, method=method) for method in _CHANGES)) as left:
            yield
            assert left() < len(_CHANGES) * _ALL, (
                f"{verb} met no fault: it sent nothing that changes something ({', '.join(_CHANGES)}), or "
                f"{type(self.gateway).__name__} does not meet what is planned in its faults"
            )

    @contextmanager
    def meeting(self, *faults: Fault) -> Generator[Callable[[], int]]:
        """Have every call that ``faults`` hit meet them; yields a function that counts the hits that are left."""
        plan = self.gateway.faults
        plan.add(*(replace(fault, times=_ALL) for fault in faults))
        try:
            yield lambda: sum(fault.times for fault in plan.waiting)
        finally:
            plan.clear()

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

        for _ in range(6):
            self.gateway.deliver_callbacks(hand_over(receive))
            self.later(seconds=10)
        return len(self.heard) - before

    def forge(self, to: Payment, *, naming: Payment) -> None:
        """Queue a callback to the address of one payment that names another."""
        self.gateway.forge_callback(to=_named(to), naming=_named(naming))

    # What there is to see

    @property
    def told(self) -> list[str]:
        """The kinds of events that the host was notified of, in order."""
        return [event.kind.value for event in self.events]

    def at_gateway(self, payment: Payment) -> Totals:
        """Return what a payment adds up to at the gateway."""
        return self.gateway.books()[_named(payment)]

    def taken_at_gateway(self) -> int:
        """Return all that the gateway holds of the payers' money: captured, or else reserved."""
        every = self.gateway.books().values()
        return sum(max(each.captured, each.authorized - each.cancelled) for each in every)

    def books_agree(self) -> None:
        """Check that every payment's totals are the gateway's."""
        theirs = self.gateway.books()
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
def staged(gateway: Gateway, *, colour: str, database: str) -> Generator[Stage]:
    """Set the stage at ``gateway``; ``colour`` is ``blocking`` or ``awaiting``, ``database`` empty and with tables."""
    log: list[str] = []
    stage = Stage(gateway, log)
    with listening(lambda heard: log.append(heard.text)), ExitStack() as closing:
        stage.open(database, colour, closing)
        yield stage


def _named(payment: Payment) -> str:
    assert payment.provider_reference is not None, f"the gateway has no name of {payment!r}"
    return payment.provider_reference
