"""A clock that runs fast, and shows the same time in every process, but for what a process's clock is wrong by."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from prenopay.testing.clock import VirtualClock

__all__ = ["SPEED", "FastClock", "Times"]

SPEED: Final = 30.0
"""How many seconds of the story pass in a real one: a claim lasts for two real seconds, a lost request for twenty."""
_STORY_BEGINS: Final = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Times:
    """When the story began, by the system's own monotonic clock, which all processes share."""

    began: float

    def story(self) -> timedelta:
        """Return how long the story has lasted."""
        return timedelta(seconds=(time.monotonic() - self.began) * SPEED)


class FastClock(VirtualClock):
    """Time runs by itself. ``wrong_by`` is in seconds of the story; ``sleep`` waits."""

    def __init__(self, times: Times, *, wrong_by: float = 0.0) -> None:
        """Show the time of the story that began at ``times``."""
        super().__init__(_STORY_BEGINS)
        self._times = times
        self._wrong_by = timedelta(seconds=wrong_by)

    def now(self) -> datetime:
        """Return the time of day of the story, as this process sees it."""
        return super().now() + self._times.story() + self._wrong_by

    def monotonic(self) -> float:
        """Return seconds of the story that never run backwards."""
        return super().monotonic() + self._times.story().total_seconds()

    async def sleep(self, seconds: float) -> None:
        """Wait; only processes whose calls block have this clock."""
        threading.Event().wait(max(seconds, 0.0) / SPEED)  # the coroutine never suspends: its thread waits
