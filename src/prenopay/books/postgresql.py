"""PostgreSQL as hosts have it: behind a pooler, with other defaults, with locks that somebody forgot.

Nothing is set on a session, because a pooler in transaction mode gives every transaction another one. A
transaction states what it needs when it begins, in one round trip. Errors never show the values in a row.
"""

from __future__ import annotations

import re
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, ExceptionContext, create_engine, event, func, select
from sqlalchemy.exc import DBAPIError, NoSuchModuleError, SQLAlchemyError, StatementError

from prenopay._hidden import Hidden, raise_alone
from prenopay._redaction import scrub
from prenopay.books.quiet import LOGGING_NAME
from prenopay.books.text import as_json
from prenopay.errors import ConfigurationError

__all__ = ["CONNECTIONS", "happened", "open_postgresql", "sqlstate", "transaction_id", "waits_for"]

CONNECTIONS: Final = 5
"""How many connections one process opens."""

_CONNECT_SECONDS: Final = 10
_LOCK_MILLISECONDS: Final = 350
"""How long one try waits for a lock. Between tries the connection is free for others (see ``engine``)."""
_STATEMENT_MILLISECONDS: Final = 10_000
"""How long a statement may take, and how long a process may stop in the middle of a transaction."""
_ASK_AGAIN_SECONDS: Final = 0.1
_ASKS_MOST: Final = 20
"""How often the server is asked about a transaction that it has not finished yet."""
_DIES_SECONDS: Final = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
"""When a server that no longer answers counts as gone."""

_WRITES: Final = "BEGIN ISOLATION LEVEL READ COMMITTED"
_READS: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_BOUNDS: Final = (
    f"; SET LOCAL lock_timeout = {_LOCK_MILLISECONDS}"
    f"; SET LOCAL statement_timeout = {_STATEMENT_MILLISECONDS}"
    f"; SET LOCAL idle_in_transaction_session_timeout = {_STATEMENT_MILLISECONDS}"
)
_NAME: Final = "; SELECT txid_current()"
_NAMED: Final = "prenopay_transaction"
_WAITS_FOR: Final = "prenopay_waits_for"

_READ_ONLY: Final = "25006"
_LOCKED: Final = "55P03"
_QUOTES_NOTHING: Final = frozenset(
    {"08", "0A", "25", "26", "28", "2D", "34", "3B", "3D", "3F", "40", "42", "53", "54", "55", "57", "58"},
)
"""The classes of errors that are about connections, locks, transactions, rights and names, and never quote a row.

Any other may: a value that does not fit (22), a constraint (23), a trigger of the host's own (P0, or any class).
"""
_CONSTRAINT: Final = "23"
_RELATION: Final = re.compile(r'relation "([^"]+)"')


def open_postgresql(url: Hidden[URL], *, lock_seconds: float | None, pool_seconds: float) -> Engine:
    """Open a pool; without the ledger's own bounds a statement waits ``lock_seconds`` for a lock (``None``: for ever).

    Raises ``ConfigurationError`` if the driver is not installed.
    """
    settings: dict[str, Any] = {"connect_timeout": _CONNECT_SECONDS, **_DIES_SECONDS}
    try:
        engine = create_engine(
            url.reveal().set(drivername="postgresql+psycopg"),
            pool_size=CONNECTIONS,
            max_overflow=0,
            pool_timeout=pool_seconds,
            pool_pre_ping=True,
            hide_parameters=True,
            logging_name=LOGGING_NAME,
            json_serializer=as_json,
            # A statement that was prepared on one session of a pooler is unknown on the next.
            connect_args={"prepare_threshold": None}
            | {name: value for name, value in settings.items() if name not in url.reveal().query},
        )
    except (ModuleNotFoundError, NoSuchModuleError):
        message = 'database: PostgreSQL needs the extra: pip install "prenopay[postgres]"'
        raise_alone(ConfigurationError(message))

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        connection.autocommit = True  # the transaction begins below, and not in the driver

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        reads = options.get("prenopay_reads", False)
        bounds = _BOUNDS if options.get("prenopay_bounded", False) else ""
        if not bounds and lock_seconds is not None:
            bounds = f"; SET LOCAL lock_timeout = {round(lock_seconds * 1000)}"
        said = connection.exec_driver_sql((_READS if reads else _WRITES) + bounds + ("" if reads else _NAME))
        connection.info[_NAMED] = None if reads else said.scalar_one()

    @event.listens_for(engine, "after_cursor_execute")
    def read_last(_connection: Connection, cursor: Any, *_rest: object) -> None:
        while cursor.nextset():  # several statements in one round trip: the last one's rows count
            pass

    event.listen(engine, "handle_error", _hide_values)
    return engine


def _hide_values(context: ExceptionContext) -> None:
    """Drop what the server says of values: its texts and details quote rows, with the payer in them.

    A server that only reads now counts as gone. So the next connection looks for the one that writes.
    """
    error, shown = context.original_exception, context.sqlalchemy_exception
    diagnosis = getattr(error, "diag", None)
    if diagnosis is None or diagnosis.message_primary is None or shown is None:
        return
    text = _said(diagnosis)
    if diagnosis.sqlstate == _READ_ONLY:
        context.is_disconnect = True
    if diagnosis.sqlstate == _LOCKED:
        text = f"{_what_waits(context, diagnosis.context)} is locked by another session of the database"
    error.args = (text,)
    shown.args = (f"({type(error).__module__}.{type(error).__name__}) {text}",)
    if isinstance(shown, StatementError):
        shown.params = None


def _said(diagnosis: Any) -> str:
    """Return what can be shown of an error: the server's first line, or only what kind of error it is."""
    code = str(diagnosis.sqlstate)
    if code[:2] in _QUOTES_NOTHING:
        return scrub(str(diagnosis.message_primary))
    if code[:2] == _CONSTRAINT and (name := diagnosis.constraint_name or diagnosis.column_name):
        return f"the constraint {scrub(name)} of {diagnosis.table_name} does not hold (SQLSTATE {code})"
    return f"a value does not fit (SQLSTATE {code})"


def _what_waits(context: ExceptionContext, place: str | None) -> str:
    statement = context.execution_context
    named = None if statement is None else statement.execution_options.get(_WAITS_FOR)
    relation = _RELATION.search(place or "")
    return named or (f"a row of {relation[1]}" if relation else "what this needs")


def waits_for(what: str) -> dict[str, str]:
    """Return the options of a statement that locks ``what``: an error names it for people."""
    return {_WAITS_FOR: what}


def sqlstate(error: DBAPIError) -> str:
    """Return the server's code for an error; nothing if the server did not say any."""
    return getattr(error.orig, "sqlstate", None) or ""


def transaction_id(connection: Connection) -> int | None:
    """Return the server's number of the transaction under way; ``None`` if it has none."""
    number: int | None = connection.info.get(_NAMED)
    return number


def happened(reader: Engine, number: int) -> bool | None:
    """Ask the server whether a transaction was committed; ``None`` if nobody can know."""
    try:
        for pause in (0, *[_ASK_AGAIN_SECONDS] * _ASKS_MOST):
            with reader.begin() as connection:
                connection.execute(select(func.pg_sleep(pause)))
                status = connection.execute(select(func.txid_status(number))).scalar_one()
            if status != "in progress":
                return None if status is None else status == "committed"
    except SQLAlchemyError:
        return None
    return None
