"""Making a payment order: every field of the request, and what the answer becomes."""

from __future__ import annotations

from collections import OrderedDict
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest

from prenopay import Address, CaptureMode, Instrument, Money, Order, OrderLine, PageStyle, Payer, PaymentState
from prenopay._blocking import run_blocking
from prenopay.errors import (
    DuplicateReference,
    InvalidOrder,
    OutcomeUnknown,
    ProviderError,
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

_CALLBACK = "https://shop.example/prenopay/paper/pay_1/mac"
_RETURN = "https://shop.example/thanks?order=4711"


def asked(minor: int = 14900, **fields: Any) -> Order:
    plain = {"amount": sek(minor), "description": "Digital, one month", "return_url": _RETURN}
    return Order(**{**plain, **fields})


def request_of(order_asked: Order) -> CreateRequest:
    return CreateRequest(order=order_asked, payment_id="pay_1", reference=REFERENCE, callback_url=_CALLBACK)


def written(order_asked: Order, **fields: Any) -> Json:
    """Return the ``paymentorder`` that prenopay asks for."""
    script = Script(answer(order()))
    run_blocking(provider(**fields).create_payment(script, request_of(order_asked)))
    body = body_of(script.sent[0])
    assert set(body) == {"paymentorder"}
    asked_for: Json = body["paymentorder"]
    return asked_for


def created(given: Json, order_asked: Order | None = None, *, status: int = 201) -> Created:
    return run_blocking(provider().create_payment(Script(answer(given, status)), request_of(order_asked or asked())))


# The request


def test_one_post_goes_to_the_one_address() -> None:
    script = Script(answer(order(), 201))
    run_blocking(provider().create_payment(script, request_of(asked())))
    (sent,) = script.sent
    assert ("POST", f"{API}/psp/paymentorders", "create", False) == (sent.method, sent.url, sent.label, sent.retry_safe)


def test_the_headers_choose_version_3_1_and_carry_the_token() -> None:
    script = Script(answer(order()))
    run_blocking(provider().create_payment(script, request_of(asked())))
    expected = {
        "authorization": f"Bearer {TOKEN}",
        "accept": "application/json;version=3.1, application/problem+json;q=0.9",
        "content-type": "application/json;version=3.1",
        "user-agent": "prenopay",
    }
    assert expected == dict(script.sent[0].headers)


def test_neither_token_nor_body_shows() -> None:
    script = Script(answer(order()))
    run_blocking(provider().create_payment(script, request_of(asked())))
    shown = repr(script.sent[0])
    assert not [secret for secret in (TOKEN, "Digital") if secret in shown]


def test_the_least_order_says_this_and_nothing_more() -> None:
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
            "callbackUrl": _CALLBACK,
        },
        "payeeInfo": {"payeeId": PAYEE, "payeeReference": REFERENCE},
    }
    assert expected == written(asked())


def test_the_merchants_settings_are_told() -> None:
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
        "callbackUrl": _CALLBACK,
        "logoUrl": "https://shop.example/logo.png",
        "termsOfServiceUrl": "https://shop.example/terms",
    }
    assert (payee, urls) == (body["payeeInfo"], body["urls"])


def test_a_redirect_page_may_cancel_to_a_place_of_its_own() -> None:
    expected = "https://shop.example/basket"
    assert expected == written(asked(cancel_url=expected))["urls"]["cancelUrl"]


