"""Creating a payment order: every field of the request, and what the answer becomes."""

from __future__ import annotations

from collections import OrderedDict
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Any, cast

import pytest

from prenopay import Address, CaptureMode, Instrument, Money, Order, OrderLine, PageStyle, Payer, PaymentState
from prenopay._blocking import run_blocking
from prenopay.errors import (
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
from prenopay.provider import Created, CreateRequest
from prenopay.providers.swedbankpay.encoding import create_body
from prenopay.values.orders import DeliveryTime, LineKind, PayerHistory, RiskFacts, ShippedTo

from .samples import (
    API,
    CALLBACK,
    ORDER_ID,
    PAYEE,
    REFERENCE,
    SEEN_BEFORE,
    TOKEN,
    Json,
    Script,
    answer,
    body_of,
    config,
    order,
    problem,
    provider,
    sek,
)

_RETURN = "https://shop.example/thanks?order=4711"
_PAGE: Json = {"page": PageStyle.SEAMLESS, "payment_page_url": "https://pay.shop.example/pay/4711"}


def asked(minor: int = 14900, **fields: Any) -> Order:
    plain = {"amount": sek(minor), "description": "Digital, one month", "return_url": _RETURN}
    return Order(**{**plain, **fields})


def request_of(order_asked: Order) -> CreateRequest:
    return CreateRequest(order=order_asked, payment_id="pay_1", reference=REFERENCE, callback_url=CALLBACK)


def written(order_asked: Order, **fields: Any) -> Json:
    """Return the ``paymentorder`` of the request."""
    script = Script(answer(order()))
    run_blocking(provider(**fields).create_payment(script, request_of(order_asked)))
    body = body_of(script.sent[0])
    assert set(body) == {"paymentorder"}
    asked_for: Json = body["paymentorder"]
    return asked_for


def created(given: object, order_asked: Order | None = None, status: int = 201) -> Created:
    step = given if isinstance(given, HttpResponse | Exception) else answer(given, status)
    return run_blocking(provider().create_payment(Script(step), request_of(order_asked or asked())))


# The request


def test_one_post_carries_version_and_token_and_shows_neither_token_nor_body() -> None:
    script = Script(answer(order(), 201))
    run_blocking(provider().create_payment(script, request_of(asked())))
    (sent,) = script.sent
    assert ("POST", f"{API}/psp/paymentorders", "create", False) == (sent.method, sent.url, sent.label, sent.retry_safe)
    expected = {
        "authorization": f"Bearer {TOKEN}",
        "accept": "application/json;version=3.1, application/problem+json;q=0.9",
        "content-type": "application/json;version=3.1",
        "user-agent": "prenopay",
    }
    assert expected == dict(sent.headers)
    assert not [secret for secret in (TOKEN, "Digital") if secret in repr(sent)]


def test_the_smallest_order_has_these_members_only() -> None:
    expected = {
        "operation": "Purchase",
        "currency": "SEK",
        "amount": 14900,
        "vatAmount": 0,
        "description": "Digital, one month",
        "userAgent": "prenopay",
        "language": "sv-SE",
        "urls": {
            "hostUrls": ["https://shop.example"],
            "completeUrl": _RETURN,
            "cancelUrl": _RETURN,
            "callbackUrl": CALLBACK,
        },
        "payeeInfo": {"payeeId": PAYEE, "payeeReference": REFERENCE},
    }
    assert expected == written(asked())


def test_the_settings_of_the_merchant_are_sent() -> None:
    body = written(
        asked(order_reference="4711"),
        payee_name="The Paper",
        product_category="news",
        subsite="digital",
        site_id="site1",
        host_urls=("https://shop.example", "https://www.shop.example"),
        terms_url="https://shop.example/terms",
        logo_url="https://shop.example/logo.png",
    )
    payee = {
        "payeeId": PAYEE,
        "payeeReference": REFERENCE,
        "payeeName": "The Paper",
        "orderReference": "4711",
        "productCategory": "news",
        "subsite": "digital",
        "siteId": "site1",
    }
    urls = {
        "hostUrls": ["https://shop.example", "https://www.shop.example"],
        "completeUrl": _RETURN,
        "cancelUrl": _RETURN,
        "callbackUrl": CALLBACK,
        "logoUrl": "https://shop.example/logo.png",
        "termsOfServiceUrl": "https://shop.example/terms",
    }
    assert (payee, urls) == (body["payeeInfo"], body["urls"])


def test_a_seamless_page_names_the_page_around_it() -> None:
    expected = {
        "hostUrls": ["https://shop.example", "https://pay.shop.example"],
        "completeUrl": _RETURN,
        "paymentUrl": _PAGE["payment_page_url"],
        "callbackUrl": CALLBACK,
    }
    assert expected == written(asked(**_PAGE))["urls"]


_METADATA = {"issue": 44, "trial": False, "price": Decimal("1.10"), "whole": Decimal("2.00"), "n": "å"}
_WISHES: list[tuple[dict[str, Any], Json]] = [
    ({"language": "nb-NO"}, {"language": "nb-NO"}),
    ({"payer_user_agent": "Mozilla/5.0"}, {"userAgent": "Mozilla/5.0"}),
    ({"vat": sek(2980)}, {"vatAmount": 2980}),
    ({"amount": Money(100, "NOK")}, {"currency": "NOK", "amount": 100}),
    ({"only_instrument": Instrument.SWISH}, {"instrument": "Swish"}),
    ({"only_instrument": "swish"}, {"instrument": "Swish"}),
    ({"only_instrument": "CreditAccount"}, {"instrument": "CreditAccount"}),
    (
        {"instruments": (*Instrument, "vipps", "Invoice-PayExFinancingNo")},
        {
            "restrictedToInstruments": [
                *("CreditCard", "Swish", "Vipps", "MobilePay", "ApplePay", "GooglePay", "ClickToPay", "Trustly"),
                *("Invoice-PayExFinancingSe", "Invoice-PayMonthlyInvoiceSe", "CreditAccount-CreditAccountSe"),
                *("Vipps", "Invoice-PayExFinancingNo"),
            ]
        },
    ),
    ({"expand_first_instrument": True}, {"expandFirstInstrument": True}),
    ({"age_limit": 18}, {"restrictedToAgeLimit": 18}),
    ({"capture": CaptureMode.AUTOMATIC}, {}),
    ({"metadata": _METADATA}, {"metadata": {"issue": 44, "trial": False, "price": 1.1, "whole": 2, "n": "å"}}),
    ({"extra": {"generatePaymentToken": True}}, {"generatePaymentToken": True}),
    ({"extra": {"language": "en-US"}}, {"language": "en-US"}),
    ({"payer": Payer()}, {"payer": {}}),
]


@pytest.mark.parametrize(("fields", "expected"), _WISHES)
def test_each_field_is_written_in_the_gateways_words(fields: dict[str, Any], expected: Json) -> None:
    assert {**written(asked()), **expected} == written(asked(**fields))


def test_urls_and_extra_members_are_merged_object_by_object() -> None:
    extra = {"urls": {"logoUrl": "https://shop.example/l.png"}, "payeeInfo": {"mcc": 5542}}
    body = written(asked(cancel_url="https://shop.example/basket", extra=extra))
    urls, payee = body["urls"], body["payeeInfo"]
    expected = ("https://shop.example/l.png", _RETURN, "https://shop.example/basket", 5542, PAYEE)
    assert expected == (urls["logoUrl"], urls["completeUrl"], urls["cancelUrl"], payee["mcc"], payee["payeeId"])


def test_the_same_order_gives_the_same_bytes_in_utf_8() -> None:
    one, other = (request_of(asked(description="å ä ö €", metadata={"a": 1}, extra={"b": {}})) for _ in range(2))
    assert create_body(config(), one) == create_body(config(), other)
    assert "å ä ö €".encode() in create_body(config(), one)


# Lines


def line(**fields: Any) -> OrderLine:
    return OrderLine(**{"name": "Paper", "amount": sek(14900), "vat_percent": 6, **fields})


def test_lines_are_written_field_by_field() -> None:
    whole = line(
        reference="P1",
        kind=LineKind.SERVICE,
        group="news_digital-1",
        quantity=Decimal("2.5"),
        unit="months",
        unit_price=sek(6000),
        discount_price=sek(5960),
        vat=sek(800),
        vat_percent=Decimal("6.25"),
        description="The paper",
        discount_description="First month",
        item_url="https://shop.example/p1",
        image_url="https://shop.example/p1.png",
    )
    fee = line(amount=sek(1900), kind=LineKind.PAYMENT_FEE, only_with=(Instrument.INVOICE, "Invoice-PayExFinancingNo"))
    first, second = written(asked(lines=(whole, fee)))["orderItems"]
    assert first == {
        "reference": "P1",
        "name": "Paper",
        "type": "SERVICE",
        "class": "news_digital-1",
        "quantity": 2.5,
        "quantityUnit": "months",
        "unitPrice": 6000,
        "vatPercent": 625,
        "amount": 14900,
        "vatAmount": 800,
        "discountPrice": 5960,
        "itemUrl": "https://shop.example/p1",
        "imageUrl": "https://shop.example/p1.png",
        "description": "The paper",
        "discountDescription": "First month",
    }
    assert second == {
        "reference": "2",
        "name": "Paper",
        "type": "PAYMENT_FEE",
        "class": "none",
        "quantity": 1,
        "quantityUnit": "pcs",
        "unitPrice": 1900,
        "vatPercent": 600,
        "amount": 1900,
        "vatAmount": 108,
        "restrictedToInstruments": ["Invoice-PayExFinancingSe", "Invoice-PayExFinancingNo"],
    }


def test_each_kind_of_line_has_the_gateways_name() -> None:
    lines = tuple(line(kind=kind, amount=sek(-100 if kind is LineKind.DISCOUNT else 14900)) for kind in LineKind)
    found = [item["type"] for item in written(asked(6 * 14900 - 100, lines=lines))["orderItems"]]
    assert found == ["PRODUCT", "SERVICE", "SHIPPING_FEE", "PAYMENT_FEE", "DISCOUNT", "VALUE_CODE", "OTHER"]


def test_a_discount_is_a_negative_line() -> None:
    body = written(asked(lines=(line(amount=sek(19900)), line(amount=sek(-5000), kind=LineKind.DISCOUNT))))
    expected = ([(19900, 1126), (-5000, -283)], 1126 - 283)
    assert expected == ([(item["amount"], item["vatAmount"]) for item in body["orderItems"]], body["vatAmount"])


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [(3, 3), (Decimal("3.0000"), 3), (Decimal("0.0001"), 0.0001), (Decimal("12345.6789"),) * 2],
)
def test_a_quantity_is_an_exact_number(quantity: Decimal | int, expected: float) -> None:
    item = written(asked(lines=(line(quantity=quantity),)))["orderItems"][0]
    assert (float(expected), isinstance(expected, int)) == (item["quantity"], isinstance(item["quantity"], int))


