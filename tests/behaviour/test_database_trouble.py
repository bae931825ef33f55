"""The database is locked or gone, before, between and after: clear errors, nothing lost, nothing twice."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import pytest

from prenopay import Outcome, PaymentState
from prenopay.errors import ConfigurationError, LedgerUnavailable
from prenopay.ports import Ledger
from tests.behaviour.shop import CALLBACK_URL, KEY, Shop
from tests.rewiring import rewire

T = TypeVar("T")
R = TypeVar("R")


class Failing:
    """A ledger whose database goes away at one of its transactions."""

    def __init__(self, ledger: Ledger, fail_at: int) -> None:
        self._ledger = ledger
        self._left = fail_at

    def _step(self) -> None:
        self._left -= 1
        if self._left == 0:
            message = "the database went away"
            raise LedgerUnavailable(message)

    async def transact(self, work: Callable[[Any], T]) -> T:
        self._step()
        return await self._ledger.transact(work)

    async def read(self, work: Callable[[Any], T]) -> T:
        self._step()
        return await self._ledger.read(work)

    async def append(self, add: Callable[[Any, Sequence[R]], None], row: R) -> None:
        self._step()
        await self._ledger.append(add, row)


@pytest.mark.parametrize("fail_at", [1, 2, 3])
def test_a_database_that_goes_away_in_the_middle_of_a_capture(shop: Shop, fail_at: int) -> None:
    payment = shop.paid()
    recover = rewire(shop.accounts.target, ledger=lambda ledger: Failing(ledger, fail_at))

    error = shop.tries(lambda: shop.payments.capture(payment.payment_id, operation_id="capture:1"))
    recover()
    shop.later(minutes=2)
    shop.accounts.sweep()
    again = shop.payments.capture(payment.payment_id, operation_id="capture:1")

    assert isinstance(error, LedgerUnavailable)
    assert again.outcome is Outcome.SUCCEEDED
    captures = [call for call in shop.emulator.transcript.seen if call.call == "capture" and call.method == "POST"]
    assert len(captures) == 1
    shop.books_agree()


@pytest.mark.parametrize("colour", ["blocking", "awaiting"])
def test_a_locked_database_is_waited_for_and_then_said_so(
    colour: str,
    sqlite_database: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("prenopay.books.engine._BUSY_SECONDS", 0.1)
    shop = Shop(colour, sqlite_database)
    other = sqlite3.connect(sqlite_database.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    error = shop.tries(shop.bought)
    other.execute("COMMIT")
    other.close()

    assert isinstance(error, LedgerUnavailable)
    assert "locked" in str(error)
    assert "same operation id" in str(error)
    assert shop.bought().state is PaymentState.PENDING
    shop.close()


def test_tables_that_are_missing_are_said_so(tmp_path: Any) -> None:
    from prenopay import Accounts  # noqa: PLC0415

    with pytest.raises(LedgerUnavailable, match="prenopay db upgrade"):
        Accounts.open(f"sqlite:///{tmp_path / 'empty.db'}", callback_url=CALLBACK_URL, callback_keys=[KEY])


@pytest.mark.parametrize(
    ("setting", "word"),
    [
        ({"database": "mysql://host/db"}, "sqlite and postgresql"),
        ({"database": "not a url"}, "database"),
        ({"callback_url": "shop.example"}, "callback_url"),
        ({"callback_keys": []}, "callback_keys"),
        ({"callback_keys": ["short"]}, "at least 32"),
    ],
)
def test_settings_that_cannot_work_are_named(sqlite_database: str, setting: dict[str, Any], word: str) -> None:
    from prenopay import Accounts  # noqa: PLC0415

    settings: dict[str, Any] = {"database": sqlite_database, "callback_url": CALLBACK_URL, "callback_keys": [KEY]}
    settings |= setting
    database = settings.pop("database")
    with pytest.raises(ConfigurationError, match=word):
        Accounts.open(database, **settings)


def test_one_name_is_one_account(shop: Shop) -> None:
    with pytest.raises(ConfigurationError, match="added before"):
        shop.add("cards")
