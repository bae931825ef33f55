"""Standing consents, experimental: what is sent, what is read, and every refusal."""

from __future__ import annotations

import json
from typing import Any

import pytest

from prenopay import Accounts, Money, Order, Payer, PaymentState, Secret
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
    UnsupportedOperation,
)
from prenopay.ports import HttpResponse
from prenopay.provider import ChargesMandates, Created, Environment, Observation
from prenopay.providers.swish import Swish, SwishRecurring, SwishRecurringProvider
from prenopay.values.callbacks import CallbackRequest, Heard
from prenopay.values.mandates import MandateKind, StoreMethod
from prenopay.values.orders import PageStyle
from prenopay.values.payments import Action, Operation, Outcome
from tests.providers.swedbankpay.samples import CONSENT as AGREED

from .authority import NUMBER, issued
from .samples import (
    CALLBACK,
    HOST,
    MISSING,
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
    assert ChargesMandates in type(OURS).__mro__
    assert {"capture", "update"} == set(OURS.limits.not_supported)
    assert isinstance(config(recurring=True).provider(), SwishRecurringProvider)


def test_type_checkers_know_an_account_that_can_charge() -> None:
    account = SwishRecurring(
        account="swish", environment=Environment.TEST, number=NUMBER, certificate=issued().whole_pem
    )

    def draw(accounts: Accounts, mandate_id: str) -> Operation:
        return accounts.add(account).charge(mandate_id, sek(100), operation_id="1", description="En månad")

    assert account.recurring
    assert isinstance(account.provider(), SwishRecurringProvider)
    assert draw.__annotations__["return"] == "Operation"


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


def test_without_a_token_no_app_can_open_it() -> None:
    with pytest.raises(UnexpectedAnswer, match="no token"):
        ask(Script(_MADE))


@pytest.mark.parametrize(
    ("order", "field"),
    [
        (storing(store=StoreMethod(consent=AGREED)), "store.kinds"),
        (storing(store=StoreMethod(consent=AGREED, kinds=(MandateKind.CONSENT, MandateKind.ONE_CLICK))), "store.kinds"),
        (storing(amount=sek(100)), "amount"),
        (storing(page=PageStyle.SEAMLESS), "page"),
        (storing(instruments=("card",)), "instruments"),
        (storing(return_url="/thanks"), "return_url"),
        (storing(age_limit=18), "age_limit"),
        (storing_by_phone(payer=Payer(reference="R-77")), "payer.phone"),
        (
            storing_by_phone(
                payer=Payer(
                    reference="R", phone="+46701234567", personal_number="197501082387", must_match_personal_number=True
                )
            ),
            "payer.must_match_personal_number",
        ),
        (storing(payer=Payer(reference="R", personal_number="750108-2387")), "payer.personal_number"),
        (storing(order_reference="å å"), "order_reference"),
        (storing(extra={"new": object()}), "order"),
    ],
)
def test_what_a_consent_cannot_hold(order: Order, field: str) -> None:
    with pytest.raises(InvalidOrder) as refused:
        OURS.check_order(order)
    assert field == refused.value.field


def test_what_it_can_hold_and_other_orders_are_let_through() -> None:
    for order in (storing(), storing_by_phone(), asked(), asked(**by_phone()), charge_of().order):
        OURS.check_order(order)
    with pytest.raises(InvalidOrder, match="EUR"):
        OURS.check_order(storing(amount=Money(0, "EUR")))


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
    ],
)
def test_a_refused_consent_is_an_error(refused: HttpResponse, error: type[PrenopayError]) -> None:
    with pytest.raises(error):
        ask(Script(refused))


# A consent whose answer was lost


def test_what_never_arrived_is_asked_for_again_under_the_same_id() -> None:
    script = Script(MISSING, _MADE)
    ask(script, storing_by_phone(), again=True)
    assert script.calls == [("GET", _CONSENT), ("POST", _CONSENT)]


@pytest.mark.parametrize("status", ["PENDING", "ACTIVE", "DECLINED"])
def test_a_phone_that_was_asked_is_not_asked_again(status: str) -> None:
    for script, again in (
        (Script(answer(consent(status))), True),
        (Script(errors("RP09"), answer(consent(status))), False),
    ):
        created = ask(script, storing_by_phone(), again=again)
        assert created.observation.raw_status == status
        assert script.calls[-1] == ("GET", _CONSENT)


@pytest.mark.parametrize("ended", [_DONE, MISSING, answer(b"", 410)])
def test_a_consent_whose_token_was_lost_is_ended_and_begun_anew(ended: HttpResponse) -> None:
    script = Script(answer(consent("PENDING")), ended)
    with pytest.raises(DuplicateReference):
        ask(script, again=True)
    assert script.calls == [("GET", _CONSENT), ("DELETE", _CONSENT)]


def test_one_that_ended_by_itself_is_not_ended_again() -> None:
    script = Script(answer(consent("DECLINED")))
    with pytest.raises(DuplicateReference):
        ask(script, again=True)
    assert script.calls == [("GET", _CONSENT)]


def test_one_that_was_signed_all_the_same_is_kept() -> None:
    created = ask(Script(answer(consent())), again=True)
    assert (created.observation.state, created.app_switch) == (PaymentState.CAPTURED, None)


