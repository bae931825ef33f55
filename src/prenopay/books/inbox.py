"""The durable inbox: callbacks are stored before they are answered, and worked on later.

What waits is one row for each subject, however many callbacks came about it: the row counts them, and one look answers
them all. A callback to an account's own address has no subject yet: its body only names what it is about, so there is a
row for each set of names. No body is kept.

A callback that comes after a look has begun makes another look: the row counts on, and only a row that counts what was
claimed is done. A callback about something that is done opens the row again. Swedbank Pay may send the same bytes for
two different changes, and looking once more costs little while a lost change costs a customer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    bindparam,
    case,
    delete,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from prenopay._arguments import checked_fields
from prenopay._text import storable
from prenopay.books import due, erased, schema
from prenopay.books.words import word
from prenopay.values.subjects import Subject, SubjectKind

__all__ = [
    "CLAIM_ROWS_MOST",
    "Arrived",
    "Callback",
    "add",
    "claim",
    "dismiss",
    "done",
    "failed",
    "find",
    "names_of",
    "replay",
    "rows",
    "waiting",
]

OPEN_MOST: Final = 10_000
"""How many callbacks to an account's own address may wait. Beyond it the gateway is asked to send again later."""
CLAIM_ROWS_MOST: Final = 20
"""How many rows of an account's own address are worked on together. One of them may name many subjects."""
_LOOKS_MOST: Final = 20
_PACE: Final = timedelta(minutes=1)
"""How often callbacks make us look at one subject: so often in this time at most. Beyond it the sweep looks later.

A gateway sends a handful of callbacks about a payment. Without this bound, a caller who knows one callback URL decides
how often we call the gateway.
"""
_KEPT_FOR: Final = timedelta(days=30)
_REMOVED_AT_ONCE: Final = 100
"""Done rows of an account's own address are removed after that time, so many at a time. A subject has one row ever."""
_NAME_MOST: Final = 200
_NAMES_MOST: Final = 1_000
_STRANGE_NAMES_MOST: Final = 20
"""How many names are kept of one callback to an account's own address, and of all that wait about one subject."""
_NOTE_MOST: Final = 500
_NOT_KEPT: Final = "what was wrong is not kept, because the person was erased"


def _storing(make: Any) -> Any:
    """Build the statement once: every callback waits for it."""
    table = schema.inbox
    names = (
        "account", "subject_kind", "subject_id", "digest", "note", "names", "times", "received_at", "next_at",
    )  # fmt: skip
    statement = make(table).values({name: bindparam(name) for name in names})
    new, was_done = statement.excluded, table.c.done_at.is_not(None)
    afresh: dict[str, Any] = {
        name: case((was_done, new[name]), else_=table.c[name]) for name in ("note", "names", "received_at")
    }
    repeat = {
        **afresh,
        "times": table.c.times + new.times,
        "tries": 0,
        "done_at": None,
        "next_at": new.next_at,
    }
    stored = statement.on_conflict_do_update(index_elements=["account", "subject_id", "digest"], set_=repeat)
    return stored.returning(table)


_STORE: Final[Mapping[str, Any]] = {
    "postgresql": _storing(postgresql_insert),
    "sqlite": _storing(sqlite_insert),
}


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class Callback:
    """The callbacks about one subject, as the command line shows them.

    ``subject`` is ``None`` for an account's own address; then it is the callbacks with the same ``names``. ``times``
    counts all that ever came. ``received_at``, ``note`` (what was wrong with one of them) and ``names`` are of those
    since the last look. ``claimed_until`` says until when somebody looks.
    """

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
    claimed_until: datetime | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """A callback that has just come in. ``note`` says what is wrong with it, if anything.

    ``names`` are the body's names for what it is about.
    """

    account: str
    subject: Subject | None
    note: str
    names: tuple[str, ...]
    at: datetime
    times: int = 1

    @property
    def key(self) -> tuple[str, str, str]:
        """What it shares with the callbacks that are stored in the same row."""
        if self.subject is not None:
            return self.account, self.subject.id, ""
        named = "\n".join(sorted(self.names))
        return self.account, "", hashlib.sha256(named.encode()).hexdigest()


