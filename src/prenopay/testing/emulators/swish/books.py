"""Swish's own books, to be read and compared: payments, refunds, payouts, consents, as values that never change."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from prenopay.testing.emulators.jsonvalues import JsonObject
from prenopay.testing.emulators.swish.calls import PHONE_PATH
from prenopay.testing.emulators.swish.formats import minor
from prenopay.testing.emulators.swish.objects import Payment, Payout, Refund, Status
from prenopay.testing.emulators.swish.recurring import Charge, Consent

__all__ = ["ChargeRecord", "ConsentRecord", "PaymentRecord", "PayoutRecord", "RefundRecord", "Totals", "describe"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What a payment comes to, in öre. ``refunding`` is on its way and not yet in ``refunded``."""

    currency: str = "SEK"
    paid: int
    refunded: int
    refunding: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRecord:
    """One payment request as it stands."""

    id: str
    payee: str
    payer: str
    reference: str
    payment_reference: str
    message: str
    amount: Decimal
    status: Status
    error_code: str
    created: datetime
    paid: datetime | None
    totals: Totals
    refunds: tuple[str, ...]
    token: str = field(repr=False)
    payer_ssn: str = field(repr=False)

    @property
    def page_path(self) -> str:
        """Where the emulated phone shows it."""
        return f"{PHONE_PATH}?token={self.token}" if self.token else f"{PHONE_PATH}?number={self.payer}"

    @classmethod
    def of(cls, payment: Payment) -> PaymentRecord:
        """Return the payment as a value."""
        done = [refund.amount for refund in payment.refunds if refund.status is Status.PAID]
        refunded = sum(done, Decimal(0))
        return cls(
            id=payment.id,
            payee=payment.merchant.number,
            payer=payment.payer,
            reference=payment.reference,
            payment_reference=payment.payment_reference,
            message=payment.message,
            amount=payment.amount,
            status=payment.status,
            error_code=payment.error_code,
            created=payment.created,
            paid=payment.paid,
            totals=Totals(
                paid=minor(payment.amount) if payment.paid else 0,
                refunded=minor(refunded),
                refunding=minor(payment.refunded - refunded),
            ),
            refunds=tuple(refund.id for refund in payment.refunds),
            token=payment.token,
            payer_ssn=payment.payer_ssn,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRecord:
    """One refund as it stands; ``payment`` is the id of what it refunds, where Swish knows it."""

    id: str
    payer: str
    payee: str
    payment: str
    original_reference: str
    reference: str
    amount: Decimal
    status: Status
    error_code: str
    created: datetime
    paid: datetime | None

    @classmethod
    def of(cls, refund: Refund) -> RefundRecord:
        """Return the refund as a value."""
        return cls(
            id=refund.id,
            payer=refund.merchant.number,
            payee=refund.payee,
            payment=refund.payment.id if refund.payment else "",
            original_reference=refund.original_reference,
            reference=refund.reference,
            amount=refund.amount,
            status=refund.status,
            error_code=refund.error_code,
            created=refund.created,
            paid=refund.paid,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutRecord:
    """One payout as it stands."""

    id: str
    payer: str
    payee: str
    reference: str
    amount: Decimal
    status: Status
    error_code: str
    created: datetime
    paid: datetime | None
    payee_ssn: str = field(repr=False)

    @classmethod
    def of(cls, payout: Payout) -> PayoutRecord:
        """Return the payout as a value."""
        return cls(
            id=payout.id,
            payer=payout.merchant.number,
            payee=payout.payee,
            reference=payout.reference,
            amount=payout.amount,
            status=payout.status,
            error_code=payout.error_code,
            created=payout.created,
            paid=payout.paid,
            payee_ssn=payout.payee_ssn,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRecord:
    """One standing consent as it stands: PENDING, ACTIVE, DECLINED or REVOKED. ``id`` is what charges it."""

    id: str = field(repr=False)
    payee: str
    payer: str = field(repr=False)
    reference: str
    status: str

    @classmethod
    def of(cls, consent: Consent) -> ConsentRecord:
        """Return the consent as a value."""
        return cls(
            id=consent.id,
            payee=consent.merchant.number,
            payer=consent.payer,
            reference=consent.reference,
            status=consent.status,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeRecord:
    """One charge on a consent as it stands: CREATED, PAID or ERROR."""

    id: str
    consent: str = field(repr=False)
    amount: Decimal
    status: str
    error_code: str

    @classmethod
    def of(cls, charge: Charge) -> ChargeRecord:
        """Return the charge as a value."""
        return cls(
            id=charge.id,
            consent=charge.consent.id,
            amount=charge.amount,
            status=charge.status,
            error_code=charge.error_code,
        )


def describe(record: PaymentRecord) -> JsonObject:
    """Return the record as JSON."""
    return {
        "id": record.id,
        "payee": record.payee,
        "payer": record.payer,
        "reference": record.reference,
        "paymentReference": record.payment_reference,
        "message": record.message,
        "amount": f"{record.amount:.2f}",
        "currency": record.totals.currency,
        "status": record.status,
        "errorCode": record.error_code,
        "created": record.created.isoformat(),
        "paid": record.totals.paid,
        "refunded": record.totals.refunded,
        "refunding": record.totals.refunding,
        "refunds": list(record.refunds),
        "page": record.page_path,
    }
