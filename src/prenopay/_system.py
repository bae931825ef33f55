"""The real clock and the real randomness, blocking and awaiting."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime

import anyio

__all__ = ["AwaitingClock", "BlockingClock", "SystemEntropy"]


class BlockingClock:
    """System time; sleeping blocks the caller's thread."""

    def now(self) -> datetime:
        """Return the time of day in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Block."""
        time.sleep(seconds)  # noqa: ASYNC251 - the blocking port


class AwaitingClock(BlockingClock):
    """System time; sleeping suspends the task."""

    async def sleep(self, seconds: float) -> None:
        """Suspend."""
        await anyio.sleep(seconds)


class SystemEntropy:
    """The operating system's randomness."""

    def token_bytes(self, count: int) -> bytes:
        """Return ``count`` unpredictable bytes."""
        return secrets.token_bytes(count)
