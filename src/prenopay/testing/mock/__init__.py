"""A payment provider without a network, for the unit tests of hosts."""

from __future__ import annotations

from prenopay.testing.mock.config import Mock
from prenopay.testing.mock.gateway import MockGateway, MockSeen, PayerRefused
from prenopay.testing.mock.outcomes import AMOUNTS, DECLINES, Call, Manner, MockAmount, ScriptUnused
from prenopay.testing.mock.provider import MockProvider, MockProviderApart
from prenopay.testing.mock.records import MockTotals
from prenopay.testing.mock.shop import AsyncMockShop, MockShop, mock_accounts, mock_accounts_async
from prenopay.testing.mock.telling import EventsNotTaken, NotIdempotent

__all__ = [
    "AMOUNTS",
    "DECLINES",
    "AsyncMockShop",
    "Call",
    "EventsNotTaken",
    "Manner",
    "Mock",
    "MockAmount",
    "MockGateway",
    "MockProvider",
    "MockProviderApart",
    "MockSeen",
    "MockShop",
    "MockTotals",
    "NotIdempotent",
    "PayerRefused",
    "ScriptUnused",
    "mock_accounts",
    "mock_accounts_async",
]
