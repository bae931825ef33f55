"""How orders are paid: what a payer does on the page and in apps, what merchants charge, and how each try ends."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final, NoReturn, assert_never

from prenopay._arguments import check_arguments, checked_fields, refuse_misuse
from prenopay.testing.control import ControlRefused, PayerRefused
from prenopay.testing.emulators.swedbankpay.behaviour import DeclineChannel
from prenopay.testing.emulators.swedbankpay.cards import (
    ASKING_CARD,
    INSTRUMENTS,
    PLAIN_CARD,
    TEST_CARDS,
    CardUsed,
    amount_decline,
    blocks_card,
    card_decline,
    card_refusal,
    is_good_until,
    payer_says_no,
    suspension_warning,
    swish_decline,
    swish_problem,
)
from prenopay.testing.emulators.swedbankpay.documents import notify
from prenopay.testing.emulators.swedbankpay.orders import (
    CHARGES,
    Attempt,
    AttemptState,
    Merchant,
    PaymentOrder,
    Purchase,
    Status,
    TokenRecord,
    TransactionKind,
    TransactionRecord,
)
from prenopay.testing.emulators.swedbankpay.problems import FieldProblem, input_error, no_agreement
from prenopay.testing.emulators.swedbankpay.register import PlannedDecline, Register
from prenopay.testing.emulators.swedbankpay.tokens import card_typed, store, stored_choices, usable_token
from prenopay.testing.http import JsonObject, as_list

_APP_WAITS: Final = timedelta(minutes=3)
"""A payment app gives up on a payer who does nothing for this long."""
_BANK_WAITS: Final = timedelta(minutes=15)
"""So does a bank's 3-D Secure page."""
_A_SWISH_NUMBER: Final = "+46739000001"


class PayerAnswer(StrEnum):
    """What a payer says to the bank or the app that asks."""

    APPROVE = "approve"
    DECLINE = "decline"
    CANCEL = "cancel"
    TIME_OUT = "time_out"
    LEAVE = "leave"
    """Nothing: the question stays open until it times out."""


class TrustlyAnswer(StrEnum):
    """How the charge of a bank account ends."""

    SETTLE = "settle"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class PayerResult:
    """The order's state after what the payer did.

    ``problem`` is the type of the failed attempt's problem, ``next_url`` where the browser goes now
    (empty while it stays on the payment page).
    """

    status: Status
    attempt: int | None = None
    problem: str = ""
    next_url: str = ""


def is_swedish_mobile(msisdn: str) -> bool:
    """Say whether Swish takes this number."""
    return re.fullmatch(r"\+46[0-9]{7,10}", msisdn) is not None


