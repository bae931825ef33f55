"""The reader pays, on the gateway's page or in the Swish app, in one or several attempts; then reads."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from examples.publisher_shop.catalogue import OFFERS
from examples.publisher_shop.orders import ShopOrder, is_given_back
from examples.publisher_shop.pages import page
from examples.publisher_shop.saved_cards import store_for
from examples.publisher_shop.shop import Shop
from prenopay import (
    AppSwitch,
    CaptureMode,
    Instrument,
    OperationId,
    Order,
    PageStyle,
    Payer,
    Payment,
    PaymentState,
)
from prenopay.errors import OutcomeUnknown, PrenopayError
from prenopay.providers.swish import qr_svg

INSTRUMENTS: Final = (Instrument.CARD, Instrument.SWISH)
ASK_AGAIN_AFTER_SECONDS: Final = (0.2, 0.5, 1.0)
SWISH_WAITS: Final = timedelta(minutes=3)
"""How long a reader can answer in the app; after that the request is cancelled."""
MAY_CHANGE: Final = frozenset({"waiting", "swish_app", "swish_phone", "declined", "arriving"})
"""The standings that may still change: the reader's page asks again."""

log = logging.getLogger("shop")


# Asking for the money


async def pay(request: Request, order: ShopOrder) -> Response:
    """Ask for the money. Send the reader to the gateway's page, or to our own page that waits for Swish."""
    shop = Shop.of(request)
    try:
        payment = await make_payable(shop, order)
    except PrenopayError:
        log.exception("order %s could not be made payable", order.number)
        return await _show(request, order, None, trouble=True)
    await shop.orders.attach(order, payment.account, payment.payment_id)
    if payment.is_open and payment.redirect_url is not None:
        return RedirectResponse(payment.redirect_url, status_code=303)
    return RedirectResponse(order.path, status_code=303)


async def make_payable(shop: Shop, order: ShopOrder) -> Payment:
    """Return the payment of this order and attempt.

    The operation id names the attempt, so a double click, a reload or a second tab gives the same payment.
    If an answer is lost, or another click is asking at this moment, it is safe to ask again.
    """
    payments = shop.payments_by(order.instrument)
    asked, operation_id = _as_prenopay_order(shop, order), OperationId.of("order", order.number, order.attempt)
    for pause in ASK_AGAIN_AFTER_SECONDS:
        try:
            return await payments.create(asked, operation_id=operation_id)
        except OutcomeUnknown:
            await asyncio.sleep(pause)
    return await payments.create(asked, operation_id=operation_id)


def _as_prenopay_order(shop: Shop, order: ShopOrder) -> Order:
    offer, chosen = OFFERS[order.offer], Instrument(order.instrument)
    by_own_swish = shop.payments_by(chosen) is shop.swish
    store = store_for(order) if chosen is Instrument.CARD else None
    others = () if shop.swish or store else tuple(each for each in INSTRUMENTS if each is not chosen)
    reference = order.reader if store else ""
    return Order(
        amount=offer.price,
        description=f"Norrviks Dagblad {order.number.removeprefix('ND-')}",  # Swish takes no hyphen here
        lines=offer.lines(order.language),
        order_reference=order.number,
        return_url=f"{shop.url}{order.path}/return",
        cancel_url=f"{shop.url}{order.path}/return",
        capture=offer.capture,
        page=PageStyle.PHONE if by_own_swish and order.phone else PageStyle.REDIRECT,
        language="en-US" if order.language == "en" else "sv-SE",
        instruments=(chosen, *others),
        expand_first_instrument=True,
        payer=Payer(reference=reference, email=order.email, phone=order.phone, digital_only=order.offer != "paper"),
        store=store,
        valid_for=SWISH_WAITS if by_own_swish else None,
    )


async def pay_again(request: Request) -> Response:
    """Return to the open payment. If it ended without money, begin another one, with any way to pay."""
    shop, order, form = Shop.of(request), await _order(request), await request.form()
    instrument = str(form.get("instrument", order.instrument))
    if instrument not in INSTRUMENTS:
        raise HTTPException(400)
    payment = await payment_of(shop, order)
    if payment is not None and _ended_without_money(payment):
        await shop.orders.try_again(order, instrument=instrument)
        order = await _order(request)
    return await pay(request, order)


async def stop(request: Request) -> Response:
    """Cancel what the reader no longer wants to pay. If the reader paid a moment before, it stays paid."""
    shop, order = Shop.of(request), await _order(request)
    if order.payment_id is not None:
        payments, operation_id = shop.payments_of(order.account), OperationId.of("stop", order.number, order.attempt)
        try:
            await payments.cancel(order.payment_id, operation_id=operation_id)
        except PrenopayError as error:
            log.warning("order %s could not be stopped: %s", order.number, error)
    return await came_back(request)


