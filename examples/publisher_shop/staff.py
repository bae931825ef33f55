"""The staff's pages: payments, what happened to each, and capture, cancel and refund."""

from __future__ import annotations

import base64
import functools
import hmac
import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from examples.publisher_shop.pages import page
from prenopay import Action, Money, Operation, OperationId, Outcome
from prenopay.errors import NotFound, PrenopayError

if TYPE_CHECKING:
    from examples.publisher_shop.app import Shop

log = logging.getLogger("shop")

Endpoint = Callable[[Request], Awaitable[Response]]


def for_staff(endpoint: Endpoint) -> Endpoint:
    """Ask for the staff's password, and take forms from our own pages only."""

    @functools.wraps(endpoint)
    async def guarded(request: Request) -> Response:
        shop: Shop = request.app.state.shop
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        expected = base64.b64encode(f"staff:{shop.staff_password}".encode()).decode()
        if scheme.lower() != "basic" or not hmac.compare_digest(given.encode(), expected.encode()):
            raise HTTPException(401, headers={"www-authenticate": 'Basic realm="staff", charset="UTF-8"'})
        origin = request.headers.get("origin")
        if request.method == "POST" and origin is not None and urlsplit(origin).netloc != urlsplit(shop.url).netloc:
            raise HTTPException(403)
        return await endpoint(request)

    return guarded


@for_staff
async def payment_list(request: Request) -> Response:
    """Show the newest payments."""
    shop: Shop = request.app.state.shop
    payments = await shop.payments.find(after=request.query_params.get("after"), limit=25)
    return page(request, "staff_list.html", payments=payments)


@for_staff
async def payment_page(request: Request) -> Response:
    """Show one payment, all that happened to it, and what can be done now."""
    return await _show(request, said="", is_error=False)


@for_staff
async def change(request: Request) -> Response:
    """Capture, cancel or refund.

    The form carries the operation id made when the page was drawn: sent twice, it acts once.
    """
    shop: Shop = request.app.state.shop
    payment_id = request.path_params["payment_id"]
    form = await request.form()
    action, operation_id, typed = (str(form.get(key, "")) for key in ("action", "operation_id", "amount"))
    try:
        amount = Money.from_decimal(typed.replace(",", ".").strip(), "SEK") if typed.strip() else None
        operation = await _act(shop, payment_id, action, OperationId(operation_id), amount)
    except (PrenopayError, ValueError) as error:
        log.warning("staff: %s of %s: %s", action, payment_id, error)
        return await _show(request, said=str(error), is_error=True)
    if operation.outcome is Outcome.SUCCEEDED:
        return RedirectResponse(f"/staff/payments/{payment_id}", status_code=303)
    why = operation.decline.text if operation.decline is not None else operation.error
    return await _show(request, said=f"{operation.outcome}: {why}", is_error=operation.outcome is Outcome.DECLINED)


async def _act(
    shop: Shop,
    payment_id: str,
    action: str,
    operation_id: OperationId,
    amount: Money | None,
) -> Operation:
    match action:
        case Action.CAPTURE:
            return await shop.payments.capture(payment_id, amount, operation_id=operation_id)
        case Action.REFUND:
            return await shop.payments.refund(payment_id, amount, operation_id=operation_id)
        case Action.CANCEL:
            return await shop.payments.cancel(payment_id, operation_id=operation_id)
        case _:
            raise HTTPException(400)


async def _show(request: Request, *, said: str, is_error: bool) -> Response:
    shop: Shop = request.app.state.shop
    payment_id = request.path_params["payment_id"]
    try:
        payment = await shop.payments.get(payment_id)
    except NotFound as error:
        raise HTTPException(404) from error
    timeline = await shop.payments.timeline(payment_id)
    drawn = secrets.token_hex(8)
    return page(
        request,
        "staff_payment.html",
        status=422 if is_error else 200,
        payment=payment,
        timeline=timeline,
        operation_id=lambda action: OperationId.of("staff", action, drawn),
        said=said,
        is_error=is_error,
    )


routes = [
    Route("/", payment_list),
    Route("/payments/{payment_id}", payment_page),
    Route("/payments/{payment_id}", change, methods=["POST"]),
]
