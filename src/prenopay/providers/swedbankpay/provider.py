"""Swedbank Pay as a payment provider: each verb encodes, sends and reads."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Final

from prenopay.callbacks import CallbackReply, CallbackRequest, Hint, PinnedSource, Rejected, Trust, source_address
from prenopay.errors import Conflict, DuplicateReference, InvalidOrder, ProviderError, UnexpectedAnswer
from prenopay.models import Decline, Outcome, PaymentState, SeamlessView
from prenopay.orders import Order, PageStyle
from prenopay.ports import HttpRequest, HttpResponse, Send
from prenopay.provider import (
    Cancels,
    Captures,
    ChangeRequest,
    Created,
    CreateRequest,
    Limits,
    Observation,
    PaymentProvider,
    Probe,
    ReceivesCallbacks,
    Refunds,
    Reply,
    Updates,
)
from prenopay.providers.swedbankpay import _wire, encoding
from prenopay.providers.swedbankpay.config import SwedbankPay
from prenopay.providers.swedbankpay.problems import decline_of, error_of, is_decline, unreadable_error
from prenopay.providers.swedbankpay.reading import observation_of

__all__ = ["SwedbankPayProvider"]

_VERSIONED: Final = "application/json;version=3.1"
_ACCEPT: Final = "application/json;version=3.1, application/problem+json;q=0.9"
_EXPAND: Final = (
    "$expand=paid,cancelled,reversed,failed,aborted,failedattempts,financialtransactions,postpurchasefailedattempts"
)
_ORIGIN: Final = re.compile(r"https?://[^/?#]+")
_ORDER_ID: Final = re.compile(r"/psp/paymentorders/[\w~-][\w.~-]*")
_NOBODYS_ORDER: Final = "/psp/paymentorders/00000000-0000-0000-0000-000000000000"
_PAGE_LIVES: Final = timedelta(days=28)
_AUTHORIZATION_LIVES: Final = timedelta(days=180)
_LOOK_AT_OPEN: Final = (
    (timedelta(minutes=10), timedelta(minutes=2)),
    (timedelta(hours=1), timedelta(minutes=10)),
    (timedelta(days=1), timedelta(hours=1)),
    (_PAGE_LIVES, timedelta(hours=12)),
)
"""(age below, look every): the gateway stops repeating a callback after 21 minutes."""


class SwedbankPayProvider(PaymentProvider, Captures, Cancels, Refunds, Updates, ReceivesCallbacks):
    """Payment orders of one merchant."""

    name = "swedbankpay"

    def __init__(self, config: SwedbankPay) -> None:
        """Speak for the merchant of ``config``."""
        self._config = config
        self._api_url = config.api_url
        self._headers = (
            ("authorization", f"Bearer {config.access_token.reveal()}"),
            ("accept", _ACCEPT),
            ("content-type", _VERSIONED),
            ("user-agent", "prenopay"),
        )
        self.hosts: frozenset[str] = config.hosts
        self.limits: Limits = Limits(
            currencies=encoding.CURRENCIES,
            reference=config.reference_format.value,
            resend_window=None,
            page_lives=_PAGE_LIVES,
            deadline_seconds=config.deadline_seconds,
        )

    # Taking a payment

    def check_order(self, order: Order) -> None:
        """Raise ``InvalidOrder`` for what a payment order cannot hold."""
        encoding.check_order(order)
        request = CreateRequest(order=order, payment_id="", reference="", callback_url="")
        try:
            encoding.create_body(self._config, request)
        except (ArithmeticError, TypeError, ValueError) as error:
            message = f"order: cannot be written as a payment order: {error}"
            raise InvalidOrder(message, field="order") from error

    async def create_payment(self, send: Send, request: CreateRequest) -> Created:
        """``POST /psp/paymentorders``. The same reference again is refused, not repeated, by the gateway."""
        body = encoding.create_body(self._config, request)
        answer = await send(self._request("POST", self._api_url + "/psp/paymentorders", "create", body))
        order = self._order(answer, "create", request.order.amount.currency)
        if not _ORDER_ID.fullmatch(order.observation.provider_reference):
            message = (
                f"create: the gateway's id {order.observation.provider_reference!r} is not that of a payment order"
            )
            raise UnexpectedAnswer(message, http_status=answer.status)
        script = order.links.get("view-checkout") if request.order.page is PageStyle.SEAMLESS else None
        return Created(
            observation=order.observation,
            redirect_url=order.links.get("redirect-checkout"),
            seamless_view=None if script is None else SeamlessView(script_url=script, content_sources=_sources(script)),
        )

    async def observe(self, send: Send, provider_reference: str) -> Observation:
        """``GET`` the order with everything it has to tell."""
        return (await self._get(send, provider_reference, "observe")).observation

    # Taking and giving back money

    async def capture(self, send: Send, request: ChangeRequest) -> Reply:
        """``capture``: in part or whole, several times."""
        return await self._post_purchase(send, request, "capture", encoding.transaction_body(request, with_amount=True))

    async def refund(self, send: Send, request: ChangeRequest) -> Reply:
        """``reversal``: in part or whole, several times; some instruments settle it days later (202)."""
        return await self._post_purchase(
            send, request, "reversal", encoding.transaction_body(request, with_amount=True)
        )

    async def cancel(self, send: Send, request: ChangeRequest) -> Reply:
        """``cancel`` releases what is not captured; an order nobody has paid is closed with ``abort``."""
        order = await self._get(send, request.provider_reference, "cancel")
        if order.observation.state is PaymentState.CANCELLED or order.has(request.reference):
            return Reply(outcome=Outcome.SUCCEEDED, observation=order.observation)
        if "cancel" in order.links:
            body = encoding.transaction_body(request, with_amount=False)
            return await self._act(send, request, order, "cancel", body)
        if "abort" in order.links:
            changed = await self._patch(send, order, "abort", encoding.abort_body())
            closed = changed.observation.state is PaymentState.CANCELLED
            return Reply(
                outcome=Outcome.SUCCEEDED if closed else Outcome.PENDING,
                observation=changed.observation,
            )
        verb = "cancel"
        raise _not_now(verb, order.observation)

    async def update(self, send: Send, request: ChangeRequest) -> Reply:
        """``update-order``: amount and lines of an order nobody has paid; the page must be refreshed after."""
        order = await self._get(send, request.provider_reference, "update")
        if "update-order" not in order.links:
            if order.observation.submitted == request.amount:
                return Reply(outcome=Outcome.SUCCEEDED, observation=order.observation)
            verb = "update"
            raise _not_now(verb, order.observation)
        changed = await self._patch(send, order, "update-order", encoding.update_body(request))
        return Reply(outcome=Outcome.SUCCEEDED, observation=changed.observation)

    # Hearing of changes

    def read_callback(self, request: CallbackRequest) -> Trust:
        """Read which order a callback names. Swedbank Pay does not sign: it is a hint at most."""
        if self._config.callback_sources:
            source = source_address(request, self._config.trusted_proxies)
            networks = [ipaddress.ip_network(network) for network in self._config.callback_sources]
            if source is None or not any(source in network for network in networks):
                return Rejected(reason=f"came from {source}, which is not an address of the gateway")
        try:
            callback = _wire.read(_wire.Callback, _wire.read_object(request.body))
        except _wire.Unreadable as error:
            return Rejected(reason=str(error))
        reference = callback.payment_order.id
        return (
            PinnedSource(provider_reference=reference)
            if self._config.callback_sources
            else Hint(provider_reference=reference)
        )

    def callback_reply(self, *, accepted: bool) -> CallbackReply:
        """``200`` with an empty body; what cannot be read gets ``400``, which makes the gateway repeat it."""
        return CallbackReply(status=200) if accepted else CallbackReply(status=400, body=b"unreadable callback\n")

    def next_check(self, state: PaymentState, age: timedelta) -> timedelta | None:
        """Look often while the payer is likely at the page, daily while money is only reserved."""
        if state in {PaymentState.CREATED, PaymentState.PENDING, PaymentState.UNKNOWN}:
            return next((pause for below, pause in _LOOK_AT_OPEN if age < below), timedelta(days=1))
        if state is PaymentState.AUTHORIZED and age < _AUTHORIZATION_LIVES:
            return timedelta(days=1)
        return None

    async def probe(self, send: Send) -> tuple[Probe, ...]:
        """Ask for an order that nobody has: the token is good if the answer is that it does not exist."""
        answer = await send(self._request("GET", self._api_url + _NOBODYS_ORDER, "probe", retry_safe=True))
        fix = self._fix_for(answer.status)
        found = f"the gateway answered {answer.status}"
        credentials = Probe(name="credentials", ok=not fix, found=found, fix=fix)
        return (credentials, Probe(name="clock", ok=True, found="", gateway_time=_date(answer)))

    # One step down

    def _fix_for(self, status: int) -> str:
        """Say what to mend when a read of nobody's order is answered with ``status``; empty when all is well."""
        if 300 <= status < 400:  # noqa: PLR2004 - redirects, which are not followed
            return f"check base_url: {self._api_url} leads elsewhere"
        if status == 429:  # noqa: PLR2004 - Too Many Requests
            return "the gateway asks to wait: try again later"
        if status in {401, 403} or status >= 500:  # noqa: PLR2004 - server errors
            return (
                f"check access_token: it must be one of merchant {self._config.payee_id}, made in the merchant portal "
                f"of the {self._config.environment} environment"
            )
        return ""

    async def _post_purchase(self, send: Send, request: ChangeRequest, rel: str, body: bytes) -> Reply:
        """Look whether the reference was acted on; if not, and if it is possible now, act."""
        order = await self._get(send, request.provider_reference, rel)
        if order.has(request.reference):
            return Reply(outcome=Outcome.SUCCEEDED, observation=order.observation)
        if rel not in order.links:
            raise _not_now(rel, order.observation)
        return await self._act(send, request, order, rel, body)

    async def _act(self, send: Send, request: ChangeRequest, order: _Order, rel: str, body: bytes) -> Reply:
        answer = await send(self._request("POST", _expanded(order.links[rel]), rel, body))
        try:
            changed = self._order(answer, rel, order.observation.submitted.currency, may_decline=True)
        except DuplicateReference:
            order = await self._get(send, request.provider_reference, rel)
            if order.has(request.reference):
                return Reply(outcome=Outcome.SUCCEEDED, observation=order.observation)
            raise
        except _Declined as declined:
            return Reply(outcome=Outcome.DECLINED, decline=declined.decline)
        accepted_only = answer.status == 202 or not changed.has(request.reference)  # noqa: PLR2004 - Accepted
        is_pending = accepted_only and changed.observation.state is not PaymentState.CANCELLED
        outcome = Outcome.PENDING if is_pending else Outcome.SUCCEEDED
        return Reply(outcome=outcome, observation=changed.observation)

    async def _get(self, send: Send, provider_reference: str, label: str) -> _Order:
        if not _ORDER_ID.fullmatch(provider_reference):
            message = f"{label}: {provider_reference!r} is not the id of a payment order"
            raise Conflict(message)
        url = f"{self._api_url}{provider_reference}?{_EXPAND}"
        answer = await send(self._request("GET", url, label, retry_safe=True))
        return self._order(answer, label, "")

    async def _patch(self, send: Send, order: _Order, rel: str, body: bytes) -> _Order:
        answer = await send(self._request("PATCH", _expanded(order.links[rel]), rel, body))
        return self._order(answer, rel, order.observation.submitted.currency)

    def _request(
        self,
        method: str,
        url: str,
        label: str,
        body: bytes = b"",
        *,
        retry_safe: bool = False,
    ) -> HttpRequest:
        return HttpRequest(
            method=method,
            url=url,
            label=label,
            headers=self._headers,
            body=body,
            retry_safe=retry_safe,
        )

    def _order(self, answer: HttpResponse, label: str, currency: str, *, may_decline: bool = False) -> _Order:
        """Read an answer that should be a payment order; raise what it is instead."""
        if not 200 <= answer.status < 300:  # noqa: PLR2004 - success
            raise _refusal(answer, label, may_decline=may_decline)
        try:
            decoded = _wire.read_object(answer.body)
            order = _wire.read(_wire.OrderAnswer, decoded)
            observed = observation_of(order, currency=currency, raw=decoded)
        except ValueError as error:
            message = (
                f"{label}: the gateway answered {answer.status} with something that is not a payment order: {error}"
            )
            raise UnexpectedAnswer(message, http_status=answer.status) from error
        links = {operation.rel: operation.href for operation in order.operations}
        return _Order(observed, MappingProxyType(links))


