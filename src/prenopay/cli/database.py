"""Commands on the database: upgrade its tables, and check the books."""

from __future__ import annotations

import argparse
from typing import Any

from prenopay.cli import settings
from prenopay.cli.output import print_json

__all__ = ["add_commands"]


def add_commands(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Add ``db upgrade`` and ``db check``."""
    database = commands.add_parser("db", help="look after the database").add_subparsers(required=True, metavar="ACTION")
    upgrading = database.add_parser("upgrade", parents=[shared], help="create or update the tables; nothing is removed")
    checking = database.add_parser("check", parents=[shared], help="check the version of the tables, and every total")
    for parser, run in ((upgrading, _upgrade), (checking, _check)):
        parser.add_argument("--database", metavar="URL", help="use this database, not the one in the settings")
        parser.set_defaults(run=run)


def _upgrade(options: argparse.Namespace) -> int:
    from prenopay.books import schema  # noqa: PLC0415 - loads the database library
    from prenopay.books.upgrade import upgrade_database  # noqa: PLC0415 - as above

    database = options.database or settings.load_settings(options.config).database
    upgrade_database(database)
    if options.json:
        print_json({"schema": schema.SCHEMA_VERSION})
    else:
        print(f"the tables are at version {schema.SCHEMA_VERSION}")
    return 0


def _check(options: argparse.Namespace) -> int:
    from prenopay.books import schema  # noqa: PLC0415 - loads the database library
    from prenopay.books.engine import open_engine  # noqa: PLC0415 - as above
    from prenopay.books.upgrade import schema_version, what_to_do  # noqa: PLC0415 - as above
    from prenopay.payments import rows  # noqa: PLC0415 - as above

    engine = open_engine(options.database or settings.load_settings(options.config).database)
    try:
        version = schema_version(engine)
        current = version == schema.SCHEMA_VERSION
        wrong: tuple[str, ...] = ()
        if current:
            with engine.execution_options(prenopay_reads=True).connect() as connection:
                wrong = rows.totals_that_disagree(connection)
    finally:
        engine.dispose()
    if options.json:
        print_json({"schema": version, "needed": schema.SCHEMA_VERSION, "totals_that_disagree": wrong})
    elif not current:
        print(what_to_do(version))
    elif wrong:
        print(f"{len(wrong)} payments have totals that are not the sums of their movements: {', '.join(wrong)}")
    else:
        print(f"the tables are at version {version}; every total is the sum of its movements")
    return 0 if current and not wrong else 1
