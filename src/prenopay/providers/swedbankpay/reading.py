"""From the gateway's JSON to an observation in our words. Pure.

What the money did is read from the list of financial transactions where it is there, and otherwise
worked out from the remaining amounts; never from a node being present, because unused nodes hold
stray members. ``Paid`` alone does not mean taken.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from prenopay.provider import Attempt, Observation, ProviderTransaction, TransactionKind
from prenopay.providers.swedbankpay import _wire
from prenopay.providers.swedbankpay.instruments import instrument_of
from prenopay.providers.swedbankpay.methods import methods_stored
from prenopay.providers.swedbankpay.problems import decline_of
from prenopay.values.money import Money
from prenopay.values.orders import Instrument
from prenopay.values.payments import Action, Decline, PaymentState

__all__ = ["Sums", "actions_of", "is_verification", "observation_of", "state_of", "status_of", "sums_of"]

ACTION_OF_REL: Final[Mapping[str, Action]] = {
    "capture": Action.CAPTURE,
    "cancel": Action.CANCEL,
    "abort": Action.CANCEL,
    "reversal": Action.REFUND,
    "update-order": Action.UPDATE,
    "create-paymentorder-capture": Action.CAPTURE,
    "create-paymentorder-cancel": Action.CANCEL,
    "create-paymentorder-reversal": Action.REFUND,
    "update-paymentorder-abort": Action.CANCEL,
    "update-paymentorder-updateorder": Action.UPDATE,
}
"""``rel`` → our word; the longer ones are version 2's."""

_STATES: Final = {
    "initialized": PaymentState.PENDING,
    "paid": PaymentState.AUTHORIZED,
    "failed": PaymentState.DECLINED,
    "cancelled": PaymentState.CANCELLED,
    "canceled": PaymentState.CANCELLED,
    "reversed": PaymentState.CAPTURED,
    "aborted": PaymentState.CANCELLED,
    # ``state`` of version 2, which says nothing of money
    "ready": PaymentState.PENDING,
    "pending": PaymentState.PENDING,
}
_PAID_STATUSES: Final = frozenset({"paid", "cancelled", "canceled", "reversed"})
_PAID_RELS_2: Final = frozenset(
    {
        "paid-paymentorder",
        "create-paymentorder-capture",
        "create-paymentorder-cancel",
        "create-paymentorder-reversal",
    },
)
_VERIFY: Final = "verify"
_TAKES_NO_MONEY: Final = frozenset({_VERIFY, "payout"})
"""Operations whose amount is not collected from the payer."""
_ONE_PHASE: Final = frozenset({Instrument.SWISH, Instrument.TRUSTLY})

_KINDS: Final = {
    "authorization": TransactionKind.AUTHORIZATION,
    "capture": TransactionKind.CAPTURE,
    "cancellation": TransactionKind.RELEASE,
    "cancel": TransactionKind.RELEASE,
    "reversal": TransactionKind.REFUND,
}
"""``type`` of a transaction → our kind. A ``Sale`` is authorization and capture at once: see ``sums_of``."""


@dataclass(frozen=True, slots=True)
class Sums:
    """What the money did, in minor units, cumulative."""

    authorized: int = 0
    captured: int = 0
    refunded: int = 0
    cancelled: int = 0


def status_of(order: _wire.Order, rels: Collection[str]) -> str:
    """Return the order's status in lower case, whichever API version it comes in."""
    if order.status is not None:
        return order.status.lower()
    state = (order.state or "").lower()
    if state in {"failed", "aborted"}:
        return state
    if "failed-paymentorder" in rels:
        return "failed"
    is_open = "update-paymentorder-abort" in rels
    remaining = (order.remaining_capture_amount or 0) + (order.remaining_reversal_amount or 0)
    if _PAID_RELS_2 & set(rels) or (remaining and not is_open):
        return "paid"
    return state


def actions_of(rels: Collection[str]) -> frozenset[Action]:
    """Return what the order's ``operations`` allow now."""
    return frozenset(ACTION_OF_REL[rel] for rel in rels if rel in ACTION_OF_REL)


