"""Transactions and statements are counted as they are; a missed goal is a missed goal."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from benchmarks.measuring import Ratio
from benchmarks.steps import Steps, Watch
from sqlalchemy import Engine, text

from benchmarks import __main__ as program
from prenopay.books.engine import open_engine


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    opened = open_engine(database)
    with opened.begin() as connection:
        connection.execute(text("CREATE TABLE coins (number INTEGER)"))
    yield opened
    with opened.begin() as connection:
        connection.execute(text("DROP TABLE coins"))
    opened.dispose()


def steps(watch: Watch) -> tuple[int, int, int]:
    counted = watch.steps("test", "any")
    return counted.writing, counted.reading, counted.statements


def test_what_is_read_and_written_is_counted_apart(engine: Engine) -> None:
    watch, reader = Watch(), engine.execution_options(prenopay_reads=True)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO coins VALUES (0)"))  # before the watch is on
    with watch.on():
        with reader.begin() as connection:
            connection.execute(text("SELECT number FROM coins"))
            connection.execute(text("SELECT 1"))
        assert steps(watch) == (0, 1, 2)
        with engine.begin() as connection:
            connection.execute(text("INSERT INTO coins VALUES (1)"))
            connection.execute(text("SELECT number FROM coins"))
        assert steps(watch) == (1, 1, 4)
        with engine.connect() as connection:
            connection.execute(text("UPDATE coins SET number = 2"))
            connection.rollback()
        assert steps(watch) == (2, 1, 5)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM coins"))
    assert steps(watch) == (2, 1, 5), "the watch is off"


def a_row(*, transactions: int) -> Steps:
    return Steps(use_case="create", database="sqlite", writing=transactions, reading=0, statements=9)


def a_ratio(*, ratio: float, goal: float | None = 2.5) -> Ratio:
    return Ratio(name="x", baseline_name="y", ours=1, baseline=1, ratio=ratio, unit="us", goal=goal)


@pytest.mark.parametrize(
    ("row", "verdict", "code"),
    [
        (a_row(transactions=3), "kept", 0),
        (a_row(transactions=4), "MISSED", 1),
        (a_ratio(ratio=2.5), "kept", 0),
        (a_ratio(ratio=2.51), "MISSED", 1),
        (a_ratio(ratio=99, goal=None), "99.00", 0),
    ],
)
def test_a_missed_goal_is_named_and_ends_with_1(
    row: Steps | Ratio, verdict: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program, "PARTS", {"one": ("HEADING", lambda: [row])})
    monkeypatch.setattr(sys, "argv", ["benchmarks", "one"])
    assert program.main() == code
    heading, line = capsys.readouterr().out.splitlines()
    assert heading == "HEADING"
    assert line.endswith(verdict)


def test_a_part_that_does_not_exist_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks", "steps", "odd"])
    assert program.main() == 2
    assert capsys.readouterr().err.startswith("benchmarks: there is no part 'odd'; there are: calls, imports")
