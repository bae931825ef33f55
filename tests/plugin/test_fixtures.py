"""Every fixture does what its docstring says, used as a host's tests use it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest

from prenopay import Accounts, AsyncAccounts, CaptureMode, Event, Payer, Payment, PaymentState, Secret
from prenopay.errors import Conflict
from prenopay.testing.bench import Bench, OpenMock, OpenMockAsync, SwedbankPayServer, SwishServer
from prenopay.testing.clock import VirtualClock
from prenopay.testing.control import ControlRefused
from prenopay.testing.delivery import Callbacks, to_accounts
from prenopay.testing.faults import Fault, FaultKind
from prenopay.testing.listening import Logged, listening
from prenopay.testing.mock import Mock, MockGateway, MockSender
from prenopay.testing.payer import AsyncTestPayer, TestPayer
from prenopay.testing.secrets import SecretSeeker, SecretsSeen
from prenopay.values.mandates import StoreMethod
from prenopay.values.orders import PageStyle
from prenopay.values.payments import FlagKind
from tests.behaviour.shop import CALLBACK_URL, CONSENT, KEY, READER, TOKEN_KEY, an_order
from tests.postgresql import Server
from tests.swish.shop import a_payout

EVA = Payer(
    email="eva@example.com",
    phone="+46701740607",
    personal_number="197001011234",
    must_match_personal_number=True,
)
GATEWAYS = ("mock", "swedbankpay", "swish")
OpenAt = Callable[..., Any]


@pytest.fixture
def open_at(
    request: pytest.FixtureRequest,
    prenopay_bench: Bench,
    callbacks: Callbacks,
    ledger: str,
) -> Iterator[OpenAt]:
    """Return a function that opens blocking accounts at a gateway by its name, as a host's factory does."""
    with ExitStack() as stack:

        def opened(gateway: str, *, on_event: Callable[[Event], None] | None = None) -> Any:
            if gateway == "mock":
                config: Any = Mock(account="mock", gateway=request.getfixturevalue("mock_gateway"))
            else:
                config = request.getfixturevalue(f"{gateway}_account")
            accounts = Accounts.open(
                ledger,
                callback_url=CALLBACK_URL,
                callback_keys=[KEY],
                token_keys=[TOKEN_KEY],
                on_event=on_event,
                sender=prenopay_bench.sender,
                clock=prenopay_bench.clock,
            )
            stack.callback(accounts.close)
            callbacks.connect(to_accounts(accounts))
            return accounts, accounts.add(config)

        yield opened


def bought(payments: Any, operation_id: str = "order:1") -> Payment:
    payment: Payment = payments.create(an_order(capture=CaptureMode.AUTOMATIC), operation_id=operation_id)
    return payment


# The payer, at every gateway alike


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_a_payer_who_approves_has_paid_and_the_host_was_told(
    gateway: str,
    open_at: OpenAt,
    payer: TestPayer,
) -> None:
    heard: list[Event] = []
    _accounts, payments = open_at(gateway, on_event=heard.append)
    payment = bought(payments)
    payer.wait(payment)
    assert payments.get(payment.payment_id).state is PaymentState.PENDING
    payer.approve(payment)
    assert payments.get(payment.payment_id).is_paid
    assert [event.kind.value for event in heard if event.is_paid][-1] == "payment.captured"


@pytest.mark.parametrize(("gateway", "state"), [("mock", "pending"), ("swedbankpay", "pending"), ("swish", "declined")])
def test_a_payer_who_declines_leaves_a_decline(
    gateway: str,
    state: str,
    open_at: OpenAt,
    payer: TestPayer,
) -> None:
    _accounts, payments = open_at(gateway)
    payment = bought(payments)
    payer.decline(payment)
    payment = payments.get(payment.payment_id)
    assert payment.state == state
    assert payment.decline is not None


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_a_payer_who_vanishes_is_found_out_by_the_sweep(
    gateway: str,
    open_at: OpenAt,
    payer: TestPayer,
    callbacks: Callbacks,
    virtual_clock: VirtualClock,
) -> None:
    accounts, payments = open_at(gateway)
    payment = bought(payments)
    payer.vanish(payment)
    assert callbacks.attempts == ()
    virtual_clock.advance(timedelta(days=30))
    accounts.sweep()
    assert payments.get(payment.payment_id).state in {PaymentState.EXPIRED, PaymentState.DECLINED}
    with pytest.raises(ControlRefused):
        payer.approve(payment)


