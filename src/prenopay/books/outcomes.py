"""What an error proves about an operation's outcome: nothing happened, or something may have (pure)."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from prenopay.books.operations import FIRST_TRY_HAS_ENDED, Begun
from prenopay.errors import (
    DuplicateReference,
    NotSent,
    OutcomeUnknown,
    PrenopayError,
    ProviderError,
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
"""Errors that prove nothing about an earlier try, because the look-up itself failed."""
_NOT_FOUND_BY_REFERENCE: Final = frozenset({OperationKind.CHARGE, OperationKind.PAYOUT})
"""Operations that no error can disprove once they may have been sent, because no look-up is certain to find them."""


def leaves_open(begun: Begun, error: PrenopayError, now: datetime) -> bool:
    """Return whether the operation may have happened although ``error`` was raised."""
    made = begun.operation.operation
    if begun.certainly_unsent:
        return False
    if isinstance(error, STAYS_OPEN):
        return True
    seen_before = isinstance(error, DuplicateReference) and made.kind is not OperationKind.CREATE
    if made.kind in _NOT_FOUND_BY_REFERENCE:
        return begun.maybe_sent or (seen_before and made.kind is OperationKind.CHARGE)
    if not (begun.maybe_sent or seen_before):
        return False
    if isinstance(error, _SAW_NOTHING) or (begun.maybe_sent and not _is_stated(error)):
        return True
    return now - (begun.operation.last_sent_at or begun.operation.first_sent_at) < FIRST_TRY_HAS_ENDED


def _is_stated(error: PrenopayError) -> bool:
    """Whether the gateway itself said it: a status alone may come from anything in front of it."""
    return isinstance(error, ProviderError) and error.stated
