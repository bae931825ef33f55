"""Writing down what will be asked *before* it is sent; how it ended is written in ``settling``.

An operation is stored with its gateway reference and claimed for as long as one try may take. Who
comes meanwhile with the same id sees it in flight; who comes after a crash finds it unknown, and
looks it up before anything is sent again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from prenopay.books import codec, ids, schema
from prenopay.books.records import (
    PERSONAL,
    StoredOperation,
    StoredPayment,
    find_operation,
    load_operation,
    load_payment,
    lock_payment,
    operations_of,
)
from prenopay.errors import Conflict, IdReused, IllegalTransition, Quarantined
from prenopay.provider import Created, ReferenceRule
from prenopay.values.money import Money
from prenopay.values.orders import Order, OrderLine
from prenopay.values.payments import OperationId, OperationKind, Outcome, PaymentState

__all__ = [
    "Begun",
    "Intent",
    "begin_change",
    "begin_create",
    "created",
    "earlier_references",
    "next_reference",
]

_REFERENCE_TRIES: Final = 20
"""Twelve digits do fall on one another now and then; twenty times in a row they do not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What one operation will ask, with what names it at the gateway."""

    account: str
    operation_id: OperationId
    kind: OperationKind
    rule: ReferenceRule
    now: datetime
    claim_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """An operation as it stands in the books; ``ours_to_send`` says who is to act on it."""

    operation: StoredOperation
    payment: StoredPayment
    ours_to_send: bool
    maybe_sent: bool
    """An earlier try may have reached the gateway: what says "nothing happened" now does not settle it."""


def begin_create(
    connection: Connection,
    intent: Intent,
    order: Order,
    *,
    provider: str,
    payment_id: str,
    expires_at: datetime | None,
    parameters: Mapping[str, str] = MappingProxyType({}),
    check: Callable[[Connection], None] | None = None,
    add: Callable[[Connection], None] | None = None,
) -> Begun:
    """Write down a new payment and the operation that creates it, or find the one begun before.

    ``check`` is asked before a new one is written, ``add`` writes what else belongs to it;
    ``parameters`` are part of what the operation id stands for.
    """
    fingerprint = codec.digest(intent.kind, order, *sorted(parameters.items()))
    found = find_operation(connection, intent.account, intent.operation_id)
    if found is not None:
        return _again(connection, intent, found, fingerprint, check)
    if check is not None:
        check(connection)
    reference = _free_reference(connection, intent, first_attempt=1)
    payment = {"payment_id": payment_id, "provider": provider, "reference": reference, "expires_at": expires_at}
    _insert_payment(connection, intent, order, **payment)
    _insert(
        connection,
        intent,
        payment_id=payment_id,
        fingerprint=fingerprint,
        amounts=_amounts(order.amount, order.vat_amount, currency=order.amount.currency),
        parameters=dict(parameters),
        reference=reference,
    )
    if add is not None:
        add(connection)
    return _begun(connection, intent, ours=True, maybe_sent=False)


def begin_change(
    connection: Connection,
    intent: Intent,
    payment_id: str,
    *,
    amount: Money | None,
    lines: tuple[OrderLine, ...],
    description: str,
    work_out: Callable[[Connection, StoredPayment], tuple[Money | None, Money | None]],
) -> Begun:
    """Write down a capture, cancel, refund or update, or find the one begun before.

    ``work_out`` turns what the host left open into amounts, from the payment as it is under lock; for a
    repeated one of which nothing was attempted anew, as others may have moved money since.
    Raises ``Conflict`` while another operation on the payment has an unknown outcome.
    """
    fingerprint = codec.digest(intent.kind, payment_id, amount, lines, description)

    def worked_out(connection: Connection) -> dict[str, int | str | None]:
        stored = lock_payment(connection, intent.account, payment_id)
        _may_change(connection, stored)
        return _amounts(*work_out(connection, stored), currency=stored.payment.amount.currency)

    found = find_operation(connection, intent.account, intent.operation_id)
    if found is not None:
        return _again(connection, intent, found, fingerprint, worked_out)
    amounts = worked_out(connection)
    _insert(
        connection,
        intent,
        payment_id=payment_id,
        fingerprint=fingerprint,
        amounts=amounts,
        parameters={"lines": codec.dump(lines), "description": description},
        reference=_free_reference(connection, intent, first_attempt=1),
    )
    return _begun(connection, intent, ours=True, maybe_sent=False)


def next_reference(connection: Connection, intent: Intent) -> str:
    """Give an operation whose old reference has certainly moved no money a fresh one, and return it."""
    found = load_operation(connection, intent.account, intent.operation_id)
    made = found.operation
    reference = _free_reference(connection, intent, first_attempt=made.attempts + 1)
    _update(connection, found, reference=reference, attempts=made.attempts + 1)
    if made.kind is OperationKind.CREATE:
        connection.execute(
            update(schema.payments).where(schema.payments.c.payment_id == made.payment_id).values(reference=reference),
        )
    return reference


def earlier_references(connection: Connection, rule: ReferenceRule, account: str, payment_id: str) -> frozenset[str]:
    """Return the references under which earlier tries asked for this payment: requests that were closed since."""
    made = (each.operation for each in operations_of(connection, payment_id))
    return frozenset(
        ids.reference(rule, account, each.operation_id, attempt)
        for each in made
        if each.kind is OperationKind.CREATE
        for attempt in range(1, each.attempts)
    )


def created(connection: Connection, payment_id: str, created_as: Created) -> None:
    """Write down what the gateway calls the payment, and how its payer gets to the page.

    Raises ``IllegalTransition`` when another payment of the account already has that name.
    """
    table, view, switch = schema.payments, created_as.seamless_view, created_as.app_switch
    reference = created_as.observation.provider_reference
    try:
        connection.execute(
            update(table)
            .where(table.c.payment_id == payment_id)
            .values(
                provider_reference=reference,
                redirect_url=created_as.redirect_url,
                seamless_view=None if view is None else codec.dump(view),
                app_switch=None if switch is None else codec.dump(switch),
            ),
        )
    except IntegrityError as error:
        message = f"the gateway answered with {reference}, which is another payment's: ask it what that means"
        raise IllegalTransition(message).about(payment_id=payment_id) from error


def _again(
    connection: Connection,
    intent: Intent,
    found: StoredOperation,
    fingerprint: str,
    prepare: Callable[[Connection], Mapping[str, int | str | None] | None] | None,
) -> Begun:
    """Return the operation begun before. One of which nothing was attempted begins anew, as ``prepare`` finds it."""
    made = found.operation
    if found.digest != fingerprint:
        message = (
            f"operation id {intent.operation_id!r} was used before for another {made.kind}; "
            "use the same parameters, or an id of its own for a new operation"
        )
        raise IdReused(message).about(
            account=intent.account,
            operation_id=intent.operation_id,
            payment_id=made.payment_id,
        )
    lock_payment(connection, intent.account, made.payment_id)
    found = find_operation(connection, intent.account, intent.operation_id) or found
    free = not found.in_flight(intent.now)
    outcome = found.operation.outcome
    if outcome is Outcome.NOT_ATTEMPTED and free:
        again = {"outcome": Outcome.UNKNOWN.value, "error": "", "settled_at": None, "first_sent_at": intent.now}
        changed = prepare(connection) if prepare is not None else None
        _update(connection, found, **(changed or {}), **again, **_claim(intent))
        return _begun(connection, intent, ours=True, maybe_sent=False)
    if outcome is Outcome.UNKNOWN and free:
        _update(connection, found, **_claim(intent))
        return _begun(connection, intent, ours=True, maybe_sent=True)
    return _begun(connection, intent, ours=False, maybe_sent=True)


def _may_change(connection: Connection, stored: StoredPayment) -> None:
    payment = stored.payment
    who = {"account": payment.account, "payment_id": payment.payment_id}
    if payment.quarantined:
        message = "the gateway's payment does not match its order (see its flags): a person must look first"
        raise Quarantined(message).about(**who)
    if payment.provider_reference is None:
        message = "the gateway does not know this payment (yet): repeat the create with its operation id first"
        raise Conflict(message).about(**who)
    for other in operations_of(connection, payment.payment_id):
        if other.operation.outcome is Outcome.UNKNOWN and other.operation.kind is not OperationKind.CREATE:
            message = (
                f"operation {other.operation.operation_id!r} on this payment has an unknown outcome; "
                "resolve it first, then repeat this one"
            )
            raise Conflict(message).about(**who)


def _free_reference(connection: Connection, intent: Intent, *, first_attempt: int) -> str:
    table = schema.operations
    for attempt in range(first_attempt, first_attempt + _REFERENCE_TRIES):
        reference = ids.reference(intent.rule, intent.account, intent.operation_id, attempt)
        taken = select(table.c.reference).where(table.c.account == intent.account, table.c.reference == reference)
        if connection.execute(taken).first() is None:
            return reference
    message = "no free gateway reference was found: the account's reference format is too short for its traffic"
    raise Conflict(message).about(account=intent.account, operation_id=intent.operation_id)


def _insert_payment(connection: Connection, intent: Intent, order: Order, **columns: Any) -> None:
    stored = codec.dump(order)
    personal = {name: stored.pop(name) for name in PERSONAL if name in stored}
    connection.execute(
        insert(schema.payments).values(
            **columns,
            account=intent.account,
            order_reference=order.order_reference,
            state=PaymentState.CREATED.value,
            currency=order.amount.currency,
            amount=order.amount.minor,
            due=order.amount.minor,
            description=order.description,
            allowed_actions=[],
            capture_mode=order.capture.value,
            order=stored,
            created_at=intent.now,
            updated_at=intent.now,
            next_check_at=columns["expires_at"],
        ),
    )
    if personal:
        connection.execute(insert(schema.payers).values(payment_id=columns["payment_id"], data=personal))


def _insert(
    connection: Connection,
    intent: Intent,
    *,
    payment_id: str,
    fingerprint: str,
    amounts: Mapping[str, int | str | None],
    parameters: dict[str, Any],
    reference: str,
) -> None:
    try:
        connection.execute(
            insert(schema.operations).values(
                account=intent.account,
                operation_id=intent.operation_id,
                kind=intent.kind.value,
                payment_id=payment_id,
                digest=fingerprint,
                reference=reference,
                **amounts,
                parameters=parameters,
                outcome=Outcome.UNKNOWN.value,
                created_at=intent.now,
                first_sent_at=intent.now,
                **_claim(intent),
            ),
        )
    except IntegrityError as error:
        message = "the same operation is being started by someone else at this moment; repeat the call"
        raise Conflict(message).about(account=intent.account, operation_id=intent.operation_id) from error


def _amounts(amount: Money | None, vat: Money | None, *, currency: str) -> dict[str, int | str | None]:
    return {
        "amount": None if amount is None else amount.minor,
        "vat": None if vat is None else vat.minor,
        "currency": currency,
    }


def _claim(intent: Intent) -> dict[str, Any]:
    return {"claimed_until": intent.claim_until, "next_check_at": intent.claim_until}


def _update(connection: Connection, found: StoredOperation, **values: object) -> None:
    table, made = schema.operations, found.operation
    connection.execute(
        update(table)
        .where(table.c.account == made.account, table.c.operation_id == made.operation_id)
        .values(**values),
    )


def _begun(connection: Connection, intent: Intent, *, ours: bool, maybe_sent: bool) -> Begun:
    found = find_operation(connection, intent.account, intent.operation_id)
    assert found is not None, "an operation just written is there"  # noqa: S101 - same transaction
    payment = load_payment(connection, intent.account, found.operation.payment_id)
    return Begun(operation=found, payment=payment, ours_to_send=ours, maybe_sent=maybe_sent)
