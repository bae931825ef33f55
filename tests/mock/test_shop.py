"""``mock_accounts``: three lines in a host's test, events told twice on purpose, callbacks that misbehave."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from prenopay import CaptureMode, Event, PaymentState, upgrade_database
from prenopay.errors import ConfigurationError, Conflict, Rejected
from prenopay.testing.callbacks import Callback
from prenopay.testing.mock import (
    EventsNotTaken,
    Manner,
    Mock,
    MockGateway,
    NotIdempotent,
    ScriptUnused,
    mock_accounts,
    mock_accounts_async,
)
from tests.behaviour.shop import an_order, sek

from .conftest import OpenShop, Shop


def test_three_lines() -> None:
    heard: list[Event] = []
    with mock_accounts(on_event=heard.append) as shop:
        payment = shop.payments.create(an_order(), operation_id="order:1")
        shop.payer.approve(payment)
    assert [event.kind.value for event in heard] == ["payment.authorized"]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_three_lines_in_async_code(backend: str) -> None:
    import anyio  # noqa: PLC0415 - nothing else here needs an event loop by name

    heard: list[Event] = []

    async def hear(event: Event) -> None:
        heard.append(event)

    async def buy() -> None:
        async with mock_accounts_async(on_event=hear) as shop:
            payment = await shop.payments.create(an_order(), operation_id="order:1")
            await shop.payer.approve(payment)

    anyio.run(buy, backend=backend)
    assert [event.kind.value for event in heard] == ["payment.authorized"]


def test_nobody_needs_to_listen() -> None:
    with mock_accounts() as shop:
        assert shop.payments.create(an_order(), operation_id="order:1").state is PaymentState.PENDING


def test_the_database_is_thrown_away_unless_it_is_the_tests_own(tmp_path: Path) -> None:
    with mock_accounts() as shop:
        file = Path(urlsplit(shop.database).path)
        assert file.exists()
    assert not file.exists()
    own = f"sqlite:///{tmp_path}/own.db"
    upgrade_database(own)
    with mock_accounts(database=own) as shop:
        payment = shop.payments.create(an_order(), operation_id="order:1")
    gateway = shop.gateway
    with mock_accounts(database=own, mock=Mock(account="mock", gateway=gateway)) as again:
        assert again.payments.create(an_order(), operation_id="order:1").payment_id == payment.payment_id


# Told twice


def three_buy(shop: Shop) -> None:
    for number in range(3):
        shop.paid(f"order:{number}", capture=CaptureMode.AUTOMATIC, order_reference=f"K-{number}")


def test_the_first_paid_event_and_every_third_are_told_twice(open_shop: OpenShop) -> None:
    shop = open_shop()
    three_buy(shop)
    authorized, captured = "payment.authorized", "payment.captured"
    assert shop.told == [
        authorized,
        captured,
        captured,
        authorized,
        authorized,
        captured,
        authorized,
        captured,
        captured,
    ]
    ids = [event.event_id for event in shop.heard]
    assert [ids.count(each) for each in dict.fromkeys(ids)] == [1, 2, 2, 1, 1, 2]


def test_the_repeats_can_be_turned_off(open_shop: OpenShop) -> None:
    shop = open_shop(tell_twice=False)
    three_buy(shop)
    ids = [event.event_id for event in shop.heard]
    assert len(ids) == len(set(ids)) == 6


def test_a_handler_that_raises_at_a_repeat_fails_the_test() -> None:
    granted: set[str] = set()

    def grant(event: Event) -> None:
        if event.is_paid and event.order_reference in granted:
            message = "access was granted before"
            raise LookupError(message)
        if event.is_paid:
            granted.add(event.order_reference)

    with (
        pytest.raises(NotIdempotent, match=r"payment\.captured .*access was granted before"),
        mock_accounts(
            on_event=grant,
        ) as shop,
    ):
        shop.payer.approve(shop.payments.create(an_order(capture=CaptureMode.AUTOMATIC), operation_id="order:1"))


def test_a_handler_that_never_takes_an_event_fails_the_test() -> None:
    def hear(event: Event) -> None:
        raise KeyError(event.order_reference)

    with (
        pytest.raises(EventsNotTaken, match=r"never took: payment\.authorized \(KeyError: 'K-1001'\).*sweep") as raised,
        mock_accounts(on_event=hear, tell_twice=False) as shop,
    ):
        shop.payer.approve(shop.payments.create(an_order(), operation_id="order:1"))
    assert isinstance(raised.value.__cause__, KeyError)


@pytest.mark.parametrize("handler", ["host.hear", 5])
def test_what_cannot_hear_is_refused(handler: Any) -> None:
    with pytest.raises(ConfigurationError, match="on_event: must be a function"), mock_accounts(on_event=handler):
        pytest.fail("opened")

    async def open_async() -> None:
        async with mock_accounts_async(on_event=handler):
            pytest.fail("opened")

    with pytest.raises(ConfigurationError, match="on_event: must be a function"):
        asyncio.run(open_async())


def test_an_async_handler_is_refused_in_blocking_code() -> None:
    async def hear(event: Event) -> None:
        """Would never be awaited."""

    handler: Any = hear
    with pytest.raises(ConfigurationError, match="on_event: is async"), mock_accounts(on_event=handler):
        pytest.fail("opened")


def test_the_last_who_leaves_a_gateway_says_which_script_met_no_call() -> None:
    config = Mock(account="mock")

    def test() -> None:
        with mock_accounts(mock=config) as shop:
            with mock_accounts(mock=config):
                config.gateway.script("create", Manner.REFUSE, times=5)
                config.gateway.script("refund", Manner.LOST_AFTER)
            with pytest.raises(Rejected):
                shop.payments.create(an_order(), operation_id="order:1")

    with pytest.raises(ScriptUnused, match=r"no call: refund \(lost_after\)\."):
        test()


def test_a_plain_handler_in_async_code_never_takes_an_event() -> None:
    def hear(event: Event) -> None:
        """Returns nothing that can be awaited."""

    handler: Any = hear

    async def buy() -> None:
        async with mock_accounts_async(on_event=handler) as shop:
            payment = await shop.payments.create(an_order(), operation_id="order:1")
            await shop.payer.approve(payment)

    with pytest.raises(EventsNotTaken, match="TypeError"):
        asyncio.run(buy())


def test_a_script_that_met_no_call_is_told_by_the_accounts() -> None:
    with pytest.raises(ScriptUnused, match=r"met no call: approve \(insufficient_funds\)"), mock_accounts() as shop:
        shop.gateway.script("approve", decline="insufficient_funds")


def test_an_error_of_the_test_goes_before_a_script_without_a_call() -> None:
    def test() -> None:
        with mock_accounts() as shop:
            shop.gateway.script("refund", Manner.REFUSE)
            message = "the host's own"
            raise LookupError(message)

    with pytest.raises(LookupError, match="the host's own"):
        test()


def test_the_account_is_named_once() -> None:
    with mock_accounts(account="mock", mock=Mock(account="mock")) as shop:
        assert shop.accounts["mock"] is not None
    with (
        pytest.raises(ConfigurationError, match="mock= names its account 'mock' already"),
        mock_accounts(account="other", mock=Mock(account="mock")),
    ):
        pytest.fail("opened")


def test_a_gateway_is_no_account() -> None:
    gateway: Any = MockGateway()
    with pytest.raises(ConfigurationError, match="not a MockGateway"), mock_accounts(mock=gateway):
        pytest.fail("opened")


def test_a_handler_that_recovers_fails_nothing(open_shop: OpenShop) -> None:
    heard: list[Event] = []

    def hear(event: Event) -> None:
        heard.append(event)
        if len(heard) == 1:
            message = "the host's database is away"
            raise OSError(message)

    shop = open_shop(on_event=hear)
    shop.paid()
    assert len(heard) == 1
    shop.clock.set(shop.clock.now().replace(hour=23))
    shop.accounts.sweep()
    assert len(heard) == 2


# Callbacks


def test_a_callback_that_is_held_comes_when_it_is_released(shop: Shop) -> None:
    shop.callbacks.hold()
    payment = shop.paid()
    assert payment.state is PaymentState.PENDING
    assert len(shop.callbacks.waiting) == 1
    shop.callbacks.release()
    assert shop.payments.get(payment.payment_id).state is PaymentState.AUTHORIZED


def test_a_callback_that_was_lost_may_come_after_all_and_twice(shop: Shop) -> None:
    shop.callbacks.drop()
    payment = shop.paid()
    assert payment.state is PaymentState.PENDING
    assert [attempt.status for attempt in shop.callbacks.resend_lost(times=2)] == [200, 200]
    assert shop.payments.get(payment.payment_id).state is PaymentState.AUTHORIZED
    assert shop.callbacks.resend_lost() == ()
    assert shop.told == ["payment.authorized"]


def test_a_callback_may_come_twice(shop: Shop) -> None:
    shop.callbacks.duplicate()
    shop.paid()
    assert [attempt.status for attempt in shop.callbacks.attempts] == [200, 200]
    assert shop.told == ["payment.authorized"]


def test_callbacks_may_come_last_first(shop: Shop) -> None:
    shop.callbacks.hold()
    for number in range(3):
        shop.paid(f"order:{number}")
    waiting: list[Callback] = list(shop.callbacks.waiting)
    shop.callbacks.reorder()
    assert [attempt.callback.number for attempt in shop.callbacks.release()] == [
        callback.number for callback in reversed(waiting)
    ]


def test_a_lost_callback_is_made_good_by_the_sweep(shop: Shop) -> None:
    shop.callbacks.drop()
    payment = shop.paid()
    shop.clock.set(shop.clock.now().replace(hour=23))
    shop.accounts.sweep()
    assert shop.payments.get(payment.payment_id).state is PaymentState.AUTHORIZED


# The object behind it


def test_a_payment_that_nobody_made_cannot_be_paid() -> None:
    with pytest.raises(Conflict, match="no payment 'mock-000007'"):
        MockGateway().approve("mock-000007")


def test_a_payer_pays_only_at_the_gateways_it_was_given() -> None:
    with mock_accounts() as shop, mock_accounts() as other:
        payment = shop.payments.create(an_order(), operation_id="order:1")
        theirs = other.payments.create(an_order(), operation_id="order:1")
        assert payment.provider_reference != theirs.provider_reference
        with pytest.raises(Conflict, match="with another MockGateway"):
            other.payer.approve(payment)
        assert other.gateway.books()[str(theirs.provider_reference)].authorized == 0


def test_a_payer_does_not_pay_at_another_accounts_gateway() -> None:
    with mock_accounts() as shop:
        payment = shop.payments.create(an_order(), operation_id="order:1")
        apart = shop.accounts.add(Mock(account="apart")).create(an_order(), operation_id="order:2")
        shared = shop.accounts.add(Mock(account="shared", gateway=shop.gateway))
        with pytest.raises(Conflict, match=r"let accounts share one: Mock\(account=…, gateway=…\)"):
            shop.payer.approve(apart)
        assert shop.payments.get(payment.payment_id).state is PaymentState.PENDING
        paid = shared.create(an_order(), operation_id="order:3")
        shop.payer.approve(paid)
        assert shared.get(paid.payment_id).state is PaymentState.AUTHORIZED


def test_two_hosts_may_share_a_gateway_from_many_threads() -> None:
    gateway = MockGateway()
    with mock_accounts(mock=Mock(account="one", gateway=gateway)) as shop:

        def buy(number: int) -> None:
            payment = shop.payments.create(an_order(amount=sek(100 + number)), operation_id=f"order:{number}")
            shop.gateway.approve(str(payment.provider_reference))

        threads = [threading.Thread(target=buy, args=(number,)) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        shop.callbacks.deliver()
        assert sorted(payment.authorized.minor for payment in shop.payments.find()) == list(range(100, 116))
    assert len(gateway.books()) == 16


def test_a_later_process_gives_other_names_to_payments() -> None:
    """A shop's database outlives the process that runs the mock."""
    program = "from prenopay.testing.mock import MockGateway; print(MockGateway().host)"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert told.startswith("mock-")
    assert told.split("-")[1] != MockGateway().host.split("-")[1]
