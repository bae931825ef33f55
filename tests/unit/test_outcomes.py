"""What an error proves about an operation's outcome."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from prenopay.books import outcomes
from prenopay.errors import NotSent, PrenopayError, RateLimited, Unauthenticated
from prenopay.values.payments import OperationKind

_SENT_AT = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "error",
    [NotSent("x"), Unauthenticated("x", http_status=401, stated=True), RateLimited("x", http_status=429)],
)
def test_a_look_up_that_saw_nothing_settles_nothing(error: PrenopayError) -> None:
    made = SimpleNamespace(kind=OperationKind.REFUND)
    operation = SimpleNamespace(operation=made, first_sent_at=_SENT_AT, last_sent_at=_SENT_AT)
    begun: Any = SimpleNamespace(operation=operation, maybe_sent=True, certainly_unsent=False)
    assert outcomes.leaves_open(begun, error, _SENT_AT + timedelta(hours=1))
