"""Text that both databases store: PostgreSQL refuses NUL and half characters, which strangers may send."""

from __future__ import annotations

import json
import re
from typing import Final

__all__ = ["as_json", "storable"]

_NUL_IN_JSON: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
_UNKNOWN: Final = "\N{REPLACEMENT CHARACTER}"


def storable(text: str) -> str:
    """Return ``text`` with a replacement for each NUL and each half of a surrogate pair."""
    return text.replace("\0", _UNKNOWN).encode(errors="replace").decode()


def as_json(value: object) -> str:
    """Write ``value`` as JSON without NUL and halves of surrogate pairs."""
    return storable(_NUL_IN_JSON.sub(rf"\1{_UNKNOWN}", json.dumps(value, ensure_ascii=False)))
