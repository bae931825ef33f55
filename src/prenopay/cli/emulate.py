"""``prenopay emulate``: an emulated gateway on this machine, to build a shop with; no money moves."""

from __future__ import annotations

import argparse
import signal
from typing import Any

from prenopay._hidden import raise_alone
from prenopay.cli.installed import Installed
from prenopay.errors import ConfigurationError

__all__ = ["add_commands"]


def add_commands(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Add ``emulate``."""
    parser = commands.add_parser("emulate", parents=[shared], help="serve an emulated gateway on this machine")
    # The help text has the names as a "default", which argparse turns into text only when it prints the help.
    parser.add_argument("gateway", metavar="GATEWAY", default=_installed(), help="one of: %(default)s")
    parser.add_argument("--port", type=int, default=8001, help="port on 127.0.0.1 (default 8001; 0 takes a free one)")
    parser.add_argument(
        "--preset",
        default="strict",
        metavar="NAME",
        help="how the gateway behaves: strict (default), lenient like production, awkward, or another that it has",
    )
    parser.add_argument("--seed", type=int, metavar="NUMBER", help="the same ids at every start (default: others)")
    parser.set_defaults(run=_emulate)


def _installed() -> Installed:
    return Installed("prenopay.emulators")


def _emulate(options: argparse.Namespace) -> int:
    found = _installed()
    if options.gateway not in found:
        message = f"there is no emulator of {options.gateway!r}; there are: {found}"
        raise ConfigurationError(message)
    emulator = found[options.gateway].load()
    if options.preset not in emulator.presets:
        message = (
            f"--preset {options.preset}: {options.gateway} has no such preset; it has: {', '.join(emulator.presets)}"
        )
        raise ConfigurationError(message)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # a supervisor's signal acts as Ctrl-C
    try:
        emulator.serve_forever(port=options.port, preset=options.preset, seed=options.seed, as_json=options.json)
    except OSError as error:
        message = f"the emulator of {options.gateway} cannot work here: {error}"
        raise_alone(ConfigurationError(message))
    finally:
        signal.signal(signal.SIGTERM, before)
    return 0
