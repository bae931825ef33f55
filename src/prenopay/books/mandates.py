"""Mandates in the books: proposed with an order, active once the gateway shows the method, never edited away.

Every change of state is an appended row besides: who, when, why. The token stands apart, sealed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, insert, or_, select, update

from prenopay.books import codec, schema, tokens
from prenopay.books.mandate_events import tell_of_mandate
from prenopay.books.outbox import NewEvent
from prenopay.books.vault import Sealed
from prenopay.errors import NotFound
from prenopay.values.events import EventKind
from prenopay.values.mandates import Consent, Mandate, MandateChange, MandateKind, MandateState, MethodSeen, StoreMethod

__all__ = [
    "GATEWAY",
    "add",
    "change",
    "end",
    "find",
    "history",
    "load",
    "lock",
    "mandate_id_of",
    "mandate_of",
    "note_methods",
    "of_payer",
    "propose",
    "refresh",
]

GATEWAY: Final = "gateway"
HOST: Final = "host"
_GONE: Final = "the gateway has it no more"
_ANEW: Final = "the same method was stored anew"
_ENDED: Final = tuple(state.value for state in MandateState if state.has_ended)
_UNBORN: Final = (MandateState.PROPOSED.value, MandateState.PENDING.value)


def propose(
    connection: Connection,
    *,
    account: str,
    provider: str,
    payment_id: str,
    payer_reference: str,
    store: StoreMethod,
    now: datetime,
) -> None:
    """Write down what the payer is about to agree to, one mandate for each kind."""
    for kind in store.kinds:
        mandate_id = mandate_id_of(payment_id, kind)
        connection.execute(
            insert(schema.mandates).values(
                mandate_id=mandate_id,
                account=account,
                provider=provider,
                payer_reference=payer_reference,
                kind=kind.value,
                state=MandateState.PROPOSED.value,
                consent=codec.dump(store.consent),
                until=store.consent.until,
                payment_id=payment_id,
                replaces=store.replaces,
                created_at=now,
                updated_at=now,
            ),
        )
        _append(connection, mandate_id, MandateState.PROPOSED, actor=HOST, reason="the payer was asked", now=now)


def mandate_id_of(payment_id: str, kind: MandateKind) -> str:
    """Return the id of the mandate of ``kind`` that is stored with a payment."""
    return f"man_{payment_id.removeprefix('pay_')}_{kind.value[0]}"


def note_methods(
    connection: Connection,
    payment_id: str,
    seen: Sequence[Sealed],
    *,
    is_over: bool,
    has_money: bool,
    now: datetime,
) -> list[NewEvent]:
    """Hold what the gateway shows against what was proposed with a payment; return what is to be told.

    ``is_over``: the payment ended without money, so what was proposed never comes to be.
    """
    table = schema.mandates
    query = select(table).where(table.c.payment_id == payment_id).with_for_update()
    proposed = {row.kind: row for row in connection.execute(query)}
    told: list[NewEvent] = []
    for each in seen:
        row = proposed.pop(each.method.kind.value, None)
        if row is None:
            continue  # nobody asked for it: it is not ours to keep
        if row.state in _UNBORN:
            told += _activate(connection, row, each, now)
            told.append(NewEvent(kind=EventKind.MANDATE_ACTIVE, mandate_id=row.mandate_id))
            if row.replaces:
                told += _replace(connection, row.account, row.replaces, row.mandate_id, now)
        elif row.state not in _ENDED:
            _show(connection, row.mandate_id, each.method, now)
        elif not row.display and tokens.holder(connection, row.account, each.fingerprint) is None:
            # Paid when the order was over: the mandate never began, and what was stored is removed (once: it is shown).
            _show(connection, row.mandate_id, each.method, now)
            tokens.keep(connection, row.mandate_id, row.account, each.fingerprint, each.sealed)
            tokens.postpone_removal(connection, row.mandate_id, now)
    for row in proposed.values():
        if row.state in _UNBORN and is_over:
            change(connection, row.mandate_id, MandateState.DELETED, actor=GATEWAY, reason="not completed", now=now)
        elif row.state == MandateState.PROPOSED.value and has_money:
            change(connection, row.mandate_id, MandateState.PENDING, actor=GATEWAY, reason="no token yet", now=now)
    return told


def add(connection: Connection, mandate: Mandate, fingerprint: str, sealed: bytes, *, actor: str) -> bool:
    """Add a mandate that was made elsewhere; ``False`` when its token is in the books already."""
    if tokens.is_known(connection, mandate.account, fingerprint):
        return False
    connection.execute(
        insert(schema.mandates).values(
            mandate_id=mandate.mandate_id,
            account=mandate.account,
            provider=mandate.provider,
            payer_reference=mandate.payer_reference,
            kind=mandate.kind.value,
            state=mandate.state.value,
            consent=codec.dump(mandate.consent),
            until=mandate.consent.until,
            instrument=mandate.instrument,
            display=mandate.display,
            expires=mandate.expires,
            network_tokenized=mandate.network_tokenized,
            created_at=mandate.created_at,
            updated_at=mandate.updated_at,
        ),
    )
    tokens.keep(connection, mandate.mandate_id, mandate.account, fingerprint, sealed)
    _append(
        connection,
        mandate.mandate_id,
        mandate.state,
        actor=actor,
        reason=mandate.reason,
        now=mandate.created_at,
    )
    return True


def refresh(
    connection: Connection,
    account: str,
    payer_reference: str,
    seen: Sequence[Sealed],
    *,
    now: datetime,
) -> tuple[Mandate, ...]:
    """Take over how the gateway shows a payer's methods now; one it has no more is over."""
    shown = {each.fingerprint: each.method for each in seen}
    table, tokens = schema.mandates, schema.tokens
    query = (
        select(table, tokens.c.fingerprint)
        .join(tokens, tokens.c.mandate_id == table.c.mandate_id)
        .where(table.c.account == account, table.c.payer_reference == payer_reference, table.c.state.not_in(_ENDED))
    )
    for row in connection.execute(query).all():
        method = shown.get(row.fingerprint)
        if method is not None:
            _show(connection, row.mandate_id, method, now)
        else:
            end(connection, account, row.mandate_id, MandateState.REVOKED, actor=GATEWAY, reason=_GONE, now=now)
    return of_payer(connection, account, payer_reference)


