"""Charging a stored method: what is sent, once, and every way in which that can end."""

from __future__ import annotations

import traceback
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from prenopay import Action, Advice, DeclineCode, Order, OrderLine, Outcome, Payer, PaymentState, Secret
from prenopay._blocking import run_blocking
from prenopay.errors import (
    Conflict,
    InvalidOrder,
    NotSent,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
    Rejected,
    Unauthenticated,
)
from prenopay.ports import HttpResponse
from prenopay.provider import Charged, ChargeRequest
from prenopay.providers.swedbankpay import RepeatedReference
from prenopay.values.mandates import MandateKind, StoreMethod
from prenopay.values.orders import CaptureMode, Initiator

from .samples import (
    API,
    CALLBACK,
    CONSENT,
    ORDER_ID,
    PAYEE,
    REFERENCE,
    RESERVED,
    SEEN_BEFORE,
    STORED,
    TAKEN,
    Json,
    Script,
    answer,
    body_of,
    order,
    paid,
    problem,
    provider,
    sek,
    token,
)

_AT = datetime(2026, 10, 28, 12, tzinfo=UTC)
_DATE = "Wed, 28 Oct 2026 12:00:00 GMT"
_UPDATED = datetime(2026, 10, 28, 12, 0, 0, 765432, tzinfo=UTC)
_RECUR, _UNSCHEDULED = MandateKind.RECURRENCE, MandateKind.UNSCHEDULED


def asked(minor: int = 14900, **fields: Any) -> Order:
    plain = {
        "amount": sek(minor),
        "description": "Digital, one month",
        "payer": Payer(reference="reader-7"),
        "return_url": "",
        "initiator": Initiator.MERCHANT,
        "capture": CaptureMode.AUTOMATIC,
    }
    return Order(**{**plain, **fields})


def request_of(order_asked: Order | None = None, **fields: Any) -> ChargeRequest:
    plain = {
        "order": order_asked or asked(),
        "payment_id": "pay_1",
        "reference": REFERENCE,
        "callback_url": CALLBACK,
        "kind": _UNSCHEDULED,
        "token": Secret(STORED),
    }
    return ChargeRequest(**{**plain, **fields})


def charged(*steps: HttpResponse | Exception, refuses: bool = False, **fields: Any) -> Charged:
    repeated = RepeatedReference.REFUSED if refuses else RepeatedReference.UNKNOWN
    return run_blocking(provider(repeated_reference=repeated).charge(Script(*steps), request_of(**fields)))


def made(status: str | None = "Paid", **members: Any) -> Json:
    """Return the order of a charge; reserved on a card unless it says otherwise."""
    plain = {"operation": "UnscheduledPurchase", "remainingCaptureAmount": 14900, "paid": paid()}
    return order(status, **{"rels": RESERVED, **plain, **members})


def failed(reason: Json | None = None, **members: Any) -> Json:
    """Return the order of a charge that was declined."""
    node = {"id": f"{ORDER_ID}/failed", **({} if reason is None else {"problem": reason})}
    plain = {"operation": "UnscheduledPurchase", "failed": node}
    return order("Failed", **{"rels": (), **plain, **members})


# What is sent


def sent(order_asked: Order | None = None, **fields: Any) -> Json:
    script = Script(answer(made()))
    run_blocking(provider(**fields.pop("config", {})).charge(script, request_of(order_asked, **fields)))
    (only,) = script.sent
    assert (only.method, only.label, only.retry_safe) == ("POST", "charge", False)
    address, _, query = only.url.partition("?")
    expected = API + "/psp/paymentorders"
    assert expected == address
    assert "paid" in query
    assert "failed" in query
    body: Json = body_of(only)["paymentorder"]
    return body


