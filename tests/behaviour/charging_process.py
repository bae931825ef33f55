"""Processes that charge a mandate once and are killed on the way: the tests run them, nobody imports them.

Each line of standard input is one charge, made by a process of its own. The answer is a line that says how that
process ended. The processes are forked, because an interpreter takes longer to start than a charge takes.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar, cast

sys.path.insert(0, str(Path(__file__).parents[2]))

from prenopay import Accounts, Environment, Money, Secret
from prenopay._transport import BlockingSender
from prenopay.ports import HttpSender
from prenopay.providers.swedbankpay import SwedbankPay
from prenopay.testing.clock import VirtualClock
from prenopay.testing.emulators.swedbankpay import (
    DEFAULT_ACCESS_TOKEN,
    DEFAULT_PAYEE_ID,
)
from tests.behaviour.shop import CALLBACK_URL, KEY, TOKEN_KEY

T = TypeVar("T")


class Mortal:
    """A port that may kill the process at each call, before the call does anything or after it has."""

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
    for line in sys.stdin:
        child = os.fork()
        if not child:
            charge(**json.loads(line))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def charge(*, database: str, url: str, account: str, mandate_id: str, point: int, now: str) -> None:
    """Charge; the process is killed at ``point``, if there is one."""
    count = [0]
    accounts = Accounts.open(
        database,
        callback_url=CALLBACK_URL,
        callback_keys=[KEY],
        token_keys=[TOKEN_KEY],
        sender=cast("HttpSender", Mortal(BlockingSender(), point, count)),
        clock=VirtualClock(datetime.fromisoformat(now)),
    )
    _make_mortal(accounts, point, count)
    config = SwedbankPay(
        account=account,
        environment=Environment.TEST,
        payee_id=DEFAULT_PAYEE_ID,
        access_token=Secret(DEFAULT_ACCESS_TOKEN),
        base_url=url,
    )
    accounts.add(config).charge(
        mandate_id,
        Money(11900, "SEK"),
        operation_id="renewal:1",
        description="One month",
        period="2026-02",
    )
    accounts.close()


def _make_mortal(accounts: Any, point: int, count: list[int]) -> None:
    """Make every transaction a place to die, no matter which part of the core asks for it."""
    ledger = accounts._accounts._ledger
    mortal = Mortal(type(ledger)(ledger.engine), point, count)
    for name in ("transact", "read", "append"):
        setattr(ledger, name, getattr(mortal, name))


if __name__ == "__main__":
    main()