async def came_back(request: Request) -> Response:
    """Look at the payment at once when the reader comes back, without waiting for the callback."""
    shop, order = Shop.of(request), await _order(request)
    if order.payment_id is not None:
        try:
            await shop.payments_of(order.account).observe(order.payment_id, source="return")
        except PrenopayError:
            log.exception(
                "order %s: the gateway did not answer; callback or sweep will look again",
                order.number,
            )
    return RedirectResponse(order.path, status_code=303)


# Seeing and reading


async def show_order(request: Request) -> Response:
    """Show the receipt and the access, or what the order waits for."""
    order = await _order(request)
    return await _show(request, order, await payment_of(Shop.of(request), order))


async def order_status(request: Request) -> Response:
    """Return the order's standing to the waiting page, and whether the page should ask again."""
    order = await _order(request)
    word = standing(order, await payment_of(Shop.of(request), order))
    return JSONResponse({"standing": word, "may_change": word in MAY_CHANGE}, headers={"cache-control": "no-store"})


async def read_paper(request: Request) -> Response:
    """Show the paper to a reader who has paid for it."""
    order = await _order(request)
    if not order.access:
        return RedirectResponse(order.path, status_code=303)
    return page(request, "read.html", order=order)


def standing(order: ShopOrder, payment: Payment | None) -> str:
    """Return the order's standing in one word; the texts have a heading and a line for each word."""
    if payment is None:
        return "unpaid"
    if payment.quarantined:
        return "flagged"
    if is_given_back(payment):
        return "refunded"
    if order.access:
        return "thanks"
    if payment.is_open:
        return _waits_for(payment)
    if _ended_without_money(payment):
        return "not_paid" if payment.state is PaymentState.CANCELLED else payment.state.value
    waits_for_staff = OFFERS[order.offer].capture is CaptureMode.MANUAL and not payment.captured
    return "reserved" if waits_for_staff else "arriving"


def _waits_for(payment: Payment) -> str:
    if payment.provider == "swish" and payment.state is PaymentState.PENDING:
        return "swish_phone" if payment.app_switch is None else "swish_app"
    return "waiting" if payment.decline is None else "declined"


async def _show(request: Request, order: ShopOrder, payment: Payment | None, *, trouble: bool = False) -> Response:
    shop, word = Shop.of(request), "trouble" if trouble else standing(order, payment)
    switch = payment.app_switch if payment is not None and word == "swish_app" else None
    return page(
        request,
        "order.html",
        status=502 if trouble else 200,
        order=order,
        offer=OFFERS[order.offer],
        payment=payment,
        standing=word,
        may_change=word in MAY_CHANGE,
        other_way=_other_way(shop, order),
        app_link=switch and app_link(shop, switch),
        qr_code=switch and qr_svg(switch.qr_content, scale=6),
        emulated_phone=shop.emulated_phone,
    )


def app_link(shop: Shop, switch: AppSwitch) -> str:
    """Return the link that opens the Swish app; in the demo, the emulated phone's page."""
    return f"{shop.emulated_phone}?{urlsplit(switch.app_url).query}" if shop.emulated_phone else switch.app_url


def _other_way(shop: Shop, order: ShopOrder) -> str:
    """Return the other way to pay that the reader may change to. On the gateway's own page they choose there."""
    if shop.swish is None:
        return ""
    return Instrument.CARD if order.instrument == Instrument.SWISH else Instrument.SWISH


def _ended_without_money(payment: Payment) -> bool:
    return payment.state in {PaymentState.CANCELLED, PaymentState.DECLINED, PaymentState.EXPIRED}


async def _order(request: Request) -> ShopOrder:
    order = await Shop.of(request).orders.at(request.path_params["secret"])
    if order is None:
        raise HTTPException(404)
    return order


async def payment_of(shop: Shop, order: ShopOrder) -> Payment | None:
    """Return the payment that collects the order now."""
    return None if order.payment_id is None else await shop.payments_of(order.account).get(order.payment_id)


routes = [
    Route("/orders/{secret}", show_order),
    Route("/orders/{secret}/pay", pay_again, methods=["POST"]),
    Route("/orders/{secret}/stop", stop, methods=["POST"]),
    Route("/orders/{secret}/return", came_back),
    Route("/orders/{secret}/status", order_status),
    Route("/orders/{secret}/read", read_paper),
]
