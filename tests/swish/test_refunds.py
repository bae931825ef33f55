"""Refunds are objects of their own: created, debited, then paid or failed, and never more than was taken."""

from __future__ import annotations

from dataclasses import replace

import pytest

from prenopay import Outcome, PaymentState
from prenopay.errors import Conflict, IdReused, InvalidOrder, NotFound
from prenopay.testing.emulators.swish import AWKWARD, MSS, Behaviour, RemainingStyle
from prenopay.testing.faults import Fault, FaultKind
from tests.behaviour.shop import sek
from tests.swish.shop import SwishShop

WORLDS = {"strict": Behaviour(), "simulator": replace(MSS, pays_itself_after=None), "awkward": AWKWARD}


@pytest.mark.parametrize("world", WORLDS)
def test_a_refund_is_under_way_until_the_payer_has_the_money(shop: SwishShop, world: str) -> None:
    shop.swish.behaviour = WORLDS[world]
    payment = shop.captured()
    assert shop.refund(payment).outcome is Outcome.PENDING
    assert shop.payments.get(payment.payment_id).refunded == sek(0)
    refund = shop.swish.refunds[0].id
    shop.deliver_callbacks()

    shop.later(seconds=5)
    shop.deliver_callbacks()
    assert shop.swish.refunds[0].status == "DEBITED"
    assert shop.payments.operation("refund:1").outcome is Outcome.PENDING
    shop.later(seconds=5)
    shop.deliver_callbacks()

    assert [each.callback.about for each in shop.swish.callbacks.attempts].count(refund) == 2
    assert shop.payments.operation("refund:1").outcome is Outcome.SUCCEEDED
    seen = shop.payments.get(payment.payment_id)
    assert (seen.state, seen.refunded) == (PaymentState.CAPTURED, sek(11900))
    assert shop.told == ["payment.authorized", "payment.captured", "payment.refunded"]


@pytest.mark.every_store
def test_without_callbacks_the_sweep_sees_it_arrive(shop: SwishShop) -> None:
    payment = shop.captured()
    shop.refund(payment)

    shop.later(minutes=5)
    assert shop.accounts.sweep().failures == ()

    assert shop.payments.operation("refund:1").outcome is Outcome.SUCCEEDED
    assert shop.told.count("payment.refunded") == 1
    shop.books_agree()


def test_one_that_fails_later_is_declined_and_may_be_made_again(shop: SwishShop) -> None:
    payment = shop.captured()
    shop.refund(payment)
    shop.swish.fail(shop.swish.refunds[0].id, "RF07")
    shop.deliver_callbacks()

    declined = shop.payments.operation("refund:1")
    assert declined.outcome is Outcome.DECLINED
    assert declined.decline.provider_code == "RF07"
    assert shop.payments.get(payment.payment_id).state is PaymentState.CAPTURED
    shop.books_agree()

    shop.refund(payment, operation_id="refund:2")
    shop.later(minutes=5)
    shop.accounts.sweep()
    assert shop.payments.operation("refund:2").outcome is Outcome.SUCCEEDED
    shop.books_agree()


def test_a_refund_that_nobody_knows_stays_open(shop: SwishShop) -> None:
    payment = shop.captured()
    shop.refund(payment)
    shop.swish.fail(shop.swish.refunds[0].id, "DS24")

    for _ in range(3):
        shop.later(hours=30)
        shop.accounts.sweep()
        assert shop.payments.operation("refund:1").outcome in {Outcome.UNKNOWN, Outcome.PENDING}
    assert shop.tries(lambda: shop.refund(payment, operation_id="refund:2")) is not None
    assert shop.payments.get(payment.payment_id).refunded == sek(0)


def test_parts_add_up_and_never_exceed_what_was_taken(shop: SwishShop) -> None:
    payment = shop.captured()
    shop.refund(payment, sek(5000), "refund:1")
    too_much = shop.tries(lambda: shop.refund(payment, sek(7000), "refund:2"))
    assert isinstance(too_much, InvalidOrder)
    assert isinstance(shop.tries(lambda: shop.payments.operation("refund:2")), NotFound)
    assert len(shop.swish.refunds) == 1
    shop.later(minutes=1)
    shop.deliver_callbacks()
    assert isinstance(shop.tries(lambda: shop.refund(payment, sek(7000), "refund:3")), InvalidOrder)

    shop.refund(payment, None, "refund:4")
    shop.later(minutes=1)
    shop.deliver_callbacks()

    seen = shop.payments.get(payment.payment_id)
    assert (seen.state, seen.refunded) == (PaymentState.CAPTURED, sek(11900))
    assert isinstance(shop.tries(lambda: shop.refund(payment, sek(1), "refund:5")), InvalidOrder)
    shop.books_agree()


def test_the_same_id_is_the_same_refund(shop: SwishShop) -> None:
    payment = shop.captured()
    first = shop.refund(payment, sek(5000))
    for _ in range(3):
        assert shop.refund(payment, sek(5000)).reference == first.reference
        shop.later(minutes=2)
    error = shop.tries(lambda: shop.refund(payment, sek(4000)))
    assert isinstance(error, IdReused)
    assert "(these differ: amount)" in str(error)
    assert len(shop.swish.refunds) == 1
    shop.deliver_callbacks()
    shop.books_agree()


@pytest.mark.parametrize("style", RemainingStyle)
def test_what_was_refunded_elsewhere_leaves_less_and_the_gateway_says_how_much(
    shop: SwishShop, style: RemainingStyle
) -> None:
    shop.swish.behaviour = replace(shop.swish.behaviour, remaining=style)
    payment = shop.captured()
    shop.refund_elsewhere(payment, "50.00")

    error = shop.tries(lambda: shop.refund(payment))

    assert isinstance(error, Conflict)
    assert error.provider_code == "RF08"
    assert style is RemainingStyle.NOTHING or "69.00" in str(error)
    assert shop.payments.operation("refund:1").outcome is Outcome.NOT_ATTEMPTED
    assert shop.refund(payment, sek(6900), "refund:2").outcome is Outcome.PENDING


def test_a_payment_that_is_open_or_unpaid_gives_nothing_back(shop: SwishShop) -> None:
    payment = shop.bought()
    assert isinstance(shop.tries(lambda: shop.refund(payment)), Conflict)
    assert shop.swish.refunds == ()
    assert shop.calls("refund") == 0


def test_a_merchant_without_money_sees_the_reason(shop: SwishShop) -> None:
    payment = shop.captured()
    operation = shop.refund(payment, description="AM04")
    assert operation.outcome is Outcome.DECLINED
    assert operation.decline.provider_code == "AM04"
    shop.books_agree()


def test_a_success_that_is_not_the_gateways_proves_nothing(shop: SwishShop) -> None:
    payment = shop.paid()
    shop.swish.faults.add(Fault(kind=FaultKind.STATUS_BEFORE, status=200, call="refund", method="PUT"))
    made = shop.payments.refund(payment.payment_id, sek(1000), operation_id="refund:1")

    assert made.outcome is Outcome.UNKNOWN
    for _ in range(3):
        shop.later(minutes=30)
        shop.accounts.sweep()
    assert shop.payments.operation("refund:1").outcome is Outcome.SUCCEEDED
    assert [each.amount for each in shop.swish.refunds] == [10]
    shop.books_agree()
