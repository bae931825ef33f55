"""Create and observe through prenopay against the same two calls with bare httpx, on the same gateway."""

from __future__ import annotations

import asyncio
import itertools
import json
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx

from benchmarks.gateway import ORDER_ID, running
from benchmarks.measuring import Ratio, compare, peak_kib
from prenopay import Accounts, Environment, Money, Order, OrderLine, Secret, upgrade_database
from prenopay._blocking import run_blocking
from prenopay._system import AwaitingClock, BlockingClock, SystemEntropy
from prenopay._transport import AccountSender, AwaitingSender, BlockingSender
from prenopay.ports import HttpRequest, HttpResponse
from prenopay.provider import CreateRequest
from prenopay.providers.swedbankpay import SwedbankPay, SwedbankPayProvider

ORDER = Order(
    amount=Money(11900, "SEK"),
    description="A newspaper",
    lines=(OrderLine(name="One month", amount=Money(11900, "SEK"), vat_percent=6),),
    return_url="https://shop.example/return",
)
REQUEST = CreateRequest(order=ORDER, payment_id="pay_1", reference="REFERENCE1", callback_url="https://shop.example/c")
HEADERS = {"authorization": "Bearer token", "content-type": "application/json;version=3.1"}


def account(gateway: str) -> SwedbankPay:
    """Return an account at the benchmark's gateway."""
    return SwedbankPay(
        account="bench",
        environment=Environment.TEST,
        payee_id="11111111-2222-3333-4444-555555555555",
        access_token=Secret("token"),
        base_url=gateway,
    )


def measure() -> Iterator[Ratio]:
    """Measure both colours of the typed call, its memory, and the whole use case with its durable books."""
    with running() as gateway, ExitStack() as stack:
        bare = stack.enter_context(httpx.Client(base_url=gateway, headers=HEADERS, trust_env=False))
        payload = json.loads(_body(account(gateway).provider()))

        def bare_calls() -> object:
            bare.post("/psp/paymentorders", json=payload).json()
            return bare.get(ORDER_ID).json()

        typed = _typed(account(gateway).provider())
        yield compare("typed create + observe", typed, bare_calls, baseline_name="bare httpx", calls=100)
        yield peak_kib("typed create + observe", typed, bare_calls, baseline_name="bare httpx")
        yield from _async(gateway, payload)
        yield from _whole(gateway, stack, bare_calls)


def _body(provider: SwedbankPayProvider) -> bytes:
    """Return the body that prenopay sends, so that the bare client sends the same."""
    sent: list[HttpRequest] = []

    async def keep(request: HttpRequest) -> HttpResponse:
        sent.append(request)
        raise _EnoughError

    with suppress(_EnoughError):
        run_blocking(provider.create_payment(keep, REQUEST))
    return sent[0].body


class _EnoughError(Exception):
    """The request has been seen."""


def _typed(provider: SwedbankPayProvider) -> Callable[[], object]:
    sender = AccountSender(
        BlockingSender(),
        account="bench",
        provider=provider.name,
        hosts=provider.hosts,
        clock=BlockingClock(),
        entropy=SystemEntropy(),
    )

    async def send(request: HttpRequest) -> HttpResponse:
        return await sender.send(request, timeout=10)

    async def calls() -> None:
        await provider.create_payment(send, REQUEST)
        await provider.observe(send, ORDER_ID)

    return lambda: run_blocking(calls())


def _async(gateway: str, payload: object) -> Iterator[Ratio]:
    with asyncio.Runner() as runner:
        provider = account(gateway).provider()
        awaiting = AwaitingSender()
        sender = AccountSender(
            awaiting,
            account="bench",
            provider=provider.name,
            hosts=provider.hosts,
            clock=AwaitingClock(),
            entropy=SystemEntropy(),
        )
        client = httpx.AsyncClient(base_url=gateway, headers=HEADERS, trust_env=False)

        async def send(request: HttpRequest) -> HttpResponse:
            return await sender.send(request, timeout=10)

        async def ours() -> None:
            for _ in range(20):
                await provider.create_payment(send, REQUEST)
                await provider.observe(send, ORDER_ID)

        async def bare() -> None:
            for _ in range(20):
                (await client.post("/psp/paymentorders", json=payload)).json()
                (await client.get(ORDER_ID)).json()

        def run(calls: Coroutine[object, object, None]) -> None:
            runner.run(calls)

        yield compare(
            "typed create + observe, async (20 of them)",
            lambda: run(ours()),
            lambda: run(bare()),
            baseline_name="bare httpx, async",
            calls=4,
        )
        runner.run(client.aclose())
        runner.run(awaiting.aclose())


def _whole(gateway: str, stack: ExitStack, bare_calls: Callable[[], object]) -> Iterator[Ratio]:
    """The use case writes its intent, what was answered, movements and events, each durably."""
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    database = f"sqlite:///{Path(folder) / 'bench.db'}"
    upgrade_database(database)
    accounts = Accounts.open(
        database, callback_url="https://shop.example/c", callback_keys=["a-key-for-the-tests-that-is-long-enough"]
    )
    stack.callback(accounts.close)
    payments = accounts.add(account(gateway))
    numbers = itertools.count()

    def ours() -> None:
        payment = payments.create(ORDER, operation_id=f"order:{next(numbers)}")
        payments.get(payment.payment_id)

    yield compare("whole create, books included", ours, bare_calls, baseline_name="bare httpx, 2 calls", calls=30)
