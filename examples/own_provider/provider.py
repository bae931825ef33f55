"""Nordpay, an invented gateway, as a provider: payments in one step, refunds, callbacks.

Everything about Nordpay is made up. It has one object, the payment, which is put under a reference of the
merchant's: ``PUT /payments/{reference}`` makes it once, however often it is sent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, cast

from prenopay.errors import (
    Conflict,
    DuplicateReference,
    ForeignAnswer,
    InvalidOrder,
    ProviderUnavailable,
    RateLimited,
    Rejected,
    Unauthenticated,
    UnexpectedAnswer,
)
from prenopay.provider import (
    Action,
    Advice,
    CallbackReply,
    CallbackRequest,
    Cancels,
    ChangeRequest,
    Created,
    CreateRequest,
    Decline,
    DeclineCode,
    DeclineKind,
    Environment,
    Heard,
    Hidden,
    HiddenText,
    HttpRequest,
    HttpResponse,
    Inspection,
    Limits,
    Money,
    Observation,
    Order,
    Outcome,
    PageStyle,
    PaymentProvider,
    PaymentState,
    Probe,
    ProviderConfig,
    ReceivesCallbacks,
    ReferenceAlphabet,
    ReferenceRule,
    Refunds,
    Reply,
    Secret,
    Send,
    raise_alone,
)

__all__ = ["Nordpay", "NordpayProvider"]

_HOSTS: Final = {Environment.TEST: "test.nordpay.example", Environment.PRODUCTION: "api.nordpay.example"}
_CURRENCIES: Final = frozenset({"NOK", "SEK"})
_STATES: Final = {
    "open": PaymentState.PENDING,
    "paid": PaymentState.CAPTURED,
    "closed": PaymentState.CANCELLED,
    "refused": PaymentState.DECLINED,
}
_DECLINES: Final = {
    "no-funds": (DeclineCode.INSUFFICIENT_FUNDS, DeclineKind.SOFT, Advice.RETRY_LATER),
    "blocked": (DeclineCode.CARD_BLOCKED, DeclineKind.HARD, Advice.NEVER),
}
_SURPRISE: Final = (DeclineCode.UNAVAILABLE, DeclineKind.SOFT, Advice.NEVER)
"""A reason that is on no page leaves open whether money moved."""
_WORDS: Final = frozenset({"no such payment", "paid", "more than was paid"})
"""What Nordpay answers when it refuses, as its reference has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nordpay(ProviderConfig["NordpayProvider"]):
    """An account with Nordpay."""

    api_key: Secret
    merchant_id: str = "4711"

    def provider(self) -> NordpayProvider:
        """Build the provider that speaks for this account."""
        return NordpayProvider(self)

    @classmethod
    def inspect(cls, body: bytes) -> Inspection:
        """Say how a stored payment is read; raises ``ValueError`` for what is none."""
        status = _object(body).get("status")
        if not isinstance(status, str):
            message = "this is not a payment of Nordpay's: it has no status"
            raise ValueError(message)  # noqa: TRY004 - what is wrong is a value from outside
        return Inspection(kind="payment", state=_STATES.get(status))


