"""Says how a stored body is read: a payment order of any version, one node of it, a callback, a problem."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from prenopay._redaction import scrub
from prenopay._text import quoted
from prenopay.provider import Inspection, MandateSeen, Observation
from prenopay.provider.wire import Unreadable, members_of, read, read_object, shown_members
from prenopay.providers.swedbankpay import _wire
from prenopay.providers.swedbankpay.encoding import instrument_of
from prenopay.providers.swedbankpay.problems import Verdict, decline_of, meaning_of
from prenopay.providers.swedbankpay.reading import (
    is_verification,
    observation_of,
    state_of,
    status_of,
    sums_of,
)
from prenopay.values.payments import PaymentState

__all__ = ["inspect"]

_STATUS_OF_NODE: Final = {
    "paid": "Paid",
    "reversed": "Reversed",
    "cancelled": "Cancelled",
    "failed": "Failed",
    "aborted": "Aborted",
    "failedattempts": "Initialized",
    "postpurchasefailedattempts": "Paid",
    "financialtransactions": "Paid",
    "history": "Initialized",
}
"""The status that a node implies: a node that was fetched alone has none."""

_OF_VERSION_2: Final = ("capture", "cancellation", "reversal", "authorization", "sale")
_CALLBACK_MEMBERS: Final = frozenset({"orderreference", "paymentorder", "payment", "transaction"})
_NO_CURRENCY: Final = "XXX"
"""ISO 4217 for no currency: a single node does not name its own."""


def inspect(body: bytes) -> Inspection:
    """Say how ``body`` is read; raises ``Unreadable`` (a ``ValueError``) for anything else."""
    decoded = read_object(body)
    members = members_of(decoded)
    order = _node_or_none(members.get("paymentorder"))
    if order is not None:
        names = {key.lower() for key in order}
        if names & {"status", "state"}:
            return _order(decoded)
        if set(members) <= _CALLBACK_MEMBERS and "id" in names:
            return _callback(decoded)
    if isinstance(members.get("type"), str) and "event" not in members and {"title", "detail", "status"} & set(members):
        return _problem(decoded)
    for node in _STATUS_OF_NODE:
        if isinstance(members.get(node), dict):
            return _node(node, members)
    for name in _OF_VERSION_2:
        if isinstance(members.get(name), dict):
            return _transaction(name, members)
    message = (
        "this is none of: a payment order with a status, one of its nodes (paid, failed, financialTransactions, …), "
        f"a callback, a problem; its members are: {shown_members(members)}"
    )
    raise Unreadable(message)


def _node_or_none(value: Any) -> dict[str, Any] | None:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def _order(decoded: dict[str, Any]) -> Inspection:
    answer = read(_wire.OrderAnswer, decoded)
    observed = observation_of(answer, currency="", raw={})
    latest = observed.attempts[-1].decline if observed.attempts else None
    open_attempt = latest if observed.state is PaymentState.PENDING else None
    return Inspection(
        kind="payment_order",
        provider_reference=observed.provider_reference,
        state=observed.state,
        authorized=observed.authorized.minor,
        captured=observed.captured.minor,
        refunded=None if observed.refunded is None else observed.refunded.minor,
        cancelled=observed.cancelled.minor,
        currency=observed.submitted.currency,
        instrument=observed.instrument,
        decline=observed.decline or open_attempt,
        mandates=_mandates(answer.payment_order),
        allowed_actions=tuple(sorted(observed.allowed_actions)),
        note=_note_of(answer.payment_order, observed),
    )


def _note_of(order: _wire.Order, observed: Observation) -> str:
    if not observed.status_is_known:
        return f"unknown status {quoted(observed.raw_status)}, taken for pending"
    done = observed.state is PaymentState.CAPTURED and is_verification(order)
    return "a method was verified and nothing was bought: there is nothing to capture" if done else ""


def _callback(decoded: dict[str, Any]) -> Inspection:
    callback = read(_wire.Callback, decoded)
    return Inspection(
        kind="callback",
        provider_reference=callback.payment_order.id,
        instrument=instrument_of(callback.payment_order.instrument),
        note="a callback is a hint: read the order to know its state",
    )


def _problem(decoded: dict[str, Any]) -> Inspection:
    problem = read(_wire.Problem, decoded)
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


def _node(node: str, members: Mapping[str, Any]) -> Inspection:
    """Read one node inside an order that is made for it."""
    content = dict(members[node])
    above = members.get("paymentorder")
    reference = above if isinstance(above, str) else str(content.get("id", "")).rsplit("/", 1)[0]
    around: dict[str, Any] = {"id": reference, "status": _STATUS_OF_NODE[node], node: content}
    if node == "financialtransactions":
        around["amount"] = _taken(content)
    if node == "history":
        around |= _from_history(content)
    order = read(_wire.Order, around)
    sums, status = sums_of(order, ()), status_of(order, ())
    answer = _wire.OrderAnswer.model_construct(payment_order=order.model_copy(update={"amount": 0}), operations=[])
    observed = observation_of(answer, currency=_NO_CURRENCY, raw={})
    latest = observed.attempts[-1].decline if observed.attempts else None
    failed = observed.failed_transactions[-1].decline if observed.failed_transactions else None
    result = order.paid or order.cancelled or order.reversed
    return Inspection(
        kind="payment_order",
        provider_reference=reference or None,
        state=None if node == "postpurchasefailedattempts" else state_of(status, sums),
        authorized=sums.authorized,
        captured=sums.captured,
        refunded=sums.refunded,
        cancelled=sums.cancelled,
        instrument=instrument_of(result.instrument) if result is not None else None,
        decline=observed.decline or latest or failed,
        mandates=_mandates(order),
        note=f"only the node {node!r} of a payment order",
    )


def _taken(content: Mapping[str, Any]) -> int:
    """Return the least amount that was authorized, from what the list says was captured or released."""
    node = read(_wire.FinancialTransactions, content)
    listed = node.financial_transactions_list or []
    authorized = sum(each.amount or 0 for each in listed if each.type.lower() in {"authorization", "sale"})
    used = sum(each.amount or 0 for each in listed if each.type.lower() in {"capture", "cancellation"})
    return max(authorized, used)


def _from_history(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the status and transactions that the history implies; its names may change, so this is for people."""
    node = read(_wire.History, content)
    kinds = {"captured": "Capture", "reversed": "Reversal", "cancelled": "Cancellation"}
    listed: list[dict[str, Any]] = []
    paid = 0
    for entry in node.history_list:
        name = entry.name.lower().removeprefix("payment").removeprefix("partially")
        if name == "paid":
            paid = entry.amount or 0
        elif name in kinds:
            listed.append({"type": kinds[name], "amount": entry.amount or 0})
    captured: int = sum(each["amount"] for each in listed if each["type"] == "Capture")
    if not paid and not captured:
        return {"status": "Initialized"}
    return {
        "status": "Paid",
        "amount": max(paid, captured),
        "financialtransactions": {"financialtransactionslist": listed},
    }


