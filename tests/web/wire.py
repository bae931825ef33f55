"""Both callback apps on real sockets, and a gateway that posts to them byte by byte."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from prenopay.web import asgi, wsgi
from tests.web.host import Host

PATIENCE = 60.0
"""How long a test waits for something that should happen at once."""


@contextmanager
def served_by_uvicorn(host: Host) -> Iterator[int]:
    """Serve the ASGI app, mounted in Starlette; leaving the block waits until all work is done."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    accounts = host.awaiting()
    app = Starlette(routes=[Mount("/pay/callbacks", app=asgi.CallbackApp(accounts))])
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none", timeout_keep_alive=1))

    async def serve() -> None:
        await server.serve(sockets=[listener])
        await accounts.aclose()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = False
    request_queue_size = 512


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it has in the class above
        pass


@contextmanager
def served_by_wsgiref(host: Host) -> Iterator[int]:
    """Serve the WSGI app with a thread for each call; leaving the block waits until all work is done."""
    app = wsgi.CallbackApp(host.blocking())
    with make_server("127.0.0.1", 0, app, server_class=_Server, handler_class=_Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


SERVERS = {"uvicorn": served_by_uvicorn, "wsgiref": served_by_wsgiref}


class Post:
    """One callback on its way over a socket, as slow or broken as a test wants."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)

    def head(self, path: str, length: int | str, *, method: str = "POST", more: str = "") -> Post:
        lines = f"{method} {path} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n{more}"
        self.say(f"{lines}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n".encode())
        return self

    def say(self, text: bytes) -> Post:
        self._socket.sendall(text)
        return self

    def no_more(self) -> Post:
        """Send that nothing more will come, and keep listening."""
        self._socket.shutdown(socket.SHUT_WR)
        return self

    def status(self) -> int:
        """Read the status of the reply and nothing more."""
        line = b""
        while not line.endswith(b"\r\n"):
            byte = self._socket.recv(1)
            if not byte:
                return 0
            line += byte
        return int(line.split()[1])

    def rest(self) -> bytes:
        """Read until the server hangs up."""
        received = b""
        while more := self._socket.recv(65536):
            received += more
        return received

    def hang_up(self) -> None:
        self._socket.close()


def post(port: int, path: str, content: bytes) -> int:
    """Post a callback and return the status of the reply."""
    sent = Post(port).head(path, len(content)).say(content)
    try:
        return sent.status()
    finally:
        sent.rest()
        sent.hang_up()


def at_once(port: int, posts: list[tuple[str, bytes]]) -> list[int]:
    """Connect all, then send all, then read all replies."""
    lines = [Post(port) for _ in posts]
    for line, (path, content) in zip(lines, posts, strict=True):
        line.head(path, len(content)).say(content)
    statuses = [line.status() for line in lines]
    for line in lines:
        line.hang_up()
    return statuses