@pytest.mark.parametrize(
    ("kind", "operation", "name"),
    [(_RECUR, "Recur", "recurrenceToken"), (_UNSCHEDULED, "UnscheduledPurchase", "unscheduledToken")],
)
def test_a_charge_has_these_members_only(kind: MandateKind, operation: str, name: str) -> None:
    known = Payer(reference="reader-7", email="leia@shop.example", phone="+46701234567", personal_number="198507099805")
    expected = {
        "operation": operation,
        name: STORED,
        "currency": "SEK",
        "amount": 14900,
        "vatAmount": 0,
        "description": "Digital, one month",
        "userAgent": "prenopay",
        "language": "sv-SE",
        "urls": {"callbackUrl": CALLBACK},
        "payeeInfo": {"payeeId": PAYEE, "payeeReference": REFERENCE},
        "payer": {"payerReference": "reader-7"},
    }
    assert expected == sent(asked(payer=known), kind=kind)


def test_a_charge_names_what_it_is_for() -> None:
    line = OrderLine(name="Paper", amount=sek(14900), vat_percent=6)
    body = sent(
        asked(lines=(line,), order_reference="4711", metadata={"year": 2026}, extra={"productName": "Checkout3"}),
        config={"payee_name": "The Paper", "subsite": "digital"},
    )
    payee = {
        "payeeId": PAYEE,
        "payeeReference": REFERENCE,
        "payeeName": "The Paper",
        "orderReference": "4711",
        "subsite": "digital",
    }
    told = (body["payeeInfo"], body["vatAmount"], body["metadata"], body["productName"])
    assert told == (payee, 843, {"year": 2026}, "Checkout3")
    assert [item["amount"] for item in body["orderItems"]] == [14900]


@pytest.mark.parametrize(
    ("fields", "culprit"),
    [
        ({"kind": MandateKind.ONE_CLICK}, "mandate"),
        ({"kind": MandateKind.CONSENT}, "mandate"),
        ({"order": asked(payer=None)}, "payer.reference"),
        ({"order": asked(payer=Payer())}, "payer.reference"),
        ({"order": asked(paid_by_staff=True)}, "paid_by_staff"),
        ({"order": asked(store=StoreMethod(consent=CONSENT))}, "store"),
        ({"order": asked(0, store=StoreMethod(consent=CONSENT))}, "store"),
        ({"order": asked(description="x" * 41)}, "description"),
        ({"order": asked(payer=Payer(), initiator=Initiator.PAYER, return_url="https://a.example")}, "payer.reference"),
    ],
)
def test_what_cannot_be_charged_names_the_field_and_sends_nothing(fields: dict[str, Any], culprit: str) -> None:
    script = Script()
    with pytest.raises(InvalidOrder, match=f"^{culprit}: ") as caught:
        run_blocking(provider().charge(script, request_of(**fields)))
    assert culprit == caught.value.field
    assert not script.sent


def test_an_order_of_the_merchants_is_checked_as_a_charge() -> None:
    provider().check_order(asked())
    with pytest.raises(InvalidOrder, match=r"^payer\.reference: "):
        provider().check_order(asked(payer=None))
    with pytest.raises(InvalidOrder, match=r"^order: cannot be written"):
        provider().check_order(asked(extra={"a": float("nan")}))


# Ended well


@pytest.mark.parametrize("status", [200, 201])
def test_a_card_is_reserved_at_once_and_can_be_captured(status: int) -> None:
    result = charged(answer(made(paid=paid(tokens=[token()])), status))
    assert result.observation is not None
    seen = result.observation
    expected = (Outcome.SUCCEEDED, None, PaymentState.AUTHORIZED, sek(14900), sek(0), ORDER_ID, ())
    told = (result.outcome, result.decline, seen.state, seen.authorized, seen.captured, seen.provider_reference)
    assert expected == (*told, seen.methods)
    assert Action.CAPTURE in seen.allowed_actions
    node = paid(transaction_type="Sale", instrument="Trustly", details={})
    sale = charged(answer(made(rels=TAKEN, paid=node, remainingCaptureAmount=None, remainingReversalAmount=14900)))
    assert sale.observation is not None
    assert (sale.outcome, sale.observation.captured) == (Outcome.SUCCEEDED, sek(14900))


# Not ended yet


@pytest.mark.parametrize("status", [200, 201, 202])
@pytest.mark.parametrize("word", ["Initialized", "Brandnew"])
def test_a_charge_that_is_answered_later_is_pending(status: int, word: str) -> None:
    result = charged(answer(order(word, rels=(), operation="UnscheduledPurchase"), status))
    assert result.observation is not None
    expected = (Outcome.PENDING, None, PaymentState.PENDING)
    assert expected == (result.outcome, result.decline, result.observation.state)


