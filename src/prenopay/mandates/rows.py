"""Every SQL statement about mandates, their sealed tokens and the charges drawn on them.

A mandate is proposed with an order, and active once the gateway shows the method. Its history is only appended to:
each change of state is also a row that says who, when and why. The token is stored apart, sealed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, and_, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from prenopay._hidden import raise_alone
from prenopay._text import quoted
from prenopay.books import codec, due, erased, locks, schema
from prenopay.books.postgresql import waits_for
from prenopay.books.words import known, require_known, word
from prenopay.errors import Conflict, NotFound
from prenopay.mandates.aging import Standing, next_step_at
from prenopay.mandates.ceilings import Draw
from prenopay.values.mandates import Consent, Mandate, MandateChange, MandateKind, MandateState, MethodSeen
from prenopay.values.payments import Decline, OperationKind, Outcome
from prenopay.values.subjects import Subject

__all__ = [
    "Period",
    "StoredMandate",
    "change",
    "charged_mandate",
    "draws",
    "due_for_removal",
    "erase_payer",
    "find",
    "history",
    "holder_of_token",
    "insert_mandate",
    "keep_token",
    "load",
    "lock",
    "lock_payer",
    "lock_payer_of_payment",
    "lock_to_charge",
    "lock_tokens",
    "miss",
    "missing",
    "note",
    "note_charge",
    "of_payer",
    "of_payer_with_tokens",
    "order_reference",
    "periods_taken",
    "plan_look",
    "postpone_removal",
    "remove_token",
    "reseal_token",
    "sealed_tokens",
    "show",
    "state_before",
    "token",
    "was_charged",
]

_ENDED: Final = tuple(state.value for state in MandateState if state.has_ended)
ERASED: Final = "erased"
"""What is shown of a method whose payer was erased."""
_NOT_TAKEN: Final = (Outcome.DECLINED.value, Outcome.NOT_ATTEMPTED.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMandate:
    """A mandate, with what only the core needs to know about it."""

    mandate: Mandate
    card_key: str
    resume_at: datetime | None
    missing_since: datetime | None = None
    """When the gateway was first asked and did not show the method, if it has not shown it since."""
    look_at: datetime | None = None
    """When the gateway is asked next for a method that is missing."""
    fingerprint: str = ""
    is_erased: bool = False
    """Whether its payer was erased."""

    @property
    def standing(self) -> Standing:
        """What decides the next step that time makes due."""
        mandate = self.mandate
        return Standing(
            state=mandate.state,
            time_zone=mandate.time_zone,
            until=mandate.consent.until,
            expires=None if mandate.network_tokenized else mandate.expires,
            resume_at=self.resume_at,
            updated_at=mandate.updated_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """One charge that took a period, or may have taken it."""

    operation_id: str
    mandate_id: str
    period: str
    outcome: Outcome


# Mandates


def load(connection: Connection, account: str, mandate_id: str) -> StoredMandate:
    """Return the mandate; raises ``NotFound`` if this account does not have it."""
    table = schema.mandates
    query = select(table).where(table.c.mandate_id == mandate_id, table.c.account == account)
    row = connection.execute(query).one_or_none()
    if row is None:
        hint = "" if mandate_id.startswith("man_") else "; the id of a mandate begins with man_"
        message = f"there is no mandate {quoted(mandate_id)} in account {account!r}{hint}"
        raise NotFound(message).about(account=account)
    return _stored(row)


def lock(connection: Connection, account: str, mandate_id: str) -> StoredMandate:
    """Return the mandate, and keep others from changing any mandate of its payer until the transaction ends.

    Raises ``NotFound``, and as ``_require_known`` does.
    """
    table = schema.mandates
    payer = select(table.c.payer_reference).where(table.c.mandate_id == mandate_id, table.c.account == account)
    held = _lock(connection, table.c.account == account, table.c.payer_reference == payer.scalar_subquery())
    row = next((each for each in held if each.mandate_id == mandate_id), None)
    if row is None:
        return load(connection, account, mandate_id)
    _require_known(row)
    return _stored(row)


def lock_to_charge(connection: Connection, account: str, mandate_id: str) -> StoredMandate:
    """Return the mandate, and keep others from charging its payer or its card until the transaction ends.

    A period is paid once through any mandate of the payer. The card schemes' ceilings count each draw on the
    card, of any payer.
    """
    stored = lock(connection, account, mandate_id)
    if stored.card_key:
        locks.hold(connection, "card", account, stored.card_key)
    return stored


def lock_tokens(connection: Connection, account: str) -> None:
    """Keep others from adding tokens that another system stored until the transaction ends."""
    locks.hold(connection, "tokens", account)


def lock_payer(connection: Connection, account: str, payer_reference: str) -> tuple[StoredMandate, ...]:
    """Return a payer's mandates by id, and keep others from changing them until the transaction ends."""
    table = schema.mandates
    held = _lock(connection, table.c.account == account, table.c.payer_reference == payer_reference)
    return tuple(_stored(row) for row in held)


