"""An ordinary run lives a few hundred lives and plants a few bugs in turn; ``-m nightly`` runs them all."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from typing import Final

import pytest

from tests.simulation.planted import PLANTED

_A_DAY: Final = 5
"""So many planted bugs are looked for in an ordinary run: others every day, and all of them within ten days."""


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker."""
    config.addinivalue_line("markers", "nightly: takes long; an ordinary run takes a part of them in turn")


def todays(names: Sequence[str], day: dt.date) -> frozenset[str]:
    """Return the names whose turn it is: a fixed order that looks random, a part of it each day."""
    in_turn = sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    first = day.toordinal() * _A_DAY
    return frozenset(in_turn[(first + number) % len(in_turn)] for number in range(_A_DAY))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave for the night what is not today's turn, unless it is the night that was asked for."""
    if "nightly" in config.option.markexpr:
        return
    now = todays(list(PLANTED), dt.datetime.now(dt.UTC).date())
    left = [item for item in items if item.get_closest_marker("nightly") and not _is_due(item, now)]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in set(left)]


def _is_due(item: pytest.Item, now: frozenset[str]) -> bool:
    planted = getattr(item, "callspec", None)
    return planted is not None and planted.params.get("name") in now
