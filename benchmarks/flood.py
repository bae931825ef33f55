"""Many posts at once to one payment's callback URL, and what another payment notices of them, on both databases.

The posts come through the ASGI app, each with a body of its own that names something else. The gateway is emulated in
this process, and takes a while to answer.
"""

from __future__ import annotations

import asyncio
import json
import time
import tracemalloc
from collections.abc import Callable, Coroutine, Generator, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from benchmarks.steps import Watch, databases
from prenopay import AsyncAccounts, CallbackRequest, Environment, Event, Money, Order, OrderLine, Secret
from prenopay.ports import HttpRequest, HttpResponse
from prenopay.providers.swedbankpay import SwedbankPay
from prenopay.testing.emulators.swedbankpay import DEFAULT_ACCESS_TOKEN, DEFAULT_PAYEE_ID, SwedbankPayEmulator
from prenopay.testing.http import EmulatorSender
from prenopay.values.subjects import Subject
from prenopay.web.asgi import CallbackApp

__all__ = ["HEADING", "Flood", "flood", "measure"]

_FORM: Final = "{:34} {:10} {:>12} {:>7} {:>8} {:>10} {:>9} {:>5} {:>8}  {}"

HEADING: Final = _FORM.format(
    "posts to one callback URL", "database", "transactions", "writing", "seconds", "peak KiB", "other, ms", "looks",
    "goal", "verdict",
)  # fmt: skip

_POSTS: Final = (0, 100, 200)
"""None shows what the other payment's callback takes by itself."""
_GOAL: Final = 40
"""How many transactions may be taken, however many posts there are. Posts at once share their commits, and looks."""
_GATEWAY_TAKES: Final = 0.05
_BODY_BYTES: Final = 60_000
_WAITING: Final = 1_500


@dataclass(frozen=True, slots=True, kw_only=True)
class Flood:
    """One row: what so many posts at once cost, and how long the callback of another payment took meanwhile."""

    what: str
    database: str
    writing: int
    reading: int
    seconds: float
    peak_kib: float
    other_ms: float
    looks: int

    @property
    def transactions(self) -> int:
        """All of them."""
        return self.writing + self.reading

    @property
    def is_missed(self) -> bool:
        """Whether it takes more than its goal."""
        return self.transactions > _GOAL

    @property
    def line(self) -> str:
        """The row as printed under ``HEADING``."""
        costs = f"{self.seconds:.2f}", f"{self.peak_kib:.0f}", f"{self.other_ms:.0f}", self.looks
        verdict = "MISSED" if self.is_missed else "kept"
        return _FORM.format(self.what, self.database, self.transactions, self.writing, *costs, f"<= {_GOAL}", verdict)


class _SlowSender(EmulatorSender):
    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - see the port
        await asyncio.sleep(_GATEWAY_TAKES)
        return await super().send(request, timeout=timeout)


class _Host:
    """A host with one account and two payments: one is flooded, the other is paid meanwhile."""

    def __init__(self, database: str) -> None:
        self.emulator = SwedbankPayEmulator()
        self.told = asyncio.Event()
        self.other = ""

        async def tell(event: Event) -> None:
            if event.payment_id == self.other:
                self.told.set()

        self.accounts = AsyncAccounts.open(
            database,
            callback_url="https://shop.example/callbacks",
            callback_keys=["a-key-for-the-benchmark-that-is-long-enough"],
            sender=_SlowSender(self.emulator.mounts),
            clock=self.emulator.clock,
            on_event=tell,
        )
        self.cards = self.accounts.add(
            SwedbankPay(
                account="cards",
                environment=Environment.TEST,
                payee_id=DEFAULT_PAYEE_ID,
                access_token=Secret(DEFAULT_ACCESS_TOKEN),
            )
        )
        self.app = CallbackApp(self.accounts)

    async def bought(self, number: int) -> tuple[str, str]:
        """Make an order payable; return our id of the payment, and the gateway's name."""
        amount = Money(11900, "SEK")
        order = Order(
            amount=amount,
            description="A newspaper",
            lines=(OrderLine(name="One month", amount=amount, vat_percent=6),),
            order_reference=f"K-{number}",
            return_url="https://shop.example/return",
        )
        payment = await self.cards.create(order, operation_id=f"order:{number}")
        return payment.payment_id, str(payment.provider_reference)

    def request(self, payment_id: str, name: str, *, pad: int = 0) -> CallbackRequest:
        """Return a callback to a payment's URL that names an order."""
        url = self.accounts.callback_urls.url("cards", Subject.payment(payment_id))
        told = {"id": name, "instrument": "CreditCard", "number": 1}
        body = json.dumps({"orderReference": "x" * pad, "paymentOrder": told}).encode()
        return CallbackRequest(path=url.removeprefix("https://shop.example"), body=body)

    async def post(self, request: CallbackRequest) -> None:
        """Post a callback, and wait until the app is done with it."""

        async def receive() -> MutableMapping[str, Any]:
            return {"type": "http.request", "body": request.body}

        async def send(message: MutableMapping[str, Any]) -> None:
            assert message.get("status", 200) == 200, message

        await self.app({"type": "http", "method": "POST", "path": request.path, "headers": []}, receive, send)


