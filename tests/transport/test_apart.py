"""A gateway that never answers takes no connection from the accounts at other gateways."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from prenopay import Accounts, AsyncAccounts, Environment, Secret
from prenopay.errors import PrenopayError
from prenopay.providers.swedbankpay import SwedbankPay
from prenopay.testing.emulators.swedbankpay import DEFAULT_ACCESS_TOKEN, DEFAULT_PAYEE_ID, SwedbankPayEmulator
from tests.behaviour.shop import CALLBACK_URL, KEY, an_order
from tests.transport.gateway import Gateway, Line
from tests.transport.shops import relaying

_MANY = 20
"""As many calls as one account has connections."""


def config(name: str, url: str, deadline: float) -> SwedbankPay:
    return SwedbankPay(
        account=name,
        environment=Environment.TEST,
        payee_id=DEFAULT_PAYEE_ID,
        access_token=Secret(DEFAULT_ACCESS_TOKEN),
        base_url=url,
        deadline_seconds=deadline,
    )


@pytest.mark.parametrize("colour", ["blocking", "awaiting"])
def test_a_silent_gateway_takes_no_connection_from_others(
    colour: str, serve: Callable[..., Gateway], sqlite_database: str
) -> None:
    all_hang, go_on, hanging = threading.Event(), threading.Event(), threading.Semaphore(0)

    def hang(line: Line) -> None:
        line.request()
        hanging.release()
        go_on.wait(60)

    emulator = SwedbankPayEmulator()
    places: list[str] = []

    def relay(line: Line) -> None:
        relaying(emulator, origin=places[0])(line)

    slow, well = serve(hang), serve(relay)
    places.append(well.url)
    shared: dict[str, Any] = {"callback_url": CALLBACK_URL, "callback_keys": [KEY]}

    def wait_until_all_hang() -> None:
        for _ in range(_MANY):
            assert hanging.acquire(timeout=30)
        all_hang.set()

    def in_threads() -> str:
        accounts = Accounts.open(sqlite_database, **shared)
        first, second = accounts.add(config("slow", slow.url, 60)), accounts.add(config("well", well.url, 10))
        threads = [threading.Thread(target=quietly, args=(first, number)) for number in range(_MANY)]
        for thread in threads:
            thread.start()
        wait_until_all_hang()
        state = second.create(an_order(), operation_id="order:1").state.value
        go_on.set()
        for thread in threads:
            thread.join()
        accounts.close()
        return state

    async def in_tasks() -> str:
        accounts = AsyncAccounts.open(sqlite_database, **shared)
        first, second = accounts.add(config("slow", slow.url, 60)), accounts.add(config("well", well.url, 10))
        tasks = [
            asyncio.create_task(first.create(an_order(), operation_id=f"slow:{number}")) for number in range(_MANY)
        ]
        await asyncio.to_thread(wait_until_all_hang)
        state = (await second.create(an_order(), operation_id="order:1")).state.value
        go_on.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        await accounts.aclose()
        return state

    try:
        assert (in_threads() if colour == "blocking" else asyncio.run(in_tasks())) == "pending"
    finally:
        go_on.set()


def quietly(payments: Any, number: int) -> None:
    with suppress(PrenopayError):
        payments.create(an_order(), operation_id=f"slow:{number}")
