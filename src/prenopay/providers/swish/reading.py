"""From Swish's objects to observations and replies in our words. Pure.

Only ``PAID`` means paid: the simulator fills in ``paymentReference`` and ``datePaid`` before, and on
cancelled payments too (MSS guide, section 7.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from prenopay.provider import Observation, Reply
from prenopay.providers.swish import _wire
from prenopay.providers.swish.problems import Verdict
from prenopay.providers.swish.refusals import decline_of, meaning_of
from prenopay.values.money import Money
from prenopay.values.orders import Instrument
from prenopay.values.payments import Action, Decline, Outcome, PaymentState

__all__ = ["ALLOWED", "PAID", "decline_in", "is_uncertain", "observation_of", "raw_of", "reply_of", "state_of"]

PAID: Final = "PAID"

_STATES: Final = {
    "CREATED": PaymentState.PENDING,
    PAID: PaymentState.CAPTURED,
    "DECLINED": PaymentState.DECLINED,
    "CANCELLED": PaymentState.CANCELLED,
}
_UNDER_WAY: Final = frozenset({"CREATED", "VALIDATED", "DEBITED", "PENDING"})
"""States of refunds and payouts before the last; VALIDATED is seen in production only (integrators)."""
_ENDED_WITHOUT_A_NO: Final = {"TM01": PaymentState.EXPIRED, "RP08": PaymentState.CANCELLED}
ALLOWED: Final = {
    PaymentState.PENDING: frozenset({Action.CANCEL}),
    PaymentState.CAPTURED: frozenset({Action.REFUND}),
}
"""What can be done in which state."""
_NOT_KEPT: Final = frozenset({"callbackurl", "callbackidentifier"})
"""Whoever has these can call us back."""


def observation_of(payment: _wire.Payment, raw: Mapping[str, Any], *, with_order_reference: bool) -> Observation:
    """Return what a payment object says."""
    state, is_known = state_of(payment)
    asked = Money(payment.amount, payment.currency)
    taken = asked if state is PaymentState.CAPTURED else Money.zero(payment.currency)
    nothing = Money.zero(payment.currency)
    return Observation(
        provider_reference=payment.id,
        state=state,
        authorized=taken,
        captured=taken,
        refunded=None,
        cancelled=nothing,
        submitted=asked,
        fee=nothing,
        discount=nothing,
        allowed_actions=ALLOWED.get(state, frozenset()),
        instrument=Instrument.SWISH.value,
        reference=payment.id,
        order_reference=payment.payee_payment_reference or None if with_order_reference else None,
        decline=decline_in(payment),
        raw_status=f"{payment.status} {payment.error_code}".strip(),
        status_is_known=is_known,
        raw=raw_of(raw),
    )


def state_of(found: _wire.Money) -> tuple[PaymentState, bool]:
    """Return the state in our words, and whether the gateway's word for it is one we know."""
    if found.status == "ERROR":
        if is_uncertain(found.error_code):
            return PaymentState.UNKNOWN, True
        return _ENDED_WITHOUT_A_NO.get(found.error_code, PaymentState.DECLINED), True
    state = _STATES.get(found.status)
    if state is not None:
        return state, True
    return PaymentState.PENDING, not isinstance(found, _wire.Payment) and found.status in _UNDER_WAY


def decline_in(found: _wire.Money) -> Decline | None:
    """Return why there is no money, where the object says that there is none, or that nobody knows."""
    if found.status == "ERROR":
        return decline_of(found.error_code, found.error_message)
    return decline_of(found.status, found.error_message) if found.status == "DECLINED" else None


def reply_of(found: _wire.Refund | _wire.Payout) -> Reply:
    """Return how a refund or payout stands: it has succeeded when the money has arrived."""
    decline = decline_in(found)
    if found.status == "ERROR" and is_uncertain(found.error_code):
        return Reply(outcome=Outcome.UNKNOWN, decline=decline)
    if decline is not None:
        return Reply(outcome=Outcome.DECLINED, decline=decline)
    return Reply(outcome=Outcome.SUCCEEDED if found.status == PAID else Outcome.PENDING)


def raw_of(decoded: Mapping[str, Any]) -> dict[str, object]:
    """Return an answer to be kept: amounts as texts, without what would let others call us back."""
    return {
        name: str(value) if isinstance(value, Decimal) else value
        for name, value in decoded.items()
        if name.lower() not in _NOT_KEPT
    }


def is_uncertain(code: str) -> bool:
    """Whether an error code says that nobody knows whether money moved."""
    meaning = meaning_of(code)
    return meaning is not None and meaning.verdict is Verdict.UNCERTAIN
