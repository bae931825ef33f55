"""The shop: a reader chooses, pays on the gateway's page, comes back and reads; staff captures and refunds.

Money is asked for in one place (``pay``), looked at in one place (``came_back``) and acted on in one
place (``on_event``). Whether the browser's return, the callback or the sweep brings the news, access
opens the same way.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import create_engine
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from examples.publisher_shop import staff
from examples.publisher_shop.catalogue import OFFERS, Offer
from examples.publisher_shop.orders import Orders, ShopOrder
from examples.publisher_shop.pages import page
from prenopay import (
    AsyncAccounts,
    AsyncPayments,
    Event,
    EventKind,
    Instrument,
    OperationId,
    Order,
    Payer,
    Payment,
)
from prenopay.errors import PrenopayError
from prenopay.providers.swedbankpay import SwedbankPay, SwedbankPayProvider
from prenopay.web.asgi import CallbackApp

HERE = Path(__file__).parent
SWEEP_EVERY_SECONDS = 30
log = logging.getLogger("shop")


@dataclass(frozen=True, kw_only=True)
class Shop:
    """What the routes share."""

    url: str
    orders: Orders
    accounts: AsyncAccounts
    payments: AsyncPayments[SwedbankPayProvider]
    staff_password: str


def build(*, url: str, database: str, account: SwedbankPay, callback_key: str, staff_password: str) -> Starlette:
    """Wire the shop: its own orders, prenopay's accounts, and the routes."""
    orders = Orders(create_engine(database))

    async def on_event(event: Event) -> None:
        """Money arrived or went back: open or close access. Told at least once, so do it idempotently."""
        if event.kind is EventKind.CAPTURED and event.is_paid:
            await orders.open_access(event.order_reference)
        elif event.kind is EventKind.REFUNDED and event.refunded >= event.captured:
            await orders.close_access(event.order_reference)

    accounts = AsyncAccounts.open(
        database,
        callback_url=f"{url}/callbacks",
        callback_keys=[callback_key],
        on_event=on_event,
    )
    shop = Shop(
        url=url,
        orders=orders,
        accounts=accounts,
        payments=accounts.add(account),
        staff_password=staff_password,
    )

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        sweeping = asyncio.create_task(sweep_now_and_then(accounts))
        yield
        sweeping.cancel()
        with suppress(asyncio.CancelledError):
            await sweeping
        await accounts.aclose()

    app = Starlette(
        lifespan=lifespan,
        routes=[
            Route("/", front_page),
            Route("/language/{language}", choose_language),
            Route("/buy/{offer}", order_page),
            Route("/buy/{offer}", place_order, methods=["POST"]),
            Route("/orders/{number}", show_order),
            Route("/orders/{number}/pay", pay_again, methods=["POST"]),
            Route("/orders/{number}/return", came_back),
            Route("/orders/{number}/status", order_status),
            Route("/orders/{number}/read", read_paper),
            Mount("/staff", routes=staff.routes),
            Mount("/callbacks", CallbackApp(accounts)),
            Mount("/static", StaticFiles(directory=HERE / "static")),
        ],
        exception_handlers={HTTPException: error_page},
    )
    app.state.shop = shop
    return app


async def sweep_now_and_then(accounts: AsyncAccounts) -> None:
    """Find what no callback told. One process is enough; several do no harm."""
    while True:
        await asyncio.sleep(SWEEP_EVERY_SECONDS)
        try:
            report = await accounts.sweep()
        except PrenopayError:
            log.exception("the sweep failed as a whole; the next one tries again")
        else:
            for failure in report.failures:
                log.warning("sweep: %s", failure)


# Choosing


async def front_page(request: Request) -> Response:
    """Show today's paper and what it costs."""
    return page(request, "front.html", offers=OFFERS.values())


async def choose_language(request: Request) -> Response:
    """Remember Swedish or English."""
    language = request.path_params["language"]
    back = RedirectResponse("/", status_code=303)
    if language in {"sv", "en"}:
        back.set_cookie("language", language, samesite="lax", max_age=31_536_000)
    return back


async def order_page(request: Request) -> Response:
    """Show one offer, and ask who reads and how they want to pay."""
    return page(request, "buy.html", offer=_offer(request), wrong="")


