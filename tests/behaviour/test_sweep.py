"""The sweep finds changes without a callback, closes unpaid orders, and never stops at one failure."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from prenopay import CaptureMode, FlagKind, Outcome, PaymentState
from prenopay.testing.callbacks import Manner
from prenopay.testing.emulators.swedbankpay import AsynchronousReversal
from prenopay.testing.faults import Fault, FaultKind
from tests.behaviour.shop import Shop, sek


def silent(shop: Shop) -> Shop:
    """Let no callback ever come."""
    shop.emulator.callbacks.behave(Manner.DROP, times=1000)
    return shop


@pytest.mark.every_store
def test_a_payment_without_a_callback_is_found(shop: Shop) -> None:
    payment = silent(shop).bought(capture=CaptureMode.AUTOMATIC)
    shop.pay(payment)

    shop.later(minutes=3)
    report = shop.accounts.sweep()

    assert (report.payments, report.failures) == (1, ())
    assert shop.payments.get(payment.payment_id).is_paid


def test_a_quiet_sweep_asks_nobody(shop: Shop) -> None:
    shop.captured()
    shop.later(days=2)
    shop.accounts.sweep()
    seen = len(shop.emulator.transcript.seen)

    report = shop.accounts.sweep()

    assert (report.callbacks, report.operations, report.payments, report.delivered) == (0, 0, 0, 0)
    assert len(shop.emulator.transcript.seen) == seen


@pytest.mark.every_store
def test_an_order_nobody_pays_is_closed_when_its_time_is_over(shop: Shop) -> None:
    payment = shop.bought(valid_for=timedelta(hours=1))
    shop.later(minutes=61)

    shop.accounts.sweep()

    payment = shop.payments.get(payment.payment_id)
    assert payment.state is PaymentState.EXPIRED
    assert shop.told == ["payment.expired"]
    assert shop.emulator.order(str(payment.provider_reference)).status == "Aborted", "nobody can pay it any more"


def test_a_payment_made_at_the_last_moment_is_seen_and_not_closed(shop: Shop) -> None:
    payment = silent(shop).bought(valid_for=timedelta(hours=1), capture=CaptureMode.AUTOMATIC)
    shop.pay(payment)
    shop.later(minutes=61)

    shop.accounts.sweep()

    assert shop.payments.get(payment.payment_id).is_paid


def test_an_order_that_the_gateway_dropped_expires_in_the_end(shop: Shop) -> None:
    payment = shop.bought()
    for _ in range(40):
        shop.later(days=1)
        shop.accounts.sweep()

    assert shop.payments.get(payment.payment_id).state in {PaymentState.EXPIRED, PaymentState.CANCELLED}


def test_one_failure_does_not_stop_the_others(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="prenopay")
    first, second = silent(shop).bought("order:1"), shop.bought("order:2")
    for payment in (first, second):
        shop.pay(payment)
    path = str(first.provider_reference)
    shop.emulator.faults.add(Fault(kind=FaultKind.REFUSE, path=path, times=3))

    shop.later(minutes=3)
    report = shop.accounts.sweep()

    assert len(report.failures) == 1
    assert first.payment_id in report.failures[0]
    failed = [each for each in caplog.records if first.payment_id in each.getMessage() and "sweep" in each.msg]
    assert [(each.levelname, each.exc_info is not None) for each in failed] == [("WARNING", False), ("DEBUG", True)]
    assert shop.payments.get(second.payment_id).state is PaymentState.AUTHORIZED
    shop.later(minutes=15)
    assert shop.accounts.sweep().failures == ()
    assert shop.payments.get(first.payment_id).state is PaymentState.AUTHORIZED


@pytest.mark.parametrize("told", [True, False])
def test_a_refund_that_settles_days_later_is_pending_and_then_done(shop: Shop, told: bool) -> None:  # noqa: FBT001
    payment = shop.captured()
    shop.emulator.behaviour = replace(shop.emulator.behaviour, asynchronous_reversal=AsynchronousReversal())
    if not told:
        silent(shop)

    refund = shop.payments.refund(payment.payment_id, operation_id="refund:1")
    assert refund.outcome is Outcome.PENDING
    assert shop.payments.get(payment.payment_id).refunded == sek(0)

    shop.later(days=2, hours=1)
    shop.deliver_callbacks()
    shop.accounts.sweep()

    assert shop.payments.operation("refund:1").outcome is Outcome.SUCCEEDED
    assert shop.payments.get(payment.payment_id).refunded == sek(11900)
    assert shop.told[-1] == "payment.refunded"
    shop.books_agree()


def test_a_refund_that_fails_days_later_is_declined_and_reported(shop: Shop) -> None:
    payment = shop.captured()
    pending = AsynchronousReversal(succeeds=False)
    shop.emulator.behaviour = replace(shop.emulator.behaviour, asynchronous_reversal=pending)
    shop.payments.refund(payment.payment_id, operation_id="refund:1")

    shop.later(days=2, hours=1)
    shop.accounts.sweep()

    operation = shop.payments.operation("refund:1")
    assert operation.outcome is Outcome.DECLINED
    assert operation.decline is not None
    assert shop.told[-1] == "operation.declined"
    assert shop.events[-1].operation_id == "refund:1"
    assert shop.payments.refund(payment.payment_id, sek(100), operation_id="refund:2").outcome is Outcome.PENDING


def test_an_automatic_capture_that_was_held_up_is_taken_by_the_sweep(shop: Shop) -> None:
    payment = shop.bought(capture=CaptureMode.AUTOMATIC)
    shop.pay(payment)
    shop.emulator.faults.add(Fault(kind=FaultKind.DROP_BEFORE, call="capture", method="POST"))

    assert not shop.payments.observe(payment.payment_id).is_paid
    shop.later(minutes=6)
    shop.accounts.sweep()

    assert shop.payments.get(payment.payment_id).is_paid
    shop.books_agree()


def test_an_automatic_capture_that_is_declined_is_reported_and_not_repeated(shop: Shop) -> None:
    shop.emulator.behaviour = replace(shop.emulator.behaviour, declined_operations=frozenset({"capture"}))
    payment = shop.bought(capture=CaptureMode.AUTOMATIC)
    shop.pay(payment)
    for _ in range(3):
        shop.payments.observe(payment.payment_id)
        shop.later(minutes=10)
        shop.accounts.sweep()

    tried = [call for call in shop.emulator.transcript.seen if call.call == "capture" and call.method == "POST"]
    assert len(tried) == 1
    assert shop.told == ["payment.authorized", "operation.declined"]


@pytest.mark.every_store
def test_two_sweeps_at_once_do_not_look_twice(shop: Shop) -> None:
    payment = silent(shop).bought()
    shop.pay(payment)
    shop.later(minutes=3)
    other = shop.restarted()

    assert shop.accounts.sweep().payments == 1
    assert other.accounts.sweep().payments == 0
    other.close()


def test_money_that_comes_after_the_end_is_kept_flagged_and_can_be_given_back(shop: Shop) -> None:
    """The gateway answered our abort truthfully, but the payer was faster."""
    payment = silent(shop).bought()
    shop.pay(payment)
    books = shop.restarted()
    _pretend_it_ended_here(books, payment.payment_id)
    books.close()

    late = shop.payments.observe(payment.payment_id)

    assert late.state is PaymentState.AUTHORIZED
    assert [flag.kind for flag in late.flags] == [FlagKind.LATE]
    assert shop.payments.cancel(payment.payment_id, operation_id="cancel:late").succeeded
    shop.books_agree()


def _pretend_it_ended_here(shop: Shop, payment_id: str) -> None:
    from sqlalchemy import update  # noqa: PLC0415

    from prenopay.books import schema  # noqa: PLC0415
    from prenopay.books.engine import open_engine  # noqa: PLC0415

    engine = open_engine(shop.database)
    with engine.begin() as connection:
        connection.execute(
            update(schema.payments).where(schema.payments.c.payment_id == payment_id).values(state="expired"),
        )
    engine.dispose()
