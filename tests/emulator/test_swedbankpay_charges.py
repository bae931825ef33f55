"""Charges at the Swedbank Pay emulator: cards answer at once and are limited, bank accounts take hours."""

from __future__ import annotations

import dataclasses
import json
from datetime import timedelta
from typing import Any

import pytest

from prenopay._blocking import run_blocking
from prenopay.errors import OutcomeUnknown
from prenopay.ports import HttpRequest
from prenopay.testing.control import ControlRefused
from prenopay.testing.emulators.swedbankpay import (
    DEFAULT_ACCESS_TOKEN,
    DEFAULT_PAYEE_ID,
    AttemptLimits,
    Behaviour,
    DeclineChannel,
    DuplicateAnswer,
    Merchant as Agreement,
    PayerAnswer,
    PayerRefused,
    Status,
    SwedbankPayEmulator,
    TokenKind,
    TransactionKind,
    TrustlyAnswer,
    TrustlyCharge,
)
from prenopay.testing.faults import Fault, FaultKind
from prenopay.testing.http import EmulatorSender

from .calling import API, ITEM, Answer, Merchant
from .storing import CHALLENGED, MASTERCARD, NETWORK, PAYER, card_token, charge, stored

CHANNELS = list(DeclineChannel)


def _told(answer: Answer) -> str:
    """Return the last word of the problem, whichever way it came."""
    if answer.status >= 400:
        return answer.problem
    problem = answer.order["failed"].get("problem", {})
    return str(problem.get("type", answer.order["status"])).rsplit("/", maxsplit=1)[-1]


def _problem(answer: Answer) -> dict[str, Any]:
    found: dict[str, Any] = answer.body if answer.status >= 400 else answer.order["failed"]["problem"]
    return found


# Success


