"""A line to PostgreSQL that breaks when a test says so: before or after a commit has reached the server."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum

from sqlalchemy import make_url

_COMMIT = b"COMMIT\0"


class Break(StrEnum):
    """Where the line breaks."""

    BEFORE_COMMIT = "before the server hears of the commit"
    AFTER_COMMIT = "after the server has committed"


class CuttingLine:
    """Listens, and passes everything on to a server; it breaks one connection at a commit that a test chooses."""

    def __init__(self, server: str) -> None:
        there = make_url(server)
        self._there = (str(there.host), there.port or 0)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self.url = there.set(port=self._listener.getsockname()[1]).render_as_string()
        self.commits = 0
        self.broken = 0
        self.refuses_after_break = False
        self._planned: dict[int, Break] = {}
        threading.Thread(target=self._accept, daemon=True).start()

    def break_at(self, commit: int, where: Break) -> None:
        """Break the line at the ``commit``-th commit from now (1 is the next)."""
        self._planned[self.commits + commit] = where

    def close(self) -> None:
        for each in (self._listener, *self._sockets):
            _close(each)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                host, _ = self._listener.accept()
                if self.refuses_after_break and self.broken:
                    host.close()
                    continue
                server = socket.create_connection(self._there)
                self._sockets += [host, server]
                pair = _Pair(self, host, server)
                for work in (pair.pass_on, pair.pass_back):
                    threading.Thread(target=_until_closed, args=(work,), daemon=True).start()

    def planned(self) -> Break | None:
        """Count a commit; return where to break it."""
        self.commits += 1
        return self._planned.pop(self.commits, None)


class _Pair:
    """One connection, with both ends."""

    def __init__(self, line: CuttingLine, host: socket.socket, server: socket.socket) -> None:
        self._line = line
        self._host = host
        self._server = server
        self._deaf = False

    def pass_on(self) -> None:
        while heard := self._host.recv(65536):
            where = self._line.planned() if heard.endswith(_COMMIT) else None
            if where is Break.BEFORE_COMMIT:
                self._break()
                return
            self._deaf = where is Break.AFTER_COMMIT
            self._server.sendall(heard)
        _close(self._server)

    def pass_back(self) -> None:
        while said := self._server.recv(65536):
            if self._deaf:
                self._break()
                return
            self._host.sendall(said)
        _close(self._host)

    def _break(self) -> None:
        self._line.broken += 1
        _close(self._host)
        _close(self._server)


def _until_closed(work: Callable[[], None]) -> None:
    with suppress(OSError):
        work()


def _close(each: socket.socket) -> None:
    with suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()
