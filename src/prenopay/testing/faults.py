"""Faults on request, as data: which calls they hit, how often, and what then happens to request and answer.

Every gateway in ``prenopay.testing`` and every test of a lost answer uses these words.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, assert_never

from prenopay.testing.http import Dropped, EmulatorAnswer, HalfBody, Headers, Outcome, Refused

__all__ = ["LOST", "Fault", "FaultBody", "FaultKind", "FaultPlan", "meet"]

_TOO_MANY: Final = 429
_METHODS: Final = ("DELETE", "GET", "PATCH", "POST", "PUT")
_STATUSES: Final = range(100, 600)
_HTML: Final = b"<html><head><title>%d</title></head><body><h1>%d</h1><hr>gateway</body></html>\n"


class FaultKind(StrEnum):
    """What goes wrong."""

    REFUSE = "refuse"
    """The connection is refused. (On a real socket it can only be closed at once.)"""
    DROP_BEFORE = "drop_before"
    """The request is lost before it is acted on."""
    DROP_AFTER = "drop_after"
    """The request is acted on, the answer is lost."""
    DELAY = "delay"
    """The request is acted on, the answer comes ``seconds`` late."""
    STATUS_BEFORE = "status_before"
    """``status`` is answered instead of acting."""
    STATUS_AFTER = "status_after"
    """``status`` is answered although the request was acted on."""
    HALF_BODY = "half_body"
    """The request is acted on, half the body comes, then the connection dies."""
    UNREADABLE = "unreadable"
    """The request is acted on, and something in between answers 200 with a page of HTML."""

    @property
    def acts(self) -> bool:
        """Whether the gateway still does what it was asked."""
        return self not in {FaultKind.REFUSE, FaultKind.DROP_BEFORE, FaultKind.STATUS_BEFORE}


LOST: Final = (
    FaultKind.DROP_BEFORE,
    FaultKind.DROP_AFTER,
    FaultKind.STATUS_AFTER,
    FaultKind.HALF_BODY,
    FaultKind.UNREADABLE,
)
"""The faults after which the caller cannot know whether the gateway acted."""


class FaultBody(StrEnum):
    """What is in the answer of a status fault: never JSON, as from a proxy in between."""

    EMPTY = "empty"
    HTML = "html"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault and the calls it hits: every condition that is given must hold.

    ``call`` is the emulator's name of the call ("capture"), ``path`` a fragment of its path. The
    first ``after`` matching calls pass; the next ``times`` are hit.
    """

    kind: FaultKind
    call: str = ""
    method: str = ""
    path: str = ""
    after: int = 0
    times: int = 1
    seconds: float = 0.0
    status: int = 503
    body: FaultBody = FaultBody.HTML
    retry_after: int | None = None
    """Seconds for ``Retry-After``; a 429 says one second when nothing is given."""

    def __post_init__(self) -> None:
        """Refuse a fault that could never happen."""
        if self.after < 0 or self.times < 1 or self.seconds < 0:
            message = "a fault needs after >= 0, times >= 1 and seconds >= 0"
            raise ValueError(message)
        if self.method and self.method.upper() not in _METHODS:
            message = f"method: {self.method!r} is not one of {', '.join(_METHODS)}"
            raise ValueError(message)
        if self.status not in _STATUSES:
            message = f"status: must be from {_STATUSES.start} to {_STATUSES.stop - 1}, not {self.status}"
            raise ValueError(message)

    def hits(self, *, method: str, path: str, call: str) -> bool:
        """Say whether the call is one that this fault waits for."""
        return (
            self.call in {"", call}
            and self.method.upper() in {"", method.upper()}
            and self.path.lower() in path.lower()
        )

    def answer(self) -> EmulatorAnswer:
        """Return the answer of a status fault."""
        headers: Headers = ()
        wait = 1 if self.retry_after is None and self.status == _TOO_MANY else self.retry_after
        if wait is not None:
            headers += (("retry-after", str(wait)),)
        if self.body is FaultBody.EMPTY:
            return EmulatorAnswer(status=self.status, headers=headers)
        headers += (("content-type", "text/html"),)
        return EmulatorAnswer(status=self.status, headers=headers, body=_HTML % (self.status, self.status))


class FaultPlan:
    """The faults still to come. The first in line that hits a call takes it; later ones do not see it."""

    def __init__(self, *faults: Fault, calls: Collection[str] = ()) -> None:
        """Plan ``faults``, in order. ``calls`` are the names of the calls that there are, if they are known."""
        self.calls: tuple[str, ...] = tuple(calls)
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self.add(*faults)

    @property
    def waiting(self) -> tuple[Fault, ...]:
        """What has not happened yet, with the numbers that are left."""
        with self._lock:
            return tuple(self._faults)

    def add(self, *faults: Fault) -> None:
        """Put ``faults`` last in line; raises ``ValueError`` for a call that there is not."""
        for fault in faults:
            if fault.call and self.calls and fault.call not in self.calls:
                message = f"call: {fault.call!r} is not one of {', '.join(self.calls)}"
                raise ValueError(message)
        with self._lock:
            self._faults.extend(faults)

    def clear(self) -> None:
        """Plan nothing."""
        with self._lock:
            self._faults.clear()

    def take(self, *, method: str, path: str, call: str) -> Fault | None:
        """Return the fault that hits this call, if one does, and count it."""
        with self._lock:
            for place, fault in enumerate(self._faults):
                if not fault.hits(method=method, path=path, call=call):
                    continue
                if fault.after:
                    self._faults[place] = replace(fault, after=fault.after - 1)
                    continue
                if fault.times > 1:
                    self._faults[place] = replace(fault, times=fault.times - 1)
                else:
                    del self._faults[place]
                return fault
            return None


def meet(fault: Fault | None, act: Callable[[], EmulatorAnswer]) -> Outcome:
    """Call ``act`` as ``fault`` says, and return what the caller gets."""
    if fault is None:
        return act()
    match fault.kind:
        case FaultKind.REFUSE:
            return Refused()
        case FaultKind.DROP_BEFORE:
            return Dropped()
        case FaultKind.DROP_AFTER:
            act()
            return Dropped()
        case FaultKind.DELAY:
            return replace(act(), delay_seconds=fault.seconds)
        case FaultKind.STATUS_BEFORE:
            return fault.answer()
        case FaultKind.STATUS_AFTER:
            act()
            return fault.answer()
        case FaultKind.HALF_BODY:
            return HalfBody(act())
        case FaultKind.UNREADABLE:
            act()
            return replace(fault, status=200, body=FaultBody.HTML).answer()
        case _:
            assert_never(fault.kind)
