"""The mock as a payment provider: every capability there is, through the JSON API of a ``MockGateway``."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, Final, TypeVar, cast
from urllib.parse import quote

from prenopay._arguments import check_arguments, refuse_misuse
from prenopay._hidden import Hidden, HiddenBytes, HiddenText, raise_alone
from prenopay.errors import (
    ConfigurationError,
    Conflict,
    DuplicateReference,
    ForeignAnswer,
    InvalidOrder,
    NotSent,
    OutcomeUnknown,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    Rejected,
    Unauthenticated,
    UnexpectedAnswer,
)
from prenopay.ports import HttpRequest, HttpResponse, Send
from prenopay.provider import (
    Attempt,
    Cancels,
    Captures,
    ChangeRequest,
    Charged,
    ChargeRequest,
    ChargesMandates,
    Created,
    CreateRequest,
    DrawsQr,
    Environment,
    Inspection,
    Limits,
    Observation,
    PaymentProvider,
    PayoutRequest,
    PaysOut,
    Probe,
    ProviderConfig,
    ProviderTransaction,
    ReceivesCallbacks,
    ReferenceAlphabet,
    ReferenceRule,
    Refunds,
    RefundsApart,
    Reply,
    Secret,
    TransactionKind,
    Updates,
)
from prenopay.testing.http import as_object, read_json
from prenopay.testing.mock.gateway import MockGateway
from prenopay.testing.mock.outcomes import decline_of
from prenopay.values.callbacks import CallbackReply, CallbackRequest, Heard
from prenopay.values.mandates import MandateKind, MethodSeen
from prenopay.values.money import Money
from prenopay.values.orders import Instrument, Order, PageStyle
from prenopay.values.payments import Action, AppSwitch, Decline, DeclineCode, Outcome, PaymentState, SeamlessView

__all__ = ["Mock", "MockProvider", "MockProviderApart"]

T = TypeVar("T")

_CURRENCIES: Final = frozenset({"DKK", "EUR", "NOK", "SEK"})
_LOOK_AGAIN: Final = timedelta(minutes=10)
_SVG: Final = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><title>mock</title><path d="M0 0h1v1H0z"/></svg>'
)
_PNG: Final = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)
"""One black pixel: nobody reads the mock's QR codes."""
_KINDS: Final = {
    "authorized": TransactionKind.AUTHORIZATION,
    "captured": TransactionKind.CAPTURE,
    "cancelled": TransactionKind.RELEASE,
    "refunded": TransactionKind.REFUND,
}
_UNREACHED: Final = (
    "the mock gateway is in this process, and the accounts call the network: open them with "
    "sender=prenopay_sender, or with sender=MockSender() of prenopay.testing.mock"
)
_requests: Final = itertools.count(1)


@check_arguments(refuse_misuse, any_text=True)
@dataclass(frozen=True, slots=True, kw_only=True)
class Mock(ProviderConfig["MockProvider"]):
    """An account with the mock: for tests only, production is refused.

    ``refunds_apart`` keeps refunds as objects of their own, as Swish does. ``finds_charges`` lets a charge
    whose answer was lost be found again; real card gateways cannot, so such a charge stays unknown until a
    person settles it. ``resend_window`` is what the provider declares, by default the gateway's ``forgets_after``.
    Raises ``ConfigurationError``.
    """

    environment: Environment = Environment.TEST
    gateway: MockGateway = field(default_factory=MockGateway, repr=False)
    refunds_apart: bool = False
    finds_charges: bool = False
    resend_window: timedelta | None = None
    deadline_seconds: float = 30.0

    def __post_init__(self) -> None:
        """Refuse production."""
        super(Mock, self).__post_init__()  # slots make a new class, which super() without names misses
        if self.environment is not Environment.TEST:
            message = f"accounts.{self.account}: the mock moves no money; it is for the test environment"
            raise ConfigurationError(message)

    def provider(self) -> MockProvider:
        """Build the provider that speaks for this account."""
        return MockProviderApart(self) if self.refunds_apart else MockProvider(self)

    @classmethod
    def inspect(cls, body: bytes) -> Inspection:
        """Say how a stored callback or payment of the mock is read; raises ``ValueError`` for what is neither."""
        kind, name = _named_in(body)
        state = (as_object(read_json(body)) or {}).get("state")
        if state is None:
            return Inspection(kind=f"callback about a {kind}", provider_reference=name)
        return Inspection(kind=kind, provider_reference=name, state=_STATES.get(str(state)))


