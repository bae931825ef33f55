"""JSON in and out: numbers keep their decimals on the way in, and what is read is narrowed before it is used."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import NoReturn, TypeAlias, cast

__all__ = ["JsonObject", "as_list", "as_object", "read_json", "write_json"]

JsonObject: TypeAlias = dict[str, object]


def read_json(body: bytes) -> object:
    """Return what ``body`` holds, fractions as ``Decimal``; raises ``ValueError`` for what is not JSON."""
    try:
        return cast("object", json.loads(body, parse_float=Decimal, parse_constant=_refuse))
    except (RecursionError, InvalidOperation) as error:
        message = "nested too deeply, or a number beyond all bounds"
        raise ValueError(message) from error


def write_json(value: object, *, indent: int | None = None) -> bytes:
    """Return ``value`` as UTF-8 JSON."""
    return json.dumps(value, ensure_ascii=False, default=_plain, indent=indent).encode()


def as_object(value: object) -> JsonObject | None:
    """Return ``value`` if it is a JSON object."""
    return cast("JsonObject", value) if isinstance(value, dict) else None


def as_list(value: object) -> list[object] | None:
    """Return ``value`` if it is a JSON array."""
    return cast("list[object]", value) if isinstance(value, list) else None


def _plain(value: object) -> float:
    if isinstance(value, Decimal):
        return float(value)
    message = f"{type(value).__name__} has no place in JSON"
    raise TypeError(message)


def _refuse(constant: str) -> NoReturn:
    message = f"{constant} is not JSON"
    raise ValueError(message)
