"""Swish Handel as a payment provider: each verb encodes, sends and reads.

The instruction's UUID is our reference, and the gateway's guard against a second payment: a request that may have
arrived before is looked up by it first, and sent again only under the same one.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import datetime, timedelta
from typing import Final

from prenopay._hidden import raise_alone
from prenopay._text import quoted
from prenopay.errors import (
    Conflict,
    DuplicateReference,
    ForeignAnswer,
    InvalidOrder,
    OutcomeUnknown,
    ProviderUnavailable,
    TransportError,
    UnexpectedAnswer,
)
from prenopay.ports import HttpResponse, Send
from prenopay.provider import (
    Cancels,
    ChangeRequest,
    Created,
    CreateRequest,
    DrawsQr,
    Limits,
    Observation,
    PaymentProvider,
    PayoutRequest,
    PaysOut,
    Probe,
    ReceivesCallbacks,
    ReferenceAlphabet,
    ReferenceRule,
    RefundsApart,
    Reply,
)
from prenopay.provider.wire import In, Unreadable, is_success, read, read_object
from prenopay.providers.swish import _wire, certificates, encoding, signing
from prenopay.providers.swish.calls import Absent, Calls
from prenopay.providers.swish.config import SwishAccount
from prenopay.providers.swish.matching import differences, names_us, require_ours
from prenopay.providers.swish.problems import Refusal, Verdict, read_refusal
from prenopay.providers.swish.qr import app_switch
from prenopay.providers.swish.reading import ALLOWED, begun, reply_of
from prenopay.values.callbacks import CallbackReply, CallbackRequest, Heard
from prenopay.values.orders import Order, PageStyle
from prenopay.values.payments import Action, Outcome, PaymentState

__all__ = ["SwishProvider", "created"]

_UUID: Final = re.compile(r"[0-9A-F]{32}")
_PAGE_LIVES: Final = timedelta(minutes=7)
"""The payer has three minutes, and Swish gives up after five and a half (integrators): this is later than both."""
_REMEMBERED: Final = timedelta(days=390)
"""Swish promises no time for which it refuses a UUID again; it knows a payment for 13 months (RF02)."""
_SETTLES: Final = frozenset({Verdict.DECLINE, Verdict.WRONG_REQUEST, Verdict.NOT_NOW})
"""Refusals after which nothing has happened, if nothing had happened before."""
_ENDED_UNPAID: Final = frozenset({PaymentState.CANCELLED, PaymentState.EXPIRED, PaymentState.DECLINED})
_LOOK_AT_OPEN: Final = (
    (timedelta(minutes=10), timedelta(seconds=15)),
    (timedelta(hours=1), timedelta(minutes=5)),
    (timedelta(days=1), timedelta(hours=1)),
)
"""(age below, look every): a payment ends within minutes."""
_LOOK_AT_OLD: Final = timedelta(days=1)
"""As long as it is open: it may have been sent again late, or Swish itself may not know its result."""
_NOT_SUPPORTED: Final = {
    "capture": "Swish takes the money at once, so there is nothing to capture; use refund to give it back",
    "update": "an open request cannot be changed: cancel it and create a new payment",
    "charge": "standing consents are experimental: set recurring = true for an account with that agreement",
    "store": "standing consents are experimental: set recurring = true for an account with that agreement",
}


class SwishProvider(PaymentProvider, Cancels, RefundsApart, ReceivesCallbacks, PaysOut, DrawsQr):
    """Payments, refunds and payouts of one Swish number."""

    name = "swish"

    def __init__(self, config: SwishAccount[object]) -> None:
        """Act for the merchant of ``config``; raises ``ConfigurationError`` if its certificates cannot work."""
        self._config = config
        self._calls = Calls(config)
        self.merchant: str = config.number
        self._credentials = config.credentials()
        self._signing = config.signing_credentials() if config.signing_certificate else self._credentials
        self.hosts: frozenset[str] = config.hosts
        self.page_hosts: frozenset[str] = config.page_hosts
        self.limits: Limits = Limits(
            currencies=frozenset({encoding.CURRENCY}),
            reference=ReferenceRule(alphabet=ReferenceAlphabet.HEX, length=32),
            resend_window=_REMEMBERED,
            page_lives=_PAGE_LIVES,
            partial_capture=False,
            partial_refund=True,
            deadline_seconds=config.deadline_seconds,
            not_supported=_NOT_SUPPORTED,
        )

    # Taking a payment

    def check_order(self, order: Order) -> None:
        """Raise ``InvalidOrder`` for what a payment request cannot express."""
        encoding.check_order(self._config, order)

    async def create_payment(self, send: Send, request: CreateRequest) -> Created:
        """``PUT`` the request. A request that may have arrived before is looked up first."""
        body = encoding.payment_body(self._config, request)
        if request.again and (found := await self._made_before(send, request, body)) is not None:
            return found
        answer = await self._calls.put(send, "paymentrequests", request.reference, body, "create")
        if is_success(answer):
            self._calls.check_location(answer, request.reference, "create")
            observed = begun(request.reference, request.order.amount, ALLOWED[PaymentState.PENDING])
            return created(answer, observed, request.order, "create")
        refusal = read_refusal(answer, "create")
        if refusal.verdict is Verdict.SEEN_BEFORE:
            found = await self._made_before(send, request, body)
            if found is not None:
                return found
        raise refusal.error()

    async def observe(self, send: Send, provider_reference: str) -> Observation:
        """``GET`` the payment."""
        return (await self._payment(send, provider_reference, "observe"))[1]

    # Ending a payment, and giving money back

    async def cancel(self, send: Send, request: ChangeRequest) -> Reply:
        """``PATCH`` an open request to cancelled; a paid one must be refunded instead."""
        observed = await self._cancel(send, request.provider_reference, "cancel")
        if observed.state is PaymentState.CANCELLED:
            return Reply(outcome=Outcome.SUCCEEDED, observation=observed)
        if observed.state is PaymentState.PENDING:
            return Reply(outcome=Outcome.PENDING, observation=observed)
        raise observed.refuses(Action.CANCEL)

    async def refund(self, send: Send, request: ChangeRequest) -> Reply:
        """``PUT`` a refund of a paid payment, which the bank's reference names; it settles seconds to days later."""
        payment, observed = await self._payment(send, request.provider_reference, "refund")
        body = self._refund_body(request, payment)
        is_certain = True
        if request.again:
            found = await self._calls.refund(send, request.reference, "refund")
            if not isinstance(found, Absent):
                return _same(found, body, request.first_tried_at, "refund")
            is_certain = found.is_stated
        if observed.state is not PaymentState.CAPTURED:
            raise observed.refuses(Action.REFUND, stated=is_certain)
        if not payment.payment_reference:
            message = "refund: the gateway gives no bank reference for this payment, and refunds nothing without one"
            raise Conflict(message, advice="give the money back another way, such as a payout", stated=is_certain)
        answer = await self._calls.put(send, "refunds", request.reference, body, "refund")
        if is_success(answer):
            self._calls.check_location(answer, request.reference, "refund")
            return Reply(outcome=Outcome.PENDING)
        refusal = read_refusal(answer, "refund")
        if refusal.verdict is Verdict.SEEN_BEFORE:
            found = await self._calls.refund(send, request.reference, "refund")
            return _seen_before(found, body, request.first_tried_at, refusal, again=request.again)
        return _refused(refusal, is_certain=is_certain)

    async def observe_refund(self, send: Send, request: ChangeRequest, payment: Observation) -> Reply:
        """``GET`` the refund; one the gateway does not have (yet) is pending."""
        call = "observe refund"
        found = await self._calls.refund(send, request.reference, call)
        if isinstance(found, Absent):
            return Reply(outcome=Outcome.PENDING)
        body = encoding.refund_body(
            self._config,
            request,
            original=payment.bank_reference or "",
            order_reference=payment.order_reference or "",
        )
        return _same(found, body, request.first_tried_at, call)

    def _refund_body(self, request: ChangeRequest, payment: _wire.Payment) -> bytes:
        return encoding.refund_body(
            self._config,
            request,
            original=payment.payment_reference,
            order_reference=payment.payee_payment_reference,
        )

    # Sending money

    def write_payout(self, request: PayoutRequest) -> bytes:
        """Return the signed instruction; raises ``InvalidOrder`` for what it cannot express."""
        payload = encoding.payout_payload(self._config, request, self._signing.serial)
        return signing.sealed(
            payload,
            signing.sign(self._signing.key, payload),
            callbackUrl=request.callback_url,
            callbackIdentifier=encoding.callback_identifier(request.callback_url),
        )

    async def pay_out(self, send: Send, reference: str, body: bytes, *, again: bool) -> Reply:
        """``POST`` the instruction as it was signed, never under another UUID."""
        is_certain = True
        if again:
            found = await self._calls.payout(send, reference, "payout")
            if not isinstance(found, Absent):
                return _same(found, body, _wire.signed_at(body), "payout")
            is_certain = found.is_stated
        answer = await self._calls.post_payout(send, body)
        if is_success(answer):
            self._calls.check_location(answer, reference, "payout")
            return Reply(outcome=Outcome.PENDING)
        refusal = read_refusal(answer, "payout")
        if refusal.verdict is Verdict.SEEN_BEFORE:
            found = await self._calls.payout(send, reference, "payout")
            return _seen_before(found, body, _wire.signed_at(body), refusal, again=again)
        return _refused(refusal, is_certain=is_certain)

    async def observe_payout(self, send: Send, reference: str, body: bytes) -> Reply:
        """``GET`` the payout; one the gateway does not have (yet) is pending."""
        found = await self._calls.payout(send, reference, "observe payout")
        if isinstance(found, Absent):
            return Reply(outcome=Outcome.PENDING)
        return _same(found, body, _wire.signed_at(body), "observe payout")

    # Callbacks

    def read_callback(self, request: CallbackRequest) -> Heard:
        """Read which payment a callback is about. Swish does not sign callbacks: each is a hint at most."""
        if problem := self._config.source_problem(request):
            return Heard(problem=problem)
        stated = next((value for name, value in request.headers.items() if name.lower() == "callbackidentifier"), "")
        expected = encoding.callback_identifier(request.path)
        if stated and not hmac.compare_digest(stated.strip().upper().encode(errors="replace"), expected.encode()):
            return Heard(problem="its callbackIdentifier is not the one that was given to Swish")
        try:
            named = self._named(request.body)
        except Unreadable as error:
            return Heard(problem=str(error))
        return Heard(names=() if named is None else (named,))

    def callback_reply(self, *, accepted: bool) -> CallbackReply:
        """Exactly ``200``, which ends the ten repeats; an unreadable callback gets ``400``."""
        return CallbackReply(status=200) if accepted else CallbackReply(status=400, body=b"unreadable callback\n")

    def next_check(self, state: PaymentState, age: timedelta) -> timedelta | None:
        """Look often while the payer may be in the app, daily if Swish does not know the result."""
        if state not in {PaymentState.CREATED, PaymentState.PENDING, PaymentState.UNKNOWN}:
            return None
        return next((pause for below, pause in _LOOK_AT_OPEN if age < below), _LOOK_AT_OLD)

    async def draw_qr(self, send: Send, token: str, *, image: str) -> bytes:
        """Return the QR code of an open payment's app token as an image that Swish draws: ``svg`` or ``png``."""
        if image not in {"svg", "png"}:
            message = f"image: must be 'svg' or 'png', not {quoted(image)}"
            raise InvalidOrder(message, field="image")
        answer = await self._calls.draw(send, token, image)
        if not is_success(answer):
            raise read_refusal(answer, "qr").error()
        if not answer.body:
            message = "qr: the service answered without an image"
            raise UnexpectedAnswer(message, http_status=answer.status)
        return answer.body

    async def probe(self, send: Send) -> tuple[Probe, ...]:
        """Examine the certificates, and read a payment that cannot exist."""
        number = self._config.number
        found = certificates.examine(self._credentials, number, what="certificate", is_shown=True)
        if self._signing is not self._credentials:
            found += certificates.examine(self._signing, number, what="signing certificate", is_shown=False)
        no_payment = hashlib.sha256(f"prenopay doctor\n{number}".encode()).hexdigest()[:32].upper()
        try:
            answer = await self._calls.get(send, "paymentrequests", no_payment, "probe")
        except TransportError as error:
            return (*found, certificates.explain_trouble(error))
        clock = Probe(name="clock", ok=True, found="", gateway_time=answer.moment("date"))
        return (*found, certificates.explain_answer(answer), clock)

    # Steps of the verbs

    async def _made_before(self, send: Send, request: CreateRequest, body: bytes) -> Created | None:
        """Return the payment that an earlier try made; ``None`` if none was shown.

        On a first try, what exists is ours only if it reports to our address: then the request was sent twice on its
        way. Raises ``DuplicateReference`` if it is another's, which is left alone, or if the payer can no longer
        open it: the token comes only once. A request of ours is cancelled first, so that the next one is the only
        one.
        """
        read = await self._calls.payment(send, request.reference, "create")
        if isinstance(read, Absent):
            return None
        found, observed = read
        if differences(found, body) or not (request.again or names_us(found, body)):
            message = (
                f"create: the gateway has {request.reference} as a request of {observed.submitted} that is not ours"
            )
            raise DuplicateReference(message)
        require_ours("create", found, body, request.first_tried_at)
        if request.order.page is PageStyle.PHONE:
            return Created(observation=observed)
        if observed.state is PaymentState.PENDING:
            observed = await self._cancel(send, request.reference, "create")
        if observed.state in _ENDED_UNPAID:
            message = "create: an earlier try made a request whose token was lost with its answer; it is closed"
            raise DuplicateReference(message, advice="request it again, under a new reference")
        if observed.state is PaymentState.PENDING:
            message = "create: an earlier try made a request whose token was lost, and it cannot be closed yet"
            raise ProviderUnavailable(message, advice="repeat with the same id in some minutes")
        return Created(observation=observed)

    async def _cancel(self, send: Send, uuid: str, call: str) -> Observation:
        """Cancel, and return the payment: cancelled, or in the state that it had reached before."""
        _require_uuid(uuid, call)
        answer = await self._calls.patch_cancelled(send, uuid, call)
        if is_success(answer):
            return self._calls.read_payment(answer, uuid, call)[1]
        refusal = read_refusal(answer, call)
        if any(problem.error_code == "RP07" for problem in refusal.problems):
            return (await self._payment(send, uuid, call))[1]
        raise refusal.error()

    async def _payment(self, send: Send, uuid: str, call: str) -> tuple[_wire.Payment, Observation]:
        _require_uuid(uuid, call)
        found = await self._calls.payment(send, uuid, call)
        if isinstance(found, Absent):
            advice = f"check the account's number and environment{self._config.perhaps_forgotten}"
            message = f"{call}: the gateway has no payment {uuid} of this number; {advice}"
            raise Conflict(message, http_status=404, provider_code="RP04", advice=advice)
        return found

    def _named(self, body: bytes) -> str | None:
        """Return the payment that a callback's body names; callbacks of refunds and payouts name none."""
        decoded = read_object(body, exact=True)
        names = {name.lower() for name, value in decoded.items() if value not in (None, "")}
        if "payoutinstructionuuid" in names or "originalpaymentreference" in names:
            model: type[In] = _wire.Payout if "payoutinstructionuuid" in names else _wire.Refund
            read(model, decoded)
            return None
        return read(_wire.Payment, decoded).id


