"""A foreign error is no cause of ours: its frames hold bodies, URLs, keys and parameters, which trackers would show."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from prenopay import errors

from .sources import python_files, text

OURS = {name for name in errors.__all__ if name != "ConfigurationError"}
CUT = {"without_frames"}
"""What an error passes through before it may be a cause."""


def kept_in(tree: ast.AST) -> Iterator[int]:
    """Yield the lines that raise from an error which was caught as something that is not one of ours."""
    for handler in ast.walk(tree):
        if not isinstance(handler, ast.ExceptHandler) or handler.name is None:
            continue
        caught = {each.id for each in ast.walk(handler.type or handler) if isinstance(each, ast.Name)}
        for each in ast.walk(handler):
            if isinstance(each, ast.Raise) and each.cause and not is_cut(each.cause) and not caught <= OURS:
                yield each.lineno


def suppressed_in(tree: ast.AST) -> Iterator[int]:
    """Yield the lines that raise from ``None``: trackers that follow ``__context__`` show the frames all the same."""
    for each in ast.walk(tree):
        if isinstance(each, ast.Raise) and isinstance(each.cause, ast.Constant) and each.cause.value is None:
            yield each.lineno


def is_cut(cause: ast.expr) -> bool:
    return isinstance(cause, ast.Call) and isinstance(cause.func, ast.Name) and cause.func.id in CUT


def test_no_foreign_error_is_kept_as_a_cause() -> None:
    sources = [each for each in python_files("src") if "testing" not in each.parts]
    found = [f"{each}:{line}" for each in sources for line in kept_in(ast.parse(text(each)))]

    assert found == [], "raise_alone(…), or raise … from without_frames(error)"


def test_no_context_is_only_suppressed() -> None:
    sources = (*python_files("src"), *python_files("examples/own_provider"))
    found = [f"{each}:{line}" for each in sources for line in suppressed_in(ast.parse(text(each)))]

    assert found == [], "raise_alone(…)"


def test_a_foreign_cause_is_seen() -> None:
    wrong = "try:\n  f()\nexcept (ValueError, Rejected) as error:\n  raise NotSent(str(error)) from error"

    assert list(kept_in(ast.parse(wrong))) == [4]
    assert list(kept_in(ast.parse(wrong.replace("(ValueError, Rejected)", "Rejected")))) == []
    assert list(kept_in(ast.parse(wrong.replace("from error", "from without_frames(error)")))) == []


def test_a_suppressed_context_is_seen() -> None:
    wrong = "try:\n  f()\nexcept ValueError:\n  raise NotSent('lost') from None"

    assert list(suppressed_in(ast.parse(wrong))) == [4]
