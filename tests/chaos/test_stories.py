"""A short story on each database; ``python -m tests.chaos`` tells longer ones, from any seed."""

from __future__ import annotations

from tests.chaos.running import tell

SECONDS = 6.0


def test_nothing_is_lost_or_moved_twice_while_processes_are_killed_frozen_and_confused(database: str) -> None:
    ended = tell(database, seed=1, seconds=SECONDS)
    assert ended.broken == []
    assert ended.happened["processes killed"]
    assert ended.happened["create succeeded"]
