"""What a payment provider is: one class, one protocol per thing it can do, and the values it deals in.

A provider author sees no client library, no event loop, no clock and no database. Each verb is
three steps: *encode* the request, ``await send(request)``, *read* the answer. It returns a value or
raises one of ``prenopay.errors``; it never retries, never sleeps and keeps no state.

What a provider can do it declares by inheriting the protocol (``class Mine(PaymentProvider,
Captures, Refunds)``): a verb that is missing then fails when the class is built, and calling
``payments.capture(…)`` on a provider that cannot capture is an error to the type checker.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import timedelta
from typing import Final, Protocol

from prenopay._redaction import Secret
from prenopay.ports import Send
from prenopay.provider.values import (
    ChangeRequest,
    Charged,
    ChargeRequest,
    Created,
    CreateRequest,
    Limits,
    Observation,
    PayoutRequest,
    Probe,
    Reply,
)
from prenopay.values.callbacks import CallbackReply, CallbackRequest, Heard
from prenopay.values.mandates import MandateKind, MethodSeen
from prenopay.values.orders import Order
from prenopay.values.payments import OperationKind, PaymentState

__all__ = [
    "VERBS",
    "Cancels",
    "Captures",
    "ChargesMandates",
    "DrawsQr",
    "PaymentProvider",
    "PaysOut",
    "ReceivesCallbacks",
    "Refunds",
    "RefundsApart",
    "StoresMandates",
    "Updates",
]


class PaymentProvider(ABC):
    """One gateway, spoken to with one account's agreement."""

    name: str
    """The provider's name in settings, logs and tables, such as ``swedbankpay``."""
    limits: Limits
    hosts: frozenset[str]
    """The only hosts (``name`` or ``name:port``) that any request of this account may go to."""

    @abstractmethod
    def check_order(self, order: Order) -> None:
        """Raise ``InvalidOrder`` for what cannot be expressed to the gateway."""

    @abstractmethod
    async def create_payment(self, send: Send, request: CreateRequest) -> Created:
        """Make the payment known to the gateway.

        Sending the same ``request`` again must make at most one payment that a payer can pay.
        Raises ``DuplicateReference`` where the gateway says it has seen the reference.
        """

    @abstractmethod
    async def observe(self, send: Send, provider_reference: str) -> Observation:
        """Read the payment's present state from the gateway, authenticated."""

    @abstractmethod
    def next_check(self, state: PaymentState, age: timedelta) -> timedelta | None:
        """Return how long to wait before the sweep looks at a payment of this state and age."""

    @abstractmethod
    async def probe(self, send: Send) -> tuple[Probe, ...]:
        """Check credentials and reachability without side effects, for ``doctor``."""


class Captures(Protocol):
    """Takes reserved money, in part or whole."""

    @abstractmethod
    async def capture(self, send: Send, request: ChangeRequest) -> Reply:
        """Take ``request.amount``."""
        ...


class Cancels(Protocol):
    """Ends a payment before money is taken."""

    @abstractmethod
    async def cancel(self, send: Send, request: ChangeRequest) -> Reply:
        """Close an open payment, or release what is reserved and not yet taken."""
        ...


class Refunds(Protocol):
    """Gives captured money back, in part or whole."""

    @abstractmethod
    async def refund(self, send: Send, request: ChangeRequest) -> Reply:
        """Give back ``request.amount``."""
        ...


class StoresMandates(Protocol):
    """Keeps a payer's method for later: stores it with an order, shows it, removes it."""

    @abstractmethod
    async def observe_methods(self, send: Send, payer_reference: str) -> tuple[MethodSeen, ...]:
        """Read the payer's stored methods that still work; ``UnsupportedOperation`` where payers are not known."""
        ...

    @abstractmethod
    async def remove_method(self, send: Send, kind: MandateKind, token: Secret, *, reason: str) -> None:
        """Remove one stored method; one that is gone already is no error."""
        ...

    @abstractmethod
    async def remove_all_methods(self, send: Send, payer_reference: str, *, reason: str) -> None:
        """Remove every stored method of the payer, those of other systems of the merchant included.

        Raises ``UnsupportedOperation`` where payers are not known: then each known method is removed by itself.
        """
        ...


class ChargesMandates(StoresMandates, Protocol):
    """Takes money on a stored method, the payer absent."""

    @abstractmethod
    async def charge(self, send: Send, request: ChargeRequest) -> Charged:
        """Charge once. A decline is a result; raises ``OutcomeUnknown`` where it cannot be told.

        ``request.again``: an earlier try under this reference may have moved the money. Unless the
        gateway is known to refuse a repeated reference, it must not be sent: raise ``OutcomeUnknown``.
        """
        ...


class RefundsApart(Refunds, Protocol):
    """Its refunds are objects of their own: observing the payment says nothing of them."""

    @abstractmethod
    async def observe_refund(self, send: Send, reference: str, currency: str) -> Reply:
        """Read how the refund of our ``reference`` stands; one the gateway does not have is ``PENDING``."""
        ...


class DrawsQr(Protocol):
    """Has a service that draws the QR code of an ``AppSwitch``."""

    @abstractmethod
    async def draw_qr(self, send: Send, token: str, *, image: str) -> bytes:
        """Return the code as an image; ``image`` is ``svg`` or ``png``."""
        ...


class PaysOut(Protocol):
    """Sends money from the merchant to someone."""

    @abstractmethod
    def write_payout(self, request: PayoutRequest) -> bytes:
        """Return the signed instruction, which is stored and only ever sent as these bytes.

        Raises ``InvalidOrder`` for what cannot be expressed.
        """
        ...

    @abstractmethod
    async def pay_out(self, send: Send, reference: str, body: bytes, *, again: bool) -> Reply:
        """Send the instruction, at most once: ``again`` means to look first whether it was taken before."""
        ...

    @abstractmethod
    async def observe_payout(self, send: Send, reference: str) -> Reply:
        """Read how the payout stands."""
        ...


class Updates(Protocol):
    """Changes amount and lines of a payment that is still open."""

    @abstractmethod
    async def update(self, send: Send, request: ChangeRequest) -> Reply:
        """Make ``request.amount`` and ``request.lines`` the payment's."""
        ...


class ReceivesCallbacks(Protocol):
    """Hears of changes from the gateway."""

    @abstractmethod
    def read_callback(self, request: CallbackRequest) -> Heard:
        """Say what the callback speaks of, or what is wrong with it; never raises for bad bodies."""
        ...

    @abstractmethod
    def callback_reply(self, *, accepted: bool) -> CallbackReply:
        """Return what this gateway wants to hear."""
        ...


VERBS: Final[Mapping[OperationKind, tuple[type, str]]] = {
    OperationKind.CAPTURE: (Captures, "capture"),
    OperationKind.CANCEL: (Cancels, "cancel"),
    OperationKind.REFUND: (Refunds, "refund"),
    OperationKind.UPDATE: (Updates, "update"),
}
"""Which protocol stands behind which kind of change."""
