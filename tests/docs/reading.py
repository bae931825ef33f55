"""Reads the documentation for the tests: pages, Python blocks and their output, settings files, command lines."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final
from unittest import SkipTest

from sybil import Document, Example, Region
from sybil.parsers.myst import PythonCodeBlockParser, SkipParser

ROOT: Final = Path(__file__).resolve().parents[2]
DOCS: Final = ROOT / "docs"

_PRINTED: Final = re.compile(r"<!-- printed -->\n+```text\n(?P<expected>.*?)```\n", re.DOTALL)
"""The output of the Python blocks above it; ``…`` matches any text."""
_SETTINGS: Final = re.compile(r"^```toml\n(?P<text>database = .*?)^```$", re.DOTALL | re.MULTILINE)
_FILES: Final = re.compile(
    r"\binto\s`(?P<name>\w+\.py)`(?:(?!^```).)*?^```python\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE
)
_PYTHON: Final = re.compile(r"^```python\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
_SHELL: Final = re.compile(r"^```sh\n(?P<lines>.*?)^```$", re.DOTALL | re.MULTILINE)
_INLINE: Final = re.compile(r"`(prenopay [^`\n]+)`")
_ENDS_A_COMMAND: Final = frozenset({"|", ">", ">>", "&&", ";", "&", "#"})


def documents() -> list[Path]:
    """Return every page: the README and all of ``docs``."""
    return [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def name_of(page: Path) -> str:
    """Return the page's path within the project."""
    return page.relative_to(ROOT).as_posix()


def settings_files(page: Path) -> dict[str, str]:
    """Return the ``prenopay.toml`` that ``page`` shows, and the files that it refers to; none on most pages."""
    found = _SETTINGS.search(page.read_text(encoding="utf-8"))
    if found is None:
        return {}
    referred = re.findall(r'"file:([^"]+)"', found["text"])
    return {"prenopay.toml": found["text"]} | dict.fromkeys(referred, "emulator-token")


def files_to_write(page: Path) -> dict[str, str]:
    """Return the Python files that ``page`` tells its reader to write, by name."""
    return {found["name"]: found["text"] for found in _FILES.finditer(page.read_text(encoding="utf-8"))}


def python_blocks(page: Path) -> list[str]:
    """Return every Python block of ``page``."""
    return [found["text"] for found in _PYTHON.finditer(page.read_text(encoding="utf-8"))]


def _printed_parts(document: Document) -> Iterable[Region]:
    for found in _PRINTED.finditer(document.text):
        yield Region(found.start(), found.end(), found["expected"], _compare)


def _compare(example: Example) -> None:
    printed = example.namespace.pop("_printed", "").strip()
    expected = example.parsed.strip()
    pattern = ".+?".join(re.escape(part) for part in expected.split("…"))
    if not re.fullmatch(pattern, printed, re.DOTALL):
        message = f"{example.path}:{example.line}: printed was\n{printed}\nthe page says\n{expected}"
        raise AssertionError(message)


def run(page: Path, namespace: dict[str, Any], *, exchange: dict[str, str]) -> list[str]:
    """Run the Python blocks of ``page`` after the replacements in ``exchange``; return why some were left out."""
    text = page.read_text(encoding="utf-8")
    for shown, real in exchange.items():
        text = text.replace(shown, real)
    document = Document(text, str(page))
    document.namespace.update(namespace)
    parsers: list[Callable[[Document], Iterable[Region]]] = [PythonCodeBlockParser(), SkipParser(), _printed_parts]
    for region in sorted((region for parser in parsers for region in parser(document)), key=lambda found: found.start):
        document.add(region)
    left_out: list[str] = []
    try:
        for example in document.examples():
            heard = io.StringIO()
            try:
                with contextlib.redirect_stdout(heard):
                    example.evaluate()
            except SkipTest as skipped:
                left_out.append(str(skipped))
            document.namespace["_printed"] = document.namespace.get("_printed", "") + heard.getvalue()
    finally:
        namespace.update(document.namespace)
    return left_out


def command_lines(page: Path) -> Iterator[list[str]]:
    """Return the arguments of every ``prenopay …`` on ``page``; a command inside a sentence gets ``--help``."""
    text = page.read_text(encoding="utf-8")
    for block in _SHELL.finditer(text):
        for line in block["lines"].splitlines():
            if arguments := _arguments(line):
                yield arguments
    for line in _INLINE.findall(text):
        yield [*_arguments(line), "--help"]


def _arguments(line: str) -> list[str]:
    words = shlex.split(line, comments=True)
    if "prenopay" not in words:
        return []
    words = words[words.index("prenopay") + 1 :]
    end = next((place for place, word in enumerate(words) if word in _ENDS_A_COMMAND), len(words))
    return words[:end]
