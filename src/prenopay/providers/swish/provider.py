"""Swish Handel as a payment provider: each verb encodes, sends and reads.

The instruction's UUID is our reference and the gateway's guard against doing a thing twice: what may
have arrived before is looked up under it first, and asked for again only under the same one.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from prenopay.errors import (
    Conflict,
    DuplicateReference,
    InvalidOrder,
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
from prenopay.providers.swish import _wire, encoding, examination, signing
from prenopay.providers.swish.api import Api, is_success
from prenopay.providers.swish.config import SwishAccount
from prenopay.providers.swish.problems import Verdict
from prenopay.providers.swish.qr import app_switch
from prenopay.providers.swish.reading import reply_of
from prenopay.providers.swish.refusals import read_refusal
from prenopay.values.callbacks import (
    CallbackReply,
    CallbackRequest,
    Heard,
    source_address,
)
from prenopay.values.money import Money
from prenopay.values.orders import Instrument, Order, PageStyle
from prenopay.values.payments import Action, Outcome, PaymentState

__all__ = ["SwishProvider", "not_now"]

_UUID: Final = re.compile(r"[0-9A-F]{32}")
_PAGE_LIVES: Final = timedelta(minutes=7)
"""The payer has three minutes, and Swish gives up after five and a half (integrators): later than both."""
_ENDED_UNPAID: Final = frozenset({PaymentState.CANCELLED, PaymentState.EXPIRED, PaymentState.DECLINED})
_LOOK_AT_OPEN: Final = (
    (timedelta(minutes=10), timedelta(seconds=15)),
    (timedelta(hours=1), timedelta(minutes=5)),
    (timedelta(days=1), timedelta(hours=1)),
)
"""(age below, look every): an answer is there within minutes."""
_LOOK_AT_OLD: Final = timedelta(days=1)
"""As long as it is open: a request that was sent again late, or one of which Swish itself knows nothing."""
_NOT_SUPPORTED: Final = {
    "capture": "Swish takes the money at once: there is nothing to capture, and refund gives it back",
    "update": "an open request cannot be changed: cancel it and create a new payment",
    "charge": "standing consents are experimental: set recurring = true for an account with that agreement",
    "store": "standing consents are experimental: set recurring = true for an account with that agreement",
}


class SwishProvider(PaymentProvider, Cancels, RefundsApart, ReceivesCallbacks, PaysOut, DrawsQr):
    """Payments, refunds and payouts of one Swish number."""

    name = "swish"

    def __init__(self, config: SwishAccount[object]) -> None:
        """Speak for the merchant of ``config``; raises ``ConfigurationError`` if its certificates cannot work."""
        self._config = config
        self._api = Api(config)
        self._credentials = config.credentials()
        self._signing = config.signing_credentials() if config.signing_certificate else self._credentials
        self.hosts: frozenset[str] = config.hosts
        self.limits: Limits = Limits(
            currencies=frozenset({encoding.CURRENCY}),
            reference=ReferenceRule(alphabet=ReferenceAlphabet.HEX, length=32),
            resend_window=None,
            page_lives=_PAGE_LIVES,
            partial_capture=False,
            deadline_seconds=config.deadline_seconds,
            not_supported=_NOT_SUPPORTED,
        )

    # Taking a payment

    def check_order(self, order: Order) -> None:
        """Raise ``InvalidOrder`` for what a payment request cannot hold."""
        encoding.check_order(self._config, order)

    async def create_payment(self, send: Send, request: CreateRequest) -> Created:
        """``PUT`` the request. What may have arrived before is looked up first."""
        body = encoding.payment_body(self._config, request)
        if request.again and (created := await self._made_before(send, request)) is not None:
            return created
        answer = await self._api.put(send, "paymentrequests", request.reference, body, "create")
        if is_success(answer):
            return self._created(answer, request)
        refusal = read_refusal(answer, "create")
        if refusal.verdict is Verdict.SEEN_BEFORE:
            created = await self._made_before(send, request)
            if created is not None:
                return created
        raise refusal.error()

    async def observe(self, send: Send, provider_reference: str) -> Observation:
        """``GET`` the payment."""
        return (await self._payment(send, provider_reference, "observe"))[1]

    # Ending a payment, and giving money back

    async def cancel(self, send: Send, request: ChangeRequest) -> Reply:
        """``PATCH`` an open request to cancelled; money that was taken is refunded instead."""
        observed = await self._cancel(send, request.provider_reference, "cancel")
        if observed.state is PaymentState.CANCELLED:
            return Reply(outcome=Outcome.SUCCEEDED, observation=observed)
        if observed.state is PaymentState.PENDING:
            return Reply(outcome=Outcome.PENDING, observation=observed)
        raise not_now(Action.CANCEL, observed)

    async def refund(self, send: Send, request: ChangeRequest) -> Reply:
        """``PUT`` a refund of a paid payment, under the bank's reference of it; settled seconds to days later."""
        if request.again:
            found = await self._api.refund(send, request.reference, "refund")
            if found is not None:
                return reply_of(found)
        payment, observed = await self._payment(send, request.provider_reference, "refund")
        if observed.state is not PaymentState.CAPTURED:
            raise not_now(Action.REFUND, observed)
        if not payment.payment_reference:
            message = "refund: the gateway tells no bank reference of this payment, and refunds nothing without one"
            raise Conflict(message, advice="give the money back another way, such as a payout")
        body = encoding.refund_body(
            self._config,
            request,
            original=payment.payment_reference,
            order_reference=payment.payee_payment_reference,
        )
        answer = await self._api.put(send, "refunds", request.reference, body, "refund")
        if is_success(answer):
            self._api.check_location(answer, request.reference, "refund")
            return Reply(outcome=Outcome.PENDING)
        refusal = read_refusal(answer, "refund")
        if refusal.verdict is Verdict.SEEN_BEFORE:
            found = await self._api.refund(send, request.reference, "refund")
            if found is not None:
                return reply_of(found)
        if refusal.verdict is Verdict.DECLINE:
            return Reply(outcome=Outcome.DECLINED, decline=refusal.decline)
        raise refusal.error()

    async def observe_refund(self, send: Send, reference: str, currency: str) -> Reply:
        """``GET`` the refund; one the gateway does not have (yet) is pending."""
        found = await self._api.refund(send, reference, "observe refund")
        if found is None:
            return Reply(outcome=Outcome.PENDING)
        if found.currency != currency:
            message = f"observe refund: it is in {found.currency}, the payment is in {currency}"
            raise UnexpectedAnswer(message)
        return reply_of(found)

    # Sending money

    def write_payout(self, request: PayoutRequest) -> bytes:
        """Return the signed instruction; raises ``InvalidOrder`` for what it cannot hold."""
        payload = encoding.payout_payload(self._config, request, self._signing.serial)
        return signing.sealed(
            payload,
            signing.sign(self._signing.key, payload),
            callbackUrl=request.callback_url,
            callbackIdentifier=encoding.callback_identifier(request.callback_url),
        )

    async def pay_out(self, send: Send, reference: str, body: bytes, *, again: bool) -> Reply:
        """``POST`` the instruction as it was signed; never under another UUID."""
        if again:
            found = await self._api.payout(send, reference, "payout")
            if found is not None:
                return reply_of(found)
        answer = await self._api.post_payout(send, body)
        if is_success(answer):
            self._api.check_location(answer, reference, "payout")
            return Reply(outcome=Outcome.PENDING)
        refusal = read_refusal(answer, "payout")
        if refusal.verdict is Verdict.SEEN_BEFORE:
            found = await self._api.payout(send, reference, "payout")
            if found is not None:
                return reply_of(found)
            message = f"payout: the gateway has seen {reference} before, and says it has no such payout"
            raise UnexpectedAnswer(message, http_status=answer.status, advice="compare with the merchant's account")
        if refusal.verdict is Verdict.DECLINE:
            return Reply(outcome=Outcome.DECLINED, decline=refusal.decline)
        raise refusal.error()

    async def observe_payout(self, send: Send, reference: str) -> Reply:
        """``GET`` the payout; one the gateway does not have (yet) is pending."""
        found = await self._api.payout(send, reference, "observe payout")
        return Reply(outcome=Outcome.PENDING) if found is None else reply_of(found)

    # Hearing of changes

    def read_callback(self, request: CallbackRequest) -> Heard:
        """Read which payment a callback is about. Swish does not sign: it is a hint at most."""
        if self._config.callback_sources:
            source = source_address(request, self._config.trusted_proxies)
            networks = [ipaddress.ip_network(network) for network in self._config.callback_sources]
            if source is None or not any(source in network for network in networks):
                return Heard(problem=f"came from {source}, which is not an address of the gateway")
        stated = next((value for name, value in request.headers.items() if name.lower() == "callbackidentifier"), "")
        expected = encoding.callback_identifier(request.path)
        if stated and not hmac.compare_digest(stated.strip().upper().encode(errors="replace"), expected.encode()):
            return Heard(problem="its callbackIdentifier is not the one that was handed out")
        try:
            named = self._named(request.body)
        except _wire.Unreadable as error:
            return Heard(problem=str(error))
        return Heard(names=() if named is None else (named,))

    def callback_reply(self, *, accepted: bool) -> CallbackReply:
        """Exactly ``200``, which ends the ten repeats; what cannot be read gets ``400``."""
        return CallbackReply(status=200) if accepted else CallbackReply(status=400, body=b"unreadable callback\n")

    def next_check(self, state: PaymentState, age: timedelta) -> timedelta | None:
        """Look often while the payer may be in the app, daily where Swish does not know what became of it."""
        if state not in {PaymentState.CREATED, PaymentState.PENDING, PaymentState.UNKNOWN}:
            return None
        return next((pause for below, pause in _LOOK_AT_OPEN if age < below), _LOOK_AT_OLD)

    async def draw_qr(self, send: Send, token: str, *, image: str) -> bytes:
        """Have the QR service draw the code of an open payment."""
        if image not in {"svg", "png"}:
            message = f"image: must be 'svg' or 'png', not {image!r}"
            raise InvalidOrder(message, field="image")
        answer = await self._api.draw(send, token, image)
        if not is_success(answer):
            raise read_refusal(answer, "qr").error()
        if not answer.body:
            message = "qr: the service answered with no image"
            raise UnexpectedAnswer(message, http_status=answer.status)
        return answer.body

    async def probe(self, send: Send) -> tuple[Probe, ...]:
        """Look through the certificates, and ask for a payment that nobody has."""
        number = self._config.number
        found = examination.examine(self._credentials, number, what="certificate", is_shown=True)
        if self._signing is not self._credentials:
            found += examination.examine(self._signing, number, what="signing certificate", is_shown=False)
        nobodys = hashlib.sha256(f"prenopay doctor\n{number}".encode()).hexdigest()[:32].upper()
        try:
            answer = await self._api.get(send, "paymentrequests", nobodys, "probe")
        except TransportError as error:
            return (*found, examination.explain_trouble(error))
        clock = Probe(name="clock", ok=True, found="", gateway_time=_date(answer))
        return (*found, examination.explain_answer(answer), clock)

    # One step down

    def _created(self, answer: HttpResponse, request: CreateRequest) -> Created:
        """Read the answer to a create, which has no body: what was asked is what there is."""
        self._api.check_location(answer, request.reference, "create")
        order, nothing = request.order, Money.zero(request.order.amount.currency)
        observation = Observation(
            provider_reference=request.reference,
            state=PaymentState.PENDING,
            authorized=nothing,
            captured=nothing,
            refunded=None,
            cancelled=nothing,
            submitted=order.amount,
            fee=nothing,
            discount=nothing,
            allowed_actions=frozenset({Action.CANCEL}),
            instrument=Instrument.SWISH.value,
            reference=request.reference,
            raw_status="CREATED",
        )
        if order.page is PageStyle.PHONE:
            return Created(observation=observation)
        token = answer.header("paymentrequesttoken")
        if not token:
            message = "create: the gateway took the request and gave no token, so that no app can open it"
            raise UnexpectedAnswer(message, http_status=answer.status)
        return Created(observation=observation, app_switch=app_switch(token, order.return_url))

    async def _made_before(self, send: Send, request: CreateRequest) -> Created | None:
        """Return what an earlier try made; ``None`` if it made nothing.

        Raises ``DuplicateReference`` where it made a request that nobody can open any more: the token is
        told once only. Such a request is cancelled first, so that the next one is the only one.
        """
        found = await self._api.payment(send, request.reference, "create")
        if found is None:
            return None
        observed = found[1]
        if observed.submitted != request.order.amount:
            message = f"create: the gateway has {request.reference} as a request of {observed.submitted}"
            raise DuplicateReference(message)
        if request.order.page is PageStyle.PHONE:
            return Created(observation=observed)
        if observed.state is PaymentState.PENDING:
            observed = await self._cancel(send, request.reference, "create")
        if observed.state in _ENDED_UNPAID:
            message = "create: an earlier try made a request whose token was lost with its answer; it is closed"
            raise DuplicateReference(message, advice="make the request anew, under a new reference")
        if observed.state is PaymentState.PENDING:
            message = "create: an earlier try made a request whose token was lost, and it cannot be closed yet"
            raise ProviderUnavailable(message, advice="repeat with the same id in some minutes")
        return Created(observation=observed)

    async def _cancel(self, send: Send, uuid: str, call: str) -> Observation:
        """Cancel, and return how the payment stands: cancelled, or whatever it had become before."""
        _require_uuid(uuid, call)
        answer = await self._api.patch_cancelled(send, uuid, call)
        if is_success(answer):
            return self._api.read_payment(answer, uuid, call)[1]
        refusal = read_refusal(answer, call)
        if any(problem.error_code == "RP07" for problem in refusal.problems):
            return (await self._payment(send, uuid, call))[1]
        raise refusal.error()

    async def _payment(self, send: Send, uuid: str, call: str) -> tuple[_wire.Payment, Observation]:
        _require_uuid(uuid, call)
        found = await self._api.payment(send, uuid, call)
        if found is None:
            message = f"{call}: the gateway has no payment {uuid} of this number"
            raise Conflict(message, http_status=404, provider_code="RP04", advice="check the account's number")
        return found

    def _named(self, body: bytes) -> str | None:
        """Return which payment a callback's body names; refunds and payouts have URLs, and no payment's id."""
        decoded = _wire.read_object(body)
        names = {name.lower() for name, value in decoded.items() if value not in (None, "")}
        if "payoutinstructionuuid" in names or "originalpaymentreference" in names:
            model: type[_wire.Money] = _wire.Payout if "payoutinstructionuuid" in names else _wire.Refund
            _wire.read(model, decoded)
            return None
        return _wire.read(_wire.Payment, decoded).id


def _require_uuid(uuid: str, call: str) -> None:
    if not _UUID.fullmatch(uuid):
        message = f"{call}: {uuid!r} is not the UUID of a payment"
        raise Conflict(message, advice="consents and charges on them need an account with recurring = true")


def not_now(verb: Action, observed: Observation) -> Conflict:
    """Return the error that says what the payment allows instead of ``verb``."""
    allowed = ", ".join(sorted(observed.allowed_actions)) or "nothing"
    message = (
        f"{verb} is not possible now: the payment is {observed.state} ({observed.raw_status}), "
        f"the gateway allows {allowed}"
    )
    return Conflict(message, advice="observe the payment and look at its allowed_actions")


def _date(answer: HttpResponse) -> datetime | None:
    """Return when the gateway says it answered."""
    try:
        read = parsedate_to_datetime(answer.header("date") or "")
    except (ValueError, OverflowError):
        return None
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read
