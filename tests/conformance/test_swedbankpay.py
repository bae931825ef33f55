"""Swedbank Pay keeps every rule, whatever references the agreement asks for."""

from __future__ import annotations

from dataclasses import replace

from prenopay.providers.swedbankpay import ReferenceFormat, SwedbankPay
from prenopay.testing.emulators.swedbankpay import Merchant, ReferenceFormat as MerchantFormat, SwedbankPayEmulator
from prenopay.testing.emulators.swedbankpay.gateway import SwedbankPayGateway
from tests.conformance.suites import AboutReferences, OnBothDatabases


class LongReferences(SwedbankPayGateway):
    def __init__(self) -> None:
        super().__init__(SwedbankPayEmulator(merchants=[Merchant(reference_format=MerchantFormat.LONG)]))

    def account(self, name: str, *, base_url: str = "") -> SwedbankPay:
        return replace(super().account(name, base_url=base_url), reference_format=ReferenceFormat.ALPHANUMERIC_50)


class TwelveDigits(SwedbankPayGateway):
    def __init__(self) -> None:
        merchant = Merchant(reference_format=MerchantFormat.SETTLED_BY_OWN_ACQUIRER)
        super().__init__(SwedbankPayEmulator(merchants=[merchant]))

    def account(self, name: str, *, base_url: str = "") -> SwedbankPay:
        config = super().account(name, base_url=base_url)
        return replace(config, reference_format=ReferenceFormat.DIGITS_12, payer_api=False)


class TestSwedbankPay(OnBothDatabases):
    gateway = SwedbankPayGateway


class TestSwedbankPayWithLongReferences(AboutReferences):
    gateway = LongReferences


class TestSwedbankPayWithTwelveDigits(AboutReferences):
    gateway = TwelveDigits
