"""Recurring payments, experimental: the requests for consents and charges, and what their answers say. Pure.

No official text was at hand. Paths and members are those of ``getswish`` 0.4.1, whose author calls them
experimental and not validated. Of a consent's states only ``ACTIVE`` is known; the other words are guesses.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from prenopay._redaction import Secret
from prenopay.ports import HttpRequest, HttpResponse
from prenopay.provider import ChargeRequest, CreateRequest, Observation
from prenopay.providers.swish import _wire, encoding
from prenopay.providers.swish.api import check_ours, read_answer
from prenopay.providers.swish.config import SwishAccount
from prenopay.providers.swish.reading import ALLOWED, observation_of, raw_of, state_of
from prenopay.providers.swish.refusals import decline_of
from prenopay.values.mandates import MandateKind, MethodSeen
from prenopay.values.money import Money
from prenopay.values.orders import Instrument, PageStyle
from prenopay.values.payments import Action, Advice, Decline, PaymentState

__all__ = ["CHARGE", "CONSENT", "Recurring", "charge_state", "consent_state", "method_of"]

CONSENT: Final = "consent:"
CHARGE: Final = "recurring:"
"""What the gateway's ids of consents and of charges begin with here: they are read in other places than payments."""

_PATH: Final = "/recurring/merchant/v1"
_STATES: Final = {
    "CREATED": PaymentState.PENDING,
    "PENDING": PaymentState.PENDING,
    "ACTIVE": PaymentState.CAPTURED,
    "DECLINED": PaymentState.DECLINED,
    "EXPIRED": PaymentState.EXPIRED,
    "CANCELLED": PaymentState.CANCELLED,
    "DELETED": PaymentState.CANCELLED,
    "REVOKED": PaymentState.CANCELLED,
}
"""Of a consent; ``ACTIVE`` alone is known."""
_UNDER_WAY: Final = frozenset({"CREATED", "PENDING", "VALIDATED", "DEBITED"})
"""States of a charge before the last."""


