"""The mock as a payment provider: every capability there is, asked of a ``MockGateway`` in this process."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Final

from prenopay.errors import InvalidOrder
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
    Refunds,
    RefundsApart,
    Reply,
    Secret,
    Updates,
)
from prenopay.testing.mock.config import Mock, named_in
from prenopay.testing.mock.gateway import MockGateway
from prenopay.testing.mock.outcomes import Call
from prenopay.values.callbacks import CallbackReply, CallbackRequest, Heard
from prenopay.values.mandates import MandateKind, MethodSeen
from prenopay.values.orders import Order
from prenopay.values.payments import PaymentState

__all__ = ["MockProvider", "MockProviderApart"]

_CURRENCIES: Final = frozenset({"DKK", "EUR", "NOK", "SEK"})
_LOOK_AGAIN: Final = timedelta(minutes=10)
_SVG: Final = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><title>mock</title><path d="M0 0h1v1H0z"/></svg>'
)
_PNG: Final = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==",
)
"""One black pixel: a QR code is not for reading here."""


class MockProvider(
    PaymentProvider,
    Captures,
    Cancels,
    Refunds,
    Updates,
    ChargesMandates,
    ReceivesCallbacks,
    PaysOut,
    DrawsQr,
):
    """Payments of one account with the mock. Never calls ``send``."""

    name = "mock"

    def __init__(self, config: Mock) -> None:
        """Speak for the account of ``config``."""
        self._config = config
        self.gateway: MockGateway = config.gateway
        self._apart = config.refunds_apart
        self.hosts: frozenset[str] = frozenset()
        self.limits: Limits = Limits(
            currencies=_CURRENCIES,
            reference=ReferenceRule(alphabet=ReferenceAlphabet.CAPITALS_AND_DIGITS, length=20),
            resend_window=None,
            page_lives=config.gateway.page_lives,
            deadline_seconds=config.deadline_seconds,
        )

    # Taking a payment

    def check_order(self, order: Order) -> None:
        """Raise ``InvalidOrder`` for a currency that is not Nordic, nor the euro."""
        if order.amount.currency not in _CURRENCIES:
            message = f"amount: the mock takes {', '.join(sorted(_CURRENCIES))}, not {order.amount.currency}"
            raise InvalidOrder(message, field="amount")

    async def create_payment(self, send: Send, request: CreateRequest) -> Created:
        """Make the order payable; the same reference makes one payment."""
        return self.gateway.create(request, apart=self._apart)

    async def observe(self, send: Send, provider_reference: str) -> Observation:
        """Look at the payment."""
        return self.gateway.observe(provider_reference, apart=self._apart)

    def next_check(self, state: PaymentState, age: timedelta) -> timedelta | None:
        """Look every ten minutes while the payer may pay, daily while money is only reserved."""
        if state in {PaymentState.CREATED, PaymentState.PENDING, PaymentState.UNKNOWN}:
            return _LOOK_AGAIN
        return timedelta(days=1) if state is PaymentState.AUTHORIZED else None

    # Taking and giving back money

    async def capture(self, send: Send, request: ChangeRequest) -> Reply:
        """Take ``request.amount``, in part or whole, several times."""
        return self.gateway.change(Call.CAPTURE, request, apart=self._apart)

    async def cancel(self, send: Send, request: ChangeRequest) -> Reply:
        """Close an open payment, or release what is not captured."""
        return self.gateway.change(Call.CANCEL, request, apart=self._apart)

    async def refund(self, send: Send, request: ChangeRequest) -> Reply:
        """Give back ``request.amount``, in part or whole, several times."""
        return self.gateway.change(Call.REFUND, request, apart=self._apart)

    async def update(self, send: Send, request: ChangeRequest) -> Reply:
        """Change the amount of a payment nobody has paid."""
        return self.gateway.change(Call.UPDATE, request, apart=self._apart)

    # Stored methods

    async def charge(self, send: Send, request: ChargeRequest) -> Charged:
        """Reserve money on a stored method."""
        return self.gateway.charge(request, finds_charges=self._config.finds_charges, apart=self._apart)

    async def observe_methods(self, send: Send, payer_reference: str) -> tuple[MethodSeen, ...]:
        """Return the payer's stored methods."""
        return self.gateway.methods(payer_reference)

    async def remove_method(self, send: Send, kind: MandateKind, token: Secret, *, reason: str) -> None:
        """Forget one."""
        self.gateway.remove_method(kind, token)

    async def remove_all_methods(self, send: Send, payer_reference: str, *, reason: str) -> None:
        """Forget all of the payer's."""
        self.gateway.remove_methods_of(payer_reference)

    # Sending money

    def write_payout(self, request: PayoutRequest) -> bytes:
        """Write the instruction down; nobody signs it."""
        amount = request.order.amount
        if amount.currency not in _CURRENCIES:
            message = f"amount: the mock takes {', '.join(sorted(_CURRENCIES))}, not {amount.currency}"
            raise InvalidOrder(message, field="amount")
        return json.dumps({"minor": amount.minor, "callback_url": request.callback_url}).encode()

    async def pay_out(self, send: Send, reference: str, body: bytes, *, again: bool) -> Reply:
        """Send the money; the same reference sends it once."""
        written = json.loads(body)
        return self.gateway.pay_out(reference, minor=written["minor"], callback_url=written["callback_url"])

    async def observe_payout(self, send: Send, reference: str) -> Reply:
        """Look at the payout."""
        return self.gateway.observe_payout(reference)

    # Hearing of changes, and the rest

    def read_callback(self, request: CallbackRequest) -> Heard:
        """Read which payment a callback names: a hint, as with real gateways."""
        try:
            return Heard(names=(named_in(request.body)[1],))
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
        self.gateway.ask(Call.DRAW_QR)
        return _SVG if image == "svg" else _PNG

    async def probe(self, send: Send) -> tuple[Probe, ...]:
        """Say that all is well, and what the time is."""
        self.gateway.ask(Call.PROBE)
        credentials = Probe(name="credentials", ok=True, found="a mock needs none")
        return (credentials, Probe(name="clock", ok=True, found="", gateway_time=self.gateway.clock.now()))


class MockProviderApart(MockProvider, RefundsApart):
    """The same, where a refund is an object of its own: what ``Mock(refunds_apart=True)`` builds."""

    async def observe_refund(self, send: Send, reference: str, currency: str) -> Reply:
        """Look at the refund."""
        return self.gateway.observe_refund(reference)
