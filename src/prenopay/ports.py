"""All the I/O that the core knows: HTTP, the ledger's transactions, the clock, randomness, work side by side.

Every port has two implementations. The *blocking* ones work inside the call and never suspend, so that
``_blocking.run_blocking`` runs a use case to its end in one step, on the caller's thread. The *awaiting* ones
suspend. The core is written once, over the protocols below.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias, TypeVar

from prenopay._arguments import check_arguments, checked_fields, refuse_misuse
from prenopay._hidden import hide

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["Clock", "Entropy", "HttpRequest", "HttpResponse", "HttpSender", "Ledger", "Send", "Together"]

_WAIT_MOST: Final = 86_400
"""Nobody waits longer than a day because a header says so."""
_WAIT_DIGITS: Final = 18
"""A number of more digits is longer than that anyway."""

T = TypeVar("T")
RowT = TypeVar("RowT")


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class HttpRequest:
    """One request to a gateway.

    ``label`` names the call in logs ("capture"), because URLs may hold tokens. ``retry_safe`` says that sending it
    twice changes nothing more than sending it once (a read). Only then the transport sends it again after a lost
    answer. URL and body become types whose ``repr`` is a mask: error trackers show the variables of frames.
    """

    method: str
    url: str = field(repr=False)
    label: str
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)
    retry_safe: bool = False

    def __post_init__(self) -> None:
        """Hide URL and body."""
        hide(self, "url", "body")


@check_arguments(refuse_misuse, any_text=True)
@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class HttpResponse:
    """A gateway's whole answer; header names are lower case. The body's ``repr`` is a mask."""

    status: int
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        """Hide the body."""
        hide(self, "body")

    def header(self, name: str) -> str | None:
        """Return the first value of the header ``name`` (lower case), or ``None``."""
        return next((value for key, value in self.headers if key == name), None)

    def moment(self, name: str) -> datetime | None:
        """Return the time in the header ``name`` (lower case) in UTC; ``None`` if it holds no date of HTTP."""
        from email.utils import parsedate_to_datetime  # noqa: PLC0415 - slow to load, and rarely needed

        try:
            read = parsedate_to_datetime(self.header(name) or "")
            return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
        except (ValueError, OverflowError):
            return None

    @property
    def retry_after(self) -> float | None:
        """The seconds that the gateway asks to wait, a day at most.

        A gateway may also write a date; then the account's transport has put the seconds in its place.
        """
        stated = self.header("retry-after") or ""
        if not (stated.isascii() and stated.isdecimal()):
            return None
        return float(min(int(stated[:_WAIT_DIGITS]), _WAIT_MOST))


class HttpSender(Protocol):
    """Sends one request to a gateway."""

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - a total bound, kept by the sender
        """Return the answer, whatever its status, within ``timeout`` seconds in all.

        Raises ``NotSent`` when the request certainly did not leave, ``OutcomeUnknown`` otherwise.
        """
        ...


Send: TypeAlias = Callable[[HttpRequest], Awaitable[HttpResponse]]
"""Sends a provider's request, within what is left of the operation's deadline."""


class Ledger(Protocol):
    """Runs plain functions over a database connection, each in one transaction of its own."""

    async def transact(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a transaction that may write; commit, or roll back if it raises."""
        ...

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a transaction that only reads."""
        ...

    async def append(self, add: Callable[[Connection, Sequence[RowT]], Sequence[T]], row: RowT) -> T:
        """Add ``row`` with ``add``, in a transaction that other waiting rows may share.

        Rows that arrive during one commit share the next, and ``add`` is called once for all of them. So a burst
        of callbacks costs few commits, and a single one does not wait. If ``add`` fails, it is called again for
        each row alone, so that a bad row fails alone. ``add`` returns a result for each row. Returns that of
        ``row``, after the commit.
        """
        ...

    async def erase_traces(self) -> None:
        """Erase older versions of rows from the database's own files, as far as it can be done at once.

        What cannot be erased now is logged.
        """
        ...


class Clock(Protocol):
    """The only source of time."""

    def now(self) -> datetime:
        """Return the time of day in UTC, with its zone."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never run backwards, for deadlines."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for ``seconds``."""
        ...


class Together(Protocol):
    """Does several works, so that a slow one holds up no other."""

    async def run(
        self, works: Sequence[Callable[[], Coroutine[object, None, T]]], then: Callable[[T], Awaitable[None]]
    ) -> None:
        """Begin all ``works`` (a bounded number at once), and return when all have ended.

        ``then`` gets each result as soon as it is there, always on the thread that called this.
        """
        ...


class Entropy(Protocol):
    """The only source of randomness."""

    def token_bytes(self, count: int) -> bytes:
        """Return ``count`` unpredictable bytes."""
        ...