class MockProvider(
    PaymentProvider, Captures, Cancels, Refunds, Updates, ChargesMandates, ReceivesCallbacks, PaysOut, DrawsQr
):
    """Payments of one account with the mock."""

    name = "mock"
    merchant = "mock"

    def __init__(self, config: Mock) -> None:
        """Speak for the account of ``config``."""
        self.gateway: MockGateway = config.gateway
        self._finds_charges = config.finds_charges
        self.hosts: frozenset[str] = frozenset({config.gateway.host})
        self.page_hosts: frozenset[str] = frozenset({"mock.invalid"})
        self.limits: Limits = Limits(
            currencies=_CURRENCIES,
            reference=ReferenceRule(alphabet=ReferenceAlphabet.CAPITALS_AND_DIGITS, length=20),
            resend_window=config.resend_window or config.gateway.forgets_after,
            page_lives=config.gateway.page_lives,
            deadline_seconds=config.deadline_seconds,
        )

    # Taking a payment

    def check_order(self, order: Order) -> None:
        """Raise ``InvalidOrder`` for a currency that is neither Nordic nor the euro."""
        _require_currency(order.amount)

    async def create_payment(self, send: Send, request: CreateRequest) -> Created:
        """Make the order payable; the same reference makes one payment."""
        order, body = request.order, _ordered(request)
        made = await self._call(send, "create", "payments", body)
        if _is_foreign(made, body):
            message = f"create: the mock has {request.reference} as a payment that is not ours"
            raise DuplicateReference(message)
        seen = self._observed(made)
        page, switch = HiddenText(made.reveal().get("page")), None
        if order.only_instrument == Instrument.SWISH:
            token = f"mock-app-{seen.provider_reference}"
            switch = AppSwitch(token=token, app_url=f"swish://mock?token={token}", qr_content=f"D{token}")
        seamless = SeamlessView(script_url=f"{page}.js", content_sources=(page.partition("/pay/")[0],))
        return Created(
            observation=seen,
            redirect_url=page if order.page is PageStyle.REDIRECT else None,
            seamless_view=seamless if order.page is PageStyle.SEAMLESS else None,
            app_switch=switch,
        )

    async def observe(self, send: Send, provider_reference: str) -> Observation:
        """Look at the payment."""
        return self._observed(await self._call(send, "observe", f"payments/{quote(provider_reference, safe='')}"))

    def next_check(self, state: PaymentState, age: timedelta) -> timedelta | None:
        """Look every ten minutes while the payer may pay, daily while money is only reserved."""
        if state in {PaymentState.CREATED, PaymentState.PENDING, PaymentState.UNKNOWN}:
            return _LOOK_AGAIN
        return timedelta(days=1) if state is PaymentState.AUTHORIZED else None

    # Taking and giving back money

    async def capture(self, send: Send, request: ChangeRequest) -> Reply:
        """Take ``request.amount``, in part or whole, several times."""
        return await self._changed(send, "capture", request)

    async def cancel(self, send: Send, request: ChangeRequest) -> Reply:
        """Close an open payment, or release what is not captured."""
        return await self._changed(send, "cancel", request)

    async def refund(self, send: Send, request: ChangeRequest) -> Reply:
        """Give back ``request.amount``, in part or whole, several times."""
        return await self._changed(send, "refund", request)

    async def update(self, send: Send, request: ChangeRequest) -> Reply:
        """Change the amount of a payment nobody has paid."""
        return await self._changed(send, "update", request)

    async def _changed(self, send: Send, verb: str, request: ChangeRequest) -> Reply:
        body: dict[str, object] = {"reference": request.reference, "page_only": request.page_only}
        if request.amount is not None:
            body["amount"] = request.amount.minor
        path = f"payments/{quote(request.provider_reference, safe='')}/{verb}"
        made = await self._call(send, verb, path, Hidden(body))
        seen, asked = self._observed(made), None if request.amount is None else request.amount.minor
        under = [each for each in made.reveal()["transactions"] if each["reference"] == request.reference]
        if asked is not None and any(each["amount"] != asked for each in under):
            raise _not_ours(request.reference, verb)
        if made.reveal().get("repeated") and not request.again:
            message = f"{verb}: the mock has {request.reference} already, though it was not sent before"
            raise DuplicateReference(message)
        return _reply(made, seen)

    # Stored methods

    async def charge(self, send: Send, request: ChargeRequest) -> Charged:
        """Reserve money on a stored method. Without ``finds_charges``, a lost one is never sent again."""
        if request.again and not self._finds_charges:
            message = "an earlier try may have reached the gateway, so nothing was sent again"
            raise OutcomeUnknown(message)
        if request.again and request.token is None:
            try:
                return self._charged(await self._call(send, "charge", f"charges/{request.reference}"))
            except Rejected as error:
                if not error.stated:
                    raise
                return Charged(outcome=Outcome.NOT_ATTEMPTED)
        body = _ordered(request)
        body.reveal().update(kind=request.kind.value, token=request.token_to_send().reveal())
        made = await self._call(send, "charge", "charges", body)
        if _is_foreign(made, body):
            raise _not_ours(request.reference, "charge")
        return self._charged(made)

    def _charged(self, made: Hidden[dict[str, Any]]) -> Charged:
        seen = self._observed(made)
        if seen.decline is not None:
            return Charged(outcome=Outcome.DECLINED, observation=seen, decline=seen.decline)
        pending = seen.state is PaymentState.PENDING
        return Charged(outcome=Outcome.PENDING if pending else Outcome.SUCCEEDED, observation=seen)

    async def observe_methods(self, send: Send, payer_reference: str) -> tuple[MethodSeen, ...]:
        """Return the payer's stored methods."""
        found = await self._call(send, "observe_methods", f"payers/{quote(payer_reference, safe='')}")
        return _read("observe_methods", lambda: _methods(found.reveal()))

    async def remove_method(self, send: Send, kind: MandateKind, token: Secret, *, reason: str) -> None:
        """Forget one."""
        await self._call(send, "remove_method", "removals", Hidden({"kind": kind.value, "token": token.reveal()}))

    async def remove_all_methods(self, send: Send, payer_reference: str, *, reason: str) -> None:
        """Forget all of the payer's."""
        await self._call(send, "remove_method", "removals", Hidden({"payer": payer_reference}))

    # Sending money

    def write_payout(self, request: PayoutRequest) -> bytes:
        """Write the instruction down; nobody signs it."""
        _require_currency(request.order.amount)
        order = request.order
        said = {"amount": order.amount.minor, "payee": order.payee_phone, "callback_url": request.callback_url}
        return HiddenBytes(json.dumps(said).encode())

    async def pay_out(self, send: Send, reference: str, body: bytes, *, again: bool) -> Reply:
        """Send the money; the same reference sends it once."""
        written: Hidden[dict[str, object]] = Hidden({"reference": reference, **json.loads(body)})
        made = await self._call(send, "pay_out", "payouts", written)
        return _paid_out(made, body, reference, is_first=not again)

    async def observe_payout(self, send: Send, reference: str, body: bytes) -> Reply:
        """Look at the payout."""
        return _paid_out(await self._call(send, "observe_payout", f"payouts/{reference}"), body, reference)

    # Callbacks, and the rest

    def read_callback(self, request: CallbackRequest) -> Heard:
        """Read which payment a callback names: a hint, as with real gateways."""
        try:
            return Heard(names=(_named_in(request.body)[1],))
        except ValueError as error:
            return Heard(problem=str(error))

    def callback_reply(self, *, accepted: bool) -> CallbackReply:
        """``200``, or ``400`` for what cannot be read."""
        return CallbackReply(status=200) if accepted else CallbackReply(status=400, body=b"unreadable callback\n")

    async def draw_qr(self, send: Send, token: str, *, image: str) -> bytes:
        """Return a picture that is no code."""
        if image not in {"svg", "png"}:
            message = f"image: must be 'svg' or 'png', not {image!r}"
            raise InvalidOrder(message, field="image")
        await self._call(send, "draw_qr", HiddenText(f"qr/{quote(token, safe='')}"))
        return _SVG if image == "svg" else _PNG

    async def probe(self, send: Send) -> tuple[Probe, ...]:
        """Ask for the time: a working gateway answers."""
        answer = await send(self._request("GET", "health", "probe"))
        ok = answer.status == _OK
        fix = "" if ok else "look for a script in the test: the mock refuses nobody by itself"
        credentials = Probe(name="credentials", ok=ok, found=f"HTTP {answer.status}; a mock needs none", fix=fix)
        now = _read("probe", lambda: datetime.fromisoformat(str(_object(answer).get("now")))) if ok else None
        return (credentials, Probe(name="clock", ok=ok, found="", fix=fix, gateway_time=now))

    # One step down

    async def _call(
        self, send: Send, label: str, path: str, body: Hidden[dict[str, object]] | None = None
    ) -> Hidden[dict[str, Any]]:
        request = self._request("GET" if body is None else "POST", path, label, body)
        try:
            answer = await send(request)
        except NotSent as error:
            if error.__cause__ is None:
                raise
            message = f"{label}: {_UNREACHED}"
            raise NotSent(message) from error
        _raise_for(answer, label)
        return _read(label, lambda: Hidden(_object(answer)))

    def _request(
        self, method: str, path: str, label: str, body: Hidden[dict[str, object]] | None = None
    ) -> HttpRequest:
        return HttpRequest(
            method=method,
            url=f"https://{self.gateway.host}/{path}",
            label=label,
            headers=(("request-id", str(next(_requests))),),
            body=b"" if body is None else json.dumps(body.reveal()).encode(),
            retry_safe=method == "GET",
        )

    def _observed(self, payment: Hidden[dict[str, Any]]) -> Observation:
        return _read("observe", lambda: _observation(payment.reveal()))


