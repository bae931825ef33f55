"""The database is locked or gone, before, between and after: clear errors, nothing lost, nothing done twice."""

from __future__ import annotations

import sqlite3
import traceback
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import count
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection, Engine, event

from prenopay import Outcome, Payer, PaymentState
from prenopay.books.engine import _Transactions
from prenopay.errors import ConfigurationError, LedgerUnavailable
from tests.behaviour.shop import CALLBACK_URL, KEY, Shop
from tests.behaviour.test_crashes import Guard, guarded
from tests.postgresql import Server

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


@pytest.mark.parametrize("colour", ["blocking", "awaiting"])
def test_a_disk_that_fills_up_and_has_room_again(colour: str, sqlite_database: str) -> None:
    """SQLite reports a full disk when a file may not grow. Nothing is sent meanwhile, and nothing needs a restart."""
    shop = Shop(colour, sqlite_database)
    payment = shop.bought()
    shop.pay(payment)
    room = [1]
    accounts: Any = shop.accounts.target
    ledger = (accounts._accounts if colour == "blocking" else accounts)._ledger

    @event.listens_for(ledger.engine, "checkout")
    def limit(connection: Any, *_rest: object) -> None:
        connection.execute(f"PRAGMA max_page_count={room[0]}")  # never less than the pages there are

    errors = [shop.tries(partial(shop.bought, f"order:{number}", order_reference="x" * 40)) for number in range(2, 20)]
    full = [number for number, error in enumerate(errors, start=2) if error is not None]
    assert full
    assert all(isinstance(error, LedgerUnavailable) and "full" in str(error) for error in errors if error is not None)
    room[0] = 2**31
    assert shop.payments.observe(payment.payment_id).state is PaymentState.AUTHORIZED
    shop.later(minutes=2)
    shop.accounts.sweep()
    for number in full:
        assert shop.bought(f"order:{number}", order_reference="x" * 40).state is PaymentState.PENDING
    assert len(shop.payments.find(limit=100)) == 1 + len(errors)
    shop.books_agree()
    shop.close()


def test_every_transaction_may_be_repeated(open_shop: Callable[..., Shop], monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction that lost against another is run again, so it leaves nothing behind outside of the books."""
    once = _Transactions._committed
    repeated = list[object]()

    def twice(self: _Transactions, engine: Engine, work: Callable[[Connection], Any]) -> Any:
        with engine.connect() as connection, connection.begin() as lost:
            work(connection)
            lost.rollback()
        repeated.append(work)
        return once(self, engine, work)

    monkeypatch.setattr(_Transactions, "_committed", twice)
    shop = open_shop()
    payment = shop.captured()
    assert shop.payments.refund(payment.payment_id, operation_id="refund:1").outcome is Outcome.SUCCEEDED
    mandate = shop.stored()
    assert shop.drawn(mandate, "charge:1").outcome is Outcome.SUCCEEDED
    shop.mandates.remove(mandate.mandate_id, reason="the reader asked")
    assert shop.payments.cancel(shop.paid("order:2").payment_id, operation_id="cancel:1").outcome is Outcome.SUCCEEDED
    shop.accounts.sweep()
    assert repeated
    assert [event.number for event in shop.events if event.payment_id == payment.payment_id] == [1, 2, 3]
    shop.books_agree()


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


_READER = Payer(reference="R-77", first_name="Leia", email="leia@shop.example", phone="+46701234567")
_RAISES = {
    "a trigger of the host's own": "RAISE EXCEPTION 'not this row: %', NEW.data",
    "a value that does not fit": "PERFORM (NEW.data->>'payer')::integer",
    "a constraint": "RAISE EXCEPTION USING ERRCODE = '23514', MESSAGE = 'not ' || NEW.data, DETAIL = NEW.data",
    "a class of nobody's": "RAISE EXCEPTION USING ERRCODE = 'ZZ001', MESSAGE = 'not ' || NEW.data",
}


@pytest.mark.postgresql
def test_what_a_server_says_repeats_nothing_of_the_payer(postgresql: Server) -> None:
    postgresql.empty()
    shop = Shop("blocking", postgresql.url)
    on = "BEFORE INSERT ON prenopay_payers FOR EACH ROW"
    try:
        for number, statement in enumerate(_RAISES.values()):
            body = f"BEGIN {statement}; RETURN NEW; END"
            postgresql.run(f"CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$")
            postgresql.run(f"CREATE OR REPLACE TRIGGER refuse {on} EXECUTE FUNCTION refuse()")
            error = shop.tries(partial(shop.bought, f"order:{number}", payer=_READER))
            assert isinstance(error, LedgerUnavailable)
            chain = [error, error.__cause__, getattr(error.__cause__, "orig", None)]
            said = "".join(traceback.format_exception(error)) + repr([vars(each) for each in chain if each])
            assert [each for each in ("Leia", "leia@", "46701234567") if each in said] == []
            assert "SQLSTATE" in str(error)
    finally:
        postgresql.run("DROP FUNCTION refuse CASCADE")
        shop.close()
