"""What an error says of an operation's outcome: certainly nothing happened, or something may have (pure)."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from prenopay.books.operations import FIRST_TRY_HAS_ENDED, Begun
from prenopay.errors import (
    DuplicateReference,
    NotSent,
    OutcomeUnknown,
    PrenopayError,
    ProviderUnavailable,
    RateLimited,
    Unauthenticated,
    UnexpectedAnswer,
)
from prenopay.values.payments import OperationKind

__all__ = ["STAYS_OPEN", "leaves_open"]

STAYS_OPEN: Final = (OutcomeUnknown, ProviderUnavailable, UnexpectedAnswer)
"""Errors after which the gateway may have acted."""
_SAW_NOTHING: Final = (NotSent, Unauthenticated, RateLimited)
"""Errors that say nothing about an earlier try: the look-up itself did not get through."""
_NOT_FOUND_BY_REFERENCE: Final = frozenset({OperationKind.CHARGE, OperationKind.PAYOUT})
"""What no error can prove undone once it may have been sent: no look-up is certain to find it."""


def leaves_open(begun: Begun, error: PrenopayError, now: datetime) -> bool:
    """Say whether the operation may have happened although ``error`` was raised."""
    made = begun.operation.operation
    if isinstance(error, STAYS_OPEN):
        return True
    seen_before = isinstance(error, DuplicateReference) and made.kind is not OperationKind.CREATE
    if made.kind in _NOT_FOUND_BY_REFERENCE:
        return begun.maybe_sent or (seen_before and made.kind is OperationKind.CHARGE)
    if not (begun.maybe_sent or seen_before):
        return False
    if isinstance(error, _SAW_NOTHING):
        return True
    return now - begun.operation.first_sent_at < FIRST_TRY_HAS_ENDED