def lock_payer_of_payment(connection: Connection, account: str, payment_id: str) -> tuple[StoredMandate, ...]:
    """Lock as ``lock_payer`` does, for the payer of the mandates that a payment proposed. It may have none."""
    table = schema.mandates
    payer = select(table.c.payer_reference).where(table.c.payment_id == payment_id).limit(1)
    held = _lock(connection, table.c.account == account, table.c.payer_reference == payer.scalar_subquery())
    return tuple(_stored(row) for row in held)


def of_payer(connection: Connection, account: str, payer_reference: str) -> tuple[Mandate, ...]:
    """Return a payer's mandates, newest first, ended ones included."""
    table = schema.mandates
    query = (
        select(table)
        .where(table.c.account == account, table.c.payer_reference == payer_reference)
        .order_by(table.c.created_at.desc(), table.c.mandate_id.desc())
    )
    return tuple(each.mandate for each in _all(connection, query))


def of_payer_with_tokens(connection: Connection, account: str, payer_reference: str) -> tuple[StoredMandate, ...]:
    """Return a payer's mandates that work, or may come back, and have a token, with its fingerprint."""
    table, tokens = schema.mandates, schema.tokens
    may_come_back = and_(table.c.state == MandateState.REVOKED.value, table.c.missing_since.is_not(None))
    query = (
        select(table, tokens.c.fingerprint)
        .join(tokens, tokens.c.mandate_id == table.c.mandate_id)
        .where(table.c.account == account, table.c.payer_reference == payer_reference)
        .where(or_(table.c.state.not_in(_ENDED), may_come_back), tokens.c.next_at.is_(None))
    )
    return tuple(_stored(row, row.fingerprint) for row in connection.execute(query).all())


def missing(connection: Connection, account: str, *, limit: int) -> tuple[Mandate, ...]:
    """Return mandates that work here and that the gateway does not show, longest missing first."""
    table = schema.mandates
    query = select(table).where(table.c.account == account, table.c.missing_since.is_not(None))
    query = query.where(table.c.state.not_in(_ENDED)).order_by(table.c.missing_since, table.c.mandate_id).limit(limit)
    return tuple(each.mandate for each in _all(connection, query))


def find(
    connection: Connection, account: str, *, state: MandateState | None, after: str | None, limit: int
) -> tuple[Mandate, ...]:
    """Return mandates, newest first; ``after`` is the last mandate id of the page before."""
    table = schema.mandates
    query = select(table).where(table.c.account == account)
    if state is not None:
        query = query.where(table.c.state == state.value)
    if after is not None:
        query = query.where(table.c.mandate_id < after)
    return tuple(each.mandate for each in _all(connection, query.order_by(table.c.mandate_id.desc()).limit(limit)))


