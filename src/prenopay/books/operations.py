"""Operations of every subject: written down before anything is sent, claimed, settled by evidence.

An operation is stored with its gateway reference, and claimed for as long as one try may take. A caller who comes
meanwhile with the same id sees it in flight. A caller who comes after a crash finds it unknown, and looks it up
before anything is sent again. A settled outcome stays.

Every claim has a name of its own. A try that was frozen and wakes up late finds another name in the row, and what it
believes then changes nothing.

Callers lock the subject first. Nothing here sends, and nothing here decides.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from prenopay._hidden import raise_alone
from prenopay._text import quoted
from prenopay.books import codec, due, identity, ids, schema
from prenopay.books.erased import is_erased
from prenopay.books.words import require_known, word
from prenopay.errors import Conflict, IdReused, NotFound
from prenopay.provider.values import ReferenceRule
from prenopay.values.callbacks import MARK_KEY_CHARACTERS
from prenopay.values.money import Money
from prenopay.values.payments import Decline, Operation, OperationId, OperationKind, Outcome
from prenopay.values.subjects import Subject, SubjectKind

__all__ = [
    "FIRST_TRY_HAS_ENDED",
    "OPEN",
    "Asked",
    "Begun",
    "Intent",
    "StoredOperation",
    "again",
    "begin",
    "claim",
    "decide_by_hand",
    "find",
    "history",
    "load",
    "look_again",
    "next_reference",
    "of_claim",
    "of_subject",
    "open_ones",
    "references",
    "repeated",
    "require_ended",
    "require_settleable",
    "settle",
    "some_unanswered",
    "subjects_of",
    "under_way",
]

OPEN: Final = frozenset({Outcome.UNKNOWN, Outcome.PENDING})
"""Outcomes that are not final yet."""
_OPEN_VALUES: Final = tuple(sorted(outcome.value for outcome in OPEN))
FIRST_TRY_HAS_ENDED: Final = timedelta(minutes=10)
"""After this time a lost request cannot still be on its way. If the gateway does not have it, it never arrived."""
_REFERENCE_TRIES: Final = 20
"""How many references are tried. Two operations may get the same twelve digits; twenty in a row do not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What somebody wants to do: it names the operation and this try's claim, and says how long the claim lasts."""

    account: str
    operation_id: OperationId
    kind: OperationKind
    rule: ReferenceRule
    claim: str
    now: datetime
    claim_until: datetime
    merchant: str = ""
    """The gateway's name of the merchant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What an operation is asked to do, so that a repeated call can be compared with it."""

    digest: str
    """Of everything, without the person."""
    marks: tuple[str, ...] = ()
    """Of the person, one under each of the host's keys, newest first. Empty: the operation says nothing of a person."""

    @property
    def mark(self) -> str | None:
        """The mark that is stored."""
        return self.marks[0] if self.marks else None

    def is_of(self, found: StoredOperation) -> bool:
        """Whether ``found`` was asked to do the same.

        The person is not compared if it was erased there, or if the key of its mark is no longer among the host's.
        """
        if found.digest != self.digest or found.mark is None or found.mark in self.marks:
            return found.digest == self.digest
        return found.mark[:MARK_KEY_CHARACTERS] not in {each[:MARK_KEY_CHARACTERS] for each in self.marks}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredOperation:
    """An operation, with what only the core needs to know about it."""

    operation: Operation
    digest: str
    mark: str | None
    vat: Money | None
    parameters: dict[str, Any] = field(default_factory=dict[str, Any])
    tries: int = 0
    first_sent_at: datetime
    """When the first try that may have sent something was written down: nothing left before."""
    last_sent_at: datetime | None
    """When an ended try may have sent something last; ``None`` if certainly none of them did."""
    claim: str | None
    """The name of the claim, until its try has ended."""
    claimed_until: datetime | None
    earlier_references: tuple[str, ...] = ()
    """What the gateway was asked under before ``operation.reference``, oldest first."""

    @property
    def is_open(self) -> bool:
        """Whether its outcome is not final yet."""
        return self.operation.outcome in OPEN

    def in_flight(self, now: datetime) -> bool:
        """Whether someone talks to the gateway about it now, or did moments ago."""
        return due.is_claimed(self.claimed_until, now)

    def sent_by(self, now: datetime) -> datetime:
        """Return when something was sent at the latest, by a try that has ended or whose claim has run out."""
        known = self.last_sent_at or self.first_sent_at
        broken_off_at = known if self.claim is None or self.claimed_until is None else self.claimed_until
        return min(max(known, broken_off_at), now)

    def begins_again(self, now: datetime) -> bool:
        """Whether a repeated call starts it from the beginning, because certainly nothing has happened."""
        return self.operation.outcome is Outcome.NOT_ATTEMPTED and not self.in_flight(now)


