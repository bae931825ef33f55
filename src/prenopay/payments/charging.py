"""Charge a mandate: check and write down first, send at most once, settle by evidence or by a person."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection

from prenopay.account import Account, News, redacted
from prenopay.asking import asked, concluded, described, written_down
from prenopay.books import ids, operations
from prenopay.books.operations import FIRST_TRY_HAS_ENDED, Begun, StoredOperation
from prenopay.books.outcomes import STAYS_OPEN
from prenopay.errors import Conflict, DuplicateReference, InvalidOrder, OutcomeUnknown, PrenopayError
from prenopay.mandates import drawing, rows as mandates
from prenopay.mandates.drawing import Drawing
from prenopay.payments import observing, opening, rows
from prenopay.payments.changing import Change, begin_capture
from prenopay.payments.looking import finish
from prenopay.payments.rows import PERSONAL, StoredPayment
from prenopay.ports import HttpRequest, HttpResponse, Send
from prenopay.provider.values import Charged, ChargeRequest, Created, Observation
from prenopay.provider.verbs import ChargesMandates
from prenopay.values.mandates import Mandate
from prenopay.values.orders import Initiator, Order, Payer
from prenopay.values.payments import FlagKind, Operation, OperationKind, Outcome, PaymentState
from prenopay.values.subjects import Subject, SubjectKind

__all__ = ["Charge", "charge", "charged", "send", "settle_by_hand"]

_log = logging.getLogger("prenopay")

_PERIOD_MOST: Final = 60
"""How long the name of a period may be: its column holds no more."""
_ENDED_WELL = frozenset({PaymentState.AUTHORIZED, PaymentState.CAPTURED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """A charge that was written down: its payment, its mandate, and the sealed token unless it was removed."""

    begun: Begun
    stored: StoredPayment
    order: Order
    mandate: Mandate
    token: bytes | None


async def charge(account: Account, mandate_id: str, order: Order, *, operation_id: str, period: str) -> Operation:
    """Charge ``order`` to the mandate, and return how it ended."""
    _require(account)
    if len(period) > _PERIOD_MOST:
        message = f"period: at most {_PERIOD_MOST} characters, not {len(period)}"
        raise InvalidOrder(message, field="period")
    intent = account.intent(OperationKind.CHARGE, operation_id)
    mandate = (await account.read(mandates.load, account.name, mandate_id)).mandate
    order = replace(order, initiator=Initiator.MERCHANT, payer=Payer(reference=mandate.payer_reference))
    account.gateway.check_order(order)
    subject = ids.subject(SubjectKind.PAYMENT, intent.now, account.ports.entropy)
    written = await written_down(
        account, intent, _begin, opening.unanswered, subject, mandate_id=mandate_id, order=order, period=period
    )
    if not written.begun.ours:
        return written.begun.operation.operation
    return await send(account, written)


async def send(account: Account, written: Charge) -> Operation:
    """Ask the gateway for a charge, take what was reserved, notify the host, and return how it ended."""
    gateway, begun, made = _require(account), written.begun, written.begun.operation.operation
    asked_at, sending = account.now(), account.send(begun)

    async def ask(reference: str) -> Charged:
        request = ChargeRequest(
            order=written.order,
            payment_id=made.subject.id,
            reference=reference,
            callback_url=account.callback_url(made.subject),
            kind=written.mandate.kind,
            token=None if written.token is None else account.ports.vault.unseal(written.token),
            again=begun.maybe_sent,
            first_tried_at=begun.operation.first_sent_at,
        )
        for earlier in begun.operation.earlier_references:
            if (found := await _found_before(gateway, sending, replace(request, reference=earlier))) is not None:
                return found
        return await gateway.charge(sending, request)

    try:
        answer, _ = await asked(account, begun, ask, opening.unanswered)
    except PrenopayError as error:
        if not isinstance(error, (*STAYS_OPEN, DuplicateReference)):
            raise
        _log.warning("charge %s: outcome unknown: %s", made.operation_id, error)
        return (await account.read(operations.load, account.name, made.operation_id)).operation
    sent_at = begun.operation.last_sent_at or begun.operation.first_sent_at
    if answer.outcome is Outcome.NOT_ATTEMPTED and asked_at - sent_at < FIRST_TRY_HAS_ENDED:
        return made  # a charge that the gateway does not have may still be on its way
    asked_version = written.stored.version
    ended, stored, capture, news = await concluded(
        account, begun, answer, opening.unanswered, _conclude, begun.operation, answer, asked_version
    )
    await finish(account, stored, capture, news)
    return ended.operation


async def _found_before(gateway: ChargesMandates, sending: Send, request: ChargeRequest) -> Charged | None:
    """Look whether the charge was made under an earlier reference after all, although a person has freed it.

    Without its token a charge can only be looked for. A gateway that cannot look leaves it to the person's word.
    """
    looked = False

    async def look(request: HttpRequest) -> HttpResponse:
        nonlocal looked
        looked = True
        return await sending(request)

    try:
        found = await gateway.charge(look, replace(request, token=None, again=True))
    except OutcomeUnknown:
        if looked:
            raise
        return None
    return None if found.outcome is Outcome.NOT_ATTEMPTED else found


async def settle_by_hand(
    account: Account, operation_id: str, *, provider_reference: str | None, person: str, reason: str
) -> Operation:
    """Write down what a person found out: the gateway's payment, or that there is none."""
    found = await account.read(operations.load, account.name, operation_id)
    operations.require_settleable(found, now=account.now(), has_proof=provider_reference is not None)
    observed, asked_version = None, (await account.read(rows.load, account.name, found.operation.subject.id)).version
    if provider_reference is not None:
        observed = await _proof(account, found, provider_reference)
    answer = Charged(outcome=_outcome_of(found.operation.kind, observed), observation=observed)
    ended, stored, capture, news = await account.transact(
        _conclude_by_hand, account, found, answer, asked_version=asked_version, person=person, reason=reason
    )
    await finish(account, stored, capture, news)
    return ended.operation


