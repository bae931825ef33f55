"""A payment order as JSON, by version: its members, the parts behind links, and what can be done with it now."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from prenopay.testing.callbacks import Callback
from prenopay.testing.emulators.gateway import as_json
from prenopay.testing.emulators.swedbankpay.behaviour import Behaviour, Brand
from prenopay.testing.emulators.swedbankpay.cards import Instrument
from prenopay.testing.emulators.swedbankpay.orders import (
    AttemptState,
    HistoryEntry,
    PaymentOrder,
    Purchase,
    Status,
    TokenKind,
    TokenRecord,
    TransactionKind,
    TransactionRecord,
)
from prenopay.testing.emulators.swedbankpay.register import PAGE_PATH, Register, stamp
from prenopay.testing.http import EmulatorRequest, JsonObject, as_object

CALLBACK_SOURCES: Final = tuple(f"20.91.170.{last}" for last in range(120, 128))
"""The addresses from which the gateway calls."""
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
_ENDINGS: Final = {"capture": "captures", "cancel": "cancellations", "reversal": "reversals"}
_SHORT_WALLETS: Final = frozenset({"GooglePay", "ClickToPay"})
_INITIAL: Final = frozenset({TransactionKind.AUTHORIZATION, TransactionKind.SALE})


def trace_of(text: str) -> str:
    """Return 32 hexadecimal digits that belong to ``text``: trace ids that replay."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def operation(method: str, href: str, rel: str, content_type: str = "application/json") -> JsonObject:
    """Return a link to something that can be done."""
    return {"method": method, "href": href, "rel": rel, "contentType": content_type}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosts:
    """The gateway's own host names: a caller who uses them gets links with them."""

    api: str
    page: str

    def all(self) -> frozenset[str]:
        """Return both hosts under both brands."""
        return frozenset(self._branded(host, brand) for host in (self.api, self.page) for brand in Brand)

    def origins(self, request: EmulatorRequest, brand: Brand) -> tuple[str, str]:
        """Return the origins of API and page links: on a socket, the origin that the caller used."""
        if urlsplit(request.origin).netloc not in self.all():
            return request.origin, request.origin
        return f"https://{self._branded(self.api, brand)}", f"https://{self._branded(self.page, brand)}"

    def _branded(self, host: str, brand: Brand) -> str:
        for other in Brand:
            host = host.removesuffix(other) + brand if host.endswith(f".{other}") else host
        return host


