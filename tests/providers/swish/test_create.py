"""Asking for a payment: every field of the request, what the answer becomes, and asking again after a lost answer."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from prenopay import Instrument, Money, Order, PageStyle, Payer, PaymentState
from prenopay._blocking import run_blocking
from prenopay.errors import (
    Conflict,
    DuplicateReference,
    InvalidOrder,
    OutcomeUnknown,
    PrenopayError,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    Rejected,
    Unauthenticated,
    UnexpectedAnswer,
)
from prenopay.ports import HttpResponse
from prenopay.provider import Created
from prenopay.values.payments import Action

from .authority import NUMBER
from .samples import (
    API,
    CALLBACK,
    MISSING,
    MISSING_WITH_BODY,
    PHONE,
    RETURN,
    TOKEN,
    UUID,
    Json,
    Script,
    answer,
    asked,
    body_of,
    by_phone,
    errors,
    failed,
    made,
    made_with_token,
    payment,
    provider,
    request_of,
    sek,
)

_PUT = ("PUT", f"{API}/v2/paymentrequests/{UUID}")
_GET = ("GET", f"{API}/v1/paymentrequests/{UUID}")
_PATCH = ("PATCH", f"{API}/v1/paymentrequests/{UUID}")


def create(script: Script, order: Order | None = None, *, again: bool = False, **fields: Any) -> Created:
    return run_blocking(provider(**fields).create_payment(script, request_of(order, again=again)))


def written(order: Order, **fields: Any) -> Json:
    script = Script(made_with_token())
    create(script, order, **fields)
    return body_of(script.sent[0])


# The request


def test_one_put_goes_to_the_one_address() -> None:
    script = Script(made_with_token())
    create(script)
    (sent,) = script.sent
    assert (*_PUT, "create", False) == (sent.method, sent.url, sent.label, sent.retry_safe)
    json = "application/json"
    assert dict(sent.headers) == {"accept": json, "content-type": json, "user-agent": "prenopay"}


def test_a_payment_for_the_app_says_this_and_nothing_more() -> None:
    expected = {
        "payeePaymentReference": "4711",
        "callbackUrl": CALLBACK,
        "callbackIdentifier": hashlib.sha256(b"prenopay-swish-callback\ns3cretmac").hexdigest()[:32].upper(),
        "payeeAlias": NUMBER,
        "amount": "149.00",
        "currency": "SEK",
        "message": "En månad",
    }
    assert expected == written(asked(payer=Payer(phone="070-123 45 67", personal_number="197501082387")))


def test_a_payment_by_phone_has_every_field_and_no_link() -> None:
    payer = by_phone(personal_number="19750108-2387", must_match_personal_number=True)
    body = written(asked(age_limit=18, order_reference="", extra={"message": "Other", "somethingNew": "1"}, **payer))
    assert (body["payerAlias"], body["payerSSN"], body["ageLimit"]) == (PHONE, "197501082387", "18")
    assert (body["message"], body["somethingNew"], "payeePaymentReference" in body) == ("Other", "1", False)
    assert create(Script(made()), asked(**by_phone())).app_switch is None


@pytest.mark.parametrize(
    ("minor", "text"),
    [(1, "0.01"), (100, "1.00"), (14950, "149.50"), (10**14 - 1, "999999999999.99"), (100005, "1000.05")],
)
def test_amounts_have_two_decimals(minor: int, text: str) -> None:
    assert text == written(asked(minor))["amount"]


_OTHER_COUNTRY = Payer(must_match_personal_number=True, personal_number="197501082387", personal_number_country="NO")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"amount": Money(100, "EUR")}, "amount"),
        ({"amount": sek(10**14)}, "amount"),
        ({"description": "x" * 51}, "description"),
        ({"description": "10 % rabatt"}, "description"),
        ({"order_reference": "x" * 36}, "order_reference"),
        ({"order_reference": "2026/4711"}, "order_reference"),
        ({"page": PageStyle.SEAMLESS}, "page"),
        ({"page": PageStyle.PHONE}, "payer.phone"),
        ({"page": PageStyle.PHONE, "payer": Payer()}, "payer.phone"),
        ({"instruments": (Instrument.CARD,)}, "instruments"),
        ({"only_instrument": Instrument.CARD}, "instruments"),
        ({"payer": Payer(must_match_personal_number=True)}, "payer.personal_number"),
        ({"payer": _OTHER_COUNTRY}, "payer.personal_number"),
        ({"extra": {"odd": object()}}, "order"),
        ({"instruments": (Instrument.SWISH, Instrument.CARD)}, ""),
        ({"only_instrument": "swish"}, ""),
        ({"return_url": "myapp://swish"}, ""),
        ({"description": "Åäö (1), 2: 3; 4. 5! 6?"}, ""),
        ({"age_limit": 99}, ""),
    ],
)
def test_only_what_cannot_be_expressed_is_refused(fields: Json, field: str) -> None:
    if not field:
        provider().check_order(asked(**fields))
        return
    with pytest.raises(InvalidOrder) as refused:
        provider().check_order(asked(**fields))
    assert field == refused.value.field


def test_texts_are_cleaned_where_the_account_says_so() -> None:
    body = written(asked(description="Läs & lyssna \u2013 10 % rabatt", order_reference="2026/4711"), clean_texts=True)
    assert (body["message"], body["payeePaymentReference"]) == ("Läs och lyssna 10 rabatt", "2026-4711")


# The answer


@pytest.mark.parametrize(
    ("return_url", "encoded"),
    [(RETURN, "https%3A%2F%2Fshop.example%2Fthanks%3Forder%3D4711"), ("myapp://swish", "myapp%3A%2F%2Fswish")],
)
def test_a_payment_for_the_app_has_a_link_and_a_code(return_url: str, encoded: str) -> None:
    made_payment = create(Script(made_with_token()), asked(return_url=return_url))
    switch = made_payment.app_switch
    assert switch is not None
    expected = (TOKEN, f"swish://paymentrequest?token={TOKEN}&callbackurl={encoded}", f"D{TOKEN}")
    assert expected == (switch.token, switch.app_url, switch.qr_content)
    assert made_payment.redirect_url is None
    assert TOKEN not in repr(made_payment)


def test_what_was_made_is_open_and_asks_for_what_was_ordered() -> None:
    observed = create(Script(made_with_token())).observation
    expected = (UUID, PaymentState.PENDING, sek(14900), sek(0), sek(0), None, frozenset({Action.CANCEL}), UUID)
    assert expected == (
        observed.provider_reference,
        observed.state,
        observed.submitted,
        observed.authorized,
        observed.captured,
        observed.refunded,
        observed.allowed_actions,
        observed.reference,
    )


@pytest.mark.parametrize(
    "given",
    [
        made(uuid=UUID.lower(), paymentrequesttoken=TOKEN),
        answer(b"", 201, location=f"{API}/paymentrequests/{UUID}/?x=1", paymentrequesttoken=TOKEN),
        answer(b"", 201, paymentrequesttoken=TOKEN),
        answer(b"", 200, location=f"/{UUID}", paymentrequesttoken=TOKEN),
    ],
)
def test_a_location_is_compared_by_its_last_part(given: HttpResponse) -> None:
    assert create(Script(given)).observation.provider_reference == UUID


@pytest.mark.parametrize(
    "given", [made(uuid="0" * 32, paymentrequesttoken=TOKEN), made(), answer({}, 302, location="https://a.example")]
)
def test_an_answer_that_is_not_ours_is_not_taken(given: HttpResponse) -> None:
    with pytest.raises(UnexpectedAnswer):
        create(Script(given))


@pytest.mark.parametrize(
    ("given", "kind", "codes"),
    [
        (errors("FF08"), Rejected, "FF08"),
        (errors("ACMT03"), Rejected, "ACMT03"),
        (errors("VR01"), Rejected, "VR01"),
        (errors("RP06"), Conflict, "RP06"),
        (errors("XX99"), UnexpectedAnswer, "XX99"),
        (errors("FF08", "RP02", "AM02"), Rejected, "FF08 RP02 AM02"),
        (errors("FF08", "ACMT03"), Rejected, "ACMT03 FF08"),
        (errors("PA01", status=403), Unauthenticated, "PA01"),
        (errors("UNKW"), Unauthenticated, "UNKW"),
        (errors("DS24"), ProviderUnavailable, "DS24"),
        (errors("FF08", status=500), ProviderUnavailable, "FF08"),
        (answer(b"", 401), Unauthenticated, ""),
        (answer(b"", 403), Unauthenticated, ""),
        (answer(b"", 400), Rejected, ""),
        (answer(b"<html>", 400), Rejected, ""),
        (answer({"errorCode": "AM02", "errorMessage": "too much"}, 422), Rejected, "AM02"),
        (answer([], 422), Rejected, ""),
        (answer([1], 422), Rejected, ""),
        (answer(b"", 404), Conflict, ""),
        (answer(b"", 415), Rejected, ""),
        (answer(b"", 429, retry_after="17"), RateLimited, ""),
        (answer(b"", 500), ProviderUnavailable, ""),
        (answer(b"", 504), ProviderUnavailable, ""),
    ],
)
def test_a_refusal_is_an_error_with_every_code(given: HttpResponse, kind: type[ProviderError], codes: str) -> None:
    with pytest.raises(kind) as refused:
        create(Script(given))
    error, listed = refused.value, codes.split()
    assert (kind, listed[0] if listed else None) == (type(error), error.provider_code)
    assert set(listed) == {code for code, _ in error.problems}
    assert error.advice
    assert getattr(error, "retry_after", 17.0) == 17.0
    if given.status == 401:
        assert "does not accept the certificate" in str(error)
        assert "portal.swish.nu" in error.advice


# Again


@pytest.mark.parametrize("missing", [MISSING, MISSING_WITH_BODY])
def test_what_never_arrived_is_sent_again_under_the_same_uuid(missing: HttpResponse) -> None:
    script = Script(missing, made_with_token())
    assert create(script, again=True).app_switch is not None
    assert script.calls == [_GET, _PUT]
    with pytest.raises(OutcomeUnknown):
        create(Script(OutcomeUnknown("lost")))


_APP, _PHONE = asked(), asked(**by_phone())
_OPEN, _PAID, _CLOSED = answer(payment()), answer(payment("PAID")), answer(payment("CANCELLED"))
_TAKEN = errors("RP09")


@pytest.mark.parametrize(
    ("order", "again", "steps", "calls", "state"),
    [
        (_PHONE, True, [_OPEN], [_GET], PaymentState.PENDING),
        (_PHONE, False, [_TAKEN, _OPEN], [_PUT, _GET], PaymentState.PENDING),
        # money moved, or may have moved: never requested again
        (_APP, True, [_PAID], [_GET], PaymentState.CAPTURED),
        (_APP, True, [answer(failed("DS24"))], [_GET], PaymentState.UNKNOWN),
        # paid while it was being closed
        (_APP, True, [_OPEN, errors("RP07"), _PAID], [_GET, _PATCH, _GET], PaymentState.CAPTURED),
    ],
)
def test_a_request_that_arrived_is_the_one_that_was_made(
    order: Order,
    again: bool,  # noqa: FBT001 - a case
    steps: list[HttpResponse],
    calls: list[tuple[str, str]],
    state: PaymentState,
) -> None:
    script = Script(*steps)
    assert state is create(script, order, again=again).observation.state
    assert calls == script.calls


@pytest.mark.parametrize(
    ("again", "steps", "calls", "kind"),
    [
        # its token was lost: it is closed, so that the next one is the only one
        (True, [_OPEN, _CLOSED], [_GET, _PATCH], DuplicateReference),
        *((True, [answer(body)], [_GET], DuplicateReference) for body in (payment("CANCELLED"), payment("DECLINED"))),
        *((True, [answer(failed(code))], [_GET], DuplicateReference) for code in ("TM01", "RF07")),
        # it cannot be closed
        (True, [_OPEN, errors("RP07"), _OPEN], [_GET, _PATCH, _GET], ProviderUnavailable),
        (True, [_OPEN, answer(b"", 401)], [_GET, _PATCH], Unauthenticated),
        # the UUID is taken, but not by this payment
        (False, [_TAKEN, MISSING], [_PUT, _GET], DuplicateReference),
        (False, [_TAKEN, answer(payment(amount=1))], [_PUT, _GET], DuplicateReference),
    ],
)
def test_a_request_that_cannot_be_opened_any_more_is_an_error(
    again: bool,  # noqa: FBT001 - a case
    steps: list[HttpResponse],
    calls: list[tuple[str, str]],
    kind: type[PrenopayError],
) -> None:
    script = Script(*steps)
    with pytest.raises(kind):
        create(script, again=again)
    assert calls == script.calls