@check_arguments(refuse_misuse, any_text=True)
class Payer:
    """Acts as the payer; raises ``PayerRefused`` where a payer could not."""

    _register: Register

    def approve(self, order: str) -> PayerResult:
        """Approve what bank or app asks; if nothing is asked yet, pay in the first way of the menu."""
        with self._register.lock:
            found = self._register.find(order)
            if found.open_attempts:
                return self.answer(order)
            return self._choose(found, PayerAnswer.APPROVE)

    def decline(self, order: str) -> PayerResult:
        """Say no to bank or app, in an attempt that waits for an answer or in a new one; the page stays open."""
        with self._register.lock:
            found = self._register.find(order)
            if found.open_attempts:
                return self.answer(order, PayerAnswer.DECLINE)
            return self._choose(found, PayerAnswer.DECLINE)

    def _choose(self, order: PaymentOrder, answer: PayerAnswer) -> PayerResult:
        self._must_be_payable(order)
        first = order.menu[0].name
        if first == "CreditCard":
            return self.pay_by_card(order.id, answer=answer)
        return self.pay_by(order.id, first, msisdn=_A_SWISH_NUMBER, answer=answer)

    def pay_by_card(
        self,
        order: str,
        *,
        pan: str | None = None,
        expiry: str = PLAIN_CARD.expiry,
        answer: PayerAnswer = PayerAnswer.APPROVE,
        remember: bool = True,
    ) -> PayerResult:
        """Pay by a published test card; ``answer`` is what the payer says to 3-D Secure.

        Without a ``pan``, the card is one that asks if there is an answer but yes. ``remember`` is what the payer says
        where the page asks whether the card may be stored.
        """
        with self._register.lock:
            found, usual = self._register.find(order), PLAIN_CARD if answer is PayerAnswer.APPROVE else ASKING_CARD
            card = card_typed(usual.number if pan is None else pan, expiry, self._register, PayerRefused)
            _must_be_asked(found, card, answer)
            attempt = self._start(found, "CreditCard", card=card, remember=remember)
            return self._answered(found, attempt, answer)

    def pay_by_stored(self, order: str, *, token: str = "", answer: PayerAnswer = PayerAnswer.APPROVE) -> PayerResult:
        """Pay by what the page offers of what is stored: the first, or the one with this token."""
        with self._register.lock:
            found = self._register.find(order)
            offered = stored_choices(self._register, found)
            stored = next((entry for entry in offered if token in {"", entry.token}), None)
            if stored is None:
                _no("the page offers no such stored card or account")
            if stored.card is not None:
                _must_be_asked(found, stored.card, answer)
            attempt = self._start(found, stored.instrument, card=stored.card, stored=stored)
            return self._answered(found, attempt, answer)

    def pay_by_swish(
        self, order: str, *, msisdn: str = _A_SWISH_NUMBER, answer: PayerAnswer = PayerAnswer.APPROVE
    ) -> PayerResult:
        """Pay by Swish; ``answer`` is what the payer does in the app."""
        return self.pay_by(order, "Swish", msisdn=msisdn, answer=answer)

    def pay_by(
        self,
        order: str,
        instrument: str,
        *,
        msisdn: str = "",
        answer: PayerAnswer = PayerAnswer.APPROVE,
        remember: bool = True,
    ) -> PayerResult:
        """Pay by any other instrument of the menu, named as the gateway does ("Vipps", "Trustly")."""
        with self._register.lock:
            found = self._register.find(order)
            if instrument == "Swish" and not is_swedish_mobile(msisdn):
                _no(f"msisdn: Swish takes Swedish numbers such as {_A_SWISH_NUMBER}, not {msisdn!r}")
            return self._answered(found, self._start(found, instrument, msisdn=msisdn, remember=remember), answer)

    def answer(
        self, order: str, answer: PayerAnswer = PayerAnswer.APPROVE, *, attempt: int | None = None
    ) -> PayerResult:
        """Answer what bank or app still asks, in the latest attempt or in ``attempt``."""
        with self._register.lock:
            found = self._register.find(order)
            _must_be_open(found)
            waiting = [entry for entry in found.open_attempts if attempt in {None, entry.number}]
            if not waiting:
                _no("no attempt waits for an answer")
            return self._answered(found, waiting[-1], answer)

    def cancel(self, order: str) -> PayerResult:
        """Press the cancel link, which only the redirect page has."""
        with self._register.lock:
            found = self._register.find(order)
            self._must_be_payable(found)
            address = found.part_text("urls", "cancelUrl")
            if not address or found.integration == "HostedView":
                _no("only a redirect page with a cancelUrl has a cancel link")
            if found.is_in_app:
                _no("the payer is in the payment app")
            end_attempts(self._register, found)
            found.abort_reason = "The payer cancelled on the payment page"
            found.updated = self._register.now()
            return PayerResult(status=found.status, next_url=address)

    def walk_away(self, order: str) -> PayerResult:
        """Open the page and close the browser: nothing happens, and nobody is notified."""
        with self._register.lock:
            found = self._register.find(order)
            self._register.open_page(found, "Redirect")
            return PayerResult(status=found.status)

    def settle_trustly(self, order: str, answer: TrustlyAnswer = TrustlyAnswer.SETTLE) -> Status:
        """End the charge of a bank account now, instead of hours later."""
        with self._register.lock:
            found = self._register.find(order)
            attempt = next((entry for entry in found.open_attempts if entry.is_by_merchant), None)
            if attempt is None:
                message = f"{found.id}: no charge waits for its bank"
                raise ControlRefused(message)
            _end_account(self._register, found, attempt, answer)
            return found.status

    def _start(
        self,
        order: PaymentOrder,
        instrument: str,
        *,
        card: CardUsed | None = None,
        msisdn: str = "",
        stored: TokenRecord | None = None,
        remember: bool = False,
    ) -> Attempt:
        """Choose an instrument and press the button: an attempt that waits for the payer's answer."""
        register = self._register
        self._must_be_payable(order)
        chosen = next((entry for entry in order.menu if entry.name == instrument), None)
        if chosen is None:
            _no(f"the menu has {', '.join(entry.name for entry in order.menu)}, but no {instrument}")
        register.open_page(order, "Redirect")
        attempt = Attempt(
            number=register.new_number(),
            instrument=chosen,
            started=register.now(),
            card=card,
            msisdn=msisdn,
            stored=stored,
            remembers=remember,
            is_challenged=card is not None and is_asked(order, card),
        )
        order.attempts.append(attempt)
        register.note(order, "PaymentInstrumentSelected", "Payer", instrument=chosen.name)
        _note(register, order, attempt, "PaymentAttemptStarted", prefill=stored is not None)
        register.later(_APP_WAITS if chosen.opens_app else _BANK_WAITS, lambda: self._time_out(order, attempt))
        return attempt

    def _answered(self, order: PaymentOrder, attempt: Attempt, answer: PayerAnswer) -> PayerResult:
        prefix = attempt.instrument.problem_prefix
        match answer:
            case PayerAnswer.APPROVE:
                problem = self._decline(order, attempt)
                if problem is None:
                    _pay(self._register, order, attempt)
                    end_attempts(self._register, order)  # an order is paid once: what other tabs ask is void
                else:
                    _fail(self._register, order, attempt, problem)
            case PayerAnswer.DECLINE:
                _fail(self._register, order, attempt, payer_says_no(prefix, cancelled=False))
            case PayerAnswer.CANCEL:
                problem = payer_says_no(prefix, cancelled=True)
                _fail(self._register, order, attempt, problem, state=AttemptState.ABORTED)
            case PayerAnswer.TIME_OUT:
                self._time_out(order, attempt)
            case PayerAnswer.LEAVE:
                pass
            case _:
                assert_never(answer)
        return PayerResult(
            status=order.status,
            attempt=attempt.number,
            problem=str((attempt.problem or {}).get("type", "")),
            next_url=order.part_text("urls", "completeUrl") if attempt.state is AttemptState.PAID else "",
        )

    def _must_be_payable(self, order: PaymentOrder) -> None:
        _must_be_open(order)
        if self._register.page_has_expired(order):
            _no("the payment page has expired")

    def _decline(self, order: PaymentOrder, attempt: Attempt) -> JsonObject | None:
        if attempt.instrument.name == "Swish":
            return swish_decline(order.text("description"))
        if attempt.card is None:
            return None
        reattempts, payee_id, now = self._register.reattempts, order.merchant.payee_id, self._register.now()
        if is_good_until(attempt.card.expiry, now):
            failures = reattempts.failures(payee_id, attempt.card)
            problem = card_decline(order.amount, attempt.card, failures=failures, now=now)
        else:
            problem = card_refusal("acquirercardexpired")
        if problem is not None:
            reattempts.fail(payee_id, attempt.card, now, blocks=blocks_card(problem))
        return problem

    def _time_out(self, order: PaymentOrder, attempt: Attempt) -> None:
        if attempt.state is AttemptState.OPEN:
            prefix = attempt.instrument.problem_prefix
            problem = payer_says_no(prefix, cancelled=True) if prefix else swish_problem("swishtimeout")
            _fail(self._register, order, attempt, problem)


