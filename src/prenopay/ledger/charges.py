"""Charges in the books: which mandate each was drawn on, and what forbids the next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, and_, insert, select

from prenopay.errors import CeilingReached, Conflict, MandateUnusable
from prenopay.ledger import codec, mandates, schema
from prenopay.mandates import ConsentKind, Mandate, MandateKind
from prenopay.models import Decline, OperationKind, Outcome
from prenopay.money import Money
from prenopay.recurring.ceilings import Draw, Never, NotBefore, Now, decide, scheme_of

__all__ = ["Drawing", "check", "draws", "mandate_charged", "note"]

_HISTORY: Final = timedelta(days=400)
"""Longer than any scheme looks back; declines for good within it end a method."""
_TAKEN: Final = (Outcome.SUCCEEDED.value, Outcome.PENDING.value, Outcome.UNKNOWN.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A charge that is about to be made: on which mandate, under which id, for which period."""

    account: str
    mandate_id: str
    operation_id: str
    period: str
    now: datetime


def check(connection: Connection, drawing: Drawing, amount: Money) -> None:
    """Refuse a charge that must not be sent; the mandate stays locked until the transaction ends.

    Raises ``MandateUnusable``, ``CeilingReached``, ``Conflict`` for a period that is paid already or
    while another charge on the mandate has an unknown outcome.
    """
    account, now = drawing.account, drawing.now
    mandate, card_key = mandates.lock(connection, account, drawing.mandate_id)
    _refuse_unusable(mandate, amount)
    _refuse_taken_period(connection, mandate, drawing.operation_id, drawing.period)
    history = draws(connection, account, drawing.mandate_id, card_key, since=now - _HISTORY)
    match decide(history, scheme_of(mandate.display), now):
        case Never(rule=rule):
            message = f"the last decline on {mandate.display} says never again: ask the payer for another method"
            raise CeilingReached(message, rule=rule).about(account=account, operation_id=drawing.operation_id)
        case NotBefore(at=at, rule=rule):
            message = f"another draw on {mandate.display} is forbidden before {at.isoformat()} ({rule})"
            error = CeilingReached(message, not_before=at, rule=rule)
            raise error.about(account=account, operation_id=drawing.operation_id)
        case Now():
            pass


def note(connection: Connection, drawing: Drawing, payment_id: str) -> None:
    """Write down which mandate a new charge is drawn on."""
    _mandate, card_key = mandates.lock(connection, drawing.account, drawing.mandate_id)
    connection.execute(
        insert(schema.charges).values(
            payment_id=payment_id,
            account=drawing.account,
            mandate_id=drawing.mandate_id,
            operation_id=drawing.operation_id,
            card_key=card_key,
            period=drawing.period,
            at=drawing.now,
        ),
    )


def draws(connection: Connection, account: str, mandate_id: str, card_key: str, *, since: datetime) -> tuple[Draw, ...]:
    """Return every try on the mandate's card, whichever mandate it was drawn through."""
    charges, operations = schema.charges, schema.operations
    same_card = charges.c.card_key == card_key if card_key else charges.c.mandate_id == mandate_id
    query = (
        select(charges.c.at, operations.c.outcome, operations.c.decline)
        .join(
            operations,
            and_(operations.c.account == charges.c.account, operations.c.operation_id == charges.c.operation_id),
        )
        .where(charges.c.account == account, same_card, charges.c.at >= since)
    )
    return tuple(
        Draw(
            at=row.at,
            decline=None if row.decline is None else codec.load_as(Decline, row.decline),
            is_open=row.outcome == Outcome.UNKNOWN.value,
        )
        for row in connection.execute(query)
        if row.outcome != Outcome.NOT_ATTEMPTED.value
    )


def mandate_charged(connection: Connection, payment_id: str) -> str | None:
    """Return the mandate that a payment was drawn on, if it was."""
    charges = schema.charges
    return connection.execute(
        select(charges.c.mandate_id).where(charges.c.payment_id == payment_id),
    ).scalar_one_or_none()


def _refuse_unusable(mandate: Mandate, amount: Money) -> None:
    why = ""
    most = mandate.consent.most
    if mandate.kind is MandateKind.ONE_CLICK:
        why = "is for purchases with the payer present: make an order that offers it"
    elif not mandate.state.is_chargeable:
        why = f"is {mandate.state}" + (f" ({mandate.reason})" if mandate.reason else "")
    elif most is not None and most.currency != amount.currency:
        why = f"was agreed in {most.currency}, not {amount.currency}"
    elif most is not None and amount > most:
        why = f"was agreed for {most} at most, not {amount}"
    elif most is not None and mandate.consent.kind is ConsentKind.FIXED and amount != most:
        why = f"was agreed for {most} each time, not {amount}"
    if why:
        message = f"mandate {mandate.mandate_id} {why}"
        raise MandateUnusable(message).about(account=mandate.account)


def _refuse_taken_period(connection: Connection, mandate: Mandate, operation_id: str, period: str) -> None:
    charges, operations = schema.charges, schema.operations
    query = (
        select(charges.c.operation_id, charges.c.period, operations.c.outcome)
        .join(
            operations,
            and_(operations.c.account == charges.c.account, operations.c.operation_id == charges.c.operation_id),
        )
        .where(charges.c.mandate_id == mandate.mandate_id, charges.c.operation_id != operation_id)
        .where(operations.c.outcome.in_(_TAKEN), operations.c.kind == OperationKind.CHARGE.value)
    )
    for row in connection.execute(query):
        if period and row.period == period:
            message = f"period {period!r} is charged already, by operation {row.operation_id!r} ({row.outcome})"
            raise Conflict(message).about(account=mandate.account, operation_id=operation_id)
        if row.outcome == Outcome.UNKNOWN.value:
            message = (
                f"the outcome of charge {row.operation_id!r} on this mandate is unknown: settle it first "
                "(resolve, or prenopay operations resolve), then repeat this one"
            )
            raise Conflict(message).about(account=mandate.account, operation_id=operation_id)
