"""Checks before a mandate is charged or offered. All of them run before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from prenopay._text import quoted
from prenopay.errors import CeilingReached, Conflict, MandateUnusable
from prenopay.mandates import rows
from prenopay.mandates.ceilings import Never, NotBefore, Now, decide, of_another_payer, scheme_of
from prenopay.mandates.methods import may_be_offered
from prenopay.mandates.rows import StoredMandate
from prenopay.values.days import day_of
from prenopay.values.mandates import ConsentKind, Mandate, MandateKind, MandateState
from prenopay.values.money import Money
from prenopay.values.orders import Order
from prenopay.values.payments import Outcome

__all__ = ["Drawing", "check", "check_named"]

_REPLACEABLE: Final = frozenset(MandateState) - {MandateState.PROPOSED, MandateState.REPLACED, MandateState.DELETED}
"""What a new method may replace: all that was stored, also what has run out. The rest is no longer there."""
_HISTORY: Final = timedelta(days=400)
"""Longer than any scheme looks back. A decline for good within it ends a method."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A charge that is about to be made: its operation id, amount and period."""

    operation_id: str
    amount: Money
    period: str
    now: datetime


def check(connection: Connection, stored: StoredMandate, drawing: Drawing) -> None:
    """Refuse a charge that must not be sent, on a locked mandate (``rows.lock_to_charge``).

    Raises ``MandateUnusable``, ``CeilingReached`` and ``Conflict``. ``Conflict`` means that the period is paid
    already (through any mandate of the payer), or that another charge on the mandate has an unknown outcome.
    """
    mandate = stored.mandate
    if why := _why_unusable(mandate, drawing.amount, drawing.now):
        message = f"mandate {mandate.mandate_id} {why}"
        raise MandateUnusable(message).about(account=mandate.account)
    if why := _why_conflicting(connection, mandate, drawing):
        raise Conflict(why).about(account=mandate.account, operation_id=drawing.operation_id)
    tries = rows.draws(connection, stored, since=drawing.now - _HISTORY)
    counted = [each for draw, own in tries for each in ([draw] if own else of_another_payer(draw))]
    match decide(counted, scheme_of(mandate.display), drawing.now):
        case Never(rule=rule):
            message = f"the last decline on {mandate.display} says never again: ask the payer for another method"
            raise CeilingReached(message, rule=rule).about(account=mandate.account, operation_id=drawing.operation_id)
        case NotBefore(at=at, rule=rule):
            message = f"another charge of {mandate.display} is forbidden before {at.isoformat()} ({rule})"
            error = CeilingReached(message, not_before=at, rule=rule)
            raise error.about(account=mandate.account, operation_id=drawing.operation_id)
        case Now():
            pass


def check_named(connection: Connection, account: str, order: Order, now: datetime) -> None:
    """Compare the mandates that an order names with its account, its payer and their states.

    Raises ``NotFound`` for a mandate of another account, ``MandateUnusable`` for one that the order must not name.
    """
    replaces = None if order.store is None else order.store.replaces
    named = [("pay_with", order.pay_with, _why_not_offered), ("store.replaces", replaces, _why_not_replaced)]
    for field, mandate_id, why_not in named:
        if not mandate_id:
            continue
        mandate = rows.load(connection, account, mandate_id).mandate
        is_theirs = order.payer is not None and mandate.payer_reference == order.payer.reference
        if why := why_not(mandate, now) if is_theirs else "is another payer's":
            message = f"{field}: mandate {mandate_id} {why}"
            raise MandateUnusable(message).about(account=account)


def _why_not_offered(mandate: Mandate, now: datetime) -> str:
    if mandate.kind is not MandateKind.ONE_CLICK:
        return f"is {mandate.kind}: charge it, or store a one_click method to offer"
    return "" if may_be_offered(mandate, now) else _state(mandate)


def _why_not_replaced(mandate: Mandate, _now: datetime) -> str:
    return "" if mandate.state in _REPLACEABLE else _state(mandate)


def _state(mandate: Mandate) -> str:
    return f"is {mandate.state}" + (f" ({mandate.reason})" if mandate.reason else "")


def _why_unusable(mandate: Mandate, amount: Money, now: datetime) -> str:
    most, until = mandate.consent.most, mandate.consent.until
    if mandate.kind is MandateKind.ONE_CLICK:
        return "is for purchases with the payer present: make an order that offers it"
    if not mandate.state.is_chargeable:
        return _state(mandate)
    if until is not None and day_of(now, mandate.time_zone) > until:
        return f"was agreed until {until} only"
    if most is not None and most.currency != amount.currency:
        return f"was agreed in {most.currency}, not {amount.currency}"
    if most is not None and amount > most:
        return f"was agreed for {most} at most, not {amount}"
    if most is not None and mandate.consent.kind is ConsentKind.FIXED and amount != most:
        return f"was agreed for {most} each time, not {amount}"
    return ""


def _why_conflicting(connection: Connection, mandate: Mandate, drawing: Drawing) -> str:
    for taken in rows.periods_taken(connection, mandate, but=drawing.operation_id):
        if drawing.period and taken.period == drawing.period:
            by = f"operation {taken.operation_id!r} ({taken.outcome})"
            what = "charged already" if taken.outcome is Outcome.SUCCEEDED else "taken"
            return f"period {quoted(drawing.period)} is {what}, by {by}"
        if taken.mandate_id == mandate.mandate_id and taken.outcome is Outcome.UNKNOWN:
            return (
                f"the outcome of charge {taken.operation_id!r} on this mandate is unknown: settle it first "
                "(resolve, or prenopay operations resolve), then repeat this one"
            )
    return ""
