"""The wire: sends requests with httpx, within a deadline, to allowed hosts only, and logs each exchange once.

Only this module imports httpx and tenacity, and two things are decided only here. The first is whether a failed
exchange certainly did not reach the gateway (``NotSent``), or may have (``OutcomeUnknown``). The second is what is
sent again: reads, and requests that certainly did not leave.
"""

from __future__ import annotations

import functools
import logging
import math
import socket
import ssl
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Final, NoReturn, TypeAlias, cast

import anyio
import certifi
import httpcore
import httpx
from tenacity import AsyncRetrying, RetryCallState, retry_if_result

from prenopay._hidden import Hidden, raise_alone, without_frames
from prenopay._processes import PerLoop, start_afresh_in_children
from prenopay._redaction import scrub
from prenopay._text import quoted
from prenopay.errors import NotSent, OutcomeUnknown, TransportError
from prenopay.ports import Clock, Entropy, HttpRequest, HttpResponse, HttpSender
from prenopay.values.links import host_of

__all__ = ["EXCEPTIONS", "AccountSender", "AwaitingSender", "BlockingSender", "default_tls"]

_log = logging.getLogger("prenopay.exchange")

_CONNECT_SECONDS: Final = 10.0
"""If a connection takes longer than this, the gateway is not there."""
_CONNECT_SHARE: Final = 0.9
"""The share of a short deadline for connecting. The rest distinguishes "never connected" from "no answer"."""
_ANSWER_LIMIT_BYTES: Final = 4 * 1024 * 1024
"""A payment with all its parts is some 20 kB. A longer body is not an answer."""
_TRIES_MOST: Final = 3
_FIRST_PAUSE_SECONDS: Final = 0.25
_THIS_MACHINE: Final = frozenset({"localhost", "127.0.0.1", "::1"})
"""Emulators listen here. To every other host credentials go over TLS, or not at all."""
_TRY_AGAIN_STATUSES: Final = frozenset({429, 502, 503, 504})
_CONNECTIONS: Final = httpx.Limits(max_connections=20, max_keepalive_connections=20, keepalive_expiry=30.0)

_Tried: TypeAlias = HttpResponse | TransportError
"""How one try ended."""

EXCEPTIONS: Final[dict[type[Exception], type[TransportError]]] = {
    httpx.ConnectError: NotSent,
    httpx.ConnectTimeout: NotSent,
    httpx.PoolTimeout: NotSent,
    httpx.ProxyError: NotSent,
    httpx.UnsupportedProtocol: NotSent,
    httpx.InvalidURL: NotSent,
    httpx.CloseError: OutcomeUnknown,
    httpx.CookieConflict: OutcomeUnknown,
    httpx.DecodingError: OutcomeUnknown,
    httpx.HTTPError: OutcomeUnknown,
    httpx.HTTPStatusError: OutcomeUnknown,
    httpx.LocalProtocolError: OutcomeUnknown,
    httpx.NetworkError: OutcomeUnknown,
    httpx.ProtocolError: OutcomeUnknown,
    httpx.ReadError: OutcomeUnknown,
    httpx.ReadTimeout: OutcomeUnknown,
    httpx.RemoteProtocolError: OutcomeUnknown,
    httpx.RequestError: OutcomeUnknown,
    httpx.RequestNotRead: OutcomeUnknown,
    httpx.ResponseNotRead: OutcomeUnknown,
    httpx.StreamClosed: OutcomeUnknown,
    httpx.StreamConsumed: OutcomeUnknown,
    httpx.StreamError: OutcomeUnknown,
    httpx.TimeoutException: OutcomeUnknown,
    httpx.TooManyRedirects: OutcomeUnknown,
    httpx.TransportError: OutcomeUnknown,
    httpx.WriteError: OutcomeUnknown,
    httpx.WriteTimeout: OutcomeUnknown,
}
"""What each failure proves about the request. A failure that is not listed counts as ``OutcomeUnknown``."""

_FAILURES: Final = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, RuntimeError)
"""The errors that may end an exchange. In an event loop a late TLS alert is a bare ``OSError``, and a loop or a client
that ends meanwhile is a ``RuntimeError``."""


class _WithoutSecrets(logging.Filter):
    """Masks secrets in the client's own log lines: a path may name a stored token, a header may be a token."""

    def filter(self, record: logging.LogRecord) -> bool:
        said = record.getMessage()
        headers = said.find("headers.complete return_value")
        record.msg, record.args = scrub(said if headers < 0 else said[:headers] + "headers.complete"), ()
        return True


for _client in ("httpx", "httpcore.http11", "httpcore.http2"):
    logging.getLogger(_client).addFilter(_WithoutSecrets())


