"""Calls emulators in this process, as a ``prenopay.ports.HttpSender``: no sockets, no waiting, both colours."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import assert_never
from urllib.parse import urlsplit

from prenopay.errors import NotSent, OutcomeUnknown
from prenopay.ports import HttpRequest, HttpResponse
from prenopay.testing.http import (
    Dropped,
    Emulator,
    EmulatorAnswer,
    EmulatorRequest,
    HalfBody,
    Outcome,
    Refused,
)

__all__ = ["EmulatorSender"]


class EmulatorSender:
    """Sends to the emulator that is mounted at the request's host (``name`` or ``name:port``).

    Never suspends, so it serves blocking and awaiting use cases alike. A delayed answer pushes the
    emulator's clock; one that is later than the timeout is lost, after it was acted on.
    """

    def __init__(self, mounts: Mapping[str, Emulator]) -> None:
        """Mount emulators by host."""
        self._mounts = dict(mounts)

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - see the port
        """Return the emulator's answer, or raise what a real wire would have raised."""
        parts = urlsplit(request.url)
        emulator = self._mounts.get(parts.netloc)
        if emulator is None:
            message = f"{request.label}: no emulator is mounted at {parts.netloc}"
            raise NotSent(message)
        outcome = emulator.handle(
            EmulatorRequest(
                method=request.method,
                target=f"{parts.path}?{parts.query}" if parts.query else parts.path,
                headers=tuple((name.lower(), value) for name, value in request.headers),
                body=request.body,
                origin=f"{parts.scheme}://{parts.netloc}",
            ),
        )
        return _translate(outcome, emulator, label=request.label, timeout=timeout)

    async def aclose(self) -> None:
        """There is nothing to close."""


def _translate(outcome: Outcome, emulator: Emulator, *, label: str, timeout: float) -> HttpResponse:
    match outcome:
        case EmulatorAnswer():
            emulator.clock.advance(timedelta(seconds=min(outcome.delay_seconds, timeout)))
            if outcome.delay_seconds > timeout:
                message = f"{label}: no whole answer within {timeout:.1f} seconds"
                raise OutcomeUnknown(message)
            return HttpResponse(status=outcome.status, headers=outcome.headers, body=outcome.body)
        case Refused():
            message = f"{label}: the connection was refused"
            raise NotSent(message)
        case Dropped():
            message = f"{label}: the connection died before the answer"
            raise OutcomeUnknown(message)
        case HalfBody():
            message = f"{label}: the connection died within the answer"
            raise OutcomeUnknown(message)
        case _:
            assert_never(outcome)
