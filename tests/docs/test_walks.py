"""The walks through the code lead where they say: each function that a step names is in the file beside it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/explanation/two-walks.md"
STEP = re.compile(r"`((?:src|examples)/[\w/]+\.py)` \| (?:`(\w+(?:\.\w+)?)`)")
STEPS = STEP.findall(PAGE.read_text(encoding="utf-8"))
FILES_MOST = 5


def named_in(file: Path) -> set[str]:
    """Return the functions and classes of a file, and the methods of its classes."""
    found: set[str] = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            methods = (each for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))
            found |= {f"{node.name}.{each.name}" for each in methods}
    return found


def test_there_are_steps() -> None:
    assert len(STEPS) > 8


@pytest.mark.parametrize(("file", "function"), STEPS)
def test_a_step_leads_to_its_function(file: str, function: str) -> None:
    assert function in named_in(ROOT / file)


def test_changing_a_payments_state_is_left_to_one_function() -> None:
    """Statements that write payments are in ``rows``; only ``observing`` calls the one that writes a state."""
    callers = {
        file.name
        for file in (ROOT / "src/prenopay").rglob("*.py")
        if re.search(r"\brows\.write\(", file.read_text(encoding="utf-8"))
    }
    updates = re.findall(r"update\((?:schema\.payments|table)\)", (ROOT / "src/prenopay/payments/rows.py").read_text())
    assert callers == {"observing.py"}
    assert len(updates) == 4, "write, name_at_gateway, flag, postpone: a fifth update must not touch the state"
