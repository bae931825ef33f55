"""A host that opens its accounts and forks its workers then: a test runs this process, nobody imports it.

Each order that a process makes is one line of JSON on standard output, or one with the error.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from prenopay import Accounts, AsyncAccounts, Environment, Secret
from prenopay.errors import PrenopayError
from prenopay.providers.swedbankpay import SwedbankPay
from prenopay.testing.emulators.swedbankpay import DEFAULT_ACCESS_TOKEN, DEFAULT_PAYEE_ID
from tests.behaviour.shop import CALLBACK_URL, KEY, an_order

WORKERS = 3
ORDERS = 3


def main(colour: str, loop: str, database: str, url: str) -> None:
    """Open, use, fork; then parent and children make orders at the same time."""
    opened = Accounts if colour == "blocking" else AsyncAccounts
    accounts: Any = opened.open(database, callback_url=CALLBACK_URL, callback_keys=[KEY])
    account = SwedbankPay(
        account="cards",
        environment=Environment.TEST,
        payee_id=DEFAULT_PAYEE_ID,
        access_token=Secret(DEFAULT_ACCESS_TOKEN),
        base_url=url,
    )
    payments = accounts.add(account)
    parents = asyncio.new_event_loop()
    run: Callable[[Any], Any] = parents.run_until_complete if loop == "same" else asyncio.run

    def buy(number: int) -> None:
        name = f"order:{os.getpid()}:{number}"
        try:
            made = payments.create(an_order(order_reference=name), operation_id=name)
            payment = run(made) if inspect.isawaitable(made) else made
        except PrenopayError as error:
            said: dict[str, object] = {"error": type(error).__name__, "text": str(error)}
        else:
            said = {"order": payment.provider_reference, "flags": len(payment.flags)}
        os.write(1, f"{json.dumps(said)}\n".encode())

    buy(0)
    children = []
    for _ in range(WORKERS):
        child = os.fork()
        if not child:
            for number in range(ORDERS):
                buy(number)
            os._exit(0)
        children.append(child)
    for number in range(ORDERS):
        buy(number + 1)
    for child in children:
        os.waitpid(child, 0)
    parents.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
