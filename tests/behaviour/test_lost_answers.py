"""Never twice, never lost: answers that do not come, and how the same call, ``resolve`` and the sweep settle them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from prenopay import OrderLine, Outcome, PageStyle, Payer, Payment, PaymentState, Secret
from prenopay.books import identity, ids
from prenopay.books.engine import open_engine
from prenopay.errors import IdReused, NotSent, OutcomeUnknown, ProviderUnavailable, UnexpectedAnswer
from prenopay.providers.swedbankpay import ReferenceFormat
from prenopay.testing.emulators.swedbankpay import (
    DEFAULT_PAYEE_ID,
    AsynchronousReversal,
    DuplicateAnswer,
    Merchant,
    ReferenceFormat as MerchantFormat,
    SwedbankPayEmulator,
)
from prenopay.testing.faults import Fault, FaultBody, FaultKind
from tests.behaviour.shop import Shop, an_order, sek, transaction

LOST = [
    pytest.param(Fault(kind=FaultKind.DROP_BEFORE), id="lost before"),
    pytest.param(Fault(kind=FaultKind.DROP_AFTER), id="lost after"),
    pytest.param(Fault(kind=FaultKind.HALF_BODY), id="half an answer"),
    pytest.param(Fault(kind=FaultKind.DELAY, seconds=60), id="too late"),
    pytest.param(Fault(kind=FaultKind.STATUS_BEFORE, status=502, body=FaultBody.HTML), id="502 before"),
    pytest.param(Fault(kind=FaultKind.STATUS_AFTER, status=500, body=FaultBody.EMPTY), id="500 after"),
    pytest.param(Fault(kind=FaultKind.STATUS_AFTER, status=200, body=FaultBody.HTML), id="200 that is HTML"),
]
ENDS = LOST[:2]
"""Lost on the way to the gateway, and lost on the way back. One call of each kind meets every other loss."""
OPEN_ERRORS = (OutcomeUnknown, ProviderUnavailable, UnexpectedAnswer)

Change = Callable[[Shop, Payment], Any]
CHANGES: dict[str, tuple[Callable[[Shop], Payment], Change]] = {
    "capture": (Shop.paid, lambda shop, payment: shop.payments.capture(payment.payment_id, operation_id="it")),
    "reversal": (Shop.captured, lambda shop, payment: shop.payments.refund(payment.payment_id, operation_id="it")),
    "cancel": (Shop.paid, lambda shop, payment: shop.payments.cancel(payment.payment_id, operation_id="it")),
    "abort": (Shop.bought, lambda shop, payment: shop.payments.cancel(payment.payment_id, operation_id="it")),
    "update": (
        lambda shop: shop.bought(page=PageStyle.SEAMLESS, payment_page_url="https://shop.example/pay"),
        lambda shop, payment: shop.payments.update(
            payment.payment_id,
            operation_id="it",
            lines=(OrderLine(name="Less", amount=sek(9900), vat_percent=6),),
        ),
    ),
}


def test_a_look_up_that_is_refused_for_its_key_settles_nothing(shop: Shop, open_shop: Callable[..., Shop]) -> None:
    payment = shop.captured()
    shop.emulator.faults.add(Fault(kind=FaultKind.DROP_AFTER, call="reversal", times=9))
    shop.tries(lambda: shop.payments.refund(payment.payment_id, operation_id="it"))
    shop.emulator.faults.clear()
    shop.clock.advance(timedelta(minutes=20))

    stranger = open_shop(emulator=shop.emulator, access_token=Secret("a-key-that-was-taken-back"))
    stranger.tries(lambda: stranger.payments.refund(payment.payment_id, operation_id="it"))

    assert shop.payments.operation("it").outcome is Outcome.UNKNOWN


LOST_CHANGES = [
    pytest.param(call, *fault.values, id=f"{call}, {fault.id}")
    for call in CHANGES
    for fault in (LOST if call == "capture" else ENDS)
]


@pytest.mark.parametrize(("call", "fault"), LOST_CHANGES)
def test_a_change_without_an_answer_is_unknown_and_then_found_out(shop: Shop, call: str, fault: Fault) -> None:
    begin, change = CHANGES[call]
    payment = begin(shop)
    shop.emulator.faults.add(replace(fault, call=call, method="PATCH" if call in {"abort", "update"} else "POST"))

    assert change(shop, payment).outcome is Outcome.UNKNOWN
    shop.later(minutes=2)
    again = change(shop, payment)

    assert again.outcome is Outcome.SUCCEEDED
    assert len([each for each in shop.emulator.transcript.seen if each.call == call and each.method != "GET"]) <= 2
    shop.books_agree()


@pytest.mark.parametrize("fault", ENDS)
@pytest.mark.parametrize("call", CHANGES)
def test_the_sweep_finds_out_too(shop: Shop, call: str, fault: Fault) -> None:
    begin, change = CHANGES[call]
    payment = begin(shop)
    shop.emulator.faults.add(replace(fault, call=call, method="PATCH" if call in {"abort", "update"} else "POST"))
    change(shop, payment)

    shop.later(minutes=2)
    report = shop.accounts.sweep()

    assert report.failures == ()
    assert shop.payments.operation("it").outcome is Outcome.SUCCEEDED
    shop.books_agree()


LOST_CREATES = [
    pytest.param(*fault.values, answer, id=f"{fault.id}, {answer.value}")
    for answer in DuplicateAnswer
    for fault in (LOST if answer is next(iter(DuplicateAnswer)) else LOST[1:2])
]


@pytest.mark.parametrize(("fault", "answer"), LOST_CREATES)
def test_a_create_without_an_answer_is_repeated_until_one_page_is_payable(
    shop: Shop,
    fault: Fault,
    answer: DuplicateAnswer,
) -> None:
    shop.emulator.behaviour = replace(shop.emulator.behaviour, duplicate_reference=answer)
    shop.emulator.faults.add(replace(fault, call="create"))

    assert isinstance(shop.tries(shop.bought), OPEN_ERRORS)
    (unknown,) = shop.payments.find()
    assert unknown.state is PaymentState.UNKNOWN
    payment = shop.bought()

    assert payment.payment_id == unknown.payment_id
    assert payment.state is PaymentState.PENDING
    shop.pay(payment)
    assert shop.payments.observe(payment.payment_id).state is PaymentState.AUTHORIZED
    assert len(shop.payments.find()) == 1
    shop.books_agree()


def test_what_certainly_did_not_leave_is_not_attempted_and_may_be_repeated(shop: Shop) -> None:
    payment = shop.paid()
    shop.emulator.faults.add(Fault(kind=FaultKind.REFUSE, call="capture", times=20))

    error = shop.tries(lambda: shop.payments.capture(payment.payment_id, operation_id="capture:1"))

    assert isinstance(error, NotSent)
    assert shop.payments.operation("capture:1").outcome is Outcome.NOT_ATTEMPTED
    shop.emulator.faults.clear()
    assert shop.payments.capture(payment.payment_id, operation_id="capture:1").succeeded
    shop.books_agree()


def test_the_rest_is_computed_again_if_nothing_was_attempted(shop: Shop) -> None:
    payment = shop.captured()
    shop.emulator.faults.add(Fault(kind=FaultKind.REFUSE, call="reversal", times=20))
    assert isinstance(shop.tries(lambda: shop.payments.refund(payment.payment_id, operation_id="refund:all")), NotSent)
    shop.emulator.faults.clear()
    shop.payments.refund(payment.payment_id, sek(3400), operation_id="refund:part")

    rest = shop.payments.refund(payment.payment_id, operation_id="refund:all")

    assert (rest.outcome, rest.amount) == (Outcome.SUCCEEDED, sek(payment.amount.minor - 3400))
    assert shop.payments.get(payment.payment_id).refunded == payment.amount
    shop.books_agree()


def test_what_did_not_leave_is_sent_again_by_itself(shop: Shop) -> None:
    shop.emulator.faults.add(Fault(kind=FaultKind.REFUSE, times=2))

    assert shop.bought().state is PaymentState.PENDING


def test_a_read_is_repeated_by_itself(shop: Shop) -> None:
    payment = shop.bought()
    shop.pay(payment)
    shop.emulator.faults.add(Fault(kind=FaultKind.DROP_AFTER, method="GET", times=2))

    assert shop.payments.observe(payment.payment_id).state is PaymentState.AUTHORIZED


@pytest.mark.every_store
def test_while_the_look_up_fails_nothing_is_sent_and_nothing_settled(shop: Shop) -> None:
    payment = shop.paid()
    shop.emulator.faults.add(Fault(kind=FaultKind.DROP_AFTER, call="capture", method="POST"))
    shop.payments.capture(payment.payment_id, operation_id="capture:1")
    shop.emulator.faults.add(Fault(kind=FaultKind.REFUSE, method="GET", times=50))
    shop.later(minutes=2)

    for _ in range(3):
        shop.tries(lambda: shop.payments.resolve("capture:1"))
        assert shop.payments.operation("capture:1").outcome is Outcome.UNKNOWN
        shop.later(hours=12)

    shop.emulator.faults.clear()
    assert shop.payments.resolve("capture:1").outcome is Outcome.SUCCEEDED
    shop.books_agree()


def test_while_one_outcome_is_unknown_no_other_change_is_begun(shop: Shop) -> None:
    payment = shop.paid()
    shop.emulator.faults.add(Fault(kind=FaultKind.DROP_BEFORE, call="capture", method="POST"))
    shop.payments.capture(payment.payment_id, sek(5000), operation_id="capture:1")

    error = shop.tries(lambda: shop.payments.capture(payment.payment_id, sek(5000), operation_id="capture:2"))

    assert "capture:1" in str(error)
    assert "resolve" in str(error)


def test_a_change_the_gateway_never_got_and_that_is_impossible_now_is_settled_as_not_attempted(shop: Shop) -> None:
    payment = shop.paid()
    shop.emulator.faults.add(Fault(kind=FaultKind.DROP_BEFORE, call="capture", method="POST"))
    shop.payments.capture(payment.payment_id, operation_id="capture:1")
    shop.by_hand("POST", f"{payment.provider_reference}/cancellations", transaction(payeeReference="BYHAND1"))

    shop.later(minutes=2)
    shop.tries(lambda: shop.payments.resolve("capture:1"))
    assert shop.payments.operation("capture:1").outcome is Outcome.UNKNOWN, "the first try may still be on its way"
    shop.later(minutes=20)
    shop.tries(lambda: shop.payments.resolve("capture:1"))

    assert shop.payments.operation("capture:1").outcome is Outcome.NOT_ATTEMPTED
    shop.payments.observe(payment.payment_id)
    shop.books_agree()


def database_id(database: str) -> str:
    engine = open_engine(database)
    try:
        with engine.begin() as connection:
            return identity.database_id(connection)
    finally:
        engine.dispose()


FORMATS = {
    ReferenceFormat.ALPHANUMERIC_30: MerchantFormat.SETTLED_BY_GATEWAY,
    ReferenceFormat.ALPHANUMERIC_50: MerchantFormat.LONG,
    ReferenceFormat.DIGITS_12: MerchantFormat.SETTLED_BY_OWN_ACQUIRER,
}


@pytest.mark.parametrize("answer", DuplicateAnswer)
@pytest.mark.parametrize("rule", ReferenceFormat)
def test_a_reference_that_another_system_used_is_replaced(
    open_shop: Callable[..., Shop],
    answer: DuplicateAnswer,
    rule: ReferenceFormat,
) -> None:
    """Another system of the same merchant uses the reference that our operations derive, by chance."""
    emulator = SwedbankPayEmulator(merchants=[Merchant(reference_format=FORMATS[rule])])
    shop = open_shop(emulator=emulator, reference_format=rule)
    shop.emulator.behaviour = replace(shop.emulator.behaviour, duplicate_reference=answer)
    other = shop.bought("order:other")
    world = f"{database_id(shop.database)}\n{DEFAULT_PAYEE_ID.lower()}"
    taken = {name: ids.reference(rule.value, world, "cards", name, 1) for name in ("order:1", "capture:1")}
    shop.pay(other)
    for number, reference in enumerate(taken.values(), start=1):
        body = transaction(amount=number, vatAmount=0, payeeReference=reference)
        shop.by_hand("POST", f"{other.provider_reference}/captures", body)

    payment = shop.paid("order:1")
    capture = shop.payments.capture(payment.payment_id, operation_id="capture:1")
    assert capture.outcome is Outcome.UNKNOWN, "someone on the way may have sent it twice"
    shop.later(minutes=20)
    shop.accounts.sweep()
    assert shop.payments.operation("capture:1").outcome is Outcome.NOT_ATTEMPTED
    capture = shop.payments.capture(payment.payment_id, operation_id="capture:1")

    assert capture.outcome is Outcome.SUCCEEDED
    assert capture.reference not in taken.values()
    assert shop.payments.operation("order:1").reference != taken["order:1"]
    assert shop.payments.get(payment.payment_id).is_paid


def test_the_same_id_for_something_else_is_refused(shop: Shop) -> None:
    shop.bought("order:1")

    error = shop.tries(lambda: shop.payments.create(an_order(amount=sek(100)), operation_id="order:1"))

    assert isinstance(error, IdReused)
    assert error.operation_id == "order:1"


def test_the_error_about_a_corrected_order_names_the_fields_and_a_new_id(shop: Shop) -> None:
    shop.payments.create(an_order(payer=Payer(reference="R-77", email="a@shop.example")), operation_id="order:1")
    corrected = an_order(payer=Payer(reference="R-77", email="b@shop.example"), description="Two months")

    error = shop.tries(lambda: shop.payments.create(corrected, operation_id="order:1"))

    expected = (
        "operation id 'order:1' was used before for another create (these differ: description, payer.email); "
        "repeat that call unchanged, or give this one a new id, such as 'order:1:2'"
    )
    assert str(error) == expected
    assert shop.payments.create(corrected, operation_id="order:1:2").state is PaymentState.PENDING


def test_of_an_erased_payer_the_error_knows_nothing(shop: Shop) -> None:
    payer = Payer(reference="R-77", email="a@shop.example")
    payment = shop.payments.create(an_order(payer=payer), operation_id="order:1")
    shop.payments.erase_payer(payment.payment_id)

    error = shop.tries(lambda: shop.payments.create(an_order(payer=payer, amount=sek(100)), operation_id="order:1"))

    assert "(these differ: amount, lines);" in str(error)


def test_an_id_of_another_kind_of_operation_is_named_as_that(shop: Shop) -> None:
    payment = shop.captured("order:1")
    shop.payments.refund(payment.payment_id, sek(100), operation_id="one-id")

    error = shop.tries(lambda: shop.bought("one-id"))

    assert "was used before for another operation (refund); repeat" in str(error)


def test_the_same_id_for_the_same_thing_is_the_same_payment(shop: Shop) -> None:
    first, second = shop.bought("order:1"), shop.bought("order:1")

    assert first == second
    assert len(shop.emulator.orders) == 1


def test_a_finished_change_is_answered_from_the_books(shop: Shop) -> None:
    payment = shop.paid()
    first = shop.payments.capture(payment.payment_id, operation_id="capture:1")
    seen = len(shop.emulator.transcript.seen)

    assert shop.payments.capture(payment.payment_id, operation_id="capture:1") == first
    assert len(shop.emulator.transcript.seen) == seen


@pytest.mark.parametrize("succeeds", [True, False])
def test_a_lost_refund_that_is_under_way_for_days_is_neither_forgotten_nor_sent_again(
    shop: Shop,
    succeeds: bool,  # noqa: FBT001 - a case
) -> None:
    payment = shop.captured()
    slow = AsynchronousReversal(succeeds=succeeds)
    shop.emulator.behaviour = replace(shop.emulator.behaviour, asynchronous_reversal=slow)
    shop.emulator.faults.add(Fault(kind=FaultKind.DROP_AFTER, call="reversal", times=9))
    shop.tries(lambda: shop.payments.refund(payment.payment_id, sek(5000), operation_id="refund:1"))
    shop.emulator.faults.clear()
    sent = len(shop.emulator.transcript.calls("reversal"))

    for _look in range(3):
        shop.later(hours=12)
        shop.accounts.sweep()
        assert shop.payments.operation("refund:1").outcome is Outcome.UNKNOWN
        error = shop.tries(lambda: shop.payments.refund(payment.payment_id, sek(9000), operation_id="refund:2"))
        assert error is not None, "money that may be under way is not given back twice"
    for _look in range(3):
        shop.later(days=1)
        shop.accounts.sweep()

    expected = Outcome.SUCCEEDED if succeeds else Outcome.DECLINED
    assert shop.payments.operation("refund:1").outcome is expected
    assert len(shop.emulator.transcript.calls("reversal")) == sent
    shop.books_agree()


def test_a_lost_order_that_a_person_found_is_settled_though_nobody_has_paid_it(shop: Shop) -> None:
    shop.emulator.faults.add(Fault(kind=FaultKind.DROP_AFTER, call="create", times=3))
    shop.tries(shop.bought)
    shop.later(minutes=15)
    found = shop.emulator.orders[-1]

    settled = shop.payments.settle_by_hand("order:1", provider_reference=found.id, person="Siv", reason="the portal")

    assert settled.outcome is Outcome.SUCCEEDED
    assert shop.payments.open_operations() == ()
    assert shop.bought().provider_reference == found.id
