"""One try of an operation: written down, asked, and written down again, whatever breaks it off on the way.

What certainly was not sent is free again at once, even if the task is cancelled. What the gateway answered is
written for as long as a claim lasts, and is kept in memory if the books cannot be reached.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection
from typing import Any, Concatenate, Final, ParamSpec, TypeAlias, TypeVar

from sqlalchemy import Connection

from prenopay._hidden import without_frames
from prenopay._redaction import scrub
from prenopay.account import WRITING_MARGIN, Account, Unwritten
from prenopay.books import codec, operations, outcomes
from prenopay.books.operations import Asked, Begun, Intent, StoredOperation
from prenopay.books.outcomes import STAYS_OPEN
from prenopay.errors import DuplicateReference, LedgerUnavailable, NotSent, OutcomeUnknown, PrenopayError
from prenopay.ports import Ledger
from prenopay.provider.values import Charged, Created, Reply
from prenopay.values.payments import OperationKind, Outcome

__all__ = ["Unanswered", "asked", "concluded", "described", "failed", "write_unwritten", "written_down"]

T = TypeVar("T")
P = ParamSpec("P")

_log = logging.getLogger("prenopay")

Unanswered: TypeAlias = Callable[[Connection, Account, Begun, PrenopayError], None]
"""Locks a subject, and writes down what an error proves about its operation."""

_WRITING_SECONDS: Final = WRITING_MARGIN.total_seconds() - 5
"""How long an answer is tried to be written: it must be there before the claim ends."""
_PAUSES_SECONDS: Final = (0.2, 0.5, 1.0, 2.0, 4.0)


def described(account: Account, intent: Intent, order: object, personal: Collection[str], *more: object) -> Asked:
    """Return what an operation is asked to do, by its ``order``; ``personal`` are the fields that describe a person."""
    stored: dict[str, Any] = codec.dump(order)
    person = {name: stored.pop(name) for name in personal if name in stored}
    rest = codec.canonical(codec.dump(intent.kind), stored, *map(codec.dump, more))
    marks = account.ports.callback_urls.marks(account.name, intent.operation_id, codec.canonical(person))
    return Asked(digest=codec.digest(rest), marks=marks)


async def written_down(
    account: Account,
    intent: Intent,
    begin: Callable[Concatenate[Connection, Account, Intent, P], T],
    unanswered: Unanswered,
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Run ``begin`` in a transaction, and return what it wrote down.

    If nobody can tell whether the transaction was committed, because its answer was lost or the task was
    cancelled, the operation is freed again: certainly nothing was sent.
    """
    await write_unwritten(account.ports.ledger, account.ports.unwritten, account.name)
    ended = False

    def work(connection: Connection) -> T:
        nonlocal ended
        written = begin(connection, account, account.retimed(intent), *args, **kwargs)
        ended = True
        return written

    try:
        return await account.ports.ledger.transact(work)
    except GeneratorExit:
        raise
    except BaseException:
        if ended:
            why = NotSent("it is not known whether this was written down, and nothing was sent")
            what = f"{intent.kind} {intent.operation_id!r}: {why}"
            await _keep_writing(account, intent.operation_id, what, _freed, account, intent, unanswered, why)
        raise


async def asked(
    account: Account, begun: Begun, ask: Callable[[str], Awaitable[T]], unanswered: Unanswered
) -> tuple[T, StoredOperation]:
    """Ask the gateway, and return its answer and the operation under whose reference it was asked.

    An error is written down with ``unanswered``, and raised with the ids of the operation. A cancelled task and a
    fault in the program are written down, too.

    A create may be refused because its reference was seen before. It gets a new reference at once: the order
    behind the old one, if any, can never be paid, because nobody has its page. Other changes wait. The request may
    have been sent twice on the way, and a new reference could move the money a second time.
    """
    made = begun.operation.operation
    try:
        try:
            return await ask(made.reference), begun.operation
        except DuplicateReference:
            if made.kind is not OperationKind.CREATE:
                raise
            fresh = await account.transact(_next_reference, account, begun)
            return await ask(fresh.operation.reference), fresh
    except GeneratorExit:
        raise
    except BaseException as error:  # whatever broke it off is written down, and raised again
        why = _proven(begun, error)
        why.about(
            account=account.name,
            provider=account.gateway.name,
            operation_id=made.operation_id,
            payment_id=made.payment_id,
        )
        what = f"{made.kind} {made.operation_id!r} has no answer: {why}"
        await _keep_writing(account, made.operation_id, what, unanswered, account, begun, why)
        if why is error or not isinstance(error, PrenopayError):
            raise
        raise why from without_frames(error)


