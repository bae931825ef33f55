"""Swedbank Pay keeps every rule, whatever references the agreement asks for."""

from __future__ import annotations

from collections.abc import Generator

from prenopay.providers.swedbankpay import ReferenceFormat
from prenopay.testing.conformance import ProviderSuite, World
from tests.conformance.one_colour import OneColour
from tests.conformance.worlds import swedbankpay


class TestSwedbankPay(ProviderSuite):
    def world(self) -> Generator[World]:
        return swedbankpay()


class TestSwedbankPayWithLongReferences(OneColour):
    def world(self) -> Generator[World]:
        return swedbankpay(ReferenceFormat.ALPHANUMERIC_50)


class TestSwedbankPayWithTwelveDigits(OneColour):
    def world(self) -> Generator[World]:
        return swedbankpay(ReferenceFormat.DIGITS_12, payer_api=False)
