"""The mock keeps every rule, so that what a host's unit tests see is what a gateway may do."""

from __future__ import annotations

from collections.abc import Generator

from prenopay.testing.conformance import ProviderSuite, World
from tests.conformance.one_colour import OneColour
from tests.conformance.worlds import mock


class TestMock(ProviderSuite):
    def world(self) -> Generator[World]:
        return mock()


class TestMockWithRefundsApart(OneColour):
    def world(self) -> Generator[World]:
        return mock(refunds_apart=True, finds_charges=True)
