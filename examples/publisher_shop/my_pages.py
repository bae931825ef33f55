"""My pages: what a reader owes and has paid, their saved cards, and every choice they made about the cards."""

from __future__ import annotations

import logging
import secrets

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from examples.publisher_shop.catalogue import MONTHLY
from examples.publisher_shop.fees import ledger_of
from examples.publisher_shop.pages import language_of, page
from examples.publisher_shop.readers import reader_of
from examples.publisher_shop.saved_cards import (
    BY_READER,
    SHOWN,
    TEXT_VERSION,
    cards_of,
    change_id,
    choices,
    verify_new_card,
)
from examples.publisher_shop.shop import Shop
from prenopay import Mandate, MandateState
from prenopay.errors import NotFound, PrenopayError

log = logging.getLogger("shop")


async def my_pages(request: Request) -> Response:
    """Show all of it to the browser that has the reader's key."""
    shop, reader = Shop.of(request), reader_of(request)
    cards = await cards_of(shop, reader, asks_gateway=True)
    ledger = await ledger_of(shop, reader, cards)
    return page(
        request,
        "my_pages.html",
        reader=reader,
        ledger=ledger,
        cards=[card for card in cards if card.state in SHOWN],
        choices=await choices(shop, cards),
        done=_done(request, cards),
    )


def _done(request: Request, cards: tuple[Mandate, ...]) -> str:
    """Return how the reader's last change ended, from the books: a reload shows the latest outcome."""
    asked, mandate_id = next(iter(request.query_params.items()), ("", ""))
    card = next((each for each in cards if each.mandate_id == mandate_id), None)
    if card is None:
        return ""
    match asked:
        case "changed":
            return "changed" if card.state is MandateState.REPLACED else "not_changed"
        case "removed":
            return "removed" if card.state is MandateState.DELETED else "not_removed"
        case _:
            return ""


# Another card


async def change_page(request: Request) -> Response:
    """Show what the reader agrees to by saving another card."""
    return await _ask(request, "change")


async def change_card(request: Request) -> Response:
    """Send the reader to the gateway's page, where the new card is verified."""
    shop, card, form = Shop.of(request), await _card(request), await request.form()
    if card.state.has_ended:
        return RedirectResponse("/my/", status_code=303)
    try:
        form_id = str(form.get("form", "")) or secrets.token_hex(4)
        payment = await verify_new_card(shop, card, form_id, language=language_of(request))
    except PrenopayError:
        log.exception("card %s could not be changed", card.mandate_id)
        return await _ask(request, "change", trouble=True)
    return RedirectResponse(payment.redirect_url or f"/my/?changed={card.mandate_id}", status_code=303)


async def card_changed(request: Request) -> Response:
    """Look at the payment at once when the reader comes back from the gateway's page."""
    shop, card = Shop.of(request), await _card(request)
    try:
        operation = await shop.cards.operation(change_id(card.mandate_id, request.query_params.get("form", "")))
        await shop.cards.observe(operation.payment_id, source="return")
    except NotFound:
        raise HTTPException(404) from None
    except PrenopayError:
        log.exception("card %s: the gateway did not answer; callback or sweep will look again", card.mandate_id)
    return RedirectResponse(f"/my/?changed={card.mandate_id}", status_code=303)


# No card


async def remove_page(request: Request) -> Response:
    """Ask the reader to confirm, and say what follows."""
    return await _ask(request, "remove")


async def remove_card(request: Request) -> Response:
    """Remove the card here at once. At the gateway it goes now, or at the next sweep if the gateway does not answer."""
    shop, card = Shop.of(request), await _card(request)
    try:
        await shop.cards.mandates.remove(card.mandate_id, reason="the reader asked", actor=BY_READER)
    except PrenopayError as error:
        log.warning("card %s: not removed at the gateway yet: %s", card.mandate_id, error)
    return RedirectResponse(f"/my/?removed={card.mandate_id}", status_code=303)


async def _ask(request: Request, what: str, *, trouble: bool = False) -> Response:
    card = await _card(request)
    if card.state.has_ended:
        return RedirectResponse("/my/", status_code=303)
    return page(
        request,
        "my_card.html",
        status=502 if trouble else 200,
        what=what,
        trouble=trouble,
        card=card,
        fee=MONTHLY.price,
        text_version=TEXT_VERSION,
        form_id=secrets.token_hex(4),
    )


async def _card(request: Request) -> Mandate:
    """Return the card with that id, if it belongs to the reader."""
    card = await Shop.of(request).cards.mandates.get(request.path_params["card"])
    if card.payer_reference != reader_of(request):
        raise HTTPException(404)
    return card


routes = [
    Route("/", my_pages),
    Route("/cards/{card}/change", change_page),
    Route("/cards/{card}/change", change_card, methods=["POST"]),
    Route("/cards/{card}/changed", card_changed),
    Route("/cards/{card}/remove", remove_page),
    Route("/cards/{card}/remove", remove_card, methods=["POST"]),
]
