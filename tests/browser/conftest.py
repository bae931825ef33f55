"""One browser for this whole folder; a shop and a visitor of its own for each test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chromium import chromium

from .shops import RunningShop, open_shop
from .visitors import Visitor


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    """Start Chromium once for the package."""
    with chromium() as started:
        yield started


@pytest.fixture
def shop(sqlite_database: str) -> Iterator[RunningShop]:
    """Open a shop where nothing has been sold; its log must contain nothing private when it closes."""
    with open_shop(sqlite_database) as shop:
        yield shop
    shop.check_log()


@pytest.fixture
def visit(browser: Any, shop: RunningShop) -> Iterator[Callable[..., Visitor]]:
    """Return a function that lets people in; none of their pages may log a complaint."""
    visitors: list[Visitor] = []

    def come(**options: Any) -> Visitor:
        visitors.append(Visitor(browser, shop, **options))
        return visitors[-1]

    yield come
    for visitor in visitors:
        visitor.close()
    assert [complaint for visitor in visitors for complaint in visitor.complaints] == []


@pytest.fixture
def reader(visit: Callable[..., Visitor]) -> Visitor:
    """Return a reader at a desktop."""
    return visit()


@pytest.fixture
def staff(visit: Callable[..., Visitor]) -> Visitor:
    """Return one of the staff, logged in."""
    staff = visit()
    staff.come_in()
    return staff


@pytest.fixture(scope="module")
def module_database(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return an empty database for a shop that many tests only look at."""
    return _empty(sqlite_template, tmp_path_factory)


@pytest.fixture(scope="module")
def swish_database(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return another one, for a shop with a Swish number of its own."""
    return _empty(sqlite_template, tmp_path_factory)


def _empty(template: Path, folders: pytest.TempPathFactory) -> str:
    file = folders.mktemp("shop") / "shop.db"
    shutil.copy(template, file)
    return f"sqlite:///{file}"
