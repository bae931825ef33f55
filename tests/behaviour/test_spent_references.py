"""What a person has freed can be made: under a reference that works, and never a second time."""

from __future__ import annotations

import pytest

from prenopay import Operation, Outcome
from prenopay.testing.emulators.swedbankpay import DeclineChannel
from prenopay.testing.faults import Fault, FaultKind
from tests.behaviour.shop import Shop, sek, transaction
from tests.swish.shop import SwishShop, a_payout


def freed(shop: Shop, operation_id: str) -> Operation:
    """Let a person look in the portal, too late for anything to be on its way, and say that nothing happened."""
    shop.later(minutes=15)
    made: Operation = shop.payments.settle_by_hand(
        operation_id, provider_reference=None, person="Ann", reason="the portal shows nothing"
    )
    assert made.outcome is Outcome.NOT_ATTEMPTED
    return made


@pytest.mark.parametrize("channel", list(DeclineChannel))
def test_a_declined_charge_whose_answer_was_lost_is_drawn_again(shop: Shop, channel: DeclineChannel) -> None:
    mandate = shop.stored()
    shop.emulator.decline_next_charge("acquirerinsufficientfunds", channel=channel)
    shop.emulator.faults.add(Fault(kind=FaultKind.DROP_AFTER, call="charge"))
    assert shop.drawn(mandate, "renewal:1", period="2026-02").outcome is Outcome.UNKNOWN
    before = freed(shop, "renewal:1")

    made = shop.drawn(mandate, "renewal:1", period="2026-02")

    assert made.succeeded
    assert made.reference != before.reference
    assert shop.payments.get(made.payment_id).captured == sek(11900)
    assert not shop.payments.get(made.payment_id).quarantined
    shop.books_agree()


def test_a_refund_whose_reference_is_used_up_is_made_again(shop: Shop) -> None:
    """The gateway refuses the reference, and shows no refund under it. Once more freed, the refund has another."""
    payment, other = shop.captured(), shop.captured("order:2")
    shop.emulator.faults.add(Fault(kind=FaultKind.DROP_BEFORE, call="reversal", method="POST"))
    first = shop.payments.refund(payment.payment_id, sek(5000), operation_id="refund:1")
    used_up = transaction(amount=100, vatAmount=0, payeeReference=first.reference)
    shop.by_hand("POST", f"{other.provider_reference}/reversals", used_up)
    freed(shop, "refund:1")

    refused = shop.payments.refund(payment.payment_id, sek(5000), operation_id="refund:1")
    assert refused.outcome is Outcome.UNKNOWN
    assert "settle it by hand" in refused.error
    freed(shop, "refund:1")
    made = shop.payments.refund(payment.payment_id, sek(5000), operation_id="refund:1")

    assert made.succeeded
    assert made.reference != first.reference
    assert shop.payments.get(payment.payment_id).refunded == sek(5000)


def test_a_refund_that_never_arrived_and_was_freed_keeps_its_reference(shop: Shop) -> None:
    payment = shop.captured()
    shop.emulator.faults.add(Fault(kind=FaultKind.DROP_BEFORE, call="reversal", method="POST"))
    first = shop.payments.refund(payment.payment_id, sek(5000), operation_id="refund:1")
    freed(shop, "refund:1")
    made = shop.payments.refund(payment.payment_id, sek(5000), operation_id="refund:1")

    assert made.succeeded
    assert made.reference == first.reference
    assert shop.payments.get(payment.payment_id).refunded == sek(5000)


def test_a_refund_that_a_person_freed_by_mistake_is_not_made_twice(shop: Shop) -> None:
    payment = shop.captured()
    shop.emulator.faults.add(Fault(kind=FaultKind.DROP_AFTER, call="reversal", method="POST"))
    shop.payments.refund(payment.payment_id, sek(5000), operation_id="refund:1")
    freed(shop, "refund:1")

    made = shop.payments.refund(payment.payment_id, sek(5000), operation_id="refund:1")

    assert made.succeeded
    assert shop.payments.get(payment.payment_id).refunded == sek(5000)
    shop.books_agree()


@pytest.mark.parametrize("fault", [FaultKind.DROP_AFTER, FaultKind.DROP_BEFORE])
def test_a_payout_that_a_person_freed_is_sent_once(colour: str, database: str, fault: FaultKind) -> None:
    shop = SwishShop(colour, database)
    shop.emulator.faults.add(Fault(kind=fault, call="payout", method="POST"))
    shop.tries(lambda: shop.payments.pay_out(a_payout(), operation_id="payout:1"))
    freed(shop, "payout:1")

    shop.tries(lambda: shop.payments.pay_out(a_payout(), operation_id="payout:1"))
    shop.later(minutes=2)
    shop.accounts.sweep()

    assert shop.payments.payout("payout:1").outcome is Outcome.SUCCEEDED
    assert len(shop.swish.payouts) == 1
    shop.close()
