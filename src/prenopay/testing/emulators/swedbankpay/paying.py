"""How a try to pay ends, whoever made it: the money is reserved or taken, or it failed; and who is told."""

from __future__ import annotations

from prenopay.testing.emulators.jsonvalues import JsonObject, as_list
from prenopay.testing.emulators.swedbankpay.instruments import Instrument
from prenopay.testing.emulators.swedbankpay.notices import notify
from prenopay.testing.emulators.swedbankpay.orders import (
    Attempt,
    AttemptState,
    HistoryEntry,
    PaymentOrder,
    Purchase,
    Transaction,
    TransactionKind,
)
from prenopay.testing.emulators.swedbankpay.register import Register
from prenopay.testing.emulators.swedbankpay.storing import store

__all__ = ["fail", "note_attempt", "pay"]


def pay(register: Register, order: PaymentOrder, attempt: Attempt) -> None:
    """The try succeeds, and with it the order."""
    fee, discount, amount = _amounts(register, order, attempt)
    transaction = Transaction(
        id=register.new_guid(),
        kind=_kind(order, attempt.instrument),
        number=attempt.number,
        amount=amount,
        vat_amount=min(order.vat_amount, amount),
        created=register.now(),
        description=order.text("description"),
        payee_reference=order.payee_reference,
    )
    attempt.state, attempt.ended = AttemptState.PAID, register.now()
    if not order.is_verification:
        order.transactions.append(transaction)
    order.purchase = Purchase(
        attempt=attempt,
        transaction=transaction,
        submitted_amount=order.amount,
        fee_amount=fee,
        discount_amount=discount,
    )
    if not order.is_charge:
        store(register, order, attempt)
    note_attempt(register, order, attempt, "PaymentPaid")
    _tell(register, order, attempt)


def fail(
    register: Register,
    order: PaymentOrder,
    attempt: Attempt,
    problem: JsonObject,
    *,
    state: AttemptState = AttemptState.FAILED,
) -> None:
    """The try fails; a payer may try again, a charge has failed for good."""
    attempt.state, attempt.ended, attempt.problem = state, register.now(), problem
    if order.is_charge:
        order.failure = problem
    name = "PaymentAttemptFailed" if state is AttemptState.FAILED else "PaymentAttemptAborted"
    note_attempt(register, order, attempt, name)
    _tell(register, order, attempt)


def note_attempt(
    register: Register,
    order: PaymentOrder,
    attempt: Attempt,
    name: str,
    *,
    prefill: bool | None = None,
) -> None:
    """Write a line of history about a try."""
    entry = HistoryEntry(
        created=register.now(),
        name=name,
        initiated_by="Payee" if attempt.is_by_merchant else "Payer",
        instrument=attempt.instrument.name,
        number=attempt.number,
        amount=order.amount,
        prefill=prefill,
    )
    register.note(order, entry)


def _tell(register: Register, order: PaymentOrder, attempt: Attempt) -> None:
    """Call back; but never about a card that was charged without its holder (docs: callback)."""
    is_told = attempt.instrument.is_bank_account and register.behaviour.trustly_callbacks
    if not order.is_charge or is_told:
        notify(register, order, number=attempt.number, instrument=attempt.instrument)


def _kind(order: PaymentOrder, instrument: Instrument) -> TransactionKind:
    if order.is_verification:
        return TransactionKind.VERIFICATION
    return TransactionKind.SALE if instrument.takes_at_once else TransactionKind.AUTHORIZATION


def _amounts(register: Register, order: PaymentOrder, attempt: Attempt) -> tuple[int, int, int]:
    """Return fee, discount, and what is paid in the end: they change only what a payer agrees to on the page."""
    if order.is_charge or order.is_verification:
        return 0, 0, order.amount
    behaviour = register.behaviour
    lines = _amounts_only_for(order, attempt.instrument)
    fee = behaviour.fee_amount + sum(line for line in lines if line > 0)
    discount = behaviour.discount_amount - sum(line for line in lines if line < 0)
    amount = order.amount + fee - discount
    approved = behaviour.approved_amount
    return fee, discount, amount if approved is None else min(amount, approved)


def _amounts_only_for(order: PaymentOrder, instrument: Instrument) -> list[int]:
    """Return the fees and discounts that come with this instrument only."""
    amounts = [item.get("amount") for item in order.items if instrument.name in _only_with(item)]
    return [amount for amount in amounts if isinstance(amount, int)]


def _only_with(item: JsonObject) -> list[object]:
    return as_list(item.get("restrictedToInstruments")) or []
