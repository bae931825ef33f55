"""The real clock and the real randomness keep the promises of their ports."""

from __future__ import annotations

from datetime import UTC

import pytest

from prenopay._blocking import run_blocking
from prenopay._system import AwaitingClock, BlockingClock, SystemEntropy


def test_the_time_of_day_is_in_utc() -> None:
    assert BlockingClock().now().tzinfo is UTC


def test_seconds_never_run_backwards() -> None:
    clock = BlockingClock()
    readings = [clock.monotonic() for _ in range(100)]
    assert sorted(readings) == readings


def test_blocking_sleep_never_suspends() -> None:
    run_blocking(BlockingClock().sleep(0))


@pytest.mark.anyio
async def test_awaiting_sleep_suspends() -> None:
    with pytest.raises(RuntimeError, match="one of its ports is an awaiting one"):
        run_blocking(AwaitingClock().sleep(0))


def test_randomness_has_the_length_asked_for_and_does_not_repeat() -> None:
    drawn = [SystemEntropy().token_bytes(16) for _ in range(100)]
    assert {16} == {len(each) for each in drawn}
    assert len(drawn) == len(set(drawn))
