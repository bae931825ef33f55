"""Virtual time: pushed by hand, instant to sleep in, and true to the system's when asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from prenopay._blocking import run_blocking
from prenopay.testing.clock import VirtualClock


def test_time_stands_still_until_it_is_pushed() -> None:
    clock = VirtualClock(datetime(2026, 5, 1, tzinfo=UTC))
    assert clock.now() == clock.now()
    clock.advance(timedelta(hours=2))
    assert clock.now() == datetime(2026, 5, 1, 2, tzinfo=UTC)
    assert clock.monotonic() == 7200.0


def test_sleeping_pushes_time_and_never_suspends() -> None:
    clock = VirtualClock()
    before = clock.now()
    run_blocking(clock.sleep(90))
    assert clock.now() - before == timedelta(seconds=90)


def test_a_clock_that_is_set_back_stays_monotonic() -> None:
    clock = VirtualClock()
    clock.advance(timedelta(seconds=5))
    clock.set(clock.now() - timedelta(days=1))
    assert clock.monotonic() == 5.0
    clock.set(clock.now() + timedelta(seconds=1))
    assert clock.monotonic() == 6.0


def test_real_time_runs_and_can_be_pushed() -> None:
    clock = VirtualClock(real_time=True)
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)
    clock.advance(timedelta(days=30))
    assert abs(clock.now() - datetime.now(UTC) - timedelta(days=30)) < timedelta(seconds=5)
    shifted = VirtualClock(datetime(2030, 1, 1, tzinfo=UTC), real_time=True)
    assert shifted.now() - datetime(2030, 1, 1, tzinfo=UTC) < timedelta(seconds=5)
    assert shifted.monotonic() <= shifted.monotonic()


def test_nonsense_is_refused() -> None:
    clock = VirtualClock()
    seconds: Any = 60
    with pytest.raises(TypeError, match=r"step: must be a timedelta, such as timedelta\(seconds=60\), not int"):
        clock.advance(seconds)
    with pytest.raises(ValueError, match="forward only"):
        clock.advance(timedelta(seconds=-1))
    with pytest.raises(ValueError, match="aware"):
        clock.set(datetime(2026, 1, 1))  # noqa: DTZ001 - that is the point
