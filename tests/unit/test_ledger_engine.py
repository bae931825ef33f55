"""Opening the database, upgrading its tables, and whole transactions on it."""

from __future__ import annotations

import sqlite3
import sys
import traceback
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import NoReturn

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Dialect, Engine, column, literal, select, table, text, update
from sqlalchemy.dialects import postgresql, sqlite

from prenopay._blocking import run_blocking
from prenopay.books import engine as ledger_engine, schema
from prenopay.books.engine import BlockingLedger, open_engine
from prenopay.books.upgrade import open_migrated, require_schema, schema_version, upgrade_database
from prenopay.errors import ConfigurationError, LedgerUnavailable

from .fakes import NOON
from .number_table import add, numbers, open_numbers


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/shop.db"


# Which databases


@pytest.mark.parametrize(
    ("database", "why"),
    [
        ("", "this is not a database URL"),
        ("shop.db", "this is not a database URL"),
        ("postgres//u:hunter2@db/shop", "this is not a database URL"),
        ("postgresql://u:hunter2@db:port/shop", "this is not a database URL"),
        ("mysql://u:hunter2@db/shop", "not on 'mysql'"),
        ("postgres://u:hunter2@db/shop", "write postgresql://user@host/name instead of 'postgres://'"),
        ("sqlite+aiosqlite:///shop.db", r"write sqlite:///file.db instead of 'sqlite\+aiosqlite"),
        (
            "postgresql+asyncpg://u:hunter2@db/shop",
            r"write postgresql://user@host/name instead of 'postgresql\+asyncpg",
        ),
        ("nothing+of+this:///", "not on 'nothing"),
        ("sqlite://shop.db", "has three slashes"),
        ("sqlite:////nowhere/at/all/shop.db", "there is no folder '/nowhere/at/all'; make it first"),
    ],
)
def test_a_database_that_cannot_be_used_is_refused_without_its_password(database: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^database: .*{why}") as caught:
        open_engine(database)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("database", ["postgresql://u@db/shop", "postgresql+psycopg://u@db/shop"])
def test_postgresql_is_spoken_to_with_psycopg(database: str) -> None:
    opened = open_engine(database)
    expected = "postgresql+psycopg"
    assert expected == opened.url.drivername


def test_postgresql_without_its_extra_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigurationError, match=r'needs the extra: pip install "prenopay\[postgres\]"'):
        open_engine("postgresql://u:hunter2@db/shop")


def test_a_file_that_is_no_database_makes_the_ledger_unavailable(tmp_path: Path) -> None:
    (tmp_path / "shop.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(LedgerUnavailable, match="file is not a database"):
        require_schema(open_engine(f"sqlite:///{tmp_path}/shop.db"))


@pytest.mark.parametrize(("name", "expected"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)])
def test_sqlite_is_set_up_for_real_money(url: str, name: str, expected: object) -> None:
    opened = open_engine(url)
    with opened.connect() as connection:
        assert expected == connection.exec_driver_sql(f"PRAGMA {name}").scalar()
    opened.dispose()


# Which disks


def mount(monkeypatch: pytest.MonkeyPatch, table: str) -> None:
    """Give the machine the mounts of ``table``."""
    exists, read = Path.exists, Path.read_text

    def exists_here(path: Path) -> bool:
        return path == Path("/proc/mounts") or exists(path)

    def read_here(path: Path, encoding: str | None = None, errors: str | None = None) -> str:
        return table if path == Path("/proc/mounts") else read(path, encoding, errors)

    monkeypatch.setattr(Path, "exists", exists_here)
    monkeypatch.setattr(Path, "read_text", read_here)


_LOCAL = "/dev/vda / ext4 rw 0 0\nproc /proc proc rw 0 0\n\n"


@pytest.mark.parametrize(
    "kind",
    ["nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "fuse.glusterfs", "fuse.ceph-fuse", "ceph", "afs"],
)
def test_a_network_file_system_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str) -> None:
    mount(monkeypatch, f"{_LOCAL}server:/share {tmp_path} {kind} rw 0 0\n")
    with pytest.raises(ConfigurationError, match=f"is on {kind}, where SQLite's locks do not work"):
        open_engine(f"sqlite:///{tmp_path}/deep/er/shop.db")


