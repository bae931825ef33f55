"""Transactions on SQLite and PostgreSQL, blocking and awaiting, and the migrations' entry.

SQLite holds real money here, so these rules apply. The write-ahead log runs with ``synchronous=FULL``: an answered
callback survives a power cut. Writers use ``BEGIN IMMEDIATE``: they wait for the lock at the start, and cannot
lose it in the middle. Network file systems are refused, because their locks cannot be trusted. What is deleted is
overwritten with zeros, and a log that was copied into the database is cut to nothing.
"""

from __future__ import annotations

import functools
import logging
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar, cast

import anyio
import anyio.to_thread
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError, StatementError
from sqlalchemy.pool import StaticPool

from prenopay._files import make_private, report_open
from prenopay._hidden import Hidden, HiddenText, raise_alone
from prenopay._processes import PerLoop, start_afresh_in_children
from prenopay._text import quoted
from prenopay.books import postgresql
from prenopay.books.clock import DatabaseClock
from prenopay.books.quiet import LOGGING_NAME
from prenopay.books.text import as_json
from prenopay.errors import ConfigurationError, LedgerUnavailable
from prenopay.ports import Clock

__all__ = ["AwaitingLedger", "BlockingLedger", "database_files", "open_engine", "our_errors"]

T = TypeVar("T")
RowT = TypeVar("RowT")

_log = logging.getLogger("prenopay")

_ERASING_MAY_WAIT_MS: Final = 1000
"""How long an erasure waits for readers, in milliseconds: writers wait behind it."""
_BUSY_SECONDS: Final = 10
"""How long a writer waits for another process's lock before it gives up."""
_SWITCHES_MOST: Final = 20
"""More processes than this never open a new file at the same moment."""
_POSTGRESQL_READERS: Final = 2
_SQLITE_READERS: Final = 4
_GROUP_MOST: Final = 128
"""How many appends share one commit. A larger group gains nothing (measured)."""
_TRIES_MOST: Final = 6
"""How often a transaction is tried. Together the tries wait for a lock for less than three seconds."""
_PAUSE_SECONDS: Final = 0.05
"""The pause between two tries: who waits for a connection gets it first."""
_LOST_AGAINST_ANOTHER: Final = frozenset({"40001", "40P01", "55P03", "23505"})
"""PostgreSQL's codes for a transaction that can do better next time. They mean: not serializable, deadlock, a lock that
did not come, and a row that another transaction has just added."""
_SPELLINGS: Final = {
    "sqlite": "sqlite:///file.db",
    "postgres": "postgresql://user@host/name",
    "postgresql": "postgresql://user@host/name",
    "psycopg": "postgresql://user@host/name",
}
"""How the URL of a database is written that prenopay works on: without a driver, which prenopay chooses."""
_IN_DOUBT: Final = (
    "the connection to the database was lost during a commit, and the database could not be asked whether this step "
    "was written; repeat it with the same operation id"
)
_NETWORK_FILE_SYSTEMS: Final = ("nfs", "cifs", "smb", "afs", "9p", "sshfs", "glusterfs", "ceph")


def open_engine(database: str, *, patience: float | None = None) -> Engine:
    """Open ``database``: ``sqlite:///shop.db``, ``sqlite://`` (memory) or ``postgresql://…``.

    ``patience`` is how many seconds a writer waits for another process's lock. Raises ``ConfigurationError`` for a
    database that cannot be used; the error names the fix. A forked process gets connections of its own.
    """
    database = HiddenText(database)
    try:
        url = Hidden(make_url(database))  # a tuple, which error trackers open: its repr alone masks the password
    except (ArgumentError, ValueError):  # both show the URL, which may hold a password
        message = "database: this is not a database URL; use sqlite:///file.db or postgresql://user@host/name"
        raise_alone(ConfigurationError(message))
    driver = url.reveal().drivername
    dialect, _, _ = driver.partition("+")
    if driver in {"sqlite", "sqlite+pysqlite"}:
        return _open_sqlite(url.reveal(), patience or _BUSY_SECONDS)
    if driver in {"postgresql", "postgresql+psycopg"}:
        return postgresql.open_postgresql(url, lock_seconds=patience, pool_seconds=_BUSY_SECONDS)
    message = f"database: prenopay works on sqlite and postgresql, not on {quoted(driver)}"
    if right := _SPELLINGS.get(dialect):
        message = f"database: write {right} instead of {quoted(f'{driver}://')}"
    raise ConfigurationError(message)


