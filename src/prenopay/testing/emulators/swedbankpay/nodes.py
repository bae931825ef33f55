"""The parts of a payment order that stand behind links: which there are, and what each holds when it is expanded."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from prenopay.testing.emulators.jsonvalues import JsonObject, as_object
from prenopay.testing.emulators.swedbankpay.behaviour import Behaviour
from prenopay.testing.emulators.swedbankpay.formats import stamp
from prenopay.testing.emulators.swedbankpay.orders import (
    AttemptState,
    HistoryEntry,
    PaymentOrder,
    Purchase,
    Transaction,
    TransactionKind,
)
from prenopay.testing.emulators.swedbankpay.paid_details import paid_details
from prenopay.testing.emulators.swedbankpay.tokens import TokenKind, TokenMade

__all__ = ["NODES", "Node", "find_node", "item_list"]

_SHORT_WALLETS: Final = frozenset({"GooglePay", "ClickToPay"})
_INITIAL: Final = frozenset({TransactionKind.AUTHORIZATION, TransactionKind.SALE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One part: its key in the order, the last part of its path, and what it holds besides its id."""

    key: str
    path: str
    content: Callable[[PaymentOrder, Behaviour], JsonObject]
    since_3_1: bool = False
    other_paths: tuple[str, ...] = ()

    def link(self, order: PaymentOrder) -> JsonObject:
        """Return the node unexpanded."""
        return {"id": f"{order.id}/{self.path}"}


def find_node(name: str) -> Node | None:
    """Return the node with this key or path, whatever its case."""
    wanted = name.lower()
    return next(
        (node for node in NODES if wanted in {node.key.lower(), node.path, *node.other_paths}),
        None,
    )


def item_list(order: PaymentOrder, items: tuple[JsonObject, ...]) -> JsonObject:
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
        "amount": order.amount,
        "vatAmount": order.vat_amount,
    }
    return {"orderItemList": list(items) or [made_up]}


def _order_items(order: PaymentOrder, _: Behaviour) -> JsonObject:
    return item_list(order, tuple(order.items))


def _urls(order: PaymentOrder, _: Behaviour) -> JsonObject:
    return dict(order.part("urls"))


def _payee_info(order: PaymentOrder, _: Behaviour) -> JsonObject:
    return {"payeeName": order.merchant.name, **order.part("payeeInfo")}


def _metadata(order: PaymentOrder, _: Behaviour) -> JsonObject:
    return dict(order.part("metadata"))


def _payer(order: PaymentOrder, _: Behaviour) -> JsonObject:
    sent = order.part("payer")
    name = f"{sent.get('firstName', '')} {sent.get('lastName', '')}".strip()
    plain = {"reference": sent.get("payerReference"), "name": name or None}
    plain |= {key: sent.get(key) for key in ("email", "msisdn", "shippingAddress", "billingAddress")}
    hashed = {"emailHash": sent.get("email"), "msisdnHash": sent.get("msisdn")}
    hashed["socialSecurityNumberHash"] = (as_object(sent.get("nationalIdentifier")) or {}).get("socialSecurityNumber")
    known: JsonObject = {key: value for key, value in plain.items() if value}
    hashes = {key: _sha1(value) for key, value in hashed.items() if isinstance(value, str)}
    return {**known, "hashedFields": hashes} if hashes else known


def _history(order: PaymentOrder, behaviour: Behaviour) -> JsonObject:
    entries = [_history_entry(entry) for entry in order.history]
    if behaviour.noise:
        entries.append({"created": stamp(order.updated), "name": "PaymentFrobnicated", "initiatedBy": "Weather"})
    return {"historyList": entries}


def _history_entry(entry: HistoryEntry) -> JsonObject:
    members: JsonObject = {"created": stamp(entry.created), "name": entry.name}
    if entry.instrument:
        members["instrument"] = entry.instrument
    for key, value in (("number", entry.number), ("amount", entry.amount), ("prefill", entry.prefill)):
        if value is not None:
            members[key] = value
    return {**members, "initiatedBy": entry.initiated_by}


def _failed(order: PaymentOrder, behaviour: Behaviour) -> JsonObject:
    if order.failure is None:
        return {}
    kind = str(order.failure["type"])
    told = kind.rsplit("/", maxsplit=1)[-1] if behaviour.failed_type_is_bare else kind
    return {"problem": {**order.failure, "type": told}}


def _aborted(order: PaymentOrder, _: Behaviour) -> JsonObject:
    return {} if order.abort_reason is None else {"abortReason": order.abort_reason}


def _paid(order: PaymentOrder, behaviour: Behaviour) -> JsonObject:
    if order.purchase is None:
        return {}
    members = _payment_members(order, order.purchase, order.purchase.transaction, behaviour)
    members["paymentTokenGenerated"] = any(made.kind is TokenKind.PAYMENT for made in order.tokens)
    if behaviour.wallet_paid_is_short and order.purchase.attempt.instrument.name in _SHORT_WALLETS:
        for name in ("transactionType", "submittedAmount", "feeAmount", "discountAmount"):
            members.pop(name, None)
    return {**members, "details": paid_details(order.purchase, behaviour)}


