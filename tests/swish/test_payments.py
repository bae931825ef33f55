"""Payments by app, QR code and phone number: paid, declined, cancelled, late, uncertain."""

from __future__ import annotations

from dataclasses import replace

import pytest

from prenopay import DeclineCode, FlagKind, Outcome, PaymentState
from prenopay.errors import Conflict, InvalidOrder, UnsupportedOperation
from prenopay.testing.emulators.swish import AWKWARD, MSS, Behaviour
from prenopay.testing.faults import Fault, FaultKind
from tests.behaviour.shop import sek
from tests.swish.shop import SwishShop, by_phone

WORLDS = {"strict": Behaviour(), "simulator": replace(MSS, pays_itself_after=None), "awkward": AWKWARD}


@pytest.mark.parametrize("world", WORLDS)
def test_the_app_is_opened_by_a_token_and_the_money_is_taken_at_once(shop: SwishShop, world: str) -> None:
    shop.swish.behaviour = WORLDS[world]
    payment = shop.bought()

    assert payment.state is PaymentState.PENDING
    assert payment.redirect_url is None
    assert payment.app_switch is not None
    assert payment.app_switch.token in payment.app_switch.app_url
    assert payment.app_switch.qr_content == "D" + payment.app_switch.token
    shop.swish.approve(payment.app_switch.token)
    seen = shop.payments.observe(payment.payment_id)

    assert (seen.state, seen.captured, seen.is_paid) == (PaymentState.CAPTURED, sek(11900), True)
    assert shop.told == ["payment.authorized", "payment.captured"]
    shop.books_agree()


def test_a_phone_number_is_asked_without_any_page(shop: SwishShop) -> None:
    payment = shop.bought(**by_phone())

    assert (payment.app_switch, payment.redirect_url, payment.state) == (None, None, PaymentState.PENDING)
    shop.pay(payment)
    assert shop.payments.observe(payment.payment_id).is_paid
    shop.books_agree()


def test_the_gateway_draws_the_code_while_it_can_be_paid(shop: SwishShop) -> None:
    payment = shop.bought()
    assert b"<svg" in shop.payments.draw_qr(payment.payment_id)
    assert shop.payments.draw_qr(payment.payment_id, image="png").startswith(b"\x89PNG")

    shop.pay(payment)
    shop.payments.observe(payment.payment_id)
    assert isinstance(shop.tries(lambda: shop.payments.draw_qr(payment.payment_id)), Conflict)


@pytest.mark.every_store
def test_a_callback_opens_access_and_the_sweep_does_without_one(shop: SwishShop) -> None:
    first, second = shop.bought("order:1"), shop.bought("order:2")
    shop.pay(first)
    shop.deliver_callbacks()
    assert shop.payments.get(first.payment_id).is_paid

    shop.pay(second)
    shop.later(minutes=1)
    assert shop.accounts.sweep().failures == ()
    assert shop.payments.get(second.payment_id).is_paid
    shop.books_agree()


def test_no_in_the_app_is_a_decline(shop: SwishShop) -> None:
    payment = shop.bought()
    shop.swish.decline(str(payment.provider_reference))

    seen = shop.payments.observe(payment.payment_id)

    assert (seen.state, seen.is_open) == (PaymentState.DECLINED, False)
    assert seen.decline.code is DeclineCode.CANCELLED_BY_PAYER
    assert shop.told == ["payment.declined"]
    shop.books_agree()


@pytest.mark.parametrize(
    ("code", "state"),
    [
        ("RF07", PaymentState.DECLINED),
        ("BANKIDCL", PaymentState.DECLINED),
        ("AM21", PaymentState.DECLINED),
        ("ACMT03", PaymentState.DECLINED),
        ("TM01", PaymentState.EXPIRED),
    ],
)
def test_what_the_bank_refuses_ends_the_payment(shop: SwishShop, code: str, state: PaymentState) -> None:
    payment = shop.bought()
    shop.swish.fail(str(payment.provider_reference), code)

    seen = shop.payments.observe(payment.payment_id)

    assert seen.state is state
    assert seen.decline.provider_code == code
    shop.books_agree()


