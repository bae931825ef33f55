"""Create, replace, expire: a payment is written down, made payable, and ended in time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection

from prenopay._redaction import Secret
from prenopay.account import Account, News, redacted
from prenopay.asking import asked, concluded, described, written_down
from prenopay.books import ids, operations
from prenopay.books.operations import Begun, StoredOperation
from prenopay.errors import Conflict, ForeignAnswer, InvalidOrder, OutcomeUnknown
from prenopay.mandates import drawing, methods, rows as mandates
from prenopay.mandates.use_cases import require_storing
from prenopay.payments import changing, looking, observing, rows
from prenopay.payments.ending import expiry_operation_id, leaves_page, replacing_operation_id
from prenopay.payments.opening import begin, name_if_first, unanswered
from prenopay.payments.pages import strange_page
from prenopay.payments.rows import PERSONAL, StoredPayment
from prenopay.provider.values import Created, CreateRequest
from prenopay.provider.verbs import Cancels
from prenopay.values.orders import Order
from prenopay.values.payments import Action, FlagKind, OperationKind, Outcome, Payment, PaymentState
from prenopay.values.subjects import Subject, SubjectKind

__all__ = ["Making", "create", "expire", "make", "making", "replace"]

_GATEWAY_CLOSES_WITHIN: Final = timedelta(days=1)
"""How long after its page's time a payment waits before it expires without the gateway's word."""
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """A payment that was written down and is to be made at the gateway."""

    begun: Begun
    stored: StoredPayment
    order: Order
    offered: bytes | None
    """The sealed token of the stored method that the page offers."""


async def create(account: Account, order: Order, operation_id: str) -> Payment:
    """Write the order down, and make it payable at the gateway."""
    account.gateway.check_order(order)
    _require_pseudonym(account, order)
    if order.store is not None or order.pay_with:
        require_storing(account)
    intent = account.intent(OperationKind.CREATE, operation_id)
    subject = ids.subject(SubjectKind.PAYMENT, intent.now, account.ports.entropy)
    making = await written_down(account, intent, _begin, unanswered, subject, order)
    if making.begun.ours:
        return await make(account, making)
    if making.begun.operation.operation.outcome is Outcome.UNKNOWN:
        message = "another call asks the gateway for this payment, or was broken off: repeat this one shortly"
        raise OutcomeUnknown(message).about(account=account.name, operation_id=operation_id)
    return making.stored.payment


async def make(account: Account, making: Making) -> Payment:
    """Make a written-down payment at the gateway. If it ended meanwhile, close its page before anybody sees it."""
    stored, begun, order = making.stored, making.begun, making.order
    send = account.send(begun)

    async def ask(reference: str) -> Created:
        request = CreateRequest(
            order=order,
            payment_id=stored.payment.payment_id,
            reference=reference,
            callback_url=account.callback_url(stored.subject),
            offered=_opened(account, making.offered),
            again=begun.maybe_sent and reference == begun.operation.operation.reference,
            first_tried_at=begun.operation.first_sent_at,
        )
        return await account.gateway.create_payment(send, request)

    created, answered = await asked(account, begun, ask, unanswered)
    first = begun.operation.operation.reference
    seen_before = first if answered.operation.reference != first and not begun.maybe_sent else ""
    payment, news, foreign = await concluded(
        account,
        begun,
        created,
        unanswered,
        _conclude,
        answered,
        created,
        asked_version=stored.version,
        seen_before=seen_before,
    )
    await account.notify(news)
    if foreign:
        raise ForeignAnswer(foreign).about(account=account.name, payment_id=payment.payment_id)
    return await expire(account, payment.payment_id) if leaves_page(payment) else payment


async def replace(account: Account, payment_id: str, order: Order, operation_id: str) -> Payment:
    """Close an open payment's page, then make a new one."""
    stored = await account.read(rows.load, account.name, payment_id)
    old, payer = stored.payment, "" if order.payer is None else order.payer.reference
    if payer and stored.payer_reference and payer != stored.payer_reference:
        message = f"payer.reference: payment {payment_id} is another payer's, so this order does not replace it"
        raise InvalidOrder(message, field="payer.reference").about(account=account.name, payment_id=payment_id)
    if old.is_open:
        await changing.change(account, OperationKind.CANCEL, payment_id, replacing_operation_id(payment_id))
        old = await _get(account, payment_id)
    if old.is_open or old.authorized or old.captured:
        message = f"payment {payment_id} is {old.state}: only a payment that nobody has paid can be replaced"
        raise Conflict(message).about(account=account.name, payment_id=payment_id)
    return await create(account, order, operation_id)


async def expire(account: Account, payment_id: str) -> Payment:
    """Look at the payment, close its page so that nobody can pay any more, and end the payment here."""
    seen = await account.read(looking.view, account, payment_id)
    payment = await looking.look(account, seen, source="expiry")
    if leaves_page(payment) or (payment.is_open and payment.provider_reference is not None):
        payment = await _close(account, payment)
    ended = await account.transact(_expire, account, payment)
    if ended is None:
        return await expire(account, payment_id)  # meanwhile another process learned that the gateway has it
    await account.notify(ended.news)
    return ended.stored.payment


def making(connection: Connection, account: Account, found: StoredOperation) -> Making:
    """Return a create that was claimed because its answer is missing, with its payment."""
    stored = rows.load(connection, account.name, found.operation.subject.id)
    begun = Begun(operation=found, ours=True, maybe_sent=True)
    order = stored.order
    return Making(begun=begun, stored=stored, order=order, offered=_offered(connection, order))


