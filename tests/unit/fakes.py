"""Ports that do what a test says: a clock that a test moves, a sender that follows a script."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from prenopay.ports import HttpRequest, HttpResponse

NOON = datetime(2026, 10, 28, 12, 0, 0, tzinfo=UTC)


class FakeClock:
    """A clock that moves only when something sleeps; it remembers every pause."""

    def __init__(self) -> None:
        self.pauses: list[float] = []
        self._passed = 0.0

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self._passed)

    def monotonic(self) -> float:
        return 1000.0 + self._passed

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.pass_time(seconds)

    def pass_time(self, seconds: float) -> None:
        self._passed += seconds


class FakeEntropy:
    """Always returns the same byte."""

    def __init__(self, byte: int = 128) -> None:
        self._byte = byte

    def token_bytes(self, count: int) -> bytes:
        return bytes([self._byte]) * count


class ScriptedSender:
    """Gives the next answer of its script, or raises it; remembers what was sent, and its time limit."""

    def __init__(self, script: Iterable[HttpResponse | Exception], *, clock: FakeClock, takes: float = 0.0) -> None:
        self.sent: list[HttpRequest] = []
        self.timeouts: list[float] = []
        self._script = iter(script)
        self._clock = clock
        self._takes = takes

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - see the port
        self.sent.append(request)
        self.timeouts.append(timeout)
        self._clock.pass_time(self._takes)
        step = next(self._script)
        if isinstance(step, Exception):
            raise step
        return step
