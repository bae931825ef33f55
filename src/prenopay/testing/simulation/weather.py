"""What goes wrong, and where: faults at the ports, which are the only places where the core waits.

A fault names a port, the how-manieth call of it within a step, and what happens there. A crash is a
``BaseException`` that no handler of the core's may catch: whoever meets it throws the process away.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random
from typing import Final, TypeVar

from sqlalchemy import Connection

from prenopay.errors import LedgerUnavailable, NotSent, OutcomeUnknown
from prenopay.ports import HttpRequest, HttpResponse, HttpSender, Ledger
from prenopay.testing.clock import VirtualClock
from prenopay.testing.faults import Fault as WireFault, FaultKind

__all__ = [
    "POSSIBLE",
    "Crash",
    "FaultyLedger",
    "FaultySender",
    "Port",
    "Trouble",
    "TroubleKind",
    "Weather",
    "forecast",
    "perhaps",
]

T = TypeVar("T")
RowT = TypeVar("RowT")

_SLOW_SECONDS: Final = (4.0, 29.0, 31.0, 400.0)
"""Slow, nearly too slow, and two answers that come after everybody stopped waiting."""
_ANY_TIME: Final = 1e6
_LATE_MOST: Final = 8
"""Minutes: what is lost for ten never arrives."""
_CALL_MOST: Final = 4
_ANY_FAULT: Final = 0.7
_SECOND_FAULT: Final = 0.2


class Crash(BaseException):
    """The process is gone."""


class Port(StrEnum):
    """What the core waits for."""

    SEND = "send"
    COMMIT = "commit"
    READ = "read"
    TELL = "tell"
    """The host's event handler."""


class TroubleKind(StrEnum):
    """What goes wrong at a port."""

    CRASH_BEFORE = "crash before"
    """The process dies before a request left, a transaction was committed, the host acted."""
    CRASH_AFTER = "crash after"
    LOST_BEFORE = "lost before"
    """An error comes instead; nothing happened."""
    LOST_AFTER = "lost after"
    """An error comes although it happened."""
    REFUSED = "refused"
    SLOW = "slow"
    HALF_BODY = "half a body"
    ANSWERS_503_BEFORE = "503 before"
    ANSWERS_503_AFTER = "503 after"
    ANSWERS_429 = "429"
    LATE = "delivered late"
    """The caller hears nothing, and the gateway gets the request minutes later."""
    MEANWHILE_BEFORE = "meanwhile before"
    """Something else happens while the core waits: by another process, the payer, a callback."""
    MEANWHILE_AFTER = "meanwhile after"


