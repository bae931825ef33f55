"""What the pages' Python blocks find ready: the emulated gateway, a shop's accounts and an order."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Iterator, MutableMapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from wsgiref.util import setup_testing_defaults

import pytest

from prenopay import Accounts, AsyncAccounts, CaptureMode, Environment, Money, Order, OrderLine, Secret
from prenopay.accounts.reception import DOCTOR
from prenopay.providers.swedbankpay import SwedbankPay
from prenopay.testing.clock import VirtualClock
from prenopay.testing.emulators.swedbankpay import DEFAULT_ACCESS_TOKEN, DEFAULT_PAYEE_ID, SwedbankPayEmulator
from prenopay.testing.emulators.swish import SwishEmulator
from prenopay.testing.http import EmulatorSender

CALLBACK_URL = "https://kuriren.example/callbacks"
KEY = "a-long-random-text-from-your-secret-store"
TOKEN_KEY = "another-long-random-text-from-your-secret-store"


def installed(module: str) -> bool:
    return find_spec(module) is not None


@pytest.fixture
def stage(tmp_path: Path, sqlite_database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Return the names that the pages take from the tutorial, all new; close whatever a page opened."""
    monkeypatch.chdir(tmp_path)
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
    cards = accounts.add(account("kuriren-cards"))
    own_path = urlsplit(accounts.callback_urls.url("kuriren-cards", DOCTOR)).path
    names = {
        "__name__": "shop",
        "accounts": accounts,
        "cards": cards,
        "check_asgi": partial(check_asgi, sqlite_database, own_path),
        "check_wsgi": partial(check_wsgi, own_path),
        "database": sqlite_database,
        "emulated_cards": cards,
        "emulator": emulator,
        "events": events,
        "open_swish": partial(open_swish, sqlite_database),
        "installed": installed,
        "order": an_order(),
        "own_path": own_path,
    }
    yield names
    for opened in [accounts, *names.values()]:
        if isinstance(opened, Accounts):
            opened.close()
        elif isinstance(opened, AsyncAccounts):
            asyncio.run(opened.aclose())


def open_swish(database: str, gateway: SwishEmulator) -> Accounts:
    """Open accounts that call this Swish."""
    return Accounts.open(
        database,
        callback_url=CALLBACK_URL,
        callback_keys=[KEY],
        token_keys=[TOKEN_KEY],
        sender=EmulatorSender(gateway.mounts),
        clock=gateway.clock,
    )


def check_wsgi(path: str, app: Any) -> None:
    """Call a WSGI host as ``prenopay doctor`` does, and with a forged path."""
    said: list[str] = []
    for each in (path, path[:-1] + "!"):
        environ: dict[str, Any] = {}
        setup_testing_defaults(environ)
        environ |= {"REQUEST_METHOD": "POST", "PATH_INFO": each, "wsgi.input": io.BytesIO()}
        app(environ, lambda status, _headers, _exc=None: said.append(status[:3])).close()
    assert said == ["204", "404"]


def check_asgi(database: str, path: str, build: Callable[[AsyncAccounts], Any]) -> None:
    """Call an ASGI host as ``prenopay doctor`` does."""
    said: list[MutableMapping[str, Any]] = []
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "headers": [],
        "query_string": b"",
        "scheme": "http",
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        said.append(message)

    async def call() -> None:
        accounts = AsyncAccounts.open(database, callback_url=CALLBACK_URL, callback_keys=[KEY])
        accounts.add(account("kuriren-cards"))
        await build(accounts)(scope, receive, send)
        await accounts.aclose()

    asyncio.run(call())
    assert said[0]["status"] == 204


def account(name: str) -> SwedbankPay:
    return SwedbankPay(
        account=name,
        environment=Environment.TEST,
        payee_id=DEFAULT_PAYEE_ID,
        access_token=Secret(DEFAULT_ACCESS_TOKEN),
    )


def an_order() -> Order:
    return Order(
        amount=Money(11900, "SEK"),
        description="Kuriren, one month",
        lines=(OrderLine(name="Digital subscription", amount=Money(11900, "SEK"), vat_percent=6),),
        order_reference="K-1001",
        return_url="https://kuriren.example/orders/K-1001/return",
        capture=CaptureMode.AUTOMATIC,
    )