# Declined


# Type, HTTP status, code, least wait, whether the method is suspended; test_problems has all types.
_DECLINES: list[tuple[str, int, DeclineCode, timedelta | None, bool]] = [
    ("creditcard/acquirerinsufficientfunds", 403, DeclineCode.INSUFFICIENT_FUNDS, None, False),
    ("creditcard/velocitycheck", 429, DeclineCode.LIMIT_EXCEEDED, None, False),
    ("creditcard/authenticationrequired", 403, DeclineCode.AUTHENTICATION_REQUIRED, None, False),
    ("creditcard/dailylimitexceeded", 403, DeclineCode.LIMIT_EXCEEDED, timedelta(days=1), True),
    ("creditcard/acquirererrordonotretry", 403, DeclineCode.DO_NOT_RETRY, timedelta(days=30), True),
    ("creditcard/acquirercardexpired", 403, DeclineCode.CARD_EXPIRED, None, True),
    ("creditcard/cardblacklisted", 400, DeclineCode.CARD_BLOCKED, None, True),
    ("creditcard/frauddetected", 403, DeclineCode.SUSPECTED_FRAUD, None, True),
    ("paymentorders/paymenttokeninactive", 422, DeclineCode.MANDATE_INACTIVE, None, True),
]


@pytest.mark.parametrize("row", _DECLINES, ids=lambda row: row[0])
def test_a_refused_request_and_an_order_that_failed_are_the_same_decline(row: tuple[Any, ...]) -> None:
    kind, status, code, wait, suspends = row
    refused = charged(answer(problem(kind, status), status, date=_DATE))
    ended = charged(answer(failed(problem(kind, status)), 201))
    assert refused.observation is None
    assert ended.observation is not None
    assert (ended.observation.state, ended.observation.decline) == (PaymentState.DECLINED, ended.decline)
    for result, at in ((refused, _AT), (ended, _UPDATED)):
        decline = result.decline
        assert decline is not None
        expected = (Outcome.DECLINED, code, wait and at + wait, suspends)
        assert expected == (result.outcome, decline.code, decline.not_before, decline.suspends)


@pytest.mark.parametrize(
    ("given", "status", "code"),
    [
        (
            failed({"type": "acquirerinsufficientfunds", "title": "Operation failed"}),
            200,
            DeclineCode.INSUFFICIENT_FUNDS,
        ),
        (problem("creditcard/dailylimitexceeded"), 403, DeclineCode.LIMIT_EXCEEDED),  # without a date
        *((order(word, rels=(), operation="Recur"), 200, DeclineCode.DECLINED) for word in ("Aborted", "Cancelled")),
    ],
)
def test_a_decline_without_an_end_does_not_suspend_the_method(given: Json, status: int, code: DeclineCode) -> None:
    result = charged(answer(given, status))
    assert result.decline is not None
    expected = (Outcome.DECLINED, code, None, False)
    assert expected == (result.outcome, result.decline.code, result.decline.not_before, result.decline.suspends)


@pytest.mark.parametrize("kind", ["creditcard/acquirergatewaytimeout", "systemerror"])
def test_an_order_that_failed_has_failed_whatever_the_documented_word(kind: str) -> None:
    result = charged(answer(failed(problem(kind, 504))))
    assert Outcome.DECLINED is result.outcome
    assert result.decline is not None
    assert not result.decline.suspends


@pytest.mark.parametrize("kind", ["creditcard/brandnew", "trustly/accountclosed", "brandnew"])
@pytest.mark.parametrize("status", [400, 402, 403, 422])
def test_a_word_that_nobody_documents_leaves_the_outcome_open(kind: str, status: int) -> None:
    with pytest.raises(OutcomeUnknown):
        charged(answer(problem(kind, status), status))
    ended = charged(answer(failed(problem(kind, status)), 201))
    assert ended.outcome is Outcome.UNKNOWN
    assert ended.observation is not None
    assert (ended.observation.state, ended.observation.status_is_known) == (PaymentState.UNKNOWN, False)
    assert ended.decline is not None
    assert (ended.decline.advice, ended.decline.provider_code) == (Advice.NEVER, kind.rpartition("/")[2])


