"""Serves an emulator on a real socket: keep-alive, TLS if wanted, and faults on the wire.

::

    with serve(emulator) as served:
        print(served.url)  # http://127.0.0.1:49152

While it serves, another thread delivers the emulator's callbacks over real HTTP.
"""

from __future__ import annotations

import json
import logging
import re
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from typing import Final, TypeVar, assert_never, cast
from urllib.parse import urlsplit

from prenopay._arguments import check_arguments, checked_fields, refuse_misuse
from prenopay._hidden import raise_alone
from prenopay.errors import ConfigurationError
from prenopay.testing.callbacks import Post, post_over_http
from prenopay.testing.http import Dropped, Emulator, EmulatorAnswer, EmulatorRequest, HalfBody, Refused
from prenopay.testing.origins import refusal

__all__ = ["Served", "serve", "serve_until_interrupted"]

_log = logging.getLogger("prenopay.testing")

ServedT = TypeVar("ServedT")

_BODY_LIMIT_BYTES: Final = 1024 * 1024
"""The largest order with 500 lines is a third of this."""
_IDLE_SECONDS: Final = 30.0
"""How long a kept-alive connection may be idle."""
_LOOK_SECONDS: Final = 0.05
"""How often the thread looks for callbacks that are due: at once to a person, rarely to a processor."""
_DIGITS_MOST: Final = 19
"""The longest number of bytes that a computer counts."""
_METHODS: Final = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
_LINE_LIMIT_BYTES: Final = 8192
"""The longest line between the chunks of a body, and the longest part of its trailer."""


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class Served:
    """Where an emulator is served."""

    url: str
    host: str
    port: int


@check_arguments(refuse_misuse, any_text=True)
@contextmanager
def serve(
    emulator: Emulator,
    *,
    port: int = 0,
    host: str = "127.0.0.1",
    tls: ssl.SSLContext | None = None,
    deliver_callbacks: bool = True,
    post: Post = post_over_http,
) -> Generator[Served, None, None]:
    """Serve ``emulator`` until the block ends; port 0 takes any that is free. ``post`` delivers its callbacks.

    Browsers reach it by its address, as ``localhost``, or as ``host``, and only its own pages change anything.

    Raises ``ConfigurationError``, which names the port, if another program has it. At the end, every connection is
    closed and every thread has ended.
    """
    server = _Server(emulator, host, port, tls)
    threads = [threading.Thread(target=server.serve_forever, kwargs={"poll_interval": _LOOK_SECONDS}, name="emulator")]
    if deliver_callbacks:
        threads.append(threading.Thread(target=server.carry_callbacks, args=(post,), name="emulator-callbacks"))
    for thread in threads:
        thread.start()
    try:
        bound = server.server_port
        yield Served(url=f"{server.scheme}://{host}:{bound}", host=host, port=bound)
    finally:
        server.stopping.set()
        server.shutdown()
        for thread in threads:
            thread.join()
        server.hang_up()
        server.server_close()


@check_arguments(refuse_misuse, any_text=True)
def serve_until_interrupted(
    serving: AbstractContextManager[ServedT],
    tell: Callable[[ServedT], Mapping[str, str]],
    welcome: str,
    *,
    as_json: bool,
) -> None:
    """Serve until the user presses Ctrl-C; what ``tell`` returns is written out as JSON, or in ``welcome``."""
    with serving as served, suppress(KeyboardInterrupt):
        said = tell(served)
        sys.stdout.write(f"{json.dumps(said) if as_json else welcome.format(**said)}\n")
        sys.stdout.flush()
        threading.Event().wait()


