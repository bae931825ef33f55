"""What happened to a payment, in one normalised value: told to the host once it is durable, in order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from prenopay.values.money import Money
from prenopay.values.payments import Decline, FlagKind, PaymentState

__all__ = ["AsyncEventHandler", "Event", "EventHandler", "EventKind"]


class EventKind(StrEnum):
    """What happened."""

    AUTHORIZED = "payment.authorized"
    CAPTURED = "payment.captured"
    """Money arrived: open access. ``amount`` is what arrived now, ``captured`` the total."""
    REFUNDED = "payment.refunded"
    CANCELLED = "payment.cancelled"
    DECLINED = "payment.declined"
    EXPIRED = "payment.expired"
    ATTEMPT_DECLINED = "payment.attempt_declined"
    """The payer tried and was refused; the payment is still open."""
    FLAGGED = "payment.flagged"
    """A person should look: see ``flag``."""
    MANDATE_ACTIVE = "mandate.active"
    """The payer's method is stored and may be charged: see ``mandate_id``."""
    MANDATE_EXPIRING = "mandate.expiring"
    """The card runs out soon: ask the payer for another."""
    MANDATE_SUSPENDED = "mandate.suspended"
    """A decline says that the method must not be charged (for now): ask the payer. See ``decline``."""
    MANDATE_ENDED = "mandate.ended"
    """Replaced, removed or gone at the gateway: see ``detail``."""
    OPERATION_DECLINED = "operation.declined"
    """A capture, cancel or refund was refused in the end: see ``operation_id`` and ``decline``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One change, told at least once and in order per payment.

    ``event_id`` is stable over repeats: remember it where a handler must act once only.
    ``number`` counts a payment's events from 1. Amounts include VAT. ``raw`` is the gateway's answer behind the event,
    redacted: for support, not for decisions.
    """

    event_id: str
    number: int
    kind: EventKind
    account: str
    payment_id: str
    order_reference: str
    occurred_at: datetime
    state: PaymentState
    amount: Money
    captured: Money
    refunded: Money
    is_paid: bool
    operation_id: str | None = None
    mandate_id: str | None = None
    decline: Decline | None = None
    flag: FlagKind | None = None
    detail: str = ""
    raw: Mapping[str, object] = field(default_factory=dict[str, object], repr=False, hash=False)


EventHandler: TypeAlias = Callable[[Event], None]
"""The host's handler in blocking code. Raising means: not done, tell me again later."""

AsyncEventHandler: TypeAlias = Callable[[Event], Awaitable[None]]
"""The host's handler in async code. Raising means: not done, tell me again later."""