@pytest.mark.parametrize("channel", ["refused", "failed"])
def test_a_decline_says_how_many_draws_are_left(channel: str) -> None:
    warning = problem(
        "creditcard/authenticationrequired",
        title="SuspensionWarning",
        suspension={"attempts": 12, "remaining": 3, "product": "VISA", "state": "WARNING"},
    )
    result = charged(answer(warning, 403) if channel == "refused" else answer(failed(warning)))
    assert result.decline is not None
    assert (result.decline.attempts_left, result.decline.advice) == (3, Advice.AUTHENTICATE)


@pytest.mark.parametrize("word", ["RecurrenceToken", "UnscheduledToken", "PaymentOrder.UnscheduledToken"])
@pytest.mark.parametrize("status", [400, 404])
def test_a_token_that_does_not_exist_is_a_decline(word: str, status: int) -> None:
    missing = problem(
        "paymentorders/inputerror", 404, problems=[{"name": word, "description": f"The given {word} does not exist."}]
    )
    result = charged(answer(missing, status))
    assert result.decline is not None
    expected = (Outcome.DECLINED, DeclineCode.MANDATE_INACTIVE, True)
    assert expected == (result.outcome, result.decline.code, result.decline.suspends)


# An order that failed without a reason is read once more


def test_the_reason_is_looked_up_where_it_was_not_told() -> None:
    script = Script(answer(failed()), answer(failed(problem("creditcard/acquirererrordonotretry"))))
    result = run_blocking(provider().charge(script, request_of()))
    expected = [("POST", f"{API}/psp/paymentorders"), ("GET", f"{API}{ORDER_ID}")]
    assert expected == script.calls
    assert result.decline is not None
    assert (result.decline.code, result.decline.suspends) == (DeclineCode.DO_NOT_RETRY, True)


@pytest.mark.parametrize(
    "second",
    [OutcomeUnknown("lost"), NotSent("refused"), answer(b"", 500), answer(b"<html>"), answer(failed()), answer(made())],
)
def test_a_reason_that_is_not_found_leaves_a_plain_decline(second: HttpResponse | Exception) -> None:
    result = charged(answer(failed()), second)
    assert result.decline is not None
    expected = (Outcome.DECLINED, DeclineCode.DECLINED, False)
    assert expected == (result.outcome, result.decline.code, result.decline.suspends)


# Unknown outcomes

_PROBLEMS_500 = ["systemerror", "creditcard/internalservererror", "creditcard/acquirererror", "trustly/systemerror"]
_UNCLEAR = [
    *(answer(problem(kind, 500), 500) for kind in _PROBLEMS_500),
    *(answer(problem(f"creditcard/{kind}", 502), 502) for kind in ("acquirergatewayerror", "badgateway")),
    answer(problem("creditcard/acquirergatewaytimeout", 504), 504),
    answer(problem("systemerror", 500), 400),
    answer(b"", 500),
    answer(b"<html>", 502),
    answer(b"", 302),
    # a success that says nothing is no success
    answer(b""),
    answer(b"<html>"),
    answer({}),
    answer(problem("creditcard/acquirererror"), 200),
    answer({"paymentOrder": {"id": ORDER_ID}}, 201),
    answer(made(None)),
    answer(made(amount=None)),
    answer(made(id="/psp/creditcard/payments/1")),
    answer(made(id=f"https://evil.example{ORDER_ID}")),
    answer(made(paid=paid(amount=0), remainingCaptureAmount=None)),
]


@pytest.mark.parametrize("unclear", _UNCLEAR, ids=range(len(_UNCLEAR)))
def test_an_answer_that_does_not_say_leaves_the_outcome_unknown(unclear: HttpResponse) -> None:
    with pytest.raises(OutcomeUnknown, match=REFERENCE) as caught:
        charged(unclear)
    assert "merchant portal" in str(caught.value)
    assert "settle the operation by hand" in str(caught.value)


