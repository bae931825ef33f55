"""Starts the shop and, unless an account is configured, an emulated Swedbank Pay beside it.

``python -m examples.publisher_shop`` and open the address it prints. With ``--config prenopay.toml`` the
shop uses the first account of that file instead: the same shop, a real gateway.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import secrets
import socket
import tempfile
from collections.abc import Generator
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from examples.publisher_shop.app import build
from examples.publisher_shop.shop import Shop
from prenopay import Environment, Secret, settings, upgrade_database
from prenopay.errors import ConfigurationError, LedgerUnavailable
from prenopay.providers.swedbankpay import SwedbankPay
from prenopay.testing.emulators.clock import VirtualClock
from prenopay.testing.emulators.server import serve
from prenopay.testing.emulators.swedbankpay import SwedbankPayEmulator

PAYEE_ID = "00000000-1111-2222-3333-444444444444"
TOKEN = "emulated-token-for-the-example"  # noqa: S105 - the emulator's own, worth nothing elsewhere


def main() -> None:
    """Parse the command line and serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m examples.publisher_shop", description=__doc__)
    parser.add_argument("--port", type=int, default=8000, help="the shop's port on 127.0.0.1 (default 8000)")
    parser.add_argument("--gateway-port", type=int, default=8001, help="the emulated gateway's port (default 8001)")
    parser.add_argument("--config", type=Path, help="a prenopay.toml: use its first account instead of the emulator")
    options = parser.parse_args()
    password = os.environ.get("SHOP_STAFF_PASSWORD") or secrets.token_urlsafe(9)
    try:
        with contextlib.ExitStack() as stack:
            if options.config:
                shop = configured_shop(options.config, password)
            else:
                shop = stack.enter_context(emulated_shop(options.port, options.gateway_port, password))
            # No access log: the address of an order is the key to it.
            config = uvicorn.Config(shop, host="127.0.0.1", port=options.port, log_level="warning")
            with contextlib.suppress(KeyboardInterrupt):
                Server(config, shop.state.shop).run()
    except (ConfigurationError, LedgerUnavailable, OSError) as error:
        parser.error(str(error))


class Server(uvicorn.Server):
    """A server that says where the shop is once it answers."""

    def __init__(self, config: uvicorn.Config, shop: Shop) -> None:
        """Serve ``shop``."""
        super().__init__(config)
        self.shop = shop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer, and say so."""
        await super().startup(sockets)
        say = functools.partial(print, flush=True)
        say(f"Norrviks Dagblad   {self.shop.url}")
        say(f"staff pages        {self.shop.url}/staff/   (password: {self.shop.staff_password})")


def configured_shop(file: Path, password: str) -> Starlette:
    """Return the shop on the first account of a settings file; its callbacks come to ``…/callbacks``."""
    found = settings.load(file)
    account = next(iter(found.accounts), None)
    if not isinstance(account, SwedbankPay):
        message = f"{file}: the first account must be one of Swedbank Pay, which this shop is written for"
        raise ConfigurationError(message)
    return build(
        url=found.callback_url.removesuffix("/callbacks"),
        database=found.database,
        account=account,
        callback_key=found.callback_keys[0].reveal(),
        staff_password=password,
    )


@contextlib.contextmanager
def emulated_shop(port: int, gateway_port: int, password: str) -> Generator[Starlette, None, None]:
    """Return the shop on a gateway of its own, which lasts, like the database, until the block ends."""
    emulator = SwedbankPayEmulator(payee_id=PAYEE_ID, access_token=TOKEN, clock=VirtualClock(real_time=True))
    with (
        tempfile.TemporaryDirectory(prefix="publisher-shop-") as folder,
        serve(emulator, port=gateway_port) as gateway,
    ):
        database = f"sqlite:///{Path(folder) / 'shop.db'}"
        upgrade_database(database)
        yield build(
            url=f"http://127.0.0.1:{port}",
            database=database,
            account=emulated_account(gateway.url),
            callback_key=secrets.token_urlsafe(32),
            staff_password=password,
            is_demo=True,
        )


def emulated_account(gateway_url: str) -> SwedbankPay:
    """Return an account at the emulated gateway."""
    return SwedbankPay(
        account="norrvik-cards",
        environment=Environment.TEST,
        payee_id=PAYEE_ID,
        access_token=Secret(TOKEN),
        payee_name="Norrviks Dagblad",
        base_url=gateway_url,
    )


if __name__ == "__main__":
    main()