@functools.cache
def default_tls() -> ssl.SSLContext:
    """Return the one TLS context for gateways with public certificates: the system's trust, TLS 1.2 or later."""
    paths = ssl.get_default_verify_paths()
    has_system_trust = any(path and Path(path).exists() for path in (paths.cafile, paths.capath))
    return ssl.create_default_context(cafile=None if has_system_trust else certifi.where())


class BlockingSender:
    """Sends on the caller's thread; safe to share between threads. A forked process gets connections of its own."""

    def __init__(self, tls: ssl.SSLContext | None = None, *, client: httpx.Client | None = None) -> None:
        """Use ``tls`` (default: the system's trust), or a client of the host's own, which the host renews itself."""
        self._given = client
        self._tls = None if client else tls or default_tls()
        self._client = self._connected()
        start_afresh_in_children(self)

    def start_afresh(self) -> object:
        """Connect again in a forked process: two processes that share a connection read each other's answers."""
        parents, self._client = self._client, self._connected()
        return parents

    def _connected(self) -> httpx.Client:
        transport = None if self._tls is None else _BoundedTransport(self._tls)
        return self._given or httpx.Client(transport=transport, trust_env=False, follow_redirects=False)

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - see the port
        """Send, and return the whole answer."""
        _end_by(time.monotonic() + timeout)
        _refuse_closed(self._client, request)
        try:
            answer = self._client.send(_prepare(request, timeout), stream=True, follow_redirects=False)
            try:
                _refuse_coding(answer)
                body = _collect(answer.iter_bytes())
            finally:
                answer.close()
        except _FAILURES as error:
            _raise_ours(error, request)
        return HttpResponse(status=answer.status_code, headers=_headers(answer), body=body)

    async def aclose(self) -> None:
        """Close every connection."""
        self._client.close()


class AwaitingSender:
    """Sends within an event loop. Every event loop has connections of its own, and so has a forked process."""

    def __init__(self, tls: ssl.SSLContext | None = None, *, client: httpx.AsyncClient | None = None) -> None:
        """Use ``tls`` (default: the system's trust), or a client of the host's own, which serves every loop."""
        self._given = client
        self._tls = None if client else tls or default_tls()
        self._clients = PerLoop(self._connected, refuse=NotSent)

    def _connected(self) -> httpx.AsyncClient:
        if self._given is not None:
            return self._given
        transport = httpx.AsyncHTTPTransport(verify=self._tls or True, trust_env=False, limits=_CONNECTIONS)
        return httpx.AsyncClient(transport=transport, trust_env=False, follow_redirects=False)

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - see the port
        """Send, and return the whole answer."""
        client, body = self._clients.get(), Hidden(bytearray())
        _refuse_closed(client, request)
        with anyio.move_on_after(timeout) as exchange:
            try:
                answer = await client.send(_prepare(request, timeout), stream=True, follow_redirects=False)
                try:
                    _refuse_coding(answer)
                    await _receive(answer, body.reveal(), exchange)
                finally:
                    with anyio.CancelScope(shield=True):
                        await answer.aclose()
                _add(body.reveal(), b"")
            except _FAILURES as error:
                _raise_ours(error, request)
            return HttpResponse(status=answer.status_code, headers=_headers(answer), body=bytes(body.reveal()))
        if len(body.reveal()) > _ANSWER_LIMIT_BYTES:
            _raise_ours(_too_large(), request)
        message = f"{request.label}: no whole answer within {timeout:.1f} seconds"
        raise OutcomeUnknown(message)

    async def aclose(self) -> None:
        """Close every connection of this event loop."""
        await self._clients.get().aclose()


