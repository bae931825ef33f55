"""Transactions on SQLite and PostgreSQL, blocking and awaiting, and the migrations' entry.

SQLite holds real money here, so these rules apply. The write-ahead log runs with ``synchronous=FULL``: an answered
callback survives a power cut. Writers use ``BEGIN IMMEDIATE``: they wait for the lock at the start, and cannot
lose it in the middle. Network file systems are refused, because their locks cannot be trusted.
"""

from __future__ import annotations

import functools
import sqlite3
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

import anyio
import anyio.to_thread
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError, SQLAlchemyError, StatementError
from sqlalchemy.pool import StaticPool

from prenopay.books.text import as_json
from prenopay.errors import ConfigurationError, LedgerUnavailable

__all__ = ["AwaitingLedger", "BlockingLedger", "open_engine", "our_errors"]

T = TypeVar("T")
RowT = TypeVar("RowT")

_BUSY_SECONDS: Final = 10
"""How long a writer waits for another process's lock before it gives up."""
_SWITCHES_MOST: Final = 20
"""More processes than this never open a new file at the same moment."""
_POSTGRESQL_CONNECTIONS: Final = 5
_POSTGRESQL_READERS: Final = 2
_SQLITE_READERS: Final = 4
_GROUP_MOST: Final = 128
"""How many appends share one commit. A larger group gains nothing (measured)."""
_NETWORK_FILE_SYSTEMS: Final = ("nfs", "cifs", "smb", "afs", "9p", "sshfs", "glusterfs", "ceph")


def open_engine(database: str, *, patience: float | None = None) -> Engine:
    """Open ``database``: ``sqlite:///shop.db``, ``sqlite://`` (memory) or ``postgresql://…``.

    ``patience`` is how many seconds a writer on SQLite waits for another process's lock. Raises
    ``ConfigurationError`` for a database that cannot be used; the error names the fix.
    """
    try:
        url = make_url(database)
    except (ArgumentError, ValueError):  # both show the URL, which may hold a password
        message = "database: this is not a database URL; use sqlite:///file.db or postgresql://user@host/name"
        raise ConfigurationError(message) from None
    if url.drivername in {"sqlite", "sqlite+pysqlite"}:
        return _open_sqlite(url, patience or _BUSY_SECONDS)
    if url.drivername in {"postgresql", "postgresql+psycopg"}:
        return _open_postgresql(url)
    message = f"database: prenopay works on sqlite and postgresql (with psycopg), not on {url.drivername}"
    raise ConfigurationError(message)


