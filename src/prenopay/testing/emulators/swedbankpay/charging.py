"""What a merchant charges while nobody is present: cards answer at once, bank accounts hours later."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, assert_never

from prenopay.testing.control import ControlRefused
from prenopay.testing.emulators.jsonvalues import JsonObject
from prenopay.testing.emulators.swedbankpay.behaviour import DeclineChannel
from prenopay.testing.emulators.swedbankpay.cards import CardUsed, is_good_until
from prenopay.testing.emulators.swedbankpay.declines import (
    amount_decline,
    blocks_card,
    card_refusal,
    payer_says_no,
    suspension_warning,
)
from prenopay.testing.emulators.swedbankpay.merchants import Merchant
from prenopay.testing.emulators.swedbankpay.orders import Attempt, AttemptState, HistoryEntry, PaymentOrder
from prenopay.testing.emulators.swedbankpay.paying import fail, pay
from prenopay.testing.emulators.swedbankpay.problems import FieldProblem, input_error, no_agreement
from prenopay.testing.emulators.swedbankpay.register import PlannedDecline, Register
from prenopay.testing.emulators.swedbankpay.storing import usable_token
from prenopay.testing.emulators.swedbankpay.tokens import CHARGES

__all__ = ["ChargeSide", "TrustlyAnswer"]

_NO_CALLBACK: Final = "It must be given: the account's charge is told of later (docs: urls, callbackUrl)."


class TrustlyAnswer(StrEnum):
    """How the charge of a bank account ends."""

    SETTLE = "settle"
    FAIL = "fail"


class ChargeSide:
    """Acts on checked requests; raises ``Refusal`` where no charge is tried at all."""

    def __init__(self, register: Register) -> None:
        """Work on ``register``."""
        self._register = register

    def charge(
        self,
        merchant: Merchant,
        request: JsonObject,
        *,
        version: str,
        user_agent: str,
    ) -> tuple[PaymentOrder, DeclineChannel]:
        """Charge the token that ``request`` names; returns the order, and how a decline is to be told."""
        register = self._register
        stored = usable_token(register, merchant, request, CHARGES[str(request["operation"])])
        order = self._order(merchant, request, version=version, user_agent=user_agent)
        if stored.card is None:
            self._check_account(order)
        register.add(order)
        created = HistoryEntry(created=register.now(), name="PaymentCreated", initiated_by="Payee")
        register.note(order, created)
        attempt = Attempt(
            number=register.new_number(),
            instrument=stored.instrument,
            started=register.now(),
            card=stored.card,
            stored=stored,
            is_by_merchant=True,
        )
        order.attempts.append(attempt)
        if stored.card is None:
            self._begin_account(order, attempt)
            return order, DeclineChannel.FAILED_ORDER
        return order, self._charge_card(order, attempt, stored.card)

    def settle_account(self, order: PaymentOrder, answer: TrustlyAnswer) -> None:
        """End the charge of a bank account now; raises ``ControlRefused`` where none is under way."""
        attempt = next((entry for entry in order.open_attempts if entry.is_by_merchant), None)
        if attempt is None:
            message = f"{order.id} is no charge that waits for its bank"
            raise ControlRefused(message)
        self._end_account(order, attempt, answer)

    def _order(self, merchant: Merchant, request: JsonObject, *, version: str, user_agent: str) -> PaymentOrder:
        now = self._register.now()
        return PaymentOrder(
            id=f"/psp/paymentorders/{self._register.new_guid()}",
            page_token=self._register.new_token(),
            merchant=merchant,
            version=version,
            created=now,
            updated=now,
            user_agent=user_agent,
            request=dict(request),
            integration="Direct",
        )

    # Cards

    def _charge_card(self, order: PaymentOrder, attempt: Attempt, card: CardUsed) -> DeclineChannel:
        register, payee_id, now = self._register, order.merchant.payee_id, self._register.now()
        channel = register.behaviour.decline_channel
        problem = self._kept_away(payee_id, card)
        if problem is None:
            planned = register.planned_declines.pop(0) if register.planned_declines else PlannedDecline(word="")
            channel = planned.channel or channel
            problem = self._acquirer_says(order, card, planned.word)
            if problem is not None:
                register.reattempts.fail(payee_id, card, now)
                problem = self._with_warning(problem, payee_id, card)
            if blocks_card(problem):
                register.reattempts.block(payee_id, card, now)
        if problem is None:
            pay(register, order, attempt)
        else:
            fail(register, order, attempt, problem)
        return channel

    def _kept_away(self, payee_id: str, card: CardUsed) -> JsonObject | None:
        """Return why the gateway does not even ask; such a refusal is not counted as another failure."""
        register, now = self._register, self._register.now()
        if register.reattempts.is_blocked(payee_id, card, now):
            return card_refusal("acquirererrordonotretry")
        windows = register.reattempts.windows(payee_id, card, register.behaviour.attempt_limits, now)
        full = next((window for window in windows if not window.remaining), None)
        return card_refusal(f"{full.word}limitexceeded") if full else None

    def _acquirer_says(self, order: PaymentOrder, card: CardUsed, planned: str) -> JsonObject | None:
        if planned:
            return card_refusal(planned)
        if not is_good_until(card.expiry, self._register.now()):
            return card_refusal("acquirercardexpired")
        return amount_decline(order.amount)

    def _with_warning(self, problem: JsonObject, payee_id: str, card: CardUsed) -> JsonObject:
        register, limits = self._register, self._register.behaviour.attempt_limits
        windows = register.reattempts.windows(payee_id, card, limits, register.now())
        tightest = min(windows, key=lambda window: window.remaining, default=None)
        if tightest is None or tightest.remaining > limits.warned_from or blocks_card(problem):
            return problem
        return suspension_warning(problem, card, attempts=tightest.used, remaining=tightest.remaining)

    # Bank accounts

    def _check_account(self, order: PaymentOrder) -> None:
        if not order.merchant.has_direct_debit:
            raise no_agreement(why="The agreement has no direct debit.")
        if not order.part_text("urls", "callbackUrl"):
            raise input_error(FieldProblem("PaymentOrder.Urls.CallbackUrl", _NO_CALLBACK))

    def _begin_account(self, order: PaymentOrder, attempt: Attempt) -> None:
        planned = self._register.behaviour.trustly_charge
        answer = TrustlyAnswer.SETTLE if planned.succeeds else TrustlyAnswer.FAIL
        self._register.later(planned.after, lambda: self._end_account(order, attempt, answer))

    def _end_account(self, order: PaymentOrder, attempt: Attempt, answer: TrustlyAnswer) -> None:
        if attempt.state is not AttemptState.OPEN:
            return
        match answer:
            case TrustlyAnswer.SETTLE:
                pay(self._register, order, attempt)
            case TrustlyAnswer.FAIL:
                fail(self._register, order, attempt, payer_says_no("trustly/", cancelled=False))
            case _:
                assert_never(answer)