class MockProviderApart(MockProvider, RefundsApart):
    """The same, where a refund is an object of its own: what ``Mock(refunds_apart=True)`` builds."""

    async def observe_refund(self, send: Send, request: ChangeRequest, payment: Observation) -> Reply:
        """Look at the refund."""
        made = await self._call(send, "observe_refund", f"refunds/{request.reference}")
        asked, found = None if request.amount is None else request.amount.minor, made.reveal
        if "amount" in found() and (found()["amount"], found()["payment"]) != (asked, request.provider_reference):
            raise _not_ours(request.reference, "refund")
        return _reply(made)

    def _observed(self, payment: Hidden[dict[str, Any]]) -> Observation:
        seen = super()._observed(payment)
        listed = [each for each in seen.transactions if each.kind is not TransactionKind.REFUND]
        return replace(
            seen,
            refunded=None,
            transactions=tuple(listed),
            failed_transactions=tuple(
                each for each in seen.failed_transactions if each.kind is not TransactionKind.REFUND
            ),
        )


# Encoding


def _require_currency(amount: Money) -> None:
    if amount.currency not in _CURRENCIES:
        message = f"amount: the mock takes {', '.join(sorted(_CURRENCIES))}, not {amount.currency}"
        raise InvalidOrder(message, field="amount")


