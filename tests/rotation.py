"""One behaviour, four stores: a test of it runs on one of them, chosen by its name, unless it asks for every one.

A store is a colour on a database. What differs between stores lies in few lines, which the conformance suite and the
tests marked ``every_store`` cross on all four: one test for each use case, and every test of locking, of races and
of the tables. Any other behaviour is the same code on each store. Its test runs on one, and the next test on another.
``PRENOPAY_FULL=1`` runs every test on every store.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import pytest

STORES = ("sqlite-blocking", "sqlite-awaiting", "postgresql-blocking", "postgresql-awaiting")


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


def out_of_turn(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Return the tests that another store's run of the same test speaks for."""
    return [
        item
        for item in items
        if (store := store_of(item)) is not None
        and item.get_closest_marker("every_store") is None
        and store != turn_of(item.nodeid)
    ]
