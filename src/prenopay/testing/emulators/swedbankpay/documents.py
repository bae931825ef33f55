"""A payment order as it is answered: its members and links, and what can be done with it now, by version."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from prenopay.testing.emulators.jsonvalues import JsonObject
from prenopay.testing.emulators.swedbankpay.behaviour import Behaviour
from prenopay.testing.emulators.swedbankpay.formats import stamp, trace_of
from prenopay.testing.emulators.swedbankpay.nodes import NODES, Node, item_list
from prenopay.testing.emulators.swedbankpay.notices import payment_path
from prenopay.testing.emulators.swedbankpay.orders import PaymentOrder, Purchase, Status, Transaction, TransactionKind

__all__ = ["View", "node_document", "order_document", "transaction_document", "transaction_items_document"]

_V2_STATES: Final = {Status.ABORTED: "Aborted", Status.FAILED: "Failed"}
_V2_RELS: Final = {
    "update-order": "update-paymentorder-updateorder",
    "abort": "update-paymentorder-abort",
    "set-instrument": "update-paymentorder-setinstrument",
    "capture": "create-paymentorder-capture",
    "cancel": "create-paymentorder-cancel",
    "reversal": "create-paymentorder-reversal",
    "redirect-checkout": "redirect-paymentorder",
    "view-checkout": "view-paymentorder",
}
_OLD_NAMES: Final = {
    TransactionKind.CAPTURE: ("capture", "captures"),
    TransactionKind.CANCELLATION: ("cancellation", "cancellations"),
    TransactionKind.REVERSAL: ("reversal", "reversals"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How one answer shows an order: in which version, with which origins in its links, and what expanded."""

    version: str
    behaviour: Behaviour
    api_origin: str
    page_origin: str
    expand: frozenset[Node] = field(default_factory=frozenset[Node])
    hides_remaining_reversal: bool = False


def order_document(order: PaymentOrder, view: View) -> JsonObject:
    """Return the whole order."""
    if view.version == "2.0":
        return {"paymentorder": _v2_members(order), "operations": _operations(order, view)}
    members = _plain_members(order, view) | _remaining(order, view)
    for node in NODES:
        if node.since_3_1 and view.version != "3.1":
            continue
        members[_key(node, view)] = _node(order, node, view, expanded=node in view.expand)
    if view.behaviour.noise:
        members["frobnicator"] = {"id": f"{order.id}/frobnicator", "frobnicatedBy": ["nobody"]}
    return {view.behaviour.order_key: members, "operations": _operations(order, view)}


def node_document(order: PaymentOrder, node: Node, view: View) -> JsonObject:
    """Return one node, as a direct GET shows it."""
    return {view.behaviour.order_key: order.id, _key(node, view): _node(order, node, view, expanded=True)}


def transaction_items_document(order: PaymentOrder, transaction: Transaction, view: View) -> JsonObject:
    """Return the order lines of one movement."""
    here = f"{order.id}/financialtransactions/{transaction.id}/orderitems"
    return {view.behaviour.order_key: order.id, "orderItems": {"id": here, **item_list(order, transaction.items)}}


def transaction_document(order: PaymentOrder, purchase: Purchase, transaction: Transaction) -> JsonObject:
    """Return what a post-purchase operation answered before version 3.1."""
    payment = payment_path(order, purchase.attempt.instrument)
    name, plural = _OLD_NAMES[transaction.kind]
    members: JsonObject = {
        "id": f"{payment}/transactions/{transaction.id}",
        "created": stamp(transaction.created),
        "updated": stamp(transaction.created),
        "type": transaction.kind,
        "state": "Completed",
        "number": transaction.number,
        "amount": transaction.amount,
        "vatAmount": transaction.vat_amount,
        "description": transaction.description,
        "payeeReference": transaction.payee_reference,
    }
    if transaction.receipt_reference:
        members["receiptReference"] = transaction.receipt_reference
    return {"payment": payment, name: {"id": f"{payment}/{plural}/{transaction.id}", "transaction": members}}


def _plain_members(order: PaymentOrder, view: View) -> JsonObject:
    status: str = order.status
    if status == Status.REVERSED and view.version != "3.1":
        status = Status.PAID
    available = [instrument.name for instrument in order.merchant_menu]
    members: JsonObject = {
        "id": order.id,
        "created": stamp(order.created),
        "updated": stamp(order.updated),
        "operation": order.text("operation"),
        "status": view.behaviour.unknown_status or status,
        "currency": order.text("currency"),
        "amount": order.amount,
        "vatAmount": order.vat_amount,
        "description": order.text("description"),
        "initiatingSystemUserAgent": order.user_agent,
        "language": order.text("language"),
        "availableInstruments": available,
        "viewableInstruments": [instrument.name for instrument in order.menu],
        "implementation": "PaymentsOnly",
        "integration": order.integration,
        "instrumentMode": order.instrument_mode,
        "guestMode": False,
    }
    if order.text("paymentToken"):
        members["paymentToken"] = order.text("paymentToken")
    if view.version != "3.1":
        del members["viewableInstruments"]
    return members