def _ordered(request: CreateRequest | ChargeRequest) -> Hidden[dict[str, object]]:
    order = request.order
    said: dict[str, object] = {
        "payment_id": request.payment_id,
        "reference": request.reference,
        "amount": order.amount.minor,
        "currency": order.amount.currency,
        "text": order.description,
        "order_reference": order.order_reference,
        "only_instrument": order.only_instrument,
        "is_verification": order.is_verification,
        "payer": order.payer.reference if order.payer is not None else "",
        "personal": _personal(order),
        "store": [] if order.store is None else [kind.value for kind in order.store.kinds],
        "callback_url": request.callback_url,
    }
    return Hidden(said)


def _personal(order: Order) -> list[str]:
    """Return phone numbers, e-mail addresses and personal number that the order names."""
    payer, told = order.payer, [] if order.risk is None else [order.risk.delivery_email]
    if payer is not None:
        told += [payer.email, payer.phone, payer.home_phone, payer.work_phone, payer.personal_number]
        for address in (payer.billing_address, payer.shipping_address):
            told += [] if address is None else [address.email, address.phone]
    return [each for each in told if each]


# Reading

_STATES: Final = {each.value: each for each in PaymentState if each is not PaymentState.UNKNOWN}


_ERRORS: Final[dict[int, type[ProviderError]]] = {401: Unauthenticated, 403: Unauthenticated, 409: Conflict}
_OK, _TOO_MANY, _WRONG, _FAILED = 200, 429, 400, 500


def _raise_for(answer: HttpResponse, label: str) -> None:
    """Raise the error that a failed status means."""
    status = answer.status
    if status == _OK:
        return
    message = f"{label}: {_error(answer)}"
    if status == _TOO_MANY:
        raise RateLimited(message, http_status=status, retry_after=answer.retry_after)
    stated = _says(answer) is not None
    if _WRONG <= status < _FAILED and status not in _ERRORS:
        raise Rejected(message, http_status=status, provider_code="mock-refused", stated=stated)
    raise _ERRORS.get(status, ProviderUnavailable if status >= _FAILED else UnexpectedAnswer)(
        message, http_status=status, stated=stated
    )


def _error(answer: HttpResponse) -> str:
    """Return the mock's error text, or its status where a fault answered instead."""
    return _says(answer) or f"the mock answers {answer.status}"


def _says(answer: HttpResponse) -> str | None:
    """Return the mock's own error text; only the mock writes one."""
    try:
        return str(_object(answer)["error"])
    except (ValueError, KeyError):
        return None


def _object(answer: HttpResponse) -> dict[str, Any]:
    found = as_object(read_json(answer.body))
    if found is None:
        message = "no JSON object"
        raise ValueError(message)
    return cast("dict[str, Any]", found)


