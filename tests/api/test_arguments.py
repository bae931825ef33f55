"""Every argument of every public entry is checked: a wrong type is refused by name, before anything is done.

The entries are found in the four doors, so a new one is walked too.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin
from unittest.mock import Mock

from prenopay.blocking import Accounts, Mandates, Payments
from prenopay.errors import ConfigurationError, InvalidOrder
from prenopay.provider import PaymentProvider
from prenopay.testing.conformance import ProviderSuite, Stage

from .doors import doors, hints_of, names_of

OTHERS_CALL = {
    Accounts: "its awaiting twin checks, and both have the same signatures (test_twin)",
    Payments: "its awaiting twin checks",
    Mandates: "its awaiting twin checks",
    ProviderSuite: "pytest calls it",
    Stage: "the rules of the suite call it",
}
SAY_MORE = {
    "prenopay.Money.minor": "Money takes whole minor units as int",
    "prenopay.Money.currency": "currency must be three capital letters",
    "prenopay.CallbackUrls.__init__(base_url)": "callback_url: must ",
    "prenopay.CallbackUrls.__init__(keys)": "callback_keys",
    "prenopay.OperationId.of(parts)": "operation_id: part 1 must be a text",
    "prenopay.provider.raise_alone(error)": "exceptions must derive from BaseException",
    "prenopay.web.asgi.CallbackApp.__init__(accounts)": "pass the AsyncAccounts: ",
    "prenopay.web.wsgi.CallbackApp.__init__(accounts)": "pass the Accounts: ",
}
"""Refusals that help more than "must be" does."""
SAY_NOTHING = (Any, object)
"""Annotations that take every value."""


class _Other:
    """A value that no argument takes."""


def _entries() -> Iterator[tuple[str, Any]]:
    """Yield every function and class of ours behind a door, once; pytest calls what is in the plugin."""
    seen = set[int]()
    for door in doors():
        for name, found in {} if door.__name__.endswith(".pytest_plugin") else names_of(door).items():
            is_entry = inspect.isfunction(found) or (inspect.isclass(found) and _is_called(found))
            if is_entry and id(found) not in seen and found.__module__.startswith("prenopay"):
                seen.add(id(found))
                yield f"{door.__name__}.{name}", found


def _is_called(kind: type) -> bool:
    """Whether somebody outside calls it: an error takes texts, and prenopay alone calls a provider."""
    of_others = issubclass(kind, BaseException | Enum | PaymentProvider) or kind in OTHERS_CALL
    return not of_others and not getattr(kind, "_is_protocol", False)


def _calls_of(path: str, found: Any) -> Iterator[tuple[str, Any, bool]]:
    """Yield each call of an entry: its path, its function, and whether it is called on something."""
    if inspect.isfunction(found):
        yield path, found, False
        return
    for owner in found.__mro__:
        for name, member in vars(owner).items() if owner.__module__.startswith("prenopay") else ():
            is_made = name == "__init__" and not dataclasses.is_dataclass(owner)
            function = getattr(member, "__func__", member)
            if not inspect.isfunction(function) or (name.startswith("_") and not is_made):
                continue
            if not getattr(function, "__isabstractmethod__", False):
                yield f"{path}.{name}", function, not isinstance(member, staticmethod)


def _says_nothing(kind: object) -> bool:
    return kind in SAY_NOTHING or isinstance(kind, TypeVar) or getattr(kind, "__name__", "") == "_ForCheckersOnly"


def test_every_argument_of_every_public_call_is_checked() -> None:
    walked, unchecked = 0, list[str]()
    for path, found in _entries():
        for name, function, is_bound in _calls_of(path, found):
            hints, parameters = hints_of(inspect.unwrap(function)), inspect.signature(function).parameters.values()
            for each in list(parameters)[is_bound:]:
                if _says_nothing(hints[each.name]):
                    continue
                others = [other for other in list(parameters)[is_bound:] if other is not each]
                needed = {other.name: _some(hints[other.name]) for other in others if _is_needed(other)}
                walked, why = walked + 1, _refusal_of(function, each, needed, is_bound=is_bound)
                entry = f"{name}({each.name})"
                if not why.startswith(SAY_MORE.get(entry, f"{each.name}: must ")):
                    unchecked.append(f"{entry}: {why[:100]}")
    assert unchecked == []
    assert walked > 500, "the doors were not found"


def _is_needed(parameter: inspect.Parameter) -> bool:
    is_one = parameter.kind in {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
    return is_one and parameter.default is inspect.Parameter.empty


def _refusal_of(function: Any, parameter: inspect.Parameter, needed: Mapping[str, object], *, is_bound: bool) -> str:
    """Return what a call says that gets another value as the one argument."""
    args: list[object] = [_Other()] if is_bound else []
    is_one_of_many = parameter.kind in {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.POSITIONAL_ONLY}
    try:
        made = function(*args, _Other()) if is_one_of_many else function(*args, **needed, **{parameter.name: _Other()})
        if inspect.iscoroutine(made):
            made.send(None)
    except (ConfigurationError, InvalidOrder, TypeError) as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - whatever came, it is no refusal
        return repr(error)
    return "it was taken"


def test_every_field_of_every_public_value_is_checked() -> None:
    walked, unchecked = 0, list[str]()
    for path, kind in _entries():
        if not dataclasses.is_dataclass(kind) or inspect.isabstract(kind):  # what is made of it is walked
            continue
        hints = hints_of(kind)
        for field in dataclasses.fields(kind):
            if not field.init or _says_nothing(hints[field.name]):
                continue
            walked, why = walked + 1, _refusal_by(kind, {**hints, field.name: None}, field.name)
            entry = f"{path}.{field.name}"
            if SAY_MORE.get(entry, f"{field.name}: must ") not in why:
                unchecked.append(f"{entry}: {why[:100]}")
    assert unchecked == []
    assert walked > 500, "the doors were not found"


def _refusal_by(kind: Any, hints: Mapping[str, Any], wrong: str) -> str:
    """Return what a value says that has another value in one field."""
    made = object.__new__(kind)
    for field in dataclasses.fields(kind):
        object.__setattr__(made, field.name, _Other() if field.name == wrong else _some(hints[field.name]))
    try:
        made.__post_init__()
    except (ConfigurationError, InvalidOrder, TypeError, ValueError) as error:
        return str(error)
    except AttributeError as error:
        return repr(error)
    return "it was taken"


_SOME: dict[object, object] = {
    str: "https://shop.example/x",
    int: 1,
    float: 1.0,
    bool: True,
    bytes: b"x",
    type: int,
    NoneType: None,
    Any: 1,
    object: 1,
    Decimal: Decimal(1),
    date: date(2026, 1, 2),
    datetime: datetime(2026, 1, 2, tzinfo=UTC),
    timedelta: timedelta(1),
    Path: Path("x"),
    tuple: (),
    frozenset: frozenset(),
    Mapping: {},
    dict: {},
    list: [],
    Sequence: (),
}


def _some(hint: Any) -> object:
    """Return a value of the type that ``hint`` names; nothing is in it."""
    origin = get_origin(hint) or hint
    if origin in {Union, UnionType, Literal}:
        first = get_args(hint)[0]
        return first if origin is Literal else _some(first)
    if origin in _SOME:
        return _SOME[origin]
    if isinstance(origin, type) and issubclass(origin, Enum):
        return next(iter(origin))
    if getattr(origin, "__final__", False):
        return object.__new__(origin)  # no other class will do
    return Mock(spec=origin) if isinstance(origin, type) else Mock()
