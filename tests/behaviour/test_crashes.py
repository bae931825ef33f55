"""Killed at any moment: a process that dies at each of its awaits in turn leaves books that can be repaired.

The core awaits its ports and nothing else, so every await is a place to die: before or after a request left,
before or after a commit, before or after the host was notified. A task that is cancelled there ends, too, but its
process lives on, and may put its books in order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any, Protocol, TypeVar

import pytest

from prenopay import CaptureMode, Event, Outcome, PaymentState
from prenopay.errors import PrenopayError
from prenopay.ports import HttpRequest, HttpResponse, HttpSender
from prenopay.testing.emulators.swedbankpay import DuplicateAnswer
from prenopay.testing.http import EmulatorSender
from tests.behaviour.shop import Shop, sek
from tests.rewiring import core_of

T = TypeVar("T")


class Killed(BaseException):
    """The process is gone."""


class Guard(Protocol):
    """A layer between the core and a port: it decides what happens to a call."""

    async def around(self, work: Callable[[], Awaitable[T]]) -> T: ...


class Executioner(Guard):
    """Counts awaits, and kills at one of them: before it does anything, or after it has. Who is dead stays dead."""

    def __init__(self) -> None:
        self.count = 0
        self.kill_at: int | None = None

    async def around(self, work: Callable[[], Awaitable[T]]) -> T:
        self._step()
        result = await work()
        self._step()
        return result

    def beside(self, work: Callable[[], T]) -> T:
        """As ``around``, in blocking code."""
        self._step()
        result = work()
        self._step()
        return result

    def _step(self) -> None:
        self.count += 1
        if self.kill_at is not None and self.count >= self.kill_at:
            raise Killed


class Canceller(Executioner):
    """Cancels the task at one of its awaits. asyncio says so at the next one; blocking code is interrupted here."""

    def _step(self) -> None:
        self.count += 1
        if self.count != self.kill_at:
            return
        try:
            task = asyncio.current_task()
        except RuntimeError:
            task = None
        if task is None:
            raise KeyboardInterrupt
        task.cancel()


DEATHS: dict[str, type[Executioner]] = {"killed": Executioner, "cancelled": Canceller}
ENDS = (Killed, KeyboardInterrupt, asyncio.CancelledError)


def survives(work: Callable[[], object]) -> bool:
    """Do ``work``; return whether it came to its end."""
    try:
        work()
    except BaseException as error:  # a task group wraps even the end of a process
        group = BaseExceptionGroup("one task's end is everybody's", [error])
        if group.split(ENDS)[1] is not None:
            raise
        return False
    return True


class MortalSender:
    def __init__(self, sender: HttpSender, executioner: Executioner) -> None:
        self._sender = sender
        self._executioner = executioner
        self.used = False

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109
        self.used = True
        return await self._executioner.around(lambda: self._sender.send(request, timeout=timeout))


def guarded(process: Shop, guard: Guard) -> None:
    """Put ``guard`` around every transaction of a process, no matter which part of the core asks for it."""
    core = core_of(process.accounts.target)
    for name in ("transact", "read", "append"):
        work = getattr(core._ledger, name)
        setattr(core._ledger, name, partial(_around, guard, work))


async def _around(guard: Guard, work: Callable[..., Awaitable[T]], *arguments: Any) -> T:
    return await guard.around(lambda: work(*arguments))


def mortal(shop: Shop, executioner: Executioner) -> Shop:
    """Start a process of the shop whose every await may be its last."""
    process = shop.restarted(sender=MortalSender(EmulatorSender(shop.emulator.mounts), executioner))
    guarded(process, executioner)

    def hear(event: Event) -> None:
        executioner.beside(lambda: process.on_event(event))

    async def hear_awaiting(event: Event) -> None:
        hear(event)

    process.hear = hear if process.colour == "blocking" else hear_awaiting
    return process


def _create(shop: Shop) -> object:
    return shop.bought(capture=CaptureMode.AUTOMATIC)


def _capture(shop: Shop) -> object:
    return shop.payments.capture(shop.payments.find()[0].payment_id, operation_id="capture:1")


def _refund(shop: Shop) -> object:
    return shop.payments.refund(shop.payments.find()[0].payment_id, sek(5000), operation_id="refund:1")


def _callback(shop: Shop) -> object:
    shop.deliver_callbacks()
    return None


def _sweep(shop: Shop) -> object:
    shop.later(minutes=3)
    return shop.accounts.sweep()


def _pay(shop: Shop) -> None:
    shop.pay(shop.bought(capture=CaptureMode.AUTOMATIC))


def _nothing(_shop: Shop) -> None:
    """Start from nothing."""


USE_CASES: dict[str, tuple[Callable[[Shop], object], Callable[[Shop], object]]] = {
    "create": (_nothing, _create),
    "capture": (lambda shop: shop.paid(), _capture),
    "refund": (lambda shop: shop.captured(), _refund),
    "callback": (_pay, _callback),
    "sweep": (_pay, _sweep),
}


LEAST_AWAITS = {"create": 6, "capture": 8, "refund": 8, "callback": 10, "sweep": 8}
"""With fewer awaits, the executioner does not guard every port."""


WALKS = [
    *((name, "killed", "sqlite", "blocking") for name in USE_CASES),
    *((name, "cancelled", "sqlite", "awaiting") for name in USE_CASES),
    ("capture", "cancelled", "postgresql", "blocking"),
]
"""A use case has the same awaits on every store: one walk each on the quickest, and one on a server."""


@pytest.mark.every_store
@pytest.mark.parametrize(("name", "death", "database", "colour"), WALKS, indirect=["database", "colour"])
def test_dying_at_every_await_in_turn_loses_nothing_and_takes_nothing_twice(
    open_shop: Callable[..., Shop],
    name: str,
    death: str,
) -> None:
    prepare, use_case = USE_CASES[name]
    deaths = 0
    while True:
        deaths += 1
        number = f"{name}-{deaths}"
        shop = open_shop(account=number)
        shop.emulator.behaviour = replace(
            shop.emulator.behaviour,
            duplicate_reference=list(DuplicateAnswer)[deaths % len(DuplicateAnswer)],
        )
        prepare(shop)
        told_before = len(shop.events)
        executioner = DEATHS[death]()
        executioner.kill_at = deaths
        process = mortal(shop, executioner)
        died = not survives(partial(use_case, process)) or executioner.count >= deaths
        process.close()
        _repair(shop, name)
        _check(shop, name, told_before, process)
        if not died:
            break
    assert deaths > LEAST_AWAITS[name], "every await was a place to die"


def _repair(shop: Shop, name: str) -> None:
    """Let the host repeat its calls, callbacks come again, and the sweep run for a day."""
    later = shop.restarted()
    later.on_event = shop.events.append
    for _ in range(3):
        later.later(minutes=7)
        if name in {"create", "capture", "refund"}:
            later.tries(lambda: USE_CASES[name][1](later))
        if name == "create" and not later.emulator.order(_reference(later)).totals.authorized:
            later.pay(later.payments.find()[0])
        later.deliver_callbacks()
        later.accounts.sweep()
    for _ in range(4):
        later.later(hours=6)
        later.deliver_callbacks()
        assert later.accounts.sweep().failures == ()
    later.close()


def _reference(shop: Shop) -> str:
    return str(shop.payments.find()[0].provider_reference)


def _check(shop: Shop, name: str, told_before: int, process: Shop) -> None:
    """Check that our books are the gateway's, that money moved once, and that the host got every event in order."""
    (payment,) = shop.payments.find()
    shop.books_agree()
    assert payment.state is PaymentState.CAPTURED
    assert payment.captured == sek(11900)
    assert payment.refunded == sek(5000 if name == "refund" else 0)
    captures = [
        each
        for order in shop.emulator.orders
        for each in order.transactions
        if each.kind == "Capture" and order.id == payment.provider_reference
    ]
    assert len(captures) == 1
    payable = [order for order in shop.emulator.orders if order.totals.authorized]
    assert len(payable) == 1
    for operation_id in ("order:1", "capture:1", "refund:1"):
        try:
            assert shop.payments.operation(operation_id).outcome is Outcome.SUCCEEDED
        except PrenopayError:
            assert operation_id != "order:1"
    heard = [*shop.events[:told_before], *process.events, *shop.events[told_before:]]
    numbers = list(dict.fromkeys(event.number for event in heard))
    assert numbers == list(range(1, len(numbers) + 1)), "events come in order, none left out"
    kinds = {event.number: event.kind.value for event in heard}
    expected = ["payment.authorized", "payment.captured"] + (["payment.refunded"] if name == "refund" else [])
    assert list(kinds.values()) == expected
