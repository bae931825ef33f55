"""A host's code that uses most of the public interface: both type checkers find nothing wrong in it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import assert_never, assert_type

from prenopay.values.subjects import Subject
from prenopay import (
    Accounts,
    Action,
    Address,
    AsyncAccounts,
    AsyncPayments,
    CallbackReply,
    CallbackRequest,
    CaptureMode,
    Decline,
    Environment,
    Event,
    EventKind,
    Flag,
    FlagKind,
    Instrument,
    Money,
    Operation,
    OperationId,
    Order,
    OrderLine,
    Outcome,
    PageStyle,
    Payer,
    Payment,
    Payments,
    PaymentState,
    Secret,
    Settings,
    SweepReport,
    load_settings,
    upgrade_database,
)
from prenopay.values.callbacks import CallbackAddress, Heard
from prenopay.errors import (
    CeilingReached,
    Conflict,
    IdReused,
    InvalidOrder,
    MandateUnusable,
    NotFound,
    OutcomeUnknown,
    PrenopayError,
    ProviderError,
    RateLimited,
    Rejected,
)
from prenopay.books.inbox import Callback
from prenopay.values.mandates import (
    Consent,
    ConsentKind,
    ImportReport,
    Mandate,
    MandateChange,
    MandateKind,
    MandateState,
    StoreMethod,
)
from prenopay.values.payments import TimelineEntry
from prenopay.values.orders import LineKind
from prenopay.ports import Clock, Entropy, HttpRequest, HttpResponse, HttpSender, Send
from prenopay.provider import (
    ChangeRequest,
    ChargesMandates,
    Created,
    CreateRequest,
    Inspection,
    Limits,
    Observation,
    PaymentProvider,
    Probe,
    ProviderConfig,
    ReceivesCallbacks,
    ReferenceAlphabet,
    ReferenceRule,
    Refunds,
    Reply,
)
from prenopay.providers.swedbankpay import (
    ReferenceFormat,
    RepeatedReference,
    SwedbankPay,
    SwedbankPayProvider,
)
from prenopay.web import asgi, wsgi

DATABASE = "sqlite:///shop.db"

# Values


def an_order(number: str) -> Order:
    month = OrderLine(name="One month", amount=Money(11900, "SEK"), vat_percent=6)
    postage = OrderLine(
        name="Postage",
        amount=Money.from_decimal(Decimal("29.00"), "SEK"),
        vat_percent=Decimal(25),
        kind=LineKind.SHIPPING,
    )
    return Order(
        amount=month.amount + postage.amount,
        description="Kuriren",
        lines=(month, postage),
        order_reference=number,
        return_url="https://kuriren.example/back",
        capture=CaptureMode.MANUAL,
        page=PageStyle.REDIRECT,
        instruments=(Instrument.CARD, "a-new-one"),
        payer=Payer(reference="r-1", billing_address=Address(city="Umeå")),
        metadata={"campaign": "autumn", "issue": 7},
        valid_for=timedelta(hours=1),
    )


def arithmetic() -> None:
    price = Money(14900, "SEK")
    assert_type(price * 3 - 2 * price, Money)
    assert_type(-price < price, bool)
    assert_type(price.split_vat(25), tuple[Money, Money])
    assert_type(price.allocate([1, 2]), tuple[Money, ...])
    assert_type(price.to_decimal(), Decimal)
    assert_type(sum([price, price], Money.zero("SEK")), Money)


# Blocking code


def told(event: Event) -> None:
    if event.kind is EventKind.CAPTURED and event.is_paid:
        assert_type(event.captured, Money | None)
    if event.flag is FlagKind.PAID_TWICE:
        assert_type(event.decline, Decline | None)


def open_blocking(config: SwedbankPay) -> Payments[SwedbankPayProvider]:
    upgrade_database(DATABASE)
    accounts = Accounts.open(
        DATABASE,
        callback_url="https://kuriren.example/callbacks",
        callback_keys=[Secret("a-key-for-the-tests-that-is-long-enough"), "a-key-for-the-tests-that-is-long-enough"],
        token_keys=[Secret("a-key-that-seals-tokens-for-the-tests")],
        on_event=told,
    )
    wsgi.CallbackApp(accounts)
    assert_type(accounts.sweep(limit=10), SweepReport)
    assert_type(accounts.receive(CallbackRequest(path="/", body=b"")), CallbackReply)
    assert_type(accounts.callbacks(open_only=True), tuple[Callback, ...])
    assert_type(accounts.deliver_pending(), int)
    assert_type(accounts.replay(7), str)
    assert_type(accounts.names, tuple[str, ...])
    assert_type(accounts["cards"].get("p"), Payment)
    accounts.work(CallbackAddress("cards", Subject.payment("p")))
    cards = accounts.add(config)
    accounts.close()
    return cards


def sell(cards: Payments[SwedbankPayProvider]) -> str:
    try:
        payment = cards.create(an_order("K-1"), operation_id=OperationId.of("order", "K-1"))
    except (InvalidOrder, Rejected) as error:
        return str(error)
    except OutcomeUnknown as error:
        return error.operation_id or ""
    except RateLimited as error:
        return f"{error.retry_after or 0.0:.0f}"
    except ProviderError as error:
        return "; ".join(f"{name}: {text}" for name, text in error.problems)
    assert_type(payment.redirect_url, str | None)
    assert_type(payment.flags, tuple[Flag, ...])
    return payment.redirect_url or ""


def change(cards: Payments[SwedbankPayProvider], payment: Payment) -> Outcome:
    line = OrderLine(name="One month", amount=Money(11900, "SEK"), vat_percent=6)
    if Action.CAPTURE in payment.allowed_actions:
        assert_type(cards.capture(payment.payment_id, operation_id="capture:1"), Operation)
    cards.update(payment.payment_id, lines=(line,), operation_id="update:1")
    cards.cancel(payment.payment_id, operation_id="cancel:1", description="changed their mind")
    refund = cards.refund(payment.payment_id, Money(5000, "SEK"), operation_id=OperationId("refund:1"))
    assert_type(cards.resolve("refund:1"), Operation)
    assert_type(cards.operation("refund:1").decline, Decline | None)
    assert_type(cards.provider, SwedbankPayProvider)
    return refund.outcome


def look(cards: Payments[SwedbankPayProvider]) -> None:
    assert_type(cards.find(order_reference="K-1", state=PaymentState.CAPTURED), tuple[Payment, ...])
    assert_type(cards.order("p"), Order)
    assert_type(cards.timeline("p"), tuple[TimelineEntry, ...])
    assert_type(cards.probe(), tuple[Probe, ...])
    assert_type(cards.observe("p", source="return").is_paid, bool)
    assert_type(cards.expire("p"), Payment)
    cards.erase_payer("p")


def store(cards: Payments[SwedbankPayProvider], order: Order) -> tuple[Mandate, ...]:
    consent = Consent(
        kind=ConsentKind.FIXED,
        most=Money(11900, "SEK"),
        text_version="terms-2026-01",
        agreed_at=datetime.now(UTC),
        channel="web",
    )
    asked = replace(order, store=StoreMethod(consent=consent, kinds=(MandateKind.UNSCHEDULED,)))
    payment = cards.create(asked, operation_id="order:K-3")
    assert_type(cards.replace(payment.payment_id, asked, operation_id="order:K-4"), Payment)
    mandates = cards.mandates
    assert_type(mandates.take_over("", dry_run=True, check=False), ImportReport)
    assert_type(mandates.history("m"), tuple[MandateChange, ...])
    assert_type(mandates.remove("m", reason="asked", actor="reader").state.is_chargeable, bool)
    mandates.remove_all("r", reason="asked", confirm="r")
    return mandates.refresh("r") + mandates.find(state=MandateState.EXPIRING)


def draw(payments: Payments[ChargesMandates], mandate: Mandate) -> Operation | datetime | None:
    """Works with every provider that charges stored methods."""
    try:
        return payments.charge(
            mandate.mandate_id,
            Money(11900, "SEK"),
            operation_id=OperationId.of("renewal", "S-1", "2026-11", 1),
            description="One month",
            period="2026-11",
        )
    except MandateUnusable:
        return None
    except CeilingReached as error:
        return error.not_before


def settle(cards: Payments[SwedbankPayProvider], mandate: Mandate) -> Operation:
    draw(cards, mandate)
    assert_type(cards.open_operations(limit=9), tuple[Operation, ...])
    return cards.settle_by_hand("renewal:1", provider_reference=None, person="Ann", reason="the portal")


def in_words(outcome: Outcome) -> str:
    match outcome:
        case Outcome.SUCCEEDED:
            return "done"
        case Outcome.PENDING | Outcome.UNKNOWN:
            return "wait"
        case Outcome.DECLINED | Outcome.NOT_ATTEMPTED:
            return "nothing happened"
        case _:
            assert_never(outcome)


# Code that awaits


async def told_later(event: Event) -> None:
    told(event)


def told_by_returning(event: Event) -> Awaitable[None]:
    return told_later(event)


async def serve(config: SwedbankPay) -> asgi.CallbackApp:
    accounts = AsyncAccounts.open(
        DATABASE,
        callback_url="https://kuriren.example/callbacks",
        callback_keys=["a-key-for-the-tests-that-is-long-enough"],
        on_event=told_later,
    )
    cards = accounts.add(config)
    assert_type(cards, AsyncPayments[SwedbankPayProvider])
    payment = await cards.create(an_order("K-2"), operation_id="order:K-2")
    assert_type(await cards.capture(payment.payment_id, operation_id="capture:K-2"), Operation)
    assert_type(await accounts.sweep(), SweepReport)
    assert_type(await cards.mandates.of_payer("r"), tuple[Mandate, ...])
    drawn = await cards.charge("m", Money(100, "SEK"), operation_id="renewal:K-2", description="One month")
    assert_type(drawn.decline, Decline | None)
    assert_type(await accounts["cards"].observe(payment.payment_id), Payment)
    await accounts.aclose()
    return asgi.CallbackApp(accounts)


# Capabilities


def give_back(payments: Payments[Refunds], payment_id: str) -> Operation:
    """Works with every provider that can give money back."""
    return payments.refund(payment_id, operation_id=OperationId.of("refund", payment_id))


def give_back_anywhere(cards: Payments[SwedbankPayProvider], own: Payments[Voucher]) -> None:
    give_back(cards, "p")
    give_back(own, "q")


# A provider of the host's own


class Voucher(PaymentProvider, Refunds, ReceivesCallbacks):
    name = "voucher"
    limits = Limits(
        currencies=frozenset({"SEK"}),
        reference=ReferenceRule(alphabet=ReferenceAlphabet.DIGITS, length=12),
        resend_window=None,
        page_lives=timedelta(days=1),
        not_supported={"capture": "a voucher settles at once"},
    )
    hosts = frozenset({"vouchers.example"})

    def check_order(self, order: Order) -> None:
        if order.amount.currency != "SEK":
            raise InvalidOrder("kronor only", field="amount")

    async def create_payment(self, send: Send, request: CreateRequest) -> Created:
        answer = await send(HttpRequest(method="POST", url="https://vouchers.example/", label="create"))
        return Created(observation=_seen(request.order.amount, answer))

    async def observe(self, send: Send, provider_reference: str) -> Observation:
        return _seen(Money(1, "SEK"), await send(HttpRequest(method="GET", url=provider_reference, label="look")))

    def next_check(self, state: PaymentState, age: timedelta) -> timedelta | None:
        return age / 2 if state is PaymentState.PENDING else None

    async def probe(self, send: Send) -> tuple[Probe, ...]:
        return (Probe(name="reach", ok=True, found="yes", gateway_time=datetime.now(UTC)),)

    async def refund(self, send: Send, request: ChangeRequest) -> Reply:
        if request.amount is None:
            raise Conflict("how much?")
        return Reply(outcome=Outcome.SUCCEEDED)

    def read_callback(self, request: CallbackRequest) -> Heard:
        return Heard(names=(request.query,))

    def callback_reply(self, *, accepted: bool) -> CallbackReply:
        return CallbackReply(status=200 if accepted else 404)


class VoucherAccount(ProviderConfig[Voucher]):
    def provider(self) -> Voucher:
        return Voucher()

    @classmethod
    def inspect(cls, body: bytes) -> Inspection:
        return Inspection(kind="voucher", note=body.decode())


def _seen(amount: Money, answer: HttpResponse) -> Observation:
    nothing = amount - amount
    return Observation(
        provider_reference=answer.header("location") or "",
        state=PaymentState.CAPTURED,
        authorized=nothing,
        captured=amount,
        refunded=nothing,
        cancelled=nothing,
        submitted=amount,
        fee=nothing,
        discount=nothing,
        allowed_actions=frozenset({Action.REFUND}),
    )


# Ports of the host's own, settings, errors


class Fixed:
    """Time, randomness and a network for a host's own tests."""

    def now(self) -> datetime:
        return datetime(2026, 10, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        return None

    def token_bytes(self, count: int) -> bytes:
        return bytes(count)

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:
        return HttpResponse(status=200, body=request.body)


def open_with_own_ports() -> AsyncAccounts:
    fixed = Fixed()
    clock: Clock = fixed
    entropy: Entropy = fixed
    sender: HttpSender = fixed
    keys = load_settings("prenopay.toml").callback_keys
    return AsyncAccounts.open(
        DATABASE,
        callback_url="https://kuriren.example/callbacks",
        callback_keys=keys,
        on_event=told_by_returning,
        clock=clock,
        entropy=entropy,
        sender=sender,
    )


def from_settings(settings: Settings) -> tuple[str, ...]:
    account = SwedbankPay(
        account="cards",
        environment=Environment.TEST,
        payee_id="5cabf558-5283-482f-b252-4d58e06f6f3b",
        access_token=Secret("your-test-token"),
        reference_format=ReferenceFormat.DIGITS_12,
        payer_api=False,
        repeated_reference=RepeatedReference.REFUSED,
    )
    assert_type(account.provider(), SwedbankPayProvider)
    own = VoucherAccount(account="vouchers", environment=Environment.TEST)
    return (account.account, own.account, *(each.account for each in settings.accounts))


def in_case_of(trouble: Callable[[], Payment]) -> str | None:
    try:
        trouble()
    except (IdReused, NotFound) as error:
        return error.payment_id
    except PrenopayError as error:
        return error.about(account="cards").account
    return None
