"""The database server's time of day, for every host that shares the database.

Claims and due times of several hosts can be compared only if one clock wrote them all. So the server's clock decides,
and a host whose own clock is wrong takes nothing early.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from prenopay.ports import Clock

__all__ = ["DatabaseClock"]

_MEASURED_EVERY_SECONDS: Final = 60.0
_JUMP: Final = timedelta(seconds=1)
_QUICK_SECONDS: Final = 2.0
"""An answer that took longer says too little about the time."""


@dataclass(frozen=True, slots=True)
class _Measured:
    """The server's time of day, and the host's two clocks at that moment."""

    server: datetime
    wall: datetime
    running: float


class DatabaseClock:
    """A clock that is set by the database server: asked once a minute, and whenever the host's own clock jumped."""

    def __init__(self, host: Clock) -> None:
        """Run on with the clock of ``host`` between two answers of the server."""
        self._host = host
        self._measured: _Measured | None = None

    def now(self) -> datetime:
        """Return the server's time of day in UTC; the host's, until the server was asked first."""
        last, wall = self._measured, self._host.now()
        if last is None:
            return wall
        ran, went = self._passed(last, wall)
        return last.server + max(ran, went)  # a machine that was frozen knows it by the time of day alone

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""
        return self._host.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._host.sleep(seconds)

    def measure(self, connection: Connection) -> None:
        """Ask the server for its time, if that is due; callers do so at the start of each transaction."""
        last = self._measured
        if last is not None:
            ran, went = self._passed(last, self._host.now())
            if ran.total_seconds() < _MEASURED_EVERY_SECONDS and abs(ran - went) < _JUMP:
                return
        began = self._host.monotonic()
        server: datetime = connection.exec_driver_sql("SELECT clock_timestamp()").scalar_one()
        took = self._host.monotonic() - began
        if last is None or took < _QUICK_SECONDS:
            self._measured = _Measured(server.astimezone(UTC), self._host.now(), self._host.monotonic())

    def _passed(self, last: _Measured, wall: datetime) -> tuple[timedelta, timedelta]:
        """Return how much time has passed by the running clock, and by the time of day."""
        return timedelta(seconds=self._host.monotonic() - last.running), wall - last.wall
