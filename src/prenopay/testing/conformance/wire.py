"""A wire that loses, delays and edits on request: it stands between any provider and the sender of its world."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Final, assert_never

from prenopay.errors import NotSent, OutcomeUnknown
from prenopay.ports import HttpRequest, HttpResponse, HttpSender
from prenopay.testing.clock import VirtualClock
from prenopay.testing.conformance.world import Trouble

__all__ = ["Answer", "Edit", "Wire", "answering", "changes_something", "refused", "with_unknown_members"]

Answer = Callable[[HttpRequest], HttpResponse]
"""Answers in place of the gateway, which is not asked; may raise what the port may."""
Edit = Callable[[HttpRequest, HttpResponse], HttpResponse]
"""Returns what arrives of the gateway's answer."""

_READS: Final = frozenset({"GET", "HEAD"})
_HTML: Final = b"<html><body><h1>It works!</h1></body></html>\n"
_MEMBER: Final = b'"memberOfATimeToCome": {"status": "New", "amount": 1, "list": [true, null]}'
_QUOTE, _ESCAPE, _OPEN, _CLOSE = b'"\\{}'


class Wire:
    """An ``HttpSender`` that hands everything on to another, until something is to go wrong."""

    def __init__(self, sender: HttpSender, clock: VirtualClock) -> None:
        """Send through ``sender``; time is ``clock``'s."""
        self._sender = sender
        self._clock = clock
        self._trouble: Trouble | None = None
        self._answer: Answer | None = None
        self._edit: Edit | None = None
        self._delay = 0.0
        self.seen: list[HttpRequest] = []
        """Every request that left, in order."""
        self.lost: int = 0
        """How many requests met trouble."""

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - see the port
        """Send, and return what arrives; raises as the port says."""
        if self._trouble is not None and changes_something(request):
            return await self._meet(self._trouble, request, timeout)
        if self._answer is not None:
            return self._answer(request)
        self.seen.append(request)
        answer = await self._sender.send(request, timeout=timeout)
        if self._delay:
            self._clock.advance(timedelta(seconds=min(self._delay, timeout)))
            if self._delay > timeout:
                message = f"{request.label}: no whole answer within {timeout:.1f} seconds"
                raise OutcomeUnknown(message)
        return answer if self._edit is None else self._edit(request, answer)

    @contextmanager
    def trouble(self, trouble: Trouble) -> Generator[None]:
        """Let every request that changes something meet ``trouble``; reads go through."""
        self._trouble = trouble
        try:
            yield
        finally:
            self._trouble = None

    @contextmanager
    def slow(self, seconds: float) -> Generator[None]:
        """Let every answer take so long, on the virtual clock."""
        self._delay = seconds
        try:
            yield
        finally:
            self._delay = 0.0

    @contextmanager
    def answered(self, answer: Answer) -> Generator[None]:
        """Let nothing reach the gateway: ``answer`` answers."""
        self._answer = answer
        try:
            yield
        finally:
            self._answer = None

    @contextmanager
    def edited(self, edit: Edit) -> Generator[None]:
        """Let what arrives be what ``edit`` makes of it."""
        self._edit = edit
        try:
            yield
        finally:
            self._edit = None

    async def _meet(self, trouble: Trouble, request: HttpRequest, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - see the port
        self.lost += 1
        match trouble:
            case Trouble.NOT_SENT:
                return refused(request)
            case Trouble.LOST_BEFORE:
                pass
            case Trouble.LOST_AFTER | Trouble.UNREADABLE | Trouble.UNAVAILABLE:
                self.seen.append(request)
                await self._sender.send(request, timeout=timeout)
            case _:
                assert_never(trouble)
        if trouble in {Trouble.UNREADABLE, Trouble.UNAVAILABLE}:
            status = 200 if trouble is Trouble.UNREADABLE else 503
            return HttpResponse(status=status, headers=(("content-type", "text/html"),), body=_HTML)
        message = f"{request.label}: the connection died before the answer"
        raise OutcomeUnknown(message)


def answering(status: int, body: bytes = b"", *, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """Return what answers everything so, whatever is asked."""
    answer = HttpResponse(status=status, headers=(("content-type", "application/json"), *headers), body=body)
    return lambda _request: answer


def refused(request: HttpRequest) -> HttpResponse:
    """Refuse the connection: an ``Answer`` that never answers."""
    message = f"{request.label}: the connection was refused"
    raise NotSent(message)


def changes_something(request: HttpRequest) -> bool:
    """Say whether a request may change something at a gateway: everything but a read by its method."""
    return request.method.upper() not in _READS


def with_unknown_members(_request: HttpRequest, answer: HttpResponse) -> HttpResponse:
    """Put a member that nobody knows into every JSON object of the answer, and leave every other byte alone."""
    if b"json" not in (answer.header("content-type") or "json").encode():
        return answer
    return replace(answer, body=_into_every_object(answer.body))


def _into_every_object(body: bytes) -> bytes:
    """Text by text, so that numbers stay as they were written."""
    made = bytearray()
    inside_text = escaped = False
    for place, sign in enumerate(body):
        made.append(sign)
        if inside_text:
            inside_text = escaped or sign != _QUOTE
            escaped = sign == _ESCAPE and not escaped
        elif sign == _QUOTE:
            inside_text = True
        elif sign == _OPEN:
            is_empty = body[place + 1 :].lstrip()[:1] == bytes([_CLOSE])
            made += _MEMBER if is_empty else _MEMBER + b","
    return bytes(made)
