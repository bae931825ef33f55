"""A payment's ordinary life: created, paid, seen, captured, cancelled, refunded, updated."""

from __future__ import annotations

from typing import Any

import pytest

from prenopay import Action, CaptureMode, Instrument, OrderLine, Outcome, PageStyle, Payer, PaymentState
from prenopay.errors import Conflict, InvalidOrder, NotFound, RateLimited
from prenopay.testing.emulators.swedbankpay import Behaviour, PayerAnswer, TransactionKind
from prenopay.testing.faults import Fault, FaultKind
from prenopay.values.mandates import StoreMethod
from tests.behaviour.shop import CONSENT, READER, Shop, an_order, sek


@pytest.mark.every_store
def test_an_order_becomes_payable(shop: Shop) -> None:
    payment = shop.bought()

    assert payment.state is PaymentState.PENDING
    assert payment.amount == sek(11900)
    assert payment.redirect_url is not None
    assert payment.redirect_url.startswith("https://ecom.externalintegration.payex.com/")
    assert payment.allowed_actions == {Action.CANCEL, Action.UPDATE}
    assert not payment.is_paid
    assert shop.payments.get(payment.payment_id) == payment


@pytest.mark.every_store
def test_a_card_payment_is_reserved_captured_and_refunded_in_parts(shop: Shop) -> None:
    payment = shop.paid()
    assert payment.state is PaymentState.AUTHORIZED
    assert payment.instrument == Instrument.CARD
    assert not payment.is_paid

    captured = shop.payments.capture(payment.payment_id, operation_id="capture:1")
    assert captured.outcome is Outcome.SUCCEEDED
    assert captured.amount == sek(11900)
    for number, amount in ((1, 5000), (2, 6900)):
        refund = shop.payments.refund(payment.payment_id, sek(amount), operation_id=f"refund:{number}")
        assert refund.outcome is Outcome.SUCCEEDED

    payment = shop.payments.get(payment.payment_id)
    assert payment.state is PaymentState.CAPTURED
    assert payment.is_paid
    assert (payment.captured, payment.refunded) == (sek(11900), sek(11900))
    assert payment.allowed_actions == frozenset()
    assert shop.told == ["payment.authorized", "payment.captured", "payment.refunded", "payment.refunded"]
    shop.books_agree()


def test_swish_takes_the_money_at_once(shop: Shop) -> None:
    payment = shop.bought(instruments=(Instrument.SWISH,))
    shop.emulator.pay_by_swish(str(payment.provider_reference))

    payment = shop.payments.observe(payment.payment_id)

    assert payment.state is PaymentState.CAPTURED
    assert payment.is_paid
    assert payment.instrument == Instrument.SWISH
    assert shop.told == ["payment.authorized", "payment.captured"]
    assert [event.amount for event in shop.events] == [sek(11900), sek(11900)]
    shop.books_agree()


@pytest.mark.parametrize(
    "instrument",
    [
        Instrument.VIPPS,
        Instrument.MOBILEPAY,
        Instrument.APPLE_PAY,
        Instrument.GOOGLE_PAY,
        Instrument.CLICK_TO_PAY,
        Instrument.INVOICE,
    ],
)
def test_other_ways_to_pay_are_reserved_first(shop: Shop, instrument: Instrument) -> None:
    currencies = {Instrument.VIPPS: "NOK", Instrument.MOBILEPAY: "DKK"}
    amount = type(sek(1))(11900, currencies.get(instrument, "SEK"))
    payment = shop.bought(amount=amount, instruments=(instrument,))
    theirs = {"card": "CreditCard", "click_to_pay": "ClickToPay", "invoice": "Invoice-PayExFinancingSe"}
    name = theirs.get(instrument, {"vipps": "Vipps", "mobilepay": "MobilePay"}.get(instrument, ""))
    name = name or {"apple_pay": "ApplePay", "google_pay": "GooglePay"}[instrument]
    shop.emulator.pay_by(str(payment.provider_reference), name)

    payment = shop.payments.observe(payment.payment_id)

    assert payment.state is PaymentState.AUTHORIZED
    assert payment.instrument == instrument