async def place_order(request: Request) -> Response:
    """Write the order down, then ask for the money."""
    shop, offer = request.app.state.shop, _offer(request)
    form = await request.form()
    email, instrument = str(form.get("email", "")).strip(), str(form.get("instrument", ""))
    if "@" not in email or instrument not in {Instrument.CARD, Instrument.SWISH}:
        return page(request, "buy.html", status=422, offer=offer, wrong="email" if "@" not in email else "instrument")
    language = request.cookies.get("language", "sv")
    order = await shop.orders.add(offer=offer.key, email=email, language=language, instrument=instrument)
    return await pay(request, order)


# Paying


async def pay(request: Request, order: ShopOrder) -> Response:
    """Ask for the money and send the reader to the gateway's page.

    The operation id says *which attempt at which order* this is: a double click, a reload or a second
    tab gives the same payment.
    """
    shop: Shop = request.app.state.shop
    offer = OFFERS[order.offer]
    chosen = Instrument(order.instrument)
    others = [each for each in (Instrument.CARD, Instrument.SWISH) if each is not chosen]
    home = f"{shop.url}/orders/{order.number}"
    try:
        payment = await shop.payments.create(
            Order(
                amount=offer.price,
                description=f"Norrviks Dagblad {order.number}",
                lines=offer.lines,
                order_reference=order.number,
                return_url=f"{home}/return",
                cancel_url=f"{home}/return",
                capture=offer.capture,
                language="en-US" if order.language == "en" else "sv-SE",
                instruments=(chosen, *others),
                expand_first_instrument=True,
                payer=Payer(email=order.email, digital_only=offer.key != "paper"),
            ),
            operation_id=OperationId.of("order", order.number, order.attempt),
        )
    except PrenopayError:
        log.exception("order %s could not be made payable", order.number)
        return page(request, "order.html", status=502, order=order, offer=offer, payment=None, trouble=True)
    await shop.orders.attach(order.number, payment.payment_id)
    return RedirectResponse(payment.redirect_url or home, status_code=303)


async def pay_again(request: Request) -> Response:
    """Back to the page that is still open, or, when the payment has ended without money, to a new one."""
    shop, order = request.app.state.shop, await _order(request)
    payment = await _payment(shop, order)
    if payment is not None and not payment.is_open and not payment.authorized:
        await shop.orders.try_again(order)
        order = await _order(request)
    return await pay(request, order)


async def came_back(request: Request) -> Response:
    """The reader is back: look at the payment at once, whatever the callback does."""
    shop, order = request.app.state.shop, await _order(request)
    if order.payment_id is not None:
        try:
            await shop.payments.observe(order.payment_id, source="return")
        except PrenopayError:
            log.exception("order %s: the gateway could not be asked; callback or sweep will tell", order.number)
    return RedirectResponse(f"/orders/{order.number}", status_code=303)


async def show_order(request: Request) -> Response:
    """Show receipt and access, or what the order waits for."""
    shop, order = request.app.state.shop, await _order(request)
    payment = await _payment(shop, order)
    return page(request, "order.html", order=order, offer=OFFERS[order.offer], payment=payment, trouble=False)


async def order_status(request: Request) -> Response:
    """Tell the waiting page what changed."""
    shop, order = request.app.state.shop, await _order(request)
    payment = await _payment(shop, order)
    return JSONResponse({"access": order.access, "state": None if payment is None else payment.state})


async def read_paper(request: Request) -> Response:
    """Show the paper to who has paid for it."""
    order = await _order(request)
    if not order.access:
        return RedirectResponse(f"/orders/{order.number}", status_code=303)
    return page(request, "read.html", order=order)


async def error_page(request: Request, error: Exception) -> Response:
    """Say what is wrong in the reader's language."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    return page(request, "error.html", status=status, headers=headers, code=status)


def _offer(request: Request) -> Offer:
    offer = OFFERS.get(request.path_params["offer"])
    if offer is None:
        raise HTTPException(404)
    return offer


async def _order(request: Request) -> ShopOrder:
    shop: Shop = request.app.state.shop
    order = await shop.orders.get(request.path_params["number"])
    if order is None:
        raise HTTPException(404)
    return order


async def _payment(shop: Shop, order: ShopOrder) -> Payment | None:
    return None if order.payment_id is None else await shop.payments.get(order.payment_id)
