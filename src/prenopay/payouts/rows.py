"""Every SQL statement about payouts: a payout is its operation and one row with the signed instruction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, and_, insert, select, update

from prenopay._hidden import HiddenBytes
from prenopay._text import quoted
from prenopay.books import codec, erased, schema
from prenopay.books.postgresql import waits_for
from prenopay.books.words import word
from prenopay.errors import Conflict, NotFound
from prenopay.values.money import Money
from prenopay.values.payments import Decline, Outcome, Payout
from prenopay.values.subjects import Subject

__all__ = [
    "PERSONAL",
    "StoredPayout",
    "empty_body",
    "erase_payee",
    "facts",
    "find",
    "insert_payout",
    "load",
    "load_by_id",
    "lock",
    "of_payee",
    "rewrite",
]

PERSONAL: Final = ("payee_phone", "payee_personal_number", "payee_reference")
"""The parts of a payout's order that describe a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPayout:
    """A payout with its signed instruction, which is empty once the payout has ended."""

    payout: Payout
    body: bytes = field(repr=False)


def load(connection: Connection, account: str, operation_id: str) -> StoredPayout:
    """Return the payout; raises ``NotFound``."""
    return _one(connection, account, operation_id, _payouts().where(schema.payouts.c.operation_id == operation_id))


def load_by_id(connection: Connection, account: str, payout_id: str) -> StoredPayout:
    """Return the payout by its own id; raises ``NotFound``."""
    return _one(connection, account, payout_id, _payouts().where(schema.payouts.c.payout_id == payout_id))


def lock(connection: Connection, account: str, operation_id: str) -> StoredPayout:
    """Return the payout, and keep others from changing it until the transaction ends; raises ``NotFound``."""
    query = _payouts().where(schema.payouts.c.operation_id == operation_id)
    query = query.with_for_update(of=schema.payouts).execution_options(**waits_for(f"payout {operation_id}"))
    return _one(connection, account, operation_id, query)


def find(connection: Connection, account: str, limit: int) -> tuple[Payout, ...]:
    """Return the newest payouts, newest first."""
    table = schema.payouts
    query = _payouts().where(table.c.account == account).order_by(table.c.payout_id.desc()).limit(limit)
    return tuple(_stored(row).payout for row in connection.execute(query))


def of_payee(connection: Connection, account: str, payee_reference: str) -> tuple[str, ...]:
    """Return the operation ids of the payouts to a payee, oldest first."""
    table = schema.payouts
    query = select(table.c.operation_id).where(table.c.account == account, table.c.payee_reference == payee_reference)
    return tuple(connection.scalars(query.order_by(table.c.payout_id)))


def insert_payout(
    connection: Connection,
    *,
    payout_id: str,
    account: str,
    operation_id: str,
    description: str,
    payee_reference: str,
    body: bytes,
) -> None:
    """Write down a payout whose operation is written down already."""
    connection.execute(
        insert(schema.payouts).values(
            payout_id=payout_id,
            account=account,
            operation_id=operation_id,
            description=description,
            payee_reference=payee_reference or None,
            body=body,
        ),
    )


def rewrite(connection: Connection, payout_id: str, body: bytes, *, payee_reference: str) -> None:
    """Store an instruction that was signed again, because the first one certainly never left."""
    table = schema.payouts
    written = update(table).where(table.c.payout_id == payout_id)
    connection.execute(written.values(body=body, payee_reference=payee_reference or None, erased_at=None))


def empty_body(connection: Connection, payout_id: str) -> None:
    """Erase the instruction of a payout that has ended, because it names the payee."""
    table = schema.payouts
    connection.execute(update(table).where(table.c.payout_id == payout_id).values(body=b""))


def erase_payee(connection: Connection, account: str, operation_id: str, *, now: datetime) -> Subject:
    """Erase what is known about the payee of a payout, and return the payout as a subject.

    Raises ``NotFound``, and ``Conflict`` while the payout may have to be looked up, or sent again: both name the payee.
    """
    payout = lock(connection, account, operation_id).payout
    if payout.settled_at is None:
        message = (
            f"payout {operation_id!r} has not ended, and its instruction names the payee: resolve it first "
            "(resolve_payout, or wait for the sweep), then erase"
        )
        raise Conflict(message).about(account=account, operation_id=operation_id)
    table, subject = schema.payouts, Subject.payout(payout.payout_id)
    nothing = {"body": b"", "payee_reference": None, "erased_at": now}
    connection.execute(update(table).where(table.c.payout_id == subject.id).values(**nothing))
    erased.forget(connection, account, subject)
    return subject


def facts(payout: Payout) -> Mapping[str, Any]:
    """Return the numbers that every event of a payout carries."""
    return {
        "operation_id": payout.operation_id,
        "amount": payout.amount.minor,
        "currency": payout.amount.currency,
    }


def _payouts() -> Select[Any]:
    payouts, made = schema.payouts, schema.operations
    same = and_(made.c.account == payouts.c.account, made.c.operation_id == payouts.c.operation_id)
    return (
        select(made, payouts.c.payout_id, payouts.c.description, payouts.c.body).select_from(payouts).join(made, same)
    )


def _one(connection: Connection, account: str, name: str, query: Select[Any]) -> StoredPayout:
    row = connection.execute(query.where(schema.payouts.c.account == account)).one_or_none()
    if row is None:
        message = f"there is no payout {quoted(name)} in account {account!r}"
        raise NotFound(message).about(account=account)
    return _stored(row)


def _stored(row: Row[Any]) -> StoredPayout:
    payout = Payout(
        payout_id=row.payout_id,
        operation_id=row.operation_id,
        account=row.account,
        amount=Money(row.amount, row.currency),
        description=row.description,
        outcome=word(Outcome, row.outcome),
        decline=None if row.decline is None else codec.load_shown(Decline, row.decline),
        reference=row.reference,
        created_at=row.created_at,
        settled_at=row.settled_at,
        error=row.error,
    )
    return StoredPayout(payout=payout, body=HiddenBytes(row.body))
