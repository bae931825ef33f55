"""Told at least once, in order, after it is durable, until the host's handler succeeds."""

from __future__ import annotations

import logging

import pytest

from prenopay import CaptureMode, Event, Payment
from tests.behaviour.shop import Shop


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


def test_a_handler_that_fails_hears_it_again_and_nothing_overtakes(
    shop: Shop,
    caplog: pytest.LogCaptureFixture,
) -> None:
    handler = shop.on_event = Unwilling(shop, times=2)
    payment = shop.captured()
    assert shop.events == []
    assert payment.is_paid, "what happened does not depend on who hears it"

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


def test_what_happened_while_no_handler_ran_is_told_later(shop: Shop) -> None:
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
    assert (captured.captured, captured.refunded.minor) == (payment.amount, 0)
    assert (refunded.captured, refunded.refunded) == (payment.amount, payment.amount)
    assert {event.payment_id for event in shop.events} == {payment.payment_id}
    assert len({event.event_id for event in shop.events}) == 3
    assert "'status': 'Paid'" in repr(captured.raw)
