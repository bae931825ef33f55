"""The payer at the Swedbank Pay emulator: cards, 3-D Secure, Swish, other ways, two tabs, and second thoughts."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from prenopay.testing.control import ControlRefused
from prenopay.testing.emulators.swedbankpay import (
    TEST_CARDS,
    Behaviour,
    PayerAnswer,
    PayerRefused,
    Status,
    SwedbankPayEmulator,
)

from .calling import ITEM, Merchant

CHALLENGED = "4761739001010416"


def _attempts(merchant: Merchant, order: str) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = merchant.get(order, "failedAttempts").order["failedAttempts"]["failedAttemptList"]
    return listed


def _word(problem: str) -> str:
    return problem.rsplit("/", maxsplit=1)[-1]


def test_a_card_payment_is_an_authorization(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    order = merchant.order()
    result = emulator.pay_by_card(order)
    assert (result.status, result.next_url) == (Status.PAID, "https://shop.example/complete")
    paid = merchant.get(order, "paid").order["paid"]
    assert (paid["instrument"], paid["transactionType"], paid["number"]) == (
        "CreditCard",
        "Authorization",
        result.attempt,
    )
    assert paid["details"]["maskedPan"] == "492500******0004"
    assert paid["details"]["acquirerTransactionType"] == "STANDARD"


def test_a_challenged_card_asks_first(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    order = merchant.order()
    waiting = emulator.pay_by_card(order, pan=CHALLENGED, answer=PayerAnswer.LEAVE)
    assert waiting.status is Status.INITIALIZED
    assert "abort" in merchant.get(order).rels
    assert emulator.answer(order, PayerAnswer.APPROVE).status is Status.PAID
    assert merchant.get(order, "paid").order["paid"]["details"]["acquirerTransactionType"] == "3DSECURE"


def test_a_failed_challenge_leaves_the_order_open() -> None:
    cases: list[tuple[PayerAnswer, str, str]] = [
        (PayerAnswer.CANCEL, "3dsecureusercancelled", "Aborted"),
        (PayerAnswer.DECLINE, "3dsecuredeclined", "Failed"),
    ]
    for answer, problem, status in cases:
        merchant = Merchant()
        emulator = merchant.emulator
        order = merchant.order()
        result = emulator.pay_by_card(order, pan=CHALLENGED, answer=answer)
        assert (result.status, _word(result.problem), result.next_url) == (Status.INITIALIZED, problem, "")
        (failed,) = _attempts(merchant, order)
        assert (failed["status"], failed["number"], failed["instrument"]) == (status, result.attempt, "CreditCard")
        assert emulator.pay_by_card(order).status is Status.PAID


def test_every_published_card_pays() -> None:
    for card in TEST_CARDS:
        merchant = Merchant()
        emulator = merchant.emulator
        order = merchant.order()
        assert emulator.pay_by_card(order, pan=card.number, expiry=card.expiry).status is Status.PAID
        shown = json.dumps(merchant.get(order, "paid,history,failedAttempts").body) + repr(emulator.orders)
        assert card.number not in shown


def test_any_other_number_is_refused_without_repeating_it() -> None:
    cases: list[str] = ["4111111111111111", "", "4925 0000 0000 0005"]
    for pan in cases:
        merchant = Merchant()
        emulator = merchant.emulator
        order = merchant.order()
        with pytest.raises(PayerRefused) as refused:
            emulator.pay_by_card(order, pan=pan)
        assert not pan or pan not in str(refused.value)
        assert emulator.order(order).failed_attempts == ()


def test_an_expired_or_odd_date_is_refused() -> None:
    cases: list[str] = ["12/2025", "13/2030", "12/30", ""]
    for expiry in cases:
        merchant = Merchant()
        emulator = merchant.emulator
        with pytest.raises(PayerRefused, match="expiry"):
            emulator.pay_by_card(merchant.order(), expiry=expiry)


def test_magic_amounts_decline() -> None:
    cases: list[tuple[int, str]] = [
        (900313, "acquirerinvalidamount"),
        (900330, "acquirererror"),
        (900334, "acquirerpossiblefraud"),
        (900343, "acquirercardstolen"),
        (900351, "acquirererror"),
        (900354, "acquirercardexpired"),
        (900359, "acquirerpossiblefraud"),
        (900361, "acquirerinsufficientfunds"),
        (900362, "acquirererror"),
        (900391, "acquirergatewayerror"),
        (952400, "acquirererrordonotretry"),
        (952507, "authenticationrequired"),
    ]
    for amount, problem in cases:
        merchant = Merchant()
        emulator = merchant.emulator
        order = merchant.order(amount=amount)
        result = emulator.pay_by_card(order)
        assert (result.status, _word(result.problem)) == (Status.INITIALIZED, problem)
        assert result.problem.startswith("https://api.payex.com/psp/errordetail/creditcard/")
        (failed,) = _attempts(merchant, order)
        assert failed["problem"]["type"] == result.problem
        assert ("modification" in failed["problem"]) is (amount == 952507)
        assert emulator.pay_by_swish(order).status is Status.PAID


def test_too_many_failures_suspend_the_card(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    order = merchant.order(amount=952100)
    words = [_word(emulator.pay_by_card(order).problem) for _ in range(16)]
    assert words[:10] == ["authenticationrequired"] * 10
    assert words[10:] == ["dailylimitexceeded"] * 5 + ["monthlylimitexceeded"]
    remaining = [attempt["problem"].get("suspension", {}).get("remaining") for attempt in _attempts(merchant, order)]
    assert remaining[:10] == [None, None, None, None, 5, 4, 3, 2, 1, 0]
    other = emulator.pay_by_card(order, pan="5226600159865967")
    assert _word(other.problem) == "authenticationrequired"
    emulator.clock.advance(timedelta(days=2))
    later = merchant.order("A2", amount=952100)
    assert _word(emulator.pay_by_card(later).problem) == "monthlylimitexceeded"


def test_a_swish_payment_is_a_sale(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    order = merchant.order()
    assert emulator.pay_by_swish(order, msisdn="+46739000002").status is Status.PAID
    paid = merchant.get(order, "paid").order["paid"]
    assert (paid["transactionType"], paid["details"]) == ("Sale", {"misidn": "+46739000002"})
    assert emulator.order(order).totals.captured == 1500


def test_magic_descriptions_fail_swish_but_not_cards() -> None:
    cases: list[tuple[str, str]] = [
        ("RF07", "swishdeclined"),
        ("TM01", "swishtimeout"),
        ("BANKIDCL", "bankidcancelled"),
    ]
    for description, problem in cases:
        merchant = Merchant()
        emulator = merchant.emulator
        order = merchant.order(description=description)
        result = emulator.pay_by_swish(order)
        assert result.problem == f"https://api.payex.com/psp/errordetail/{problem}"
        assert emulator.pay_by_card(order).status is Status.PAID


def test_the_payer_may_say_no_in_the_app() -> None:
    cases: list[tuple[PayerAnswer, str]] = [
        (PayerAnswer.DECLINE, "swishdeclined"),
        (PayerAnswer.CANCEL, "usercancelled"),
        (PayerAnswer.TIME_OUT, "swishtimeout"),
    ]
    for answer, problem in cases:
        merchant = Merchant()
        emulator = merchant.emulator
        order = merchant.order()
        assert _word(emulator.pay_by_swish(order, answer=answer).problem) == problem
        assert merchant.get(order).order["status"] == "Initialized"


def test_who_never_answers_is_timed_out_and_the_merchant_is_told(
    merchant: Merchant, emulator: SwedbankPayEmulator
) -> None:
    order = merchant.order()
    emulator.pay_by_swish(order, answer=PayerAnswer.LEAVE)
    emulator.clock.advance(timedelta(minutes=2))
    assert emulator.deliver_callbacks(lambda *_: 200) == ()
    emulator.clock.advance(timedelta(minutes=1))
    assert len(emulator.deliver_callbacks(lambda *_: 200)) == 1
    assert [_word(problem) for problem in emulator.order(order).failed_attempts] == ["swishtimeout"]
    with pytest.raises(PayerRefused, match="no attempt"):
        emulator.answer(order, PayerAnswer.APPROVE)
    assert "abort" in merchant.get(order).rels


def test_swish_takes_swedish_numbers() -> None:
    cases: list[str] = ["0739000001", "+4798765432", ""]
    for msisdn in cases:
        merchant = Merchant()
        emulator = merchant.emulator
        with pytest.raises(PayerRefused, match="msisdn"):
            emulator.pay_by_swish(merchant.order(), msisdn=msisdn)


def test_other_ways_to_pay() -> None:
    cases: list[tuple[str, str, tuple[str, str], set[str]]] = [
        ("Trustly", "SEK", ("Trustly", "Sale"), {"trustlyOrderId"}),
        ("Vipps", "NOK", ("Vipps", "Authorization"), {"maskedDPan", "bin"}),
        ("MobilePay", "DKK", ("MobilePay", "Authorization"), {"maskedDPan", "acquirerStan"}),
        ("ApplePay", "EUR", ("ApplePay", "Authorization"), {"maskedDPan", "cardType"}),
        ("GooglePay", "SEK", ("GooglePay", "Authorization"), {"maskedPan", "maskedDPan"}),
        ("ClickToPay", "SEK", ("ClickToPay", "Authorization"), {"maskedPan", "maskedDPan"}),
        ("Invoice-PayExFinancingSe", "SEK", ("Invoice", "Authorization"), set()),
        ("CreditAccount-CreditAccountSe", "SEK", ("CreditAccount", "Authorization"), set()),
    ]
    for instrument, currency, paid_as, details in cases:
        merchant = Merchant()
        order = merchant.order(currency=currency)
        assert merchant.emulator.pay_by(order, instrument).status is Status.PAID
        paid = merchant.get(order, "paid").order["paid"]
        assert (paid["instrument"], paid["transactionType"]) == paid_as
        assert details <= paid["details"].keys()
        assert bool(details) is bool(paid["details"])


def test_other_ways_to_be_declined() -> None:
    cases: list[tuple[str, str, str]] = [
        ("Vipps", "NOK", "vipps/vippsdeclined"),
        ("MobilePay", "DKK", "mobilepay/mobilepaydeclined"),
        ("Trustly", "SEK", "trustly/systemerror"),
        ("Invoice-PayExFinancingSe", "SEK", "invoice/creditnotapproved"),
        ("ApplePay", "SEK", "creditcard/3dsecuredeclined"),
    ]
    for instrument, currency, problem in cases:
        merchant = Merchant()
        emulator = merchant.emulator
        order = merchant.order(currency=currency)
        assert emulator.pay_by(order, instrument, answer=PayerAnswer.DECLINE).problem.endswith(f"/{problem}")
        assert ("operationalFee" in _attempts(merchant, order)[0]) is (instrument == "Vipps")


def test_only_what_stands_in_the_menu_can_be_chosen(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    order = merchant.order(restrictedToInstruments=["Swish", "CreditCard"])
    assert merchant.get(order).order["viewableInstruments"] == ["Swish", "CreditCard"]
    with pytest.raises(PayerRefused, match="Trustly"):
        emulator.pay_by(order, "Trustly")


def test_two_tabs_pay_once(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    order = merchant.order()
    first = emulator.pay_by_card(order, pan=CHALLENGED, answer=PayerAnswer.LEAVE)
    second = emulator.pay_by_swish(order, answer=PayerAnswer.LEAVE)
    assert emulator.answer(order, PayerAnswer.APPROVE, attempt=first.attempt).status is Status.PAID
    with pytest.raises(PayerRefused, match="Paid"):
        emulator.answer(order, PayerAnswer.APPROVE, attempt=second.attempt)
    with pytest.raises(PayerRefused, match="nobody can pay"):
        emulator.pay_by_card(order)
    emulator.clock.advance(timedelta(minutes=20))
    settled = emulator.order(order)
    assert (settled.totals.authorized, settled.open_attempts, settled.failed_attempts) == (1500, (), ())


def test_cancelling_aborts_and_sends_the_browser_home(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    order = merchant.order()
    result = emulator.cancel(order)
    assert (result.status, result.next_url) == (Status.ABORTED, "https://shop.example/cancel")
    assert merchant.get(order, "aborted").order["aborted"]["abortReason"]
    with pytest.raises(PayerRefused, match="Aborted"):
        emulator.pay_by_card(order)


def test_there_is_no_cancel_link_without_an_address_or_within_the_app(
    merchant: Merchant, emulator: SwedbankPayEmulator
) -> None:
    urls = {
        "hostUrls": ["https://shop.example"],
        "completeUrl": "https://shop.example/complete",
        "paymentUrl": "https://shop.example/pay",
    }
    with pytest.raises(PayerRefused, match="cancel link"):
        emulator.cancel(merchant.order(urls=urls))
    busy = merchant.order("A2")
    emulator.pay_by_swish(busy, answer=PayerAnswer.LEAVE)
    with pytest.raises(PayerRefused, match="app"):
        emulator.cancel(busy)


def test_walking_away_changes_nothing(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    order = merchant.order()
    assert merchant.get(order).order["integration"] == ""
    assert emulator.walk_away(order).status is Status.INITIALIZED
    assert merchant.get(order).order["integration"] == "Redirect"
    assert emulator.callbacks.waiting == ()


def test_the_page_lives_28_days(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    order = merchant.order()
    emulator.clock.advance(timedelta(days=28) - timedelta(seconds=1))
    emulator.walk_away(order)
    emulator.clock.advance(timedelta(seconds=1))
    with pytest.raises(PayerRefused, match="expired"):
        emulator.pay_by_card(order)
    assert merchant.get(order).order["status"] == "Initialized"


def test_history_tells_what_happened(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    order = merchant.order(instrument="CreditCard")
    emulator.pay_by_card(order, pan=CHALLENGED, answer=PayerAnswer.DECLINE)
    emulator.pay_by_card(order)
    merchant.capture(order, 500, "C1")
    merchant.cancel(order, "X1")
    entries = merchant.get(order, "history").order["history"]["historyList"]
    assert [(entry["name"], entry["initiatedBy"]) for entry in entries] == [
        ("PaymentCreated", "Payee"),
        ("PaymentInstrumentSet", "Payee"),
        ("PaymentLoaded", "PaymentGateway"),
        ("PaymentInstrumentSelected", "Payer"),
        ("PaymentAttemptStarted", "Payer"),
        ("PaymentAttemptFailed", "Payer"),
        ("PaymentInstrumentSelected", "Payer"),
        ("PaymentAttemptStarted", "Payer"),
        ("PaymentPaid", "Payer"),
        ("PaymentPartiallyCaptured", "Payee"),
        ("PaymentPartiallyCancelled", "Payee"),
    ]


def test_fees_and_discounts_that_come_with_the_instrument(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    fee = {**ITEM, "type": "PAYMENT_FEE", "amount": 1900, "restrictedToInstruments": ["Invoice-PayExFinancingSe"]}
    invoiced, by_card = merchant.order("A1", orderItems=[ITEM, fee]), merchant.order("A2", orderItems=[ITEM, fee])
    emulator.pay_by(invoiced, "Invoice-PayExFinancingSe")
    emulator.pay_by_card(by_card)
    paid = merchant.get(invoiced, "paid").order["paid"]
    assert (paid["amount"], paid["submittedAmount"], paid["feeAmount"]) == (3400, 1500, 1900)
    assert emulator.order(by_card).totals.authorized == 1500


def test_the_issuer_may_approve_less(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    emulator.behaviour = Behaviour(approved_amount=1000, fee_amount=10, discount_amount=5)
    order = merchant.order()
    emulator.pay_by_card(order)
    paid = merchant.get(order, "paid").order["paid"]
    assert (paid["amount"], paid["submittedAmount"], paid["feeAmount"], paid["discountAmount"]) == (1000, 1500, 10, 5)
    assert merchant.get(order).order["remainingCaptureAmount"] == 1000


def test_orders_are_found_by_any_of_their_names(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    created = merchant.create()
    order = str(created.order["id"])
    names = (order, order.rsplit("/", maxsplit=1)[-1], created.rels["redirect-checkout"], "A1")
    assert {emulator.order(name).id for name in names} == {order}
    with pytest.raises(ControlRefused, match="no payment order"):
        emulator.order("B2")
