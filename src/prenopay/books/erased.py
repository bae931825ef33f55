"""What strangers wrote about a person, where it is stored, and who was erased.

Gateways, callbacks and the host's handler write free texts: a decline, an error, a flag's detail. Nobody can find a
name in them, so all of them are emptied when the person is erased (``forget``). Later nothing of the kind is stored:
who writes such a text asks first (``is_erased``, ``among``, ``named``), and stores what is left of it
(``wordless``, ``detail_left``, ``error_left``). Codes, advice, numbers and references stay.

Who writes holds the lock of the subject. The inbox has none: it asks again when the callback was worked on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, TypeAlias

from sqlalchemy import Column, ColumnElement, Connection, Text, cast, delete, or_, select, update

from prenopay.books import schema
from prenopay.books.words import word
from prenopay.values.payments import FlagKind
from prenopay.values.subjects import Subject, SubjectKind

__all__ = ["among", "detail_left", "error_left", "forget", "is_erased", "named", "wordless"]

_Left: TypeAlias = Callable[[Mapping[str, Any]], dict[str, Any]]

_WRITTEN_IN: Final[Mapping[str, tuple[Column[Any], Column[Any]]]] = {
    SubjectKind.PAYMENT: (schema.payments.c.payment_id, schema.payments.c.erased_at),
    SubjectKind.PAYOUT: (schema.payouts.c.payout_id, schema.payouts.c.erased_at),
    SubjectKind.MANDATE: (schema.mandates.c.mandate_id, schema.mandates.c.erased_at),
}

_EMPTIED: Final[tuple[tuple[Column[Any], Mapping[str, Any]], ...]] = (
    (schema.operations.c.subject_id, {"mark": None, "error": ""}),
    (schema.inbox.c.subject_id, {"names": [], "note": "", "last_error": ""}),
)
"""By the column that names the subject: what is emptied as a whole."""

_DECLINES: Final[tuple[Column[Any], ...]] = (
    schema.operations.c.subject_id,
    schema.payments.c.payment_id,
    schema.attempts.c.payment_id,
)
"""By the column that names the subject: the tables with a decline, which loses its text."""

_IN_OUR_WORDS: Final = frozenset(
    {
        FlagKind.ADJUSTED,
        FlagKind.LATE,
        FlagKind.PAID_TWICE,
        FlagKind.CONTRADICTION,
        FlagKind.LEFT_RESERVED,
        FlagKind.REFERENCE_SEEN,
    },
)
"""Flags whose detail is made of amounts, states, dates and our own ids. People need them to find money."""


# Who was erased


def is_erased(connection: Connection, subject: Subject) -> bool:
    """Return whether the person of ``subject`` was erased."""
    return bool(among(connection, [subject]))


def among(connection: Connection, subjects: Collection[Subject]) -> frozenset[Subject]:
    """Return those of ``subjects`` whose person was erased. Of a kind that a newer prenopay wrote, none is."""
    found = set[Subject]()
    for kind, (key, erased_at) in _WRITTEN_IN.items():
        ids = [each.id for each in subjects if each.kind == kind]
        if ids:
            erased = set(connection.scalars(select(key).where(key.in_(ids), erased_at.is_not(None))))
            found |= {each for each in subjects if each.kind == kind and each.id in erased}
    return frozenset(found)


def named(connection: Connection, account: str, names: Collection[str]) -> Mapping[str, bool]:
    """Return those of a gateway's ``names`` that the books know, and whether the person behind each was erased."""
    payments, made = schema.payments, schema.operations
    called = select(payments.c.provider_reference, payments.c.erased_at).where(
        payments.c.account == account, payments.c.provider_reference.in_(names)
    )
    found = {row.provider_reference: row.erased_at is not None for row in connection.execute(called)}
    asked = select(made.c.reference, made.c.subject_kind, made.c.subject_id).where(
        made.c.account == account, made.c.reference.in_(names), made.c.subject_kind.in_(_WRITTEN_IN)
    )
    about = {
        row.reference: Subject(word(SubjectKind, row.subject_kind), row.subject_id) for row in connection.execute(asked)
    }
    gone = among(connection, set(about.values()))
    return found | {name: subject in gone for name, subject in about.items()}


