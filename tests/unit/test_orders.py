"""An order that cannot be right is refused when it is made; the error names the field."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from prenopay import Address, Money, Order, OrderLine, Payer
from prenopay.errors import InvalidOrder, PrenopayError
from prenopay.values.orders import PayerHistory, RiskFacts, check_sums, sums_of


def sek(minor: int) -> Money:
    return Money(minor, "SEK")


def line(minor: int = 14900, **fields: Any) -> OrderLine:
    return OrderLine(**{"name": "Digital, one month", "amount": sek(minor), "vat_percent": 6, **fields})


def order(minor: int = 14900, **fields: Any) -> Order:
    plain = {"amount": sek(minor), "description": "Digital", "return_url": "https://shop.example/thanks"}
    return Order(**{**plain, **fields})


# What is refused


@pytest.mark.parametrize(
    ("fields", "culprit"),
    [
        ({"amount": 14900}, "amount"),
        ({"amount": sek(0)}, "amount"),
        ({"amount": sek(-1)}, "amount"),
        ({"description": "  "}, "description"),
        ({"return_url": ""}, "return_url"),
        ({"vat": 843}, "vat"),
        ({"vat": sek(-1)}, "vat"),
        ({"vat": sek(14901)}, "vat"),
        ({"vat": Money(843, "NOK")}, "vat"),
        ({"valid_for": timedelta(0)}, "valid_for"),
        ({"lines": (line(14800),)}, "lines"),
        ({"lines": (line(amount=Money(14900, "NOK")),)}, "lines"),
        ({"lines": (line(vat=Money(843, "NOK")),)}, "lines"),
        ({"lines": ("a line",)}, "lines"),
        ({"lines": (line(1),) * 501, "amount": sek(501)}, "lines"),
        ({"lines": (line(),), "vat": sek(842)}, "vat"),
    ],
)
def test_a_wrong_order_names_its_field(fields: dict[str, Any], culprit: str) -> None:
    with pytest.raises(InvalidOrder, match=f"^{culprit}: ") as caught:
        order(**fields)
    assert culprit == caught.value.field


@pytest.mark.parametrize(
    ("fields", "culprit"),
    [
        ({"name": " "}, "lines.name"),
        ({"amount": 14900}, "lines.amount"),
        ({"quantity": 0}, "lines.quantity"),
        ({"quantity": -1}, "lines.quantity"),
        ({"quantity": 1.5}, "lines.quantity"),
        ({"quantity": True}, "lines.quantity"),
        ({"quantity": Decimal("0.00001")}, "lines.quantity"),
        ({"quantity": Decimal("NaN")}, "lines.quantity"),
        ({"quantity": Decimal("Infinity")}, "lines.quantity"),
        ({"quantity": 10**30}, "lines.quantity"),
        ({"vat_percent": 25.0}, "lines.vat_percent"),
        ({"vat_percent": -6}, "lines.vat_percent"),
        ({"vat_percent": Decimal("0.06")}, "lines.vat_percent"),
        ({"vat_percent": Decimal("6.001")}, "lines.vat_percent"),
        ({"vat": 843}, "lines.vat"),
    ],
)
def test_a_wrong_line_names_its_field(fields: dict[str, Any], culprit: str) -> None:
    with pytest.raises(InvalidOrder, match=f"^{culprit}: ") as caught:
        line(**fields)
    assert culprit == caught.value.field


@pytest.mark.parametrize("rate", [Decimal("0.06"), Decimal("0.99"), 0.06, 6.0])
def test_a_rate_that_is_not_in_percent_says_what_six_means(rate: Any) -> None:
    with pytest.raises(InvalidOrder, match=r"6 means 6 %$"):
        line(vat_percent=rate)


def test_a_line_may_be_free_of_vat() -> None:
    assert line(vat_percent=Decimal("0.00")).vat_amount == sek(0)


def test_a_refusal_is_a_value_error_of_the_family() -> None:
    with pytest.raises(ValueError) as caught:
        order(description="")
    assert isinstance(caught.value, PrenopayError)


def test_the_largest_order_is_taken() -> None:
    lines = (line(1),) * 500
    assert lines == order(500, lines=lines).lines


# Sums


def test_the_vat_is_that_of_the_lines() -> None:
    lines = (line(14900), line(10000, vat_percent=25), line(-1000, vat_percent=25))
    assert sek(843 + 2000 - 200) == order(23900, lines=lines).vat_amount


def test_the_vat_is_what_the_order_says() -> None:
    assert sek(843) == order(vat=sek(843)).vat_amount


def test_no_vat_is_known_without_lines_or_word() -> None:
    assert sek(0) == order().vat_amount


def test_a_line_may_state_its_vat() -> None:
    stated = line(1500, vat_percent=25, vat=sek(375))
    assert sek(375) == order(1500, lines=(stated,), vat=sek(375)).vat_amount


def test_a_line_for_some_instruments_only_is_not_counted() -> None:
    fee = line(1900, only_with=("Invoice-PayExFinancingSe",))
    assert (sek(14900), sek(843)) == sums_of((line(), fee))
    check_sums(sek(14900), None, (line(), fee))


@pytest.mark.parametrize(
    ("minor", "quantity", "expected"),
    [(1000, 4, 250), (1000, Decimal("2.5"), 400), (100, 3, 33)],
)
def test_the_price_of_one_is_worked_out(minor: int, quantity: Decimal | int, expected: int) -> None:
    assert sek(expected) == line(minor, quantity=quantity).price_of_one


def test_the_price_of_one_may_be_stated() -> None:
    assert sek(300) == line(1000, quantity=5, unit_price=sek(300)).price_of_one


# A repr shows nothing about a person

_SECRETS = ("Leia", "Ahlström", "Storgatan", "Solna", "17674", "leia@shop.example", "+46701234567", "19850709-9805")


def address() -> Address:
    return Address(
        first_name="Leia",
        last_name="Ahlström",
        street="Storgatan 1",
        city="Solna",
        zip_code="17674",
        email="leia@shop.example",
        phone="+46701234567",
    )


def payer() -> Payer:
    return Payer(
        reference="reader-7",
        first_name="Leia",
        last_name="Ahlström",
        email="leia@shop.example",
        phone="+46701234567",
        personal_number="19850709-9805",
        billing_address=address(),
        shipping_address=address(),
        history=PayerHistory(account_age_days=3),
    )


def risk() -> RiskFacts:
    return RiskFacts(delivery_email="leia@shop.example", pick_up_name="Leia Ahlström", pick_up_address=address())


@pytest.mark.parametrize("value", [address(), payer(), risk(), order(payer=payer(), risk=risk())])
def test_a_repr_shows_nothing_of_the_payer(value: object) -> None:
    assert not [secret for secret in _SECRETS if secret in repr(value)]


def test_a_repr_names_the_payer_by_the_hosts_pseudonym() -> None:
    assert "Payer(reference='reader-7', …)" in repr(order(payer=payer()))
