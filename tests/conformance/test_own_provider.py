"""The provider that "Write a provider" shows keeps every rule that applies to it."""

from __future__ import annotations

from examples.own_provider.conformance import TestNordpay
from examples.own_provider.provider import Nordpay

from prenopay import PaymentState
from prenopay.testing.conformance import ProviderSuite

__all__ = ["TestNordpay"]


def test_what_does_not_apply_is_said() -> None:
    missing = {rule.name: rule.missing for rule in TestNordpay.applies()}
    assert missing["test_captures_in_parts_add_up"] == "nordpay does not inherit Captures"
    assert missing["test_a_refund_gives_all_back"] == ""
    assert missing.keys() == {name for name in dir(ProviderSuite) if name.startswith("test_")}


def test_a_stored_payment_can_be_read() -> None:
    assert Nordpay.inspect(b'{"status": "paid"}').state is PaymentState.CAPTURED