async def concluded(
    account: Account,
    begun: Begun,
    answer: Created | Charged | Reply,
    unanswered: Unanswered,
    conclude: Callable[Concatenate[Connection, Account, P], T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Write down what the gateway answered with ``conclude``, and return what that returns.

    Books that cannot be reached are tried again for a while. After that ``LedgerUnavailable`` says what the gateway
    answered, and the next sweep of this process writes it. Books that refuse the answer leave the operation open and
    free, with the reason: a repeated call asks again.
    """
    made = begun.operation.operation
    outcome = Outcome.SUCCEEDED if isinstance(answer, Created) else answer.outcome
    named = "" if answer.observation is None else f", as {answer.observation.provider_reference}"
    what = (
        f"the gateway answered {made.kind} {made.operation_id!r} (our reference {made.reference}) with {outcome}{named}"
    )

    def work(connection: Connection) -> T:
        return conclude(connection, account, *args, **kwargs)

    try:
        return await _keep_writing(account, made.operation_id, what, work)
    except LedgerUnavailable:
        raise
    except PrenopayError as error:
        why = OutcomeUnknown(f"{what}; the books refuse that answer: {error}")
        await _keep_writing(account, made.operation_id, what, unanswered, account, begun, why)
        raise


def failed(connection: Connection, account: Account, begun: Begun, error: PrenopayError) -> Outcome:
    """Write down what ``error`` proves about the outcome, and return the outcome as it is then.

    Callers lock the subject first.
    """
    now, made = account.now(), begun.operation.operation
    outcome = Outcome.UNKNOWN if outcomes.leaves_open(begun, error, now) else Outcome.NOT_ATTEMPTED
    if made.outcome is Outcome.PENDING:
        outcome = Outcome.PENDING  # the gateway has accepted it: an error while looking changes nothing
    if outcome is Outcome.NOT_ATTEMPTED and isinstance(error, DuplicateReference):
        _next_reference(connection, account, begun)  # another system has the old one: the next try needs its own
    ended = operations.settle(connection, begun.operation, outcome, now=now, error=str(error), sent_at=begun.sent_at)
    return ended.operation.outcome


async def write_unwritten(ledger: Ledger, unwritten: list[Unwritten], account: str | None = None) -> tuple[str, ...]:
    """Write what earlier tries of this process could not write, of one account or of all; return what still waits."""
    waiting: list[str] = []
    for each in [each for each in unwritten if account in {None, each.account}]:
        try:
            await ledger.transact(each.work)
        except LedgerUnavailable as error:
            waiting.append(f"{each.what}; it is not written yet: {error}")
        except Exception as error:  # noqa: BLE001 - one that can never be written must not hold up the others
            _forget(unwritten, each)
            _log.error("%s; this cannot be written: %s", each.what, scrub(f"{type(error).__name__}: {error}"))
        else:
            _forget(unwritten, each)
    return tuple(waiting)


async def _keep_writing(
    account: Account,
    operation_id: str,
    what: str,
    work: Callable[Concatenate[Connection, P], T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Run ``work`` until the books can be reached, for a bounded time. What could not be written is kept."""
    clock, unwritten = account.ports.clock, account.ports.unwritten
    give_up_at, tries = clock.monotonic() + _WRITING_SECONDS, 0
    kept = Unwritten(account=account.name, what=what, work=lambda connection: work(connection, *args, **kwargs))
    while True:
        try:
            written = await account.transact(work, *args, **kwargs)
        except LedgerUnavailable as error:
            _keep(unwritten, kept)
            pause = _PAUSES_SECONDS[min(tries, len(_PAUSES_SECONDS) - 1)]
            if clock.monotonic() + pause >= give_up_at:
                message = f"{what}; the books cannot be written ({error}); the next sweep of this process writes it"
                _log.error("%s", message)
                raise LedgerUnavailable(message).about(account=account.name, operation_id=operation_id) from error
            tries += 1
            await clock.sleep(pause)
        except Exception:
            _forget(unwritten, kept)
            raise
        except BaseException:
            _keep(unwritten, kept)  # cancelled: nobody sees whether this was written, and twice does no harm
            raise
        else:
            _forget(unwritten, kept)
            return written


def _keep(unwritten: list[Unwritten], kept: Unwritten) -> None:
    if kept not in unwritten:
        unwritten.append(kept)


def _forget(unwritten: list[Unwritten], kept: Unwritten) -> None:
    if kept in unwritten:
        unwritten.remove(kept)


def _freed(
    connection: Connection, account: Account, intent: Intent, unanswered: Unanswered, why: PrenopayError
) -> None:
    """Free the operation if it was written down under this very claim."""
    found = operations.of_claim(connection, intent)
    if found is not None:
        unanswered(
            connection, account, Begun(operation=found, ours=True, maybe_sent=found.last_sent_at is not None), why
        )


def _proven(begun: Begun, error: BaseException) -> PrenopayError:
    """Return the error that says what is known of this try: ``NotSent`` if it only looked, whatever it met."""
    if begun.certainly_unsent and not (isinstance(error, PrenopayError) and not isinstance(error, STAYS_OPEN)):
        made = begun.operation.operation
        why = f"the look before it failed ({error})"
        if not isinstance(error, PrenopayError):
            why = f"it was broken off ({type(error).__name__}: {error})"
        message = f"{made.kind} {made.operation_id!r} was not sent: {why}; make the same call again"
        return NotSent(message)
    if isinstance(error, PrenopayError):
        return error
    when = "before anything was sent" if begun.sent_at is None else "after something was sent"
    message = f"broken off by {type(error).__name__} {when}"
    return NotSent(message) if begun.sent_at is None else OutcomeUnknown(message)


def _next_reference(connection: Connection, account: Account, begun: Begun) -> StoredOperation:
    made = begun.operation.operation
    return operations.next_reference(connection, account.intent(made.kind, made.operation_id), begun.operation)
