"""Orders and declines as JSON and back, without loss: how the tables store public values.

Each value is stored under a stable name and a version (``{"$type": "order", "$v": 1, …}``), so that a class or a
field can be renamed while stored rows stay as they are. A stored order reads back as the same value, with its
decimals, dates and enums. Its digest says whether two requests with one operation id ask for the same thing.

While two versions of prenopay run side by side, the older one meets words and fields that only the newer one knows. It
shows them as they are (``load_shown``), and never acts on them (``load``).

To rename a field: give its old name in ``Stored.names``. To change what a field means: raise ``Stored.version``,
and add to ``Stored.upgrades`` a function that turns the older version into the newer one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import Any, Final, TypeVar, cast

from prenopay.books.words import word
from prenopay.values import mandates, orders, payments
from prenopay.values.money import Money

__all__ = ["Stored", "canonical", "differing", "digest", "dump", "load", "load_as", "load_shown"]

T = TypeVar("T")
Upgrade = Callable[[dict[str, Any]], dict[str, Any]]
"""Turns the stored fields of one version into those of the next."""

_WHOLE_MOST: Final = 10**15
_MONEY: Final = "money"
"""The stored name of an amount."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """How one class is stored: its stable name, its version, and the names of its fields."""

    name: str
    type: type[Any]
    version: int = 1
    names: Mapping[str, str] = field(default_factory=lambda: MappingProxyType(dict[str, str]()))
    """Stored name by field name, for fields that were renamed."""
    upgrades: Mapping[int, Upgrade] = field(default_factory=lambda: MappingProxyType(dict[int, Upgrade]()))
    """Each upgrade by the version that it starts from."""


_STORED: Final[tuple[Stored, ...]] = (
    Stored(name=_MONEY, type=Money),
    Stored(name="order", type=orders.Order),
    Stored(name="order-line", type=orders.OrderLine),
    Stored(name="payer", type=orders.Payer),
    Stored(name="payer-history", type=orders.PayerHistory),
    Stored(name="address", type=orders.Address),
    Stored(name="risk-facts", type=orders.RiskFacts),
    Stored(name="payout-order", type=orders.PayoutOrder),
    Stored(name="decline", type=payments.Decline),
    Stored(name="seamless-view", type=payments.SeamlessView),
    Stored(name="app-switch", type=payments.AppSwitch),
    Stored(name="consent", type=mandates.Consent),
    Stored(name="store-method", type=mandates.StoreMethod),
)
_BY_TYPE: Final[Mapping[type[Any], Stored]] = {each.type: each for each in _STORED}
_BY_NAME: Final[Mapping[str, Stored]] = {each.name: each for each in _STORED}

_ENUMS: Final[Mapping[str, type[Enum]]] = {
    "payment-state": payments.PaymentState,
    "action": payments.Action,
    "operation-kind": payments.OperationKind,
    "outcome": payments.Outcome,
    "decline-kind": payments.DeclineKind,
    "advice": payments.Advice,
    "decline-code": payments.DeclineCode,
    "flag-kind": payments.FlagKind,
    "instrument": orders.Instrument,
    "capture-mode": orders.CaptureMode,
    "initiator": orders.Initiator,
    "page-style": orders.PageStyle,
    "line-kind": orders.LineKind,
    "delivery-time": orders.DeliveryTime,
    "shipped-to": orders.ShippedTo,
    "mandate-kind": mandates.MandateKind,
    "mandate-state": mandates.MandateState,
    "consent-kind": mandates.ConsentKind,
}
_ENUM_NAMES: Final[Mapping[type[Enum], str]] = {kind: name for name, kind in _ENUMS.items()}


def dump(value: Any) -> Any:
    """Return ``value`` as JSON; fields that hold their default are left out."""
    match value:
        case Enum() if type(value) in _ENUM_NAMES:
            return {"$enum": [_ENUM_NAMES[type(value)], value.value]}
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
            return [dump(member) for member in cast("Sequence[Any]", value)]
        case Mapping():
            pairs = cast("Mapping[str, Any]", value)
            return {"$map": [[key, dump(pairs[key])] for key in sorted(pairs)]}
        case _ if is_dataclass(value) and type(value) in _BY_TYPE:
            stored = _BY_TYPE[type(value)]
            members = {
                stored.names.get(each.name, each.name): dump(getattr(value, each.name))
                for each in fields(value)
                if not _is_default(value, each)
            }
            return {"$type": stored.name, "$v": stored.version, **members}
        case float():
            return {"$float": repr(value)}
        case _:
            message = f"a {type(value).__name__} cannot be stored"
            raise TypeError(message)


def load(stored: Any, *, shown: bool = False) -> Any:
    """Return the value that ``dump`` stored.

    ``shown``: the value is only shown, so words that a newer prenopay wrote are kept, and its fields left out.
    """
    if isinstance(stored, list):
        members = cast("Sequence[Any]", stored)
        return tuple(load(member, shown=shown) for member in members)
    if not isinstance(stored, dict):
        return stored
    tagged = cast("dict[str, Any]", stored)
    match tagged:
        case {"$enum": [str(name), value]}:
            return _enum(name, value, shown=shown)
        case {"$decimal": str(text)}:
            return Decimal(text)
        case {"$datetime": str(text)}:
            return datetime.fromisoformat(text)
        case {"$date": str(text)}:
            return date.fromisoformat(text)
        case {"$microseconds": int(count)}:
            return timedelta(microseconds=count)
        case {"$map": pairs}:
            return {key: load(member, shown=shown) for key, member in pairs}
        case {"$float": str(text)}:
            return float(text)
        case {"$type": str(name), "$v": int(version)}:
            own = {key: value for key, value in tagged.items() if not key.startswith("$")}
            return _loaded(name, version, own, shown=shown)
        case _:
            message = f"this is not a value that prenopay stored: {sorted(tagged)}"
            raise TypeError(message)


def _enum(name: str, value: Any, *, shown: bool) -> Any:
    kind = _ENUMS.get(name) if shown else _ENUMS[name]
    if kind is None:
        return value
    return word(kind, value) if shown and issubclass(kind, StrEnum) else kind(value)


def _loaded(name: str, version: int, members: dict[str, Any], *, shown: bool) -> Any:
    known = _BY_NAME.get(name)
    if known is None or (version > known.version and not shown):
        message = f"the database holds {name!r} of version {version}, which a newer prenopay wrote"
        raise TypeError(message)
    for older in range(version, known.version):
        members = known.upgrades[older](members)
    fields_by_stored_name = {stored: ours for ours, stored in known.names.items()}
    named = {fields_by_stored_name.get(key, key): load(value, shown=shown) for key, value in members.items()}
    if shown:
        ours = {each.name for each in fields(known.type)}
        named = {key: value for key, value in named.items() if key in ours}
    return _made(known.type, named, may_differ=shown)


def _made(kind: type[Any], named: dict[str, Any], *, may_differ: bool) -> Any:
    """Make a value of its fields. A newer prenopay's may break the rules of this version: it is shown as it is."""
    try:
        return kind(**named)
    except (TypeError, ValueError):
        if not may_differ or any(each.name not in named for each in fields(kind) if _is_needed(each)):
            raise
    made = object.__new__(kind)
    for each in fields(kind):
        default = each.default_factory() if each.default_factory is not MISSING else each.default
        object.__setattr__(made, each.name, named.get(each.name, default))
    return made


