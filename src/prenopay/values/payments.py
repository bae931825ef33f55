"""What prenopay answers: payments, operations and their outcomes, declines, flags."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, Self, final

from prenopay._arguments import checked_fields
from prenopay._hidden import hide
from prenopay._redaction import scrub
from prenopay._text import QUOTED_MOST, quoted, show_fields
from prenopay.errors import InvalidOrder
from prenopay.values.money import Money
from prenopay.values.subjects import Subject, SubjectKind

__all__ = [
    "Action",
    "Advice",
    "AppSwitch",
    "Decline",
    "DeclineCode",
    "DeclineKind",
    "Flag",
    "FlagKind",
    "Operation",
    "OperationId",
    "OperationKind",
    "Outcome",
    "Payment",
    "PaymentState",
    "Payout",
    "SeamlessView",
    "TimelineEntry",
]

_OPERATION_ID: Final = re.compile(r"[!-~]{1,100}")


class OperationId(str):
    """The host's name for one thing that moves money: the same id moves it at most once.

    1 to 100 visible ASCII characters without spaces. Derive it from what the operation *is*
    (``OperationId.of("renewal", subscriber, "2026-11", 1)``), never from the time of the call. A new try after a
    decline is a new operation: count those. A repeated call after an error is the same operation.
    """

    __slots__ = ()

    def __new__(cls, value: str) -> Self:
        """Check ``value``; raises ``InvalidOrder``."""
        if not isinstance(value, str) or not _OPERATION_ID.fullmatch(value):
            message = f"operation_id must be 1 to 100 visible ASCII characters without spaces, not {quoted(value)}"
            raise InvalidOrder(message, field="operation_id")
        return super().__new__(cls, value)

    @classmethod
    def of(cls, *parts: str | int) -> Self:
        """Join the parts that name the operation with colons, such as ``of("refund", order_number, 1)``.

        Raises ``InvalidOrder`` for a part that is empty, has a colon, or is neither a text nor a whole number: then
        two operations could have one id.
        """
        for number, part in enumerate(parts, 1):
            is_plain = isinstance(part, str | int) and not isinstance(part, bool)
            if not is_plain or not str(part) or ":" in str(part):
                given = quoted(part) if is_plain else type(part).__name__
                message = f"operation_id: part {number} must be a text without colons, or a whole number, not {given}"
                raise InvalidOrder(message, field="operation_id")
        return cls(":".join(str(part) for part in parts))


class PaymentState(StrEnum):
    """The state of a payment. Refunds are sums, not states."""

    CREATED = "created"
    """Stored here; not yet known to be at the gateway."""
    PENDING = "pending"
    """Open at the gateway: the payer may pay."""
    AUTHORIZED = "authorized"
    """Money is reserved."""
    CAPTURED = "captured"
    """Money was taken, in part or whole: see ``Payment.captured``."""
    CANCELLED = "cancelled"
    """Ended before money was taken."""
    DECLINED = "declined"
    """Ended because issuer, bank or gateway said no."""
    EXPIRED = "expired"
    """Ended because nobody paid in time."""
    UNKNOWN = "unknown"
    """The request was sent and no answer came: ``resolve`` or the sweep settles it."""


class Action(StrEnum):
    """What can be done with a payment now."""

    CAPTURE = "capture"
    CANCEL = "cancel"
    REFUND = "refund"
    UPDATE = "update"


class OperationKind(StrEnum):
    """What an operation does."""

    CREATE = "create"
    UPDATE = "update"
    CAPTURE = "capture"
    CANCEL = "cancel"
    REFUND = "refund"
    CHARGE = "charge"
    """Takes money on a mandate while the payer is absent."""
    PAYOUT = "payout"
    """Sends money to someone."""


class Outcome(StrEnum):
    """How an operation ended, or that it has not ended yet."""

    SUCCEEDED = "succeeded"
    PENDING = "pending"
    """Accepted; a callback or the sweep brings the result later."""
    DECLINED = "declined"
    """Tried, and refused by issuer, bank or gateway: see ``decline``."""
    NOT_ATTEMPTED = "not_attempted"
    """Certainly nothing happened: the same id may be used again."""
    UNKNOWN = "unknown"
    """Sent, and no answer came (yet): ``resolve`` looks it up."""


class DeclineKind(StrEnum):
    """Whether the same method may succeed later."""

    SOFT = "soft"
    HARD = "hard"


class Advice(StrEnum):
    """What to do after a decline."""

    RETRY_LATER = "retry_later"
    NEW_METHOD = "new_method"
    NEVER = "never"
    AUTHENTICATE = "authenticate"
    """The payer must take part: send a payment page."""


class DeclineCode(StrEnum):
    """Why money was not given, in the field's words; one short list for every rail."""

    DECLINED = "declined"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    CARD_EXPIRED = "card_expired"
    CARD_BLOCKED = "card_blocked"
    CARD_NOT_ACCEPTED = "card_not_accepted"
    SUSPECTED_FRAUD = "suspected_fraud"
    INVALID_AMOUNT = "invalid_amount"
    INVALID_DETAILS = "invalid_details"
    AUTHENTICATION_REQUIRED = "authentication_required"
    AUTHENTICATION_FAILED = "authentication_failed"
    CANCELLED_BY_PAYER = "cancelled_by_payer"
    TIMED_OUT = "timed_out"
    LIMIT_EXCEEDED = "limit_exceeded"
    DO_NOT_RETRY = "do_not_retry"
    MANDATE_INACTIVE = "mandate_inactive"
    PAYER_NOT_ENROLLED = "payer_not_enrolled"
    PAYER_BUSY = "payer_busy"
    AGE_LIMIT_NOT_MET = "age_limit_not_met"
    IDENTITY_MISMATCH = "identity_mismatch"
    CREDIT_REFUSED = "credit_refused"
    REFUND_REFUSED = "refund_refused"
    UNAVAILABLE = "unavailable"


