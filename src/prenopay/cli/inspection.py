"""``prenopay inspect``: how a stored body of a gateway is read, as JSON."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from prenopay.accounts.settings import provider_kinds
from prenopay.cli.output import print_json
from prenopay.errors import ConfigurationError
from prenopay.provider import Inspection

__all__ = ["add_commands"]


def add_commands(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Add ``inspect``."""
    parser = commands.add_parser("inspect", parents=[shared], help="say how a stored gateway body is read, as JSON")
    parser.add_argument("provider", metavar="PROVIDER", help=f"one of: {', '.join(sorted(provider_kinds()))}")
    parser.add_argument("file", metavar="FILE", help="the body, or - for standard input")
    parser.set_defaults(run=_inspect)


def _inspect(options: argparse.Namespace) -> int:
    kinds = provider_kinds()
    if options.provider not in kinds:
        message = f"{options.provider!r} is not installed; there are: {', '.join(sorted(kinds))}"
        raise ConfigurationError(message)
    try:
        body = sys.stdin.buffer.read() if options.file == "-" else Path(options.file).read_bytes()
    except OSError as error:
        message = f"{options.file}: {error.strerror}"
        raise ConfigurationError(message) from error
    try:
        seen: Inspection = kinds[options.provider].load().inspect(body)
    except ValueError as error:
        name = "standard input" if options.file == "-" else options.file
        print(f"prenopay: {name}: {error}", file=sys.stderr)
        return 2
    print_json(seen)
    return 0
