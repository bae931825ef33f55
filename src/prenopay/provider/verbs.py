"""What a payment provider is: one class, and one protocol for each thing it can do.

A provider author sees no client library, no event loop, no clock and no database. Each verb is three steps:
*encode* the request, ``await send(request)``, *read* the answer. It returns a value or raises an error of
``prenopay.errors``. It never retries, never sleeps and keeps no state.

A provider declares what it can do: it inherits the protocol (``class Mine(PaymentProvider, Captures, Refunds)``).
Then a missing verb fails when the class is built. A type checker reports an error for ``payments.capture(…)`` on a
provider that cannot capture.
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
    merchant: str
    """The gateway's name of the merchant, such as a Swish number: a part of what our references are made from."""
    limits: Limits
    hosts: frozenset[str]
    """The only hosts (``name`` or ``name:port``) that any request of this account may go to."""
    page_hosts: frozenset[str] = frozenset()
    """Where payers' pages and scripts may be, and not only at ``hosts``: ``name``, or ``.name`` for all below it.

    A page elsewhere, or one that is not encrypted, is never offered to a payer.
    """

    @abstractmethod
    def check_order(self, order: Order) -> None:
        """Raise ``InvalidOrder`` for an order that the gateway cannot express."""

    @abstractmethod
    async def create_payment(self, send: Send, request: CreateRequest) -> Created:
        """Make the payment known to the gateway.

        If the same ``request`` is sent again, there must be at most one payment that a payer can pay. Raises
        ``DuplicateReference`` if the gateway says that it has seen the reference.
        """

    @abstractmethod
    async def observe(self, send: Send, provider_reference: str) -> Observation:
        """Read the payment's present state from the gateway, with our credentials."""

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
        """Take ``request.amount`` (VAT included)."""
        ...


class Cancels(Protocol):
    """Ends a payment before money is taken."""

    @abstractmethod
    async def cancel(self, send: Send, request: ChangeRequest) -> Reply:
        """Close an open payment, or release money that is reserved and not yet taken."""
        ...


class Refunds(Protocol):
    """Gives captured money back, in part or whole."""

    @abstractmethod
    async def refund(self, send: Send, request: ChangeRequest) -> Reply:
        """Give back ``request.amount`` (VAT included)."""
        ...


class StoresMandates(Protocol):
    """Keeps a payer's method for later: stores it with an order, shows it, removes it."""

    @abstractmethod
    async def observe_methods(self, send: Send, payer_reference: str) -> tuple[MethodSeen, ...]:
        """Read the payer's stored methods that still work.

        Raises ``UnsupportedOperation`` if the gateway does not know payers.
        """
        ...

    @abstractmethod
    async def remove_method(self, send: Send, kind: MandateKind, token: Secret, *, reason: str) -> None:
        """Remove one stored method. A method that is gone already is not an error."""
        ...

    @abstractmethod
    async def remove_all_methods(self, send: Send, payer_reference: str, *, reason: str) -> None:
        """Remove every stored method of the payer, also those of the merchant's other systems.

        Raises ``UnsupportedOperation`` if the gateway does not know payers. Then each known method is removed on
        its own.
        """
        ...


class ChargesMandates(StoresMandates, Protocol):
    """Takes money on a stored method while the payer is absent."""

    @abstractmethod
    async def charge(self, send: Send, request: ChargeRequest) -> Charged:
        """Charge once. A decline is a result; raises ``OutcomeUnknown`` if the outcome cannot be known.

        ``request.again``: an earlier try under this reference may have moved the money. Send again only if the
        gateway is known to refuse a repeated reference; otherwise raise ``OutcomeUnknown``.
        """
        ...


class RefundsApart(Refunds, Protocol):
    """Keeps refunds as objects of their own: observing the payment does not show them."""

    @abstractmethod
    async def observe_refund(self, send: Send, request: ChangeRequest, payment: Observation) -> Reply:
        """Return the state of a refund that was asked for; it is ``PENDING`` if the gateway does not have it.

        ``payment`` was just observed. Raises ``ForeignAnswer`` if what the gateway has under ``request.reference``
        is not what was asked for.
        """
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
        """Return the signed instruction. It is stored, and only these bytes are ever sent.

        Raises ``InvalidOrder`` for an order that the gateway cannot express.
        """
        ...

    @abstractmethod
    async def pay_out(self, send: Send, reference: str, body: bytes, *, again: bool) -> Reply:
        """Send the instruction at most once. ``again``: check first whether the gateway accepted it before.

        Raises ``ForeignAnswer`` if what the gateway has under ``reference`` is not what ``body`` says.
        """
        ...

    @abstractmethod
    async def observe_payout(self, send: Send, reference: str, body: bytes) -> Reply:
        """Return the state of the payout that ``body`` instructed; raises ``ForeignAnswer`` if it is another."""
        ...


class Updates(Protocol):
    """Changes amount and lines of a payment that is still open."""

    @abstractmethod
    async def update(self, send: Send, request: ChangeRequest) -> Reply:
        """Change the payment to ``request.amount`` (VAT included) and ``request.lines``."""
        ...


class ReceivesCallbacks(Protocol):
    """Reads the gateway's callbacks."""

    @abstractmethod
    def read_callback(self, request: CallbackRequest) -> Heard:
        """Return what the callback is about, or what is wrong with it. Never raises for a bad body."""
        ...

    @abstractmethod
    def callback_reply(self, *, accepted: bool) -> CallbackReply:
        """Return the reply that this gateway expects."""
        ...


VERBS: Final[Mapping[OperationKind, tuple[type, str]]] = {
    OperationKind.CAPTURE: (Captures, "capture"),
    OperationKind.CANCEL: (Cancels, "cancel"),
    OperationKind.REFUND: (Refunds, "refund"),
    OperationKind.UPDATE: (Updates, "update"),
}
"""The protocol and the method of each kind of change."""
