"""The durable inbox: callbacks are stored before they are answered, and worked on later.

A row belongs to a subject. A callback to an account's own address has no subject yet: its body only names what it
is about. A repeat of a callback finds its row and counts up. A repeat of a finished row opens the row again:
Swedbank Pay may send the same bytes for two different changes, and looking once more costs little while a lost
change costs a customer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Executable, Row, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from prenopay._text import storable
from prenopay.books import due, schema
from prenopay.books.words import word
from prenopay.values.subjects import Subject, SubjectKind

__all__ = [
    "Arrived",
    "Callback",
    "add",
    "dismiss",
    "done",
    "failed",
    "find",
    "forget",
    "of_subject",
    "replay",
    "rows",
    "waiting",
]

OPEN_MOST: Final = 100_000
"""How many callbacks of one account may wait. Beyond it the gateway is asked to send again later."""
_NAME_MOST: Final = 200
_NAMES_MOST: Final = 1_000


def _storing(make: Any) -> Executable:
    """Build the statement once: every callback waits for it."""
    table = schema.inbox
    names = (
        "account", "subject_kind", "subject_id", "digest", "body", "peer", "note", "names", "received_at", "next_at",
    )  # fmt: skip
    statement = make(table).values({name: bindparam(name) for name in names})
    repeat = {
        "times": table.c.times + 1,
        "done_at": None,
        "next_at": statement.excluded.next_at,
        "claimed_until": None,
    }
    stored: Executable = statement.on_conflict_do_update(
        index_elements=["account", "subject_id", "digest"],
        set_=repeat,
    )
    return stored


_STORE: Final = {"postgresql": _storing(postgresql_insert), "sqlite": _storing(sqlite_insert)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """One stored callback, as the command line shows it. ``subject`` is ``None`` for an account's own address."""

    inbox_id: int
    account: str
    subject: Subject | None
    received_at: datetime
    done_at: datetime | None
    times: int
    tries: int
    note: str
    names: tuple[str, ...]
    last_error: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """A callback that has just come in. ``note`` says what is wrong with it, if anything.

    ``body`` is what is kept of it, ``digest`` tells one from another, and ``names`` are the body's names for what it
    is about.
    """

    account: str
    subject: Subject | None
    body: bytes = field(repr=False)
    digest: str
    peer: str
    note: str
    names: tuple[str, ...]
    at: datetime


def add(connection: Connection, arrived: Sequence[Arrived]) -> None:
    """Store callbacks, or count repeats. Two processes store the same ones in the same order."""
    values = [
        {
            "account": each.account,
            "subject_kind": "" if each.subject is None else each.subject.kind.value,
            "subject_id": "" if each.subject is None else each.subject.id,
            "digest": each.digest,
            "body": each.body,
            "peer": each.peer,
            "note": each.note,
            "names": [storable(name[:_NAME_MOST]) for name in each.names[:_NAMES_MOST]],
            "received_at": each.at,
            "next_at": each.at,
        }
        for each in arrived
    ]
    values.sort(key=lambda row: (row["account"], row["subject_id"], row["digest"]))
    connection.execute(_STORE[connection.dialect.name], values)


def waiting(connection: Connection, account: str) -> int:
    """Return how many callbacks of ``account`` are not done. The count stops at the limit."""
    table = schema.inbox
    some = select(table.c.inbox_id).where(table.c.account == account, table.c.next_at.is_not(None)).limit(OPEN_MOST)
    return connection.execute(select(func.count()).select_from(some.subquery())).scalar_one()


def rows(connection: Connection, inbox_ids: Sequence[int]) -> tuple[Callback, ...]:
    """Return callbacks by their ids, oldest first."""
    return _read(connection, schema.inbox.c.inbox_id.in_(inbox_ids))