def _require_pseudonym(account: Account, order: Order) -> None:
    """Refuse an e-mail address as the payer's name: books and gateway keep that name where everybody reads it.

    A method that another system stored under such a name can still be offered.
    """
    if order.payer is not None and _EMAIL.fullmatch(order.payer.reference) and not order.pay_with:
        message = (
            "payer.reference: is an e-mail address, which the gateway and these books would keep and show; use a "
            "pseudonym of your own, such as a customer number, and payer.email for the address"
        )
        raise InvalidOrder(message, field="payer.reference").about(account=account.name)


def _begin(
    connection: Connection, account: Account, intent: operations.Intent, subject: Subject, order: Order
) -> Making:
    """Write down a new payment and the operation that creates it, or find the one begun before.

    Raises ``IdReused`` if that one was for another order; the error names the fields.
    """
    wanted = described(account, intent, order, PERSONAL)
    repeated = operations.repeated(
        connection,
        intent,
        wanted,
        differing=lambda made: rows.differing(connection, account.name, made.operation.subject.id, order),
    )
    if repeated is None or repeated.begins_again(intent.now):
        drawing.check_named(connection, account.name, order, intent.now)
    if repeated is not None:
        stored = rows.lock(connection, account.name, repeated.operation.subject.id)
        repeated = operations.load(connection, account.name, intent.operation_id)  # read again, under the lock
        if repeated.begins_again(intent.now):
            stored = rows.put_payer_back(connection, stored, order)
        begun = operations.again(connection, intent, repeated, wanted, amount=order.amount, vat=order.vat_amount)
        return Making(begun=begun, stored=stored, order=order, offered=_offered(connection, order))
    expires_at = intent.now + (order.valid_for or account.gateway.limits.page_lives)
    stored, begun = begin(connection, account, intent, subject, order, asked=wanted, expires_at=expires_at)
    if order.store is not None and order.payer is not None:
        methods.propose(connection, account, order.store, payment_id=subject.id, payer_reference=order.payer.reference)
    return Making(begun=begun, stored=stored, order=order, offered=_offered(connection, order))


def _offered(connection: Connection, order: Order) -> bytes | None:
    return mandates.token(connection, order.pay_with) if order.pay_with else None


def _opened(account: Account, sealed: bytes | None) -> Secret | None:
    return None if sealed is None else account.ports.vault.unseal(sealed)


def _conclude(
    connection: Connection,
    account: Account,
    operation: StoredOperation,
    created: Created,
    *,
    asked_version: int,
    seen_before: str,
) -> tuple[Payment, News, str]:
    """Write down what the gateway made of the order; the text says why it is another's, if it is.

    If another try has made the payment meanwhile, that one counts. A page that is not the gateway's is left out, and
    flagged. ``seen_before`` is our first reference, if the gateway had it although these books have never sent it.
    """
    stored = rows.lock(connection, account.name, operation.operation.subject.id)
    observed = redacted(created.observation)
    made = operations.of_subject(connection, stored.subject)
    if foreign := observing.why_foreign(stored, observed, made, is_named=False):
        unknown = operations.settle(connection, operation, Outcome.UNKNOWN, now=account.now(), error=foreign)
        observing.note_unanswered(connection, stored, unknown.operation.outcome)
        flagged = observing.flag(connection, account, stored, FlagKind.FOREIGN_ANSWER, foreign)
        return stored.payment, flagged, foreign
    if strange := strange_page(account.gateway, created):
        created = Created(observation=created.observation)
    named = name_if_first(connection, stored, operation, created)
    if named is None:
        operations.require_ended(connection, account.name, operation.operation.operation_id)
        return stored.payment, (), ""
    operations.settle(connection, operation, Outcome.SUCCEEDED, now=account.now())
    rows.drop_personal_number(connection, stored)
    applied = observing.apply(connection, account, named, observed, asked_version=asked_version, source="create")
    stored, news = applied.stored, applied.news
    if strange:
        news += observing.flag(connection, account, stored, FlagKind.MISMATCH, strange)
    if seen_before:
        detail = (
            f"the gateway had an order under {seen_before}, which these books have never sent (a restored copy?): look "
            "for that order there, it may be paid"
        )
        news += observing.flag(connection, account, stored, FlagKind.REFERENCE_SEEN, detail)
    if strange or seen_before:
        stored = rows.load(connection, account.name, stored.payment.payment_id)
    return stored.payment, news, ""


def _expire(connection: Connection, account: Account, seen: Payment) -> observing.Applied | None:
    """End a payment that nobody paid; ``None`` if it has a page now and had none when it was ``seen``."""
    stored = rows.lock(connection, account.name, seen.payment_id)
    if stored.payment.is_open and stored.payment.provider_reference != seen.provider_reference:
        return None
    return observing.end(connection, account, stored, PaymentState.EXPIRED)


async def _close(account: Account, payment: Payment) -> Payment:
    """Close a payment's page; raises ``Conflict`` while it cannot be closed."""
    payment_id = payment.payment_id
    page_closed_at = payment.created_at + account.gateway.limits.page_lives + _GATEWAY_CLOSES_WITHIN
    if Action.CANCEL in payment.allowed_actions and account.can(Cancels):
        await changing.change(account, OperationKind.CANCEL, payment_id, expiry_operation_id(payment_id))
        payment = await _get(account, payment_id)
    why = ""
    if payment.state is PaymentState.UNKNOWN:
        why = "the gateway does not know whether this was paid (see its flags): a person must look first"
    elif payment.is_open and account.now() < page_closed_at:
        why = "the payment's page cannot be closed now; the sweep tries again"
    if why:
        raise Conflict(why).about(account=account.name, payment_id=payment_id)
    return payment


async def _get(account: Account, payment_id: str) -> Payment:
    return (await account.read(rows.load, account.name, payment_id)).payment
