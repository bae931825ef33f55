"""Money to someone: signed and written down before it is sent, sent at most once, looked up until it has ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from prenopay.account import Account, News
from prenopay.asking import asked, concluded, described, failed, written_down
from prenopay.books import ids, inbox, operations
from prenopay.books.operations import Asked, Begun, StoredOperation
from prenopay.books.outbox import NewEvent
from prenopay.errors import PrenopayError
from prenopay.payouts import rows
from prenopay.payouts.rows import StoredPayout
from prenopay.provider.values import PayoutRequest, Reply
from prenopay.provider.verbs import PaysOut
from prenopay.values.events import EventKind
from prenopay.values.orders import PayoutOrder
from prenopay.values.payments import OperationKind, Outcome, Payout
from prenopay.values.subjects import Subject, SubjectKind

__all__ = ["find", "get", "hear", "look", "pay_out", "resolve", "settle_by_hand"]

_EVENTS: Final = {Outcome.SUCCEEDED: EventKind.PAYOUT_PAID, Outcome.DECLINED: EventKind.PAYOUT_DECLINED}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sending:
    """A payout that was written down, with its operation."""

    begun: Begun
    stored: StoredPayout


async def pay_out(account: Account, order: PayoutOrder, operation_id: str) -> Payout:
    """Sign, write down and send a payout, and return it."""
    gateway = _require(account)
    intent = account.intent(OperationKind.PAYOUT, operation_id)
    subject = ids.subject(SubjectKind.PAYOUT, intent.now, account.ports.entropy)
    sending = await written_down(account, intent, _begin, _failed, gateway, subject=subject, order=order)
    if sending.begun.ours:
        await _ask(account, gateway, sending)
    return await get(account, operation_id)


async def get(account: Account, operation_id: str) -> Payout:
    """Return the payout as the books have it; raises ``NotFound``."""
    return (await account.read(rows.load, account.name, operation_id)).payout


async def find(account: Account, limit: int) -> tuple[Payout, ...]:
    """Return the newest payouts."""
    return await account.read(rows.find, account.name, limit)


async def resolve(account: Account, operation_id: str) -> Payout:
    """Look up an open payout; send it again, as the same bytes, only if the gateway does not have it."""
    await _look_up(account, operation_id)
    return await get(account, operation_id)


async def settle_by_hand(account: Account, operation_id: str, *, person: str, reason: str) -> None:
    """Write down that a payout of unknown outcome certainly did not happen, as a person found out."""
    await account.transact(_settle_by_hand, account, operation_id, person=person, reason=reason)


async def look(account: Account, subject: Subject) -> None:
    """Look up a payout that is known by its own id; raises ``Conflict`` while someone else looks it up."""
    stored = await account.read(rows.load_by_id, account.name, subject.id)
    if not await _look_up(account, stored.payout.operation_id):
        await account.read(operations.require_ended, account.name, stored.payout.operation_id)


async def hear(account: Account, subject: Subject, until: datetime) -> bool:
    """Claim the callbacks about a payout, look it up, and answer them; return whether others came meanwhile."""
    callbacks = await account.transact(inbox.claim, account.name, subject, now=account.now(), until=until)
    if not callbacks:
        return False
    await look(account, subject)
    return await account.transact(inbox.done, callbacks, now=account.now())


async def _look_up(account: Account, operation_id: str) -> bool:
    """Look up a payout; return false if it has ended, or if someone else looks it up."""
    sending = await account.transact(_claim, account, operation_id)
    if sending is not None:
        await _ask(account, _require(account), sending)
    return sending is not None


async def _ask(account: Account, gateway: PaysOut, sending: _Sending) -> None:
    """Send or look up, and write down the result; raises the gateway's error."""
    begun, send, is_accepted = (
        sending.begun,
        account.send(sending.begun),
        sending.stored.payout.outcome is Outcome.PENDING,
    )
    body, again = sending.stored.body, begun.maybe_sent

    async def ask(reference: str) -> Reply:
        if is_accepted:
            return await gateway.observe_payout(send, reference, body)
        return await gateway.pay_out(send, reference, body, again=again)

    reply, _ = await asked(account, begun, ask, _failed)
    await account.notify(await concluded(account, begun, reply, _failed, _conclude, sending, reply))


