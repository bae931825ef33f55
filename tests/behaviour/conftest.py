"""Shops for the tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from prenopay.testing.clock import VirtualClock
from prenopay.testing.emulators.swedbankpay import SwedbankPayEmulator
from tests.behaviour.shop import COLOURS, Rewriter, Shop


@pytest.fixture(params=COLOURS)
def colour(request: pytest.FixtureRequest) -> str:
    """Blocking code, then code that awaits."""
    name: str = request.param
    return name


@pytest.fixture
def open_shop(colour: str, database: str) -> Iterator[Callable[..., Shop]]:
    """Return a function that opens shops of this colour on this database; they are closed after the test."""
    shops: list[Shop] = []

    def open_one(**settings: Any) -> Shop:
        shops.append(Shop(colour, database, **settings))
        return shops[-1]

    yield open_one
    for shop in shops:
        shop.close()


@pytest.fixture
def rewriting(open_shop: Callable[..., Shop]) -> tuple[Shop, Rewriter]:
    """Return a shop, and what may change the gateway's answers on their way to it."""
    emulator = SwedbankPayEmulator(clock=VirtualClock())
    rewriter = Rewriter(emulator.mounts)
    return open_shop(emulator=emulator, sender=rewriter), rewriter


@pytest.fixture
def shop(open_shop: Callable[..., Shop]) -> Shop:
    """Return a shop with one account at an emulated Swedbank Pay."""
    return open_shop()
