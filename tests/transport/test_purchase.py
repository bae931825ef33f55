"""Whole purchases over real sockets: after every fault on the wire, the books agree with the gateway's."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from prenopay import Outcome, PaymentState
from prenopay.errors import NotSent, OutcomeUnknown
from prenopay.testing.emulators.swedbankpay import SwedbankPayEmulator
from prenopay.testing.faults import Fault, FaultKind
from prenopay.testing.server import Served, serve
from tests.behaviour.shop import COLOURS, Shop, an_order
from tests.transport.shops import shop_at

_ON_THE_WIRE = [FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER, FaultKind.HALF_BODY]


@pytest.fixture
def emulator() -> SwedbankPayEmulator:
    return SwedbankPayEmulator()


@pytest.fixture
def served(emulator: SwedbankPayEmulator) -> Iterator[Served]:
    with serve(emulator, deliver_callbacks=False) as served:
        yield served


@pytest.fixture(params=COLOURS)
def shop(
    request: pytest.FixtureRequest,
    served: Served,
    emulator: SwedbankPayEmulator,
    sqlite_database: str,
) -> Iterator[Shop]:
    with shop_at(served.url, colour=request.param, database=sqlite_database, emulator=emulator) as shop:
        yield shop


def test_an_order_is_paid_taken_and_given_back(shop: Shop) -> None:
    payment = shop.paid()
    assert shop.payments.capture(payment.payment_id, operation_id="capture:1").outcome is Outcome.SUCCEEDED
    assert shop.payments.refund(payment.payment_id, operation_id="refund:1").outcome is Outcome.SUCCEEDED
    assert shop.payments.get(payment.payment_id).refunded == payment.amount
    shop.books_agree()


@pytest.mark.parametrize("kind", _ON_THE_WIRE)
def test_a_create_whose_answer_broke_is_repeated_without_a_second_payment(shop: Shop, kind: FaultKind) -> None:
    shop.emulator.faults.add(Fault(kind=kind, call="create"))
    with pytest.raises(OutcomeUnknown, match="create: sent, but no whole answer came"):
        shop.bought()
    payment = shop.bought()
    shop.pay(payment)
    assert shop.payments.observe(payment.payment_id).state is PaymentState.AUTHORIZED
    assert len(shop.payments.find()) == 1
    shop.books_agree()


@pytest.mark.parametrize("kind", _ON_THE_WIRE)
def test_a_capture_whose_answer_broke_is_looked_up_and_never_taken_twice(shop: Shop, kind: FaultKind) -> None:
    payment = shop.paid()
    shop.emulator.faults.add(Fault(kind=kind, call="capture", method="POST"))
    assert shop.payments.capture(payment.payment_id, operation_id="capture:1").outcome is Outcome.UNKNOWN
    shop.later(minutes=15)
    assert shop.payments.resolve("capture:1").outcome is Outcome.SUCCEEDED
    assert shop.payments.get(payment.payment_id).captured == payment.amount
    shop.books_agree()


@pytest.mark.parametrize("kind", _ON_THE_WIRE)
def test_a_read_that_broke_is_read_again_by_itself(shop: Shop, kind: FaultKind) -> None:
    payment = shop.bought()
    shop.pay(payment)
    shop.emulator.faults.add(Fault(kind=kind, call="get", times=2))
    assert shop.payments.observe(payment.payment_id).state is PaymentState.AUTHORIZED


@pytest.mark.parametrize(("status", "pause"), [(429, 7), (503, 3)])
def test_a_gateway_that_says_how_long_to_wait_is_left_alone_so_long(shop: Shop, status: int, pause: int) -> None:
    payment = shop.bought()
    shop.pay(payment)
    shop.emulator.faults.add(Fault(kind=FaultKind.STATUS_BEFORE, status=status, retry_after=pause, call="get"))
    before = shop.clock.now()
    assert shop.payments.observe(payment.payment_id).state is PaymentState.AUTHORIZED
    assert (shop.clock.now() - before).total_seconds() == pause


@pytest.mark.parametrize("colour", COLOURS)
def test_a_capture_that_takes_too_long_is_unknown_and_then_found(
    colour: str,
    served: Served,
    emulator: SwedbankPayEmulator,
    sqlite_database: str,
) -> None:
    with shop_at(served.url, colour=colour, database=sqlite_database, emulator=emulator) as shop:
        payment = shop.paid()
    emulator.faults.add(Fault(kind=FaultKind.DELAY, seconds=1.5, call="capture", method="POST"))
    hurried = shop_at(served.url, colour=colour, database=sqlite_database, emulator=emulator, deadline_seconds=1.0)
    with hurried as shop:
        assert shop.payments.capture(payment.payment_id, operation_id="capture:1").outcome is Outcome.UNKNOWN
        shop.later(minutes=15)
        assert shop.payments.resolve("capture:1").outcome is Outcome.SUCCEEDED
        shop.books_agree()


@pytest.mark.parametrize("colour", COLOURS)
def test_a_gateway_that_is_down_was_asked_nothing_and_the_same_call_works_when_it_is_back(
    colour: str,
    emulator: SwedbankPayEmulator,
    sqlite_database: str,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with shop_at(url, colour=colour, database=sqlite_database, emulator=emulator) as shop:
        with pytest.raises(NotSent):
            shop.payments.create(an_order(), operation_id="order:1")
        assert shop.payments.operation("order:1").outcome is Outcome.NOT_ATTEMPTED
        with serve(emulator, port=port, deliver_callbacks=False):
            payment = shop.bought()
        assert payment.state is PaymentState.PENDING
