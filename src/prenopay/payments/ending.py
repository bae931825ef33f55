"""Ends that prenopay itself causes: time is over, a page is replaced, a charge was refused at once."""

from __future__ import annotations

from dataclasses import replace

from prenopay.payments.lifecycle import ENDED
from prenopay.provider.values import Observation
from prenopay.values.payments import Action, Operation, Payment, PaymentState

__all__ = ["closes_page_only", "expired_if_so", "expiry_operation_id", "leaves_page", "replacing_operation_id"]


def expiry_operation_id(payment_id: str) -> str:
    """Return the id of the operation that closes a payment's page when its time is over."""
    return f"{payment_id}:expire"


def replacing_operation_id(payment_id: str) -> str:
    """Return the id of the operation that closes a payment's page when another payment replaces it."""
    return f"{payment_id}:replaced"


def closes_page_only(made: Operation) -> bool:
    """Whether prenopay itself asked for a cancel. Such a cancel closes an unpaid page and must release no money."""
    payment_id = made.subject.id
    return made.operation_id in {expiry_operation_id(payment_id), replacing_operation_id(payment_id)}


def leaves_page(payment: Payment) -> bool:
    """Whether an ended payment can still be paid, because its page was made or found after the end."""
    return payment.state in ENDED and not payment.authorized and Action.CANCEL in payment.allowed_actions


def expired_if_so(observed: Observation, made: Operation) -> Observation:
    """Return the observation; it is expired instead of cancelled if the page was closed because time was over."""
    closed = observed.state is PaymentState.CANCELLED and made.operation_id == expiry_operation_id(made.subject.id)
    return replace(observed, state=PaymentState.EXPIRED) if closed else observed
