"""The host's event handler as the core awaits it; one of the wrong colour is refused, as it would lose events."""

from __future__ import annotations

import inspect

from prenopay.errors import ConfigurationError
from prenopay.values.events import AsyncEventHandler, Event, EventHandler

__all__ = ["awaited", "called"]

_USE_ASYNC = "on_event is async, and blocking accounts call a plain function: use AsyncAccounts, or a plain def"
_USE_BLOCKING = "on_event is a plain function, and async accounts await it: make it async def, or use Accounts"


def called(handler: EventHandler) -> AsyncEventHandler:
    """Return what calls a blocking handler; raises ``ConfigurationError`` for one that cannot be called so.

    A coroutine that nobody awaits does nothing, and the event would count as told.
    """
    _require_callable(handler)
    if _is_async(handler):
        raise ConfigurationError(_USE_ASYNC)

    async def tell(event: Event) -> None:
        result: object = handler(event)  # type: ignore[func-returns-value]  # that it returns nothing is what is checked
        if inspect.isawaitable(result):
            if inspect.iscoroutine(result):
                result.close()
            raise ConfigurationError(_USE_ASYNC)

    return tell


def awaited(handler: AsyncEventHandler) -> AsyncEventHandler:
    """Return what awaits an async handler; raises ``ConfigurationError`` for one that cannot be called."""
    _require_callable(handler)

    async def tell(event: Event) -> None:
        result: object = handler(event)
        if not inspect.isawaitable(result):
            raise ConfigurationError(_USE_BLOCKING)
        await result

    return tell


def _require_callable(handler: object) -> None:
    if not callable(handler):
        message = f"on_event: must be a function that takes an event, not {type(handler).__name__}"
        raise ConfigurationError(message)


def _is_async(handler: object) -> bool:
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(getattr(handler, "__call__", None))  # noqa: B004 - asks for its colour, not whether it is there
