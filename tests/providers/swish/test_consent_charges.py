"""Charges on standing consents, experimental: what is sent, what is read, and every refusal."""

from __future__ import annotations

from typing import Any

import pytest

from prenopay import Advice, Decline, DeclineCode, Money, Order, PaymentState
from prenopay._blocking import run_blocking
from prenopay.errors import (
    Conflict,
    DuplicateReference,
    InvalidOrder,
    PrenopayError,
    ProviderUnavailable,
    RateLimited,
    Rejected as Refused,
    Unauthenticated,
    UnexpectedAnswer,
)
from prenopay.ports import HttpResponse
from prenopay.provider import Charged, Observation
from prenopay.values.mandates import MandateKind
from prenopay.values.orders import CaptureMode, Initiator
from prenopay.values.payments import Action, Outcome

from .authority import NUMBER
from .samples import (
    BANKS,
    CALLBACK,
    HOST,
    MISSING,
    REFUND,
    UUID,
    Json,
    Script,
    answer,
    body_of,
    change,
    charge_of,
    charged,
    consent,
    errors,
    made,
    recurring,
    sek,
)

_CONSENT = f"{HOST}/recurring/merchant/v1/consents/{UUID}"
_CHARGE = f"{HOST}/recurring/merchant/v1/payments/single/{REFUND}"
_MADE = answer(b"", 201)
OURS = recurring()


def charge(script: Script, **fields: Any) -> Charged:
    return run_blocking(OURS.charge(script, charge_of(**fields)))


def look(script: Script, reference: str) -> Observation:
    return run_blocking(OURS.observe(script, reference))


# Charging


@pytest.mark.parametrize(
    ("changes", "field"), [({"amount": Money(100, "NOK")}, "amount"), ({"description": "a" * 51}, "description")]
)
def test_what_a_charge_cannot_hold(changes: Json, field: str) -> None:
    values: Json = {"amount": sek(14900), "description": "En månad", **changes}
    with pytest.raises(InvalidOrder) as refused:
        OURS.check_order(Order(return_url="", initiator=Initiator.MERCHANT, capture=CaptureMode.AUTOMATIC, **values))
    assert field == refused.value.field


def test_money_is_taken_on_a_consent() -> None:
    script = Script(_MADE)
    found = charge(script, minor=14950)

    assert script.calls == [("POST", _CHARGE)]
    (sent,) = script.sent
    assert (sent.label, sent.retry_safe) == ("charge", False)
    assert body_of(sent) == {
        "consentId": UUID,
        "callbackUrl": CALLBACK,
        "payee": {"alias": NUMBER},
        "amount": {"value": 149.5, "currency": "SEK"},
        "message": "En månad",
    }
    observed = found.observation
    assert observed is not None
    assert (found.outcome, found.decline) == (Outcome.PENDING, None)
    assert (observed.provider_reference, observed.reference) == (f"recurring:{REFUND}", REFUND)
    assert (observed.state, observed.submitted, observed.captured) == (PaymentState.PENDING, sek(14950), sek(0))


def test_a_charge_that_never_arrived_is_sent_again_under_the_same_id() -> None:
    script = Script(MISSING, _MADE)
    assert charge(script, again=True).outcome is Outcome.PENDING
    assert [("GET", f"{_CHARGE}/status"), ("POST", _CHARGE)] == script.calls


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (charged("CREATED"), Outcome.PENDING),
        (charged("something"), Outcome.PENDING),
        (charged("PAID"), Outcome.SUCCEEDED),
        (charged("DECLINED"), Outcome.DECLINED),
        (charged("ERROR", errorCode="RF07"), Outcome.DECLINED),
        (charged("ERROR", errorCode="DS24"), Outcome.UNKNOWN),
    ],
)
def test_what_a_look_finds_is_what_was_charged(body: Json, outcome: Outcome) -> None:
    for script, again in ((Script(answer(body)), True), (Script(errors("RP09"), answer(body)), False)):
        found = charge(script, again=again)
        assert outcome is found.outcome
        assert found.observation is not None
        assert (found.decline is not None) is (outcome in {Outcome.DECLINED, Outcome.UNKNOWN})
        assert script.calls[-1] == ("GET", f"{_CHARGE}/status")


@pytest.mark.parametrize("steps", [[errors("RP09"), MISSING], [errors("RP09"), answer(charged("PAID", amount=1))]])
def test_an_id_that_was_seen_for_something_else_says_nothing(steps: list[HttpResponse]) -> None:
    with pytest.raises((DuplicateReference, UnexpectedAnswer)):
        charge(Script(*steps))


def test_another_amount_is_another_charge() -> None:
    other = charged("PAID", amount={"value": "1.00", "currency": "SEK"})
    with pytest.raises(DuplicateReference, match="charge of"):
        charge(Script(answer(other)), again=True)


@pytest.mark.parametrize(("code", "ours"), [("RF07", DeclineCode.DECLINED), ("ACMT03", DeclineCode.PAYER_NOT_ENROLLED)])
def test_a_no_at_once_is_a_decline(code: str, ours: DeclineCode) -> None:
    found = charge(Script(errors(code)))
    assert found.decline is not None
    assert (Outcome.DECLINED, None, ours) == (found.outcome, found.observation, found.decline.code)