def test_a_payer_pays_at_the_gateways_of_the_test_only(prenopay_mock: OpenMock) -> None:
    payment = bought(prenopay_mock().payments)
    with pytest.raises(LookupError, match="ask for a gateway's fixture"):
        TestPayer({}, deliver=lambda: None).approve(payment)


# Callbacks


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_callbacks_are_held_lost_doubled_turned_round_and_forged(
    gateway: str,
    open_at: OpenAt,
    payer: TestPayer,
    callbacks: Callbacks,
) -> None:
    _accounts, payments = open_at(gateway)
    first, second, third = (bought(payments, f"order:{number}") for number in range(3))

    def paid(payment: Payment) -> bool:
        found: bool = payments.get(payment.payment_id).is_paid
        return found

    callbacks.hold()
    callbacks.reorder()
    payer.approve(first)
    payer.approve(second)
    assert not paid(first)
    left = [attempt.callback.number for attempt in callbacks.release()]
    assert left == sorted(left, reverse=True)
    assert paid(first)
    assert paid(second)

    callbacks.drop()
    payer.approve(third)
    assert not paid(third)
    assert [attempt.status for attempt in callbacks.resend_lost(times=2)] == [200, 200]
    assert paid(third)

    callbacks.forge(first)
    flags = {flag.kind for flag in payments.get(first.payment_id).flags}
    assert FlagKind.FOREIGN_CALLBACK in flags


def test_callbacks_wait_until_the_host_is_connected(mock_gateway: MockGateway, callbacks: Callbacks) -> None:
    mock_gateway.callbacks.put("https://shop.example/callbacks/x", b"{}")
    assert callbacks.deliver() == ()
    assert len(callbacks.waiting) == 1


# The mock's shops


def test_a_mock_shop_is_closed_and_its_payer_and_callbacks_are_the_tests(
    prenopay_mock: OpenMock, payer: TestPayer, callbacks: Callbacks
) -> None:
    shop = prenopay_mock()
    payment = bought(shop.payments)
    callbacks.duplicate()
    payer.approve(payment)
    assert shop.payments.get(payment.payment_id).is_paid
    assert len(callbacks.attempts) == 2


def test_an_async_mock_shop(prenopay_mock_async: OpenMockAsync) -> None:
    async def buy() -> None:
        heard: list[Event] = []

        async def hear(event: Event) -> None:
            heard.append(event)

        async with prenopay_mock_async(on_event=hear) as shop:
            payment = await shop.payments.create(an_order(), operation_id="order:1")
            shop.callbacks.hold()
            await shop.payer.decline(payment)
            await shop.payer.approve(payment)
            assert heard == []
            await shop.callbacks.release()
            assert (await shop.payments.get(payment.payment_id)).state is PaymentState.AUTHORIZED
            await shop.callbacks.forge(payment)
            shop.callbacks.drop()
            shop.callbacks.duplicate()
            shop.callbacks.reorder()
            assert len(shop.callbacks.attempts) == 3
            assert shop.callbacks.waiting == ()
            assert await shop.callbacks.resend_lost() == ()

    asyncio.run(buy())


def test_an_async_payer_waits_and_vanishes_without_awaiting(mock_gateway: MockGateway, prenopay_mock: OpenMock) -> None:
    async def nothing() -> None:
        """Nothing is delivered."""

    payment = bought(prenopay_mock().payments)
    somebody = AsyncTestPayer({"mock": mock_gateway}, deliver=nothing)
    somebody.wait(payment)
    somebody.vanish(payment)
    with pytest.raises(ControlRefused):
        mock_gateway.approve(str(payment.provider_reference))


def test_each_shop_of_a_test_is_whole(
    prenopay_mock: OpenMock, mock_gateway: MockGateway, payer: TestPayer, callbacks: Callbacks
) -> None:
    heard: list[Event] = []
    first, second = prenopay_mock(), prenopay_mock(on_event=heard.append, tell_twice=False)
    assert (first.gateway is mock_gateway, second.gateway is mock_gateway) == (True, False)
    assert first.clock is second.clock
    ours, other = bought(first.payments), bought(second.payments)
    assert ours.provider_reference != other.provider_reference
    second.callbacks.hold()
    second.payer.approve(other)
    payer.approve(ours)
    assert callbacks.waiting == ()
    assert (first.payments.get(ours.payment_id).is_paid, heard) == (True, [])
    second.callbacks.release()
    assert [event.payment_id for event in heard if event.is_paid] == [other.payment_id]
    with pytest.raises(Conflict, match="with another MockGateway"):
        payer.approve(other)


