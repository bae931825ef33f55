"""The house rules that linters do not know: a sentence first, nothing unfinished, a reason for each exception."""

from __future__ import annotations

import ast
import functools
import io
import re
import tokenize
from collections.abc import Callable
from pathlib import Path

import pytest

from .sources import python_files, text

CODE = ("src", "examples", "benchmarks", "docs", "tests")

UNFINISHED = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
IGNORE = re.compile(r"#\s*(?:type|pyright):\s*ignore(?P<code>\[[\w\-, ]+\])?(?P<rest>.*)")
NOQA = re.compile(r"#\s*noqa(?P<codes>:\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*)?(?P<rest>.*)")
BROAD = re.compile(r"except\s*(?::|\(?\s*(?:Base)?Exception\b)")

NEEDS_NO_REASON = ("ARG", "ANN", "ASYNC109", "A002", "D", "FBT001", "PLC0415", "S", "SLF001", "T201")
"""In tests, docs and examples: rules whose exception is explained by its place."""


def comments(file: Path) -> list[tuple[int, str]]:
    return [(line, said) for line, said in words_in(text(file)) if said.startswith("#")]


def words(file: Path) -> tuple[tuple[int, str], ...]:
    """Return comments and texts that run over several lines, which is where work is left for later."""
    return words_in(text(file))


@functools.cache
def words_in(code: str) -> tuple[tuple[int, str], ...]:
    return tuple(
        (token.start[0], token.string)
        for token in tokenize.generate_tokens(io.StringIO(code).readline)
        if token.type == tokenize.COMMENT or (token.type == tokenize.STRING and token.string.startswith(('"""', "'''")))
    )


def without_first_sentence(file: Path) -> list[str]:
    said = ast.get_docstring(ast.parse(text(file)))
    first = said.partition("\n\n")[0].rstrip() if said else ""
    good = first[:1] and (not first[0].islower() or first.startswith("prenopay")) and first.endswith((".", ":"))
    return [] if good else [f"{file}: {first!r} is not a sentence that says what is in here"]


def unfinished(file: Path) -> list[str]:
    return [f"{file}:{line}: {said}" for line, said in words(file) if UNFINISHED.search(said)]


def unexplained_ignores(file: Path) -> list[str]:
    found: list[str] = []
    for line, said in comments(file):
        match = IGNORE.search(said)
        if match is not None and not (match["code"] and re.search(r"#\s*\w+", match["rest"])):
            found.append(f"{file}:{line}: {said}")
    return found


def unexplained_noqas(file: Path) -> list[str]:
    found: list[str] = []
    for line, said in comments(file):
        match = NOQA.search(said)
        if match is None:
            continue
        codes = re.findall(r"[A-Z]+\d+", match["codes"] or "")
        plain = file.parts[0] != "src" and codes and all(code.startswith(NEEDS_NO_REASON) for code in codes)
        if not codes or not (plain or re.search(r"(?:-|#)\s*\w", match["rest"])):
            found.append(f"{file}:{line}: {said}")
    return found


def unexplained_broad_handlers(file: Path) -> list[str]:
    found: list[str] = []
    said = dict(comments(file))
    lines = text(file).splitlines()
    for node in ast.walk(ast.parse(text(file))):
        if isinstance(node, ast.ExceptHandler) and BROAD.search(lines[node.lineno - 1]):
            raises_again = any(isinstance(inner, ast.Raise) and inner.exc is None for inner in node.body)
            if node.lineno not in said and not raises_again:
                found.append(f"{file}:{node.lineno}: {lines[node.lineno - 1].strip()}")
    return found


def sleeping_tests(file: Path) -> list[str]:
    if file.parts[0] != "tests":
        return []
    return [
        f"{file}:{node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(ast.parse(text(file)))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"time.sleep", "sleep"}
    ]


RULES: tuple[Callable[[Path], list[str]], ...] = (
    without_first_sentence,
    unfinished,
    unexplained_ignores,
    unexplained_noqas,
    unexplained_broad_handlers,
    sleeping_tests,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_file_keeps_the_rule(rule: Callable[[Path], list[str]]) -> None:
    checked = python_files(*CODE)
    assert len(checked) > 100
    assert [found for file in checked for found in rule(file)] == []


BREACHES: dict[Callable[[Path], list[str]], str] = {
    without_first_sentence: '"""nothing much"""\n',
    unfinished: "# TO" + "DO: later\n",
    unexplained_ignores: "x = 1  # type: ignore[assignment]\n",
    unexplained_noqas: "try: pass\nexcept OSError: pass  # noqa: BLE001\n",
    unexplained_broad_handlers: "try:\n    pass\nexcept Exception:\n    pass\n",
    sleeping_tests: "import time\ntime.sleep(1)\n",
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_breach_is_seen(rule: Callable[[Path], list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.text", lambda _file: BREACHES[rule])
    assert len(rule(Path("tests/invented.py"))) == 1
