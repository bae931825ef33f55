"""Moving money without naming the operation, or naming it with something else than a text."""

from __future__ import annotations

from uuid import uuid4

from prenopay import Money, OperationId, Order, Payments
from prenopay.provider import Cancels, Captures, Refunds


class All(Captures, Cancels, Refunds):
    """Can do everything that is asked for below."""


def forgotten(payments: Payments[All], order: Order) -> None:
    payments.create(order)  # refused: call-arg | reportCallIssue
    payments.capture("p")  # refused: call-arg | reportCallIssue
    payments.cancel("p")  # refused: call-arg | reportCallIssue
    payments.refund("p", Money(100, "SEK"))  # refused: call-arg | reportCallIssue
    payments.resolve()  # refused: call-arg | reportCallIssue


def not_named(payments: Payments[All], order: Order) -> None:
    payments.create(order, "order:1")  # refused: call-arg | reportCallIssue
    payments.cancel("p", "cancel:1")  # refused: call-arg | reportCallIssue
    payments.capture("p", "capture:1")  # refused: arg-type, call-arg | reportCallIssue


def not_a_text(payments: Payments[All], order: Order) -> None:
    payments.create(order, operation_id=4711)  # refused: arg-type | reportArgumentType
    payments.create(order, operation_id=None)  # refused: arg-type | reportArgumentType
    payments.create(order, operation_id=uuid4())  # refused: arg-type | reportArgumentType


def not_checked(number: str) -> OperationId:
    made: OperationId = f"order:{number}"  # refused: assignment | reportAssignmentType
    OperationId.of("order", 1.5)  # refused: arg-type | reportArgumentType
    OperationId.of("order", None)  # refused: arg-type | reportArgumentType
    return made + ":again"  # refused: return-value | reportReturnType
