"""A process that charges a mandate once and is killed on the way: run by the tests, never imported."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

sys.path.insert(0, str(Path(__file__).parents[2]))

from prenopay import Accounts, Environment, Money, Secret
from prenopay.providers.swedbankpay import SwedbankPay
from prenopay.testing.clock import VirtualClock
from prenopay.testing.emulators.swedbankpay import (
    DEFAULT_ACCESS_TOKEN,
    DEFAULT_PAYEE_ID,
)
from tests.behaviour.shop import CALLBACK_URL, KEY, TOKEN_KEY
from tests.rewiring import rewire

T = TypeVar("T")


class Mortal:
    """A port whose every call may be the process's last, before it does anything or after it has."""

    def __init__(self, port: Any, kill_at: int, count: list[int]) -> None:
        self._port = port
        self._kill_at = kill_at
        self._count = count

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        member = getattr(self._port, name)

        async def call(*arguments: Any, **named: Any) -> Any:
            self._step()
            result = await member(*arguments, **named)
            self._step()
            return result

        return call

    def _step(self) -> None:
        self._count[0] += 1
        if self._count[0] == self._kill_at:
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    database, url, account, mandate_id, point, now = sys.argv[1:]
    accounts = Accounts.open(
        database,
        callback_url=CALLBACK_URL,
        callback_keys=[KEY],
        token_keys=[TOKEN_KEY],
        clock=VirtualClock(datetime.fromisoformat(now)),
    )
    config = SwedbankPay(
        account=account,
        environment=Environment.TEST,
        payee_id=DEFAULT_PAYEE_ID,
        access_token=Secret(DEFAULT_ACCESS_TOKEN),
        base_url=url,
    )
    payments = accounts.add(config)
    _make_mortal(accounts, int(point))
    payments.charge(
        mandate_id,
        Money(11900, "SEK"),
        operation_id="renewal:1",
        description="One month",
        period="2026-02",
    )
    accounts.close()


def _make_mortal(accounts: Accounts, point: int) -> None:
    count = [0]
    mortal: Any = Mortal
    rewire(
        accounts,
        ledger=lambda ledger: mortal(ledger, point, count),
        http=lambda http: mortal(http, point, count),
    )


if __name__ == "__main__":
    main()
