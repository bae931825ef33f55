"""The only way in which a payment changes: an observation is compared with the books and written into them.

Everything that follows from an observation is written in one transaction, on the locked payment: movements, state,
settled operations, flags, events, and changes of mandates. To apply the same observation twice changes nothing the
second time. To apply an old one late changes nothing at all. Ends that prenopay itself causes take the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection

from prenopay._text import quoted
from prenopay.account import Account, News
from prenopay.books import answers, codec, operations
from prenopay.books.operations import FIRST_TRY_HAS_ENDED, StoredOperation
from prenopay.books.outbox import NewEvent
from prenopay.books.vault import seal
from prenopay.errors import ForeignAnswer, PrenopayError, UnexpectedAnswer
from prenopay.mandates import methods
from prenopay.payments import rows
from prenopay.payments.lifecycle import ENDED, UNPAID, advance
from prenopay.payments.movements import Movement, Totals, contradiction, new_movements, overrules
from prenopay.payments.pacing import Facts, left_since, next_look, unread
from prenopay.payments.rows import PERSONAL, StoredPayment
from prenopay.provider.values import Observation, ProviderTransaction, TransactionKind
from prenopay.values.events import EventKind
from prenopay.values.money import Money
from prenopay.values.orders import OrderLine
from prenopay.values.payments import Decline, Flag, FlagKind, OperationKind, Outcome, PaymentState

__all__ = ["Applied", "apply", "decline_operation", "end", "flag", "flag_strange", "note_unanswered", "why_foreign"]

_COUNTED: Final = frozenset({FlagKind.MALFORMED_CALLBACK, FlagKind.FOREIGN_CALLBACK})
_STATE_UNANSWERED: Final = {
    Outcome.UNKNOWN: PaymentState.UNKNOWN,
    Outcome.NOT_ATTEMPTED: PaymentState.CREATED,
}
_CLOCK_SKEW: Final = timedelta(seconds=300)
"""How far a gateway's clock may be behind ours when a movement is matched by its time."""

_MOVED: Final = {
    OperationKind.CAPTURE: TransactionKind.CAPTURE,
    OperationKind.CANCEL: TransactionKind.RELEASE,
    OperationKind.REFUND: TransactionKind.REFUND,
}
_MAKES_PAYMENT: Final = frozenset({OperationKind.CREATE, OperationKind.CHARGE})
_EVENT_OF_END: Final = {
    PaymentState.CANCELLED: EventKind.CANCELLED,
    PaymentState.DECLINED: EventKind.DECLINED,
    PaymentState.EXPIRED: EventKind.EXPIRED,
}
_EVENT_OF_MOVE: Final = {
    TransactionKind.AUTHORIZATION: EventKind.AUTHORIZED,
    TransactionKind.CAPTURE: EventKind.CAPTURED,
    TransactionKind.REFUND: EventKind.REFUNDED,
}
_CHARGE_ENDS: Final = {
    PaymentState.AUTHORIZED: Outcome.SUCCEEDED,
    PaymentState.CAPTURED: Outcome.SUCCEEDED,
    PaymentState.DECLINED: Outcome.DECLINED,
    PaymentState.CANCELLED: Outcome.DECLINED,
    PaymentState.EXPIRED: Outcome.DECLINED,
}
"""How a charge that is settled later has ended, by the state of its payment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """The payment after a change, its operations before the change, and the subjects that have news."""

    stored: StoredPayment
    operations: tuple[StoredOperation, ...] = ()
    news: News = ()
    foreign: str = ""
    """Why the observation is another payment's; then nothing of it was written."""


@dataclass(slots=True)
class _Changes:
    """What follows from one observation, collected step by step."""

    connection: Connection
    account: Account
    stored: StoredPayment
    observed: Observation
    now: datetime
    values: dict[str, Any] = field(default_factory=dict[str, Any])
    events: list[NewEvent] = field(default_factory=list[NewEvent])
    flags: list[Flag] = field(default_factory=list[Flag])

    def happened(self, kind: EventKind, **details: Any) -> None:
        self.events.append(NewEvent(kind=kind, **details))

    def flag(self, kind: FlagKind, detail: str) -> None:
        """Mark the payment for a person, once for each kind and detail."""
        raised = rows.add_flag(self.connection, self.stored, kind, detail, now=self.now, others=self.flags)
        if raised is not None:
            self.flags.append(raised)
            self.happened(EventKind.FLAGGED, flag=kind, detail=raised.detail)


