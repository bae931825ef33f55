"""Nordpay's provider against every rule that applies to it; pytest runs it like any other test."""

from __future__ import annotations

from prenopay.testing.conformance import ProviderSuite

from .gateway import NordpayGateway

__all__ = ["TestNordpay"]


class TestNordpay(ProviderSuite):
    """Nordpay keeps the rules."""

    gateway = NordpayGateway
