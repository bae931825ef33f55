"""Both colours are one interface: the same names, parameters, defaults, results and words; every argument arrives."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from prenopay import Accounts, AsyncAccounts, AsyncPayments, Payments
from prenopay.blocking import Mandates
from prenopay.mandates.use_cases import AsyncMandates

PAIRS: list[tuple[type, type]] = [(Payments, AsyncPayments), (Accounts, AsyncAccounts), (Mandates, AsyncMandates)]
OTHER_NAMES = {"aclose": "close"}
"""What Python itself calls differently in async code."""


def members(kind: type) -> dict[str, Any]:
    """Return the public methods and properties of ``kind``, unbound, with ``__getitem__``."""
    names = (name for name in vars(kind) if not name.startswith("_") or name == "__getitem__")
    return {name: inspect.getattr_static(kind, name) for name in names}


def function(member: Any) -> Callable[..., Any]:
    if isinstance(member, property):
        member = member.fget
    return cast("Callable[..., Any]", getattr(member, "__func__", member))


def in_blocking_words(annotation: object) -> str:
    """Return what an annotation of async code reads like in blocking code."""
    return re.sub(r"\bAsync(?=Payments|Accounts|EventHandler|Mandates)", "", str(annotation))


def shape(member: Any) -> list[tuple[str, object, object, str]]:
    parameters = inspect.signature(function(member)).parameters.values()
    return [(each.name, each.kind, each.default, in_blocking_words(each.annotation)) for each in parameters]


TWINS = [
    pytest.param(members(blocking)[OTHER_NAMES.get(name, name)], member, id=f"{blocking.__name__}.{name}")
    for blocking, awaiting in PAIRS
    for name, member in members(awaiting).items()
    if OTHER_NAMES.get(name, name) in members(blocking)
]


@pytest.mark.parametrize(("blocking", "awaiting"), PAIRS, ids=lambda kind: kind.__name__)
def test_both_have_the_same_names_in_the_same_order(blocking: type, awaiting: type) -> None:
    expected = sorted(OTHER_NAMES.get(name, name) for name in members(awaiting))
    assert expected == sorted(members(blocking))
    assert len(expected) > 10


@pytest.mark.parametrize(("blocking", "awaiting"), TWINS)
def test_parameters_are_the_same(blocking: Any, awaiting: Any) -> None:
    assert shape(awaiting) == shape(blocking)


@pytest.mark.parametrize(("blocking", "awaiting"), TWINS)
def test_results_are_the_same(blocking: Any, awaiting: Any) -> None:
    expected = in_blocking_words(inspect.signature(function(awaiting)).return_annotation)
    assert expected == inspect.signature(function(blocking)).return_annotation


@pytest.mark.parametrize(("blocking", "awaiting"), TWINS)
def test_kinds_are_the_same(blocking: Any, awaiting: Any) -> None:
    assert type(awaiting) is type(blocking)
    assert not inspect.iscoroutinefunction(function(blocking))


@pytest.mark.parametrize(("blocking", "awaiting"), TWINS)
def test_words_are_the_same(blocking: Any, awaiting: Any) -> None:
    """The blocking one says the first paragraph; the rest stands once, where the code is."""
    expected = (inspect.getdoc(awaiting) or "").partition("\n\n")[0]
    assert expected == (inspect.getdoc(blocking) or "").partition("\n\n")[0]
    assert expected.endswith(".")


@pytest.mark.parametrize(("blocking", "awaiting"), PAIRS, ids=lambda kind: kind.__name__)
def test_attributes_are_the_same(blocking: type, awaiting: type) -> None:
    def public(kind: type) -> set[str]:
        return set(re.findall(r"self\.([a-z]\w*)(?:: [^=\n]+)? = ", inspect.getsource(vars(kind)["__init__"])))

    assert public(awaiting) == public(blocking)
    assert public(awaiting) or blocking is Mandates, "reached by an account, which says whose they are"


# Every argument arrives


class Recorder:
    """Stands in for the awaiting twin: every call is noted, and answered with a value of its own."""

    def __init__(self, kind: type) -> None:
        self.kind = kind
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.answer = object()

    def __getattr__(self, name: str) -> Any:
        async def call(*arguments: Any, **named: Any) -> Any:
            signature = inspect.signature(function(members(self.kind)[name]))
            self.calls.append((name, dict(signature.bind(self, *arguments, **named).arguments) | {"self": None}))
            return self.answer

        return call


FORWARDED = [
    pytest.param(blocking, awaiting, name, id=f"{blocking.__name__}.{OTHER_NAMES.get(name, name)}")
    for blocking, awaiting in PAIRS
    for name, member in members(awaiting).items()
    if inspect.iscoroutinefunction(function(member))
]


@pytest.mark.parametrize(("blocking", "awaiting", "name"), FORWARDED)
def test_every_argument_arrives_and_the_result_comes_back(blocking: type, awaiting: type, name: str) -> None:
    recorder = Recorder(awaiting)
    twin: Any = object.__new__(blocking)
    vars(twin)[f"_{awaiting.__name__.removeprefix('Async').lower()}"] = recorder
    parameters = list(inspect.signature(function(members(awaiting)[name])).parameters.values())[1:]
    given: dict[str, Any] = {each.name: SimpleNamespace(is_for=each.name) for each in parameters}
    positional = [given[each.name] for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD]
    named = {each.name: given[each.name] for each in parameters if each.kind is each.KEYWORD_ONLY}
    result = getattr(twin, OTHER_NAMES.get(name, name))(*positional, **named)
    assert [(name, {"self": None, **given})] == recorder.calls
    assert recorder.answer is result
