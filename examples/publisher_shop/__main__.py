"""Starts the shop. Unless accounts are configured, it also starts an emulated Swedbank Pay and an emulated Swish.

Run ``python -m examples.publisher_shop`` and open the address it prints. With ``--config prenopay.toml`` the
shop uses the first Swedbank Pay account and the first Swish account of that file: the same shop, real gateways.
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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette

from examples.publisher_shop.app import build
from examples.publisher_shop.shop import Shop
from prenopay import Environment, Secret, load_settings, upgrade_database
from prenopay.errors import ConfigurationError, LedgerUnavailable
from prenopay.providers.swedbankpay import SwedbankPay
from prenopay.providers.swish import Swish
from prenopay.testing.callbacks import CallbackAddresses
from prenopay.testing.clock import VirtualClock
from prenopay.testing.emulators import swedbankpay
from prenopay.testing.emulators.swish import Behaviour, SwishAuthority, SwishEmulator, SwishMerchant, serve_swish
from prenopay.testing.server import serve

PORTS = {
    "port": (8000, "the shop's"),
    "gateway_port": (8001, "the emulated gateway's"),
    "swish_port": (8002, "the emulated Swish's"),
    "phone_port": (8003, "the emulated phone's"),
}
PORT_MOST = 65536
PASSWORD_LEAST = 12
SWISH_NUMBER = "1230000017"
PAYEE_ID = "00000000-1111-2222-3333-444444444444"
TOKEN = "emulated-token-for-the-example"  # noqa: S105 - opens nothing but the emulator


def main() -> None:
    """Read the command line, and serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m examples.publisher_shop", description=__doc__)
    for name, (usual, what) in PORTS.items():
        told = f"{what} port on 127.0.0.1 (default {usual}, or the next free one)"
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, help=told)
    parser.add_argument("--config", type=Path, help="a prenopay.toml: use its accounts instead of the emulators")
    parser.add_argument("--proxy", default="", help="the address of your proxy: believe its X-Forwarded-For")
    options = parser.parse_args()
    drawn = secrets.token_urlsafe(9)
    try:
        password = staff_password() or drawn
        choose_ports(options)
        with contextlib.ExitStack() as stack:
            if options.config:
                shop = configured_shop(options.config, password)
            else:
                gateways = stack.enter_context(
                    emulated_gateways(options.gateway_port, options.swish_port, options.phone_port)
                )
                shop = stack.enter_context(emulated_shop(options.port, gateways, password))
            config = server_config(shop, port=options.port, proxy=options.proxy)
            with contextlib.suppress(KeyboardInterrupt):
                Server(config, shop.state.shop, shown_password=drawn if password == drawn else "").run()
    except (ConfigurationError, LedgerUnavailable, OSError) as error:
        parser.error(str(error))


def server_config(shop: Starlette, *, proxy: str = "", **others: Any) -> uvicorn.Config:
    """Return how uvicorn serves the shop on 127.0.0.1.

    It believes ``X-Forwarded-For`` only from ``proxy``. By itself uvicorn believes every caller on this machine, and
    one caller could guess the password under many addresses. There is no access log: the address of an order is the
    key to it.
    """
    return uvicorn.Config(
        shop,
        host="127.0.0.1",
        log_level="warning",
        ws="none",
        proxy_headers=bool(proxy),
        forwarded_allow_ips=proxy,
        **others,
    )


def staff_password() -> str:
    """Return the password that the environment sets, or nothing; raises ``ConfigurationError`` for a short one."""
    given = os.environ.get("SHOP_STAFF_PASSWORD", "")
    if 0 < len(given) < PASSWORD_LEAST:
        message = f"SHOP_STAFF_PASSWORD must have at least {PASSWORD_LEAST} characters: many callers may guess at once"
        raise ConfigurationError(message)
    return given


def choose_ports(options: argparse.Namespace) -> None:
    """Give each port that was not named the usual number, or the next free one.

    With a settings file only the shop has a port, and the usual one: callbacks come to it. Raises
    ``ConfigurationError`` for a port that cannot be used; the error names its option.
    """
    chosen = {getattr(options, name) for name in PORTS}
    for name, (usual, _) in PORTS.items():
        port = getattr(options, name)
        if options.config and name != "port":
            continue
        if port is None and not options.config:
            port = next(each for each in range(usual, PORT_MOST) if each not in chosen and not why_not(each))
        port = usual if port is None else port
        if why := why_not(port):
            option = f"--{name.replace('_', '-')}"
            message = f"{option}: port {port} on 127.0.0.1 cannot be used: {why}; name another with {option}"
            raise ConfigurationError(message)
        setattr(options, name, port)
        chosen.add(port)


