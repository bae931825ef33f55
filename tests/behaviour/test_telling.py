"""Events reach the host's handler at least once, in order, after they are durable, until the handler succeeds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from prenopay import Accounts, AsyncAccounts, CaptureMode, Event, Payment
from prenopay.errors import ConfigurationError
from tests.behaviour.shop import Shop, sek


class Unwilling:
    """A handler that raises a number of times before it takes each event."""

    def __init__(self, shop: Shop, times: int) -> None:
        self._shop = shop
        self._times = times
        self.tries: list[str] = []

    def __call__(self, event: Event) -> None:
        self.tries.append(event.event_id)
        if self.tries.count(event.event_id) <= self._times:
            message = "the mail server is away"
            raise RuntimeError(message)
        self._shop.events.append(event)


@pytest.mark.every_store
def test_a_handler_that_fails_hears_it_again_and_nothing_overtakes(
    shop: Shop,
    caplog: pytest.LogCaptureFixture,
) -> None:
    handler = shop.on_event = Unwilling(shop, times=2)
    payment = shop.captured()
    assert shop.events == []
    assert payment.is_paid, "the payment does not depend on its handler"

    for _ in range(6):
        shop.later(minutes=1)
        shop.accounts.sweep()

    assert shop.told == ["payment.authorized", "payment.captured"]
    assert [event.number for event in shop.events] == [1, 2]
    first, second = (event.event_id for event in shop.events)
    assert handler.tries == [first, first, first, second, second, second]
    assert "the mail server is away" in caplog.text


def test_one_payments_trouble_does_not_hold_back_another(shop: Shop) -> None:
    stuck: list[Payment] = []

    def handler(event: Event) -> None:
        if stuck and event.payment_id == stuck[0].payment_id:
            message = "not this one"
            raise RuntimeError(message)
        shop.events.append(event)

    shop.on_event = handler
    stuck.append(shop.bought("order:1"))
    shop.pay(stuck[0])
    shop.payments.observe(stuck[0].payment_id)

    shop.captured("order:2", order_reference="K-1002")

    assert {event.order_reference for event in shop.events} == {"K-1002"}


def test_what_happened_while_no_handler_ran_is_delivered_later(shop: Shop) -> None:
    payment = shop.bought(capture=CaptureMode.AUTOMATIC)
    shop.pay(payment)

    def away(_event: Event) -> None:
        raise SystemError

    shop.on_event = away
    logging.getLogger("prenopay").disabled = True
    try:
        shop.payments.observe(payment.payment_id)
    finally:
        logging.getLogger("prenopay").disabled = False
    later = shop.restarted()
    later.later(seconds=10)

    assert later.accounts.deliver_pending() == 2
    assert later.told == ["payment.authorized", "payment.captured"]
    later.close()


def test_an_event_says_what_the_books_said_then(shop: Shop) -> None:
    payment = shop.captured()
    shop.payments.refund(payment.payment_id, operation_id="refund:1")

    authorized, captured, refunded = shop.events

    assert (authorized.is_paid, captured.is_paid) == (False, True)
    assert (captured.captured, captured.refunded) == (payment.amount, sek(0))
    assert (refunded.captured, refunded.refunded) == (payment.amount, payment.amount)
    assert {event.payment_id for event in shop.events} == {payment.payment_id}
    assert len({event.event_id for event in shop.events}) == 3
    assert "'status': 'Paid'" in repr(captured.raw)


# A handler of the wrong colour


async def hears_in_async_code(event: Event) -> None:
    raise AssertionError(event)


def hears_in_blocking_code(_: Event) -> None:
    pass


class HearsInAsyncCode:
    async def __call__(self, event: Event) -> None:
        raise AssertionError(event)


def opened(database: str, on_event: Any) -> Accounts:
    return Accounts.open(
        database,
        callback_url="https://shop.example/callbacks",
        callback_keys=["a-key-for-the-tests-that-is-long-enough"],
        on_event=on_event,
    )


@pytest.mark.parametrize(
    "on_event", [hears_in_async_code, partial(hears_in_async_code), HearsInAsyncCode(), HearsInAsyncCode().__call__]
)
def test_blocking_accounts_refuse_an_async_handler(sqlite_database: str, on_event: Callable[..., Any]) -> None:
    with pytest.raises(ConfigurationError, match="on_event is async"):
        opened(sqlite_database, on_event)


@pytest.mark.parametrize("open_accounts", [Accounts.open, AsyncAccounts.open])
def test_what_cannot_be_called_is_refused(sqlite_database: str, open_accounts: Callable[..., Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"on_event: must be a function.*, not list"):
        open_accounts(
            sqlite_database,
            callback_url="https://shop.example/c",
            callback_keys=["a-key-for-the-tests-that-is-long-enough"],
            on_event=[],
        )


def test_a_handler_of_the_wrong_colour_leaves_its_events_to_be_delivered(
    shop: Shop,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Two wrong handlers: a plain function that returns a coroutine, and a plain function instead of an async one."""
    hear = shop.hear
    shop.hear = hears_in_async_code if shop.colour == "blocking" else hears_in_blocking_code
    shop.captured()
    assert shop.events == []
    assert "on_event is " in caplog.text

    shop.hear = hear
    shop.later(hours=1)
    shop.accounts.sweep()
    assert shop.told == ["payment.authorized", "payment.captured"]


