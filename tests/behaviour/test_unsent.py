"""What certainly was not sent is free at once, and what the gateway answered is not lost with the database."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from prenopay import CaptureMode, Outcome, PaymentState
from prenopay.errors import ConfigurationError, LedgerUnavailable, NotSent
from prenopay.testing.faults import Fault, FaultKind
from tests.behaviour.shop import Shop, sek
from tests.behaviour.test_crashes import Guard, guarded
from tests.rewiring import core_of

T = TypeVar("T")

AWAY = "the database went away"


class Losing(Guard):
    """The database is reached, and then its answers are lost, from one transaction on and for some of them."""

    def __init__(self, first: int, *, times: int = 1, commits: bool) -> None:
        self.count = 0
        self._lost = range(first, first + times)
        self._commits = commits

    async def around(self, work: Callable[[], Awaitable[T]]) -> T:
        self.count += 1
        if self.count not in self._lost:
            return await work()
        if self._commits:
            await work()
        raise LedgerUnavailable(AWAY)


@pytest.mark.every_store
def test_a_charge_whose_token_cannot_be_read_was_not_sent(shop: Shop) -> None:
    mandate = shop.stored()
    process = shop.restarted()
    core_of(process.accounts.target)._vault._fernet = None  # a process that was started with an old list of keys
    with pytest.raises(ConfigurationError):
        process.drawn(mandate, "renewal:1", period="2026-02")
    process.close()

    assert shop.payments.operation("renewal:1").outcome is Outcome.NOT_ATTEMPTED
    assert shop.payments.get(shop.payments.operation("renewal:1").payment_id).state is PaymentState.CREATED
    assert shop.drawn(mandate, "renewal:1", period="2026-02").succeeded


@pytest.mark.every_store
def test_a_charge_whose_commit_was_lost_was_not_sent(shop: Shop) -> None:
    mandate = shop.stored()
    process = shop.restarted()
    guarded(process, Losing(2, commits=True))  # the first reads the mandate, the second writes the charge down
    error = process.tries(lambda: process.drawn(mandate, "renewal:1", period="2026-02"))
    process.close()

    assert isinstance(error, LedgerUnavailable)
    assert shop.payments.operation("renewal:1").outcome is Outcome.NOT_ATTEMPTED
    assert shop.drawn(mandate, "renewal:2", period="2026-02").succeeded
    assert len(shop.emulator.charges()) == 1


def test_a_create_whose_commit_was_lost_is_made_by_the_next_call(shop: Shop) -> None:
    process = shop.restarted()
    guarded(process, Losing(1, commits=True))
    assert isinstance(process.tries(process.bought), LedgerUnavailable)
    assert process.bought().state is PaymentState.PENDING
    process.close()
    assert len(shop.payments.find()) == 1


@pytest.mark.parametrize("kind", [FaultKind.DROP_AFTER, FaultKind.REFUSE])
def test_a_capture_that_could_only_look_was_not_sent(shop: Shop, kind: FaultKind) -> None:
    payment = shop.paid()
    shop.emulator.faults.add(Fault(kind=kind, method="GET", times=9))
    error = shop.tries(lambda: shop.payments.capture(payment.payment_id, operation_id="capture:1"))
    shop.emulator.faults.clear()

    assert isinstance(error, NotSent)
    if kind is FaultKind.DROP_AFTER:
        assert str(error).startswith("capture 'capture:1' was not sent: the look before it failed (")
        assert str(error).endswith("; make the same call again")
    assert shop.payments.operation("capture:1").outcome is Outcome.NOT_ATTEMPTED
    assert shop.payments.capture(payment.payment_id, operation_id="capture:2").succeeded


@pytest.mark.every_store
def test_an_answer_is_written_once_the_database_is_back(shop: Shop) -> None:
    """Four tries fail; the fifth writes what the gateway answered, and the caller learns of nothing."""
    payment = shop.captured()
    process = shop.restarted()
    guarded(process, Losing(2, times=4, commits=False))
    made = process.payments.refund(payment.payment_id, sek(5000), operation_id="refund:1")
    process.close()

    assert made.succeeded
    assert shop.payments.get(payment.payment_id).refunded == sek(5000)


@pytest.mark.every_store
def test_an_answer_that_cannot_be_written_is_shown_and_kept_for_the_sweep(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    mandate = shop.stored()
    process = shop.restarted()
    away = Losing(3, times=50, commits=False)
    guarded(process, away)
    with caplog.at_level(logging.ERROR, "prenopay"):
        error = process.tries(lambda: process.drawn(mandate, "renewal:1", capture=CaptureMode.MANUAL))
    (charge,) = shop.emulator.charges()

    assert isinstance(error, LedgerUnavailable)
    assert charge.order in str(error)
    assert "succeeded" in str(error)
    assert charge.order in caplog.text
    away.count = 1_000  # the database is back
    process.accounts.sweep()
    process.close()
    made = shop.payments.operation("renewal:1")
    assert made.outcome is Outcome.SUCCEEDED
    assert shop.payments.get(made.payment_id).authorized == sek(11900)


def test_a_sweep_says_what_still_waits_to_be_written(shop: Shop) -> None:
    payment = shop.captured()
    process = shop.restarted()
    guard = Losing(2, times=50, commits=False)
    guarded(process, guard)
    process.tries(lambda: process.payments.refund(payment.payment_id, sek(5000), operation_id="refund:1"))
    guard.count, guard._lost = 0, range(1, 2)
    report = process.accounts.sweep()
    process.close()

    assert any("refund:1" in each and "not written yet" in each for each in report.failures)