@dataclass(frozen=True, slots=True)
class Node:
    """One part: its key in the order, the last part of its path, and what it holds apart from its id."""

    key: str
    path: str
    content: Callable[[PaymentOrder, Behaviour], JsonObject]
    since_3_1: bool = False
    other_path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How one answer shows an order: in which version, with which origins in its links, and which parts expanded."""

    version: str
    behaviour: Behaviour
    api_origin: str
    page_origin: str
    expand: frozenset[Node] = field(default_factory=frozenset[Node])
    hides_remaining_reversal: bool = False


# Whole documents


def order_document(order: PaymentOrder, view: View) -> JsonObject:
    """Return the whole order."""
    if view.version == "2.0":
        return {"paymentorder": _v2_members(order), "operations": _operations(order, view)}
    members = _plain_members(order, view) | _remaining(order, view)
    for node in _NODES:
        if view.version == "3.1" or not node.since_3_1:
            members[_key(node, view)] = _node(order, node, view, expanded=node in view.expand)
    if view.behaviour.noise:
        members["frobnicator"] = {"id": f"{order.id}/frobnicator", "frobnicatedBy": ["nobody"]}
    return {view.behaviour.order_key: members, "operations": _operations(order, view)}


def node_document(order: PaymentOrder, node: Node, view: View) -> JsonObject:
    """Return one node, as a direct GET shows it."""
    return {view.behaviour.order_key: order.id, _key(node, view): _node(order, node, view, expanded=True)}


def transaction_items_document(order: PaymentOrder, transaction: TransactionRecord, view: View) -> JsonObject:
    """Return the order lines of one movement."""
    here = f"{order.id}/financialtransactions/{transaction.id}/orderitems"
    return {view.behaviour.order_key: order.id, "orderItems": {"id": here, **_items(order, transaction.items)}}


def transaction_document(order: PaymentOrder, purchase: Purchase, transaction: TransactionRecord) -> JsonObject:
    """Return what a post-purchase operation answered before version 3.1."""
    payment, name = _payment_path(order, purchase.attempt.instrument), transaction.kind.lower()
    members = {**_transaction(f"{payment}/transactions/{transaction.id}", transaction), "state": "Completed"}
    return {"payment": payment, name: {"id": f"{payment}/{name}s/{transaction.id}", "transaction": members}}


def _common_members(order: PaymentOrder) -> JsonObject:
    return {
        "id": order.id,
        "created": stamp(order.created),
        "updated": stamp(order.updated),
        **as_json(order, "operation", "currency", "amount", "vat_amount", "instrument_mode"),
        "description": order.text("description"),
        "language": order.text("language"),
        "availableInstruments": [instrument.name for instrument in order.merchant_menu],
    }


def _plain_members(order: PaymentOrder, view: View) -> JsonObject:
    status: str = order.status
    if status == Status.REVERSED and view.version != "3.1":
        status = Status.PAID
    members = _common_members(order) | {
        "status": view.behaviour.unknown_status or status,
        "initiatingSystemUserAgent": order.user_agent,
        "implementation": "PaymentsOnly",
        "integration": order.integration,
        "guestMode": False,
    }
    if order.text("paymentToken"):
        members["paymentToken"] = order.text("paymentToken")
    if view.version == "3.1":
        members["viewableInstruments"] = [instrument.name for instrument in order.menu]
    return members


def _v2_members(order: PaymentOrder) -> JsonObject:
    """Return the oldest shape: a state that says little, and links to payments instead of results."""
    links = ("urls", "payeeInfo", "payments", "currentPayment")
    remaining = order.purchase is not None
    return {
        **_common_members(order),
        "state": _V2_STATES.get(order.status, "Ready"),
        "userAgent": order.text("userAgent"),
        **{name: {"id": f"{order.id}/{name.lower()}"} for name in links},
        "items": {"id": f"{order.id}/orderitems"},
        **(_remaining_amounts(order) if remaining else {}),
        **{made.kind.field: made.token for made in order.tokens},
    }


def _remaining_amounts(order: PaymentOrder) -> JsonObject:
    return {
        "remainingCaptureAmount": order.remaining_capture,
        "remainingCancellationAmount": order.remaining_capture,
        "remainingReversalAmount": order.remaining_reversal,
    }


def _remaining(order: PaymentOrder, view: View) -> JsonObject:
    if order.purchase is None or order.is_verification:
        return {}
    amounts = _remaining_amounts(order)
    if view.hides_remaining_reversal:
        del amounts["remainingReversalAmount"]
    return {name: amount for name, amount in amounts.items() if amount or view.behaviour.zero_remaining}


def _key(node: Node, view: View) -> str:
    return view.behaviour.post_purchase_key if node.key == "postPurchaseFailedAttempts" else node.key


def _node(order: PaymentOrder, node: Node, view: View, *, expanded: bool) -> JsonObject:
    content = node.content(order, view.behaviour) if expanded else {}
    if view.behaviour.stray_members and node.key in {"paid", "cancelled", "reversed"} and not content:
        content = {"paymentTokenGenerated": False}
    return {"id": f"{order.id}/{node.path}", **content}


# Operations


def _operations(order: PaymentOrder, view: View) -> list[JsonObject]:
    offered = _offered(order)
    if view.version == "2.0":
        offered = [rel for rel in offered if rel in _V2_RELS]
    operations = [_operation(order, rel, view) for rel in offered]
    if view.behaviour.noise:
        operations.append(operation("POST", f"{view.api_origin}{order.id}/frobnications", "frobnicate"))
    return operations


def _offered(order: PaymentOrder) -> list[str]:
    """Return what can be done with the order now: a rel that is missing cannot be done."""
    if order.is_charge and order.status is Status.INITIALIZED:
        return []
    pages = _pages(order)
    match order.status:
        case Status.INITIALIZED:
            rels = [] if order.open_attempts or order.is_verification else ["update-order"]
            rels += [] if order.is_in_app else ["abort"]
            return [*rels, "abort-paymentattempt", *(["set-instrument"] if order.instrument_mode else []), *pages]
        case Status.PAID if order.is_verification or order.is_locked or order.has_pending_reversal:
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
    shown, trace = _V2_RELS[rel] if view.version == "2.0" else rel, f"_tc_tid={trace_of(order.id)}"
    match rel:
        case "capture" | "cancel" | "reversal":
            return operation("POST", f"{view.api_origin}{order.id}/{_ENDINGS[rel]}", shown)
        case "redirect-checkout":
            href = f"{view.page_origin}{PAGE_PATH}/{order.page_token}?{trace}"
            return operation("GET", href, shown, "text/html")
        case "view-checkout":
            query = f"culture={order.text('language')}&{trace}"
            href = f"{view.page_origin}{PAGE_PATH}/client/{order.page_token}?{query}"
            return operation("GET", href, shown, "application/javascript")
        case _:
            return operation("PATCH", f"{view.api_origin}{order.id}", shown)


# Parts


def find_node(name: str) -> Node | None:
    """Return the node with this key or path, whatever its case."""
    wanted = name.lower()
    return next((node for node in _NODES if wanted in {node.key.lower(), node.path, node.other_path}), None)


def _items(order: PaymentOrder, items: tuple[JsonObject, ...]) -> JsonObject:
    """Return order lines; an order without any is shown as one line, made of its description and amount."""
    made_up: JsonObject = {
        "reference": "1",
        "name": order.text("description"),
        "type": "OTHER",
        "class": "NA",
        "quantity": 1,
        "quantityUnit": "pcs",
        "unitPrice": order.amount,
        "vatPercent": 0,
        **as_json(order, "amount", "vat_amount"),
    }
    return {"orderItemList": list(items) or [made_up]}


def _payer(order: PaymentOrder, _: Behaviour) -> JsonObject:
    sent = order.part("payer")
    name = f"{sent.get('firstName', '')} {sent.get('lastName', '')}".strip()
    plain = {"reference": sent.get("payerReference"), "name": name}
    plain |= {key: sent.get(key) for key in ("email", "msisdn", "shippingAddress", "billingAddress")}
    known: JsonObject = {key: value for key, value in plain.items() if value}
    secret = {key: sent.get(key) for key in ("email", "msisdn")}
    secret["socialSecurityNumber"] = (as_object(sent.get("nationalIdentifier")) or {}).get("socialSecurityNumber")
    hashes = {f"{key}Hash": _sha1(value) for key, value in secret.items() if isinstance(value, str)}
    return {**known, "hashedFields": hashes} if hashes else known


def _sha1(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def _history(order: PaymentOrder, behaviour: Behaviour) -> JsonObject:
    entries = [_history_entry(entry) for entry in order.history]
    if behaviour.noise:
        entries.append({"created": stamp(order.updated), "name": "PaymentFrobnicated", "initiatedBy": "Weather"})
    return {"historyList": entries}


def _history_entry(entry: HistoryEntry) -> JsonObject:
    members = as_json(entry, "name", "instrument", "number", "amount", "prefill", "initiated_by")
    said = {name: value for name, value in members.items() if value is not None and value != ""}
    return {"created": stamp(entry.created), **said}


def _failed(order: PaymentOrder, behaviour: Behaviour) -> JsonObject:
    if order.failure is None:
        return {}
    kind = str(order.failure["type"])
    return {"problem": {**order.failure, "type": kind.rsplit("/", 1)[-1] if behaviour.failed_type_is_bare else kind}}


def _paid(order: PaymentOrder, behaviour: Behaviour) -> JsonObject:
    if order.purchase is None:
        return {}
    members = _payment_members(order, order.purchase, order.purchase.transaction, behaviour)
    members["paymentTokenGenerated"] = any(made.kind is TokenKind.PAYMENT for made in order.tokens)
    if behaviour.wallet_paid_is_short and order.purchase.attempt.instrument.name in _SHORT_WALLETS:
        for name in ("transactionType", "submittedAmount", "feeAmount", "discountAmount"):
            members.pop(name, None)
    return members


def _cancelled(order: PaymentOrder, behaviour: Behaviour) -> JsonObject:
    members, latest = _moved(order, TransactionKind.CANCELLATION, behaviour)
    return {"cancelReason": latest.description, **members} if latest else {}


def _moved(
    order: PaymentOrder, kind: TransactionKind, behaviour: Behaviour
) -> tuple[JsonObject, TransactionRecord | None]:
    """Return the members about the latest movement of ``kind``, and that movement."""
    latest = next((entry for entry in reversed(order.transactions) if entry.kind is kind), None)
    if order.purchase is None or latest is None:
        return {}, None
    return _payment_members(order, order.purchase, latest, behaviour), latest


def _payment_members(
    order: PaymentOrder, purchase: Purchase, transaction: TransactionRecord, behaviour: Behaviour
) -> JsonObject:
    """Return the payment's members, with number and reference of the movement that is shown."""
    kind = behaviour.verification_type if order.is_verification else purchase.transaction.kind
    optional: JsonObject = {
        "orderReference": order.order_reference,
        "frobnication": {"level": 3} if behaviour.noise else None,
        "transactionType": kind,
        "tokens": [_token(made, behaviour) for made in order.tokens],
    }
    return {
        "instrument": purchase.attempt.instrument.paid_name,
        **as_json(transaction, "number", "payee_reference"),
        "amount": purchase.transaction.amount,
        **as_json(purchase, "submitted_amount", "fee_amount", "discount_amount"),
        **{name: value for name, value in optional.items() if value},
        "details": _details(purchase, behaviour),
    }