# The payer and the purchase

_HOME = Address(
    first_name="Leia",
    last_name="Ahlström",
    street="Storgatan 1",
    co_address="c/o Han",
    city="Solna",
    zip_code="17674",
    country="NO",
    email="leia@home.example",
    phone="+46701234567",
)
_PLACE = {"streetAddress": "Storgatan 1", "coAddress": "c/o Han", "city": "Solna", "zipCode": "17674"}


def test_a_payer_is_written_field_by_field() -> None:
    payer = Payer(
        reference="reader-7",
        first_name="Leia",
        last_name="Ahlström",
        email="leia@shop.example",
        phone="+46701234567",
        home_phone="+468123456",
        work_phone="+468654321",
        personal_number="198507099805",
        must_match_personal_number=True,
        digital_only=True,
        shipping_address=_HOME,
        billing_address=Address(city="Solna"),
    )
    expected = {
        "payerReference": "reader-7",
        "firstName": "Leia",
        "lastName": "Ahlström",
        "email": "leia@shop.example",
        "msisdn": "+46701234567",
        "homePhoneNumber": "+468123456",
        "workPhoneNumber": "+468654321",
        "digitalProducts": True,
        "nationalIdentifier": {"socialSecurityNumber": "198507099805", "countryCode": "SE"},
        "restrictedToSocialSecurityNumber": True,
        "shippingAddress": {
            "firstName": "Leia",
            "lastName": "Ahlström",
            "email": "leia@home.example",
            "msisdn": "+46701234567",
            **_PLACE,
            "countryCode": "NO",
        },
        "billingAddress": {"city": "Solna", "countryCode": "SE"},
    }
    assert expected == written(asked(payer=payer))["payer"]


