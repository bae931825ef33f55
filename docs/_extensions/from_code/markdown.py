"""Markdown tables, and the page's texts for the names of the code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["Texts", "code", "table"]


class Texts:
    """Lines ``name: text``. Every name must be used, and every used name must have a line."""

    def __init__(self, lines: Iterable[str]) -> None:
        """Read the lines of a directive's body; an indented line continues the line before."""
        self._texts: dict[str, str] = {}
        self._used: set[str] = set()
        name = ""
        for line in lines:
            if line.startswith(" "):
                self._texts[name] += f" {line.strip()}"
            elif line.strip():
                name, _, text = line.partition(":")
                self._texts[name.strip()] = text.strip()

    def __getitem__(self, name: str) -> str:
        """Return the text for ``name``."""
        if name not in self._texts:
            message = f"the code has {name!r}, but the page has no text for it"
            raise LookupError(message)
        self._used.add(name)
        return self._texts[name]

    def require_all_used(self) -> None:
        """Refuse texts for names that the code does not have."""
        if left := self._texts.keys() - self._used:
            message = f"the page has texts for names that the code does not have: {', '.join(sorted(left))}"
            raise LookupError(message)


def code(text: object) -> str:
    """Return ``text`` as inline code."""
    return f"`{text}`"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines) + "\n"