def is_asked(order: PaymentOrder, card: CardUsed) -> bool:
    """Say whether 3-D Secure asks the payer about ``card``: never about one that staff type."""
    return card.is_challenged and not order.is_typed_by_staff


def _must_be_asked(order: PaymentOrder, card: CardUsed, answer: PayerAnswer) -> None:
    """Refuse an answer to a question that nobody asks."""
    if answer is PayerAnswer.APPROVE or is_asked(order, card):
        return
    if order.is_typed_by_staff:
        _no(f"answer: staff type this card, so no bank asks, and nobody can {answer}")
    asking = ", ".join(each.number for each in TEST_CARDS if each.is_challenged)
    _no(f"answer: the bank asks nothing about this card, so nobody can {answer}; cards that it asks about: {asking}")


def _no(message: str) -> NoReturn:
    raise PayerRefused(message)


def _must_be_open(order: PaymentOrder) -> None:
    if order.is_charge:
        _no("nobody is present at a charge")
    if order.status is not Status.INITIALIZED:
        _no(f"the order is {order.status}: nobody can pay it now")


# What merchants charge

_NO_CALLBACK: Final = "It must be given: the account's charge is reported later (docs: urls, callbackUrl)."


def charge(
    register: Register, merchant: Merchant, request: JsonObject, *, version: str, user_agent: str
) -> tuple[PaymentOrder, DeclineChannel]:
    """Charge the token that a checked ``request`` names; returns the order, and how a decline is to be reported.

    Raises ``Refusal`` where no charge is tried at all.
    """
    stored = usable_token(register, merchant, request, CHARGES[str(request["operation"])])
    order = register.new_order(merchant, request, version=version, user_agent=user_agent)
    order.integration = "Direct"
    if stored.card is None and not merchant.has_direct_debit:
        raise no_agreement(why="The agreement has no direct debit.")
    if stored.card is None and not order.part_text("urls", "callbackUrl"):
        raise input_error(FieldProblem("PaymentOrder.Urls.CallbackUrl", _NO_CALLBACK))
    register.orders[order.id] = order
    register.note(order, "PaymentCreated", "Payee")
    attempt = Attempt(
        number=register.new_number(),
        instrument=INSTRUMENTS[stored.instrument],
        started=register.now(),
        card=stored.card,
        stored=stored,
        is_by_merchant=True,
    )
    order.attempts.append(attempt)
    if stored.card is not None:
        return order, _charge_card(register, order, attempt, stored.card)
    planned = register.behaviour.trustly_charge
    answer = TrustlyAnswer.SETTLE if planned.succeeds else TrustlyAnswer.FAIL
    register.later(planned.after, lambda: _end_account(register, order, attempt, answer))
    return order, DeclineChannel.FAILED_ORDER


