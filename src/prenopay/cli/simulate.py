"""``prenopay simulate``: the whole library lives through seeded schedules of faults; a broken promise is an error."""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Final

from prenopay._hidden import raise_alone
from prenopay.cli.output import print_json, print_no_more, print_table
from prenopay.errors import ConfigurationError

__all__ = ["add_commands"]

_BAR_WIDTH: Final = 40
_STOPPED: Final = 130
"""As shells have it for Ctrl-C."""


def add_commands(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Add ``simulate``."""
    what = "run many simulated shops in which everything may fail, and check every promise"
    parser = commands.add_parser("simulate", parents=[shared], help=what)
    parser.add_argument("--seeds", metavar="N", type=_positive, default=100, help="how many shops (default 100)")
    parser.add_argument("--first-seed", metavar="S", type=int, default=0, help="the seed of the first shop (default 0)")
    parser.add_argument("--steps", metavar="M", type=_positive, default=12, help="steps of each shop (default 12)")
    parser.add_argument("--only", metavar="LIST", type=_numbers, help="take these steps alone, such as 3,7,9")
    parser.add_argument("--calm", metavar="LIST", type=_numbers, default=(), help="let nothing go wrong in these steps")
    which = (
        "a gateway to simulate with: an entry point of prenopay.gateways, or module:Class (default: those that ship)"
    )
    parser.add_argument("--gateway", metavar="NAME", action="append", default=[], help=which)
    parser.set_defaults(run=_simulate)


def _positive(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        message = f"must be a whole number from 1 on, not {text!r}"
        raise argparse.ArgumentTypeError(message)
    return number


def _numbers(text: str) -> tuple[int, ...]:
    return () if text == "none" else tuple(sorted({_positive(each) for each in text.split(",")}))


def _simulate(options: argparse.Namespace) -> int:
    # Loaded when it is run: the command line names no gateway, and starts fast.
    if options.gateway:
        sys.path.insert(0, "")  # as `python -m` does: module:Class may be in this folder
    simulation: Any = importlib.import_module("prenopay.testing.simulation")
    asked = {
        "steps": options.steps,
        "only": options.only,
        "calm": frozenset(options.calm),
        "gateways": tuple(options.gateway),
    }
    try:
        simulation.Schedule(seed=options.first_seed, **asked)
    except ValueError as error:
        message = f"--{error}"
        raise_alone(ConfigurationError(message))
    with _stopped_alike():
        result = simulation.simulate(
            seeds=options.seeds, first_seed=options.first_seed, progress=_progress(options.seeds), **asked
        )
    try:
        if options.json:
            print_json(_as_values(result))
        else:
            _print(result, enough=simulation.enough_seeds(options.steps), asked=options.seeds)
        sys.stdout.flush()
    except BrokenPipeError:  # a broken promise is one, though nobody reads the report
        print_no_more()
    if result.stopped_at is not None:
        return _STOPPED
    return 0 if result.is_good else 1


@contextmanager
def _stopped_alike() -> Generator[None]:
    """Let SIGTERM stop a run as Ctrl-C does, so that its databases are removed."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may say what signals do
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _progress(seeds: int) -> Callable[[int], None]:
    """Return what draws a bar on a terminal, and nothing anywhere else."""
    if not sys.stderr.isatty():
        return lambda _done: None

    def draw(done: int) -> None:
        full = _BAR_WIDTH * done // seeds
        end = "\n" if done == seeds else ""
        print(f"\r[{'#' * full}{'.' * (_BAR_WIDTH - full)}] {done}/{seeds}", end=end, file=sys.stderr, flush=True)

    return draw


def _as_values(result: Any) -> dict[str, Any]:
    broken = result.broken
    return {
        "seeds": result.seeds,
        "payments": result.payments,
        "lives_per_minute": result.lives_per_minute,
        "reached": result.reached,
        "missing": result.missing,
        "broken": () if broken is None else broken.broken,
        "transcript": () if broken is None else broken.transcript,
        "replay": None if broken is None else broken.schedule.replay,
        "stopped_at": result.stopped_at,
    }


def _print(result: Any, *, enough: int, asked: int) -> None:
    print_table(("REACHED", "TIMES"), list(result.reached.items()), empty="nothing was reached")
    print(
        f"\n{result.seeds} seeds, {result.payments} payments in {result.seconds:.1f} s:"
        f" {result.lives_per_minute} lives a minute"
    )
    if result.broken is not None:
        print("\nA promise was broken:")
        for sentence in result.broken.broken:
            print(f"  {sentence}")
        print("\n".join(["", *result.broken.transcript, ""]))
        print(f"Made short in {result.shortened_in} lives. Again: {result.broken.schedule.replay}")
    elif result.stopped_at is not None:
        print(f"Stopped; every promise was kept. Go on: prenopay simulate --first-seed {result.stopped_at}")
    elif result.missing:
        print(f"\nNever reached, and declared: {', '.join(result.missing)}")
    else:
        reached = "" if asked >= enough else f" (from {enough} seeds on, everything declared must be reached too)"
        print(f"Every promise was kept{reached}.")
