"""Look at a payment: the browser's return, a callback and the sweep all end here.

If the order says so, reserved money is taken in the same step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from prenopay.account import Account, News, redacted
from prenopay.books import inbox, operations
from prenopay.books.inbox import Callback
from prenopay.books.operations import StoredOperation
from prenopay.errors import ForeignAnswer, PrenopayError
from prenopay.payments import observing, rows
from prenopay.payments.changing import Change, begin_capture, take_reserved
from prenopay.payments.oddities import abandoned_references, flag_oddities, names_of_abandoned, our_names
from prenopay.payments.reading import keeps_apart, read_payment
from prenopay.payments.rows import StoredPayment
from prenopay.provider.values import Observation
from prenopay.values.payments import OperationKind, Outcome, Payment, PaymentState
from prenopay.values.subjects import Subject

__all__ = ["View", "answer", "finish", "look", "observe", "view"]

_MAKE_PAYMENTS: Final = frozenset({OperationKind.CREATE, OperationKind.CHARGE})
_PAUSES: Final = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
"""How long to wait, in seconds, between two glances at money that someone else takes: six seconds in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a look at a payment needs: the payment in the books, and the refunds to ask about."""

    stored: StoredPayment
    refunds: tuple[StoredOperation, ...]
    unanswered: str | None
    """The operation that makes the payment, while its answer is missing."""
    names: frozenset[str]
    abandoned: frozenset[str]
    """What the gateway may call the payment, and the references under which it was asked for before."""


def view(connection: Connection, account: Account, payment_id: str) -> View:
    """Return what a look at a payment needs; raises ``NotFound``.

    The operations are read first. A commit between the two reads may then show an answer twice, and never hides one.
    """
    made = operations.of_subject(connection, Subject.payment(payment_id))
    stored = rows.load(connection, account.name, payment_id)
    open_refunds = tuple(each for each in made if each.operation.kind is OperationKind.REFUND and each.is_open)
    return View(
        stored=stored,
        refunds=open_refunds if keeps_apart(account, OperationKind.REFUND) else (),
        unanswered=_unanswered(made),
        names=our_names(stored, made),
        abandoned=abandoned_references(made),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    """The payment after a look, the capture that follows, and the subjects that have news.

    ``taken_elsewhere``: the money is reserved, and another caller takes it at this moment. ``more_came``: so did
    callbacks, since this look began.
    """

    stored: StoredPayment
    capture: Change | None
    news: News
    taken_elsewhere: bool
    more_came: bool


async def observe(account: Account, payment_id: str, *, source: str) -> Payment:
    """Ask the gateway, write down its answer, notify the host, and return the payment.

    The browser's return, the callback and the sweep come at the same moment, and one of them takes the money. The
    others wait here, for a bounded moment, and return what came of it.
    """
    payment, written = await _look(account, await account.read(view, account, payment_id), source=source)
    return await _wait(account, payment) if written is not None and written.taken_elsewhere else payment


async def look(account: Account, seen: View, *, source: str) -> Payment:
    """Read the payment at the gateway and write down what it says.

    Unlike ``observe`` it waits for nobody who takes the money at this moment.
    """
    payment, _written = await _look(account, seen, source=source)
    return payment


async def answer(account: Account, seen: View, callbacks: tuple[Callback, ...]) -> bool:
    """Look at a payment because of ``callbacks``; return whether others came meanwhile."""
    _payment, written = await _look(account, seen, source="callback", callbacks=callbacks)
    return written is not None and written.more_came


async def _look(
    account: Account, seen: View, *, source: str, callbacks: tuple[Callback, ...] = ()
) -> tuple[Payment, _Written | None]:
    payment = seen.stored.payment
    if payment.provider_reference is None:
        return payment, None
    try:
        observed = redacted(await read_payment(account, account.send(), seen.stored, seen.refunds))
        others = await names_of_abandoned(account, seen.names, seen.abandoned, callbacks)
    except PrenopayError as error:
        if isinstance(error, ForeignAnswer):
            await account.notify(await account.transact(_flag_foreign, account, payment.payment_id, error))
        error.about(account=account.name, provider=account.gateway.name, payment_id=payment.payment_id)
        raise
    written = await account.transact(
        _write, account, seen, observed, others | seen.names, source=source, callbacks=callbacks
    )
    payment = await finish(account, written.stored, written.capture, written.news)
    return payment, written


async def _wait(account: Account, payment: Payment) -> Payment:
    """Return the payment once nobody takes its money any more, or when the moment is over."""
    for pause in _PAUSES:
        await account.ports.clock.sleep(pause)
        payment, is_taken = await account.read(_glance, account, payment.payment_id)
        if not is_taken:
            break
    return payment


async def finish(account: Account, stored: StoredPayment, capture: Change | None, news: News) -> Payment:
    """Take reserved money if its capture was written down, notify the host, and return the payment."""
    stored, more = await take_reserved(account, stored, capture)
    await account.notify(tuple(dict.fromkeys((*news, *more))))
    return stored.payment


def _flag_foreign(connection: Connection, account: Account, payment_id: str, error: ForeignAnswer) -> News:
    stored = rows.lock(connection, account.name, payment_id)
    return observing.flag_strange(connection, account, stored, error)


def _write(
    connection: Connection,
    account: Account,
    seen: View,
    observed: Observation,
    names: frozenset[str],
    *,
    source: str,
    callbacks: tuple[Callback, ...],
) -> _Written:
    stored = rows.lock(connection, account.name, seen.stored.payment.payment_id)
    applied = observing.apply(connection, account, stored, observed, asked_version=seen.stored.version, source=source)
    stored, news, more_came = applied.stored, applied.news, False
    if callbacks:
        news += flag_oddities(connection, account, stored, names, callbacks)
        more_came = inbox.done(connection, callbacks, now=account.now())
    capture = begin_capture(connection, account, stored)
    taken_elsewhere = capture is None and _is_taken(account, stored, applied.operations)
    return _Written(stored=stored, capture=capture, news=news, taken_elsewhere=taken_elsewhere, more_came=more_came)


def _glance(connection: Connection, account: Account, payment_id: str) -> tuple[Payment, bool]:
    made = operations.of_subject(connection, Subject.payment(payment_id))  # first, as in ``view``
    stored = rows.load(connection, account.name, payment_id)
    return stored.payment, _is_taken(account, stored, made)


def _is_taken(account: Account, stored: StoredPayment, made: tuple[StoredOperation, ...]) -> bool:
    """Whether money is reserved and someone takes it at this moment."""
    captures = (each for each in made if each.operation.kind is OperationKind.CAPTURE)
    return stored.payment.state is PaymentState.AUTHORIZED and any(
        each.operation.outcome is Outcome.UNKNOWN and each.in_flight(account.now()) for each in captures
    )


def _unanswered(made: tuple[StoredOperation, ...]) -> str | None:
    made_by = (each.operation for each in made)
    return next(
        (each.operation_id for each in made_by if each.kind in _MAKE_PAYMENTS and each.outcome is Outcome.UNKNOWN), None
    )
