"""Puts a wrong provider, or another wrong part, into a gateway's account that is otherwise right."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator
from functools import partial
from typing import Any

import pytest

from prenopay.testing.emulators.swedbankpay.gateway import SwedbankPayGateway
from prenopay.testing.emulators.swish.gateway import SwishGateway
from prenopay.testing.gateway import Gateway
from prenopay.testing.mock import MockGateway

MakeGateway = Callable[[], Gateway | Generator[Gateway]]


def rebuilt(config: Any, **members: Any) -> Any:
    """Return the same config, of a class with other ``members``."""
    wrong = type(f"Wrong{type(config).__name__}", (type(config),), members)
    return wrong(**{each.name: getattr(config, each.name) for each in dataclasses.fields(config)})


def with_config(right: type[Any] = MockGateway, /, **members: Any) -> MakeGateway:
    """Return what makes that gateway, with other members in the class of its account's config."""

    class Wrong(right):  # type: ignore[misc]  # any gateway
        def account(self, name: str, **settings: Any) -> Any:
            return rebuilt(super().account(name, **settings), **members)

    return Wrong


def at(right: type[Any], provider: type) -> MakeGateway:
    """Return what makes that gateway, with ``provider`` instead of the right one."""
    return with_config(right, provider=property(lambda config: partial(provider, config)))


def at_mock(provider: type) -> MakeGateway:
    return at(MockGateway, provider)


def at_swedbankpay(provider: type) -> MakeGateway:
    return at(SwedbankPayGateway, provider)


def at_swish(provider: type) -> MakeGateway:
    return at(SwishGateway, provider)


def with_core(name: str, value: object) -> MakeGateway:
    """Return what makes a mock while something of prenopay itself is wrong."""

    def made() -> Generator[Gateway]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(name, value)
            yield MockGateway()

    return made
