"""The merchants' HTTP interface: who may call, in which version, with which body."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Final, Literal

from prenopay.testing.emulators.jsonvalues import JsonObject, as_object
from prenopay.testing.emulators.swedbankpay import request_shapes
from prenopay.testing.emulators.swedbankpay.behaviour import DeclineChannel, DuplicateAnswer, MissingVersion
from prenopay.testing.emulators.swedbankpay.calls import ORDERS_PATH, PAYERS_PATH, member
from prenopay.testing.emulators.swedbankpay.charging import ChargeSide
from prenopay.testing.emulators.swedbankpay.documents import (
    View,
    node_document,
    order_document,
    transaction_document,
    transaction_items_document,
)
from prenopay.testing.emulators.swedbankpay.fields import Check
from prenopay.testing.emulators.swedbankpay.formats import trace_of
from prenopay.testing.emulators.swedbankpay.hosts import Hosts
from prenopay.testing.emulators.swedbankpay.merchant_side import MerchantSide
from prenopay.testing.emulators.swedbankpay.merchants import Merchant
from prenopay.testing.emulators.swedbankpay.nodes import Node, find_node
from prenopay.testing.emulators.swedbankpay.orders import PaymentOrder
from prenopay.testing.emulators.swedbankpay.problems import (
    FieldProblem,
    Refusal,
    forbidden,
    input_error,
    not_found,
    problem,
)
from prenopay.testing.emulators.swedbankpay.register import Register, UsedReference
from prenopay.testing.emulators.swedbankpay.request_bodies import json_body, refuse
from prenopay.testing.emulators.swedbankpay.token_api import TOKEN_PATHS, TokenApi
from prenopay.testing.emulators.swedbankpay.tokens import CHARGES
from prenopay.testing.http import EmulatorAnswer, EmulatorRequest, json_answer

__all__ = ["Api"]

_VERSIONS: Final = ("3.1", "3.0", "2.0")
_REFERENCE: Final = "PaymentOrder.PayeeInfo.PayeeReference"
_VERSION: Final = re.compile(r"application/json\s*;[^,]*?\bversion\s*=\s*\"?([0-9.]+)")


class Api:
    """Answers merchants' calls."""

    def __init__(self, register: Register, hosts: Hosts) -> None:
        """Answer from ``register``."""
        self._register = register
        self._hosts = hosts
        self._side = MerchantSide(register)
        self.charges: ChargeSide = ChargeSide(register)
        self._tokens = TokenApi(register, hosts)
        self._problems = 0

    def answer(self, request: EmulatorRequest) -> EmulatorAnswer:
        """Answer one call."""
        try:
            merchant = self._merchant(request)
            if request.path.lower().startswith(PAYERS_PATH):
                return self._tokens.payers(request, merchant)
            version = self._version(request)
            return _in_version(self._route(request, merchant, version), version)
        except Refusal as refusal:
            return self._problem(refusal)

    def _route(self, request: EmulatorRequest, merchant: Merchant, version: str) -> EmulatorAnswer:
        if not request.path.startswith(ORDERS_PATH):
            raise not_found(what=request.path)
        match request.method, request.path.removeprefix(ORDERS_PATH).strip("/").split("/"):
            case "POST", [""]:
                return self._create(request, merchant, version)
            case _, [first, name] if first.lower() in TOKEN_PATHS:
                return self._tokens.paymentorders(request, merchant, first.lower(), name)
            case "GET", [guid]:
                order = self._order(guid, merchant)
                return json_answer(200, order_document(order, self._view(request, version)))
            case "GET", [guid, name]:
                order, node = self._order(guid, merchant), find_node(name)
                if node is None:
                    raise not_found(what=request.path)
                return json_answer(200, node_document(order, node, self._view(request, version)))
            case "GET", [guid, "financialtransactions", transaction_id, "orderitems"]:
                return self._transaction_items(request, self._order(guid, merchant), transaction_id, version)
            case "PATCH", [guid]:
                return self._patch(request, self._order(guid, merchant), version)
            case "POST", [guid, "captures" | "cancellations" | "reversals" as ending]:
                return self._post_purchase(request, self._order(guid, merchant), ending, version)
            case _:
                raise not_found(what=f"{request.method} {request.path}")

    # The calls

    def _create(self, request: EmulatorRequest, merchant: Merchant, version: str) -> EmulatorAnswer:
        body = self._body(request, "paymentorder", beside=("creditcard",))
        operation = str(body.get("operation"))
        self._refuse(request_shapes.create_shape(merchant.reference_format, operation)("PaymentOrder", body))
        if operation in CHARGES:
            self._refuse(request_shapes.between_items(body, path="PaymentOrder"))
        else:
            self._refuse(request_shapes.between_order_fields(body, version=version))
        payee_info = as_object(body["payeeInfo"]) or {}
        if str(payee_info["payeeId"]).lower() != merchant.payee_id.lower():
            raise forbidden(
                FieldProblem("PaymentOrder.PayeeInfo.PayeeId", "The access token belongs to another payee.")
            )
        made_in = "3.0" if version == "2.0" and body.get("productName") else version
        reference = str(payee_info["payeeReference"])
        make = self._charged if operation in CHARGES else self._ordered

        def act() -> EmulatorAnswer:
            return make(merchant, body, made_in, request.header("user-agent"), self._view(request, version))

        duplicate = self._register.behaviour.duplicate_charge if operation in CHARGES else None
        return self._once(request, merchant, reference, _REFERENCE, act, duplicate=duplicate)

    def _ordered(self, merchant: Merchant, body: JsonObject, made_in: str, agent: str, view: View) -> EmulatorAnswer:
        order = self._side.create(merchant, body, version=made_in, user_agent=agent)
        return json_answer(self._register.behaviour.create_status, order_document(order, view))

    def _charged(self, merchant: Merchant, body: JsonObject, made_in: str, agent: str, view: View) -> EmulatorAnswer:
        order, channel = self.charges.charge(merchant, body, version=made_in, user_agent=agent)
        if order.failure is not None and channel is DeclineChannel.PROBLEM:
            return self._problem(Refusal(order.failure, status=_whole(order.failure, "status")))
        return json_answer(self._register.behaviour.create_status, order_document(order, view))

    def _patch(self, request: EmulatorRequest, order: PaymentOrder, version: str) -> EmulatorAnswer:
        body = self._body(request, "paymentorder")
        match body.get("operation"):
            case "UpdateOrder":
                self._refuse(request_shapes.UPDATE("PaymentOrder", body))
                self._refuse(request_shapes.between_items(body, path="PaymentOrder"))
                self._side.update(order, body)
            case "Abort":
                self._refuse(request_shapes.ABORT("PaymentOrder", body))
                self._side.abort(order, body)
            case "PaymentAttemptAborted":
                self._refuse(request_shapes.ABORT_ATTEMPT("PaymentOrder", body))
                self._side.abort_attempt(order)
            case "SetInstrument":
                self._refuse(request_shapes.SET_INSTRUMENT("PaymentOrder", body))
                self._side.set_instrument(order, body)
            case operation:
                raise input_error(FieldProblem("PaymentOrder.Operation", f"This emulator knows no {operation!r}."))
        return json_answer(200, order_document(order, self._view(request, version)))

    def _post_purchase(
        self,
        request: EmulatorRequest,
        order: PaymentOrder,
        ending: str,
        version: str,
    ) -> EmulatorAnswer:
        body, merchant, view = self._body(request, "transaction"), order.merchant, self._view(request, version)
        self._refuse(_shape_of(ending, merchant)("Transaction", body))
        if ending != "cancellations":
            self._refuse(request_shapes.between_items(body, path="Transaction"))

        def act() -> EmulatorAnswer:
            done = True
            match ending:
                case "captures":
                    self._side.capture(order, body)
                case "cancellations":
                    self._side.cancel(order, body)
                case _:
                    done = self._side.reverse(order, body)
            return json_answer(200 if done else 202, self._moved(order, view, ending, done=done))

        return self._once(request, merchant, str(body["payeeReference"]), "Transaction.PayeeReference", act)

    def _moved(self, order: PaymentOrder, view: View, ending: str, *, done: bool) -> JsonObject:
        purchase = order.purchase
        if view.version != "3.1" and done and purchase is not None:
            return transaction_document(order, purchase, order.transactions[-1])
        lags = view.behaviour.swish_reversal_lags and ending == "reversals"
        is_swish = purchase is not None and purchase.attempt.instrument.name == "Swish"
        return order_document(order, dataclasses.replace(view, hides_remaining_reversal=lags and is_swish))

    def _transaction_items(
        self,
        request: EmulatorRequest,
        order: PaymentOrder,
        transaction_id: str,
        version: str,
    ) -> EmulatorAnswer:
        transaction = next((entry for entry in order.transactions if entry.id == transaction_id), None)
        if transaction is None:
            raise not_found(what=request.path)
        return json_answer(200, transaction_items_document(order, transaction, self._view(request, version)))

    def _once(
        self,
        request: EmulatorRequest,
        merchant: Merchant,
        reference: str,
        field: str,
        act: Callable[[], EmulatorAnswer],
        *,
        duplicate: DuplicateAnswer | Literal["accept"] | None = None,
    ) -> EmulatorAnswer:
        """Act, unless the payee has used ``reference`` for anything before."""
        duplicate = duplicate or self._register.behaviour.duplicate_reference
        key, fingerprint = (merchant.payee_id, reference), _fingerprint(request)
        used = self._register.references.get(key)
        if used is None or duplicate == "accept":
            answer = act()
            self._register.references[key] = UsedReference(fingerprint=fingerprint, answer=answer)
            return answer
        taken = FieldProblem(field, f"{reference} has been used already.")
        match duplicate:
            case DuplicateAnswer.REPLAY if used.fingerprint == fingerprint:
                return used.answer
            case DuplicateAnswer.INPUT_ERROR:
                raise input_error(taken)
            case DuplicateAnswer.FORBIDDEN:
                raise forbidden(taken)
            case _:
                detail = "The reference must be unique; see problems."
                body = problem("conflict", status=409, title="Conflict", detail=detail, problems=[taken])
                raise Refusal(body, status=409)

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
        header = "accept" if request.method == "GET" else "content-type"
        found = _VERSION.search(request.header(header).lower())
        if found is None and self._register.behaviour.missing_version is MissingVersion.SERVE_V2:
            return "2.0"
        if found is None or found[1] not in _VERSIONS:
            why = "The header must be application/json;version=3.1: without a version the oldest API would answer."
            raise input_error(FieldProblem(header.title(), why))
        return found[1]

    def _body(self, request: EmulatorRequest, name: str, *, beside: tuple[str, ...] = ()) -> JsonObject:
        body, known = json_body(request), {name, *beside}
        self._refuse(
            FieldProblem(key, f"There is no field {key!r} here.", is_unknown_member=True)
            for key in body
            if key.lower() not in known
        )
        return member(body, name)

    def _refuse(self, problems: Iterable[FieldProblem]) -> None:
        refuse(problems, strict=self._register.behaviour.refuse_unknown_members)

    def _order(self, guid: str, merchant: Merchant) -> PaymentOrder:
        order = self._register.orders.get(f"{ORDERS_PATH}/{guid.lower()}")
        if order is None or order.merchant.payee_id != merchant.payee_id:
            raise not_found(what="such payment order")
        return order

    # What every answer has

    def _view(self, request: EmulatorRequest, version: str) -> View:
        api_origin, page_origin = self._hosts.origins(request, self._register.behaviour.brand)
        return View(
            version=version,
            behaviour=self._register.behaviour,
            api_origin=api_origin,
            page_origin=page_origin,
            expand=frozenset(self._expanded(request)),
        )

    def _expanded(self, request: EmulatorRequest) -> Iterable[Node]:
        for name in filter(None, request.query.get("$expand", "").split(",")):
            node = find_node(name.strip())
            if node is not None:
                yield node
            elif name.strip().lower() != "settings" and self._register.behaviour.refuse_unknown_members:
                raise input_error(FieldProblem("$expand", f"There is no part {name!r} to expand."))

    def _problem(self, refusal: Refusal) -> EmulatorAnswer:
        if not refusal.body:
            return EmulatorAnswer(status=refusal.status)
        self._problems += 1
        trace = trace_of(f"problem {self._problems}")
        instance = f"https://api.payex.com/psp/probleminstance/00-{trace}-{trace[:16]}-01"
        body = {**refusal.body, "instance": instance}
        return json_answer(refusal.status, body, media_type="application/problem+json; charset=utf-8")


def _shape_of(ending: str, merchant: Merchant) -> Check:
    if ending == "cancellations":
        return request_shapes.cancel_shape(merchant.reference_format)
    return request_shapes.money_back_or_taken_shape(merchant.reference_format)


def _fingerprint(request: EmulatorRequest) -> str:
    return hashlib.sha256(f"{request.method} {request.path}\n".encode() + request.body).hexdigest()


def _in_version(answer: EmulatorAnswer, version: str) -> EmulatorAnswer:
    if answer.status >= HTTPStatus.BAD_REQUEST:
        return answer
    return dataclasses.replace(
        answer,
        headers=(
            ("content-type", f"application/json; charset=utf-8; version={version}"),
            ("api-supported-versions", "/".join(_VERSIONS)),
        ),
    )


def _whole(body: JsonObject, name: str) -> int:
    value = body.get(name)
    return value if isinstance(value, int) else 0