_EVERYWHERE: Final = (
    TroubleKind.CRASH_BEFORE,
    TroubleKind.CRASH_AFTER,
    TroubleKind.LOST_BEFORE,
    TroubleKind.LOST_AFTER,
)
_MEANWHILE: Final = (TroubleKind.MEANWHILE_BEFORE, TroubleKind.MEANWHILE_AFTER)
POSSIBLE: Final[dict[Port, tuple[TroubleKind, ...]]] = {
    Port.SEND: (*TroubleKind, TroubleKind.LOST_AFTER, TroubleKind.CRASH_AFTER, TroubleKind.LATE, *_MEANWHILE),
    Port.COMMIT: (*_EVERYWHERE, *_MEANWHILE),
    Port.READ: (TroubleKind.CRASH_BEFORE, TroubleKind.LOST_BEFORE, *_MEANWHILE),
    Port.TELL: (*_EVERYWHERE, *_MEANWHILE),
}
"""Which troubles a port has; one that stands twice comes twice as often."""
_ON_THE_WIRE: Final = {
    TroubleKind.REFUSED: WireFault(kind=FaultKind.REFUSE),
    TroubleKind.LOST_BEFORE: WireFault(kind=FaultKind.DROP_BEFORE),
    TroubleKind.LOST_AFTER: WireFault(kind=FaultKind.DROP_AFTER),
    TroubleKind.HALF_BODY: WireFault(kind=FaultKind.HALF_BODY),
    TroubleKind.ANSWERS_503_BEFORE: WireFault(kind=FaultKind.STATUS_BEFORE, status=503),
    TroubleKind.ANSWERS_503_AFTER: WireFault(kind=FaultKind.STATUS_AFTER, status=503),
    TroubleKind.ANSWERS_429: WireFault(kind=FaultKind.STATUS_BEFORE, status=429),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One fault: the ``call``-th call of ``port`` (counted from 1) and, with ``times``, those after it."""

    port: Port
    call: int
    kind: TroubleKind
    times: int = 1
    seconds: float = 0.0

    @property
    def name(self) -> str:
        """What the summary counts it as."""
        return f"{self.port}: {self.kind}"

    def __str__(self) -> str:
        more = f" {self.times} times" if self.times > 1 else ""
        slow = f" by {self.seconds:g} s" if self.seconds else ""
        return f"{self.kind}{slow} at {self.port} {self.call}{more}"


def forecast(chance: Random) -> tuple[Trouble, ...]:
    """Return what goes wrong during one step."""
    many = int(perhaps(chance, _ANY_FAULT)) * (1 + int(perhaps(chance, _SECOND_FAULT)))
    return tuple(_trouble(chance) for _ in range(many))


def _trouble(chance: Random) -> Trouble:
    port = chance.choice((Port.SEND, Port.SEND, Port.SEND, Port.COMMIT, Port.COMMIT, Port.TELL, Port.READ))
    kind = chance.choice(POSSIBLE[port])
    slow = chance.choice(_SLOW_SECONDS)
    call = min(chance.randint(1, _CALL_MOST), chance.randint(1, _CALL_MOST))
    times = chance.choice((1, 1, 9))
    return Trouble(
        port=port,
        call=call,
        kind=kind,
        times=times if kind in _ON_THE_WIRE and port is Port.SEND else 1,
        seconds=slow if kind is TroubleKind.SLOW else 0.0,
    )


def perhaps(chance: Random, odds: float) -> bool:
    """Say yes so often: ``odds`` of 0.25 are one in four."""
    return chance.random() < odds


class Weather:
    """What goes wrong during the present step, and a count of all that did."""

    def __init__(self, reached: Counter[str]) -> None:
        """Count what happens in ``reached``."""
        self._reached = reached
        self._planned: Sequence[Trouble] = ()
        self._calls: Counter[Port] = Counter()
        self._meanwhile: Callable[[], Awaitable[None]] | None = None
        self.is_interrupted: bool = False
        """Whether something else happened within the present step."""

    def turn(self, planned: Sequence[Trouble], meanwhile: Callable[[], Awaitable[None]] | None = None) -> None:
        """Begin a step in which ``planned`` goes wrong; without any, it is calm."""
        self._planned = planned
        self._calls.clear()
        self._meanwhile = meanwhile
        self.is_interrupted = False

    @property
    def is_fair(self) -> bool:
        """Whether nothing goes wrong now."""
        return not self._planned

    def strike(self, port: Port) -> Trouble | None:
        """Count a call of ``port`` and return what happens to it."""
        self._calls[port] += 1
        number = self._calls[port]
        for trouble in self._planned:
            if trouble.port is port and trouble.call <= number < trouble.call + trouble.times:
                self._reached[trouble.name] += 1
                return trouble
        return None

    def postpone(self, trouble: Trouble) -> None:
        """Let the next call of the step be struck instead of the present one."""
        self._reached[trouble.name] -= 1
        later = replace(trouble, call=self._calls[trouble.port] + 1)
        self._planned = tuple(later if each is trouble else each for each in self._planned)

    async def meanwhile(self) -> None:
        """Let something else happen, in fair weather, while the present step waits for its answer."""
        happens, self._meanwhile = self._meanwhile, None
        if happens is None:
            return
        planned, calls = self._planned, self._calls.copy()
        self._planned, self.is_interrupted = (), True
        try:
            await happens()
        finally:
            self._planned, self._calls = planned, calls

    async def around(self, port: Port, act: Callable[[], Awaitable[T]]) -> T:
        """Do ``act``, unless the weather is against it: for reads and for the host's handler."""
        trouble = self.strike(port)
        if trouble is None:
            return await act()
        if trouble.kind is TroubleKind.CRASH_BEFORE:
            raise Crash
        if trouble.kind is TroubleKind.LOST_BEFORE:
            raise _no_database(port)
        if trouble.kind is TroubleKind.MEANWHILE_BEFORE:
            await self.meanwhile()
        result = await act()
        if trouble.kind is TroubleKind.MEANWHILE_AFTER:
            await self.meanwhile()
        if trouble.kind is TroubleKind.CRASH_AFTER:
            raise Crash
        if trouble.kind is TroubleKind.LOST_AFTER:
            raise _no_database(port)
        return result


class FaultySender:
    """Sends to the emulators through the weather; ``witness`` sees each request before it leaves.

    ``late`` is what is still on its way, with when it arrives: before anything else that reaches a gateway then.
    """

    def __init__(
        self,
        sender: HttpSender,
        weather: Weather,
        clock: VirtualClock,
        *,
        plan: Callable[[WireFault], None],
        witness: Callable[[HttpRequest], datetime | None],
        late: list[tuple[datetime, HttpRequest]],
    ) -> None:
        """Send through ``sender``; ``plan`` has the emulators meet the next call with a fault of theirs.

        ``witness`` says until when a request may still arrive, where it is one that may.
        """
        self._sender = sender
        self._weather = weather
        self._clock = clock
        self._plan = plan
        self._witness = witness
        self._late = late

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - see the port
        """Return the emulator's answer, or what came instead."""
        trouble = self._weather.strike(Port.SEND)
        if trouble is not None and trouble.kind is TroubleKind.CRASH_BEFORE:
            raise Crash
        if trouble is not None and trouble.kind is TroubleKind.MEANWHILE_BEFORE:
            await self._weather.meanwhile()
        await self.deliver_late()
        latest = self._witness(request)
        if trouble is not None and trouble.kind is TroubleKind.LATE and latest is None:  # nothing would come of it
            self._weather.postpone(trouble)
            trouble = None
        if trouble is not None and trouble.kind is TroubleKind.LATE and latest is not None:
            self._delay(request, latest)
            self._clock.advance(timedelta(seconds=timeout))
            message = f"{request.label}: no answer came"
            raise OutcomeUnknown(message)
        if trouble is not None and trouble.kind is TroubleKind.SLOW:
            self._plan(WireFault(kind=FaultKind.DELAY, seconds=trouble.seconds))
        elif trouble is not None and trouble.kind in _ON_THE_WIRE:
            self._plan(_ON_THE_WIRE[trouble.kind])
        try:
            answer = await self._sender.send(request, timeout=timeout)
        except (NotSent, OutcomeUnknown):
            # A lost answer is noticed only when the time is up.
            self._clock_runs(trouble, timeout)
            raise
        if trouble is not None and trouble.kind is TroubleKind.CRASH_AFTER:
            raise Crash
        if trouble is not None and trouble.kind is TroubleKind.MEANWHILE_AFTER:
            await self._weather.meanwhile()
        return answer

    async def deliver_late(self) -> None:
        """Let arrive what was on its way until now; nobody hears the answers."""
        due = [each for each in self._late if each[0] <= self._clock.now()]
        for arrives in sorted(due, key=lambda each: each[0]):
            self._late.remove(arrives)
            with suppress(NotSent, OutcomeUnknown):
                await self._sender.send(arrives[1], timeout=_ANY_TIME)

    def _delay(self, request: HttpRequest, latest: datetime) -> None:
        arrives = self._clock.now() + timedelta(minutes=1 + len(request.url + request.label) % _LATE_MOST)
        if arrives < latest:  # else it would come when it can no longer come
            self._late.append((arrives, request))

    def _clock_runs(self, trouble: Trouble | None, timeout: float) -> None:
        if trouble is not None and trouble.call % 2 and trouble.kind is not TroubleKind.SLOW:
            self._clock.advance(timedelta(seconds=timeout / 4))


class FaultyLedger:
    """A ledger in the weather. What fails *before* a commit fails after the work was done, and undoes it."""

    def __init__(self, ledger: Ledger, weather: Weather) -> None:
        """Keep the books in ``ledger``."""
        self._ledger = ledger
        self._weather = weather

    async def transact(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a transaction that may be undone, or whose end may be lost."""
        trouble = self._weather.strike(Port.COMMIT)
        if trouble is None:
            return await self._ledger.transact(work)
        match trouble.kind:
            case TroubleKind.MEANWHILE_BEFORE:
                await self._weather.meanwhile()
                return await self._ledger.transact(work)
            case TroubleKind.MEANWHILE_AFTER:
                done = await self._ledger.transact(work)
                await self._weather.meanwhile()
                return done
            case TroubleKind.CRASH_BEFORE | TroubleKind.LOST_BEFORE:

                def undone(connection: Connection) -> T:
                    work(connection)
                    raise Crash if trouble.kind is TroubleKind.CRASH_BEFORE else _no_database(Port.COMMIT)

                return await self._ledger.transact(undone)
            case TroubleKind.CRASH_AFTER:
                await self._ledger.transact(work)
                raise Crash
            case _:
                await self._ledger.transact(work)
                raise _no_database(Port.COMMIT)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a reading transaction, unless the database cannot be reached."""
        return await self._weather.around(Port.READ, lambda: self._ledger.read(work))

    async def append(self, add: Callable[[Connection, Sequence[RowT]], None], row: RowT) -> None:
        """Add ``row``; it is a commit like any other."""
        await self._weather.around(Port.COMMIT, lambda: self._ledger.append(add, row))


def _no_database(port: Port) -> Exception:
    if port is Port.TELL:
        return RuntimeError("the host's handler failed")
    return LedgerUnavailable("the database did not answer")
