"""A process that looks at payments: the tests run it, nobody imports it.

Each line of standard input is a payment. The answer is a line that says whether it is paid.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from prenopay import Accounts, AsyncAccounts, Environment, Secret
from prenopay.providers.swedbankpay import ReferenceFormat, SwedbankPay
from prenopay.testing.emulators.swedbankpay import DEFAULT_ACCESS_TOKEN, DEFAULT_PAYEE_ID
from tests.behaviour.shop import CALLBACK_URL, KEY, TOKEN_KEY


def main(colour: str, database: str, url: str) -> None:
    shared: dict[str, Any] = {"callback_url": CALLBACK_URL, "callback_keys": [KEY], "token_keys": [TOKEN_KEY]}
    config = SwedbankPay(
        account="cards",
        environment=Environment.TEST,
        payee_id=DEFAULT_PAYEE_ID,
        access_token=Secret(DEFAULT_ACCESS_TOKEN),
        reference_format=ReferenceFormat.ALPHANUMERIC_30,
        base_url=url,
    )
    if colour == "blocking":
        accounts = Accounts.open(database, **shared)
        payments = accounts.add(config)
        _serve(lambda payment_id: payments.observe(payment_id).is_paid)
        accounts.close()
        return
    with asyncio.Runner() as runner:
        awaiting, opened = runner.run(_opened(database, shared, config))
        _serve(lambda payment_id: runner.run(opened.observe(payment_id)).is_paid)
        runner.run(awaiting.aclose())


async def _opened(database: str, shared: dict[str, Any], config: SwedbankPay) -> tuple[AsyncAccounts, Any]:
    accounts = AsyncAccounts.open(database, **shared)
    return accounts, accounts.add(config)


def _serve(is_paid: Any) -> None:
    _say("ready")
    for line in sys.stdin:
        _say("paid" if is_paid(line.strip()) else "not paid")


def _say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*json.loads(sys.argv[1]))
