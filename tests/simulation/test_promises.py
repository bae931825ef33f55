"""The promises, lived through: two thousand lives with faults at every port, each the same every time it is lived."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from prenopay import cli
from prenopay.testing.simulation import ENOUGH_SEEDS, Schedule, declared, relive, simulate
from prenopay.testing.simulation.weather import Port, TroubleKind, forecast

STEPS = 7
SEEDS = 2000
"""More steps find more in each life, and cost as much more time: ``prenopay simulate`` has the night for that."""


def test_every_promise_is_kept_through_two_thousand_lives(capsys: pytest.CaptureFixture[str]) -> None:
    code = cli.main(["simulate", "--seeds", str(SEEDS), "--steps", str(STEPS), "--json"])

    found = json.loads(capsys.readouterr().out)
    assert found["broken"] == [], found["replay"]
    assert found["missing"] == []
    assert (code, found["seeds"]) == (0, SEEDS)
    assert found["payments"] > SEEDS
    assert SEEDS >= ENOUGH_SEEDS
    assert set(declared()) <= found["reached"].keys()


@pytest.mark.parametrize("seed", [0, 1, 3, 13, 29], ids=["memory", "disk", "swish", "awaiting", "awaiting on disk"])
def test_the_same_seed_lives_the_same_life(seed: int) -> None:
    first, second = (relive(Schedule(seed=seed, steps=20)) for _ in range(2))
    assert first.transcript == second.transcript
    assert first == second
    assert first.payments > 0


def test_different_seeds_live_different_lives() -> None:
    assert len({relive(Schedule(seed=seed, steps=6)).digest for seed in range(5)}) == 5


def test_the_colour_and_the_place_of_the_books_change_nothing_a_step_decides() -> None:
    plans = [Schedule(seed=seed, steps=30).troubles(number) for seed in range(20) for number in range(1, 31)]
    again = [Schedule(seed=seed, steps=30).troubles(number) for seed in range(20) for number in range(1, 31)]
    assert plans == again
    kinds = Counter((trouble.port, trouble.kind) for plan in plans for trouble in plan)
    assert {port for port, _ in kinds} == set(Port)
    assert {kind for _, kind in kinds} == set(TroubleKind)


def test_steps_can_be_left_out_and_calmed() -> None:
    schedule = Schedule(seed=7, steps=12, only=(1, 4, 9), calm=frozenset({4}))
    life = relive(schedule)
    taken = [int(line[:4]) for line in life.transcript if line[:4].strip().isdigit()]
    assert taken == [1, 4, 9]
    assert schedule.troubles(4) == ()
    assert schedule.replay == "prenopay simulate --first-seed 7 --seeds 1 --steps 12 --only 1,4,9 --calm 4"


def test_a_good_run_is_told_with_what_was_reached(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["simulate", "--seeds", "3", "--first-seed", "40", "--steps", "6"]) == 0
    said = capsys.readouterr()
    assert "step: buy" in said.out
    assert "Every promise was kept (from 500 seeds on, everything declared must be reached too)." in said.out
    assert "lives a minute" in said.out
    assert said.err == ""


def test_what_is_never_reached_fails_a_long_run(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("prenopay.testing.simulation.running.ENOUGH_SEEDS", 2)
    result = simulate(seeds=2, steps=1)
    assert result.broken is None
    assert "flag: mismatch" in result.missing
    assert not result.is_good
    assert cli.main(["simulate", "--seeds", "2", "--steps", "1"]) == 1
    assert "Never reached, and declared:" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", [["--seeds", "0"], ["--only", "x"], ["--steps", "-1"]])
def test_a_wrong_call_is_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["simulate", *wrong])
    assert ended.value.code == 2
    assert "usage: prenopay simulate" in capsys.readouterr().err


def test_a_bar_is_drawn_on_a_terminal_alone(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert cli.main(["simulate", "--seeds", "2", "--steps", "2"]) == 0
    assert "] 2/2\n" in capsys.readouterr().err


def test_forecasts_are_mostly_bad() -> None:
    from random import Random  # noqa: PLC0415

    days = [forecast(Random(number)) for number in range(400)]
    assert 200 < sum(bool(day) for day in days) < 350