@pytest.mark.parametrize("refusal", [*SEEN_BEFORE, answer(problem("creditcard/brandnew", 409), 409)])
def test_a_reference_seen_before_means_that_it_exists_and_cannot_be_found(refusal: HttpResponse) -> None:
    for again in (False, True):
        with pytest.raises(OutcomeUnknown, match=REFERENCE):
            charged(refusal, again=again, refuses=True)


@pytest.mark.parametrize("lost", [OutcomeUnknown("lost"), NotSent("refused")])
def test_a_lost_answer_is_passed_on(lost: Exception) -> None:
    with pytest.raises(type(lost), match=str(lost)):
        charged(lost)


# Certainly nothing happened


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, problem("paymentorders/inputerror", 400), Rejected),
        (401, b"", Unauthenticated),
        (403, problem("configurationerror"), Unauthenticated),
        (403, problem("forbidden"), Conflict),
        (404, problem("notfound", 404), Conflict),
        (429, b"", RateLimited),
    ],
)
def test_a_refusal_of_the_request_says_that_nothing_happened(
    status: int, body: object, kind: type[ProviderError]
) -> None:
    with pytest.raises(ProviderError, match=r"^charge: ") as caught:
        charged(answer(body, status))
    assert kind is type(caught.value)


# Asked again after a lost answer


def test_nothing_is_sent_again_where_nobody_knows_what_a_repetition_does() -> None:
    script = Script()
    with pytest.raises(OutcomeUnknown, match="nothing was sent again") as caught:
        run_blocking(provider().charge(script, request_of(again=True)))
    assert not script.sent
    assert REFERENCE in str(caught.value)


@pytest.mark.parametrize("setting", [RepeatedReference.REFUSED, "refused"])
def test_the_same_reference_is_sent_again_if_repetitions_are_refused(setting: Any) -> None:
    script = Script(answer(made()), answer(problem("creditcard/acquirerinsufficientfunds"), 403))
    refuses = provider(repeated_reference=setting)
    assert Outcome.SUCCEEDED is run_blocking(refuses.charge(script, request_of(again=True))).outcome
    assert body_of(script.sent[0])["paymentorder"]["payeeInfo"]["payeeReference"] == REFERENCE
    assert Outcome.DECLINED is run_blocking(refuses.charge(script, request_of(again=True))).outcome


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (422, problem("paymentorders/paymenttokeninactive", 422)),
        (400, problem("paymentorders/inputerror", 400)),
        (401, b""),
        (403, problem("forbidden")),
        (429, b""),
    ],
)
def test_a_refused_repetition_says_nothing_about_the_first_try(status: int, body: object) -> None:
    with pytest.raises(OutcomeUnknown, match=REFERENCE):
        charged(answer(body, status), again=True, refuses=True)


# Secrets


@pytest.mark.parametrize("status", [400, 404, 422, 500])
def test_a_refusal_that_repeats_the_token_does_not_show_it(status: int) -> None:
    for spelled in (STORED, STORED.upper()):
        said = problem(
            "paymentorders/paymenttokeninactive",
            status,
            detail=f"{spelled} is inactive",
            problems=[{"name": "UnscheduledToken", "description": f"The given {spelled} is inactive"}],
        )
        try:
            shown = repr(charged(answer(said, status)))
        except OutcomeUnknown as error:
            shown = "".join(traceback.format_exception(error)) + repr(error.__cause__ and vars(error.__cause__))
        assert spelled not in shown
        assert "is inactive" in shown


def test_neither_request_nor_result_shows_the_token() -> None:
    script = Script(answer(failed(problem("creditcard/carddeclined", detail=f"token {STORED}"), noise=STORED)))
    request = request_of()
    result = run_blocking(provider().charge(script, request))
    shown = repr((request, script.sent, result, result.observation and result.observation.raw))
    assert STORED not in shown
    assert "token ***" in shown


def test_a_short_word_is_not_taken_for_a_token_all_over_the_answer() -> None:
    result = charged(answer(made()), token=Secret("1"))
    assert Outcome.SUCCEEDED is result.outcome