def change(
    connection: Connection,
    mandate_id: str,
    state: MandateState,
    *,
    actor: str,
    reason: str,
    now: datetime,
    remove_at: datetime | None = None,
    replaced_by: str | None = None,
    resume_at: datetime | None = None,
) -> bool:
    """Move a mandate on, unless it has ended.

    From ``remove_at`` on its token is to be removed at the gateway; at ``resume_at`` a suspended one works again.
    """
    table = schema.mandates
    values: dict[str, Any] = {"state": state.value, "reason": reason, "updated_at": now, "resume_at": resume_at}
    if replaced_by is not None:
        values["replaced_by"] = replaced_by
    moved = connection.execute(
        update(table)
        .where(table.c.mandate_id == mandate_id, table.c.state.not_in([*_ENDED, state.value]))
        .values(**values),
    )
    if moved.rowcount:
        _append(connection, mandate_id, state, actor=actor, reason=reason, now=now)
    if remove_at is not None:
        tokens.postpone_removal(connection, mandate_id, remove_at)
    return bool(moved.rowcount)


def end(
    connection: Connection,
    account: str,
    mandate_id: str,
    state: MandateState,
    *,
    actor: str,
    reason: str,
    now: datetime,
    remove_at: datetime | None = None,
) -> str | None:
    """End a mandate and tell the host; return the payment it is told with, if there is one."""
    born = select(schema.mandates.c.state.not_in(_UNBORN)).where(schema.mandates.c.mandate_id == mandate_id)
    was_born = connection.scalar(born)
    if not change(connection, mandate_id, state, actor=actor, reason=reason, now=now, remove_at=remove_at):
        return None
    if not was_born:
        return None  # the host never heard of it
    new = NewEvent(kind=EventKind.MANDATE_ENDED, mandate_id=mandate_id, detail=reason)
    return tell_of_mandate(connection, account, new, now=now)


def load(connection: Connection, account: str, mandate_id: str) -> Mandate:
    """Return the mandate; raises ``NotFound`` for one that this account does not have."""
    return mandate_of(_row(connection, account, mandate_id))


def lock(connection: Connection, account: str, mandate_id: str) -> tuple[Mandate, str]:
    """Return the mandate and its card key, and keep others from drawing on its payer until the transaction ends.

    Every mandate of the payer is locked: what is paid for is paid once, through whichever.
    """
    table = schema.mandates
    payer = select(table.c.payer_reference).where(table.c.mandate_id == mandate_id).scalar_subquery()
    query = select(table).where(table.c.account == account, table.c.payer_reference == payer)
    held = connection.execute(query.order_by(table.c.mandate_id).with_for_update()).all()
    row = next((row for row in held if row.mandate_id == mandate_id), None) or _row(connection, account, mandate_id)
    return mandate_of(row), row.card_key


def of_payer(connection: Connection, account: str, payer_reference: str) -> tuple[Mandate, ...]:
    """Return a payer's mandates, newest first, ended ones included."""
    table = schema.mandates
    query = (
        select(table)
        .where(table.c.account == account, table.c.payer_reference == payer_reference)
        .order_by(table.c.created_at.desc(), table.c.mandate_id.desc())
    )
    return tuple(mandate_of(row) for row in connection.execute(query))


