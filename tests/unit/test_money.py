"""Money is whole minor units of one currency, and never loses or invents one."""

from __future__ import annotations

import decimal
import itertools
import operator
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from prenopay import Money

# What it may contain


@pytest.mark.parametrize("minor", [149.0, True, "149", Decimal(149), None])
def test_anything_but_an_int_is_refused(minor: Any) -> None:
    with pytest.raises(TypeError, match="whole minor units"):
        Money(minor, "SEK")


@pytest.mark.parametrize("currency", ["sek", "SE", "SEKK", "", "S3K", " SEK", "SEK\n", None, 752])
def test_anything_but_three_capital_letters_is_refused(currency: Any) -> None:
    with pytest.raises(ValueError, match="three capital letters"):
        Money(1, currency)


def test_it_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Money(1, "SEK").minor = 2  # type: ignore[misc]  # the point of the test


# Reading what a person typed, and showing it


@pytest.mark.parametrize(
    ("typed", "currency", "expected"),
    [
        ("149.50", "SEK", 14950),
        ("149.5", "SEK", 14950),
        ("-0.01", "SEK", -1),
        ("149", "SEK", 14900),
        ("149", "JPY", 149),
        ("1.234", "KWD", 1234),
        (Decimal("1E+2"), "EUR", 10000),
        ("0", "SEK", 0),
        ("149.500000", "SEK", 14950),
    ],
)
def test_what_a_person_typed_is_read_exactly(typed: Decimal | str, currency: str, expected: int) -> None:
    assert Money(expected, currency) == Money.from_decimal(typed, currency)


@pytest.mark.parametrize("typed", ["149.505", "0.001", "1E-3", "149.500000000000000000000000000000000001"])
def test_parts_of_an_ore_are_refused(typed: str) -> None:
    with pytest.raises(ValueError, match="parts of a minor unit"):
        Money.from_decimal(typed, "SEK")


@pytest.mark.parametrize("typed", ["", "kr 149", "149,50", "NaN", "Infinity", "1E999999", "1E-999999", "9" * 16])
def test_a_text_that_is_not_an_amount_is_refused(typed: str) -> None:
    with pytest.raises(ValueError, match="is not an amount"):
        Money.from_decimal(typed, "SEK")


@pytest.mark.parametrize("typed", [149.5, 149, None, b"149"])
def test_a_float_is_not_read_as_an_amount(typed: Any) -> None:
    with pytest.raises(TypeError, match="Decimal or a text"):
        Money.from_decimal(typed, "SEK")


@pytest.mark.parametrize(
    ("money", "expected"),
    [
        (Money(14950, "SEK"), "149.50 SEK"),
        (Money(-5, "SEK"), "-0.05 SEK"),
        (Money(149, "JPY"), "149 JPY"),
        (Money(1234, "KWD"), "1.234 KWD"),
        (Money(10**18 + 1, "SEK"), "10000000000000000.01 SEK"),
    ],
)
def test_it_prints_as_people_write_it(money: Money, expected: str) -> None:
    assert expected == str(money)


def test_the_hosts_decimal_context_changes_nothing() -> None:
    money = Money(123456789, "SEK")
    with decimal.localcontext(decimal.Context(prec=3)):
        shown, share, read = str(money), money.vat_share(25), Money.from_decimal("1234567.89", "SEK")
    assert ("1234567.89 SEK", Money(24691358, "SEK"), money) == (shown, share, read)


def test_an_amount_beyond_64_bits_is_refused() -> None:
    assert Money(2**63 - 1, "SEK").minor == 2**63 - 1
    with pytest.raises(ValueError, match="does not fit in the 64 bits"):
        Money(2**63, "SEK")


# Arithmetic


def test_it_adds_subtracts_multiplies_and_turns() -> None:
    five, two = Money(500, "SEK"), Money(200, "SEK")
    expected = [Money(minor, "SEK") for minor in (700, 300, 1000, 1000, -500)]
    assert expected == [five + two, five - two, five * 2, 2 * five, -five]


