"""Answers that never came: the same call, ``resolve`` and the sweep settle them; at most one request can be paid."""

from __future__ import annotations

from dataclasses import replace

import pytest

from prenopay import Outcome, PaymentState
from prenopay.errors import NotSent, OutcomeUnknown, ProviderUnavailable, UnexpectedAnswer
from prenopay.testing.faults import Fault, FaultBody, FaultKind
from tests.swish.shop import SwishShop, by_phone

LOST = [
    pytest.param(Fault(kind=FaultKind.DROP_BEFORE), id="lost before"),
    pytest.param(Fault(kind=FaultKind.DROP_AFTER), id="lost after"),
    pytest.param(Fault(kind=FaultKind.HALF_BODY), id="half an answer"),
    pytest.param(Fault(kind=FaultKind.DELAY, seconds=60), id="too late"),
    pytest.param(Fault(kind=FaultKind.STATUS_BEFORE, status=502, body=FaultBody.HTML), id="502 before"),
    pytest.param(Fault(kind=FaultKind.STATUS_AFTER, status=500, body=FaultBody.EMPTY), id="500 after"),
    pytest.param(Fault(kind=FaultKind.STATUS_AFTER, status=504, body=FaultBody.HTML), id="504 after"),
]
ENDS = LOST[:2]
"""Lost on the way to the gateway, and lost on the way back. One call of each kind meets every other loss."""
OPEN_ERRORS = (OutcomeUnknown, ProviderUnavailable, UnexpectedAnswer)


def payable(shop: SwishShop) -> list[str]:
    return [each.id for each in shop.swish.payments if each.status == "CREATED"]


@pytest.mark.parametrize("fault", LOST)
def test_a_lost_token_is_cancelled_and_begun_again(shop: SwishShop, fault: Fault) -> None:
    shop.swish.faults.add(replace(fault, call="create"))

    assert isinstance(shop.tries(shop.bought), OPEN_ERRORS)
    (unknown,) = shop.payments.find()
    assert unknown.state is PaymentState.UNKNOWN
    payment = shop.bought()

    assert payment.payment_id == unknown.payment_id
    assert payment.state is PaymentState.PENDING
    assert payable(shop) == [payment.provider_reference]
    shop.swish.approve(payment.app_switch.token if payment.app_switch else "")
    assert shop.payments.observe(payment.payment_id).is_paid
    shop.deliver_callbacks()
    assert len(shop.payments.find()) == 1
    assert shop.told == ["payment.authorized", "payment.captured"]
    shop.books_agree()


@pytest.mark.parametrize("fault", ENDS)
def test_a_phone_that_was_asked_is_not_asked_again(shop: SwishShop, fault: Fault) -> None:
    shop.swish.faults.add(replace(fault, call="create"))
    assert isinstance(shop.tries(lambda: shop.bought(**by_phone())), OPEN_ERRORS)

    payment = shop.bought(**by_phone())

    assert len(shop.swish.payments) == 1
    shop.pay(payment)
    assert shop.payments.observe(payment.payment_id).is_paid
    shop.books_agree()


@pytest.mark.parametrize("fault", ENDS)
def test_a_phone_that_paid_before_we_looked_has_paid(shop: SwishShop, fault: Fault) -> None:
    shop.swish.faults.add(replace(fault, call="create"))
    shop.tries(lambda: shop.bought(**by_phone()))
    for request in payable(shop):
        shop.swish.approve(request)

    shop.later(minutes=2)
    shop.accounts.sweep()
    shop.tries(lambda: shop.bought(**by_phone()))
    for request in payable(shop):
        shop.swish.approve(request)
    shop.later(minutes=2)
    shop.accounts.sweep()

    (payment,) = shop.payments.find()
    assert payment.is_paid
    assert len(shop.swish.payments) == 1
    shop.books_agree()


def test_while_the_lost_request_cannot_be_closed_no_other_is_made(shop: SwishShop) -> None:
    shop.swish.faults.add(
        Fault(kind=FaultKind.DROP_AFTER, call="create"),
        Fault(kind=FaultKind.STATUS_BEFORE, call="cancel", status=503, times=50),
    )
    shop.tries(shop.bought)
    for _ in range(3):
        assert isinstance(shop.tries(shop.bought), OPEN_ERRORS)
        assert len(shop.swish.payments) == 1
        shop.later(minutes=1)
    shop.swish.faults.clear()

    payment = shop.bought()
    assert payable(shop) == [payment.provider_reference]
    shop.books_agree()


LOST_REFUNDS = [
    pytest.param(*fault.values, how, id=f"{fault.id}, {how}")
    for how in ("again", "resolve", "sweep")
    for fault in (LOST if how == "again" else ENDS)
]


@pytest.mark.parametrize(("fault", "how"), LOST_REFUNDS)
def test_a_refund_without_an_answer_is_made_once(shop: SwishShop, fault: Fault, how: str) -> None:
    payment = shop.captured()
    shop.swish.faults.add(replace(fault, call="refund"))
    assert shop.refund(payment).outcome in {Outcome.UNKNOWN, Outcome.PENDING}

    shop.later(minutes=2)
    if how == "again":
        shop.refund(payment)
    elif how == "resolve":
        shop.payments.resolve("refund:1")
    for _ in range(3):
        shop.later(minutes=10)
        assert shop.accounts.sweep().failures == ()

    assert shop.payments.operation("refund:1").outcome is Outcome.SUCCEEDED
    assert len(shop.swish.refunds) == 1
    assert shop.told.count("payment.refunded") == 1
    shop.books_agree()


@pytest.mark.parametrize("fault", ENDS)
def test_a_cancel_without_an_answer_is_found_out(shop: SwishShop, fault: Fault) -> None:
    payment = shop.bought()
    shop.swish.faults.add(replace(fault, call="cancel"))
    shop.tries(lambda: shop.payments.cancel(payment.payment_id, operation_id="cancel:1"))

    shop.later(minutes=2)
    again = shop.payments.cancel(payment.payment_id, operation_id="cancel:1")

    assert again.outcome is Outcome.SUCCEEDED
    assert payable(shop) == []
    shop.books_agree()


def test_what_did_not_leave_is_not_attempted(shop: SwishShop) -> None:
    shop.swish.faults.add(Fault(kind=FaultKind.REFUSE, call="create", times=50))
    assert isinstance(shop.tries(shop.bought), NotSent)
    assert shop.payments.operation("order:1").outcome is Outcome.NOT_ATTEMPTED
    shop.swish.faults.clear()
    assert shop.bought().state is PaymentState.PENDING
    assert len(shop.swish.payments) == 1