def _is_needed(each: Field[Any]) -> bool:
    return each.default is MISSING and each.default_factory is MISSING


def load_as(kind: type[T], stored: Any) -> T:
    """Return the stored value, which must be a ``kind``."""
    return _as(kind, load(stored))


def load_shown(kind: type[T], stored: Any) -> T:
    """Return the stored value to show it, although a newer prenopay may have written it; it must be a ``kind``."""
    return _as(kind, load(stored, shown=True))


def _as(kind: type[T], value: Any) -> T:
    if not isinstance(value, kind):
        message = f"the stored value is a {type(value).__name__}, not a {kind.__name__}"
        raise TypeError(message)
    return value


def digest(*values: object) -> str:
    """Return a fingerprint of ``values``: equal requests have the same; ``25`` equals ``Decimal("25.00")``.

    Who knows the rest finds a short secret in it by trying: what describes a person goes into ``CallbackUrls.marks``.
    """
    return hashlib.sha256(canonical(*map(dump, values)).encode()).hexdigest()


def canonical(*stored: Any) -> str:
    """Return dumped values as one text: equal requests have the same; ``25`` equals ``Decimal("25.00")``."""
    return json.dumps(list(map(_meaning, stored)), sort_keys=True, ensure_ascii=True)


def differing(stored: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the fields in which two dumped values differ, such as ``amount`` or ``payer.email``."""
    found: list[str] = []
    for name in sorted(each for each in {*stored, *other} if not each.startswith("$")):
        first, second = stored.get(name), other.get(name)
        if _meaning(first) == _meaning(second):
            continue
        inner: tuple[str, ...] = ()
        if isinstance(first, dict) and isinstance(second, dict):
            ours, theirs = cast("dict[str, Any]", first), cast("dict[str, Any]", second)
            inner = () if ours.get("$type") == _MONEY else differing(ours, theirs)
        found += [f"{name}.{each}" for each in inner] or [name]
    return tuple(found)


def _meaning(stored: Any) -> Any:
    """Remove types that make no difference: an enum becomes its word, a whole decimal becomes an int."""
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
            return {key: _meaning(member) for key, member in tagged.items() if key != "$v"}


def _is_default(value: object, each: Any) -> bool:
    default = each.default
    if each.default_factory is not MISSING:
        default = each.default_factory()
    present = getattr(value, each.name)
    return default is not MISSING and type(present) is type(default) and present == default
