"""The command line: ``prenopay`` and its commands, for people at a terminal and, with ``--json``, for scripts.

Exit codes: 0: all is well. 1: a person should look at what was found. 2: the call, the settings or the
input is wrong; one line on standard error says what is wrong and how to fix it.

The modules here declare arguments without loading a database library, an HTTP client or a provider. A command
loads what it needs when it runs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from prenopay import __version__
from prenopay.cli import accounts, database, emulate, events, inspection, mandates, operations, simulate, swish
from prenopay.cli.output import print_no_more
from prenopay.errors import ConfigurationError, PrenopayError

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        try:
            return _run(arguments)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # the reader has closed the pipe
        print_no_more()
        return 0


def _run(arguments: Sequence[str] | None) -> int:
    options = _parser().parse_args(arguments)
    del arguments  # they may name a database with its password, and error trackers show the variables of this frame
    try:
        code: int = options.run(options)
    except (ConfigurationError, PrenopayError) as error:
        print("prenopay:", *str(error).split(), file=sys.stderr)  # in one line, even if the database's error has more
        return 2
    except KeyboardInterrupt:
        return 130
    return code


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--config", metavar="FILE", help="settings (default: PRENOPAY_CONFIG, else ./prenopay.toml)")
    shared.add_argument("--json", action="store_true", help="print JSON")
    parser = argparse.ArgumentParser(prog="prenopay", description="Payments straight to the publisher's own accounts.")
    parser.add_argument("--version", action="version", version=f"prenopay {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in (accounts, operations, events, mandates, database, inspection, emulate, simulate, swish):
        module.add_commands(commands, shared)
    return parser
