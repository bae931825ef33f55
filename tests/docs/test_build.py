"""The pages build without a warning, and the reference has every name of the doors."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
import types
from pathlib import Path

import pytest
from sphinx.util.inventory import InventoryFile

from tests.api.doors import DOORS
from tests.docs.reading import DOCS


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the pages once; fail with the output of Sphinx."""
    out = tmp_path_factory.mktemp("docs")
    # The contents lists of the reference take half of the time, and warn of nothing.
    options = ["-n", "-W", "--keep-going", "-q", "-D", "toc_object_entries=0"]
    said = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, "-b", "html", str(DOCS), str(out)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    return out


@pytest.fixture(scope="session")
def documented(built: Path) -> frozenset[str]:
    """Return the dotted names that the reference describes."""
    inventory = InventoryFile.loads((built / "objects.inv").read_bytes(), uri="")
    return frozenset(name for kind in inventory.data if kind.startswith("py:") for name in inventory.data[kind])


@pytest.mark.parametrize("name", sorted({*DOORS} - {"prenopay.testing.pytest_plugin"}))  # fixtures have a table
def test_reference_has_every_public_name(name: str, documented: frozenset[str]) -> None:
    module = importlib.import_module(name)
    missing = [each for each in getattr(module, "__all__", []) if not _names(module, each) & documented]
    assert missing == []


def test_every_page_is_reached(built: Path) -> None:
    pages = {page.relative_to(DOCS).with_suffix(".html").as_posix() for page in DOCS.rglob("*.md")}
    made = {page.relative_to(built).as_posix() for page in built.rglob("*.html")}
    assert pages <= made


def _names(module: types.ModuleType, name: str) -> set[str]:
    """Return the dotted names under which the reference may describe it."""
    value = getattr(module, name)
    found = {f"{module.__name__}.{name}"}
    if inspect.isclass(value) or inspect.isfunction(value):
        found.add(f"{value.__module__}.{value.__qualname__}")
    return found
