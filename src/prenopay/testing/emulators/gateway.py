"""What all emulated gateways share: a memory with a clock, and an object that answers calls and is controlled."""

from __future__ import annotations

import hashlib
import heapq
import random
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from prenopay._arguments import check_arguments, refuse_misuse
from prenopay.testing.callbacks import Callback, CallbackAttempt, CallbackQueue, Post, RetrySchedule
from prenopay.testing.clock import VirtualClock
from prenopay.testing.control import CONTROL_PREFIX, ControlPanel, ControlRefused, call_with
from prenopay.testing.emulators.control_page import ControlPage, Listed
from prenopay.testing.emulators.leniency import Leniency, Takes
from prenopay.testing.faults import FaultPlan, meet
from prenopay.testing.http import EmulatorAnswer, EmulatorRequest, Headers, JsonObject, Outcome, write_json
from prenopay.testing.transcript import Transcript

__all__ = ["EmulatedGateway", "Memory", "Switches", "Used", "as_json", "snapshot", "told_preset"]


class Switches(Protocol):
    """What every gateway's ``Behaviour`` says of callbacks."""

    @property
    def callback_delay(self) -> timedelta:
        """How long after the fact a callback leaves."""
        ...

    @property
    def retry_schedule(self) -> RetrySchedule:
        """When it is sent again."""
        ...


B = TypeVar("B", bound=Switches)
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """Which request used a reference first, and what it was answered."""

    fingerprint: str
    answer: EmulatorAnswer


class Memory(Generic[B]):
    """What a gateway remembers. One seed and one order of calls give the same ids and numbers every time."""

    def __init__(self, *, clock: VirtualClock | None, behaviour: B, seed: int | None) -> None:
        """Begin empty; without a ``seed``, ids and numbers are others every time."""
        self.clock: VirtualClock = clock or VirtualClock()
        self.callbacks: CallbackQueue = CallbackQueue(self.clock, schedule=behaviour.retry_schedule)
        self.behaviour: B = behaviour
        self.lock: threading.RLock = threading.RLock()
        self.random: random.Random = random.Random(seed)  # noqa: S311 - ids of play money, which must replay
        self._used: dict[tuple[str, str], Used] = {}
        self._to_come: list[tuple[datetime, int, Callable[[], None]]] = []
        self._promised = 0
        self._moment: datetime | None = None

    def now(self) -> datetime:
        """Return the time; while something overdue is settled, the time at which it was due."""
        return self._moment or self.clock.now()

    def later(self, delay: timedelta, act: Callable[[], None]) -> None:
        """Call ``act`` after ``delay``."""
        self._promised += 1
        heapq.heappush(self._to_come, (self.now() + delay, self._promised, act))

    def settle(self) -> None:
        """Do what is due by now, in order, each thing at its own time."""
        while self._to_come and self._to_come[0][0] <= self.clock.now():
            self._moment, _, act = heapq.heappop(self._to_come)
            try:
                act()
            finally:
                self._moment = None

    def tell(self, url: str, body: JsonObject, *, about: str, headers: Headers = ()) -> Callback | None:
        """Queue a callback with ``body``, if there is an address."""
        due = self.now() + self.behaviour.callback_delay
        return self.callbacks.put(url, write_json(body), about=about, due=due, headers=headers) if url else None

    def once(
        self,
        key: tuple[str, str],
        request: EmulatorRequest,
        act: Callable[[], EmulatorAnswer],
        again: Callable[[Used, bool], EmulatorAnswer | None],
    ) -> EmulatorAnswer:
        """Act, unless ``key`` was used before: then ``again`` answers, knowing whether the request is the same.

        Where ``again`` has no answer, the gateway does not notice, and acts once more.
        """
        fingerprint = hashlib.sha256(f"{request.method} {request.path}\n".encode() + request.body).hexdigest()
        used = self._used.get(key)
        answer = again(used, used.fingerprint == fingerprint) if used else None
        if answer is None:
            answer = act()
            self._used[key] = Used(fingerprint=fingerprint, answer=answer)
        return answer


