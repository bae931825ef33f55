"""Standing consents and charges on them, experimental: what is sent, what is read, and every refusal."""

from __future__ import annotations

import json
from contextlib import nullcontext
from typing import Any

import pytest

from prenopay import Accounts, Advice, Decline, DeclineCode, Money, Order, Payer, PaymentState, Secret
from prenopay._blocking import run_blocking
from prenopay.errors import (
    Conflict,
    DuplicateReference,
    InvalidOrder,
    OutcomeUnknown,
    PrenopayError,
    ProviderUnavailable,
    RateLimited,
    Rejected as Refused,
    Unauthenticated,
    UnexpectedAnswer,
    UnsupportedOperation,
)
from prenopay.ports import HttpResponse
from prenopay.provider import Charged, ChargesMandates, Created, Environment, Observation
from prenopay.providers.swish import Swish, SwishRecurring, SwishRecurringProvider
from prenopay.values.callbacks import CallbackRequest, Heard
from prenopay.values.mandates import MandateKind, StoreMethod
from prenopay.values.orders import CaptureMode, Initiator, PageStyle
from prenopay.values.payments import Action, Operation, Outcome
from tests.providers.swedbankpay.samples import CONSENT as AGREED

from .authority import NUMBER, issued
from .samples import (
    API,
    BANKS,
    CALLBACK,
    HOST,
    MISSING,
    MISSING_WITH_BODY as GONE,
    PHONE,
    REFUND,
    RETURN,
    TOKEN,
    UUID,
    Json,
    Script,
    answer,
    asked,
    body_of,
    by_phone,
    change,
    charge_of,
    charged,
    config,
    consent,
    errors,
    made,
    made_with_token,
    payment,
    provider,
    recurring,
    refund,
    request_of,
    sek,
)

_BASE = f"{HOST}/recurring/merchant/v1"
_CONSENT = f"{_BASE}/consents/{UUID}"
_MADE = answer(b"", 201)
_DONE = answer(b"", 204)
OURS = recurring()
_STORE = StoreMethod(consent=AGREED, kinds=(MandateKind.CONSENT,))


def storing(**fields: Any) -> Order:
    values: Json = {"store": _STORE, "payer": Payer(reference="R-77", phone="070-123 45 67"), **fields}
    return asked(0, **values)


def storing_by_phone(**fields: Any) -> Order:
    return storing(page=PageStyle.PHONE, **fields)


def ask(script: Script, order: Order | None = None, *, again: bool = False) -> Created:
    return run_blocking(OURS.create_payment(script, request_of(order or storing(), again=again)))


def look(script: Script, reference: str) -> Observation:
    return run_blocking(OURS.observe(script, reference))


# What an account must say


def test_it_is_off_unless_asked_for() -> None:
    plain = provider()
    assert ChargesMandates not in type(plain).__mro__
    with pytest.raises(InvalidOrder, match="recurring = true") as refused:
        plain.check_order(storing())
    assert refused.value.field == "store"
    assert "recurring = true" in plain.limits.not_supported["charge"]
    with pytest.raises(Conflict) as unknown:
        run_blocking(plain.observe(Script(), f"consent:{UUID}"))
    assert "recurring = true" in unknown.value.advice


def test_once_on_it_is_a_capability_like_any_other() -> None:
    pem = issued().whole_pem
    account = SwishRecurring(account="swish", environment=Environment.TEST, number=NUMBER, certificate=pem)

    def draw(accounts: Accounts, mandate_id: str) -> Operation:  # type checkers know that it can charge
        return accounts.add(account).charge(mandate_id, sek(100), operation_id="1", description="En månad")

    assert draw.__annotations__["return"] == "Operation"
    assert account.recurring
    for each in (OURS, account.provider(), config(recurring=True).provider()):
        assert isinstance(each, SwishRecurringProvider)
        assert ChargesMandates in type(each).__mro__
        assert {"capture", "update"} == set(each.limits.not_supported)


# Asking for a consent


def test_a_consent_is_asked_of_a_phone() -> None:
    script = Script(_MADE)
    created = ask(script, storing_by_phone())

    assert script.calls == [("POST", _CONSENT)]
    (sent,) = script.sent
    assert (sent.label, sent.retry_safe) == ("ask consent", False)
    assert body_of(sent) == {
        "callbackUrl": CALLBACK,
        "payee": {"alias": NUMBER},
        "payer": {"alias": PHONE},
        "payeePaymentReference": "4711",
    }
    observed = created.observation
    assert (observed.provider_reference, observed.reference) == (f"consent:{UUID}", UUID)
    assert (observed.state, observed.submitted, observed.methods) == (PaymentState.PENDING, sek(0), ())
    assert observed.allowed_actions == {Action.CANCEL}
    assert created.app_switch is None


