"""What a person has freed: the same call makes it, under a reference that works, and never a second time."""

from __future__ import annotations

import pytest

from prenopay.provider import ChargesMandates, PaysOut, Refunds
from prenopay.testing.conformance.rules.mandates import drawn, stored
from prenopay.testing.conformance.stage import Stage, needs
from prenopay.testing.faults import FaultKind
from prenopay.testing.gateway import Payouts as SendsMoney, StoredMethods
from prenopay.values.payments import Operation, Outcome

__all__ = ["Freed"]

_LOST = (FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER)
_ENDED = frozenset({Outcome.SUCCEEDED, Outcome.DECLINED})


class Freed:
    """A person says that an operation without an answer did not happen, and the host repeats the call."""

    @needs(Refunds)
    @pytest.mark.parametrize("fault", _LOST)
    def test_a_refund_that_a_person_freed_is_made_once(self, stage: Stage, fault: FaultKind) -> None:
        """The repeated call gives the money back once, also if the person was wrong."""
        payment = stage.taken()
        with stage.losing(fault, "refund"):
            _refund(stage, payment.payment_id, payment.captured.minor)
        _free(stage, "it")
        _refund(stage, payment.payment_id, payment.captured.minor)
        stage.settle()

        assert stage.operation("it").outcome is Outcome.SUCCEEDED
        assert stage.at_gateway(payment).refunded == payment.captured.minor, "given back twice, or not at all"
        stage.books_agree()

    @needs(ChargesMandates, gateway=(StoredMethods,))
    @pytest.mark.parametrize("fault", _LOST)
    def test_a_declined_charge_that_a_person_freed_does_not_stay_unknown(self, stage: Stage, fault: FaultKind) -> None:
        """A decline whose answer was lost may use up the reference. The repeated call still ends, and takes once."""
        mandate = stored(stage)
        before = stage.taken_at_gateway()
        assert isinstance(stage.gateway, StoredMethods)
        stage.gateway.decline_next_charge()
        with stage.losing(fault, "charge"):
            stage.tries(lambda: drawn(stage, mandate))
        if stage.taken_at_gateway() != before:
            return  # this gateway took the money after all, and a person sees that in its portal
        _free(stage, "charge:1")
        stage.tries(lambda: drawn(stage, mandate))
        stage.settle()

        outcome, moved = stage.operation("charge:1").outcome, stage.taken_at_gateway() - before
        assert outcome in _ENDED, f"the repeated call says {outcome}"
        assert moved == (stage.due if outcome is Outcome.SUCCEEDED else 0)
        stage.books_agree()

    @needs(PaysOut, gateway=(SendsMoney,))
    @pytest.mark.parametrize("fault", _LOST)
    def test_a_payout_that_a_person_freed_is_sent_once(self, stage: Stage, fault: FaultKind) -> None:
        """The repeated call sends the money once, also if the person was wrong."""
        gateway = stage.gateway
        assert isinstance(gateway, SendsMoney)
        order = gateway.payout_order()
        with stage.losing(fault, "pay_out"):
            stage.tries(lambda: stage.do(lambda payments: payments.pay_out(order, operation_id="payout:1")))
        _free(stage, "payout:1")
        stage.tries(lambda: stage.do(lambda payments: payments.pay_out(order, operation_id="payout:1")))
        stage.settle()

        assert stage.do(lambda payments: payments.payout("payout:1")).outcome is Outcome.SUCCEEDED
        assert gateway.paid_out() == order.amount.minor, "sent twice, or not at all"


def _free(stage: Stage, operation_id: str) -> None:
    """Say that an operation did not happen, late enough; a provider that looks by itself may know better already."""
    stage.later(minutes=15)
    stage.tries(
        lambda: stage.do(
            lambda payments: payments.settle_by_hand(
                operation_id, provider_reference=None, person="Ann", reason="the portal shows nothing"
            )
        )
    )


def _refund(stage: Stage, payment_id: str, minor: int) -> Operation:
    return stage.do(lambda payments: payments.refund(payment_id, stage.money(minor), operation_id="it"))
