"""What a merchant does to a payment order, in the order of its life: create, change, take, release, give back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from prenopay.testing.emulators.jsonvalues import JsonObject, as_list, as_object
from prenopay.testing.emulators.swedbankpay.declines import acquirer_says_no, swish_problem
from prenopay.testing.emulators.swedbankpay.instruments import Instrument
from prenopay.testing.emulators.swedbankpay.merchants import Merchant
from prenopay.testing.emulators.swedbankpay.notices import notify
from prenopay.testing.emulators.swedbankpay.orders import (
    Attempt,
    AttemptState,
    FailedOperation,
    HistoryEntry,
    PaymentOrder,
    Purchase,
    Status,
    Transaction,
    TransactionKind,
)
from prenopay.testing.emulators.swedbankpay.problems import (
    FieldProblem,
    Refusal,
    forbidden,
    input_error,
    no_agreement,
)
from prenopay.testing.emulators.swedbankpay.register import Register
from prenopay.testing.emulators.swedbankpay.storing import usable_token
from prenopay.testing.emulators.swedbankpay.tokens import TokenKind

__all__ = ["MerchantSide"]

_FAILURES_MOST: Final = 5
"""So many failed captures, or reversals, in a row lock the order until support opens it."""
_SWISH_REVERSIBLE: Final = timedelta(days=396)
"""Thirteen months: after that Swish gives nothing back."""
_PAST: Final = {
    TransactionKind.CAPTURE: "Captured",
    TransactionKind.CANCELLATION: "Cancelled",
    TransactionKind.REVERSAL: "Reversed",
}
_SWITCHES: Final = {
    TransactionKind.CAPTURE: "capture",
    TransactionKind.CANCELLATION: "cancel",
    TransactionKind.REVERSAL: "reversal",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """One post-purchase operation that a merchant wants."""

    order: PaymentOrder
    purchase: Purchase
    kind: TransactionKind
    body: JsonObject

    @property
    def amount(self) -> int:
        return _whole(self.body, "amount")

    @property
    def vat_amount(self) -> int:
        return _whole(self.body, "vatAmount")

    @property
    def instrument(self) -> Instrument:
        return self.purchase.attempt.instrument

    @property
    def past(self) -> str:
        """What history calls it."""
        whole = self.order.captured if self.kind is TransactionKind.REVERSAL else self.order.authorized
        return f"Partially{_PAST[self.kind]}" if self.amount < whole else _PAST[self.kind]


class MerchantSide:
    """Acts on checked requests; raises ``Refusal`` where the order's state does not allow it."""

    def __init__(self, register: Register) -> None:
        """Work on ``register``."""
        self._register = register

    # Before payment

    def create(self, merchant: Merchant, request: JsonObject, *, version: str, user_agent: str) -> PaymentOrder:
        """Make a payment order that is open for the payer."""
        now = self._register.now()
        order = PaymentOrder(
            id=f"/psp/paymentorders/{self._register.new_guid()}",
            page_token=self._register.new_token(),
            merchant=merchant,
            version=version,
            created=now,
            updated=now,
            user_agent=user_agent,
            request=dict(request),
        )
        if order.is_typed_by_staff and not merchant.has_moto:
            raise no_agreement(why="The agreement has no payments that staff type.")
        if order.text("paymentToken"):
            usable_token(self._register, merchant, request, TokenKind.PAYMENT)
        if not order.menu:
            raise _no_such_instrument(field="Instrument" if order.instrument_mode else "RestrictedToInstruments")
        self._register.add(order)
        self._note(order, "PaymentCreated")
        if order.instrument_mode:
            self._note(order, "PaymentInstrumentSet", instrument=order.text("instrument"))
        return order

    def update(self, order: PaymentOrder, body: JsonObject) -> None:
        """Change amount and lines of an open order."""
        self._must_be_open(order, "UpdateOrder")
        if order.is_verification:
            raise forbidden(FieldProblem("UpdateOrder", "Verify has no amount."))
        if order.open_attempts:
            raise forbidden(FieldProblem("UpdateOrder", "The payer is paying right now."))
        if order.items and not body.get("orderItems"):
            raise input_error(
                FieldProblem("PaymentOrder.OrderItems", "The order has items, so they must be sent again."),
            )
        changed = ("amount", "vatAmount", "description", "orderItems")
        order.request.update({name: body[name] for name in changed if body.get(name) is not None})
        order.updated = self._register.now()

    def set_instrument(self, order: PaymentOrder, body: JsonObject) -> None:
        """Lock the page of an order in instrument mode to another instrument."""
        self._must_be_open(order, "SetInstrument")
        if not order.instrument_mode:
            raise forbidden(FieldProblem("SetInstrument", "The order is not in instrument mode."))
        instrument = str(body["instrument"])
        if not order.offers([instrument]):
            raise _no_such_instrument(field="Instrument")
        order.request["instrument"] = instrument
        self._note(order, "PaymentInstrumentSet", instrument=instrument)

    def abort(self, order: PaymentOrder, body: JsonObject) -> None:
        """End an open order."""
        self._must_be_open(order, "Abort")
        if order.is_in_app:
            raise forbidden(FieldProblem("Abort", "The payer is in the payment app right now."))
        self._end_attempts(order)
        order.abort_reason = str(body["abortReason"])
        order.updated = self._register.now()

    def abort_attempt(self, order: PaymentOrder) -> None:
        """End what the payer is trying now; the order stays open."""
        self._must_be_open(order, "PaymentAttemptAborted")
        for attempt in self._end_attempts(order):
            self._note(
                order,
                "PaymentAttemptAborted",
                instrument=attempt.instrument.name,
                number=attempt.number,
                amount=order.amount,
            )

    # After payment

    def capture(self, order: PaymentOrder, body: JsonObject) -> None:
        """Take reserved money, in part or whole."""
        change = _change(order, TransactionKind.CAPTURE, body)
        if body.get("orderItems") and not order.items and change.instrument.is_invoice:
            raise input_error(FieldProblem("Transaction.OrderItems", "The order itself had no items."))
        self._allow(change, change.amount <= order.remaining_capture, "Capture amount too high.")
        self._move(change)

    def cancel(self, order: PaymentOrder, body: JsonObject) -> None:
        """Release all that is reserved and not taken."""
        left = order.remaining_capture
        vat_amount = order.vat_amount * left // max(order.authorized, 1)
        change = _change(order, TransactionKind.CANCELLATION, {**body, "amount": left, "vatAmount": vat_amount})
        self._allow(change, left > 0, "Nothing is left to cancel.")
        self._move(change)

    def reverse(self, order: PaymentOrder, body: JsonObject) -> bool:
        """Give taken money back, in part or whole; returns whether that is done, or still to come."""
        change = _change(order, TransactionKind.REVERSAL, body)
        self._allow(change, change.amount <= order.remaining_reversal, "Reversal amount too high.")
        asynchronous = self._register.behaviour.asynchronous_reversal
        if asynchronous is None:
            self._move(change)
            return True
        order.has_pending_reversal = True
        succeeds = asynchronous.succeeds
        self._register.later(asynchronous.after, lambda: self._finish_reversal(change, succeeds=succeeds))
        return False

    def _finish_reversal(self, change: _Change, *, succeeds: bool) -> None:
        change.order.has_pending_reversal = False
        if succeeds:
            number = self._move(change)
        else:
            number = self._note_failure(change, acquirer_says_no(change.instrument.problem_prefix))
        if not (succeeds and self._register.behaviour.post_purchase_callbacks):
            notify(self._register, change.order, number=number, instrument=change.instrument)

    def _allow(self, change: _Change, is_within_bounds: bool, why_not: str) -> None:  # noqa: FBT001 - read in place
        """Fail ``change``, on the record, unless the order's sums and the acquirer allow it."""
        behaviour = self._register.behaviour
        if not is_within_bounds:
            refusal = forbidden(FieldProblem(change.kind, why_not))
        elif _SWITCHES[change.kind] in behaviour.declined_operations:
            refusal = Refusal(acquirer_says_no(change.instrument.problem_prefix), status=403)
        elif change.kind is TransactionKind.REVERSAL and self._is_too_late(change):
            refusal = Refusal(swish_problem("swishdeclined", "The payment is too old to be given back."), status=403)
        else:
            return
        self._note_failure(change, refusal.body)
        raise refusal

    def _is_too_late(self, change: _Change) -> bool:
        age = self._register.now() - change.purchase.transaction.created
        return change.instrument.name == "Swish" and age > _SWISH_REVERSIBLE

    def _move(self, change: _Change) -> int:
        order, body = change.order, change.body
        name = f"Payment{change.past}"
        transaction = Transaction(
            id=self._register.new_guid(),
            kind=change.kind,
            number=self._register.new_number(),
            amount=change.amount,
            vat_amount=change.vat_amount,
            created=self._register.now(),
            description=str(body["description"]),
            payee_reference=str(body["payeeReference"]),
            receipt_reference=str(body.get("receiptReference") or ""),
            items=tuple(item for item in map(as_object, as_list(body.get("orderItems")) or []) if item is not None),
        )
        order.transactions.append(transaction)
        order.failures_in_a_row[change.kind] = 0
        instrument, number = change.instrument, transaction.number
        self._note(order, name, instrument=instrument.name, number=number, amount=change.amount)
        if self._register.behaviour.post_purchase_callbacks:
            notify(self._register, order, number=number, instrument=instrument)
        return number

    def _note_failure(self, change: _Change, problem: JsonObject) -> int:
        order, kind, number = change.order, change.kind, self._register.new_number()
        failed = FailedOperation(created=self._register.now(), kind=kind, number=number, problem=problem)
        order.failed_operations.append(failed)
        name = f"Payment{change.past}Failed"
        self._note(order, name, instrument=change.instrument.name, number=number, amount=change.amount)
        failures = order.failures_in_a_row.get(kind, 0) + 1
        order.failures_in_a_row[kind] = failures
        if kind is not TransactionKind.CANCELLATION and failures >= _FAILURES_MOST:
            order.is_locked = True
        return number

    def _must_be_open(self, order: PaymentOrder, operation: str) -> None:
        if order.is_charge:
            raise forbidden(FieldProblem(operation, "A charge cannot be stopped."))
        if order.status is not Status.INITIALIZED:
            raise forbidden(FieldProblem(operation, f"The order is {order.status}."))

    def _end_attempts(self, order: PaymentOrder) -> list[Attempt]:
        ended = order.open_attempts
        for attempt in ended:
            attempt.state = AttemptState.ABORTED
            attempt.ended = self._register.now()
        return ended

    def _note(
        self,
        order: PaymentOrder,
        name: str,
        *,
        instrument: str = "",
        number: int | None = None,
        amount: int | None = None,
    ) -> None:
        entry = HistoryEntry(
            created=self._register.now(),
            name=name,
            initiated_by="Payee",
            instrument=instrument,
            number=number,
            amount=amount,
        )
        self._register.note(order, entry)


def _change(order: PaymentOrder, kind: TransactionKind, body: JsonObject) -> _Change:
    """Return what is wanted; raises ``Refusal`` where the order is in no state for it."""
    if order.purchase is None:
        raise forbidden(FieldProblem(kind, f"The order is {order.status}."))
    if order.is_verification:
        raise forbidden(FieldProblem(kind, "Nothing was bought: there is nothing to move."))
    if order.is_locked:
        raise forbidden(FieldProblem(kind, "The order is locked after too many failures; support can open it."))
    if order.has_pending_reversal:
        raise forbidden(FieldProblem(kind, "A reversal is still going on."))
    return _Change(order=order, purchase=order.purchase, kind=kind, body=body)


def _no_such_instrument(*, field: str) -> Refusal:
    return input_error(FieldProblem(f"PaymentOrder.{field}", "The agreement has no such instrument in this currency."))


def _whole(body: JsonObject, name: str) -> int:
    value = body.get(name)
    return value if isinstance(value, int) else 0