def charged(connection: Connection, account: Account, found: StoredOperation) -> Charge:
    """Return a charge that was claimed because its answer is missing."""
    stored = rows.load(connection, account.name, found.operation.subject.id)
    mandate_id = found.parameters["mandate_id"]
    return Charge(
        begun=Begun(operation=found, ours=True, maybe_sent=True),
        stored=stored,
        order=stored.order,
        mandate=mandates.load(connection, account.name, mandate_id).mandate,
        token=mandates.token(connection, mandate_id),
    )


def _begin(
    connection: Connection,
    account: Account,
    intent: operations.Intent,
    subject: Subject,
    *,
    mandate_id: str,
    order: Order,
    period: str,
) -> Charge:
    """Check the mandate under its lock and write the charge down, or find the one begun before."""
    parameters = {"mandate_id": mandate_id, "period": period}
    wanted = described(account, intent, order, PERSONAL, *sorted(parameters.items()))
    repeated = operations.repeated(
        connection, intent, wanted, differing=lambda made: _differing(connection, account, made, order, parameters)
    )
    held = None if repeated is None else rows.lock(connection, account.name, repeated.operation.subject.id)
    mandate = mandates.lock_to_charge(connection, account.name, mandate_id)
    if repeated is not None:
        repeated = operations.load(connection, account.name, intent.operation_id)  # read again, under the lock
    if repeated is None or repeated.begins_again(intent.now):
        draw = Drawing(operation_id=intent.operation_id, amount=order.amount, period=period, now=intent.now)
        drawing.check(connection, mandate, draw)
    token = mandates.token(connection, mandate_id)
    if repeated is not None and held is not None:
        if repeated.begins_again(intent.now):
            held = rows.put_payer_back(connection, held, order)
        begun = operations.again(connection, intent, repeated, wanted)
        return Charge(begun=begun, stored=held, order=order, mandate=mandate.mandate, token=token)
    stored, begun = opening.begin(
        connection, account, intent, subject, order, asked=wanted, expires_at=None, parameters=parameters
    )
    mandates.note_charge(
        connection, mandate, payment_id=subject.id, operation_id=intent.operation_id, period=period, now=intent.now
    )
    return Charge(begun=begun, stored=stored, order=order, mandate=mandate.mandate, token=token)


