"""Accounts that were opened before a fork, or used from a second event loop or thread, over real sockets."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from prenopay import AsyncAccounts, Environment, Payment, PaymentState, Secret
from prenopay.errors import LedgerUnavailable, NotSent
from prenopay.providers.swedbankpay import SwedbankPay
from prenopay.testing.emulators.swedbankpay import DEFAULT_ACCESS_TOKEN, DEFAULT_PAYEE_ID, SwedbankPayEmulator
from prenopay.testing.server import Served, serve
from tests.behaviour.forking_process import ORDERS, WORKERS
from tests.behaviour.shop import CALLBACK_URL, KEY, an_order

HOST = Path(__file__).with_name("forking_process.py")


@pytest.fixture
def emulator() -> SwedbankPayEmulator:
    return SwedbankPayEmulator()


@pytest.fixture
def gateway(emulator: SwedbankPayEmulator) -> Iterator[Served]:
    with serve(emulator, deliver_callbacks=False) as served:
        yield served


def run_host(colour: str, loop: str, database: str, gateway: Served) -> list[dict[str, Any]]:
    """Run a host that forks; return what its processes said."""
    command = [sys.executable, "-W", "ignore", str(HOST), colour, loop, database, gateway.url]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 0, ended.stderr[-2000:]
    return [json.loads(line) for line in ended.stdout.splitlines()]


@pytest.mark.two_stores
def test_every_forked_process_gets_its_own_answers(
    colour: str, database: str, gateway: Served, emulator: SwedbankPayEmulator
) -> None:
    said = run_host(colour, "own", database, gateway)
    expected = 1 + ORDERS * (WORKERS + 1)
    assert [each for each in said if each.get("flags") != 0] == []
    assert len({each["order"] for each in said}) == expected
    assert len(emulator.books()) == expected


def test_a_loop_that_was_forked_is_refused_before_anything_is_sent(
    sqlite_database: str, gateway: Served, emulator: SwedbankPayEmulator
) -> None:
    """Its worker threads are not in the child: it would wait for them for ever."""
    said = run_host("awaiting", "same", sqlite_database, gateway)
    refused = [each for each in said if "error" in each]
    assert len(refused) == ORDERS * WORKERS
    assert {each["error"] for each in refused} == {"LedgerUnavailable"}
    assert all("ran before the process was forked" in each["text"] for each in refused)
    assert len(emulator.books()) == 1 + ORDERS


def opened(database: str, gateway: Served) -> tuple[AsyncAccounts, Any]:
    accounts = AsyncAccounts.open(database, callback_url=CALLBACK_URL, callback_keys=[KEY])
    settings = SwedbankPay(
        account="cards",
        environment=Environment.TEST,
        payee_id=DEFAULT_PAYEE_ID,
        access_token=Secret(DEFAULT_ACCESS_TOKEN),
        base_url=gateway.url,
    )
    return accounts, accounts.add(settings)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_one_event_loop_after_another(backend: str, database: str, gateway: Served) -> None:
    accounts, payments = opened(database, gateway)

    async def buy(number: int) -> Payment:
        payment: Payment = await payments.create(an_order(), operation_id=f"order:{number}")
        seen: Payment = await payments.observe(payment.payment_id)
        await accounts.aclose()
        return seen

    made = [anyio.run(buy, number, backend=backend) for number in range(3)]
    assert {each.state for each in made} == {PaymentState.PENDING}
    assert len({each.provider_reference for each in made}) == len(made)


def test_several_event_loops_at_once(database: str, gateway: Served) -> None:
    """Each on a thread of its own, over the same accounts."""
    accounts, payments = opened(database, gateway)
    made, together = list[Payment](), threading.Barrier(WORKERS)

    async def buy(worker: int) -> None:
        for number in range(ORDERS):
            made.append(await payments.create(an_order(), operation_id=f"order:{worker}:{number}"))
            await accounts.sweep()
        together.wait(60)
        await accounts.aclose()

    def work(worker: int) -> None:
        together.wait(60)
        asyncio.run(buy(worker))

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len({each.provider_reference for each in made}) == WORKERS * ORDERS
    assert [each for each in made if each.flags] == []


def test_accounts_that_were_closed_send_nothing(sqlite_database: str, gateway: Served) -> None:
    accounts, payments = opened(sqlite_database, gateway)

    async def buy() -> None:
        await accounts.aclose()
        with pytest.raises(NotSent, match="closed"):
            await payments.create(an_order(), operation_id="order:1")

    asyncio.run(buy())


def test_a_database_in_memory_is_refused_in_a_forked_process() -> None:
    code = """
import os
from prenopay._blocking import run_blocking
from prenopay.books.engine import BlockingLedger, open_engine
from prenopay.errors import LedgerUnavailable
ledger = BlockingLedger(open_engine("sqlite://"))
run_blocking(ledger.read(lambda connection: None))
if not (child := os.fork()):
    try:
        run_blocking(ledger.read(lambda connection: None))
    except LedgerUnavailable as error:
        os.write(1, str(error).encode())
    os._exit(0)
os.waitpid(child, 0)
run_blocking(ledger.read(lambda connection: None))
"""
    ended = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert "stays in the process that opened it" in ended.stdout


def test_no_loop_at_all_is_said() -> None:
    from prenopay._processes import PerLoop  # noqa: PLC0415

    with pytest.raises(LedgerUnavailable, match="no event loop"):
        PerLoop(object, refuse=LedgerUnavailable).get()
