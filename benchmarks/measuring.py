"""How things are measured here: paired rounds, medians, CPU time where the machine is noisy."""

from __future__ import annotations

import statistics
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

__all__ = ["HEADING", "Ratio", "compare", "peak_kib"]

HEADING: Final = (
    f"{'what':46} {'against':26} {'ours':>10} {'baseline':>10}  {'unit':9} {'ratio':>6} {'goal':>7}  verdict"
)


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """One row of the table: ``ours`` and ``baseline`` in ``unit``, and the median of the rounds' ratios.

    ``goal`` is the highest ratio that is good enough; ``None`` where there is no goal.
    """

    name: str
    baseline_name: str
    ours: float
    baseline: float
    ratio: float
    unit: str
    goal: float | None = None

    @property
    def is_missed(self) -> bool:
        """Whether the ratio is above the goal."""
        return self.goal is not None and self.ratio > self.goal

    @property
    def line(self) -> str:
        """The row as printed under ``HEADING``."""
        goal = "" if self.goal is None else f"<= {self.goal:.1f}"
        verdict = "" if self.goal is None else "MISSED" if self.is_missed else "kept"
        names, sums = f"{self.name:46} {self.baseline_name:26}", f"{self.ours:10.1f} {self.baseline:10.1f}"
        return f"{names} {sums}  {self.unit:9} {self.ratio:6.2f} {goal:>7}  {verdict}".rstrip()


def compare(
    name: str,
    ours: Callable[[], object],
    baseline: Callable[[], object],
    *,
    baseline_name: str,
    calls: int,
    rounds: int = 9,
    clock: Callable[[], float] = time.process_time,
    goal: float | None = None,
) -> Ratio:
    """Run both in turn, ``rounds`` times, and take the ratio inside each round: drift of the machine cancels out."""
    ours_seconds: list[float] = []
    baseline_seconds: list[float] = []
    for warm_up in (ours, baseline):
        warm_up()
    for turn in range(rounds):
        order = ((ours, ours_seconds), (baseline, baseline_seconds))
        for run, seconds in order if turn % 2 else reversed(order):
            began = clock()
            for _ in range(calls):
                run()
            seconds.append((clock() - began) / calls)
    return Ratio(
        name=name,
        baseline_name=baseline_name,
        ours=statistics.median(ours_seconds) * 1e6,
        baseline=statistics.median(baseline_seconds) * 1e6,
        ratio=statistics.median(a / b for a, b in zip(ours_seconds, baseline_seconds, strict=True)),
        unit="us CPU",
        goal=goal,
    )


def peak_kib(name: str, ours: Callable[[], object], baseline: Callable[[], object], *, baseline_name: str) -> Ratio:
    """Compare how much memory one call has allocated at its highest, after a warm-up."""
    peaks: list[float] = []
    for run in (ours, baseline):
        run()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        run()
        peaks.append((tracemalloc.get_traced_memory()[1] - before) / 1024)
        tracemalloc.stop()
    return Ratio(
        name=name,
        baseline_name=baseline_name,
        ours=peaks[0],
        baseline=peaks[1],
        ratio=peaks[0] / peaks[1],
        unit="KiB peak",
    )
