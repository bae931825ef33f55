"""What may stand in a message or a reference, and how a text is cut to it where the host asks for that.

Sources differ: the MSS guide (section 5.1) takes letters, digits, space and a few signs, newer copies of
the developer site many more, and ``-`` stands in one list for payments and in none for refunds. What
all agree on is sent.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from prenopay.errors import InvalidOrder

__all__ = ["clean_message", "clean_reference", "message", "reference"]

MESSAGE_MOST: Final = 50
REFERENCE_MOST: Final = 35
"""36 by newer copies of the developer site."""

_LETTERS: Final = "A-Za-zÅÄÖåäö0-9"
_MESSAGE_SIGN: Final = re.compile(rf"[{_LETTERS} :;.,?!()]")
_REFERENCE: Final = re.compile(rf"[A-Za-z0-9-]{{1,{REFERENCE_MOST}}}")
_OUR_LETTERS: Final = frozenset("ÅÄÖåäö")
_INSTEAD: Final = {
    "&": " och ",
    "Æ": "Ä",
    "æ": "ä",
    "Ø": "Ö",
    "ø": "ö",
    "Ð": "D",
    "ð": "d",
    "Þ": "Th",
    "þ": "th",
    "ß": "ss",
    "Œ": "OE",
    "œ": "oe",
    "Ł": "L",
    "ł": "l",
    "…": "...",
    "[": "(",
    "]": ")",
    "{": "(",
    "}": ")",
    "'": "",
    "’": "",  # noqa: RUF001 - that sign is meant
    '"': "",
    "”": "",
    "“": "",
}
"""What is written instead of a sign that is not taken; any other becomes a space."""


def message(text: str, *, field: str, clean: bool) -> str:
    """Return ``text`` as a message of Swish's; raises ``InvalidOrder`` for what does not fit."""
    text = clean_message(text) if clean else text
    wrong = "".join(dict.fromkeys(sign for sign in text if not _MESSAGE_SIGN.fullmatch(sign)))
    if wrong:
        why = (
            f"{field}: Swish takes letters a to ö, digits, space and :;.,?!() only, not {wrong!r}; "
            "write it otherwise, or set clean_texts"
        )
        raise InvalidOrder(why, field=field)
    if len(text) > MESSAGE_MOST:
        why = f"{field}: at most {MESSAGE_MOST} signs, not {len(text)}; shorten it, or set clean_texts"
        raise InvalidOrder(why, field=field)
    if not text.strip():
        why = f"{field}: nothing is left of it that Swish takes"
        raise InvalidOrder(why, field=field)
    return text


def reference(text: str, *, field: str, clean: bool) -> str:
    """Return ``text`` as a merchant's reference; raises ``InvalidOrder`` for what does not fit."""
    text = clean_reference(text) if clean else text
    if not _REFERENCE.fullmatch(text):
        why = f"{field}: Swish takes 1 to {REFERENCE_MOST} letters a to z, digits and '-' only, not {text!r}"
        raise InvalidOrder(why, field=field)
    return text


def clean_message(text: str) -> str:
    """Return ``text`` with what Swish does not take written otherwise or left out, cut to its length."""
    signs = (_plain(sign) for sign in unicodedata.normalize("NFC", text))
    kept = "".join(sign if _MESSAGE_SIGN.fullmatch(sign) else " " for sign in "".join(signs))
    return " ".join(kept.split())[:MESSAGE_MOST].rstrip()


def clean_reference(text: str) -> str:
    """Return ``text`` with every sign that is not taken as ``-``, cut to its length."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9]+", "-", plain).strip("-")[:REFERENCE_MOST].rstrip("-")


def _plain(sign: str) -> str:
    if sign in _OUR_LETTERS or sign.isascii():
        return _INSTEAD.get(sign, sign)
    if sign in _INSTEAD:
        return _INSTEAD[sign]
    decomposed = unicodedata.normalize("NFKD", sign)
    return "".join(part for part in decomposed if not unicodedata.combining(part))
