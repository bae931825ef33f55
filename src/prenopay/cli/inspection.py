"""``prenopay inspect``: show as JSON how a stored body from a gateway is read."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from prenopay._hidden import raise_alone
from prenopay.cli.output import print_json
from prenopay.cli.settings import provider_kinds
from prenopay.errors import ConfigurationError
from prenopay.provider import Inspection

__all__ = ["add_commands"]


def add_commands(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Add ``inspect``."""
    parser = commands.add_parser("inspect", parents=[shared], help="show how a stored gateway body is read, as JSON")
    # The help text has the names as a "default", which argparse turns into text only when it prints the help.
    parser.add_argument("provider", metavar="PROVIDER", default=provider_kinds(), help="one of: %(default)s")
    parser.add_argument("file", metavar="FILE", help="the file with the body, or - for standard input")
    parser.set_defaults(run=_inspect)


def _inspect(options: argparse.Namespace) -> int:
    kinds = provider_kinds()
    if options.provider not in kinds:
        message = f"{options.provider!r} is not installed; there are: {kinds}"
        raise ConfigurationError(message)
    try:
        body = sys.stdin.buffer.read() if options.file == "-" else Path(options.file).read_bytes()
    except OSError as error:
        message = f"{options.file}: {error.strerror}"
        raise_alone(ConfigurationError(message))
    try:
        seen: Inspection = kinds[options.provider].load().inspect(body)
    except ValueError as error:
        name = "standard input" if options.file == "-" else options.file
        print(f"prenopay: {name}: {error}", file=sys.stderr)
        return 2
    print_json(seen)
    return 0
