"""The books add what is new in an observation, once, and never more than the gateway's totals."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from prenopay import Money, PaymentState
from prenopay.payments.movements import Movement, Totals, contradiction, new_movements, overrules
from prenopay.provider import Observation, ProviderTransaction, TransactionKind

_AUTHORIZATION, _CAPTURE = TransactionKind.AUTHORIZATION, TransactionKind.CAPTURE
_RELEASE, _REFUND = TransactionKind.RELEASE, TransactionKind.REFUND


def sek(minor: int) -> Money:
    return Money(minor, "SEK")


def totals(authorized: int = 0, captured: int = 0, refunded: int = 0, cancelled: int = 0) -> Totals:
    return Totals(sek(authorized), sek(captured), sek(refunded), sek(cancelled))


def listed(kind: TransactionKind, minor: int | None, number: str, reference: str | None = None) -> ProviderTransaction:
    amount = None if minor is None else sek(minor)
    return ProviderTransaction(kind=kind, number=number, amount=amount, reference=reference, created_at=None)


def seen(
    authorized: int = 0,
    captured: int = 0,
    refunded: int = 0,
    cancelled: int = 0,
    *transactions: ProviderTransaction,
) -> Observation:
    nothing: dict[str, Any] = dict.fromkeys(("fee", "discount"), sek(0))
    return Observation(
        provider_reference="/psp/paymentorders/1",
        state=PaymentState.PENDING,
        authorized=sek(authorized),
        captured=sek(captured),
        refunded=sek(refunded),
        cancelled=sek(cancelled),
        submitted=sek(14900),
        allowed_actions=frozenset(),
        transactions=transactions,
        **nothing,
    )


# What is new


def test_a_first_sight_of_money_is_written_whole() -> None:
    expected = (
        Movement(_AUTHORIZATION, sek(14900)),
        Movement(_CAPTURE, sek(10000)),
        Movement(_RELEASE, sek(-4900)),
        Movement(_REFUND, sek(-2000)),
    )
    assert expected == new_movements(totals(), seen(14900, 10000, 2000, 4900), ())


def test_only_the_difference_is_new() -> None:
    expected = (Movement(_CAPTURE, sek(4900)),)
    assert expected == new_movements(totals(14900, 10000), seen(14900, 14900), ())


@pytest.mark.parametrize("again", [seen(14900, 10000), seen(14900, 5000), seen(14900), seen()])
def test_the_same_again_and_old_news_add_nothing(again: Observation) -> None:
    expected = ()
    assert expected == new_movements(totals(14900, 10000), again, ())


def test_the_difference_is_named_by_the_list() -> None:
    first, second = listed(_CAPTURE, 10000, "11", "REF1"), listed(_CAPTURE, 4900, "12", "REF2")
    observed = seen(14900, 14900, 0, 0, first, second)
    expected = (Movement(_CAPTURE, sek(10000), "11", "REF1"), Movement(_CAPTURE, sek(4900), "12", "REF2"))
    assert expected == new_movements(totals(14900), observed, ())


def test_what_has_a_name_in_the_books_is_not_named_again() -> None:
    first, second = listed(_CAPTURE, 4900, "11", "REF1"), listed(_CAPTURE, 4900, "12", "REF2")
    observed = seen(14900, 9800, 0, 0, first, second)
    expected = (Movement(_CAPTURE, sek(4900), "12", "REF2"),)
    assert expected == new_movements(totals(14900, 4900), observed, {(_CAPTURE, "11")})


def test_one_number_may_name_an_authorization_and_a_capture() -> None:
    sale = (listed(_AUTHORIZATION, 14900, "11"), listed(_CAPTURE, 14900, "11"))
    expected = (Movement(_AUTHORIZATION, sek(14900), "11"), Movement(_CAPTURE, sek(14900), "11"))
    assert expected == new_movements(totals(), seen(14900, 14900, 0, 0, *sale), ())


@pytest.mark.parametrize("minor", [20000, 0, None])
def test_a_list_never_changes_how_much_is_written(minor: int | None) -> None:
    observed = seen(14900, 14900, 0, 0, listed(_CAPTURE, minor, "11"))
    expected = (Movement(_CAPTURE, sek(14900)),)
    assert expected == new_movements(totals(14900), observed, ())


def test_what_the_list_does_not_reach_stays_unnamed() -> None:
    observed = seen(14900, 14900, 0, 0, listed(_CAPTURE, 10000, "11"))
    expected = (Movement(_CAPTURE, sek(10000), "11"), Movement(_CAPTURE, sek(4900)))
    assert expected == new_movements(totals(14900), observed, ())


def test_a_transaction_listed_twice_is_written_once() -> None:
    twice = (listed(_CAPTURE, 100, "11"), listed(_CAPTURE, 100, "11"))
    expected = (Movement(_CAPTURE, sek(100), "11"), Movement(_CAPTURE, sek(100)))
    assert expected == new_movements(totals(14900), seen(14900, 200, 0, 0, *twice), ())


def test_a_transaction_without_a_number_names_nothing() -> None:
    nameless = (listed(_CAPTURE, 100, ""), listed(_CAPTURE, 100, ""))
    expected = (Movement(_CAPTURE, sek(200)),)
    assert expected == new_movements(totals(14900), seen(14900, 200, 0, 0, *nameless), ())


# Totals


def test_totals_are_the_sums_of_movements_each_positive() -> None:
    movements = new_movements(totals(), seen(14900, 10000, 2000, 4900), ())
    more = new_movements(Totals.of(movements, "SEK"), seen(14900, 10000, 5000, 4900), ())
    assert totals(14900, 10000, 5000, 4900) == Totals.of((*movements, *more), "SEK")


def test_no_movements_are_nothing_of_each_kind() -> None:
    assert totals() == Totals.of((), "SEK")


def test_totals_of_each_kind_are_found_by_kind() -> None:
    sums = totals(authorized=4, captured=3, refunded=2, cancelled=1)
    found = [sums.of_kind(kind) for kind in (_AUTHORIZATION, _CAPTURE, _REFUND, _RELEASE)]
    assert [sek(4), sek(3), sek(2), sek(1)] == found


@pytest.mark.parametrize(
    "possible",
    [totals(), totals(100), totals(100, 100), totals(100, 100, 100), totals(100, 40, 40, 60), totals(100, 0, 0, 100)],
)
def test_possible_totals_are_no_contradiction(possible: Totals) -> None:
    assert contradiction(possible) is None


@pytest.mark.parametrize(
    ("impossible", "expected"),
    [
        (totals(100, 50, 51), "refunded 0.51 SEK, captured only 0.50 SEK"),
        (totals(100, 101), "captured 1.01 SEK and released 0.00 SEK of 1.00 SEK authorized"),
        (totals(100, 60, 0, 41), "captured 0.60 SEK and released 0.41 SEK of 1.00 SEK authorized"),
    ],
)
def test_impossible_totals_are_reported(impossible: Totals, expected: str) -> None:
    assert expected == contradiction(impossible)


def test_money_of_another_currency_is_never_added_up() -> None:
    observed = replace(seen(14900), authorized=Money(14900, "NOK"))
    with pytest.raises(ValueError, match="different currencies"):
        new_movements(totals(), observed, ())


# Which of two readings decides


@pytest.mark.parametrize("asked_last", [True, False])
def test_a_reading_with_less_money_than_the_books_is_old_whenever_it_was_asked_for(asked_last: bool) -> None:  # noqa: FBT001
    books = totals(authorized=14900, captured=14900)
    assert not overrules(books, books, seen(authorized=14900), asked_last=asked_last)


@pytest.mark.parametrize("asked_last", [True, False])
def test_a_reading_that_brings_money_is_new_whenever_it_was_asked_for(asked_last: bool) -> None:  # noqa: FBT001
    before, after = totals(authorized=14900), totals(authorized=14900, captured=14900)
    assert overrules(before, after, seen(authorized=14900, captured=14900), asked_last=asked_last)


@pytest.mark.parametrize("asked_last", [True, False])
def test_the_last_reading_decides_if_no_money_moved(asked_last: bool) -> None:  # noqa: FBT001
    books = totals(authorized=14900)
    assert overrules(books, books, seen(authorized=14900), asked_last=asked_last) is asked_last