def test_what_is_delivered_at_once_is_captured_at_once(shop: Shop) -> None:
    payment = shop.captured()

    assert payment.is_paid
    assert shop.told == ["payment.authorized", "payment.captured"]
    assert shop.events[-1].is_paid
    shop.books_agree()


def test_a_second_look_changes_and_reports_nothing(shop: Shop) -> None:
    payment = shop.captured()

    again = [shop.payments.observe(payment.payment_id) for _ in range(3)]

    assert {each.state for each in again} == {PaymentState.CAPTURED}
    assert shop.told == ["payment.authorized", "payment.captured"]


def test_captured_in_parts_and_the_rest_released(shop: Shop) -> None:
    payment = shop.paid()
    shop.payments.capture(payment.payment_id, sek(4000), operation_id="capture:1")
    shop.payments.capture(payment.payment_id, sek(3000), operation_id="capture:2")

    released = shop.payments.cancel(payment.payment_id, operation_id="cancel:1")

    assert released.outcome is Outcome.SUCCEEDED
    payment = shop.payments.get(payment.payment_id)
    assert payment.state is PaymentState.CAPTURED
    assert (payment.captured, payment.cancelled) == (sek(7000), sek(4900))
    assert not payment.is_paid
    shop.books_agree()


@pytest.mark.every_store
def test_a_reservation_is_released(shop: Shop) -> None:
    payment = shop.paid()

    shop.payments.cancel(payment.payment_id, operation_id="cancel:1")

    payment = shop.payments.get(payment.payment_id)
    assert payment.state is PaymentState.CANCELLED
    assert payment.cancelled == sek(11900)
    assert shop.told == ["payment.authorized", "payment.cancelled"]
    shop.books_agree()


def test_an_open_page_is_closed(shop: Shop) -> None:
    payment = shop.bought()

    assert shop.payments.cancel(payment.payment_id, operation_id="cancel:1").succeeded

    assert shop.payments.get(payment.payment_id).state is PaymentState.CANCELLED
    assert shop.told == ["payment.cancelled"]


def test_cancelling_twice_under_two_ids_is_no_error(shop: Shop) -> None:
    payment = shop.bought()
    shop.payments.cancel(payment.payment_id, operation_id="cancel:1")

    assert shop.payments.cancel(payment.payment_id, operation_id="cancel:2").succeeded


@pytest.mark.every_store
def test_an_open_order_is_changed_and_then_captured_as_changed(shop: Shop) -> None:
    payment = shop.bought(page=PageStyle.SEAMLESS, payment_page_url="https://shop.example/pay")
    lines = (OrderLine(name="Two months", reference="D2", amount=sek(20000), vat_percent=6),)

    assert shop.payments.update(payment.payment_id, operation_id="update:1", lines=lines).succeeded

    shop.pay(payment)
    payment = shop.payments.observe(payment.payment_id)
    assert payment.amount == sek(20000)
    assert shop.payments.capture(payment.payment_id, operation_id="capture:1").amount == sek(20000)
    assert shop.payments.order(payment.payment_id).lines == lines
    assert not shop.payments.get(payment.payment_id).flags
    shop.books_agree()


def test_a_seamless_page_is_a_value(shop: Shop) -> None:
    payment = shop.bought(page=PageStyle.SEAMLESS, payment_page_url="https://shop.example/pay")

    assert payment.seamless_view is not None
    assert payment.seamless_view.script_url.startswith("https://ecom.externalintegration.payex.com/")
    assert "https://*.payex.com" in payment.seamless_view.content_sources


def test_what_cannot_be_done_now_is_refused_with_what_can(shop: Shop) -> None:
    payment = shop.bought()

    error = shop.tries(lambda: shop.payments.capture(payment.payment_id, sek(100), operation_id="capture:1"))

    assert isinstance(error, Conflict)
    assert "cancel, update" in str(error)
    assert error.operation_id == "capture:1"
    assert shop.payments.operation("capture:1").outcome is Outcome.NOT_ATTEMPTED


def test_nothing_left_to_take_is_refused_here(shop: Shop) -> None:
    payment = shop.captured()

    assert isinstance(shop.tries(lambda: shop.payments.capture(payment.payment_id, operation_id="c")), Conflict)
    shop.payments.refund(payment.payment_id, operation_id="refund:1")
    assert isinstance(shop.tries(lambda: shop.payments.refund(payment.payment_id, operation_id="refund:2")), Conflict)


