"""Capture, cancel, refund, update: write down, ask, write down.

After a failure in between, either certainly nothing happened (``NOT_ATTEMPTED``), or the outcome is open
(``UNKNOWN``). ``books.outcomes`` says which.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection

from prenopay.account import Account, News, redacted
from prenopay.asking import asked, concluded, failed, written_down
from prenopay.books import codec, due, operations
from prenopay.books.operations import Begun, StoredOperation
from prenopay.books.outcomes import STAYS_OPEN
from prenopay.errors import (
    Conflict,
    DuplicateReference,
    IdReused,
    InvalidOrder,
    PrenopayError,
    ProviderError,
    Quarantined,
    TransportError,
)
from prenopay.payments import observing, rows
from prenopay.payments.amounts import Part, Parts, part_of
from prenopay.payments.ending import expired_if_so
from prenopay.payments.reading import change_request, keeps_apart, read_payment
from prenopay.payments.rows import StoredPayment
from prenopay.ports import Send
from prenopay.provider.values import ChangeRequest, Observation, Reply
from prenopay.provider.verbs import VERBS
from prenopay.values.money import Money
from prenopay.values.orders import CaptureMode, OrderLine
from prenopay.values.payments import Action, FlagKind, Operation, OperationKind, Outcome, PaymentState

__all__ = ["Change", "Ended", "act", "begin_capture", "change", "changed", "take_reserved"]

_log = logging.getLogger("prenopay")

_REPEAT: Final = "nothing was sent: look at the payment, and repeat the call if money is still to be given back"
_COMPARE: Final = (
    "this refund may have happened, too, and is not sent again: look for it in the portal, and settle it by hand "
    "(prenopay operations resolve)"
)
_SEEN: Final = "seen"
"""Names, among an operation's parameters, the payment's last movement when it began."""

_ACCEPTED_LOOK_AFTER: Final = due.pause(due.OPERATIONS, 1)
"""How long after its acceptance an unfinished change is first looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change that was written down, with the payment it is about."""

    begun: Begun
    stored: StoredPayment


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a change ended, the payment after it, and the subjects that have news."""

    operation: StoredOperation
    stored: StoredPayment
    news: News = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What the host asks for. What it leaves open is computed from the payment under its lock."""

    amount: Money | None
    lines: tuple[OrderLine, ...]
    description: str


async def change(
    account: Account,
    kind: OperationKind,
    payment_id: str,
    operation_id: str,
    *,
    amount: Money | None = None,
    lines: tuple[OrderLine, ...] = (),
    description: str = "",
) -> Operation:
    """Write a change down, ask for it, and return how it ended."""
    verb, name = VERBS[kind]
    account.require(verb, name)
    intent = account.intent(kind, operation_id)
    wanted = _Wanted(amount=amount, lines=lines, description=description)
    started = await written_down(account, intent, _begin, _unanswered, payment_id, wanted)
    if not started.begun.ours:
        return started.begun.operation.operation
    ended = await act(account, started)
    await account.notify(ended.news)
    return ended.operation.operation


async def act(account: Account, started: Change) -> Ended:
    """Ask the gateway for a change, write down what became of it, and return how it ended.

    An outcome that stays open is logged; other errors are raised after they are written down.
    """
    begun, made = started.begun, started.begun.operation.operation
    verb: Callable[[Send, ChangeRequest], Awaitable[Reply]] = getattr(account.gateway, VERBS[made.kind][1])
    send = account.send(begun)

    async def ask(reference: str) -> Reply:
        if made.attempts > 1 and (found := await _found_before(account, send, started)) is not None:
            return found
        if made.kind is OperationKind.REFUND and not keeps_apart(account, made.kind):
            settled = await _look_first(account, send, started)
            if settled is not None:
                return settled
        request = change_request(account, started.stored, begun.operation, again=begun.maybe_sent)
        return await verb(send, replace(request, reference=reference))

    try:
        reply, _ = await asked(account, begun, ask, _unanswered)
    except PrenopayError as error:
        if not isinstance(error, (*STAYS_OPEN, DuplicateReference)):
            raise
        _log.warning("%s of %s: outcome unknown: %s", made.kind, made.payment_id, error)
        open_still = await account.read(operations.load, account.name, made.operation_id)
        return Ended(operation=open_still, stored=started.stored, news=(started.stored.subject,))
    if reply.outcome is Outcome.SUCCEEDED and keeps_apart(account, made.kind):
        reply = await _with_refund(account, send, started, reply)
    return await concluded(account, begun, reply, _unanswered, _conclude, started, reply)


async def take_reserved(account: Account, stored: StoredPayment, capture: Change | None) -> tuple[StoredPayment, News]:
    """Carry out an automatic capture that was written down. If it fails, the sweep tries again."""
    if capture is None:
        return stored, ()
    try:
        ended = await act(account, capture)
    except (ProviderError, TransportError) as error:
        _log.warning("automatic capture of %s waits for the sweep: %s", stored.payment.payment_id, error)
        return stored, ()
    return ended.stored, ended.news


def begin_capture(connection: Connection, account: Account, stored: StoredPayment) -> Change | None:
    """Write down the capture of money that was just reserved, if the order wants it and it is possible now."""
    payment = stored.payment
    ready = payment.state is PaymentState.AUTHORIZED and Action.CAPTURE in payment.allowed_actions
    if (
        not ready
        or stored.capture_mode is not CaptureMode.AUTOMATIC
        or not account.can(VERBS[OperationKind.CAPTURE][0])
    ):
        return None
    intent = account.intent(OperationKind.CAPTURE, f"{payment.payment_id}:capture")
    try:
        started = _begin(
            connection, account, intent, payment.payment_id, _Wanted(amount=None, lines=(), description="")
        )
    except (Conflict, IdReused, InvalidOrder, Quarantined) as error:  # nothing was written: the sweep tries again
        _log.warning("automatic capture of %s waits for the sweep: %s", payment.payment_id, error)
        return None
    return started if started.begun.ours else None


def changed(connection: Connection, account: Account, found: StoredOperation) -> Change:
    """Return a change that was claimed for a look-up, with its payment."""
    stored = rows.load(connection, account.name, found.operation.subject.id)
    return Change(begun=Begun(operation=found, ours=True, maybe_sent=True), stored=stored)


def _begin(
    connection: Connection, account: Account, intent: operations.Intent, payment_id: str, wanted: _Wanted
) -> Change:
    """Write the change down on the locked payment, or find the one that was begun before.

    Raises ``Conflict`` while another operation on the payment has an unknown outcome, ``Quarantined`` if the
    payment does not match its order, ``InvalidOrder`` for an impossible amount.
    """
    digest = codec.digest(intent.kind, payment_id, wanted.amount, wanted.lines, wanted.description)
    asked_for = operations.Asked(digest=digest)
    repeated = operations.repeated(
        connection, intent, asked_for, differing=lambda made: _differing(made, payment_id, wanted)
    )
    stored = rows.lock(connection, account.name, payment_id)
    made = operations.of_subject(connection, stored.subject)
    if repeated is not None:
        repeated = next(
            each for each in made if each.operation.operation_id == intent.operation_id
        )  # read again, under the lock
        if not repeated.begins_again(intent.now):
            if repeated.operation.outcome is Outcome.UNKNOWN:
                _require_trusted(stored)
            return Change(begun=operations.again(connection, intent, repeated, asked_for), stored=stored)
    _require_changeable(stored, made)
    amount, vat = _part(account, stored, made, intent.kind, wanted)
    parameters = {
        "lines": codec.dump(wanted.lines),
        "description": wanted.description,
        _SEEN: rows.last_movement(connection, payment_id) if intent.kind is OperationKind.REFUND else 0,
    }
    if repeated is not None:
        begun = operations.again(
            connection, intent, repeated, asked_for, amount=amount, vat=vat, parameters=parameters, is_found=True
        )
        return Change(begun=begun, stored=stored)
    begun = operations.begin(
        connection,
        intent,
        stored.subject,
        asked=asked_for,
        currency=stored.payment.amount.currency,
        amount=amount,
        vat=vat,
        parameters=parameters,
    )
    return Change(begun=begun, stored=stored)


def _differing(made: StoredOperation, payment_id: str, wanted: _Wanted) -> tuple[str, ...]:
    """Return in what a change differs from ``made``."""
    others = {
        "payment_id": made.operation.subject.id != payment_id,
        "lines": made.parameters["lines"] != codec.dump(wanted.lines),
        "description": made.parameters["description"] != wanted.description,
    }
    is_another_amount = wanted.amount is not None and wanted.amount != made.operation.amount
    found = tuple(name for name, differs in others.items() if differs)
    return ("amount", *found) if is_another_amount or not found else found


def _require_trusted(stored: StoredPayment) -> None:
    """Raise ``Quarantined`` if the payment does not match its order: no change is sent until a person has looked."""
    payment = stored.payment
    if payment.quarantined:
        message = "the gateway's payment does not match its order (see its flags): a person must look first"
        raise Quarantined(message).about(account=payment.account, payment_id=payment.payment_id)


def _require_changeable(stored: StoredPayment, made: tuple[StoredOperation, ...]) -> None:
    payment = stored.payment
    who = {"account": payment.account, "payment_id": payment.payment_id}
    _require_trusted(stored)
    if payment.provider_reference is None:
        message = "the gateway does not know this payment (yet): repeat the create with its operation id first"
        raise Conflict(message).about(**who)
    for other in (each.operation for each in made):
        if other.outcome is Outcome.UNKNOWN and other.kind is not OperationKind.CREATE:
            message = (
                f"operation {other.operation_id!r} on this payment has an unknown outcome; "
                "resolve it first (resolve, or prenopay operations resolve), then repeat this one"
            )
            raise Conflict(message).about(**who)


def _part(
    account: Account, stored: StoredPayment, made: tuple[StoredOperation, ...], kind: OperationKind, wanted: _Wanted
) -> tuple[Money | None, Money | None]:
    """Return amount and VAT of the change; raises ``InvalidOrder`` for a part that the gateway does not take."""
    refunds = [each.amount for each in operations.under_way(made, OperationKind.REFUND) if each.amount is not None]
    limits = account.gateway.limits
    return part_of(
        stored.payment,
        kind,
        wanted.amount,
        wanted.lines,
        order=stored.order,
        parts=Parts(captures=_parts(made, OperationKind.CAPTURE), refunds=_parts(made, OperationKind.REFUND)),
        being_refunded=sum(refunds, Money.zero(stored.payment.amount.currency)),
        whole_only=(kind is OperationKind.CAPTURE and not limits.partial_capture)
        or (kind is OperationKind.REFUND and not limits.partial_refund),
        lines_came_later=any(_has_new_lines(each) for each in made),
    )


def _has_new_lines(made: StoredOperation) -> bool:
    """Return whether this is an update that gave the order lines, or may have."""
    is_update, happened = made.operation.kind is OperationKind.UPDATE, made.is_open or made.operation.succeeded
    return is_update and happened and bool(codec.load(made.parameters["lines"]))


def _parts(made: tuple[StoredOperation, ...], kind: OperationKind) -> tuple[Part, ...]:
    """Return the captures or refunds that happened, or may have, with their VAT."""
    asked = [each for each in made if each.operation.kind is kind]
    return tuple(
        Part(amount=each.operation.amount, vat=each.vat, lines=len(codec.load(each.parameters["lines"])))
        for each in asked
        if each.operation.amount is not None and each.vat is not None
        if each.is_open or each.operation.succeeded
    )


def _unanswered(connection: Connection, account: Account, begun: Begun, error: PrenopayError) -> None:
    stored = rows.lock(connection, account.name, begun.operation.operation.subject.id)
    failed(connection, account, begun, error)
    observing.flag_strange(connection, account, stored, error)


async def _look_first(account: Account, send: Send, started: Change) -> Reply | None:
    """Look at the payment before money is given back: staff may have given it back in the gateway's portal.

    What the books have already costs no transaction. Raises ``Conflict`` if the look shows a refund that prenopay
    did not ask for: who asked for this one did not know of it. Returns what settles the refund, if an earlier try of
    it has arrived after all. An earlier try that is not in the gateway's list may still come into it: that refund
    stays open until a person has compared the two.
    """
    payment = started.stored.payment
    observed = redacted(await read_payment(account, send, started.stored, ()))
    seen = (observed.submitted, observed.authorized, observed.captured, observed.refunded, observed.cancelled)
    known = (payment.amount, payment.authorized, payment.captured, payment.refunded, payment.cancelled)
    if seen == known and not started.begun.maybe_sent:
        return None
    why, outcome, news = await account.transact(_write_first_look, account, started, observed)
    await account.notify(news)
    if outcome is Outcome.SUCCEEDED:
        return Reply(outcome=outcome, observation=observed)
    if why:
        raise Conflict(why)
    return None


def _write_first_look(
    connection: Connection, account: Account, started: Change, observed: Observation
) -> tuple[str, Outcome, News]:
    """Write down a look before a refund; return why it must not be sent, or nothing, its outcome, and who has news."""
    operation, asked_version = started.begun.operation, started.stored.version
    stored = rows.lock(connection, account.name, started.stored.payment.payment_id)
    applied = observing.apply(connection, account, stored, observed, asked_version=asked_version, source="refund")
    outcome = operations.load(connection, account.name, operation.operation.operation_id).operation.outcome
    if applied.foreign:
        return applied.foreign, outcome, applied.news
    if applied.stored.payment.quarantined:
        why = "the gateway's payment does not match its order (see its flags): a person must look first"
        return why, outcome, applied.news
    refunds = [each for each in applied.operations if each.operation.kind is OperationKind.REFUND]
    ours = {reference for each in refunds for reference in operations.references(each)}
    unsent = "" if started.begun.maybe_sent else operation.operation.operation_id
    may_be_one_of_ours = any(each.is_open and each.operation.operation_id != unsent for each in refunds)
    elsewhere = [
        each.amount
        for each in rows.refunds_after(connection, stored.payment.payment_id, operation.parameters[_SEEN])
        if (each.reference not in ours if each.reference else not may_be_one_of_ours)
    ]
    if not elsewhere:
        return "", outcome, applied.news
    given = -sum(elsewhere, Money.zero(stored.payment.amount.currency))
    advice = _COMPARE if started.begun.maybe_sent else _REPEAT
    message = f"the gateway shows {given} given back that prenopay did not ask for, in its portal or by another system"
    return f"{message}; {advice}", outcome, applied.news


async def _with_refund(account: Account, send: Send, started: Change, reply: Reply) -> Reply:
    """Read the payment with its finished refund. Observing the payment alone does not show the refund."""
    refund = started.begun.operation
    try:
        return replace(reply, observation=await read_payment(account, send, started.stored, (refund,)))
    except PrenopayError as error:
        _log.warning("refund %s was made; the payment is read again later: %s", refund.operation.operation_id, error)
        return reply


async def _found_before(account: Account, send: Send, started: Change) -> Reply | None:
    """Look whether the change was made under an earlier reference after all, although a person has freed it."""
    operation = started.begun.operation
    earlier = operation.earlier_references
    asked_before = tuple(
        replace(operation, operation=replace(operation.operation, reference=reference)) for reference in earlier
    )
    observed = await read_payment(account, send, started.stored, asked_before)
    if any(each.reference in earlier for each in observed.transactions):
        return Reply(outcome=Outcome.SUCCEEDED, observation=observed)
    return None


def _conclude(connection: Connection, account: Account, started: Change, reply: Reply) -> Ended:
    """Write down what the gateway answered: the observation first, then how the operation ended."""
    operation, made = started.begun.operation, started.begun.operation.operation
    stored = rows.lock(connection, account.name, started.stored.payment.payment_id)
    news: News = ()
    outcome, error = reply.outcome, ""
    if reply.observation is not None:
        observed = redacted(expired_if_so(reply.observation, made))
        asked_version = started.stored.version
        applied = observing.apply(
            connection, account, stored, observed, asked_version=asked_version, source=made.kind.value
        )
        stored, news = applied.stored, applied.news
        outcome, error = (Outcome.UNKNOWN, applied.foreign) if applied.foreign else (outcome, error)
    if outcome is Outcome.UNKNOWN and reply.decline is not None:
        error = reply.decline.text
        news += observing.flag(
            connection, account, stored, FlagKind.UNCERTAIN, f"{made.kind} {made.reference}: {error}"
        )
    if outcome is Outcome.SUCCEEDED and reply.observation is None and keeps_apart(account, made.kind):
        outcome = Outcome.PENDING  # the money is written down when the refund is observed
    before = operations.load(connection, account.name, made.operation_id)
    ended = operations.settle(
        connection,
        operation,
        outcome,
        now=account.now(),
        decline=reply.decline,
        error=error,
        look_again_in=_ACCEPTED_LOOK_AFTER,
        sent_at=started.begun.sent_at,
    )
    if before.is_open and ended.operation.outcome is Outcome.DECLINED:
        news += observing.decline_operation(connection, account, stored, made.operation_id, reply.decline)
    return Ended(operation=ended, stored=stored, news=news)
