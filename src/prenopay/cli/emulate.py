"""``prenopay emulate``: a gateway on this machine, to build a shop against; no money moves."""

from __future__ import annotations

import argparse
import signal
from importlib.metadata import entry_points
from typing import Any

from prenopay.errors import ConfigurationError

__all__ = ["add_commands"]


def add_commands(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Add ``emulate``."""
    names = sorted(point.name for point in entry_points(group="prenopay.emulators"))
    parser = commands.add_parser("emulate", parents=[shared], help="serve an emulated gateway on this machine")
    parser.add_argument("gateway", metavar="GATEWAY", help=f"one of: {', '.join(names)}")
    parser.add_argument("--port", type=int, default=8001, help="where on 127.0.0.1 (default 8001; 0 for any free one)")
    parser.set_defaults(run=_emulate)


def _emulate(options: argparse.Namespace) -> int:
    found = {point.name: point for point in entry_points(group="prenopay.emulators")}
    if options.gateway not in found:
        message = f"there is no emulator of {options.gateway!r}; there are: {', '.join(sorted(found))}"
        raise ConfigurationError(message)
    emulator = found[options.gateway].load()
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # supervisors end it as Ctrl-C does
    try:
        emulator.serve_forever(port=options.port, as_json=options.json)
    except (OSError, OverflowError) as error:
        message = f"--port {options.port} cannot be had ({error}); 0 takes any free one"
        raise ConfigurationError(message) from error
    finally:
        signal.signal(signal.SIGTERM, before)
    return 0
