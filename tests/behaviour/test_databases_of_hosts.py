"""PostgreSQL as hosts have it: poolers, other defaults, forgotten locks, lost connections, servers that only read."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, text

from prenopay import Outcome, PaymentState
from prenopay._blocking import run_blocking
from prenopay.books.engine import BlockingLedger, open_engine
from prenopay.errors import LedgerUnavailable
from tests.behaviour.shop import Shop
from tests.cutting import Break, CuttingLine
from tests.pooler import Pooler
from tests.postgresql import Server

pytestmark = pytest.mark.postgresql

DEADLINE_SECONDS = 3.0
STUCK = 6
"""More than the connections of a process."""
COMMITS_OF_A_PURCHASE = 9
"""More commits than a purchase has: where nothing is left to break, the line stays whole."""


@pytest.fixture
def server(postgresql: Server) -> Iterator[Server]:
    """Return the server, empty; its settings are the usual ones again after the test."""
    postgresql.empty()
    yield postgresql
    for name in ("default_transaction_isolation", "default_transaction_read_only"):
        postgresql.run(f"ALTER DATABASE prenopay RESET {name}", database="postgres")


@contextmanager
def shop_on(colour: str, database: str, **settings: Any) -> Iterator[Shop]:
    shop = Shop(colour, database, **settings)
    try:
        yield shop
    finally:
        shop.close()


def buys_and_gives_back(shop: Shop, number: int) -> None:
    payment = shop.captured(f"order:{number}")
    assert payment.state is PaymentState.CAPTURED
    assert shop.payments.refund(payment.payment_id, operation_id=f"refund:{number}").outcome is Outcome.SUCCEEDED


# A pooler, and other defaults


@pytest.mark.usefixtures("server")
def test_a_pooler_that_gives_each_transaction_another_session(colour: str, pooler: Pooler) -> None:
    pooler.open_sessions()
    with shop_on(colour, pooler.url) as shop:
        for number in range(6):
            buys_and_gives_back(shop, number)
        shop.accounts.sweep()
        shop.books_agree()


@pytest.mark.usefixtures("server")
def test_nothing_is_left_behind_on_a_session_of_the_pooler(colour: str, pooler: Pooler) -> None:
    pooler.open_sessions()
    with shop_on(colour, pooler.url) as shop:
        shop.captured()
    for _ in range(4):
        with psycopg.connect(pooler.url, autocommit=True) as another:
            for setting in ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"):
                assert another.execute(f"SHOW {setting}".encode()).fetchone() == ("0",)
            assert another.execute("SHOW transaction_isolation").fetchone() == ("read committed",)


@pytest.mark.parametrize(("colour", "isolation"), [("blocking", "serializable"), ("awaiting", "repeatable read")])
def test_a_server_with_another_default_isolation(colour: str, server: Server, isolation: str) -> None:
    server.run(f"ALTER DATABASE prenopay SET default_transaction_isolation = '{isolation}'")
    with shop_on(colour, server.url) as shop:
        payment = shop.bought()
        shop.pay(payment)
        observe = partial(shop.payments.observe, payment.payment_id)
        seen = together(*[observe] * STUCK) if colour == "blocking" else [observe()]
        assert [each for each in seen if isinstance(each, Exception)] == []
        buys_and_gives_back(shop, 2)
        shop.books_agree()


def together(*works: Any) -> list[Any]:
    """Run all ``works`` on threads of their own; return their results, or their errors."""
    results = dict[int, Any]()
    start = threading.Barrier(len(works))

    def run(place: int, work: Any) -> None:
        start.wait(60)
        try:
            results[place] = work()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            results[place] = error

    threads = [threading.Thread(target=run, args=(place, work)) for place, work in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return [results[place] for place in sorted(results)]


# Locks


@contextmanager
def forgotten_lock(server: Server, payment_id: str) -> Iterator[None]:
    """Hold a payment's row, as a person does who left a window open."""
    with psycopg.connect(server.url) as person:
        person.execute("SELECT 1 FROM prenopay_payments WHERE payment_id = %s FOR UPDATE", (payment_id,))
        yield


def test_a_forgotten_lock_is_named_and_waited_for_no_longer_than_the_deadline(colour: str, server: Server) -> None:
    with shop_on(colour, server.url, deadline_seconds=DEADLINE_SECONDS) as shop:
        payment = shop.bought()
        shop.pay(payment)
        with forgotten_lock(server, payment.payment_id):
            began = time.monotonic()
            error = shop.tries(lambda: shop.payments.observe(payment.payment_id))
            took = time.monotonic() - began
        assert isinstance(error, LedgerUnavailable)
        assert f"payment {payment.payment_id} is locked by another session" in str(error)
        assert took < DEADLINE_SECONDS
        assert shop.payments.observe(payment.payment_id).state is PaymentState.AUTHORIZED


