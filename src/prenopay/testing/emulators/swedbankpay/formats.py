"""How the gateway writes times and trace ids."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

__all__ = ["stamp", "trace_of"]


def stamp(moment: datetime) -> str:
    """Return a time as the gateway writes it: UTC, seven digits of a second."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}7Z"


def trace_of(text: str) -> str:
    """Return 32 hexadecimal digits that belong to ``text``: trace ids that replay."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]
