"""The reader's pages: choose, pay on the gateway's page, come back, read."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from typing import Final
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from examples.publisher_shop.catalogue import OFFERS, Offer
from examples.publisher_shop.orders import ShopOrder
from examples.publisher_shop.pages import language_of, page
from examples.publisher_shop.shop import Shop
from examples.publisher_shop.texts import TEXTS
from prenopay import CaptureMode, Instrument, OperationId, Order, Payer, Payment, PaymentState
from prenopay.errors import OutcomeUnknown, PrenopayError

INSTRUMENTS: Final = (Instrument.CARD, Instrument.SWISH)
EMAIL: Final = re.compile(r"[^@\s]{1,64}@[^@\s]{1,100}\.[^@\s.]{2,30}")
YEAR_SECONDS: Final = 31_536_000
ASK_AGAIN_AFTER_SECONDS: Final = (0.2, 0.5, 1.0)

log = logging.getLogger("shop")


# Choosing


async def front_page(request: Request) -> Response:
    """Show today's paper and what it costs."""
    return page(request, "front.html", offers=OFFERS.values())


async def choose_language(request: Request) -> Response:
    """Remember Swedish or English, and go back to the page the reader came from."""
    language = request.path_params["language"]
    if language not in TEXTS:
        raise HTTPException(404)
    came_from = urlsplit(request.headers.get("referer", "")).path or "/"
    back = RedirectResponse(f"{Shop.of(request).url}{came_from}", status_code=303)
    back.set_cookie("language", language, samesite="lax", max_age=YEAR_SECONDS)
    return back


async def order_page(request: Request) -> Response:
    """Show one offer, and ask who reads and how they want to pay."""
    return _order_form(request, _offer(request))


async def place_order(request: Request) -> Response:
    """Write the order down, then ask for the money. The same form sent twice is one order."""
    offer, form = _offer(request), await request.form()
    form_id, email, instrument = (str(form.get(key, "")).strip() for key in ("form", "email", "instrument"))
    if not EMAIL.fullmatch(email):
        return _order_form(request, offer, wrong="email", email=email, instrument=instrument)
    if instrument not in INSTRUMENTS:
        return _order_form(request, offer, wrong="instrument", email=email)
    order = ShopOrder.from_form(
        form_id or secrets.token_urlsafe(),
        offer=offer.key,
        email=email,
        language=language_of(request),
        instrument=instrument,
    )
    return await pay(request, await Shop.of(request).orders.add(order))


# Paying


async def pay(request: Request, order: ShopOrder) -> Response:
    """Ask for the money and send the reader to the gateway's page."""
    shop = Shop.of(request)
    try:
        payment = await make_payable(shop, order)
    except PrenopayError:
        log.exception("order %s could not be made payable", order.number)
        return await _show(request, order, None, trouble=True)
    await shop.orders.attach(order, payment.payment_id)
    if payment.is_open and payment.redirect_url is not None:
        return RedirectResponse(payment.redirect_url, status_code=303)
    return RedirectResponse(f"/orders/{order.number}", status_code=303)


async def make_payable(shop: Shop, order: ShopOrder) -> Payment:
    """Return the payment of this order and attempt.

    The operation id says which: a double click, a reload or a second tab gives the same payment. When
    an answer is lost, or another click is asking at this moment, asking again is safe, and enough.
    """
    asked, operation_id = _as_prenopay_order(shop, order), OperationId.of("order", order.number, order.attempt)
    for pause in ASK_AGAIN_AFTER_SECONDS:
        try:
            return await shop.payments.create(asked, operation_id=operation_id)
        except OutcomeUnknown:
            await asyncio.sleep(pause)
    return await shop.payments.create(asked, operation_id=operation_id)


def _as_prenopay_order(shop: Shop, order: ShopOrder) -> Order:
    offer, chosen = OFFERS[order.offer], Instrument(order.instrument)
    return Order(
        amount=offer.price,
        description=f"Norrviks Dagblad {order.number}",
        lines=offer.lines(order.language),
        order_reference=order.number,
        return_url=f"{shop.url}/orders/{order.number}/return",
        cancel_url=f"{shop.url}/orders/{order.number}/return",
        capture=offer.capture,
        language="en-US" if order.language == "en" else "sv-SE",
        instruments=(chosen, *(each for each in INSTRUMENTS if each is not chosen)),
        expand_first_instrument=True,
        payer=Payer(email=order.email, digital_only=order.offer != "paper"),
    )