def test_forgotten_locks_do_not_empty_the_pool(server: Server) -> None:
    with shop_on("blocking", server.url) as shop:
        payment, other = shop.bought("order:1"), shop.bought("order:2")
        with forgotten_lock(server, payment.payment_id):
            enough = threading.Event()

            def stuck() -> None:
                while not enough.is_set():
                    shop.tries(lambda: shop.payments.observe(payment.payment_id))

            waiting = [threading.Thread(target=stuck) for _ in range(STUCK)]
            for thread in waiting:
                thread.start()
            errors = [shop.tries(lambda: shop.payments.observe(other.payment_id)) for _ in range(3)]
            enough.set()
        for thread in waiting:
            thread.join(60)
    assert errors == [None] * 3


def test_a_deadlock_is_repeated(server: Server) -> None:
    """Two transactions take two rows in opposite order, and both come to their end."""
    with shop_on("blocking", server.url) as shop:
        ids = [shop.bought(f"order:{number}").payment_id for number in (1, 2)]
    engine = open_engine(server.url)
    ledger, both_hold = BlockingLedger(engine), threading.Barrier(2)

    def crossing(first: str, second: str) -> int:
        tries = [0]

        def work(connection: Connection) -> int:
            tries[0] += 1
            lock(connection, first)
            if tries[0] == 1:
                both_hold.wait(60)
            lock(connection, second)
            return tries[0]

        return run_blocking(ledger.transact(work))

    results = together(lambda: crossing(*ids), lambda: crossing(*reversed(ids)))
    engine.dispose()
    assert [each for each in results if isinstance(each, Exception)] == []
    assert max(results) > 1


def lock(connection: Connection, payment_id: str) -> None:
    statement = text("SELECT 1 FROM prenopay_payments WHERE payment_id = :payment_id FOR UPDATE")
    connection.execute(statement, {"payment_id": payment_id})


# A server that only reads


def test_a_primary_that_only_reads_is_said_and_left_for_the_next_one(colour: str, server: Server) -> None:
    """A connection that only reads is not used again: after a failover it would go on reading from the old primary."""
    server.run("ALTER DATABASE prenopay SET default_transaction_read_only = on", database="postgres")
    with shop_on(colour, server.url) as shop:
        error = shop.tries(shop.bought)
        assert isinstance(error, LedgerUnavailable)
        assert "read-only transaction" in str(error)
        server.run("ALTER DATABASE prenopay RESET default_transaction_read_only", database="postgres")
        assert shop.bought().state is PaymentState.PENDING


# A connection that breaks


@pytest.mark.parametrize(("colour", "where"), [("blocking", Break.BEFORE_COMMIT), ("awaiting", Break.AFTER_COMMIT)])
def test_a_connection_lost_at_any_commit(colour: str, server: Server, where: Break) -> None:
    for commit in range(1, COMMITS_OF_A_PURCHASE):
        line = CuttingLine(server.url)
        with shop_on(colour, line.url, account=f"cards-{commit}") as shop:
            line.break_at(commit, where)
            buys_and_gives_back(shop, commit)
            shop.books_agree()
            orders = [each for each in shop.emulator.transcript.seen if each.call == "create"]
            assert len(orders) == 1
        broken = line.broken
        line.close()
        assert broken == 1


def test_a_server_that_cannot_be_asked_leaves_the_commit_in_doubt(colour: str, server: Server) -> None:
    line = CuttingLine(server.url)
    with shop_on(colour, line.url) as shop:
        line.break_at(1, Break.AFTER_COMMIT)
        line.refuses_after_break = True
        error = shop.tries(shop.bought)
        assert isinstance(error, LedgerUnavailable)
        assert "it is not known whether this was written down, and nothing was sent" in str(error)
        assert shop.emulator.books() == {}
        line.refuses_after_break = False
        shop.later(minutes=2)
        assert shop.bought().state is PaymentState.PENDING
        shop.books_agree()
    line.close()


# What an error shows


@pytest.mark.parametrize(
    "statement",
    [
        """INSERT INTO prenopay_payers (payment_id, data) VALUES ('p', '{"email": "anna@x.test", "a": "\\u0000"}')""",
        "INSERT INTO prenopay_schema_version VALUES ('anna@example.com'), ('anna@example.com')",
    ],
)
def test_an_error_of_the_server_shows_nothing_of_a_row(server: Server, statement: str) -> None:
    """The server quotes rows in the details of its errors."""
    engine = open_engine(server.url)
    with pytest.raises(LedgerUnavailable) as caught:
        run_blocking(BlockingLedger(engine).transact(lambda connection: connection.exec_driver_sql(statement)))
    engine.dispose()
    assert "anna" not in "".join(traceback.format_exception(caught.value)).replace(statement, "")