@pytest.mark.parametrize("number", ["", "19750108-2387"])
def test_a_consent_is_asked_in_the_app(number: str) -> None:
    script = Script(answer(b"", 201, paymentrequesttoken=TOKEN))
    created = ask(script, storing(payer=Payer(reference="R-77", personal_number=number), extra={"new": 1}))

    assert [("POST", f"{_CONSENT}/token")] == script.calls
    body: Json = {"callbackUrl": CALLBACK, "payee": {"alias": NUMBER}, "payeePaymentReference": "4711", "new": 1}
    assert body | ({"tin": "197501082387"} if number else {}) == body_of(script.sent[0])
    assert created.app_switch is not None
    assert created.app_switch.token == TOKEN
    assert TOKEN not in repr(created)


_MATCHED = Payer(reference="R", phone="+46701234567", personal_number="197501082387", must_match_personal_number=True)


@pytest.mark.parametrize(
    ("order", "field"),
    [
        (storing(store=StoreMethod(consent=AGREED)), "store.kinds"),
        (storing(store=StoreMethod(consent=AGREED, kinds=(MandateKind.CONSENT, MandateKind.ONE_CLICK))), "store.kinds"),
        (storing(amount=sek(100)), "amount"),
        (storing(amount=Money(0, "EUR")), "amount"),
        (storing(page=PageStyle.SEAMLESS), "page"),
        (storing(instruments=("card",)), "instruments"),
        (storing(age_limit=18), "age_limit"),
        (storing_by_phone(payer=Payer(reference="R-77")), "payer.phone"),
        (storing_by_phone(payer=_MATCHED), "payer.must_match_personal_number"),
        (storing(order_reference="å å"), "order_reference"),
        (storing(extra={"new": object()}), "order"),
    ],
)
def test_what_a_consent_cannot_express(order: Order, field: str) -> None:
    with pytest.raises(InvalidOrder) as refused:
        OURS.check_order(order)
    assert field == refused.value.field


def test_other_orders_are_accepted_as_they_are() -> None:
    for order in (storing(), storing_by_phone(), asked(), asked(**by_phone()), charge_of().order):
        OURS.check_order(order)
    script = Script(made_with_token())
    assert ask(script, asked()).app_switch is not None
    assert script.calls == [("PUT", f"{API}/v2/paymentrequests/{UUID}")]


@pytest.mark.parametrize(
    ("refused", "error"),
    [
        (errors("FF08"), Refused),
        (errors("PA01", status=403), Unauthenticated),
        (answer(b"", 401), Unauthenticated),
        (answer(b"", 429), RateLimited),
        (errors("ACMT03"), Refused),
        (answer(b"", 503), ProviderUnavailable),
        (answer(b"<html>", 302), UnexpectedAnswer),
        (_MADE, UnexpectedAnswer),  # without a token no app can open it
    ],
)
def test_a_refused_consent_is_an_error(refused: HttpResponse, error: type[PrenopayError]) -> None:
    with pytest.raises(error, match="ask consent"):
        ask(Script(refused))


# A consent whose answer was lost


def test_what_never_arrived_is_asked_for_again_under_the_same_id() -> None:
    script = Script(MISSING, _MADE)
    ask(script, storing_by_phone(), again=True)
    assert script.calls == [("GET", _CONSENT), ("POST", _CONSENT)]


@pytest.mark.parametrize("status", ["PENDING", "ACTIVE", "DECLINED"])
def test_a_consent_that_arrived_is_not_requested_again(status: str) -> None:
    found = answer(consent(status))
    for script, again in ((Script(found), True), (Script(errors("RP09"), found), False)):
        created = ask(script, storing_by_phone(), again=again)
        assert created.observation.raw_status == status
        assert script.calls[-1] == ("GET", _CONSENT)
    if status == "ACTIVE":  # in the app, too, it was signed all the same
        created = ask(Script(found), again=True)
        assert (created.observation.state, created.app_switch) == (PaymentState.CAPTURED, None)


_PENDING_CONSENT = answer(consent("PENDING"))
_READ, _ENDED = ("GET", _CONSENT), ("DELETE", _CONSENT)


