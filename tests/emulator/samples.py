"""The gateways' own samples, in the folder that ``PRENOPAY_SAMPLES`` names, and the names of their members."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest


def load(gateway: str, name: str) -> Any:
    """Return a sample; the test is skipped where no folder is named."""
    folder = os.environ.get("PRENOPAY_SAMPLES")
    if not folder:
        pytest.skip("PRENOPAY_SAMPLES names no folder with the gateways' own samples")
    return json.loads((Path(folder) / gateway / name).read_text())


def names(value: Any, path: str = "") -> set[str]:
    """Return the paths of all members, lists merged, the order's key in one case."""
    if isinstance(value, list):
        return set().union(*(names(entry, path) for entry in value))
    if not isinstance(value, dict):
        return set()
    found: set[str] = set()
    for key, member in value.items():
        here = f"{path}/{'paymentOrder' if key == 'paymentorder' else key}"
        found |= {here} | names(member, here)
    return found
