"""Puts a wrong provider, or another wrong part, into a world that is otherwise right."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from prenopay.testing.conformance import World
from tests.conformance import worlds

MakeWorld = Callable[[], Generator[World]]


def rebuilt(config: Any, **members: Any) -> Any:
    """Return the same config, of a class with other ``members``."""
    wrong = type(f"Wrong{type(config).__name__}", (type(config),), members)
    return wrong(**{each.name: getattr(config, each.name) for each in dataclasses.fields(config)})


def at(world: MakeWorld, provider: type, **settings: Any) -> MakeWorld:
    """Return what makes that world, with ``provider`` in the place of the right one."""

    def made() -> Generator[World]:
        with contextmanager(world)(**settings) as right:
            config = rebuilt(right.config, provider=property(lambda config: partial(provider, config)))
            yield dataclasses.replace(right, config=config)

    return made


def at_mock(provider: type, **settings: Any) -> MakeWorld:
    return at(worlds.mock, provider, **settings)


def at_swedbankpay(provider: type, **settings: Any) -> MakeWorld:
    return at(worlds.swedbankpay, provider, **settings)


def at_swish(provider: type, **settings: Any) -> MakeWorld:
    return at(worlds.swish, provider, **settings)


def with_config(world: MakeWorld = worlds.mock, /, **members: Any) -> MakeWorld:
    """Return what makes that world, with other members in the config's class."""

    def made() -> Generator[World]:
        with contextmanager(world)() as right:
            yield dataclasses.replace(right, config=rebuilt(right.config, **members))

    return made


def with_core(name: str, value: object) -> MakeWorld:
    """Return what makes the mock's world while something of prenopay itself is wrong."""

    def made() -> Generator[World]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(name, value)
            yield from worlds.mock()

    return made