_ABOUT_THE_METHOD: Final = frozenset(
    {
        DeclineCode.MANDATE_INACTIVE,
        DeclineCode.CARD_EXPIRED,
        DeclineCode.CARD_NOT_ACCEPTED,
        DeclineCode.INVALID_DETAILS,
    },
)
"""Declines that another try with the same method cannot change."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class Decline:
    """Issuer, bank or gateway said no: a result, not an error.

    ``not_before`` is the earliest time a retry may be sent (``None``: no bound known);
    ``provider_code`` is the gateway's own word, for support.
    """

    code: DeclineCode
    kind: DeclineKind
    advice: Advice
    provider_code: str
    text: str = ""
    not_before: datetime | None = None
    attempts_left: int | None = None

    def __post_init__(self) -> None:
        """Mask what is secret in the gateway's texts, and make them fit to be shown and stored."""
        object.__setattr__(self, "provider_code", scrub(self.provider_code, most=QUOTED_MOST))
        object.__setattr__(self, "text", scrub(self.text))

    @property
    def suspends(self) -> bool:
        """Whether the stored method must rest: until ``not_before``, or for good if it is ``None``.

        A ceiling with an unknown end does not suspend the method, because the method would rest for good.
        """
        if self.code is DeclineCode.LIMIT_EXCEEDED:
            return self.not_before is not None
        return self.advice is Advice.NEVER or self.code in _ABOUT_THE_METHOD


class FlagKind(StrEnum):
    """Why a person should look at a payment."""

    MISMATCH = "mismatch"
    """The gateway's payment is not the one that was ordered: quarantined."""
    ADJUSTED = "adjusted"
    """The amount paid differs from the amount asked: fee, discount or partial approval."""
    LATE = "late"
    """Money came after the payment had ended here."""
    PAID_TWICE = "paid_twice"
    """Another payment of the same order was paid too."""
    UNCERTAIN = "uncertain"
    """The gateway itself does not know whether money moved: ask the payer to look, and the bank."""
    CONTRADICTION = "contradiction"
    """The gateway reports impossible totals, such as more refunded than captured."""
    UNREADABLE_STATUS = "unreadable_status"
    """The gateway reports a status that prenopay does not know."""
    LEFT_RESERVED = "left_reserved"
    """Money has been reserved for so long that it may no longer be there: take it, or release it."""
    FOREIGN_ANSWER = "foreign_answer"
    """The gateway answered with something that is not ours. It was not believed, and changed nothing."""
    FOREIGN_CALLBACK = "foreign_callback"
    """A callback to this payment's URL names another payment."""
    MALFORMED_CALLBACK = "malformed_callback"
    """A callback to this payment's URL cannot be read."""
    REFERENCE_SEEN = "reference_seen"
    """The gateway had an order under our reference before we asked for one: the books may be a restored copy."""


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class Flag:
    """A mark on a payment for a person to look at.

    ``times`` counts how often it was found: odd callbacks are flagged once for each kind, whatever they say, and
    ``detail`` is about the first. Those that came together count as one.
    """

    kind: FlagKind
    detail: str
    raised_at: datetime
    times: int = 1


