"""What should not happen but does: other amounts, other orders, unknown words, two payments of one order."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from prenopay import Action, CaptureMode, EventKind, FlagKind, OrderLine, Outcome, PageStyle, PaymentState
from prenopay.errors import Conflict, Quarantined
from prenopay.testing.emulators.swedbankpay import AWKWARD, PayerAnswer
from prenopay.testing.faults import Fault, FaultKind
from tests.behaviour.shop import Rewriter, Shop, an_order, sek


def test_a_gateway_order_of_another_amount_is_quarantined_until_it_matches_again(shop: Shop) -> None:
    payment = shop.bought(page=PageStyle.SEAMLESS, payment_page_url="https://shop.example/pay")
    changed = {"paymentorder": {"operation": "UpdateOrder", "amount": 100, "vatAmount": 0, "orderItems": [_item(100)]}}
    shop.by_hand("PATCH", str(payment.provider_reference), changed)
    shop.pay(payment)

    seen = shop.payments.observe(payment.payment_id)

    assert seen.quarantined
    assert not seen.is_paid
    assert seen.allowed_actions == frozenset()
    assert [flag.kind for flag in seen.flags] == [FlagKind.MISMATCH]
    assert "1.00 SEK" in seen.flags[0].detail
    error = shop.tries(lambda: shop.payments.capture(payment.payment_id, operation_id="capture:1"))
    assert isinstance(error, Quarantined)
    assert shop.told == ["payment.flagged"]


@pytest.mark.parametrize("member", ["payeeReference", "orderReference"])
def test_an_answer_that_has_another_reference_is_not_believed(rewriting: tuple[Shop, Rewriter], member: str) -> None:
    shop, between = rewriting
    payment = shop.bought()
    shop.pay(payment)
    ours = re.compile(rb'("%s"\s*:\s*")[^"]+' % member.encode())
    between.rewrite = lambda _request, answer: replace(answer, body=ours.sub(rb"\1OTHER", answer.body))

    seen = shop.payments.observe(payment.payment_id)

    assert (seen.is_paid, seen.authorized.minor, shop.told) == (False, 0, ["payment.flagged"])
    assert [flag.kind for flag in seen.flags] == [FlagKind.FOREIGN_ANSWER]


def _item(amount: int) -> dict[str, object]:
    return {
        "reference": "1",
        "name": "Something",
        "type": "PRODUCT",
        "class": "none",
        "quantity": 1,
        "quantityUnit": "pcs",
        "unitPrice": amount,
        "vatPercent": 0,
        "amount": amount,
        "vatAmount": 0,
    }


@pytest.mark.parametrize(
    ("behaviour", "due", "authorized", "is_paid"),
    [
        ({"fee_amount": 1900}, 13800, 13800, True),
        ({"discount_amount": 900}, 11000, 11000, True),
        ({"approved_amount": 5000}, 11900, 5000, False),
    ],
)
def test_another_amount_than_asked_is_flagged(
    shop: Shop,
    behaviour: dict[str, Any],
    due: int,
    authorized: int,
    is_paid: bool,  # noqa: FBT001
) -> None:
    shop.emulator.behaviour = replace(shop.emulator.behaviour, **behaviour)

    payment = shop.captured()

    assert (payment.due, payment.authorized, payment.captured) == (sek(due), sek(authorized), sek(authorized))
    assert payment.is_paid is is_paid
    assert [flag.kind for flag in payment.flags] == [FlagKind.ADJUSTED]
    shop.books_agree()


@pytest.mark.parametrize(("behaviour", "due"), [({"fee_amount": 1900}, 26900), ({"discount_amount": 900}, 24100)])
def test_an_order_that_was_changed_unheard_and_adjusted_on_the_page_is_reported_as_paid(
    shop: Shop, behaviour: dict[str, Any], due: int
) -> None:
    shop.emulator.behaviour = replace(shop.emulator.behaviour, **behaviour)
    payment = shop.bought(capture=CaptureMode.AUTOMATIC)
    shop.emulator.faults.add(Fault(kind=FaultKind.DROP_AFTER, call="update"))
    lines = (OrderLine(name="Two months", amount=sek(25000), vat_percent=6),)
    assert shop.payments.update(payment.payment_id, operation_id="update:1", lines=lines).outcome is Outcome.UNKNOWN
    shop.emulator.pay_by_swish(str(payment.provider_reference))
    shop.payments.observe(payment.payment_id)

    (captured,) = (event for event in shop.events if event.kind is EventKind.CAPTURED)
    assert (captured.amount, captured.is_paid) == (sek(due), True)
    assert shop.payments.get(payment.payment_id).due == sek(due)
    shop.books_agree()


def test_two_payments_of_one_order_are_both_kept_and_the_second_flagged(shop: Shop) -> None:
    first, second = shop.captured("order:1:1"), shop.captured("order:1:2")

    assert first.flags == ()
    assert [flag.kind for flag in second.flags] == [FlagKind.PAID_TWICE]
    assert first.payment_id in second.flags[0].detail
    assert shop.payments.refund(second.payment_id, operation_id="refund:1").succeeded
    shop.books_agree()


def test_a_second_payment_after_the_first_was_refunded_is_not_flagged(shop: Shop) -> None:
    first = shop.captured("order:1:1")
    shop.payments.refund(first.payment_id, operation_id="refund:1")

    assert shop.captured("order:1:2").flags == ()


def test_two_tabs_with_one_order_pay_once(shop: Shop) -> None:
    payment, same = shop.bought(), shop.bought()
    assert payment.redirect_url == same.redirect_url
    shop.pay(payment)

    with pytest.raises(Exception, match="Paid"):
        shop.pay(same)

    assert shop.payments.observe(payment.payment_id).authorized == sek(11900)


def test_a_status_nobody_knows_means_still_open(shop: Shop) -> None:
    payment = shop.bought()
    shop.emulator.behaviour = replace(shop.emulator.behaviour, unknown_status="Frobnicated")

    seen = shop.payments.observe(payment.payment_id)

    assert seen.state is PaymentState.PENDING
    assert [flag.kind for flag in seen.flags] == [FlagKind.UNREADABLE_STATUS]
    assert "Frobnicated" in seen.flags[0].detail
    shop.emulator.behaviour = replace(shop.emulator.behaviour, unknown_status="")
    shop.pay(payment)
    assert shop.payments.observe(payment.payment_id).state is PaymentState.AUTHORIZED


@pytest.mark.parametrize("how", ["replace", "expire"])
def test_a_page_that_was_paid_is_not_closed_by_releasing_the_money(shop: Shop, how: str) -> None:
    """No callback has said that it was paid, or only in words that nobody knows: reserved money stays reserved."""
    payment = shop.bought()
    shop.pay(payment)
    shop.emulator.behaviour = replace(shop.emulator.behaviour, unknown_status="Frobnicated")
    shop.later(days=29)
    close: dict[str, Callable[[], Any]] = {
        "replace": lambda: shop.payments.replace(payment.payment_id, an_order(), operation_id="order:2"),
        "expire": lambda: shop.payments.expire(payment.payment_id),
    }

    assert isinstance(shop.tries(close[how]), Conflict)

    (totals,) = shop.emulator.books().values()
    assert (totals.authorized, totals.cancelled) == (payment.amount.minor, 0)
    shop.emulator.behaviour = replace(shop.emulator.behaviour, unknown_status="")
    assert shop.payments.observe(payment.payment_id).state is PaymentState.AUTHORIZED
    shop.books_agree()


def test_an_unknown_status_never_undoes_money(shop: Shop) -> None:
    payment = shop.captured()
    shop.emulator.behaviour = replace(shop.emulator.behaviour, unknown_status="Frobnicated")

    seen = shop.payments.observe(payment.payment_id)

    assert (seen.state, seen.captured) == (PaymentState.CAPTURED, sek(11900))


def test_everything_awkward_at_once_changes_nothing(shop: Shop) -> None:
    shop.emulator.behaviour = AWKWARD
    payment = shop.captured()
    assert payment.is_paid

    refund = shop.payments.refund(payment.payment_id, sek(100), operation_id="refund:1")

    assert refund.outcome is Outcome.SUCCEEDED
    assert not shop.payments.get(payment.payment_id).flags
    shop.books_agree()


def test_while_the_payer_is_inside_an_app_the_page_cannot_be_closed(shop: Shop) -> None:
    payment = shop.bought()
    shop.emulator.pay_by_swish(str(payment.provider_reference), answer=PayerAnswer.LEAVE)

    error = shop.tries(lambda: shop.payments.cancel(payment.payment_id, operation_id="cancel:1"))

    assert "cancel is not possible now" in str(error)
    assert Action.CANCEL not in shop.payments.observe(payment.payment_id).allowed_actions
    assert shop.payments.operation("cancel:1").outcome is Outcome.NOT_ATTEMPTED
    shop.later(minutes=4)
    assert shop.payments.cancel(payment.payment_id, operation_id="cancel:1").succeeded


def test_a_swish_refund_whose_total_lags_is_not_undone(shop: Shop) -> None:
    payment = shop.bought()
    shop.emulator.pay_by_swish(str(payment.provider_reference))
    shop.payments.observe(payment.payment_id)

    shop.payments.refund(payment.payment_id, sek(900), operation_id="refund:1")

    assert shop.payments.get(payment.payment_id).refunded == sek(900)
    assert shop.payments.observe(payment.payment_id).refunded == sek(900)
    assert not shop.payments.get(payment.payment_id).flags
    shop.books_agree()


MAGIC = {
    900313: "invalid_amount",
    900330: "declined",
    900334: "suspected_fraud",
    900343: "card_blocked",
    900351: "declined",
    900354: "card_expired",
    900359: "suspected_fraud",
    900361: "insufficient_funds",
    900362: "declined",
    900391: "unavailable",
    952400: "do_not_retry",
}


@pytest.mark.parametrize(("amount", "code"), MAGIC.items())
def test_documented_declines_are_read(shop: Shop, amount: int, code: str) -> None:
    payment = shop.bought(amount=sek(amount))
    shop.pay(payment)

    seen = shop.payments.observe(payment.payment_id)

    assert seen.state is PaymentState.PENDING
    assert seen.decline is not None
    assert seen.decline.code == code
    assert shop.events[-1].decline == seen.decline
