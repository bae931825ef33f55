"""What a payer does with a payment order: opens its page, tries to pay, answers what bank or app asks, gives up."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, assert_never

from prenopay.testing.emulators.control import ControlRefused
from prenopay.testing.emulators.jsonvalues import JsonObject, as_list
from prenopay.testing.emulators.swedbankpay.cards import CardUsed, find_card
from prenopay.testing.emulators.swedbankpay.declines import (
    card_decline,
    payer_says_no,
    swish_decline,
    swish_problem,
)
from prenopay.testing.emulators.swedbankpay.instruments import Instrument
from prenopay.testing.emulators.swedbankpay.notices import notify
from prenopay.testing.emulators.swedbankpay.orders import (
    Attempt,
    AttemptState,
    HistoryEntry,
    PaymentOrder,
    Purchase,
    Status,
    Transaction,
    TransactionKind,
)
from prenopay.testing.emulators.swedbankpay.register import Register

__all__ = ["PayerAnswer", "PayerRefused", "PayerResult", "PayerSide", "is_good_until", "is_swedish_mobile"]

_APP_WAITS: Final = timedelta(minutes=3)
"""A payment app gives up on a payer who does nothing for this long."""
_BANK_WAITS: Final = timedelta(minutes=15)
"""So does a bank's 3-D Secure page."""
_SWEDISH_MOBILE: Final = re.compile(r"\+46[0-9]{7,10}")
_EXPIRY: Final = re.compile(r"(0[1-9]|1[0-2])/(20[0-9]{2})")


class PayerAnswer(StrEnum):
    """What a payer says to the bank or the app that asks."""

    APPROVE = "approve"
    DECLINE = "decline"
    CANCEL = "cancel"
    TIME_OUT = "time_out"
    LEAVE = "leave"
    """Nothing: the question stays open until it times out."""