def _read(label: str, read: Callable[[], T]) -> T:
    """Read an answer; what cannot be read is never believed."""
    try:
        return read()
    except (ValueError, KeyError, TypeError, AttributeError):
        message = f"{label}: the mock's answer makes no sense"
        raise_alone(UnexpectedAnswer(message, http_status=200))


def _named_in(body: bytes) -> tuple[str, str]:
    """Return what a body is about, ``payment`` or ``payout``, and its name; raises ``ValueError``."""
    read = as_object(read_json(body)) or {}
    for kind in ("payment", "payout"):
        name = read.get(kind)
        if isinstance(name, str) and name:
            return kind, name
    message = "this is not a callback of the mock"
    raise ValueError(message)


def _reply(made: Hidden[dict[str, Any]], seen: Observation | None = None) -> Reply:
    outcome = _read("observe", lambda: Outcome(made.reveal()["outcome"]))
    return Reply(outcome=outcome, observation=seen, decline=_decline(made.reveal().get("declined")))


def _is_foreign(made: Hidden[dict[str, Any]], asked: Hidden[dict[str, object]]) -> bool:
    """Whether the mock answered with a payment that another system made: it shows our own name of each."""
    return any(
        made.reveal().get(name) != asked.reveal()[name]
        for name in ("payment_id", "amount", "currency", "order_reference")
    )


def _paid_out(made: Hidden[dict[str, Any]], body: bytes, reference: str, *, is_first: bool = False) -> Reply:
    """Return the state of a payout; raises unless it is the one that ``body`` instructs."""
    if _is_another_payout(made.reveal(), json.loads(body)):
        raise _not_ours(reference, "payout")
    if is_first and made.reveal().get("repeated"):
        message = f"payout: the mock has {reference} already, though it was not sent before"
        raise OutcomeUnknown(message)
    return _reply(made)


def _is_another_payout(made: Mapping[str, Any], asked: Mapping[str, Any]) -> bool:
    return "amount" in made and any(made.get(name) != asked[name] for name in ("amount", "payee", "callback_url"))


def _not_ours(reference: str, label: str) -> ForeignAnswer:
    message = f"{label}: under our reference {reference} the mock has something else"
    return ForeignAnswer(message)


def _decline(code: str | None) -> Decline | None:
    return None if code is None else decline_of(DeclineCode(code))


def _observation(payment: Mapping[str, Any]) -> Observation:
    currency, state = payment["currency"], _STATES.get(payment["state"])

    def money(minor: object) -> Money:
        return Money(cast("int", minor), currency)

    moves = [(each["outcome"], _transaction(each, money(each["amount"]))) for each in payment["transactions"]]
    return Observation(
        provider_reference=str(payment["payment"]),
        state=state or PaymentState.PENDING,
        authorized=money(payment["authorized"]),
        captured=money(payment["captured"]),
        refunded=money(payment["refunded"]),
        cancelled=money(payment["cancelled"]),
        submitted=money(payment["amount"]),
        fee=money(0),
        discount=money(0),
        allowed_actions=frozenset(map(Action, payment["actions"])),
        instrument=payment["instrument"],
        reference=payment["reference"],
        order_reference=payment["order_reference"] or None,
        decline=_decline(payment["decline"]),
        attempts=tuple(map(_attempt, payment["attempts"])),
        transactions=tuple(each for outcome, each in moves if outcome == Outcome.SUCCEEDED),
        failed_transactions=tuple(each for outcome, each in moves if outcome == Outcome.DECLINED),
        methods=_methods(payment),
        raw_status=payment["state"],
        status_is_known=state is not None,
        raw=payment,
    )


def _transaction(move: Mapping[str, Any], amount: Money) -> ProviderTransaction:
    return ProviderTransaction(
        kind=_KINDS[move["kind"]],
        number=move["number"],
        amount=amount,
        reference=move["reference"],
        created_at=datetime.fromisoformat(move["at"]),
        decline=_decline(move["declined"]),
    )


def _attempt(told: Mapping[str, Any]) -> Attempt:
    return Attempt(
        number=told["number"],
        created_at=datetime.fromisoformat(told["at"]),
        instrument=told["instrument"],
        decline=decline_of(DeclineCode(told["declined"])),
    )


def _methods(told: Mapping[str, Any]) -> tuple[MethodSeen, ...]:
    return tuple(
        MethodSeen(
            kind=MandateKind(each["kind"]),
            token=Secret(each["token"]),
            display=each["display"],
            instrument=Instrument.CARD.value,
            expires=date.fromisoformat(each["expires"]),
            card_key=each["card"],
        )
        for each in told["methods"]
    )