_DAYS = ["account_age_days", "account_changed_days", "password_changed_days", "shipping_address_used_days"]
_INDICATORS = [
    "accountAgeIndicator",
    "accountChangeIndicator",
    "accountPwdChangeIndicator",
    "shippingAddressUsageIndicator",
]
_HISTORIES: list[tuple[PayerHistory, Json]] = [
    *(
        (
            PayerHistory(**{name: cast("Any", days) for name in _DAYS}),
            dict(zip(_INDICATORS, classes.split(), strict=True)),
        )
        for days, classes in [
            (0, "02 01 02 01"),
            (1, "03 02 03 02"),
            (29, "03 02 03 02"),
            (30, "04 03 04 03"),
            (60, "04 03 04 03"),
            (61, "05 04 05 04"),
        ]
    ),
    (PayerHistory(is_guest=True, account_age_days=99), {"accountAgeIndicator": "01"}),
    (PayerHistory(shipping_name_matches=True), {"shippingNameIndicator": "01"}),
    (PayerHistory(shipping_name_matches=False), {"shippingNameIndicator": "02"}),
    (PayerHistory(suspicious_activity=False), {"suspiciousAccountActivity": "01"}),
    (PayerHistory(suspicious_activity=True), {"suspiciousAccountActivity": "02"}),
]


