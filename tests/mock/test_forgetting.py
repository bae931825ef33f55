"""A gateway that forgets references: inside its window a lost change is sent again, after it never."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from prenopay import CaptureMode, Money, Outcome
from prenopay.testing.gateway import an_order
from prenopay.testing.mock import Manner, Mock, MockGateway, MockShop, mock_accounts

_REMEMBERS = timedelta(hours=24)


def lost_refund(shop: MockShop, manner: Manner) -> str:
    """Lose a refund of 50 kronor; return the gateway's name of its payment."""
    payment = shop.payments.create(replace(an_order(), capture=CaptureMode.AUTOMATIC), operation_id="order:1")
    shop.payer.approve(payment)
    shop.gateway.script("refund", manner)
    shop.payments.refund(payment.payment_id, Money(5000, "SEK"), operation_id="refund:1")
    assert shop.payments.operation("refund:1").outcome is Outcome.UNKNOWN
    return str(shop.payments.get(payment.payment_id).provider_reference)


@pytest.mark.parametrize(("hours", "outcome"), [(23, Outcome.SUCCEEDED), (25, Outcome.UNKNOWN)])
def test_what_the_gateway_acted_on_is_never_sent_when_it_has_forgotten(hours: int, outcome: Outcome) -> None:
    gateway = MockGateway(forgets_after=_REMEMBERS)
    with mock_accounts(mock=Mock(account="mock", gateway=gateway)) as shop:
        name = lost_refund(shop, Manner.LOST_AFTER)
        shop.clock.advance(timedelta(hours=hours))
        shop.accounts.sweep()

        assert gateway.books()[name].refunded == 5000, "given back once"
        assert shop.payments.operation("refund:1").outcome is outcome


def test_a_gateway_that_forgets_moves_money_twice_for_a_provider_that_does_not_say_so() -> None:
    """The stand-in is dangerous on purpose: without the declared window the core would send again."""
    gateway = MockGateway(forgets_after=_REMEMBERS)
    forever = Mock(account="mock", gateway=gateway, resend_window=timedelta(days=10_000))
    with mock_accounts(mock=forever) as shop:
        name = lost_refund(shop, Manner.LOST_AFTER)
        shop.clock.advance(timedelta(hours=25))
        shop.accounts.sweep()

        assert gateway.books()[name].refunded == 10000


def test_a_person_settles_what_was_lost_on_the_way() -> None:
    gateway = MockGateway(forgets_after=_REMEMBERS)
    with mock_accounts(mock=Mock(account="mock", gateway=gateway)) as shop:
        name = lost_refund(shop, Manner.LOST_BEFORE)
        shop.clock.advance(timedelta(hours=25))
        shop.accounts.sweep()
        shop.clock.advance(timedelta(hours=1))
        stays_open = shop.payments.operation("refund:1")
        settled = shop.payments.settle_by_hand(
            "refund:1", provider_reference=None, person="Siv", reason="the portal shows no refund"
        )

        assert "settle it by hand" in stays_open.error
        assert settled.outcome is Outcome.NOT_ATTEMPTED
        assert gateway.books()[name].refunded == 0
