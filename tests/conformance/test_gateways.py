"""What gateways say of themselves is true: their moves are their books, and requests are read as they were sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from examples.own_provider.gateway import NordpayGateway

from prenopay import Accounts, CaptureMode, Outcome
from prenopay.errors import Conflict
from prenopay.ports import HttpRequest, HttpResponse
from prenopay.provider import Captures
from prenopay.testing.clock import VirtualClock
from prenopay.testing.databases import empty_sqlite
from prenopay.testing.emulators.swedbankpay.gateway import SwedbankPayGateway
from prenopay.testing.emulators.swish.gateway import SwishGateway
from prenopay.testing.gateway import Asked, Gateway, GatewayMaker, History, PayerRefused
from prenopay.testing.http import EmulatorSender
from prenopay.testing.mock import MockGateway
from prenopay.values.mandates import MandateKind, MandateState

MAKERS: tuple[GatewayMaker, ...] = (SwedbankPayGateway, SwishGateway, NordpayGateway)


class Host:
    """Accounts at one gateway, and what they asked of it."""

    def __init__(self, gateway: Any, database: str) -> None:
        self.gateway, self.asked = gateway, list[Asked | None]()
        self._sender = EmulatorSender(gateway.mounts)
        self.accounts = Accounts.open(
            database,
            callback_url="https://shop.example/callbacks",
            callback_keys=["a-key-for-the-tests-that-is-long-enough"],
            token_keys=["a-key-that-seals-tokens-for-the-tests"],
            sender=self,
            clock=gateway.clock,
        )
        self.payments: Any = self.accounts.add(gateway.account("one"))

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - see the port
        self.asked.append(self.gateway.asked_in(request))
        return await self._sender.send(request, timeout=timeout)

    async def aclose(self) -> None:
        """There is nothing to close."""

    def bought(self, operation_id: str = "order:1") -> Any:
        return self.payments.create(self.gateway.order(), operation_id=operation_id)

    def paid(self, operation_id: str = "order:1", capture: CaptureMode = CaptureMode.AUTOMATIC) -> Any:
        payment = self.payments.create(replace(self.gateway.order(), capture=capture), operation_id=operation_id)
        self.gateway.pays(payment.provider_reference)
        return self.payments.observe(payment.payment_id)


At = Callable[[Gateway], Host]


@pytest.fixture
def at() -> Iterator[At]:
    hosts: list[Host] = []
    with empty_sqlite() as database:

        def opened(gateway: Gateway) -> Host:
            hosts.append(Host(gateway, database))
            return hosts[-1]

        yield opened
        for host in hosts:
            host.accounts.close()


@pytest.mark.parametrize("make", MAKERS)
def test_moves_are_the_books_and_requests_are_read_as_sent(make: GatewayMaker, at: At) -> None:
    gateway = make(clock=VirtualClock(), seed=7)
    assert isinstance(gateway, History)
    host = at(gateway)
    payment, left_open = host.paid(), host.bought("order:2")
    name, due = payment.provider_reference, payment.amount.minor
    operation = host.payments.operation("order:1")

    assert set(gateway.payable()) == {left_open.provider_reference}
    assert gateway.find(operation.reference) == name
    assert gateway.find("nobody") is None
    assert {each.amount for each in gateway.ordered().values()} == {due}
    assert gateway.left_to_refund(gateway.nobodys) is None

    refund = host.payments.refund(payment.payment_id, operation_id="refund:1", description="given back")
    gateway.clock.advance(timedelta(minutes=5))
    gateway.settle()

    sums: Counter[str] = Counter()
    for move in gateway.moves():
        assert move.payment == name
        sums[move.what] += move.amount
    totals = gateway.books()[name]
    captures = Captures in type(host.payments.provider).__mro__
    assert (sums["authorize"], sums["refund"]) == (totals.authorized, totals.refunded) == (due, due)
    assert sums["capture"] == (totals.captured if captures else 0)
    assert gateway.left_to_refund(name) == totals.kept == 0

    asked = [each for each in host.asked if each is not None]
    assert Asked(what="authorize", text="One month", reference=operation.reference, amount=due) in asked
    assert Asked(what="refund", text="given back", reference=refund.reference, amount=due) in asked
    assert {(move.what, move.reference) for move in gateway.moves()} <= {(each.what, each.reference) for each in asked}


@pytest.mark.parametrize("make", [*MAKERS, MockGateway])
def test_nobody_pays_what_is_not_there(make: Callable[[], Gateway]) -> None:
    gateway = make()
    refusal = Conflict if isinstance(gateway, MockGateway) else PayerRefused
    for act in (gateway.pays, gateway.declines, gateway.waits, gateway.vanishes):
        with pytest.raises(refusal):
            act(gateway.nobodys)


def test_different_accounts_are_different_merchants_and_stay_so() -> None:
    gateway = SwedbankPayGateway()
    one, other = gateway.account("one"), gateway.account("other")
    assert one.payee_id != other.payee_id
    assert gateway.account("one") == one
    assert gateway.account("third").payee_id == one.payee_id
    assert {one.access_token.reveal(), other.access_token.reveal()} <= gateway.secrets()


def test_staff_change_payments_past_prenopay(at: At) -> None:
    gateway = SwedbankPayGateway()
    host = at(gateway)
    name = host.paid(capture=CaptureMode.MANUAL).provider_reference
    assert gateway.books()[name].kept == 11900
    assert gateway.takes_by_hand(name, 5000)
    assert gateway.gives_back_by_hand(name, 2000)
    assert not gateway.gives_back_by_hand(name, 5000)
    totals = gateway.books()[name]
    assert (totals.captured, totals.refunded) == (5000, 2000)
    still_open = host.bought("order:2")
    assert gateway.tampers(still_open.provider_reference)
    assert host.payments.observe(still_open.payment_id).quarantined
    assert not gateway.tampers(name)


def test_a_bank_refuses_later_what_was_accepted(at: At) -> None:
    gateway = SwishGateway()
    host = at(gateway)
    payment = host.paid()
    host.payments.refund(payment.payment_id, operation_id="refund:1")
    assert gateway.refuses_refund(payment.provider_reference)
    assert not gateway.refuses_refund(payment.provider_reference)
    assert host.payments.resolve("refund:1").outcome is Outcome.DECLINED
    host.payments.pay_out(gateway.payout_order(), operation_id="payout:1")
    assert gateway.paid_out() == gateway.payout_order().amount.minor
    assert gateway.refuses_payout()
    assert not gateway.refuses_payout()
    assert gateway.paid_out() == 0


def test_a_method_that_another_system_stored_is_taken_over(at: At) -> None:
    gateway = SwedbankPayGateway()
    host = at(gateway)
    old = gateway.store_method("R-1", Random(1))
    assert (old.account, old.kind) == ("one", MandateKind.UNSCHEDULED)
    assert old.token in gateway.secrets()
    assert old.token not in repr(old)
    host.payments.mandates.take_over(
        "payer_reference,kind,token,display,text_version,agreed_at\n"
        f"R-1,{old.kind.value},{old.token},{old.display},terms-1,2026-01-02T00:00:00+00:00\n"
    )
    (mandate,) = host.payments.mandates.of_payer("R-1")
    assert mandate.state is MandateState.ACTIVE
    gateway.decline_next_charge(Random(2))
    charged = host.payments.charge(mandate.mandate_id, gateway.order().amount, operation_id="charge:1", description="x")
    assert charged.outcome is Outcome.DECLINED


def test_payers_act_in_several_ways_and_answer_at_last(at: At) -> None:
    gateway = SwedbankPayGateway()
    host = at(gateway)
    chance = Random(3)
    first, second, third = (host.bought(f"order:{number}").provider_reference for number in range(3))
    gateway.pays_somehow(first, chance)
    assert gateway.books()[first].authorized == 11900
    gateway.cancels(second)
    gateway.waits(third)
    assert gateway.unanswered() == (third,)
    said_yes = gateway.answers(third, chance)
    assert (gateway.books()[third].authorized > 0) is said_yes
    assert gateway.unanswered() == ()


@pytest.mark.parametrize("make", [SwedbankPayGateway, SwishGateway])
def test_behaviour_is_decided_by_chance_and_can_be_calmed(make: Callable[[], Any]) -> None:
    seen: set[str] = set()
    hidden = 0
    for seed in range(150):
        gateway, same = make(), make()
        for each in (gateway, same):
            each.vary(Random(seed))
        assert gateway.emulator.behaviour == same.emulator.behaviour
        assert gateway.account("one") == same.account("one")
        seen.add(repr(gateway.emulator.behaviour))
        hidden += gateway.hides_status
        gateway.calm()
        assert not gateway.hides_status
        assert gateway.fee >= 0 <= gateway.discount
    assert len(seen) > 1
    assert hidden > 0 or make is SwishGateway
