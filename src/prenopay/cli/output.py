"""Print what commands found: aligned tables for people, JSON for scripts."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from enum import Enum
from typing import Any, Final, cast

from prenopay._redaction import MASK, Secret
from prenopay._text import shown as as_line
from prenopay.values.money import Money

__all__ = ["as_json", "print_json", "print_no_more", "print_table", "print_values", "shown"]

_HIDDEN: Final = frozenset({"body", "raw", "app_switch", "redirect_url", "seamless_view"})
"""Fields with links or bodies: they are not printed, because terminals and logs keep them."""


def as_json(value: Any) -> Any:
    """Return public values as plain JSON: money in minor units, times in ISO 8601, enums by their values."""
    match value:
        case Secret():
            return MASK
        case Money():
            return {"minor": value.minor, "currency": value.currency}
        case Enum():
            return value.value
        case date():  # a datetime is one too
            return value.isoformat()
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            names = (each.name for each in dataclasses.fields(value) if each.name not in _HIDDEN)
            return {name: as_json(getattr(value, name)) for name in names}
        case frozenset():
            return sorted(as_json(member) for member in cast("Iterable[Any]", value))
        case list() | tuple():
            return [as_json(member) for member in cast("Sequence[Any]", value)]
        case dict():
            members = cast("dict[str, Any]", value)
            return {key: as_json(member) for key, member in members.items()}
        case _:
            return value


def print_json(value: Any) -> None:
    """Print ``value`` as JSON. What no terminal shows is escaped: a payer or a gateway may have written it."""
    text = json.dumps(as_json(value), ensure_ascii=False, indent=2)
    print("".join(each if each.isprintable() or each == "\n" else json.dumps(each)[1:-1] for each in text))


def print_table(headings: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str) -> None:
    """Print rows under headings in aligned columns; print ``empty`` if there are no rows."""
    if not rows:
        print(empty)
        return
    texts = [[shown(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in [list(headings), *texts]) for column in range(len(headings))]
    for row in [list(headings), *texts]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_values(values: Mapping[str, object]) -> None:
    """Print names and values, one pair on each line."""
    width = max(len(name) for name in values)
    for name, value in values.items():
        print(f"{name.ljust(width)}  {shown(value)}")


def shown(value: object) -> str:
    """Return ``value`` as one line without control characters: a payer or a gateway may have written it."""
    match value:
        case None:
            return "-"
        case datetime():
            return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        case Enum():
            return str(value.value)
        case _:
            return as_line(str(value))


def print_no_more() -> None:
    """Discard further output: the reader has closed the pipe."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
