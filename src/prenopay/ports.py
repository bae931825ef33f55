"""All the I/O the core knows: HTTP, the ledger's transactions, the clock, randomness.

Every port has two makes. The *blocking* ones do their work inside the call and never suspend, so
that ``_blocking.run_blocking`` drives a use case to its end in one step, on the caller's thread.
The *awaiting* ones suspend. The core is written once, over the protocols below.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["Clock", "Entropy", "HttpRequest", "HttpResponse", "HttpSender", "Ledger", "Send"]

T = TypeVar("T")
RowT = TypeVar("RowT")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One request to a gateway.

    ``label`` names the call in logs ("capture"), because URLs may hold tokens. ``retry_safe`` says
    that sending it twice changes nothing more than sending it once (a read): only then does the
    transport send again after a lost answer.
    """

    method: str
    url: str = field(repr=False)
    label: str
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)
    retry_safe: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResponse:
    """A gateway's whole answer; header names are lower case."""

    status: int
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)

    def header(self, name: str) -> str | None:
        """Return the first value of the header ``name`` (lower case), or ``None``."""
        return next((value for key, value in self.headers if key == name), None)


class HttpSender(Protocol):
    """Sends one request to a gateway."""

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - a total bound, kept by the sender
        """Return the answer, whatever its status, within ``timeout`` seconds in all.

        Raises ``NotSent`` when the request certainly did not leave, ``OutcomeUnknown`` otherwise.
        """
        ...


Send: TypeAlias = Callable[[HttpRequest], Awaitable[HttpResponse]]
"""What a provider is given: send this, within what is left of the operation's deadline."""


class Ledger(Protocol):
    """Runs plain functions over a database connection, each as one whole transaction."""

    async def transact(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a transaction that may write; commit, or roll back if it raises."""
        ...

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a transaction that only reads."""
        ...

    async def append(self, add: Callable[[Connection, Sequence[RowT]], None], row: RowT) -> None:
        """Add ``row`` with ``add``, in a transaction it may share with other rows that wait.

        What arrives during one commit shares the next, and ``add`` is called once for all of it: a
        burst of callbacks costs few commits, and a lone one does not wait. If ``add`` fails, it is
        called again for each row alone, so that one row's fault is its own. Returns after the commit.
        """
        ...


class Clock(Protocol):
    """The only source of time."""

    def now(self) -> datetime:
        """Return the time of day, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never run backwards, for deadlines."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class Entropy(Protocol):
    """The only source of randomness."""

    def token_bytes(self, count: int) -> bytes:
        """Return ``count`` unpredictable bytes."""
        ...