def is_verification(order: _wire.Order) -> bool:
    """Whether the order only stores a method: nothing is reserved, whatever amount it shows."""
    return order.operation.lower() == _VERIFY


def state_of(status: str, sums: Sums, *, verified: bool = False) -> PaymentState:
    """Return our state; a status nobody documented means the payment is still open.

    A ``Verify`` that is ``Paid`` (``verified``) has come to its good end, and nothing is left to take:
    captured, of which the sums say that it was nothing.
    """
    if sums.captured or (verified and status == "paid"):
        return PaymentState.CAPTURED
    return _STATES.get(status, PaymentState.PENDING)


def sums_of(order: _wire.Order, rels: Collection[str]) -> Sums:
    """Work out what was authorized, captured, refunded and released."""
    status = status_of(order, rels)
    if status not in _PAID_STATUSES or order.operation.lower() in _TAKES_NO_MONEY:
        return Sums()
    amount = _authorized_amount(order)
    if status in {"cancelled", "canceled"}:
        return Sums(authorized=amount, cancelled=amount)
    listed = None if order.financial_transactions is None else order.financial_transactions.financial_transactions_list
    sums = _from_remaining(order, amount, rels) if listed is None else _from_list(order, amount, listed)
    if status == "reversed":
        captured = sums.captured or amount
        return Sums(authorized=amount, captured=captured, refunded=captured, cancelled=sums.cancelled)
    return sums


def _authorized_amount(order: _wire.Order) -> int:
    for node in (order.paid, order.cancelled, order.reversed):
        if node is not None and node.amount is not None:
            return node.amount
    return order.amount or 0


def _is_sale(order: _wire.Order, listed: Collection[_wire.Transaction] = ()) -> bool:
    """Whether reserving and taking were one: said so, or by the kind of instrument where nothing is said."""
    if any(each.type.lower() == "sale" for each in listed):
        return True
    said = [node.transaction_type.lower() for node in (order.paid, order.reversed) if node and node.transaction_type]
    if said:
        return said[0] == "sale"
    node = next((node for node in (order.paid, order.reversed) if node and node.instrument), None)
    instrument = node.instrument if node is not None else order.instrument
    return instrument_of(instrument) in _ONE_PHASE


def _from_list(order: _wire.Order, amount: int, listed: list[_wire.Transaction]) -> Sums:
    """Add up the listed transactions; the first authorization or sale is often missing from the list."""
    summed = dict.fromkeys(TransactionKind, 0)
    for each in listed:
        kind = _KINDS.get(each.type.lower())
        if kind is not None and each.state.lower() != "failed":
            summed[kind] += each.amount or 0
    refunded = summed[TransactionKind.REFUND]
    # What can still be refunded was captured, even if the list has not caught up.
    captured = max(summed[TransactionKind.CAPTURE], (order.remaining_reversal_amount or 0) + refunded)
    if _is_sale(order, listed):
        captured = amount
    return Sums(amount, captured, refunded, summed[TransactionKind.RELEASE])


def _from_remaining(order: _wire.Order, amount: int, rels: Collection[str]) -> Sums:
    """Work backwards from what remains; an amount left out is zero.

    Without the list a cancelled remainder cannot be told from a refund: taken for a refund.
    """
    left_to_capture = order.remaining_capture_amount or 0
    left_to_refund = order.remaining_reversal_amount or 0
    nothing_said = order.remaining_capture_amount is None and order.remaining_reversal_amount is None
    if _is_sale(order):
        refunded = 0 if nothing_said or not left_to_refund else max(amount - left_to_refund, 0)
        return Sums(amount, amount, refunded)
    if left_to_capture:
        captured = max(amount - left_to_capture, 0)
        return Sums(amount, captured, max(captured - left_to_refund, 0))
    if left_to_refund:
        return Sums(amount, amount, max(amount - left_to_refund, 0))
    actions = actions_of(rels)
    taken = Action.REFUND in actions and Action.CAPTURE not in actions
    return Sums(amount, amount if taken else 0)


