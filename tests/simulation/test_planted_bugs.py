"""Does the simulation find anything? Each bug of ``planted`` is planted into the core, and must be found.

An ordinary run looks for a few of them in turn; ``pytest -m nightly`` looks for all.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

import pytest

from prenopay.testing.simulation import relive, simulate
from tests import guard
from tests.simulation.conftest import todays
from tests.simulation.planted import PLANTED

SEEDS: Final = 400
STEPS: Final = 12
FIRST: Final = {
    "random reference": 0,
    "resent under a new reference": 203,
    "part takes all": 0,
    "refunds under way forgotten": 269,
    "refunds done forgotten": 7,
    "id used for something else": 1,
    "accounts mixed": 9,
    "replaced page stays open": 63,
    "lost answer is a failure": 11,
    "resolved without a look": 0,
    "claimed and forgotten": 23,
    "integrity unchecked": 10,
    "late money dropped": 550,
    "older answer overrules": 218,
    "sweep sees no open payments": 0,
    "callback believed": 6,
    "callbacks ignored": 8,
    "look skipped after the first money": 163,
    "address unchecked": 1,
    "told before the commit": 0,
    "marked before the handler": 14,
    "event claimed twice": 145,
    "events tell the total": 0,
    "end untold": 3,
    "mandate without payment untold": 0,
    "payout untold": 18,
    "period charged again": 50,
    "period charged on another card": 92,
    "gone method charged": 4,
    "end of consent ignored": 3,
    "suspension lost": 8,
    "token in a log": 0,
    "tokens in plain": 0,
    "nobody forgotten": 25,
}
"""The first seed that finds each bug: there the search begins, to save the time of the ones before."""

ELSEWHERE: Final = {
    "own reference unseen": "tests/behaviour/test_surprises.py",
    "order reference unseen": "tests/behaviour/test_surprises.py",
    "refused key settles": "tests/unit/test_outcomes.py",
    "sweep takes no claim": "tests/behaviour/test_slow_tries.py",
    "others claims ignored": "tests/behaviour/test_slow_tries.py",
    "lock covers one method": "tests/behaviour/test_locks.py",
    "callback during a look answered": "tests/behaviour/test_callbacks.py",
    "callbacks done together": "tests/behaviour/test_floods.py",
    "account address ignored": "tests/behaviour/test_floods.py",
    "slow try overrules": "tests/behaviour/test_slow_tries.py",
    "repeat opens nothing": "tests/behaviour/test_callbacks.py",
    "told again after weeks": "tests/behaviour/test_telling.py",
    "late failure repeats": "tests/behaviour/test_slow_tries.py",
}
"""Bugs for which too much has to come together in a life, and the tests that find them."""


@pytest.mark.nightly
@pytest.mark.parametrize("name", FIRST)
def test_a_planted_bug_is_found_made_short_and_found_again(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    PLANTED[name][1](monkeypatch)

    result = simulate(seeds=SEEDS, first_seed=FIRST[name], steps=STEPS)

    assert result.broken is not None, f"{name} was not found in {SEEDS} seeds"
    again = relive(result.broken.schedule)
    assert again == result.broken, "a failing life is lived again exactly"
    assert len(again.schedule.numbers) < STEPS, "it was made shorter"
    monkeypatch.undo()
    assert relive(result.broken.schedule).broken == (), "it is the bug that breaks the promise"


@pytest.mark.nightly
@pytest.mark.parametrize("bug", ELSEWHERE)
def test_a_bug_that_no_life_finds_is_found_where_it_says(bug: str) -> None:
    found, said = guard.planted([ELSEWHERE[bug]], bug)
    assert found, said


@pytest.mark.parametrize("name", PLANTED)
def test_every_bug_can_still_be_planted(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    PLANTED[name][1](monkeypatch)


def test_every_bug_is_looked_for_here_or_where_it_says() -> None:
    assert FIRST.keys() | ELSEWHERE.keys() == PLANTED.keys()
    assert not FIRST.keys() & ELSEWHERE.keys()


def test_every_bug_has_its_turn() -> None:
    began = dt.date(2026, 1, 1)
    days = [todays(list(PLANTED), began + dt.timedelta(days=day)) for day in range(10)]
    assert frozenset().union(*days) == PLANTED.keys()
    assert all(len(day) == len(days[0]) for day in days)