def _begin(
    connection: Connection,
    account: Account,
    intent: operations.Intent,
    gateway: PaysOut,
    *,
    subject: Subject,
    order: PayoutOrder,
) -> _Sending:
    """Sign the instruction and write it down, or find the payout that its operation id began before.

    A payout that certainly never left, or that a person freed, is signed again. Raises ``IdReused`` if the id was used
    for something else, ``Conflict`` if someone starts it right now, ``InvalidOrder``.
    """
    wanted = described(account, intent, order, rows.PERSONAL)
    repeated = operations.repeated(
        connection, intent, wanted, differing=lambda made: _differing(connection, account, made, wanted, order)
    )
    if repeated is not None:
        stored = rows.lock(connection, account.name, intent.operation_id)
        repeated = operations.load(connection, account.name, intent.operation_id)  # read again, under the lock
        begun = operations.again(connection, intent, repeated, wanted, is_found=True)
        if begun.ours and not (begun.maybe_sent and stored.body):
            body = _signed(account, gateway, begun, order)
            rows.rewrite(connection, stored.payout.payout_id, body, payee_reference=order.payee_reference)
        return _Sending(begun=begun, stored=rows.load(connection, account.name, intent.operation_id))
    begun = operations.begin(
        connection, intent, subject, asked=wanted, currency=order.amount.currency, amount=order.amount
    )
    rows.insert_payout(
        connection,
        payout_id=subject.id,
        account=account.name,
        operation_id=intent.operation_id,
        description=order.description,
        payee_reference=order.payee_reference,
        body=_signed(account, gateway, begun, order),
    )
    return _Sending(begun=begun, stored=rows.load(connection, account.name, intent.operation_id))


def _differing(
    connection: Connection, account: Account, made: StoredOperation, wanted: Asked, order: PayoutOrder
) -> tuple[str, ...]:
    """Return the fields in which ``order`` differs from the one of ``made``. Of the payee only a mark was kept."""
    payout = rows.load(connection, account.name, made.operation.operation_id).payout
    kept = {"amount": payout.amount != order.amount, "description": payout.description != order.description}
    if any(kept.values()):
        return tuple(name for name, differs in kept.items() if differs)
    if made.digest != wanted.digest:
        return ("reference",)
    return (f"{', '.join(rows.PERSONAL[:-1])} or {rows.PERSONAL[-1]}",)


def _signed(account: Account, gateway: PaysOut, begun: Begun, order: PayoutOrder) -> bytes:
    """Sign the instruction; one that may have left before has the time of the first."""
    made = begun.operation.operation
    request = PayoutRequest(
        order=order,
        payout_id=made.subject.id,
        reference=made.reference,
        callback_url=account.callback_url(made.subject),
        asked_at=begun.operation.first_sent_at if begun.maybe_sent else account.now(),
    )
    return gateway.write_payout(request)


def _claim(connection: Connection, account: Account, operation_id: str) -> _Sending | None:
    """Claim an open payout to look it up; ``None`` if it has ended, or if someone else has it."""
    stored = rows.lock(connection, account.name, operation_id)
    claimed = operations.claim(connection, account.intent(OperationKind.PAYOUT, operation_id))
    if claimed is None:
        return None
    return _Sending(begun=Begun(operation=claimed, ours=True, maybe_sent=True), stored=stored)


def _failed(connection: Connection, account: Account, begun: Begun, error: PrenopayError) -> None:
    made = begun.operation.operation
    rows.lock(connection, account.name, made.operation_id)
    if failed(connection, account, begun, error) is Outcome.NOT_ATTEMPTED:
        rows.empty_body(connection, made.subject.id)


def _conclude(connection: Connection, account: Account, sending: _Sending, reply: Reply) -> News:
    """Write down what became of the payout, and its events."""
    payout_id, operation_id = sending.stored.payout.payout_id, sending.stored.payout.operation_id
    rows.lock(connection, account.name, operation_id)
    was_open = operations.load(connection, account.name, operation_id).is_open
    ended = operations.settle(
        connection,
        sending.begun.operation,
        reply.outcome,
        now=account.now(),
        decline=reply.decline,
        error=reply.decline.text if reply.decline is not None and reply.outcome is Outcome.UNKNOWN else "",
        sent_at=sending.begun.sent_at,
    )
    if not was_open or ended.is_open:
        return ()
    rows.empty_body(connection, payout_id)
    payout = rows.load(connection, account.name, operation_id).payout
    event = _EVENTS.get(ended.operation.outcome)
    if event is None:
        return ()
    news = [NewEvent(kind=event, decline=reply.decline)]
    return account.append_events(connection, Subject.payout(payout_id), news, facts=rows.facts(payout))


def _settle_by_hand(connection: Connection, account: Account, operation_id: str, *, person: str, reason: str) -> None:
    stored, now = rows.lock(connection, account.name, operation_id), account.now()
    found = operations.load(connection, account.name, operation_id)
    operations.require_settleable(found, now=now, has_proof=False)
    nothing = Outcome.NOT_ATTEMPTED
    operations.decide_by_hand(connection, found, nothing, person=person, reason=reason, now=now)
    operations.settle(connection, found, nothing, now=now)
    rows.empty_body(connection, stored.payout.payout_id)


def _require(account: Account) -> PaysOut:
    return account.require(PaysOut, "pay_out", otherwise="the provider sends no money")  # type: ignore[type-abstract]  # a verb is asked for by its protocol
