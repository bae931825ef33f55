"""Shops at an emulated Swish, in both colours and on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.behaviour.shop import COLOURS
from tests.swish.shop import SwishShop


@pytest.fixture(params=COLOURS)
def colour(request: pytest.FixtureRequest) -> str:
    """Blocking code, then code that awaits."""
    name: str = request.param
    return name


@pytest.fixture
def open_shop(colour: str, database: str) -> Iterator[Callable[..., SwishShop]]:
    """Return a function that opens shops of this colour on this database; they are closed after the test."""
    shops: list[SwishShop] = []

    def open_one(**settings: Any) -> SwishShop:
        shops.append(SwishShop(colour, database, **settings))
        return shops[-1]

    yield open_one
    for shop in shops:
        shop.close()


@pytest.fixture
def shop(open_shop: Callable[..., SwishShop]) -> SwishShop:
    """Return a shop with one account at an emulated Swish."""
    return open_shop()
