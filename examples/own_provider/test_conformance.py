"""Nordpay's provider against every rule that applies to it; pytest runs it like any other test."""

from __future__ import annotations

from collections.abc import Generator

from prenopay import Environment, Payment, Secret
from prenopay.testing.conformance import ProviderSuite, World
from prenopay.testing.http import EmulatorSender

from .emulator import API_KEY, NordpayEmulator
from .provider import Nordpay

__all__ = ["TestNordpay"]


class TestNordpay(ProviderSuite):
    """Nordpay keeps the rules."""

    def world(self) -> Generator[World]:
        """Make a new account at a new gateway."""
        gateway = NordpayEmulator()
        yield World(
            config=Nordpay(account="nordpay", environment=Environment.TEST, api_key=Secret(API_KEY)),
            sender=EmulatorSender({"test.nordpay.example": gateway}),
            clock=gateway.clock,
            pays=lambda payment: gateway.pay(_name(payment)),
            declines=lambda payment: gateway.refuse(_name(payment)),
            books=gateway.books,
            secrets=(API_KEY,),
            deliver=gateway.deliver,
            forges=lambda ours, other: gateway.forge(_name(ours), naming=_name(other)),
            unknown_status=lambda body: body.replace(b'"open"', b'"on hold"'),
        )


def _name(payment: Payment) -> str:
    """Return the gateway's name of a payment."""
    return payment.provider_reference or ""