@pytest.mark.every_store
def test_a_handler_that_sweeps_is_not_called_inside_itself(shop: Shop) -> None:
    depth, deepest = 0, 0
    accounts: Any = shop.accounts.target

    def hear(event: Event) -> None:
        nonlocal depth, deepest
        depth, deepest = depth + 1, max(deepest, depth + 1)
        shop.events.append(event)
        accounts.sweep()
        depth -= 1

    async def hear_awaiting(event: Event) -> None:
        nonlocal depth, deepest
        depth, deepest = depth + 1, max(deepest, depth + 1)
        shop.events.append(event)
        await accounts.sweep()
        depth -= 1

    for number in range(3):
        shop.pay(shop.bought(f"order:{number}", order_reference=f"K-{number}", capture=CaptureMode.AUTOMATIC))
    shop.hear = hear if shop.colour == "blocking" else hear_awaiting
    shop.later(hours=1)
    shop.accounts.sweep()
    shop.accounts.sweep()

    assert shop.told == ["payment.authorized", "payment.captured"] * 3
    assert deepest == 1


def test_what_a_handler_does_is_reported_after_it(shop: Shop) -> None:
    payments: Any = shop.payments.target
    other = shop.bought("order:2", order_reference="K-2")
    shop.pay(other)

    def hear(event: Event) -> None:
        shop.events.append(event)
        if event.order_reference == "K-1":
            payments.observe(other.payment_id)

    async def hear_awaiting(event: Event) -> None:
        shop.events.append(event)
        if event.order_reference == "K-1":
            await payments.observe(other.payment_id)

    shop.hear = hear if shop.colour == "blocking" else hear_awaiting
    shop.paid("order:1", order_reference="K-1")

    assert [event.order_reference for event in shop.events] == ["K-1", "K-2"]


@pytest.mark.every_store
@pytest.mark.parametrize(("database", "colour"), [("sqlite", "awaiting")], indirect=True)
def test_a_handler_that_waits_for_a_cancelled_task_has_failed(shop: Shop) -> None:
    async def hear(_event: Event) -> None:
        other = asyncio.ensure_future(asyncio.Event().wait())
        other.cancel()
        await other

    shop.hear = hear
    payment = shop.captured()

    (waits, _) = shop.accounts.undelivered()
    assert (waits.tries, waits.last_error) == (1, "CancelledError: ")
    shop.later(hours=1)
    (failure,) = shop.accounts.sweep().failures
    assert "CancelledError" in failure
    assert shop.payments.get(payment.payment_id).is_paid
