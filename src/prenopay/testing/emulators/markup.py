"""HTML that is escaped by construction: elements take texts, and only elements come out unescaped."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import Final

__all__ = ["Html", "document", "element", "join"]

_VOID: Final = frozenset({"input", "link", "meta"})


@dataclass(frozen=True, slots=True)
class Html:
    """Markup that is safe to send."""

    source: str


def element(name: str, /, *children: Html | str, **attributes: str | bool) -> Html:
    """Return an element. An attribute that is ``True`` is written bare, one that is ``False`` left out."""
    written = "".join(_attribute(key, value) for key, value in attributes.items() if value is not False)
    if name in _VOID:
        return Html(f"<{name}{written}>")
    return Html(f"<{name}{written}>{join(children).source}</{name}>")


def join(children: Iterable[Html | str]) -> Html:
    """Return the children one after the other, texts escaped."""
    return Html("".join(child.source if isinstance(child, Html) else escape(child) for child in children))


def document(root: Html) -> bytes:
    """Return a whole page."""
    return f"<!doctype html>\n{root.source}\n".encode()


def _attribute(key: str, value: str | bool) -> str:  # noqa: FBT001 - HTML's own kind of attribute
    name = key.strip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'
