"""Swish keeps every rule."""

from __future__ import annotations

from collections.abc import Generator

from prenopay.testing.conformance import ProviderSuite, World
from tests.conformance.worlds import swish


class TestSwish(ProviderSuite):
    def world(self) -> Generator[World]:
        return swish()
