"""What people type: phone numbers, e-mail addresses, personal numbers, and the other facts of an order."""

from __future__ import annotations

from typing import Any

import pytest

from prenopay import (
    Address,
    Money,
    Order,
    OrderLine,
    Payer,
    PayerHistory,
    PayoutOrder,
    RiskFacts,
    email_address,
    phone_number,
)
from prenopay.errors import InvalidOrder


@pytest.mark.parametrize(
    ("written", "digits"),
    [
        ("070-123 45 67", "+46701234567"),
        ("0701234567", "+46701234567"),
        ("+46 70-123 45 67", "+46701234567"),
        ("+46 (0)70 123 45 67", "+46701234567"),
        ("+460701234567", "+46701234567"),
        ("0046 70 123 45 67", "+46701234567"),
        ("46701234567", "+46701234567"),
        ("460701234567", "+46701234567"),
        (" 070/123.45.67 ", "+46701234567"),
        ("070\u2011123\u00a045\u00a067", "+46701234567"),
        ("4671234768", "+4671234768"),
        ("08-12 34 56", "+468123456"),
        ("+47 912 34 567", "+4791234567"),
        ("00358 40 1234567", "+358401234567"),
        ("+12345678", "+12345678"),
        ("+123456789012345", "+123456789012345"),
    ],
)
def test_a_number_gets_its_country_code_and_nothing_but_digits(written: str, digits: str) -> None:
    assert digits == phone_number(written)
    assert digits == phone_number(digits), "what is in this form stays as it is"


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("", "is empty"),
        (" ", "is empty"),
        ("+", "holds only digits"),
        ("call me", "holds only digits"),
        ("070-123 45 6x", "holds only digits"),
        ("٠٧٠١٢٣٤٥٦٧", "holds only digits"),
        ("70++1", "holds only digits"),
        ("701234567", "the country is not clear"),
        ("4791234567", "the country is not clear"),
        ("0701", "is too short: .* 8 to 15 digits .* this has 4"),
        ("123", "is too short: .* this has 3"),
        ("+1234567", "is too short: .* this has 7"),
        ("+46 (0)70-1", "is too short: .* this has 6"),
        ("+1234567890123456", "is too long: .* this has 16"),
        ("+0701234567", "do not begin with 0"),
        ("000701234567", "do not begin with 0"),
    ],
)
def test_what_is_no_number_is_refused_with_the_reason(written: str, why: str) -> None:
    with pytest.raises(InvalidOrder, match=why) as refused:
        phone_number(written, field="payer.phone")
    assert refused.value.field == "payer.phone"


def test_what_is_no_text_is_refused_by_the_field() -> None:
    with pytest.raises(InvalidOrder, match=r"^phone: must be a text") as refused:
        phone_number(None)  # type: ignore[arg-type]  # what a form without the field gives
    assert (refused.value.field, "written" in str(refused.value)) == ("phone", False)


def test_a_refusal_does_not_repeat_what_was_typed() -> None:
    for rule, typed in ((phone_number, "7012345678901234567"), (email_address, "leia at shop.example")):
        with pytest.raises(InvalidOrder) as refused:
            rule(typed)
        assert typed[:7] not in str(refused.value)


@pytest.mark.parametrize("written", ["leia@shop.example", " leia@shop.example\n", "l.e+i-a@a.b.se", "å@ö.example"])
def test_an_address_loses_the_space_around_it(written: str) -> None:
    assert email_address(written) == written.strip()


WRITTEN = {"phone": "070-123 45 67", "email": " leia@shop.example "}
KEPT = {"phone": "+46701234567", "email": "leia@shop.example"}


def test_every_value_keeps_one_form_of_what_people_write() -> None:
    payer = Payer(
        phone=WRITTEN["phone"],
        home_phone="08-12 34 56",
        work_phone="+47 912 34 567",
        email=WRITTEN["email"],
        personal_number="19850709-9805",
    )
    assert (payer.phone, payer.home_phone, payer.work_phone) == ("+46701234567", "+468123456", "+4791234567")
    assert (payer.email, payer.personal_number) == ("leia@shop.example", "198507099805")
    assert Address(**WRITTEN) == Address(**KEPT)
    assert RiskFacts(delivery_email=WRITTEN["email"]).delivery_email == KEPT["email"]
    payout = PayoutOrder(
        amount=sek(1), reference="P1", payee_phone=WRITTEN["phone"], payee_personal_number="19850709 9805"
    )
    assert (payout.payee_phone, payout.payee_personal_number) == (KEPT["phone"], "198507099805")
    assert Payer(personal_number="01018512345", personal_number_country="NO").personal_number == "01018512345"


def sek(minor: int) -> Money:
    return Money(minor, "SEK")


def ordered(**fields: Any) -> Order:
    usual: dict[str, Any] = {"amount": sek(100), "description": "x", "return_url": "https://shop.example/back"}
    return Order(**usual | fields)


def line(**fields: Any) -> OrderLine:
    usual: dict[str, Any] = {"name": "Month", "amount": sek(100), "vat_percent": 6}
    return OrderLine(**usual | fields)


REFUSED: list[tuple[Any, dict[str, Any], str]] = [
    *((Payer, {name: "123"}, f"payer.{name}") for name in ("phone", "home_phone", "work_phone")),
    *(
        (Payer, {"email": email}, "payer.email")
        for email in ("leia", "leia at shop.example", "a@b", "a@b@c.se", "@b.se")
    ),
    (Payer, {"email": f"{'x' * 250}@b.se"}, "payer.email"),
    *((Payer, {"personal_number": each}, "payer.personal_number") for each in ("8507099805", "850709-9805", "x")),
    (Payer, {"personal_number_country": "Sweden"}, "payer.personal_number_country"),
    (PayerHistory, {"account_age_days": -1}, "payer.history.account_age_days"),
    (Address, {"phone": "123"}, "address.phone"),
    (Address, {"email": "leia"}, "address.email"),
    *((Address, {"country": each}, "address.country") for each in ("se", "SWE", "Sverige")),
    (RiskFacts, {"delivery_email": "leia"}, "risk.delivery_email"),
    *((ordered, {"language": each}, "language") for each in ("sv", "sv_SE", "SV-SE", "swedish", "sv-se")),
    *((ordered, {"age_limit": each}, "age_limit") for each in (-1, 0, 100)),
    (line, {"description": "x" * 41}, "lines.description"),
    (line, {"discount_description": "x" * 41}, "lines.discount_description"),
    (line, {"unit": " "}, "lines.unit"),
    (line, {"item_url": "/items/1"}, "lines.item_url"),
    (line, {"image_url": "http://shop.example/1.png"}, "lines.image_url"),
    *(
        (ordered, {name: url}, name)
        for name in ("return_url", "cancel_url", "payment_page_url")
        for url in (
            *("/thanks", "shop.example/thanks", "https:///thanks", "https://", "//shop.example/", "mailto:a@b.se"),
            *("http://shop.example/thanks", "https://shop.example/two words", "https://[shop", "https://a.se:x/"),
        )
    ),
]


@pytest.mark.parametrize(("made", "fields", "field"), REFUSED)
def test_what_only_a_gateway_would_refuse_is_refused_by_name(made: Any, fields: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidOrder, match=rf"^{field}: ") as refused:
        made(**fields)
    assert refused.value.field == field


@pytest.mark.parametrize(
    "url",
    ["https://shop.example", "HTTPS://Shop.example/?a=1#b", "http://127.0.0.1:8000/", "http://localhost/", "app://x"],
)
def test_a_payer_comes_back_to_a_page_or_an_app(url: str) -> None:
    assert ordered(return_url=url).return_url == url