def apply(
    connection: Connection,
    account: Account,
    stored: StoredPayment,
    observed: Observation,
    *,
    asked_version: int,
    source: str,
) -> Applied:
    """Write ``observed`` (redacted) into the books of a locked payment.

    ``asked_version`` is the payment's version when the gateway was asked. An older reading never overrules a newer one
    about what can be done next. Versions say which is older, because the clocks of two hosts do not.
    """
    changes = _Changes(connection, account, stored, observed, account.now())
    made = operations.of_subject(connection, stored.subject)
    if foreign := why_foreign(stored, observed, made):
        return _refuse(changes, made, foreign)
    answer = None  # what a gateway says about somebody who was erased is not kept
    if not stored.is_erased:
        answer = answers.keep(connection, stored.payment.payment_id, observed.raw, source=source, now=changes.now)
    unsettled, totals, facts = [each for each in made if each.is_open], None, unread(stored, observed.state)
    if wrong := _mismatch(stored, observed, made):
        changes.flag(FlagKind.MISMATCH, wrong)
        changes.values["quarantined"] = True
    else:
        changes.values["quarantined"] = False
        before, totals = _move_money(changes)
        _advance(changes, totals)
        _note_attempts(changes)
        _settle_operations(changes, unsettled)
        facts = _facts(changes, totals, made)
        _raise_flags(changes, totals)
        if since := left_since(account, facts, changes.now):
            changes.flag(
                FlagKind.LEFT_RESERVED, f"money is reserved since {since:%Y-%m-%d %H:%M} UTC: take or release it"
            )
        if overrules(before, totals, observed, asked_last=asked_version >= stored.asked_version):
            changes.values["allowed_actions"] = sorted(action.value for action in observed.allowed_actions)
            changes.values["asked_version"] = max(asked_version, stored.asked_version)
    if observed.instrument is not None:
        changes.values["instrument"] = observed.instrument
    written = _written(changes, next_at=next_look(account, stored, facts, changes.now))
    news = account.append_events(connection, stored.subject, changes.events, facts=rows.facts(written), answer=answer)
    if totals is not None:
        news += _note_methods(changes, totals)
    return Applied(stored=written, operations=made, news=news)


def end(
    connection: Connection, account: Account, stored: StoredPayment, state: PaymentState, *, why: Decline | None = None
) -> Applied:
    """End a locked payment that nobody paid. A payment that has money, or has ended, does not change."""
    if not stored.payment.is_open:
        return Applied(stored=stored)
    now, payment_id = account.now(), stored.payment.payment_id
    values: dict[str, Any] = {"state": state.value, "next_at": None, "allowed_actions": [], "updated_at": now}
    if why is not None:
        values["decline"] = codec.dump(why)
    ended = rows.write(connection, stored, (), values)
    event = NewEvent(kind=_EVENT_OF_END[state], decline=why)
    news = account.append_events(connection, stored.subject, [event], facts=rows.facts(ended))
    unborn = methods.note_seen(connection, account, payment_id, (), is_over=True, has_money=False)
    return Applied(stored=ended, news=news + unborn)


def note_unanswered(connection: Connection, stored: StoredPayment, outcome: Outcome) -> None:
    """Write down on a locked payment that its create has no answer (it is unknown), or never happened (created)."""
    present = stored.payment.state
    state = _STATE_UNANSWERED.get(outcome, present)
    if present in {PaymentState.CREATED, PaymentState.UNKNOWN} and present is not state:
        rows.write(connection, stored, (), {"state": state.value})


def flag(connection: Connection, account: Account, stored: StoredPayment, kind: FlagKind, detail: str) -> News:
    """Mark a locked payment for a person, once for each kind and detail; return the subjects that have news.

    What strangers can cause as often as they like is marked once for each kind, and counted.
    """
    if kind in _COUNTED and any(each.kind is kind for each in stored.payment.flags):
        rows.count_flag(connection, stored.payment.payment_id, kind)
        return ()
    raised = rows.add_flag(connection, stored, kind, detail, now=account.now())
    if raised is None:
        return ()
    event = NewEvent(kind=EventKind.FLAGGED, flag=kind, detail=raised.detail)
    return account.append_events(connection, stored.subject, [event], facts=rows.facts(stored))