@pytest.mark.parametrize(("history", "expected"), _HISTORIES)
def test_the_payers_history_has_the_documented_numbers(history: PayerHistory, expected: Json) -> None:
    assert expected == written(asked(payer=Payer(history=history)))["payer"]["accountInfo"]


_WHOLE_RISK = RiskFacts(
    delivery_email="leia@shop.example",
    pick_up_name="The kiosk",
    pick_up_address=_HOME,
    gift_card=True,
    bought_before=True,
    available_from=date(2026, 11, 1),
    is_pre_order=True,
)
_RISKS: list[tuple[RiskFacts, Json]] = [
    (
        _WHOLE_RISK,
        {
            "deliveryEmailAddress": "leia@shop.example",
            "preOrderDate": "20261101",
            "preOrderPurchaseIndicator": "02",
            "giftCardPurchase": True,
            "reOrderPurchaseIndicator": "02",
            "pickUpAddress": {"name": "The kiosk", **_PLACE, "countryCode": "NO"},
        },
    ),
    *(
        (RiskFacts(delivery_time=time), {"deliveryTimeFrameIndicator": f"{n:02}"})
        for n, time in enumerate(DeliveryTime, 1)
    ),
    *((RiskFacts(shipped_to=place), {"shipIndicator": f"{n:02}"}) for n, place in enumerate(ShippedTo, 1)),
    (RiskFacts(is_pre_order=False), {"preOrderPurchaseIndicator": "01"}),
    (RiskFacts(bought_before=False), {"reOrderPurchaseIndicator": "01"}),
    (RiskFacts(gift_card=False), {"giftCardPurchase": False}),
    (RiskFacts(), {}),
]


@pytest.mark.parametrize(("risk", "expected"), _RISKS)
def test_facts_of_the_purchase_have_the_documented_numbers(risk: RiskFacts, expected: Json) -> None:
    assert expected == written(asked(risk=risk))["riskIndicator"]


# What cannot be expressed is refused before anything is stored or sent

_LONG = Address(street="x" * 51)


@pytest.mark.parametrize(
    ("fields", "culprit"),
    [
        ({"amount": Money(100, "USD")}, "amount"),
        ({"amount": sek(2_147_483_648)}, "amount"),
        ({"description": "x" * 41}, "description"),
        ({"order_reference": "x" * 51}, "order_reference"),
        ({"return_url": "/thanks"}, "return_url"),
        ({"return_url": "shop.example/thanks"}, "return_url"),
        ({"cancel_url": "https:///basket"}, "cancel_url"),
        ({"payment_page_url": "javascript:pay()"}, "payment_page_url"),
        ({"page": PageStyle.SEAMLESS}, "payment_page_url"),
        ({"page": PageStyle.SEAMLESS, "payment_page_url": "https://a.example/?Swp_Ut=1"}, "payment_page_url"),
        ({"metadata": {"id": 1}}, "metadata"),
        ({"metadata": {"a": 1.5}}, "metadata"),
        ({"metadata": {"a": None}}, "metadata"),
        ({"payer": Payer(billing_address=_LONG)}, "payer.billing_address.street"),
        ({"payer": Payer(shipping_address=_LONG)}, "payer.shipping_address.street"),
        ({"risk": RiskFacts(pick_up_address=_LONG)}, "risk.pick_up_address.street"),
        ({"lines": (line(group="two words"),)}, "lines.group"),
        ({"lines": (line(group=""),)}, "lines.group"),
    ],
)
def test_what_a_payment_order_cannot_express_names_the_field(fields: dict[str, Any], culprit: str) -> None:
    with pytest.raises(InvalidOrder, match=f"^{culprit}: ") as caught:
        provider().check_order(asked(**fields))
    assert culprit == caught.value.field