@pytest.mark.parametrize(
    ("again", "steps", "calls", "kind"),
    [
        *((True, [_PENDING_CONSENT, end], [_READ, _ENDED], DuplicateReference) for end in (_DONE, GONE)),
        (True, [_PENDING_CONSENT, MISSING, MISSING], [_READ, _ENDED, _READ], Conflict),  # nobody knows that it ended
        (True, [answer(consent("DECLINED"))], [_READ], DuplicateReference),  # it has ended already
        (True, [_PENDING_CONSENT, answer(b"", 503)], [_READ, _ENDED], ProviderUnavailable),  # and so no other is sent
        (False, [errors("RP09"), MISSING], [("POST", f"{_CONSENT}/token"), _READ], DuplicateReference),
    ],
)
def test_a_consent_whose_token_was_lost_is_ended(
    again: bool,  # noqa: FBT001 - a case
    steps: list[HttpResponse],
    calls: list[tuple[str, str]],
    kind: type[PrenopayError],
) -> None:
    script = Script(*steps)
    with pytest.raises(kind):
        ask(script, again=again)
    assert calls == script.calls


# Reading a consent


def test_a_signed_consent_is_a_method_to_charge() -> None:
    observed = look(Script(answer(consent())), f"consent:{UUID}")
    (method,) = observed.methods

    assert (observed.state, observed.authorized, observed.captured) == (PaymentState.CAPTURED, sek(0), sek(0))
    assert (observed.submitted, observed.reference, observed.order_reference) == (sek(0), UUID, "4711")
    assert observed.allowed_actions == frozenset()
    assert (method.kind, method.token.reveal(), method.display) == (MandateKind.CONSENT, UUID, "Swish •••• 4567")
    assert "callbackUrl" not in observed.raw


@pytest.mark.parametrize(
    ("given", "state", "is_known"),
    [
        *((answer(consent(status, payer=None)), PaymentState.PENDING, True) for status in ("PENDING", "CREATED")),
        (answer(consent("something", payer=None)), PaymentState.PENDING, False),
        (MISSING, PaymentState.PENDING, True),  # until its time is over
        (answer(consent("DECLINED")), PaymentState.DECLINED, True),
        (answer(consent("EXPIRED")), PaymentState.EXPIRED, True),
        *((answer(consent(status)), PaymentState.CANCELLED, True) for status in ("CANCELLED", "REVOKED", "DELETED")),
    ],
)
def test_no_other_consent_is_charged(given: HttpResponse, state: PaymentState, is_known: bool) -> None:  # noqa: FBT001 - a table
    observed = look(Script(given), f"consent:{UUID}")
    assert (state, is_known, ()) == (observed.state, observed.status_is_known, observed.methods)
    assert (observed.decline is not None) is (state is PaymentState.DECLINED)


def test_a_consent_may_lack_its_id() -> None:
    assert look(Script(answer({"status": "active"})), f"consent:{UUID}").methods[0].display == "Swish"


@pytest.mark.parametrize(
    "body", [consent(id=REFUND), consent(payee={"alias": "1230000025"}), {"id": UUID}, consent(""), b"[]", b"<html>"]
)
def test_a_consent_that_cannot_be_ours_is_refused(body: Json | bytes) -> None:
    with pytest.raises(UnexpectedAnswer):
        look(Script(answer(body)), f"consent:{UUID}")


# Ending a consent


def remove(script: Script, kind: MandateKind = MandateKind.CONSENT) -> None:
    run_blocking(OURS.remove_method(script, kind, Secret(UUID), reason="moved"))


@pytest.mark.parametrize(
    ("steps", "kind"),
    [
        ([_DONE], None),
        ([GONE], None),
        ([errors("RP07"), answer(consent("REVOKED"))], None),
        ([errors("PA01"), GONE], None),
        ([errors("PA01"), MISSING], Refused),
        ([errors("RP07"), answer(consent())], Conflict),
        ([answer(b"", 500)], ProviderUnavailable),
    ],
)
def test_a_consent_is_removed_and_one_that_is_gone_is_no_error(
    steps: list[HttpResponse], kind: type[PrenopayError] | None
) -> None:
    script = Script(*steps)
    with nullcontext() if kind is None else pytest.raises(kind):
        remove(script)
    assert script.calls[0] == _ENDED
    assert script.sent[0].retry_safe
    with pytest.raises(InvalidOrder):
        remove(Script(), MandateKind.ONE_CLICK)


