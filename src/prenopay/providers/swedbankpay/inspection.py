"""Says how a stored body is read: whatever the gateway answers or posts, in any version.

What a body does not say is ``None``.
Source: developer.swedbankpay.com, resource sub-models, token handling, callbacks, problems (2026-07-01).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar, cast

from prenopay._hidden import raise_alone
from prenopay._redaction import scrub
from prenopay._text import quoted
from prenopay.provider import Inspection, MandateSeen, Observation
from prenopay.provider.wire import In, Unreadable, members_of, read, read_object, shown_members
from prenopay.providers.swedbankpay import _wire
from prenopay.providers.swedbankpay.encoding import instrument_of
from prenopay.providers.swedbankpay.problems import Verdict, decline_of, meaning_of
from prenopay.providers.swedbankpay.reading import (
    actions_of,
    display_of,
    is_sale,
    is_verification,
    observation_of,
    status_of,
    sums_of,
)
from prenopay.values.money import Money
from prenopay.values.payments import Action, Decline, PaymentState

__all__ = ["inspect"]

InT = TypeVar("InT", bound=In)

_NODES: Final = (
    "paid",
    "reversed",
    "cancelled",
    "failed",
    "aborted",
    "failedattempts",
    "postpurchasefailedattempts",
    "financialtransactions",
    "history",
)
"""The nodes of a payment order that say something about money. Each can be fetched alone."""
_OF_VERSION_2: Final = ("capture", "cancellation", "reversal", "authorization", "sale")
_SILENT: Final = ("payer", "urls", "payeeinfo", "orderitems", "metadata", "clientinfo", "availableinstruments")
"""The nodes that say nothing about money."""
_WITHOUT_ORDER: Final = frozenset({"clientinfo", "availableinstruments"})
"""Nodes that do not name their order. The others look like a request if they do not."""
_CALLBACK: Final = frozenset({"orderreference", "paymentorder", "payment", "transaction"})
_IN_CALLBACK: Final = frozenset({"id", "instrument", "number"})
_WRAPPERS: Final = ("problem", "problems", "error", "errors")
_TOKENS: Final = {
    "paymenttoken": "payment",
    "recurrencetoken": "recurrence",
    "unscheduledtoken": "unscheduled",
    "token": "",
}
"""Members that hold a bare token, and the kind that each names."""
_PAYOUT: Final = "payout"
_A_HINT: Final = "a callback is a hint: read the order to know its state"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Money:
    """What a body says about money, in minor units; ``None`` for what it leaves open."""

    authorized: int | None = None
    captured: int | None = None
    refunded: int | None = None
    cancelled: int | None = None


_NOTHING_TAKEN: Final = _Money(authorized=0, captured=0, refunded=0, cancelled=0)
_NOTHING_SAID: Final = _Money()


def inspect(body: bytes) -> Inspection:
    """Say how ``body`` is read; raises ``Unreadable`` (a ``ValueError``) for anything else."""
    decoded = read_object(body)
    members = members_of(decoded)
    order = members_of(members.get("paymentorder"))
    if "event" in members:
        raise _unreadable(members)
    if {"status", "state"} & set(order) or set(order) - _IN_CALLBACK:
        return _order(decoded)
    found = (
        _problem_in(members)
        or _methods_in(members)
        or _money_node_in(members)
        or _transaction_in(members)
        or _silent_node_in(members)
        or _older_payment_in(members)
        or _callback_in(members)
    )
    if found is None:
        raise _unreadable(members)
    return found


def _unreadable(members: Mapping[str, Any]) -> Unreadable:
    message = (
        "this is none of: a payment order, one of its nodes (paid, failed, financialTransactions, urls, …), stored "
        f"methods, a callback, a problem; its members are: {shown_members(members)}"
    )
    return Unreadable(message)


# A whole order


def _order(decoded: dict[str, Any]) -> Inspection:
    answer = read(_wire.OrderAnswer, decoded)
    observed = observation_of(answer, currency="", raw={})
    order, rels = answer.payment_order, [operation.rel for operation in answer.operations]
    latest = observed.attempts[-1].decline if observed.attempts else None
    open_attempt = latest if observed.state is PaymentState.PENDING else None
    seen = Inspection(
        kind="payment_order",
        provider_reference=observed.provider_reference,
        state=observed.state,
        currency=observed.submitted.currency,
        instrument=observed.instrument,
        decline=observed.decline or open_attempt,
        mandates=_mandates(order),
        allowed_actions=tuple(sorted(observed.allowed_actions)),
        note=_note_of(order, observed),
    )
    if order.operation.lower() == _PAYOUT:
        return _payout(seen, order)
    if order.status is None and not rels and observed.state is PaymentState.PENDING:
        return replace(seen, state=None, note="version 2 does not say here whether the order was paid")
    return _with_money(seen, _said(order, observed, rels))


def _with_money(seen: Inspection, money: _Money) -> Inspection:
    return replace(
        seen,
        authorized=money.authorized,
        captured=money.captured,
        refunded=money.refunded,
        cancelled=money.cancelled,
    )


def _said(order: _wire.Order, observed: Observation, rels: list[str]) -> _Money:
    """Return the sums that the order states, or from which they follow."""
    if not observed.status_is_known:
        return _NOTHING_SAID
    if observed.state not in {PaymentState.AUTHORIZED, PaymentState.CAPTURED} or is_verification(order):
        whole = observed.cancelled.minor
        return replace(_NOTHING_TAKEN, authorized=whole, cancelled=whole)
    sums, actions = sums_of(order, rels), actions_of(rels)
    node = order.financial_transactions
    listed = None if node is None else node.financial_transactions_list
    remainder_is_said = order.remaining_capture_amount is not None or order.remaining_reversal_amount is not None
    is_reversed = status_of(order, rels) == "reversed"
    is_at_once = is_sale(order, listed or ())
    one_of_both = (Action.CAPTURE in actions) is not (Action.REFUND in actions)
    has_sums = listed is not None or remainder_is_said or is_reversed
    captured = sums.captured if has_sums or is_at_once or one_of_both else None
    is_untouched = captured == 0 and order.remaining_capture_amount == sums.authorized
    return _Money(
        authorized=sums.authorized,
        captured=captured,
        refunded=sums.refunded if has_sums or captured == 0 else None,
        cancelled=sums.cancelled if listed is not None or is_at_once or is_untouched else None,
    )


def _payout(seen: Inspection, order: _wire.Order) -> Inspection:
    """Money that goes out is neither authorized nor captured, and nothing can be done with it."""
    state = PaymentState.CAPTURED if seen.state is PaymentState.AUTHORIZED else seen.state
    if (order.status or "").lower() == "aborted":
        state = PaymentState.DECLINED
    is_out = state is PaymentState.CAPTURED
    amount = order.amount or 0
    verb = "paid out" if is_out else "asked to pay out"
    text = f"{verb}: {Money(amount, seen.currency or '')}"
    return replace(
        seen,
        kind="payout",
        state=state,
        paid_out=amount if is_out else None if seen.note else 0,
        allowed_actions=(),
        note=f"{text}; {seen.note}" if seen.note else text,
    )


def _note_of(order: _wire.Order, observed: Observation) -> str:
    if not observed.status_is_known:
        return f"unknown status {quoted(observed.raw_status)}, taken for {observed.state}"
    done = observed.state is PaymentState.CAPTURED and is_verification(order)
    return "a method was verified and nothing was bought: there is nothing to capture" if done else ""


# Callbacks and problems


def _callback_in(members: Mapping[str, Any]) -> Inspection | None:
    order, payment = members.get("paymentorder"), members.get("payment")
    about = order if order is not None else payment
    if not set(members) <= _CALLBACK or about is None:
        return None
    if isinstance(about, str):
        reference, instrument = about, ""
    else:
        callback = read(_wire.CallbackOrder, members_of(about))
        reference, instrument = callback.id, callback.instrument
    return Inspection(kind="callback", provider_reference=reference, instrument=instrument_of(instrument), note=_A_HINT)


def _problem_in(members: Mapping[str, Any]) -> Inspection | None:
    """Read a problem, which may be the whole body or one member of it."""
    if isinstance(members.get("type"), str) and {"title", "detail", "status"} & set(members):
        return _problem(members)
    for name in _WRAPPERS:
        inside: Any = members.get(name)
        listed = cast("list[object]", inside if isinstance(inside, list) else [inside])
        first = members_of(listed[0]) if listed else {}
        if isinstance(first.get("type"), str):
            return _problem(first)
    return None


def _problem(members: Mapping[str, Any]) -> Inspection:
    problem = read(_wire.Problem, members)
    meaning = meaning_of(problem)
    verdict = meaning.verdict if meaning is not None else None
    named = tuple((scrub(entry.name), scrub(entry.description)) for entry in problem.problems)
    if verdict is Verdict.DECLINE:
        decline = decline_of(problem, None)
        return Inspection(kind="problem", state=PaymentState.DECLINED, decline=decline, problems=named)
    if verdict is Verdict.UNCERTAIN:
        unknown = "what happened is unknown: look it up"
        return Inspection(kind="problem", state=PaymentState.UNKNOWN, problems=named, note=unknown)
    note = (
        "an unknown type, read by its HTTP status" if verdict is None else f"nothing happened: {verdict.name.lower()}"
    )
    return Inspection(kind="problem", problems=named, note=note)


# One node of an order


def _money_node_in(members: Mapping[str, Any]) -> Inspection | None:
    node = next((name for name in _NODES if isinstance(members.get(name), dict)), None)
    if node is None:
        return None
    content = members_of(members[node])
    reference = _order_of(members, content)
    if not set(content) - {"id"}:
        return _silent(reference, f"only a link to the node {node!r} of a payment order")
    seen = Inspection(
        kind="payment_order", provider_reference=reference, note=f"only the node {node!r} of a payment order"
    )
    match node:
        case "paid" | "reversed" | "cancelled":
            return _result(seen, node, _within(_wire.Result, node, content))
        case "failed" | "aborted":
            problem = _within(_wire.Failed, node, content).problem
            if node == "failed":
                seen = replace(seen, state=PaymentState.DECLINED, decline=decline_of(problem, None))
            else:
                seen = replace(seen, state=PaymentState.CANCELLED)
            return _with_money(seen, _NOTHING_TAKEN)
        case "failedattempts":
            tries = _within(_wire.FailedAttempts, node, content).failed_attempt_list
            decline = decline_of(tries[-1].problem, tries[-1].created, is_try=True) if tries else None
            return replace(seen, decline=decline)
        case "postpurchasefailedattempts":
            changes = _within(_wire.PostPurchaseFailedAttempts, node, content).post_purchase_failed_attempt_list
            return replace(seen, decline=decline_of(changes[-1].problem, changes[-1].created) if changes else None)
        case "financialtransactions":
            state, money = _moved(_within(_wire.FinancialTransactions, node, content))
        case _:
            state, money = _happened(_within(_wire.History, node, content))
    return _with_money(replace(seen, state=state), money)


def _within(model: type[InT], node: str, content: Mapping[str, Any]) -> InT:
    """Read the content of a node; an error names the node too."""
    try:
        return read(model, content)
    except Unreadable as error:
        message = f"{node}.{error}"
        raise_alone(Unreadable(message))


def _order_of(members: Mapping[str, Any], content: Mapping[str, Any]) -> str | None:
    """Return the order to which a node belongs: as the body says, or from the node's own path."""
    above, own = members.get("paymentorder"), content.get("id")
    above = members_of(above).get("id", above)
    if not isinstance(above, str):
        above = own.rpartition("/")[0] if isinstance(own, str) else members.get("payment")
    return above if isinstance(above, str) and above else None


