"""Whether masking is linear: texts of the kinds that make careless patterns slow, each twice as long as before."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

from benchmarks.measuring import Ratio, compare
from prenopay._redaction import TEXT_MOST, scrub

LINEAR_GOAL: Final = 2.6
"""Twice the text is twice the work, with some room for a noisy machine; the square of it would be four times."""
BOUNDED_GOAL: Final = 2.0
"""A text of a megabyte is no more work than the longest that is shown, and what is looked through after it."""
PIECES: Final = ("1 ", "1", "1-", "a@", "a@b.", "bearer ", "467")


def measure() -> Iterator[Ratio]:
    """Measure each kind at half and at the whole of what is shown, and a megabyte of it."""
    for piece in PIECES:
        half, whole, much = ((piece * length)[:length] for length in (TEXT_MOST // 2, TEXT_MOST, 1_000_000))
        for name, ours, baseline, against, goal in (
            ("twice the text", whole, half, f"{len(half)} characters", LINEAR_GOAL),
            ("a megabyte", much, whole, f"{len(whole)} characters", BOUNDED_GOAL),
        ):
            yield compare(
                f"mask {piece!r}: {name}",
                partial(scrub, ours),
                partial(scrub, baseline),
                baseline_name=against,
                calls=20,
                goal=goal,
            )
