"""A mandate's life in the books: proposed with an order, active once the gateway shows the method, ended once.

The host receives an event of the mandate for each change that matters, even if the mandate never had a payment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from prenopay.account import Account, News
from prenopay.books import ids
from prenopay.books.outbox import NewEvent
from prenopay.books.vault import Sealed
from prenopay.mandates import rows
from prenopay.mandates.aging import next_step
from prenopay.mandates.rows import StoredMandate
from prenopay.values.days import day_of
from prenopay.values.events import EventKind
from prenopay.values.mandates import Mandate, MandateKind, MandateState, StoreMethod
from prenopay.values.payments import Decline
from prenopay.values.subjects import Subject

__all__ = [
    "CLOCK",
    "GATEWAY",
    "HOST",
    "add",
    "end",
    "happened",
    "may_be_offered",
    "note_seen",
    "propose",
    "suspend",
    "take_step",
]

CLOCK: Final = "clock"
GATEWAY: Final = "gateway"
HOST: Final = "host"
"""Who changed a mandate, as its history says."""
_AGAIN: Final = "the same method was stored again"
_FOREIGN: Final = "the gateway showed a method that another payer has stored"
_ENDS_OF_PAYMENTS: Final = frozenset({EventKind.DECLINED, EventKind.CANCELLED, EventKind.EXPIRED})
_UNBORN: Final = frozenset({MandateState.PROPOSED, MandateState.PENDING})


def propose(
    connection: Connection, account: Account, store: StoreMethod, *, payment_id: str, payer_reference: str
) -> None:
    """Write down what the payer is about to agree to, as one mandate for each kind."""
    now = account.now()
    for kind in store.kinds:
        mandate = Mandate(
            mandate_id=ids.mandate_of(payment_id, kind.value),
            account=account.name,
            provider=account.gateway.name,
            payer_reference=payer_reference,
            kind=kind,
            state=MandateState.PROPOSED,
            consent=store.consent,
            time_zone=account.time_zone,
            instrument="",
            display="",
            expires=None,
            network_tokenized=False,
            payment_id=payment_id,
            replaces=store.replaces,
            replaced_by=None,
            reason="the payer was asked",
            created_at=now,
            updated_at=now,
        )
        rows.insert_mandate(connection, mandate, actor=HOST)


def add(connection: Connection, account: Account, mandate: Mandate, token: Sealed, *, actor: str) -> None:
    """Add a mandate that another system made, with its token."""
    rows.insert_mandate(connection, mandate, actor=actor)
    rows.keep_token(connection, mandate.mandate_id, account.name, token.fingerprint, token.sealed)


def note_seen(
    connection: Connection,
    account: Account,
    payment_id: str,
    seen: Sequence[Sealed],
    *,
    is_over: bool,
    has_money: bool,
) -> News:
    """Compare the gateway's methods with what a payment proposed; return the subjects that have news.

    ``is_over``: the payment ended without money, so the proposed mandates never begin.
    """
    now, news = account.now(), list[Subject]()
    held = rows.lock_payer_of_payment(connection, account.name, payment_id)
    proposed = {stored.mandate.kind: stored for stored in held if stored.mandate.payment_id == payment_id}
    for each in seen:
        stored = proposed.pop(each.method.kind, None)
        if stored is None:
            continue  # nobody asked for it, so we do not keep it
        mandate = stored.mandate
        if mandate.state in _UNBORN:
            news += _activate(connection, account, stored, each, held)
        elif not mandate.state.has_ended:
            rows.show(connection, stored, each.method, now=now)
        elif not mandate.display and rows.holder_of_token(connection, account.name, each.fingerprint) is None:
            # Paid when the order was over: the mandate never began. Its method is removed once: then it is shown.
            rows.show(connection, stored, each.method, now=now)
            rows.keep_token(connection, mandate.mandate_id, account.name, each.fingerprint, each.sealed)
            rows.postpone_removal(connection, mandate.mandate_id, now)
    for stored in proposed.values():
        name, state = stored.mandate.mandate_id, stored.mandate.state
        if state in _UNBORN and is_over:
            rows.change(connection, name, MandateState.DELETED, actor=GATEWAY, reason="not completed", now=now)
        elif state is MandateState.PROPOSED and has_money:
            rows.change(connection, name, MandateState.PENDING, actor=GATEWAY, reason="no token yet", now=now)
    return tuple(news)


def end(
    connection: Connection,
    account: Account,
    mandate_id: str,
    state: MandateState,
    *,
    actor: str,
    reason: str,
    remove_at: datetime | None = None,
    replaced_by: str | None = None,
) -> News:
    """End a mandate, unless it has ended. From ``remove_at`` on its token is to be removed at the gateway."""
    before = rows.lock(connection, account.name, mandate_id).mandate.state
    ended = rows.change(
        connection, mandate_id, state, actor=actor, reason=reason, now=account.now(), replaced_by=replaced_by
    )
    if remove_at is not None:
        rows.postpone_removal(connection, mandate_id, remove_at)
    if ended is None or before in _UNBORN or before.has_ended:  # the host never heard of it, or has heard of its end
        return ()
    return happened(connection, account, ended, NewEvent(kind=EventKind.MANDATE_ENDED, detail=reason))


def suspend(connection: Connection, account: Account, subject: Subject, new: NewEvent) -> News:
    """React to a payment: if its charge was declined, and the decline says so, suspend the mandate.

    The gateway's text stays with the payment, from which it can be erased. A mandate's history is evidence, and stays.
    """
    decline: Decline | None = new.decline
    if new.kind not in _ENDS_OF_PAYMENTS or decline is None or not decline.suspends:
        return ()
    mandate_id = rows.charged_mandate(connection, subject.id)
    if mandate_id is None:
        return ()
    rows.lock(connection, account.name, mandate_id)
    suspended = rows.change(
        connection,
        mandate_id,
        MandateState.SUSPENDED,
        actor=GATEWAY,
        reason=decline.code.value,
        now=account.now(),
        resume_at=decline.not_before,
    )
    if suspended is None:
        return ()
    return happened(
        connection, account, suspended, NewEvent(kind=EventKind.MANDATE_SUSPENDED, decline=replace(decline, text=""))
    )


def take_step(connection: Connection, account: Account, stored: StoredMandate) -> News | None:
    """Take the step of a locked mandate that time has made due; ``None`` if there is none, else what has news."""
    now, mandate_id = account.now(), stored.mandate.mandate_id
    step = next_step(stored.standing, now)
    if step is None:
        return None
    changed = rows.change(connection, mandate_id, step.state, actor=CLOCK, reason=step.why, now=now)
    if step.removes_token:
        rows.postpone_removal(connection, mandate_id, now)
    if changed is None or step.event is None:
        return ()
    return happened(connection, account, changed, NewEvent(kind=step.event, detail=step.why))


def may_be_offered(mandate: Mandate, now: datetime) -> bool:
    """Whether the payer may be offered the method again: it works, and the payer still allows it to be stored."""
    until = mandate.consent.until
    remembered = until is None or day_of(now, mandate.time_zone) <= until
    return mandate.kind is MandateKind.ONE_CLICK and mandate.state.is_chargeable and remembered


def _activate(
    connection: Connection,
    account: Account,
    stored: StoredMandate,
    seen: Sealed,
    held: Sequence[StoredMandate],
) -> News:
    """Begin a mandate whose method the gateway shows. ``held`` are the mandates of its payer, which are locked."""
    now, mandate, news = account.now(), stored.mandate, list[Subject]()
    ours = {each.mandate.mandate_id for each in held}
    other = rows.holder_of_token(connection, account.name, seen.fingerprint)
    if other is not None and other.payer_reference != mandate.payer_reference:
        return _refuse(connection, account, mandate)
    if other is not None:  # the gateway gave a token that we have already: it goes to the newer consent
        name, replaced, new = other.mandate_id, MandateState.REPLACED, mandate.mandate_id
        rows.remove_token(connection, name)
        news += end(connection, account, name, replaced, actor=GATEWAY, reason=_AGAIN, replaced_by=new)
    rows.keep_token(connection, mandate.mandate_id, account.name, seen.fingerprint, seen.sealed)
    rows.show(connection, stored, seen.method, now=now)
    reason = "the method was stored"
    active = rows.change(connection, mandate.mandate_id, MandateState.ACTIVE, actor=GATEWAY, reason=reason, now=now)
    if active is not None:
        news += happened(connection, account, active, NewEvent(kind=EventKind.MANDATE_ACTIVE))
    if mandate.replaces in ours:
        news += _replace(connection, account, mandate.replaces, mandate.mandate_id)
    return tuple(news)


def _refuse(connection: Connection, account: Account, mandate: Mandate) -> News:
    """End a mandate for which the gateway showed a method that another payer has stored."""
    now, deleted = account.now(), MandateState.DELETED
    ended = rows.change(connection, mandate.mandate_id, deleted, actor=GATEWAY, reason=_FOREIGN, now=now)
    if ended is None:
        return ()
    return happened(connection, account, ended, NewEvent(kind=EventKind.MANDATE_ENDED, detail=_FOREIGN))


def _replace(connection: Connection, account: Account, old: str, new: str) -> News:
    """End the mandate that a new one replaces, and have its token removed at the gateway."""
    return end(
        connection,
        account,
        old,
        MandateState.REPLACED,
        actor=HOST,
        reason="replaced by a new method",
        remove_at=account.now(),
        replaced_by=new,
    )


def happened(connection: Connection, account: Account, mandate: Mandate, new: NewEvent) -> News:
    """Write down an event of a locked mandate; return it as the subject that has news."""
    facts = {
        "mandate_id": mandate.mandate_id,
        "payment_id": mandate.payment_id,
        "order_reference": rows.order_reference(connection, mandate.payment_id) if mandate.payment_id else "",
    }
    return account.append_events(connection, Subject.mandate(mandate.mandate_id), [new], facts=facts)
