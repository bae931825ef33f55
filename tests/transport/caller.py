"""One sender in one colour, called as if it were blocking."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from functools import partial

from anyio.from_thread import start_blocking_portal

from prenopay._blocking import run_blocking
from prenopay._transport import AwaitingSender, BlockingSender
from prenopay.ports import HttpRequest, HttpResponse, HttpSender

COLOURS = ("blocking", "asyncio", "trio")


class Caller:
    """A host's process of one colour; an awaiting one has its event loop on a thread of its own."""

    def __init__(self, colour: str, *, tls: ssl.SSLContext | None = None) -> None:
        self.colour = colour
        self._stack = ExitStack()
        if colour == "blocking":
            self.sender: BlockingSender | AwaitingSender = BlockingSender(tls)
        else:
            self._portal = self._stack.enter_context(start_blocking_portal(colour))
            self.sender = AwaitingSender(tls)

    def send(self, request: HttpRequest, *, timeout: float = 60.0, by: HttpSender | None = None) -> HttpResponse:
        """Send through this caller's sender, or through ``by``, which wraps it."""
        sender = by or self.sender
        if self.colour == "blocking":
            return run_blocking(sender.send(request, timeout=timeout))
        sending: Callable[[], Awaitable[HttpResponse]] = partial(sender.send, request, timeout=timeout)
        return self._portal.call(sending)

    def close(self) -> None:
        if self.colour == "blocking":
            run_blocking(self.sender.aclose())
        else:
            self._portal.call(self.sender.aclose)
        self._stack.close()


def get(url: str, *, headers: tuple[tuple[str, str], ...] = ()) -> HttpRequest:
    return HttpRequest(method="GET", url=url, label="observe", headers=headers, retry_safe=True)


def post(url: str, body: bytes = b'{"amount":1500}', *, headers: tuple[tuple[str, str], ...] = ()) -> HttpRequest:
    return HttpRequest(method="POST", url=url, label="capture", headers=headers, body=body)
