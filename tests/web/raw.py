"""Calls an ASGI app and a WSGI app directly: no server, no framework."""

from __future__ import annotations

import io
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from wsgiref.validate import validator

import anyio

from prenopay.web import asgi, wsgi
from tests.web.host import Host

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


@dataclass(frozen=True)
class Reply:
    """What an app answered, in the same form for both kinds of app."""

    status: int
    headers: dict[str, str]
    body: bytes


def scope(path: str, *, method: str = "POST", headers: dict[str, str] | None = None) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "https",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()],
        "client": ("203.0.113.9", 5000),
        "server": ("shop.example", 443),
    }


class Talk:
    """One ASGI call: it hands the app its messages, and keeps what the app sends."""

    def __init__(self, *messages: dict[str, Any], broken_after: int = 99) -> None:
        self._messages = list(messages)
        self._broken_after = broken_after
        self.sent: list[MutableMapping[str, Any]] = []
        self.received = 0

    async def receive(self) -> dict[str, Any]:
        self.received += 1
        return self._messages.pop(0)

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if len(self.sent) >= self._broken_after:
            message_lost = "the caller hung up"
            raise OSError(message_lost)
        self.sent.append(message)

    @property
    def reply(self) -> Reply:
        start, *bodies = self.sent
        headers = {name.decode(): value.decode() for name, value in start["headers"]}
        assert len(headers) == len(start["headers"])
        return Reply(start["status"], headers, b"".join(each["body"] for each in bodies))


def call_asgi(host: Host, asked: dict[str, Any], talk: Talk) -> Talk:
    """Call the app once; its accounts live as long as the call."""

    async def main() -> None:
        accounts = host.awaiting()
        try:
            await asgi.CallbackApp(accounts)(asked, talk.receive, talk.send)
        finally:
            await accounts.aclose()

    anyio.run(main)
    return talk


def through_asgi(host: Host, path: str, content: bytes, *, method: str = "POST") -> Reply:
    return call_asgi(host, scope(path, method=method), Talk({"type": "http.request", "body": content})).reply


def environ(path: str, content: bytes, **changes: str) -> dict[str, Any]:
    made: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(content)),
        "SERVER_NAME": "shop.example",
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "203.0.113.9",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https",
        "wsgi.input": io.BytesIO(content),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    return made | changes


def call_wsgi(app: WSGIApplication, asked: dict[str, Any]) -> Reply:
    """Call the app as a strict server does: headers before body, and the body closed at the end."""
    started: list[tuple[int, dict[str, str]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], _error: Any = None) -> Any:
        started.append((int(status.split(maxsplit=1)[0]), dict(headers)))
        assert len(started[-1][1]) == len(headers)

    answer = app(asked, start_response)
    try:
        content = b"".join(answer)
    finally:
        close = getattr(answer, "close", None)
        if close is not None:
            close()
    ((status, headers),) = started
    return Reply(status, headers, content)


def through_wsgi(host: Host, path: str, content: bytes, *, method: str = "POST") -> Reply:
    """Call the app through a validator."""
    app = validator(wsgi.CallbackApp(host.blocking()))
    return call_wsgi(app, environ(path, content, REQUEST_METHOD=method))


APPS = {"asgi": through_asgi, "wsgi": through_wsgi}
