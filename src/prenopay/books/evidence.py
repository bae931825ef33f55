"""What an error says of an operation's outcome: certainly nothing happened, or it may have (pure).

Which of the two is decided here alone.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from prenopay.books.operations import Begun
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

__all__ = ["FIRST_TRY_HAS_ENDED", "STAYS_OPEN", "leaves_open", "pause"]

STAYS_OPEN: Final = (OutcomeUnknown, ProviderUnavailable, UnexpectedAnswer)
"""Errors after which the gateway may have acted."""
_SAW_NOTHING: Final = (NotSent, Unauthenticated, RateLimited)
"""Errors that say nothing about an earlier try, because the look-up itself did not get through."""

FIRST_TRY_HAS_ENDED: Final = timedelta(minutes=10)
"""After this a lost request cannot still be on its way: what the gateway does not have, it never got."""
_LOOK_AGAIN_AFTER: Final = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 480, 1440))
"""Pauses between looks at an operation without a final answer; the last one repeats."""


def leaves_open(begun: Begun, error: PrenopayError, now: datetime) -> bool:
    """Say whether the operation may have happened all the same."""
    if isinstance(error, STAYS_OPEN):
        return True
    if begun.operation.operation.kind is OperationKind.CHARGE:
        # No gateway can be asked for a charge by our reference: what may have been sent stays open.
        return begun.maybe_sent or isinstance(error, DuplicateReference)
    is_create = begun.operation.operation.kind is OperationKind.CREATE
    seen_before = isinstance(error, DuplicateReference) and not is_create
    if not (begun.maybe_sent or seen_before):
        return False
    if isinstance(error, _SAW_NOTHING):
        return True
    return now - begun.operation.first_sent_at < FIRST_TRY_HAS_ENDED


def pause(looks: int) -> timedelta:
    """Return how long to wait before an operation that was looked at so often is looked at again."""
    return _LOOK_AGAIN_AFTER[min(looks, len(_LOOK_AGAIN_AFTER) - 1)]