def _charge_card(register: Register, order: PaymentOrder, attempt: Attempt, card: CardUsed) -> DeclineChannel:
    payee_id, now, limits = order.merchant.payee_id, register.now(), register.behaviour.attempt_limits
    channel = register.behaviour.decline_channel
    problem = _kept_away(register, payee_id, card)  # such a refusal is not counted as another failure
    if problem is None:
        planned = register.planned_declines.pop(0) if register.planned_declines else PlannedDecline()
        channel = planned.channel or channel
        if planned.word:
            problem = card_refusal(planned.word)
        elif is_good_until(card.expiry, now):
            problem = amount_decline(order.amount)
        else:
            problem = card_refusal("acquirercardexpired")
        if problem is not None:
            register.reattempts.fail(payee_id, card, now, blocks=blocks_card(problem))
            windows = register.reattempts.windows(payee_id, card, limits, now)
            _, used, remaining = min(windows, key=lambda window: window[2], default=("", 0, limits.warned_from + 1))
            if remaining <= limits.warned_from and not blocks_card(problem):
                problem = suspension_warning(problem, card, attempts=used, remaining=remaining)
    if problem is None:
        _pay(register, order, attempt)
    else:
        _fail(register, order, attempt, problem)
    return channel


def _kept_away(register: Register, payee_id: str, card: CardUsed) -> JsonObject | None:
    """Return why the gateway does not even ask the acquirer, if so."""
    if register.reattempts.is_blocked(payee_id, card, register.now()):
        return card_refusal("acquirererrordonotretry")
    windows = register.reattempts.windows(payee_id, card, register.behaviour.attempt_limits, register.now())
    full = next((word for word, _, remaining in windows if not remaining), None)
    return card_refusal(f"{full}limitexceeded") if full else None


