"""One behaviour, four stores: a test of it runs on one of them, chosen by its name, unless it asks for every one.

A store is a colour on a database. What differs between stores lies in few lines, which the tests marked
``every_store`` cross on all four: one test for each use case, and every test of locking, of races and of the tables.
What asks a real process or the planner of a database is marked ``two_stores``: it runs in both colours and on both
databases, on two stores of the four. Any other behaviour is the same code on each store. Its test runs on one, and the
next test on another. So does a rule of the conformance suite: it runs once for each provider, and the turns of the
providers differ. ``PRENOPAY_FULL=1`` runs every test on every store.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import pytest

STORES = ("sqlite-blocking", "sqlite-awaiting", "postgresql-blocking", "postgresql-awaiting")
OTHER_IN_BOTH = dict(zip(STORES, reversed(STORES), strict=True))
"""For each store, the one with the other colour and the other database."""


def store_of(item: pytest.Item) -> str | None:
    """Return the store that a test runs on; nothing for a test without the choice."""
    params = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    store = f"{params.get('database')}-{params.get('colour')}"
    return store if store in STORES else None


def name_without_store(name: str) -> str:
    """Return the name of a test, without the colour and the database among its parameters."""
    function, _, parameters = name.partition("[")
    words = {word for store in STORES for word in store.split("-")}
    return "-".join([function, *(word for word in parameters.rstrip("]").split("-") if word not in words)])


def turn_of(name: str) -> str:
    """Return the store whose turn it is for a test: the same one in every run, on every machine."""
    return STORES[zlib.crc32(name_without_store(name).encode()) % len(STORES)]


def stores_for(item: pytest.Item) -> set[str]:
    """Return the stores that a test runs on."""
    if item.get_closest_marker("every_store") is not None:
        return set(STORES)
    turn = turn_of(item.nodeid)
    return {turn, OTHER_IN_BOTH[turn]} if item.get_closest_marker("two_stores") is not None else {turn}


def out_of_turn(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Return the tests that another store's run of the same test speaks for."""
    return [item for item in items if (store := store_of(item)) is not None and store not in stores_for(item)]
