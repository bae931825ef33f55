"""What the emulated Swish remembers: who takes part, payments, refunds, payouts, consents; and records for tests."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from prenopay._arguments import checked_fields
from prenopay.testing.clock import VirtualClock
from prenopay.testing.control import ControlRefused
from prenopay.testing.emulators.control_page import Listed
from prenopay.testing.emulators.gateway import Memory, as_json, snapshot
from prenopay.testing.emulators.pages import money_text
from prenopay.testing.emulators.swish.behaviour import Behaviour
from prenopay.testing.emulators.swish.requests import minor
from prenopay.testing.http import EmulatorRequest, JsonObject

DEFAULT_NUMBER: Final = "1230000017"
PHONE_PATH: Final = "/phone"


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class SwishMerchant:
    """One agreement, known by its Swish number. A technical supplier's number begins with 987."""

    number: str = DEFAULT_NUMBER
    name: str = "Emulerat förlag"
    organisation: str = "5560000000"
    opening_balance: Decimal | None = None
    """What refunds and payouts may take, together with what was paid; ``None`` is without limit."""
    may_pay_out: bool = True
    is_active: bool = True
    """An inactive supplier gets UNKW."""
    acts_for: frozenset[str] = field(default_factory=frozenset[str])
    """The merchants that named this supplier at their bank."""


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class SwishPayer:
    """A person with a phone. Numbers that nobody listed are enrolled, and nothing else is known of them."""

    msisdn: str
    ssn: str = ""
    """Twelve digits, which give the age. Invent one that nobody has."""
    is_enrolled: bool = True


class Status(StrEnum):
    """The state. Payments have CREATED, PAID, DECLINED, ERROR and CANCELLED."""

    CREATED = "CREATED"
    VALIDATED = "VALIDATED"
    DEBITED = "DEBITED"
    PAID = "PAID"
    DECLINED = "DECLINED"
    ERROR = "ERROR"
    CANCELLED = "CANCELLED"

    @property
    def is_final(self) -> bool:
        """Whether nothing more happens."""
        return self in {Status.PAID, Status.DECLINED, Status.ERROR, Status.CANCELLED}


@dataclass(slots=True, kw_only=True)
class _Kept:
    """What payments, refunds and payouts have in common; ``ends_as`` is the code that ends it unpaid."""

    id: str
    merchant: SwishMerchant
    amount: Decimal
    created: datetime
    callback_url: str
    callback_identifier: str
    message: str
    reference: str = ""
    payment_reference: str = ""
    ends_as: str = ""
    status: Status = Status.CREATED
    paid: datetime | None = None
    error_code: str = ""


@dataclass(slots=True, kw_only=True)
class Payment(_Kept):
    """A payment request. Without a ``token`` it is e-commerce, and its payer is named from the start."""

    payer: str = ""
    payer_ssn: str = ""
    age_limit: int | None = None
    token: str = ""
    refunds: list[Refund] = field(default_factory=list["Refund"])

    @property
    def refunded(self) -> Decimal:
        """What refunds took, or are about to."""
        taken = (refund.amount for refund in self.refunds if refund.status is not Status.ERROR)
        return sum(taken, Decimal(0))


@dataclass(slots=True, kw_only=True)
class Refund(_Kept):
    """Money back to the payer of ``payment``, which the simulator does not know."""

    original_reference: str
    payee: str
    payment: Payment | None = None


@dataclass(slots=True, kw_only=True)
class Payout(_Kept):
    """Money to anybody with the app."""

    payee: str
    payee_ssn: str


Item: TypeAlias = Payment | Refund | Payout


@dataclass(slots=True, kw_only=True)
class Consent:
    """A payer's standing consent: PENDING, ACTIVE, DECLINED or REVOKED."""

    id: str
    merchant: SwishMerchant
    callback_url: str
    callback_identifier: str
    payer: str
    reference: str
    token: str
    status: str = "PENDING"


