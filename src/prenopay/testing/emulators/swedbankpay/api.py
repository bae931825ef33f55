"""The merchants' HTTP interface: who may call, in which version, with which body; and what that does to an order."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Final, Literal

from prenopay.testing.emulators.fields import Table
from prenopay.testing.emulators.gateway import Used
from prenopay.testing.emulators.leniency import Leniency
from prenopay.testing.emulators.swedbankpay.behaviour import DeclineChannel, DuplicateAnswer
from prenopay.testing.emulators.swedbankpay.cards import Instrument, acquirer_says_no, swish_problem
from prenopay.testing.emulators.swedbankpay.documents import (
    Hosts,
    Node,
    View,
    find_node,
    node_document,
    notify,
    order_document,
    trace_of,
    transaction_document,
    transaction_items_document,
)
from prenopay.testing.emulators.swedbankpay.orders import (
    CHARGES,
    FailedOperation,
    Merchant,
    PaymentOrder,
    Purchase,
    Status,
    TokenKind,
    TransactionKind,
    TransactionRecord,
    items_of,
    number_in,
)
from prenopay.testing.emulators.swedbankpay.payer import charge, end_attempts
from prenopay.testing.emulators.swedbankpay.problems import (
    FieldProblem,
    Refusal,
    forbidden,
    input_error,
    no_agreement,
    not_found,
    problem,
)
from prenopay.testing.emulators.swedbankpay.register import PAGE_PATH, Register
from prenopay.testing.emulators.swedbankpay.requests import (
    PATCHES,
    accepted,
    between_items,
    between_order_fields,
    create_table,
    json_body,
    part_of,
    post_purchase_table,
    reachable,
    refuse,
)
from prenopay.testing.emulators.swedbankpay.tokens import PAYERS_PATH, TOKEN_PATHS, TokenApi, usable_token
from prenopay.testing.http import EmulatorAnswer, EmulatorRequest, JsonObject, as_object, json_answer

_ORDERS_PATH: Final = "/psp/paymentorders"
_VERSIONS: Final = ("3.1", "3.0", "2.0")
_VERSION: Final = re.compile(r"application/json\s*;[^,]*?\bversion\s*=\s*\"?([0-9.]+)")
_KINDS: Final = {
    "captures": TransactionKind.CAPTURE,
    "cancellations": TransactionKind.CANCELLATION,
    "reversals": TransactionKind.REVERSAL,
}
_VERBS: Final[dict[TransactionKind, tuple[Literal["capture", "cancel", "reversal"], str]]] = {
    TransactionKind.CAPTURE: ("capture", "Captured"),
    TransactionKind.CANCELLATION: ("cancel", "Cancelled"),
    TransactionKind.REVERSAL: ("reversal", "Reversed"),
}
"""What each movement is called: in faults, transcripts and switches, and in history."""
_PATCHED: Final = {
    "UpdateOrder": "update",
    "Abort": "abort",
    "PaymentAttemptAborted": "abort-attempt",
    "SetInstrument": "set-instrument",
}
CALLS: Final = (
    *("create", "charge", "get", "get-node", "capture", "cancel", "reversal"),
    *(*_PATCHED.values(), "patch"),
    *("get-tokens", "get-token", "delete-tokens", "delete-token", "rename-token", "page", "unknown"),
)
"""What ``describe_call`` calls them."""
_FAILURES_MOST: Final = 5
"""This many failed captures, or reversals, in a row lock the order until support opens it."""
_SWISH_REVERSIBLE: Final = timedelta(days=396)
"""Thirteen months: after that Swish gives nothing back."""


def describe_call(request: EmulatorRequest) -> tuple[str, str]:
    """Return the call's name ("create", "charge", "get", "capture" …) and the ``payeeReference`` in its body."""
    if request.path.lower().startswith(PAYERS_PATH):
        parts = [part.lower() for part in request.path[len(PAYERS_PATH) :].split("/") if part]
        noun = "token" if parts[:1] == ["tokens"] else "tokens"
        if request.method == "GET":
            return f"get-{noun}", ""
        return "rename-token" if parts[-1:] == ["displaynames"] else f"delete-{noun}", ""  # archiving is deleting
    if not request.path.startswith(_ORDERS_PATH):
        return "page" if request.path.startswith(PAGE_PATH) else "unknown", ""
    body = request.json()
    order, transaction = part_of(body, "paymentorder"), part_of(body, "transaction")
    match request.method, request.path.removeprefix(_ORDERS_PATH).strip("/").split("/"):
        case "POST", [""]:
            name = "charge" if str(order.get("operation")) in CHARGES else "create"
            return name, str((as_object(order.get("payeeInfo")) or {}).get("payeeReference", ""))
        case "POST", [_, ending] if ending in _KINDS:
            return _VERBS[_KINDS[ending]][0], str(transaction.get("payeeReference", ""))
        case "GET" | "PATCH" as method, [first, _] if first.lower().endswith("tokens"):
            verb, noun = "get" if method == "GET" else "delete", "token"
            return f"{verb}-{noun}{'s' if first.lower().startswith('payerowned') else ''}", ""
        case "PATCH", [_]:
            return _PATCHED.get(str(order.get("operation")), "patch"), ""
        case "GET", [_, *rest]:
            return "get-node" if rest else "get", ""
        case _:
            return "unknown", ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """One post-purchase operation that a merchant wants."""

    order: PaymentOrder
    purchase: Purchase
    kind: TransactionKind
    body: JsonObject

    @property
    def amount(self) -> int:
        return number_in(self.body, "amount")

    @property
    def instrument(self) -> Instrument:
        return self.purchase.attempt.instrument

    @property
    def history(self) -> str:
        whole = self.order.captured if self.kind is TransactionKind.REVERSAL else self.order.authorized
        return f"Payment{'Partially' if self.amount < whole else ''}{_VERBS[self.kind][1]}"


