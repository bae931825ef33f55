"""HTTP as an emulator sees it: calls, JSON bodies, answers, ways to lose them, and a sender without sockets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import NoReturn, Protocol, TypeAlias, assert_never, cast
from urllib.parse import parse_qsl, urlsplit

from prenopay._arguments import check_arguments, checked_fields, refuse_misuse
from prenopay.errors import NotSent, OutcomeUnknown
from prenopay.ports import HttpRequest, HttpResponse
from prenopay.testing.callbacks import CallbackQueue
from prenopay.testing.clock import VirtualClock

__all__ = [
    "Dropped",
    "Emulator",
    "EmulatorAnswer",
    "EmulatorRequest",
    "EmulatorSender",
    "HalfBody",
    "Headers",
    "JsonObject",
    "Outcome",
    "Refused",
    "as_list",
    "as_object",
    "json_answer",
    "read_json",
    "write_json",
]

Headers: TypeAlias = tuple[tuple[str, str], ...]
"""Names in lower case; a name may occur more than once."""
JsonObject: TypeAlias = dict[str, object]


@check_arguments(refuse_misuse, any_text=True)
@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
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
        """The query's parameters; the last value of a repeated one."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def form(self) -> dict[str, str]:
        """The fields of a posted HTML form."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    def header(self, name: str) -> str:
        """Return all values of the header ``name`` (lower case), joined; empty when it is missing."""
        return ", ".join(value for key, value in self.headers if key == name)

    def json(self) -> JsonObject:
        """Return the JSON object in the body; empty when there is none."""
        try:
            return as_object(read_json(self.body)) or {}
        except ValueError:
            return {}


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class EmulatorAnswer:
    """A whole answer, which leaves ``delay_seconds`` after it was made."""

    status: int
    headers: Headers = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)
    delay_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
@checked_fields
class Refused:
    """The connection was refused: the request certainly did not arrive."""


@dataclass(frozen=True, slots=True)
@checked_fields
class Dropped:
    """The connection died without an answer; the caller cannot see whether the request was acted on."""


@dataclass(frozen=True, slots=True)
@checked_fields
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
        """The callbacks to hosts."""
        ...

    def handle(self, request: EmulatorRequest) -> Outcome:
        """Act on one call."""
        ...

    def settle(self) -> None:
        """Do what is due by now."""
        ...


@check_arguments(refuse_misuse, any_text=True)
class EmulatorSender:
    """A ``prenopay.ports.HttpSender`` that calls the emulator mounted at a request's host (``name`` or ``name:port``).

    It never suspends, so it serves blocking and awaiting use cases alike. A delayed answer pushes the
    emulator's clock; one that is later than the timeout is lost, although the request was acted on.
    """

    def __init__(self, mounts: Mapping[str, Emulator]) -> None:
        """Mount emulators by host."""
        self._mounts = dict(mounts)

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - see the port
        """Return the emulator's answer, or raise what a real connection would have raised."""
        parts = urlsplit(request.url)
        emulator = self._mounts.get(parts.netloc)
        if emulator is None:
            message = f"{request.label}: no emulator is mounted at {parts.netloc}"
            raise NotSent(message)
        call = EmulatorRequest(
            method=request.method,
            target=f"{parts.path}?{parts.query}" if parts.query else parts.path,
            headers=tuple((name.lower(), value) for name, value in request.headers),
            body=request.body,
            origin=f"{parts.scheme}://{parts.netloc}",
        )
        outcome = emulator.handle(call)
        match outcome:
            case EmulatorAnswer():
                emulator.clock.advance(timedelta(seconds=min(outcome.delay_seconds, timeout)))
                if outcome.delay_seconds <= timeout:
                    return HttpResponse(status=outcome.status, headers=outcome.headers, body=outcome.body)
                message = f"{request.label}: no whole answer within {timeout:.1f} seconds"
            case Refused():
                message = f"{request.label}: the connection was refused"
                raise NotSent(message)
            case Dropped():
                message = f"{request.label}: the connection died before the answer"
            case HalfBody():
                message = f"{request.label}: the connection died within the answer"
            case _:
                assert_never(outcome)
        raise OutcomeUnknown(message)

    async def aclose(self) -> None:
        """There is nothing to close."""


@check_arguments(refuse_misuse, any_text=True)
def read_json(body: bytes) -> object:
    """Return what ``body`` holds, fractions as ``Decimal``; raises ``ValueError`` for what is not JSON."""
    try:
        return cast("object", json.loads(body, parse_float=Decimal, parse_constant=_refuse))
    except (RecursionError, InvalidOperation) as error:
        message = "nested too deeply, or a number beyond all bounds"
        raise ValueError(message) from error


def write_json(value: object) -> bytes:
    """Return ``value`` as UTF-8 JSON."""
    return json.dumps(value, ensure_ascii=False, default=_plain).encode()


@check_arguments(refuse_misuse, any_text=True)
def json_answer(status: int, body: object, *, media_type: str = "application/json; charset=utf-8") -> EmulatorAnswer:
    """Return an answer whose body is ``body`` as JSON."""
    return EmulatorAnswer(status=status, headers=(("content-type", media_type),), body=write_json(body))


def as_object(value: object) -> JsonObject | None:
    """Return ``value`` if it is a JSON object."""
    return cast("JsonObject", value) if isinstance(value, dict) else None


def as_list(value: object) -> list[object] | None:
    """Return ``value`` if it is a JSON array."""
    return cast("list[object]", value) if isinstance(value, list) else None


def _plain(value: object) -> float:
    if isinstance(value, Decimal):
        return float(value)
    message = f"{type(value).__name__} has no place in JSON"
    raise TypeError(message)


def _refuse(constant: str) -> NoReturn:
    message = f"{constant} is not JSON"
    raise ValueError(message)
