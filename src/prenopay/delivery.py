"""Events from the outbox to the host's handler: in order per subject, at least once, until the handler succeeds."""

from __future__ import annotations

import inspect
import logging
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Final

from sqlalchemy import Connection

from prenopay._processes import is_of_another_task
from prenopay._redaction import scrub
from prenopay.books import outbox
from prenopay.errors import ConfigurationError, LedgerUnavailable
from prenopay.ports import Clock, Ledger
from prenopay.values.events import AsyncEventHandler, Event, EventHandler
from prenopay.values.subjects import Subject

__all__ = ["Host", "Told", "awaited", "called"]

_log = logging.getLogger("prenopay")

_HANDLER_MAY_TAKE: Final = timedelta(minutes=5)
"""How long a handler keeps an event before another process may try."""
_AT_ONCE_MOST: Final = 1000
_USE_ASYNC = "on_event is async, and blocking accounts call a plain function: use AsyncAccounts, or a plain def"
_USE_BLOCKING = "on_event is a plain function, and async accounts await it: make it async def, or use Accounts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """How many events the handler took, and on which it failed, for people."""

    taken: int = 0
    failures: tuple[str, ...] = ()


@dataclass(slots=True)
class _Handling:
    """One call of the host's handler, and what happened in it. A task that it leaves behind sees that it has ended."""

    ledger: Ledger
    runs: bool = True
    accounts: list[str] = field(default_factory=list[str])
    subjects: list[Subject] = field(default_factory=list[Subject])


_handling: ContextVar[_Handling | None] = ContextVar("prenopay_handling", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """The host as the core sees it: its event handler, and the books that hold the events."""

    ledger: Ledger
    clock: Clock
    on_event: AsyncEventHandler | None

    async def hears(self, account: str, subjects: Sequence[Subject]) -> None:
        """Deliver the waiting events of some subjects; the sweep delivers what fails here."""
        if subjects:
            with suppress(LedgerUnavailable):
                await self.deliver([account], subjects=subjects)

    async def deliver(
        self, accounts: Sequence[str], *, subjects: Sequence[Subject] = (), limit: int = _AT_ONCE_MOST
    ) -> Told:
        """Hand waiting events to the handler, in order per subject; return what it took.

        ``subjects``: only their events. An event whose handler raises stays, and holds back later events of the
        same subject. ``LedgerUnavailable`` notes what the handler failed on before.
        """
        if self.on_event is None:
            return Told()
        outer = _handling.get()
        if outer is not None and outer.runs and outer.ledger is self.ledger:
            outer.accounts.extend(accounts)
            outer.subjects.extend(subjects)  # the handler called prenopay: its caller goes on
            return Told()
        taken, failures = 0, list[str]()
        claim = partial(self._claim, accounts=accounts, subjects=subjects)
        next_one = await self.ledger.transact(claim)
        while next_one is not None:
            if self.clock.now() >= next_one.claimed_until:  # the process was frozen, and another may have it
                next_one = await self.ledger.transact(claim)
                continue
            present, handling = next_one, _Handling(self.ledger)
            why = await self._handled(next_one.event, handling)
            if subjects:
                accounts, subjects = (*accounts, *handling.accounts), (*subjects, *handling.subjects)
            taken, limit = taken + (why is None), limit - 1
            if why is not None:
                failures.append(f"{_named(present.event)}: the handler failed: {why}")

            claim = partial(self._claim, accounts=accounts, subjects=subjects)
            claims = claim if limit > 0 else None
            try:
                next_one = await self.ledger.transact(partial(self._conclude, present=present, why=why, claims=claims))
            except LedgerUnavailable as error:
                for each in failures:
                    error.add_note(each)  # it must not hide that the handler failed, too
                raise
        return Told(taken=taken, failures=tuple(failures))

    def _conclude(
        self,
        connection: Connection,
        *,
        present: outbox.Delivery,
        why: str | None,
        claims: Callable[[Connection], outbox.Delivery | None] | None,
    ) -> outbox.Delivery | None:
        """Write down how a handler ended, and claim the next event."""
        now = self.clock.now()
        if why is None:
            outbox.delivered(connection, present, now=now)
        else:
            outbox.failed(connection, present, why, now=now)
        return None if claims is None else claims(connection)

    def _claim(
        self, connection: Connection, accounts: Sequence[str], subjects: Sequence[Subject]
    ) -> outbox.Delivery | None:
        now = self.clock.now()
        return outbox.claim(connection, accounts, now=now, until=now + _HANDLER_MAY_TAKE, subjects=subjects)

    async def _handled(self, event: Event, handling: _Handling) -> str | None:
        """Call the handler; return what went wrong, if anything."""
        assert self.on_event is not None, "asked by deliver"  # noqa: S101 - tells the type checker
        before = _handling.set(handling)
        try:
            await self.on_event(event)
        except BaseException as error:  # the host's code may raise anything; the event is kept
            if not (isinstance(error, Exception) or is_of_another_task(error)):
                raise
            why = scrub(f"{type(error).__name__}: {error}")
            again = "the handler failed on %s %s; it is called again later: %s%s"
            _log.error(again, event.kind, event.event_id, why, _place(error))
            return why
        finally:
            handling.runs = False
            _handling.reset(before)
        return None


def _place(error: BaseException) -> str:
    """Return where ``error`` was raised."""
    place = next(reversed(traceback.extract_tb(error.__traceback__)), None)
    return "" if place is None else f" ({place.filename}:{place.lineno}, in {place.name})"


def _named(event: Event) -> str:
    amount = "" if event.amount is None else f" ({event.amount})"
    return f"event {event.event_id} of {event.account}, {event.kind}{amount}"


def called(handler: EventHandler) -> AsyncEventHandler:
    """Return an async handler that calls a blocking one; raises ``ConfigurationError`` for one that is async.

    Nobody would await its coroutine, and the event would count as delivered.
    """
    _require_callable(handler)
    if _is_async(handler):
        raise ConfigurationError(_USE_ASYNC)

    async def tell(event: Event) -> None:
        result: object = handler(event)  # type: ignore[func-returns-value]  # the next line checks that it is None
        if inspect.isawaitable(result):
            if inspect.iscoroutine(result):
                result.close()
            raise ConfigurationError(_USE_ASYNC)

    return tell


def awaited(handler: AsyncEventHandler) -> AsyncEventHandler:
    """Return an async handler that awaits the host's; raises ``ConfigurationError`` for a plain function.

    What is neither a function nor a method may still return something to await: it is asked when it is called.
    """
    _require_callable(handler)
    if _is_plain(handler):
        raise ConfigurationError(_USE_BLOCKING)

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


def _is_plain(handler: object) -> bool:
    """Whether a handler is a plain function, or a method, that does not say that it returns something to await."""
    if not inspect.isroutine(handler) or _is_async(inspect.unwrap(handler)) or handler.__name__ == "<lambda>":
        return False
    returns = getattr(handler, "__annotations__", {}).get("return", "None")
    return returns in (None, "None")


def _is_async(handler: object) -> bool:
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(getattr(handler, "__call__", None))  # noqa: B004 - asks if it is async
