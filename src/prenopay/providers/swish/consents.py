"""Swish with standing consents, experimental and off by default: the payer signs once in the app, then is charged.

A consent is requested like a payment of zero. Its id is our reference, and charges name it. A charge ends
seconds later. Both are looked up by our own id before they are sent again, under the same id.

No official text was available. Paths and members are those of ``getswish`` 0.4.1, whose author calls them
experimental and not validated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from prenopay._hidden import HiddenText
from prenopay._redaction import Secret
from prenopay.errors import (
    Conflict,
    DuplicateReference,
    ForeignAnswer,
    InvalidOrder,
    OutcomeUnknown,
    UnsupportedOperation,
)
from prenopay.ports import HttpResponse, Send
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
from prenopay.provider.wire import is_success, members_of, read, read_object
from prenopay.providers.swish import _wire, encoding
from prenopay.providers.swish.calls import Absent, absent_in, check_ours, read_answer, written
from prenopay.providers.swish.config import SwishAccount
from prenopay.providers.swish.matching import names_us
from prenopay.providers.swish.problems import Refusal, Verdict, decline_of, read_refusal
from prenopay.providers.swish.provider import SwishProvider, created
from prenopay.providers.swish.reading import (
    ALLOWED,
    begun,
    charge_state,
    consent_state,
    decline_in_charge,
    method_of,
    observation_of,
    raw_of,
)
from prenopay.values.mandates import MandateKind, MethodSeen
from prenopay.values.money import Money
from prenopay.values.orders import Initiator, Order, PageStyle
from prenopay.values.payments import Action, Advice, Decline, DeclineCode, DeclineKind, Outcome, PaymentState

__all__ = ["CHARGE", "CONSENT", "SwishRecurringProvider"]

CONSENT: Final = "consent:"
CHARGE: Final = "recurring:"
"""Prefixes of the provider references of consents and charges, which are not read where payments are."""

_PATH: Final = "/recurring/merchant/v1"
_NOT_FOUND: Final = 404
_FORBIDDEN: Final = 403
_ENDED: Final = frozenset({PaymentState.DECLINED, PaymentState.EXPIRED, PaymentState.CANCELLED})
_OUTCOMES: Final = {
    PaymentState.CAPTURED: Outcome.SUCCEEDED,
    PaymentState.DECLINED: Outcome.DECLINED,
    PaymentState.UNKNOWN: Outcome.UNKNOWN,
}
"""State of a charge → its outcome; any other state is pending."""
_NO_LOOK_UP: Final = (
    "Swish cannot list a payer's consents: each is read by its own id, so observe the payment it was signed with"
)


class SwishRecurringProvider(SwishProvider, ChargesMandates):
    """``SwishProvider`` with standing consents and charges on them. Experimental: never tried with Swish itself."""

    def __init__(self, config: SwishAccount[object]) -> None:
        """Act for the merchant of ``config``; raises ``ConfigurationError`` if its certificates cannot work."""
        super().__init__(config)
        self._recurring = config.api_url + _PATH
        refused = {verb: why for verb, why in self.limits.not_supported.items() if verb not in {"charge", "store"}}
        self.limits: Limits = replace(self.limits, not_supported=refused)

    # A consent

    def check_order(self, order: Order) -> None:
        """Raise ``InvalidOrder`` for what a payment request, a consent or a charge cannot express."""
        if order.initiator is Initiator.MERCHANT:
            encoding.check_charge(self._config, order)
        elif order.store is not None:
            encoding.check_consent(self._config, order)
        else:
            super().check_order(order)

    async def create_payment(self, send: Send, request: CreateRequest) -> Created:
        """Request a payment, or ``POST`` a consent if the order stores one."""
        if request.order.store is None:
            return await super().create_payment(send, request)
        if request.again and (found := await self._asked_before(send, request)) is not None:
            return found
        by_phone = request.order.page is PageStyle.PHONE
        path = f"/consents/{request.reference}" + ("" if by_phone else "/token")
        body = encoding.consent_body(self._config, request)
        answer = await send(written("POST", self._recurring + path, "ask consent", body))
        if not is_success(answer):
            refusal = read_refusal(answer, "ask consent")
            seen_before = refusal.verdict is Verdict.SEEN_BEFORE
            found = await self._asked_before(send, request) if seen_before else None
            if found is None:
                raise refusal.error()
            return found
        return created(answer, _unsigned(request.reference), request.order, "ask consent")

    async def observe(self, send: Send, provider_reference: str) -> Observation:
        """``GET`` the payment, the consent or the charge. A consent that does not exist (any more) stays pending."""
        if not provider_reference.startswith(CONSENT):
            return await super().observe(send, provider_reference)
        consent_id = provider_reference.removeprefix(CONSENT)
        found = await self._consent(send, consent_id, "observe consent")
        if isinstance(found, Absent):
            return replace(_unsigned(consent_id), raw_status="the gateway shows no such consent")
        return found

    async def cancel(self, send: Send, request: ChangeRequest) -> Reply:
        """End an open payment request, or a consent that is not signed; a signed one is removed as a mandate."""
        if not request.provider_reference.startswith((CONSENT, CHARGE)):
            return await super().cancel(send, request)
        observed = await self.observe(send, request.provider_reference)
        if observed.state is not PaymentState.CANCELLED:
            if Action.CANCEL not in observed.allowed_actions:
                raise observed.refuses(Action.CANCEL)
            await self._end(send, request.provider_reference.removeprefix(CONSENT), "cancel consent")
            observed = replace(observed, state=PaymentState.CANCELLED, allowed_actions=frozenset())
        return Reply(outcome=Outcome.SUCCEEDED, observation=observed)

    async def observe_methods(self, send: Send, payer_reference: str) -> tuple[MethodSeen, ...]:
        """Raise ``UnsupportedOperation``: Swish has no such look-up."""
        raise UnsupportedOperation(_NO_LOOK_UP, capability="observe_methods", reason=_NO_LOOK_UP)

    async def remove_method(self, send: Send, kind: MandateKind, token: Secret, *, reason: str) -> None:
        """``DELETE`` the consent; one that is gone already is no error. Swish has no member for the ``reason``."""
        _require_consent(kind)
        await self._end(send, token.reveal(), "remove consent")

    async def remove_all_methods(self, send: Send, payer_reference: str, *, reason: str) -> None:
        """Raise ``UnsupportedOperation``: Swish has no such call; each consent is removed by its own id."""
        raise UnsupportedOperation(_NO_LOOK_UP, capability="remove_all_methods", reason=_NO_LOOK_UP)

    # A charge

    async def charge(self, send: Send, request: ChargeRequest) -> Charged:
        """``POST`` the charge, which ends later. A charge that may have arrived before is looked up first."""
        _require_consent(request.kind)
        is_certain = True
        if request.again:
            charged = await self._charged_before(send, request)
            if isinstance(charged, Charged):
                return charged
            is_certain = charged.is_stated
            if request.token is None:
                return _without_token(is_certain=is_certain)
        url, body = (
            f"{self._recurring}/payments/single/{request.reference}",
            encoding.charge_body(self._config, request),
        )
        answer = await send(written("POST", url, "charge", body))
        if is_success(answer):
            observed = begun(request.reference, request.order.amount, frozenset(), prefix=CHARGE)
            return Charged(outcome=Outcome.PENDING, observation=observed)
        refusal = read_refusal(answer, "charge")
        if refusal.verdict is Verdict.SEEN_BEFORE:
            charged = await self._charged_before(send, request)
            if request.again and isinstance(charged, Charged):
                return charged
            raise refusal.error()
        decline = refusal.decline or await self._inactive(send, request, refusal)
        if decline is None:
            raise refusal.error()
        if not is_certain:
            message = f"charge: refused ({decline.provider_code}), and whether an earlier try arrived is not known"
            raise OutcomeUnknown(message)
        return Charged(outcome=Outcome.DECLINED, decline=decline)

    # Steps of the verbs

    async def _asked_before(self, send: Send, request: CreateRequest) -> Created | None:
        """Return the consent that an earlier try requested; ``None`` if there is none.

        On a first try, what exists is ours only if it reports to our address. Raises ``DuplicateReference`` if it is
        another's, which is left alone, or if the payer can no longer open it: the token comes only once. A consent of
        ours is ended first, so that the next one is the only one.
        """
        read = await self._read_consent(send, request.reference, "ask consent")
        if isinstance(read, Absent):
            return None
        consent, found = read
        if not self._is_asked(consent, request):
            message = f"ask consent: the gateway has {request.reference} as a consent that is not ours"
            raise DuplicateReference(message)
        if request.order.page is PageStyle.PHONE or found.state is PaymentState.CAPTURED:
            return Created(observation=found)
        if found.state not in _ENDED:
            await self._end(send, request.reference, "ask consent")
        message = "ask consent: an earlier try made a consent whose token was lost with its answer; it is ended"
        raise DuplicateReference(message, advice="request the consent again, under a new reference")

    def _is_asked(self, consent: _wire.Consent, request: CreateRequest) -> bool:
        """Whether a consent is the one that ``request`` asks for."""
        body = encoding.consent_body(self._config, request)
        asked = members_of(read_object(body))
        reference, number = asked.get("payeepaymentreference"), members_of(asked.get("payer")).get("alias")
        pairs = ((reference, consent.payee_payment_reference), (number, consent.payer))
        if any(ours and theirs and ours != theirs for ours, theirs in pairs):
            return False
        return names_us(consent, body) or (request.again and not consent.callback_url)

    async def _consent(self, send: Send, consent_id: str, call: str) -> Observation | Absent:
        """Read a consent as a payment of zero, which succeeds with the payer's signature, if it is shown."""
        read = await self._read_consent(send, consent_id, call)
        return read if isinstance(read, Absent) else read[1]

    async def _read_consent(self, send: Send, consent_id: str, call: str) -> tuple[_wire.Consent, Observation] | Absent:
        answer = await send(written("GET", f"{self._recurring}/consents/{consent_id}", call, retry_safe=True))
        if absent := absent_in(answer, call):
            return absent
        consent, decoded = read_answer(answer, _wire.Consent, call)
        self._check(answer, call, found=consent.name or consent_id, asked=consent_id, number=consent.payee)
        state, is_known = consent_state(consent)
        declined = state is PaymentState.DECLINED
        return consent, replace(
            _unsigned(consent_id),
            state=state,
            allowed_actions=ALLOWED[PaymentState.PENDING] if state is PaymentState.PENDING else frozenset[Action](),
            order_reference=None if self._config.clean_texts else consent.payee_payment_reference or None,
            decline=decline_of(consent.error_code or consent.status, consent.error_message) if declined else None,
            methods=(method_of(consent_id, consent.payer),) if state is PaymentState.CAPTURED else (),
            raw_status=consent.status,
            status_is_known=is_known,
            raw=raw_of(decoded.reveal()),
        )

    async def _end(self, send: Send, consent_id: str, call: str) -> None:
        """``DELETE`` a consent; one that has ended already is no error."""
        answer = await send(written("DELETE", f"{self._recurring}/consents/{consent_id}", call, retry_safe=True))
        refusal = read_refusal(answer, call)
        if is_success(answer) or refusal.has_nothing:
            return
        if refusal.verdict in {Verdict.NOT_NOW, Verdict.WRONG_REQUEST}:
            found = await self._consent(send, consent_id, call)
            if found.is_stated if isinstance(found, Absent) else found.state in _ENDED:
                return
        raise refusal.error()

    async def _charged_before(self, send: Send, request: ChargeRequest) -> Charged | Absent:
        """Return the result of an earlier try's charge, if it is shown; raises ``ForeignAnswer`` for another's."""
        read = await self._charge(send, request.reference, "charge")
        if isinstance(read, Absent):
            return read
        charge, observed = read
        consent = HiddenText("" if request.token is None else request.token.reveal())
        is_other_consent = bool(consent and charge.consent_id) and charge.consent_id.upper() != consent.upper()
        if observed.submitted != request.order.amount or is_other_consent:
            message = f"charge: the gateway has {request.reference} as another charge, of {observed.submitted}"
            raise ForeignAnswer(message, advice="another system may use the merchant's number")
        outcome = _OUTCOMES.get(observed.state, Outcome.PENDING)
        return Charged(outcome=outcome, observation=observed, decline=observed.decline)

    async def _charge(self, send: Send, charge_id: str, call: str) -> tuple[_wire.Charge, Observation] | Absent:
        """Read a charge, if it is shown. One that ended without money was declined, whatever its status."""
        url = f"{self._recurring}/payments/single/{charge_id}/status"
        answer = await send(written("GET", url, call, retry_safe=True))
        if absent := absent_in(answer, call):
            return absent
        charge, decoded = read_answer(answer, _wire.Charge, call)
        self._check(answer, call, found=charge.id or charge_id, asked=charge_id, number=charge.payee_alias)
        state, is_known = charge_state(charge)
        return charge, replace(
            observation_of(charge, decoded.reveal(), with_order_reference=False),
            provider_reference=CHARGE + charge_id,
            reference=charge_id,
            state=state,
            allowed_actions=ALLOWED[state] if state is PaymentState.CAPTURED else frozenset[Action](),
            decline=decline_in_charge(charge) if state in {PaymentState.DECLINED, PaymentState.UNKNOWN} else None,
            status_is_known=is_known,
        )

    async def _payment(self, send: Send, uuid: str, call: str) -> tuple[_wire.Payment, Observation]:
        """Read a payment, or a charge, which is refunded like one."""
        if not uuid.startswith(CHARGE):
            return await super()._payment(send, uuid, call)
        found = await self._charge(send, uuid.removeprefix(CHARGE), call)
        if isinstance(found, Absent):
            advice = f"check the account's number and environment{self._config.perhaps_forgotten}"
            message = f"{call}: the gateway has no charge {uuid} of this number; {advice}"
            raise Conflict(message, http_status=_NOT_FOUND, advice=advice)
        return found

    async def _inactive(self, send: Send, request: ChargeRequest, refusal: Refusal) -> Decline | None:
        """Return the decline if a charge was refused because its consent is not active; else ``None``.

        ``PA01`` may be about any member, and so may a 404. A 403 is about the certificate, not the consent.
        """
        codes = {problem.error_code for problem in refusal.problems}
        if refusal.status != _NOT_FOUND and (codes != {"PA01"} or refusal.status == _FORBIDDEN):
            return None
        consent = await self._consent(send, request.token_to_send().reveal(), "charge")
        if not consent.is_stated if isinstance(consent, Absent) else consent.state is PaymentState.CAPTURED:
            return None
        said = "no longer there" if isinstance(consent, Absent) else consent.raw_status
        return Decline(
            code=DeclineCode.MANDATE_INACTIVE,
            kind=DeclineKind.HARD,
            advice=Advice.NEW_METHOD,
            provider_code=next(iter(codes), str(refusal.status)),
            text=f"the payer's consent is not active: {said}",
        )

    def _check(self, answer: HttpResponse, call: str, *, found: str, asked: str, number: str) -> None:
        check_ours(answer, call, found=found, asked=asked, number=number, ours=self._config.number)

    def _named(self, body: bytes) -> str | None:
        """Return what a callback's body names.

        The callback of a consent has no amount; that of a charge has an object as amount, or names the consent.
        A consent that has ended names nothing: earlier consents of the same order, which were closed, report
        their end too.
        """
        decoded = read_object(body, exact=True)
        members = members_of(decoded)
        if "amount" not in members and {"status", "payee"} <= set(members):
            consent = read(_wire.Consent, decoded)
            return CONSENT + consent.name.upper() if consent.name and consent_state(consent)[0] not in _ENDED else None
        if isinstance(members.get("amount"), Mapping) or "consentid" in members:
            charge = read(_wire.Charge, decoded)
            return CHARGE + charge.id.upper() if charge.id else None
        return super()._named(body)


def _unsigned(consent_id: str) -> Observation:
    """Return the observation of a consent that was just requested."""
    return begun(consent_id, Money.zero(encoding.CURRENCY), ALLOWED[PaymentState.PENDING], prefix=CONSENT)


def _without_token(*, is_certain: bool) -> Charged:
    """Return how a charge ended that was not shown, and cannot be sent again because its consent was removed."""
    if is_certain:
        return Charged(outcome=Outcome.NOT_ATTEMPTED)
    message = "charge: the consent was removed, and whether an earlier try arrived is not known"
    raise OutcomeUnknown(message)


def _require_consent(kind: MandateKind) -> None:
    if kind is not MandateKind.CONSENT:
        message = f"kind: Swish stores no {kind}, only consents"
        raise InvalidOrder(message, field="kind")
