"""A payment order as the gateway remembers it: whose it is, what was asked, what happened, and the sums that follow."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, StrEnum
from typing import Final

from prenopay._arguments import checked_fields
from prenopay.testing.emulators.swedbankpay.cards import INSTRUMENTS, CardUsed, Instrument, available_instruments
from prenopay.testing.http import JsonObject, as_list, as_object

# Agreements

DEFAULT_PAYEE_ID: Final = "5e1f0000-0000-4000-8000-00000000e1f0"
DEFAULT_ACCESS_TOKEN: Final = "emulator-token"  # noqa: S105 - opens nothing but this emulator


class ReferenceFormat(Enum):
    """What a ``payeeReference`` may look like: it depends on who settles, and on which page one reads."""

    SETTLED_BY_GATEWAY = re.compile(r"[A-Za-z0-9]{1,30}")
    SETTLED_BY_OWN_ACQUIRER = re.compile(r"[0-9]{1,12}")
    LONG = re.compile(r"[A-Za-z0-9]{1,50}")


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class Merchant:
    """One agreement."""

    payee_id: str = DEFAULT_PAYEE_ID
    access_token: str = field(default=DEFAULT_ACCESS_TOKEN, repr=False)
    name: str = "Emulerat förlag"
    reference_format: ReferenceFormat = ReferenceFormat.SETTLED_BY_GATEWAY
    instruments: tuple[str, ...] = tuple(INSTRUMENTS)
    has_moto: bool = True
    """Whether staff may type cards (docs: moto)."""
    has_direct_debit: bool = True
    """Whether stored bank accounts may be charged (docs: Trustly recurring)."""
    has_trustly_recurrence: bool = False
    """Whether bank accounts may be stored for ``Recur``: an older page says so, the newer one has cards only."""


# Tokens


class TokenKind(StrEnum):
    """What a token is good for (docs: token-handling)."""

    PAYMENT = "payment"
    """One click: the payer chooses it on the page."""
    RECURRENCE = "recurrence"
    """Charged by ``Recur``."""
    UNSCHEDULED = "unscheduled"
    """Charged by ``UnscheduledPurchase``."""

    @property
    def field(self) -> str:
        """The member that carries such a token in requests."""
        return f"{self.value}Token"


class ArchivedBy(StrEnum):
    """Who ended a token, as the Payer API says it."""

    PAYEE = "PAYEE"
    SWEDBANK_PAY = "SWEDBANK_PAY"
    TOKEN_ISSUER = "TOKEN_ISSUER"  # noqa: S105 - a word of the gateway's, no secret


VERIFY: Final = "Verify"
"""The operation that stores without a purchase."""
CHARGES: Final = {"Recur": TokenKind.RECURRENCE, "UnscheduledPurchase": TokenKind.UNSCHEDULED}
"""The operations that charge a token while nobody is present."""
GENERATE: Final = {kind: f"generate{kind.value.capitalize()}Token" for kind in TokenKind}
"""The members that ask for a token of each kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class TokenRecord:
    """One stored token as it was when it was read. The token never changes; the card behind it may."""

    token: str = field(repr=False)
    kind: TokenKind
    payee_id: str
    payer_reference: str
    instrument: str
    correlation_id: str
    made_by: str = ""
    """The order that stored it; empty for one that was put straight in."""
    card: CardUsed | None = None
    account_id: str = ""
    masked_account: str = ""
    given_name: str = ""
    archived_by: ArchivedBy | None = None
    archive_reason: str = ""

    @property
    def is_active(self) -> bool:
        """Whether it can be charged, or chosen."""
        return self.archived_by is None

    @property
    def is_network_token(self) -> bool:
        """Whether the scheme keeps the card behind it up to date."""
        return self.card is not None and self.card.is_network_token

    @property
    def name(self) -> str:
        """The masked card or account."""
        return self.card.masked if self.card else self.masked_account

    @property
    def expiry(self) -> str:
        """``MM/YYYY``; empty for a bank account."""
        return self.card.expiry if self.card else ""


# What happens to an order


class Status(StrEnum):
    """What the gateway says of an order."""

    INITIALIZED = "Initialized"
    PAID = "Paid"
    CANCELLED = "Cancelled"
    REVERSED = "Reversed"
    ABORTED = "Aborted"
    FAILED = "Failed"
    """Charges only: payers may try again (docs: status-models)."""


class TransactionKind(StrEnum):
    """What moved."""

    AUTHORIZATION = "Authorization"
    SALE = "Sale"
    CAPTURE = "Capture"
    CANCELLATION = "Cancellation"
    REVERSAL = "Reversal"
    VERIFICATION = "Verification"
    """Details were stored; nothing moved."""


