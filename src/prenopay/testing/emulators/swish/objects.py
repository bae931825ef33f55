"""What Swish keeps of each payment, refund and payout, and what may still become of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

from prenopay.testing.emulators.swish.merchants import SwishMerchant

__all__ = ["Item", "Payment", "Payout", "Refund", "Status"]


class Status(StrEnum):
    """Where it stands. Payments know CREATED, PAID, DECLINED, ERROR and CANCELLED."""

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
class Payment:
    """A payment request. Without a ``token`` it is e-commerce, and its payer is named from the start."""

    id: str
    merchant: SwishMerchant
    amount: Decimal
    callback_url: str
    created: datetime
    payment_reference: str
    reference: str = ""
    callback_identifier: str = ""
    message: str = ""
    payer: str = ""
    payer_ssn: str = ""
    age_limit: int | None = None
    token: str = ""
    ends_as: str = ""
    """The code it ends with instead of being paid."""
    status: Status = Status.CREATED
    paid: datetime | None = None
    error_code: str = ""
    refunds: list[Refund] = field(default_factory=list["Refund"])

    @property
    def refunded(self) -> Decimal:
        """What refunds took, or are about to."""
        taken = (refund.amount for refund in self.refunds if refund.status is not Status.ERROR)
        return sum(taken, Decimal(0))


@dataclass(slots=True, kw_only=True)
class Refund:
    """Money back to the payer of ``payment``, which the simulator does not know."""

    id: str
    merchant: SwishMerchant
    original_reference: str
    payment: Payment | None
    amount: Decimal
    callback_url: str
    created: datetime
    payment_reference: str
    reference: str = ""
    callback_identifier: str = ""
    message: str = ""
    payee: str = ""
    ends_as: str = ""
    status: Status = Status.VALIDATED
    paid: datetime | None = None
    error_code: str = ""


@dataclass(slots=True, kw_only=True)
class Payout:
    """Money to anybody with the app."""

    id: str
    merchant: SwishMerchant
    amount: Decimal
    created: datetime
    payment_reference: str
    payee: str
    payee_ssn: str
    reference: str
    message: str = ""
    callback_url: str = ""
    callback_identifier: str = ""
    ends_as: str = ""
    status: Status = Status.CREATED
    paid: datetime | None = None
    error_code: str = ""


Item: TypeAlias = Payment | Refund | Payout
