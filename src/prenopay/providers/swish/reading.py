"""From Swish's objects to observations and replies in our words. Pure.

Only ``PAID`` means paid: the simulator fills in ``paymentReference`` and ``datePaid`` earlier, and on cancelled
payments too (MSS guide, section 7.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from prenopay._redaction import Secret
from prenopay.provider import Observation, Reply
from prenopay.providers.swish import _wire
from prenopay.providers.swish.problems import Verdict, decline_of, meaning_of
from prenopay.values.mandates import MandateKind, MethodSeen
from prenopay.values.money import Money
from prenopay.values.orders import Instrument
from prenopay.values.payments import Action, Advice, Decline, Outcome, PaymentState

__all__ = [
    "ALLOWED",
    "begun",
    "charge_state",
    "consent_state",
    "decline_in",
    "decline_in_charge",
    "method_of",
    "observation_of",
    "raw_of",
    "reply_of",
    "state_of",
]

_PAID: Final = "PAID"
_STATES: Final = {
    "CREATED": PaymentState.PENDING,
    _PAID: PaymentState.CAPTURED,
    "DECLINED": PaymentState.DECLINED,
    "CANCELLED": PaymentState.CANCELLED,
}
_UNDER_WAY: Final = frozenset({"CREATED", "VALIDATED", "DEBITED", "PENDING"})
"""States of refunds, payouts and charges before the last; only production has VALIDATED (integrators)."""
_ENDED_WITHOUT_DECLINE: Final = {"TM01": PaymentState.EXPIRED, "RP08": PaymentState.CANCELLED}
_CONSENT_STATES: Final = {
    "CREATED": PaymentState.PENDING,
    "PENDING": PaymentState.PENDING,
    "ACTIVE": PaymentState.CAPTURED,
    "DECLINED": PaymentState.DECLINED,
    "EXPIRED": PaymentState.EXPIRED,
    "CANCELLED": PaymentState.CANCELLED,
    "DELETED": PaymentState.CANCELLED,
    "REVOKED": PaymentState.CANCELLED,
}
"""States of a consent. Only ``ACTIVE`` is known; the others are guesses."""
ALLOWED: Final = {
    PaymentState.PENDING: frozenset({Action.CANCEL}),
    PaymentState.CAPTURED: frozenset({Action.REFUND}),
}
"""What can be done in which state."""
_NOT_KEPT: Final = frozenset({"callbackurl", "callbackidentifier"})
"""Anyone who has these can send us callbacks."""


def observation_of(payment: _wire.Payment, raw: Mapping[str, Any], *, with_order_reference: bool) -> Observation:
    """Return what a payment object says."""
    state, is_known = state_of(payment)
    asked = Money(payment.amount, payment.currency)
    taken = asked if state is PaymentState.CAPTURED else Money.zero(payment.currency)
    return replace(
        begun(payment.id, asked, ALLOWED.get(state, frozenset())),
        state=state,
        authorized=taken,
        captured=taken,
        order_reference=payment.payee_payment_reference or None if with_order_reference else None,
        decline=decline_in(payment),
        bank_reference=payment.payment_reference or None,
        raw_status=f"{payment.status} {payment.error_code}".strip(),
        status_is_known=is_known,
        raw=raw_of(raw),
    )


def begun(reference: str, amount: Money, allowed: frozenset[Action], *, prefix: str = "") -> Observation:
    """Return the observation of a request that was just made, whose answer has no body."""
    nothing = Money.zero(amount.currency)
    return Observation(
        provider_reference=prefix + reference,
        state=PaymentState.PENDING,
        authorized=nothing,
        captured=nothing,
        refunded=None,
        cancelled=nothing,
        submitted=amount,
        fee=nothing,
        discount=nothing,
        allowed_actions=allowed,
        instrument=Instrument.SWISH.value,
        reference=reference,
        raw_status="CREATED",
    )


def state_of(found: _wire.Money) -> tuple[PaymentState, bool]:
    """Return the state in our words, and whether we know the gateway's word for it."""
    if _is_uncertain(found):
        return PaymentState.UNKNOWN, meaning_of(found.error_code) is not None
    if found.status == "ERROR":
        return _ENDED_WITHOUT_DECLINE.get(found.error_code, PaymentState.DECLINED), True
    state = _STATES.get(found.status)
    if state is not None:
        return state, True
    return PaymentState.PENDING, not isinstance(found, _wire.Payment) and found.status in _UNDER_WAY


def decline_in(found: _wire.Money) -> Decline | None:
    """Return why no money came, if the object says that there is none or that this is not known."""
    if found.status == "ERROR":
        return decline_of(found.error_code, found.error_message)
    return decline_of(found.error_code or found.status, found.error_message) if found.status == "DECLINED" else None


def reply_of(found: _wire.Refund | _wire.Payout) -> Reply:
    """Return the result of a refund or payout: it has succeeded when the money has arrived."""
    decline = decline_in(found)
    if _is_uncertain(found):
        return Reply(outcome=Outcome.UNKNOWN, decline=decline)
    if decline is not None:
        return Reply(outcome=Outcome.DECLINED, decline=decline)
    return Reply(outcome=Outcome.SUCCEEDED if found.status == _PAID else Outcome.PENDING)


def raw_of(decoded: Mapping[str, Any]) -> dict[str, object]:
    """Return an answer to store: amounts as texts, without what would let others send us callbacks."""
    return {
        name: str(value) if isinstance(value, Decimal) else value
        for name, value in decoded.items()
        if name.lower() not in _NOT_KEPT
    }


def _is_uncertain(found: _wire.Money) -> bool:
    """Whether an object ended with a code that leaves open whether money moved; one on no table does."""
    if found.status != "ERROR" and not (found.status == "DECLINED" and found.error_code):
        return False
    meaning = meaning_of(found.error_code)
    return meaning is None or meaning.verdict is Verdict.UNCERTAIN


# Standing consents (experimental)


def consent_state(consent: _wire.Consent) -> tuple[PaymentState, bool]:
    """Return a consent's state in our words, and whether its word is known; other words mean not signed yet."""
    return _CONSENT_STATES.get(consent.status, PaymentState.PENDING), consent.status in _CONSENT_STATES


def charge_state(charge: _wire.Charge) -> tuple[PaymentState, bool]:
    """Return a charge's state in our words, and whether its word is known.

    No payer takes part in a charge, so one that ended without money failed: it neither expires nor is cancelled.
    """
    state, is_known = state_of(charge)
    if state in {PaymentState.EXPIRED, PaymentState.CANCELLED}:
        state = PaymentState.DECLINED
    return state, is_known or charge.status in _UNDER_WAY


def decline_in_charge(charge: _wire.Charge) -> Decline:
    """Return why a charge failed. The payer is absent, so advice to authenticate becomes advice to retry later."""
    decline = decline_of(charge.error_code or charge.status, charge.error_message)
    return replace(decline, advice=Advice.RETRY_LATER) if decline.advice is Advice.AUTHENTICATE else decline


def method_of(consent_id: str, payer: str) -> MethodSeen:
    """Return the consent as a stored method; its token is its id, which only the merchant's certificate can use."""
    return MethodSeen(
        kind=MandateKind.CONSENT,
        token=Secret(consent_id),
        display=f"Swish •••• {payer[-4:]}" if payer else "Swish",
        instrument=Instrument.SWISH.value,
    )
