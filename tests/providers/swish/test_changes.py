"""Cancelling, giving money back, and looking at both: what is sent, what the answers become, and never twice."""

from __future__ import annotations

import json
from typing import Any

import pytest

from prenopay import Money, PaymentState
from prenopay._blocking import run_blocking
from prenopay.errors import (
    Conflict,
    DuplicateReference,
    InvalidOrder,
    PrenopayError,
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


def give_back(script: Script, minor: int = 4950, *, again: bool = False, **fields: Any) -> Reply:
    return run_blocking(provider().refund(script, change(minor, again=again, **fields)))


# Cancelling


def test_a_cancel_is_the_one_patch() -> None:
    script = Script(answer(payment("CANCELLED")))
    reply = cancel(script)
    assert Outcome.SUCCEEDED is reply.outcome
    (sent,) = script.sent
    assert json.loads(sent.body) == [{"op": "replace", "path": "/status", "value": "cancelled"}]
    expected = (*_PATCH, "application/json-patch+json", True)
    assert expected == (sent.method, sent.url, dict(sent.headers)["content-type"], sent.retry_safe)


def test_cancelled_with_a_payment_reference_is_not_paid() -> None:
    quirky = payment("CANCELLED", paymentReference=BANKS, datePaid="2026-10-28T11:58:04.123Z")
    observed = cancel(Script(answer(quirky))).observation
    assert observed is not None
    assert (PaymentState.CANCELLED, sek(0)) == (observed.state, observed.captured)


def test_a_cancel_whose_first_answer_was_lost_has_succeeded() -> None:
    script = Script(errors("RP07"), answer(payment("CANCELLED")))
    assert Outcome.SUCCEEDED is cancel(script).outcome
    assert script.calls == [_PATCH, _LOOK]


@pytest.mark.parametrize("found", [payment("PAID"), payment("DECLINED"), failed("TM01"), failed("DS24")])
def test_what_has_ended_cannot_be_cancelled(found: Json) -> None:
    with pytest.raises(Conflict):
        cancel(Script(errors("RP07"), answer(found)))


def test_a_cancel_that_has_not_taken_hold_is_pending() -> None:
    assert Outcome.PENDING is cancel(Script(answer(payment("CREATED")))).outcome


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (MISSING, Conflict),
        (errors("PA01"), Rejected),
        (answer(b"", 415), Rejected),
        (answer(b"", 401), Unauthenticated),
        (answer(b"", 500), ProviderUnavailable),
    ],
)
def test_a_cancel_that_is_refused_says_why(given: HttpResponse, kind: type[PrenopayError]) -> None:
    with pytest.raises(kind):
        cancel(Script(given))


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
    script = Script(_PAID, made("refunds", REFUND))
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


def test_a_refund_without_words_has_none() -> None:
    script = Script(answer(payment("PAID", payeePaymentReference="")), made("refunds", REFUND))
    give_back(script, description=" ")
    assert not {"message", "payerPaymentReference"} & set(body_of(script.sent[1]))


def test_a_refund_whose_words_cannot_be_said_is_refused() -> None:
    with pytest.raises(InvalidOrder):
        give_back(Script(_PAID), description="100 %")


@pytest.mark.parametrize("found", [payment(), payment("CANCELLED"), failed("DS24")])
def test_what_was_not_paid_cannot_be_given_back(found: Json) -> None:
    script = Script(answer(found))
    with pytest.raises(Conflict):
        give_back(script)
    assert script.calls == [_LOOK]


@pytest.mark.parametrize("missing", [MISSING, MISSING_WITH_BODY])
def test_a_payment_that_is_not_there_cannot_be_given_back(missing: HttpResponse) -> None:
    with pytest.raises(Conflict):
        give_back(Script(missing))


_STANDS = [
    (refund("CREATED"), Outcome.PENDING, None),
    (refund("VALIDATED"), Outcome.PENDING, None),
    (refund("DEBITED"), Outcome.PENDING, None),
    (refund("SOMETHING"), Outcome.PENDING, None),
    (refund("PAID"), Outcome.SUCCEEDED, None),
    (refund("paid"), Outcome.SUCCEEDED, None),
    (refund("ERROR", errorCode="RF07"), Outcome.DECLINED, "RF07"),
    (refund("ERROR", errorCode="XX99"), Outcome.DECLINED, "XX99"),
    (refund("ERROR", errorCode="DS24"), Outcome.UNKNOWN, "DS24"),
]


@pytest.mark.parametrize(("found", "outcome", "code"), _STANDS)
def test_a_refund_is_looked_at_under_its_own_uuid(found: Json, outcome: Outcome, code: str | None) -> None:
    script = Script(answer(found))
    reply = run_blocking(provider().observe_refund(script, REFUND, "SEK"))
    assert (outcome, code) == (reply.outcome, reply.decline and reply.decline.provider_code)
    assert script.calls == [_LOOK_AT_REFUND]


@pytest.mark.parametrize("missing", [MISSING, MISSING_WITH_BODY])
def test_a_refund_that_is_not_there_yet_is_pending(missing: HttpResponse) -> None:
    assert Outcome.PENDING is run_blocking(provider().observe_refund(Script(missing), REFUND, "SEK")).outcome


@pytest.mark.parametrize(
    "found", [refund(id=UUID), refund(payerAlias="1231181189"), refund(currency="EUR"), {**refund(), "amount": None}]
)
def test_a_refund_that_is_not_ours_is_not_taken(found: Json) -> None:
    with pytest.raises(UnexpectedAnswer):
        run_blocking(provider().observe_refund(Script(answer(found)), REFUND, "SEK"))


@pytest.mark.parametrize(("found", "outcome"), [(found, outcome) for found, outcome, _ in _STANDS])
def test_a_refund_that_arrived_is_not_asked_for_again(found: Json, outcome: Outcome) -> None:
    script = Script(answer(found))
    assert outcome is give_back(script, again=True).outcome
    assert script.calls == [_LOOK_AT_REFUND]


def test_a_refund_that_never_arrived_is_asked_for_under_the_same_uuid() -> None:
    script = Script(MISSING, _PAID, made("refunds", REFUND))
    assert Outcome.PENDING is give_back(script, again=True).outcome
    assert script.calls == [_LOOK_AT_REFUND, _LOOK, _PUT]


@pytest.mark.parametrize("code", ["RP09", "RF09"])
def test_a_refund_seen_before_is_looked_up(code: str) -> None:
    script = Script(_PAID, errors(code), answer(refund("PAID")))
    assert Outcome.SUCCEEDED is give_back(script).outcome
    assert script.calls == [_LOOK, _PUT, _LOOK_AT_REFUND]


@pytest.mark.parametrize("code", ["RP09", "RF09"])
def test_a_refund_seen_before_that_is_not_there_stays_open(code: str) -> None:
    with pytest.raises(DuplicateReference):
        give_back(Script(_PAID, errors(code), MISSING))


@pytest.mark.parametrize("code", ["RF02", "RF03", "RF04", "RF06", "RF07", "AM04", "ACMT01", "ACMT07"])
def test_a_refund_that_somebody_refuses_is_declined(code: str) -> None:
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


def test_a_refund_in_other_money_is_refused() -> None:
    with pytest.raises(InvalidOrder):
        run_blocking(provider().refund(Script(_PAID), change(amount=Money(100, "EUR"))))
