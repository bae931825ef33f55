"""Swedbank Pay as a payment provider: each verb encodes, sends and reads."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from prenopay._hidden import raise_alone
from prenopay._text import quoted
from prenopay.errors import Conflict, DuplicateReference, ForeignAnswer, InvalidOrder, OutcomeUnknown, ProviderError
from prenopay.ports import Send
from prenopay.provider import (
    Cancels,
    Captures,
    ChangeRequest,
    Charged,
    ChargeRequest,
    ChargesMandates,
    Created,
    CreateRequest,
    Limits,
    Observation,
    PaymentProvider,
    Probe,
    ReceivesCallbacks,
    Refunds,
    Reply,
    Secret,
    TransactionKind,
    Updates,
)
from prenopay.provider.wire import Unreadable, read, read_object
from prenopay.providers.swedbankpay import _wire, charging, encoding
from prenopay.providers.swedbankpay.calls import (
    ORDERS,
    Calls,
    Declined,
    KnownOrder,
    expanded,
    hidden,
    is_order_id,
    order_in,
    order_made,
)
from prenopay.providers.swedbankpay.config import SwedbankPayAccount
from prenopay.providers.swedbankpay.problems import is_decline
from prenopay.providers.swedbankpay.tokens import StoredTokens
from prenopay.values.callbacks import CallbackReply, CallbackRequest, Heard
from prenopay.values.mandates import MandateKind, MethodSeen
from prenopay.values.orders import Order, PageStyle
from prenopay.values.payments import Action, Outcome, PaymentState, SeamlessView

__all__ = ["SwedbankPayProvider"]

_REVERSAL: Final = "reversal"
_KINDS: Final = {
    "capture": TransactionKind.CAPTURE,
    "cancel": TransactionKind.RELEASE,
    _REVERSAL: TransactionKind.REFUND,
}
_ORIGIN: Final = re.compile(r"https?://[^/?#]+")
_NO_ORDER: Final = f"{ORDERS}/00000000-0000-0000-0000-000000000000"
_PAGE_LIVES: Final = timedelta(days=28)
_AUTHORIZATION_LIVES: Final = timedelta(days=180)
_LOOK_AT_OPEN: Final = (
    (timedelta(minutes=10), timedelta(minutes=2)),
    (timedelta(hours=1), timedelta(minutes=10)),
    (timedelta(days=1), timedelta(hours=1)),
    (_PAGE_LIVES, timedelta(hours=12)),
)
"""(age below, look every): the gateway repeats a callback for 21 minutes."""


class SwedbankPayProvider(
    PaymentProvider,
    Captures,
    Cancels,
    Refunds,
    Updates,
    ChargesMandates,
    ReceivesCallbacks,
):
    """Payment orders of one merchant."""

    name = "swedbankpay"

    def __init__(self, config: SwedbankPayAccount[object]) -> None:
        """Act for the merchant of ``config``."""
        self._config = config
        self._api_url = config.api_url
        self._calls = Calls(config)
        self.merchant: str = config.payee_id.lower()
        self._tokens = StoredTokens(config, self._calls)
        self.hosts: frozenset[str] = config.hosts
        self.page_hosts: frozenset[str] = config.page_hosts
        self.limits: Limits = Limits(
            currencies=encoding.CURRENCIES,
            reference=config.reference_format.value,
            resend_window=None,  # the docs set no time after which a reference is free, and an order lists it for ever
            page_lives=_PAGE_LIVES,
            partial_capture=True,
            partial_refund=True,
            deadline_seconds=config.deadline_seconds,
        )

    # Taking a payment

    def check_order(self, order: Order) -> None:
        """Raise ``InvalidOrder`` for what a payment order cannot express."""
        encoding.check_order(order)
        try:
            encoding.try_out(self._config, order)
        except (ArithmeticError, TypeError, ValueError) as error:
            message = f"order: cannot be written as a payment order: {error}"
            raise_alone(InvalidOrder(message, field="order"))

    async def create_payment(self, send: Send, request: CreateRequest) -> Created:
        """``POST /psp/paymentorders``. The gateway refuses a reference that it has seen before."""
        body = encoding.create_body(self._config, request)
        answer = await send(self._calls.request("POST", self._api_url + ORDERS, "create", body))
        if request.offered is not None:
            answer = hidden(answer, request.offered)
        order = order_made(answer, "create", request.order.amount.currency)
        script = order.links.get("view-checkout") if request.order.page is PageStyle.SEAMLESS else None
        return Created(
            observation=order.observation,
            redirect_url=order.links.get("redirect-checkout"),
            seamless_view=None if script is None else SeamlessView(script_url=script, content_sources=_sources(script)),
        )

    async def observe(self, send: Send, provider_reference: str) -> Observation:
        """``GET`` the order with every node."""
        return (await self._get(send, provider_reference, "observe")).observation

    # Taking and giving back money

    async def capture(self, send: Send, request: ChangeRequest) -> Reply:
        """``capture``: in part or in full, several times."""
        return await self._post_purchase(send, request, "capture", encoding.transaction_body(request, with_amount=True))

    async def refund(self, send: Send, request: ChangeRequest) -> Reply:
        """``reversal``: in part or in full, several times; some instruments settle it days later (202)."""
        return await self._post_purchase(send, request, _REVERSAL, encoding.transaction_body(request, with_amount=True))

    async def cancel(self, send: Send, request: ChangeRequest) -> Reply:
        """``abort`` closes an order that is not paid; ``cancel`` releases what is not captured."""
        order = await self._get(send, request.provider_reference, "cancel")
        if order.observation.state is PaymentState.CANCELLED or order.has(request, TransactionKind.RELEASE):
            return Reply(outcome=Outcome.SUCCEEDED, observation=order.observation)
        if "cancel" in order.links and not request.page_only:
            body = encoding.transaction_body(request, with_amount=False)
            return await self._act(send, request, order, "cancel", body)
        if "abort" in order.links:
            changed = await self._patch(send, order, "abort", encoding.abort_body())
            closed = changed.observation.state is PaymentState.CANCELLED
            return Reply(
                outcome=Outcome.SUCCEEDED if closed else Outcome.PENDING,
                observation=changed.observation,
            )
        raise order.observation.refuses(Action.CANCEL)

    async def update(self, send: Send, request: ChangeRequest) -> Reply:
        """``update-order``: amount and lines of an order that is not paid; the page must be refreshed afterwards."""
        order = await self._get(send, request.provider_reference, "update")
        if "update-order" not in order.links:
            if order.observation.submitted == request.amount:
                return Reply(outcome=Outcome.SUCCEEDED, observation=order.observation)
            raise order.observation.refuses(Action.UPDATE)
        changed = await self._patch(send, order, "update-order", encoding.update_body(request))
        return Reply(outcome=Outcome.SUCCEEDED, observation=changed.observation)

    # Stored methods

    async def charge(self, send: Send, request: ChargeRequest) -> Charged:
        """``Recur`` or ``UnscheduledPurchase``; a card's money is only reserved, and captured like any other."""
        return await charging.charge(send, self._calls, self._config, request)

    async def observe_methods(self, send: Send, payer_reference: str) -> tuple[MethodSeen, ...]:
        """Read the payer's active tokens; a new card from the bank may change what they show."""
        return await self._tokens.observe(send, payer_reference)

    async def remove_method(self, send: Send, kind: MandateKind, token: Secret, *, reason: str) -> None:
        """Archive (in the older API: delete) one token; the gateway erases the card six months later."""
        await self._tokens.remove(send, kind, token, reason)

    async def remove_all_methods(self, send: Send, payer_reference: str, *, reason: str) -> None:
        """Archive or delete all tokens of the payer: one-click, recurrence and unscheduled ones."""
        await self._tokens.remove_all(send, payer_reference, reason)

    # Callbacks

    def read_callback(self, request: CallbackRequest) -> Heard:
        """Read which order a callback names. Swedbank Pay does not sign callbacks: each is a hint at most."""
        if problem := self._config.source_problem(request):
            return Heard(problem=problem)
        try:
            callback = read(_wire.Callback, read_object(request.body))
        except Unreadable as error:
            return Heard(problem=str(error))
        return Heard(names=(callback.payment_order.id,))

    def callback_reply(self, *, accepted: bool) -> CallbackReply:
        """``200`` with an empty body; an unreadable callback gets ``400``, and the gateway repeats it."""
        return CallbackReply(status=200) if accepted else CallbackReply(status=400, body=b"unreadable callback\n")

    def next_check(self, state: PaymentState, age: timedelta) -> timedelta | None:
        """Look often while the payer is probably at the page, daily while money is only reserved."""
        if state in {PaymentState.CREATED, PaymentState.PENDING, PaymentState.UNKNOWN}:
            return next((pause for below, pause in _LOOK_AT_OPEN if age < below), timedelta(days=1))
        if state is PaymentState.AUTHORIZED and age < _AUTHORIZATION_LIVES:
            return timedelta(days=1)
        return None

    async def probe(self, send: Send) -> tuple[Probe, ...]:
        """Read an order that cannot exist: the token is valid if the answer says that it does not exist."""
        answer = await send(self._calls.request("GET", self._api_url + _NO_ORDER, "probe", retry_safe=True))
        fix = self._fix_for(answer.status)
        found = f"the gateway answered {answer.status}"
        if not fix:
            accepted = f"accepted (asked for a payment that does not exist: {answer.status})"
            found = f"{accepted}; payee_id is checked only when a payment is made"
        credentials = Probe(name="credentials", ok=not fix, found=found, fix=fix)
        return (credentials, Probe(name="clock", ok=True, found="", gateway_time=answer.moment("date")))

    # Steps of the verbs

    def _fix_for(self, status: int) -> str:
        """Return the fix if reading an order that cannot exist is answered with ``status``; empty if all is well."""
        if 300 <= status < 400:  # noqa: PLR2004 - redirects, which are not followed
            return f"check base_url: {self._api_url} leads elsewhere"
        if status == 429:  # noqa: PLR2004 - Too Many Requests
            return "the gateway asks to wait: try again later"
        if status in {401, 403} or status >= 500:  # noqa: PLR2004 - server errors
            return (
                f"check access_token: it must belong to merchant {self._config.payee_id}, "
                f"and come from the merchant portal of the {self._config.environment} environment"
            )
        return ""

    async def _post_purchase(self, send: Send, request: ChangeRequest, rel: str, body: bytes) -> Reply:
        """Look whether the reference was used before; if not, and if it is possible now, act."""
        order = await self._get(send, request.provider_reference, rel)
        if order.has(request, _KINDS[rel]):
            if not request.again:
                message = f"{rel}: our reference {request.reference} is listed already, though nothing was sent before"
                raise ForeignAnswer(message, advice="find out who made it, then settle this operation by hand")
            return Reply(outcome=Outcome.SUCCEEDED, observation=order.observation)
        if rel not in order.links:
            if request.again and rel == _REVERSAL and order.observation.captured != order.observation.refunded:
                raise _maybe_under_way(request)
            raise order.observation.refuses(Action.REFUND if rel == _REVERSAL else rel)
        if not request.again:
            _require_left(request, order.observation, rel)
        return await self._act(send, request, order, rel, body)

    async def _act(self, send: Send, request: ChangeRequest, order: KnownOrder, rel: str, body: bytes) -> Reply:
        answer = await send(self._calls.request("POST", expanded(order.links[rel]), rel, body))
        try:
            seen = order.observation
            changed = order_in(answer, rel, seen.submitted.currency, declines=is_decline, named=seen.provider_reference)
        except DuplicateReference as error:
            order = await self._get(send, request.provider_reference, rel)
            if order.has(request, _KINDS[rel]):
                return Reply(outcome=Outcome.SUCCEEDED, observation=order.observation)
            if rel == _REVERSAL:
                raise_alone(_maybe_under_way(request))
            error.stated = True  # the order's own list has nothing under our reference
            raise
        except Declined as declined:
            return Reply(outcome=Outcome.DECLINED, decline=declined.decline)
        accepted_only = answer.status == 202 or not changed.has(request, _KINDS[rel])  # noqa: PLR2004 - Accepted
        is_pending = accepted_only and changed.observation.state is not PaymentState.CANCELLED
        outcome = Outcome.PENDING if is_pending else Outcome.SUCCEEDED
        return Reply(outcome=outcome, observation=changed.observation)

    async def _get(self, send: Send, provider_reference: str, label: str) -> KnownOrder:
        if not is_order_id(provider_reference):
            message = f"{label}: {quoted(provider_reference)} is not the id of a payment order"
            raise Conflict(message)
        url = expanded(self._api_url + provider_reference)
        answer = await send(self._calls.request("GET", url, label, retry_safe=True))
        try:
            return order_in(answer, label, "", named=provider_reference)
        except ProviderError as error:
            error.stated = False  # it says nothing about what was asked for earlier
            if isinstance(error, Conflict) and error.provider_code == "notfound":
                raise_alone(_unknown_here(error, self._config.perhaps_forgotten))
            raise

    async def _patch(self, send: Send, order: KnownOrder, rel: str, body: bytes) -> KnownOrder:
        answer = await send(self._calls.request("PATCH", expanded(order.links[rel]), rel, body))
        seen = order.observation
        return order_in(answer, rel, seen.submitted.currency, named=seen.provider_reference)


