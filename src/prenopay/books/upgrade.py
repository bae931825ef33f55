"""The version of the tables: checked before anything else, upgraded by a command and never at import."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, Engine, func, inspect, select, text

from prenopay._arguments import check_arguments, refuse_setting
from prenopay._hidden import HiddenText, raise_alone
from prenopay.books import schema
from prenopay.books.engine import database_files, open_engine, our_errors
from prenopay.errors import LedgerUnavailable

if TYPE_CHECKING:
    from alembic.config import Config

__all__ = ["open_migrated", "require_schema", "schema_version", "upgrade_database", "what_to_do"]

_UPGRADE_PATIENCE_SECONDS: Final = 120
"""How long an upgrade waits for another process that upgrades."""
_UPGRADE_LOCK: Final = 0x7072656E6F706179
"""PostgreSQL's advisory locks are numbers. The bytes of this one spell our name."""


def schema_version(engine: Engine) -> str | None:
    """Return the version of the tables in the database; ``None`` if there are none."""
    if _missing_file(engine) is not None:
        return None  # to connect would leave an empty file
    with our_errors(), engine.execution_options(prenopay_reads=True).connect() as connection:
        return _version(connection)


def what_to_do(found: str | None) -> str:
    """Return how to make tables of version ``found`` and this code fit together; nothing if they do."""
    if found == schema.SCHEMA_VERSION:
        return ""
    if found is not None and found > schema.SCHEMA_VERSION:
        return (
            f"a newer prenopay made these tables: they have schema {found}, and this prenopay knows "
            f"{schema.SCHEMA_VERSION}; run the newer prenopay"
        )
    has = "no tables of prenopay" if found is None else f"schema {found}"
    return (
        f"the database has {has}, this prenopay needs {schema.SCHEMA_VERSION}; run: prenopay db upgrade, or call "
        "upgrade_database(url)"
    )


def require_schema(engine: Engine) -> None:
    """Raise ``LedgerUnavailable`` unless the tables have the version that this code needs."""
    if message := what_to_do(schema_version(engine)):
        if (missing := _missing_file(engine)) is not None:
            message = f"there is no file {missing}: {message}"
        raise LedgerUnavailable(message)


def _missing_file(engine: Engine) -> Path | None:
    """Return the file of a SQLite database that does not exist yet, in a folder that does."""
    for file in database_files(engine.url)[:1]:
        return file if file.parent.is_dir() and not file.exists() else None
    return None


def open_migrated(database: str) -> Engine:
    """Open ``database``; raises ``LedgerUnavailable`` unless its tables have the version that this code needs."""
    database = HiddenText(database)
    engine = open_engine(database)
    try:
        require_schema(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


@check_arguments(refuse_setting)
def upgrade_database(database: str) -> None:
    """Upgrade the tables of ``database`` to the version that this code needs. Never removes anything.

    Safe to call from several processes at once: one upgrades, the others wait for it. Raises ``LedgerUnavailable``
    for tables that a newer prenopay made.
    """
    database = HiddenText(database)
    with _alembic_quiet():
        _upgrade(database)


def _upgrade(database: str) -> None:
    from alembic import command, util  # noqa: PLC0415 - only needed here, and slow to import

    engine = open_engine(database, patience=_UPGRADE_PATIENCE_SECONDS)
    try:
        with our_errors(), engine.begin() as connection:
            if engine.dialect.name == "postgresql":  # SQLite's BEGIN IMMEDIATE lets in one process only
                connection.execute(select(func.pg_advisory_xact_lock(_UPGRADE_LOCK)))
            found = _version(connection)
            if found is not None and found > schema.SCHEMA_VERSION:
                raise LedgerUnavailable(what_to_do(found))
            command.upgrade(_alembic(connection), "head")
    except util.CommandError as error:
        message = f"the tables were not changed: {error}"
        raise_alone(LedgerUnavailable(message))
    finally:
        engine.dispose()


@contextmanager
def _alembic_quiet() -> Generator[None, None, None]:
    """Keep what alembic logs at INFO out of the host's log, unless the host chose a level for it."""
    log = logging.getLogger("alembic")
    if log.level != logging.NOTSET:
        yield
        return
    log.setLevel(logging.WARNING)
    try:
        yield
    finally:
        log.setLevel(logging.NOTSET)


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table(schema.VERSION_TABLE):
        return None
    version = connection.execute(text(f"SELECT version_num FROM {schema.VERSION_TABLE}")).scalar()  # noqa: S608 - our own constant
    return None if version is None else str(version)


def _alembic(connection: Connection) -> Config:
    from alembic.config import Config  # noqa: PLC0415 - only needed here, and slow to import

    config = Config()
    config.set_main_option("script_location", "prenopay.books:migrations")
    config.attributes["connection"] = connection
    return config
