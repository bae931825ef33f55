"""Staff use the gateway's portal, and no callback reports it: how often prenopay looks, and what it does not repeat."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from prenopay import CaptureMode, Outcome, Payment, PaymentState
from prenopay.testing.callbacks import Manner
from prenopay.testing.clock import VirtualClock
from prenopay.testing.faults import Fault, FaultKind
from tests.behaviour.shop import Shop, sek, transaction


def looks(shop: Shop, payment: Payment) -> int:
    return sum(str(payment.provider_reference) in call.path for call in shop.emulator.transcript.calls("get"))


def gives_back(shop: Shop, payment: Payment, amount: int) -> None:
    """Give money back in the portal; its callback is lost."""
    shop.emulator.callbacks.behave(Manner.DROP, times=1000)
    body = transaction(amount=amount, vatAmount=0, payeeReference=f"HAND{amount}")
    shop.by_hand("POST", f"{payment.provider_reference}/reversals", body)


def test_money_that_was_taken_is_looked_at_now_and_then_for_thirteen_months(shop: Shop) -> None:
    payment = shop.captured()
    before = looks(shop, payment)
    for _ in range(80):
        shop.later(days=6)
        shop.accounts.sweep()

    assert looks(shop, payment) - before == 14


def test_money_that_was_given_back_is_not_looked_at_any_more(shop: Shop) -> None:
    payment = shop.captured()
    shop.payments.refund(payment.payment_id, operation_id="refund:1")
    before = looks(shop, payment)
    for _ in range(10):
        shop.later(days=20)
        shop.accounts.sweep()

    assert looks(shop, payment) == before


@pytest.mark.every_store
def test_a_refund_in_the_portal_is_found_and_stops_the_next_one(shop: Shop) -> None:
    payment = shop.captured()
    gives_back(shop, payment, 5000)

    error = shop.tries(lambda: shop.payments.refund(payment.payment_id, sek(5000), operation_id="refund:1"))

    assert "50.00 SEK given back that prenopay did not ask for" in str(error)
    assert shop.payments.get(payment.payment_id).refunded == sek(5000)
    assert shop.told[-1] == "payment.refunded"
    assert shop.payments.operation("refund:1").outcome is Outcome.NOT_ATTEMPTED
    shop.books_agree()
    assert shop.payments.refund(payment.payment_id, sek(5000), operation_id="refund:1").succeeded
    shop.books_agree()


def test_a_refund_of_ours_that_settled_meanwhile_does_not_stop_the_next_one(shop: Shop) -> None:
    payment = shop.captured()
    shop.emulator.faults.add(Fault(kind=FaultKind.DROP_AFTER, call="reversal", method="POST"))
    assert shop.payments.refund(payment.payment_id, sek(5000), operation_id="refund:1").outcome is Outcome.UNKNOWN
    shop.payments.resolve("refund:1")

    assert shop.payments.refund(payment.payment_id, operation_id="refund:2").amount == sek(6900)
    shop.books_agree()


def test_a_capture_that_was_declined_is_not_looked_at_every_few_minutes(shop: Shop) -> None:
    shop.emulator.behaviour = replace(shop.emulator.behaviour, declined_operations=frozenset({"capture"}))
    payment = shop.bought(capture=CaptureMode.AUTOMATIC)
    shop.pay(payment)
    assert shop.payments.observe(payment.payment_id).state is PaymentState.AUTHORIZED
    shop.emulator.callbacks.behave(Manner.DROP, times=1000)
    before = looks(shop, payment)
    for _ in range(24 * 3):
        shop.later(hours=1)
        shop.accounts.sweep()

    assert looks(shop, payment) - before <= 4


def test_a_lost_refund_of_a_clock_that_was_ahead_is_not_made_beside_one_in_the_portal(
    open_shop: Callable[..., Shop],
) -> None:
    shop = open_shop()
    payment = shop.captured()
    ahead = open_shop(emulator=shop.emulator, clock=VirtualClock(shop.clock.now() + timedelta(minutes=30)))
    shop.emulator.faults.add(Fault(kind=FaultKind.DROP_BEFORE, call="reversal"))
    ahead.tries(lambda: ahead.payments.refund(payment.payment_id, sek(5000), operation_id="refund:1"))
    shop.later(minutes=12)
    gives_back(shop, payment, 5000)
    shop.payments.observe(payment.payment_id)
    for _ in range(12):
        shop.accounts.sweep()
        shop.later(hours=3)

    assert shop.emulator.books()[str(payment.provider_reference)].reversed == 5000
    assert shop.payments.operation("refund:1").outcome is Outcome.UNKNOWN


def test_captures_of_what_staff_took_are_not_sent_so_the_order_is_not_locked(shop: Shop) -> None:
    """The gateway locks an order after five tries of too much."""
    payment = shop.paid()
    shop.emulator.callbacks.behave(Manner.DROP, times=1000)
    taken = transaction(amount=10000, vatAmount=0, payeeReference="HAND10000")
    shop.by_hand("POST", f"{payment.provider_reference}/captures", taken)

    for number in range(6):
        name = f"capture:{number}"
        error = shop.tries(lambda: shop.payments.capture(payment.payment_id, operation_id=name))  # noqa: B023 - called at once
        assert "119.00 SEK is more than the 19.00 SEK that the gateway has left" in str(error)
        assert shop.payments.operation(name).outcome is Outcome.NOT_ATTEMPTED

    assert not shop.emulator.order(str(payment.provider_reference)).is_locked
    assert shop.payments.observe(payment.payment_id).captured == sek(10000)
    assert shop.payments.capture(payment.payment_id, operation_id="capture:rest").succeeded