def of_subject(connection: Connection, account: str, subject: Subject | None) -> tuple[Callback, ...]:
    """Return the callbacks of a subject that are not done (``None``: of the account's own address).

    One look answers them all, also those that wait for their next try.
    """
    table = schema.inbox
    subject_id = "" if subject is None else subject.id
    is_open = table.c.next_at.is_not(None)
    return _read(connection, (table.c.account == account) & (table.c.subject_id == subject_id) & is_open)


def find(
    connection: Connection,
    accounts: Sequence[str],
    *,
    subject_id: str | None = None,
    open_only: bool = False,
    limit: int = 50,
) -> tuple[Callback, ...]:
    """Return callbacks, newest first."""
    table = schema.inbox
    query = select(table).where(table.c.account.in_(accounts)).order_by(table.c.inbox_id.desc()).limit(limit)
    if subject_id is not None:
        query = query.where(table.c.subject_id == subject_id)
    if open_only:
        query = query.where(table.c.done_at.is_(None))
    return tuple(_callback(row) for row in connection.execute(query))


def done(connection: Connection, callbacks: Sequence[Callback], *, now: datetime, why: str = "") -> None:
    """Mark ``callbacks`` as done: their subject was looked at after they were read from the books.

    ``why`` says to people why there was nothing to look at.

    One that came, or came again, after that is another hint, and stays open. The count of its repeats says so:
    times of day would not, because another host's clock may differ.
    """
    table = schema.inbox
    for callback in callbacks:
        connection.execute(
            update(table)
            .where(table.c.inbox_id == callback.inbox_id, table.c.times == callback.times)
            .values(done_at=now, next_at=None, claimed_until=None, last_error=why),
        )


def failed(connection: Connection, callbacks: Sequence[Callback], why: str, *, now: datetime) -> None:
    """Keep callbacks whose work failed, and try again after a pause."""
    table = schema.inbox
    for callback in callbacks:
        connection.execute(
            update(table)
            .where(table.c.inbox_id == callback.inbox_id)
            .values(
                tries=callback.tries + 1,
                next_at=now + due.pause(due.CALLBACKS, callback.tries),
                claimed_until=None,
                last_error=why,
            ),
        )


def replay(connection: Connection, accounts: Sequence[str], inbox_id: int, *, now: datetime) -> Callback | None:
    """Make a callback due again and return it; ``None`` if no callback has that id."""
    table = schema.inbox
    row = connection.execute(
        update(table)
        .where(table.c.inbox_id == inbox_id, table.c.account.in_(accounts))
        .values(done_at=None, next_at=now, claimed_until=None, tries=0)
        .returning(table),
    ).one_or_none()
    return None if row is None else _callback(row)


def dismiss(connection: Connection, accounts: Sequence[str], inbox_id: int, why: str, *, now: datetime) -> bool:
    """Mark a callback as done because a person says so; ``False`` if no open callback has that id."""
    table = schema.inbox
    dismissed = connection.execute(
        update(table)
        .where(table.c.inbox_id == inbox_id, table.c.account.in_(accounts), table.c.done_at.is_(None))
        .values(done_at=now, next_at=None, claimed_until=None, last_error=why)
        .returning(table.c.inbox_id),
    )
    return dismissed.one_or_none() is not None


def forget(connection: Connection, subject: Subject) -> None:
    """Empty the bodies of a subject's callbacks, because they may name the payer."""
    table = schema.inbox
    connection.execute(update(table).where(table.c.subject_id == subject.id).values(body=b""))


def _read(connection: Connection, condition: ColumnElement[bool]) -> tuple[Callback, ...]:
    query = select(schema.inbox).where(condition).order_by(schema.inbox.c.inbox_id)
    return tuple(_callback(row) for row in connection.execute(query))


def _callback(row: Row[Any]) -> Callback:
    return Callback(
        inbox_id=row.inbox_id,
        account=row.account,
        subject=Subject(word(SubjectKind, row.subject_kind), row.subject_id) if row.subject_id else None,
        received_at=row.received_at,
        done_at=row.done_at,
        times=row.times,
        tries=row.tries,
        note=row.note,
        names=tuple(row.names),
        last_error=row.last_error,
        body=row.body,
    )