def why_not(port: int) -> str:
    """Return why ``port`` cannot be used; empty if it can."""
    try:
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(("127.0.0.1", port))
    except (OSError, OverflowError) as error:
        return getattr(error, "strerror", "") or str(error)
    return ""


class Server(uvicorn.Server):
    """A server that prints the shop's addresses once it answers."""

    def __init__(self, config: uvicorn.Config, shop: Shop, *, shown_password: str) -> None:
        """Serve ``shop``; ``shown_password`` is the staff's, if nobody but this process knows it."""
        super().__init__(config)
        self.shop = shop
        self.shown_password = shown_password

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to answer, and print the addresses."""
        await super().startup(sockets)
        say = functools.partial(print, flush=True)
        say(f"Norrviks Dagblad   {self.shop.url}")
        shown = f"   (password: {self.shown_password})" if self.shown_password else ""
        say(f"staff pages        {self.shop.url}/staff/{shown}")
        if self.shop.emulated_phone:
            say(f"emulated phone     {self.shop.emulated_phone}   (replaces the Swish app)")


def configured_shop(file: Path, password: str) -> Starlette:
    """Return the shop with the accounts of a settings file; their callbacks come to ``…/callbacks``."""
    found = load_settings(file)
    cards = next((each for each in found.accounts if isinstance(each, SwedbankPay)), None)
    swish = next((each for each in found.accounts if isinstance(each, Swish)), None)
    if cards is None:
        message = f"{file}: the shop needs a Swedbank Pay account; it may also have a Swish account"
        raise ConfigurationError(message)
    return build(
        url=found.callback_url.removesuffix("/callbacks"),
        database=found.database,
        cards=cards,
        swish=swish,
        callback_key=found.callback_keys[0].reveal(),
        token_keys=found.token_keys,
        staff_password=password,
    )


@dataclass(frozen=True, kw_only=True)
class EmulatedGateways:
    """The accounts at the gateways on this machine, and the page of the emulated phone."""

    cards: SwedbankPay
    swish: Swish
    phone_url: str


@contextlib.contextmanager
def emulated_gateways(port: int, swish_port: int, phone_port: int) -> Generator[EmulatedGateways, None, None]:
    """Serve both gateways until the block ends."""
    clock = VirtualClock(real_time=True)
    own_swish = emulated_swish(clock)
    with (
        serve(emulated_cards(clock), port=port) as served,
        serve_swish(own_swish, port=swish_port, phone_port=phone_port) as served_swish,
    ):
        yield EmulatedGateways(
            cards=emulated_account(served.url),
            swish=emulated_swish_account(own_swish.authority, served_swish.api.url),
            phone_url=f"{served_swish.phone.url}/phone",
        )


@contextlib.contextmanager
def emulated_shop(port: int, gateways: EmulatedGateways, password: str) -> Generator[Starlette, None, None]:
    """Return the shop on emulated gateways, with a database that lasts until the block ends."""
    with tempfile.TemporaryDirectory(prefix="publisher-shop-") as folder:
        database = f"sqlite:///{Path(folder) / 'shop.db'}"
        upgrade_database(database)
        yield build(
            url=f"http://127.0.0.1:{port}",
            database=database,
            cards=gateways.cards,
            swish=gateways.swish,
            callback_key=secrets.token_urlsafe(32),
            token_keys=[secrets.token_urlsafe(32)],
            staff_password=password,
            is_demo=True,
            emulated_phone=gateways.phone_url,
        )


def emulated_cards(clock: VirtualClock) -> swedbankpay.SwedbankPayEmulator:
    """Return a Swedbank Pay that may send callbacks to this machine."""
    behaviour = swedbankpay.Behaviour(callback_addresses=CallbackAddresses.LOCAL)
    return swedbankpay.SwedbankPayEmulator(payee_id=PAYEE_ID, access_token=TOKEN, clock=clock, behaviour=behaviour)


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


def emulated_swish(clock: VirtualClock) -> SwishEmulator:
    """Return a Swish in which the newspaper has a number, and which may send callbacks to this machine."""
    return SwishEmulator(
        merchants=(SwishMerchant(number=SWISH_NUMBER, name="Norrviks Dagblad"),),
        clock=clock,
        behaviour=Behaviour(callback_addresses=CallbackAddresses.LOCAL),
    )


def emulated_swish_account(authority: SwishAuthority, gateway_url: str) -> Swish:
    """Return an account at the emulated Swish, with a new certificate that is kept only in memory."""
    certificate = authority.issue(SWISH_NUMBER, key_size=2048)  # real ones have 4096 bits, and take longer to make
    return Swish(
        account="norrvik-swish",
        environment=Environment.TEST,
        number=SWISH_NUMBER,
        certificate=certificate.chain_pem,
        private_key=certificate.key_pem,
        trust=authority.server_root_pem,
        base_url=gateway_url,
    )


if __name__ == "__main__":
    main()