async def pay_again(request: Request) -> Response:
    """Go back to the page that is still open or, when the payment ended without money, to a new one."""
    shop, order = Shop.of(request), await _order(request)
    payment = await _payment(shop, order)
    if payment is not None and _ended_without_money(payment):
        await shop.orders.try_again(order)
        order = await _order(request)
    return await pay(request, order)


async def came_back(request: Request) -> Response:
    """The reader is back: look at the payment at once, whatever the callback does."""
    shop, order = Shop.of(request), await _order(request)
    if order.payment_id is not None:
        try:
            await shop.payments.observe(order.payment_id, source="return")
        except PrenopayError:
            log.exception("order %s: the gateway could not be asked; callback or sweep will tell", order.number)
    return RedirectResponse(f"/orders/{order.number}", status_code=303)


# Seeing and reading


async def show_order(request: Request) -> Response:
    """Show receipt and access, or what the order waits for."""
    order = await _order(request)
    return await _show(request, order, await _payment(Shop.of(request), order))


async def order_status(request: Request) -> Response:
    """Tell the waiting page how things stand."""
    order = await _order(request)
    return JSONResponse(
        {"standing": standing(order, await _payment(Shop.of(request), order))},
        headers={"cache-control": "no-store"},
    )


async def read_paper(request: Request) -> Response:
    """Show the paper to who has paid for it."""
    order = await _order(request)
    if not order.access:
        return RedirectResponse(f"/orders/{order.number}", status_code=303)
    return page(request, "read.html", order=order)


def standing(order: ShopOrder, payment: Payment | None) -> str:
    """Say in one word how things stand for the reader; the texts have a heading and a line for each."""
    if payment is None:
        return "unpaid"
    if payment.quarantined:
        return "flagged"
    if payment.captured and payment.refunded >= payment.captured:
        return "refunded"
    if order.access:
        return "thanks"
    if payment.is_open:
        return "waiting" if payment.decline is None else "declined"
    if _ended_without_money(payment):
        return "not_paid"
    waits_for_staff = OFFERS[order.offer].capture is CaptureMode.MANUAL and not payment.captured
    return "reserved" if waits_for_staff else "arriving"


async def _show(request: Request, order: ShopOrder, payment: Payment | None, *, trouble: bool = False) -> Response:
    return page(
        request,
        "order.html",
        status=502 if trouble else 200,
        order=order,
        offer=OFFERS[order.offer],
        payment=payment,
        standing="trouble" if trouble else standing(order, payment),
    )


def _order_form(
    request: Request,
    offer: Offer,
    *,
    wrong: str = "",
    email: str = "",
    instrument: str = Instrument.CARD,
) -> Response:
    return page(
        request,
        "buy.html",
        status=422 if wrong else 200,
        offer=offer,
        wrong=wrong,
        email=email,
        chosen=instrument,
        form_id=secrets.token_urlsafe(),
    )


def _ended_without_money(payment: Payment) -> bool:
    return payment.state in {PaymentState.CANCELLED, PaymentState.DECLINED, PaymentState.EXPIRED}


def _offer(request: Request) -> Offer:
    offer = OFFERS.get(request.path_params["offer"])
    if offer is None:
        raise HTTPException(404)
    return offer


async def _order(request: Request) -> ShopOrder:
    order = await Shop.of(request).orders.get(request.path_params["number"])
    if order is None:
        raise HTTPException(404)
    return order


async def _payment(shop: Shop, order: ShopOrder) -> Payment | None:
    return None if order.payment_id is None else await shop.payments.get(order.payment_id)


routes = [
    Route("/", front_page),
    Route("/language/{language}", choose_language),
    Route("/buy/{offer}", order_page),
    Route("/buy/{offer}", place_order, methods=["POST"]),
    Route("/orders/{number}", show_order),
    Route("/orders/{number}/pay", pay_again, methods=["POST"]),
    Route("/orders/{number}/return", came_back),
    Route("/orders/{number}/status", order_status),
    Route("/orders/{number}/read", read_paper),
]