@pytest.mark.parametrize("verb", ["capture", "refund"])
def test_more_than_is_left_to_take_or_to_give_back_is_not_sent(shop: Shop, verb: str) -> None:
    payment = shop.paid() if verb == "capture" else shop.captured()
    change = getattr(shop.payments, verb)

    error = shop.tries(lambda: change(payment.payment_id, sek(11901), operation_id="much"))

    assert isinstance(error, InvalidOrder)
    assert (error.field, error.operation_id, error.payment_id) == ("amount", "much", payment.payment_id)
    assert isinstance(shop.tries(lambda: shop.payments.operation("much")), NotFound)
    assert change(payment.payment_id, sek(11900), operation_id="all").succeeded


def test_a_refund_of_what_nobody_has_paid_says_so(shop: Shop) -> None:
    payment = shop.bought()

    error = shop.tries(lambda: shop.payments.refund(payment.payment_id, operation_id="refund:1"))

    assert isinstance(error, Conflict)
    assert "nothing is captured" in str(error)
    assert "observe it" in str(error)
    assert error.operation_id == "refund:1"
    asked = shop.tries(lambda: shop.payments.refund(payment.payment_id, sek(100), operation_id="refund:2"))
    assert isinstance(asked, Conflict)
    assert "cancel the payment instead" in asked.advice


def test_a_cancel_of_taken_money_says_to_refund_it(shop: Shop) -> None:
    payment = shop.captured()

    error = shop.tries(lambda: shop.payments.cancel(payment.payment_id, operation_id="cancel:1"))

    assert isinstance(error, Conflict)
    assert error.advice == "the money was taken: refund it instead"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"description": "x" * 41}, "description"),
        ({"order_reference": "x" * 51}, "order_reference"),
        ({"metadata": {"id": "1"}}, "metadata"),
        ({"page": PageStyle.SEAMLESS}, "payment_page_url"),
    ],
)
def test_what_cannot_be_expressed_is_refused_before_anything_is_written(
    shop: Shop, change: dict[str, Any], field: str
) -> None:
    error = shop.tries(lambda: shop.payments.create(an_order(**change), operation_id="order:1"))

    assert isinstance(error, InvalidOrder)
    assert error.field == field
    assert shop.payments.find() == ()


@pytest.mark.every_store
def test_an_order_reference_finds_its_payments_newest_first(shop: Shop) -> None:
    made = []
    for number in range(3):
        made.append(shop.bought(f"order:{number}").payment_id)
        shop.later(seconds=1)

    assert [each.payment_id for each in shop.payments.find(order_reference="K-1001")] == made[::-1]
    assert [each.payment_id for each in shop.payments.find(after=made[2], limit=1)] == [made[1]]
    assert shop.payments.find(state=PaymentState.CAPTURED) == ()
    assert shop.payments.find(order_reference="K-1002") == ()


def test_a_payment_of_nobody_is_not_found(shop: Shop) -> None:
    assert isinstance(shop.tries(lambda: shop.payments.get("pay_none")), NotFound)
    assert isinstance(shop.tries(lambda: shop.payments.operation("none")), NotFound)


def test_failed_tries_of_the_payer_are_seen_with_their_declines(shop: Shop) -> None:
    payment = shop.bought()
    shop.pay(payment, answer=PayerAnswer.CANCEL, pan="4761739001010416")

    payment = shop.payments.observe(payment.payment_id)
    assert payment.state is PaymentState.PENDING
    assert payment.decline is not None
    assert payment.decline.code == "cancelled_by_payer"
    assert shop.told == ["payment.attempt_declined"]

    shop.pay(payment)
    assert shop.payments.observe(payment.payment_id).state is PaymentState.AUTHORIZED
    assert shop.told == ["payment.attempt_declined", "payment.authorized"]


def test_vat_of_part_refunds_adds_up_to_the_orders(shop: Shop) -> None:
    payment = shop.captured()
    for number, amount in enumerate((3333, 3333, 5234)):
        shop.payments.refund(payment.payment_id, sek(amount), operation_id=f"refund:{number}")

    sent = vat_sent(shop, "refund")

    assert len(sent) == 3
    assert sum(sent) == 674
    shop.books_agree()