def test_nobody_pays_and_the_payment_expires(shop: SwishShop) -> None:
    payment = shop.bought()
    shop.later(minutes=8)

    shop.accounts.sweep()

    assert shop.payments.get(payment.payment_id).state is PaymentState.EXPIRED
    assert shop.told == ["payment.expired"]


def test_what_the_bank_does_not_know_is_unknown_flagged_and_never_expired(shop: SwishShop) -> None:
    payment = shop.bought()
    shop.swish.fail(str(payment.provider_reference), "DS24")

    for pause in (1, 10, 60, 24 * 60, 40 * 24 * 60):
        shop.later(minutes=pause)
        shop.accounts.sweep()
        seen = shop.payments.get(payment.payment_id)
        assert seen.state is PaymentState.UNKNOWN
        assert [flag.kind for flag in seen.flags] == [FlagKind.UNCERTAIN]
    assert isinstance(shop.tries(lambda: shop.payments.expire(payment.payment_id)), Conflict)
    assert "payment.expired" not in shop.told
    assert not seen.is_paid


def test_money_that_comes_after_the_payment_ended_here_is_taken_and_flagged(shop: SwishShop) -> None:
    shop.swish.behaviour = replace(shop.swish.behaviour, payer_may_act_for=WORLDS["strict"].gives_up_after * 1000)
    shop.swish.behaviour = replace(shop.swish.behaviour, gives_up_after=WORLDS["strict"].gives_up_after * 1000)
    payment = shop.bought()
    shop.swish.faults.add(Fault(kind=FaultKind.STATUS_BEFORE, call="cancel", status=503, times=500))
    for _ in range(30):
        shop.later(hours=2)
        shop.accounts.sweep()
    assert shop.payments.get(payment.payment_id).state is PaymentState.EXPIRED
    shop.swish.faults.clear()

    shop.pay(payment)
    shop.deliver_callbacks()

    late = shop.payments.get(payment.payment_id)
    assert late.is_paid
    assert FlagKind.LATE in [flag.kind for flag in late.flags]
    shop.books_agree()


@pytest.mark.every_store
def test_an_open_request_is_cancelled(shop: SwishShop) -> None:
    payment = shop.bought()

    operation = shop.payments.cancel(payment.payment_id, operation_id="cancel:1")

    assert operation.outcome is Outcome.SUCCEEDED
    assert shop.payments.get(payment.payment_id).state is PaymentState.CANCELLED
    assert shop.told == ["payment.cancelled"]
    shop.deliver_callbacks()
    shop.books_agree()


def test_a_cancel_that_comes_after_the_payer_finds_the_money(shop: SwishShop) -> None:
    payment = shop.bought()
    shop.pay(payment)

    error = shop.tries(lambda: shop.payments.cancel(payment.payment_id, operation_id="cancel:1"))

    assert isinstance(error, Conflict)
    assert "captured" in str(error)
    assert shop.payments.operation("cancel:1").outcome is Outcome.NOT_ATTEMPTED
    assert shop.payments.observe(payment.payment_id).is_paid
    shop.books_agree()


def test_what_swish_cannot_do_is_refused_before_anything_is_written(shop: SwishShop) -> None:
    assert isinstance(shop.tries(lambda: shop.bought(description="Röksignal ☁")), InvalidOrder)
    assert shop.payments.find() == ()
    payment = shop.paid()
    error = shop.tries(lambda: shop.payments.capture(payment.payment_id, operation_id="capture:1"))
    assert isinstance(error, UnsupportedOperation)
    assert "refund" in str(error)


def test_a_second_request_to_the_same_phone_is_refused_and_can_be_repeated(shop: SwishShop) -> None:
    first = shop.bought("order:1", **by_phone())
    error = shop.tries(lambda: shop.bought("order:2", **by_phone()))
    assert error is not None
    assert "RP06" in str(error)
    assert "let the payer answer that one in the app, cancel it, or wait six minutes" in str(error)
    assert shop.payments.operation("order:2").outcome is Outcome.NOT_ATTEMPTED

    shop.payments.cancel(first.payment_id, operation_id="cancel:1")
    second = shop.bought("order:2", **by_phone())
    assert second.state is PaymentState.PENDING
    shop.books_agree()
