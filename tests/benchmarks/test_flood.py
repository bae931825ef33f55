"""Posts at once to one callback URL share their commits and looks, and hold up no other payment."""

from __future__ import annotations

import asyncio

import pytest
from benchmarks.flood import flood


@pytest.mark.every_store
def test_a_flood_takes_no_more_transactions_than_its_goal(database: str) -> None:
    row = asyncio.run(flood(100, "any", database, memory=False))
    assert not row.is_missed, row.line
    assert row.looks <= 5
    assert row.other_ms
