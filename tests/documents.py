"""Finds the way around in decoded JSON, for tests that change one text of a document at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def paths_of(value: Any) -> Iterator[tuple[Any, ...]]:
    """Return the way to each text of a document."""
    members = enumerate(value) if isinstance(value, list) else value.items() if isinstance(value, dict) else ()
    for key, member in members:
        if isinstance(member, str):
            yield (key,)
        yield from ((key, *path) for path in paths_of(member))