@pytest.mark.parametrize(
    "fields",
    [
        {"metadata": {"a": Decimal("NaN")}},
        {"metadata": {"a": Decimal("Infinity")}},
        {"extra": {"price": Decimal("1.5")}},
        {"extra": {"deep": {"number": float("nan")}}},
        {"extra": {"deep": MappingProxyType({"a": 1})}},
    ],
)
def test_what_cannot_be_written_as_json_is_refused_too(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidOrder, match=r"^order: cannot be written as a payment order"):
        provider().check_order(asked(**fields))


@pytest.mark.parametrize(
    "fields",
    [
        {"amount": sek(2_147_483_647)},
        {"description": "x" * 40},
        {"order_reference": "x" * 50},
        {"payer": Payer(billing_address=Address(street="x" * 50))},
        {"metadata": {"Id2": "a"}},
        _PAGE,
        {"extra": OrderedDict(a=OrderedDict(b=1))},
        *({"amount": Money(1, currency)} for currency in ("SEK", "NOK", "DKK", "EUR")),
    ],
)
def test_what_just_fits_is_accepted(fields: dict[str, Any]) -> None:
    provider().check_order(asked(**fields))


# The answer


@pytest.mark.parametrize("status", [200, 201])
def test_the_payment_and_its_page_are_read_from_the_answer(status: int) -> None:
    made = created(order(), status=status)
    seen = made.observation
    expected = (ORDER_ID, PaymentState.PENDING, sek(14900), sek(0))
    assert expected == (seen.provider_reference, seen.state, seen.submitted, seen.authorized)
    page = ("https://ecom.externalintegration.payex.com/payment/menu/9d8c7b?_tc_tid=1f2e", None)
    assert page == (made.redirect_url, made.seamless_view)
    assert "9d8c7b" not in repr(made)


_BRANDS = ("https://*.payex.com", "https://*.swedbankpay.com")


@pytest.mark.parametrize(
    ("script_url", "expected"),
    [
        ("https://ecom.externalintegration.payex.com/payment/core/js/px.payment.client.js?token=9d8c7b", _BRANDS),
        ("https://ecom.swedbankpay.com/px.js?token=9d8c7b", _BRANDS),
        ("http://127.0.0.1:8001/px.js?token=1", ("http://127.0.0.1:8001",)),
        ("https://evilpayex.com/px.js", ("https://evilpayex.com",)),
        ("https://[broken/px.js", ("https://[broken",)),
        ("/px.js", ()),
        ("", ()),
    ],
)
def test_a_seamless_page_gets_its_script_and_the_origins_of_its_policy(script_url: str, expected: Any) -> None:
    given = order(rels=())
    given["operations"] = [{"rel": "view-checkout", "method": "GET", "href": script_url}]
    made = created(given, asked(**_PAGE))
    assert made.seamless_view is not None
    assert (script_url, expected) == (made.seamless_view.script_url, made.seamless_view.content_sources)
    assert "9d8c7b" not in repr(made)


def test_an_order_without_a_page_leads_nowhere() -> None:
    made = created(order(rels=()))
    assert made == Created(observation=made.observation)


@pytest.mark.parametrize(
    "strange",
    ["", "/psp/creditcard/payments/1", "https://evil.example/psp/paymentorders/1", "/psp/paymentorders/1/../2", "/"],
)
def test_an_id_that_is_not_a_payment_orders_is_refused(strange: str) -> None:
    with pytest.raises(UnexpectedAnswer, match="is not that of a payment order"):
        created(order(id=strange))


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        *((refusal, DuplicateReference) for refusal in SEEN_BEFORE),
        (answer(problem("paymentorders/inputerror", 400), 400), Rejected),
        (answer(b"", 401), Unauthenticated),
        (answer(problem("configurationerror"), 403), Unauthenticated),
        (answer(problem("creditcard/cardbranddisabled"), 403), Rejected),  # an order that is not paid is not declined
        (answer(b"", 429), RateLimited),
        (answer(problem("systemerror", 500), 500), ProviderUnavailable),
        (OutcomeUnknown("create: lost"), OutcomeUnknown),
    ],
)
def test_a_refusal_says_whether_anything_happened(given: HttpResponse | Exception, kind: type[PrenopayError]) -> None:
    with pytest.raises(PrenopayError, match=r"^create: ") as caught:
        created(given)
    assert kind is type(caught.value)