def observation_of(answer: _wire.OrderAnswer, *, currency: str, raw: Mapping[str, object]) -> Observation:
    """Return what the answer says, in our words.

    ``currency`` is the order's as we know it, used only where the answer leaves it out. Raises
    ``Unreadable`` for an order without status, amount or currency: none of them has a default.
    """
    order = answer.payment_order
    rels = [operation.rel for operation in answer.operations]
    currency = order.currency or currency
    _require(status=order.status or order.state, amount=order.amount, currency=currency or None)
    status, sums = status_of(order, rels), sums_of(order, rels)
    paid = order.paid if status in _PAID_STATUSES else None
    named = paid or order.payee_info

    def money(minor: int | None) -> Money:
        return Money(minor or 0, currency)

    return Observation(
        provider_reference=order.id,
        state=state_of(status, sums, verified=is_verification(order)),
        authorized=money(sums.authorized),
        captured=money(sums.captured),
        refunded=money(sums.refunded),
        cancelled=money(sums.cancelled),
        submitted=money(0 if is_verification(order) else _submitted(order, paid)),
        fee=money(paid.fee_amount if paid else 0),
        discount=money(abs(paid.discount_amount or 0) if paid else 0),
        allowed_actions=actions_of(rels),
        instrument=instrument_of(paid.instrument if paid and paid.instrument else order.instrument),
        reference=named.payee_reference if named else None,
        order_reference=named.order_reference if named else None,
        decline=_final_decline(order, status),
        attempts=_attempts(order),
        transactions=_transactions(order, currency),
        failed_transactions=_failed_transactions(order),
        methods=methods_stored(order) if status in _PAID_STATUSES else (),
        raw_status=order.status or order.state or "",
        status_is_known=status in _STATES,
        raw=raw,
    )


def _require(**members: object) -> None:
    for name, value in members.items():
        if value is None:
            message = f"paymentOrder.{name} is missing"
            raise _wire.Unreadable(message)


def _submitted(order: _wire.Order, paid: _wire.Result | None) -> int | None:
    if paid is not None and paid.submitted_amount is not None:
        return paid.submitted_amount
    return order.amount


def _final_decline(order: _wire.Order, status: str) -> Decline | None:
    if status != "failed":
        return None
    return decline_of(order.failed.problem if order.failed is not None else None, order.updated)


def _attempts(order: _wire.Order) -> tuple[Attempt, ...]:
    if order.failed_attempts is None:
        return ()
    return tuple(
        Attempt(
            number=each.number or _when(each.created),
            created_at=each.created,
            instrument=instrument_of(each.instrument),
            decline=decline_of(each.problem, each.created),
        )
        for each in order.failed_attempts.failed_attempt_list
    )


def _transactions(order: _wire.Order, currency: str) -> tuple[ProviderTransaction, ...]:
    node = order.financial_transactions
    listed = (node.financial_transactions_list or []) if node is not None else []
    return tuple(
        ProviderTransaction(
            kind=kind,
            number=each.number,
            amount=None if each.amount is None else Money(each.amount, currency),
            reference=each.payee_reference,
            created_at=each.created,
        )
        for each in listed
        for kind in _kinds_of(each.type)
        if each.state.lower() != "failed"
    )


def _kinds_of(name: str) -> tuple[TransactionKind, ...]:
    if name.lower() == "sale":
        return (TransactionKind.AUTHORIZATION, TransactionKind.CAPTURE)
    kind = _KINDS.get(name.lower())
    return () if kind is None else (kind,)


def _failed_transactions(order: _wire.Order) -> tuple[ProviderTransaction, ...]:
    node = order.post_purchase_failed_attempts
    listed = node.post_purchase_failed_attempt_list if node is not None else []
    return tuple(
        ProviderTransaction(
            kind=kind,
            number=each.number or _when(each.created),
            amount=None,
            reference=None,
            created_at=each.created,
            decline=decline_of(each.problem, each.created),
        )
        for each in listed
        for kind in _kinds_of(each.type or each.transaction_type)
    )


def _when(created: datetime | None) -> str:
    return "" if created is None else created.isoformat()