def _remaining(order: PaymentOrder, view: View) -> JsonObject:
    if order.purchase is None or order.is_verification:
        return {}
    amounts = {
        "remainingCaptureAmount": order.remaining_capture,
        "remainingCancellationAmount": order.remaining_capture,
        "remainingReversalAmount": order.remaining_reversal,
    }
    if view.hides_remaining_reversal:
        del amounts["remainingReversalAmount"]
    return {name: amount for name, amount in amounts.items() if amount or view.behaviour.zero_remaining}


def _key(node: Node, view: View) -> str:
    return view.behaviour.post_purchase_key if node.key == "postPurchaseFailedAttempts" else node.key


def _node(order: PaymentOrder, node: Node, view: View, *, expanded: bool) -> JsonObject:
    content = node.content(order, view.behaviour) if expanded else {}
    is_stray = view.behaviour.stray_members and node.key in {"paid", "cancelled", "reversed"} and not content
    return {**node.link(order), **content, **({"paymentTokenGenerated": False} if is_stray else {})}


def _operations(order: PaymentOrder, view: View) -> list[JsonObject]:
    offered = _offered(order)
    if view.version == "2.0":
        offered = [rel for rel in offered if rel in _V2_RELS]
    operations = [_operation(order, rel, view) for rel in offered]
    if view.behaviour.noise:
        href = f"{view.api_origin}{order.id}/frobnications"
        operations.append({"method": "POST", "href": href, "rel": "frobnicate", "contentType": "application/json"})
    return operations


def _offered(order: PaymentOrder) -> list[str]:
    """Return what can be done with the order now: a rel that is missing means that it cannot."""
    pages = _pages(order)
    if order.is_charge and order.status is Status.INITIALIZED:
        return []
    match order.status:
        case Status.INITIALIZED:
            rels = [] if order.open_attempts or order.is_verification else ["update-order"]
            rels += [] if order.is_in_app else ["abort"]
            rels += ["abort-paymentattempt"]
            return [*rels, *(["set-instrument"] if order.instrument_mode else []), *pages]
        case Status.PAID if order.is_verification:
            return pages
        case Status.PAID if order.is_locked or order.has_pending_reversal:
            return pages
        case Status.PAID:
            rels = ["cancel", "capture"] if order.remaining_capture else []
            return [*rels, *(["reversal"] if order.remaining_reversal else []), *pages]
        case _:
            return []


def _pages(order: PaymentOrder) -> list[str]:
    """Return the ways to the page: a charge has none, a Verify the one that its addresses are for (docs: verify)."""
    if order.is_charge:
        return []
    if order.is_verification:
        return ["view-checkout"] if order.part_text("urls", "paymentUrl") else ["redirect-checkout"]
    return ["redirect-checkout", "view-checkout"]


def _operation(order: PaymentOrder, rel: str, view: View) -> JsonObject:
    method, origin, path, content_type = "PATCH", view.api_origin, order.id, "application/json"
    match rel:
        case "capture" | "cancel" | "reversal":
            ending = {"capture": "captures", "cancel": "cancellations", "reversal": "reversals"}[rel]
            method, path = "POST", f"{order.id}/{ending}"
        case "redirect-checkout":
            method, origin, content_type = "GET", view.page_origin, "text/html"
            path = f"/checkout/{order.page_token}?_tc_tid={trace_of(order.id)}"
        case "view-checkout":
            method, origin, content_type = "GET", view.page_origin, "application/javascript"
            culture = order.text("language")
            path = f"/checkout/client/{order.page_token}?culture={culture}&_tc_tid={trace_of(order.id)}"
        case _:
            pass
    shown = _V2_RELS[rel] if view.version == "2.0" else rel
    return {"method": method, "href": f"{origin}{path}", "rel": shown, "contentType": content_type}


def _v2_members(order: PaymentOrder) -> JsonObject:
    """Return the oldest shape: a state that says little, and links to payments instead of results."""
    members: JsonObject = {
        "id": order.id,
        "created": stamp(order.created),
        "updated": stamp(order.updated),
        "operation": order.text("operation"),
        "state": _V2_STATES.get(order.status, "Ready"),
        "currency": order.text("currency"),
        "amount": order.amount,
        "vatAmount": order.vat_amount,
        "description": order.text("description"),
        "userAgent": order.text("userAgent"),
        "language": order.text("language"),
        "availableInstruments": [instrument.name for instrument in order.merchant_menu],
        "instrumentMode": order.instrument_mode,
        "urls": {"id": f"{order.id}/urls"},
        "payeeInfo": {"id": f"{order.id}/payeeinfo"},
        "payments": {"id": f"{order.id}/payments"},
        "currentPayment": {"id": f"{order.id}/currentpayment"},
        "items": {"id": f"{order.id}/orderitems"},
    }
    if order.purchase is not None:
        members["remainingCaptureAmount"] = order.remaining_capture
        members["remainingCancellationAmount"] = order.remaining_capture
        members["remainingReversalAmount"] = order.remaining_reversal
    return {**members, **{made.kind.field: made.token for made in order.tokens}}