class AttemptState(StrEnum):
    """The state of one try to pay."""

    OPEN = "open"
    PAID = "paid"
    FAILED = "failed"
    ABORTED = "aborted"


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class TransactionRecord:
    """One movement that succeeded."""

    kind: TransactionKind
    amount: int
    vat_amount: int
    number: int
    payee_reference: str
    created: datetime
    id: str
    description: str
    receipt_reference: str = ""
    items: tuple[JsonObject, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedOperation:
    """One post-purchase operation that failed. The gateway keeps neither its reference nor its amount."""

    created: datetime
    kind: TransactionKind
    number: int
    problem: JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """One line of the order's history."""

    created: datetime
    name: str
    initiated_by: str
    instrument: str = ""
    number: int | None = None
    amount: int | None = None
    prefill: bool | None = None


@dataclass(slots=True, kw_only=True)
class Attempt:
    """One try to pay: the payer's, or the merchant's with a token."""

    number: int
    instrument: Instrument
    started: datetime
    card: CardUsed | None = None
    msisdn: str = ""
    stored: TokenRecord | None = None
    """What it is paid with, if that was stored before."""
    remembers: bool = False
    """Whether the payer agreed that the details are stored."""
    is_challenged: bool = False
    """Whether 3-D Secure asks."""
    is_by_merchant: bool = False
    state: AttemptState = AttemptState.OPEN
    ended: datetime | None = None
    problem: JsonObject | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """The one attempt that succeeded."""

    attempt: Attempt
    transaction: TransactionRecord
    submitted_amount: int
    fee_amount: int
    discount_amount: int


@dataclass(slots=True, kw_only=True)
class PaymentOrder:
    """One payment order. ``request`` is what the merchant sent, checked."""

    id: str
    page_token: str
    merchant: Merchant
    version: str
    created: datetime
    updated: datetime
    user_agent: str
    request: JsonObject
    integration: str = ""
    abort_reason: str | None = None
    purchase: Purchase | None = None
    transactions: list[TransactionRecord] = field(default_factory=list[TransactionRecord])
    attempts: list[Attempt] = field(default_factory=list[Attempt])
    failed_operations: list[FailedOperation] = field(default_factory=list[FailedOperation])
    history: list[HistoryEntry] = field(default_factory=list[HistoryEntry])
    failures_in_a_row: dict[TransactionKind, int] = field(default_factory=dict[TransactionKind, int])
    is_locked: bool = False
    has_pending_reversal: bool = False
    failure: JsonObject | None = None
    tokens: list[TokenRecord] = field(default_factory=list[TokenRecord])
    """The tokens it made, as they were then."""

    # What was asked

    @property
    def amount(self) -> int:
        """What the merchant asks for."""
        return number_in(self.request, "amount")

    @property
    def vat_amount(self) -> int:
        """The VAT in it."""
        return number_in(self.request, "vatAmount")

    @property
    def currency(self) -> str:
        """The currency of every amount."""
        return self.text("currency")

    @property
    def payee_reference(self) -> str:
        """The merchant's unique reference of the order."""
        return self.part_text("payeeInfo", "payeeReference")

    @property
    def order_reference(self) -> str:
        """The merchant's own word for the order."""
        return self.part_text("payeeInfo", "orderReference")

    @property
    def items(self) -> list[JsonObject]:
        """The order lines that were sent, if any."""
        return items_of(self.request)

    @property
    def operation(self) -> str:
        """What it was made for: Purchase, Verify, Recur or UnscheduledPurchase."""
        return self.text("operation")

    @property
    def is_verification(self) -> bool:
        """Whether it only stores details."""
        return self.operation == VERIFY

    @property
    def is_charge(self) -> bool:
        """Whether nobody is present: it has no page, and one try."""
        return self.operation in CHARGES

    @property
    def is_typed_by_staff(self) -> bool:
        """Whether the merchant's staff types the card (MOTO)."""
        return self.asks("generateMotoPayment")

    @property
    def payer_reference(self) -> str:
        """The merchant's word for the payer."""
        return self.part_text("payer", "payerReference")

    @property
    def instrument_mode(self) -> bool:
        """Whether the merchant locked the page to one instrument."""
        return bool(self.request.get("instrument"))

    @property
    def merchant_menu(self) -> tuple[Instrument, ...]:
        """What the merchant's agreement allows in the order's currency."""
        return available_instruments(self.merchant.instruments, self.currency)

    @property
    def menu(self) -> tuple[Instrument, ...]:
        """The instruments the payer may choose from, in order."""
        wanted = as_list(self.request.get("restrictedToInstruments")) or []
        names = [self.text("instrument")] if self.instrument_mode else [str(name) for name in wanted]
        offered = self.offers(names) if names else self.merchant_menu
        return tuple(instrument for instrument in offered if self._fits(instrument))

    def _fits(self, instrument: Instrument) -> bool:
        """Leave out what cannot do what the order needs: be typed by staff, or be stored."""
        if self.is_typed_by_staff:
            return instrument.is_card
        asked = [kind for kind in TokenKind if self.generates(kind)]
        needed = [kind for kind in asked if kind is not TokenKind.PAYMENT]
        if instrument.is_bank_account and asked and not self.part_text("payer", "email"):
            return False
        return self.can_store(instrument, *needed) if needed or self.is_verification else True

    def can_store(self, instrument: Instrument, *kinds: TokenKind) -> bool:
        """Say whether the instrument can be stored as all of ``kinds`` (docs: token-handling)."""
        if instrument.is_bank_account:
            return TokenKind.RECURRENCE not in kinds or self.merchant.has_trustly_recurrence
        return instrument.is_card

    def offers(self, names: Iterable[str]) -> tuple[Instrument, ...]:
        """Return those of the named instruments that can be offered, in that order."""
        chosen = available_instruments(names, self.currency)
        return tuple(instrument for instrument in chosen if instrument in self.merchant_menu)

    def asks(self, name: str) -> bool:
        """Say whether the request has ``name`` as true."""
        return self.request.get(name) is True

    def generates(self, kind: TokenKind) -> bool:
        """Say whether the merchant asks for a token of this kind."""
        return self.asks(GENERATE[kind])

    def text(self, name: str) -> str:
        """Return the text ``name`` of the request, empty when it was not sent."""
        value = self.request.get(name)
        return value if isinstance(value, str) else ""

    def part(self, name: str) -> JsonObject:
        """Return the object ``name`` of the request, empty when it was not sent."""
        return as_object(self.request.get(name)) or {}

    def part_text(self, part: str, name: str) -> str:
        """Return a text within an object of the request, empty when it was not sent."""
        value = self.part(part).get(name)
        return value if isinstance(value, str) else ""

    # What happened

    def total(self, *kinds: TransactionKind) -> int:
        """Return the sum of the movements of ``kinds``."""
        return sum(transaction.amount for transaction in self.transactions if transaction.kind in kinds)

    @property
    def authorized(self) -> int:
        """What the payer agreed to."""
        return self.total(TransactionKind.AUTHORIZATION, TransactionKind.SALE)

    @property
    def captured(self) -> int:
        """What was taken."""
        return self.total(TransactionKind.CAPTURE, TransactionKind.SALE)

    @property
    def cancelled(self) -> int:
        """What was released."""
        return self.total(TransactionKind.CANCELLATION)

    @property
    def reversed(self) -> int:
        """What was given back."""
        return self.total(TransactionKind.REVERSAL)

    @property
    def remaining_capture(self) -> int:
        """What can still be taken, or released."""
        return self.authorized - self.captured - self.cancelled

    @property
    def remaining_reversal(self) -> int:
        """What can still be given back."""
        return self.captured - self.reversed

    @property
    def status(self) -> Status:
        """The state that follows from all this."""
        if self.abort_reason is not None:
            return Status.ABORTED
        if self.failure is not None:
            return Status.FAILED
        if self.purchase is None:
            return Status.INITIALIZED
        if self.is_verification or self.remaining_capture or self.remaining_reversal:
            return Status.PAID
        return Status.REVERSED if self.captured else Status.CANCELLED

    @property
    def open_attempts(self) -> list[Attempt]:
        """The payer's tries that have not ended: one in each open tab."""
        return [attempt for attempt in self.attempts if attempt.state is AttemptState.OPEN]

    @property
    def is_in_app(self) -> bool:
        """Whether a payer is away in a third party's app."""
        return any(attempt.instrument.opens_app for attempt in self.open_attempts)


def items_of(body: JsonObject) -> list[JsonObject]:
    """Return the order lines in a request."""
    return [item for item in map(as_object, as_list(body.get("orderItems")) or []) if item is not None]


def number_in(body: JsonObject, name: str) -> int:
    """Return the whole number ``name`` of a request, 0 when it was not sent."""
    value = body.get(name)
    return value if isinstance(value, int) else 0
