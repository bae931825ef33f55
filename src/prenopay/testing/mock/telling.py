"""Sends a host's handler some events twice, as a restart may, and notes what it does not take."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from prenopay.errors import ConfigurationError
from prenopay.values.events import AsyncEventHandler, Event, EventHandler, EventKind

__all__ = ["EventsNotTaken", "NotIdempotent", "ToldTwice"]

_EVERY: Final = 3


class NotIdempotent(AssertionError):
    """The host's handler took an event, and raised when the same event came again."""


class EventsNotTaken(AssertionError):
    """The host's handler raised at an event, and the test ended before it took the event."""


class ToldTwice:
    """Which events come twice: every third, and the first that says that an order is paid.

    ``Event.event_id`` is the same both times. With ``repeats=False`` each comes once, and only what the
    handler did not take is noted.
    """

    def __init__(self, *, repeats: bool = True) -> None:
        """Begin without events."""
        self._lock = threading.Lock()
        self._repeats = repeats
        self._told = 0
        self._paid_was_told = False
        self._failed: list[str] = []
        self._untaken: dict[str, tuple[Event, Exception]] = {}

    def blocking(self, handler: EventHandler) -> EventHandler:
        """Return a handler that hands events on to ``handler``; raises ``ConfigurationError`` for what is none."""
        _require_callable(handler)
        if inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(type(handler).__call__):
            message = "on_event: is async, and these accounts are blocking: give a plain function, or open async ones"
            raise ConfigurationError(message)

        def hear(event: Event) -> None:
            with self._first(event):
                handler(event)
            if self._again(event):
                with self._repeat(event):
                    handler(event)

        return hear

    def awaiting(self, handler: AsyncEventHandler) -> AsyncEventHandler:
        """Return a handler that hands events on to ``handler``; raises ``ConfigurationError`` for what is none."""
        _require_callable(handler)

        async def hear(event: Event) -> None:
            with self._first(event):
                await handler(event)
            if self._again(event):
                with self._repeat(event):
                    await handler(event)

        return hear

    def require_taken(self) -> None:
        """Raise ``NotIdempotent`` if the handler refused a repeat, ``EventsNotTaken`` if it never took an event."""
        if self._failed:
            message = (
                f"on_event took an event and raised when it came again: {'; '.join(self._failed)}. "
                "Events come at least once: remember event.event_id and do nothing the second time"
            )
            raise NotIdempotent(message)
        if self._untaken:
            told = "; ".join(_in_words(event, error) for event, error in self._untaken.values())
            message = (
                f"on_event raised, and never took: {told}. Where it is meant to raise at first, let the event come "
                "again before the test ends: clock.advance(timedelta(days=1)), then accounts.sweep()"
            )
            raise EventsNotTaken(message) from next(iter(self._untaken.values()))[1]

    @contextmanager
    def _first(self, event: Event) -> Generator[None]:
        try:
            yield
        except Exception as error:
            with self._lock:
                self._untaken[event.event_id] = event, error
            raise
        with self._lock:
            self._untaken.pop(event.event_id, None)

    @contextmanager
    def _repeat(self, event: Event) -> Generator[None]:
        try:
            yield
        except Exception as error:
            with self._lock:
                self._failed.append(_in_words(event, error))
            raise

    def _again(self, event: Event) -> bool:
        if not self._repeats:
            return False
        with self._lock:
            self._told += 1
            first_paid = event.kind is EventKind.CAPTURED and event.is_paid and not self._paid_was_told
            self._paid_was_told = self._paid_was_told or first_paid
            return first_paid or self._told % _EVERY == 0


def _in_words(event: Event, error: Exception) -> str:
    return f"{event.kind} ({type(error).__name__}: {error})"


def _require_callable(handler: object) -> None:
    if not callable(handler):
        message = f"on_event: must be a function that takes an event, not a {type(handler).__name__}"
        raise ConfigurationError(message)