def add(connection: Connection, arrived: Sequence[Arrived]) -> tuple[bool, ...]:
    """Store callbacks: one row for each subject. Two processes store the same ones in the same order.

    Returns for each callback whether to look because of it. Others need not: one of those that came together looks for
    all, and somebody who looks already looks again.
    """
    together: dict[tuple[str, str, str], Arrived] = {}
    looks: dict[tuple[str, str, str], bool] = {}
    arrived = _without_erased(connection, [_storable(each) for each in arrived])
    for each in arrived:
        before = together.get(each.key)
        together[each.key] = each if before is None else _merged(before, each)
    store = _STORE[connection.dialect.name]
    for key, each in sorted(together.items(), key=itemgetter(0)):
        account, subject_id, digest = key
        values = {
            "account": account,
            "subject_kind": "" if each.subject is None else each.subject.kind.value,
            "subject_id": subject_id,
            "digest": digest,
            "note": each.note,
            "names": list(each.names),
            "times": each.times,
            "received_at": each.at,
            "next_at": each.at,
        }
        row = connection.execute(store, values).one()
        looks[key] = not due.is_claimed(row.claimed_until, each.at) and _may_look(row, each.at)
        note, names = row.note or each.note, _names((*row.names, *each.names), each.subject)
        if (note, names) != (row.note, tuple(row.names)):
            mine = schema.inbox.c.inbox_id == row.inbox_id
            connection.execute(update(schema.inbox).where(mine).values(note=note, names=list(names)))
    return tuple(looks.pop(each.key, False) for each in arrived)


def waiting(connection: Connection, account: str) -> int:
    """Return how many callbacks to the own address of ``account`` are not done. The count stops at the limit."""
    table = schema.inbox
    is_open = (table.c.account == account, table.c.subject_id == "", table.c.next_at.is_not(None))
    some = select(table.c.inbox_id).where(*is_open).limit(OPEN_MOST)
    return connection.execute(select(func.count()).select_from(some.subquery())).scalar_one()


def rows(connection: Connection, inbox_ids: Sequence[int]) -> tuple[Callback, ...]:
    """Return callbacks by their ids, oldest first."""
    table = schema.inbox
    query = select(table).where(table.c.inbox_id.in_(inbox_ids)).order_by(table.c.inbox_id)
    return tuple(_callback(row) for row in connection.execute(query))


def claim(
    connection: Connection, account: str, subject: Subject | None, *, now: datetime, until: datetime
) -> tuple[Callback, ...]:
    """Claim what waits about a subject (``None``: at the account's own address), also if its next try is later.

    Nothing is returned while somebody else has claimed it: they look again when it has counted on. Nothing is returned
    either if callbacks have made us look too often: then the sweep looks later.
    """
    table = schema.inbox
    counted, is_paced = table.c.looks_since, _is_paced(now)
    mine = (
        select(table.c.inbox_id)
        .where(
            table.c.account == account,
            table.c.subject_id == ("" if subject is None else subject.id),
            table.c.next_at.is_not(None),
            due.free(table, now),
            or_(~is_paced, table.c.looks < _LOOKS_MOST),
        )
        .order_by(table.c.next_at, table.c.inbox_id)
        .limit(CLAIM_ROWS_MOST)
        .with_for_update(skip_locked=True)
    )
    claimed = connection.execute(
        update(table)
        .where(table.c.inbox_id.in_(mine))
        .values(
            claimed_until=until,
            looks=case((is_paced, table.c.looks + 1), else_=1),
            looks_since=case((is_paced, counted), else_=now),
        )
        .returning(table),
    )
    return tuple(sorted(map(_callback, claimed), key=lambda each: each.inbox_id))


def _may_look(row: Row[Any], now: datetime) -> bool:
    """Whether callbacks may make us look again: the opposite of what ``claim`` leaves alone."""
    is_paced = row.looks_since is not None and now - _PACE < row.looks_since <= now
    return not is_paced or row.looks < _LOOKS_MOST


def _is_paced(now: datetime) -> ColumnElement[bool]:
    """Return the condition that looks are being counted. A count that began later than now was a wrong clock's."""
    since = schema.inbox.c.looks_since
    return func.coalesce(and_(since <= now, since > now - _PACE), False)


def names_of(connection: Connection, account: str, subject: Subject) -> tuple[str, ...]:
    """Return what the callbacks about a subject name that are not done."""
    table = schema.inbox
    query = select(table.c.names).where(
        table.c.account == account, table.c.subject_id == subject.id, table.c.next_at.is_not(None)
    )
    return tuple(sorted({name for names in connection.scalars(query) for name in names}))


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
    newest = (table.c.received_at.desc(), table.c.inbox_id.desc())
    query = select(table).where(table.c.account.in_(accounts)).order_by(*newest).limit(limit)
    if subject_id is not None:
        query = query.where(table.c.subject_id == subject_id)
    if open_only:
        query = query.where(table.c.done_at.is_(None))
    return tuple(_callback(row) for row in connection.execute(query))


def done(connection: Connection, callbacks: Sequence[Callback], *, now: datetime, why: str = "") -> bool:
    """Mark claimed ``callbacks`` as done; return whether others came meanwhile, so that another look is due.

    ``why`` says to people why there was nothing to look at. The count says whether others came: times of day would
    not, because another host's clock may differ.
    """
    table, more = schema.inbox, False
    for callback in callbacks:
        mine = table.c.inbox_id == callback.inbox_id
        ended = connection.execute(
            update(table)
            .where(mine, table.c.times == callback.times)
            .values(done_at=now, next_at=None, claimed_until=None, last_error=why),
        )
        if not ended.rowcount:
            is_mine = table.c.claimed_until == callback.claimed_until
            released = connection.execute(update(table).where(mine, is_mine).values(claimed_until=None))
            more = more or bool(released.rowcount)
    _forget_erased(connection, callbacks)
    if any(callback.subject is None for callback in callbacks):
        _remove_old(connection, callbacks[0].account, now)
    return more


