"""A payment provider whose gateway is in this process, for the unit tests of hosts."""

from __future__ import annotations

from prenopay.testing.gateway import PayerRefused, Totals
from prenopay.testing.mock.gateway import MockGateway, MockSeen, MockSender
from prenopay.testing.mock.outcomes import AMOUNTS, DECLINES, Call, Manner, MockAmount, ScriptUnused
from prenopay.testing.mock.provider import Mock, MockProvider, MockProviderApart
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
    "MockSender",
    "MockShop",
    "NotIdempotent",
    "PayerRefused",
    "ScriptUnused",
    "Totals",
    "mock_accounts",
    "mock_accounts_async",
]
