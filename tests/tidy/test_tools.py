"""The tools that a change has to pass find nothing: linter, formatter, both type checkers, import contracts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.typing.checkers import pyright

from .sources import ROOT

TOOLS = {
    "ruff check": ["ruff", "check", "--no-cache", "."],
    "ruff format": ["ruff", "format", "--no-cache", "--check", "."],
    "mypy": ["mypy"],
}


@pytest.mark.parametrize("tool", TOOLS)
def test_the_tool_finds_nothing(tool: str) -> None:
    run = subprocess.run([sys.executable, "-m", *TOOLS[tool]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_import_contracts_are_kept() -> None:
    lint = "import sys; from importlinter.cli import lint_imports_command as lint; sys.exit(lint())"
    run = subprocess.run(
        [sys.executable, "-c", lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "0 broken" in run.stdout


def test_pyright_finds_nothing() -> None:
    report = pyright(cwd=ROOT)
    assert report["generalDiagnostics"] == [], json.dumps(report["generalDiagnostics"], indent=1)
    source_files = len(list(Path(ROOT, "src").rglob("*.py")))
    assert report["summary"]["filesAnalyzed"] == source_files