def vat_sent(shop: Shop, what: str) -> list[int]:
    """Return the VAT of each capture or refund as the gateway has it."""
    kinds = {"capture": TransactionKind.CAPTURE, "refund": TransactionKind.REVERSAL}
    return [
        each.vat_amount for order in shop.emulator.orders for each in order.transactions if each.kind is kinds[what]
    ]


def test_the_rest_has_the_vat_of_the_lines_that_were_not_taken(shop: Shop) -> None:
    paper = OrderLine(name="Paper", reference="P1", amount=sek(24400), vat_percent=6)
    stamp = OrderLine(name="Postage", reference="S1", amount=sek(600), vat_percent=25)
    payment = shop.paid(amount=sek(25000), lines=(paper, stamp))
    shop.payments.capture(payment.payment_id, operation_id="capture:1", lines=(paper,))
    shop.payments.capture(payment.payment_id, operation_id="capture:2")
    assert vat_sent(shop, "capture") == [1381, 120]

    shop.payments.refund(payment.payment_id, operation_id="refund:1", lines=(stamp,))
    shop.payments.refund(payment.payment_id, sek(12200), operation_id="refund:2")
    shop.payments.refund(payment.payment_id, operation_id="refund:3")
    refunded = vat_sent(shop, "refund")
    assert (refunded[0], sum(refunded)) == (120, 1501)
    assert set(refunded[1:]) == {690, 691}
    shop.books_agree()


def test_lines_with_a_vat_that_the_order_cannot_have_left_are_refused(shop: Shop) -> None:
    payment = shop.paid()
    dear = OrderLine(name="Postage", amount=sek(11900), vat_percent=25)
    error = shop.tries(lambda: shop.payments.capture(payment.payment_id, operation_id="capture:1", lines=(dear,)))
    assert isinstance(error, InvalidOrder)
    assert error.field == "lines"
    assert vat_sent(shop, "capture") == []


def test_lines_that_the_gateway_does_not_take_are_refused_before_anything_is_sent(shop: Shop) -> None:
    bare, paper = shop.paid(lines=()), OrderLine(name="Paper", amount=sek(11900), vat_percent=6)
    opened = shop.bought("order:2")
    sent = len(shop.emulator.transcript.seen)
    for act in (
        lambda: shop.payments.capture(bare.payment_id, operation_id="capture:1", lines=(paper,)),
        lambda: shop.payments.update(opened.payment_id, sek(100), operation_id="update:1"),
    ):
        error = shop.tries(act)
        assert isinstance(error, InvalidOrder)
        assert error.field == "lines"
    assert len(shop.emulator.transcript.seen) == sent
    assert shop.payments.capture(bare.payment_id, sek(100), operation_id="capture:2").succeeded

    assert shop.payments.update(opened.payment_id, operation_id="update:2", lines=(paper,)).succeeded


def test_lines_that_an_update_brought_can_be_captured(shop: Shop) -> None:
    opened, paper = shop.bought(lines=()), OrderLine(name="Paper", amount=sek(11900), vat_percent=6)
    shop.payments.update(opened.payment_id, operation_id="update:1", lines=(paper,))
    shop.emulator.pay_by_card(opened.provider_reference or "")
    shop.payments.observe(opened.payment_id)
    assert shop.payments.capture(opened.payment_id, operation_id="capture:1", lines=(paper,)).succeeded


def test_a_whole_order_is_captured_and_refunded_where_items_are_required(shop: Shop) -> None:
    shop.emulator.behaviour = Behaviour(items_are_required=True)
    payment = shop.captured()
    assert payment.captured == sek(11900)
    assert shop.payments.refund(payment.payment_id, operation_id="refund:1").succeeded


def test_parts_whose_lines_round_differently_add_up_to_the_vat_of_the_order(shop: Shop) -> None:
    payment = shop.captured()
    for number, amount in enumerate((4000, 4000, 3900)):
        lines = (OrderLine(name="Part", amount=sek(amount), vat_percent=6),)
        assert shop.payments.refund(payment.payment_id, operation_id=f"refund:{number}", lines=lines).succeeded
    assert vat_sent(shop, "refund") == [226, 226, 222]


