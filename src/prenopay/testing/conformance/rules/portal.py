"""What staff change in the gateway's portal, past prenopay: it is found, and no more is given back than was taken."""

from __future__ import annotations

import pytest

from prenopay.errors import Conflict
from prenopay.provider import Captures, Refunds, RefundsApart
from prenopay.provider.values import TransactionKind
from prenopay.testing.conformance.stage import Stage, needs
from prenopay.testing.faults import FaultKind
from prenopay.testing.gateway import Portal
from prenopay.values.payments import FlagKind, Operation, Outcome, Payment, PaymentState

__all__ = ["ByHand"]

_WEEK = 7 * 24
"""A week in hours."""
_PART = 500
"""A part of the payment, in minor units."""


class ByHand:
    """Staff use the portal as well, and no callback reports it."""

    @needs(Refunds, without=(RefundsApart,), limits=("partial_refund",), gateway=(Portal,))
    def test_money_given_back_in_the_portal_is_found(self, stage: Stage) -> None:
        """A refund that staff made in the portal is in the books before long, and the host hears of it."""
        _given_back(stage, part=3)

        stage.later(hours=_WEEK + 24)
        stage.sweep()

        stage.books_agree()
        assert stage.told.count("payment.refunded") == 1

    @needs(Refunds, without=(RefundsApart,), limits=("partial_refund",), gateway=(Portal,))
    def test_a_refund_after_one_in_the_portal_is_asked_for_again(self, stage: Stage) -> None:
        """A refund that staff made stops the next one until somebody has seen it; then the rest can be given back."""
        payment = _given_back(stage, part=3)
        given = stage.at_gateway(payment).refunded

        error = stage.tries(
            lambda: stage.do(lambda payments: payments.refund(payment.payment_id, operation_id="refund:1"))
        )

        assert isinstance(error, Conflict), f"staff gave back {given}, and the next refund hears nothing: {error!r}"
        assert stage.at_gateway(payment).refunded == given
        assert stage.operation("refund:1").outcome is Outcome.NOT_ATTEMPTED
        stage.books_agree()
        made = stage.do(lambda payments: payments.refund(payment.payment_id, operation_id="refund:1"))
        stage.settle()
        assert made.amount is not None
        assert made.amount.minor == stage.due - given
        assert stage.at_gateway(payment).refunded == stage.due
        stage.books_agree()

    @needs(Refunds, without=(RefundsApart,), limits=("partial_refund",), gateway=(Portal,))
    def test_a_lost_refund_that_staff_made_instead_is_not_sent_again(self, stage: Stage) -> None:
        """A refund never arrived, and staff made it in the portal: nothing is sent until a person has looked."""
        payment = stage.taken()
        _refund(stage, payment, "refund:1")
        shown = stage.seen_at_gateway(payment).transactions
        if not any(each.reference for each in shown if each.kind is TransactionKind.REFUND):
            pytest.skip("the gateway's list does not say which refunds are ours")

        with stage.losing(FaultKind.DROP_BEFORE, "refund"):
            stage.tries(lambda: _refund(stage, payment, "refund:2"))
        assert stage.operation("refund:2").outcome is Outcome.UNKNOWN
        assert isinstance(stage.gateway, Portal)
        assert stage.gateway.gives_back_by_hand(str(payment.provider_reference), _PART)
        stage.tries(lambda: _refund(stage, payment, "refund:2"))
        stage.later(hours=1)
        reported = stage.sweep().failures

        assert stage.at_gateway(payment).refunded == 2 * _PART, "it was given back twice"
        assert stage.operation("refund:2").outcome is Outcome.UNKNOWN
        assert len(reported) == 1, "who sweeps hears that a person must look"
        stage.do(
            lambda payments: payments.settle_by_hand(
                "refund:2", provider_reference=None, person="Ann", reason="only mine is in the portal"
            )
        )
        stage.settle()
        assert stage.operation("refund:2").outcome is Outcome.NOT_ATTEMPTED
        stage.books_agree()

    @needs(Captures, gateway=(Portal,))
    def test_money_taken_or_released_in_the_portal_is_found(self, stage: Stage) -> None:
        """What staff captured and released in the portal is in the books before long."""
        taken, released = stage.reserved("order:1"), stage.reserved("order:2")
        assert isinstance(stage.gateway, Portal)
        assert stage.gateway.takes_by_hand(str(taken.provider_reference), stage.due)
        assert stage.gateway.releases_by_hand(str(released.provider_reference))

        stage.later(hours=_WEEK + 24)
        stage.sweep()

        assert stage.got(taken).is_paid
        assert stage.got(released).state is PaymentState.CANCELLED
        stage.books_agree()

    @needs(Captures)
    def test_money_that_stays_reserved_is_flagged_once(self, stage: Stage) -> None:
        """Money that nobody takes is reported after ``limits.capture_within``, once."""
        payment = stage.reserved()
        for _ in range(3):
            assert not [flag for flag in stage.got(payment).flags if flag.kind is FlagKind.LEFT_RESERVED]
            stage.later(seconds=stage.provider.limits.capture_within.total_seconds() / 3)
            stage.sweep()
        stage.later(hours=_WEEK)
        stage.sweep()

        flags = [flag.kind for flag in stage.got(payment).flags]
        assert flags == [FlagKind.LEFT_RESERVED], f"{payment.authorized} is left reserved, and the flags are {flags}"
        assert stage.told.count("payment.flagged") == 1


def _refund(stage: Stage, payment: Payment, operation_id: str) -> Operation:
    return stage.do(lambda payments: payments.refund(payment.payment_id, stage.money(_PART), operation_id=operation_id))


def _given_back(stage: Stage, *, part: int) -> Payment:
    """Return a payment of which staff gave back a part in the portal; its callback is lost."""
    payment = stage.taken()
    assert isinstance(stage.gateway, Portal)
    assert stage.gateway.gives_back_by_hand(str(payment.provider_reference), stage.due // part)
    return payment