def test_while_it_cannot_be_ended_no_other_is_asked_for() -> None:
    with pytest.raises(ProviderUnavailable):
        ask(Script(answer(consent("PENDING")), answer(b"", 503)), again=True)


def test_an_id_that_is_anothers_is_left() -> None:
    with pytest.raises(DuplicateReference):
        ask(Script(errors("RP09"), MISSING))


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
    ("status", "state", "is_known"),
    [
        ("PENDING", PaymentState.PENDING, True),
        ("CREATED", PaymentState.PENDING, True),
        ("something", PaymentState.PENDING, False),
        ("DECLINED", PaymentState.DECLINED, True),
        ("EXPIRED", PaymentState.EXPIRED, True),
        ("CANCELLED", PaymentState.CANCELLED, True),
        ("REVOKED", PaymentState.CANCELLED, True),
        ("DELETED", PaymentState.CANCELLED, True),
    ],
)
def test_no_other_consent_is_charged(status: str, state: PaymentState, is_known: bool) -> None:  # noqa: FBT001 - a table
    observed = look(Script(answer(consent(status, payer=None))), f"consent:{UUID}")
    assert (state, is_known, ()) == (observed.state, observed.status_is_known, observed.methods)
    assert (observed.decline is not None) is (state is PaymentState.DECLINED)


def test_a_consent_that_is_not_there_waits_for_its_time_to_be_over() -> None:
    observed = look(Script(MISSING), f"consent:{UUID}")
    assert (observed.state, observed.methods) == (PaymentState.PENDING, ())
    script = Script(MISSING, MISSING)
    reply = run_blocking(OURS.cancel(script, change(provider_reference=f"consent:{UUID}")))
    assert reply.outcome is Outcome.SUCCEEDED
    assert script.calls == [("GET", _CONSENT), ("DELETE", _CONSENT)]


@pytest.mark.parametrize(
    "body", [consent(id=REFUND), consent(payee={"alias": "1230000025"}), {"id": UUID}, consent(""), b"[]", b"<html>"]
)
def test_a_consent_that_cannot_be_ours_is_refused(body: Json | bytes) -> None:
    with pytest.raises(UnexpectedAnswer):
        look(Script(answer(body)), f"consent:{UUID}")


def test_a_consent_may_leave_out_its_id() -> None:
    assert look(Script(answer({"status": "active"})), f"consent:{UUID}").methods[0].display == "Swish"


# Ending a consent


def remove(script: Script, kind: MandateKind = MandateKind.CONSENT) -> None:
    run_blocking(OURS.remove_method(script, kind, Secret(UUID), reason="moved"))


@pytest.mark.parametrize(
    "steps",
    [
        [_DONE],
        [MISSING],
        [errors("RP07"), answer(consent("REVOKED"))],
        [errors("PA01"), MISSING],
    ],
)
def test_a_consent_is_removed_and_one_that_is_gone_is_no_error(steps: list[HttpResponse]) -> None:
    script = Script(*steps)
    remove(script)
    assert script.calls[0] == ("DELETE", _CONSENT)
    assert script.sent[0].retry_safe


def test_a_consent_that_stays_is_an_error() -> None:
    with pytest.raises(Conflict):
        remove(Script(errors("RP07"), answer(consent())))
    with pytest.raises(ProviderUnavailable):
        remove(Script(answer(b"", 500)))
    with pytest.raises(InvalidOrder):
        remove(Script(), MandateKind.ONE_CLICK)


def test_swish_knows_no_payers() -> None:
    with pytest.raises(UnsupportedOperation, match="cannot list"):
        run_blocking(OURS.observe_methods(Script(), "R-77"))
    with pytest.raises(UnsupportedOperation, match="cannot list"):
        run_blocking(OURS.remove_all_methods(Script(), "R-77", reason="moved"))


def test_an_unsigned_consent_is_cancelled() -> None:
    script = Script(answer(consent("PENDING")), _DONE)
    reply = run_blocking(OURS.cancel(script, change(provider_reference=f"consent:{UUID}")))
    assert script.calls == [("GET", _CONSENT), ("DELETE", _CONSENT)]
    assert reply.observation is not None
    assert (reply.outcome, reply.observation.state) == (Outcome.SUCCEEDED, PaymentState.CANCELLED)

    again = run_blocking(OURS.cancel(Script(answer(consent("REVOKED"))), change(provider_reference=f"consent:{UUID}")))
    assert again.outcome is Outcome.SUCCEEDED


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
    assert (signed.kind, signed.state, signed.mandates[0].display) == (
        "consent",
        PaymentState.CAPTURED,
        "Swish •••• 4567",
    )
    assert (waiting.state, waiting.mandates, waiting.note) == (PaymentState.PENDING, (), "")
    assert "unknown status 'X'" in odd.note
    taken, timed_out = seen(charged("PAID")), seen(charged("ERROR", errorCode="TM01"))
    assert (taken.kind, taken.provider_reference, taken.captured) == ("charge", REFUND, 14900)
    assert (timed_out.state, timed_out.captured) == (PaymentState.DECLINED, 0)
    assert RETURN not in repr(signed)