def _require_uuid(uuid: str, call: str) -> None:
    if not _UUID.fullmatch(uuid):
        message = f"{call}: {quoted(uuid)} is not the UUID of a payment"
        raise Conflict(message, advice="consents and charges on them need an account with recurring = true")


def created(answer: HttpResponse, observation: Observation, order: Order, call: str) -> Created:
    """Return what an answer to a create made: with a token for the app, unless Swish calls the payer's phone."""
    if order.page is PageStyle.PHONE:
        return Created(observation=observation)
    token = answer.header("paymentrequesttoken")
    if not token:
        message = f"{call}: the gateway took the request but gave no token, so no app can open it"
        raise UnexpectedAnswer(message, http_status=answer.status)
    return Created(observation=observation, app_switch=app_switch(token, order.return_url))


def _same(found: _wire.Refund | _wire.Payout, body: bytes, first_tried_at: datetime | None, call: str) -> Reply:
    """Return the state of what was found; raises ``ForeignAnswer`` unless it is what ``body`` asks for."""
    require_ours(call, found, body, first_tried_at)
    return reply_of(found)


def _seen_before(
    found: _wire.Refund | _wire.Payout | Absent,
    body: bytes,
    first_tried_at: datetime | None,
    refusal: Refusal,
    *,
    again: bool,
) -> Reply:
    """Return what is under a UUID that the gateway has seen before, if an earlier try of ours put it there.

    On a first try nothing of ours can be there, unless the request was sent twice on its way: then the next look
    decides. Raises ``DuplicateReference`` if it is certainly another's.
    """
    if isinstance(found, Absent):
        message = f"{refusal.call}: the gateway has seen the reference before, and shows nothing under it"
        raise UnexpectedAnswer(message, http_status=refusal.status, advice="compare with the merchant's account")
    try:
        reply = _same(found, body, first_tried_at, refusal.call)
    except ForeignAnswer:
        if again:
            raise
        raise_alone(refusal.error())
    if not again:
        message = f"{refusal.call}: the gateway has this already, though it was not sent before: look it up"
        raise OutcomeUnknown(message)
    return reply


def _refused(refusal: Refusal, *, is_certain: bool) -> Reply:
    """Return a decline, or raise what the refusal is.

    A refusal of this try settles nothing while an earlier one may have arrived (not ``is_certain``).
    """
    if not is_certain and refusal.verdict in _SETTLES:
        error = refusal.error()
        message = f"{error}; whether an earlier try arrived is not known: the gateway did not say that it has nothing"
        raise OutcomeUnknown(message)
    if refusal.verdict is Verdict.DECLINE:
        return Reply(outcome=Outcome.DECLINED, decline=refusal.decline)
    raise refusal.error()
