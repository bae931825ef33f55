"""What is imported is asked for: by the package in its dependencies, by tests, docs and examples in the extras."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from .sources import ROOT, python_files, text

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
OURS = {"prenopay", "tests", "benchmarks", "examples", "tools", "from_code", "_typeshed"}
BROUGHT_ALONG = {"httpcore": "httpx"}
"""Part of another package's interface, and held to a version by it."""


def named(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=!~; ]", requirement)[0].lower() for requirement in requirements}


def imported(*folders: str) -> dict[str, Path]:
    """Return which packages the Python files import, each with one file that does."""
    found: dict[str, Path] = {}
    for file in python_files(*folders):
        for node in ast.walk(ast.parse(text(file))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0]: file for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                found[node.module.partition(".")[0]] = file
    return {name: file for name, file in found.items() if name not in OURS | sys.stdlib_module_names}


@pytest.mark.parametrize(
    ("folders", "asked_for"),
    [
        (("src",), named(PROJECT["dependencies"] + EXTRAS["qr"] + EXTRAS["testing"])),
        (("examples",), named(PROJECT["dependencies"] + EXTRAS["demo"])),
        (
            ("tests", "benchmarks", "docs"),
            named(PROJECT["dependencies"] + [each for extra in EXTRAS.values() for each in extra]),
        ),
    ],
    ids=["package", "examples", "tests"],
)
def test_what_is_imported_is_asked_for(folders: tuple[str, ...], asked_for: set[str]) -> None:
    distributions = packages_distributions()
    found = imported(*folders)
    assert found
    missing = {
        name: str(file)
        for name, file in found.items()
        if not {BROUGHT_ALONG.get(each, each).lower() for each in distributions.get(name, [name])} & asked_for
    }
    assert missing == {}


def test_dev_asks_for_every_other_extra() -> None:
    others = next(each for each in EXTRAS["dev"] if each.startswith("prenopay["))
    assert set(re.findall(r"\w+", others.partition("[")[2])) == EXTRAS.keys() - {"dev"}


def test_every_requirement_has_a_lower_bound() -> None:
    every = PROJECT["dependencies"] + [each for extra in EXTRAS.values() for each in extra]
    assert [each for each in every if ">=" not in each and not each.startswith("prenopay[")] == []