def _differing(
    connection: Connection, account: Account, made: StoredOperation, order: Order, parameters: Mapping[str, str]
) -> tuple[str, ...]:
    """Return the fields in which this charge differs from ``made``. The payer is the mandate's, and not named."""
    ordered = rows.differing(connection, account.name, made.operation.subject.id, order)
    others = [name for name, value in sorted(parameters.items()) if made.parameters.get(name) != value]
    return (*(name for name in ordered if name.partition(".")[0] not in PERSONAL), *others)


def _conclude(
    connection: Connection, account: Account, operation: StoredOperation, answer: Charged, asked_version: int
) -> tuple[StoredOperation, StoredPayment, Change | None, News]:
    """Write down what the gateway answered, and the capture of what it reserved."""
    made = operation.operation
    news: News = ()
    stored = rows.lock(connection, account.name, made.subject.id)
    if answer.observation is not None:
        observed = redacted(replace(answer.observation, decline=answer.observation.decline or answer.decline))
        every = operations.of_subject(connection, stored.subject)
        if foreign := observing.why_foreign(stored, observed, every, is_named=False):
            news += observing.flag(connection, account, stored, FlagKind.FOREIGN_ANSWER, foreign)
            answer = Charged(outcome=Outcome.UNKNOWN)
        elif (named := opening.name_if_first(connection, stored, operation, Created(observation=observed))) is None:
            news += _note_second(connection, account, stored, observed)
        else:
            applied = observing.apply(
                connection, account, named, observed, asked_version=asked_version, source=made.kind.value
            )
            stored, news = applied.stored, applied.news
    before = operations.load(connection, account.name, made.operation_id)
    ended = operations.settle(
        connection,
        operation,
        answer.outcome,
        now=account.now(),
        decline=answer.decline,
        look_again_in=account.claimed_for,
    )
    if ended.operation.outcome is not Outcome.UNKNOWN:
        rows.drop_personal_number(connection, stored)
    if ended.operation.outcome is Outcome.NOT_ATTEMPTED:
        observing.note_unanswered(connection, stored, ended.operation.outcome)
    if before.is_open and ended.operation.outcome is Outcome.DECLINED:
        over = observing.end(connection, account, stored, PaymentState.DECLINED, why=answer.decline)
        stored, news = over.stored, (*news, *over.news)
    return ended, stored, begin_capture(connection, account, stored), news


def _note_second(connection: Connection, account: Account, stored: StoredPayment, observed: Observation) -> News:
    """Flag that the gateway took the money of one charge under two of our references."""
    if not observed.authorized:
        return ()
    detail = f"the charge was made twice: {observed.provider_reference} has {observed.authorized}, too"
    return observing.flag(connection, account, stored, FlagKind.PAID_TWICE, detail)


def _conclude_by_hand(
    connection: Connection,
    account: Account,
    operation: StoredOperation,
    answer: Charged,
    *,
    asked_version: int,
    person: str,
    reason: str,
) -> tuple[StoredOperation, StoredPayment, Change | None, News]:
    rows.lock(connection, account.name, operation.operation.subject.id)
    operation = operations.load(connection, account.name, operation.operation.operation_id)
    operations.require_settleable(operation, now=account.now(), has_proof=answer.observation is not None)
    operations.decide_by_hand(connection, operation, answer.outcome, person=person, reason=reason, now=account.now())
    return _conclude(connection, account, operation, answer, asked_version)


async def _proof(account: Account, found: StoredOperation, provider_reference: str) -> Observation:
    """Read the payment that a person found, and compare it with the operation."""
    made = found.operation
    observed = await account.gateway.observe(account.send(), provider_reference)
    if observed.reference not in operations.references(found):
        message = (
            f"the gateway's {provider_reference} carries our reference {observed.reference or '(none)'}, "
            f"but the operation has {made.reference}: it is not this one"
        )
        raise Conflict(message).about(account=account.name, operation_id=made.operation_id)
    return observed


def _require(account: Account) -> ChargesMandates:
    return account.require(ChargesMandates, "charge", otherwise="the provider charges no stored methods")  # type: ignore[type-abstract]  # a verb is asked for by its protocol


def _outcome_of(kind: OperationKind, observed: Observation | None) -> Outcome:
    if observed is None:
        return Outcome.NOT_ATTEMPTED
    if kind is OperationKind.CREATE or observed.state in _ENDED_WELL:
        return Outcome.SUCCEEDED
    return Outcome.DECLINED if observed.state is PaymentState.DECLINED else Outcome.PENDING
