"""Callback, browser and sweep meet at one payment: the one that finds the money being taken says what came of it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import IO

import pytest

from prenopay import CaptureMode, Payment, PaymentState
from prenopay._system import AwaitingClock, BlockingClock
from prenopay.ports import HttpRequest, HttpResponse
from prenopay.testing.clock import VirtualClock
from prenopay.testing.emulators.swedbankpay import SwedbankPayEmulator
from prenopay.testing.http import EmulatorSender
from prenopay.testing.server import serve
from tests.behaviour.shop import Shop

ROUNDS = 15
PATIENCE = 20


class _Holds(EmulatorSender):
    """Holds a capture back on its way, until it may go on."""

    def __init__(self, emulator: SwedbankPayEmulator, hold: Callable[[], object]) -> None:
        super().__init__(emulator.mounts)
        self._hold = hold

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - see the port
        if request.label == "capture" and request.method == "POST":
            self._hold()
        return await super().send(request, timeout=timeout)


def _watched(colour: str, asleep: Callable[[], object]) -> BlockingClock:
    """Return the real clock of a colour; it calls ``asleep`` before each pause."""
    base = BlockingClock if colour == "blocking" else AwaitingClock

    class Watched(base):  # type: ignore[misc, valid-type]  # one of two classes that are the same but for a pause
        async def sleep(self, seconds: float) -> None:
            asleep()
            await super().sleep(seconds)

    return Watched()


@pytest.fixture
def emulator() -> SwedbankPayEmulator:
    return SwedbankPayEmulator(clock=VirtualClock(real_time=True))


@pytest.mark.every_store
def test_who_looks_while_another_takes_the_money_returns_it_taken(
    open_shop: Callable[..., Shop], emulator: SwedbankPayEmulator, colour: str
) -> None:
    taking, waiting = threading.Event(), threading.Event()

    def hold() -> None:
        taking.set()
        waiting.wait(PATIENCE)

    first = open_shop(emulator=emulator, sender=_Holds(emulator, hold), clock=_watched(colour, waiting.set))
    second = open_shop(emulator=emulator, clock=_watched(colour, waiting.set))
    payment = first.bought(capture=CaptureMode.AUTOMATIC)
    first.pay(payment)
    with ThreadPoolExecutor(1) as threads:
        taker = threads.submit(first.payments.observe, payment.payment_id)
        assert taking.wait(PATIENCE)
        try:
            seen: Payment = second.payments.observe(payment.payment_id)
        finally:
            waiting.set()

    assert (seen.state, seen.is_paid) == (PaymentState.CAPTURED, True)
    assert taker.result().is_paid
    first.books_agree()


def test_who_looks_while_staff_takes_the_money_by_hand_returns_it_taken(
    open_shop: Callable[..., Shop], emulator: SwedbankPayEmulator, colour: str
) -> None:
    taking, waiting = threading.Event(), threading.Event()

    def hold() -> None:
        taking.set()
        waiting.wait(PATIENCE)

    first = open_shop(emulator=emulator, sender=_Holds(emulator, hold))
    second = open_shop(emulator=emulator, clock=_watched(colour, waiting.set))
    payment = first.paid(capture=CaptureMode.MANUAL)
    with ThreadPoolExecutor(1) as threads:
        taker = threads.submit(first.payments.capture, payment.payment_id, operation_id="capture:1")
        assert taking.wait(PATIENCE)
        try:
            assert second.payments.observe(payment.payment_id).is_paid
        finally:
            waiting.set()

    assert taker.result().succeeded


def test_nobody_waits_long_for_one_that_hangs(database: str) -> None:
    shop = Shop("blocking", database)
    payment = shop.bought(capture=CaptureMode.AUTOMATIC)
    shop.pay(payment)
    waited: list[timedelta] = []

    def hang() -> None:
        began = shop.clock.now()
        assert shop.payments.observe(payment.payment_id).state is PaymentState.AUTHORIZED
        waited.append(shop.clock.now() - began)

    hanging = shop.restarted(sender=_Holds(shop.emulator, hang))
    hanging.payments.observe(payment.payment_id)

    assert timedelta(seconds=5) < waited[0] < timedelta(seconds=10)
    assert shop.payments.get(payment.payment_id).is_paid
    hanging.close()
    shop.close()


@pytest.mark.two_stores
def test_two_processes_that_look_at_once_both_say_that_it_is_paid(
    database: str, emulator: SwedbankPayEmulator, colour: str
) -> None:
    shop = Shop(colour, database, emulator=emulator, clock=_watched(colour, lambda: None))
    said: list[tuple[str, ...]] = []
    with serve(emulator, deliver_callbacks=False) as served, ExitStack() as processes:
        lookers = [processes.enter_context(_looker(colour, database, served.url)) for _ in range(2)]
        for number in range(ROUNDS):
            payment = shop.bought(f"order:{number}", capture=CaptureMode.AUTOMATIC)
            shop.pay(payment)
            for asked, _ in lookers:
                print(payment.payment_id, file=asked, flush=True)
            said.append(tuple(answer.readline().strip() for _, answer in lookers))
    shop.books_agree()
    shop.close()
    assert said == [("paid", "paid")] * ROUNDS


@contextmanager
def _looker(colour: str, database: str, url: str) -> Iterator[tuple[IO[str], IO[str]]]:
    command = [sys.executable, str(Path(__file__).with_name("looking_process.py")), json.dumps([colour, database, url])]
    with subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process.stdin, process.stdout
        process.stdin.close()
