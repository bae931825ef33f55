"""The public doors of prenopay, and the values that can be met behind them."""

from __future__ import annotations

import builtins
import dataclasses
import importlib
import inspect
import pkgutil
import sys
import typing
from collections.abc import Iterator
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any


def _children(package: str) -> list[str]:
    """Return the public modules directly in ``package``."""
    found = importlib.import_module(package)
    names = [module.name for module in pkgutil.iter_modules(found.__path__) if not module.name.startswith("_")]
    return [f"{package}.{name}" for name in names]


_PROVIDERS = sorted(
    point.module for point in entry_points(group="prenopay.providers") if point.module.startswith("prenopay.")
)
DOORS = (
    "prenopay",
    "prenopay.errors",
    "prenopay.provider",
    *_PROVIDERS,
    *_children("prenopay.web"),
    *_children("prenopay.testing"),
    *(provider.replace(".providers.", ".testing.emulators.") for provider in _PROVIDERS),
)
"""What hosts, provider authors and testers import from. Every other module may change in any release."""

_VALUES_DOORS = ("prenopay", "prenopay.provider", "prenopay.providers.swedbankpay")


def doors() -> Iterator[ModuleType]:
    """Import every door."""
    return map(importlib.import_module, DOORS)


def names_of(door: ModuleType) -> dict[str, Any]:
    """Return what a door makes public."""
    return {name: getattr(door, name) for name in getattr(door, "__all__", ())}


def members_of(kind: type) -> dict[str, Any]:
    """Return the public functions, class methods and properties of a class of ours."""
    code = {name: member for name, member in vars(kind).items() if not name.startswith("_")}
    return {
        name: member
        for name, member in code.items()
        if inspect.isfunction(member) or isinstance(member, property | classmethod | staticmethod)
    }


def function_of(member: Any) -> Any:
    """Return the function behind a method or a property."""
    return member.fget if isinstance(member, property) else getattr(member, "__func__", member)


def values_met() -> list[type[Any]]:
    """Return every value of ours that a host meets: exported, or named by what is exported, at any depth."""
    return sorted(filter(_is_value, kinds_met(*map(importlib.import_module, _VALUES_DOORS))), key=_name_of)


def kinds_met(*from_doors: ModuleType) -> set[type[Any]]:
    """Return every class of ours that is exported by these doors, or named by what they export, at any depth."""
    met: set[type[Any]] = set()
    waiting: list[Any] = [getattr(door, name) for door in from_doors for name in door.__all__]
    while waiting:
        each = waiting.pop()
        waiting += typing.get_args(each)
        if not isinstance(each, type) or each in met or not each.__module__.startswith("prenopay"):
            continue
        met.add(each)
        for annotated in (each, *map(function_of, members_of(each).values())):
            waiting += hints_of(annotated).values()
    return met


def _name_of(kind: type[Any]) -> str:
    return kind.__name__


def _is_value(kind: type[Any]) -> bool:
    return dataclasses.is_dataclass(kind) and bool(dataclasses.fields(kind)) and not inspect.isabstract(kind)


class _ForCheckersOnly:
    """Stands for a type that only type checkers import, with or without parameters."""

    def __class_getitem__(cls, _parameters: Any) -> type[_ForCheckersOnly]:
        return cls


class _Names(dict[str, Any]):
    """The names of a module. What only type checkers import is a standard module, or a placeholder."""

    def __missing__(self, name: str) -> object:
        if name.startswith("__"):  # a debugger asks for it, never an annotation
            raise KeyError(name)
        return importlib.import_module(name) if name in sys.stdlib_module_names else _ForCheckersOnly


def hints_of(annotated: Any) -> dict[str, Any]:
    """Return the annotations of a class or function, with placeholders for what only type checkers import."""
    names = _Names(vars(builtins))
    for each in reversed(getattr(annotated, "__mro__", (annotated,))):
        names |= vars(importlib.import_module(each.__module__))
    return typing.get_type_hints(annotated, localns=names)