@check_arguments(refuse_misuse, any_text=True)
class EmulatedGateway(ABC, Generic[B]):
    """One synchronous, thread-safe object: calls come in, faults happen, callbacks wait, the control API answers."""

    presets: ClassVar[Mapping[str, Any]]
    """Behaviours that have a name on the command line."""

    def __init__(self, memory: Memory[B], *, calls: Collection[str]) -> None:
        """Answer from ``memory``; ``calls`` are the names that ``_named`` gives to calls."""
        self._memory = memory
        self.clock: VirtualClock = memory.clock
        self.callbacks: CallbackQueue = memory.callbacks
        self.faults: FaultPlan = FaultPlan(calls=calls)
        self.transcript: Transcript = Transcript()
        self._control = ControlPanel(self)
        self._control_page = ControlPage(self)

    @property
    def behaviour(self) -> B:
        """How it behaves; may be replaced at any time."""
        return self._memory.behaviour

    @behaviour.setter
    def behaviour(self, behaviour: B) -> None:
        with self._memory.lock:
            self._memory.behaviour = behaviour
            self.callbacks.schedule = behaviour.retry_schedule

    def handle(self, request: EmulatorRequest) -> Outcome:
        """Act on one call, unless a planned fault is in the way."""
        if self._control_page.is_asked(request):
            return self._control_page.answer(request)
        if request.path.startswith(CONTROL_PREFIX):
            return self._control.answer(request)
        with self._memory.lock:
            self._memory.settle()
            call, reference = self._named(request)
            fault = self.faults.take(method=request.method, path=request.path, call=call)
            outcome = self._kept_out(request) or meet(fault, lambda: self._dated_answer(request))
            self.transcript.add(request, outcome, at=self.clock.now(), call=call, reference=reference)
            return outcome

    def settle(self) -> None:
        """Do what is due by now."""
        with self._memory.lock:
            self._memory.settle()

    def deliver_callbacks(self, post: Post) -> tuple[CallbackAttempt, ...]:
        """Deliver the callbacks that are due; see ``callbacks`` for holding, dropping and doubling them."""
        self.settle()
        return self.callbacks.deliver(post)

    def forge_callback(self, order: str, *, naming: str) -> Callback:
        """Queue a callback to the address of ``order`` whose body names another."""
        with self._memory.lock:
            callback = self._forged(order, naming)
        if callback is None:
            message = f"{order} has no callbackUrl"
            raise ControlRefused(message)
        return callback

    def act_as_payer(self, action: str, order: str, arguments: JsonObject) -> JsonObject:
        """Do a payer action by its name, for the control API; its arguments are read by their types."""
        actions = self.payer_actions()
        if action not in actions:
            message = f"action must be {', '.join(list(actions)[:-1])} or {list(actions)[-1]}"
            raise ControlRefused(message)
        return self._shown(order, call_with(actions[action], arguments, order))

    @property
    @abstractmethod
    def title(self) -> str:
        """The gateway's name, for people."""

    @abstractmethod
    def approve(self, order: str, /) -> object:
        """Pay as the payer, in any way; raises ``PayerRefused`` where nobody can."""

    @abstractmethod
    def decline(self, order: str, /) -> object:
        """Say no as the payer; raises ``PayerRefused`` where nobody can."""

    @abstractmethod
    def listed(self) -> list[Listed]:
        """Return every order for the control page, in the order of creation."""

    @abstractmethod
    def describe_orders(self) -> list[JsonObject]:
        """Return every order as JSON, for the control API."""

    @abstractmethod
    def describe_order(self, order: str) -> JsonObject:
        """Return one order as JSON, for the control API."""

    @abstractmethod
    def payer_actions(self) -> Mapping[str, Callable[..., object]]:
        """Return what a payer can do through the control API, by name; the first argument names the order."""

    @abstractmethod
    def _named(self, request: EmulatorRequest) -> tuple[str, str]:
        """Return the call's name for faults and transcripts, and the reference it carries; refuse nothing."""

    @abstractmethod
    def _answer(self, request: EmulatorRequest) -> EmulatorAnswer:
        """Answer one call."""

    @abstractmethod
    def _forged(self, order: str, naming: str) -> Callback | None:
        """Queue a callback about ``order`` that names another, if there is an address."""

    @abstractmethod
    def _shown(self, order: str, result: object) -> JsonObject:
        """Return the result of a payer action on ``order`` as JSON."""

    def _kept_out(self, request: EmulatorRequest) -> Outcome | None:
        """Return the outcome for a caller who does not reach the gateway."""
        return None

    def _dated_answer(self, request: EmulatorRequest) -> EmulatorAnswer:
        answer, date = self._answer(request), format_datetime(self.clock.now(), usegmt=True)
        return replace(answer, headers=(*answer.headers, ("date", date)))


def told_preset(preset: str, takes: Takes, sources: Mapping[Leniency, str]) -> str:
    """Return what a preset takes, for people; each way in which it is lenient has a line with its source."""
    ways = [f"\n  {way}: {source}" for way, source in sources.items() if way in takes]
    says = (
        f"more than the documents ask for:{''.join(ways)}" if ways else "what the documents ask for, and nothing else."
    )
    return f"Preset {preset}: it takes {says}".replace("`", "")


def snapshot(kind: Callable[..., T], source: object, **more: object) -> T:
    """Return a record of ``kind``: its fields are given in ``more``, or are attributes of ``source``."""
    names: list[str] = [each.name for each in fields(kind)]  # type: ignore[arg-type]  # a dataclass is callable
    return kind(**{name: more[name] if name in more else getattr(source, name) for name in names})


def as_json(record: Any, *names: str) -> JsonObject:
    """Return the attributes ``names`` of a record, under the names that JSON has for them."""
    words = {name: name.split("_") for name in names}
    keys = {name: parts[0] + "".join(part.title() for part in parts[1:]) for name, parts in words.items()}
    return {keys[name]: getattr(record, name) for name in names}
