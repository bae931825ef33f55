"""Text that both databases store: what a column holds of it, and JSON without what PostgreSQL refuses."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Final

from prenopay._text import storable

__all__ = ["NAME_MOST", "as_json", "fitted", "number_of"]

NAME_MOST: Final = 60
"""How many characters of a gateway's number or reference are stored."""

_NUL_IN_JSON: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
_UNKNOWN: Final = "\N{REPLACEMENT CHARACTER}"


def fitted(text: str, most: int) -> str:
    """Return ``text`` as a column of ``most`` characters stores it: what is too long ends in a digest of the whole."""
    text = storable(text)
    if len(text) <= most:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{text[: most - len(digest) - 1]}~{digest}"


def number_of(count: int, noun: str) -> str:
    """Return ``1 event`` or ``2 events``: a count with its noun, for people."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def as_json(value: object) -> str:
    """Write ``value`` as JSON without NUL and halves of surrogate pairs."""
    return storable(_NUL_IN_JSON.sub(rf"\1{_UNKNOWN}", json.dumps(value, ensure_ascii=False)))
