"""The staff's pages: payments, the timeline of each, and capture, cancel and refund."""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from examples.publisher_shop import door, readers
from examples.publisher_shop.orders import is_given_back
from examples.publisher_shop.pages import page
from examples.publisher_shop.sessions import TRIES_SECONDS
from examples.publisher_shop.shop import Shop
from prenopay import Action, Money, Operation, OperationId, Outcome, Payment, TimelineEntry
from prenopay.errors import Conflict, IdReused, NotFound, PrenopayError, TransportError

PAGE_LENGTH: Final = 25
TOO_MANY: Final = 429
ASKS_FIRST: Final = frozenset({Action.CANCEL, Action.REFUND})
"""Nobody can undo these."""
STILL_OPEN: Final = frozenset({Outcome.PENDING, Outcome.UNKNOWN})

log = logging.getLogger("shop")


async def login_page(request: Request) -> Response:
    """Ask for the staff's password."""
    return _login_form(request)


async def log_in(request: Request) -> Response:
    """Let in anyone who knows the password, and look at no more than a few guesses."""
    form = await request.form()
    if not await door.may_try(request):
        return _login_form(request, wrong="password_later", status=TOO_MANY)
    inside = await door.log_in(request, str(form.get("password", "")))
    return inside or _login_form(request, wrong="password_wrong", status=422)


async def log_out(request: Request) -> Response:
    """End the session."""
    return await door.log_out(request)


@door.for_staff
async def payment_list(request: Request) -> Response:
    """Show the newest payments of every account."""
    accounts, after = Shop.of(request).accounts, request.query_params.get("after")
    found = [await accounts[name].find(after=after, limit=PAGE_LENGTH) for name in accounts.names]
    newest_first = sorted(chain(*found), key=lambda each: (each.created_at, each.payment_id), reverse=True)
    payments = newest_first[:PAGE_LENGTH]
    return page(request, "staff_list.html", payments=payments, older=len(payments) == PAGE_LENGTH, state_of=state_of)


@door.for_staff
async def payment_page(request: Request) -> Response:
    """Show one payment, its timeline, and the actions that are possible now."""
    return await _show(request)


@door.for_staff
async def operation_status(request: Request) -> Response:
    """Return the outcome of what was asked for to the page, and whether the page should ask again."""
    operation = await _did(request)
    outcome = Outcome.UNKNOWN if operation is None else operation.outcome
    return JSONResponse(
        {"standing": outcome, "may_change": outcome in STILL_OPEN}, headers={"cache-control": "no-store"}
    )


@door.for_staff
async def change(request: Request) -> Response:
    """Capture, cancel or refund.

    What nobody can undo is asked about once more. The form contains an operation id that was made with the page: a
    form sent twice acts once. The next page reads the outcome from the books, so that a reload shows the latest one.
    """
    shop, payment = Shop.of(request), await _payment(request)
    form = await request.form()
    action, operation_id, typed = (str(form.get(key, "")).strip() for key in ("action", "operation_id", "amount"))
    try:
        amount = _read(typed, payment.amount.currency)
        is_new = await _find_operation(shop, payment.account, operation_id) is None
        if amount is not None and is_new and amount > left(payment, action):
            return await _show(request, refused="too_much", action=action, typed=typed)
        if is_new and "sure" not in form and action in ASKS_FIRST & payment.allowed_actions:
            whole = left(payment, action) if amount is None else amount
            return _are_you_sure(request, payment, action, OperationId(operation_id), whole)
        operation = await _act(shop, payment, action, OperationId(operation_id), amount)
    except (PrenopayError, ValueError) as error:
        log.warning("staff: %s of %s: %s", action, payment.payment_id, error)
        return await _show(request, refused=_why(error), action=action, typed=typed)
    there = f"/staff/payments/{payment.account}/{payment.payment_id}"
    return RedirectResponse(f"{there}?did={operation.operation_id}", status_code=303)


def _are_you_sure(
    request: Request, payment: Payment, action: str, operation_id: OperationId, amount: Money
) -> Response:
    """Ask once more. The form names the amount that the page shows, so that nothing else can be given back."""
    if action == Action.REFUND and amount <= Money.zero(amount.currency):
        message = "an amount is above zero"
        raise ValueError(message)
    return page(request, "staff_sure.html", payment=payment, action=action, operation_id=operation_id, amount=amount)


async def _act(shop: Shop, payment: Payment, action: str, operation_id: OperationId, amount: Money | None) -> Operation:
    payments = shop.payments_of(payment.account)
    match action:
        case Action.CAPTURE:  # only cards have this: Swish takes the money at once
            return await shop.cards.capture(payment.payment_id, amount, operation_id=operation_id)
        case Action.REFUND:
            return await payments.refund(payment.payment_id, amount, operation_id=operation_id)
        case Action.CANCEL:
            return await payments.cancel(payment.payment_id, operation_id=operation_id)
        case _:
            raise HTTPException(400)


