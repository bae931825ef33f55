"""How hard to search: the same examples every time in the plain run; more of them, and new ones, when asked."""

from __future__ import annotations

import os
from typing import Final

from hypothesis import HealthCheck, settings

__all__ = ["TIMES", "search"]

TIMES: Final = int(os.environ.get("PRENOPAY_FUZZ", "0"))
"""How many times as long as in the plain run; 0 is the plain run."""


def search(examples: int) -> settings:
    """Return the settings of a search over so many examples in the plain run."""
    return settings(
        max_examples=examples * max(TIMES, 1),
        derandomize=not TIMES,
        database=None,
        deadline=None,
        print_blob=bool(TIMES),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    )