@dataclass(slots=True)
class _Measured:
    seconds: float = 0.0
    peak_kib: float = 0.0


@contextmanager
def _measured(*, memory: bool) -> Generator[_Measured]:
    """Measure the time, or the memory: to trace memory takes much time."""
    found = _Measured()
    if memory:
        tracemalloc.start()
    began = time.perf_counter()
    try:
        yield found
    finally:
        found.seconds = time.perf_counter() - began
        if memory:
            found.peak_kib = tracemalloc.get_traced_memory()[1] / 1024
            tracemalloc.stop()


async def flood(posts: int, kind: str, database: str, *, memory: bool) -> Flood:
    """Flood one payment with so many posts at once, and pay another meanwhile."""
    host = _Host(database)
    try:
        flooded, _name = await host.bought(1)
        host.other, name = await host.bought(2)
        host.emulator.pay_by_card(name)
        seen, watch = len(host.emulator.transcript.seen), Watch()
        other_ms = 0.0

        async def other() -> None:
            nonlocal other_ms
            await asyncio.sleep(0)  # behind the flood
            began = time.perf_counter()
            await host.post(host.request(host.other, name))
            await host.told.wait()
            other_ms = (time.perf_counter() - began) * 1000

        with watch.on(), _measured(memory=memory) as measured:
            async with asyncio.TaskGroup() as group:
                for number in range(posts):
                    group.create_task(host.post(host.request(flooded, f"/psp/paymentorders/{number}")))
                group.create_task(other())
        calls = [call for call in host.emulator.transcript.seen[seen:] if call.call == "get"]
        return _row(f"{posts} at once", kind, watch, measured, other_ms=other_ms, looks=len(calls))
    finally:
        await host.accounts.aclose()


async def _one_more(kind: str, database: str, *, memory: bool) -> Flood:
    """Let many large bodies wait, and look because of one more."""
    host = _Host(database)
    try:
        flooded, name = await host.bought(1)
        for number in range(_WAITING):
            await host.accounts.receive(host.request(flooded, f"/psp/paymentorders/{number}", pad=_BODY_BYTES))
        seen, watch = len(host.emulator.transcript.seen), Watch()
        with watch.on(), _measured(memory=memory) as measured:
            await host.post(host.request(flooded, name))
        calls = [call for call in host.emulator.transcript.seen[seen:] if call.call == "get"]
        return _row(f"1 more, {_WAITING} of 60 kB wait", kind, watch, measured, other_ms=0, looks=len(calls))
    finally:
        await host.accounts.aclose()


def _row(what: str, kind: str, watch: Watch, measured: _Measured, *, other_ms: float, looks: int) -> Flood:
    counted = watch.steps(what, kind)
    return Flood(
        what=what,
        database=kind,
        writing=counted.writing,
        reading=counted.reading,
        seconds=measured.seconds,
        peak_kib=measured.peak_kib,
        other_ms=other_ms,
        looks=looks,
    )


def measure(*kinds: str) -> Iterator[Flood]:
    """Flood one payment on the ``kinds`` of database: ``sqlite``, ``postgresql``, or both."""
    for kind in kinds or ("sqlite", "postgresql"):
        with databases(kind) as new_database:
            if new_database is None:
                continue
            works: list[Callable[..., Coroutine[Any, Any, Flood]]] = [
                *(partial(flood, posts) for posts in _POSTS),
                _one_more,
            ]
            for work in works:
                timed = asyncio.run(work(kind, new_database(), memory=False))
                traced = asyncio.run(work(kind, new_database(), memory=True))
                yield replace(timed, peak_kib=traced.peak_kib)
