"""Clocks that are wrong: ahead for a moment before they were set, or ahead of the clock of another host."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import pytest

from prenopay import Accounts, Event, Outcome, Payments
from prenopay._system import BlockingClock
from prenopay.ports import HttpRequest, HttpResponse
from prenopay.testing.faults import Fault, FaultKind
from prenopay.testing.mock import Mock, MockGateway, MockSender
from prenopay.testing.mock.provider import MockProvider
from tests.behaviour.shop import CALLBACK_URL, KEY, Shop, an_order, sek
from tests.rewiring import core_of


class Ahead(BlockingClock):
    """A host's clock that runs ten minutes ahead."""

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(minutes=10)


def refuse(event: Event) -> None:
    message = f"the host cannot take {event.kind} now"
    raise RuntimeError(message)


@pytest.mark.every_store
def test_what_was_written_while_a_clock_was_ahead_is_worked_on(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    true_time = shop.clock.now()
    shop.later(days=300)
    payment = shop.captured("order:1")
    shop.emulator.faults.add(Fault(kind=FaultKind.DROP_AFTER, call="reversal", method="POST"))
    shop.payments.refund(payment.payment_id, sek(5000), operation_id="refund:1")
    shop.on_event = refuse
    shop.bought("order:2")
    shop.captured("order:3")
    shop.on_event = shop.events.append
    told = len(shop.events)
    shop.clock.set(true_time + timedelta(minutes=1))

    with caplog.at_level(logging.WARNING, "prenopay"):
        report = shop.accounts.sweep()
    for _ in range(4):
        shop.later(minutes=30)
        shop.accounts.sweep()

    assert any("jumped by -300 days" in each for each in report.clock)
    assert any("a clock was ahead" in each for each in report.clock)
    assert "jumped" in caplog.text
    assert shop.payments.operation("refund:1").outcome is Outcome.SUCCEEDED
    assert "payment.authorized" in shop.told[told:], "what the host would not hear then, it hears now"
    assert shop.accounts.sweep().clock == ()


def test_a_claim_from_the_future_holds_nobody_up(shop: Shop) -> None:
    """A process died with a claim that it had made while its clock was ahead."""
    true_time = shop.clock.now()
    shop.later(days=300)
    shop.emulator.faults.add(Fault(kind=FaultKind.DROP_AFTER, call="create"))
    shop.tries(shop.bought)
    shop.clock.set(true_time + timedelta(minutes=30))
    assert shop.bought().is_open


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_host_whose_clock_is_ahead_takes_no_claim_early(database: str) -> None:
    """Both hosts use the database's clock: one that runs ahead still sees that the other is at work."""
    gateway = MockGateway()

    def host() -> tuple[Accounts, Payments[MockProvider]]:
        accounts = Accounts.open(database, callback_url=CALLBACK_URL, callback_keys=[KEY], sender=MockSender())
        return accounts, accounts.add(Mock(account="mock", gateway=gateway))

    (one, payments), (other, _) = host(), host()
    core_of(other)._clock._host = Ahead()
    swept: list[int] = []

    class Slow(MockSender):
        async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109
            if request.label == "create" and not swept:
                swept.append(other.sweep().operations)
            return await super().send(request, timeout=timeout)

    core_of(one)._accounts["mock"].ports.http._sender = Slow()
    payment = payments.create(an_order(), operation_id="order:1")

    assert swept == [0]
    assert payment.is_open
    assert abs(core_of(other)._clock.now() - core_of(one)._clock.now()) < timedelta(seconds=5)
    for accounts in (one, other):
        accounts.close()