def _result(seen: Inspection, node: str, result: _wire.Result) -> Inspection:
    amount = result.amount
    order = _wire.Order.model_construct(id="", paid=result)
    seen = replace(seen, instrument=instrument_of(result.instrument), mandates=_mandates(order))
    if node == "cancelled":
        money = _Money(authorized=amount, captured=0, refunded=0, cancelled=amount)
        return _with_money(replace(seen, state=PaymentState.CANCELLED), money)
    if node == "reversed":
        money = _Money(authorized=amount, captured=amount, refunded=amount)
        return _with_money(replace(seen, state=PaymentState.CAPTURED), money)
    if is_sale(order):
        money = _Money(authorized=amount, captured=amount, cancelled=0)
        return _with_money(replace(seen, state=PaymentState.CAPTURED), money)
    note = f"{seen.note}: it does not say what was captured since"
    return _with_money(replace(seen, state=PaymentState.AUTHORIZED, note=note), _Money(authorized=amount))


def _moved(node: _wire.FinancialTransactions) -> tuple[PaymentState | None, _Money]:
    """Add up the list, which often lacks the first authorization or sale."""
    if node.financial_transactions_list is None:
        return None, _NOTHING_SAID
    summed: dict[str, int] = {}
    for each in node.financial_transactions_list:
        if each.state.lower() != "failed":
            summed[each.type.lower()] = summed.get(each.type.lower(), 0) + (each.amount or 0)
    at_once = summed.get("sale")
    reserved = summed.get("authorization", at_once)
    taken = summed.get("capture", at_once)
    refunded, released = summed.get("reversal", 0), summed.get("cancellation", 0)
    if taken is None and reserved is not None and not refunded:
        taken = 0
    state = None if reserved is None else PaymentState.AUTHORIZED
    if taken or refunded:
        state = PaymentState.CAPTURED
    elif reserved is not None and released == reserved:
        state = PaymentState.CANCELLED
    return state, _Money(authorized=reserved, captured=taken, refunded=refunded, cancelled=released)


