"""An HTTP call as an emulator sees it: what was asked, what is answered, and the ways an answer can go missing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, TypeAlias
from urllib.parse import parse_qsl, urlsplit

from prenopay.testing.callbacks import CallbackQueue
from prenopay.testing.clock import VirtualClock
from prenopay.testing.emulators.jsonvalues import write_json

__all__ = [
    "Dropped",
    "Emulator",
    "EmulatorAnswer",
    "EmulatorRequest",
    "HalfBody",
    "Headers",
    "Outcome",
    "Refused",
    "json_answer",
]

Headers: TypeAlias = tuple[tuple[str, str], ...]
"""Names in lower case; a name may stand more than once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatorRequest:
    """One call. ``origin`` is the scheme and host by which the caller reached the emulator.

    ``client_name`` is the common name of the certificate that the caller presented; empty without one.
    """

    method: str
    target: str
    headers: Headers = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)
    origin: str = "https://localhost"
    peer: str = "127.0.0.1"
    client_name: str = ""

    @property
    def path(self) -> str:
        """The target without its query."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """The query's parameters; of one that is repeated, the last."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def form(self) -> dict[str, str]:
        """The fields of a posted HTML form."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    def header(self, name: str) -> str:
        """Return all values of the header ``name`` (lower case), joined; empty when it is missing."""
        return ", ".join(value for key, value in self.headers if key == name)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatorAnswer:
    """A whole answer, which leaves ``delay_seconds`` after it was made."""

    status: int
    headers: Headers = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)
    delay_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Refused:
    """The connection was refused: the request certainly did not arrive."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """The connection died without an answer; whether the request was acted on, the caller cannot see."""


@dataclass(frozen=True, slots=True)
class HalfBody:
    """The connection dies halfway through this answer's body."""

    answer: EmulatorAnswer


Outcome: TypeAlias = EmulatorAnswer | Refused | Dropped | HalfBody


class Emulator(Protocol):
    """A gateway's stand-in: one synchronous, thread-safe object."""

    @property
    def clock(self) -> VirtualClock:
        """The emulator's time."""
        ...

    @property
    def callbacks(self) -> CallbackQueue:
        """What it has to tell hosts."""
        ...

    def handle(self, request: EmulatorRequest) -> Outcome:
        """Act on one call."""
        ...

    def settle(self) -> None:
        """Let happen what was due by now."""
        ...


def json_answer(status: int, body: object, *, media_type: str = "application/json; charset=utf-8") -> EmulatorAnswer:
    """Return an answer whose body is ``body`` as JSON."""
    return EmulatorAnswer(status=status, headers=(("content-type", media_type),), body=write_json(body))