def test_a_seamless_page_names_the_page_that_holds_it() -> None:
    page = "https://pay.shop.example/pay/4711"
    expected = {
        "hostUrls": ["https://shop.example", "https://pay.shop.example"],
        "completeUrl": _RETURN,
        "paymentUrl": page,
        "callbackUrl": _CALLBACK,
    }
    assert expected == written(asked(page=PageStyle.SEAMLESS, payment_page_url=page))["urls"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"language": "nb-NO"}, {"language": "nb-NO"}),
        ({"payer_user_agent": "Mozilla/5.0"}, {"userAgent": "Mozilla/5.0"}),
        ({"vat": sek(2980)}, {"vatAmount": 2980}),
        ({"amount": Money(100, "NOK")}, {"currency": "NOK", "amount": 100}),
        ({"only_instrument": Instrument.SWISH}, {"instrument": "Swish"}),
        ({"only_instrument": "swish"}, {"instrument": "Swish"}),
        ({"only_instrument": "CreditAccount"}, {"instrument": "CreditAccount"}),
        (
            {"instruments": (Instrument.CARD, "vipps", "Invoice-PayExFinancingNo")},
            {"restrictedToInstruments": ["CreditCard", "Vipps", "Invoice-PayExFinancingNo"]},
        ),
        ({"expand_first_instrument": True}, {"expandFirstInstrument": True}),
        ({"age_limit": 18}, {"restrictedToAgeLimit": 18}),
        ({"capture": CaptureMode.AUTOMATIC}, {}),
        (
            {"metadata": {"issue": 44, "trial": False, "price": Decimal("1.10"), "whole": Decimal("2.00"), "n": "å"}},
            {"metadata": {"issue": 44, "trial": False, "price": 1.1, "whole": 2, "n": "å"}},
        ),
        ({"extra": {"generatePaymentToken": True}}, {"generatePaymentToken": True}),
        ({"extra": {"language": "en-US"}}, {"language": "en-US"}),
    ],
)
def test_each_wish_is_written_in_the_gateways_words(fields: dict[str, Any], expected: Json) -> None:
    assert {**written(asked()), **expected} == written(asked(**fields))


_INSTRUMENTS = {
    Instrument.CARD: "CreditCard",
    Instrument.SWISH: "Swish",
    Instrument.VIPPS: "Vipps",
    Instrument.MOBILEPAY: "MobilePay",
    Instrument.APPLE_PAY: "ApplePay",
    Instrument.GOOGLE_PAY: "GooglePay",
    Instrument.CLICK_TO_PAY: "ClickToPay",
    Instrument.TRUSTLY: "Trustly",
    Instrument.INVOICE: "Invoice-PayExFinancingSe",
    Instrument.MONTHLY_INVOICE: "Invoice-PayMonthlyInvoiceSe",
    Instrument.CREDIT_ACCOUNT: "CreditAccount-CreditAccountSe",
}


@pytest.mark.parametrize("instrument", Instrument)
def test_each_instrument_has_the_gateways_name(instrument: Instrument) -> None:
    assert [_INSTRUMENTS[instrument]] == written(asked(instruments=(instrument,)))["restrictedToInstruments"]


def test_extra_is_laid_over_object_by_object() -> None:
    body = written(asked(extra={"urls": {"logoUrl": "https://shop.example/l.png"}, "payeeInfo": {"mcc": 5542}}))
    expected = ("https://shop.example/l.png", _RETURN, 5542, PAYEE)
    urls, payee = body["urls"], body["payeeInfo"]
    assert expected == (urls["logoUrl"], urls["completeUrl"], payee["mcc"], payee["payeeId"])


def test_the_same_order_is_the_same_bytes() -> None:
    one, other = (request_of(asked(metadata={"a": 1}, extra={"b": {"c": 2}})) for _ in range(2))
    assert create_body(config(), one) == create_body(config(), other)


def test_texts_are_written_as_utf_8() -> None:
    assert "Prenumeration å ä ö €".encode() in create_body(
        config(), request_of(asked(description="Prenumeration å ä ö €"))
    )


# Lines


def line(**fields: Any) -> OrderLine:
    return OrderLine(**{"name": "Paper", "amount": sek(14900), "vat_percent": 6, **fields})


def test_a_plain_line_is_filled_up() -> None:
    expected = {
        "reference": "1",
        "name": "Paper",
        "type": "PRODUCT",
        "class": "none",
        "quantity": 1,
        "quantityUnit": "pcs",
        "unitPrice": 14900,
        "vatPercent": 600,
        "amount": 14900,
        "vatAmount": 843,
    }
    assert [expected] == written(asked(lines=(line(),)))["orderItems"]