class AccountSender:
    """What one account sends through: to its hosts only, again if that is safe, with one log line for each exchange."""

    def __init__(
        self,
        sender: HttpSender,
        *,
        account: str,
        provider: str,
        hosts: frozenset[str],
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        """Wrap ``sender``; ``hosts`` are the only ones (``name`` or ``name:port``) it may talk to."""
        self._sender = sender
        self._who = {"account": account, "provider": provider}
        self._hosts = hosts
        self._clock = clock
        self._entropy = entropy

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - see the port
        """Send a request. While time allows, send it again if it certainly did not leave or is a read."""
        self._refuse_other_hosts(request)
        deadline = self._clock.monotonic() + timeout
        first = await self._try(request, deadline)
        if _worth_repeating(request, first):
            return _answer(await self._repeat(request, first, deadline))
        return _answer(first)

    async def _repeat(self, request: HttpRequest, first: _Tried, deadline: float) -> _Tried:
        """Retry after a first try that may be repeated. Most exchanges never come here."""
        tried = [first]

        async def again() -> _Tried:
            return tried.pop() if tried else await self._try(request, deadline)

        def pause(state: RetryCallState) -> float:
            jitter = 0.5 + self._entropy.token_bytes(1)[0] / 256
            backoff: float = _FIRST_PAUSE_SECONDS * 2 ** (state.attempt_number - 1) * jitter
            return max(backoff, _retry_after(_last(state)))

        def give_up(state: RetryCallState) -> bool:
            spent = state.attempt_number >= _TRIES_MOST
            return spent or self._clock.monotonic() + state.upcoming_sleep >= deadline

        retrying = AsyncRetrying(
            sleep=self._clock.sleep,
            retry=retry_if_result(functools.partial(_worth_repeating, request)),
            wait=pause,
            stop=give_up,
            retry_error_callback=_last,
        )
        return await retrying(again)

    async def _try(self, request: HttpRequest, deadline: float) -> _Tried:
        try:
            return await self._logged(request, max(deadline - self._clock.monotonic(), 0.001))
        except TransportError as error:
            return error

    async def _logged(self, request: HttpRequest, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - see the port
        began = self._clock.monotonic()
        result = "crashed"
        try:
            answer = _waiting_in_seconds(await self._sender.send(request, timeout=timeout), self._clock)
        except TransportError as error:
            result = type(error).__name__
            raise
        else:
            result = str(answer.status)
            return answer
        finally:
            if _log.isEnabledFor(logging.INFO):
                milliseconds = round((self._clock.monotonic() - began) * 1000)
                _log.info(
                    "%s %s %s -> %s in %d ms",
                    self._who["account"],
                    request.method,
                    request.label,
                    result,
                    milliseconds,
                    extra={**self._who, "call": request.label, "result": result, "milliseconds": milliseconds},
                )

    def _refuse_other_hosts(self, request: HttpRequest) -> None:
        scheme, host, name = host_of(request.url)
        if host not in self._hosts or "@" in host:
            message = (
                f"{request.label}: {quoted(name)} is not a host of this account's gateway "
                f"({', '.join(sorted(self._hosts))}); nothing was sent"
            )
            raise NotSent(message)
        if scheme != "https" and name not in _THIS_MACHINE:
            message = f"{request.label}: a link from the gateway is not https; nothing was sent"
            raise NotSent(message)


def _worth_repeating(request: HttpRequest, tried: _Tried) -> bool:
    """Return whether a retry is safe and may help: the request certainly did not leave, or it is a read."""
    if isinstance(tried, HttpResponse):
        return request.retry_safe and tried.status in _TRY_AGAIN_STATUSES
    return isinstance(tried, NotSent) or request.retry_safe


def _answer(tried: _Tried) -> HttpResponse:
    if isinstance(tried, TransportError):
        raise tried
    return tried


def _last(state: RetryCallState) -> _Tried:
    assert state.outcome is not None, "asked after a try"  # noqa: S101 - tenacity's contract
    tried: _Tried = state.outcome.result()
    return tried


def _retry_after(tried: _Tried) -> float:
    return tried.retry_after or 0.0 if isinstance(tried, HttpResponse) else 0.0


def _waiting_in_seconds(answer: HttpResponse, clock: Clock) -> HttpResponse:
    """Write a ``Retry-After`` that is a date as seconds from the answer's own date (RFC 9110, section 10.2.3)."""
    if answer.header("retry-after") is None or answer.retry_after is not None:
        return answer
    if (until := answer.moment("retry-after")) is None:
        return answer
    seconds = max((until - (answer.moment("date") or clock.now())).total_seconds(), 0)
    kept = tuple(each for each in answer.headers if each[0] != "retry-after")
    return replace(answer, headers=(*kept, ("retry-after", str(math.ceil(seconds)))))


def _refuse_closed(client: httpx.Client | httpx.AsyncClient, request: HttpRequest) -> None:
    if client.is_closed:
        message = f"{request.label}: these accounts were closed; nothing was sent"
        raise NotSent(message)


def _prepare(request: HttpRequest, timeout: float) -> httpx.Request:
    connecting = min(_CONNECT_SECONDS, _CONNECT_SHARE * timeout)
    limits = {"connect": connecting, "read": timeout, "write": timeout, "pool": _CONNECT_SHARE * timeout}
    return httpx.Request(
        request.method,
        _url(request.url),
        headers=_header_lines(request.headers),
        content=request.body or None,
        extensions={"timeout": limits},
    )


@functools.lru_cache(maxsize=256)
def _url(url: str) -> httpx.URL:
    """Parse a URL, and cache it: the URLs that create or change payments repeat, and parsing is slow."""
    return httpx.URL(url)


@functools.lru_cache(maxsize=64)
def _header_lines(lines: tuple[tuple[str, str], ...]) -> httpx.Headers:
    """Encode an account's headers once: they are the same in each of its requests."""
    return httpx.Headers([("accept-encoding", "identity"), *lines])


def _refuse_coding(answer: httpx.Response) -> None:
    """Refuse a compressed answer. We asked for none, and a few bytes may unpack to more than the memory holds."""
    coding = answer.headers.get("content-encoding", "identity").strip().lower()
    if coding != "identity":
        message = f"the answer is compressed ({coding[:40]!r}), and we asked for none"
        raise httpx.DecodingError(message)


def _headers(answer: httpx.Response) -> tuple[tuple[str, str], ...]:
    return tuple((name.lower(), value) for name, value in answer.headers.multi_items())


def _collect(chunks: Iterable[bytes]) -> bytes:
    body = bytearray()
    for chunk in chunks:
        _add(body, chunk)
    return bytes(body)


async def _receive(answer: httpx.Response, body: bytearray, exchange: anyio.CancelScope) -> None:
    """Read an answer into ``body``. One that is too large ends ``exchange``."""
    async with aclosing(cast("AsyncGenerator[bytes]", answer.aiter_bytes())) as arriving:
        async for chunk in arriving:
            _add(body, chunk, most=2 * _ANSWER_LIMIT_BYTES)
            if len(body) > _ANSWER_LIMIT_BYTES:
                exchange.cancel()  # ends the next read, and with it every generator around it


def _add(body: bytearray, chunk: bytes, *, most: int = _ANSWER_LIMIT_BYTES) -> None:
    body += chunk
    if len(body) > most:
        raise _too_large()


def _too_large() -> httpx.DecodingError:
    return httpx.DecodingError(f"the answer is larger than {_ANSWER_LIMIT_BYTES} bytes")


def _raise_ours(error: Exception, request: HttpRequest) -> NoReturn:
    """Raise what ``error`` means, from it without its frames; alone if its text shows a header of ours."""
    kind = EXCEPTIONS.get(type(error), OutcomeUnknown)
    what = "the request did not reach the gateway" if kind is NotSent else "sent, but no whole answer came"
    ours = kind(f"{request.label}: {what} ({type(error).__name__}: {_reason(error)})")
    if isinstance(error, httpx.LocalProtocolError):
        del error
        raise_alone(ours)
    raise ours from without_frames(error)


def _reason(error: BaseException | None) -> str:
    """Return the text of ``error`` or of its cause. In an event loop the cause names a refused certificate.

    What is wrong with a request of ours is not repeated: the text has the header, which may be a key.
    """
    if isinstance(error, httpx.LocalProtocolError):
        return "a header of the request is not one that HTTP takes"
    while error is not None and not str(error):
        error = error.__cause__ or error.__context__
    return "" if error is None else str(error)


class _BoundedTransport(httpx.HTTPTransport):
    """httpx's own transport, with connections that keep the deadline.

    The pool is the only private name of httpx used here: httpx offers no other way to pass a network backend.
    """

    def __init__(self, tls: ssl.SSLContext) -> None:
        super().__init__(verify=tls, trust_env=False)
        self._pool = httpcore.ConnectionPool(
            ssl_context=tls,
            max_connections=_CONNECTIONS.max_connections,
            max_keepalive_connections=_CONNECTIONS.max_keepalive_connections,
            keepalive_expiry=_CONNECTIONS.keepalive_expiry,
            network_backend=_BoundedBackend(),
        )


# One deadline for a whole blocking exchange: httpx only limits each read.


class _Deadline(threading.local):
    """When the exchange on this thread must be over."""

    at = float("inf")


_deadline = _Deadline()


def _end_by(moment: float) -> None:
    """Set the moment (of ``time.monotonic``) at which the exchange on this thread must be over."""
    _deadline.at = moment


class _BoundedBackend(httpcore.SyncBackend):
    """Opens connections that keep the deadline."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Try one address after the other. The socket module would give each of them the whole time."""
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in _addresses(host, port):
            bounded = _bounded(timeout, httpcore.ConnectTimeout)
            try:
                return _BoundedStream(super().connect_tcp(address, port, bounded, local_address, socket_options))
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure


class _BoundedStream(httpcore.NetworkStream):
    """A connection whose every read and write ends by the deadline, so that an answer in small pieces ends too."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _bounded(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _bounded(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        bounded = _bounded(timeout, httpcore.ConnectTimeout)
        return _BoundedStream(self._stream.start_tls(ssl_context, server_hostname, bounded))

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)


def _addresses(host: str, port: int) -> list[str]:
    try:
        return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except OSError as error:
        raise_alone(httpcore.ConnectError(str(error)))


def _bounded(timeout: float | None, late: Callable[[str], Exception]) -> float:
    left = _deadline.at - time.monotonic()
    if left <= 0:
        message = "the deadline of the whole exchange passed"
        raise late(message)
    return left if timeout is None else min(timeout, left)
