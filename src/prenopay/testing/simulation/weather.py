"""What goes wrong, and where: faults at the ports, which are the only places where the core waits.

A trouble names a port, which call of it within a step, and what happens there. On the wire it is one of the
faults of ``prenopay.testing.faults``, which the gateway meets; the manners are the simulation's own. A crash
is a ``BaseException`` that no handler of the core's may catch: who meets it throws the process away. In code that
awaits, a task is also cancelled where it waits, and its process lives on.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random
from typing import Final, TypeAlias, TypeVar

from sqlalchemy import Connection

from prenopay.errors import LedgerUnavailable, NotSent, OutcomeUnknown
from prenopay.ports import HttpRequest, HttpResponse, HttpSender, Ledger
from prenopay.testing.clock import VirtualClock
from prenopay.testing.faults import Fault, FaultKind

__all__ = [
    "POSSIBLE",
    "Crash",
    "FaultyLedger",
    "FaultySender",
    "Kind",
    "Manner",
    "Port",
    "Trouble",
    "Weather",
    "forecast",
    "perhaps",
]

T = TypeVar("T")
RowT = TypeVar("RowT")

_SLOW_SECONDS: Final = (4.0, 29.0, 31.0, 400.0)
"""Slow, nearly too slow, and two answers that come after everybody stopped waiting."""
_STALL: Final = timedelta(minutes=7)
"""Longer than a try owns its operation, and longer than a handler keeps its event."""
_ANY_TIME: Final = 1e6
_LATE_MOST: Final = 8
"""Minutes: what is lost for ten never arrives."""
_CALL_MOST: Final = 4
_ANY_TROUBLE: Final = 0.7
_SECOND_TROUBLE: Final = 0.2
_STALLED: Final = 0.4
_CANCELLED: Final = 0.7


class Crash(BaseException):
    """The process is gone."""


class Port(StrEnum):
    """What the core waits for."""

    SEND = "send"
    COMMIT = "commit"
    READ = "read"
    HANDLER = "handler"
    """The host's event handler."""


class Manner(StrEnum):
    """What goes wrong at a port without any fault of a gateway's."""

    CRASH_BEFORE = "crash before"
    """The process dies before a request left, a transaction was committed, the host acted."""
    CRASH_AFTER = "crash after"
    LATE = "delivered late"
    """The caller hears nothing, and the gateway gets the request minutes later."""
    MEANWHILE_BEFORE = "meanwhile before"
    """Something else happens while the core waits: by another process, the payer, a callback."""
    MEANWHILE_AFTER = "meanwhile after"
    STALLED = "stalled"
    """The process stops for minutes, and something else happens; then it goes on, and fails before it acts."""
    FROZEN_BEFORE = "frozen before"
    """The process stops for minutes, and another takes over; then it goes on as if nothing had happened."""
    FROZEN_AFTER = "frozen after"
    CANCELLED_BEFORE = "cancelled before"
    """The task is cancelled where it waits, and the process lives on; only where calls are awaited."""
    CANCELLED_AFTER = "cancelled after"
    FOREIGN = "foreign object"
    """Another shop with the same agreement has made an object of its own under the reference that now arrives."""