def _open_sqlite(url: URL, patience: float) -> Engine:
    in_memory = url.database in (None, "", ":memory:")
    if not in_memory:
        _refuse_network_file_system(Path(str(url.database)).resolve().parent)
    pool = {"poolclass": StaticPool} if in_memory else {}
    connect_args = {"check_same_thread": False, "timeout": patience}
    engine = create_engine(url, connect_args=connect_args, hide_parameters=True, json_serializer=as_json, **pool)

    @event.listens_for(engine, "connect")
    def configure(connection: object, _record: object) -> None:
        assert isinstance(connection, sqlite3.Connection), "SQLAlchemy hands over what its driver made"  # noqa: S101 - tells the type checker
        connection.isolation_level = None
        _write_ahead(connection)
        for pragma in ("synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        reads = connection.get_execution_options().get("prenopay_reads", False)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switch the file to a write-ahead log. The switch is permanent, and needs the file alone.

    Two processes that switch a new file at once block each other, and SQLite itself does not wait for that. So
    wait for the other's lock, and look again.
    """
    for _ in range(_SWITCHES_MOST):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        else:
            return
    connection.execute("PRAGMA journal_mode=WAL")


def _open_postgresql(url: URL) -> Engine:
    url = url.set(drivername="postgresql+psycopg")
    try:
        return create_engine(
            url,
            pool_size=_POSTGRESQL_CONNECTIONS,
            max_overflow=0,
            pool_pre_ping=True,
            hide_parameters=True,
            json_serializer=as_json,
        )
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        message = 'database: PostgreSQL needs the extra: pip install "prenopay[postgres]"'
        raise ConfigurationError(message) from error


def _refuse_network_file_system(folder: Path) -> None:
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return
    found = ("", "")
    for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines():
        _device, place, kind, *_rest = [*line.split(" "), "", "", ""]
        place = place.replace("\\040", " ")
        inside = place == "/" or folder == Path(place) or Path(place) in folder.parents
        if inside and len(place) >= len(found[0]):
            found = (place, kind)
    if found[1].removeprefix("fuse.").startswith(_NETWORK_FILE_SYSTEMS):
        message = f"database: {folder} is on {found[1]}, where SQLite's locks do not work: use a local disk"
        raise ConfigurationError(message)


@contextmanager
def our_errors() -> Generator[None]:
    """Turn a database error into one of ours. A broken constraint is left for the caller to read."""
    try:
        yield
    except IntegrityError:
        raise
    except DBAPIError as error:
        message = (
            f"the database did not answer as it should ({_without_statement(error)}); "
            "nothing of this step was written; repeat it with the same operation id"
        )
        raise LedgerUnavailable(message) from error
    except SQLAlchemyError as error:
        message = f"the database could not be used ({_without_statement(error)})"
        raise LedgerUnavailable(message) from error


def _without_statement(error: SQLAlchemyError) -> str:
    """Return what the database said: one line, without the statement that some drivers add to it."""
    cause = error.orig if isinstance(error, StatementError) and error.orig is not None else error
    first, _, _ = str(cause).partition("\n")
    return f"{type(cause).__name__}: {first}"


class _Transactions:
    """The blocking transactions that both ledgers use."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._reader = engine.execution_options(prenopay_reads=True)
        # SQLite in memory has one connection, which two threads must not use at once.
        self._one_at_a_time = threading.RLock() if isinstance(engine.pool, StaticPool) else None

    def write(self, work: Callable[[Connection], T]) -> T:
        return self._run(self.engine, work)

    def read(self, work: Callable[[Connection], T]) -> T:
        return self._run(self._reader, work)

    def write_group(self, group: list[_Waiter]) -> None:
        """Add every waiter's row in one transaction. If that fails, add each row in a transaction of its own."""
        try:
            self.write(lambda connection: group[0].add(connection, [waiter.row for waiter in group]))
        except Exception:  # noqa: BLE001 - each row is tried alone below, and its waiter gets the error
            for waiter in group:
                waiter.write_alone(self.write)
        except BaseException as error:
            for waiter in group:
                waiter.error = error
            raise
        finally:
            for waiter in group:
                waiter.done = True

    def _run(self, engine: Engine, work: Callable[[Connection], T]) -> T:
        if self._one_at_a_time is None:
            with our_errors(), engine.begin() as connection:
                return work(connection)
        with self._one_at_a_time, our_errors(), engine.begin() as connection:
            return work(connection)


Add: TypeAlias = Callable[[Connection, Sequence[Any]], None]


class _Waiter:
    """One row that waits for a shared commit."""

    def __init__(self, add: Add, row: object) -> None:
        self.add = add
        self.row = row
        self.error: BaseException | None = None
        self.done = False

    def write_alone(self, write: Callable[[Callable[[Connection], None]], None]) -> None:
        try:
            write(lambda connection: self.add(connection, [self.row]))
        except Exception as error:  # noqa: BLE001 - raised by finish(), for this waiter alone
            self.error = error

    def finish(self) -> None:
        if self.error is not None:
            raise self.error


def _next_group(waiting: list[_Waiter]) -> list[_Waiter]:
    """Take the rows from ``waiting`` that are added in the same way as the first, as many as one commit may hold."""
    group = [waiter for waiter in waiting if waiter.add == waiting[0].add][:_GROUP_MOST]
    for waiter in group:
        waiting.remove(waiter)
    return group


class BlockingLedger:
    """Runs transactions on the caller's thread."""

    def __init__(self, engine: Engine) -> None:
        """Use ``engine`` (see ``open_engine``)."""
        self.engine = engine
        self._transactions = _Transactions(engine)
        self._waiting: list[_Waiter] = []
        self._writing = False
        self._turn = threading.Condition()

    async def transact(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a writing transaction."""
        return self._transactions.write(work)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a reading transaction."""
        return self._transactions.read(work)

    async def append(self, add: Callable[[Connection, Sequence[RowT]], None], row: RowT) -> None:
        """Add ``row`` in one commit with rows of other threads that wait at the same time."""
        waiter = _Waiter(add, row)
        with self._turn:
            self._waiting.append(waiter)
        while True:
            with self._turn:
                while self._writing and not waiter.done:
                    self._turn.wait()
                if waiter.done:
                    waiter.finish()
                    return
                self._writing = True
                group = _next_group(self._waiting)
            try:
                self._transactions.write_group(group)
            finally:
                with self._turn:
                    self._writing = False
                    self._turn.notify_all()

    async def aclose(self) -> None:
        """Close every connection."""
        self.engine.dispose()


class AwaitingLedger:
    """Runs transactions on worker threads: one writer for SQLite, a small pool for PostgreSQL.

    A transaction that has begun is finished, even if its task is cancelled.
    """

    def __init__(self, engine: Engine) -> None:
        """Use ``engine`` (see ``open_engine``)."""
        self.engine = engine
        self._transactions = _Transactions(engine)
        on_sqlite = engine.dialect.name == "sqlite"
        self._writers = 1 if on_sqlite else _POSTGRESQL_CONNECTIONS - _POSTGRESQL_READERS
        self._readers = _SQLITE_READERS if on_sqlite else _POSTGRESQL_READERS
        self._waiting: list[_Waiter] = []
        self._writing = threading.Lock()

    async def transact(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a writing transaction."""
        return await self._on_thread(self._write_limit, functools.partial(self._transactions.write, work))

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a reading transaction."""
        return await self._on_thread(self._read_limit, functools.partial(self._transactions.read, work))

    async def append(self, add: Callable[[Connection, Sequence[RowT]], None], row: RowT) -> None:
        """Add ``row`` in one commit with rows of other tasks that wait at the same time.

        The first task that waits writes for all. No task depends on another: any of them may be cancelled.
        """
        waiter = _Waiter(add, row)
        self._waiting.append(waiter)
        with anyio.CancelScope(shield=True):
            while not waiter.done:
                async with self._turn:
                    if not waiter.done:
                        await self._on_thread(self._write_limit, self._write_next_group)
        waiter.finish()

    def _write_next_group(self) -> None:
        """Commit rows that wait. The thread of a task that was cancelled finishes first."""
        with self._writing:
            group = _next_group(self._waiting)
            if group:
                self._transactions.write_group(group)

    async def _on_thread(self, limit: Callable[[], anyio.CapacityLimiter], work: Callable[[], T]) -> T:
        return await anyio.to_thread.run_sync(work, limiter=limit(), abandon_on_cancel=False)

    # Limiters and locks belong to the running event loop, so they are made on first use.
    @functools.cached_property
    def _limits(self) -> tuple[anyio.CapacityLimiter, anyio.CapacityLimiter]:
        return anyio.CapacityLimiter(self._writers), anyio.CapacityLimiter(self._readers)

    @functools.cached_property
    def _turn(self) -> anyio.Lock:
        return anyio.Lock()

    def _write_limit(self) -> anyio.CapacityLimiter:
        return self._limits[0]

    def _read_limit(self) -> anyio.CapacityLimiter:
        return self._limits[1]

    async def aclose(self) -> None:
        """Close every connection."""
        self.engine.dispose()
