"""Payouts in the books: the signed instruction is stored before it is sent, and how it ended after."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from prenopay.books import codec, schema
from prenopay.errors import Conflict, IdReused, NotFound
from prenopay.values.money import Money
from prenopay.values.orders import PayoutOrder
from prenopay.values.payments import Decline, Outcome, Payout

__all__ = ["StoredPayout", "begin", "claim", "due", "find", "id_of", "load", "settle"]

_OPEN: Final = (Outcome.UNKNOWN.value, Outcome.PENDING.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPayout:
    """A payout with what the ledger alone needs; ``ours_to_send`` says who is to act on it."""

    payout: Payout
    body: bytes
    checks: int
    ours_to_send: bool
    maybe_sent: bool


def begin(
    connection: Connection,
    order: PayoutOrder,
    payout: Payout,
    write: Callable[[str], bytes],
    *,
    until: datetime,
) -> StoredPayout:
    """Write down a new payout, or find the one begun before under its operation id.

    ``write`` signs the instruction of a payout id; one that certainly never left is signed anew, under its
    own id. Raises ``IdReused`` when that payout was another, ``Conflict`` when someone starts it right now.
    """
    fingerprint = codec.digest("payout", order)
    found = _row(connection, payout.account, payout.operation_id)
    if found is not None:
        return _again(connection, found, fingerprint, write, now=payout.created_at, until=until)
    body = write(payout.payout_id)
    try:
        connection.execute(
            insert(schema.payouts).values(
                payout_id=payout.payout_id,
                account=payout.account,
                operation_id=payout.operation_id,
                digest=fingerprint,
                reference=payout.reference,
                amount=payout.amount.minor,
                currency=payout.amount.currency,
                description=payout.description,
                body=body,
                outcome=Outcome.UNKNOWN.value,
                created_at=payout.created_at,
                claimed_until=until,
                next_check_at=until,
            ),
        )
    except IntegrityError as error:
        message = "the same payout is being started by someone else at this moment; repeat the call"
        raise Conflict(message).about(account=payout.account, operation_id=payout.operation_id) from error
    return StoredPayout(payout=payout, body=body, checks=0, ours_to_send=True, maybe_sent=False)


def claim(connection: Connection, account: str, operation_id: str, now: datetime, until: datetime) -> StoredPayout:
    """Take an open payout to look at it; one that has ended, or that someone else has, is not ours to send."""
    table = schema.payouts
    taken = connection.execute(
        update(table)
        .where(table.c.account == account, table.c.operation_id == operation_id, table.c.outcome.in_(_OPEN))
        .where(or_(table.c.claimed_until.is_(None), table.c.claimed_until <= now))
        .values(claimed_until=until, next_check_at=until, checks=table.c.checks + 1),
    )
    return _stored(_load(connection, account, operation_id), ours=taken.rowcount == 1, maybe_sent=True)


def settle(
    connection: Connection,
    payout: Payout,
    outcome: Outcome,
    *,
    now: datetime,
    decline: Decline | None = None,
    error: str = "",
    next_check_at: datetime | None = None,
) -> None:
    """Write down how a payout stands; one that has ended stays as it is."""
    table, ended = schema.payouts, outcome.value not in _OPEN
    values: dict[str, Any] = {
        "outcome": outcome.value,
        "decline": None if decline is None else codec.dump(decline),
        "error": error,
        "claimed_until": None,
        "settled_at": now if ended else None,
        "next_check_at": None if ended else next_check_at,
    }
    if ended:
        values["body"] = b""
    connection.execute(
        update(table).where(table.c.payout_id == payout.payout_id, table.c.outcome.in_(_OPEN)).values(**values),
    )


def load(connection: Connection, account: str, operation_id: str) -> Payout:
    """Return the payout; raises ``NotFound``."""
    return _stored(_load(connection, account, operation_id), ours=False, maybe_sent=True).payout


def id_of(connection: Connection, account: str, payout_id: str) -> str:
    """Return the operation id of a payout that is known by its own id; raises ``NotFound``."""
    table = schema.payouts
    query = select(table.c.operation_id).where(table.c.account == account, table.c.payout_id == payout_id)
    found = connection.execute(query).scalar_one_or_none()
    if found is None:
        message = f"there is no payout {payout_id!r} in account {account!r}"
        raise NotFound(message).about(account=account)
    return str(found)


def find(connection: Connection, account: str, limit: int) -> tuple[Payout, ...]:
    """Return the newest payouts."""
    table = schema.payouts
    query = select(table).where(table.c.account == account).order_by(table.c.payout_id.desc()).limit(limit)
    return tuple(_stored(row, ours=False, maybe_sent=True).payout for row in connection.execute(query))


def due(connection: Connection, account: str, now: datetime, limit: int) -> tuple[str, ...]:
    """Return the operation ids of open payouts that are due for a look, longest waiting first."""
    table = schema.payouts
    query = (
        select(table.c.operation_id)
        .where(table.c.account == account, table.c.next_check_at <= now, table.c.outcome.in_(_OPEN))
        .order_by(table.c.next_check_at)
        .limit(limit)
    )
    return tuple(connection.scalars(query))


def _again(
    connection: Connection,
    found: Row[Any],
    fingerprint: str,
    write: Callable[[str], bytes],
    *,
    now: datetime,
    until: datetime,
) -> StoredPayout:
    if found.digest != fingerprint:
        message = (
            f"operation id {found.operation_id!r} was used before for another payout; "
            "use the same parameters, or an id of its own for a new payout"
        )
        raise IdReused(message).about(account=found.account, operation_id=found.operation_id)
    if found.outcome != Outcome.NOT_ATTEMPTED.value:
        return claim(connection, found.account, found.operation_id, now, until)
    table = schema.payouts
    reopened = connection.execute(
        update(table)
        .where(table.c.payout_id == found.payout_id, table.c.outcome == Outcome.NOT_ATTEMPTED.value)
        .values(
            outcome=Outcome.UNKNOWN.value,
            body=write(found.payout_id),
            error="",
            settled_at=None,
            claimed_until=until,
            next_check_at=until,
        ),
    )
    again = _load(connection, found.account, found.operation_id)
    return _stored(again, ours=reopened.rowcount == 1, maybe_sent=False)


def _row(connection: Connection, account: str, operation_id: str) -> Row[Any] | None:
    table = schema.payouts
    query = select(table).where(table.c.account == account, table.c.operation_id == operation_id)
    return connection.execute(query).one_or_none()


def _load(connection: Connection, account: str, operation_id: str) -> Row[Any]:
    row = _row(connection, account, operation_id)
    if row is None:
        message = f"there is no payout {operation_id!r} in account {account!r}"
        raise NotFound(message).about(account=account, operation_id=operation_id)
    return row


def _stored(row: Row[Any], *, ours: bool, maybe_sent: bool) -> StoredPayout:
    payout = Payout(
        payout_id=row.payout_id,
        operation_id=row.operation_id,
        account=row.account,
        amount=Money(row.amount, row.currency),
        description=row.description,
        outcome=Outcome(row.outcome),
        decline=None if row.decline is None else codec.load_as(Decline, row.decline),
        reference=row.reference,
        created_at=row.created_at,
        settled_at=row.settled_at,
        error=row.error,
    )
    return StoredPayout(payout=payout, body=row.body, checks=row.checks, ours_to_send=ours, maybe_sent=maybe_sent)
