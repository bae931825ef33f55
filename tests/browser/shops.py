"""A shop under uvicorn and its gateways on sockets of their own; a test may change, stop and inspect all of it."""

from __future__ import annotations

import logging
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from examples.publisher_shop.__main__ import (
    TOKEN,
    emulated_account,
    emulated_cards,
    emulated_swish,
    emulated_swish_account,
    server_config,
)
from examples.publisher_shop.app import build

from prenopay.testing.clock import VirtualClock
from prenopay.testing.emulators.swedbankpay import Status, SwedbankPayEmulator
from prenopay.testing.emulators.swish import PaymentRecord, SwishEmulator, serve_swish
from prenopay.testing.server import serve

PASSWORD = "norrvik-staff-password"
CALLBACK_KEY = "a-callback-key-of-the-browser-tests"
TOKEN_KEY = "a-key-that-seals-the-cards-of-the-browser-tests"
EMAIL = "asta.lind@exempel.se"
SECRETS = (TOKEN, CALLBACK_KEY, TOKEN_KEY, PASSWORD)
PHONE_NUMBER = "070-174 06 06"
PRIVATE = (*SECRETS, EMAIL, "739000001", "4761739001010416", PHONE_NUMBER, "46701740606")
"""What no log may contain: secrets, and what a reader typed."""


@dataclass(kw_only=True)
class RunningShop:
    """A shop that answers at ``url``. Errors in its log fail the test, unless the test makes some."""

    url: str
    database: str
    emulator: SwedbankPayEmulator
    clock: VirtualClock
    swish: SwishEmulator
    phone_url: str = ""
    log: list[logging.LogRecord] = field(default_factory=list)
    makes_errors: bool = False

    def path_of(self, number: str) -> str:
        """Return the path of an order's pages, which no page tells but the order's own."""
        with closing(sqlite3.connect(self.database.removeprefix("sqlite:///"))) as books:
            found = books.execute("SELECT secret FROM shop_orders WHERE number = ?", (number,)).fetchone()
        return f"/orders/{found[0]}"

    @property
    def statuses(self) -> list[Status]:
        """Return the gateway's status of each order, in the order of creation."""
        return [order.status for order in self.emulator.orders]

    @property
    def captured(self) -> int:
        """Return the sum that the gateway has taken, in minor units."""
        return sum(totals.captured for totals in self.emulator.books().values())

    @property
    def reversed(self) -> int:
        """Return the sum that the gateway has given back, in minor units."""
        return sum(totals.reversed for totals in self.emulator.books().values())

    @property
    def asked(self) -> PaymentRecord:
        """Return the latest request at the emulated Swish."""
        return self.swish.payments[-1]

    @property
    def swished(self) -> int:
        """Return what arrived at the newspaper's own Swish number, less refunds, in minor units."""
        return sum(totals.paid - totals.refunded for totals in self.swish.books().values())

    @property
    def logged(self) -> str:
        """Return everything that shop, library and server logged, tracebacks included."""
        show = logging.Formatter("%(name)s %(levelname)s %(message)s")
        return "\n".join(show.format(record) for record in self.log)

    def check_log(self) -> None:
        """Check that the log contains nothing private, and no error unless the test meant to cause one."""
        assert not [private for private in PRIVATE if private in self.logged]
        assert not [each.id for each in self.swish.payments if each.token and each.token in self.logged]
        if not self.makes_errors:
            assert not [record for record in self.log if record.levelno >= logging.ERROR]


class _Keeper(logging.Handler):
    def __init__(self, records: list[logging.LogRecord]) -> None:
        super().__init__(logging.DEBUG)
        self._records = records

    def emit(self, record: logging.LogRecord) -> None:
        self._records.append(record)


@contextmanager
def open_shop(
    database: str,
    *,
    is_demo: bool = False,
    own_swish: bool = False,
    has_emulated_phone: bool = True,
    proxy: str = "",
) -> Iterator[RunningShop]:
    """Serve a shop on ``database`` until the block ends; its sweep runs five times a second.

    Without ``own_swish``, Swish is one of the ways to pay on the gateway's page. Without an emulated phone, the
    shop's pages are those of a shop where real money moves.
    """
    clock = VirtualClock(real_time=True)
    emulator = emulated_cards(clock)
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    shop = RunningShop(url=url, database=database, emulator=emulator, clock=clock, swish=emulated_swish(clock))
    with serve(emulator) as gateway, ExitStack() as swish, _kept_log(shop.log):
        app = build(
            url=url,
            database=database,
            cards=emulated_account(gateway.url),
            **(swish.enter_context(_own_swish(shop, has_emulated_phone=has_emulated_phone)) if own_swish else {}),
            callback_key=CALLBACK_KEY,
            token_keys=[TOKEN_KEY],
            staff_password=PASSWORD,
            is_demo=is_demo,
            sweep_every_seconds=0.2,
            clock=clock,
        )
        with _served(server_config(app, proxy=proxy, log_config=None), listening):
            yield shop


@contextmanager
def _own_swish(shop: RunningShop, *, has_emulated_phone: bool) -> Iterator[dict[str, Any]]:
    with serve_swish(shop.swish) as served:
        shop.phone_url = f"{served.phone.url}/phone"
        account = emulated_swish_account(shop.swish.authority, served.api.url)
        yield {"swish": account, "emulated_phone": shop.phone_url if has_emulated_phone else ""}


@contextmanager
def _served(config: uvicorn.Config, listening: socket.socket) -> Iterator[None]:
    """Serve on a socket that listens already: early connections wait in its queue."""
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="shop")
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def _kept_log(records: list[logging.LogRecord]) -> Iterator[None]:
    root, keeper = logging.getLogger(), _Keeper(records)
    level = root.level
    root.addHandler(keeper)
    root.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        root.removeHandler(keeper)
        root.setLevel(level)
