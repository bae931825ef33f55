"""The shop: a reader chooses, pays by card or Swish, comes back and reads; staff captures, refunds and charges fees.

Each step is in one place: asking a reader for money in ``paying.pay``, charging a saved card in ``fees.charge``,
looking at a payment in ``paying.came_back``, and acting on the result in ``on_event`` (here). The browser's
return, the callback and the sweep all open access in the same way.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Lifespan

from examples.publisher_shop import buying, door, my_pages, paying, staff, staff_reader
from examples.publisher_shop.fee_book import Fees
from examples.publisher_shop.orders import Orders, metadata, open_engine
from examples.publisher_shop.pages import page
from examples.publisher_shop.sessions import Sessions
from examples.publisher_shop.shop import Shop
from prenopay import AsyncAccounts, Clock, Event, EventKind, Secret
from prenopay.errors import NotFound
from prenopay.providers.swedbankpay import SwedbankPay
from prenopay.providers.swish import Swish
from prenopay.web.asgi import CallbackApp

HERE = Path(__file__).parent
log = logging.getLogger("shop")


def build(
    *,
    url: str,
    database: str,
    cards: SwedbankPay,
    swish: Swish | None = None,
    callback_key: str,
    token_keys: Sequence[Secret | str] = (),
    staff_password: str,
    is_demo: bool = False,
    emulated_phone: str = "",
    sweep_every_seconds: float = 30,
    clock: Clock | None = None,
) -> Starlette:
    """Wire the shop: its own orders, prenopay's accounts, and the routes."""
    orders = Orders(engine := open_engine(database))
    accounts = AsyncAccounts.open(
        database,
        callback_url=f"{url}/callbacks",
        callback_keys=[callback_key],
        on_event=functools.partial(on_event, orders),
        token_keys=token_keys,
        clock=clock,
    )
    metadata.create_all(engine)  # after prenopay, which makes a database's file so that only its owner can read it
    app = _app(url, accounts, _lifespan(accounts, orders, sweep_every_seconds))
    app.state.shop = Shop(
        url=url,
        orders=orders,
        accounts=accounts,
        cards=accounts.add(cards),
        swish=None if swish is None else accounts.add(swish),
        staff_password=staff_password,
        sessions=Sessions(engine, staff_password),
        is_demo=is_demo,
        emulated_phone=emulated_phone,
        fees=Fees(engine),
        saves_cards=bool(token_keys),
        now=clock.now if clock is not None else functools.partial(datetime.now, UTC),
    )
    return app


def _app(url: str, accounts: AsyncAccounts, lifespan: Lifespan[Starlette]) -> Starlette:
    return Starlette(
        lifespan=lifespan,
        routes=_routes(accounts),
        middleware=[Middleware(door.OwnAddressOnly, origin=url)],
        exception_handlers={
            ClientDisconnect: nobody_is_there,
            HTTPException: error_page,
            NotFound: error_page,
            Exception: error_page,
        },
    )


async def on_event(orders: Orders, event: Event) -> None:
    """Open access when money arrived, close it when all went back. An event may come twice; the result is the same."""
    if event.kind is EventKind.CAPTURED and event.is_paid:
        await orders.open_access(event.order_reference, event.account, event.payment_id)
    elif event.kind is EventKind.REFUNDED and event.is_refunded:
        await orders.close_access(event.order_reference, event.payment_id)


def _lifespan(accounts: AsyncAccounts, orders: Orders, sweep_every_seconds: float) -> Lifespan[Starlette]:
    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        sweeping = asyncio.create_task(sweep_now_and_then(accounts, sweep_every_seconds))
        yield
        sweeping.cancel()
        with suppress(asyncio.CancelledError):
            await sweeping
        await accounts.aclose()
        await orders.aclose()

    return lifespan


def _routes(accounts: AsyncAccounts) -> list[BaseRoute]:
    return [
        *buying.routes,
        *paying.routes,
        Mount("/my", routes=my_pages.routes),
        Mount("/staff", routes=[*staff.routes, *staff_reader.routes]),
        Mount("/callbacks", CallbackApp(accounts)),
        Mount("/static", StaticFiles(directory=HERE / "static")),
    ]


async def sweep_now_and_then(accounts: AsyncAccounts, every_seconds: float) -> None:
    """Find the changes that no callback reported. One process is enough; several do no harm."""
    while True:
        await asyncio.sleep(every_seconds)
        try:
            for failure in (await accounts.sweep()).failures:
                log.warning("sweep: %s", failure)
        except Exception:  # whatever it is, the next sweep may work
            log.exception("the sweep failed as a whole; the next one tries again")


async def nobody_is_there(_request: Request, _error: Exception) -> Response:
    """End a request whose browser broke it off, as a second click does; nobody reads the answer."""
    return Response(status_code=400)


async def error_page(request: Request, error: Exception) -> Response:
    """Say what is wrong, in the reader's language; the log has the details."""
    status = 404 if isinstance(error, NotFound) else error.status_code if isinstance(error, HTTPException) else 500
    return page(request, "error.html", status=status, kind="missing" if status == 404 else "failed")