def _end_account(register: Register, order: PaymentOrder, attempt: Attempt, answer: TrustlyAnswer) -> None:
    if attempt.state is not AttemptState.OPEN:
        return
    match answer:
        case TrustlyAnswer.SETTLE:
            _pay(register, order, attempt)
        case TrustlyAnswer.FAIL:
            _fail(register, order, attempt, payer_says_no("trustly/", cancelled=False))
        case _:
            assert_never(answer)


# How a try ends


def end_attempts(register: Register, order: PaymentOrder) -> list[Attempt]:
    """End the tries that are still open, and return them."""
    ended = order.open_attempts
    for attempt in ended:
        attempt.state, attempt.ended = AttemptState.ABORTED, register.now()
    return ended


def _pay(register: Register, order: PaymentOrder, attempt: Attempt) -> None:
    """The try succeeds, and with it the order."""
    fee, discount, amount = _amounts(register, order, attempt)
    kind = TransactionKind.SALE if attempt.instrument.takes_at_once else TransactionKind.AUTHORIZATION
    transaction = TransactionRecord(
        id=register.new_guid(),
        kind=TransactionKind.VERIFICATION if order.is_verification else kind,
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
    _note(register, order, attempt, "PaymentPaid")
    _tell(register, order, attempt)


def _fail(
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
    is_failed = state is AttemptState.FAILED
    _note(register, order, attempt, "PaymentAttemptFailed" if is_failed else "PaymentAttemptAborted")
    _tell(register, order, attempt)


def _note(register: Register, order: PaymentOrder, attempt: Attempt, name: str, *, prefill: bool | None = None) -> None:
    by, instrument = "Payee" if attempt.is_by_merchant else "Payer", attempt.instrument.name
    number, amount = attempt.number, order.amount
    register.note(order, name, by, instrument=instrument, number=number, amount=amount, prefill=prefill)


def _tell(register: Register, order: PaymentOrder, attempt: Attempt) -> None:
    """Call back; but never about a card that was charged without its holder (docs: callback)."""
    is_told = attempt.instrument.is_bank_account and register.behaviour.trustly_callbacks
    if not order.is_charge or is_told:
        notify(register, order, attempt.instrument, attempt.number)


def _amounts(register: Register, order: PaymentOrder, attempt: Attempt) -> tuple[int, int, int]:
    """Return fee, discount, and what is paid in the end: they change only what a payer agrees to on the page."""
    if order.is_charge or order.is_verification:
        return 0, 0, order.amount
    behaviour, name = register.behaviour, attempt.instrument.name
    only = [item.get("amount") for item in order.items if name in (as_list(item.get("restrictedToInstruments")) or [])]
    lines = [amount for amount in only if isinstance(amount, int)]
    fee = behaviour.fee_amount + sum(line for line in lines if line > 0)
    discount = behaviour.discount_amount - sum(line for line in lines if line < 0)
    amount, approved = order.amount + fee - discount, behaviour.approved_amount
    return fee, discount, amount if approved is None else min(amount, approved)
