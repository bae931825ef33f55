"""The values of a provider's verbs: what it is asked and what it answers. They are the same for every gateway."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from prenopay._arguments import check_arguments, checked_fields, refuse_misuse
from prenopay._hidden import hide
from prenopay._redaction import MASK, Secret
from prenopay._text import quoted, show_fields
from prenopay.errors import Conflict, UnexpectedAnswer
from prenopay.values.mandates import MandateKind, MethodSeen
from prenopay.values.money import Money
from prenopay.values.orders import Order, OrderLine, PayoutOrder
from prenopay.values.payments import Action, AppSwitch, Decline, Outcome, PaymentState, SeamlessView

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


_PROVIDER_REFERENCE_MOST: Final = 200
"""How long a gateway's name of a payment may be: its column holds no more."""
_SUMS: Final = ("authorized", "captured", "refunded", "cancelled", "submitted", "fee", "discount")
"""The sums of an observation. None is below zero: what comes back is a sum of its own."""


class Environment(StrEnum):
    """Which of the gateway's environments an account uses. There is no default, on purpose."""

    TEST = "test"
    PRODUCTION = "production"


class ReferenceAlphabet(StrEnum):
    """The characters that a gateway accepts in the references that we make."""

    DIGITS = "0123456789"
    HEX = "0123456789ABCDEF"
    CAPITALS_AND_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    """Crockford's base 32: capitals and digits without I, L, O and U, so that people copy it correctly."""


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class ReferenceRule:
    """What the references derived from operation ids look like for this account."""

    alphabet: ReferenceAlphabet
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class Limits:
    """What the provider accepts, per verb, as data: docs, checks and conformance tests read it."""

    currencies: frozenset[str]
    reference: ReferenceRule
    resend_window: timedelta | None
    """How long the same reference may be sent again after a lost answer (``None``: forever)."""
    page_lives: timedelta
    """How long the payer can pay after ``create``."""
    capture_within: timedelta = timedelta(days=7)
    """How long reserved money may wait until a person is notified: cards guarantee it for 7 days."""
    partial_capture: bool = True
    partial_refund: bool = True
    deadline_seconds: float = 30.0
    """The limit of one use case in seconds, retries and look-ups included."""
    not_supported: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    """What to use instead, for each verb that the provider has no protocol for."""


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class CreateRequest:
    """What ``create_payment`` is given: the order, the gateway reference, the callback URL.

    ``offered`` is the token of the stored method that ``order.pay_with`` names, unless it was removed since.
    ``again``: an earlier try under this reference may have reached the gateway; ``first_tried_at`` is when the first
    one began. What the gateway has from before that time is not ours.
    """

    order: Order
    payment_id: str
    reference: str
    callback_url: str = field(repr=False)
    offered: Secret | None = None
    again: bool = False
    first_tried_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class ChangeRequest:
    """What capture, cancel, refund and update are given. Amounts are in minor units and include VAT.

    ``provider_reference`` is the gateway's name of the payment. ``reference`` is the name of this operation, the
    same on every try. The verb first checks whether ``reference`` was acted on before; ``again`` says that an
    earlier try may have reached the gateway, and ``first_tried_at`` when the first one began. What the gateway has
    from before that time is not ours.

    ``page_only`` (cancel only): close the page if nobody has paid. Reserved money is not released; raise
    ``Conflict`` if the payment was paid.
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
    first_tried_at: datetime | None = None
    page_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class PayoutRequest:
    """What ``write_payout`` is given. ``asked_at`` is the time that the instruction states."""

    order: PayoutOrder
    payout_id: str
    reference: str
    callback_url: str = field(repr=False)
    asked_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class Created:
    """A payment that the gateway now knows, and how the payer gets to its page."""

    observation: Observation
    redirect_url: str | None = field(default=None, repr=False)
    seamless_view: SeamlessView | None = field(default=None, repr=False)
    app_switch: AppSwitch | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Make its texts fit to be shown and stored: a gateway wrote them.

        Hide the address of the page.
        """
        show_fields(self)
        hide(self, "redirect_url")


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class ChargeRequest:
    """What ``charge`` is given: the order to collect, the token, and our reference, the same on every try.

    ``again``: an earlier try may have reached the gateway; ``first_tried_at`` is when the first one began. ``token``
    is ``None`` if the method was removed meanwhile: the verb may look for an earlier try, but cannot send.
    """

    order: Order
    payment_id: str
    reference: str
    callback_url: str = field(repr=False)
    kind: MandateKind
    token: Secret | None
    again: bool = False
    first_tried_at: datetime | None = None

    def token_to_send(self) -> Secret:
        """Return the token; raises ``Conflict`` if the method was removed."""
        if self.token is None:
            message = "charge: the stored method was removed, so nothing can be sent"
            raise Conflict(message, advice="charge another method, under a new operation id")
        return self.token


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class Charged:
    """How a charge ended: ``observation`` if the gateway made a payment of it, ``decline`` if the gateway refused.

    A declined charge may have both. ``decline.suspends`` says whether the method must rest. ``NOT_ATTEMPTED``
    means that the gateway has no earlier try, and that the charge cannot be sent again.
    """

    outcome: Outcome
    observation: Observation | None = None
    decline: Decline | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
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
@checked_fields
class ProviderTransaction:
    """One movement in the gateway's list. ``reference`` is ours, if the gateway repeats it."""

    kind: TransactionKind
    number: str
    amount: Money | None
    reference: str | None
    created_at: datetime | None
    decline: Decline | None = None
    """Set if the movement was tried and failed."""

    def __post_init__(self) -> None:
        """Make its texts fit to be shown and stored: a gateway wrote them.

        Raises ``UnexpectedAnswer`` for an amount below zero.
        """
        show_fields(self)
        _refuse_negative("amount", self.amount)


