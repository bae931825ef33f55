"""What operations, events, callbacks and due times are about: a payment, a mandate, a payout."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from prenopay._arguments import check_arguments, checked_fields, refuse_misuse

__all__ = ["Subject", "SubjectKind"]


class SubjectKind(StrEnum):
    """The kinds of subjects."""

    PAYMENT = "payment"
    MANDATE = "mandate"
    PAYOUT = "payout"


@check_arguments(refuse_misuse)
@dataclass(frozen=True, slots=True)
@checked_fields
class Subject:
    """One subject: its kind and its own id, such as ``Subject(SubjectKind.PAYMENT, "pay_…")``."""

    kind: SubjectKind
    id: str

    @classmethod
    def payment(cls, payment_id: str) -> Subject:
        """Return the subject of a payment id."""
        return cls(SubjectKind.PAYMENT, payment_id)

    @classmethod
    def mandate(cls, mandate_id: str) -> Subject:
        """Return the subject of a mandate id."""
        return cls(SubjectKind.MANDATE, mandate_id)

    @classmethod
    def payout(cls, payout_id: str) -> Subject:
        """Return the subject of a payout id."""
        return cls(SubjectKind.PAYOUT, payout_id)

    def __str__(self) -> str:
        """Return the id, which names the kind by its prefix."""
        return self.id
