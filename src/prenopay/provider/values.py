"""What a provider is asked and what it answers: the values of its verbs, the same for every gateway."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from prenopay._redaction import MASK, Secret
from prenopay.errors import Conflict
from prenopay.values.mandates import MandateKind, MethodSeen
from prenopay.values.money import Money
from prenopay.values.orders import Order, OrderLine, PayoutOrder
from prenopay.values.payments import Action, AppSwitch, Decline, Outcome, PaymentState, SeamlessView

if TYPE_CHECKING:
    pass

__all__ = [
    "Attempt",
    "ChangeRequest",
    "ChargeRequest",
    "Charged",
    "CreateRequest",
    "Created",
    "Environment",
    "Inspection",
    "Limits",
    "MandateSeen",
    "Observation",
    "PayoutRequest",
    "Probe",
    "ProviderTransaction",
    "ReferenceAlphabet",
    "ReferenceRule",
    "Reply",
    "TransactionKind",
]


class Environment(StrEnum):
    """Which of the gateway's worlds an account lives in. There is no default on purpose."""

    TEST = "test"
    PRODUCTION = "production"


class ReferenceAlphabet(StrEnum):
    """The signs a gateway takes in the references we make."""

    DIGITS = "0123456789"
    HEX = "0123456789ABCDEF"
    CAPITALS_AND_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    """Crockford's base 32: capitals and digits without I, L, O and U, so that people read it back right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceRule:
    """What the references derived from operation ids look like for this account."""

    alphabet: ReferenceAlphabet
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the provider takes, per verb, as data: docs, checks and conformance tests read it."""

    currencies: frozenset[str]
    reference: ReferenceRule
    resend_window: timedelta | None
    """How long the same reference may be sent again after a lost answer (``None``: for ever)."""
    page_lives: timedelta
    """How long the payer can pay after ``create``."""
    partial_capture: bool = True
    partial_refund: bool = True
    deadline_seconds: float = 30.0
    """The bound on one use case, retries and look-ups included."""
    not_supported: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    """For verbs the provider has no protocol for: what to use instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateRequest:
    """What ``create_payment`` is given: the order, the gateway reference, the callback URL.

    ``offered`` is the token of the stored method that ``order.pay_with`` names, unless it was removed since.
    ``again``: an earlier try under this reference may have reached the gateway.
    """

    order: Order
    payment_id: str
    reference: str
    callback_url: str = field(repr=False)
    offered: Secret | None = None
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRequest:
    """What capture, cancel, refund and update are given.

    ``provider_reference`` is the stored payment's; ``reference`` is this operation's own, the same on
    every try. The verb looks first whether ``reference`` has been acted on already; ``again`` says
    that an earlier try may have reached the gateway. ``page_only``, of a cancel: close the page if nobody
    has paid; money that is reserved is not released, and ``Conflict`` says that it was paid.
    """

    payment_id: str
    provider_reference: str
    reference: str
    amount: Money | None
    vat: Money | None
    lines: tuple[OrderLine, ...]
    description: str
    callback_url: str = field(default="", repr=False)
    again: bool = False
    page_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutRequest:
    """What ``write_payout`` is given; ``asked_at`` is the time that goes into the instruction."""

    order: PayoutOrder
    payout_id: str
    reference: str
    callback_url: str = field(repr=False)
    asked_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """A payment that the gateway now knows, and how the payer gets to its page."""

    observation: Observation
    redirect_url: str | None = field(default=None, repr=False)
    seamless_view: SeamlessView | None = field(default=None, repr=False)
    app_switch: AppSwitch | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeRequest:
    """What ``charge`` is given: the order to collect, the token, and our reference, the same on every try.

    ``again``: an earlier try may have reached the gateway. ``token`` is ``None`` where the method was removed
    since: an earlier try can be looked for, and nothing can be sent.
    """

    order: Order
    payment_id: str
    reference: str
    callback_url: str = field(repr=False)
    kind: MandateKind
    token: Secret | None
    again: bool = False

    def token_to_send(self) -> Secret:
        """Return the token; raises ``Conflict`` where the method was removed."""
        if self.token is None:
            message = "charge: the stored method was removed, so nothing can be sent"
            raise Conflict(message, advice="charge another method, under a new operation id")
        return self.token


@dataclass(frozen=True, slots=True, kw_only=True)
class Charged:
    """How a charge ended: ``observation`` where the gateway made a payment of it, ``decline`` where it said no.

    A declined charge may have both. Whether the method must rest then is read off ``decline.suspends``.
    ``NOT_ATTEMPTED``: an earlier try was looked for, the gateway has none, and it cannot be made again.
    """

    outcome: Outcome
    observation: Observation | None = None
    decline: Decline | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """How a change ended: succeeded, pending or declined. Anything else is raised."""

    outcome: Outcome
    observation: Observation | None = None
    decline: Decline | None = None


class TransactionKind(StrEnum):
    """What moved: reserved, taken, released, given back."""

    AUTHORIZATION = "authorization"
    CAPTURE = "capture"
    RELEASE = "release"
    REFUND = "refund"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderTransaction:
    """One movement as the gateway lists it. ``reference`` is ours where the gateway repeats it."""

    kind: TransactionKind
    number: str
    amount: Money | None
    reference: str | None
    created_at: datetime | None
    decline: Decline | None = None
    """Set for a movement that was tried and failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try of the payer's that failed."""

    number: str
    created_at: datetime | None
    instrument: str | None
    decline: Decline


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What the gateway says of a payment at one moment, in our words: cumulative totals, never deltas.

    ``submitted`` is what the gateway believes was asked for (the integrity check compares it with the
    order); ``fee`` and ``discount`` are what it added or took off. ``reference`` and
    ``order_reference`` are our own as the gateway repeats them, ``None`` where it does not.
    ``refunded`` is ``None`` where refunds are objects of their own (``RefundsApart``): what was given
    back is then what ``transactions`` lists, each by its number once.
    """

    provider_reference: str
    state: PaymentState
    authorized: Money
    captured: Money
    refunded: Money | None
    cancelled: Money
    submitted: Money
    fee: Money
    discount: Money
    allowed_actions: frozenset[Action]
    instrument: str | None = None
    reference: str | None = None
    order_reference: str | None = None
    decline: Decline | None = None
    attempts: tuple[Attempt, ...] = ()
    transactions: tuple[ProviderTransaction, ...] = ()
    failed_transactions: tuple[ProviderTransaction, ...] = ()
    methods: tuple[MethodSeen, ...] = ()
    raw_status: str = ""
    status_is_known: bool = True
    raw: Mapping[str, object] = field(default_factory=dict[str, object], repr=False, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One thing ``doctor`` checked: what was found, and what to do about it."""

    name: str
    ok: bool
    found: str
    fix: str = ""
    gateway_time: datetime | None = None
    """What the gateway says the time is; the core compares it with ours."""
    expires_at: datetime | None = None
    """When what was checked stops working; the core says so a month ahead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MandateSeen:
    """A stored way to pay that an answer names; its token is masked."""

    kind: str
    display: str
    expires: str
    token: str = MASK


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """How a stored gateway body is read, for people and scripts: amounts in minor units, secrets masked.

    ``None`` means that the body says nothing of it. ``note`` explains what is not obvious.
    """

    kind: str
    provider_reference: str | None = None
    state: PaymentState | None = None
    authorized: int | None = None
    captured: int | None = None
    refunded: int | None = None
    cancelled: int | None = None
    currency: str | None = None
    instrument: str | None = None
    decline: Decline | None = None
    mandates: tuple[MandateSeen, ...] = ()
    allowed_actions: tuple[Action, ...] = ()
    note: str = ""
