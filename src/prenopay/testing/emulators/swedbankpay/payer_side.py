"""What a payer does with a payment order: opens its page, tries to pay, answers what bank or app asks, gives up."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final, assert_never

from prenopay.testing.control import ControlRefused
from prenopay.testing.emulators.jsonvalues import JsonObject
from prenopay.testing.emulators.swedbankpay.cards import CardUsed, find_card, is_good_until
from prenopay.testing.emulators.swedbankpay.declines import (
    blocks_card,
    card_decline,
    card_refusal,
    payer_says_no,
    swish_decline,
    swish_problem,
)
from prenopay.testing.emulators.swedbankpay.orders import (
    Attempt,
    AttemptState,
    HistoryEntry,
    PaymentOrder,
    Status,
)
from prenopay.testing.emulators.swedbankpay.paying import fail, note_attempt, pay
from prenopay.testing.emulators.swedbankpay.register import Register
from prenopay.testing.emulators.swedbankpay.storing import stored_choices
from prenopay.testing.emulators.swedbankpay.tokens import StoredToken

__all__ = ["PayerAnswer", "PayerRefused", "PayerResult", "PayerSide", "is_swedish_mobile"]

_APP_WAITS: Final = timedelta(minutes=3)
"""A payment app gives up on a payer who does nothing for this long."""
_BANK_WAITS: Final = timedelta(minutes=15)
"""So does a bank's 3-D Secure page."""
_SWEDISH_MOBILE: Final = re.compile(r"\+46[0-9]{7,10}")


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

    def pay_by_card(
        self,
        order: PaymentOrder,
        *,
        number: str,
        expiry: str,
        answer: PayerAnswer,
        remember: bool = False,
    ) -> PayerResult:
        """Type a test card; answer 3-D Secure, if the card is one that is asked. ``remember`` agrees to storing."""
        card = find_card(number)
        if card is None:
            message = "only the published test cards can be used here"
            raise PayerRefused(message)
        if not is_good_until(expiry, self._register.now()):
            message = f"expiry: write MM/YYYY, not in the past, instead of {expiry!r}"
            raise PayerRefused(message)
        attempt = self.start(order, "CreditCard", card=card.used(expiry), remember=remember)
        return self.answer(order, answer if attempt.is_challenged else PayerAnswer.APPROVE, attempt=attempt.number)

    def pay_by_stored(self, order: PaymentOrder, *, token: str, answer: PayerAnswer) -> PayerResult:
        """Choose what the page offers of what is stored (the first, without a ``token``)."""
        offered = stored_choices(self._register, order)
        stored = next((entry for entry in offered if token in {"", entry.token}), None)
        if stored is None:
            message = "the page offers no such stored card or account"
            raise PayerRefused(message)
        attempt = self.start(order, stored.instrument.name, card=stored.card, stored=stored)
        asks = attempt.is_challenged or stored.card is None
        return self.answer(order, answer if asks else PayerAnswer.APPROVE, attempt=attempt.number)

    def pay_by(
        self,
        order: PaymentOrder,
        instrument: str,
        *,
        msisdn: str,
        answer: PayerAnswer,
        remember: bool = False,
    ) -> PayerResult:
        """Choose ``instrument`` and answer what it asks."""
        if instrument == "Swish" and not is_swedish_mobile(msisdn):
            message = f"msisdn: Swish takes Swedish numbers such as +46739000001, not {msisdn!r}"
            raise PayerRefused(message)
        attempt = self.start(order, instrument, msisdn=msisdn, remember=remember)
        return self.answer(order, answer, attempt=attempt.number)

    def start(
        self,
        order: PaymentOrder,
        instrument: str,
        *,
        card: CardUsed | None = None,
        msisdn: str = "",
        stored: StoredToken | None = None,
        remember: bool = False,
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
            stored=stored,
            remembers=remember,
            is_challenged=card is not None and card.is_challenged and not order.is_typed_by_staff,
        )
        order.attempts.append(attempt)
        self._note_choice(order, attempt)
        note_attempt(self._register, order, attempt, "PaymentAttemptStarted", prefill=stored is not None)
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
                    fail(self._register, order, asked, problem)
            case PayerAnswer.DECLINE:
                fail(self._register, order, asked, payer_says_no(prefix, cancelled=False))
            case PayerAnswer.CANCEL:
                problem = payer_says_no(prefix, cancelled=True)
                fail(self._register, order, asked, problem, state=AttemptState.ABORTED)
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
        if order.is_charge:
            message = "nobody is present at a charge"
            raise PayerRefused(message)
        if order.status is not Status.INITIALIZED:
            message = f"the order is {order.status}: nobody can pay it now"
            raise PayerRefused(message)
        if self._register.page_has_expired(order):
            message = "the payment page has expired"
            raise PayerRefused(message)

    def _open_attempt(self, order: PaymentOrder, number: int | None) -> Attempt:
        if order.is_charge:
            message = "nobody is present at a charge"
            raise PayerRefused(message)
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
        register, payee_id, now = self._register, order.merchant.payee_id, self._register.now()
        if is_good_until(attempt.card.expiry, now):
            failures = register.reattempts.failures(payee_id, attempt.card)
            problem = card_decline(order.amount, attempt.card, failures=failures, now=now)
        else:
            problem = card_refusal("acquirercardexpired")
        if problem is not None:
            register.reattempts.fail(payee_id, attempt.card, now)
        if blocks_card(problem):
            register.reattempts.block(payee_id, attempt.card, now)
        return problem

    def _pay(self, order: PaymentOrder, attempt: Attempt) -> None:
        pay(self._register, order, attempt)
        self._close_other_attempts(order, kept=attempt)

    def _time_out(self, order: PaymentOrder, attempt: Attempt) -> None:
        if attempt.state is not AttemptState.OPEN:
            return
        prefix = attempt.instrument.problem_prefix
        problem = swish_problem("swishtimeout") if not prefix else payer_says_no(prefix, cancelled=True)
        fail(self._register, order, attempt, problem)

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

    def _note_choice(self, order: PaymentOrder, attempt: Attempt) -> None:
        entry = HistoryEntry(
            created=self._register.now(),
            name="PaymentInstrumentSelected",
            initiated_by="Payer",
            instrument=attempt.instrument.name,
        )
        self._register.note(order, entry)


def is_swedish_mobile(msisdn: str) -> bool:
    """Say whether Swish takes this number."""
    return _SWEDISH_MOBILE.fullmatch(msisdn) is not None