def test_only_zero_is_false() -> None:
    assert not Money.zero("SEK")
    assert all((Money(1, "SEK"), Money(-1, "SEK")))


def test_it_is_ordered_by_amount() -> None:
    one, two = Money(1, "SEK"), Money(2, "SEK")
    assert (one < two, one <= one, two > one, two >= two) == (True,) * 4  # noqa: PLR0124 - with itself
    assert (two < one, two <= one, one > two, one >= two) == (False,) * 4


_WITH_TWO: list[Callable[[Any, Any], object]] = [
    operator.add,
    operator.sub,
    operator.lt,
    operator.le,
    operator.gt,
    operator.ge,
]


def test_two_currencies_never_mix() -> None:
    for combine in _WITH_TWO:
        with pytest.raises(ValueError, match=r"1\.00 SEK and 1\.00 NOK are different currencies"):
            combine(Money(100, "SEK"), Money(100, "NOK"))


def test_money_goes_with_money_only() -> None:
    for combine, other in itertools.product(_WITH_TWO, [1, 1.0, Decimal(1), "1"]):
        with pytest.raises(TypeError, match="money goes with money only"):
            combine(Money(100, "SEK"), other)


@pytest.mark.parametrize("times", [1.5, True, Decimal(2), "2"])
def test_it_is_multiplied_by_whole_numbers_only(times: Any) -> None:
    with pytest.raises(TypeError, match="whole number only"):
        Money(100, "SEK") * times


def test_equality_asks_for_the_currency_too() -> None:
    others: list[object] = [Money(1, "NOK"), Money(2, "SEK"), 1, "0.01 SEK", None]
    assert Money(1, "SEK") not in others


# Dividing


@pytest.mark.parametrize(
    ("minor", "weights", "expected"),
    [
        (100, [1, 1, 1], [33, 33, 34]),
        (1, [1, 1], [0, 1]),
        (-100, [1, 1, 1], [-33, -33, -34]),
        (100, [0, 3, 0], [0, 100, 0]),
        (0, [1, 2], [0, 0]),
        (7, [5], [7]),
    ],
)
def test_dividing_loses_nothing(minor: int, weights: list[int], expected: list[int]) -> None:
    assert [Money(part, "SEK") for part in expected] == list(Money(minor, "SEK").allocate(weights))


@pytest.mark.parametrize("weights", [[], [0, 0], [-1, 2], [1.0, 2], [True, 1]])
def test_weights_that_divide_nothing_are_refused(weights: Any) -> None:
    with pytest.raises(
        (TypeError, ValueError), match=r"^weights: (\[0\] must be a whole number|must be none negative)"
    ):
        Money(100, "SEK").allocate(weights)


# VAT


@pytest.mark.parametrize(
    ("minor", "percent", "expected"),
    [
        (12500, 25, 2500),
        (10600, 6, 600),
        (14900, 6, 843),
        (14900, 25, 2980),
        (11250, Decimal("12.5"), 1250),
        (100, 0, 0),
        (1, 100, 1),  # exactly half an öre
        (-1, 100, -1),
        (3, 100, 2),
        (-12500, 25, -2500),
    ],
)
def test_vat_is_what_the_amount_holds(minor: int, percent: Decimal | int, expected: int) -> None:
    assert Money(expected, "SEK") == Money(minor, "SEK").vat_share(percent)


def test_net_and_vat_are_the_amount() -> None:
    assert (Money(11920, "SEK"), Money(2980, "SEK")) == Money(14900, "SEK").split_vat(25)


@pytest.mark.parametrize("percent", [25.0, True, "25", None])
def test_a_rate_is_an_int_or_a_decimal(percent: Any) -> None:
    with pytest.raises(TypeError, match=r"^percent: must be Decimal or a whole number"):
        Money(100, "SEK").split_vat(percent)


@pytest.mark.parametrize("percent", [-1, -100, Decimal("NaN"), Decimal("Infinity")])
def test_a_rate_is_zero_or_more(percent: Decimal | int) -> None:
    with pytest.raises(ValueError, match="a VAT rate is zero or more"):
        Money(100, "SEK").vat_share(percent)