def _token(made: TokenRecord, behaviour: Behaviour) -> JsonObject:
    kind = made.kind.value.capitalize() if behaviour.capital_types else made.kind.value
    members: JsonObject = {"type": kind, "token": made.token, "name": made.name}
    return {**members, "expiryDate": made.expiry} if made.expiry else members


def _financial_transactions(order: PaymentOrder, behaviour: Behaviour) -> JsonObject:
    listed: list[JsonObject] = []
    for transaction in order.transactions:
        if behaviour.initial_transaction_listed or transaction.kind not in _INITIAL:
            here = f"{order.id}/financialtransactions/{transaction.id}"
            listed.append({**_transaction(here, transaction), "orderItems": {"id": f"{here}/orderitems"}})
    return {"financialTransactionsList": listed}


def _transaction(here: str, transaction: TransactionRecord) -> JsonObject:
    moment, receipt = stamp(transaction.created), transaction.receipt_reference
    return {
        "id": here,
        "created": moment,
        "updated": moment,
        "type": transaction.kind,
        **as_json(transaction, "number", "amount", "vat_amount", "description", "payee_reference"),
        **({"receiptReference": receipt} if receipt else {}),
    }


def _failed_attempts(order: PaymentOrder, _: Behaviour) -> JsonObject:
    listed: list[JsonObject] = []
    for attempt in order.attempts:
        if attempt.problem is not None:
            fee: JsonObject = {"operationalFee": False} if attempt.instrument.name == "Vipps" else {}
            listed.append(
                {
                    "created": stamp(attempt.ended or attempt.started),
                    "instrument": attempt.instrument.name,
                    "status": "Aborted" if attempt.state is AttemptState.ABORTED else "Failed",
                    **as_json(attempt, "number", "problem"),
                    **fee,
                }
            )
    return {"failedAttemptList": listed}