def test_swish_knows_no_payers() -> None:
    with pytest.raises(UnsupportedOperation, match="cannot list"):
        run_blocking(OURS.observe_methods(Script(), "R-77"))
    with pytest.raises(UnsupportedOperation, match="cannot list"):
        run_blocking(OURS.remove_all_methods(Script(), "R-77", reason="moved"))


@pytest.mark.parametrize(
    ("steps", "calls"),
    [
        ([_PENDING_CONSENT, _DONE], [_READ, _ENDED]),
        ([MISSING, GONE], [_READ, _ENDED]),
        ([answer(consent("REVOKED"))], [_READ]),
    ],
)
def test_an_unsigned_consent_is_cancelled(steps: list[HttpResponse], calls: list[tuple[str, str]]) -> None:
    script = Script(*steps)
    reply = run_blocking(OURS.cancel(script, change(provider_reference=f"consent:{UUID}")))
    assert calls == script.calls
    assert reply.observation is not None
    assert (reply.outcome, reply.observation.state) == (Outcome.SUCCEEDED, PaymentState.CANCELLED)


@pytest.mark.parametrize(
    ("reference", "body"), [(f"consent:{UUID}", consent()), (f"recurring:{REFUND}", charged()), (UUID, payment("PAID"))]
)
def test_what_is_signed_or_charged_is_not_cancelled(reference: str, body: Json) -> None:
    steps = [errors("RP07"), answer(body)] if reference == UUID else [answer(body)]
    with pytest.raises(Conflict, match="not possible now"):
        run_blocking(OURS.cancel(Script(*steps), change(provider_reference=reference)))


# Callbacks


def heard(body: Json, **fields: Any) -> Heard:
    request = CallbackRequest(
        path="/prenopay/swish/pay_1/s3cretmac", body=json.dumps(body).encode(), headers={}, peer="192.0.2.17"
    )
    return recurring(**fields).read_callback(request) if fields else OURS.read_callback(request)


@pytest.mark.parametrize(
    ("body", "reference"),
    [
        (consent(), f"consent:{UUID}"),
        (consent("PENDING", id=UUID.lower()), f"consent:{UUID}"),
        (consent(id=None, consentId=UUID), f"consent:{UUID}"),
        (consent("REVOKED"), None),
        ({"status": "ACTIVE", "payee": {"alias": NUMBER}}, None),
        (charged("PAID"), f"recurring:{REFUND}"),
        (charged("PAID", amount=149, currency="SEK"), f"recurring:{REFUND}"),
        (charged("PAID", id=None), None),
        (payment("PAID"), UUID),
        (refund("PAID"), None),
    ],
)
def test_a_callback_hints_at_what_it_is_about(body: Json, reference: str | None) -> None:
    expected = Heard(names=() if reference is None else (reference,))
    assert expected == heard(body)
    assert expected == heard(body, callback_sources=("192.0.2.16/29",))


@pytest.mark.parametrize("body", [{"payee": {}, "status": ""}, charged(""), {"id": UUID}])
def test_a_callback_that_is_nothing_of_swishs_is_refused(body: Json) -> None:
    assert heard(body).problem


# Stored bodies


def test_consents_and_charges_are_inspected() -> None:
    def seen(body: Json) -> Any:
        return Swish.inspect(json.dumps(body).encode())

    signed, waiting, odd = seen(consent()), seen(consent("PENDING")), seen(consent("X"))
    shown = (signed.kind, signed.state, signed.mandates[0].display)
    assert shown == ("consent", PaymentState.CAPTURED, "Swish •••• 4567")
    assert (waiting.state, waiting.mandates, waiting.note) == (PaymentState.PENDING, (), "")
    assert "unknown status 'X'" in odd.note
    taken, timed_out = seen(charged("PAID")), seen(charged("ERROR", errorCode="TM01"))
    assert (taken.kind, taken.provider_reference, taken.captured) == ("charge", REFUND, 14900)
    assert (timed_out.state, timed_out.captured) == (PaymentState.DECLINED, 0)
    assert RETURN not in repr(signed)


_CHARGE = f"{HOST}/recurring/merchant/v1/payments/single/{REFUND}"


def charge(script: Script, **fields: Any) -> Charged:
    return run_blocking(OURS.charge(script, charge_of(**fields)))


