"""Swish's QR generator: a picture of a payment request's token, or of amounts that the payer may change.

Contents: ``D`` and the token; ``C`` and payee, amount, message, and which of them the payer may change
(QR code specification 1.7.2). The host asks for no client certificate.
"""

from __future__ import annotations

import io
from decimal import Decimal
from importlib import import_module
from typing import Any, Final
from urllib.parse import quote

from prenopay.testing.emulators.swish.problems import Refusal, malformed
from prenopay.testing.http import EmulatorAnswer, JsonObject, as_object

_TYPES: Final = {"png": "image/png", "svg": "image/svg+xml"}
_SIZE_LEAST: Final = 300
_TEXT_MOST: Final = 70
_KNOBS: Final = frozenset({"format", "size", "border", "transparent"})
_PARTS: Final = {"payee": 1, "amount": 2, "message": 4}


def commerce_content(body: JsonObject) -> str:
    """Return what the code of a token says."""
    token = body.get("token")
    if not isinstance(token, str) or not token or body.keys() - _KNOBS - {"token"}:
        reason = "A commerce code needs a token; apart from it there may be only format, size, border and transparent."
        raise malformed(reason)
    return f"D{token}"


def prefilled_content(body: JsonObject) -> str:
    """Return what a prefilled code says; a request must give at least one of the three parts."""
    if body.keys() - _KNOBS - _PARTS.keys() or not body.keys() & _PARTS.keys():
        reason = "A prefilled code needs payee, amount or message."
        raise malformed(reason)
    mask = 0
    for name, bit in _PARTS.items():
        part = as_object(body.get(name)) if name in body else {}
        if part is None or (name in body and "value" not in part):
            reason = f"{name} must be an object with a value."
            raise malformed(reason)
        mask |= bit if part.get("editable") is True else 0
    amount = _part(body, "amount")
    written = f"{Decimal(str(amount)):.2f}".replace(".", ",") if amount != "" else ""
    content = f"C{_text(body, 'payee')};{written};{quote(_text(body, 'message'), safe='')}"
    return f"{content};{mask}" if mask else content


def qr_picture(content: str, body: JsonObject) -> EmulatorAnswer:
    """Return the picture, in the format that ``body`` asks for."""
    kind, size, border, transparent = (body.get(name) for name in ("format", "size", "border", "transparent"))
    if kind not in {"png", "svg", "jpg"}:
        reason = "format must be png, svg or jpg."
        raise malformed(reason)
    if kind != "svg" and not (isinstance(size, int | Decimal) and size >= _SIZE_LEAST):
        reason = f"size must be at least {_SIZE_LEAST}; only svg goes without."
        raise malformed(reason)
    if kind == "jpg":
        # A JPEG needs a library that nothing else here needs; and it cannot be transparent.
        raise Refusal(400 if transparent is True else 500)
    segno: Any = import_module("segno")
    code = segno.make_qr(content, error="h")
    edge = int(border) if isinstance(border, int | Decimal) else 4
    modules = code.symbol_size(border=edge)[0]
    scale = max(1, int(size) // modules) if isinstance(size, int | Decimal) else 4
    picture = io.BytesIO()
    code.save(picture, kind=kind, scale=scale, border=edge, light=None if transparent is True else "white")
    return EmulatorAnswer(status=200, headers=(("content-type", _TYPES[str(kind)]),), body=picture.getvalue())


def _part(body: JsonObject, name: str) -> object:
    value = (as_object(body.get(name)) or {}).get("value", "")
    if name == "amount" and name in body and (isinstance(value, bool) or not isinstance(value, int | float | Decimal)):
        reason = "amount must be a number."
        raise malformed(reason)
    return value


def _text(body: JsonObject, name: str) -> str:
    value = _part(body, name)
    if not isinstance(value, str) or len(value) > _TEXT_MOST:
        reason = f"{name} must be a text of at most {_TEXT_MOST} characters."
        raise malformed(reason)
    return value