@pytest.mark.parametrize(
    "line", ["server:/share {parent}/other nfs rw 0 0", "server:/x {here}-more nfs rw 0 0", "junk"]
)
def test_a_local_disk_beside_a_network_one_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, line: str) -> None:
    mount(monkeypatch, _LOCAL + line.format(parent=tmp_path.parent, here=tmp_path) + "\n")
    open_engine(f"sqlite:///{tmp_path}/shop.db").dispose()


def test_a_local_disk_within_a_network_one_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mount(monkeypatch, f"server:/ {tmp_path.parent} nfs rw 0 0\n/dev/vdb {tmp_path} ext4 rw 0 0\n")
    open_engine(f"sqlite:///{tmp_path}/shop.db").dispose()


def test_a_folder_with_a_space_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mount(monkeypatch, f"{_LOCAL}server:/share {tmp_path}/our\\040disk nfs rw 0 0\n")
    with pytest.raises(ConfigurationError, match="is on nfs"):
        open_engine(f"sqlite:///{tmp_path}/our disk/shop.db")


def test_a_link_is_followed_to_where_the_file_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "near").symlink_to(tmp_path / "far")
    mount(monkeypatch, f"{_LOCAL}server:/share {tmp_path}/far nfs rw 0 0\n")
    with pytest.raises(ConfigurationError, match="is on nfs"):
        open_engine(f"sqlite:///{tmp_path}/near/shop.db")


def test_a_machine_without_a_table_of_mounts_is_trusted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(Path, "exists", lambda _path: False)
    open_engine(f"sqlite:///{tmp_path}/shop.db").dispose()


def test_memory_lies_on_no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    mount(monkeypatch, "server:/ / nfs rw 0 0\n")
    open_engine("sqlite://").dispose()


# Tables


def test_upgrading_twice_is_upgrading_once(url: str) -> None:
    upgrade_database(url)
    upgrade_database(url)
    opened = open_engine(url)
    require_schema(opened)
    expected = schema.SCHEMA_VERSION
    assert expected == schema_version(opened)
    opened.dispose()


def test_a_database_without_tables_says_what_to_run(url: str) -> None:
    opened = open_engine(url)
    with pytest.raises(LedgerUnavailable, match=r"has no tables of prenopay.* run: prenopay db upgrade"):
        require_schema(opened)
    opened.dispose()


def test_a_database_that_is_not_there_is_named_and_not_made(tmp_path: Path) -> None:
    missing = tmp_path / "shop.db"
    with pytest.raises(LedgerUnavailable, match=rf"there is no file {missing}.* run: prenopay db upgrade"):
        open_migrated(f"sqlite:///{missing}")
    assert list(tmp_path.iterdir()) == []


def test_tables_of_another_version_are_refused(url: str) -> None:
    upgrade_database(url)
    opened = open_engine(url)
    with opened.begin() as connection:
        connection.execute(update(table(schema.VERSION_TABLE, column("version_num"))).values(version_num="9999"))
    with pytest.raises(LedgerUnavailable, match=f"knows {schema.SCHEMA_VERSION}; run the newer prenopay"):
        require_schema(opened)
    opened.dispose()


def test_tables_of_a_newer_release_are_left_as_they_are(url: str) -> None:
    upgrade_database(url)
    opened = open_engine(url)
    with opened.begin() as connection:
        connection.execute(update(table(schema.VERSION_TABLE, column("version_num"))).values(version_num="9999"))
    with pytest.raises(LedgerUnavailable, match="run the newer prenopay"):
        upgrade_database(url)
    expected = "9999"
    assert expected == schema_version(opened)
    opened.dispose()


def test_the_code_needs_the_newest_migration() -> None:
    newest = ScriptDirectory(str(Path(schema.__file__).parent / "migrations")).get_current_head()
    expected = schema.SCHEMA_VERSION
    assert expected == newest


def test_the_migrations_make_the_tables_the_code_knows(url: str) -> None:
    upgrade_database(url)
    opened = open_engine(url)
    with opened.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": schema.VERSION_TABLE})
        assert not compare_metadata(context, schema.metadata)
    opened.dispose()


# Times