class _Server(ThreadingHTTPServer):
    """Knows its emulator and its open connections; waits for its threads at the end."""

    daemon_threads = False

    def __init__(self, emulator: Emulator, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        self.emulator = emulator
        self.stopping = threading.Event()
        self.scheme = "http" if tls is None else "https"
        self.served_at = host
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        try:
            super().__init__((host, port), _Handler)
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", "") or error
            message = f"port {port} on {host} cannot be used: {why}; name another port, or 0 for one that is free"
            raise_alone(ConfigurationError(message))
        if tls is not None:
            # The handshake is left to the connection's own thread, so that a slow peer delays nobody.
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def carry_callbacks(self, post: Post) -> None:
        """Deliver what is due until the server stops."""
        while not self.stopping.wait(_LOOK_SECONDS):
            self.emulator.settle()
            self.emulator.callbacks.deliver(post)

    def hang_up(self) -> None:
        """End every connection, so that no thread waits for a caller who keeps the line open."""
        with self._lock:
            for connection in self._connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        if isinstance(request, socket.socket):
            with self._lock:
                self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        if isinstance(request, socket.socket):
            with self._lock:
                self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        """Ignore callers who went away; show everything else."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError | ssl.SSLError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """Turns one HTTP call into an ``EmulatorRequest``, and sends the outcome."""

    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Handle every method in the same way."""
        try:
            request = self._request()
        except _NotTaken as refused:
            self.close_connection = True
            self._answer(refused.answer)
            return
        if request.method == "OPTIONS":
            self._answer(EmulatorAnswer(status=HTTPStatus.NO_CONTENT, headers=(("allow", ", ".join(_METHODS)),)))
            return
        outcome = self._emulating.emulator.handle(request)
        match outcome:
            case EmulatorAnswer():
                self._emulating.stopping.wait(outcome.delay_seconds)
                self._answer(outcome)
            case HalfBody():
                self._answer(outcome.answer, share=2)
                self._hang_up()
            case Refused():
                _log.warning("an open connection cannot be refused: the caller does not know what became of the call")
                self._hang_up()
            case Dropped():
                self._hang_up()
            case _:
                assert_never(outcome)

    do_HEAD = do_OPTIONS = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the names that http.server looks for

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it has in the class above
        """Write nothing: the transcript says what was asked, and holds no secrets."""

    @property
    def _emulating(self) -> _Server:
        assert isinstance(self.server, _Server)
        return self.server

    def _request(self) -> EmulatorRequest:
        """Return the call; a HEAD is a GET whose body stays here (RFC 9110, 9.3.2)."""
        if len(self.headers.get_all("host", ())) > 1 or not _is_target(self.path):
            raise _Unreadable(HTTPStatus.BAD_REQUEST)
        headers = {name.lower(): value for name, value in self.headers.items()}
        server = self._emulating
        if foreign := refusal(self.command, headers, scheme=server.scheme, served_at=server.served_at):
            raise _NotTaken(foreign)
        default_host = f"127.0.0.1:{self._emulating.server_port}"
        return EmulatorRequest(
            method="GET" if self.command == "HEAD" else self.command,
            target=self.path,
            headers=tuple((name.lower(), value) for name, value in self.headers.items()),
            body=self._body(),
            origin=f"{self._emulating.scheme}://{self.headers.get('host', default_host)}",
            peer=str(self.client_address[0]),
            client_name=_client_name(self.connection),
        )

    def _body(self) -> bytes:
        """Return the body, of a stated length or in chunks (RFC 9112, 6.3)."""
        coding, length = self.headers.get("transfer-encoding"), self.headers.get("content-length")
        if coding is None:
            return self.rfile.read(_stated(self.headers.get_all("content-length", ["0"])))
        if coding.strip().lower() != "chunked":
            raise _Unreadable(HTTPStatus.NOT_IMPLEMENTED)
        if length is not None:  # two lengths: one of them is wrong, or is meant to deceive (RFC 9112, 6.1)
            raise _Unreadable(HTTPStatus.BAD_REQUEST)
        return _chunks(self.rfile)

    def _answer(self, answer: EmulatorAnswer, *, share: int = 1) -> None:
        """Send ``answer``; with a ``share`` of 2, only half of its body."""
        self.send_response_only(answer.status)  # without the system's date: the emulator has its own
        for name, value in answer.headers:
            self.send_header(name, value)
        if answer.status != HTTPStatus.NO_CONTENT:
            self.send_header("content-length", str(len(answer.body)))
        if self.close_connection:
            self.send_header("connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body[: len(answer.body) // share])
        self.wfile.flush()

    def _hang_up(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


class _NotTaken(Exception):
    """A call that the emulator does not see; the caller gets ``answer``, and the connection ends."""

    def __init__(self, answer: EmulatorAnswer) -> None:
        super().__init__(answer)
        self.answer = answer


class _Unreadable(_NotTaken):
    """The body cannot be read."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(EmulatorAnswer(status=status))


def _is_target(target: str) -> bool:
    try:
        urlsplit(target)
    except ValueError:  # such as a bracket that nothing closes
        return False
    return True


def _stated(lengths: list[str]) -> int:
    """Return the length of a body as its headers state it."""
    if not re.fullmatch("[0-9]+", lengths[0]):
        raise _Unreadable(HTTPStatus.LENGTH_REQUIRED)
    if len(lengths) > 1 or len(lengths[0]) > _DIGITS_MOST:  # Python reads no number of any length
        raise _Unreadable(HTTPStatus.BAD_REQUEST)
    return _within_limit(int(lengths[0]))


def _within_limit(length: int) -> int:
    if length > _BODY_LIMIT_BYTES:
        raise _Unreadable(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    return length


def _chunks(stream: BufferedIOBase) -> bytes:
    """Return a body in chunks, without its trailer (RFC 9112, 7.1)."""
    body = bytearray()
    while length := _chunk_length(stream):
        _within_limit(len(body) + length)
        body += stream.read(length)
        if _line(stream):
            raise _Unreadable(HTTPStatus.BAD_REQUEST)
    trailer = 0
    while line := _line(stream):
        trailer += len(line)
        if trailer > _LINE_LIMIT_BYTES:
            raise _Unreadable(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
    return bytes(body)


def _chunk_length(stream: BufferedIOBase) -> int:
    written = _line(stream).partition(b";")[0].strip()  # what follows is an extension, which may be ignored
    if not re.fullmatch(rb"[0-9A-Fa-f]{1,8}", written):
        raise _Unreadable(HTTPStatus.BAD_REQUEST)
    return int(written, 16)


def _line(stream: BufferedIOBase) -> bytes:
    """Return a line without its end."""
    line = stream.readline(_LINE_LIMIT_BYTES)
    if not line.endswith(b"\r\n"):
        raise _Unreadable(HTTPStatus.BAD_REQUEST)
    return line[:-2]


def _client_name(connection: socket.socket) -> str:
    """Return the common name of the caller's certificate, which the handshake has checked."""
    certificate = connection.getpeercert() if isinstance(connection, ssl.SSLSocket) else None
    subject = cast("tuple[tuple[tuple[str, str], ...], ...]", (certificate or {}).get("subject", ()))
    return next((value for part in subject for name, value in part if name == "commonName"), "")