class Recurring:
    """Requests and answers of one Swish number's recurring payments. Experimental."""

    def __init__(self, config: SwishAccount[object]) -> None:
        """Speak for the merchant of ``config``."""
        self._config = config
        self._base = config.api_url + _PATH

    # A consent

    def ask_consent(self, request: CreateRequest) -> HttpRequest:
        """Return the request for a consent: sent to the payer's phone, or with a token for the app."""
        by_phone = request.order.page is PageStyle.PHONE
        path = f"/consents/{request.reference}" + ("" if by_phone else "/token")
        return self._request("POST", path, "ask consent", encoding.consent_body(self._config, request))

    def look_at_consent(self, consent_id: str, call: str) -> HttpRequest:
        """Return the request that reads a consent."""
        return self._request("GET", f"/consents/{consent_id}", call, retry_safe=True)

    def end_consent(self, consent_id: str, call: str) -> HttpRequest:
        """Return the request that ends a consent, which twice is the same as once."""
        return self._request("DELETE", f"/consents/{consent_id}", call, retry_safe=True)

    def read_consent(self, answer: HttpResponse, consent_id: str, call: str) -> Observation:
        """Read a consent as a payment of nothing, which comes to its good end when the payer signs."""
        consent, decoded = read_answer(answer, _wire.Consent, call)
        found = consent.name or consent_id
        check_ours(answer, call, found=found, asked=consent_id, number=consent.payee, ours=self._config.number)
        observed = self.unsigned(consent_id)
        state, is_known = consent_state(consent)
        declined = state is PaymentState.DECLINED
        return replace(
            observed,
            state=state,
            allowed_actions=ALLOWED[PaymentState.PENDING] if state is PaymentState.PENDING else frozenset[Action](),
            order_reference=None if self._config.clean_texts else consent.payee_payment_reference or None,
            decline=decline_of(consent.error_code or consent.status, consent.error_message) if declined else None,
            methods=(method_of(consent_id, consent.payer),) if state is PaymentState.CAPTURED else (),
            raw_status=consent.status,
            status_is_known=is_known,
            raw=raw_of(decoded),
        )

    def unsigned(self, consent_id: str) -> Observation:
        """Return what there is of a consent that was just asked for."""
        return _begun(CONSENT, consent_id, Money.zero(encoding.CURRENCY), ALLOWED[PaymentState.PENDING])

    # A charge

    def charge(self, request: ChargeRequest) -> HttpRequest:
        """Return the request that takes money on a consent."""
        path = f"/payments/single/{request.reference}"
        return self._request("POST", path, "charge", encoding.charge_body(self._config, request))

    def look_at_charge(self, charge_id: str, call: str) -> HttpRequest:
        """Return the request that reads how a charge stands."""
        return self._request("GET", f"/payments/single/{charge_id}/status", call, retry_safe=True)

    def read_charge(self, answer: HttpResponse, charge_id: str, call: str) -> tuple[_wire.Charge, Observation]:
        """Read how a charge stands. One that ended without money was declined, however it says so."""
        charge, decoded = read_answer(answer, _wire.Charge, call)
        found, number = charge.id or charge_id, charge.payee_alias
        check_ours(answer, call, found=found, asked=charge_id, number=number, ours=self._config.number)
        state, is_known = charge_state(charge)
        allowed = ALLOWED[state] if state is PaymentState.CAPTURED else frozenset[Action]()
        return charge, replace(
            observation_of(charge, decoded, with_order_reference=False),
            provider_reference=CHARGE + charge_id,
            reference=charge_id,
            state=state,
            allowed_actions=allowed,
            decline=_decline_in(charge) if state in {PaymentState.DECLINED, PaymentState.UNKNOWN} else None,
            status_is_known=is_known,
        )

    def charged(self, request: ChargeRequest) -> Observation:
        """Return what there is of a charge that was just asked for: it ends seconds later."""
        return _begun(CHARGE, request.reference, request.order.amount, frozenset())

    def _request(
        self, method: str, path: str, label: str, body: bytes = b"", *, retry_safe: bool = False
    ) -> HttpRequest:
        headers = (("accept", "application/json"), ("user-agent", "prenopay"))
        return HttpRequest(
            method=method,
            url=self._base + path,
            label=label,
            headers=(*headers, ("content-type", "application/json")) if body else headers,
            body=body,
            retry_safe=retry_safe,
        )


def consent_state(consent: _wire.Consent) -> tuple[PaymentState, bool]:
    """Return a consent's state in our words, and whether its word is one we know; others mean not signed yet."""
    return _STATES.get(consent.status, PaymentState.PENDING), consent.status in _STATES


def charge_state(charge: _wire.Charge) -> tuple[PaymentState, bool]:
    """Return a charge's state in our words, and whether its word is one we know.

    Nobody is asked for a charge, so one that ended without money failed: it neither expires nor is cancelled.
    """
    state, is_known = state_of(charge)
    if state in {PaymentState.EXPIRED, PaymentState.CANCELLED}:
        state = PaymentState.DECLINED
    return state, is_known or charge.status in _UNDER_WAY


def method_of(consent_id: str, payer: str) -> MethodSeen:
    """Return the consent as what is charged: by its id, which only the merchant's certificate can use."""
    return MethodSeen(
        kind=MandateKind.CONSENT,
        token=Secret(consent_id),
        display=f"Swish •••• {payer[-4:]}" if payer else "Swish",
        instrument=Instrument.SWISH.value,
    )


def _begun(prefix: str, name: str, amount: Money, allowed: frozenset[Action]) -> Observation:
    nothing = Money.zero(amount.currency)
    return Observation(
        provider_reference=prefix + name,
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
        reference=name,
        raw_status="CREATED",
    )


def _decline_in(charge: _wire.Charge) -> Decline:
    """Say why a charge failed. Nobody is asked, so nobody can help: what asks for the payer is tried again later."""
    decline = decline_of(charge.error_code or charge.status, charge.error_message)
    return replace(decline, advice=Advice.RETRY_LATER) if decline.advice is Advice.AUTHENTICATE else decline