def history(connection: Connection, account: str, mandate_id: str) -> tuple[MandateChange, ...]:
    """Return every change of a mandate, oldest first."""
    load(connection, account, mandate_id)
    table = schema.mandate_changes
    query = select(table).where(table.c.mandate_id == mandate_id).order_by(table.c.change_id)
    return tuple(
        MandateChange(at=row.at, state=word(MandateState, row.state), actor=row.actor, reason=row.reason)
        for row in connection.execute(query)
    )


def insert_mandate(connection: Connection, mandate: Mandate, *, actor: str) -> None:
    """Write down a new mandate; its ``reason`` is the first line of its history."""
    stored = StoredMandate(mandate=mandate, card_key="", resume_at=None)
    connection.execute(
        insert(schema.mandates).values(
            mandate_id=mandate.mandate_id,
            account=mandate.account,
            provider=mandate.provider,
            payer_reference=mandate.payer_reference,
            kind=mandate.kind.value,
            state=mandate.state.value,
            consent=codec.dump(mandate.consent),
            time_zone=mandate.time_zone,
            until=mandate.consent.until,
            instrument=mandate.instrument,
            display=mandate.display,
            expires=mandate.expires,
            network_tokenized=mandate.network_tokenized,
            payment_id=mandate.payment_id,
            replaces=mandate.replaces,
            created_at=mandate.created_at,
            updated_at=mandate.updated_at,
            next_at=next_step_at(stored.standing),
        ),
    )
    _append_change(connection, mandate, actor=actor, reason=mandate.reason, now=mandate.created_at)


def change(
    connection: Connection,
    mandate_id: str,
    state: MandateState,
    *,
    actor: str,
    reason: str,
    now: datetime,
    replaced_by: str | None = None,
    resume_at: datetime | None = None,
    is_back: bool = False,
) -> Mandate | None:
    """Change a mandate's state and return it; ``None`` if it has ended, or is in that state already.

    At ``resume_at`` a suspended mandate works again. ``is_back``: the gateway shows the method of a revoked mandate
    again. A revoked mandate can also be replaced or deleted. Raises ``IllegalTransition`` for a state that only a newer
    prenopay knows.
    """
    table = schema.mandates
    values: dict[str, Any] = {
        "state": state.value,
        "reason": reason,
        "updated_at": now,
        "resume_at": resume_at,
        "claimed_until": None,
        "tries": 0,
    }
    if replaced_by is not None:
        values["replaced_by"] = replaced_by
    is_over = state.has_ended and state is not MandateState.REVOKED
    if is_over:
        values |= {"missing_since": None, "look_at": None}
    stays = {*_ENDED, state.value} - ({MandateState.REVOKED.value} if is_over or is_back else set())
    may_move = [each for each in known(MandateState) if each not in stays]
    moved = _write(connection, mandate_id, values, table.c.state.in_(may_move))
    if moved is None:
        present = connection.scalars(select(table.c.state).where(table.c.mandate_id == mandate_id))
        require_known(f"mandate {mandate_id}", *(word(MandateState, each) for each in present))
        return None
    _append_change(connection, moved.mandate, actor=actor, reason=reason, now=now)
    return moved.mandate


def show(connection: Connection, stored: StoredMandate, method: MethodSeen, *, now: datetime) -> None:
    """Write down how the gateway shows the method now; if the payer was erased, only that it was shown."""
    mandate_id = stored.mandate.mandate_id
    if stored.is_erased:
        _write(connection, mandate_id, {"display": ERASED, "updated_at": now})
        return
    values: dict[str, Any] = {
        "instrument": method.instrument,
        "display": method.display,
        "expires": method.expires,
        "network_tokenized": method.network_tokenized,
        "updated_at": now,
    }
    if method.card_key:
        values["card_key"] = method.card_key
    _write(connection, mandate_id, values)