def test_shops_on_one_database_are_one_host(prenopay_mock: OpenMock, payer: TestPayer) -> None:
    first = prenopay_mock()
    again = prenopay_mock(database=first.database)
    payment = bought(first.payments)
    assert bought(again.payments).payment_id == payment.payment_id
    payer.approve(payment)
    assert again.payments.get(payment.payment_id).is_paid


def test_each_async_shop_of_a_test_is_whole(
    prenopay_mock_async: OpenMockAsync, prenopay_mock: OpenMock, prenopay_bench: Bench
) -> None:
    bought(prenopay_mock().payments)

    async def buy() -> None:
        async with prenopay_mock_async() as first, prenopay_mock_async() as second:
            assert first.gateway is not second.gateway
            for shop in (first, second):
                payment = await shop.payments.create(an_order(), operation_id="order:1")
                await shop.payer.approve(payment)
                assert (await shop.payments.get(payment.payment_id)).state is PaymentState.AUTHORIZED
            token = second.gateway.store_card("R-77").reveal()
            assert token in prenopay_bench.secrets

    asyncio.run(buy())


# On sockets


def host_of(database: str, clock: Any) -> Accounts:
    return Accounts.open(database, callback_url=CALLBACK_URL, callback_keys=[KEY], clock=clock)


def test_swedbank_pay_is_served(
    swedbankpay_server: SwedbankPayServer,
    payer: TestPayer,
    callbacks: Callbacks,
    ledger: str,
    virtual_clock: VirtualClock,
) -> None:
    accounts = host_of(ledger, virtual_clock)
    try:
        payments = accounts.add(swedbankpay_server.account())
        callbacks.connect(to_accounts(accounts))
        payment = bought(payments)
        assert str(payment.redirect_url).startswith(swedbankpay_server.url)
        payer.approve(payment)
        assert payments.get(payment.payment_id).is_paid
    finally:
        accounts.close()


def test_swish_is_served_over_mutual_tls(
    swish_server: SwishServer, payer: TestPayer, callbacks: Callbacks, ledger: str, virtual_clock: VirtualClock
) -> None:
    assert swish_server.url.startswith("https://")
    accounts = host_of(ledger, virtual_clock)
    try:
        payments = accounts.add(swish_server.account())
        callbacks.connect(to_accounts(accounts))
        payment = bought(payments)
        payer.approve(payment)
        assert payments.get(payment.payment_id).is_paid
    finally:
        accounts.close()


def test_an_async_host_reaches_both_emulators_in_process(
    request: pytest.FixtureRequest,
    payer: TestPayer,
    prenopay_bench: Bench,
    ledger: str,
) -> None:
    configs = [request.getfixturevalue(f"{gateway}_account") for gateway in ("swedbankpay", "swish")]
    sender, clock = request.getfixturevalue("prenopay_sender"), prenopay_bench.clock

    async def buy() -> None:
        accounts = AsyncAccounts.open(
            ledger, callback_url=CALLBACK_URL, callback_keys=[KEY], sender=sender, clock=clock
        )
        for config in configs:
            payments: Any = accounts.add(config)
            payment = await payments.create(an_order(capture=CaptureMode.AUTOMATIC), operation_id="order:1")
            payer.approve(payment)
            assert (await payments.observe(payment.payment_id)).is_paid
        await accounts.aclose()

    asyncio.run(buy())


# Secrets


@pytest.fixture
def heard() -> Iterator[list[Logged]]:
    records: list[Logged] = []
    with listening(records.append):
        yield records


def test_no_secret_is_found_in_a_whole_story(
    open_at: OpenAt,
    payer: TestPayer,
    prenopay_bench: Bench,
    assert_no_secrets: SecretSeeker,
) -> None:
    assert_no_secrets.knows(KEY, TOKEN_KEY, "199710202392", "46701740606")
    for gateway in GATEWAYS:
        accounts, payments = open_at(gateway)
        page = PageStyle.PHONE if gateway == "swish" else PageStyle.REDIRECT
        order = an_order(capture=CaptureMode.AUTOMATIC, order_reference=gateway, payer=EVA, page=page)
        payment = payments.create(order, operation_id=f"order:{gateway}")
        assert EVA.personal_number in prenopay_bench.secrets
        payer.approve(payment)
        payment = payments.get(payment.payment_id)
        assert_no_secrets(payment, payments.timeline(payment.payment_id), accounts.callbacks())
        if gateway == "swish":
            payout = payments.pay_out(a_payout(), operation_id="payout:1")
            assert_no_secrets(payout, a_payout())


