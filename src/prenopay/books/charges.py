"""Charges in the books: which mandate each was drawn on, and what forbids the next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, and_, insert, select

from prenopay.books import codec, mandates, schema
from prenopay.books.outbox import NewEvent
from prenopay.books.records import StoredOperation
from prenopay.books.settling import settle
from prenopay.errors import CeilingReached, Conflict, MandateUnusable
from prenopay.provider.values import Observation
from prenopay.recurring.ceilings import Draw, Never, NotBefore, Now, decide, of_another_payer, scheme_of
from prenopay.values.events import EventKind
from prenopay.values.mandates import ConsentKind, Mandate, MandateKind, MandateState
from prenopay.values.money import Money
from prenopay.values.payments import Decline, OperationKind, Outcome, PaymentState

__all__ = ["Drawing", "check", "draws", "mandate_charged", "note", "settle_seen", "suspend"]

_HISTORY: Final = timedelta(days=400)
"""Longer than any scheme looks back; declines for good within it end a method."""
_TAKEN: Final = (Outcome.SUCCEEDED.value, Outcome.PENDING.value, Outcome.UNKNOWN.value)
_ENDS: Final = {
    PaymentState.AUTHORIZED: Outcome.SUCCEEDED,
    PaymentState.CAPTURED: Outcome.SUCCEEDED,
    PaymentState.DECLINED: Outcome.DECLINED,
    PaymentState.CANCELLED: Outcome.DECLINED,
    PaymentState.EXPIRED: Outcome.DECLINED,
}
"""How a charge that is settled later ended, by the state of its payment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A charge that is about to be made: on which mandate, under which id, for which period."""

    account: str
    mandate_id: str
    operation_id: str
    period: str
    now: datetime


def check(connection: Connection, drawing: Drawing, amount: Money) -> None:
    """Refuse a charge that must not be sent; the payer's mandates stay locked until the transaction ends.

    Raises ``MandateUnusable``, ``CeilingReached``, ``Conflict`` for a period that is paid already (through
    whichever mandate of the payer) or while another charge on the mandate has an unknown outcome.
    """
    account, now = drawing.account, drawing.now
    mandate, card_key = mandates.lock(connection, account, drawing.mandate_id)
    _refuse_unusable(mandate, amount, now)
    _refuse_taken_period(connection, mandate, drawing.operation_id, drawing.period)
    history = draws(connection, mandate, card_key, since=now - _HISTORY)
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


def draws(connection: Connection, mandate: Mandate, card_key: str, *, since: datetime) -> tuple[Draw, ...]:
    """Return every try on the mandate, and those on its card through other mandates.

    Cards are told apart by the digits that are shown, and two payers' cards may look the same: of another
    payer's tries only what the schemes count or block is held against this one.
    """
    charges, operations, holders = schema.charges, schema.operations, schema.mandates
    same_card = charges.c.mandate_id == mandate.mandate_id
    if card_key:
        same_card |= charges.c.card_key == card_key
    query = (
        select(charges.c.at, operations.c.outcome, operations.c.decline, holders.c.payer_reference)
        .join(
            operations,
            and_(operations.c.account == charges.c.account, operations.c.operation_id == charges.c.operation_id),
        )
        .join(holders, holders.c.mandate_id == charges.c.mandate_id)
        .where(charges.c.account == mandate.account, same_card, charges.c.at >= since)
        .where(operations.c.outcome != Outcome.NOT_ATTEMPTED.value)
    )
    found: list[Draw] = []
    for row in connection.execute(query):
        draw = Draw(
            at=row.at,
            decline=None if row.decline is None else codec.load_as(Decline, row.decline),
            is_open=row.outcome == Outcome.UNKNOWN.value,
        )
        own = row.payer_reference == mandate.payer_reference
        found += [draw] if own else of_another_payer(draw)
    return tuple(found)


def mandate_charged(connection: Connection, payment_id: str) -> str | None:
    """Return the mandate that a payment was drawn on, if it was."""
    charges = schema.charges
    return connection.execute(
        select(charges.c.mandate_id).where(charges.c.payment_id == payment_id),
    ).scalar_one_or_none()


def settle_seen(
    connection: Connection, operation: StoredOperation, observed: Observation, *, now: datetime
) -> list[NewEvent]:
    """Settle a charge that was open, by what the gateway says of its payment; return what is to be told."""
    # What was reserved and let go since was no decline: the charge did what it was asked for.
    outcome = Outcome.SUCCEEDED if observed.authorized else _ENDS.get(observed.state)
    if outcome is None:
        return []
    settle(connection, operation, outcome, now=now, decline=observed.decline)
    return suspend(connection, operation.operation.payment_id, observed.decline, now=now)


def suspend(connection: Connection, payment_id: str, decline: Decline | None, *, now: datetime) -> list[NewEvent]:
    """Let the mandate of a charge rest, where its ``decline`` says so; return what is to be told."""
    mandate_id = mandate_charged(connection, payment_id)
    if mandate_id is None or decline is None or not decline.suspends:
        return []
    moved = mandates.change(
        connection,
        mandate_id,
        MandateState.SUSPENDED,
        actor=mandates.GATEWAY,
        reason=decline.text or decline.code.value,
        now=now,
        resume_at=decline.not_before,
    )
    return [NewEvent(kind=EventKind.MANDATE_SUSPENDED, mandate_id=mandate_id, decline=decline)] if moved else []


def _refuse_unusable(mandate: Mandate, amount: Money, now: datetime) -> None:
    why = ""
    most, until = mandate.consent.most, mandate.consent.until
    if mandate.kind is MandateKind.ONE_CLICK:
        why = "is for purchases with the payer present: make an order that offers it"
    elif not mandate.state.is_chargeable:
        why = f"is {mandate.state}" + (f" ({mandate.reason})" if mandate.reason else "")
    elif until is not None and now.date() > until:
        why = f"was agreed until {until} only"
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
    charges, operations, holders = schema.charges, schema.operations, schema.mandates
    of_payer = select(holders.c.mandate_id).where(
        holders.c.account == mandate.account,
        holders.c.payer_reference == mandate.payer_reference,
    )
    query = (
        select(charges.c.operation_id, charges.c.mandate_id, charges.c.period, operations.c.outcome)
        .join(
            operations,
            and_(operations.c.account == charges.c.account, operations.c.operation_id == charges.c.operation_id),
        )
        .where(charges.c.mandate_id.in_(of_payer), charges.c.operation_id != operation_id)
        .where(operations.c.outcome.in_(_TAKEN), operations.c.kind == OperationKind.CHARGE.value)
    )
    for row in connection.execute(query):
        if period and row.period == period:
            message = f"period {period!r} is charged already, by operation {row.operation_id!r} ({row.outcome})"
            raise Conflict(message).about(account=mandate.account, operation_id=operation_id)
        if row.mandate_id == mandate.mandate_id and row.outcome == Outcome.UNKNOWN.value:
            message = (
                f"the outcome of charge {row.operation_id!r} on this mandate is unknown: settle it first "
                "(resolve, or prenopay operations resolve), then repeat this one"
            )
            raise Conflict(message).about(account=mandate.account, operation_id=operation_id)