def _happened(history: _wire.History) -> tuple[PaymentState | None, _Money]:
    """Read what the history implies. Its names may change, so this is for people."""
    if not history.history_list:
        return None, _NOTHING_SAID
    summed = {"captured": 0, "reversed": 0, "cancelled": 0}
    paid: int | None = None
    for entry in history.history_list:
        name = entry.name.lower().removeprefix("payment").removeprefix("partially")
        if name == "paid":
            paid = entry.amount or 0
            summed["captured"] += (
                paid if is_sale(_wire.Order.model_construct(id="", instrument=entry.instrument)) else 0
            )
        elif name in summed:
            summed[name] += entry.amount or 0
    money = _Money(
        authorized=None if paid is None else max(paid, summed["captured"]),
        captured=summed["captured"],
        refunded=summed["reversed"],
        cancelled=summed["cancelled"],
    )
    if summed["captured"]:
        return PaymentState.CAPTURED, money
    if paid is None:
        return (PaymentState.PENDING, _NOTHING_TAKEN) if not any(summed.values()) else (None, money)
    return (PaymentState.CANCELLED if summed["cancelled"] >= paid else PaymentState.AUTHORIZED), money


def _silent_node_in(members: Mapping[str, Any]) -> Inspection | None:
    """Read what says something of an order, but nothing of its money: a node, a list of links."""
    node = next((name for name in _SILENT if name in members), None)
    reference = _order_of(members, members_of(members.get(node or "")))
    if node is not None and (reference or node in _WITHOUT_ORDER):
        return _silent(reference, f"only the node {node!r} of a payment order: it says nothing about money")
    if not isinstance(members.get("operations"), list) or set(members) - {"operations", "paymentorder"}:
        return None
    links = read(_wire.Links, members).operations
    allowed = tuple(sorted(actions_of([operation.rel for operation in links])))
    note = "only what can be done with a payment order now: it says nothing about money"
    return replace(_silent(reference, note), allowed_actions=allowed)