class Api:
    """Answers merchants' calls."""

    def __init__(self, register: Register, hosts: Hosts) -> None:
        """Answer from ``register``."""
        self._register = register
        self._hosts = hosts
        self._tokens = TokenApi(register, hosts)
        self._problems = 0

    def answer(self, request: EmulatorRequest) -> EmulatorAnswer:
        """Answer one call."""
        try:
            merchant = self._merchant(request)
            if request.path.lower().startswith(PAYERS_PATH):
                return self._tokens.payers(request, merchant)
            version = self._version(request)
            answer = self._route(request, merchant, self._view(request, version))
        except Refusal as refusal:
            return self._problem(refusal)
        if answer.status >= HTTPStatus.BAD_REQUEST:
            return answer
        media_type = f"application/json; charset=utf-8; version={version}"
        headers = (("content-type", media_type), ("api-supported-versions", "/".join(_VERSIONS)))
        return dataclasses.replace(answer, headers=headers)

    def _route(self, request: EmulatorRequest, merchant: Merchant, view: View) -> EmulatorAnswer:
        if not request.path.startswith(_ORDERS_PATH):
            raise not_found(what=request.path)
        match request.method, request.path.removeprefix(_ORDERS_PATH).strip("/").split("/"):
            case "POST", [""]:
                return self._create(request, merchant, view)
            case _, [first, name] if first.lower() in TOKEN_PATHS:
                return self._tokens.paymentorders(request, merchant, first.lower(), name)
            case "GET", [guid]:
                return json_answer(200, order_document(self._order(guid, merchant), view))
            case "GET", [guid, name] if name.lower() == "clientinfo":
                return json_answer(200, {"clientInfo": self._order(guid, merchant).part("clientInfo")})
            case "GET", [guid, name]:
                order, node = self._order(guid, merchant), find_node(name)
                if node is None:
                    raise not_found(what=request.path)
                return json_answer(200, node_document(order, node, view))
            case "GET", [guid, "financialtransactions", name, "orderitems"]:
                order = self._order(guid, merchant)
                transaction = next((entry for entry in order.transactions if entry.id == name), None)
                if transaction is None:
                    raise not_found(what=request.path)
                return json_answer(200, transaction_items_document(order, transaction, view))
            case "PATCH", [guid]:
                order = self._order(guid, merchant)
                self._patch(order, self._body(request, "paymentorder"))
                return json_answer(200, order_document(order, view))
            case "POST", [guid, ending] if ending in _KINDS:
                return self._move_money(request, self._order(guid, merchant), ending, view)
            case _:
                raise not_found(what=f"{request.method} {request.path}")

    # Create

    def _create(self, request: EmulatorRequest, merchant: Merchant, view: View) -> EmulatorAnswer:
        body, behaviour = self._body(request, "paymentorder", "creditcard"), view.behaviour
        operation, agent = str(body.get("operation")), request.header("user-agent")
        is_charge = operation in CHARGES
        body = self._accepted(create_table(merchant.reference_format, operation), body, "PaymentOrder")
        refuse(between_order_fields(body, version=view.version))
        refuse(reachable(body, behaviour.callback_addresses))
        payee_info = as_object(body["payeeInfo"]) or {}
        if str(payee_info["payeeId"]).lower() != merchant.payee_id.lower():
            raise forbidden(name="PaymentOrder.PayeeInfo.PayeeId", why="The access token belongs to another payee.")
        made_in = "3.0" if view.version == "2.0" and body.get("productName") else view.version

        def act() -> EmulatorAnswer:
            channel = None
            if is_charge:
                order, channel = charge(self._register, merchant, body, version=made_in, user_agent=agent)
            else:
                order = self._new_order(merchant, body, version=made_in, user_agent=agent)
            if order.failure is not None and channel is DeclineChannel.PROBLEM:
                return self._problem(Refusal(order.failure))
            return json_answer(behaviour.create_status, order_document(order, view))

        duplicate = behaviour.duplicate_charge if is_charge else None
        key = (merchant.payee_id, str(payee_info["payeeReference"]))
        again = self._again(key[1], "PaymentOrder.PayeeInfo.PayeeReference", duplicate)
        return self._register.once(key, request, act, again)

    def _new_order(self, merchant: Merchant, request: JsonObject, *, version: str, user_agent: str) -> PaymentOrder:
        """Make a payment order that is open for the payer."""
        order = self._register.new_order(merchant, request, version=version, user_agent=user_agent)
        if order.is_typed_by_staff and not merchant.has_moto:
            raise no_agreement(why="The agreement does not let staff type cards.")
        if order.text("paymentToken"):
            usable_token(self._register, merchant, request, TokenKind.PAYMENT)
        if not order.menu:
            raise _no_such_instrument(field="Instrument" if order.instrument_mode else "RestrictedToInstruments")
        self._register.orders[order.id] = order
        self._register.note(order, "PaymentCreated", "Payee")
        if order.instrument_mode:
            self._register.note(order, "PaymentInstrumentSet", "Payee", instrument=order.text("instrument"))
        return order

    def _again(
        self, reference: str, field: str, duplicate: DuplicateAnswer | Literal["accept"] | None = None
    ) -> Callable[[Used, bool], EmulatorAnswer | None]:
        """Return how a payee is answered who used ``reference`` before."""
        manner = duplicate or self._register.behaviour.duplicate_reference

        def again(used: Used, is_same: bool) -> EmulatorAnswer | None:  # noqa: FBT001 - read in place
            taken = f"{reference} has been used already."
            match manner:
                case "accept":
                    return None
                case DuplicateAnswer.REPLAY if is_same:
                    return used.answer
                case DuplicateAnswer.INPUT_ERROR:
                    raise input_error(FieldProblem(field, taken))
                case DuplicateAnswer.FORBIDDEN:
                    raise forbidden(name=field, why=taken)
                case _:
                    detail, named = "The reference must be unique; see problems.", [FieldProblem(field, taken)]
                    raise Refusal(problem("conflict", status=409, title="Conflict", detail=detail, problems=named))

        return again

    # Before payment

    def _patch(self, order: PaymentOrder, body: JsonObject) -> None:
        operation = str(body.get("operation"))
        if operation not in PATCHES:
            raise input_error(FieldProblem("PaymentOrder.Operation", f"This emulator knows no {operation!r}."))
        body = self._accepted(PATCHES[operation], body, "PaymentOrder")
        if operation == "UpdateOrder":
            refuse(between_items(body, path="PaymentOrder"))
        if order.is_charge:
            raise forbidden(name=operation, why="A charge cannot be stopped.")
        if order.status is not Status.INITIALIZED:
            raise forbidden(name=operation, why=f"The order is {order.status}.")
        match operation:
            case "UpdateOrder":
                self._update(order, body)
            case "Abort":
                if order.is_in_app:
                    raise forbidden(name=operation, why="The payer is in the payment app right now.")
                end_attempts(self._register, order)
                order.abort_reason = str(body["abortReason"])
                order.updated = self._register.now()
            case "PaymentAttemptAborted":
                for attempt in end_attempts(self._register, order):
                    name, number = attempt.instrument.name, attempt.number
                    self._register.note(order, operation, "Payee", instrument=name, number=number, amount=order.amount)
            case _:
                if not order.instrument_mode:
                    raise forbidden(name=operation, why="The order is not in instrument mode.")
                instrument = str(body["instrument"])
                if not order.offers([instrument]):
                    raise _no_such_instrument(field="Instrument")
                order.request["instrument"] = instrument
                self._register.note(order, "PaymentInstrumentSet", "Payee", instrument=instrument)

    def _update(self, order: PaymentOrder, body: JsonObject) -> None:
        """Change amount and lines of an open order."""
        if order.is_verification:
            raise forbidden(name="UpdateOrder", why="Verify has no amount.")
        if order.open_attempts:
            raise forbidden(name="UpdateOrder", why="The payer is paying right now.")
        if order.items and not body.get("orderItems"):
            why = "The order has items, so they must be sent again."
            raise input_error(FieldProblem("PaymentOrder.OrderItems", why))
        changed = ("amount", "vatAmount", "description", "orderItems")
        order.request.update({name: body[name] for name in changed if body.get(name) is not None})
        order.updated = self._register.now()

    # After payment

    def _move_money(self, request: EmulatorRequest, order: PaymentOrder, ending: str, view: View) -> EmulatorAnswer:
        body, kind = self._body(request, "transaction"), _KINDS[ending]
        body = self._accepted(post_purchase_table(order.merchant.reference_format, ending), body, "Transaction")
        if kind is not TransactionKind.CANCELLATION:
            refuse(between_items(body, path="Transaction"))

        def act() -> EmulatorAnswer:
            done = self._change(order, kind, body)
            return json_answer(200 if done else 202, self._moved(order, kind, view, done=done))

        reference = str(body["payeeReference"])
        again = self._again(reference, "Transaction.PayeeReference")
        return self._register.once((order.merchant.payee_id, reference), request, act, again)

    def _moved(self, order: PaymentOrder, kind: TransactionKind, view: View, *, done: bool) -> JsonObject:
        purchase, lags = order.purchase, view.behaviour.swish_reversal_lags and kind is TransactionKind.REVERSAL
        if view.version != "3.1" and done and purchase is not None:
            return transaction_document(order, purchase, order.transactions[-1])
        is_swish = purchase is not None and purchase.attempt.instrument.name == "Swish"
        return order_document(order, dataclasses.replace(view, hides_remaining_reversal=lags and is_swish))

    def _change(self, order: PaymentOrder, kind: TransactionKind, body: JsonObject) -> bool:
        """Take, release or give back money; returns whether that is done, or still to come."""
        if order.purchase is None:
            raise forbidden(name=kind, why=f"The order is {order.status}.")
        if order.is_verification:
            raise forbidden(name=kind, why="Nothing was bought: there is nothing to move.")
        if order.is_locked:
            raise forbidden(name=kind, why="The order is locked after too many failures; support can open it.")
        if order.has_pending_reversal:
            raise forbidden(name=kind, why="A reversal is still going on.")
        if kind is TransactionKind.CANCELLATION:  # releases all that is left
            left = order.remaining_capture
            body = {**body, "amount": left, "vatAmount": order.vat_amount * left // max(order.authorized, 1)}
        change = _Change(order=order, purchase=order.purchase, kind=kind, body=body)
        self._check_items(change)
        self._allow(change)
        asynchronous = self._register.behaviour.asynchronous_reversal
        if asynchronous is None or kind is not TransactionKind.REVERSAL:
            self._move(change)
            return True
        order.has_pending_reversal, succeeds = True, asynchronous.succeeds
        self._register.later(asynchronous.after, lambda: self._finish_reversal(change, succeeds=succeeds))
        return False

    def _check_items(self, change: _Change) -> None:
        """Refuse items that the order never had (docs: order-items), and missing ones where they are required."""
        sent, had, kind = change.body.get("orderItems"), change.order.items, change.kind
        why = ""
        if kind is TransactionKind.CAPTURE and sent and not had:
            why = "The order was made without items, so a capture cannot have any."
        elif kind is not TransactionKind.CANCELLATION and had and not sent:
            why = "The order has items, so they must be sent here, too." * self._register.behaviour.items_are_required
        if why:
            raise input_error(FieldProblem("Transaction.OrderItems", why))

    def _allow(self, change: _Change) -> None:
        """Refuse ``change``, and record the failure, unless the order's sums and the acquirer allow it."""
        order, kind = change.order, change.kind
        age = self._register.now() - change.purchase.transaction.created
        is_reversal = kind is TransactionKind.REVERSAL
        if kind is TransactionKind.CANCELLATION and not change.amount:
            refusal = forbidden(name=kind, why="Nothing is left to cancel.")
        elif change.amount > (order.remaining_reversal if is_reversal else order.remaining_capture):
            refusal = forbidden(name=kind, why=f"{kind} amount too high.")
        elif _VERBS[kind][0] in self._register.behaviour.declined_operations:
            refusal = Refusal(acquirer_says_no(change.instrument.problem_prefix), status=403)
        elif is_reversal and change.instrument.name == "Swish" and age > _SWISH_REVERSIBLE:
            refusal = Refusal(swish_problem("swishdeclined", "The payment is too old to be given back."))
        else:
            return
        self._note_failure(change, refusal.body)
        raise refusal

    def _finish_reversal(self, change: _Change, *, succeeds: bool) -> None:
        change.order.has_pending_reversal = False
        if succeeds:
            number = self._move(change)
        else:
            number = self._note_failure(change, acquirer_says_no(change.instrument.problem_prefix))
        if not (succeeds and self._register.behaviour.post_purchase_callbacks):
            notify(self._register, change.order, change.instrument, number)

    def _move(self, change: _Change) -> int:
        order, body, name = change.order, change.body, change.history
        transaction = TransactionRecord(
            id=self._register.new_guid(),
            kind=change.kind,
            number=self._register.new_number(),
            amount=change.amount,
            vat_amount=number_in(body, "vatAmount"),
            created=self._register.now(),
            description=str(body["description"]),
            payee_reference=str(body["payeeReference"]),
            receipt_reference=str(body.get("receiptReference") or ""),
            items=tuple(items_of(body)),
        )
        order.transactions.append(transaction)
        order.failures_in_a_row[change.kind] = 0
        self._note(change, name, transaction.number)
        if self._register.behaviour.post_purchase_callbacks:
            notify(self._register, order, change.instrument, transaction.number)
        return transaction.number

    def _note_failure(self, change: _Change, problem: JsonObject) -> int:
        order, kind, number = change.order, change.kind, self._register.new_number()
        failed = FailedOperation(created=self._register.now(), kind=kind, number=number, problem=problem)
        order.failed_operations.append(failed)
        self._note(change, f"{change.history}Failed", number)
        failures = order.failures_in_a_row[kind] = order.failures_in_a_row.get(kind, 0) + 1
        if kind is not TransactionKind.CANCELLATION and failures >= _FAILURES_MOST:
            order.is_locked = True
        return number

    def _note(self, change: _Change, name: str, number: int) -> None:
        instrument, amount = change.instrument.name, change.amount
        self._register.note(change.order, name, "Payee", instrument=instrument, number=number, amount=amount)

    # What every call must bring

    def _merchant(self, request: EmulatorRequest) -> Merchant:
        scheme, _, token = request.header("authorization").partition(" ")
        merchant = self._register.merchants.get(token.strip()) if scheme.lower() == "bearer" else None
        if merchant is None:
            detail = "A valid bearer token is needed."
            explained = problem("unauthorized", status=401, title="Unauthorized", detail=detail)
            raise Refusal(explained if self._register.behaviour.unauthorized_body else {}, status=401)
        return merchant

    def _version(self, request: EmulatorRequest) -> str:
        header, takes = "accept" if request.method == "GET" else "content-type", self._register.behaviour.takes
        found = _VERSION.search(request.header(header).lower())
        if found is None and Leniency.VERSION_IN_CONTENT_TYPE in takes:
            found = _VERSION.search(request.header("content-type").lower())
        if found is None and Leniency.NO_VERSION in takes:
            return "2.0"
        if found is None or found[1] not in _VERSIONS:
            why = "The header must be application/json;version=3.1: without a version the oldest API would answer."
            raise input_error(FieldProblem(header.title(), why))
        return found[1]

    def _body(self, request: EmulatorRequest, *names: str) -> JsonObject:
        """Return the object under the first of ``names``; refuse members with any other name."""
        body = json_body(request)
        unknown = [key for key in body if key.lower() not in names]
        if unknown and Leniency.UNKNOWN_MEMBERS not in self._register.behaviour.takes:
            raise input_error(*(FieldProblem(key, f"There is no field {key!r} here.") for key in unknown))
        return part_of(body, names[0])

    def _accepted(self, table: Table, body: JsonObject, path: str) -> JsonObject:
        return accepted(table, body, self._register.behaviour.takes, path=path)

    def _order(self, guid: str, merchant: Merchant) -> PaymentOrder:
        order = self._register.orders.get(f"{_ORDERS_PATH}/{guid.lower()}")
        if order is None or order.merchant.payee_id != merchant.payee_id:
            raise not_found(what="such payment order")
        return order

    # What every answer has

    def _view(self, request: EmulatorRequest, version: str) -> View:
        behaviour = self._register.behaviour
        api, page = self._hosts.origins(request, behaviour.brand)
        expand = frozenset(self._expanded(request))
        return View(version=version, behaviour=behaviour, api_origin=api, page_origin=page, expand=expand)

    def _expanded(self, request: EmulatorRequest) -> Iterable[Node]:
        for name in filter(None, request.query.get("$expand", "").split(",")):
            node = find_node(name.strip())
            if node is not None:
                yield node
            elif name.strip().lower() != "settings" and Leniency.UNKNOWN_MEMBERS not in self._register.behaviour.takes:
                raise input_error(FieldProblem("$expand", f"There is no part {name!r} to expand."))

    def _problem(self, refusal: Refusal) -> EmulatorAnswer:
        if not refusal.body:
            return EmulatorAnswer(status=refusal.status)
        self._problems += 1
        trace = trace_of(f"problem {self._problems}")
        instance = f"https://api.payex.com/psp/probleminstance/00-{trace}-{trace[:16]}-01"
        body = {**refusal.body, "instance": instance}
        return json_answer(refusal.status, body, media_type="application/problem+json; charset=utf-8")


def _no_such_instrument(*, field: str) -> Refusal:
    return input_error(FieldProblem(f"PaymentOrder.{field}", "The agreement has no such instrument in this currency."))
