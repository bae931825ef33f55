"""Settle open operations: look up first, send again only what certainly did not happen. Also works on callbacks."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from prenopay.account import Account, News
from prenopay.books import inbox, operations
from prenopay.books.inbox import Callback
from prenopay.books.operations import StoredOperation
from prenopay.errors import NotFound
from prenopay.payments import changing, charging, creating, looking, rows
from prenopay.payments.looking import View
from prenopay.payments.oddities import abandoned_references, flag_oddities, our_names
from prenopay.values.payments import Operation, OperationKind, Outcome
from prenopay.values.subjects import Subject

__all__ = ["hear", "look", "resolve"]


async def resolve(account: Account, operation_id: str) -> Operation:
    """Settle an open operation on a payment, and return it; it is still open if the gateway cannot say yet."""
    await _look_up(account, operation_id)
    return (await account.read(operations.load, account.name, operation_id)).operation


async def look(account: Account, subject: Subject) -> None:
    """Look at a payment that a callback to the account's own address names."""
    seen = await account.read(looking.view, account, subject.id)
    await looking.look(account, await _answered(account, seen), source="callback")


async def hear(account: Account, subject: Subject, until: datetime) -> bool:
    """Claim the callbacks about a payment, look at it, and answer them; return whether others came meanwhile.

    Raises ``NotFound`` for a payment that is not in the books.
    """
    callbacks, seen = await account.transact(_claimed, account, subject, until)
    if seen is None:
        return False
    if isinstance(seen, NotFound):
        raise seen
    seen = await _answered(account, seen)
    if seen.stored.payment.provider_reference is not None:
        return await looking.answer(account, seen, callbacks)
    news, more_came = await account.transact(_answer, account, subject, callbacks)
    await account.notify(news)
    return more_came


async def _answered(account: Account, seen: View) -> View:
    """Return what a look needs, once the gateway's name for the payment is known or there is none.

    A callback may come before the answer that it is about. Then that answer comes first, and the look after it.
    """
    if seen.unanswered is None:
        return seen
    await _answer_create(account, seen.unanswered)
    return await account.read(looking.view, account, seen.stored.payment.payment_id)


async def _answer_create(account: Account, operation_id: str) -> None:
    """Look up the operation that makes a payment; raises ``Conflict`` while someone else does."""
    if not await _look_up(account, operation_id):
        await account.read(operations.require_ended, account.name, operation_id)


async def _look_up(account: Account, operation_id: str) -> bool:
    """Look up an open operation; return false if it has ended, or if someone else looks it up."""
    claimed = await account.transact(_claim, account, operation_id)
    if claimed is None:
        return False
    try:
        await _settle(account, claimed)
    finally:
        await account.transact(operations.look_again, claimed, now=account.now())
    return True


async def _settle(account: Account, claimed: StoredOperation) -> None:
    made = claimed.operation
    payment_id = made.subject.id
    if made.outcome is Outcome.PENDING:
        await _observe(account, payment_id)
    elif made.kind is OperationKind.CHARGE:
        await charging.send(account, await account.read(charging.charged, account, claimed))
    elif made.kind is OperationKind.CREATE:
        await creating.make(account, await account.read(creating.making, account, claimed))
    else:
        await _observe(account, payment_id)  # the observation may settle it
        present = await account.read(operations.load, account.name, made.operation_id)
        if present.operation.outcome is Outcome.UNKNOWN:
            started = await account.read(changing.changed, account, present)
            if started.stored.payment.quarantined:
                return  # its flag has reported it: nothing is sent until a person has looked
            ended = await changing.act(account, started)
            await account.notify(ended.news)


def _claim(connection: Connection, account: Account, operation_id: str) -> StoredOperation | None:
    found = operations.load(connection, account.name, operation_id)
    rows.lock(connection, account.name, found.operation.subject.id)
    return operations.claim(connection, account.intent(found.operation.kind, operation_id))


async def _observe(account: Account, payment_id: str) -> None:
    await looking.look(account, await account.read(looking.view, account, payment_id), source="resolve")


def _claimed(
    connection: Connection, account: Account, subject: Subject, until: datetime
) -> tuple[tuple[Callback, ...], View | NotFound | None]:
    """Claim what waits about a payment, and return what a look needs; ``None`` if there is nothing to claim."""
    callbacks = inbox.claim(connection, account.name, subject, now=account.now(), until=until)
    try:
        return callbacks, looking.view(connection, account, subject.id) if callbacks else None
    except NotFound as error:  # raised after the commit: the claim stays
        return callbacks, error


def _answer(
    connection: Connection, account: Account, subject: Subject, callbacks: tuple[Callback, ...]
) -> tuple[News, bool]:
    """Answer callbacks about a payment that the gateway certainly does not have under any name that is known here."""
    stored = rows.lock(connection, account.name, subject.id)
    made = operations.of_subject(connection, subject)
    names = our_names(stored, made) | abandoned_references(made)
    news = flag_oddities(connection, account, stored, names, callbacks)
    return news, inbox.done(connection, callbacks, now=account.now())