def _silent(reference: str | None, note: str) -> Inspection:
    return Inspection(kind="payment_order", provider_reference=reference, note=note)


# What older versions answer


def _transaction_in(members: Mapping[str, Any]) -> Inspection | None:
    """Read the answer to a capture, cancellation or reversal as version 3.0 and earlier gave it."""
    name = next((name for name in _OF_VERSION_2 if isinstance(members.get(name), dict)), None)
    if name is None:
        return None
    content = members_of(members[name])
    transaction = read(_wire.Transaction, members_of(content.get("transaction", content)))
    if transaction.amount is None:
        message = f"{name}.transaction.amount is missing"
        raise Unreadable(message)
    payment = members.get("payment")
    state, money, decline = _of_one(name, transaction, transaction.amount)
    note = f"the answer to one {name} in the shape of version 3.0 or 2.0; {scrub(transaction.state) or 'no state'}"
    seen = Inspection(
        kind="payment_order",
        provider_reference=payment if isinstance(payment, str) else None,
        state=state,
        decline=decline,
        note=f"{note}; it says nothing about the others",
    )
    return _with_money(seen, money)


def _of_one(name: str, transaction: _wire.Transaction, amount: int) -> tuple[PaymentState, _Money, Decline | None]:
    """Return what one transaction says; it leaves open what others moved."""
    match transaction.state.lower():
        case "failed":
            return PaymentState.DECLINED, _NOTHING_SAID, decline_of(transaction.problem, transaction.created)
        case "completed":
            pass
        case _:
            return PaymentState.PENDING, _NOTHING_SAID, None
    match name:
        case "authorization":
            return PaymentState.AUTHORIZED, _Money(authorized=amount), None
        case "cancellation":
            return PaymentState.CANCELLED, _Money(cancelled=amount), None
        case "reversal":
            return PaymentState.CAPTURED, _Money(refunded=amount), None
        case "sale":
            return PaymentState.CAPTURED, _Money(authorized=amount, captured=amount, cancelled=0), None
        case _:
            return PaymentState.CAPTURED, _Money(captured=amount), None


