"""A server on loopback that does on the wire exactly what a test says, and counts its callers."""

from __future__ import annotations

import queue
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeAlias

import pytest

PATIENCE = 60.0
"""How long a test waits for something that should happen at once. It only waits this long if something is broken."""


@dataclass(frozen=True)
class Request:
    """One request as it came over the wire."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)


class Line:
    """One accepted connection, from the server's end."""

    def __init__(self, connection: socket.socket, gateway: Gateway) -> None:
        self._socket = connection
        self._gateway = gateway
        self._unread = b""

    def request(self) -> Request | None:
        """Read one whole request; ``None`` if the caller hangs up instead."""
        if not self._read_until(lambda unread: b"\r\n\r\n" in unread):
            return None
        head, _, self._unread = self._unread.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _version = first.split(" ")
        pairs = (line.partition(":") for line in lines)
        headers = tuple((name.lower(), value.strip()) for name, _, value in pairs)
        length = int(dict(headers).get("content-length", "0"))
        if not self._read_until(lambda unread: len(unread) >= length):
            return None
        body, self._unread = self._unread[:length], self._unread[length:]
        request = Request(method, target, headers, body)
        self._gateway.requests.append(request)
        return request

    def say(self, text: bytes) -> None:
        self._socket.sendall(text)

    def drip(self, text: bytes, *, pause: float = 0.02) -> None:
        """Send ``text`` one byte at a time."""
        for number in range(len(text)):
            if self._gateway.stopping.wait(pause):
                return
            self.say(text[number : number + 1])

    def reset(self) -> None:
        """Cut the connection without a goodbye."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def close(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def wait_for_the_end(self) -> None:
        """Send nothing until the caller hangs up."""
        while self._socket.recv(65536):
            pass

    def _read_until(self, whole: Callable[[bytes], bool]) -> bool:
        while not whole(self._unread):
            more = self._socket.recv(65536)
            if not more:
                return False
            self._unread += more
        return True


Talk: TypeAlias = Callable[[Line], None]
"""What the server does on one connection; when it returns, the server hangs up."""


class Gateway:
    """A server that listens while the block lasts; every connection has a thread of its own."""

    def __init__(self, talk: Talk, *, tls: ssl.SSLContext | None = None) -> None:
        self.accepted = 0
        self.requests: list[Request] = []
        self.stopping = threading.Event()
        self._talk = talk
        self._tls = tls
        self._ended: queue.Queue[BaseException | None] = queue.Queue()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._threads = [threading.Thread(target=self._accept, name="gateway")]
        self._open: set[socket.socket] = set()
        self.host = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.url = f"{'http' if tls is None else 'https'}://{self.host}"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, where: TracebackType | None) -> None:
        self.stopping.set()
        with suppress(OSError):
            socket.create_connection(self._listener.getsockname()).close()  # wakes the one who accepts
        self._threads[0].join()
        self._listener.close()
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join()

    def until_hung_up(self, lines: int = 1) -> None:
        """Wait until ``lines`` connections have ended; raise the error of a test's own script."""
        for _ in range(lines):
            error = self._ended.get(timeout=PATIENCE)
            if error is not None:
                raise error

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if self.stopping.is_set():
                connection.close()
                return
            self.accepted += 1
            self._open.add(connection)
            thread = threading.Thread(target=self._serve, args=(connection,), name="gateway-line")
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        if self._tls is not None:  # from now on the connection is another object over the same socket
            self._open.discard(connection)
            connection = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
            self._open.add(connection)
        try:
            if isinstance(connection, ssl.SSLSocket):
                connection.do_handshake()
            self._talk(Line(connection, self))
        except OSError:  # the caller went away, or did not like our certificate
            ended: BaseException | None = None
        except BaseException as error:  # noqa: BLE001 - shown to the test
            ended = error
        else:
            ended = None
        self._open.discard(connection)
        Line(connection, self).close()
        self._ended.put(ended)


def answer(body: bytes = b"{}", *, status: int = 200, headers: Iterable[str] = ()) -> bytes:
    """Return a whole HTTP answer as bytes."""
    lines = [f"HTTP/1.1 {status} Whatever", f"content-length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def answering(*answers: bytes) -> Talk:
    """Answer the requests of each connection one after the other; the last answer repeats."""

    def talk(line: Line) -> None:
        left = list(answers)
        while line.request() is not None:
            line.say(left.pop(0) if len(left) > 1 else left[0])

    return talk


def silent(line: Line) -> None:
    """Take the request and never answer."""
    line.request()
    line.wait_for_the_end()


def name_gateway_test(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Resolve the name ``gateway.test`` to ``addresses``."""
    real = socket.getaddrinfo

    def look_up(host: str | bytes | None, port: int | None, *rest: int, **named: int) -> list[tuple[Any, ...]]:
        hosts = addresses if host in {"gateway.test", b"gateway.test"} else (host,)
        return [found for each in hosts for found in real(each, port, *rest, **named)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
