"""Every value that can be stored reads back as the same value, with the same digest."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings, strategies as st

from prenopay import Decline, Money, Order
from prenopay.books import codec

from .strategies import CURRENCIES, DECLINES, MINORS, STORABLE, orders


def stored(value: object) -> Any:
    """Store ``value`` as a database does, and read it back."""
    return codec.load(json.loads(json.dumps(codec.dump(value))))


@settings(max_examples=40)
@given(orders())
def test_an_order_reads_back_as_the_very_order(order: Order) -> None:
    assert order == stored(order)


@settings(max_examples=40)
@given(orders())
def test_a_stored_order_has_the_digest_it_had(order: Order) -> None:
    assert codec.digest("create", order) == codec.digest("create", stored(order))


@settings(max_examples=30)
@given(orders(), orders())
def test_two_orders_that_differ_never_share_a_digest(one: Order, other: Order) -> None:
    assert codec.digest(one) != codec.digest(other) or one == other


@given(DECLINES)
def test_a_decline_reads_back_as_the_very_decline(decline: Decline) -> None:
    assert decline == stored(decline)


@given(MINORS, CURRENCIES)
def test_money_reads_back_as_the_very_money(minor: int, currency: str) -> None:
    assert Money(minor, currency) == stored(Money(minor, currency))


@given(STORABLE)
def test_everything_storable_reads_back(value: object) -> None:
    read = stored(value)
    assert (type(value), repr(value)) == (type(read), repr(read)) or value == read


@given(st.dictionaries(st.text(max_size=5), STORABLE, max_size=5), st.randoms(use_true_random=False))
def test_the_order_of_a_mappings_keys_does_not_matter(mapping: dict[str, Any], chance: Any) -> None:
    shuffled = list(mapping.items())
    chance.shuffle(shuffled)
    assert codec.digest(mapping) == codec.digest(dict(shuffled))
