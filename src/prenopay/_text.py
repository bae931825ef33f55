"""Texts that strangers wrote, made fit to be stored, shown and quoted.

A gateway, the sender of a callback or a payer may put any character into a text, and any number of them. What comes
from a gateway is made ``shown`` when our values are made of it. What a host hands over is refused by name if it has
a ``flaw``. This is the lowest module of the package.
"""

from __future__ import annotations

import unicodedata
from dataclasses import fields
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["QUOTED_MOST", "flaw", "name_flaw", "quoted", "show_fields", "shown", "storable"]

QUOTED_MOST: Final = 80
"""How many characters of a text an error quotes: one line of a terminal."""

_UNKNOWN: Final = "\N{REPLACEMENT CHARACTER}"
_SPACES: Final = frozenset("\t\n\r")
_REFUSED: Final = frozenset({"Cc", "Cs"})
"""Control characters (NUL is one) and halves of surrogate pairs."""


def shown(text: str) -> str:
    """Return ``text`` as one line that any terminal, log and database takes.

    A space of any kind becomes a plain one. Any other character that cannot be seen becomes U+FFFD: it could move
    the cursor, turn the line around, or end it. The length stays the same.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else " " if each.isspace() else _UNKNOWN for each in text)


def show_fields(value: DataclassInstance) -> None:
    """Make every text ``shown`` in a frozen dataclass that is being made of what a gateway said, also in its tuples."""
    for each in fields(value):
        given = getattr(value, each.name)
        fit = _shown_in(given)
        if fit is not given:
            object.__setattr__(value, each.name, fit)


def _shown_in(value: object) -> object:
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, tuple):
        members = cast("tuple[object, ...]", value)
        fit = tuple(map(_shown_in, members))
        return members if all(a is b for a, b in zip(fit, members, strict=True)) else fit
    return value


def storable(text: str) -> str:
    """Return ``text`` with a replacement for each NUL and each half of a surrogate pair: PostgreSQL takes neither."""
    return text.replace("\0", _UNKNOWN).encode(errors="replace").decode()


def flaw(text: str) -> str:
    """Name the first character that no order may hold, such as ``U+0000``; nothing if there is none.

    Tabs and ends of lines may be in a text. Other control characters reach terminals and gateways, and halves of
    surrogate pairs are no characters at all.
    """
    if text.isprintable():
        return ""
    bad = (each for each in text if unicodedata.category(each) in _REFUSED and each not in _SPACES)
    return next((f"U+{ord(each):04X}" for each in bad), "")


def name_flaw(text: str) -> str:
    """Say what a name may not hold, because it might not come back as it was sent; nothing if it may.

    Gateways send names back, and they are compared. A name holds what can be seen, and plain spaces inside of it.
    """
    if text != text.strip(" "):
        return "must not begin or end with a space, which gateways cut off"
    if text.isprintable():
        return ""
    bad = next(each for each in text if not each.isprintable())
    return f"must not hold the character U+{ord(bad):04X}: a name holds characters that can be seen, and plain spaces"


def quoted(value: object) -> str:
    """Return ``value`` for an error message: at most a line of it, in quotes if it is a text."""
    text = value if isinstance(value, str) else repr(value)
    line = shown(text[:QUOTED_MOST])
    line = repr(line) if isinstance(value, str) else line
    return line if len(text) <= QUOTED_MOST else f"{line}… ({len(text)} characters)"
