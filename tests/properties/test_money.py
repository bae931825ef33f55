"""Arithmetic with money never loses an öre, makes one, or turns one into a float."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, strategies as st

from prenopay import Money

from .strategies import CURRENCIES, MINORS, PERCENTS, money

_WEIGHTS = st.lists(st.integers(0, 10**6), min_size=1, max_size=8).filter(any)


@given(money(), _WEIGHTS)
def test_the_parts_of_a_division_add_up(amount: Money, weights: list[int]) -> None:
    assert amount == sum(amount.allocate(weights), Money.zero("SEK"))


@given(money(), _WEIGHTS)
def test_every_part_is_within_one_minor_unit_of_exact(amount: Money, weights: list[int]) -> None:
    for part, weight in zip(amount.allocate(weights), weights, strict=True):
        exact = Fraction(amount.minor * weight, sum(weights))
        assert abs(part.minor - exact) < 1


@given(money(), _WEIGHTS)
def test_dividing_a_debt_is_dividing_the_amount_turned_round(amount: Money, weights: list[int]) -> None:
    assert [-part for part in amount.allocate(weights)] == list((-amount).allocate(weights))


@given(money(), PERCENTS)
def test_net_and_vat_add_up(amount: Money, percent: Decimal | int) -> None:
    net, vat = amount.split_vat(percent)
    assert amount == net + vat


@given(money(), PERCENTS)
def test_vat_is_exact_to_half_a_minor_unit(amount: Money, percent: Decimal | int) -> None:
    exact = Fraction(amount.minor) * Fraction(percent) / (100 + Fraction(percent))
    assert abs(amount.vat_share(percent).minor - exact) <= Fraction(1, 2)


@given(money(), PERCENTS)
def test_vat_of_a_debt_is_that_of_the_amount_turned_round(amount: Money, percent: Decimal | int) -> None:
    assert -amount.vat_share(percent) == (-amount).vat_share(percent)


@given(MINORS, CURRENCIES)
def test_what_is_printed_reads_back(minor: int, currency: str) -> None:
    amount = Money(minor, currency)
    shown, shown_currency = str(amount).split(" ")
    assert (amount, currency) == (Money.from_decimal(shown, currency), shown_currency)


@given(st.integers(-(2**63) + 1, 2**63 - 1), CURRENCIES)
def test_major_units_are_exact_however_large(minor: int, currency: str) -> None:
    amount = Money(minor, currency)
    per_major = {"JPY": 1, "KWD": 1000}.get(currency, 100)
    assert Fraction(minor, per_major) == Fraction(amount.to_decimal())


@given(st.one_of(st.decimals(), st.text(max_size=12), st.text("0123456789.,-+eE_ ", max_size=12)), CURRENCIES)
def test_anything_typed_is_an_exact_amount_or_refused(typed: Decimal | str, currency: str) -> None:
    try:
        read = Money.from_decimal(typed, currency)
    except ValueError:
        return
    assert Decimal(typed) == read.to_decimal()


@given(money(), money(), money())
def test_adding_goes_in_any_order(one: Money, two: Money, three: Money) -> None:
    assert (one + two) + three == three + (two + one)
    assert one == one + two - two


@given(st.lists(money(), min_size=2, max_size=6))
def test_order_is_that_of_the_minor_units(amounts: list[Money]) -> None:
    ordered = sorted(amounts)
    assert sorted(amount.minor for amount in amounts) == [amount.minor for amount in ordered]
    assert all(one <= other and other >= one and not other < one for one, other in pairwise(ordered))


@given(money(), money())
def test_exactly_one_of_less_equal_and_more_holds(one: Money, other: Money) -> None:
    assert [one < other, one == other, one > other].count(True) == 1


@given(st.floats() | st.decimals() | st.booleans() | st.text() | st.none(), CURRENCIES)
def test_nothing_but_an_int_becomes_money(minor: Any, currency: str) -> None:
    with pytest.raises(TypeError):
        Money(minor, currency)


@given(money(), money(), _WEIGHTS, PERCENTS)
def test_no_result_is_ever_a_float(one: Money, two: Money, weights: list[int], percent: Decimal | int) -> None:
    results = [one + two, one - two, one * 3, -one, *one.allocate(weights), *one.split_vat(percent)]
    assert {int} == {type(result.minor) for result in results}


@given(MINORS, CURRENCIES, CURRENCIES)
def test_two_currencies_are_never_added(minor: int, one: str, other: str) -> None:
    if one == other:
        return
    with pytest.raises(ValueError):
        Money(minor, one) + Money(minor, other)
    assert Money(minor, one) != Money(minor, other)
