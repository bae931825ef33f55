"""What the pages' Python blocks find ready.

Every block is visible: a page shows the code that it needs. A page about one topic does not repeat how a shop is
opened, so these names are there at its beginning, made as docs/howto/test-your-shop.md shows:

``emulator``, ``config``, ``database``, ``accounts``, ``cards``, ``events``, ``order``.

Two more stand for the world around a shop: ``input`` (a reader who pays at the address in the question) and
``installed`` (which frameworks this machine has). Django finds its settings, as in any Django project.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from prenopay import Accounts, AsyncAccounts, CaptureMode, Environment, Money, Order, OrderLine, Secret
from prenopay.providers.swedbankpay import SwedbankPay
from prenopay.testing.clock import VirtualClock
from prenopay.testing.emulators.swedbankpay import DEFAULT_ACCESS_TOKEN, DEFAULT_PAYEE_ID, SwedbankPayEmulator
from prenopay.testing.http import EmulatorSender

CALLBACK_URL = "https://kuriren.example/callbacks"
KEY = "a-long-random-text-from-your-secret-store"
TOKEN_KEY = "another-long-random-text-from-your-secret-store"


def installed(module: str) -> bool:
    return find_spec(module) is not None


@pytest.fixture
def stage(tmp_path: Path, sqlite_database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Return the names above, all new; close whatever a page opened."""
    monkeypatch.chdir(tmp_path)
    settle_django()
    emulator = SwedbankPayEmulator(clock=VirtualClock())
    events: list[Any] = []
    accounts = Accounts.open(
        sqlite_database,
        callback_url=CALLBACK_URL,
        callback_keys=[KEY],
        token_keys=[TOKEN_KEY],
        on_event=events.append,
        sender=EmulatorSender(emulator.mounts),
        clock=emulator.clock,
    )
    config = SwedbankPay(
        account="kuriren-cards",
        environment=Environment.TEST,
        payee_id=DEFAULT_PAYEE_ID,
        access_token=Secret(DEFAULT_ACCESS_TOKEN),
    )
    names: dict[str, Any] = {
        "__name__": "shop",
        "accounts": accounts,
        "cards": accounts.add(config),
        "config": config,
        "database": sqlite_database,
        "emulator": emulator,
        "events": events,
        "installed": installed,
        "order": an_order(),
    }

    def pay(question: str) -> None:
        page = next(word for word in question.split() if word.startswith("http"))
        names["emulator"].pay_by_card(page)  # a page may have put another emulator there

    names["input"] = pay
    yield names
    for opened in [accounts, *names.values()]:
        if isinstance(opened, Accounts):
            opened.close()
        elif isinstance(opened, AsyncAccounts):
            asyncio.run(opened.aclose())


def settle_django() -> None:
    """Give Django settings where it is installed: every Django project has them."""
    if not installed("django"):
        return
    from django.conf import settings  # type: ignore[import-untyped]  # noqa: PLC0415 - Django may be missing

    if not settings.configured:
        settings.configure(ALLOWED_HOSTS=["*"])


def an_order() -> Order:
    return Order(
        amount=Money(11900, "SEK"),
        description="Kuriren, one month",
        lines=(OrderLine(name="Digital subscription", amount=Money(11900, "SEK"), vat_percent=6),),
        order_reference="K-1001",
        return_url="https://kuriren.example/orders/K-1001/return",
        capture=CaptureMode.AUTOMATIC,
    )
