"""Operations without a final answer: what is due for a look, who looks, and how each one ended.

Nothing here sends or decides anything: callers bring the evidence, and what is settled stays so.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, or_, select, update

from prenopay.books import codec, schema
from prenopay.books.operations import Begun
from prenopay.books.records import (
    StoredOperation,
    find_operation,
    load_payment,
    lock_payment,
    operations_of,
    stored_operation,
)
from prenopay.values.money import Money
from prenopay.values.payments import Decline, Operation, OperationKind, Outcome, Payment, PaymentState

__all__ = ["being_refunded", "claim", "due", "look_again", "open_ones", "refunds_under_way", "settle", "unanswered"]

_MAKE_PAYMENTS: Final = frozenset({OperationKind.CREATE, OperationKind.CHARGE})


def open_ones(connection: Connection, account: str, limit: int) -> tuple[Operation, ...]:
    """Return unsettled operations, oldest first."""
    table = schema.operations
    query = (
        select(table)
        .where(table.c.account == account, table.c.outcome.in_([Outcome.UNKNOWN.value, Outcome.PENDING.value]))
        .order_by(table.c.created_at)
        .limit(limit)
    )
    return tuple(stored_operation(row).operation for row in connection.execute(query))


def due(connection: Connection, account: str, now: datetime, limit: int) -> tuple[StoredOperation, ...]:
    """Return unsettled operations that are due for a look, longest waiting first."""
    table = schema.operations
    query = (
        select(table)
        .where(table.c.account == account, table.c.next_check_at <= now)
        .where(table.c.outcome.in_([Outcome.UNKNOWN.value, Outcome.PENDING.value]))
        .order_by(table.c.next_check_at)
        .limit(limit)
    )
    return tuple(stored_operation(row) for row in connection.execute(query))


def claim(connection: Connection, account: str, operation_id: str, now: datetime, until: datetime) -> Begun | None:
    """Take an unsettled operation to look it up; ``None`` while someone else is at it."""
    found = find_operation(connection, account, operation_id)
    if found is None:
        return None
    lock_payment(connection, account, found.operation.payment_id)
    table = schema.operations
    taken = connection.execute(
        update(table)
        .where(
            table.c.account == account,
            table.c.operation_id == operation_id,
            table.c.outcome.in_([Outcome.UNKNOWN.value, Outcome.PENDING.value]),
            or_(table.c.claimed_until.is_(None), table.c.claimed_until <= now),
        )
        .values(claimed_until=until, next_check_at=until, checks=table.c.checks + 1),
    )
    again = find_operation(connection, account, operation_id)
    if again is None or taken.rowcount == 0:
        return None
    payment = load_payment(connection, account, again.operation.payment_id)
    return Begun(operation=again, payment=payment, ours_to_send=True, maybe_sent=True)


def unanswered(connection: Connection, payment_id: str) -> str | None:
    """Return the operation that makes the payment, while the gateway's answer to it is missing."""
    made = (each.operation for each in operations_of(connection, payment_id))
    return next(
        (each.operation_id for each in made if each.kind in _MAKE_PAYMENTS and each.outcome is Outcome.UNKNOWN), None
    )


def look_again(connection: Connection, account: str, operation_id: str, at: datetime) -> None:
    """Let go of an operation that is still open, and say when it is looked at next."""
    table = schema.operations
    connection.execute(
        update(table)
        .where(
            table.c.account == account,
            table.c.operation_id == operation_id,
            table.c.outcome.in_([Outcome.UNKNOWN.value, Outcome.PENDING.value]),
        )
        .values(claimed_until=None, next_check_at=at),
    )


def settle(
    connection: Connection,
    operation: StoredOperation,
    outcome: Outcome,
    *,
    now: datetime,
    decline: Decline | None = None,
    error: str = "",
    next_check_at: datetime | None = None,
) -> None:
    """Write down how an operation ended; a settled one stays as it is (evidence came first).

    A create without an answer leaves its payment's state unknown, one that never happened created.
    """
    table, made = schema.operations, operation.operation
    if made.kind in _MAKE_PAYMENTS and outcome in {Outcome.UNKNOWN, Outcome.NOT_ATTEMPTED}:
        state = PaymentState.UNKNOWN if outcome is Outcome.UNKNOWN else PaymentState.CREATED
        unsent = schema.payments.c.state.in_([PaymentState.CREATED.value, PaymentState.UNKNOWN.value])
        connection.execute(
            update(schema.payments)
            .where(schema.payments.c.payment_id == made.payment_id, unsent)
            .values(state=state.value),
        )
    ended = outcome in {Outcome.SUCCEEDED, Outcome.DECLINED, Outcome.NOT_ATTEMPTED}
    connection.execute(
        update(table)
        .where(
            table.c.account == made.account,
            table.c.operation_id == made.operation_id,
            table.c.outcome.in_([Outcome.UNKNOWN.value, Outcome.PENDING.value]),
        )
        .values(
            outcome=outcome.value,
            decline=None if decline is None else codec.dump(decline),
            error=error,
            settled_at=now if ended else None,
            claimed_until=None,
            next_check_at=None if ended else next_check_at,
        ),
    )


def refunds_under_way(connection: Connection, payment_id: str) -> tuple[Operation, ...]:
    """Return the refunds that may have happened or may yet: asked for, and not settled."""
    return tuple(
        each.operation
        for each in operations_of(connection, payment_id)
        if each.operation.kind is OperationKind.REFUND and each.operation.outcome in {Outcome.UNKNOWN, Outcome.PENDING}
    )


def being_refunded(connection: Connection, payment: Payment) -> Money:
    """Return what the refunds under way add up to."""
    amounts = (each.amount for each in refunds_under_way(connection, payment.payment_id))
    return sum((amount for amount in amounts if amount is not None), Money.zero(payment.amount.currency))