def _refuse_negative(name: str, amount: Money | None) -> None:
    """Raise ``UnexpectedAnswer`` for an amount below zero."""
    if amount is not None and amount.minor < 0:
        message = f"the gateway says {name}: {amount}, and no sum is below zero"
        raise UnexpectedAnswer(message)


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class Attempt:
    """One failed try of the payer."""

    number: str
    created_at: datetime | None
    instrument: str | None
    decline: Decline

    def __post_init__(self) -> None:
        """Make its texts fit to be shown and stored: a gateway wrote them."""
        show_fields(self)


@check_arguments(refuse_misuse, any_text=True)
@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class Observation:
    """What the gateway says about a payment at one moment, in our words: cumulative totals, never deltas.

    ``submitted`` is the amount that the gateway believes was asked for; the integrity check compares it with the
    order. ``fee`` and ``discount`` are what the gateway added or took off. ``reference`` and ``order_reference``
    are ours as the gateway repeats them, ``None`` if it does not. Amounts are in minor units and include VAT.

    ``refunded`` is ``None`` if refunds are objects of their own (``RefundsApart``). Then ``transactions`` lists
    what was given back, each number once. ``bank_reference`` is how refunds name the payment, if they do so by a
    name of the bank's. ``uncertain_transactions`` ended in a way that leaves open whether money moved.
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
    uncertain_transactions: tuple[ProviderTransaction, ...] = ()
    bank_reference: str | None = None
    methods: tuple[MethodSeen, ...] = ()
    raw_status: str = ""
    status_is_known: bool = True
    raw: Mapping[str, object] = field(default_factory=dict[str, object], repr=False, hash=False)

    def __post_init__(self) -> None:
        """Make its texts fit to be shown and stored: a gateway wrote them.

        Raises ``UnexpectedAnswer`` for a sum below zero, and for a name that is too long to be one: nobody could ask
        for it again.
        """
        show_fields(self)
        if len(self.provider_reference) > _PROVIDER_REFERENCE_MOST:
            message = f"the gateway names the payment {quoted(self.provider_reference)}"
            raise UnexpectedAnswer(message)
        for name in _SUMS:
            _refuse_negative(name, getattr(self, name))

    def refuses(self, verb: str, *, stated: bool = True) -> Conflict:
        """Return the error for a ``verb`` that the payment's present state does not allow: it says what is possible.

        ``stated``: the gateway has nothing of an earlier try either, as it says itself.
        """
        allowed = ", ".join(sorted(self.allowed_actions)) or "nothing"
        message = (
            f"{verb} is not possible now: the payment is {self.state} ({self.raw_status}), the gateway allows {allowed}"
        )
        return Conflict(message, advice=self._instead_of(verb), stated=stated)

    def _instead_of(self, verb: str) -> str:
        if verb == Action.CANCEL and self.captured:
            return "the money was taken: refund it instead"
        if verb == Action.REFUND and not self.captured:
            return "no money was taken: cancel the payment instead, or observe it once it is paid"
        if self.state in {PaymentState.CANCELLED, PaymentState.DECLINED, PaymentState.EXPIRED}:
            return "the payment has ended: make a new one"
        return "observe the payment; the payer may be inside an app, or another operation may be under way: try later"


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class Probe:
    """One thing ``doctor`` checked: what was found, and what to do about it."""

    name: str
    ok: bool
    found: str
    fix: str = ""
    gateway_time: datetime | None = None
    """The gateway's time; the core compares it with ours."""
    expires_at: datetime | None = None
    """When a checked thing, such as a certificate, stops working; the core warns a month ahead."""

    def __post_init__(self) -> None:
        """Make its texts fit to be shown and stored: a gateway wrote them."""
        show_fields(self)


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class MandateSeen:
    """A stored way to pay that an answer names; its token is masked."""

    kind: str
    display: str
    expires: str
    token: str = MASK
    state: str = ""
    """What the gateway says of it, such as ``archived``; empty if it says nothing."""

    def __post_init__(self) -> None:
        """Make its texts fit to be shown and stored: a gateway wrote them."""
        show_fields(self)


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class Inspection:
    """How a stored gateway body is read, for people and scripts: amounts in minor units, secrets masked.

    ``None`` means that the body does not say. ``note`` explains what is not obvious.
    """

    kind: str
    provider_reference: str | None = None
    state: PaymentState | None = None
    authorized: int | None = None
    captured: int | None = None
    refunded: int | None = None
    cancelled: int | None = None
    paid_out: int | None = None
    """What a payout sent: money that went out is neither authorized nor captured."""
    currency: str | None = None
    instrument: str | None = None
    decline: Decline | None = None
    mandates: tuple[MandateSeen, ...] = ()
    allowed_actions: tuple[Action, ...] = ()
    problems: tuple[tuple[str, str], ...] = ()
    """Name and description of each entry in a problem, as ``ProviderError.problems`` has them."""
    note: str = ""

    def __post_init__(self) -> None:
        """Make its texts fit to be shown and stored: a gateway wrote them."""
        show_fields(self)
