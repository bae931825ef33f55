"""How things are measured here: paired rounds, medians, CPU time where the machine is noisy."""

from __future__ import annotations

import statistics
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Ratio", "compare", "peak_kib"]


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """One row of the table: ``ours`` and ``baseline`` in ``unit``, and the median of the rounds' ratios."""

    name: str
    baseline_name: str
    ours: float
    baseline: float
    ratio: float
    unit: str


def compare(
    name: str,
    ours: Callable[[], object],
    baseline: Callable[[], object],
    *,
    baseline_name: str,
    calls: int,
    rounds: int = 9,
    clock: Callable[[], float] = time.process_time,
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
        unit="us CPU" if clock is time.process_time else "us",
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