def test_a_whole_line_is_written_field_by_field() -> None:
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
    expected = {
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
    only_with = ["Invoice-PayExFinancingSe", "Invoice-PayExFinancingNo"]
    assert (expected, "2", only_with) == (first, second["reference"], second["restrictedToInstruments"])


@pytest.mark.parametrize(
    ("kind", "expected"),
    list(
        zip(
            LineKind,
            ["PRODUCT", "SERVICE", "SHIPPING_FEE", "PAYMENT_FEE", "DISCOUNT", "VALUE_CODE", "OTHER"],
            strict=True,
        ),
    ),
)
def test_each_kind_of_line_has_the_gateways_name(kind: LineKind, expected: str) -> None:
    assert expected == written(asked(lines=(line(kind=kind),)))["orderItems"][0]["type"]


def test_a_discount_is_a_negative_line() -> None:
    body = written(asked(lines=(line(amount=sek(19900)), line(amount=sek(-5000), kind=LineKind.DISCOUNT))))
    expected = ([(19900, 1126), (-5000, -283)], 1126 - 283)
    assert expected == ([(item["amount"], item["vatAmount"]) for item in body["orderItems"]], body["vatAmount"])


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [(3, 3), (Decimal("3.0000"), 3), (Decimal("0.0001"), 0.0001), (Decimal("12345.6789"), 12345.6789)],
)
def test_a_quantity_is_an_exact_number(quantity: Decimal | int, expected: float) -> None:
    item = written(asked(lines=(line(quantity=quantity),)))["orderItems"][0]
    assert (expected, type(expected)) == (item["quantity"], type(item["quantity"]))


# The payer

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
_HOME_WRITTEN = {
    "firstName": "Leia",
    "lastName": "Ahlström",
    "email": "leia@home.example",
    "msisdn": "+46701234567",
    "streetAddress": "Storgatan 1",
    "coAddress": "c/o Han",
    "city": "Solna",
    "zipCode": "17674",
    "countryCode": "NO",
}


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
        "shippingAddress": _HOME_WRITTEN,
        "billingAddress": {"city": "Solna", "countryCode": "SE"},
    }
    assert expected == written(asked(payer=payer))["payer"]


def test_a_payer_of_whom_nothing_is_known_says_nothing() -> None:
    assert written(asked(payer=Payer()))["payer"] == {}


@pytest.mark.parametrize(
    ("days", "age", "change", "password", "address"),
    [
        (0, "02", "01", "02", "01"),
        (1, "03", "02", "03", "02"),
        (29, "03", "02", "03", "02"),
        (30, "04", "03", "04", "03"),
        (60, "04", "03", "04", "03"),
        (61, "05", "04", "05", "04"),
    ],
)
def test_days_are_told_in_the_documented_classes(
    days: int,
    age: str,
    change: str,
    password: str,
    address: str,
) -> None:
    history = PayerHistory(
        account_age_days=days,
        account_changed_days=days,
        password_changed_days=days,
        shipping_address_used_days=days,
    )
    expected = {
        "accountAgeIndicator": age,
        "accountChangeIndicator": change,
        "accountPwdChangeIndicator": password,
        "shippingAddressUsageIndicator": address,
    }
    assert expected == written(asked(payer=Payer(history=history)))["payer"]["accountInfo"]


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        (PayerHistory(is_guest=True, account_age_days=99), {"accountAgeIndicator": "01"}),
        (PayerHistory(shipping_name_matches=True), {"shippingNameIndicator": "01"}),
        (PayerHistory(shipping_name_matches=False), {"shippingNameIndicator": "02"}),
        (PayerHistory(suspicious_activity=False), {"suspiciousAccountActivity": "01"}),
        (PayerHistory(suspicious_activity=True), {"suspiciousAccountActivity": "02"}),
    ],
)
def test_facts_of_the_account_have_the_documented_numbers(history: PayerHistory, expected: Json) -> None:
    assert expected == written(asked(payer=Payer(history=history)))["payer"]["accountInfo"]