def find(
    connection: Connection,
    account: str,
    *,
    state: MandateState | None,
    after: str | None,
    limit: int,
) -> tuple[Mandate, ...]:
    """Return mandates, newest first; ``after`` is the last mandate id of the page before."""
    table = schema.mandates
    query = select(table).where(table.c.account == account)
    if state is not None:
        query = query.where(table.c.state == state.value)
    if after is not None:
        query = query.where(or_(table.c.mandate_id < after))
    query = query.order_by(table.c.mandate_id.desc()).limit(limit)
    return tuple(mandate_of(row) for row in connection.execute(query))


def history(connection: Connection, account: str, mandate_id: str) -> tuple[MandateChange, ...]:
    """Return every change of a mandate, oldest first."""
    load(connection, account, mandate_id)
    table = schema.mandate_changes
    query = select(table).where(table.c.mandate_id == mandate_id).order_by(table.c.change_id)
    return tuple(
        MandateChange(at=row.at, state=MandateState(row.state), actor=row.actor, reason=row.reason)
        for row in connection.execute(query)
    )


def mandate_of(row: Row[Any]) -> Mandate:
    """Read one row of the mandates table."""
    return Mandate(
        mandate_id=row.mandate_id,
        account=row.account,
        provider=row.provider,
        payer_reference=row.payer_reference,
        kind=MandateKind(row.kind),
        state=MandateState(row.state),
        consent=codec.load_as(Consent, row.consent),
        instrument=row.instrument,
        display=row.display,
        expires=row.expires,
        network_tokenized=row.network_tokenized,
        payment_id=row.payment_id,
        replaces=row.replaces,
        replaced_by=row.replaced_by,
        reason=row.reason,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _activate(connection: Connection, row: Row[Any], seen: Sealed, now: datetime) -> list[NewEvent]:
    told: list[NewEvent] = []
    other = tokens.holder(connection, row.account, seen.fingerprint)
    if other is not None:  # the gateway gave a token that we hold already: the newer consent takes it over
        tokens.removed(connection, other)
        new, state = row.mandate_id, MandateState.REPLACED
        if change(connection, other, state, actor=GATEWAY, reason=_ANEW, now=now, replaced_by=new):
            told.append(NewEvent(kind=EventKind.MANDATE_ENDED, mandate_id=other, detail=_ANEW))
    tokens.keep(connection, row.mandate_id, row.account, seen.fingerprint, seen.sealed)
    _show(connection, row.mandate_id, seen.method, now)
    change(connection, row.mandate_id, MandateState.ACTIVE, actor=GATEWAY, reason="the method was stored", now=now)
    return told


def _replace(connection: Connection, account: str, old: str, new: str, now: datetime) -> list[NewEvent]:
    """End the mandate that the new one takes the place of; its token goes at the gateway too."""
    table = schema.mandates
    owner = select(table.c.account).where(table.c.mandate_id == old)
    if connection.execute(owner).scalar_one_or_none() != account:
        return []
    reason = "replaced by a new method"
    done = change(
        connection,
        old,
        MandateState.REPLACED,
        actor=HOST,
        reason=reason,
        now=now,
        remove_at=now,
        replaced_by=new,
    )
    return [NewEvent(kind=EventKind.MANDATE_ENDED, mandate_id=old, detail=reason)] if done else []


def _show(connection: Connection, mandate_id: str, method: MethodSeen, now: datetime) -> None:
    values: dict[str, Any] = {
        "instrument": method.instrument,
        "display": method.display,
        "expires": method.expires,
        "network_tokenized": method.network_tokenized,
        "updated_at": now,
    }
    if method.card_key:
        values["card_key"] = method.card_key
    table = schema.mandates
    connection.execute(update(table).where(table.c.mandate_id == mandate_id).values(**values))


def _append(
    connection: Connection,
    mandate_id: str,
    state: MandateState,
    *,
    actor: str,
    reason: str,
    now: datetime,
) -> None:
    connection.execute(
        insert(schema.mandate_changes).values(
            mandate_id=mandate_id,
            state=state.value,
            actor=actor,
            reason=reason,
            at=now,
        ),
    )


def _row(connection: Connection, account: str, mandate_id: str) -> Row[Any]:
    table = schema.mandates
    query = select(table).where(table.c.mandate_id == mandate_id, table.c.account == account)
    row = connection.execute(query).one_or_none()
    if row is None:
        message = f"there is no mandate {mandate_id!r} in account {account!r}"
        raise NotFound(message).about(account=account)
    return row