def left(payment: Payment, action: str) -> Money:
    """Return how much can still be captured or refunded."""
    if action == Action.CAPTURE:
        return payment.authorized - payment.cancelled - payment.captured
    return payment.captured - payment.refunded


def state_of(payment: Payment) -> str:
    """Return the state in one word: ``refunded`` when all the money went back, which prenopay calls captured."""
    return "refunded" if is_given_back(payment) else payment.state.value


async def _find_operation(shop: Shop, account: str, operation_id: str) -> Operation | None:
    try:
        return await shop.payments_of(account).operation(operation_id)
    except NotFound:
        return None


def _read(typed: str, currency: str) -> Money | None:
    """Read an amount as people write it, such as "1 249,50". An empty text means the whole amount."""
    bare = "".join(typed.split()).replace(",", ".")
    return Money.from_decimal(bare, currency) if bare else None


def _why(error: Exception) -> str:
    """Return the key of the text that explains ``error`` and what to do."""
    match error:
        case IdReused():
            return "form_used"
        case Conflict():
            return "not_now"
        case TransportError():
            return "not_sent"
        case ValueError():  # a number that cannot be read, or an InvalidOrder
            return "amount_wrong"
        case _:
            return "gateway_says_no"


async def _show(request: Request, *, refused: str = "", action: str = "", typed: str = "") -> Response:
    shop, payment = Shop.of(request), await _payment(request)
    timeline = await shop.payments_of(payment.account).timeline(payment.payment_id)
    did, drawn = await _did(request), secrets.token_hex(8)
    return page(
        request,
        "staff_payment.html",
        status=422 if refused else 200,
        payment=payment,
        state_of=state_of,
        timeline=[_step(entry) for entry in timeline],
        did=did,
        may_change=did is not None and did.outcome in STILL_OPEN,
        refused=refused,
        refused_action=action,
        typed=typed,
        left={each: left(payment, each) for each in (Action.CAPTURE, Action.REFUND)},
        operation_id=lambda each: OperationId.of("staff", each, drawn),
        reader=await _reader_of(shop, payment),
    )


async def _reader_of(shop: Shop, payment: Payment) -> str:
    """Return the reader of an order, of a monthly fee or of a change of cards."""
    order = await shop.orders.numbered(payment.order_reference)
    number = readers.NUMBER.match(payment.order_reference)
    return order.reader if order is not None else number[0] if number is not None else ""


async def _payment(request: Request) -> Payment:
    account, payment_id = request.path_params["account"], request.path_params["payment_id"]
    return await Shop.of(request).payments_of(account).get(payment_id)


async def _did(request: Request) -> Operation | None:
    """Return the operation that staff just asked for on this page, as the books have it now."""
    account, payment_id = request.path_params["account"], request.path_params["payment_id"]
    operation = await _find_operation(Shop.of(request), account, request.query_params.get("did", ""))
    return operation if operation is not None and operation.payment_id == payment_id else None


@dataclass(frozen=True, kw_only=True)
class Step:
    """One line of the timeline: ``group`` and ``word`` name what happened, ``outcome`` how it ended.

    ``details`` are pairs of a group and a word, which name a text in the same way.
    """

    at: datetime
    group: str
    word: str
    outcome: str
    amount: Money | None
    details: tuple[tuple[str, str], ...]


def _step(entry: TimelineEntry) -> Step:
    """Split an entry such as ``operation.capture.succeeded`` into words that the texts translate."""
    group, word, outcome, *_ = [*entry.kind.split("."), "", ""]
    before, _, after = entry.text.partition(": ")
    details: tuple[tuple[str, str], ...]
    match group:
        case "attempt":
            details = (("instrument", before), ("decline", after))
        case "observation":
            details = (("source", after),)
        case "operation" if not outcome:
            details = (("id", after),)
        case _:
            details = (("text", entry.text),) if entry.text != outcome else ()
    return Step(at=entry.at, group=group, word=word, outcome=outcome, amount=entry.amount, details=details)


def _login_form(request: Request, *, wrong: str = "", status: int = 200) -> Response:
    shop = Shop.of(request)
    shown = shop.staff_password if shop.is_demo else ""
    form = page(request, "staff_login.html", status=status, wrong=wrong, shown_password=shown)
    if status == TOO_MANY:
        form.headers["retry-after"] = str(TRIES_SECONDS)
    return form


routes = [
    Route("/", payment_list),
    Route("/login", login_page),
    Route("/login", log_in, methods=["POST"]),
    Route("/logout", log_out, methods=["POST"]),
    Route("/payments/{account}/{payment_id}", payment_page),
    Route("/payments/{account}/{payment_id}", change, methods=["POST"]),
    Route("/payments/{account}/{payment_id}/status", operation_status),
]
