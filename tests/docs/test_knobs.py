"""The page of the emulators' knobs has every field, word, call, action and code once, each with a text."""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Iterator
from enum import Enum
from types import ModuleType
from typing import Any

import pytest

from prenopay.testing import callbacks, control, faults
from prenopay.testing.emulators.leniency import Leniency
from prenopay.testing.emulators.swedbankpay import (
    AWKWARD,
    SwedbankPayEmulator,
    behaviour as swedbankpay,
    payer,
)
from prenopay.testing.emulators.swish import SwishEmulator, behaviour as swish
from tests.docs.reading import DOCS

_BLOCK = re.compile(r"^```\{from-code\} (?P<name>knobs:\S+)\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE)
_PAGE = (DOCS / "reference" / "emulator-knobs.md").read_text(encoding="utf-8")
_OTHERS: tuple[type, ...] = (
    callbacks.CallbackAddresses,
    Leniency,
    callbacks.Manner,
    callbacks.RetrySchedule,
    faults.Fault,
    faults.FaultBody,
    faults.FaultKind,
    payer.PayerAnswer,
    payer.TrustlyAnswer,
)


def switches(module: ModuleType) -> Iterator[type]:
    """Find the classes that a ``behaviour`` module defines, whatever its ``__all__`` lists."""
    for each in vars(module).values():
        if isinstance(each, type) and each.__module__ == module.__name__:
            yield each


_CLASSES = [*switches(swedbankpay), *switches(swish), *_OTHERS]


def named(owner: type) -> str:
    gateway = re.search(r"\.(swedbankpay|swish)\.", owner.__module__)
    return f"knobs:{gateway[1]}.{owner.__name__}" if gateway else f"knobs:{owner.__name__}"


@pytest.fixture(scope="module")
def tables() -> Iterator[dict[str, list[list[str]]]]:
    """Return the rows of every table on the page."""
    sys.path.insert(0, str(DOCS / "_extensions"))
    try:
        from from_code import knobs, markdown  # type: ignore[import-not-found]  # noqa: PLC0415 - not a package of ours

        made = {}
        for found in _BLOCK.finditer(_PAGE):
            texts = markdown.Texts(found["body"].splitlines())
            made[found["name"]] = rows(knobs.MAKERS[found["name"]](texts))
            texts.require_all_used()
        assert made.keys() == knobs.MAKERS.keys()
        yield made
    finally:
        sys.path.remove(str(DOCS / "_extensions"))


def rows(table: str) -> list[list[str]]:
    lines = [re.split(r"(?<!\\) \| ", line.removeprefix("| ").removesuffix(" |")) for line in table.splitlines()]
    return lines[2:]


@pytest.mark.parametrize("owner", _CLASSES, ids=named)
def test_the_page_has_every_knob_with_a_text(owner: type, tables: dict[str, list[list[str]]]) -> None:
    found = tables[named(owner)]
    names = [each.name for each in owner] if issubclass(owner, Enum) else [each.name for each in fields(owner)]
    assert [row[0] for row in found] == [f"`{name}`" for name in names]
    assert [row[0] for row in found if len(row[-1].strip()) < 4] == []


def fields(owner: Any) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(owner)


def test_the_page_has_every_control_call(tables: dict[str, list[list[str]]]) -> None:
    routes = control.ControlPanel(SwedbankPayEmulator())._routes
    expected = {(method, f"`{control.CONTROL_PREFIX}{route}`") for method, route in [*routes, ("GET", "orders/{id}")]}
    assert {(row[0], row[1]) for row in tables["knobs:control"]} == expected
    assert all(row[2] for row in tables["knobs:control"])


@pytest.mark.parametrize(
    ("name", "emulator"),
    [("swedbankpay", SwedbankPayEmulator()), ("swish", SwishEmulator())],
    ids=["swedbankpay", "swish"],
)
def test_the_page_has_every_payer_action(
    name: str, emulator: SwedbankPayEmulator | SwishEmulator, tables: dict[str, list[list[str]]]
) -> None:
    listed = [row[0].strip("`") for row in tables[f"knobs:{name}.actions"]]
    with pytest.raises(control.ControlRefused) as refused:
        emulator.act_as_payer("no such action", "x", {})
    words = re.findall(r"[a-z_]+", str(refused.value).removeprefix("action must be "))
    assert set(words) - {"or"} == set(listed)


def test_the_tables_of_codes_have_rows(tables: dict[str, list[list[str]]]) -> None:
    codes = {row[0]: row for row in tables["knobs:swish.codes"]}
    assert codes["`RF07`"][1:3] == ["payout", "ecom, mcom, refund"]
    assert ["`RF07`", "`swishdeclined`"] in tables["knobs:swedbankpay.descriptions"]
    assert "`acquirerinsufficientfunds`" in {row[0] for row in tables["knobs:swedbankpay.charges"]}


def test_defaults_are_those_of_the_code(tables: dict[str, list[list[str]]]) -> None:
    listed = {row[0]: row[2] for row in tables["knobs:swedbankpay.Behaviour"]}
    assert listed["`create_status`"] == f"`{swedbankpay.Behaviour().create_status}`"
    assert listed["`create_status`"] != f"`{AWKWARD.create_status}`"
    assert listed["`brand`"] == "`Brand.PAYEX`"