def failed(
    connection: Connection, account: str, subject: Subject | None, why: str, *, now: datetime, until: datetime
) -> None:
    """Keep what was claimed ``until`` then and whose work failed. It is due again after a pause."""
    table = schema.inbox
    mine = (
        table.c.account == account,
        table.c.subject_id == ("" if subject is None else subject.id),
        table.c.claimed_until == until,
        table.c.next_at.is_not(None),
    )
    failing = [_callback(row) for row in connection.execute(select(table).where(*mine).with_for_update())]
    theirs = _about_erased(connection, failing)
    for row in failing:
        connection.execute(
            update(table)
            .where(table.c.inbox_id == row.inbox_id)
            .values(
                tries=row.tries + 1,
                next_at=now + due.pause(due.CALLBACKS, row.tries),
                claimed_until=None,
                last_error=erased.error_left(why) if row.inbox_id in theirs else why,
            ),
        )


def replay(connection: Connection, accounts: Sequence[str], inbox_id: int, *, now: datetime) -> Callback | None:
    """Make a callback due again and return it; ``None`` if no callback has that id."""
    table = schema.inbox
    row = connection.execute(
        update(table)
        .where(table.c.inbox_id == inbox_id, table.c.account.in_(accounts))
        .values(done_at=None, next_at=now, claimed_until=None, tries=0, looks=0)
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


def _without_erased(connection: Connection, arrived: Sequence[Arrived]) -> list[Arrived]:
    """Return callbacks as they may be stored: those about somebody who was erased name only what the books know."""
    told = [each for each in arrived if each.names or each.note]
    gone = erased.among(connection, {each.subject for each in told if each.subject is not None})
    known: dict[str, Mapping[str, bool]] = {}
    for account in {each.account for each in told if each.subject is None or each.subject in gone}:
        called = {name for each in told if each.account == account for name in each.names}
        known[account] = erased.named(connection, account, called)

    def left(each: Arrived) -> Arrived:
        here = known.get(each.account, {})
        is_theirs = any(here.get(name) for name in each.names) if each.subject is None else each.subject in gone
        if not is_theirs:
            return each
        names = tuple(name for name in each.names if name in here)
        return replace(each, names=names, note=_NOT_KEPT if each.note else "")

    return list(map(left, arrived))


def _about_erased(connection: Connection, callbacks: Sequence[Callback]) -> Mapping[int, tuple[str, ...]]:
    """Return which callbacks are about somebody who was erased, and which of their names the books know."""
    gone = erased.among(connection, {each.subject for each in callbacks if each.subject is not None})
    theirs: dict[int, tuple[str, ...]] = {}
    for each in callbacks:
        if each.subject is None or each.subject in gone:
            known = erased.named(connection, each.account, each.names)
            if each.subject is not None or any(known.values()):
                theirs[each.inbox_id] = tuple(name for name in each.names if name in known)
    return theirs


def _forget_erased(connection: Connection, callbacks: Sequence[Callback]) -> None:
    """Empty what is left of callbacks whose person was erased while they were stored, or worked on."""
    table = schema.inbox
    for inbox_id, names in _about_erased(connection, callbacks).items():
        values: dict[str, Any] = {"names": list(names), "note": ""}
        connection.execute(update(table).where(table.c.inbox_id == inbox_id).values(**values))


def _remove_old(connection: Connection, account: str, now: datetime) -> None:
    table = schema.inbox
    old = (
        select(table.c.inbox_id)
        .where(table.c.account == account, table.c.subject_id == "", table.c.done_at < now - _KEPT_FOR)
        .limit(_REMOVED_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    connection.execute(delete(table).where(table.c.inbox_id.in_(old)))


def _storable(arrived: Arrived) -> Arrived:
    cut = (storable(name[:_NAME_MOST]) for name in arrived.names)
    return replace(arrived, note=storable(arrived.note[:_NOTE_MOST]), names=_names(cut, arrived.subject))


def _merged(first: Arrived, second: Arrived) -> Arrived:
    return replace(
        first,
        note=first.note or second.note,
        names=_names((*first.names, *second.names), first.subject),
        times=first.times + second.times,
        at=second.at,
    )


def _names(names: Iterable[str], subject: Subject | None) -> tuple[str, ...]:
    """Return each name once, as many as are kept."""
    return tuple(dict.fromkeys(names))[: _NAMES_MOST if subject is None else _STRANGE_NAMES_MOST]


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
        claimed_until=row.claimed_until,
    )