@dataclass(slots=True, kw_only=True)
class Charge:
    """Money taken on a consent: CREATED, PAID or ERROR. Swish does not retry it by itself."""

    id: str
    consent: Consent
    amount: Decimal
    message: str
    callback_url: str
    callback_identifier: str
    status: str = "CREATED"
    error_code: str = ""
    payment_reference: str = ""


class Register(Memory[Behaviour]):
    """Swish's memory."""

    def __init__(
        self,
        *,
        clock: VirtualClock | None,
        merchants: Iterable[SwishMerchant],
        payers: Iterable[SwishPayer],
        behaviour: Behaviour,
        seed: int | None,
    ) -> None:
        """Begin empty."""
        super().__init__(clock=clock, behaviour=behaviour, seed=seed)
        self.merchants: dict[str, SwishMerchant] = {merchant.number: merchant for merchant in merchants}
        self.payers: dict[str, SwishPayer] = {payer.msisdn: payer for payer in payers}
        self.payments: dict[str, Payment] = {}
        self.refunds: dict[str, Refund] = {}
        self.payouts: dict[str, Payout] = {}
        self.consents: dict[str, Consent] = {}
        self.charges: dict[str, Charge] = {}
        self.next_charge_code: str = ""
        """What the next charge that is made ends with, once."""
        self.handed_on: dict[str, datetime] = {}
        """Phone numbers that have a new owner, and since when."""
        self.last_refund: dict[str, datetime] = {}

    def new_reference(self) -> str:
        """Return a fresh bank reference: 32 upper-case hex digits."""
        return f"{self.random.getrandbits(128):032X}"

    def new_token(self) -> str:
        """Return a fresh ``PaymentRequestToken``: short-lived, and opaque to everybody."""
        if self.behaviour.token_style == "hex":  # noqa: S105 - the name of a style
            return f"{self.random.getrandbits(128):032x}"
        return base64.urlsafe_b64encode(self.random.randbytes(24)).decode()

    def merchant(self, number: str) -> SwishMerchant:
        """Return the merchant with this number; the simulator takes any."""
        return self.merchants.get(number, SwishMerchant(number=number, name=number))

    def by_token(self, token: str) -> Payment | None:
        """Return the request that a token opens."""
        return next((payment for payment in self.payments.values() if token and payment.token == token), None)

    def find(self, name: str) -> Payment:
        """Return the request with this id, token, reference or address; raises ``ControlRefused``."""
        self.settle()
        named = _named(name)
        found = self.by_token(named) or self.payments.get(named)
        payments = self.payments.values()
        found = found or next((each for each in payments if named in {each.reference, each.payment_reference}), None)
        if found is None:
            message = f"there is no payment request {name!r}: pass payment.provider_reference"
            raise ControlRefused(message)
        return found

    def find_any(self, name: str) -> Item:
        """Return the refund, payout or payment with this name; raises ``ControlRefused``."""
        self.settle()
        return self.refunds.get(_named(name)) or self.payouts.get(_named(name)) or self.find(name)

    def balance(self, merchant: SwishMerchant) -> Decimal | None:
        """Return what is in the merchant's account; ``None`` is without limit."""
        number, opening = merchant.number, self.merchants.get(merchant.number, merchant).opening_balance
        if opening is None:
            return None
        came = [each.amount for each in self.payments.values() if each.merchant.number == number and each.paid]
        out: list[Refund | Payout] = [*self.refunds.values(), *self.payouts.values()]
        went = [each.amount for each in out if each.merchant.number == number and each.status is not Status.ERROR]
        return opening + sum(came, Decimal(0)) - sum(went, Decimal(0))


def _named(name: str) -> str:
    """Return the id in an address (``…/paymentrequests/{id}``), or the token in one of the phone's."""
    token = EmulatorRequest(method="GET", target=name).query.get("token", "")
    return token or urlsplit(name).path.rstrip("/").rsplit("/", maxsplit=1)[-1]


