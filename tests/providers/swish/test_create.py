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
    expected = (*_PUT, "create", False)
    assert expected == (sent.method, sent.url, sent.label, sent.retry_safe)
    assert dict(sent.headers) == {
        "accept": "application/json",
        "content-type": "application/json",
        "user-agent": "prenopay",
    }


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


def test_a_payment_by_phone_says_every_field() -> None:
    payer = by_phone(personal_number="19750108-2387", must_match_personal_number=True)
    body = written(asked(age_limit=18, **payer))
    assert (body["payerAlias"], body["payerSSN"], body["ageLimit"]) == (PHONE, "197501082387", "18")


def test_an_order_without_reference_has_none() -> None:
    assert "payeePaymentReference" not in written(asked(order_reference=""))


def test_a_host_may_add_and_change_fields() -> None:
    body = written(asked(extra={"message": "Other", "somethingNew": "1"}))
    assert (body["message"], body["somethingNew"]) == ("Other", "1")


@pytest.mark.parametrize(
    ("minor", "text"),
    [(1, "0.01"), (100, "1.00"), (14950, "149.50"), (10**14 - 1, "999999999999.99"), (100005, "1000.05")],
)
def test_amounts_have_two_decimals(minor: int, text: str) -> None:
    assert text == written(asked(minor))["amount"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"amount": Money(100, "EUR")}, "amount"),
        ({"amount": sek(10**14)}, "amount"),
        ({"description": "x" * 51}, "description"),
        ({"description": "10 % rabatt"}, "description"),
        ({"description": "emoji 😀"}, "description"),
        ({"description": "a-b"}, "description"),
        ({"order_reference": "x" * 36}, "order_reference"),
        ({"order_reference": "2026/4711"}, "order_reference"),
        ({"return_url": "/thanks"}, "return_url"),
        ({"page": PageStyle.SEAMLESS}, "page"),
        ({"page": PageStyle.PHONE}, "payer.phone"),
        ({"page": PageStyle.PHONE, "payer": Payer()}, "payer.phone"),
        (by_phone("12345"), "payer.phone"),
        ({"age_limit": 0}, "age_limit"),
        ({"age_limit": 100}, "age_limit"),
        ({"instruments": (Instrument.CARD,)}, "instruments"),
        ({"only_instrument": Instrument.CARD}, "instruments"),
        ({"payer": Payer(must_match_personal_number=True)}, "payer.personal_number"),
        ({"payer": Payer(must_match_personal_number=True, personal_number="750108-2387")}, "payer.personal_number"),
        (
            {
                "payer": Payer(
                    must_match_personal_number=True, personal_number="197501082387", personal_number_country="NO"
                )
            },
            "payer.personal_number",
        ),
        ({"extra": {"odd": object()}}, "order"),
    ],
)
def test_what_cannot_be_expressed_is_refused(fields: Json, field: str) -> None:
    with pytest.raises(InvalidOrder) as refused:
        provider().check_order(asked(**fields))
    assert field == refused.value.field


@pytest.mark.parametrize(
    "fields",
    [
        {"instruments": (Instrument.SWISH, Instrument.CARD)},
        {"only_instrument": "swish"},
        {"return_url": "myapp://swish"},
        {"description": "Åäö (1), 2: 3; 4. 5! 6?"},
        {"age_limit": 99},
    ],
)
def test_what_can_be_expressed_is_taken(fields: Json) -> None:
    provider().check_order(asked(**fields))


def test_texts_are_cleaned_where_the_account_says_so() -> None:
    body = written(asked(description="Läs & lyssna \u2013 10 % rabatt", order_reference="2026/4711"), clean_texts=True)
    assert (body["message"], body["payeePaymentReference"]) == ("Läs och lyssna 10 rabatt", "2026-4711")


# The answer


