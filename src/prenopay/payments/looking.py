"""Look at a payment: the browser's return, a callback and the sweep all end here.

If the order says so, reserved money is taken in the same step.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from prenopay._redaction import scrub
from prenopay.account import Account, News, redacted
from prenopay.books import inbox, operations
from prenopay.books.inbox import Callback
from prenopay.books.operations import StoredOperation
from prenopay.errors import ForeignAnswer, PrenopayError
from prenopay.payments import observing, rows
from prenopay.payments.changing import Change, begin_capture, take_reserved
from prenopay.payments.reading import keeps_apart, read_payment
from prenopay.payments.rows import StoredPayment
from prenopay.provider.values import Observation
from prenopay.values.payments import FlagKind, OperationKind, Outcome, Payment

__all__ = ["View", "finish", "flag_oddities", "look", "observe", "view"]

_MAKE_PAYMENTS = frozenset({OperationKind.CREATE, OperationKind.CHARGE})


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a look at a payment needs: the payment in the books, and the refunds to ask about."""

    stored: StoredPayment
    refunds: tuple[StoredOperation, ...]
    unanswered: str | None
    """The operation that makes the payment, while its answer is missing."""


def view(connection: Connection, account: Account, payment_id: str) -> View:
    """Return what a look at a payment needs; raises ``NotFound``."""
    stored = rows.load(connection, account.name, payment_id)
    made = operations.of_subject(connection, stored.subject)
    open_refunds = tuple(each for each in made if each.operation.kind is OperationKind.REFUND and each.is_open)
    refunds = open_refunds if keeps_apart(account, OperationKind.REFUND) else ()
    return View(stored=stored, refunds=refunds, unanswered=_unanswered(made))


async def observe(account: Account, payment_id: str, *, source: str) -> Payment:
    """Ask the gateway, write down its answer, notify the host, and return the payment."""
    return await look(account, await account.read(view, account, payment_id), source=source)


async def look(account: Account, seen: View, *, source: str, callbacks: tuple[Callback, ...] = ()) -> Payment:
    """Read the payment at the gateway and write down what it says; that answers ``callbacks``."""
    began, payment = account.now(), seen.stored.payment
    if payment.provider_reference is None:
        return payment
    try:
        observed = redacted(await read_payment(account, account.send(), seen.stored, seen.refunds))
    except PrenopayError as error:
        if isinstance(error, ForeignAnswer):
            await account.notify(await account.transact(_flag_foreign, account, payment.payment_id, error))
        error.about(account=account.name, provider=account.gateway.name, payment_id=payment.payment_id)
        raise
    applied, capture, news = await account.transact(
        _write, account, seen.stored, observed, began=began, source=source, callbacks=callbacks
    )
    return await finish(account, applied, capture, news)


async def finish(account: Account, stored: StoredPayment, capture: Change | None, news: News) -> Payment:
    """Take reserved money if its capture was written down, notify the host, and return the payment."""
    stored, more = await take_reserved(account, stored, capture)
    await account.notify(tuple(dict.fromkeys((*news, *more))))
    return stored.payment


def flag_oddities(
    connection: Connection,
    account: Account,
    stored: StoredPayment,
    made: tuple[StoredOperation, ...],
    callbacks: tuple[Callback, ...],
) -> News:
    """Mark a payment whose callback names another payment, or cannot be read."""
    news: News = ()
    ours = {stored.payment.provider_reference}
    for callback in callbacks:
        foreign = [name for name in callback.names if name not in ours]
        if callback.note:
            news += observing.flag(connection, account, stored, FlagKind.MALFORMED_CALLBACK, callback.note)
        elif foreign and not set(foreign) <= operations.earlier_references(
            connection, account.gateway.limits.reference, account.gateway.merchant, made
        ):
            detail = f"a callback names {scrub(foreign[0])!r}, this payment is {stored.payment.provider_reference}"
            news += observing.flag(connection, account, stored, FlagKind.FOREIGN_CALLBACK, detail)
    return news


def _flag_foreign(connection: Connection, account: Account, payment_id: str, error: ForeignAnswer) -> News:
    stored = rows.lock(connection, account.name, payment_id)
    return observing.flag_strange(connection, account, stored, error)


def _write(
    connection: Connection,
    account: Account,
    seen: StoredPayment,
    observed: Observation,
    *,
    began: datetime,
    source: str,
    callbacks: tuple[Callback, ...],
) -> tuple[StoredPayment, Change | None, News]:
    stored = rows.lock(connection, account.name, seen.payment.payment_id)
    applied = observing.apply(connection, account, stored, observed, read_at=began, source=source)
    news = applied.news
    if callbacks:
        news += flag_oddities(connection, account, applied.stored, applied.operations, callbacks)
        inbox.done(connection, account.name, stored.subject, received_until=began, now=account.now())
    return applied.stored, begin_capture(connection, account, applied.stored), news


def _unanswered(made: tuple[StoredOperation, ...]) -> str | None:
    made_by = (each.operation for each in made)
    return next(
        (each.operation_id for each in made_by if each.kind in _MAKE_PAYMENTS and each.outcome is Outcome.UNKNOWN), None
    )