def flag_strange(connection: Connection, account: Account, stored: StoredPayment, error: PrenopayError) -> News:
    """Mark a locked payment about which something was answered that is not ours, or that nobody documents."""
    if isinstance(error, ForeignAnswer):
        return flag(connection, account, stored, FlagKind.FOREIGN_ANSWER, str(error))
    if isinstance(error, UnexpectedAnswer) and error.provider_code:
        return flag(connection, account, stored, FlagKind.UNCERTAIN, str(error))
    return ()


def decline_operation(
    connection: Connection, account: Account, stored: StoredPayment, operation_id: str, why: Decline | None
) -> News:
    """Report that the gateway refused a change that the host, or the automatic capture, had asked for."""
    event = NewEvent(kind=EventKind.OPERATION_DECLINED, operation_id=operation_id, decline=why)
    return account.append_events(connection, stored.subject, [event], facts=rows.facts(stored))


def why_foreign(
    stored: StoredPayment, observed: Observation, made: Sequence[StoredOperation], *, is_named: bool = True
) -> str:
    """Return how an observation shows that it is another payment's; empty if it does not.

    ``is_named``: the gateway was asked for the payment by the gateway's own name.
    """
    payment = stored.payment
    makes = [each for each in made if each.operation.kind in _MAKES_PAYMENT]
    references = [reference for each in makes for reference in operations.references(each)]
    if is_named and payment.provider_reference and observed.provider_reference != payment.provider_reference:
        theirs = quoted(observed.provider_reference)
        return f"the gateway answered with {theirs}, we asked for {payment.provider_reference}"
    if observed.reference is not None and observed.reference not in references:
        return f"the gateway has our reference as {quoted(observed.reference)}, we sent {', '.join(references)}"
    if observed.order_reference is not None and observed.order_reference != payment.order_reference:
        return f"the gateway has order {quoted(observed.order_reference)}, the host's is {payment.order_reference!r}"
    return ""


def _refuse(changes: _Changes, made: tuple[StoredOperation, ...], foreign: str) -> Applied:
    """Flag a payment about which another's answer came, and change nothing else."""
    account, stored, connection = changes.account, changes.stored, changes.connection
    changes.flag(FlagKind.FOREIGN_ANSWER, foreign)
    facts = unread(stored, stored.payment.state)
    written = _written(changes, next_at=next_look(account, stored, facts, changes.now))
    news = account.append_events(connection, stored.subject, changes.events, facts=rows.facts(written))
    return Applied(stored=written, operations=made, news=news, foreign=foreign)


def _mismatch(stored: StoredPayment, observed: Observation, made: Sequence[StoredOperation]) -> str | None:
    """Return how the gateway's payment differs from the one that was ordered."""
    updates = [each.operation for each in made if each.is_open and each.operation.kind is OperationKind.UPDATE]
    asked = [stored.payment.amount, *(each.amount for each in updates if each.amount)]
    if observed.submitted in asked:
        return None
    return f"the gateway has an order of {observed.submitted}, the host ordered {stored.payment.amount}"


def _move_money(changes: _Changes) -> tuple[Totals, Totals]:
    """Append the movements that are new, and return the totals before and after."""
    payment, observed = changes.stored.payment, changes.observed
    written = rows.movements_of(changes.connection, payment.payment_id)
    currency = payment.amount.currency
    known = {(each.kind, each.number) for each in written if each.number is not None}
    before = Totals.of(written, currency)
    added = new_movements(before, observed, known)
    rows.add_movements(changes.connection, payment, added, now=changes.now)
    totals = Totals.of((*written, *added), currency)
    changes.values |= {
        "authorized": totals.authorized.minor,
        "captured": totals.captured.minor,
        "refunded": totals.refunded.minor,
        "cancelled": totals.cancelled.minor,
    }
    if observed.fee or observed.discount:
        changes.values["due"] = (payment.amount + observed.fee - observed.discount).minor
    _report_money(changes, added)
    return before, totals


