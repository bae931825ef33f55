"""The tables: migrations make exactly what the code says, again and again, from several processes, never downwards."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from prenopay import Accounts, upgrade_database
from prenopay.books import schema
from prenopay.books.engine import open_engine
from prenopay.books.upgrade import require_schema, schema_version
from prenopay.errors import LedgerUnavailable
from tests.postgresql import Server

ROOT = Path(__file__).parents[2]

AT_ONCE = 6
"""How many processes upgrade at the same time: a deployment starts all its workers together."""

UPGRADE = """
import sys, pathlib, time
from prenopay import upgrade_database
from prenopay.books import engine
import alembic.command, sqlalchemy.dialects.postgresql.psycopg
print("ready", flush=True)
sys.stdin.readline()
upgrade_database(sys.argv[1])
"""


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def bare_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Return a database without any table, on each of the two kinds in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'bare.db'}"
        return
    server: Server = request.getfixturevalue("postgresql")
    name = f"bare_{uuid.uuid4().hex}"
    server.run(f"CREATE DATABASE {name}", database="postgres")
    yield sa.make_url(server.url).set(database=name).render_as_string()
    server.run(f"DROP DATABASE {name} WITH (FORCE)", database="postgres")


def differences(database: str, metadata: sa.MetaData) -> list[Any]:
    """Return what alembic would change in ``database`` to make it what ``metadata`` says."""
    engine = open_engine(database)
    options = {"version_table": schema.VERSION_TABLE, "compare_type": True, "compare_server_default": True}
    try:
        with engine.connect() as connection:
            return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))
    finally:
        engine.dispose()


def run(database: str, statement: str) -> list[Any]:
    engine = open_engine(database)
    try:
        with engine.begin() as connection:
            result = connection.execute(sa.text(statement))
            return list(result.scalars()) if result.returns_rows else []
    finally:
        engine.dispose()


def set_version(database: str, version: str) -> None:
    run(database, f"UPDATE {schema.VERSION_TABLE} SET version_num = '{version}'")  # noqa: S608 - our own names


# Migrations and tables agree


def test_migrations_make_exactly_the_tables(bare_database: str) -> None:
    upgrade_database(bare_database)
    assert differences(bare_database, schema.metadata) == []


def test_nullability_and_keys_are_the_same_too(bare_database: str) -> None:
    """Made by migrations and made from the tables directly, both databases describe themselves alike."""
    upgrade_database(bare_database)
    made = sorted(described(bare_database).items())
    engine = open_engine(bare_database)
    with engine.begin() as connection:
        connection.execute(sa.text(f"DROP TABLE {schema.VERSION_TABLE}"))
        schema.metadata.drop_all(connection)
        schema.metadata.create_all(connection)
    engine.dispose()
    assert made == sorted(described(bare_database).items())
    assert len(made) == len(schema.metadata.tables)


def described(database: str) -> dict[str, Any]:
    engine = open_engine(database)
    try:
        inspector = sa.inspect(engine)
        return {
            table: (
                sorted((each["name"], str(each["type"]), each["nullable"]) for each in inspector.get_columns(table)),
                inspector.get_pk_constraint(table)["constrained_columns"],
                sorted(str(each["constrained_columns"]) for each in inspector.get_foreign_keys(table)),
                sorted((str(each["name"]), each["column_names"]) for each in inspector.get_unique_constraints(table)),
                sorted(
                    (str(each["name"]), each["column_names"], each["unique"]) for each in inspector.get_indexes(table)
                ),
            )
            for table in inspector.get_table_names()
            if table != schema.VERSION_TABLE
        }
    finally:
        engine.dispose()


def test_a_forgotten_migration_would_be_seen(bare_database: str) -> None:
    upgrade_database(bare_database)
    changed = sa.MetaData()
    for table in schema.metadata.sorted_tables:
        table.to_metadata(changed)
    changed.tables["prenopay_payments"].append_column(sa.Column("forgotten", sa.Integer))
    sa.Index("prenopay_forgotten", changed.tables["prenopay_events"].c.occurred_at)
    changed.tables["prenopay_flags"].c.detail.type = sa.Integer()
    found = {str(each[0][0] if isinstance(each, list) else each[0]) for each in differences(bare_database, changed)}
    assert found == {"add_column", "add_index", "modify_type"}


def test_the_code_needs_the_newest_migration_and_there_is_one_line_of_them() -> None:
    config = Config()
    config.set_main_option("script_location", "prenopay.books:migrations")
    scripts = ScriptDirectory.from_config(config)
    assert scripts.get_heads() == [schema.SCHEMA_VERSION]
    for script in scripts.walk_revisions():
        assert Path(script.path).name.startswith(f"v{script.revision}_")
        assert not hasattr(script.module, "downgrade")


def test_everything_of_ours_is_named_as_ours() -> None:
    names = [str(table.name) for table in schema.metadata.sorted_tables] + [schema.VERSION_TABLE]
    for table in schema.metadata.sorted_tables:
        names += [str(index.name) for index in table.indexes]
        names += [str(each.name) for each in table.constraints if isinstance(each, sa.UniqueConstraint)]
    assert [name for name in names if not name.startswith("prenopay_")] == []
    assert len(set(names)) == len(names)


# Upgrading


def test_upgrading_again_changes_nothing(bare_database: str) -> None:
    upgrade_database(bare_database)
    before = described(bare_database)
    columns = "account, subject_kind, subject_id, digest, note, names, times, received_at, looks, tries, last_error"
    values = "'cards', 'payment', 'p', '', '', '[]', 1, '2026-10-01 12:00:00', 0, 0, ''"
    run(bare_database, f"INSERT INTO prenopay_inbox ({columns}) VALUES ({values})")  # noqa: S608 - our own words
    upgrade_database(bare_database)
    upgrade_database(bare_database)
    assert before == described(bare_database)
    assert run(bare_database, "SELECT subject_id FROM prenopay_inbox") == ["p"]
    assert run(bare_database, f"SELECT version_num FROM {schema.VERSION_TABLE}") == [schema.SCHEMA_VERSION]  # noqa: S608


def test_an_upgrade_logs_nothing_unless_the_host_asks(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    upgrade_database(f"sqlite:///{tmp_path / 'quiet.db'}")
    assert caplog.messages == []
    assert logging.getLogger("alembic").level == logging.NOTSET
    caplog.set_level(logging.INFO, "alembic")
    upgrade_database(f"sqlite:///{tmp_path / 'asked.db'}")
    assert [each for each in caplog.messages if each.startswith("Running upgrade")]


def test_several_processes_may_upgrade_at_once(bare_database: str) -> None:
    command = [sys.executable, "-W", "error", "-c", UPGRADE, bare_database]
    pipe = subprocess.PIPE
    processes = [subprocess.Popen(command, text=True, stdin=pipe, stdout=pipe, stderr=pipe) for _ in range(AT_ONCE)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    ended = [(*process.communicate(timeout=300), process.returncode) for process in processes]
    assert [error[-600:] for _, error, code in ended if code] == []
    assert differences(bare_database, schema.metadata) == []


def test_a_host_s_own_tables_and_migrations_are_left_alone(bare_database: str) -> None:
    run(bare_database, "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
    run(bare_database, "INSERT INTO alembic_version VALUES ('the-hosts-own')")
    run(bare_database, "CREATE TABLE payments (id INTEGER PRIMARY KEY)")
    upgrade_database(bare_database)
    assert run(bare_database, "SELECT version_num FROM alembic_version") == ["the-hosts-own"]
    assert run(bare_database, "SELECT count(*) FROM payments") == [0]


def test_a_host_s_own_migrations_drop_nothing_of_ours_with_the_documented_filter(bare_database: str) -> None:
    """``alembic revision --autogenerate`` compares the whole database with the host's own tables."""
    upgrade_database(bare_database)
    own = sa.MetaData()
    sa.Table("orders", own, sa.Column("id", sa.Integer, primary_key=True))
    without = host_would_change(bare_database, own)
    assert "remove_table" in without
    assert host_would_change(bare_database, own, include_name=documented_filter()) == {"add_table"}


