"""Tells a host's handler some events twice, as any gateway and any restart may: deterministic, to catch it out."""

from __future__ import annotations

import threading
from typing import Final

from prenopay.events import AsyncEventHandler, Event, EventHandler, EventKind

__all__ = ["NotIdempotent", "ToldTwice"]

_EVERY: Final = 3


class NotIdempotent(AssertionError):
    """The host's handler took an event, and raised when it was told the same one again."""


class ToldTwice:
    """Which events are told twice: every third, and the first that says that an order is paid.

    ``Event.event_id`` is the same both times.
    """

    def __init__(self) -> None:
        """Have told nothing."""
        self._lock = threading.Lock()
        self._told = 0
        self._paid_was_told = False
        self._failed: list[str] = []

    def blocking(self, handler: EventHandler) -> EventHandler:
        """Return a handler that hands events on to ``handler``."""

        def hear(event: Event) -> None:
            handler(event)
            if self._again(event):
                try:
                    handler(event)
                except Exception as error:
                    self._note(event, error)
                    raise

        return hear

    def awaiting(self, handler: AsyncEventHandler) -> AsyncEventHandler:
        """Return a handler that hands events on to ``handler``."""

        async def hear(event: Event) -> None:
            await handler(event)
            if self._again(event):
                try:
                    await handler(event)
                except Exception as error:
                    self._note(event, error)
                    raise

        return hear

    def require_idempotent(self) -> None:
        """Raise ``NotIdempotent`` if the handler refused a repeat."""
        if self._failed:
            message = (
                f"on_event took an event and raised when told again: {'; '.join(self._failed)}. "
                "Events come at least once: remember event.event_id and do nothing the second time"
            )
            raise NotIdempotent(message)

    def _again(self, event: Event) -> bool:
        with self._lock:
            self._told += 1
            first_paid = event.kind is EventKind.CAPTURED and event.is_paid and not self._paid_was_told
            self._paid_was_told = self._paid_was_told or first_paid
            return first_paid or self._told % _EVERY == 0

    def _note(self, event: Event, error: Exception) -> None:
        with self._lock:
            self._failed.append(f"{event.kind} ({type(error).__name__}: {error})")