Kind: TypeAlias = FaultKind | Manner


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What goes wrong at the ``call``-th call of ``port`` (counted from 1) and, with ``times``, at those after it."""

    port: Port
    kind: Kind
    status: int = 503
    call: int = 0
    times: int = 1
    seconds: float = 0.0

    @property
    def name(self) -> str:
        """What the summary counts it as."""
        has_status = self.kind in {FaultKind.STATUS_BEFORE, FaultKind.STATUS_AFTER}
        return f"{self.port}: {self.kind.replace('_', ' ')}" + (f" {self.status}" if has_status else "")

    @property
    def fault(self) -> Fault | None:
        """The fault that a gateway meets, where it is one on the wire."""
        if isinstance(self.kind, Manner):
            return None
        return Fault(kind=self.kind, status=self.status, seconds=self.seconds)

    def __str__(self) -> str:
        more = f" {self.times} times" if self.times > 1 else ""
        slow = f" by {self.seconds:g} s" if self.seconds else ""
        return f"{self.name}{slow}, call {self.call}{more}"


def _at(port: Port, *kinds: Kind) -> tuple[Trouble, ...]:
    return tuple(Trouble(port=port, kind=kind) for kind in kinds)


_MEANWHILE: Final = (Manner.MEANWHILE_BEFORE, Manner.MEANWHILE_AFTER)
_CANCEL: Final[dict[Kind, Kind]] = {
    Manner.CRASH_BEFORE: Manner.CANCELLED_BEFORE,
    Manner.CRASH_AFTER: Manner.CANCELLED_AFTER,
    Manner.MEANWHILE_BEFORE: Manner.CANCELLED_BEFORE,
}
_EVERYWHERE: Final = (
    Manner.CRASH_BEFORE,
    Manner.CRASH_AFTER,
    FaultKind.DROP_BEFORE,
    FaultKind.DROP_AFTER,
    Manner.STALLED,
    Manner.FROZEN_AFTER,
    *_MEANWHILE,
    Manner.CANCELLED_BEFORE,
    Manner.CANCELLED_AFTER,
)
"""``DROP_BEFORE`` at a commit or a handler: an error comes instead, and nothing happened; ``DROP_AFTER``: it did."""
POSSIBLE: Final = (
    *_at(
        Port.SEND,
        *FaultKind,
        *Manner,
        FaultKind.DROP_AFTER,
        Manner.CRASH_AFTER,
        Manner.LATE,
        *(Manner.FOREIGN,) * 4,
        *_MEANWHILE,
    ),
    Trouble(port=Port.SEND, kind=FaultKind.STATUS_BEFORE, status=429),
    *_at(Port.COMMIT, Manner.FROZEN_BEFORE, *_EVERYWHERE),
    *_at(Port.READ, Manner.CRASH_BEFORE, FaultKind.DROP_BEFORE, Manner.STALLED, Manner.FROZEN_AFTER, *_MEANWHILE),
    Trouble(port=Port.READ, kind=Manner.CANCELLED_BEFORE),
    *_at(Port.HANDLER, *_EVERYWHERE),
)
"""Everything that can go wrong; what is here twice comes twice as often."""
_IN_PLACE_OF_OTHERS: Final = {Manner.STALLED, *_CANCEL.values()}
_AT: Final = {
    port: [each for each in POSSIBLE if each.port is port and each.kind not in _IN_PLACE_OF_OTHERS] for port in Port
}
_PORTS: Final = (Port.SEND, Port.SEND, Port.SEND, Port.COMMIT, Port.COMMIT, Port.HANDLER, Port.READ)


def forecast(chance: Random, *, is_awaiting: bool = False) -> tuple[Trouble, ...]:
    """Return what goes wrong during one step; ``is_awaiting``: in a process whose calls are awaited."""
    many = int(perhaps(chance, _ANY_TROUBLE)) * (1 + int(perhaps(chance, _SECOND_TROUBLE)))
    troubles = [_trouble(chance) for _ in range(many)]
    return tuple(_perhaps_another(each, chance, is_awaiting=is_awaiting) for each in troubles)


def _trouble(chance: Random) -> Trouble:
    trouble = chance.choice(_AT[chance.choice(_PORTS)])
    slow = chance.choice(_SLOW_SECONDS)
    call = min(chance.randint(1, _CALL_MOST), chance.randint(1, _CALL_MOST))
    times = chance.choice((1, 1, 9))
    is_slow = trouble.kind is FaultKind.DELAY
    is_repeated = trouble.port is Port.SEND and trouble.fault is not None and not is_slow
    return replace(trouble, call=call, times=times if is_repeated else 1, seconds=slow if is_slow else 0.0)


def _perhaps_another(trouble: Trouble, chance: Random, *, is_awaiting: bool) -> Trouble:
    """Let what fails before it acts fail late, now and then; where calls are awaited, let tasks be cancelled."""
    if trouble.kind is FaultKind.DROP_BEFORE and perhaps(chance, _STALLED):
        return replace(trouble, kind=Manner.STALLED, times=1)
    if is_awaiting and trouble.port is Port.HANDLER and perhaps(chance, _CANCELLED):  # it is not called often
        return replace(trouble, kind=chance.choice((Manner.CANCELLED_BEFORE, Manner.CANCELLED_AFTER)))
    if is_awaiting and trouble.kind in _CANCEL and perhaps(chance, _CANCELLED):
        return replace(trouble, kind=_CANCEL[trouble.kind])
    return trouble


def perhaps(chance: Random, odds: float) -> bool:
    """Say yes so often: ``odds`` of 0.25 are one in four."""
    return chance.random() < odds


class Weather:
    """What goes wrong during the present step, and a count of all that did."""

    def __init__(self, reached: Counter[str], clock: VirtualClock) -> None:
        """Count what happens in ``reached``; ``clock`` goes on while a process stops."""
        self._reached = reached
        self._clock = clock
        self._planned: Sequence[Trouble] = ()
        self._calls: Counter[Port] = Counter()
        self._meanwhile: Callable[[], Awaitable[None]] | None = None
        self._is_dead = False
        self.is_interrupted: bool = False
        """Whether something else happened within the present step."""
        self.has_frozen: bool = False
        """Whether the process stopped within the present step, and went on as if nothing had happened."""

    def turn(self, planned: Sequence[Trouble], meanwhile: Callable[[], Awaitable[None]] | None = None) -> None:
        """Begin a step in which ``planned`` goes wrong; without any, it is calm."""
        self._planned = planned
        self._calls.clear()
        self._meanwhile = meanwhile
        self.is_interrupted = self.has_frozen = False
        self._is_dead = False

    def crash(self) -> Crash:
        """Return the end of the process: until the next step it can do nothing more."""
        self._is_dead = True
        return Crash()

    def strike(self, port: Port) -> Trouble | None:
        """Count a call of ``port`` and return what happens to it."""
        if self._is_dead:
            raise Crash
        self._calls[port] += 1
        number = self._calls[port]
        for trouble in self._planned:
            if trouble.port is port and trouble.call <= number < trouble.call + trouble.times:
                self._reached[trouble.name] += 1
                return trouble
        return None

    async def stall(self) -> None:
        """Stop for longer than any claim lasts, while something else happens."""
        self._clock.advance(_STALL)
        await self.meanwhile()

    async def pause(self, kind: Kind | None, *, after: bool) -> None:
        """Do what does not fail by itself: let something else happen before or after the call, freeze, be cancelled."""
        match kind:
            case Manner.MEANWHILE_AFTER if after:
                await self.meanwhile()
            case Manner.MEANWHILE_BEFORE if not after:
                await self.meanwhile()
            case Manner.FROZEN_AFTER if after:
                self.has_frozen = True
                await self.stall()
            case Manner.FROZEN_BEFORE if not after:
                self.has_frozen = True
                await self.stall()
            case Manner.CRASH_AFTER if after:
                raise self.crash()
            case Manner.CANCELLED_AFTER if after:
                raise asyncio.CancelledError
            case _:
                pass

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

    async def around(
        self,
        port: Port,
        act: Callable[[], Awaitable[T]],
        undo: Callable[[BaseException], Awaitable[T]] | None = None,
    ) -> T:
        """Do ``act``, unless the weather is against it: for commits, reads, appends and the host's handler.

        ``undo`` acts, raises what it is given, and leaves nothing behind.
        """
        trouble = self.strike(port)
        if trouble is None:
            return await act()
        failure = self._failure_before(trouble)
        if trouble.kind is Manner.STALLED:
            await self.stall()
            raise _failure(port)
        if failure is not None:
            if undo is None:
                raise failure
            return await undo(failure)
        await self.pause(trouble.kind, after=False)
        result = await act()
        await self.pause(trouble.kind, after=True)
        if trouble.kind is FaultKind.DROP_AFTER:
            raise _failure(port)
        return result

    def _failure_before(self, trouble: Trouble) -> BaseException | None:
        """Return what comes instead of an act that does not happen."""
        match trouble.kind:
            case Manner.CRASH_BEFORE:
                return self.crash()
            case Manner.CANCELLED_BEFORE:
                return asyncio.CancelledError()
            case FaultKind.DROP_BEFORE:
                return _failure(trouble.port)
            case _:
                return None


class FaultySender:
    """Sends to the gateways through the weather; ``witness`` sees each request before it leaves.

    ``late`` is what is still on its way, with when it arrives: before anything else that reaches a gateway then.
    """

    def __init__(
        self,
        sender: HttpSender,
        weather: Weather,
        clock: VirtualClock,
        *,
        plan: Callable[[Fault], None],
        witness: Callable[[HttpRequest], datetime | None],
        lie: Callable[[HttpRequest], HttpResponse | None],
        foreign: Callable[[HttpRequest], bool],
        late: list[tuple[datetime, HttpRequest]],
    ) -> None:
        """Send through ``sender``; ``plan`` has the gateways meet the next call with a fault.

        ``witness`` says until when a request may still arrive, where it is one that may. ``lie`` answers in place
        of a gateway. ``foreign`` has another shop take the reference of a request, and says whether it did.
        """
        self._sender = sender
        self._weather = weather
        self._clock = clock
        self._plan = plan
        self._witness = witness
        self._lie = lie
        self._foreign = foreign
        self._late = late

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - see the port
        """Return the gateway's answer, or what came instead."""
        trouble = self._weather.strike(Port.SEND)
        kind = None if trouble is None else trouble.kind
        if kind is Manner.CRASH_BEFORE:
            raise self._weather.crash()
        if kind is Manner.CANCELLED_BEFORE:
            raise asyncio.CancelledError
        if kind is Manner.STALLED:
            await self._weather.stall()
        latest = self._witness(request) if kind is Manner.FROZEN_BEFORE else None
        await self._weather.pause(kind, after=False)
        if kind is Manner.STALLED or (latest is not None and latest <= self._clock.now()):
            message = f"{request.label}: the connection was lost while the process stopped"
            raise NotSent(message)
        await self.deliver_late()
        latest = self._witness(request)
        if trouble is not None and kind is Manner.LATE:
            if latest is not None:
                self._delay(request, latest)
                self._clock.advance(timedelta(seconds=timeout))
                message = f"{request.label}: no answer came"
                raise OutcomeUnknown(message)
            self._weather.postpone(trouble)  # nothing would come of it
        if trouble is not None and kind is Manner.FOREIGN and not self._foreign(request):
            self._weather.postpone(trouble)
        lie = self._lie(request)
        if lie is not None:
            return lie
        if trouble is not None and trouble.fault is not None:
            self._plan(trouble.fault)
        try:
            answer = await self._sender.send(request, timeout=timeout)
        except (NotSent, OutcomeUnknown):
            self._clock_runs(trouble, timeout)
            raise
        await self._weather.pause(kind, after=True)
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
        """Let time pass now and then: a lost answer is noticed only when the time is up."""
        if trouble is not None and trouble.call % 2 and trouble.kind is not FaultKind.DELAY:
            self._clock.advance(timedelta(seconds=timeout / 4))


