"""The real clock, the real randomness and work side by side, blocking and awaiting."""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import UTC, datetime
from typing import Final, TypeVar

import anyio

from prenopay._blocking import run_blocking

__all__ = ["AwaitingClock", "BlockingClock", "OneByOne", "SideBySideTasks", "SideBySideThreads", "SystemEntropy"]

T = TypeVar("T")

_AT_ONCE_MOST: Final = 16
"""How many works run at once."""


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


class OneByOne:
    """Works one after another, on the caller's thread: for tests that must be the same each time."""

    async def run(
        self, works: Sequence[Callable[[], Coroutine[object, None, T]]], then: Callable[[T], Awaitable[None]]
    ) -> None:
        """Do ``works`` in their order."""
        for work in works:
            await then(await work())


class SideBySideThreads:
    """Works on threads; what follows from a result is done on the caller's thread. One work alone needs no thread."""

    async def run(
        self, works: Sequence[Callable[[], Coroutine[object, None, T]]], then: Callable[[T], Awaitable[None]]
    ) -> None:
        """Do ``works``, each to its end on one thread."""
        if len(works) == 1:
            await OneByOne().run(works, then)
        elif works:
            with ThreadPoolExecutor(min(len(works), _AT_ONCE_MOST), thread_name_prefix="prenopay") as threads:
                for ended in as_completed([threads.submit(_ended, work) for work in works]):
                    await then(ended.result())


class SideBySideTasks:
    """Works in tasks of the running event loop."""

    async def run(
        self, works: Sequence[Callable[[], Coroutine[object, None, T]]], then: Callable[[T], Awaitable[None]]
    ) -> None:
        """Do ``works``, each in a task of its own."""
        room = anyio.CapacityLimiter(_AT_ONCE_MOST)

        async def one(work: Callable[[], Coroutine[object, None, T]]) -> None:
            async with room:
                result = await work()
            await then(result)

        async with anyio.create_task_group() as tasks:
            for work in works:
                tasks.start_soon(one, work)


def _ended(work: Callable[[], Coroutine[object, None, T]]) -> T:
    return run_blocking(work())
