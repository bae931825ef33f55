"""Connections that keep one deadline for a whole blocking exchange: httpx knows bounds per read, not in all."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable

import httpcore

__all__ = ["BoundedBackend", "end_by"]


class _Deadline(threading.local):
    """When the exchange on this thread must be over."""

    at = float("inf")


_deadline = _Deadline()


def end_by(moment: float) -> None:
    """Let the exchange that this thread begins now be over at ``moment`` (of ``time.monotonic``)."""
    _deadline.at = moment


class BoundedBackend(httpcore.SyncBackend):
    """Opens connections that keep the deadline."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Try one address after the other: left to the socket module, each would get the whole time."""
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in _addresses(host, port):
            bounded = _bounded(timeout, httpcore.ConnectTimeout)
            try:
                return _BoundedStream(super().connect_tcp(address, port, bounded, local_address, socket_options))
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure


class _BoundedStream(httpcore.NetworkStream):
    """A connection whose every read and write ends by the deadline, so that a dripping answer does too."""

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
        raise httpcore.ConnectError(str(error)) from error


def _bounded(timeout: float | None, late: Callable[[str], Exception]) -> float:
    left = _deadline.at - time.monotonic()
    if left <= 0:
        message = "the deadline of the whole exchange passed"
        raise late(message)
    return left if timeout is None else min(timeout, left)
