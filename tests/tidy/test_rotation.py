"""Every behaviour runs on some store, each store gets its share of them, and what is marked runs on every one."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter, defaultdict

import pytest

from tests.rotation import OTHER_IN_BOTH, STORES, name_without_store, turn_of

from .sources import ROOT

FOLDERS = ("tests/behaviour", "tests/swish", "tests/conformance")
NAME_THEIR_STORE = 3
"""So many tests are about one store: of them nothing is left out."""
WALKS = ("tests/behaviour/test_crashes.py", "tests/behaviour/test_charge_crashes.py")
"""They name their stores themselves."""


@pytest.fixture(scope="module")
def collected() -> str:
    """Return what pytest collects in the folders whose tests take turns."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *FOLDERS]
    command += [f"--ignore={file}" for file in WALKS]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def test_the_turns_cover_every_store(collected: str) -> None:
    stores = defaultdict(set)
    for name in collected.splitlines():
        match = re.search(r"\[(?=.*(blocking|awaiting))(?=.*(sqlite|postgresql)).*\]", name)
        if match is not None:
            stores[name_without_store(name)].add(f"{match[2]}-{match[1]}")

    of_one_colour = [set(STORES[::2]), set(STORES[1::2])]
    everywhere = [name for name, found in stores.items() if found in (set(STORES), *of_one_colour)]
    crossed = [found for found in stores.values() if len(found) == 2 and found not in of_one_colour]
    rotated = {name: found for name, found in stores.items() if len(found) == 1}
    assert len(everywhere) + len(crossed) + len(rotated) == len(stores)
    assert all(found == {first, OTHER_IN_BOTH[first]} for found in crossed for first in found)
    assert crossed, "what asks a real process or the planner"
    assert len(everywhere) > 25, "one smoke test for each use case, and what is about locks"
    share = Counter(store for found in rotated.values() for store in found)
    assert share.keys() == set(STORES)
    assert min(share.values()) > len(rotated) / 6, share
    left_out = re.search(r"\((\d+) deselected\)", collected)
    assert left_out is not None
    all_in_turn = 3 * len(rotated) + 2 * len(crossed)
    assert int(left_out[1]) == all_in_turn - 3 * NAME_THEIR_STORE


def test_a_turn_depends_on_the_name_alone() -> None:
    names = [f"tests/x.py::test_it[{colour}-{database}-lost]" for database, colour in (s.split("-") for s in STORES)]
    assert len({turn_of(name) for name in names}) == 1
    assert {turn_of(f"tests/x.py::test_{number}[blocking-sqlite]") for number in range(50)} == set(STORES)