class NordpayProvider(PaymentProvider, Cancels, Refunds, ReceivesCallbacks):
    """Payments of one merchant. Each verb encodes, sends and reads."""

    name = "nordpay"

    def __init__(self, config: Nordpay) -> None:
        """Speak for the merchant of ``config``."""
        self._config = config
        host = _HOSTS[config.environment]
        self.merchant: str = config.merchant_id
        self._url = f"https://{host}/payments/"
        self.hosts: frozenset[str] = frozenset({host})
        self.limits: Limits = Limits(
            currencies=_CURRENCIES,
            reference=ReferenceRule(alphabet=ReferenceAlphabet.CAPITALS_AND_DIGITS, length=20),
            resend_window=None,
            page_lives=timedelta(hours=1),
            partial_capture=False,
            not_supported={
                "capture": "Nordpay takes the money at once: refund gives it back",
                "update": "cancel the payment and create another",
            },
        )

    # Taking a payment

    def check_order(self, order: Order) -> None:
        """Raise ``InvalidOrder`` for an order that Nordpay cannot express."""
        if order.amount.currency not in _CURRENCIES:
            message = f"amount: Nordpay takes NOK and SEK, not {order.amount.currency}"
            raise InvalidOrder(message, field="amount")
        if order.page is not PageStyle.REDIRECT:
            message = "page: Nordpay has a page to redirect to, and nothing else"
            raise InvalidOrder(message, field="page")
        if order.store is not None:
            message = "store: Nordpay stores no methods"
            raise InvalidOrder(message, field="store")

    async def create_payment(self, send: Send, request: CreateRequest) -> Created:
        """``PUT`` the payment: the same reference again returns the same payment, or another system's."""
        order = request.order
        body: Hidden[Mapping[str, object]] = Hidden(
            {
                "amount": order.amount.minor,
                "currency": order.amount.currency,
                "text": order.description,
                "return_url": order.return_url,
                "callback_url": request.callback_url,
            }
        )
        payment = await self._call(send, "PUT", request.reference, "create", body)
        if request.payment_id not in str(payment.reveal().get("callback_url")):
            message = f"create: Nordpay has {request.reference} as a payment that is not ours"
            raise DuplicateReference(message)
        return Created(observation=_observed(payment), redirect_url=_page(payment))

    async def observe(self, send: Send, provider_reference: str) -> Observation:
        """``GET`` the payment."""
        return _observed(await self._call(send, "GET", provider_reference, "observe"))

    def next_check(self, state: PaymentState, age: timedelta) -> timedelta | None:
        """Look every five minutes while the payer may pay."""
        return timedelta(minutes=5) if state is PaymentState.PENDING else None

    # Ending a payment, and giving money back

    async def cancel(self, send: Send, request: ChangeRequest) -> Reply:
        """``DELETE`` closes an open payment; one that is closed stays so."""
        payment = await self._call(send, "DELETE", request.provider_reference, "cancel")
        return Reply(outcome=Outcome.SUCCEEDED, observation=_observed(payment))

    async def refund(self, send: Send, request: ChangeRequest) -> Reply:
        """``PUT`` a refund: the same reference again gives nothing more back."""
        if request.amount is None:
            message = "amount: a refund has one"
            raise InvalidOrder(message, field="amount")
        path = f"{request.provider_reference}/refunds/{request.reference}"
        body: Mapping[str, object] = {"amount": request.amount.minor, "text": request.description}
        payment = await self._call(send, "PUT", path, "refund", Hidden(body))
        refunds = payment.reveal().get("refunds")
        made = cast("dict[str, object]", refunds).get(request.reference) if isinstance(refunds, dict) else None
        if made != request.amount.minor:
            message = f"refund: under our reference {request.reference} Nordpay has another refund, or none"
            raise ForeignAnswer(message)
        return Reply(outcome=Outcome.SUCCEEDED, observation=_observed(payment))

    # Callbacks, and the rest

    def read_callback(self, request: CallbackRequest) -> Heard:
        """Read which payment a callback names: not signed, so a hint."""
        try:
            named = _object(request.body).get("payment")
        except ValueError as error:
            return Heard(problem=str(error))
        return Heard(names=(named,)) if isinstance(named, str) else Heard(problem="names no payment")

    def callback_reply(self, *, accepted: bool) -> CallbackReply:
        """``204``, or ``400`` for what cannot be read."""
        return CallbackReply(status=204 if accepted else 400)

    async def probe(self, send: Send) -> tuple[Probe, ...]:
        """Ask for a payment that does not exist. Nordpay says so only if it accepts the key."""
        answer = await send(self._request("GET", "0", "probe"))
        ok = answer.status == 404
        return (Probe(name="credentials", ok=ok, found=f"HTTP {answer.status}", fix="" if ok else "check api_key"),)

    # One step down

    async def _call(
        self,
        send: Send,
        method: str,
        path: str,
        label: str,
        body: Hidden[Mapping[str, object]] | None = None,
    ) -> Hidden[Mapping[str, object]]:
        """Ask for what is at ``path``.

        Error trackers show the variables of every function that an error passes. So what is sent and read is hidden.
        """
        answer = await send(self._request(method, path, label, body))
        _raise_for(answer, label)
        try:
            return Hidden(_object(answer.body))
        except ValueError as error:
            message = f"{label}: the answer cannot be read: {error}"
            raise_alone(UnexpectedAnswer(message, http_status=answer.status))

    def _request(
        self,
        method: str,
        path: str,
        label: str,
        body: Hidden[Mapping[str, object]] | None = None,
    ) -> HttpRequest:
        return HttpRequest(
            method=method,
            url=self._url + path,
            label=label,
            headers=(("authorization", f"Bearer {self._config.api_key.reveal()}"),),
            body=b"" if body is None else json.dumps(body.reveal()).encode(),
            retry_safe=method == "GET",
        )


