"""The staff's page for one reader: the fees and why one was not charged, the saved cards, and the next fee."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from examples.publisher_shop import door
from examples.publisher_shop.catalogue import MONTHLY
from examples.publisher_shop.fee_book import FeeTry
from examples.publisher_shop.fees import STILL_OPEN, charge, ledger_of
from examples.publisher_shop.pages import page
from examples.publisher_shop.readers import NUMBER
from examples.publisher_shop.saved_cards import cards_of, choices
from examples.publisher_shop.shop import Shop
from prenopay import Operation, Outcome
from prenopay.errors import CeilingReached, Conflict, MandateUnusable, NotFound, PrenopayError, TransportError

log = logging.getLogger("shop")


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why nothing was charged: ``word`` names it in the texts, ``not_before`` is the earliest time for another try."""

    word: str
    not_before: datetime | None = None
    rule: str = ""


@door.for_staff
async def reader_page(request: Request) -> Response:
    """Show one reader, with the reasons for refusals."""
    return await _show(request)


@door.for_staff
async def charge_fee(request: Request) -> Response:
    """Charge the fee that the form names. A form that is sent twice, or from two tabs, charges once."""
    shop, reader, form = Shop.of(request), _reader(request), await request.form()
    cards = await cards_of(shop, reader)
    try:
        fee = FeeTry(
            reader=reader,
            period=str(form.get("period", "")),
            attempt=int(str(form.get("attempt", ""))),
            mandate_id=str(form.get("card", "")),
        )
        operation = await charge(shop, fee, (await ledger_of(shop, reader, cards)).due)
    except (PrenopayError, ValueError) as error:
        log.warning("staff: the fee of %s: %s", reader, error)
        return await _show(request, refused=_why(error))
    return RedirectResponse(f"/staff/readers/{reader}?did={operation.operation_id}", status_code=303)


@door.for_staff
async def charge_status(request: Request) -> Response:
    """Return the outcome of the charge to the page, and whether the page should ask again."""
    operation = await _did(request)
    outcome = Outcome.UNKNOWN if operation is None else operation.outcome
    return JSONResponse(
        {"standing": outcome, "may_change": outcome in STILL_OPEN}, headers={"cache-control": "no-store"}
    )


def _why(error: Exception) -> Refusal:
    match error:
        case CeilingReached():
            return Refusal(word="ceiling", not_before=error.not_before, rule=error.rule)
        case MandateUnusable():
            return Refusal(word="card_unusable")
        case Conflict():
            return Refusal(word="not_due")
        case TransportError():
            return Refusal(word="not_sent")
        case _:
            return Refusal(word="charge_refused")


async def _show(request: Request, *, refused: Refusal | None = None) -> Response:
    shop, reader = Shop.of(request), _reader(request)
    cards, did = await cards_of(shop, reader), await _did(request)
    ledger = await ledger_of(shop, reader, cards)
    if not cards and not ledger.receipts:
        raise HTTPException(404)
    return page(
        request,
        "staff_reader.html",
        status=422 if refused else 200,
        reader=reader,
        cards=cards,
        ledger=ledger,
        choices=await choices(shop, cards),
        fee=MONTHLY.price,
        did=did,
        may_change=did is not None and did.outcome in STILL_OPEN,
        refused=refused,
    )


def _reader(request: Request) -> str:
    reader = str(request.path_params["reader"])
    if not NUMBER.fullmatch(reader):
        raise HTTPException(404)
    return reader


async def _did(request: Request) -> Operation | None:
    """Return the charge that staff just asked for on this page, as the books have it now."""
    wanted, reader = request.query_params.get("did", ""), _reader(request)
    if not wanted.startswith(f"fee:{reader}:"):
        return None
    try:
        return await Shop.of(request).cards.operation(wanted)
    except NotFound:
        return None


routes = [
    Route("/readers/{reader}", reader_page),
    Route("/readers/{reader}", charge_fee, methods=["POST"]),
    Route("/readers/{reader}/status", charge_status),
]