@pytest.mark.parametrize("gateway", ["mock", "swedbankpay"])
def test_no_token_is_found_where_a_method_was_stored_charged_and_removed(
    gateway: str,
    open_at: OpenAt,
    payer: TestPayer,
    prenopay_bench: Bench,
    assert_no_secrets: SecretSeeker,
) -> None:
    accounts, payments = open_at(gateway)
    order = an_order(capture=CaptureMode.AUTOMATIC, payer=READER, store=StoreMethod(consent=CONSENT))
    payment = payments.create(order, operation_id="order:1")
    payer.approve(payment)
    (mandate,) = payments.mandates.of_payer(READER.reference)
    assert prenopay_bench.secrets
    charged = payments.charge(mandate.mandate_id, order.amount, operation_id="charge:1", description="One month")
    assert charged.succeeded
    assert_no_secrets(mandate, charged, payments.timeline(payment.payment_id), accounts.callbacks())
    payments.mandates.remove(mandate.mandate_id, reason="the reader asked")


@pytest.mark.parametrize("gateway", ["swedbankpay", "swish"])
def test_a_secret_in_a_value_or_in_the_log_is_found(
    gateway: str,
    request: pytest.FixtureRequest,
    prenopay_bench: Bench,
    heard: list[Logged],
) -> None:
    request.getfixturevalue(f"{gateway}_account")
    seeker = SecretSeeker(prenopay_bench, lambda: heard)
    seeker.knows("197001011234")
    for secret in prenopay_bench.secrets:
        assert len(secret) >= 6
        with pytest.raises(SecretsSeen, match="a dict shows the secret"):
            seeker({"leaked": secret})
        with pytest.raises(SecretsSeen, match="a str"):
            seeker(f"so {secret} it is")
    seeker({"kept": Secret(prenopay_bench.secrets[0])})
    logging.getLogger("host").warning("paid by %s", prenopay_bench.secrets[0])
    with pytest.raises(SecretsSeen, match=r"the log shows the secret ..….. \(\d+ characters\): record 1, WARNING"):
        seeker()


def test_a_mocks_tokens_are_secrets(mock_gateway: MockGateway, prenopay_bench: Bench) -> None:
    token = mock_gateway.store_card("R-77").reveal()
    assert token in prenopay_bench.secrets


def test_a_secret_that_is_found_by_chance_is_refused(assert_no_secrets: SecretSeeker) -> None:
    with pytest.raises(ValueError, match="found by chance"):
        assert_no_secrets.knows("119")


# Databases


def test_a_ledger_is_empty_and_has_tables(open_at: OpenAt) -> None:
    accounts, payments = open_at("mock")
    assert payments.find() == ()
    assert accounts.callbacks() == ()


@pytest.mark.postgresql
def test_schemas_on_a_server_are_of_the_runs_own(postgresql: Server) -> None:
    from prenopay.testing.databases import postgresql_schema  # noqa: PLC0415

    with postgresql_schema(postgresql.url) as made, postgresql_schema(postgresql.url) as other:
        for own in (made, other):
            accounts = Accounts.open(own.url, callback_url=CALLBACK_URL, callback_keys=[KEY], sender=MockSender())
            accounts.add(Mock(account="mock")).create(an_order(), operation_id="order:1")
            accounts.close()
        made.empty()
        counts = []
        for own in (made, other):
            accounts = Accounts.open(own.url, callback_url=CALLBACK_URL, callback_keys=[KEY], sender=MockSender())
            counts.append(len(accounts.add(Mock(account="mock")).find()))
            accounts.close()
        assert counts == [0, 1]


# Lost answers meet the fixtures too


def test_faults_are_planned_at_the_emulator(
    swedbankpay_emulator: Any,
    open_at: OpenAt,
    payer: TestPayer,
) -> None:
    _accounts, payments = open_at("swedbankpay")
    payment = bought(payments)
    payer.approve(payment)
    swedbankpay_emulator.faults.add(Fault(kind=FaultKind.DROP_AFTER, call="reversal"))
    assert payments.refund(payment.payment_id, operation_id="refund:1").outcome == "unknown"
    assert payments.resolve("refund:1").succeeded
