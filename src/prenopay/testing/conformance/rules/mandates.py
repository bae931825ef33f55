"""Stored methods: stored once, charged once, never charged blindly again, gone when removed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Final

import pytest

from prenopay.errors import IdReused, MandateUnusable
from prenopay.provider import ChargesMandates, StoresMandates
from prenopay.testing.conformance.rules.lost import OPEN, in_front
from prenopay.testing.conformance.stage import Stage, needs
from prenopay.testing.faults import FaultKind
from prenopay.testing.gateway import StoredMethods
from prenopay.values.mandates import Consent, Mandate, MandateState, StoreMethod
from prenopay.values.orders import CaptureMode
from prenopay.values.payments import Advice, DeclineKind, Operation, Outcome

__all__ = ["Mandates", "drawn", "stored"]

_AGREED: Final = Consent(text_version="terms-1", agreed_at=datetime(2026, 1, 2, tzinfo=UTC), channel="web")


def stored(stage: Stage, until: date | None = None) -> Mandate:
    """Have the payer's method stored, and return the mandate. ``until``: the last day of the consent."""
    assert isinstance(stage.gateway, StoredMethods)
    asked = stage.gateway.storing_order() or stage.order(
        payer=stage.gateway.payer(), store=StoreMethod(consent=_AGREED)
    )
    if until is not None:
        assert asked.store is not None
        asked = replace(asked, store=replace(asked.store, consent=replace(asked.store.consent, until=until)))
    payment = stage.do(
        lambda payments: payments.create(replace(asked, capture=CaptureMode.AUTOMATIC), operation_id="order:store")
    )
    stage.pays(payment)
    stage.observed(payment)
    stage.settle()
    (mandate,) = stage.do(lambda payments: payments.mandates.of_payer(stage.gateway.payer().reference))
    return mandate


def drawn(stage: Stage, mandate: Mandate, operation_id: str = "charge:1", minor: int | None = None) -> Operation:
    """Charge a mandate, and take the money at once."""
    amount = stage.money(minor or stage.due)
    return stage.do(
        lambda payments: payments.charge(
            mandate.mandate_id,
            amount,
            operation_id=operation_id,
            description="One month",
            capture=CaptureMode.AUTOMATIC,
        )
    )


class Mandates:
    """What happens while the payer is away."""

    @needs(StoresMandates, gateway=(StoredMethods,))
    def test_a_method_is_stored(self, stage: Stage) -> None:
        """An order that asks for it leaves one active mandate, with a name that people know it by."""
        mandate = stored(stage)

        assert mandate.state is MandateState.ACTIVE
        assert mandate.display, "display is what the payer knows the method by"
        assert mandate.instrument
        assert stage.told.count("mandate.active") == 1

    @needs(StoresMandates, gateway=(StoredMethods,))
    def test_a_consent_to_the_last_day_of_the_calendar_keeps_no_money_back(self, stage: Stage) -> None:
        """A host may write "for ever" as the last date there is: the payment is seen, and the method works on."""
        mandate = stored(stage, until=date.max)

        stage.later(days=1)
        assert stage.sweep().failures == ()
        assert stage.do(lambda payments: payments.mandates.get(mandate.mandate_id)).state is MandateState.ACTIVE

    @needs(ChargesMandates, gateway=(StoredMethods,))
    def test_a_charge_takes_the_money_once(self, stage: Stage) -> None:
        """A charge takes the amount; the same id again takes nothing, with another amount it is refused."""
        mandate = stored(stage)
        before = stage.taken_at_gateway()
        made = drawn(stage, mandate)
        stage.settle()
        drawn(stage, mandate)
        error = stage.tries(lambda: drawn(stage, mandate, minor=100))

        assert isinstance(error, IdReused)
        assert stage.operation("charge:1").outcome is Outcome.SUCCEEDED
        assert stage.do(lambda payments: payments.get(made.payment_id)).is_paid
        assert stage.taken_at_gateway() - before == stage.due
        stage.books_agree()

    @needs(ChargesMandates, gateway=(StoredMethods,))
    @pytest.mark.parametrize("fault", OPEN)
    def test_a_charge_without_an_answer_is_one_movement_at_most(self, stage: Stage, fault: FaultKind) -> None:
        """After a lost answer a charge is found, or stays unknown: never sent blindly again, never called undone."""
        mandate = stored(stage)
        before = stage.taken_at_gateway()
        with stage.losing(fault, "charge"):
            stage.tries(lambda: drawn(stage, mandate))

        for _ in range(3):
            stage.later(hours=1)
            stage.sweep()
            stage.tries(lambda: drawn(stage, mandate))

        moved, outcome = stage.taken_at_gateway() - before, stage.operation("charge:1").outcome
        assert moved in {0, stage.due}, f"the gateway took {moved}, and {stage.due} was asked for once"
        assert outcome in {Outcome.SUCCEEDED, Outcome.UNKNOWN, Outcome.NOT_ATTEMPTED}
        assert outcome is not Outcome.SUCCEEDED or moved == stage.due
        assert outcome is not Outcome.NOT_ATTEMPTED or moved == 0, "the money was taken, and the books say nothing was"
        stage.books_agree()

    @needs(ChargesMandates, gateway=(StoredMethods,))
    def test_a_status_alone_proves_nothing_about_a_charge(self, stage: Stage) -> None:
        """After a lost answer, anything in front of the gateway may answer: the charge stays open."""
        mandate = stored(stage)
        with stage.losing(FaultKind.DROP_AFTER, "charge"):
            stage.tries(lambda: drawn(stage, mandate))

        for said in in_front():
            stage.later(hours=1)
            with stage.wire.answered(said):
                stage.tries(lambda: drawn(stage, mandate))
            outcome = stage.operation("charge:1").outcome
            assert outcome in {Outcome.UNKNOWN, Outcome.PENDING}, f"the gateway said nothing, the books say {outcome}"

    @needs(ChargesMandates, gateway=(StoredMethods,))
    def test_a_declined_charge_is_a_result_with_advice(self, stage: Stage) -> None:
        """A charge that is refused has a decline with kind, advice and the gateway's word; no money moved."""
        mandate = stored(stage)
        before = stage.taken_at_gateway()
        assert isinstance(stage.gateway, StoredMethods)
        stage.gateway.decline_next_charge()

        drawn(stage, mandate)
        stage.settle()
        made = stage.operation("charge:1")

        assert made.outcome is Outcome.DECLINED
        assert made.decline is not None
        assert made.decline.provider_code, "provider_code is what support asks for"
        soft = made.decline.advice in {Advice.RETRY_LATER, Advice.AUTHENTICATE}
        assert not (soft and made.decline.kind is DeclineKind.HARD), f"{made.decline} contradicts itself"
        assert stage.taken_at_gateway() == before
        stage.books_agree()

    @needs(ChargesMandates, gateway=(StoredMethods,))
    def test_a_removed_method_is_gone_at_the_gateway_too(self, stage: Stage) -> None:
        """Removing a mandate removes its token at the gateway, and it is never charged again."""
        mandate = stored(stage)
        gateway = stage.gateway
        assert isinstance(gateway, StoredMethods)
        assert list(gateway.tokens()), f"{type(gateway).__name__}.tokens says that nothing was stored"

        stage.do(lambda payments: payments.mandates.remove(mandate.mandate_id, reason="asked for"))

        assert list(gateway.tokens()) == [], "the gateway still has the token"
        assert isinstance(stage.tries(lambda: drawn(stage, mandate)), MandateUnusable)