def _failed_operations(order: PaymentOrder, behaviour: Behaviour) -> JsonObject:
    listed: list[JsonObject] = []
    for failed in order.failed_operations:
        said: JsonObject = {"created": stamp(failed.created), behaviour.post_purchase_type_key: failed.kind}
        listed.append({**said, "status": "Failed", **as_json(failed, "number", "problem")})
    return {"postpurchaseFailedAttemptList": listed}


def _sent(part: str) -> Callable[[PaymentOrder, Behaviour], JsonObject]:
    return lambda order, _: dict(order.part(part))


_NODES: Final = (
    Node("orderItems", "orderitems", lambda order, _: _items(order, tuple(order.items))),
    Node("urls", "urls", _sent("urls")),
    Node("payeeInfo", "payeeinfo", lambda order, _: {"payeeName": order.merchant.name, **order.part("payeeInfo")}),
    Node("payer", "payers", _payer),
    Node("history", "history", _history),
    Node("failed", "failed", _failed),
    Node("aborted", "aborted", lambda o, _: {} if o.abort_reason is None else {"abortReason": o.abort_reason}),
    Node("paid", "paid", _paid),
    Node("cancelled", "cancelled", _cancelled),
    Node("reversed", "reversed", lambda o, b: _moved(o, TransactionKind.REVERSAL, b)[0], since_3_1=True),
    Node("financialTransactions", "financialtransactions", _financial_transactions),
    Node("failedAttempts", "failedattempts", _failed_attempts),
    Node(
        "postPurchaseFailedAttempts",
        "postpurchasefailedattempts",
        _failed_operations,
        since_3_1=True,
        other_path="failedpostpurchaseattempts",
    ),
    Node("metadata", "metadata", _sent("metadata")),
)
"""All fourteen, in the gateway's order."""


# How it was paid

