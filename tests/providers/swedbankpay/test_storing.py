"""Storing a method: what a purchase or verification asks for, and what the paid order then holds."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from prenopay import Money, Order, PageStyle, Payer, PaymentState
from prenopay._blocking import run_blocking
from prenopay._redaction import Secret, redact
from prenopay.errors import InvalidOrder, Rejected
from prenopay.ports import HttpResponse
from prenopay.provider import CreateRequest, Observation
from prenopay.values.mandates import MandateKind, MethodSeen, StoreMethod
from prenopay.values.orders import Instrument

from .samples import (
    CALLBACK,
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
_GENERATED = {
    _ONE_CLICK: "generatePaymentToken",
    _RECURRENCE: "generateRecurrenceToken",
    _UNSCHEDULED: "generateUnscheduledToken",
}
_DISABLED, _CHECKBOX = "disableStoredPaymentDetails", "enablePaymentDetailsConsentCheckbox"
_FLAGS = {*_GENERATED.values(), _DISABLED, _CHECKBOX, "generateMotoPayment"}


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


def written(order_asked: Order, given: HttpResponse | None = None, **fields: Any) -> Json:
    script = Script(given or answer(order()))
    request = CreateRequest(order=order_asked, payment_id="pay_1", reference=REFERENCE, callback_url=CALLBACK, **fields)
    assert STORED not in repr(request)
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


def one(*tokens: object, **members: Any) -> MethodSeen:
    (method,) = stored(*tokens, **members)
    return method


# The request


@pytest.mark.parametrize("asks", [False, True])
@pytest.mark.parametrize(
    "kinds", [(_UNSCHEDULED,), (_RECURRENCE,), (_RECURRENCE, _UNSCHEDULED), (_ONE_CLICK,), (_ONE_CLICK, _UNSCHEDULED)]
)
def test_each_kind_is_requested_and_the_page_asks_if_the_host_has_not(
    kinds: tuple[MandateKind, ...],
    asks: bool,  # noqa: FBT001 - a case
) -> None:
    generated = {_GENERATED[kind] for kind in kinds}
    consent = {_DISABLED, _CHECKBOX} if asks else {_DISABLED} if _ONE_CLICK in kinds else set()
    store = storing(*kinds, asks_in_page=asks)
    assert generated | consent == flags(asked(store=store))
    assert generated == flags(asked(0, store=store))  # a verification asks for nothing else


@pytest.mark.parametrize(("fields", "expected"), [({}, set()), ({"paid_by_staff": True}, {"generateMotoPayment"})])
def test_an_order_that_stores_nothing_has_no_flag_for_it(fields: Json, expected: set[str]) -> None:
    assert expected == flags(asked(**fields))


def test_a_purchase_that_stores_is_a_purchase_of_a_known_payer() -> None:
    body = written(asked(store=storing()))
    expected = ("Purchase", 14900, 0, {"payerReference": "reader-7"})
    assert expected == (body["operation"], body["amount"], body["vatAmount"], body["payer"])


def test_a_verification_has_these_members_only() -> None:
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
            "callbackUrl": CALLBACK,
        },
        "payeeInfo": {"payeeId": PAYEE, "payeeReference": REFERENCE},
        "payer": {"payerReference": "reader-7"},
        "generateUnscheduledToken": True,
    }
    assert expected == written(asked(0, store=storing()))
    page = {"page": PageStyle.SEAMLESS, "payment_page_url": "https://shop.example/pay"}
    assert written(asked(0, store=storing(), **page))["urls"]["paymentUrl"] == "https://shop.example/pay"


def test_a_stored_method_is_offered_by_its_token_which_no_refusal_shows() -> None:
    offering = asked(pay_with="man_1")
    assert written(offering, offered=Secret(STORED))["paymentToken"] == STORED
    refused = {
        "type": "https://api.payex.com/psp/errordetail/paymentorders/paymenttokeninactive",
        "status": 422,
        "problems": [{"name": "PaymentToken", "description": f"The given {STORED} is inactive."}],
    }
    with pytest.raises(Rejected) as caught:
        written(offering, answer(refused, 422), offered=Secret(STORED))
    assert STORED not in f"{caught.value!r} {caught.value}"


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"payer": None}, "payer.reference"), ({"amount": sek(0), "store": storing()}, "pay_with")],
)
def test_an_offered_method_has_a_payer_and_is_paid_with(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidOrder) as caught:
        asked(**({"pay_with": "man_1"} | changes))
    assert caught.value.field == field


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


_KNOWN = Payer(reference="reader-7", email="leia@shop.example")


@pytest.mark.parametrize(
    "fields",
    [
        {"store": storing(_UNSCHEDULED, _RECURRENCE, _ONE_CLICK, asks_in_page=True)},
        {"store": storing(), "paid_by_staff": True},
        {"store": storing(), "instruments": (Instrument.CARD, Instrument.TRUSTLY)},
        {"store": storing(), "only_instrument": Instrument.TRUSTLY, "payer": _KNOWN},
    ],
)
def test_what_can_be_stored_is_accepted(fields: dict[str, Any]) -> None:
    provider().check_order(asked(**fields))
    provider().check_order(asked(0, **{**fields, "paid_by_staff": False}))


# The methods of a paid order


def test_a_stored_card_is_read_with_all_that_is_known() -> None:
    method = one(token())
    assert method.token.reveal() == STORED
    expected = (_UNSCHEDULED, "Visa •••• 0004, 12/27", "card", date(2027, 12, 31), False)
    seen = (method.kind, method.display, method.instrument, method.expires, method.network_tokenized)
    assert expected == seen
    assert one(token(expiryDate="02/2028")).expires == date(2028, 2, 29)


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ([token("payment")], [_ONE_CLICK]),
        ([token("Payment")], [_ONE_CLICK]),
        ([token("recurrence")], [_RECURRENCE]),
        ([token("Unscheduled")], [_UNSCHEDULED]),
        *(([token(kind)], []) for kind in ("transactionOnFile", "transactionsOnFile", "", "brandnew")),
        *(([junk], []) for junk in ("junk", {"type": "unscheduled"}, token(token=""), token(token=None))),
        ([], []),
    ],
)
def test_each_kind_of_token_gets_our_word(tokens: list[object], expected: list[MandateKind]) -> None:
    assert expected == [method.kind for method in stored(*tokens)]


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
    assert expected == one(token(**members)).display


@pytest.mark.parametrize(
    ("name", "members", "expected"),
    [
        ("492500******0004", {}, ("Card •••• 0004, 12/27", "card")),
        ("***5678", {"instrument": "Trustly"}, ("Trustly •••• 5678", "trustly")),
        ("", {"instrument": "Trustly"}, ("Trustly", "trustly")),
        ("+46701234567", {"instrument": "Swish"}, ("Swish", "swish")),
        ("********4567", {"instrument": "Brandnew"}, ("Brandnew", "Brandnew")),
        ("4925000000000004", {"details": {"cardBrand": "4925000000000004"}}, ("***, 12/27", "card")),
    ],
)
def test_no_method_shows_more_than_it_should(name: str, members: Json, expected: tuple[str, str]) -> None:
    method = one(token(name=name), **{"details": {}, **members})
    assert expected == (method.display, method.instrument)
    bare = one(token(name="", expiryDate=""), details={}, instrument=None)
    assert (bare.display, bare.instrument, bare.expires, bare.card_key) == ("Card", "card", None, "")


_CARD = {"cardBrand": "Visa", "maskedPan": "492500******0004", "bin": "492500"}


@pytest.mark.parametrize(
    ("members", "details", "is_same"),
    [
        ({}, {}, True),
        ({"expiryDate": "12/2031"}, {}, True),  # renewed
        ({"name": "4925xxxxxx000004"}, {}, True),
        ({"name": "************0004"}, {"maskedPan": "************0004"}, True),
        ({"name": "492500xxxxxx0004"}, {"bin": ""}, True),
        ({}, {"cardBrand": "VISA"}, True),
        ({"name": "492500******0005"}, {}, False),
        ({"name": "492501******0004"}, {}, False),
    ],
)
def test_two_tokens_have_one_key_if_they_are_of_one_card(members: Json, details: Json, is_same: bool) -> None:  # noqa: FBT001 - a case
    known, method = one(token()), one(token("recurrence", **members), details=_CARD | details)
    assert known.card_key
    assert is_same == (known.card_key == method.card_key)


def test_a_key_needs_enough_digits_and_does_not_show() -> None:
    assert not one(token(name="************0004"), details={"cardBrand": "Visa"}).card_key
    method = one(token())
    assert "0004" not in method.card_key
    assert method.card_key not in repr(method)


@pytest.mark.parametrize(("instrument", "expected"), [("CreditCard", True), ("ApplePay", False)])
def test_a_card_may_have_a_token_of_its_scheme(instrument: str, expected: bool) -> None:  # noqa: FBT001 - a case
    details = {"cardBrand": "Visa", "maskedDPan": "***********1234"}
    assert expected == one(token(), instrument=instrument, details=details).network_tokenized


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (order("Paid", rels=TAKEN, paid=paid(tokens=[token()])), 1),
        (order("Cancelled", rels=(), cancelled=paid(tokens=[token()])), 1),
        (order("Reversed", rels=(), reversed=paid(tokens=[token()])), 1),
        (order("Paid", rels=(), paid=paid(tokens=[token(), token()]), reversed=paid(tokens=[token()])), 1),
        *((order(status, paid=paid(tokens=[token()])), 0) for status in ("Initialized", "Failed", "Aborted")),
    ],
)
def test_only_a_paid_order_has_stored_anything(body: Json, expected: int) -> None:
    assert expected == len(observed(body).methods)


def test_older_answers_have_tokens_of_their_own() -> None:
    rels, tokens = ("create-paymentorder-capture",), {"recurrenceToken": STORED, "unscheduledToken": STORED}
    found = observed(order(None, state="Ready", rels=rels, **tokens)).methods
    assert [(method.kind, method.display) for method in found] == [(_RECURRENCE, "Card"), (_UNSCHEDULED, "Card")]
    method = one(paymentToken=STORED)
    assert (method.kind, method.display) == (_ONE_CLICK, "Visa •••• 0004, 11/27")


@pytest.mark.parametrize(
    "node",
    [
        paid(amount=0, submittedAmount=0, tokens=[token()]),
        paid(amount=510, tokens=[token()]),  # of Trustly
        {"id": "x", "tokens": [token()]},
    ],
)
def test_a_verification_succeeds_with_nothing_captured(node: Json) -> None:
    seen = observed(order("Paid", rels=(), operation="Verify", amount=node.get("amount", 0), paid=node))
    assert PaymentState.CAPTURED is seen.state
    sums = (seen.authorized, seen.captured, seen.refunded, seen.cancelled, seen.submitted)
    assert (Money(0, "SEK"),) * 5 == sums
    assert len(seen.methods) == 1


@pytest.mark.parametrize(
    ("status", "state"),
    [("Initialized", PaymentState.PENDING), ("Aborted", PaymentState.CANCELLED), ("Failed", PaymentState.DECLINED)],
)
def test_a_verification_that_is_not_done_is_read_as_any_order(status: str, state: PaymentState) -> None:
    assert state is observed(order(status, rels=(), operation="Verify", amount=0)).state


def test_a_token_is_nowhere_to_be_seen() -> None:
    href = f"https://api.externalintegration.payex.com/psp/paymentorders/unscheduledtokens/{STORED}"
    body = order("Paid", paid=paid(tokens=[token()]), unscheduledToken=STORED, paymentToken=STORED)
    body["operations"] = [{"rel": "delete-token", "method": "PATCH", "href": href}, operation("capture")]
    body["paymentOrder"]["noise"] = {"id": f"/online/payers/tokens/{STORED}-Unscheduled", "recurrenceToken": STORED}
    seen = observed(body)
    assert STORED not in repr(seen)
    assert STORED not in json.dumps(redact(seen.raw))
