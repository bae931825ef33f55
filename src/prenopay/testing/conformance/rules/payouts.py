"""Payouts: money is sent once, whatever is lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from prenopay.errors import IdReused
from prenopay.provider import PaysOut
from prenopay.testing.conformance.rules.lost import OPEN, in_front
from prenopay.testing.conformance.stage import Stage, needs
from prenopay.testing.faults import FaultKind
from prenopay.testing.gateway import Payouts as SendsMoney
from prenopay.values.money import Money
from prenopay.values.payments import Outcome

__all__ = ["Payouts"]


class Payouts:
    """Money from the merchant to someone."""

    @needs(PaysOut, gateway=(SendsMoney,))
    def test_a_payout_is_sent_once(self, stage: Stage) -> None:
        """The same id sends it once; with another amount it is refused."""
        gateway = stage.gateway
        assert isinstance(gateway, SendsMoney)
        order = gateway.payout_order()
        other = replace(order, amount=Money(order.amount.minor + 100, order.amount.currency))
        for _ in range(2):
            stage.do(lambda payments: payments.pay_out(order, operation_id="payout:1"))
            stage.settle()

        error = stage.tries(lambda: stage.do(lambda payments: payments.pay_out(other, operation_id="payout:1")))

        assert isinstance(error, IdReused)
        assert stage.do(lambda payments: payments.payout("payout:1")).outcome is Outcome.SUCCEEDED
        assert gateway.paid_out() == order.amount.minor

    @needs(PaysOut, gateway=(SendsMoney,))
    @pytest.mark.parametrize("fault", OPEN)
    def test_a_payout_without_an_answer_is_sent_once(self, stage: Stage, fault: FaultKind) -> None:
        """After a lost answer a payout is looked up, and sent once in all."""
        gateway = stage.gateway
        assert isinstance(gateway, SendsMoney)
        order = gateway.payout_order()
        with stage.losing(fault, "pay_out"):
            stage.tries(lambda: stage.do(lambda payments: payments.pay_out(order, operation_id="payout:1")))
        outcome = stage.do(lambda payments: payments.payout("payout:1")).outcome
        assert outcome in {Outcome.UNKNOWN, Outcome.PENDING, Outcome.SUCCEEDED}, f"{fault}: it says {outcome}"

        stage.later(minutes=2)
        stage.tries(lambda: stage.do(lambda payments: payments.pay_out(order, operation_id="payout:1")))
        stage.settle()

        assert stage.do(lambda payments: payments.payout("payout:1")).outcome is Outcome.SUCCEEDED
        assert gateway.paid_out() == order.amount.minor, "sent twice, or not at all"

    @needs(PaysOut, gateway=(SendsMoney,))
    def test_a_status_alone_proves_nothing_about_a_payout(self, stage: Stage) -> None:
        """After a lost answer, anything in front of the gateway may answer: the payout stays open."""
        gateway = stage.gateway
        assert isinstance(gateway, SendsMoney)
        order = gateway.payout_order()
        with stage.losing(FaultKind.DROP_AFTER, "pay_out"):
            stage.tries(lambda: stage.do(lambda payments: payments.pay_out(order, operation_id="payout:1")))

        for said in in_front():
            stage.later(hours=1)
            with stage.wire.answered(said):
                stage.tries(lambda: stage.do(lambda payments: payments.pay_out(order, operation_id="payout:1")))
            outcome = stage.do(lambda payments: payments.payout("payout:1")).outcome
            assert outcome in {Outcome.UNKNOWN, Outcome.PENDING}, f"the gateway said nothing, the books say {outcome}"

        stage.settle()
        assert stage.do(lambda payments: payments.payout("payout:1")).outcome is Outcome.SUCCEEDED
        assert gateway.paid_out() == order.amount.minor