@pytest.mark.parametrize("dialect", [sqlite.dialect(), postgresql.dialect()])  # type: ignore[no-untyped-call]  # SQLAlchemy's
def test_a_time_comes_back_in_utc(dialect: Dialect) -> None:
    kind = schema.UtcDateTime()
    summer = datetime(2026, 7, 1, 14, 0, tzinfo=timezone(timedelta(hours=2)))
    read = kind.process_result_value(kind.process_bind_param(summer, dialect), dialect)
    assert (datetime(2026, 7, 1, 12, 0, tzinfo=UTC), UTC) == (read, read.tzinfo if read else None)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="a time without a zone cannot be stored"):
        schema.UtcDateTime().process_bind_param(NOON.replace(tzinfo=None), sqlite.dialect())


# Transactions


@pytest.fixture
def opened(url: str) -> Engine:
    return open_numbers(url)


def test_a_transaction_is_committed_whole(opened: Engine) -> None:
    ledger = BlockingLedger(opened)

    def work(connection: Connection) -> str:
        add(connection, 1)
        add(connection, 2)
        return "done"

    expected = ("done", (1, 2))
    assert expected == (run_blocking(ledger.transact(work)), numbers(opened))
    run_blocking(ledger.aclose())


def test_a_transaction_that_raises_leaves_nothing(opened: Engine) -> None:
    def work(connection: Connection) -> NoReturn:
        add(connection, 1)
        message = "a bug"
        raise LookupError(message)

    with pytest.raises(LookupError, match="a bug"):
        run_blocking(BlockingLedger(opened).transact(work))
    assert not numbers(opened)
    opened.dispose()


def test_a_broken_rule_of_the_tables_is_never_shown_as_a_bare_error(opened: Engine) -> None:
    ledger = BlockingLedger(opened)
    run_blocking(ledger.transact(lambda connection: add(connection, 1)))
    with pytest.raises(LedgerUnavailable, match=r"UNIQUE constraint failed: numbers\.number"):
        run_blocking(ledger.transact(lambda connection: add(connection, 1)))
    opened.dispose()


def test_an_error_of_the_database_shows_no_values(opened: Engine) -> None:
    values = {"secret": "hunter2"}

    def work(connection: Connection) -> None:
        connection.execute(text("INSERT INTO nowhere VALUES (:secret)"), values)

    with pytest.raises(LedgerUnavailable, match="repeat it with the same operation id") as caught:
        run_blocking(BlockingLedger(opened).transact(work))
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))
    opened.dispose()


def test_a_value_that_no_column_takes_makes_the_ledger_unavailable(opened: Engine) -> None:
    def work(connection: Connection) -> None:
        connection.execute(select(literal(NOON.replace(tzinfo=None), schema.UtcDateTime())))

    with pytest.raises(LedgerUnavailable, match="a time without a zone cannot be stored"):
        run_blocking(BlockingLedger(opened).transact(work))
    opened.dispose()


def test_a_locked_database_makes_the_ledger_unavailable(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setattr(ledger_engine, "_BUSY_SECONDS", 0)
    opened = open_numbers(url)
    other = sqlite3.connect(opened.url.database or "", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(LedgerUnavailable, match="database is locked"):
        run_blocking(BlockingLedger(opened).transact(lambda connection: add(connection, 1)))
    other.close()
    run_blocking(BlockingLedger(opened).transact(lambda connection: add(connection, 1)))
    expected = (1,)
    assert expected == numbers(opened)
    opened.dispose()


def test_a_second_writer_waits_and_a_reader_does_not(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setattr(ledger_engine, "_BUSY_SECONDS", 0)
    opened = open_numbers(url)
    ledger = BlockingLedger(opened)

    def work(connection: Connection) -> tuple[int, ...]:
        add(connection, 1)
        with pytest.raises(LedgerUnavailable):
            run_blocking(ledger.transact(lambda connection: add(connection, 2)))
        return run_blocking(ledger.read(lambda _connection: numbers(opened)))

    assert not run_blocking(ledger.transact(work))
    expected = (1,)
    assert expected == numbers(opened)
    opened.dispose()


def test_the_schema_is_checked_while_another_writes(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setattr(ledger_engine, "_BUSY_SECONDS", 0)
    upgrade_database(url)
    opened = open_engine(url)
    run_blocking(BlockingLedger(opened).transact(lambda _connection: require_schema(open_engine(url))))
    opened.dispose()