# What is left of a text


def wordless(decline: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stored decline without the gateway's text. Code, kind, advice and the gateway's code stay."""
    return {name: value for name, value in decline.items() if name != "text"}


def detail_left(flag: str | None, detail: str) -> str:
    """Return the detail of a flag or an event, or nothing: a gateway or a callback may be quoted in it."""
    return detail if flag in _IN_OUR_WORDS else ""


def error_left(error: str) -> str:
    """Return the type of an error without what it says."""
    return error.partition(":")[0]


def forget(connection: Connection, account: str, subject: Subject) -> None:
    """Empty what strangers wrote about a locked subject, and what tells its person from another."""
    for mine, values in _EMPTIED:
        connection.execute(update(mine.table).where(mine == subject.id).values(**values))
    for mine in _DECLINES:
        _rewrite(connection, mine.table.c.decline, mine == subject.id, wordless)
    events, deliveries = schema.events, schema.deliveries
    about = select(events.c.sequence).where(events.c.subject_id == subject.id)  # by an index, unlike their subjects
    connection.execute(update(deliveries).where(deliveries.c.sequence.in_(about)).values(last_error=""))
    _rewrite(connection, events.c.body, events.c.subject_id == subject.id, _bare)
    flags, answers = schema.flags, schema.observations
    quoting = (flags.c.payment_id == subject.id, flags.c.kind.not_in([each.value for each in _IN_OUR_WORDS]))
    connection.execute(update(flags).where(*quoting).values(detail=""))
    connection.execute(delete(answers).where(answers.c.payment_id == subject.id))
    _forget_addressed(connection, account, _names_of(connection, subject))


def _rewrite(connection: Connection, cell: Column[Any], mine: ColumnElement[bool], left: _Left) -> None:
    """Replace a column of JSON by what is ``left`` of it, in some rows."""
    table, keys = cell.table, tuple(cell.table.primary_key)
    for stored, *key in connection.execute(select(cell, *keys).where(mine, cell.is_not(None))).all():
        if (changed := left(stored)) != stored:
            same = [each == value for each, value in zip(keys, key, strict=True)]
            connection.execute(update(table).where(*same).values({cell.name: changed}))


def _bare(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event without the words of strangers."""
    bare = {name: value for name, value in body.items() if name != "detail"}
    if "decline" in body:
        bare["decline"] = wordless(body["decline"])
    if detail := detail_left(body.get("flag"), body.get("detail", "")):
        bare["detail"] = detail
    return bare


def _names_of(connection: Connection, subject: Subject) -> frozenset[str]:
    """Return what a gateway may call a subject."""
    payments, made = schema.payments, schema.operations
    names = set(connection.scalars(select(payments.c.provider_reference).where(payments.c.payment_id == subject.id)))
    mine = made.c.subject_id == subject.id
    for row in connection.execute(select(made.c.reference, made.c.earlier_references).where(mine)):
        names |= {row.reference, *row.earlier_references}
    return frozenset(name for name in names if name)


def _forget_addressed(connection: Connection, account: str, names: frozenset[str]) -> None:
    """Keep only what the books know in the callbacks to the account's own address that name one of ``names``.

    Their digest would tell who tries names that it was right. So it is replaced.
    """
    if not names:
        return
    table = schema.inbox
    texts = cast(table.c.names, Text)
    spellings = {spelling for name in names for spelling in (name, json.dumps(name)[1:-1])}
    quoting = or_(*(texts.contains(each, autoescape=True) for each in sorted(spellings)))
    addressed = (table.c.account == account, table.c.subject_id == "")
    for row in connection.execute(select(table).where(*addressed, quoting)).all():
        if not names & set(row.names):
            continue
        known = {*names, *named(connection, account, row.names)}
        left: dict[str, Any] = {"names": [each for each in row.names if each in known], "note": "", "last_error": ""}
        if left["names"] != row.names:
            left["digest"] = f"erased:{row.inbox_id}"
        connection.execute(update(table).where(table.c.inbox_id == row.inbox_id).values(**left))