@pytest.mark.parametrize("change", ["capture", "refund", "update"])
def test_an_amount_of_an_order_that_only_stores_is_refused(shop: Shop, change: str) -> None:
    order = an_order(amount=sek(0), lines=(), payer=READER, store=StoreMethod(consent=CONSENT))
    payment = shop.payments.create(order, operation_id="verify:1")
    change_it = getattr(shop.payments, change)
    error = shop.tries(lambda: change_it(payment.payment_id, sek(100), operation_id=f"{change}:1"))
    assert isinstance(error, InvalidOrder)
    assert error.field == "amount"


@pytest.mark.every_store
def test_the_timeline_shows_the_whole_story(shop: Shop) -> None:
    payment = shop.captured()
    shop.payments.refund(payment.payment_id, operation_id="refund:1")

    kinds = [entry.kind for entry in shop.payments.timeline(payment.payment_id)]

    for kind in ("operation.create", "movement.authorization", "movement.capture", "operation.refund.succeeded"):
        assert kind in kinds
    times = [entry.at for entry in shop.payments.timeline(payment.payment_id)]
    assert sorted(times) == times


@pytest.mark.every_store
def test_a_payer_can_be_forgotten_and_the_money_stays(shop: Shop) -> None:
    payment = shop.captured(payer=Payer(reference="reader-8f3a"))
    shop.payments.erase_payer(payment.payment_id)

    assert shop.payments.order(payment.payment_id).payer is None
    assert shop.payments.get(payment.payment_id).captured == sek(11900)


def test_money_of_a_forgotten_payer_is_taken(shop: Shop) -> None:
    payment = shop.bought(payer=READER, store=StoreMethod(consent=CONSENT), capture=CaptureMode.AUTOMATIC)
    shop.payments.erase_payer(payment.payment_id)

    assert shop.payments.update(payment.payment_id, operation_id="update:1", lines=an_order().lines).succeeded
    shop.pay(payment)
    assert shop.accounts.sweep().failures == ()
    shop.later(hours=1)
    assert shop.accounts.sweep().failures == ()

    assert shop.payments.get(payment.payment_id).is_paid
    assert shop.payments.order(payment.payment_id).payer == Payer(reference="erased")


def test_a_payer_is_not_forgotten_while_their_order_may_be_sent_again(shop: Shop) -> None:
    shop.emulator.faults.add(Fault(kind=FaultKind.DROP_AFTER))
    shop.tries(lambda: shop.bought(payer=READER))
    (payment,) = shop.payments.find()

    error = shop.tries(lambda: shop.payments.erase_payer(payment.payment_id))

    assert isinstance(error, Conflict)
    assert shop.payments.order(payment.payment_id).payer == READER
    shop.later(hours=1)
    shop.payments.resolve("order:1")
    shop.payments.erase_payer(payment.payment_id)
    assert shop.payments.order(payment.payment_id).payer is None


def test_a_payer_who_is_named_again_is_known_again(shop: Shop) -> None:
    order = an_order(payer=READER, store=StoreMethod(consent=CONSENT))
    shop.emulator.faults.add(Fault(kind=FaultKind.STATUS_BEFORE, status=429, times=9))
    assert isinstance(shop.tries(lambda: shop.payments.create(order, operation_id="order:1")), RateLimited)
    shop.emulator.faults.clear()
    (payment,) = shop.payments.find()
    shop.payments.erase_payer(payment.payment_id)
    shop.emulator.faults.add(Fault(kind=FaultKind.DROP_BEFORE))
    shop.tries(lambda: shop.payments.create(order, operation_id="order:1"))

    shop.later(hours=1)
    shop.payments.resolve("order:1")

    assert shop.payments.order(payment.payment_id).payer == READER
    assert "erased" not in str(shop.emulator.transcript.calls("create")[-1])


def test_an_order_comes_back_as_it_was_given(shop: Shop) -> None:
    order = an_order(capture=CaptureMode.AUTOMATIC, metadata={"issue": 47, "paper": True})
    payment = shop.payments.create(order, operation_id="order:1")

    assert shop.payments.order(payment.payment_id) == order
