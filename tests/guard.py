"""Proves that a cut in the tests loses nothing: plants bugs into the core one at a time, and lets the tests find them.

``python -m tests.guard [--only NAME]… [PATHS]…`` runs the tests in the paths once for each planted bug, up to the first
failure, and prints which test found it. It ends with 1 where a bug was found by none. The bugs are those that the
simulation has to find as well. Run it before a cut and after it: a bug that was found must still be found.
"""

from __future__ import annotations

import argparse
import importlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

ROOT: Final = Path(__file__).parents[1]
VARIABLE: Final = "PRENOPAY_PLANT"
"""Names the bug that is planted in a run of pytest."""
PATHS: Final = ("tests/behaviour", "tests/swish", "tests/conformance", "tests/unit", "tests/properties")
_BUGS: Final = "tests.simulation.planted"


def bugs() -> dict[str, Any]:
    """Return every bug by its name, with the function that plants it."""
    planted: dict[str, Any] = importlib.import_module(_BUGS).PLANTED
    return {name: plant for name, (_what, plant) in planted.items()}


class Planter:
    """A plugin that plants the named bug before any test is collected, for as long as the run lasts."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._patch = pytest.MonkeyPatch()

    def pytest_sessionstart(self) -> None:
        bugs()[self._name](self._patch)

    def pytest_unconfigure(self) -> None:
        self._patch.undo()


def planted(paths: Iterable[str], name: str) -> tuple[str, str]:
    """Run the tests with a bug; return the test that found it (or nothing), and the end of what pytest printed."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=line", "-p", "no:cacheprovider", *paths]
    environment = {key: value for key, value in os.environ.items() if key != "PYTEST_ADDOPTS"} | {VARIABLE: name}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    found = re.search(r"^(?:FAILED|ERROR) (\S+::.*?)(?: - .*)?$", run.stdout, re.MULTILINE)
    if run.returncode not in {0, 1} or (run.returncode == 1 and found is None):
        message = f"{name}: pytest did not run the tests:\n{run.stdout[-2000:]}{run.stderr[-2000:]}"
        raise RuntimeError(message)
    return found[1] if found else "", run.stdout[-2000:]


def findings(paths: Iterable[str], names: Iterable[str]) -> Iterator[tuple[str, str, float]]:
    """Return for each bug the test that found it, and how many seconds that took."""
    for name in names:
        began = time.monotonic()
        test, _ = planted(paths, name)
        yield name, test, time.monotonic() - began


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.guard", description=__doc__)
    parser.add_argument("--only", action="append", metavar="NAME", help="a bug by its name; several are several")
    parser.add_argument("paths", nargs="*", default=PATHS, help=f"tests to run (default: {' '.join(PATHS)})")
    arguments = parser.parse_args()
    known = bugs()
    names = arguments.only or list(known)
    unknown = [name for name in names if name not in known]
    if unknown:
        parser.error(f"there is no bug {unknown[0]!r}; there are: {', '.join(known)}")
    missed = 0
    for name, test, seconds in findings(arguments.paths, names):
        missed += not test
        sys.stdout.write(f"{name}: {test or 'FOUND BY NO TEST'} ({seconds:.0f} s)\n")
        sys.stdout.flush()
    sys.stdout.write(f"{len(names) - missed} of {len(names)} bugs were found\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
