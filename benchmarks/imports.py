"""What importing prenopay costs against importing httpx, each in a fresh interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator

from benchmarks.measuring import Ratio, compare


def measure() -> Iterator[Ratio]:
    """Measure the bare import, and everything a shop imports."""
    shop = "from prenopay import Accounts; import prenopay.providers.swedbankpay"
    for name, ours in (("import prenopay", "import prenopay"), ("all a shop imports", shop)):
        yield compare(
            name,
            _interpreter(ours),
            _interpreter("import httpx"),
            baseline_name="import httpx",
            calls=1,
            rounds=15,
            clock=_children_cpu,
        )


def _children_cpu() -> float:
    times = os.times()
    return times.children_user + times.children_system


def _interpreter(code: str) -> Callable[[], object]:
    return lambda: subprocess.run([sys.executable, "-c", code], check=True)
