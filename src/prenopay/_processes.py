"""What belongs to one process or to one event loop: a forked child and another loop get their own.

Two processes that share a socket read each other's answers, and a lock that another thread held at the fork is
never released in the child. So a child starts afresh, before any of its own code runs. What it inherited is neither
used nor closed there: closing it could disturb the parent.
"""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeVar

import anyio.lowlevel

from prenopay._hidden import raise_alone
from prenopay.errors import PrenopayError

__all__ = ["PerLoop", "is_of_another_task", "start_afresh_in_children"]

T = TypeVar("T")

_LOOPS_MOST: Final = 64
"""How many event loops are remembered. A host may run a new one for every job, and nothing tells when one has ended."""


class StartsAfresh(Protocol):
    """Something that a forked child must not go on with."""

    def start_afresh(self) -> object:
        """Forget what the parent uses; return what must be kept from being freed."""
        ...


_living: Final = weakref.WeakSet[StartsAfresh]()
_inherited: Final = list[object]()
"""What the parent uses. It is kept for as long as the child lives, because freeing it would close it."""


def start_afresh_in_children(owner: StartsAfresh) -> None:
    """Have ``owner`` start afresh in every process that is forked from this one."""
    _living.add(owner)


def _in_child() -> None:
    _inherited.extend([owner.start_afresh() for owner in tuple(_living)])


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)


class PerLoop(Generic[T]):
    """One value for each event loop, made when the loop first asks for it."""

    def __init__(self, make: Callable[[], T], *, refuse: type[PrenopayError]) -> None:
        """Make values with ``make``; raise ``refuse`` in a loop that cannot have one."""
        self._make = make
        self._refuse = refuse
        self._values: dict[object, T] = {}
        self._parents: frozenset[object] = frozenset()
        self._lock = threading.Lock()
        start_afresh_in_children(self)

    def get(self) -> T:
        """Return the value of the loop that runs now."""
        loop = self._loop()
        value = self._values.get(loop)
        if value is None:
            with self._lock:
                value = self._values.setdefault(loop, self._make())
                while len(self._values) > _LOOPS_MOST:
                    self._values.pop(next(iter(self._values)))
        return value

    def start_afresh(self) -> object:
        """Forget the parent's values, and refuse its loops: their worker threads are not in this process."""
        parents, self._values, self._lock = self._values, {}, threading.Lock()
        self._parents |= frozenset(parents)
        return parents

    def _loop(self) -> object:
        try:
            loop = anyio.lowlevel.current_token().native_token
        except RuntimeError:
            message = "no event loop of this process runs here; nothing was sent"
            raise_alone(self._refuse(message))
        if loop in self._parents:
            message = "this event loop ran before the process was forked: run a new one here; nothing was sent"
            raise self._refuse(message)
        return loop


def is_of_another_task(error: BaseException) -> bool:
    """Whether an error says that a task was cancelled, and it was not this one, but one that this one waited for."""
    if not isinstance(error, asyncio.CancelledError):
        return False
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return False
    return task is not None and not task.cancelling()
