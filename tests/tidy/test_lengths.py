"""The one law of length: what is over 60 lines (a function) or over 800 (a file) may not grow."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path

from .sources import python_files, text

FUNCTION_MOST = 60
FILE_MOST = 800

LONG: dict[str, int] = {}
"""What was longer before there was the law: ``path`` or ``path::function``, with its lines. It may only shrink."""


def lengths(file: Path, code: str) -> Iterable[tuple[str, int, int]]:
    """Return a file and its functions, each with its lines and how many it may have."""
    yield str(file), len(code.splitlines()), FILE_MOST
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{file}::{node.name}", (node.end_lineno or node.lineno) - node.lineno + 1, FUNCTION_MOST


def wrong(found: Iterable[tuple[str, int, int]], long: dict[str, int]) -> list[str]:
    """Return what is too long, and what is in the table with more lines than it has."""
    sizes = {name: (lines, most) for name, lines, most in found}
    grown = [
        f"{name}: {lines} lines, at most {long.get(name, most)}"
        for name, (lines, most) in sizes.items()
        if lines > max(most, long.get(name, 0))
    ]
    shrunk = [
        f"{name}: {lines} lines now: lower the table, or remove it there"
        for name, allowed in long.items()
        for lines, _ in [sizes.get(name, (0, 0))]
        if lines < allowed
    ]
    return grown + shrunk


def test_nothing_long_grows() -> None:
    checked = python_files("src", "examples", "benchmarks", "docs", "tests")
    assert len(checked) > 100
    assert wrong((each for file in checked for each in lengths(file, text(file))), LONG) == []


def test_what_grows_and_what_shrinks_is_seen() -> None:
    function = "def long():\n" + "    pass\n" * FUNCTION_MOST
    file = Path("src/invented.py")
    assert len(wrong(lengths(file, function), {})) == 1
    assert wrong(lengths(file, function), {"src/invented.py::long": FUNCTION_MOST + 1}) == []
    assert len(wrong(lengths(file, function), {"src/invented.py::long": FUNCTION_MOST + 2})) == 1
    assert len(wrong(lengths(file, "\n" * (FILE_MOST + 1)), {})) == 1
    assert len(wrong(lengths(file, ""), {"src/removed.py": FILE_MOST + 9})) == 1
