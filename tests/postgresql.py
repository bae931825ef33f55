"""A PostgreSQL server for the tests: an installed one's binaries where found, else those of ``pgserver``."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import psycopg

from prenopay import upgrade_database
from prenopay.books import schema

_DATABASE = "prenopay"
_TABLES = [table.name for table in schema.metadata.sorted_tables]
_EMPTY = "; ".join(
    [
        f"LOCK TABLE {', '.join(_TABLES)} IN ACCESS EXCLUSIVE MODE",  # waits for a commit that is still on its way
        "SET LOCAL session_replication_role = replica",  # foreign keys are not checked
        *(f"DELETE FROM {table}" for table in _TABLES),  # noqa: S608 - our own names
        "SELECT setval(oid, 1, false) FROM pg_class WHERE relkind = 'S'",
    ],
)
"""One simple query with several statements is one transaction."""


class Server:
    """A running server on a private port of this machine, with one database for one test at a time."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self._process = process
        self._port = port
        with self._connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {_DATABASE}".encode())
        upgrade_database(self.url)

    @property
    def url(self) -> str:
        """The database's URL."""
        return f"postgresql://postgres@127.0.0.1:{self._port}/{_DATABASE}"

    def made(self, name: str) -> str:
        """Make another database without tables, and return its URL."""
        self.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", database="postgres")
        self.run(f"CREATE DATABASE {name}", database="postgres")
        return f"postgresql://postgres@127.0.0.1:{self._port}/{name}"

    def empty(self) -> None:
        """Delete what the last test left, and end every other connection.

        It takes 1 ms. ``TRUNCATE`` takes 30 ms, and a database made from a template takes 35 ms: both write new files.
        """
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
        with self._connect(_DATABASE) as connection:
            connection.execute(others, (_DATABASE,))
            connection.execute(_EMPTY.encode())

    def run(self, statement: str, *, database: str = _DATABASE) -> list[tuple[Any, ...]]:
        """Run a statement outside of any transaction."""
        with self._connect(database) as connection:
            done = connection.execute(statement.encode())
            return done.fetchall() if done.description else []

    def stop(self) -> None:
        """Stop at once, even while somebody is connected: nothing here is worth keeping."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(timeout=60)

    def _connect(self, database: str) -> psycopg.Connection:
        return psycopg.connect(f"postgresql://postgres@127.0.0.1:{self._port}/{database}", autocommit=True)


_READY_SECONDS = 120


def start_server(folder: Path) -> Server | str:
    """Start a server whose data lies in ``folder``; return why not, where that cannot be."""
    binaries = _binaries()
    if binaries is None:
        return "no PostgreSQL server is installed here (initdb was not found, nor the package pgserver)"
    user = other_user()
    if user is not None:
        shutil.chown(folder, user)  # the server refuses to run as root
    data = folder / "data"
    made = subprocess.run(
        [binaries / "initdb", "--pgdata", data, "--username=postgres", "--auth=trust", "--no-sync", "--encoding=UTF8"],
        capture_output=True,
        check=False,
        user=user,
        cwd=folder,
    )
    if made.returncode:
        return f"PostgreSQL could not make its files: {made.stderr.decode(errors='replace')[-300:]}"
    port = free_port()
    settings = {
        "port": port,
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "fsync": "off",
        "max_connections": 200,
    }
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [binaries / "postgres", "-D", data, *options],
            stdout=log,
            stderr=log,
            user=user,
            cwd=folder,
        )
    wait_until_ready(port, process)
    return Server(process, port)


def _binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    found += [Path(initdb).resolve().parent for initdb in filter(None, [shutil.which("initdb")])]
    package = importlib.util.find_spec("pgserver")
    if package is not None and package.origin is not None:
        found.append(Path(package.origin).parent / "pginstall" / "bin")
    return next((path for path in found if (path / "initdb").exists() and (path / "postgres").exists()), None)


def other_user() -> str | None:
    """Return whom the server runs as when the tests run as root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    return None


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until_ready(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return when the server, or the pooler in front of it, lets somebody in."""
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            message = f"the PostgreSQL server ended with code {process.returncode}"
            raise RuntimeError(message)
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(f"postgresql://postgres@127.0.0.1:{port}/postgres", connect_timeout=1).close()
            return
    message = "the PostgreSQL server did not get ready"
    raise RuntimeError(message)