def miss(connection: Connection, mandate_id: str, *, since: datetime | None, look_at: datetime | None) -> None:
    """Write down since when the gateway does not show a method, and when to ask again; ``None``: it shows it."""
    _write(connection, mandate_id, {"missing_since": since, "look_at": look_at})


def plan_look(connection: Connection, mandate_id: str, look_at: datetime | None) -> None:
    """Say when the gateway is asked next for a method that is missing, and release the mandate."""
    _write(connection, mandate_id, {"look_at": look_at, "claimed_until": None, "tries": 0})


def note(connection: Connection, mandate: Mandate, *, actor: str, what: str, now: datetime) -> None:
    """Add a line to a mandate's history that changes nothing."""
    _append_change(connection, mandate, actor=actor, reason=what, now=now)


def erase_payer(connection: Connection, account: str, payer_reference: str, *, now: datetime) -> tuple[str, ...]:
    """Erase who agreed to a payer's mandates, and how their methods look; return the mandates.

    The consents and the history stay. Raises ``Conflict`` for a mandate that has not ended, or may come back.
    """
    held = lock_payer(connection, account, payer_reference)
    for each in held:
        mandate = each.mandate
        if not mandate.state.has_ended or each.missing_since is not None:
            message = (
                f"mandate {mandate.mandate_id} is {mandate.state}, so it needs its payer: "
                "end the payer's mandates first (mandates.remove for each, or mandates.remove_all), then erase"
            )
            raise Conflict(message).about(account=account)
    for each in held:
        name = each.mandate.mandate_id
        nobody = f"{ERASED}:{held[0].mandate.mandate_id}"  # one for all of them: they are still locked together
        values: dict[str, Any] = {"payer_reference": nobody, "erased_at": now, "card_key": "", "expires": None}
        if each.mandate.display:
            values["display"] = ERASED
        _write(connection, name, values)
        postpone_removal(connection, name, now)
        erased.forget(connection, account, Subject.mandate(name))
    return tuple(each.mandate.mandate_id for each in held)


def state_before(connection: Connection, mandate_id: str, state: MandateState) -> MandateState:
    """Return the last state in a mandate's history that is not ``state``."""
    table = schema.mandate_changes
    query = select(table.c.state).where(table.c.mandate_id == mandate_id, table.c.state != state.value)
    return word(MandateState, connection.scalars(query.order_by(table.c.change_id.desc()).limit(1)).one())


def order_reference(connection: Connection, payment_id: str | None) -> str:
    """Return the host's reference of the order that stored a mandate, if any."""
    table = schema.payments
    return connection.scalar(select(table.c.order_reference).where(table.c.payment_id == payment_id)) or ""


# Tokens


def token(connection: Connection, mandate_id: str) -> bytes | None:
    """Return the sealed token, or ``None`` once it is removed."""
    table = schema.tokens
    sealed = connection.execute(select(table.c.sealed).where(table.c.mandate_id == mandate_id)).scalar_one_or_none()
    return None if sealed is None else bytes(sealed)


def holder_of_token(connection: Connection, account: str, fingerprint: str) -> Mandate | None:
    """Return the mandate that holds a token, if any does."""
    table, tokens = schema.mandates, schema.tokens
    query = select(table).join(tokens, tokens.c.mandate_id == table.c.mandate_id)
    found = _all(connection, query.where(tokens.c.account == account, tokens.c.fingerprint == fingerprint))
    return found[0].mandate if found else None


def keep_token(connection: Connection, mandate_id: str, account: str, fingerprint: str, sealed: bytes) -> None:
    """Store a mandate's sealed token; raises ``Conflict`` if another transaction stores the same token."""
    row = {"mandate_id": mandate_id, "account": account, "fingerprint": fingerprint, "sealed": sealed}
    try:
        connection.execute(insert(schema.tokens).values(**row))
    except IntegrityError:
        message = f"the token of mandate {mandate_id} is being stored elsewhere at this moment: repeat the call"
        raise_alone(Conflict(message).about(account=account))