def test_a_charge_reserves_and_is_captured_afterwards(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    token = stored(merchant)["token"]
    before = len(emulator.callbacks.waiting)
    answer = charge(merchant, token)
    assert answer.status == 201
    assert (answer.order["operation"], answer.order["status"]) == ("UnscheduledPurchase", "Paid")
    assert answer.order["integration"] == "Direct"
    assert answer.order["remainingCaptureAmount"] == 1500
    assert set(answer.rels) == {"capture", "cancel"}
    paid = answer.order["paid"]
    assert (paid["transactionType"], paid["amount"], paid["payeeReference"]) == ("Authorization", 1500, "C1")
    assert paid["details"]["transactionInitiator"] == "MERCHANT"
    assert paid["details"]["acquirerTransactionType"] == "STANDARD"
    assert "tokens" not in paid
    assert len(emulator.callbacks.waiting) == before
    order = answer.order["id"]
    assert merchant.capture(order, 1500, "K1").status == 200
    assert merchant.reverse(order, 500, "R1").status == 200
    totals = emulator.books()[order]
    assert (totals.authorized, totals.captured, totals.reversed) == (1500, 1500, 500)
    (made,) = emulator.charges()
    assert (made.order, made.token, made.status, made.problem) == (order, token, Status.PAID, "")
    assert (made.payer_reference, made.card, made.amount) == ("p-1", "492500******0004", 1500)


def test_a_recurrence_token_is_charged_by_recur_only(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    token = card_token(emulator, kind=TokenKind.RECURRENCE)
    recur: dict[str, Any] = {"operation": "Recur", "unscheduledToken": None, "recurrenceToken": token}
    assert charge(merchant, "", **recur).order["paid"]["transactionType"] == "Authorization"
    wrong = charge(merchant, token, "C2")
    assert (wrong.status, wrong.problem_names) == (404, ["UnscheduledToken"])
    (made,) = emulator.charges()
    assert made.operation == "Recur"


def test_a_challenged_card_is_charged_without_its_holder(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    details = charge(merchant, card_token(emulator, pan=CHALLENGED)).order["paid"]["details"]
    assert (details["acquirerTransactionType"], details["transactionInitiator"]) == ("STANDARD", "MERCHANT")


def test_a_charge_may_do_without_addresses_and_have_lines(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    answer = charge(merchant, card_token(emulator), urls=None, orderItems=[ITEM], metadata={"issue": 7})
    assert answer.order["status"] == "Paid"


def test_nobody_is_present_at_a_charge(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    emulator.store_account("p-1")
    order = charge(merchant, emulator.tokens()[0].token).order["id"]
    with pytest.raises(PayerRefused, match="nobody is present"):
        emulator.pay_by_card(order)
    with pytest.raises(PayerRefused, match="nobody is present"):
        emulator.answer(order, PayerAnswer.APPROVE)
    assert emulator.order(order).page_path == ""
    assert merchant.patch(order, "Abort", abortReason="x").status == 403


# Requests


def test_a_charge_of_another_payers_token_is_refused(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    token = card_token(emulator)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"payer": {"payerReference": "p-2"}}, "PaymentOrder.Payer.PayerReference"),
        ({"vatAmount": 1501}, "PaymentOrder.VatAmount"),
        ({"orderItems": [{**ITEM, "amount": 1}]}, "PaymentOrder.Amount"),
        ({"recurrenceToken": "t"}, "PaymentOrder.RecurrenceToken"),
        ({"generateUnscheduledToken": True}, "PaymentOrder.GenerateUnscheduledToken"),
    ]
    for changes, path in cases:
        assert charge(merchant, token, **changes).problem_names == [path]
    assert emulator.charges() == ()


def test_a_missing_and_an_ended_token_are_told_apart(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    missing = charge(merchant, "00000000-0000-4000-8000-000000000000")
    assert (missing.status, missing.problem, missing.body["status"]) == (404, "inputerror", 404)
    assert missing.body["problems"][0]["description"] == "The given UnscheduledToken does not exist."
    token = card_token(emulator)
    emulator.archive_token(token)
    ended = charge(merchant, token)
    assert (ended.status, ended.problem) == (422, "paymenttokeninactive")
    assert emulator.charges() == ()
    assert charge(merchant, card_token(emulator)).status == 201


def test_the_problem_of_an_ended_token_may_name_another_kind(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    emulator.behaviour = Behaviour(inactive_name="UnscheduledToken", missing_token_status=400)
    token = card_token(emulator, kind=TokenKind.RECURRENCE)
    emulator.archive_token(token)
    recur: dict[str, Any] = {"operation": "Recur", "unscheduledToken": None}
    assert charge(merchant, "", recurrenceToken=token, **recur).problem_names == ["UnscheduledToken"]
    assert charge(merchant, "", recurrenceToken="none", **recur).status == 400


# Declines


def test_the_published_amounts_decline_through_either_channel() -> None:
    cases: list[tuple[int, str, int]] = [
        (900313, "acquirerinvalidamount", 403),
        (900343, "acquirercardstolen", 403),
        (900354, "acquirercardexpired", 403),
        (900361, "acquirerinsufficientfunds", 403),
        (900391, "acquirergatewayerror", 502),
        (952400, "acquirererrordonotretry", 403),
        (952507, "authenticationrequired", 403),
        (952100, "authenticationrequired", 403),
    ]
    for amount, problem, status in cases:
        for channel in CHANNELS:
            merchant = Merchant()
            emulator = merchant.emulator
            emulator.behaviour = Behaviour(decline_channel=channel)
            answer = charge(merchant, card_token(emulator), amount=amount)
            assert answer.status == (status if channel is DeclineChannel.PROBLEM else 201)
            assert _told(answer) == problem
            assert _problem(answer)["type"].startswith("https://api.payex.com/psp/errordetail/creditcard/")
            assert _problem(answer)["status"] == status
            (made,) = emulator.charges()
            assert (made.status, made.problem) == (Status.FAILED, _problem(answer)["type"])
            assert emulator.books()[made.order].authorized == 0
            assert emulator.callbacks.waiting == ()


def test_a_failed_order_is_final(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    emulator.decline_next_charge()
    answer = charge(merchant, card_token(emulator))
    assert (answer.order["status"], answer.rels) == ("Failed", {})
    (attempt,) = answer.order["failedAttempts"]["failedAttemptList"]
    assert attempt["problem"]["type"].endswith("/creditcard/acquirerinsufficientfunds")
    assert merchant.capture(answer.order["id"], 1500, "K1").status == 403
    assert merchant.call("GET", f"{answer.order['id']}/failed").body["failed"]["problem"]["status"] == 403


def test_the_type_in_a_failed_order_may_be_a_bare_word(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    emulator.behaviour = Behaviour(failed_type_is_bare=True)
    emulator.decline_next_charge()
    assert charge(merchant, card_token(emulator)).order["failed"]["problem"]["type"] == "acquirerinsufficientfunds"


def test_declines_are_planned_one_by_one_each_through_its_channel(
    merchant: Merchant, emulator: SwedbankPayEmulator
) -> None:
    token = card_token(emulator)
    emulator.decline_next_charge("acquirercardstolen", channel=DeclineChannel.PROBLEM)
    emulator.decline_next_charge("velocitycheck", channel=DeclineChannel.PROBLEM)
    emulator.decline_next_charge("carddeclined", times=2)
    answers = [charge(merchant, token, f"C{number}") for number in range(5)]
    assert [answer.status for answer in answers] == [403, 429, 201, 201, 201]
    assert [_told(answer) for answer in answers[:4]] == [
        "acquirercardstolen",
        "velocitycheck",
        "carddeclined",
        "carddeclined",
    ]
    assert answers[4].order["status"] == "Paid"
    assert answers[0].answer.headers[0][1].startswith("application/problem+json")
    assert len(emulator.charges()) == 5


def test_do_not_retry_keeps_the_card_away_for_thirty_days() -> None:
    for channel in CHANNELS:
        merchant = Merchant()
        emulator = merchant.emulator
        emulator.behaviour = Behaviour(decline_channel=channel)
        token, again = card_token(emulator), card_token(emulator, kind=TokenKind.UNSCHEDULED)
        emulator.decline_next_charge("acquirererrordonotretry")
        assert _told(charge(merchant, token, "C1")) == "acquirererrordonotretry"
        assert _told(charge(merchant, again, "C2")) == "acquirererrordonotretry"
        assert charge(merchant, card_token(emulator, pan=MASTERCARD), "C3").order["status"] == "Paid"
        emulator.clock.advance(timedelta(days=30) - timedelta(seconds=1))
        assert _told(charge(merchant, token, "C4")) == "acquirererrordonotretry"
        emulator.clock.advance(timedelta(seconds=1))
        assert charge(merchant, token, "C5").order["status"] == "Paid"


def _decline(merchant: Merchant, token: str, times: int, name: str) -> list[Answer]:
    merchant.emulator.decline_next_charge("acquirerinsufficientfunds", times=times)
    return [charge(merchant, token, f"{name}{number}") for number in range(times)]


def test_mastercard_is_suspended_after_ten_failures_in_a_day() -> None:
    for channel in CHANNELS:
        merchant = Merchant()
        emulator = merchant.emulator
        emulator.behaviour = Behaviour(decline_channel=channel)
        token = card_token(emulator, pan=MASTERCARD)
        answers = _decline(merchant, token, 10, "D")
        warnings = [_problem(answer).get("suspension", {}) for answer in answers]
        assert [warning.get("remaining") for warning in warnings] == [None] * 4 + [5, 4, 3, 2, 1, 0]
        assert warnings[4] == {
            "attempts": 5,
            "remaining": 5,
            "product": "MASTERCARD",
            "acquirerCode": "61",
            "acquirerDetail": "REJECTED_BY_ACQUIRER_INSUFFICIENT_FUNDS",
            "state": "WARNING",
        }
        assert _problem(answers[4])["title"].startswith("SuspensionWarning")
        assert _told(charge(merchant, token, "X1")) == "dailylimitexceeded"
        assert _told(charge(merchant, card_token(emulator, pan=MASTERCARD), "X2")) == "dailylimitexceeded"
        emulator.clock.advance(timedelta(days=1))
        assert charge(merchant, token, "X3").order["status"] == "Paid"


def test_mastercard_is_suspended_after_thirty_five_failures_in_thirty_days(
    merchant: Merchant, emulator: SwedbankPayEmulator
) -> None:
    token = card_token(emulator, pan=MASTERCARD)
    for day, times in enumerate((9, 9, 9, 8)):
        _decline(merchant, token, times, f"D{day}N")
        emulator.clock.advance(timedelta(days=1))
    assert _told(charge(merchant, token, "X1")) == "monthlylimitexceeded"
    emulator.clock.advance(timedelta(days=26))
    assert charge(merchant, token, "X2").order["status"] == "Paid"


def test_visa_is_suspended_after_fifteen_failures_in_thirty_days(
    merchant: Merchant, emulator: SwedbankPayEmulator
) -> None:
    token = card_token(emulator)
    answers = _decline(merchant, token, 15, "D")
    assert [_problem(answer).get("suspension", {}).get("remaining") for answer in answers[8:]] == [
        None,
        5,
        4,
        3,
        2,
        1,
        0,
    ]
    assert _told(charge(merchant, token, "X1")) == "monthlylimitexceeded"
    emulator.clock.advance(timedelta(days=30))
    assert charge(merchant, token, "X2").order["status"] == "Paid"


def test_limits_are_the_behaviours_and_each_merchants_own() -> None:
    other = "11111111-2222-4333-8444-555555555555"
    agreements = [Agreement(access_token="one"), Agreement(payee_id=other, access_token="two")]
    emulator = SwedbankPayEmulator(
        merchants=agreements, behaviour=Behaviour(attempt_limits=AttemptLimits(visa_monthly=1, warned_from=0))
    )
    mine, theirs = Merchant(emulator, token="one"), Merchant(emulator, token="two")
    order = theirs.order(
        "S1", payer=PAYER, generateUnscheduledToken=True, payeeInfo={"payeeId": other, "payeeReference": "S1"}
    )
    emulator.pay_by_card(order)
    token, theirs_token = card_token(emulator), emulator.tokens()[0].token
    (declined,) = _decline(mine, token, 1, "D")
    assert _problem(declined)["suspension"]["remaining"] == 0
    assert _told(charge(mine, token, "X1")) == "monthlylimitexceeded"
    payee = {"payeeId": other, "payeeReference": "X1"}
    assert charge(theirs, theirs_token, payeeInfo=payee).order["status"] == "Paid"


def test_cards_of_schemes_without_limits_are_not_suspended(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    token = card_token(emulator, pan="377601000000000")
    answers = _decline(merchant, token, 16, "D")
    assert {_told(answer) for answer in answers} == {"acquirerinsufficientfunds"}
    assert not any("suspension" in _problem(answer) for answer in answers)


# The card behind the token


def test_a_card_is_declined_from_the_month_after_its_date(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    token = card_token(emulator, expiry="02/2026")
    assert charge(merchant, token, "C1").order["status"] == "Paid"
    emulator.clock.advance(timedelta(days=44))
    assert charge(merchant, token, "C2").order["status"] == "Paid"
    emulator.clock.advance(timedelta(days=1))
    assert _told(charge(merchant, token, "C3")) == "acquirercardexpired"
    assert emulator.tokens()[0].is_active


def test_a_card_can_be_made_to_expire(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    token = card_token(emulator)
    assert emulator.expire_card(token).expiry == "12/2025"
    assert _told(charge(merchant, token)) == "acquirercardexpired"


def test_a_network_token_gets_its_new_card_silently(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    order = merchant.order(payer=PAYER, generateUnscheduledToken=True, generatePaymentToken=True)
    emulator.pay_by_card(order, pan=NETWORK, expiry="09/2035")
    before = merchant.get(order, "paid").order["paid"]
    token = before["tokens"][1]["token"]
    emulator.expire_card(token)
    assert _told(charge(merchant, token, "C1")) == "acquirercardexpired"
    replaced = emulator.replace_card(token, CHALLENGED, "01/2032")
    assert (replaced.name[-4:], replaced.expiry, replaced.is_network_token) == ("0416", "01/2032", True)
    assert merchant.get(order, "paid").order["paid"] == before
    details = charge(merchant, token, "C2").order["paid"]["details"]
    assert (details["expiryDate"], details["maskedPan"][-4:]) == ("01/2032", "0416")
    assert "maskedDPan" in details
    assert "maskedDPan" not in before["details"]


def test_the_payers_other_tokens_get_the_new_card_too(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    first = card_token(emulator, pan=NETWORK, expiry="09/2035")
    card_token(emulator, pan=NETWORK, expiry="09/2035", kind=TokenKind.PAYMENT)
    card_token(emulator)
    emulator.replace_card(first, "5510000000001232", "04/2035")
    assert [token.name[-4:] for token in emulator.tokens()] == ["1232", "1232", "0004"]
    listed = merchant.call("GET", "/psp/paymentorders/payerownedtokens/p-1").body["payerOwnedTokens"]["tokens"]
    assert listed[0]["instrumentParameters"]["lastFourPan"] == "1232"


# The same reference again


def test_a_repeat_is_refused_as_any_other_unless_said_otherwise(
    merchant: Merchant, emulator: SwedbankPayEmulator
) -> None:
    token = card_token(emulator)
    first = charge(merchant, token)
    assert charge(merchant, token).status == 409
    emulator.behaviour = Behaviour(duplicate_charge=DuplicateAnswer.REPLAY)
    assert charge(merchant, token).body == first.body
    assert charge(merchant, token, amount=1600).status == 409
    emulator.behaviour = Behaviour(duplicate_charge=DuplicateAnswer.INPUT_ERROR)
    assert charge(merchant, token).problem_names == ["PaymentOrder.PayeeInfo.PayeeReference"]
    emulator.behaviour = Behaviour(duplicate_charge=DuplicateAnswer.FORBIDDEN)
    assert charge(merchant, token).status == 403
    assert len(emulator.charges()) == 1
    emulator.behaviour = Behaviour(duplicate_charge="accept")
    assert charge(merchant, token).order["id"] != first.order["id"]
    assert merchant.order("A1")
    assert merchant.create("A1").status == 409
    assert [made.payee_reference for made in emulator.charges()] == ["C1", "C1"]


def test_a_declined_charge_has_used_its_reference(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    emulator.behaviour = Behaviour(duplicate_charge=DuplicateAnswer.REPLAY, decline_channel=DeclineChannel.PROBLEM)
    token = card_token(emulator)
    emulator.decline_next_charge()
    first, again = charge(merchant, token), charge(merchant, token)
    assert (first.status, again.status, again.body) == (403, 403, first.body)
    assert len(emulator.charges()) == 1


# Bank accounts


def test_a_bank_account_is_charged_hours_later(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    answer = charge(merchant, emulator.store_account("p-1").token)
    assert (answer.order["status"], answer.rels) == ("Initialized", {})
    order = answer.order["id"]
    emulator.clock.advance(timedelta(hours=5))
    assert emulator.deliver_callbacks(lambda *_: 200) == ()
    emulator.clock.advance(timedelta(hours=1))
    (told,) = emulator.deliver_callbacks(lambda *_: 200)
    assert json.loads(told.callback.body)["paymentOrder"]["id"] == order
    shown = merchant.get(order, "paid")
    assert (shown.order["status"], shown.order["paid"]["transactionType"]) == ("Paid", "Sale")
    assert set(shown.rels) == {"reversal"}
    (movement,) = emulator.order(order).transactions
    assert movement.kind is TransactionKind.SALE


def test_a_bank_account_may_fail_hours_later(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    later = TrustlyCharge(after=timedelta(days=2), succeeds=False)
    emulator.behaviour = Behaviour(trustly_charge=later, trustly_callbacks=False)
    order = charge(merchant, emulator.store_account("p-1").token).order["id"]
    emulator.clock.advance(timedelta(days=2))
    shown = merchant.get(order, "failed").order
    assert (shown["status"], shown["failed"]["problem"]["type"].rsplit("/", 2)[1:]) == (
        "Failed",
        ["trustly", "systemerror"],
    )
    assert emulator.callbacks.waiting == ()


def test_a_bank_account_is_settled_on_request_and_once() -> None:
    cases: list[tuple[TrustlyAnswer, Status]] = [
        (TrustlyAnswer.SETTLE, Status.PAID),
        (TrustlyAnswer.FAIL, Status.FAILED),
    ]
    for answer, status in cases:
        merchant = Merchant()
        emulator = merchant.emulator
        order = charge(merchant, emulator.store_account("p-1").token).order["id"]
        assert emulator.settle_trustly(order, answer) is status
        with pytest.raises(ControlRefused, match="no charge waits"):
            emulator.settle_trustly(order)
        emulator.clock.advance(timedelta(days=1))
        assert emulator.order("C1").status is status
        assert len(emulator.callbacks.waiting) == 1


def test_a_bank_account_is_settled_over_the_control_api(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    order = charge(merchant, emulator.store_account("p-1").token).order["id"]
    asked = {"action": "settle_trustly", "order": order, "answer": "fail"}
    assert merchant.call("POST", "/__emulator__/payer", asked).body["status"] == "Failed"
    shown = merchant.call("GET", f"/__emulator__/orders/{order}").body
    assert (shown["operation"], shown["status"], shown["page"]) == ("UnscheduledPurchase", "Failed", "")


def test_a_stored_card_is_chosen_over_the_control_api(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    card_token(emulator, kind=TokenKind.PAYMENT)
    order = merchant.order(payer=PAYER, generatePaymentToken=True)
    asked = {"action": "pay_by_stored", "order": order}
    assert merchant.call("POST", "/__emulator__/payer", asked).body["status"] == "Paid"


def test_a_bank_account_needs_a_callback_and_an_agreement() -> None:
    emulator = SwedbankPayEmulator(merchants=[Agreement(has_direct_debit=False)])
    token = emulator.store_account("p-1").token
    assert charge(Merchant(emulator), token).problem == "configurationerror"
    emulator = SwedbankPayEmulator()
    token = emulator.store_account("p-1").token
    answer = charge(Merchant(emulator), token, urls=None)
    assert answer.problem_names == ["PaymentOrder.Urls.CallbackUrl"]
    assert emulator.orders == ()


# Faults


def test_a_charge_whose_answer_is_lost_has_happened(emulator: SwedbankPayEmulator) -> None:
    token = card_token(emulator)
    emulator.faults.add(Fault(kind=FaultKind.DROP_AFTER, call="charge"))
    body = {"paymentorder": _charge_body(token)}
    headers = {"Authorization": f"Bearer {DEFAULT_ACCESS_TOKEN}", "Content-Type": "application/json;version=3.1"}
    request = HttpRequest(
        method="POST",
        url=f"{API}/psp/paymentorders",
        label="charge",
        headers=tuple(headers.items()),
        body=json.dumps(body).encode(),
    )
    with pytest.raises(OutcomeUnknown):
        run_blocking(EmulatorSender(emulator.mounts).send(request, timeout=10))
    (made,) = emulator.charges()
    assert (made.status, made.payee_reference) == (Status.PAID, "C1")
    again = run_blocking(EmulatorSender(emulator.mounts).send(request, timeout=10))
    assert again.status == 409


def _charge_body(token: str) -> dict[str, object]:
    return {
        "operation": "UnscheduledPurchase",
        "unscheduledToken": token,
        "currency": "SEK",
        "amount": 1500,
        "vatAmount": 0,
        "description": "Test Charge",
        "userAgent": "tests/1",
        "language": "sv-SE",
        "payeeInfo": {"payeeId": DEFAULT_PAYEE_ID, "payeeReference": "C1"},
        "payer": PAYER,
    }


def test_older_versions_tell_of_tokens_and_failures_their_own_way(
    merchant: Merchant, emulator: SwedbankPayEmulator
) -> None:
    token = stored(merchant)["token"]
    old = dataclasses.replace(merchant, version="2.0")
    assert old.get(emulator.order("S1").id).order["unscheduledToken"] == token
    emulator.decline_next_charge()
    order = charge(merchant, token).order["id"]
    assert old.get(order).order["state"] == "Failed"
    assert token not in repr(emulator.charges())