# Charging


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
    assert charge(Script(GONE), again=True, token=None).outcome is Outcome.NOT_ATTEMPTED
    with pytest.raises(OutcomeUnknown):
        charge(Script(MISSING), again=True, token=None)


@pytest.mark.parametrize(
    ("changes", "field"), [({"amount": Money(100, "NOK")}, "amount"), ({"description": "a" * 51}, "description")]
)
def test_what_a_charge_cannot_express(changes: Json, field: str) -> None:
    values: Json = {"amount": sek(14900), "description": "En månad", **changes}
    with pytest.raises(InvalidOrder) as refused:
        OURS.check_order(Order(return_url="", initiator=Initiator.MERCHANT, capture=CaptureMode.AUTOMATIC, **values))
    assert field == refused.value.field
    with pytest.raises(InvalidOrder):
        charge(Script(), kind=MandateKind.UNSCHEDULED)


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
    for script in (Script(answer(body)), Script(GONE, errors("RP09"), answer(body))):
        found = charge(script, again=True)
        assert outcome is found.outcome
        assert found.observation is not None
        assert (found.decline is not None) is (outcome in {Outcome.DECLINED, Outcome.UNKNOWN})
        assert script.calls[-1] == ("GET", f"{_CHARGE}/status")


_OTHER = charged("PAID", amount={"value": "1.00", "currency": "SEK"})


@pytest.mark.parametrize(
    ("again", "steps"),
    [
        (False, [errors("RP09"), MISSING]),
        (False, [errors("RP09"), answer(charged("PAID", amount=1))]),
        (True, [answer(_OTHER)]),
    ],
)
def test_an_id_that_is_used_for_another_charge_is_an_error(again: bool, steps: list[HttpResponse]) -> None:  # noqa: FBT001 - a case
    with pytest.raises((DuplicateReference, UnexpectedAnswer)):
        charge(Script(*steps), again=again)


@pytest.mark.parametrize(("code", "ours"), [("RF07", DeclineCode.DECLINED), ("ACMT03", DeclineCode.PAYER_NOT_ENROLLED)])
def test_a_no_at_once_is_a_decline(code: str, ours: DeclineCode) -> None:
    found = charge(Script(errors(code)))
    assert found.decline is not None
    assert (Outcome.DECLINED, None, ours) == (found.outcome, found.observation, found.decline.code)


@pytest.mark.parametrize("refused", [errors("PA01"), MISSING, errors("PA01", status=400), errors("RP04", status=404)])
@pytest.mark.parametrize("found", [answer(consent("REVOKED")), answer(consent("PENDING")), GONE])
def test_a_consent_that_is_not_active_is_a_decline(refused: HttpResponse, found: HttpResponse) -> None:
    script = Script(refused, found)
    ended = charge(script)

    assert script.calls == [("POST", _CHARGE), ("GET", _CONSENT)]
    assert ended.decline is not None
    assert (ended.outcome, ended.decline.code) == (Outcome.DECLINED, DeclineCode.MANDATE_INACTIVE)
    assert ended.decline.suspends
    assert UUID not in repr(ended)
    with pytest.raises((Refused, Conflict)):  # while the consent is active the refusal is about something else
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


# Reading a charge


@pytest.mark.parametrize(
    ("body", "state", "taken"),
    [
        (charged("CREATED"), PaymentState.PENDING, 0),
        (charged("DEBITED"), PaymentState.PENDING, 0),
        (charged("PAID"), PaymentState.CAPTURED, 14900),
        (charged("PAID", amount="149.00", currency="SEK", id=None), PaymentState.CAPTURED, 14900),
        (charged("ERROR", errorCode="DS24"), PaymentState.UNKNOWN, 0),
        (charged("ERROR", errorCode="RF07"), PaymentState.DECLINED, 0),
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


def test_a_charge_is_refunded_under_the_banks_reference() -> None:
    script = Script(answer(charged("PAID")), made("refunds", "F0" * 16))
    request = change(14900, provider_reference=f"recurring:{REFUND}", reference="F0" * 16)
    assert run_blocking(OURS.refund(script, request)).outcome is Outcome.PENDING
    assert body_of(script.sent[1])["originalPaymentReference"] == BANKS
    with pytest.raises(Conflict, match="no bank reference"):
        run_blocking(OURS.refund(Script(answer(charged("PAID", paymentReference=None))), request))
    with pytest.raises(Conflict, match="no charge"):
        look(Script(MISSING), f"recurring:{REFUND}")
