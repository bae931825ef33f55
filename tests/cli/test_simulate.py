"""``prenopay simulate`` from outside: wrong calls, and what it leaves behind when it is stopped."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from prenopay import cli
from prenopay.testing.simulation import Schedule, simulate, stores


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (["--seeds", "0"], "must be a whole number from 1 on, not '0'"),
        (["--seeds", "many"], "must be a whole number from 1 on, not 'many'"),
        (["--steps", "-1"], "must be a whole number from 1 on, not '-1'"),
        (["--only", "x"], "must be a whole number from 1 on, not 'x'"),
    ],
)
def test_a_wrong_number_is_refused(wrong: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["simulate", *wrong])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "usage: prenopay simulate" in said
    assert why in said


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (["--steps", "1000000000"], "--steps: must be at least 1 and at most 10000, not 1000000000"),
        (
            ["--steps", "3", "--only", "2,99"],
            "--only: there is no step 99 in a life of 3; raise steps, or leave it out",
        ),
        (["--steps", "3", "--calm", "4"], "--calm: there is no step 4 in a life of 3; raise steps, or leave it out"),
    ],
)
def test_steps_that_there_are_none_of_are_refused(
    wrong: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["simulate", "--seeds", "1", *wrong]) == 2
    assert capsys.readouterr().err == f"prenopay: {why}\n"


def test_a_schedule_of_too_many_steps_is_refused_in_python_too() -> None:
    with pytest.raises(ValueError, match="steps: must be at least 1 and at most 10000, not 0"):
        Schedule(seed=1, steps=0)
    with pytest.raises(ValueError, match="only: there is no step 3"):
        simulate(seeds=1, steps=2, only=(3,))


def test_a_run_that_is_told_to_end_says_how_far_it_came_and_leaves_no_databases_behind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def told_to_end(done: int) -> None:
        if done == 2:
            signal.raise_signal(signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(stores, "_MEMORY_DISK", tmp_path)
    monkeypatch.setattr("prenopay.cli.simulate._progress", lambda _seeds: told_to_end)
    assert cli.main(["simulate", "--seeds", "9", "--steps", "2"]) == 130
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) == before
    assert "--first-seed 2" in capsys.readouterr().out
