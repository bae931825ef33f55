"""Killed at every await in turn, during a payment, a refund or a payout: the books are repaired, money moves once."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest

from prenopay import Outcome, PaymentState
from prenopay.errors import PrenopayError
from tests.behaviour.shop import sek
from tests.behaviour.test_crashes import Executioner, Killed, MortalSender, mortal
from tests.swish.shop import SwishShop, a_payout, by_phone


def _ready(_shop: SwishShop) -> None:
    """Start from nothing."""


def _bought(shop: SwishShop) -> None:
    shop.bought()


def _paid(shop: SwishShop) -> None:
    shop.paid()


def _refund(shop: SwishShop) -> object:
    return shop.payments.refund(shop.payments.find()[0].payment_id, sek(5000), operation_id="refund:1")


def _pay_out(shop: SwishShop) -> object:
    return shop.payments.pay_out(a_payout(), operation_id="payout:1")


def _callback(shop: SwishShop) -> object:
    shop.deliver_callbacks()
    return None


def _paid_and_told(shop: SwishShop) -> None:
    shop.pay(shop.bought())


USE_CASES: dict[str, tuple[Callable[[SwishShop], None], Callable[[SwishShop], object], int]] = {
    "create": (_ready, SwishShop.bought, 6),
    "create by phone": (_ready, lambda shop: shop.bought(**by_phone()), 6),
    "refund": (_paid, _refund, 10),
    "payout": (_ready, _pay_out, 7),
    "callback": (_paid_and_told, _callback, 10),
}
"""What happens before, what is done, and the least number of awaits. With fewer, a port was not guarded."""


@pytest.mark.parametrize("name", USE_CASES)
def test_dying_at_every_await_in_turn_loses_nothing_and_moves_nothing_twice(
    open_shop: Callable[..., SwishShop],
    name: str,
) -> None:
    prepare, use_case, least = USE_CASES[name]
    deaths, died = 0, True
    while died:
        deaths += 1
        shop = open_shop(account=f"{name.replace(' ', '-')}-{deaths}")
        prepare(shop)
        told_before = len(shop.events)
        executioner = Executioner()
        executioner.kill_at = deaths
        process = mortal(shop, executioner)
        try:
            use_case(cast("SwishShop", process))
            died = False
        except Killed:
            died = True
        process.close()
        _repair(shop, name)
        _check(shop, name)
        heard = [*shop.events[:told_before], *process.events, *shop.events[told_before:]]
        numbers = list(dict.fromkeys(event.number for event in heard))
        assert numbers == list(range(1, len(numbers) + 1)), "events come in order, none left out"
    assert deaths > least, "every await was a place to die"


def test_the_executioner_is_between_the_core_and_the_gateway(open_shop: Callable[..., SwishShop]) -> None:
    process = mortal(open_shop(), Executioner())
    assert isinstance(process.sender, MortalSender)
    process.close()


def _repair(shop: SwishShop, name: str) -> None:
    """Let the host repeat its calls, callbacks come again, and the sweep run for a day."""
    later = shop.restarted()
    later.on_event = shop.events.append
    for _ in range(3):
        later.later(minutes=2)
        if name != "callback":
            later.tries(lambda: USE_CASES[name][1](later))
        later.deliver_callbacks()
        if name.startswith("create"):
            for request in later.swish.payments:
                if request.status == "CREATED":
                    later.swish.approve(request.id)
        later.accounts.sweep()
    for _ in range(4):
        later.later(hours=6)
        later.deliver_callbacks()
        assert later.accounts.sweep().failures == ()
    later.close()


def _check(shop: SwishShop, name: str) -> None:
    """Check that our books are the gateway's, and that each thing happened once."""
    shop.books_agree()
    if name == "payout":
        (payout,) = shop.payments.payouts()
        assert payout.outcome is Outcome.SUCCEEDED
        assert len(shop.swish.payouts) == 1
        return
    (payment,) = shop.payments.find()
    assert (payment.state, payment.captured) == (PaymentState.CAPTURED, sek(11900))
    assert payment.refunded == sek(5000 if name == "refund" else 0)
    assert len([each for each in shop.swish.payments if each.status == "PAID"]) == 1
    assert len(shop.swish.refunds) == (name == "refund")
    for operation_id in ("order:1", "refund:1"):
        try:
            assert shop.payments.operation(operation_id).outcome is Outcome.SUCCEEDED
        except PrenopayError:
            assert operation_id != "order:1"
