"""Orders and declines as JSON and back, losing nothing: what the tables keep of public values.

Self-describing (``{"$type": "Money", …}``), so that a stored order reads back as the very values it
was made of, decimals, dates and enums included, and so that its digest says whether two requests
with one operation id ask for the same thing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final, TypeVar, cast

from prenopay.values import mandates, orders, payments as models
from prenopay.values.money import Money

__all__ = ["digest", "dump", "load", "load_as"]

T = TypeVar("T")

_WHOLE_MOST: Final = 10**15

_VALUES: Final[Mapping[str, type[Any]]] = {
    each.__name__: each
    for each in (
        Money,
        orders.Order,
        orders.OrderLine,
        orders.Payer,
        orders.PayerHistory,
        orders.Address,
        orders.RiskFacts,
        orders.PayoutOrder,
        models.Decline,
        models.SeamlessView,
        models.AppSwitch,
        mandates.Consent,
        mandates.StoreMethod,
    )
}
_ENUMS: Final[Mapping[str, type[Enum]]] = {
    each.__name__: each
    for module in (models, orders, mandates)
    for each in vars(module).values()
    if isinstance(each, type) and issubclass(each, Enum)
}


def dump(value: Any) -> Any:
    """Return ``value`` as JSON; fields that hold their default are left out."""
    match value:
        case Enum():
            return {"$enum": [type(value).__name__, value.value]}
        case bool() | int() | str() | None:
            return value
        case Decimal():
            return {"$decimal": str(value)}
        case datetime():
            return {"$datetime": value.isoformat()}
        case date():
            return {"$date": value.isoformat()}
        case timedelta():
            return {"$microseconds": value // timedelta(microseconds=1)}
        case tuple() | list():
            members = cast("Sequence[Any]", value)
            return [dump(member) for member in members]
        case Mapping():
            pairs = cast("Mapping[str, Any]", value)
            return {"$map": [[key, dump(pairs[key])] for key in sorted(pairs)]}
        case _ if is_dataclass(value) and type(value).__name__ in _VALUES:
            stored = {
                each.name: dump(getattr(value, each.name)) for each in fields(value) if not _is_default(value, each)
            }
            return {"$type": type(value).__name__, **stored}
        case float():
            return {"$float": repr(value)}
        case _:
            message = f"a {type(value).__name__} cannot be stored"
            raise TypeError(message)


def load(stored: Any) -> Any:
    """Return the value that ``dump`` stored."""
    if isinstance(stored, list):
        members = cast("Sequence[Any]", stored)
        return tuple(load(member) for member in members)
    if not isinstance(stored, dict):
        return stored
    tagged = cast("dict[str, Any]", stored)
    match tagged:
        case {"$enum": [str(name), value]}:
            return _ENUMS[name](value)
        case {"$decimal": str(text)}:
            return Decimal(text)
        case {"$datetime": str(text)}:
            return datetime.fromisoformat(text)
        case {"$date": str(text)}:
            return date.fromisoformat(text)
        case {"$microseconds": int(count)}:
            return timedelta(microseconds=count)
        case {"$map": pairs}:
            return {key: load(member) for key, member in pairs}
        case {"$float": str(text)}:
            return float(text)
        case {"$type": str(name)}:
            return _VALUES[name](**{key: load(member) for key, member in tagged.items() if key != "$type"})
        case _:
            message = f"this is nothing that was stored here: {sorted(tagged)}"
            raise TypeError(message)


def load_as(kind: type[T], stored: Any) -> T:
    """Return the stored value, which must be a ``kind``."""
    value = load(stored)
    if not isinstance(value, kind):
        message = f"stored is a {type(value).__name__}, expected a {kind.__name__}"
        raise TypeError(message)
    return value


def digest(*values: object) -> str:
    """Return a fingerprint of ``values``: what asks for the same has the same, ``25`` and ``Decimal("25.00")`` too."""
    stored = json.dumps([_meaning(dump(value)) for value in values], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(stored.encode()).hexdigest()


def _meaning(stored: Any) -> Any:
    """Strip what is stored of the types that make no difference: enums are words, whole decimals are ints."""
    if isinstance(stored, list):
        return [_meaning(member) for member in cast("Sequence[Any]", stored)]
    if not isinstance(stored, dict):
        return stored
    tagged = cast("dict[str, Any]", stored)
    match tagged:
        case {"$enum": [_name, value]}:
            return value
        case {"$decimal": str(text)}:
            number = Decimal(text)
            if not number.is_finite():
                return tagged
            whole = abs(number) < _WHOLE_MOST and number == number.to_integral_value()
            return int(number) if whole else {"$decimal": str(number.normalize())}
        case _:
            return {key: _meaning(member) for key, member in tagged.items()}


def _is_default(value: object, each: Any) -> bool:
    default = each.default
    if each.default_factory is not MISSING:
        default = each.default_factory()
    present = getattr(value, each.name)
    return default is not MISSING and type(present) is type(default) and present == default
