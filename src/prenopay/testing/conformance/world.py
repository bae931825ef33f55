"""What a provider author gives the suite: one account, a gateway to try it against, and hands to move it with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from prenopay.ports import HttpSender
from prenopay.provider import PaymentProvider, ProviderConfig
from prenopay.testing.callbacks import Post
from prenopay.testing.clock import VirtualClock
from prenopay.values.mandates import Consent
from prenopay.values.money import Money
from prenopay.values.orders import Order, OrderLine, Payer, PayoutOrder
from prenopay.values.payments import Payment

__all__ = ["Books", "Totals", "Trouble", "World", "an_order", "consent"]


class Trouble(StrEnum):
    """How a request that changes something can end badly."""

    LOST_BEFORE = "lost before"
    """The request is lost before the gateway acts."""
    LOST_AFTER = "lost after"
    """The gateway acts, and its answer is lost."""
    UNREADABLE = "unreadable"
    """The gateway acts, and something on the way answers 200 with a page of HTML."""
    UNAVAILABLE = "unavailable"
    """The gateway acts, and something on the way answers 503."""
    NOT_SENT = "not sent"
    """The connection is refused: certainly nothing happened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What one payment adds up to at the gateway, in minor units."""

    captured: int
    refunded: int
    authorized: int = 0
    cancelled: int = 0


Books = Mapping[str, Totals]
"""Every payment the gateway has, by the gateway's reference: also those that prenopay never heard of."""


_AGREED: Final = Consent(text_version="terms-1", agreed_at=datetime(2026, 1, 2, tzinfo=UTC), channel="web")


def an_order(amount: Money | None = None) -> Order:
    """Return an order of one line, 119 kronor with 6 % VAT unless told otherwise."""
    total = amount or Money(11900, "SEK")
    return Order(
        amount=total,
        description="One month",
        lines=(OrderLine(name="Digital subscription", reference="D1", amount=total, vat_percent=6),),
        order_reference="K-1001",
        return_url="https://shop.example/orders/K-1001/return",
        cancel_url="https://shop.example/orders/K-1001/cancelled",
    )


def consent() -> Consent:
    """Return what the payer of the rules has agreed to."""
    return _AGREED


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A provider's account and the gateway behind it; all new for every test.

    Always needed: ``config``, the ``sender`` that reaches the gateway (an emulator, as a rule
    ``EmulatorSender``), its ``clock``, what a payer does (``pays``), what the gateway's ``books`` hold, and
    the credentials that must never be seen (``secrets``). The rest is needed for what the provider declares;
    a rule whose part is missing fails and names it. Amounts are in minor units, VAT included.
    """

    config: ProviderConfig[PaymentProvider]
    sender: HttpSender
    clock: VirtualClock
    pays: Callable[[Payment], object]
    """The payer pays the whole of an open payment, whatever it takes; raises when nobody could."""
    books: Callable[[], Books]
    secrets: tuple[str, ...] = field(repr=False)
    """The account's credentials as texts, and whatever else must never be seen."""

    order: Order = field(default_factory=an_order)
    """An order that the gateway takes; rules change its amount, capture mode and payer."""
    storing: Order | None = field(default=None, repr=False)
    """An order that has the payer's method stored, for ``StoresMandates``; by default ``order`` is asked to."""
    payer: Payer = field(default_factory=lambda: Payer(reference="R-77", email="leia@example.com"), repr=False)
    """A payer the gateway takes, with invented data."""
    declines: Callable[[Payment], object] | None = None
    """The payer's bank (or the payer) says no to an open payment."""
    deliver: Callable[[Post], object] | None = None
    """Delivers the callbacks that are due, for ``ReceivesCallbacks``."""
    forges: Callable[[Payment, Payment], object] | None = None
    """Queues a callback to the first payment's address that names the second, for ``ReceivesCallbacks``."""
    declines_charge: Callable[[], object] | None = None
    """Has the next charge declined, for ``ChargesMandates``."""
    tokens: Callable[[], Iterable[str]] | None = None
    """The stored tokens that the gateway has handed out, for ``StoresMandates``."""
    payout: PayoutOrder | None = field(default=None, repr=False)
    """A payout that the gateway takes, for ``PaysOut``."""
    paid_out: Callable[[], int] | None = None
    """How much the gateway has sent, or is about to send, for ``PaysOut``."""
    unknown_status: Callable[[bytes], bytes] | None = None
    """Puts a status that nobody knows into the body of an answer about a payment."""
    lose: Callable[[str, Trouble], object] | None = None
    """For a provider without network: has the next call of the provider's verb (``capture``) end so."""