def _report_money(changes: _Changes, added: tuple[Movement, ...]) -> None:
    for kind, event in _EVENT_OF_MOVE.items():
        moved = [each.amount for each in added if each.kind is kind]
        if moved:
            amount = sum(moved, Money.zero(moved[0].currency))
            changes.happened(event, amount=Money(abs(amount.minor), amount.currency))


def _advance(changes: _Changes, totals: Totals) -> None:
    payment, observed = changes.stored.payment, changes.observed
    step = advance(payment.state, observed.state, had_money=bool(payment.authorized or payment.captured))
    changes.values["state"] = step.state.value
    if observed.decline is not None:
        changes.values["decline"] = codec.dump(observed.decline)
    if step.state is not payment.state and step.state in ENDED:
        changes.happened(_EVENT_OF_END[step.state], decline=observed.decline)
    if step.late:
        changes.flag(FlagKind.LATE, f"{totals.authorized} came after the payment was {payment.state}")
    if step.contradiction:
        detail = f"the gateway says {observed.state} of a payment that was {payment.state}"
        changes.flag(FlagKind.CONTRADICTION, detail)


def _note_attempts(changes: _Changes) -> None:
    """Store each failed try of the payer once, and report new ones while the payer may try again."""
    for attempt in rows.add_attempts(changes.connection, changes.stored, changes.observed.attempts, now=changes.now):
        changes.values["decline"] = codec.dump(attempt.decline)
        if PaymentState(changes.values["state"]) in UNPAID:
            changes.happened(EventKind.ATTEMPT_DECLINED, decline=attempt.decline)


def _settle_operations(changes: _Changes, unsettled: Sequence[StoredOperation]) -> None:
    """Settle operations by the gateway's evidence: its lists name them by our reference."""
    observed = changes.observed
    uncertain = {each.reference: each.decline for each in observed.uncertain_transactions if each.reference}
    claimed: set[str] = set()
    for each in unsettled:
        made = each.operation
        ours = operations.references(each)
        under = [moved for moved in observed.transactions if moved.reference in ours]
        if other := next((moved for moved in under if _is_another(each, moved)), None):
            detail = f"our reference {other.reference} is on another movement: {other.kind} of {other.amount}"
            changes.flag(FlagKind.FOREIGN_ANSWER, detail)
        elif under and made.kind in _MOVED:
            _settle(changes, each, Outcome.SUCCEEDED)
        elif made.reference in uncertain and made.kind in _MOVED:
            _settle(changes, each, Outcome.UNKNOWN, uncertain[made.reference])
        elif made.kind is OperationKind.UPDATE and made.amount == observed.submitted:
            _settle(changes, each, Outcome.SUCCEEDED)
            changes.values |= _updated(changes, each)
        elif made.kind is OperationKind.CHARGE and made.outcome is Outcome.PENDING:
            # Money that was reserved and released since was not declined: the charge did what it was asked to do.
            ended = Outcome.SUCCEEDED if observed.authorized else _CHARGE_ENDS.get(observed.state)
            if ended is not None:
                _settle(changes, each, ended, observed.decline)
        elif made.kind is OperationKind.CANCEL and observed.state is PaymentState.CANCELLED:
            _settle(changes, each, Outcome.SUCCEEDED)
        elif failed := _failure_of(each, observed, claimed, changes.now):
            claimed.add(failed.number)
            _settle(changes, each, Outcome.DECLINED, failed.decline)
            changes.happened(EventKind.OPERATION_DECLINED, operation_id=made.operation_id, decline=failed.decline)


def _is_another(operation: StoredOperation, moved: ProviderTransaction) -> bool:
    """Whether a movement under an operation's reference is not what the operation asked for, or is from before it."""
    made = operation.operation
    if made.kind not in _MOVED:
        return False
    differs = made.amount is not None and moved.amount is not None and made.amount != moved.amount
    since = operation.first_sent_at - _CLOCK_SKEW
    is_older = moved.reference == made.reference and moved.created_at is not None and moved.created_at < since
    return moved.kind is not _MOVED[made.kind] or differs or is_older


def _settle(changes: _Changes, operation: StoredOperation, outcome: Outcome, why: Decline | None = None) -> None:
    operations.settle(changes.connection, operation, outcome, now=changes.now, decline=why)


