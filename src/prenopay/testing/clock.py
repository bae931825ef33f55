"""The emulators' time: it moves only when it is pushed, or it runs with the system's clock at an offset."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Final

from prenopay._arguments import check_arguments, refuse_misuse

__all__ = ["VirtualClock"]

_STORY_BEGINS: Final = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
"""Where virtual time starts by default: a fixed moment, so that two runs are the same."""


@check_arguments(refuse_misuse, any_text=True)
class VirtualClock:
    """A ``prenopay.ports.Clock`` whose time is pushed by hand; sleeping pushes it and never suspends.

    With ``real_time`` it runs as the system's clock does, and can still be pushed forward: what a
    person sees in ``prenopay emulate`` happens at the true time of day.
    """

    def __init__(self, start: datetime | None = None, *, real_time: bool = False) -> None:
        """Begin at ``start`` (aware), or at a fixed moment; with ``real_time``, now."""
        self._lock = threading.Lock()
        self._real_time = real_time
        self._offset = timedelta(0)
        self._pushed = 0.0
        self._origin = start or _STORY_BEGINS
        if real_time and start is not None:
            self._offset = start - datetime.now(UTC)

    def now(self) -> datetime:
        """Return the time of day, aware, in UTC."""
        with self._lock:
            return self._now()

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""
        with self._lock:
            return self._pushed + (time.monotonic() if self._real_time else 0.0)

    async def sleep(self, seconds: float) -> None:
        """Push time forward by ``seconds`` at once."""
        self.advance(timedelta(seconds=max(seconds, 0.0)))

    def advance(self, step: timedelta) -> None:
        """Push time forward by ``step``."""
        if step < timedelta(0):
            message = "time is pushed forward only; use set() to play with a clock that is wrong"
            raise ValueError(message)
        with self._lock:
            self._move(step)

    def set(self, moment: datetime) -> None:
        """Set the time of day to ``moment`` (aware). It may go back; ``monotonic`` never does."""
        if moment.tzinfo is None:
            message = f"the clock takes aware moments only, not {moment!r}"
            raise ValueError(message)
        with self._lock:
            self._move(moment - self._now())

    def _now(self) -> datetime:
        return (datetime.now(UTC) if self._real_time else self._origin.astimezone(UTC)) + self._offset

    def _move(self, step: timedelta) -> None:
        self._offset += step
        self._pushed += max(step.total_seconds(), 0.0)
