"""A try that is slower than it may be, while another process goes on: what it believes then must not count."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from prenopay import (
    Accounts,
    CaptureMode,
    Consent,
    EventKind,
    Order,
    Outcome,
    Payer,
    Payment,
    Payments,
    PaymentState,
    StoreMethod,
)
from prenopay.books.engine import BlockingLedger
from prenopay.books.outbox import Delivery
from prenopay.errors import Conflict, NotSent, PrenopayError, Quarantined
from prenopay.ports import HttpRequest, HttpResponse, HttpSender
from prenopay.testing.faults import Fault, FaultKind
from prenopay.testing.mock import Mock, MockGateway, MockProvider, MockSender
from prenopay.values.events import Event
from tests.behaviour.shop import Shop, sek

Meanwhile = Callable[[HttpRequest], None]


@dataclass
class _Sender:
    """Sends to the mock; ``meanwhile`` happens once, before the next request arrives.

    ``reads`` is what the answers are changed to: one number for another.
    """

    inner: MockSender = field(default_factory=MockSender)
    meanwhile: Meanwhile | None = None
    reads: tuple[bytes, bytes] = (b"", b"")

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - the port's shape
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile(request)
        answer = await self.inner.send(request, timeout=timeout)
        return replace(answer, body=answer.body.replace(*self.reads))

    async def aclose(self) -> None:
        await self.inner.aclose()


def _order(**more: object) -> Order:
    return Order(
        amount=sek(11900),
        description="Kuriren, one month",
        order_reference="K-1001",
        return_url="https://kuriren.example/thanks",
        capture=CaptureMode.AUTOMATIC,
        **more,  # type: ignore[arg-type]  # the fields of an order
    )


@dataclass
class _Process:
    """One process of a publisher, with the same books and gateway as the other."""

    accounts: Accounts
    payments: Payments[MockProvider]
    sender: _Sender


class _Shop:
    """Two processes of a publisher on one database."""

    def __init__(self, database: str) -> None:
        self.gateway = MockGateway(forgets_after=timedelta(minutes=30))
        self.heard: list[tuple[str, Event]] = []
        self._opened: list[Accounts] = []
        self._database = database
        self.slow, self.other = (self._open(name) for name in ("slow", "other"))

    def _open(self, name: str) -> _Process:
        sender = _Sender()
        accounts = Accounts.open(
            self._database,
            callback_url="https://kuriren.example/callbacks",
            callback_keys=["a-key-that-signs-addresses-in-tests"],
            token_keys=["a-key-that-seals-tokens-in-tests-only"],
            on_event=lambda event: self.hear(name, event),
            sender=sender,
            clock=self.gateway.clock,
        )
        self._opened.append(accounts)
        return _Process(accounts, accounts.add(Mock(account="mock", gateway=self.gateway, finds_charges=True)), sender)

    def hear(self, name: str, event: Event) -> None:
        self.heard.append((name, event))

    def later(self, **time: float) -> None:
        self.gateway.clock.advance(timedelta(**time))

    def paid(self, operation_id: str = "order:1", **more: object) -> str:
        """Return a payment whose whole amount was taken."""
        payment = self.slow.payments.create(_order(**more), operation_id=operation_id)
        self.gateway.approve(str(payment.provider_reference))
        self.slow.payments.observe(payment.payment_id)
        return payment.payment_id

    def stalls(self) -> None:
        """Let the next request of the slow process wait until the other has swept, and then fail unsent."""

        def meanwhile(_: HttpRequest) -> None:
            self.later(seconds=90)
            self.other.accounts.sweep()
            message = "the connection was refused"
            raise NotSent(message)

        self.slow.sender.meanwhile = meanwhile

    def close(self) -> None:
        for accounts in self._opened:
            accounts.close()


@pytest.fixture
def two(database: str) -> Iterator[_Shop]:
    shop = _Shop(database)
    yield shop
    shop.close()


def test_a_payout_that_another_process_has_sent_is_not_called_unsent(two: _Shop) -> None:
    two.gateway.script("pay_out", "pending")
    two.stalls()
    with pytest.raises(NotSent):
        two.slow.payments.pay_out(two.gateway.payout_order(sek(5000)), operation_id="payout:1")

    assert two.slow.payments.payout("payout:1").outcome is Outcome.PENDING
    two.gateway.finish_pending()
    two.later(days=1)
    two.other.accounts.sweep()
    assert two.slow.payments.payout("payout:1").outcome is Outcome.SUCCEEDED
    assert [event.kind for _, event in two.heard] == [EventKind.PAYOUT_PAID]


def test_a_refund_that_another_process_has_sent_is_not_called_unsent(two: _Shop) -> None:
    payment_id = two.paid()
    two.gateway.script("refund", "pending")
    two.stalls()
    with pytest.raises(NotSent):
        two.slow.payments.refund(payment_id, operation_id="refund:1")

    two.gateway.finish_pending()
    two.later(days=1)
    two.other.accounts.sweep()
    assert two.slow.payments.get(payment_id).refunded == sek(11900)


def test_a_failed_delivery_is_not_repeated_after_another_process_has_delivered(two: _Shop) -> None:
    def hear(name: str, event: Event) -> None:
        two.heard.append((name, event))
        if len(two.heard) == 1:
            two.later(minutes=6)
            two.other.accounts.sweep()
            message = "the host's own database timed out"
            raise RuntimeError(message)

    two.hear = hear  # type: ignore[method-assign]  # the slow process's handler is slow once
    two.paid()
    for _ in range(3):
        two.later(minutes=30)
        two.other.accounts.sweep()

    numbers = [event.number for _, event in two.heard]
    assert numbers == [1, *range(1, len(numbers))], "only the first came twice, and before every other"
    assert two.other.accounts.undelivered() == (), "what was delivered waits for nothing"


def test_an_event_is_not_handed_out_by_a_process_that_stood_still_since_it_claimed_it(
    two: _Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    transact, stops = BlockingLedger.transact, [True]

    async def stopping(self: BlockingLedger, work: Any) -> Any:
        written = await transact(self, work)
        if isinstance(written, Delivery) and stops:
            stops.clear()
            two.later(minutes=6)
            two.other.accounts.sweep()
        return written

    monkeypatch.setattr(BlockingLedger, "transact", stopping)
    two.paid()

    assert [event.number for _, event in two.heard] == [*range(1, len(two.heard) + 1)], "each came once, in order"


def test_what_one_process_looks_up_no_other_looks_up_at_the_same_time(two: _Shop) -> None:
    asked: list[HttpRequest] = []
    payment_id = two.paid()
    two.gateway.faults.add(Fault(kind=FaultKind.DROP_BEFORE, call="refund", times=9))
    assert two.slow.payments.refund(payment_id, operation_id="refund:1").outcome is Outcome.UNKNOWN
    two.gateway.faults.clear()
    two.later(minutes=20)

    def meanwhile(_: HttpRequest) -> None:
        two.other.sender.meanwhile = asked.append
        with suppress(PrenopayError):
            two.other.payments.resolve("refund:1")

    two.slow.sender.meanwhile = meanwhile
    two.slow.payments.resolve("refund:1")

    assert asked == []


def test_what_one_sweep_works_on_no_other_works_on_at_the_same_time(two: _Shop) -> None:
    asked: list[HttpRequest] = []
    two.slow.payments.create(_order(), operation_id="order:1")
    two.later(hours=1)

    def meanwhile(_: HttpRequest) -> None:
        two.other.sender.meanwhile = asked.append
        two.other.accounts.sweep()

    two.slow.sender.meanwhile = meanwhile
    two.slow.accounts.sweep()

    assert two.slow.sender.meanwhile is None, "the payment was due"
    assert asked == []


def test_nothing_is_sent_again_that_arrives_after_the_gateway_has_forgotten(two: _Shop) -> None:
    consent = Consent(text_version="terms-1", agreed_at=two.gateway.clock.now(), channel="web")
    two.paid("store:1", payer=Payer(reference="reader-1"), store=StoreMethod(consent=consent))
    (mandate,) = two.slow.payments.mandates.of_payer("reader-1")
    two.gateway.script("charge", "lost_after")
    two.slow.payments.charge(
        mandate.mandate_id, sek(5000), operation_id="charge:1", description="May", period="2026-05"
    )
    taken = sum(totals.captured + totals.authorized for totals in two.gateway.books().values())

    two.later(minutes=29, seconds=50)
    two.slow.sender.meanwhile = lambda _: two.later(seconds=15)
    two.slow.payments.resolve("charge:1")

    assert sum(totals.captured + totals.authorized for totals in two.gateway.books().values()) == taken


def test_a_change_without_answer_is_not_sent_again_while_a_person_must_look(two: _Shop) -> None:
    payment_id = two.paid()
    two.gateway.script("refund", "lost_before")
    assert two.slow.payments.refund(payment_id, operation_id="refund:1").outcome is Outcome.UNKNOWN
    (reference,) = two.gateway.books()
    two.other.sender.reads = (b"11900", b"9900")  # somebody has changed the order at the gateway

    two.later(minutes=20)
    swept = two.other.accounts.sweep()

    assert two.slow.payments.get(payment_id).quarantined
    assert two.gateway.books()[reference].refunded == 0
    assert swept.failures == ()
    with pytest.raises(Quarantined):
        two.slow.payments.refund(payment_id, operation_id="refund:1")


class _SaysDeclined(MockSender):
    """Hears that what is pending was declined."""

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - the port's shape
        answer = await super().send(request, timeout=timeout)
        before, found, after = answer.body.rpartition(b'"pending"')
        return replace(answer, body=before + b'"declined"' + after) if found else answer


def test_a_late_decline_does_not_end_a_refund_that_another_process_has_sent(two: _Shop) -> None:
    """The slow process hears of a decline, but its claim is taken: the gateway has accepted the refund since."""
    payment_id = two.paid()
    two.gateway.script("refund", "pending")
    two.slow.sender.inner = _SaysDeclined()

    def meanwhile(request: HttpRequest) -> None:
        if request.method == "GET":  # the look before the refund
            two.slow.sender.meanwhile = meanwhile
            return
        two.later(seconds=90)
        two.other.accounts.sweep()

    two.slow.sender.meanwhile = meanwhile
    two.slow.payments.refund(payment_id, operation_id="refund:1")

    assert two.other.payments.operation("refund:1").outcome is Outcome.PENDING
    assert EventKind.OPERATION_DECLINED not in [event.kind for _, event in two.heard]
    with pytest.raises(Conflict):
        two.other.payments.refund(payment_id, operation_id="refund:2")


@dataclass
class _Frozen:
    """Sends to an emulator, and is frozen once around a request that ``stops_at`` chooses."""

    inner: HttpSender
    stops_at: Callable[[HttpRequest], bool]
    meanwhile: Callable[[], None]
    before: bool = False

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - the port's shape
        stops = self.stops_at(request)
        if stops:
            self.stops_at = lambda _: False
        if stops and self.before:
            self.meanwhile()
        answer = await self.inner.send(request, timeout=timeout)
        if stops and not self.before:
            self.meanwhile()
        return answer


@pytest.mark.every_store
@pytest.mark.parametrize("colour", ["blocking"])
def test_a_late_create_does_not_take_the_name_of_the_page_that_the_payer_holds(shop: Shop) -> None:
    """While the slow process was frozen, the same order was made again: the payer holds that page."""
    held: list[Payment] = []

    def meanwhile() -> None:
        shop.later(seconds=90)
        held.append(shop.bought())

    sender = _Frozen(shop.sender, lambda request: request.label == "create", meanwhile)
    slow = shop.restarted(sender=sender)
    late = slow.bought()
    slow.close()

    assert late.provider_reference == held[0].provider_reference
    assert shop.payments.get(late.payment_id).redirect_url == held[0].redirect_url
    shop.pay(held[0])
    assert shop.payments.observe(late.payment_id).state is PaymentState.AUTHORIZED
    assert shop.payments.get(late.payment_id).flags == ()


@pytest.mark.every_store
@pytest.mark.parametrize("colour", ["blocking"])
def test_a_process_that_was_frozen_between_looking_and_sending_sends_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A virtual machine that is stopped does not notice by its running clock. Its claim has run out."""
    payment = shop.captured()
    monkeypatch.setattr(shop.clock, "monotonic", lambda: 0.0)

    def meanwhile() -> None:
        shop.later(minutes=20)
        shop.accounts.sweep()

    sender = _Frozen(shop.sender, lambda request: request.method == "GET", meanwhile)
    slow = shop.restarted(sender=sender)
    error = slow.tries(lambda: slow.payments.refund(payment.payment_id, sek(5000), operation_id="refund:1"))
    slow.close()

    assert isinstance(error, NotSent)
    assert shop.payments.operation("refund:1").outcome is Outcome.SUCCEEDED
    sent = [call for call in shop.emulator.transcript.seen if call.call == "reversal" and call.method == "POST"]
    assert len(sent) == 1
    shop.books_agree()