@dataclass(slots=True, kw_only=True)
class Begun:
    """An operation in the books, and one try of it. ``ours`` says whether this caller is to ask the gateway."""

    operation: StoredOperation
    ours: bool
    maybe_sent: bool
    """An earlier try may have reached the gateway, so that an answer "nothing happened" does not settle it."""
    sent_at: datetime | None = None
    """When this try let a request out that may change something; ``None`` if it certainly did not."""

    @property
    def certainly_unsent(self) -> bool:
        """Whether neither this try nor an earlier one can have changed anything at the gateway."""
        return self.sent_at is None and not self.maybe_sent


def repeated(
    connection: Connection,
    intent: Intent,
    asked: Asked,
    *,
    differing: Callable[[StoredOperation], Sequence[str]],
) -> StoredOperation | None:
    """Return the operation that was begun under this id before, if any.

    Raises ``IdReused`` if that operation asked for something else; ``differing`` names the fields with other
    values, of an operation of the same kind.
    """
    found = find(connection, intent.account, intent.operation_id)
    if found is None or asked.is_of(found):
        return found
    made = found.operation
    names = differing(found) if made.kind is intent.kind else ()
    what = f"another {made.kind}" if made.kind is intent.kind else f"another operation ({made.kind})"
    fields = f" (these differ: {', '.join(names)})" if names else ""
    message = (
        f"operation id {intent.operation_id!r} was used before for {what}{fields}; repeat that call unchanged, "
        f"or give this one a new id, such as '{intent.operation_id}:2'"
    )
    raise IdReused(message).about(account=intent.account, operation_id=intent.operation_id, payment_id=made.payment_id)


