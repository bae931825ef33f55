"""Prints the table: ``python -m benchmarks [calls] [imports] [callbacks] [swish]``."""

from __future__ import annotations

import sys

from benchmarks import callbacks, calls, imports, swish

PARTS = {"calls": calls.measure, "imports": imports.measure, "callbacks": callbacks.measure, "swish": swish.measure}


def main() -> None:
    """Measure the parts named, or all."""
    print(f"{'what':46} {'against':26} {'ours':>10} {'baseline':>10}  {'unit':9} {'ratio':>6}")
    for part in sys.argv[1:] or PARTS:
        for row in PARTS[part]():
            names, sums = f"{row.name:46} {row.baseline_name:26}", f"{row.ours:10.1f} {row.baseline:10.1f}"
            print(f"{names} {sums}  {row.unit:9} {row.ratio:6.2f}", flush=True)


if __name__ == "__main__":
    main()