# Risk


def test_facts_of_the_purchase_are_written_field_by_field() -> None:
    risk = RiskFacts(
        delivery_email="leia@shop.example",
        delivery_time=DeliveryTime.OVERNIGHT,
        shipped_to=ShippedTo.STORE,
        pick_up_name="The kiosk",
        pick_up_address=_HOME,
        gift_card=True,
        bought_before=True,
        available_from=date(2026, 11, 1),
        is_pre_order=True,
    )
    expected = {
        "deliveryEmailAddress": "leia@shop.example",
        "deliveryTimeFrameIndicator": "03",
        "preOrderDate": "20261101",
        "preOrderPurchaseIndicator": "02",
        "shipIndicator": "04",
        "giftCardPurchase": True,
        "reOrderPurchaseIndicator": "02",
        "pickUpAddress": {
            "name": "The kiosk",
            "streetAddress": "Storgatan 1",
            "coAddress": "c/o Han",
            "city": "Solna",
            "zipCode": "17674",
            "countryCode": "NO",
        },
    }
    assert expected == written(asked(risk=risk))["riskIndicator"]


@pytest.mark.parametrize(
    ("risk", "expected"),
    [
        *(
            (RiskFacts(delivery_time=time), {"deliveryTimeFrameIndicator": f"{n:02}"})
            for n, time in enumerate(DeliveryTime, 1)
        ),
        *((RiskFacts(shipped_to=place), {"shipIndicator": f"{n:02}"}) for n, place in enumerate(ShippedTo, 1)),
        (RiskFacts(is_pre_order=False), {"preOrderPurchaseIndicator": "01"}),
        (RiskFacts(bought_before=False), {"reOrderPurchaseIndicator": "01"}),
        (RiskFacts(gift_card=False), {"giftCardPurchase": False}),
        (RiskFacts(), {}),
    ],
)
def test_each_fact_has_its_documented_number(risk: RiskFacts, expected: Json) -> None:
    assert expected == written(asked(risk=risk))["riskIndicator"]


# What cannot be expressed is refused before anything is written down or sent


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
        ({"payer": Payer(billing_address=Address(street="x" * 51))}, "payer.billing_address.street"),
        ({"payer": Payer(shipping_address=Address(street="x" * 51))}, "payer.shipping_address.street"),
        ({"risk": RiskFacts(pick_up_address=Address(street="x" * 51))}, "risk.pick_up_address.street"),
        ({"lines": (line(group="two words"),)}, "lines.group"),
        ({"lines": (line(group=""),)}, "lines.group"),
    ],
)
def test_what_a_payment_order_cannot_hold_names_the_field(fields: dict[str, Any], culprit: str) -> None:
    with pytest.raises(InvalidOrder, match=f"^{culprit}: ") as caught:
        provider().check_order(asked(**fields))
    assert culprit == caught.value.field


@pytest.mark.parametrize(
    "fields",
    [
        {"age_limit": "18"},
        {"language": None},
        {"description": "\ud800"},
        {"return_url": "https://[broken"},
        {"metadata": {"a": Decimal("NaN")}},
        {"metadata": {"a": Decimal("Infinity")}},
        {"extra": {"price": Decimal("1.5")}},
        {"extra": {"when": date(2026, 10, 28)}},
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
        {"page": PageStyle.SEAMLESS, "payment_page_url": "https://shop.example/pay"},
        {"extra": OrderedDict(a=OrderedDict(b=1))},
        *({"amount": Money(1, currency)} for currency in ("SEK", "NOK", "DKK", "EUR")),
    ],
)
def test_what_just_fits_is_taken(fields: dict[str, Any]) -> None:
    provider().check_order(asked(**fields))


# The answer


@pytest.mark.parametrize("status", [200, 201])
def test_the_payment_is_known_from_the_answer(status: int) -> None:
    made = created(order(), status=status)
    expected = (ORDER_ID, PaymentState.PENDING, sek(14900), sek(0))
    seen = made.observation
    assert expected == (seen.provider_reference, seen.state, seen.submitted, seen.authorized)