def _raise_for(answer: HttpResponse, label: str) -> None:
    """Raise what a status that is no success means. The gateway's own text is not repeated.

    ``stated``: Nordpay itself says it, in one of its own words. A proxy can answer with any status.
    """
    message, status = f"{label}: HTTP {answer.status}", answer.status
    word = _word(answer.body)
    match status:
        case 200 | 201:
            return
        case 401 | 403:
            raise Unauthenticated(message, http_status=status)
        case _ if 400 <= status < 500 and word and word not in _WORDS:
            raise UnexpectedAnswer(message, http_status=status, provider_code=word)
        case 409:
            raise Conflict(message, http_status=status, stated=bool(word))
        case 429:
            raise RateLimited(message, http_status=status, retry_after=answer.retry_after)
        case _ if 400 <= status < 500:
            raise Rejected(message, http_status=status, stated=bool(word))
        case _ if status >= 500:
            raise ProviderUnavailable(message, http_status=status)
        case _:
            raise UnexpectedAnswer(message, http_status=status)


def _word(body: bytes) -> str:
    """Return the word that Nordpay gives for a refusal; empty if somebody else answered."""
    try:
        return str(_object(body).get("error") or "")
    except ValueError:
        return ""


def _object(body: bytes) -> dict[str, object]:
    """Return the JSON object in ``body``; raises ``ValueError`` for anything else."""
    try:
        read: object = json.loads(body)
    except RecursionError as error:
        message = "nested too deep"
        raise ValueError(message) from error
    if not isinstance(read, dict):
        message = "not a JSON object"
        raise ValueError(message)  # noqa: TRY004 - what is wrong is a value from outside
    return cast("dict[str, object]", read)


def _page(payment: Hidden[Mapping[str, object]]) -> HiddenText | None:
    """Return the address where the payer pays, hidden: anyone who has it can pay."""
    page = payment.reveal().get("page")
    return HiddenText(page) if isinstance(page, str) else None


def _observed(payment: Hidden[Mapping[str, object]]) -> Observation:
    """Read a payment: ignore new members, and invent no missing ones."""
    reference, status, currency = (payment.reveal().get(name) for name in ("reference", "status", "currency"))
    sums = [payment.reveal().get(name) for name in ("amount", "paid", "refunded")]
    if not (isinstance(reference, str) and isinstance(status, str) and isinstance(currency, str)):
        message = "the answer is no payment"
        raise UnexpectedAnswer(message)
    try:
        amount, paid, refunded = (Money(cast("int", each), currency) for each in sums)
    except (TypeError, ValueError):
        message = "the answer has no sums"
        raise_alone(UnexpectedAnswer(message))
    state, nothing = _STATES.get(status), Money(0, currency)
    decline = _decline(payment.reveal().get("reason")) if state is PaymentState.DECLINED else None
    if decline is not None and decline.provider_code not in _DECLINES:
        state = PaymentState.UNKNOWN
    return Observation(
        provider_reference=reference,
        reference=reference,
        state=state or PaymentState.PENDING,
        authorized=paid,
        captured=paid,
        refunded=refunded,
        cancelled=nothing,
        submitted=amount,
        fee=nothing,
        discount=nothing,
        allowed_actions=_actions(state, left=paid - refunded),
        decline=decline,
        raw_status=status,
        status_is_known=state is not None,
        raw={name: value for name, value in payment.reveal().items() if name != "callback_url"},
    )


def _actions(state: PaymentState | None, *, left: Money) -> frozenset[Action]:
    if state is PaymentState.PENDING:
        return frozenset({Action.CANCEL})
    return frozenset({Action.REFUND}) if left.minor > 0 else frozenset()


def _decline(reason: object) -> Decline:
    word = str(reason)
    code, kind, advice = _DECLINES.get(word, _SURPRISE)
    return Decline(code=code, kind=kind, advice=advice, provider_code=word)
