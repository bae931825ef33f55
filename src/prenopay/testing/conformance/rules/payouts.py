"""Payouts: money is sent once, whatever is lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from prenopay.errors import IdReused
from prenopay.provider import PaysOut
from prenopay.testing.conformance.applying import needs
from prenopay.testing.conformance.rules.lost import OPEN
from prenopay.testing.conformance.stage import Stage
from prenopay.testing.conformance.world import Trouble
from prenopay.values.money import Money
from prenopay.values.orders import PayoutOrder
from prenopay.values.payments import Outcome

__all__ = ["Payouts"]

_HOOKS = ("payout", "paid_out")


class Payouts:
    """Money from the merchant to someone."""

    @needs(PaysOut, hooks=_HOOKS)
    def test_a_payout_is_sent_once(self, stage: Stage) -> None:
        """The same id sends it once; with another amount it is refused."""
        order = _order(stage)
        other = replace(order, amount=Money(order.amount.minor + 100, order.amount.currency))
        for _ in range(2):
            stage.do(lambda payments: payments.pay_out(order, operation_id="payout:1"))
            stage.settle()

        error = stage.tries(lambda: stage.do(lambda payments: payments.pay_out(other, operation_id="payout:1")))

        assert isinstance(error, IdReused)
        assert stage.do(lambda payments: payments.payout("payout:1")).outcome is Outcome.SUCCEEDED
        assert _sent(stage) == order.amount.minor

    @needs(PaysOut, hooks=_HOOKS)
    @pytest.mark.parametrize("trouble", OPEN)
    def test_a_payout_without_an_answer_is_sent_once(self, stage: Stage, trouble: Trouble) -> None:
        """After a lost answer a payout is looked up, and sent once in all."""
        order = _order(stage)
        with stage.trouble(trouble, "pay_out"):
            stage.tries(lambda: stage.do(lambda payments: payments.pay_out(order, operation_id="payout:1")))
        outcome = stage.do(lambda payments: payments.payout("payout:1")).outcome
        assert outcome in {Outcome.UNKNOWN, Outcome.PENDING, Outcome.SUCCEEDED}, f"{trouble}: it says {outcome}"

        stage.later(minutes=2)
        stage.tries(lambda: stage.do(lambda payments: payments.pay_out(order, operation_id="payout:1")))
        stage.settle()

        assert stage.do(lambda payments: payments.payout("payout:1")).outcome is Outcome.SUCCEEDED
        assert _sent(stage) == order.amount.minor, "sent twice, or not at all"


def _order(stage: Stage) -> PayoutOrder:
    assert stage.world.payout is not None
    return stage.world.payout


def _sent(stage: Stage) -> int:
    assert stage.world.paid_out is not None
    return stage.world.paid_out()
