"""The mock keeps every rule, so that what a host's unit tests see is what a gateway may do."""

from __future__ import annotations

from dataclasses import replace

from prenopay.testing.mock import Mock, MockGateway
from tests.conformance.suites import OnBothDatabases, OneColour


class RefundsApart(MockGateway):
    def account(self, name: str) -> Mock:
        return replace(super().account(name), refunds_apart=True, finds_charges=True)


class TestMock(OnBothDatabases):
    gateway = MockGateway


class TestMockWithRefundsApart(OneColour):
    gateway = RefundsApart