def begin(
    connection: Connection,
    intent: Intent,
    subject: Subject,
    *,
    asked: Asked,
    currency: str,
    amount: Money | None = None,
    vat: Money | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> Begun:
    """Write down a new operation under a free reference; raises ``Conflict`` if someone else does so right now."""
    row = {
        "account": intent.account,
        "operation_id": intent.operation_id,
        "kind": intent.kind.value,
        "subject_kind": subject.kind.value,
        "subject_id": subject.id,
        "digest": asked.digest,
        "mark": asked.mark,
        "reference": free_reference(connection, intent, first_attempt=1),
        **_amounts(amount, vat),
        "currency": currency,
        "parameters": dict(parameters or {}),
        "outcome": Outcome.UNKNOWN.value,
        "created_at": intent.now,
        "first_sent_at": intent.now,
        **_claimed(intent),
    }
    try:
        written = connection.execute(insert(schema.operations).values(**row).returning(schema.operations)).one()
    except IntegrityError:
        message = "someone else starts the same operation at this moment; repeat the call"
        raise_alone(Conflict(message).about(account=intent.account, operation_id=intent.operation_id))
    return Begun(operation=_stored(written), ours=True, maybe_sent=False)


def again(
    connection: Connection,
    intent: Intent,
    found: StoredOperation,
    asked: Asked,
    *,
    amount: Money | None = None,
    vat: Money | None = None,
    parameters: Mapping[str, Any] | None = None,
    is_found: bool = False,
) -> Begun:
    """Continue an operation that was begun before, in the transaction that holds its subject's lock.

    If certainly nothing happened, it begins again with the present ``amount``, ``vat`` and ``parameters``. If the
    answer is missing, it is claimed. Otherwise this caller must not send it.

    What a person has freed may have used up its reference: a try may have been declined, and its answer lost. It
    begins again under the next reference. ``is_found`` says that the gateway can be asked for what has a reference:
    then the first time it is asked, under the old one, and the next reference follows only if a person frees it again.
    """
    if found.begins_again(intent.now):
        fresh: dict[str, Any] = {
            "mark": asked.mark,
            "outcome": Outcome.UNKNOWN.value,
            "error": "",
            "settled_at": None,
            "first_sent_at": intent.now,
            "last_sent_at": None,
        }
        freed = _times_freed(connection, found)
        asks_first = is_found and freed == found.operation.attempts
        if asks_first:
            fresh |= {"first_sent_at": found.first_sent_at, "last_sent_at": found.last_sent_at}
        elif amount is not None or vat is not None:
            fresh |= _amounts(amount, vat)
        if parameters is not None and not asks_first:
            fresh["parameters"] = dict(parameters)
        if freed >= found.operation.attempts and not asks_first:
            attempt = found.operation.attempts + 1
            fresh |= {"reference": free_reference(connection, intent, first_attempt=attempt), "attempts": attempt}
            fresh |= {"earlier_references": [*found.earlier_references, found.operation.reference]}
        taken = _update(connection, found, **fresh, **_claimed(intent))
        return Begun(operation=taken, ours=True, maybe_sent=asks_first)
    if found.operation.outcome is Outcome.UNKNOWN and not found.in_flight(intent.now):
        taken = _update(connection, found, last_sent_at=found.sent_by(intent.now), **_claimed(intent))
        return Begun(operation=taken, ours=True, maybe_sent=True)
    return Begun(operation=found, ours=False, maybe_sent=True)


def claim(connection: Connection, intent: Intent) -> StoredOperation | None:
    """Claim an open operation to look it up; ``None`` if someone else has it, or if it has ended."""
    table, found = schema.operations, load(connection, intent.account, intent.operation_id)
    row = connection.execute(
        update(table)
        .where(_is_open(found) & _is_owned(found), due.free(table, intent.now))
        .values(tries=table.c.tries + 1, last_sent_at=found.sent_by(intent.now), **_claimed(intent))
        .returning(table),
    ).one_or_none()
    if row is None:
        return None
    claimed = _stored(row)
    _require_known(claimed)
    return claimed


def settle(
    connection: Connection,
    found: StoredOperation,
    outcome: Outcome,
    *,
    now: datetime,
    decline: Decline | None = None,
    error: str = "",
    look_again_in: timedelta | None = None,
    sent_at: datetime | None = None,
) -> StoredOperation:
    """Write down how an operation ended, and return it as it is then. A settled outcome does not change.

    That money moved is written by any try. Anything less is written only by the try that still owns the operation:
    a try that was slow for too long cannot know what a later one has sent. ``sent_at`` is when this try let a
    request out.
    """
    table, ended = schema.operations, outcome not in OPEN
    if (error or decline) and is_erased(connection, found.operation.subject):
        error, decline = "", None if decline is None else replace(decline, text="")
    proven = outcome is Outcome.SUCCEEDED
    sent = {} if sent_at is None else {"last_sent_at": sent_at}
    # What the gateway has just accepted is looked at soon, however often it was asked for before.
    tries = 0 if outcome is Outcome.PENDING and found.operation.outcome is Outcome.UNKNOWN else found.tries
    next_at = None if ended else now + (look_again_in or due.pause(due.OPERATIONS, tries))
    row = connection.execute(
        update(table)
        .where(_is_open(found) if proven else _is_open(found) & _is_owned(found))
        .values(
            outcome=outcome.value,
            decline=None if decline is None else codec.dump(decline),
            error=error,
            settled_at=now if ended else None,
            claim=None,
            claimed_until=None,
            next_at=next_at,
            tries=tries,
            **sent,
        )
        .returning(table),
    ).one_or_none()
    if row is None:
        return load(connection, found.operation.account, found.operation.operation_id)
    return _stored(row)


def look_again(connection: Connection, found: StoredOperation, *, now: datetime) -> None:
    """Release an operation that its try still owns, and say when to look at it next."""
    table = schema.operations
    connection.execute(
        update(table)
        .where(_is_open(found) & _is_owned(found))
        .values(claim=None, claimed_until=None, next_at=now + due.pause(due.OPERATIONS, found.tries)),
    )


def next_reference(connection: Connection, intent: Intent, found: StoredOperation) -> StoredOperation:
    """Give an operation a new reference and return it, because the old reference certainly moved no money.

    Raises ``Conflict`` if this try no longer owns the operation: the old reference is in use elsewhere.
    """
    attempt = found.operation.attempts + 1
    reference = free_reference(connection, intent, first_attempt=attempt)
    row = connection.execute(
        update(schema.operations)
        .where(_is_open(found) & _is_owned(found))
        .values(
            reference=reference,
            attempts=attempt,
            earlier_references=[*found.earlier_references, found.operation.reference],
        )
        .returning(schema.operations),
    ).one_or_none()
    if row is None:
        message = "this call took so long that another has continued the operation; repeat the call to see its result"
        raise Conflict(message).about(account=intent.account, operation_id=intent.operation_id)
    return _stored(row)


def free_reference(connection: Connection, intent: Intent, *, first_attempt: int) -> str:
    """Return the operation's reference at the gateway, or the next one that no other operation has."""
    table, world = schema.operations, _world(connection, intent.merchant)
    for attempt in range(first_attempt, first_attempt + _REFERENCE_TRIES):
        reference = ids.reference(intent.rule, world, intent.account, intent.operation_id, attempt)
        taken = select(table.c.reference).where(table.c.account == intent.account, table.c.reference == reference)
        if connection.execute(taken).first() is None:
            return reference
    message = "no free gateway reference was found: the account's reference format is too short for its traffic"
    raise Conflict(message).about(account=intent.account, operation_id=intent.operation_id)


def references(found: StoredOperation) -> tuple[str, ...]:
    """Return every reference that an operation had or has at the gateway, oldest first."""
    return (*found.earlier_references, found.operation.reference)


def find(connection: Connection, account: str, operation_id: str) -> StoredOperation | None:
    """Return the operation; ``None`` if this account does not have it."""
    row = connection.execute(select(schema.operations).where(_is(account, operation_id))).one_or_none()
    return None if row is None else _stored(row)


def of_claim(connection: Connection, intent: Intent) -> StoredOperation | None:
    """Return the operation if it is open, and claimed for this very try."""
    found = find(connection, intent.account, intent.operation_id)
    return found if found is not None and found.is_open and found.claim == intent.claim else None


def load(connection: Connection, account: str, operation_id: str) -> StoredOperation:
    """Return the operation; raises ``NotFound`` if this account does not have it."""
    found = find(connection, account, operation_id)
    if found is None:
        message = f"there is no operation {quoted(operation_id)} in account {account!r}"
        raise NotFound(message).about(account=account, operation_id=operation_id)
    return found


def of_subject(connection: Connection, subject: Subject) -> tuple[StoredOperation, ...]:
    """Return every operation of a subject, oldest first, for a caller who acts on them.

    Raises ``IllegalTransition`` if a newer prenopay began one of them in words that this version does not know.
    """
    found = history(connection, subject)
    for each in found:
        _require_known(each)
    return found


def history(connection: Connection, subject: Subject) -> tuple[StoredOperation, ...]:
    """Return every operation of a subject, oldest first, for a caller who shows them."""
    table = schema.operations
    query = select(table).where(table.c.subject_id == subject.id).order_by(table.c.created_at, table.c.operation_id)
    return tuple(_stored(row) for row in connection.execute(query))


def subjects_of(connection: Connection, account: str, references: Sequence[str]) -> dict[str, Subject]:
    """Return the subjects of the operations that the gateway knows by one of ``references``, by reference."""
    table = schema.operations
    query = select(table.c.reference, table.c.subject_kind, table.c.subject_id).where(
        table.c.account == account, table.c.reference.in_(references)
    )
    rows = connection.execute(query)
    return {row.reference: Subject(word(SubjectKind, row.subject_kind), row.subject_id) for row in rows}


def some_unanswered(connection: Connection, account: str, kinds: Collection[OperationKind]) -> bool:
    """Return whether the answer to an operation of one of ``kinds`` is missing, or on its way."""
    table = schema.operations
    query = select(table.c.operation_id).where(
        table.c.account == account,
        table.c.next_at.is_not(None),
        table.c.outcome == Outcome.UNKNOWN.value,
        table.c.kind.in_([kind.value for kind in kinds]),
    )
    return connection.execute(query.limit(1)).first() is not None


def open_ones(
    connection: Connection, account: str, limit: int, *, subject_id: str | None = None
) -> tuple[Operation, ...]:
    """Return operations whose outcome is not final yet, oldest first; ``subject_id`` limits them to one subject."""
    table = schema.operations
    query = (
        select(table)
        .where(table.c.account == account, table.c.outcome.in_(_OPEN_VALUES))
        .order_by(table.c.created_at)
        .limit(limit)
    )
    if subject_id is not None:
        query = query.where(table.c.subject_id == subject_id)
    return tuple(_stored(row).operation for row in connection.execute(query))


def under_way(operations: Iterable[StoredOperation], kind: OperationKind) -> tuple[Operation, ...]:
    """Return the operations of ``kind`` that may have happened, or may yet: asked for, and not settled."""
    return tuple(each.operation for each in operations if each.operation.kind is kind and each.is_open)


def require_ended(connection: Connection, account: str, operation_id: str) -> None:
    """Raise ``Conflict`` while an operation is open: for a caller who could not claim it."""
    if load(connection, account, operation_id).is_open:
        message = "someone else asks the gateway about this operation at this moment"
        raise Conflict(message).about(account=account, operation_id=operation_id)


def require_settleable(found: StoredOperation, *, now: datetime, has_proof: bool) -> None:
    """Raise ``Conflict`` if a person cannot settle an operation: nobody can know yet, or the outcome is known."""
    made, why = found.operation, ""
    if made.outcome is not Outcome.UNKNOWN or found.in_flight(now):
        why = f"is {made.outcome}: only an unknown outcome is settled by hand"
    elif not has_proof and now - found.sent_by(now) < FIRST_TRY_HAS_ENDED:
        why = "may still be on its way: look again ten minutes after it was sent"
    if why:
        message = f"operation {made.operation_id!r} {why}"
        raise Conflict(message).about(account=made.account, operation_id=made.operation_id)


def decide_by_hand(
    connection: Connection, found: StoredOperation, outcome: Outcome, *, person: str, reason: str, now: datetime
) -> None:
    """Store what a person settled by hand, and how the person found out."""
    made = found.operation
    connection.execute(
        insert(schema.decisions).values(
            account=made.account,
            operation_id=made.operation_id,
            subject_kind=made.subject.kind.value,
            subject_id=made.subject.id,
            outcome=outcome.value,
            person=person,
            reason=reason,
            at=now,
        ),
    )


def _world(connection: Connection, merchant: str) -> str:
    return f"{identity.database_id(connection)}\n{merchant}"


def _times_freed(connection: Connection, found: StoredOperation) -> int:
    """Return how often a person has said that the operation did not happen."""
    table, made = schema.decisions, found.operation
    query = select(func.count()).where(
        table.c.subject_id == made.subject.id,
        table.c.operation_id == made.operation_id,
        table.c.outcome == Outcome.NOT_ATTEMPTED.value,
    )
    return connection.execute(query).scalar_one()


def _require_known(found: StoredOperation) -> None:
    made = found.operation
    require_known(f"operation {made.operation_id!r}", made.kind, made.outcome, made.subject.kind)


def _is(account: str, operation_id: str) -> ColumnElement[bool]:
    table = schema.operations
    return (table.c.account == account) & (table.c.operation_id == operation_id)


def _is_open(found: StoredOperation) -> ColumnElement[bool]:
    made = found.operation
    return _is(made.account, made.operation_id) & schema.operations.c.outcome.in_(_OPEN_VALUES)


def _is_owned(found: StoredOperation) -> ColumnElement[bool]:
    """Whether nobody has claimed or released the operation since ``found`` was read."""
    return schema.operations.c.claim.is_not_distinct_from(found.claim)


def _amounts(amount: Money | None, vat: Money | None) -> dict[str, int | None]:
    return {"amount": None if amount is None else amount.minor, "vat": None if vat is None else vat.minor}


def _claimed(intent: Intent) -> dict[str, Any]:
    return {"claim": intent.claim, "claimed_until": intent.claim_until, "next_at": intent.claim_until}


def _update(connection: Connection, found: StoredOperation, **values: object) -> StoredOperation:
    made = found.operation
    changed = update(schema.operations).where(_is(made.account, made.operation_id)).values(**values)
    return _stored(connection.execute(changed.returning(schema.operations)).one())


def _stored(row: Row[Any]) -> StoredOperation:
    return StoredOperation(
        operation=Operation(
            operation_id=row.operation_id,
            kind=word(OperationKind, row.kind),
            account=row.account,
            subject=Subject(word(SubjectKind, row.subject_kind), row.subject_id),
            amount=None if row.amount is None else Money(row.amount, row.currency),
            outcome=word(Outcome, row.outcome),
            decline=None if row.decline is None else codec.load_shown(Decline, row.decline),
            reference=row.reference,
            attempts=row.attempts,
            created_at=row.created_at,
            settled_at=row.settled_at,
            error=row.error,
        ),
        digest=row.digest,
        mark=row.mark,
        vat=None if row.vat is None else Money(row.vat, row.currency),
        parameters=row.parameters,
        tries=row.tries,
        first_sent_at=row.first_sent_at,
        last_sent_at=row.last_sent_at,
        claim=row.claim,
        claimed_until=row.claimed_until,
        earlier_references=tuple(row.earlier_references),
    )