def _updated(changes: _Changes, operation: StoredOperation) -> dict[str, Any]:
    """Return the payment's columns after an update: the new amount is what is ordered now."""
    stored, observed = changes.stored, changes.observed
    amount = operation.operation.amount or stored.payment.amount
    lines: tuple[OrderLine, ...] = codec.load(operation.parameters["lines"])
    changed = codec.dump(replace(stored.order, amount=amount, vat=operation.vat, lines=lines))
    kept = {name: value for name, value in changed.items() if name not in PERSONAL}
    to_pay = amount + observed.fee - observed.discount
    return {"amount": amount.minor, "due": to_pay.minor, "order": kept}


def _failure_of(
    operation: StoredOperation, observed: Observation, claimed: set[str], now: datetime
) -> ProviderTransaction | None:
    """Find the failed try that is this operation, by reference, or by time if it has no reference.

    Two operations qualify by time. One was accepted (as the gateway's pages say). The other is a lost refund that
    can no longer be on its way: it may have been accepted, and there is no other refund while it is open.
    """
    made = operation.operation
    for failed in observed.failed_transactions:
        if failed.kind is not _MOVED.get(made.kind) or failed.number in claimed:
            continue
        if failed.reference is not None:
            if failed.reference == made.reference:
                return failed
            continue
        lost = made.kind is OperationKind.REFUND and now - operation.first_sent_at >= FIRST_TRY_HAS_ENDED
        if made.outcome is not Outcome.PENDING and not lost:
            continue
        since = operation.first_sent_at - _CLOCK_SKEW
        if failed.created_at is None or failed.created_at >= since:
            return failed
    return None


def _note_methods(changes: _Changes, totals: Totals) -> News:
    """Compare the stored methods that the gateway shows with what the payer was asked to store."""
    payment, account = changes.stored.payment, changes.account
    seen = seal(account.ports.vault, account.name, changes.observed.methods)
    is_over = PaymentState(changes.values["state"]) in ENDED
    has_new_money = bool(totals.authorized) and not payment.authorized
    if not (seen or is_over or has_new_money):
        return ()
    return methods.note_seen(
        changes.connection,
        account,
        payment.payment_id,
        seen,
        is_over=is_over,
        has_money=bool(totals.authorized),
    )


def _raise_flags(changes: _Changes, totals: Totals) -> None:
    payment, observed = changes.stored.payment, changes.observed
    if impossible := contradiction(totals):
        changes.flag(FlagKind.CONTRADICTION, impossible)
    if observed.state is PaymentState.UNKNOWN:
        changes.flag(FlagKind.UNCERTAIN, observed.decline.text if observed.decline else observed.raw_status)
    for each in observed.uncertain_transactions:
        why = each.decline.text if each.decline is not None else ""
        changes.flag(FlagKind.UNCERTAIN, f"{each.kind} {each.reference or each.number}: {why}")
    if not observed.status_is_known:
        changes.flag(FlagKind.UNREADABLE_STATUS, f"the gateway says {quoted(observed.raw_status)}")
    paid = observed.authorized
    if paid and paid != observed.submitted:
        detail = f"asked {observed.submitted}, paid {paid} (fee {observed.fee}, discount {observed.discount})"
        changes.flag(FlagKind.ADJUSTED, detail)
    if totals.authorized and not payment.authorized and (other := rows.other_paid(changes.connection, payment)):
        changes.flag(FlagKind.PAID_TWICE, f"order {payment.order_reference} was also paid by {other}")


def _facts(changes: _Changes, totals: Totals, made: Sequence[StoredOperation]) -> Facts:
    """Return what decides when to look at the payment next."""
    payment, since = changes.stored.payment, None
    if totals.authorized > totals.captured + totals.cancelled:
        is_new = not payment.authorized
        since = changes.now if is_new else rows.reserved_since(changes.connection, payment.payment_id)
    captures = (each.operation for each in made if each.operation.kind is OperationKind.CAPTURE)
    return Facts(
        state=changes.observed.state,
        totals=totals,
        reserved_since=since,
        capture_declined=any(each.outcome is Outcome.DECLINED for each in captures),
    )


def _written(changes: _Changes, *, next_at: datetime | None) -> StoredPayment:
    values = changes.values | {
        "next_at": next_at,
        "claimed_until": None,
        "tries": 0,
        "updated_at": changes.now,
    }
    return rows.write(changes.connection, changes.stored, changes.flags, values)
