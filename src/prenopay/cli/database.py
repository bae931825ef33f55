"""Commands on the database: upgrade its tables, check the books, and remove what is old."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta
from typing import Any

from prenopay._hidden import HiddenText
from prenopay.cli import settings
from prenopay.cli.output import print_json

__all__ = ["add_commands"]

_LEAST_DAYS = 30


def add_commands(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Add ``db upgrade``, ``db check`` and ``db prune``."""
    database = commands.add_parser("db", help="look after the database").add_subparsers(required=True, metavar="ACTION")
    upgrading = database.add_parser("upgrade", parents=[shared], help="create or update the tables; nothing is removed")
    checking = database.add_parser("check", parents=[shared], help="check the version of the tables, and every total")
    pruning = database.add_parser(
        "prune", parents=[shared], help="remove old answers, callbacks and events; the books stay"
    )
    pruning.add_argument("--days", type=int, required=True, metavar="N", help="keep what is younger than this")
    for parser, run in ((upgrading, _upgrade), (checking, _check), (pruning, _prune)):
        parser.add_argument(
            "--database", type=HiddenText, metavar="URL", help="use this database, not the one in the settings"
        )
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


def _prune(options: argparse.Namespace) -> int:
    from prenopay.books.engine import open_engine  # noqa: PLC0415 - loads the database library
    from prenopay.books.pruning import prune  # noqa: PLC0415 - as above
    from prenopay.errors import ConfigurationError  # noqa: PLC0415 - as above

    if options.days < _LEAST_DAYS:
        message = f"--days: at least {_LEAST_DAYS}, because gateways send callbacks again, and events are tried again"
        raise ConfigurationError(message)
    engine = open_engine(options.database or settings.load_settings(options.config).database)
    try:
        gone = prune(engine, before=datetime.now(UTC) - timedelta(days=options.days))
    finally:
        engine.dispose()
    if options.json:
        print_json({"answers": gone.answers, "callbacks": gone.callbacks, "events": gone.events})
    else:
        print(f"removed {gone.answers} answers, {gone.callbacks} callbacks and {gone.events} events; the books stay")
    return 0
