"""Cancelling, giving money back, and looking at both: what is sent, what the answers become, and never twice."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from prenopay import Money, PaymentState
from prenopay._blocking import run_blocking
from prenopay.errors import (
    Conflict,
    DuplicateReference,
    ForeignAnswer,
    InvalidOrder,
    OutcomeUnknown,
    PrenopayError,
    ProviderError,
    ProviderUnavailable,
    Rejected,
    Unauthenticated,
    UnexpectedAnswer,
)
from prenopay.ports import HttpResponse
from prenopay.provider import Reply
from prenopay.providers.swish.encoding import callback_identifier
from prenopay.values.payments import Outcome

from .authority import NUMBER
from .samples import (
    API,
    BANKS,
    CALLBACK,
    MISSING,
    MISSING_WITH_BODY,
    REFUND,
    UUID,
    Json,
    Script,
    answer,
    body_of,
    change,
    errors,
    failed,
    made,
    payment,
    provider,
    refund,
    sek,
)

_PAYMENT = f"{API}/v1/paymentrequests/{UUID}"
_LOOK = ("GET", _PAYMENT)
_PATCH = ("PATCH", _PAYMENT)
_PUT = ("PUT", f"{API}/v2/refunds/{REFUND}")
_LOOK_AT_REFUND = ("GET", f"{API}/v1/refunds/{REFUND}")
_PAID = answer(payment("PAID"))


def cancel(script: Script) -> Reply:
    return run_blocking(provider().cancel(script, change()))


def look_at_refund(script: Script, minor: int = 4950, **fields: Any) -> Reply:
    observed = run_blocking(provider().observe(Script(_PAID), UUID))
    return run_blocking(provider().observe_refund(script, change(minor, again=True, **fields), observed))


def give_back(script: Script, minor: int = 4950, *, again: bool = False, **fields: Any) -> Reply:
    return run_blocking(provider().refund(script, change(minor, again=again, **fields)))


# Cancelling


def test_a_cancel_is_the_one_patch() -> None:
    script = Script(answer(payment("CANCELLED", paymentReference=BANKS, datePaid="2026-10-28T11:58:04.123Z")))
    reply = cancel(script)
    assert reply.observation is not None
    expected = (Outcome.SUCCEEDED, PaymentState.CANCELLED, sek(0))  # in spite of its reference it is not paid
    assert expected == (reply.outcome, reply.observation.state, reply.observation.captured)
    (sent,) = script.sent
    assert json.loads(sent.body) == [{"op": "replace", "path": "/status", "value": "cancelled"}]
    expected_call = (*_PATCH, "application/json-patch+json", True)
    assert expected_call == (sent.method, sent.url, dict(sent.headers)["content-type"], sent.retry_safe)


def test_a_cancel_may_be_pending_or_have_succeeded_before() -> None:
    assert Outcome.PENDING is cancel(Script(answer(payment("CREATED")))).outcome
    script = Script(errors("RP07"), answer(payment("CANCELLED")))
    assert Outcome.SUCCEEDED is cancel(script).outcome
    assert script.calls == [_PATCH, _LOOK]


@pytest.mark.parametrize(
    ("steps", "kind"),
    [
        *(([errors("RP07"), answer(found)], Conflict) for found in (payment("PAID"), payment("DECLINED"))),
        *(([errors("RP07"), answer(failed(code))], Conflict) for code in ("TM01", "DS24")),
        ([MISSING], Conflict),
        ([errors("PA01")], Rejected),
        ([answer(b"", 415)], Rejected),
        ([answer(b"", 401)], Unauthenticated),
        ([answer(b"", 500)], ProviderUnavailable),
    ],
)
def test_a_cancel_that_is_refused_says_why(steps: list[HttpResponse], kind: type[PrenopayError]) -> None:
    with pytest.raises(kind):
        cancel(Script(*steps))


@pytest.mark.parametrize("reference", ["", "../refunds/1", UUID.lower(), UUID + "0"])
def test_only_a_uuid_stands_in_an_address(reference: str) -> None:
    script = Script()
    gateway = provider()
    for verb in (gateway.cancel, gateway.refund):
        with pytest.raises(Conflict):
            run_blocking(verb(script, change(100, provider_reference=reference)))
    with pytest.raises(Conflict):
        run_blocking(gateway.observe(script, reference))
    assert not script.sent


# Giving back


def test_a_refund_names_the_banks_reference_of_the_payment() -> None:
    script = Script(
        _PAID, made("refunds", REFUND), answer(payment("PAID", payeePaymentReference="")), made("refunds", REFUND)
    )
    reply = give_back(script)
    assert (reply.outcome, reply.decline) == (Outcome.PENDING, None)
    assert script.calls == [_LOOK, _PUT]
    expected = {
        "payerPaymentReference": "4711",
        "originalPaymentReference": BANKS,
        "callbackUrl": CALLBACK,
        "callbackIdentifier": callback_identifier(CALLBACK),
        "payerAlias": NUMBER,
        "amount": "49.50",
        "currency": "SEK",
        "message": "En månad",
    }
    assert expected == body_of(script.sent[1])
    give_back(script, description=" ")
    assert not {"message", "payerPaymentReference"} & set(body_of(script.sent[3]))
    with pytest.raises(InvalidOrder):
        run_blocking(provider().refund(Script(_PAID), change(100, amount=Money(100, "EUR"))))


@pytest.mark.parametrize(
    ("description", "said"),
    [
        ("Två  gånger. ", "Två  gånger."),
        ("100 % & mer", "100 och mer"),
        ("x" * 51, "x" * 50),
        ("%", None),
    ],
)
def test_the_words_of_a_refund_are_made_to_fit(description: str, said: str | None) -> None:
    script = Script(_PAID, made("refunds", REFUND))
    give_back(script, description=description)
    assert body_of(script.sent[1]).get("message") == said


@pytest.mark.parametrize(
    "found",
    [answer(payment()), answer(payment("CANCELLED")), answer(failed("DS24")), MISSING, MISSING_WITH_BODY],
)
def test_what_is_not_paid_cannot_be_given_back(found: HttpResponse) -> None:
    script = Script(found)
    with pytest.raises(Conflict):
        give_back(script)
    assert script.calls == [_LOOK]


_FOUND: list[tuple[HttpResponse, Outcome, str | None]] = [
    *((answer(refund(status)), Outcome.PENDING, None) for status in ("CREATED", "VALIDATED", "DEBITED", "SOMETHING")),
    (answer(refund("PAID")), Outcome.SUCCEEDED, None),
    (answer(refund("paid")), Outcome.SUCCEEDED, None),
    (answer(refund("ERROR", errorCode="RF07")), Outcome.DECLINED, "RF07"),
    (answer(refund("ERROR", errorCode="XX99")), Outcome.UNKNOWN, "XX99"),
    (answer(refund("ERROR", errorCode="DS24")), Outcome.UNKNOWN, "DS24"),
]


@pytest.mark.parametrize(("found", "outcome", "code"), _FOUND)
def test_a_refund_is_looked_up_by_its_own_uuid_and_not_sent_again(
    found: HttpResponse, outcome: Outcome, code: str | None
) -> None:
    script = Script(found, _PAID, found)
    for reply in (look_at_refund(script), give_back(script, again=True)):
        assert (outcome, code) == (reply.outcome, reply.decline and reply.decline.provider_code)
    assert script.calls == [_LOOK_AT_REFUND, _LOOK, _LOOK_AT_REFUND]


@pytest.mark.parametrize("missing", [MISSING, MISSING_WITH_BODY])
def test_a_refund_that_does_not_exist_yet_is_pending(missing: HttpResponse) -> None:
    assert Outcome.PENDING is look_at_refund(Script(missing)).outcome


_NOT_OURS: tuple[Json, ...] = (
    {"amount": 49.49},
    {"currency": "EUR"},
    {"originalPaymentReference": "0" * 32},
    {"payerPaymentReference": "4712"},
    {"callbackUrl": "https://other.example/callbacks/account/payment/pay_2/signature"},
    {"dateCreated": "2026-10-28T11:58:59.000Z", "callbackUrl": ""},
)


@pytest.mark.parametrize("changed", _NOT_OURS)
def test_a_refund_that_is_not_ours_is_not_taken(changed: Json) -> None:
    found, tried_at = answer(refund("PAID", **changed)), datetime(2026, 10, 28, 12, 0, tzinfo=UTC)
    with pytest.raises(ForeignAnswer):
        look_at_refund(Script(found), first_tried_at=tried_at)
    with pytest.raises(ForeignAnswer):
        give_back(Script(_PAID, found), again=True, first_tried_at=tried_at)
    with pytest.raises(DuplicateReference):
        give_back(Script(_PAID, errors("RP09"), found), first_tried_at=tried_at)


def test_a_refund_that_reports_to_us_is_ours_although_our_clock_was_ahead_when_we_asked() -> None:
    found = answer(refund("PAID", dateCreated="2026-10-28T11:53:00.000Z"))
    asked_at = datetime(2026, 10, 28, 12, 0, tzinfo=UTC)
    assert look_at_refund(Script(found), first_tried_at=asked_at).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize("found", [refund(id=UUID), refund(payerAlias="1231181189"), {**refund(), "amount": None}])
def test_what_is_no_refund_of_that_name_is_not_read(found: Json) -> None:
    with pytest.raises(UnexpectedAnswer):
        look_at_refund(Script(answer(found)))


def test_a_refund_that_never_arrived_is_asked_for_under_the_same_uuid() -> None:
    script = Script(_PAID, MISSING, made("refunds", REFUND))
    assert Outcome.PENDING is give_back(script, again=True).outcome
    assert script.calls == [_LOOK, _LOOK_AT_REFUND, _PUT]


@pytest.mark.parametrize("refusal", [errors("RF07"), errors("RF08"), errors("RP02")])
def test_a_refusal_settles_nothing_unless_swish_says_that_it_has_nothing(refusal: HttpResponse) -> None:
    with pytest.raises(OutcomeUnknown):
        give_back(Script(_PAID, MISSING, refusal), again=True)
    script = Script(_PAID, MISSING_WITH_BODY, refusal)
    try:
        assert give_back(script, again=True).outcome is Outcome.DECLINED
    except ProviderError as error:
        assert error.stated  # noqa: PT017 - either is certain


@pytest.mark.parametrize("code", ["RP09", "RF09"])
def test_a_refund_seen_before_is_ours_only_if_it_was_sent_before(code: str) -> None:
    script = Script(_PAID, MISSING, errors(code), answer(refund("PAID")))
    assert Outcome.SUCCEEDED is give_back(script, again=True).outcome
    assert script.calls == [_LOOK, _LOOK_AT_REFUND, _PUT, _LOOK_AT_REFUND]
    with pytest.raises(OutcomeUnknown):
        give_back(Script(_PAID, errors(code), answer(refund("PAID"))))
    with pytest.raises(UnexpectedAnswer):
        give_back(Script(_PAID, errors(code), MISSING))


@pytest.mark.parametrize("code", ["RF02", "RF03", "RF04", "RF06", "RF07", "AM04", "ACMT01", "ACMT07"])
def test_a_refund_may_be_declined(code: str) -> None:
    reply = give_back(Script(_PAID, errors(code)))
    assert reply.decline is not None
    assert (Outcome.DECLINED, code) == (reply.outcome, reply.decline.provider_code)


def test_a_refund_of_more_than_is_left_tells_what_is_left() -> None:
    with pytest.raises(Conflict) as refused:
        give_back(Script(_PAID, errors("RF08", more="40.00")))
    ((code, text),) = refused.value.problems
    assert code == "RF08"
    assert "40.00" in text


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (errors("PA01", status=403), Unauthenticated),
        (errors("RP02"), Rejected),
        (answer(b"", 500), ProviderUnavailable),
        (answer(b"", 504), ProviderUnavailable),
        (made("refunds", UUID), UnexpectedAnswer),
    ],
)
def test_a_refund_that_fails_says_how(given: HttpResponse, kind: type[PrenopayError]) -> None:
    with pytest.raises(kind):
        give_back(Script(_PAID, given))