def test_a_payment_for_the_app_has_a_link_and_a_code() -> None:
    made_payment = create(Script(made_with_token()))
    switch = made_payment.app_switch
    assert switch is not None
    expected = (
        TOKEN,
        f"swish://paymentrequest?token={TOKEN}&callbackurl=https%3A%2F%2Fshop.example%2Fthanks%3Forder%3D4711",
        f"D{TOKEN}",
    )
    assert expected == (switch.token, switch.app_url, switch.qr_content)
    assert made_payment.redirect_url is None


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


def test_a_token_does_not_show() -> None:
    assert TOKEN not in repr(create(Script(made_with_token())))


def test_a_payment_by_phone_has_no_link() -> None:
    assert create(Script(made()), asked(**by_phone())).app_switch is None


@pytest.mark.parametrize(
    "given",
    [
        made(uuid=UUID.lower(), paymentrequesttoken=TOKEN),
        answer(
            b"",
            201,
            location=f"https://mss.cpc.getswish.net/swish-cpcapi/v1/paymentrequests/{UUID}/?x=1",
            paymentrequesttoken=TOKEN,
        ),
        answer(b"", 201, paymentrequesttoken=TOKEN),
        answer(b"", 200, location=f"/{UUID}", paymentrequesttoken=TOKEN),
    ],
)
def test_the_address_of_what_was_made_is_read_by_its_last_part(given: HttpResponse) -> None:
    assert create(Script(given)).observation.provider_reference == UUID


@pytest.mark.parametrize(
    "given", [made(uuid="0" * 32, paymentrequesttoken=TOKEN), made(), answer({}, 302, location="https://a.example")]
)
def test_an_answer_that_is_not_ours_is_not_taken(given: HttpResponse) -> None:
    with pytest.raises(UnexpectedAnswer):
        create(Script(given))


@pytest.mark.parametrize(
    ("given", "kind", "code"),
    [
        (errors("FF08"), Rejected, "FF08"),
        (errors("RP03"), Rejected, "RP03"),
        (errors("BE18"), Rejected, "BE18"),
        (errors("ACMT03"), Rejected, "ACMT03"),
        (errors("VR01"), Rejected, "VR01"),
        (errors("RP06"), Conflict, "RP06"),
        (errors("XX99"), Rejected, "XX99"),
        (errors("FF08", "ACMT03"), Rejected, "ACMT03"),
        (errors("PA01", status=403), Unauthenticated, "PA01"),
        (errors("UNKW"), Unauthenticated, "UNKW"),
        (errors("DS24"), ProviderUnavailable, "DS24"),
        (errors("FF08", status=500), ProviderUnavailable, "FF08"),
        (answer(b"", 401), Unauthenticated, None),
        (answer(b"", 403), Unauthenticated, None),
        (answer(b"", 400), Rejected, None),
        (answer(b"<html>", 400), Rejected, None),
        (answer({"errorCode": "AM02", "errorMessage": "too much"}, 422), Rejected, "AM02"),
        (answer([], 422), Rejected, None),
        (answer([1], 422), Rejected, None),
        (answer(b"", 404), Conflict, None),
        (answer(b"", 415), Rejected, None),
        (answer(b"", 429), RateLimited, None),
        (answer(b"", 500), ProviderUnavailable, None),
        (answer(b"", 504), ProviderUnavailable, None),
    ],
)
def test_a_refusal_is_the_error_it_is(given: HttpResponse, kind: type[PrenopayError], code: str | None) -> None:
    with pytest.raises(kind) as refused:
        create(Script(given))
    assert kind is type(refused.value)
    assert code == getattr(refused.value, "provider_code", "")
    assert getattr(refused.value, "advice", "")


def test_every_error_is_kept() -> None:
    with pytest.raises(Rejected) as refused:
        create(Script(errors("FF08", "RP02", "AM02")))
    assert [code for code, _ in refused.value.problems] == ["FF08", "RP02", "AM02"]


def test_a_bare_401_speaks_of_the_certificate() -> None:
    with pytest.raises(Unauthenticated, match="does not accept the certificate") as refused:
        create(Script(answer(b"", 401)))
    assert "portal.swish.nu" in refused.value.advice


