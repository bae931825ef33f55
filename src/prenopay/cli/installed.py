"""The packages that are installed for one purpose, by the names of their entry points."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["Installed"]


class Installed(Mapping[str, "EntryPoint"]):
    """The entry points of one group, in alphabetical order; ``str()`` lists their names.

    They are looked up when they are first asked for, and no package is imported before ``load()`` of its entry point.
    """

    def __init__(self, group: str) -> None:
        """Look in ``group``, such as ``prenopay.providers``."""
        self._group = group

    @functools.cached_property
    def _found(self) -> dict[str, EntryPoint]:
        from importlib.metadata import entry_points  # noqa: PLC0415 - slow to load, and few commands need it

        return {point.name: point for point in sorted(entry_points(group=self._group), key=lambda point: point.name)}

    def __getitem__(self, name: str) -> EntryPoint:
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def __str__(self) -> str:
        return ", ".join(self)