def _open_sqlite(url: URL, patience: float) -> Engine:
    if url.host:
        message = "database: a file's URL has three slashes: sqlite:///shop.db, or four and its whole path"
        raise ConfigurationError(message)
    in_memory = url.database in (None, "", ":memory:")
    if not in_memory:
        folder = Path(str(url.database)).resolve().parent
        _refuse_network_file_system(folder)
        if not folder.is_dir():
            message = f"database: there is no folder {quoted(str(folder))}; make it first"
            raise ConfigurationError(message)
    pool = {"poolclass": StaticPool} if in_memory else {}
    connect_args = {"check_same_thread": False, "timeout": patience}
    engine = create_engine(
        url,
        connect_args=connect_args,
        hide_parameters=True,
        logging_name=LOGGING_NAME,
        json_serializer=as_json,
        **pool,
    )

    files = database_files(url)
    report_open(files)

    @event.listens_for(engine, "do_connect")
    def make(*_args: object) -> None:
        for file in files[:1]:  # SQLite gives the other two the first one's mode
            make_private(file)

    @event.listens_for(engine, "connect")
    def configure(connection: object, _record: object) -> None:
        assert isinstance(connection, sqlite3.Connection), "SQLAlchemy hands over what its driver made"  # noqa: S101 - tells the type checker
        connection.isolation_level = None
        _write_ahead(connection)
        for pragma in ("synchronous=FULL", "foreign_keys=ON", "secure_delete=ON", "journal_size_limit=0"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        reads = connection.get_execution_options().get("prenopay_reads", False)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


def database_files(url: URL | str) -> tuple[Path, ...]:
    """Return the files of a SQLite database: its own, its log and the log's index. Other databases have none here."""
    url = make_url(url)
    name = url.database
    if url.get_backend_name() != "sqlite" or not name or name == ":memory:" or name.startswith("file:"):
        return ()
    return tuple(Path(f"{name}{ending}").absolute() for ending in ("", "-wal", "-shm"))


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
    """Turn a database error into one of ours, without its frames and its text: both may show what was written."""
    try:
        yield
    except DBAPIError as error:
        message = (
            f"the database did not answer as it should ({_without_statement(error)}); "
            "nothing of this step was written; repeat it with the same operation id"
        )
        ours = LedgerUnavailable(message)
        ours.repeatable = error.connection_invalidated or postgresql.sqlstate(error) in _LOST_AGAINST_ANOTHER
        raise_alone(ours)
    except SQLAlchemyError as error:
        message = f"the database could not be used ({_without_statement(error)})"
        raise_alone(LedgerUnavailable(message))


def _without_statement(error: SQLAlchemyError) -> str:
    """Return what the database said: one line, without the statement that some drivers add to it."""
    cause = error.orig if isinstance(error, StatementError) and error.orig is not None else error
    first, _, _ = str(cause).partition("\n")
    return f"{type(cause).__name__}: {first}"


async def _repeated(once: Callable[[], Awaitable[T]], pause: Callable[[float], Awaitable[None]]) -> T:
    """Run a transaction, and run it again if it lost against another one, or lost its connection.

    Nothing is sent inside a transaction, so that it may be repeated. Between two tries its connection is free for
    others: who waits long for a lock holds up nobody else.
    """
    tries = 1
    while True:
        try:
            return await once()
        except LedgerUnavailable as error:
            if tries >= _TRIES_MOST or not error.repeatable:
                raise
            tries += 1
            await pause(_PAUSE_SECONDS)


async def _sleep(seconds: float) -> None:
    time.sleep(seconds)  # noqa: ASYNC251 - the blocking ledger's


class _Transactions:
    """The blocking transactions that both ledgers use."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._clock: DatabaseClock | None = None
        self._writer = engine.execution_options(prenopay_bounded=True)
        self._reader = self._writer.execution_options(prenopay_reads=True)
        # SQLite in memory has one connection, which two threads must not use at once.
        self._one_at_a_time = threading.RLock() if isinstance(engine.pool, StaticPool) else None
        self._is_a_copy = False
        start_afresh_in_children(self)

    def write(self, work: Callable[[Connection], T]) -> T:
        return self._run(self._writer, work)

    def read(self, work: Callable[[Connection], T]) -> T:
        return self._run(self._reader, work)

    def write_group(self, group: list[_Waiter]) -> None:
        """Add every waiter's row in one transaction. If that fails, add each row in a transaction of its own."""
        try:
            results = self.write(lambda connection: group[0].add(connection, [waiter.row for waiter in group]))
            for waiter, result in zip(group, results, strict=True):
                waiter.result = result
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

    def erase_traces(self) -> None:
        """Copy SQLite's write-ahead log into the database, and empty the log: it keeps older versions of rows.

        A server keeps them in other places, which are not ours (see the guide on personal data).
        """
        if self.engine.dialect.name != "sqlite" or self._one_at_a_time is not None:
            return
        with our_errors():
            pooled = self.engine.raw_connection()
        try:
            connection = cast("sqlite3.Connection", pooled.driver_connection)
            waits: int = connection.execute("PRAGMA busy_timeout").fetchone()[0]
            connection.execute(f"PRAGMA busy_timeout={_ERASING_MAY_WAIT_MS}")
            is_busy: int = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            connection.execute(f"PRAGMA busy_timeout={waits}")
        finally:
            pooled.close()
        if is_busy:
            _log.warning(
                "the database's write-ahead log still has what was erased, because somebody reads the database: "
                "the next erasure, or SQLite itself, empties the log"
            )

    def timed(self, host: Clock) -> Clock:
        """Return the server's clock, which every transaction keeps right; the host's own for SQLite."""
        if self.engine.dialect.name == "sqlite":
            return host
        self._clock = self._clock or DatabaseClock(host)
        return self._clock

    def start_afresh(self) -> object:
        """Open connections of the child's own."""
        pool, self._is_a_copy = self.engine.pool, self._one_at_a_time is not None
        self.engine.dispose(close=False)
        return pool

    def _run(self, engine: Engine, work: Callable[[Connection], T]) -> T:
        if self._is_a_copy:
            message = "a database in memory stays in the process that opened it, and this one was forked from that"
            raise LedgerUnavailable(message)
        with self._one_at_a_time or nullcontext(), our_errors():
            return self._committed(engine, work)

    def _committed(self, engine: Engine, work: Callable[[Connection], T]) -> T:
        results, number = list[T](), None
        try:
            with engine.begin() as connection:
                if self._clock is not None:
                    self._clock.measure(connection)
                results.append(work(connection))
                number = postgresql.transaction_id(connection)
        except DBAPIError as error:
            if not self._happened(error, number):
                raise
        return results[0]

    def _happened(self, error: DBAPIError, number: int | None) -> bool:
        """Whether a transaction was committed although ``error`` ended the commit: a lost connection says nothing."""
        if number is None or not error.connection_invalidated:
            return False
        known = postgresql.happened(self._reader, number)
        if known is None:
            raise_alone(LedgerUnavailable(_IN_DOUBT))
        return known


Add: TypeAlias = Callable[[Connection, Sequence[Any]], Sequence[Any]]


class _Waiter:
    """One row that waits for a shared commit."""

    def __init__(self, add: Add, row: object) -> None:
        self.add = add
        self.row = row
        self.result: Any = None
        self.error: BaseException | None = None
        self.done = False

    def write_alone(self, write: Callable[[Callable[[Connection], Sequence[Any]]], Sequence[Any]]) -> None:
        try:
            (self.result,) = write(lambda connection: self.add(connection, [self.row]))
        except Exception as error:  # noqa: BLE001 - raised by finish(), for this waiter alone
            self.error = error

    def finish(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.result


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
        self.timed: Callable[[Clock], Clock] = self._transactions.timed
        self.start_afresh()
        start_afresh_in_children(self)

    def start_afresh(self) -> None:
        """Wait for nobody: after a fork, the threads that wrote are not in this process."""
        self._waiting: list[_Waiter] = []
        self._writing = False
        self._turn = threading.Condition()

    async def transact(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a writing transaction."""

        async def once() -> T:
            return self._transactions.write(work)

        return await _repeated(once, _sleep)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a reading transaction."""

        async def once() -> T:
            return self._transactions.read(work)

        return await _repeated(once, _sleep)

    async def append(self, add: Callable[[Connection, Sequence[RowT]], Sequence[T]], row: RowT) -> T:
        """Add ``row`` in one commit with rows of other threads that wait at the same time."""
        waiter = _Waiter(add, row)
        with self._turn:
            self._waiting.append(waiter)
        while True:
            with self._turn:
                while self._writing and not waiter.done:
                    self._turn.wait()
                if waiter.done:
                    result: T = waiter.finish()
                    return result
                self._writing = True
                group = _next_group(self._waiting)
            try:
                self._transactions.write_group(group)
            finally:
                with self._turn:
                    self._writing = False
                    self._turn.notify_all()

    async def erase_traces(self) -> None:
        """Empty SQLite's write-ahead log."""
        self._transactions.erase_traces()

    async def aclose(self) -> None:
        """Close every connection."""
        self.engine.dispose()


async def _to_its_end(work: Callable[[], Awaitable[T]]) -> T:
    """Await ``work`` in a task of its own, which no cancelled caller takes along.

    A task group waits for its tasks also after asyncio has cancelled the caller; a shield alone does not.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    async def carry_out() -> None:
        with anyio.CancelScope(shield=True):
            try:
                results.append(await work())
            except BaseException as error:  # noqa: BLE001 - raised below, by the caller's own task
                errors.append(error)

    with anyio.CancelScope(shield=True):
        async with anyio.create_task_group() as group:
            group.start_soon(carry_out)
    for error in errors:
        raise error
    return results[0]


@dataclass(slots=True)
class _InOneLoop:
    """What belongs to one event loop: how many work at once, and the rows that wait."""

    write_limit: anyio.CapacityLimiter
    read_limit: anyio.CapacityLimiter
    turn: anyio.Lock = field(default_factory=anyio.Lock)
    waiting: list[_Waiter] = field(default_factory=list[_Waiter])
    writing: threading.Lock = field(default_factory=threading.Lock)


class AwaitingLedger:
    """Runs transactions on worker threads: one writer for SQLite, a small pool for PostgreSQL.

    A writing transaction is carried out to its end, even if its task is cancelled: only then the task learns of it.
    So what a cancelled task does next sees what it had written. Several event loops may use it.
    """

    def __init__(self, engine: Engine) -> None:
        """Use ``engine`` (see ``open_engine``)."""
        self.engine = engine
        self._transactions = _Transactions(engine)
        self.timed: Callable[[Clock], Clock] = self._transactions.timed
        on_sqlite = engine.dialect.name == "sqlite"
        writers = 1 if on_sqlite else postgresql.CONNECTIONS - _POSTGRESQL_READERS
        readers = _SQLITE_READERS if on_sqlite else _POSTGRESQL_READERS
        self._loops = PerLoop(
            lambda: _InOneLoop(anyio.CapacityLimiter(writers), anyio.CapacityLimiter(readers)),
            refuse=LedgerUnavailable,
        )

    async def transact(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a writing transaction."""
        limit = self._loops.get().write_limit
        write = functools.partial(self._transactions.write, work)
        return await _to_its_end(lambda: _repeated(lambda: _on_thread(limit, write), anyio.sleep))

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a reading transaction."""
        limit = self._loops.get().read_limit
        return await _repeated(lambda: _on_thread(limit, functools.partial(self._transactions.read, work)), anyio.sleep)

    async def append(self, add: Callable[[Connection, Sequence[RowT]], Sequence[T]], row: RowT) -> T:
        """Add ``row`` in one commit with rows of other tasks that wait at the same time.

        The first task that waits writes for all. No task depends on another: any of them may be cancelled.
        """
        waiter, loop = _Waiter(add, row), self._loops.get()
        loop.waiting.append(waiter)
        with anyio.CancelScope(shield=True):
            while not waiter.done:
                async with loop.turn:
                    if not waiter.done:
                        await _on_thread(loop.write_limit, functools.partial(self._write_next_group, loop))
        result: T = waiter.finish()
        return result

    def _write_next_group(self, loop: _InOneLoop) -> None:
        """Commit rows that wait. The thread of a task that was cancelled finishes first."""
        with loop.writing:
            group = _next_group(loop.waiting)
            if group:
                self._transactions.write_group(group)

    async def erase_traces(self) -> None:
        """Empty SQLite's write-ahead log."""
        await _on_thread(self._loops.get().write_limit, self._transactions.erase_traces)

    async def aclose(self) -> None:
        """Close every connection."""
        self.engine.dispose()


async def _on_thread(limit: anyio.CapacityLimiter, work: Callable[[], T]) -> T:
    return await anyio.to_thread.run_sync(work, limiter=limit, abandon_on_cancel=False)