@final
@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class SeamlessView:
    """What a page needs to show the payment inside itself.

    Load ``script_url`` with a ``<script>`` tag and let it draw into an element of the page;
    ``content_sources`` are what a Content-Security-Policy must allow.
    """

    script_url: str = field(repr=False)
    content_sources: tuple[str, ...]

    def __post_init__(self) -> None:
        """Make its texts fit to be shown and stored: a gateway wrote them.

        Hide the address in ``repr``: anyone who has it can pay.
        """
        show_fields(self)
        hide(self, "script_url")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class AppSwitch:
    """How the payer's banking app opens the payment, if the gateway has no page of its own.

    On a phone the payer follows ``app_url``. On a desktop the host shows ``qr_content`` as a QR code, and the page
    waits. Anyone with ``token`` can open the payment in the app: show it only to the payer.
    """

    token: str = field(repr=False)
    app_url: str = field(repr=False)
    qr_content: str = field(repr=False)

    def __post_init__(self) -> None:
        """Make its texts fit to be shown and stored: a gateway wrote them.

        Hide the token in ``repr``.
        """
        show_fields(self)
        hide(self, "token", "app_url", "qr_content")


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class Payment:
    """One attempt to collect an order, as the books have it.

    ``amount`` is what was ordered. ``due`` is the same after a fee or discount that the gateway added (then the
    payment is flagged ``ADJUSTED``). The other amounts are cumulative: ``captured`` is all money ever taken,
    ``refunded`` is all money ever given back. All are in minor units (öre) and include VAT. Open access when
    ``is_paid``: a state alone does not say how much arrived.
    """

    payment_id: str
    account: str
    provider: str
    order_reference: str
    provider_reference: str | None
    state: PaymentState
    amount: Money
    due: Money
    authorized: Money
    captured: Money
    refunded: Money
    cancelled: Money
    description: str
    instrument: str | None
    allowed_actions: frozenset[Action]
    flags: tuple[Flag, ...]
    quarantined: bool
    decline: Decline | None
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None
    redirect_url: str | None = field(default=None, repr=False)
    seamless_view: SeamlessView | None = field(default=None, repr=False)
    app_switch: AppSwitch | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Hide the address of the page in ``repr``: anyone who has it can pay."""
        hide(self, "redirect_url")

    @property
    def is_paid(self) -> bool:
        """Whether the whole order was taken. Later refunds do not change that."""
        return self.state is PaymentState.CAPTURED and self.captured >= self.due and not self.quarantined

    @property
    def is_open(self) -> bool:
        """Whether the payer may still pay."""
        return self.state in {PaymentState.CREATED, PaymentState.PENDING, PaymentState.UNKNOWN}


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class Operation:
    """One request to the gateway that changes something, and how it ended.

    ``amount`` is in minor units (öre) and includes VAT (``None`` for a cancel). ``reference`` is its name at the
    gateway. ``subject`` is what it changes: a payment or a payout.
    """

    operation_id: str
    kind: OperationKind
    account: str
    subject: Subject
    amount: Money | None
    outcome: Outcome
    decline: Decline | None
    reference: str
    attempts: int
    created_at: datetime
    settled_at: datetime | None
    error: str = ""

    @property
    def payment_id(self) -> str:
        """The payment that it changes; empty for a payout."""
        return self.subject.id if self.subject.kind is SubjectKind.PAYMENT else ""

    @property
    def succeeded(self) -> bool:
        """Whether it certainly happened."""
        return self.outcome is Outcome.SUCCEEDED


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class Payout:
    """Money sent to someone, and how that ended. ``reference`` is its name at the gateway.

    ``amount`` is what arrives, in minor units (öre); there is no VAT in it. ``DECLINED`` means that the money did
    not leave. ``UNKNOWN`` stays until the gateway can say.
    """

    payout_id: str
    operation_id: str
    account: str
    amount: Money
    description: str
    outcome: Outcome
    decline: Decline | None
    reference: str
    created_at: datetime
    settled_at: datetime | None
    error: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether the money certainly arrived."""
        return self.outcome is Outcome.SUCCEEDED


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class TimelineEntry:
    """One thing that happened to a payment, for people: ``kind`` is a stable word, ``text`` explains.

    ``amount`` includes VAT.
    """

    at: datetime
    kind: str
    text: str
    amount: Money | None = None
