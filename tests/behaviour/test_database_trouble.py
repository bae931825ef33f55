"""The database is locked or gone, before, between and after: clear errors, nothing lost, nothing done twice."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import count
from typing import Any, TypeVar

import pytest

from prenopay import Outcome, PaymentState
from prenopay.errors import ConfigurationError, LedgerUnavailable
from tests.behaviour.shop import CALLBACK_URL, KEY, Shop
from tests.behaviour.test_crashes import Guard, guarded

T = TypeVar("T")

LEAST_TRANSACTIONS = 2
"""A capture is written down before it is sent, and its outcome after: with fewer transactions nothing was guarded."""


class Failing(Guard):
    """The database goes away at one of the transactions of a process."""

    def __init__(self, fail_at: int) -> None:
        self.count = 0
        self._fail_at = fail_at

    async def around(self, work: Callable[[], Awaitable[T]]) -> T:
        self.count += 1
        if self.count == self._fail_at:
            message = "the database went away"
            raise LedgerUnavailable(message)
        return await work()


@pytest.mark.every_store
def test_a_database_that_goes_away_at_any_transaction_of_a_capture(open_shop: Callable[..., Shop]) -> None:
    """Try each transaction in turn, until a capture meets no failure."""
    for fail_at in count(1):
        shop = open_shop(account=f"cards-{fail_at}")
        payment = shop.paid()
        failing = Failing(fail_at)
        process = shop.restarted()
        guarded(process, failing)
        error = process.tries(partial(process.payments.capture, payment.payment_id, operation_id="capture:1"))
        process.close()
        shop.later(minutes=2)
        shop.accounts.sweep()

        again = shop.payments.capture(payment.payment_id, operation_id="capture:1")

        assert again.outcome is Outcome.SUCCEEDED
        sent = [call for call in shop.emulator.transcript.seen if call.call == "capture" and call.method == "POST"]
        assert len(sent) == 1
        shop.books_agree()
        if failing.count < fail_at:
            assert error is None
            break
        assert isinstance(error, LedgerUnavailable) or error is None, "only what follows the capture may raise no error"
    assert fail_at > LEAST_TRANSACTIONS, "every transaction was a place to fail"


@pytest.mark.parametrize("colour", ["blocking", "awaiting"])
def test_a_locked_database_is_waited_for_and_then_reported(
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


def test_missing_tables_are_reported(tmp_path: Any) -> None:
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
