"""Swish with standing consents, experimental and off unless asked for: sign once in the app, charge ever after.

A consent is asked for like a payment, of nothing; its id is our reference, and what charges name. A charge
ends seconds later. Both are looked up by our own id before they are ever sent again, under the same one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from prenopay._redaction import Secret
from prenopay.errors import Conflict, DuplicateReference, InvalidOrder, UnexpectedAnswer, UnsupportedOperation
from prenopay.ports import Send
from prenopay.provider import (
    ChangeRequest,
    Charged,
    ChargeRequest,
    ChargesMandates,
    Created,
    CreateRequest,
    Limits,
    Observation,
    Reply,
)
from prenopay.providers.swish import _wire, encoding
from prenopay.providers.swish.api import is_success
from prenopay.providers.swish.config import SwishAccount
from prenopay.providers.swish.problems import Verdict
from prenopay.providers.swish.provider import SwishProvider, not_now
from prenopay.providers.swish.qr import app_switch
from prenopay.providers.swish.recurring import CHARGE, CONSENT, Recurring, consent_state
from prenopay.providers.swish.refusals import Refusal, read_refusal
from prenopay.values.mandates import MandateKind, MethodSeen
from prenopay.values.orders import Initiator, Order, PageStyle
from prenopay.values.payments import Action, Advice, Decline, DeclineCode, DeclineKind, Outcome, PaymentState

__all__ = ["SwishRecurringProvider"]

_NOT_FOUND: Final = 404
_FORBIDDEN: Final = 403
_GONE: Final = frozenset({_NOT_FOUND, 410})
_ENDED: Final = frozenset({PaymentState.DECLINED, PaymentState.EXPIRED, PaymentState.CANCELLED})
_NO_LOOK_UP: Final = (
    "Swish cannot list a payer's consents: each is read by its own id, so observe the payment it was signed with"
)


class SwishRecurringProvider(SwishProvider, ChargesMandates):
    """``SwishProvider`` with standing consents and charges on them. Experimental: never tried with Swish itself."""

    def __init__(self, config: SwishAccount[object]) -> None:
        """Speak for the merchant of ``config``; raises ``ConfigurationError`` if its certificates cannot work."""
        super().__init__(config)
        self._recurring = Recurring(config)
        refused = {verb: why for verb, why in self.limits.not_supported.items() if verb not in {"charge", "store"}}
        self.limits: Limits = replace(self.limits, not_supported=refused)

    # A consent

    def check_order(self, order: Order) -> None:
        """Raise ``InvalidOrder`` for what a payment request, a consent or a charge cannot hold."""
        if order.initiator is Initiator.MERCHANT:
            encoding.check_charge(self._config, order)
        elif order.store is not None:
            encoding.check_consent(self._config, order)
        else:
            super().check_order(order)

    async def create_payment(self, send: Send, request: CreateRequest) -> Created:
        """Ask for a payment, or ``POST`` a consent where the order stores one."""
        if request.order.store is None:
            return await super().create_payment(send, request)
        if request.again and (created := await self._asked_before(send, request)) is not None:
            return created
        answer = await send(self._recurring.ask_consent(request))
        if not is_success(answer):
            refusal = read_refusal(answer, "ask consent")
            created = await self._asked_before(send, request) if refusal.verdict is Verdict.SEEN_BEFORE else None
            if created is None:
                raise refusal.error()
            return created
        observed = self._recurring.unsigned(request.reference)
        if request.order.page is PageStyle.PHONE:
            return Created(observation=observed)
        token = answer.header("paymentrequesttoken")
        if not token:
            message = "ask consent: the gateway took the request and gave no token, so that no app can open it"
            raise UnexpectedAnswer(message, http_status=answer.status)
        return Created(observation=observed, app_switch=app_switch(token, request.order.return_url))

    async def observe(self, send: Send, provider_reference: str) -> Observation:
        """``GET`` the payment, the consent or the charge. A consent that is not there (any more) stays pending."""
        if not provider_reference.startswith(CONSENT):
            return await super().observe(send, provider_reference)
        consent_id = provider_reference.removeprefix(CONSENT)
        found = await self._consent(send, consent_id, "observe consent")
        if found is None:
            return replace(self._recurring.unsigned(consent_id), raw_status="the gateway has no such consent")
        return found

    async def cancel(self, send: Send, request: ChangeRequest) -> Reply:
        """End an open payment request, or a consent that is not signed; one that is, is removed as a mandate."""
        if not request.provider_reference.startswith((CONSENT, CHARGE)):
            return await super().cancel(send, request)
        observed = await self.observe(send, request.provider_reference)
        if observed.state is not PaymentState.CANCELLED:
            if Action.CANCEL not in observed.allowed_actions:
                raise not_now(Action.CANCEL, observed)
            await self._end(send, request.provider_reference.removeprefix(CONSENT), "cancel consent")
            observed = replace(observed, state=PaymentState.CANCELLED, allowed_actions=frozenset())
        return Reply(outcome=Outcome.SUCCEEDED, observation=observed)

    async def observe_methods(self, send: Send, payer_reference: str) -> tuple[MethodSeen, ...]:
        """Raise ``UnsupportedOperation``: Swish has no such look-up."""
        raise UnsupportedOperation(_NO_LOOK_UP, capability="observe_methods", reason=_NO_LOOK_UP)

    async def remove_method(self, send: Send, kind: MandateKind, token: Secret, *, reason: str) -> None:
        """``DELETE`` the consent; one that is gone already is no error. Swish is not told the ``reason``."""
        _require_consent(kind)
        await self._end(send, token.reveal(), "remove consent")

    async def remove_all_methods(self, send: Send, payer_reference: str, *, reason: str) -> None:
        """Raise ``UnsupportedOperation``: Swish has no such call, and each consent is removed by its own id."""
        raise UnsupportedOperation(_NO_LOOK_UP, capability="remove_all_methods", reason=_NO_LOOK_UP)

    # A charge

    async def charge(self, send: Send, request: ChargeRequest) -> Charged:
        """``POST`` the charge, which ends later. What may have arrived before is looked up first."""
        _require_consent(request.kind)
        if request.again:
            charged = await self._charged_before(send, request)
            if charged is None and request.token is None:
                charged = Charged(outcome=Outcome.NOT_ATTEMPTED)
            if charged is not None:
                return charged
        answer = await send(self._recurring.charge(request))
        if is_success(answer):
            return Charged(outcome=Outcome.PENDING, observation=self._recurring.charged(request))
        refusal = read_refusal(answer, "charge")
        if refusal.verdict is Verdict.SEEN_BEFORE:
            charged = await self._charged_before(send, request)
            if charged is not None:
                return charged
        decline = refusal.decline or await self._inactive(send, request, refusal)
        if decline is None:
            raise refusal.error()
        return Charged(outcome=Outcome.DECLINED, decline=decline)

    # One step down

    async def _asked_before(self, send: Send, request: CreateRequest) -> Created | None:
        """Return the consent that an earlier try asked for; ``None`` if there is none.

        Raises ``DuplicateReference`` where nobody can open it any more: the token is told once only. Such a
        consent is ended first, so that the next one is the only one.
        """
        found = await self._consent(send, request.reference, "ask consent")
        if found is None:
            return None
        if request.order.page is PageStyle.PHONE or found.state is PaymentState.CAPTURED:
            return Created(observation=found)
        if found.state not in _ENDED:
            await self._end(send, request.reference, "ask consent")
        message = "ask consent: an earlier try made a consent whose token was lost with its answer; it is ended"
        raise DuplicateReference(message, advice="ask for the consent anew, under a new reference")

    async def _consent(self, send: Send, consent_id: str, call: str) -> Observation | None:
        answer = await send(self._recurring.look_at_consent(consent_id, call))
        return None if answer.status in _GONE else self._recurring.read_consent(answer, consent_id, call)

    async def _end(self, send: Send, consent_id: str, call: str) -> None:
        """``DELETE`` a consent, and return, too, where it was over already."""
        answer = await send(self._recurring.end_consent(consent_id, call))
        if is_success(answer) or answer.status in _GONE:
            return
        refusal = read_refusal(answer, call)
        if refusal.verdict in {Verdict.NOT_NOW, Verdict.WRONG_REQUEST}:
            found = await self._consent(send, consent_id, call)
            if found is None or found.state in _ENDED:
                return
        raise refusal.error()

    async def _charged_before(self, send: Send, request: ChargeRequest) -> Charged | None:
        """Return how the charge of an earlier try stands; ``None`` if there is none."""
        found = await self._charge(send, request.reference, "charge")
        if found is None:
            return None
        observed = found[1]
        if observed.submitted != request.order.amount:
            message = f"charge: the gateway has {request.reference} as a charge of {observed.submitted}"
            raise DuplicateReference(message)
        match observed.state:
            case PaymentState.CAPTURED:
                outcome = Outcome.SUCCEEDED
            case PaymentState.DECLINED:
                outcome = Outcome.DECLINED
            case PaymentState.UNKNOWN:
                outcome = Outcome.UNKNOWN
            case _:
                outcome = Outcome.PENDING
        return Charged(outcome=outcome, observation=observed, decline=observed.decline)

    async def _charge(self, send: Send, charge_id: str, call: str) -> tuple[_wire.Charge, Observation] | None:
        answer = await send(self._recurring.look_at_charge(charge_id, call))
        return None if answer.status == _NOT_FOUND else self._recurring.read_charge(answer, charge_id, call)

    async def _payment(self, send: Send, uuid: str, call: str) -> tuple[_wire.Payment, Observation]:
        """Read a payment, or a charge, which is refunded like one."""
        if not uuid.startswith(CHARGE):
            return await super()._payment(send, uuid, call)
        found = await self._charge(send, uuid.removeprefix(CHARGE), call)
        if found is None:
            message = f"{call}: the gateway has no charge {uuid} of this number"
            raise Conflict(message, http_status=_NOT_FOUND, advice="check the account's number")
        return found

    async def _inactive(self, send: Send, request: ChargeRequest, refusal: Refusal) -> Decline | None:
        """Look whether a charge was refused because its consent is not active (any more); ``None`` if not so.

        ``PA01`` may mean any member, and so may 404; of what a 403 means, the certificate, it says nothing.
        """
        codes = {problem.error_code for problem in refusal.problems}
        if refusal.status != _NOT_FOUND and (codes != {"PA01"} or refusal.status == _FORBIDDEN):
            return None
        consent = await self._consent(send, request.token_to_send().reveal(), "charge")
        if consent is not None and consent.state is PaymentState.CAPTURED:
            return None
        said = "no longer there" if consent is None else consent.raw_status
        return Decline(
            code=DeclineCode.MANDATE_INACTIVE,
            kind=DeclineKind.HARD,
            advice=Advice.NEW_METHOD,
            provider_code=next(iter(codes), str(refusal.status)),
            text=f"the payer's consent is not active: {said}",
        )

    def _named(self, body: bytes) -> str | None:
        """Return what a callback's body names.

        A consent's carries no amount; a charge's is an object, or stands beside the consent's id. A consent
        that is over names nothing: earlier ones of the same order, which were closed, tell of their end too.
        """
        decoded = _wire.read_object(body)
        members = _wire.lowered_members(decoded)
        if "amount" not in members and {"status", "payee"} <= set(members):
            consent = _wire.read(_wire.Consent, decoded)
            return CONSENT + consent.name.upper() if consent.name and consent_state(consent)[0] not in _ENDED else None
        if isinstance(members.get("amount"), Mapping) or "consentid" in members:
            charge = _wire.read(_wire.Charge, decoded)
            return CHARGE + charge.id.upper() if charge.id else None
        return super()._named(body)


def _require_consent(kind: MandateKind) -> None:
    if kind is not MandateKind.CONSENT:
        message = f"kind: Swish stores no {kind}, only consents"
        raise InvalidOrder(message, field="kind")