class FaultyLedger:
    """A ledger in the weather. What fails *before* a commit fails after the work was done, and undoes it."""

    def __init__(self, ledger: Ledger, weather: Weather) -> None:
        """Keep the books in ``ledger``."""
        self._ledger = ledger
        self._weather = weather

    async def transact(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a transaction that may be undone, or whose end may be lost."""

        def undo(failure: BaseException) -> Awaitable[T]:
            def undone(connection: Connection) -> T:
                work(connection)
                raise failure

            return self._ledger.transact(undone)

        return await self._weather.around(Port.COMMIT, lambda: self._ledger.transact(work), undo)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a reading transaction, unless the database cannot be reached."""
        return await self._weather.around(Port.READ, lambda: self._ledger.read(work))

    async def append(self, add: Callable[[Connection, Sequence[RowT]], Sequence[T]], row: RowT) -> T:
        """Add ``row``; it is a commit like any other."""
        return await self._weather.around(Port.COMMIT, lambda: self._ledger.append(add, row))

    async def erase_traces(self) -> None:
        """Erase older versions of rows, unless the database cannot be reached."""
        await self._weather.around(Port.READ, self._ledger.erase_traces)


def _failure(port: Port) -> Exception:
    if port is Port.HANDLER:
        return RuntimeError("the host's handler failed")
    return LedgerUnavailable("the database did not answer")
