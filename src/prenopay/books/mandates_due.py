"""What time alone does to mandates: cards and consents run out, and a suspension that had a term is over."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, select

from prenopay.books import schema
from prenopay.books.mandate_events import tell_of_mandate
from prenopay.books.mandates import change, end
from prenopay.books.outbox import NewEvent
from prenopay.values.events import EventKind
from prenopay.values.mandates import MandateState

__all__ = ["age"]

_SAID_AHEAD: Final = timedelta(days=45)
"""How long before its card runs out a mandate is called expiring: two monthly draws to ask the payer in."""
_TOKEN_MAY_TAKE: Final = timedelta(days=7)
"""How long after a purchase its token may be told; a payer who clicked on a card stored earlier gets no new one."""
_CLOCK: Final = "clock"


def age(connection: Connection, account: str, now: datetime, *, limit: int) -> int:
    """Move on what time has moved; return how many. Tokens of the network renew themselves and are left alone."""
    table = schema.mandates
    soon = (now + _SAID_AHEAD).date()
    runs_out = table.c.expires.is_not(None) & table.c.network_tokenized.is_(False)
    forgotten = table.c.until.is_not(None) & (table.c.until < now.date())
    query = (
        select(table.c.mandate_id, table.c.state, table.c.expires, table.c.until)
        .where(
            table.c.account == account,
            (table.c.state.in_(["active", "expiring", "suspended"]) & forgotten)
            | (table.c.state.in_(["pending"]) & (table.c.updated_at < now - _TOKEN_MAY_TAKE))
            | (table.c.state.in_(["active"]) & runs_out & (table.c.expires <= soon))
            | (table.c.state.in_(["expiring"]) & runs_out & (table.c.expires < now.date()))
            | (table.c.state.in_(["suspended"]) & table.c.resume_at.is_not(None) & (table.c.resume_at <= now)),
        )
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    moved = 0
    for row in connection.execute(query).all():
        if row.until is not None and row.until < now.date():
            state, why = MandateState.EXPIRED, "the payer agreed to be remembered until then"
            end(connection, account, row.mandate_id, state, actor=_CLOCK, reason=why, now=now, remove_at=now)
            moved += 1
            continue
        if row.state == MandateState.PENDING.value:
            state, why = MandateState.DELETED, "the gateway told no token"
            moved += change(connection, row.mandate_id, state, actor=_CLOCK, reason=why, now=now)
            continue
        state, why, kind = _next(row.state, over=row.expires is not None and row.expires < now.date())
        moved += change(connection, row.mandate_id, state, actor=_CLOCK, reason=why, now=now)
        if kind is not None:
            tell_of_mandate(connection, account, NewEvent(kind=kind, mandate_id=row.mandate_id, detail=why), now=now)
    return moved


def _next(state: str, *, over: bool) -> tuple[MandateState, str, EventKind | None]:
    if state == MandateState.SUSPENDED.value:
        return MandateState.ACTIVE, "the wait is over", EventKind.MANDATE_ACTIVE
    if over:
        return MandateState.EXPIRED, "the card has run out", EventKind.MANDATE_ENDED
    return MandateState.EXPIRING, "the card runs out soon", EventKind.MANDATE_EXPIRING