def test_too_many_requests_says_how_long_to_wait() -> None:
    with pytest.raises(RateLimited) as refused:
        create(Script(answer(b"", 429, retry_after="17")))
    assert refused.value.retry_after == 17.0


# Again


@pytest.mark.parametrize("missing", [MISSING, MISSING_WITH_BODY])
def test_what_never_arrived_is_asked_for_again_under_the_same_uuid(missing: HttpResponse) -> None:
    script = Script(missing, made_with_token())
    assert create(script, again=True).app_switch is not None
    assert script.calls == [_GET, _PUT]


def test_a_request_by_phone_that_arrived_is_what_was_made() -> None:
    script = Script(answer(payment()))
    assert PaymentState.PENDING is create(script, asked(**by_phone()), again=True).observation.state
    assert script.calls == [_GET]


def test_an_open_request_whose_token_was_lost_is_closed_first() -> None:
    script = Script(answer(payment()), answer(payment("CANCELLED")))
    with pytest.raises(DuplicateReference):
        create(script, again=True)
    assert script.calls == [_GET, _PATCH]


@pytest.mark.parametrize("ended", [payment("CANCELLED"), payment("DECLINED"), failed("TM01"), failed("RF07")])
def test_a_request_that_ended_unpaid_while_its_token_was_lost_is_made_anew(ended: Json) -> None:
    script = Script(answer(ended))
    with pytest.raises(DuplicateReference):
        create(script, again=True)
    assert script.calls == [_GET]


@pytest.mark.parametrize(
    ("found", "state"), [(payment("PAID"), PaymentState.CAPTURED), (failed("DS24"), PaymentState.UNKNOWN)]
)
def test_money_that_moved_or_may_have_is_never_asked_for_again(found: Json, state: PaymentState) -> None:
    script = Script(answer(found))
    assert state is create(script, again=True).observation.state
    assert script.calls == [_GET]


def test_a_request_paid_while_it_was_being_closed_is_paid() -> None:
    script = Script(answer(payment()), errors("RP07"), answer(payment("PAID")))
    assert PaymentState.CAPTURED is create(script, again=True).observation.state
    assert script.calls == [_GET, _PATCH, _GET]


def test_a_request_that_cannot_be_closed_waits() -> None:
    script = Script(answer(payment("PENDING")), errors("RP07"), answer(payment("PENDING")))
    with pytest.raises(ProviderUnavailable):
        create(script, again=True)


def test_a_request_whose_closing_is_refused_says_why() -> None:
    script = Script(answer(payment()), answer(b"", 401))
    with pytest.raises(Unauthenticated):
        create(script, again=True)


def test_a_uuid_seen_before_is_looked_up() -> None:
    script = Script(errors("RP09"), answer(payment()))
    assert PaymentState.PENDING is create(script, asked(**by_phone())).observation.state
    assert script.calls == [_PUT, _GET]


def test_a_uuid_seen_before_by_someone_else_is_a_duplicate() -> None:
    script = Script(errors("RP09"), MISSING)
    with pytest.raises(DuplicateReference) as refused:
        create(script)
    assert refused.value.provider_code == "RP09"


def test_another_amount_under_our_uuid_is_not_touched() -> None:
    script = Script(errors("RP09"), answer(payment(amount=1)))
    with pytest.raises(DuplicateReference):
        create(script)
    assert script.calls == [_PUT, _GET]


def test_a_lost_answer_stays_one() -> None:
    with pytest.raises(OutcomeUnknown):
        create(Script(OutcomeUnknown("lost")))


def test_a_return_to_an_app_is_told() -> None:
    switch = create(Script(made_with_token()), asked(return_url="myapp://swish")).app_switch
    assert switch is not None
    assert switch.app_url.endswith("&callbackurl=myapp%3A%2F%2Fswish")
    assert RETURN not in switch.app_url