_SOMEBODYS_CARD: Final = "492500******0004"
"""The card behind a wallet or an app, where the payer types none."""
_ACQUIRER: Final = ("acquirerTransactionType", "acquirerTerminalId", "acquirerTransactionTime")
_NAMED: Final = ("nonPaymentToken", "externalNonPaymentToken", "cardBrand", "cardType", "issuingBank", "expiryDate")
_CARD: Final = (*_NAMED, "issuerAuthorizationApprovalCode", "acquirerStan", *_ACQUIRER, "transactionInitiator", "bin")
_DETAILS: Final = {
    "CreditCard": ("paymentAccountReference", "maskedPan", *_CARD),
    "ApplePay": ("maskedDPan", *_CARD),
    "GooglePay": ("maskedPan", "maskedDPan", *_CARD),
    "ClickToPay": ("maskedPan", "maskedDPan", *_CARD),
    "MobilePay": ("maskedDPan", *(name for name in _CARD if name not in {"cardType", "transactionInitiator"})),
    "Vipps": ("cardBrand", "issuingBank", "maskedDPan", *_ACQUIRER, "transactionInitiator", "bin"),
}
"""What is shown of each instrument with a card behind it; invoices and instalments show nothing."""


def _details(purchase: Purchase, behaviour: Behaviour) -> JsonObject:
    """Return masked numbers, terminal, bank: each instrument shows other details."""
    attempt, name = purchase.attempt, purchase.attempt.instrument.name
    if name == "Swish":
        return {behaviour.swish_number_key: attempt.msisdn}
    if name == "Trustly":
        return {"trustlyOrderId": attempt.number + 1}
    card, trace = attempt.card, trace_of(str(attempt.number))
    masked = card.masked if card else _SOMEBODYS_CARD
    shows_device = attempt.is_by_merchant and card is not None and card.is_network_token
    acquirer_type = "MOBILEPAY" if name == "MobilePay" else "WALLET"
    if card:
        acquirer_type = "3DSECURE" if attempt.is_challenged else "STANDARD"
    known: JsonObject = {
        "nonPaymentToken": trace_of(f"card {masked}"),
        "externalNonPaymentToken": trace_of(f"external {masked}"),
        "paymentAccountReference": trace_of(f"account {masked}"),
        "cardBrand": card.brand if card else "Visa",
        "cardType": "Credit",
        "issuingBank": "Emulated bank",
        "maskedPan": f"************{masked[-4:]}" if card and card.is_network_token else masked,
        "maskedDPan": masked,
        "expiryDate": card.expiry if card else "12/2034",
        "issuerAuthorizationApprovalCode": f"L{int(trace[:4], 16):05d}",
        "acquirerTransactionType": acquirer_type,
        "acquirerStan": str(int(trace[4:8], 16)),
        "acquirerTerminalId": str(attempt.number),
        "acquirerTransactionTime": f"{stamp(purchase.transaction.created)[:23]}Z",
        "transactionInitiator": "MERCHANT" if attempt.is_by_merchant else "CARDHOLDER",
        "bin": masked[:6],
    }
    return {key: known[key] for key in (*_DETAILS.get(name, ()), *(["maskedDPan"] if shows_device else []))}


# Callbacks


def notify(
    register: Register, order: PaymentOrder, instrument: Instrument, number: int, *, naming: str = ""
) -> Callback | None:
    """Queue a callback about ``order``, if it has an address, in the shape of the version that made the order.

    ``naming`` puts a false id into the body.
    """
    word = register.behaviour.callback_instrument
    told: JsonObject = {"id": naming or order.id, "instrument": instrument.paid_name if word == "name" else word}
    body: JsonObject = {"orderReference": order.order_reference} if order.order_reference else {}
    if order.version == "3.1":
        body["paymentOrder"] = {**told, "number": number}
    else:
        payment, kind = _payment_path(order, instrument), "sales" if instrument.takes_at_once else "authorizations"
        body |= {"paymentOrder": told, "payment": {"id": payment, "number": number}}
        body["transaction"] = {"id": f"{payment}/{kind}/{register.new_guid()}", "number": number}
    return register.tell(order.part_text("urls", "callbackUrl"), body, about=order.id)


def _payment_path(order: PaymentOrder, instrument: Instrument) -> str:
    """Return the path of the payment below the order, which only versions before 3.1 know."""
    return f"/psp/{instrument.paid_name.lower()}/payments/{order.id.rsplit('/', maxsplit=1)[-1]}"