class PayerRefused(ControlRefused):
    """No payer could do this now; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PayerResult:
    """How the order stands after what the payer did.

    ``problem`` is the type of the failed attempt's problem, ``next_url`` where the browser goes now
    (empty while it stays on the payment page).
    """

    status: Status
    attempt: int | None = None
    problem: str = ""
    next_url: str = ""


class PayerSide:
    """Acts as the payer; raises ``PayerRefused`` where a payer could not."""

    def __init__(self, register: Register) -> None:
        """Work on ``register``."""
        self._register = register

    def open_page(self, order: PaymentOrder, *, integration: str) -> None:
        """Show the payment page."""
        if not order.integration:
            order.integration = integration
            entry = HistoryEntry(created=self._register.now(), name="PaymentLoaded", initiated_by="PaymentGateway")
            self._register.note(order, entry)

    def pay_by_card(self, order: PaymentOrder, *, number: str, expiry: str, answer: PayerAnswer) -> PayerResult:
        """Type a test card; answer 3-D Secure, if the card is one that is asked."""
        card = find_card(number)
        if card is None:
            message = "only the published test cards can be used here"
            raise PayerRefused(message)
        if not is_good_until(expiry, self._register.now()):
            message = f"expiry: write MM/YYYY, not in the past, instead of {expiry!r}"
            raise PayerRefused(message)
        attempt = self.start(order, "CreditCard", card=card.used(expiry))
        return self.answer(order, answer if card.is_challenged else PayerAnswer.APPROVE, attempt=attempt.number)

    def pay_by(self, order: PaymentOrder, instrument: str, *, msisdn: str, answer: PayerAnswer) -> PayerResult:
        """Choose ``instrument`` and answer what it asks."""
        if instrument == "Swish" and not is_swedish_mobile(msisdn):
            message = f"msisdn: Swish takes Swedish numbers such as +46739000001, not {msisdn!r}"
            raise PayerRefused(message)
        attempt = self.start(order, instrument, msisdn=msisdn)
        return self.answer(order, answer, attempt=attempt.number)

    def start(
        self,
        order: PaymentOrder,
        instrument: str,
        *,
        card: CardUsed | None = None,
        msisdn: str = "",
    ) -> Attempt:
        """Choose an instrument and press the button: an attempt that waits for the payer's answer."""
        self._must_be_payable(order)
        chosen = next((entry for entry in order.menu if entry.name == instrument), None)
        if chosen is None:
            message = f"the menu has {', '.join(entry.name for entry in order.menu)}, but no {instrument}"
            raise PayerRefused(message)
        self.open_page(order, integration="Redirect")
        attempt = Attempt(
            number=self._register.new_number(),
            instrument=chosen,
            started=self._register.now(),
            card=card,
            msisdn=msisdn,
        )
        order.attempts.append(attempt)
        self._note(order, "PaymentInstrumentSelected", instrument=chosen)
        self._note(order, "PaymentAttemptStarted", instrument=chosen, attempt=attempt, prefill=False)
        waits = _APP_WAITS if chosen.opens_app else _BANK_WAITS
        self._register.later(waits, lambda: self._time_out(order, attempt))
        return attempt

    def answer(self, order: PaymentOrder, answer: PayerAnswer, *, attempt: int | None = None) -> PayerResult:
        """Answer what bank or app asks in ``attempt`` (by default the latest that is open)."""
        asked = self._open_attempt(order, attempt)
        prefix = asked.instrument.problem_prefix
        match answer:
            case PayerAnswer.APPROVE:
                problem = self._decline(order, asked)
                if problem is None:
                    self._pay(order, asked)
                else:
                    self._fail(order, asked, problem)
            case PayerAnswer.DECLINE:
                self._fail(order, asked, payer_says_no(prefix, cancelled=False))
            case PayerAnswer.CANCEL:
                self._fail(order, asked, payer_says_no(prefix, cancelled=True), state=AttemptState.ABORTED)
            case PayerAnswer.TIME_OUT:
                self._time_out(order, asked)
            case PayerAnswer.LEAVE:
                return PayerResult(status=order.status, attempt=asked.number)
            case _:
                assert_never(answer)
        return self._result(order, asked)

    def cancel(self, order: PaymentOrder) -> PayerResult:
        """Press the cancel link, which only the redirect page has."""
        self._must_be_payable(order)
        address = order.part_text("urls", "cancelUrl")
        if not address or order.integration == "HostedView":
            message = "only a redirect page with a cancelUrl has a cancel link"
            raise PayerRefused(message)
        if order.is_in_app:
            message = "the payer is in the payment app"
            raise PayerRefused(message)
        self._close_other_attempts(order, kept=None)
        order.abort_reason = "The payer cancelled on the payment page"
        order.updated = self._register.now()
        return PayerResult(status=order.status, next_url=address)

    def _must_be_payable(self, order: PaymentOrder) -> None:
        if order.status is not Status.INITIALIZED:
            message = f"the order is {order.status}: nobody can pay it now"
            raise PayerRefused(message)
        if self._register.page_has_expired(order):
            message = "the payment page has expired"
            raise PayerRefused(message)

    def _open_attempt(self, order: PaymentOrder, number: int | None) -> Attempt:
        if order.status is not Status.INITIALIZED:
            message = f"the order is {order.status}: nobody can pay it now"
            raise PayerRefused(message)
        fitting = [attempt for attempt in order.open_attempts if number in {None, attempt.number}]
        if not fitting:
            message = "no attempt waits for an answer"
            raise PayerRefused(message)
        return fitting[-1]

    def _decline(self, order: PaymentOrder, attempt: Attempt) -> JsonObject | None:
        if attempt.instrument.name == "Swish":
            return swish_decline(order.text("description"))
        if attempt.card is None:
            return None
        failures = self._register.card_failures.setdefault(attempt.card.masked, [])
        now = self._register.now()
        problem = card_decline(order.amount, attempt.card, failures=failures, now=now)
        if problem is not None:
            failures.append(now)
        return problem

    def _pay(self, order: PaymentOrder, attempt: Attempt) -> None:
        behaviour = self._register.behaviour
        lines = _amounts_only_for(order, attempt.instrument)
        fee = behaviour.fee_amount + sum(line for line in lines if line > 0)
        discount = behaviour.discount_amount - sum(line for line in lines if line < 0)
        amount = order.amount + fee - discount
        if behaviour.approved_amount is not None:
            amount = min(amount, behaviour.approved_amount)
        transaction = Transaction(
            id=self._register.new_guid(),
            kind=TransactionKind.SALE if attempt.instrument.takes_at_once else TransactionKind.AUTHORIZATION,
            number=attempt.number,
            amount=amount,
            vat_amount=min(order.vat_amount, amount),
            created=self._register.now(),
            description=order.text("description"),
            payee_reference=order.payee_reference,
        )
        attempt.state, attempt.ended = AttemptState.PAID, self._register.now()
        order.transactions.append(transaction)
        order.purchase = Purchase(
            attempt=attempt,
            transaction=transaction,
            submitted_amount=order.amount,
            fee_amount=fee,
            discount_amount=discount,
        )
        self._close_other_attempts(order, kept=attempt)
        self._note(order, "PaymentPaid", instrument=attempt.instrument, attempt=attempt)
        notify(self._register, order, number=attempt.number, instrument=attempt.instrument)

    def _fail(
        self,
        order: PaymentOrder,
        attempt: Attempt,
        problem: JsonObject,
        *,
        state: AttemptState = AttemptState.FAILED,
    ) -> None:
        attempt.state, attempt.ended, attempt.problem = state, self._register.now(), problem
        name = "PaymentAttemptFailed" if state is AttemptState.FAILED else "PaymentAttemptAborted"
        self._note(order, name, instrument=attempt.instrument, attempt=attempt)
        notify(self._register, order, number=attempt.number, instrument=attempt.instrument)

    def _time_out(self, order: PaymentOrder, attempt: Attempt) -> None:
        if attempt.state is not AttemptState.OPEN:
            return
        prefix = attempt.instrument.problem_prefix
        problem = swish_problem("swishtimeout") if not prefix else payer_says_no(prefix, cancelled=True)
        self._fail(order, attempt, problem)

    def _close_other_attempts(self, order: PaymentOrder, *, kept: Attempt | None) -> None:
        """An order is paid once: what other tabs still ask is void."""
        for attempt in order.open_attempts:
            if attempt is not kept:
                attempt.state, attempt.ended = AttemptState.ABORTED, self._register.now()

    def _result(self, order: PaymentOrder, attempt: Attempt) -> PayerResult:
        return PayerResult(
            status=order.status,
            attempt=attempt.number,
            problem=str((attempt.problem or {}).get("type", "")),
            next_url=order.part_text("urls", "completeUrl") if attempt.state is AttemptState.PAID else "",
        )

    def _note(
        self,
        order: PaymentOrder,
        name: str,
        *,
        instrument: Instrument,
        attempt: Attempt | None = None,
        prefill: bool | None = None,
    ) -> None:
        entry = HistoryEntry(
            created=self._register.now(),
            name=name,
            initiated_by="Payer",
            instrument=instrument.name,
            number=attempt.number if attempt else None,
            amount=order.amount if attempt else None,
            prefill=prefill,
        )
        self._register.note(order, entry)


def _amounts_only_for(order: PaymentOrder, instrument: Instrument) -> list[int]:
    """Return the fees and discounts that come with this instrument only."""
    amounts = [item.get("amount") for item in order.items if instrument.name in _only_with(item)]
    return [amount for amount in amounts if isinstance(amount, int)]


def _only_with(item: JsonObject) -> list[object]:
    return as_list(item.get("restrictedToInstruments")) or []


def is_swedish_mobile(msisdn: str) -> bool:
    """Say whether Swish takes this number."""
    return _SWEDISH_MOBILE.fullmatch(msisdn) is not None


def is_good_until(expiry: str, now: datetime) -> bool:
    """Say whether ``expiry`` is MM/YYYY, and not past."""
    found = _EXPIRY.fullmatch(expiry)
    if found is None:
        return False
    month, year = int(found[1]), int(found[2])
    return (year, month) >= (now.year, now.month)