@pytest.mark.parametrize("refused", [errors("PA01"), MISSING, errors("PA01", status=400), errors("RP04", status=404)])
@pytest.mark.parametrize("found", [answer(consent("REVOKED")), answer(consent("PENDING")), MISSING])
def test_a_consent_that_is_not_active_is_charged_no_more(refused: HttpResponse, found: HttpResponse) -> None:
    script = Script(refused, found)
    ended = charge(script)

    assert script.calls == [("POST", _CHARGE), ("GET", _CONSENT)]
    assert ended.decline is not None
    assert (ended.outcome, ended.decline.code) == (Outcome.DECLINED, DeclineCode.MANDATE_INACTIVE)
    assert ended.decline.suspends
    assert UUID not in repr(ended)


@pytest.mark.parametrize(("refused", "error"), [(errors("PA01"), Refused), (MISSING, Conflict)])
def test_while_the_consent_is_active_it_was_something_else(refused: HttpResponse, error: type[PrenopayError]) -> None:
    with pytest.raises(error):
        charge(Script(refused, answer(consent())))


@pytest.mark.parametrize(
    ("refused", "error"),
    [
        (errors("PA01", status=403), Unauthenticated),
        (errors("PA01", "AM03"), Refused),
        (errors("AM03"), Refused),
        (answer(b"", 401), Unauthenticated),
        (answer(b"", 429), RateLimited),
        (answer(b"", 503), ProviderUnavailable),
        (errors("DS24"), ProviderUnavailable),
        (answer(b"", 302), UnexpectedAnswer),
    ],
)
def test_other_refusals_are_errors_and_nothing_more_is_sent(refused: HttpResponse, error: type[PrenopayError]) -> None:
    script = Script(refused)
    with pytest.raises(error):
        charge(script)
    assert len(script.sent) == 1


def test_nothing_but_a_consent_is_charged() -> None:
    with pytest.raises(InvalidOrder):
        charge(Script(), kind=MandateKind.UNSCHEDULED)


# Reading a charge


@pytest.mark.parametrize(
    ("body", "state", "taken"),
    [
        (charged("CREATED"), PaymentState.PENDING, 0),
        (charged("DEBITED"), PaymentState.PENDING, 0),
        (charged("PAID"), PaymentState.CAPTURED, 14900),
        (charged("PAID", amount="149.00", currency="SEK", id=None), PaymentState.CAPTURED, 14900),
        (charged("ERROR", errorCode="DS24"), PaymentState.UNKNOWN, 0),
        (charged("ERROR", errorCode="XX99"), PaymentState.DECLINED, 0),
        (charged("CANCELLED"), PaymentState.DECLINED, 0),
    ],
)
def test_a_charge_stands(body: Json, state: PaymentState, taken: int) -> None:
    script = Script(answer(body))
    observed = look(script, f"recurring:{REFUND}")
    assert [("GET", f"{_CHARGE}/status")] == script.calls
    assert (state, sek(taken), sek(14900)) == (observed.state, observed.captured, observed.submitted)
    assert (observed.provider_reference, observed.reference) == (f"recurring:{REFUND}", REFUND)
    assert observed.status_is_known
    assert observed.allowed_actions == ({Action.REFUND} if taken else set())


@pytest.mark.parametrize(
    ("code", "advice"),
    [("TM01", Advice.RETRY_LATER), ("RP08", Advice.NEW_METHOD), ("RF07", Advice.NEW_METHOD), ("VR01", Advice.NEVER)],
)
def test_a_charge_that_failed_was_declined_and_never_expires(code: str, advice: Advice) -> None:
    observed = look(Script(answer(charged("ERROR", errorCode=code))), f"recurring:{REFUND}")
    assert isinstance(observed.decline, Decline)
    assert (PaymentState.DECLINED, advice) == (observed.state, observed.decline.advice)


@pytest.mark.parametrize(
    "body", [charged(id=UUID), charged(payeeAlias="1230000025"), charged(amount=None), charged(""), b"<html>"]
)
def test_a_charge_that_cannot_be_ours_is_refused(body: Json | bytes) -> None:
    with pytest.raises(UnexpectedAnswer):
        look(Script(answer(body)), f"recurring:{REFUND}")


def test_a_charge_that_is_not_there_is_no_evidence() -> None:
    with pytest.raises(Conflict, match="no charge"):
        look(Script(MISSING), f"recurring:{REFUND}")


def test_a_charge_is_refunded_under_the_banks_reference() -> None:
    script = Script(answer(charged("PAID")), made("refunds", "F0" * 16))
    request = change(14900, provider_reference=f"recurring:{REFUND}", reference="F0" * 16)
    assert run_blocking(OURS.refund(script, request)).outcome is Outcome.PENDING
    assert body_of(script.sent[1])["originalPaymentReference"] == BANKS


def test_without_the_banks_reference_nothing_is_refunded() -> None:
    script = Script(answer(charged("PAID", paymentReference=None)))
    with pytest.raises(Conflict, match="no bank reference"):
        run_blocking(OURS.refund(script, change(14900, provider_reference=f"recurring:{REFUND}")))
