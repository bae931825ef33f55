"""Each use case takes no more transactions than its goal allows."""

from __future__ import annotations

from benchmarks.steps import GOALS, measure


def test_every_goal_is_kept_on_sqlite() -> None:
    rows = list(measure("sqlite"))
    assert {row.use_case for row in rows if row.goal is not None} == GOALS.keys()
    assert [row.line for row in rows if row.is_missed] == []