# Records


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class Totals:
    """What a payment comes to, in öre. ``refunding`` is on its way and not yet in ``refunded``."""

    currency: str = "SEK"
    paid: int
    refunded: int
    refunding: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    """What the records of payments, refunds and payouts have in common."""

    id: str
    payer: str
    payee: str
    reference: str
    amount: Decimal
    status: Status
    error_code: str
    created: datetime
    paid: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class PaymentRecord(_Record):
    """One payment request as it is now."""

    payment_reference: str
    message: str
    totals: Totals
    refunds: tuple[str, ...]
    token: str = field(repr=False)
    payer_ssn: str = field(repr=False)

    @property
    def page_path(self) -> str:
        """Where the emulated phone shows it."""
        return f"{PHONE_PATH}?token={self.token}" if self.token else f"{PHONE_PATH}?number={self.payer}"


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class RefundRecord(_Record):
    """One refund as it is now; ``payment`` is the id of what it refunds, where Swish knows it."""

    payment: str
    original_reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class PayoutRecord(_Record):
    """One payout as it is now."""

    payee_ssn: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class ConsentRecord:
    """One standing consent as it is now: PENDING, ACTIVE, DECLINED or REVOKED. ``id`` is what charges it."""

    id: str = field(repr=False)
    payee: str
    payer: str = field(repr=False)
    reference: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class ChargeRecord:
    """One charge on a consent as it is now: CREATED, PAID or ERROR."""

    id: str
    consent: str = field(repr=False)
    amount: Decimal
    status: str
    error_code: str


def payment_record(payment: Payment) -> PaymentRecord:
    """Return the payment as a value."""
    refunded = sum((refund.amount for refund in payment.refunds if refund.status is Status.PAID), Decimal(0))
    paid, refunding = minor(payment.amount) if payment.paid else 0, minor(payment.refunded - refunded)
    totals = Totals(paid=paid, refunded=minor(refunded), refunding=refunding)
    refunds = tuple(refund.id for refund in payment.refunds)
    return snapshot(PaymentRecord, payment, payee=payment.merchant.number, totals=totals, refunds=refunds)


def refund_record(refund: Refund) -> RefundRecord:
    """Return the refund as a value."""
    payment = refund.payment.id if refund.payment else ""
    return snapshot(RefundRecord, refund, payer=refund.merchant.number, payment=payment)


def payout_record(payout: Payout) -> PayoutRecord:
    """Return the payout as a value."""
    return snapshot(PayoutRecord, payout, payer=payout.merchant.number)


def consent_record(consent: Consent) -> ConsentRecord:
    """Return the consent as a value."""
    return snapshot(ConsentRecord, consent, payee=consent.merchant.number)


def charge_record(charge: Charge) -> ChargeRecord:
    """Return the charge as a value."""
    return snapshot(ChargeRecord, charge, consent=charge.consent.id)


def describe(record: PaymentRecord) -> JsonObject:
    """Return the record as JSON."""
    names = ("id", "payee", "payer", "reference", "payment_reference", "message", "status", "error_code", "refunds")
    return {
        **as_json(record, *names),
        **as_json(record.totals, "currency", "paid", "refunded", "refunding"),
        "amount": f"{record.amount:.2f}",
        "created": record.created.isoformat(),
        "page": record.page_path,
    }


def listed(record: PaymentRecord) -> Listed:
    """Return the record as the control page lists it."""
    totals = record.totals
    sums = {"refunded": totals.refunded, "on its way back": totals.refunding}
    facts = [f"{name} {money_text(amount, totals.currency, 'en')}" for name, amount in sums.items() if amount]
    whose = f"payer +{record.payer}" if record.payer else "any payer: by QR code or link"
    code = f"code {record.error_code}" if record.error_code else ""
    return Listed(
        name=record.id,
        reference=record.reference or record.id,
        made_by=record.id,
        text=record.message,
        amount=money_text(minor(record.amount), totals.currency, "en"),
        status=record.status,
        facts=(whose, *filter(None, (code,)), *facts),
        is_open=record.status is Status.CREATED,
        page=record.page_path,
    )
