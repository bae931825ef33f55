"""Swedbank Pay keeps every rule, whatever references the agreement asks for."""

from __future__ import annotations

from collections.abc import Iterator

from prenopay.providers.swedbankpay import ReferenceFormat
from prenopay.testing.conformance import ProviderSuite, World
from tests.conformance.worlds import swedbankpay


class TestSwedbankPay(ProviderSuite):
    def world(self) -> Iterator[World]:
        return swedbankpay()


class TestSwedbankPayWithLongReferences(ProviderSuite):
    def world(self) -> Iterator[World]:
        return swedbankpay(ReferenceFormat.ALPHANUMERIC_50)


class TestSwedbankPayWithTwelveDigits(ProviderSuite):
    def world(self) -> Iterator[World]:
        return swedbankpay(ReferenceFormat.DIGITS_12, payer_api=False)
