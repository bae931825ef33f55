"""Words of our own rows: while two versions of prenopay run side by side, the older one meets words of the newer.

It shows such a word as it is, and leaves the row alone.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

from prenopay.errors import IllegalTransition

__all__ = ["known", "require_known", "word"]

WordT = TypeVar("WordT", bound=StrEnum)


def word(kind: type[WordT], text: str) -> WordT:
    """Return a word of a row. One that only a newer prenopay knows is kept, and equals no word of this version."""
    try:
        return kind(text)
    except ValueError:
        newer = str.__new__(kind, text)
        newer._name_, newer._value_ = text.upper(), text
        return newer


def known(kind: type[StrEnum]) -> tuple[str, ...]:
    """Return the words of ``kind`` that this version knows, as the rows have them."""
    return tuple(each.value for each in kind)


def require_known(what: str, *found: StrEnum) -> None:
    """Raise ``IllegalTransition`` if one of the words is a newer prenopay's: this version leaves the row alone."""
    for each in found:
        if each.value not in known(type(each)):
            message = (
                f"{what} has the word {each.value!r}, which a newer prenopay wrote: this one leaves it alone; "
                "update this process"
            )
            raise IllegalTransition(message)