def documented_filter() -> Any:
    """Return the function that the guide gives to hosts."""
    guide = (ROOT / "docs" / "howto" / "databases.md").read_text(encoding="utf-8")
    (code,) = [block for block in re.findall(r"```python\n(.*?)```", guide, re.DOTALL) if "include_name" in block]
    names: dict[str, Any] = {}
    exec(code.partition("context.configure")[0], names)  # noqa: S102 - our own guide
    return names["include_name"]


def host_would_change(database: str, own: sa.MetaData, **options: Any) -> set[str]:
    engine = open_engine(database)
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts=options)
            return {each[0] for each in compare_metadata(context, own) if isinstance(each, tuple)}
    finally:
        engine.dispose()


# Other versions


def test_a_database_without_tables_is_refused_with_the_fix(bare_database: str) -> None:
    with pytest.raises(LedgerUnavailable, match=r"has no tables of prenopay.*run: prenopay db upgrade"):
        Accounts.open(
            bare_database,
            callback_url="https://shop.example",
            callback_keys=["a-key-for-the-tests-that-is-long-enough"],
        )


@pytest.mark.parametrize(
    ("version", "what_to_do"),
    [
        ("0000", f"has schema 0000, this prenopay needs {schema.SCHEMA_VERSION}; run: prenopay db upgrade"),
        ("9999", f"schema 9999, and this prenopay knows {schema.SCHEMA_VERSION}; run the newer prenopay"),
    ],
)
def test_another_schema_is_refused(bare_database: str, version: str, what_to_do: str) -> None:
    upgrade_database(bare_database)
    set_version(bare_database, version)
    with pytest.raises(LedgerUnavailable, match=what_to_do):
        Accounts.open(
            bare_database,
            callback_url="https://shop.example",
            callback_keys=["a-key-for-the-tests-that-is-long-enough"],
        )


def test_a_newer_schema_is_never_touched(bare_database: str) -> None:
    upgrade_database(bare_database)
    run(bare_database, "ALTER TABLE prenopay_flags ADD COLUMN newer INTEGER")
    set_version(bare_database, "9999")
    before = described(bare_database)
    with pytest.raises(LedgerUnavailable, match="run the newer prenopay"):
        upgrade_database(bare_database)
    assert before == described(bare_database)
    engine = open_engine(bare_database)
    assert schema_version(engine) == "9999"
    with pytest.raises(LedgerUnavailable):
        require_schema(engine)
    engine.dispose()


def test_a_failing_migration_leaves_nothing_behind(bare_database: str) -> None:
    """Every table or none: the next try starts where this one did."""
    run(bare_database, "CREATE TABLE prenopay_movements (in_the_way INTEGER)")
    with pytest.raises(LedgerUnavailable, match="prenopay_movements"):
        upgrade_database(bare_database)
    assert described(bare_database).keys() == {"prenopay_movements"}
    engine = open_engine(bare_database)
    assert schema_version(engine) is None
    engine.dispose()
    run(bare_database, "DROP TABLE prenopay_movements")
    upgrade_database(bare_database)
    assert differences(bare_database, schema.metadata) == []
