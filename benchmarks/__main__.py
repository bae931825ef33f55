"""Print the tables: ``python -m benchmarks [calls] [imports] [callbacks] [swish] [steps] [flood] [texts]``.

Exits with 1 when a goal is missed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Protocol

from benchmarks import callbacks, calls, flood, imports, measuring, steps, swish, texts


class Row(Protocol):
    """One row of a table."""

    @property
    def line(self) -> str:
        """The row as printed."""
        ...

    @property
    def is_missed(self) -> bool:
        """Whether it has a goal, and misses it."""
        ...


PARTS: dict[str, tuple[str, Callable[[], Iterable[Row]]]] = {
    "calls": (measuring.HEADING, calls.measure),
    "imports": (measuring.HEADING, imports.measure),
    "callbacks": (measuring.HEADING, callbacks.measure),
    "swish": (measuring.HEADING, swish.measure),
    "steps": (steps.HEADING, steps.measure),
    "flood": (flood.HEADING, flood.measure),
    "texts": (measuring.HEADING, texts.measure),
}


def main() -> int:
    """Measure the parts named, or all; return 1 when a goal is missed."""
    parts, shown, missed = sys.argv[1:] or [*PARTS], "", 0
    if unknown := set(parts) - set(PARTS):
        print(f"benchmarks: there is no part {min(unknown)!r}; there are: {', '.join(PARTS)}", file=sys.stderr)
        return 2
    for part in parts:
        heading, measure = PARTS[part]
        if heading != shown:
            print(heading)
            shown = heading
        for row in measure():
            print(row.line, flush=True)
            missed += row.is_missed
    if missed:
        print(f"{missed} goals are missed", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
