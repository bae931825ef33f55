"""The reader chooses: today's paper, what it costs, and the order form."""

from __future__ import annotations

import secrets
from typing import Final
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from examples.publisher_shop import readers
from examples.publisher_shop.catalogue import OFFERS, Offer
from examples.publisher_shop.orders import ShopOrder
from examples.publisher_shop.pages import language_of, page
from examples.publisher_shop.paying import INSTRUMENTS, pay
from examples.publisher_shop.saved_cards import TEXT_VERSION, agreed, cards_of, may_save, usable
from examples.publisher_shop.shop import Shop
from examples.publisher_shop.texts import TEXTS
from prenopay import Instrument, email_address, phone_number
from prenopay.errors import InvalidOrder

YEAR_SECONDS: Final = 31_536_000


async def front_page(request: Request) -> Response:
    """Show today's paper and what it costs."""
    return page(request, "front.html", offers=OFFERS.values())


async def choose_language(request: Request) -> Response:
    """Store the choice of Swedish or English, and return to the page the reader came from."""
    language = request.path_params["language"]
    if language not in TEXTS:
        raise HTTPException(404)
    came_from = urlsplit(request.headers.get("referer", "")).path
    here = came_from if came_from.startswith("/") else "/"
    back = RedirectResponse(f"{Shop.of(request).url}{here}", status_code=303)
    back.set_cookie("language", language, samesite="lax", max_age=YEAR_SECONDS)
    return back


async def order_page(request: Request) -> Response:
    """Show one offer, and ask who the reader is and how they want to pay."""
    return await _order_form(request, _offer(request))


async def place_order(request: Request) -> Response:
    """Store the order, then ask for the money. The same form sent twice gives one order and one reader."""
    shop, offer, form = Shop.of(request), _offer(request), await request.form()
    form_id, email, instrument, phone = (
        str(form.get(key, "")).strip() for key in ("form", "email", "instrument", "phone")
    )
    form_id, saves = form_id or secrets.token_urlsafe(), "save" in form
    phone = phone if shop.payments_by(instrument) is shop.swish else ""
    wrong = _what_is_wrong(email, instrument, phone)
    if wrong:
        filled = {"email": email, "chosen": instrument, "phone": phone, "saves": saves}
        return await _order_form(request, offer, wrong=wrong, **filled)
    key = readers.key_of(request) or form_id
    order = ShopOrder(
        offer=offer.key,
        email=email,
        language=language_of(request),
        instrument=instrument,
        phone=phone,
        reader=readers.reference_of(key),
    )
    if saves and instrument == Instrument.CARD and may_save(shop, offer):
        order = await agreed(shop, order)
    return readers.remember(request, await pay(request, await shop.orders.add(order.named_by(form_id))), key)


def _what_is_wrong(email: str, instrument: str, phone: str) -> str:
    """Return the name of the field that is filled in wrongly; empty if there is none."""
    try:
        email_address(email)
        if phone:
            phone_number(phone)
    except InvalidOrder as error:
        return error.field
    return "" if instrument in INSTRUMENTS else "instrument"


async def _order_form(request: Request, offer: Offer, *, wrong: str = "", **filled: object) -> Response:
    shop, reader = Shop.of(request), readers.reader_of(request)
    offers_saving = may_save(shop, offer)
    empty = {"email": "", "chosen": Instrument.CARD, "phone": "", "saves": False}
    return page(
        request,
        "buy.html",
        status=422 if wrong else 200,
        offer=offer,
        wrong=wrong,
        **(empty | filled),
        own_swish=shop.swish is not None,
        may_save=offers_saving,
        saved=usable(await cards_of(shop, reader)) if offers_saving else None,
        text_version=TEXT_VERSION,
        form_id=secrets.token_urlsafe(),
    )


def _offer(request: Request) -> Offer:
    offer = OFFERS.get(request.path_params["offer"])
    if offer is None:
        raise HTTPException(404)
    return offer


routes = [
    Route("/", front_page),
    Route("/language/{language}", choose_language),
    Route("/buy/{offer}", order_page),
    Route("/buy/{offer}", place_order, methods=["POST"]),
]
