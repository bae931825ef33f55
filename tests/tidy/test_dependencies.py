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
WITHOUT_KNOWN_HOLES = {
    "certifi": ("2024.7.4", "CVE-2024-39689: trusts a root that was withdrawn"),
    "cryptography": ("50", "CVE-2026-69247, and CVE-2026-69249 in the check of certificates; older OpenSSL in wheels"),
    "django": ("5.2.17", "CVE-2026-15307 and others"),
    "flask": ("3.1.3", "CVE-2026-27205: sessions in shared caches"),
    "h11": ("0.16", "CVE-2025-43859: request smuggling in chunked bodies"),
    "idna": ("3.15", "CVE-2026-45409: a long host name takes seconds"),
    "jinja2": ("3.1.6", "CVE-2025-27516: a way out of the sandbox"),
    "mako": ("1.3.12", "CVE-2026-41205 and CVE-2026-44307: files outside of the folder"),
    "playwright": ("1.56", "CVE-2025-59288: browsers fetched without a check of the certificate"),
    "pytest": ("9.0.3", "CVE-2025-71176: folders that others can take over"),
    "python-multipart": ("0.0.31", "CVE-2026-53538 to 53540: forms read in two ways, forms that take minutes"),
    "starlette": ("1.3.1", "CVE-2026-48710 and CVE-2026-54282: URLs built from a foreign Host; CVE-2026-54283"),
}
"""The oldest version of each package without a hole that is known (advisories of 2026-12-01), and what older ones have.

Packages that others bring along count too: those others ask for no floor, so prenopay does.
"""


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


def test_no_requirement_allows_a_version_with_a_known_hole() -> None:
    every = PROJECT["dependencies"] + [each for extra in EXTRAS.values() for each in extra]
    floors = {name: floor for each in every for name, floor in re.findall(r"^([\w-]+)(?:\[\w+\])?>=([\d.]+)", each)}
    too_low = {
        name: f"asks for {floors.get(name)}, must be {safe} ({why})"
        for name, (safe, why) in WITHOUT_KNOWN_HOLES.items()
        if numbers(floors.get(name, "0")) < numbers(safe)
    }
    assert too_low == {}


def numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]
