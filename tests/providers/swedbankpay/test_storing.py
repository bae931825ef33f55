"""Storing a method: what is asked for with a purchase and without one, and what the paid order then holds."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from prenopay import Money, Order, PageStyle, Payer, PaymentState
from prenopay._blocking import run_blocking
from prenopay._redaction import Secret, redact
from prenopay.errors import InvalidOrder, Rejected
from prenopay.provider import CreateRequest, Observation
from prenopay.values.mandates import MandateKind, MethodSeen, StoreMethod
from prenopay.values.orders import Instrument

from .samples import (
    CONSENT,
    ORDER_ID,
    PAYEE,
    REFERENCE,
    RESERVED,
    STORED,
    TAKEN,
    Json,
    Script,
    answer,
    body_of,
    operation,
    order,
    paid,
    provider,
    sek,
    token,
)

_UNSCHEDULED, _RECURRENCE, _ONE_CLICK = MandateKind.UNSCHEDULED, MandateKind.RECURRENCE, MandateKind.ONE_CLICK
_CALLBACK = "https://shop.example/prenopay/paper/pay_1/mac"
_FLAGS = {
    "generatePaymentToken",
    "generateRecurrenceToken",
    "generateUnscheduledToken",
    "disableStoredPaymentDetails",
    "enablePaymentDetailsConsentCheckbox",
    "generateMotoPayment",
}


def storing(*kinds: MandateKind, asks_in_page: bool = False) -> StoreMethod:
    return StoreMethod(consent=CONSENT, kinds=kinds or (_UNSCHEDULED,), asks_in_page=asks_in_page)


def asked(minor: int = 14900, **fields: Any) -> Order:
    plain = {
        "amount": sek(minor),
        "description": "Digital, one month",
        "return_url": "https://shop.example/thanks",
        "payer": Payer(reference="reader-7"),
    }
    return Order(**{**plain, **fields})


def written(order_asked: Order) -> Json:
    script = Script(answer(order()))
    request = CreateRequest(order=order_asked, payment_id="pay_1", reference=REFERENCE, callback_url=_CALLBACK)
    run_blocking(provider().create_payment(script, request))
    body: Json = body_of(script.sent[0])["paymentorder"]
    return body


def flags(order_asked: Order) -> set[str]:
    body = written(order_asked)
    assert all(body[name] is True for name in _FLAGS & set(body))
    return _FLAGS & set(body)


def observed(body: Json) -> Observation:
    return run_blocking(provider().observe(Script(answer(body)), ORDER_ID))


def stored(*tokens: object, **members: Any) -> tuple[MethodSeen, ...]:
    """Return the methods of an order paid with a card."""
    details = {"cardBrand": "Visa", "maskedPan": "492500******0004", "expiryDate": "11/2027", "bin": "492500"}
    node = paid(**{"tokens": list(tokens), "details": details, **members})
    return observed(order("Paid", rels=RESERVED, paid=node)).methods


# Asking for it


@pytest.mark.parametrize(
    ("store", "expected"),
    [
        (storing(_UNSCHEDULED), {"generateUnscheduledToken"}),
        (storing(_RECURRENCE), {"generateRecurrenceToken"}),
        (storing(_RECURRENCE, _UNSCHEDULED), {"generateRecurrenceToken", "generateUnscheduledToken"}),
        # the host has asked the payer, so the page does not
        (storing(_ONE_CLICK), {"generatePaymentToken", "disableStoredPaymentDetails"}),
        (
            storing(_ONE_CLICK, _UNSCHEDULED),
            {"generatePaymentToken", "generateUnscheduledToken", "disableStoredPaymentDetails"},
        ),
        # the page asks
        (
            storing(_ONE_CLICK, asks_in_page=True),
            {"generatePaymentToken", "disableStoredPaymentDetails", "enablePaymentDetailsConsentCheckbox"},
        ),
        (
            storing(_UNSCHEDULED, asks_in_page=True),
            {"generateUnscheduledToken", "disableStoredPaymentDetails", "enablePaymentDetailsConsentCheckbox"},
        ),
    ],
)
def test_a_purchase_asks_for_each_kind(store: StoreMethod, expected: set[str]) -> None:
    assert expected == flags(asked(store=store))


def test_a_purchase_that_stores_is_a_purchase_of_a_known_payer() -> None:
    body = written(asked(store=storing()))
    expected = ("Purchase", 14900, 0, {"payerReference": "reader-7"})
    assert expected == (body["operation"], body["amount"], body["vatAmount"], body["payer"])


def test_an_order_that_stores_nothing_says_nothing_of_it() -> None:
    assert not flags(asked())


def test_a_remembered_method_is_offered_by_its_token() -> None:
    script = Script(answer(order("Initialized", rels=()), 201))
    request = CreateRequest(
        order=asked(pay_with="man_1"),
        payment_id="pay_1",
        reference=REFERENCE,
        callback_url=_CALLBACK,
        offered=Secret("5f1d0b0c-0000-4000-8000-000000000001"),
    )
    run_blocking(provider().create_payment(script, request))
    body = body_of(script.sent[0])["paymentorder"]
    assert body["paymentToken"] == "5f1d0b0c-0000-4000-8000-000000000001"
    assert "5f1d0b0c" not in repr(request)


def test_a_refusal_that_repeats_the_token_is_masked() -> None:
    token_value = "5f1d0b0c-0000-4000-8000-000000000001"
    refused = {
        "type": "https://api.payex.com/psp/errordetail/paymentorders/paymenttokeninactive",
        "status": 422,
        "problems": [{"name": "PaymentToken", "description": f"The given {token_value} is inactive."}],
    }
    request = CreateRequest(
        order=asked(pay_with="man_1"),
        payment_id="pay_1",
        reference=REFERENCE,
        callback_url=_CALLBACK,
        offered=Secret(token_value),
    )
    with pytest.raises(Rejected) as caught:
        run_blocking(provider().create_payment(Script(answer(refused, 422)), request))
    assert token_value not in f"{caught.value!r} {caught.value}"


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"payer": None}, "payer.reference"), ({"amount": sek(0), "store": storing()}, "pay_with")],
)
def test_what_is_offered_is_somebodys_and_is_paid_with(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidOrder) as caught:
        asked(**({"pay_with": "man_1"} | changes))
    assert caught.value.field == field


def test_a_verification_says_this_and_nothing_more() -> None:
    expected = {
        "operation": "Verify",
        "currency": "SEK",
        "description": "Digital, one month",
        "userAgent": "prenopay",
        "language": "sv-SE",
        "urls": {
            "hostUrls": ["https://shop.example"],
            "completeUrl": "https://shop.example/thanks",
            "cancelUrl": "https://shop.example/thanks",
            "callbackUrl": _CALLBACK,
        },
        "payeeInfo": {"payeeId": PAYEE, "payeeReference": REFERENCE},
        "payer": {"payerReference": "reader-7"},
        "generateUnscheduledToken": True,
    }
    assert expected == written(asked(0, store=storing()))


@pytest.mark.parametrize("asks", [False, True])
def test_a_verification_takes_no_word_on_consent(asks: bool) -> None:  # noqa: FBT001 - a case
    expected = {"generatePaymentToken"}
    assert expected == flags(asked(0, store=storing(_ONE_CLICK, asks_in_page=asks)))


def test_a_seamless_verification_names_its_page() -> None:
    page = {"page": PageStyle.SEAMLESS, "payment_page_url": "https://shop.example/pay"}
    expected = "https://shop.example/pay"
    assert expected == written(asked(0, store=storing(), **page))["urls"]["paymentUrl"]


def test_staff_types_the_card_of_a_purchase() -> None:
    expected = {"generateMotoPayment"}
    assert expected == flags(asked(paid_by_staff=True))


@pytest.mark.parametrize(
    ("minor", "fields", "culprit"),
    [
        (14900, {"store": storing(MandateKind.CONSENT)}, "store.kinds"),
        (0, {"store": storing(_UNSCHEDULED, MandateKind.CONSENT)}, "store.kinds"),
        (0, {"store": storing(), "paid_by_staff": True}, "paid_by_staff"),
        (14900, {"store": storing(), "only_instrument": Instrument.TRUSTLY}, "payer.email"),
        (14900, {"store": storing(), "instruments": ("Trustly",)}, "payer.email"),
    ],
)
def test_what_cannot_be_stored_names_the_field(minor: int, fields: dict[str, Any], culprit: str) -> None:
    with pytest.raises(InvalidOrder, match=f"^{culprit}: ") as caught:
        provider().check_order(asked(minor, **fields))
    assert culprit == caught.value.field


@pytest.mark.parametrize(
    "fields",
    [
        {"store": storing(_UNSCHEDULED, _RECURRENCE, _ONE_CLICK, asks_in_page=True)},
        {"store": storing(), "paid_by_staff": True},
        {"store": storing(), "instruments": (Instrument.CARD, Instrument.TRUSTLY)},
        {
            "store": storing(),
            "only_instrument": Instrument.TRUSTLY,
            "payer": Payer(reference="reader-7", email="leia@shop.example"),
        },
    ],
)
def test_what_can_be_stored_is_taken(fields: dict[str, Any]) -> None:
    provider().check_order(asked(**fields))
    provider().check_order(asked(0, **{**fields, "paid_by_staff": False}))


# What a paid order holds


def test_a_stored_card_is_told_with_all_that_is_known() -> None:
    (method,) = stored(token())
    assert method.token.reveal() == STORED
    expected = (_UNSCHEDULED, "Visa •••• 0004, 12/27", "card", date(2027, 12, 31), False)
    seen = (method.kind, method.display, method.instrument, method.expires, method.network_tokenized)
    assert expected == seen


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("payment", _ONE_CLICK),
        ("Payment", _ONE_CLICK),
        ("recurrence", _RECURRENCE),
        ("unscheduled", _UNSCHEDULED),
        ("Unscheduled", _UNSCHEDULED),
        ("transactionOnFile", None),
        ("transactionsOnFile", None),
        ("", None),
        ("brandnew", None),
    ],
)
def test_each_kind_of_token_has_its_word(kind: str, expected: MandateKind | None) -> None:
    assert [expected] * (expected is not None) == [method.kind for method in stored(token(kind))]


@pytest.mark.parametrize("junk", [[], ["junk"], [{"type": "unscheduled"}], [token(token="")], [token(token=None)]])
def test_what_is_no_token_stores_nothing(junk: list[object]) -> None:
    assert not stored(*junk)


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"name": "4925xxxxxx000004"}, "Visa •••• 0004, 12/27"),
        ({"name": "************0004"}, "Visa •••• 0004, 12/27"),
        ({"name": "4925 00** **** 0004"}, "Visa •••• 0004, 12/27"),
        ({"name": ""}, "Visa •••• 0004, 12/27"),  # the order's own masked number
        ({"name": "My card", "expiryDate": ""}, "Visa •••• 0004, 11/27"),
        ({"expiryDate": "12/0023"}, "Visa •••• 0004"),
        ({"expiryDate": "13/2027"}, "Visa •••• 0004"),
        ({"expiryDate": "02/28"}, "Visa •••• 0004, 02/28"),
        ({"expiryDate": "soon"}, "Visa •••• 0004"),
        ({"name": None, "expiryDate": 122027}, "Visa •••• 0004"),
    ],
)
def test_a_card_is_shown_as_people_know_it(members: Json, expected: str) -> None:
    (method,) = stored(token(**members))
    assert expected == method.display


def test_a_card_of_which_little_is_said_is_still_a_card() -> None:
    (method,) = stored(token(), details={})
    assert (method.display, method.instrument) == ("Card •••• 0004, 12/27", "card")
    (method,) = stored(token(name="", expiryDate=""), details={}, instrument=None)
    assert (method.display, method.instrument, method.expires, method.card_key) == ("Card", "card", None, "")


@pytest.mark.parametrize(
    ("instrument", "name", "shown", "word"),
    [
        ("Trustly", "***5678", "Trustly •••• 5678", "trustly"),
        ("Trustly", "", "Trustly", "trustly"),
        ("Swish", "+46701234567", "Swish", "swish"),
        ("Brandnew", "********4567", "Brandnew", "Brandnew"),
    ],
)
def test_what_is_no_card_shows_no_more_than_it_should(instrument: str, name: str, shown: str, word: str) -> None:
    (method,) = stored(token(name=name), instrument=instrument, details={})
    assert (shown, word, "") == (method.display, method.instrument, method.card_key)


def test_the_last_day_of_february_is_known() -> None:
    (method,) = stored(token(expiryDate="02/2028"))
    expected = date(2028, 2, 29)
    assert expected == method.expires


def test_a_whole_card_number_never_shows() -> None:
    (method,) = stored(token(name="4925000000000004"), details={"cardBrand": "4925000000000004"})
    assert "492500000" not in method.display


_SAME_CARD: list[tuple[Json, Json]] = [
    ({}, {}),
    ({"expiryDate": "12/2031"}, {}),  # renewed
    ({"name": "4925xxxxxx000004"}, {}),
    ({"name": "************0004"}, {"maskedPan": "************0004"}),
    ({"name": "492500xxxxxx0004"}, {"bin": ""}),
    ({}, {"cardBrand": "VISA"}),
]


@pytest.mark.parametrize(("members", "details"), _SAME_CARD)
def test_two_tokens_of_one_card_have_one_key(members: Json, details: Json) -> None:
    (known,) = stored(token())
    card = {"cardBrand": "Visa", "maskedPan": "492500******0004", "bin": "492500", **details}
    (method,) = stored(token("recurrence", **members), details=card)
    assert known.card_key
    assert known.card_key == method.card_key


@pytest.mark.parametrize("name", ["492500******0005", "492501******0004"])
def test_two_cards_have_two_keys(name: str) -> None:
    keys = {method.card_key for method in stored(token(), token("recurrence", name=name))}
    assert len(keys) == 2


def test_a_key_tells_nothing_and_does_not_show() -> None:
    (method,) = stored(token())
    assert "0004" not in method.card_key
    assert method.card_key not in repr(method)


def test_a_card_of_which_too_little_is_said_has_no_key() -> None:
    (method,) = stored(token(name="************0004"), details={"cardBrand": "Visa"})
    assert not method.card_key


@pytest.mark.parametrize(("instrument", "expected"), [("CreditCard", True), ("ApplePay", False)])
def test_the_schemes_own_token_is_told(instrument: str, expected: bool) -> None:  # noqa: FBT001 - a case
    details = {"cardBrand": "Visa", "maskedDPan": "***********1234"}
    (method,) = stored(token(), instrument=instrument, details=details)
    assert expected == method.network_tokenized


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (order("Paid", rels=TAKEN, paid=paid(tokens=[token()])), 1),
        (order("Cancelled", rels=(), cancelled=paid(tokens=[token()])), 1),
        (order("Reversed", rels=(), reversed=paid(tokens=[token()])), 1),
        (order("Paid", rels=(), paid=paid(tokens=[token(), token()]), reversed=paid(tokens=[token()])), 1),
        (order("Initialized", paid=paid(tokens=[token()])), 0),
        (order("Failed", rels=(), paid=paid(tokens=[token()])), 0),
        (order("Aborted", rels=(), paid=paid(tokens=[token()])), 0),
    ],
)
def test_only_a_paid_order_has_stored_anything(body: Json, expected: int) -> None:
    assert expected == len(observed(body).methods)


def test_an_older_answer_names_tokens_without_anything_beside_them() -> None:
    body = order(
        None, state="Ready", rels=("create-paymentorder-capture",), recurrenceToken=STORED, unscheduledToken=STORED
    )
    expected = [(_RECURRENCE, "Card"), (_UNSCHEDULED, "Card")]
    assert expected == [(method.kind, method.display) for method in observed(body).methods]


def test_an_older_result_names_tokens_beside_the_card() -> None:
    (method,) = stored(paymentToken=STORED)
    assert (method.kind, method.display) == (_ONE_CLICK, "Visa •••• 0004, 11/27")


# A verification


@pytest.mark.parametrize(
    "body",
    [
        order("Paid", rels=(), operation="Verify", amount=0, paid=paid(amount=0, submittedAmount=0, tokens=[token()])),
        order("Paid", rels=(), operation="Verify", amount=510, paid=paid(amount=510, tokens=[token()])),  # of Trustly
        order("Paid", rels=(), operation="Verify", amount=0, paid={"id": "x", "tokens": [token()]}),
    ],
)
def test_a_verification_ends_well_with_nothing_taken(body: Json) -> None:
    seen = observed(body)
    nothing = Money(0, "SEK")
    assert PaymentState.CAPTURED is seen.state
    assert (nothing,) * 5 == (seen.authorized, seen.captured, seen.refunded, seen.cancelled, seen.submitted)
    assert len(seen.methods) == 1


@pytest.mark.parametrize(
    ("status", "state"),
    [("Initialized", PaymentState.PENDING), ("Aborted", PaymentState.CANCELLED), ("Failed", PaymentState.DECLINED)],
)
def test_a_verification_that_is_not_done_is_read_as_any_order(status: str, state: PaymentState) -> None:
    seen = observed(order(status, rels=(), operation="Verify", amount=0))
    assert state is seen.state


# Nothing leaves


def test_a_token_is_nowhere_to_be_seen() -> None:
    links = [
        {
            "rel": "delete-token",
            "method": "PATCH",
            "href": f"https://api.externalintegration.payex.com/psp/paymentorders/unscheduledtokens/{STORED}",
        },
        operation("capture"),
    ]
    body = order("Paid", paid=paid(tokens=[token()]), unscheduledToken=STORED, paymentToken=STORED)
    body["operations"] = links
    body["paymentOrder"]["noise"] = {"id": f"/online/payers/tokens/{STORED}-Unscheduled", "recurrenceToken": STORED}
    seen = observed(body)
    assert STORED not in repr(seen)
    assert STORED not in json.dumps(redact(seen.raw))