def test_the_payer_is_sent_to_the_page_of_the_answer() -> None:
    made = created(order())
    expected = ("https://ecom.externalintegration.payex.com/payment/menu/9d8c7b?_tc_tid=1f2e", None)
    assert expected == (made.redirect_url, made.seamless_view)


def test_a_seamless_page_gets_its_script_and_what_a_policy_must_allow() -> None:
    made = created(order(), asked(page=PageStyle.SEAMLESS, payment_page_url="https://shop.example/pay"))
    assert made.seamless_view is not None
    expected = (
        "https://ecom.externalintegration.payex.com/payment/core/js/px.payment.client.js?token=9d8c7b",
        ("https://*.payex.com", "https://*.swedbankpay.com"),
    )
    assert expected == (made.seamless_view.script_url, made.seamless_view.content_sources)


@pytest.mark.parametrize(
    ("script_url", "expected"),
    [
        ("http://127.0.0.1:8001/px.js?token=1", ("http://127.0.0.1:8001",)),
        ("https://ecom.swedbankpay.com/px.js", ("https://*.payex.com", "https://*.swedbankpay.com")),
        ("https://evilpayex.com/px.js", ("https://evilpayex.com",)),
        ("https://[broken/px.js", ("https://[broken",)),
        ("/px.js", ()),
        ("", ()),
    ],
)
def test_a_policy_allows_where_the_script_comes_from(script_url: str, expected: tuple[str, ...]) -> None:
    given = order(rels=())
    given["operations"] = [{"rel": "view-checkout", "method": "GET", "href": script_url}]
    made = created(given, asked(page=PageStyle.SEAMLESS, payment_page_url="https://shop.example/pay"))
    assert made.seamless_view is not None
    assert expected == made.seamless_view.content_sources


def test_an_order_without_a_page_leads_nowhere() -> None:
    made = created(order(rels=()))
    assert made == Created(observation=made.observation)


def test_neither_page_nor_script_shows() -> None:
    made = created(order(), asked(page=PageStyle.SEAMLESS, payment_page_url="https://shop.example/pay"))
    assert "9d8c7b" not in repr(made)


@pytest.mark.parametrize(
    "strange",
    ["", "/psp/creditcard/payments/1", "https://evil.example/psp/paymentorders/1", "/psp/paymentorders/1/../2", "/"],
)
def test_an_id_that_is_not_a_payment_orders_is_refused(strange: str) -> None:
    with pytest.raises(UnexpectedAnswer, match="is not that of a payment order"):
        created(order(id=strange))


@pytest.mark.parametrize("refusal", SEEN_BEFORE)
def test_a_reference_seen_before_is_told(refusal: HttpResponse) -> None:
    script = Script(refusal)
    with pytest.raises(DuplicateReference, match=r"^create: "):
        run_blocking(provider().create_payment(script, request_of(asked())))
    expected = 1
    assert expected == len(script.sent)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, problem("paymentorders/inputerror", 400), Rejected),
        (401, b"", Unauthenticated),
        (403, problem("configurationerror"), Unauthenticated),
        (403, problem("creditcard/cardbranddisabled"), Rejected),  # nobody can decline what nobody has paid yet
        (429, b"", RateLimited),
        (500, problem("systemerror", 500), ProviderUnavailable),
    ],
)
def test_a_refusal_says_whether_anything_happened(status: int, body: object, kind: type[ProviderError]) -> None:
    with pytest.raises(ProviderError, match=r"^create: ") as caught:
        run_blocking(provider().create_payment(Script(answer(body, status)), request_of(asked())))
    assert kind is type(caught.value)


def test_a_lost_answer_is_passed_on() -> None:
    with pytest.raises(OutcomeUnknown, match="lost"):
        run_blocking(provider().create_payment(Script(OutcomeUnknown("lost")), request_of(asked())))
