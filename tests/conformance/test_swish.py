"""Swish keeps every rule."""

from __future__ import annotations

from collections.abc import Generator

from prenopay.testing.conformance import ProviderSuite, World
from tests.conformance.one_colour import OneColour
from tests.conformance.worlds import swish, swish_consents


class TestSwish(ProviderSuite):
    def world(self) -> Generator[World]:
        return swish()


class TestSwishConsents(OneColour):
    def world(self) -> Generator[World]:
        return swish_consents()
