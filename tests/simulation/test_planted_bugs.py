"""Does the simulation find anything? Each bug of ``planted`` is planted into the core, and must be found.

An ordinary run looks for a few of them in turn; ``pytest -m nightly`` looks for all.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

import pytest

from prenopay.testing.simulation import relive, simulate
from tests.simulation.conftest import todays
from tests.simulation.planted import PLANTED

SEEDS: Final = 400
STEPS: Final = 12
FIRST: Final[dict[str, int]] = {}
"""The first seed that finds each bug: there the search begins, to save the time of the ones before."""


@pytest.mark.nightly
@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_bug_is_found_made_short_and_found_again(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    PLANTED[name][1](monkeypatch)

    result = simulate(seeds=SEEDS, first_seed=FIRST[name], steps=STEPS)

    assert result.broken is not None, f"{name} was not found in {SEEDS} seeds"
    again = relive(result.broken.schedule)
    assert again == result.broken, "a failing life is lived again exactly"
    assert len(again.schedule.numbers) < STEPS, "it was made shorter"
    monkeypatch.undo()
    assert relive(result.broken.schedule).broken == (), "it is the bug that breaks the promise"


def test_every_bug_has_its_turn() -> None:
    began = dt.date(2026, 1, 1)
    week = [todays(list(PLANTED), began + dt.timedelta(days=day)) for day in range(8)]
    assert frozenset().union(*week) == PLANTED.keys()
    assert all(len(day) == len(week[0]) for day in week)
