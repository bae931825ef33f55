"""Starts the shop and, unless an account is configured, an emulated Swedbank Pay beside it.

``python -m examples.publisher_shop`` and open the address it prints. With ``--config prenopay.toml`` the
shop uses the first account of that file instead: the same shop, a real gateway.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import secrets
import tempfile
from pathlib import Path

import uvicorn

from examples.publisher_shop.app import build
from prenopay import Environment, Secret, settings, upgrade_database
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
    parser.add_argument("--config", help="a prenopay.toml: use its first account instead of the emulator")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        if options.config:
            found = settings.load(options.config)
            account, database, key = found.accounts[0], found.database, found.callback_keys[0].reveal()
            if not isinstance(account, SwedbankPay):
                parser.error(f"account {account.account!r} is not one of Swedbank Pay, which this shop is written for")
            url = found.callback_url.removesuffix("/callbacks")
        else:
            emulator = SwedbankPayEmulator(payee_id=PAYEE_ID, access_token=TOKEN, clock=VirtualClock(real_time=True))
            gateway = stack.enter_context(serve(emulator, port=options.gateway_port))
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="publisher-shop-"))
            account = emulated_account(gateway.url)
            database, key = f"sqlite:///{Path(folder) / 'shop.db'}", secrets.token_urlsafe(32)
            url = f"http://127.0.0.1:{options.port}"
            upgrade_database(database)
        password = os.environ.get("SHOP_STAFF_PASSWORD") or secrets.token_urlsafe(9)
        shop = build(url=url, database=database, account=account, callback_key=key, staff_password=password)
        print(f"Norrviks Dagblad   {url}", flush=True)  # noqa: T201 - for the person who started it
        print(f"staff pages        {url}/staff/   (staff / {password})", flush=True)  # noqa: T201
        uvicorn.run(shop, host="127.0.0.1", port=options.port, log_level="warning")


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