def _cancelled(order: PaymentOrder, behaviour: Behaviour) -> JsonObject:
    cancellation = _latest(order, TransactionKind.CANCELLATION)
    if order.purchase is None or cancellation is None:
        return _stray(behaviour)
    return {
        "cancelReason": cancellation.description,
        **_payment_members(order, order.purchase, cancellation, behaviour),
        "details": paid_details(order.purchase, behaviour),
    }


def _reversed(order: PaymentOrder, behaviour: Behaviour) -> JsonObject:
    reversal = _latest(order, TransactionKind.REVERSAL)
    if order.purchase is None or reversal is None:
        return _stray(behaviour)
    members = _payment_members(order, order.purchase, reversal, behaviour)
    return {**members, "details": paid_details(order.purchase, behaviour)}


def _payment_members(
    order: PaymentOrder,
    purchase: Purchase,
    transaction: Transaction,
    behaviour: Behaviour,
) -> JsonObject:
    """Return the payment's members, with number and reference of the movement that is told of."""
    members: JsonObject = {
        "instrument": purchase.attempt.instrument.paid_name,
        "number": transaction.number,
        "payeeReference": transaction.payee_reference,
    }
    if order.order_reference:
        members["orderReference"] = order.order_reference
    if behaviour.noise:
        members["frobnication"] = {"level": 3}
    kind = behaviour.verification_type if order.is_verification else purchase.transaction.kind
    if kind:
        members["transactionType"] = kind
    members |= {
        "amount": purchase.transaction.amount,
        "submittedAmount": purchase.submitted_amount,
        "feeAmount": purchase.fee_amount,
        "discountAmount": purchase.discount_amount,
    }
    return {**members, "tokens": [_token(made, behaviour) for made in order.tokens]} if order.tokens else members


def _token(made: TokenMade, behaviour: Behaviour) -> JsonObject:
    kind = made.kind.value.capitalize() if behaviour.capital_types else made.kind.value
    members: JsonObject = {"type": kind, "token": made.token, "name": made.name}
    return {**members, "expiryDate": made.expiry} if made.expiry else members


def _financial_transactions(order: PaymentOrder, behaviour: Behaviour) -> JsonObject:
    listed = [
        transaction
        for transaction in order.transactions
        if behaviour.initial_transaction_listed or transaction.kind not in _INITIAL
    ]
    return {"financialTransactionsList": [_transaction(order, transaction) for transaction in listed]}


def _transaction(order: PaymentOrder, transaction: Transaction) -> JsonObject:
    here = f"{order.id}/financialtransactions/{transaction.id}"
    members: JsonObject = {
        "id": here,
        "created": stamp(transaction.created),
        "updated": stamp(transaction.created),
        "type": transaction.kind,
        "number": transaction.number,
        "amount": transaction.amount,
        "vatAmount": transaction.vat_amount,
        "description": transaction.description,
        "payeeReference": transaction.payee_reference,
    }
    if transaction.receipt_reference:
        members["receiptReference"] = transaction.receipt_reference
    return {**members, "orderItems": {"id": f"{here}/orderitems"}}


def _failed_attempts(order: PaymentOrder, _: Behaviour) -> JsonObject:
    return {
        "failedAttemptList": [
            {
                "created": stamp(attempt.ended or attempt.started),
                "instrument": attempt.instrument.name,
                "number": attempt.number,
                "status": "Aborted" if attempt.state is AttemptState.ABORTED else "Failed",
                **({"operationalFee": False} if attempt.instrument.name == "Vipps" else {}),
                "problem": attempt.problem,
            }
            for attempt in order.attempts
            if attempt.problem is not None
        ],
    }


def _failed_operations(order: PaymentOrder, behaviour: Behaviour) -> JsonObject:
    return {
        "postpurchaseFailedAttemptList": [
            {
                "created": stamp(failed.created),
                "status": "Failed",
                behaviour.post_purchase_type_key: failed.kind,
                "number": failed.number,
                "problem": failed.problem,
            }
            for failed in order.failed_operations
        ],
    }


def _stray(behaviour: Behaviour) -> JsonObject:
    return {"paymentTokenGenerated": False} if behaviour.stray_members else {}


def _latest(order: PaymentOrder, kind: TransactionKind) -> Transaction | None:
    return next((entry for entry in reversed(order.transactions) if entry.kind is kind), None)


def _sha1(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


NODES: Final = (
    Node(key="orderItems", path="orderitems", content=_order_items),
    Node(key="urls", path="urls", content=_urls),
    Node(key="payeeInfo", path="payeeinfo", content=_payee_info),
    Node(key="payer", path="payers", content=_payer),
    Node(key="history", path="history", content=_history),
    Node(key="failed", path="failed", content=_failed),
    Node(key="aborted", path="aborted", content=_aborted),
    Node(key="paid", path="paid", content=_paid),
    Node(key="cancelled", path="cancelled", content=_cancelled),
    Node(key="reversed", path="reversed", content=_reversed, since_3_1=True),
    Node(key="financialTransactions", path="financialtransactions", content=_financial_transactions),
    Node(key="failedAttempts", path="failedattempts", content=_failed_attempts),
    Node(
        key="postPurchaseFailedAttempts",
        path="postpurchasefailedattempts",
        content=_failed_operations,
        since_3_1=True,
        other_paths=("failedpostpurchaseattempts",),
    ),
    Node(key="metadata", path="metadata", content=_metadata),
)
"""All fourteen, in the gateway's order."""