def _older_payment_in(members: Mapping[str, Any]) -> Inspection | None:
    """Read a payment of the older API, for one instrument. Its state says nothing about money."""
    payment = members_of(members.get("payment"))
    if "state" not in payment:
        return None
    order = read(_wire.Order, payment)
    return Inspection(
        kind="payment",
        provider_reference=order.id,
        currency=order.currency,
        instrument=instrument_of(order.instrument),
        note=f"a payment of the older API, state {quoted(order.state or '')}: it does not say whether money moved",
    )


# Stored methods


def _methods_in(members: Mapping[str, Any]) -> Inspection | None:
    """Read an answer about stored methods, of either API: a list, one method, or what a deletion answers."""
    if set(members) == {"state", "comment"}:
        note = f"the answer to a deletion: {scrub(str(members['state']))}; it names no method"
        return Inspection(kind="stored_methods", note=note)
    listed = read(
        _wire.TokensAnswer, {name: members[name] for name in ("tokens", "payerownedtokens") if name in members}
    )
    envelope = listed.tokens or listed.payer_owned_tokens
    if envelope is not None:
        found = envelope.tokens if envelope.token_list is None else envelope.token_list
        return None if found is None else _methods([_method(token) for token in found])
    answer = read(_wire.TokenAnswer, {"token": members.get("token"), "isdeleted": members.get("isdeleted")})
    if answer.token is not None:
        return _methods([_method(answer.token)])
    name = next((name for name in _TOKENS if isinstance(members.get(name), str)), None)
    if name is None:
        return None
    bare = read(_wire.ListedToken, {"tokentype": _TOKENS[name], **members})
    state = {True: "deleted", False: "not deleted", None: ""}[answer.is_deleted]
    return _methods([replace(_method(bare), state=state)])


def _methods(found: list[MandateSeen]) -> Inspection:
    return Inspection(kind="stored_methods", mandates=tuple(found), note="" if found else "no stored method")


def _method(token: _wire.ListedToken) -> MandateSeen:
    details = token.instrument_parameters or _wire.InstrumentParameters()
    return MandateSeen(
        kind=token.token_type.lower(),
        display=display_of(token) if token.instrument or details.card_brand else "",
        expires=details.expiry_pan or details.expiry_date,
        state=token.state.lower(),
    )


def _mandates(order: _wire.Order) -> tuple[MandateSeen, ...]:
    """List the stored methods that an answer names, without their tokens."""
    nodes = [node for node in (order.paid, order.cancelled, order.reversed) if node is not None]
    seen = [
        MandateSeen(kind=token.type.lower(), display=scrub(token.name), expires=token.expiry_date)
        for node in nodes
        for token in node.tokens
        if token.token
    ]
    places: list[_wire.Order | _wire.Result] = [order, *nodes]
    bare = [
        MandateSeen(kind=kind, display="", expires="")
        for where in places
        for kind, token in (
            ("payment", where.payment_token),
            ("recurrence", where.recurrence_token),
            ("unscheduled", where.unscheduled_token),
        )
        if token
    ]
    return (*seen, *bare)
