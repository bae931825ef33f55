"""What happened to a subject, as one value for all gateways. The host receives it once it is durable, in order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from prenopay._arguments import checked_fields
from prenopay.values.money import Money
from prenopay.values.payments import Decline, FlagKind, PaymentState
from prenopay.values.subjects import Subject

__all__ = ["AsyncEventHandler", "Event", "EventHandler", "EventKind"]


class EventKind(StrEnum):
    """What happened."""

    AUTHORIZED = "payment.authorized"
    CAPTURED = "payment.captured"
    """Money arrived: open access. ``amount`` is what arrived now, ``captured`` is the total."""
    REFUNDED = "payment.refunded"
    CANCELLED = "payment.cancelled"
    DECLINED = "payment.declined"
    EXPIRED = "payment.expired"
    ATTEMPT_DECLINED = "payment.attempt_declined"
    """The payer tried and was refused; the payment is still open."""
    FLAGGED = "payment.flagged"
    """A person must look at the payment: see ``flag``."""
    MANDATE_ACTIVE = "mandate.active"
    """The payer's method is stored and may be charged: see ``mandate_id``."""
    MANDATE_EXPIRING = "mandate.expiring"
    """The card expires soon: ask the payer for another."""
    MANDATE_SUSPENDED = "mandate.suspended"
    """A decline forbids charges on the method, for now or for good: ask the payer. See ``decline``."""
    MANDATE_ENDED = "mandate.ended"
    """The mandate was replaced or removed, or the gateway no longer has it: see ``detail``."""
    OPERATION_DECLINED = "operation.declined"
    """The gateway refused a capture, cancel or refund in the end: see ``operation_id`` and ``decline``."""
    PAYOUT_PAID = "payout.paid"
    """The payee has the money: see ``amount`` and ``operation_id``."""
    PAYOUT_DECLINED = "payout.declined"
    """The money did not leave: see ``decline``."""


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class Event:
    """One change of one subject. The host receives it at least once, and in order per subject.

    ``event_id`` is the same when an event is delivered again: remember it if a handler must act only once.
    ``number`` counts a subject's events from 1. Amounts are in minor units (öre) and include VAT. ``raw`` is the
    gateway's answer behind the event, with secrets masked: for support, not for decisions.

    ``state``, ``captured`` and ``refunded`` are those of the payment, and ``None`` for other subjects. ``amount``
    is ``None`` for a mandate. An event of a mandate has the ``payment_id`` and ``order_reference`` of the payment
    that stored it. Both are empty if there is no payment.
    """

    event_id: str
    number: int
    kind: EventKind
    account: str
    subject: Subject
    occurred_at: datetime
    payment_id: str = ""
    order_reference: str = ""
    state: PaymentState | None = None
    amount: Money | None = None
    captured: Money | None = None
    refunded: Money | None = None
    is_paid: bool = False
    operation_id: str | None = None
    mandate_id: str | None = None
    decline: Decline | None = None
    flag: FlagKind | None = None
    detail: str = ""
    raw: Mapping[str, object] = field(default_factory=dict[str, object], repr=False, hash=False)

    @property
    def is_refunded(self) -> bool:
        """Whether all that was taken on the payment has been given back."""
        return bool(self.captured and self.refunded and self.refunded >= self.captured)


EventHandler: TypeAlias = Callable[[Event], None]
"""The host's handler in blocking code. If it raises, the event is delivered again later."""

AsyncEventHandler: TypeAlias = Callable[[Event], Awaitable[None]]
"""The host's handler in async code. If it raises, the event is delivered again later."""