def _unknown_here(error: Conflict, perhaps: str) -> Conflict:
    """Return the error for a payment of ours that the gateway does not have: it was made elsewhere."""
    advice = f"this gateway or merchant does not know the payment: check payee_id and environment{perhaps}"
    message = f"{error}; {advice}"
    return Conflict(
        message,
        http_status=error.http_status,
        provider_code=error.provider_code,
        problems=error.problems,
        advice=advice,
    )


def _require_left(request: ChangeRequest, seen: Observation, rel: str) -> None:
    """Refuse more than the gateway has left, as another system may have taken a part: five such tries lock an order."""
    if rel == _REVERSAL:
        left = seen.captured if seen.refunded is None else seen.captured - seen.refunded
    else:
        left = seen.authorized - seen.captured - seen.cancelled
    if request.amount is not None and request.amount > left:
        message = f"{rel}: {request.amount} is more than the {left} that the gateway has left, so nothing was sent"
        raise Conflict(message, advice="observe the payment: something was done that the books do not have yet")


def _maybe_under_way(request: ChangeRequest) -> OutcomeUnknown:
    """An accepted reversal (202) is listed days later: until then no answer shows that it is under way."""
    message = (
        f"reversal {request.reference} was sent before, or its reference was used, and the gateway does not list it "
        "(yet): it may be under way; if it never appears, look in the merchant portal and settle it by hand"
    )
    return OutcomeUnknown(message)


def _sources(script_url: str) -> tuple[str, ...]:
    """Return the origins that a Content-Security-Policy must allow for the script (docs: seamless view, CSP)."""
    origin = _ORIGIN.match(script_url)
    if origin is None:
        return ()
    if origin[0].endswith((".payex.com", ".swedbankpay.com")):
        return ("https://*.payex.com", "https://*.swedbankpay.com")
    return (origin[0],)
