"""Methods that the gateway does not show: an absence is noted, looked at again later, and only then believed.

A list may lag, and a payer may be unknown for a moment. So an absence revokes a mandate only if a second look, a day
after the first, confirms it. Until then the mandate works as before. If many methods of an account are missing at
once, none is revoked before a person has looked. A revoked mandate keeps its token for a while, and is looked at
again: if the gateway shows the method, the mandate is back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from prenopay.account import Account, News
from prenopay.books.outbox import NewEvent
from prenopay.books.vault import Sealed
from prenopay.mandates import methods, rows
from prenopay.mandates.rows import StoredMandate
from prenopay.values.events import EventKind
from prenopay.values.mandates import Mandate, MandateState, MethodSeen
from prenopay.values.subjects import Subject

__all__ = ["MISSING_MOST", "Refreshed", "note_list", "plan_look"]

_CONFIRMED_AFTER: Final = timedelta(days=1)
"""How long after the first look without it a method must still be missing."""
_PAUSE_MOST: Final = timedelta(days=7)
_GIVEN_UP_AFTER: Final = timedelta(days=60)
"""How long the token of a revoked mandate is kept, in case the gateway shows it again."""
MISSING_MOST: Final = 10
"""If more methods of an account are missing at once, the gateway is doubted, and a person is notified."""
_GONE: Final = "the gateway no longer has it"
_BACK: Final = "the gateway has it again"
_MISSING: Final = "the gateway did not show it; the next look decides"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refreshed:
    """A payer's mandates after a look, the subjects that have news, and what is too much to be believed."""

    mandates: tuple[Mandate, ...]
    news: News
    doubted: tuple[str, ...]
    """Mandates that would be revoked if fewer methods of the account were missing."""


def note_list(
    connection: Connection, account: Account, payer_reference: str, seen: Sequence[Sealed], *, asked_at: datetime
) -> Refreshed:
    """Write down how the gateway showed a payer's methods when it was ``asked_at``."""
    news, doubted = list[Subject](), list[str]()
    rows.lock_payer(connection, account.name, payer_reference)
    shown = {each.fingerprint: each.method for each in seen}
    for stored in rows.of_payer_with_tokens(connection, account.name, payer_reference):
        method = shown.get(stored.fingerprint)
        if method is not None:
            news += _found(connection, account, stored, method)
        elif _is_confirmed(connection, stored, asked_at):
            if len(rows.missing(connection, account.name, limit=MISSING_MOST + 1)) > MISSING_MOST:
                doubted.append(stored.mandate.mandate_id)
            else:
                news += _revoke(connection, account, stored)
    mandates = rows.of_payer(connection, account.name, payer_reference)
    return Refreshed(mandates=mandates, news=tuple(news), doubted=tuple(doubted))


def plan_look(connection: Connection, account: Account, stored: StoredMandate) -> bool:
    """Return whether the gateway is to be asked now for a method that is missing, and plan the look after that one.

    The token of a mandate that was revoked long ago is removed.
    """
    now, name, since = account.now(), stored.mandate.mandate_id, stored.missing_since
    is_due = since is not None and stored.look_at is not None and stored.look_at <= now
    if since is None or not is_due:
        rows.plan_look(connection, name, stored.look_at)
        return False
    if stored.mandate.state is MandateState.REVOKED and now - since >= _GIVEN_UP_AFTER:
        rows.plan_look(connection, name, None)
        rows.postpone_removal(connection, name, now)
        return False
    rows.plan_look(connection, name, now + min(max((now - since) / 2, _CONFIRMED_AFTER), _PAUSE_MOST))
    return True


def _found(connection: Connection, account: Account, stored: StoredMandate, method: MethodSeen) -> News:
    """Write down how a method is shown. If the mandate was revoked because the method was missing, it is back."""
    name, now = stored.mandate.mandate_id, account.now()
    rows.show(connection, stored, method, now=now)
    if stored.missing_since is not None:
        rows.miss(connection, name, since=None, look_at=None)
    if stored.mandate.state is not MandateState.REVOKED:
        return ()
    before = rows.state_before(connection, name, MandateState.REVOKED)
    back = rows.change(
        connection, name, before, actor=methods.GATEWAY, reason=_BACK, now=now, resume_at=stored.resume_at, is_back=True
    )
    if back is None:
        return ()
    kind = EventKind.MANDATE_ACTIVE if back.state.is_chargeable else EventKind.MANDATE_SUSPENDED
    return methods.happened(connection, account, back, NewEvent(kind=kind, detail=_BACK))


def _is_confirmed(connection: Connection, stored: StoredMandate, asked_at: datetime) -> bool:
    """Whether the absence of a method is to be believed. The first look without it is only noted."""
    name, since = stored.mandate.mandate_id, stored.missing_since
    if since is None or rows.was_charged(connection, name, since=since):
        rows.miss(connection, name, since=asked_at, look_at=asked_at + _CONFIRMED_AFTER)
        rows.note(connection, stored.mandate, actor=methods.GATEWAY, what=_MISSING, now=asked_at)
        return False
    return stored.mandate.state is not MandateState.REVOKED and asked_at - since >= _CONFIRMED_AFTER


def _revoke(connection: Connection, account: Account, stored: StoredMandate) -> News:
    revoked = rows.change(
        connection,
        stored.mandate.mandate_id,
        MandateState.REVOKED,
        actor=methods.GATEWAY,
        reason=_GONE,
        now=account.now(),
        resume_at=stored.resume_at,
    )
    if revoked is None:
        return ()
    return methods.happened(connection, account, revoked, NewEvent(kind=EventKind.MANDATE_ENDED, detail=_GONE))
