"""Callbacks received a second against single durable inserts a second into the same database."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import text

from benchmarks.measuring import Ratio
from prenopay import AsyncAccounts, CallbackRequest, Environment, Secret, upgrade_database
from prenopay.books.engine import open_engine
from prenopay.providers.swedbankpay import SwedbankPay
from prenopay.values.subjects import Subject

AT_ONCE = 32
FOR_SECONDS = 1.0
ROUNDS = 5


def measure() -> Iterator[Ratio]:
    """Receive distinct callbacks, some at a time, and one at a time; each is committed before it is answered."""
    for name, at_once in ((f"callbacks/s, {AT_ONCE} at once", AT_ONCE), ("callbacks/s, one at a time", 1)):
        received: list[float] = []
        inserted: list[float] = []
        for _ in range(ROUNDS):
            with tempfile.TemporaryDirectory() as folder:
                database = f"sqlite:///{Path(folder) / 'bench.db'}"
                upgrade_database(database)
                received.append(asyncio.run(_receive(database, at_once)))
                inserted.append(_insert(database))
        yield Ratio(
            name=name,
            baseline_name="single durable inserts/s",
            ours=statistics.median(received),
            baseline=statistics.median(inserted),
            ratio=statistics.median(a / b for a, b in zip(received, inserted, strict=True)),
            unit="a second",
        )


async def _receive(database: str, at_once: int) -> float:
    accounts = AsyncAccounts.open(
        database, callback_url="https://shop.example/c", callback_keys=["a-key-for-the-tests-that-is-long-enough"]
    )
    accounts.add(
        SwedbankPay(
            account="bench",
            environment=Environment.TEST,
            payee_id="11111111-2222-3333-4444-555555555555",
            access_token=Secret("token"),
        ),
    )
    path = accounts.callback_urls.url("bench", Subject.payment("pay_1")).removeprefix("https://shop.example")
    body = '{"paymentOrder":{"id":"/psp/paymentorders/1","instrument":"CreditCard","number":%d}}'
    began, count = time.perf_counter(), 0
    until = began + FOR_SECONDS
    start = time.time_ns()

    async def gateway() -> None:
        nonlocal count
        while time.perf_counter() < until:
            count += 1
            reply = await accounts.receive(CallbackRequest(path=path, body=(body % (start + count)).encode()))
            assert reply.status == 200

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(gateway())
    seconds = time.perf_counter() - began
    await accounts.aclose()
    return count / seconds


def _insert(database: str) -> float:
    engine = open_engine(database)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE IF NOT EXISTS plain (id INTEGER PRIMARY KEY, body TEXT)"))
    began, count = time.perf_counter(), 0
    while time.perf_counter() < began + FOR_SECONDS:
        with engine.begin() as connection:
            connection.execute(text("INSERT INTO plain (body) VALUES (:body)"), {"body": "x" * 200})
        count += 1
    seconds = time.perf_counter() - began
    engine.dispose()
    return count / seconds