def remove_token(connection: Connection, mandate_id: str) -> None:
    """Forget a token that the gateway no longer has."""
    connection.execute(delete(schema.tokens).where(schema.tokens.c.mandate_id == mandate_id))


def postpone_removal(connection: Connection, mandate_id: str, at: datetime) -> None:
    """Say when a token is to be removed at the gateway."""
    table = schema.tokens
    connection.execute(update(table).where(table.c.mandate_id == mandate_id).values(next_at=at, claimed_until=None))


def due_for_removal(connection: Connection, account: str, now: datetime, *, limit: int) -> tuple[str, ...]:
    """Return the mandates whose tokens are to be removed at the gateway now."""
    table = schema.tokens
    query = select(table.c.mandate_id).where(table.c.account == account, table.c.next_at <= now, due.free(table, now))
    return tuple(connection.scalars(query.order_by(table.c.next_at).limit(limit)))


def sealed_tokens(connection: Connection, account: str) -> tuple[tuple[str, bytes], ...]:
    """Return every sealed token of an account, by mandate."""
    table = schema.tokens
    rows = connection.execute(select(table.c.mandate_id, table.c.sealed).where(table.c.account == account))
    return tuple((row.mandate_id, bytes(row.sealed)) for row in rows)


def reseal_token(connection: Connection, mandate_id: str, sealed: bytes) -> None:
    """Store a token under another key."""
    table = schema.tokens
    connection.execute(update(table).where(table.c.mandate_id == mandate_id).values(sealed=sealed))


# Charges


def note_charge(
    connection: Connection, stored: StoredMandate, *, payment_id: str, operation_id: str, period: str, now: datetime
) -> None:
    """Write down which mandate a new charge is drawn on."""
    connection.execute(
        insert(schema.charges).values(
            payment_id=payment_id,
            account=stored.mandate.account,
            mandate_id=stored.mandate.mandate_id,
            operation_id=operation_id,
            card_key=stored.card_key,
            period=period,
            at=now,
        ),
    )


def charged_mandate(connection: Connection, payment_id: str) -> str | None:
    """Return the mandate that a payment was drawn on, if it was drawn."""
    table = schema.charges
    return connection.execute(select(table.c.mandate_id).where(table.c.payment_id == payment_id)).scalar_one_or_none()


def was_charged(connection: Connection, mandate_id: str, *, since: datetime) -> bool:
    """Whether a charge on the mandate that was begun at ``since`` or later took money."""
    charges, made = schema.charges, schema.operations
    query = _charges(charges.c.payment_id).where(
        charges.c.mandate_id == mandate_id, charges.c.at >= since, made.c.outcome == Outcome.SUCCEEDED.value
    )
    return connection.execute(query.limit(1)).first() is not None


def draws(connection: Connection, stored: StoredMandate, *, since: datetime) -> Iterable[tuple[Draw, bool]]:
    """Return every try on the mandate, or on its card through other mandates, and whether the payer is the same.

    Cards are distinguished by the digits that are shown, and two payers' cards may look the same.
    """
    charges, holders, mandate = schema.charges, schema.mandates, stored.mandate
    same_card = charges.c.mandate_id == mandate.mandate_id
    if stored.card_key:
        same_card |= charges.c.card_key == stored.card_key
    query = (
        _charges(charges.c.at, schema.operations.c.outcome, schema.operations.c.decline, holders.c.payer_reference)
        .join(holders, holders.c.mandate_id == charges.c.mandate_id)
        .where(charges.c.account == mandate.account, same_card, charges.c.at >= since)
        .where(schema.operations.c.outcome != Outcome.NOT_ATTEMPTED.value)
    )
    for row in connection.execute(query):
        decline = None if row.decline is None else codec.load_as(Decline, row.decline)
        draw = Draw(at=row.at, decline=decline, is_open=row.outcome == Outcome.UNKNOWN.value)
        yield draw, row.payer_reference == mandate.payer_reference