class _Order:
    """A payment order as read: the observation, and the links of what can be done."""

    __slots__ = ("links", "observation")

    def __init__(self, observation: Observation, links: Mapping[str, str]) -> None:
        self.observation = observation
        self.links = links

    def has(self, reference: str) -> bool:
        """Whether one of the order's transactions carries ``reference``."""
        return any(each.reference == reference for each in self.observation.transactions)


class _Declined(Exception):
    """A request that was answered with somebody's no."""

    def __init__(self, decline: Decline) -> None:
        super().__init__(decline.text)
        self.decline = decline


def _refusal(answer: HttpResponse, label: str, *, may_decline: bool) -> ProviderError | _Declined:
    """Return what an answer that is not a success means."""
    stated = answer.header("retry-after") or ""
    retry_after = float(stated) if stated.isdecimal() else None
    try:
        problem = _wire.read(_wire.Problem, _wire.read_object(answer.body))
    except _wire.Unreadable:
        problem = None
    if problem is None or not (problem.type or problem.problems or problem.title):
        return unreadable_error(answer.status, retry_after=retry_after, call=label)
    if may_decline and answer.status < 500 and is_decline(problem):  # noqa: PLR2004 - a server error is no decline
        return _Declined(decline_of(problem, _date(answer)))
    return error_of(problem, answer.status, retry_after=retry_after, call=label)


def _not_now(verb: str, observed: Observation) -> Conflict:
    allowed = ", ".join(sorted(observed.allowed_actions)) or "nothing"
    message = (
        f"{verb} is not possible now: the payment is {observed.state} ({observed.raw_status}), "
        f"the gateway allows {allowed}"
    )
    return Conflict(message, advice="the payer may be inside an app, or another operation may be under way: try later")


def _expanded(href: str) -> str:
    return f"{href}{'&' if '?' in href else '?'}{_EXPAND}"


def _sources(script_url: str) -> tuple[str, ...]:
    """Return what a Content-Security-Policy must allow for the script (docs: seamless view, CSP)."""
    origin = _ORIGIN.match(script_url)
    if origin is None:
        return ()
    if origin[0].endswith((".payex.com", ".swedbankpay.com")):
        return ("https://*.payex.com", "https://*.swedbankpay.com")
    return (origin[0],)


def _date(answer: HttpResponse) -> datetime | None:
    """Return when the gateway says it answered."""
    try:
        read = parsedate_to_datetime(answer.header("date") or "")
    except (ValueError, OverflowError):
        return None
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read
