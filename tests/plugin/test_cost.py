"""What the plugin costs a run that does not use it: next to nothing."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import entry_points

PLUGIN = "prenopay.testing.pytest_plugin"
LIGHT = {"prenopay", "prenopay.testing", PLUGIN}
OWN_SHARE_OF_PYTEST = 0.1
"""What the plugin takes itself, of the time in which pytest is loaded."""
SHARE_OF_FIXTURES = 0.2
"""What it takes with ``import prenopay``, of the time in which its fixtures are loaded when one is asked for."""


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True)


def test_the_plugin_is_installed() -> None:
    found = [each.value for each in entry_points(group="pytest11") if each.name == "prenopay"]
    assert found == [PLUGIN]


def test_it_loads_only_what_is_light() -> None:
    report = (
        f"import pytest, sys, json; before = set(sys.modules); import {PLUGIN}; "
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    loaded = set(json.loads(python("-c", report).stdout))
    ours = {name for name in loaded if name.partition(".")[0] == "prenopay"}
    light = set(json.loads(python("-c", report.replace(PLUGIN, "prenopay.testing")).stdout))
    assert ours - light == {PLUGIN}
    assert ours >= LIGHT
    assert {name for name in loaded - ours if name.partition(".")[0] not in sys.stdlib_module_names} == set()
    heavy = {"anyio", "cryptography", "httpx", "pydantic", "sqlalchemy"}
    assert heavy & loaded == set()


def test_it_is_loaded_in_a_small_part_of_the_time_that_its_fixtures_take() -> None:
    """Measured in one process each time, so that a busy machine is busy for all; the best of three counts."""

    def shares() -> tuple[float, float]:
        code = f"import pytest\nimport {PLUGIN}\nimport prenopay.testing.bench"
        said = python("-X", "importtime", "-c", code).stderr
        took = {name: int(us) for us, name in re.findall(r"\|\s+(\d+) \|\s+([\w.]+)$", said, re.MULTILINE)}
        own = took[PLUGIN] - took["prenopay.testing"]
        return own / took["pytest"], took[PLUGIN] / took["prenopay.testing.bench"]

    of_pytest, of_fixtures = zip(*(shares() for _ in range(3)), strict=True)
    assert min(of_pytest) < OWN_SHARE_OF_PYTEST
    assert min(of_fixtures) < SHARE_OF_FIXTURES