def periods_taken(connection: Connection, mandate: Mandate, *, but: str) -> tuple[Period, ...]:
    """Return the payer's charges that took money, or may have, without the one of the operation ``but``."""
    charges, holders, made = schema.charges, schema.mandates, schema.operations
    of_the_payer = select(holders.c.mandate_id).where(
        holders.c.account == mandate.account, holders.c.payer_reference == mandate.payer_reference
    )
    query = (
        _charges(charges.c.operation_id, charges.c.mandate_id, charges.c.period, made.c.outcome)
        .where(charges.c.mandate_id.in_(of_the_payer), charges.c.operation_id != but)
        .where(made.c.outcome.not_in(_NOT_TAKEN), made.c.kind == OperationKind.CHARGE.value)
    )
    return tuple(
        Period(
            operation_id=row.operation_id,
            mandate_id=row.mandate_id,
            period=row.period,
            outcome=word(Outcome, row.outcome),
        )
        for row in connection.execute(query)
    )


# Rows


def _lock(connection: Connection, *conditions: Any) -> Sequence[Row[Any]]:
    """Lock mandates in the order of their ids, so that two transactions never wait for each other."""
    table = schema.mandates
    query = select(table).where(*conditions).order_by(table.c.mandate_id).with_for_update()
    return connection.execute(query, execution_options=waits_for("a stored method")).all()


def _charges(*columns: Any) -> Select[Any]:
    charges, made = schema.charges, schema.operations
    same = and_(made.c.account == charges.c.account, made.c.operation_id == charges.c.operation_id)
    query: Any = select(*columns).select_from(charges).join(made, same)
    selected: Select[Any] = query
    return selected


def _write(connection: Connection, mandate_id: str, values: dict[str, Any], *conditions: Any) -> StoredMandate | None:
    """Write values into a mandate, and when its next step is due."""
    table = schema.mandates
    row = connection.execute(
        update(table).where(table.c.mandate_id == mandate_id, *conditions).values(**values).returning(table),
    ).one_or_none()
    if row is None:
        return None
    stored = _stored(row)
    next_at = min(filter(None, (next_step_at(stored.standing), stored.look_at)), default=None)
    if next_at != row.next_at:
        connection.execute(update(table).where(table.c.mandate_id == mandate_id).values(next_at=next_at))
    return stored


def _append_change(connection: Connection, mandate: Mandate, *, actor: str, reason: str, now: datetime) -> None:
    connection.execute(
        insert(schema.mandate_changes).values(
            mandate_id=mandate.mandate_id,
            state=mandate.state.value,
            actor=actor,
            reason=reason,
            at=now,
        ),
    )


def _all(connection: Connection, query: Select[Any]) -> tuple[StoredMandate, ...]:
    return tuple(_stored(row) for row in connection.execute(query).all())


def _require_known(row: Row[Any]) -> None:
    """Raise ``IllegalTransition`` or ``TypeError`` for a mandate that only a newer prenopay can read whole."""
    stored = _stored(row)
    require_known(f"mandate {row.mandate_id}", stored.mandate.kind, stored.mandate.state)
    codec.load_as(Consent, row.consent)


def _stored(row: Row[Any], fingerprint: str = "") -> StoredMandate:
    return StoredMandate(
        mandate=Mandate(
            mandate_id=row.mandate_id,
            account=row.account,
            provider=row.provider,
            payer_reference=row.payer_reference,
            kind=word(MandateKind, row.kind),
            state=word(MandateState, row.state),
            consent=codec.load_shown(Consent, row.consent),
            time_zone=row.time_zone,
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
        ),
        card_key=row.card_key,
        resume_at=row.resume_at,
        missing_since=row.missing_since,
        look_at=row.look_at,
        fingerprint=fingerprint,
        is_erased=row.erased_at is not None,
    )