def _transaction(name: str, members: Mapping[str, Any]) -> Inspection:
    """Read the answer to a capture, cancellation or reversal as version 3.0 and earlier gave it."""
    content: Mapping[str, Any] = members[name]
    inner = next((value for key, value in content.items() if key.lower() == "transaction"), content)
    transaction = read(_wire.Transaction, _node_or_none(inner) or {})
    if transaction.amount is None:
        message = f"{name}.transaction.amount is missing"
        raise Unreadable(message)
    amount = transaction.amount
    done = transaction.state.lower() == "completed"
    failed = transaction.state.lower() == "failed"
    payment = members.get("payment")
    note = f"the answer to one {name} in the shape of version 3.0 or 2.0; {transaction.state or 'no state'}"
    if failed:
        state: PaymentState = PaymentState.DECLINED
    elif not done:
        state = PaymentState.PENDING
    else:
        state = {"cancellation": PaymentState.CANCELLED, "authorization": PaymentState.AUTHORIZED}.get(
            name,
            PaymentState.CAPTURED,
        )
    taken = done and name in {"capture", "sale", "reversal"}
    return Inspection(
        kind="payment_order",
        provider_reference=payment if isinstance(payment, str) else None,
        state=state,
        authorized=amount if done else 0,
        captured=amount if taken else 0,
        refunded=amount if done and name == "reversal" else 0,
        cancelled=amount if done and name == "cancellation" else 0,
        decline=decline_of(transaction.problem, transaction.created) if failed else None,
        note=note,
    )


def _mandates(order: _wire.Order) -> tuple[MandateSeen, ...]:
    """List the stored methods that an answer names, without their tokens."""
    seen = [
        MandateSeen(kind=token.type.lower(), display=scrub(token.name), expires=token.expiry_date)
        for node in (order.paid, order.cancelled, order.reversed)
        if node is not None
        for token in node.tokens
        if token.token
    ]
    at_the_root = (
        ("payment", order.payment_token),
        ("recurrence", order.recurrence_token),
        ("unscheduled", order.unscheduled_token),
    )
    seen += [MandateSeen(kind=kind, display="", expires="") for kind, token in at_the_root if token]
    return tuple(seen)
