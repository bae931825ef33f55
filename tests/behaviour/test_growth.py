"""Books of a hundred thousand payments: whatever a sweep, a list, ``doctor`` or a check asks uses an index."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, Table, create_engine, delete, event, func, select, text, update
from sqlalchemy.pool import NullPool

from prenopay import CaptureMode, Event, PaymentState
from prenopay.books import schema
from prenopay.books.pruning import Pruned, prune
from prenopay.payments import rows
from prenopay.payments.rows import totals_that_disagree
from prenopay.values.mandates import MandateState
from tests.behaviour.shop import READER, Shop, sek
from tests.rewiring import core_of

PAYMENTS = 100_000
SOLD = 20
ROOM = 8_000
"""Bytes that a payment may take that was made, paid, called back about and captured."""
MUCH = 2_000
"""Rows on PostgreSQL, hundreds of steps on SQLite: a statement that does more reads a table from end to end."""
GROWN: dict[Table, dict[str, str]] = {
    schema.payments: {
        "payment_id": "'pay_' || i",
        "provider_reference": "provider_reference || i",
        "order_reference": "'K-' || i",
        "next_at": "NULL",
    },
    schema.operations: {
        "operation_id": "operation_id || i",
        "reference": "reference || i",
        "subject_id": "'pay_' || i",
        "next_at": "NULL",
    },
    schema.payers: {"payment_id": "'pay_' || i", "reference": "reference || i"},
    schema.movements: {"payment_id": "'pay_' || i", "movement_id": "movement_id + 1000 * i"},
    schema.mandates: {
        "mandate_id": "'man_' || i",
        "payer_reference": "payer_reference || i",
        "payment_id": "'pay_' || i",
        "next_at": "NULL",
    },
    schema.events: {
        "sequence": "sequence + 1000 * i",
        "event_id": "event_id || i",
        "subject_id": "'pay_' || i",
    },
    schema.deliveries: {"sequence": "sequence + 1000 * i", "subject_id": "'pay_' || i"},
    schema.inbox: {"inbox_id": "inbox_id + 1000 * i", "subject_id": "'pay_' || i"},
    schema.flags: {"flag_id": "flag_id + 1000 * i", "payment_id": "'pay_' || i"},
}

WAITING: dict[Table, dict[str, str]] = {
    schema.events: {"sequence": "sequence + 1000 + i", "event_id": "event_id || i", "number": "number + i"},
    schema.deliveries: {"sequence": "sequence + 1000 + i"},
}
BLOCKED = 5_000


@pytest.fixture
def grown(open_shop: Callable[..., Shop]) -> Shop:
    """Return a shop with one payment of each kind, each of them very often."""
    shop = open_shop()
    shop.stored()
    shop.deliver_callbacks()
    engine = _engine(shop)
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL session_replication_role = replica"))  # no checks of foreign keys
        for table, changes in GROWN.items():
            _multiply(connection, table, changes)
    _by_itself(shop, "ANALYZE")
    return shop


def _engine(shop: Shop) -> Engine:
    engine: Engine = core_of(shop.accounts.target)._ledger.engine
    return engine


def _multiply(connection: Connection, table: Table, changes: dict[str, str], *, times: int = PAYMENTS) -> None:
    columns = [column.name for column in table.columns]
    quoted = [f'"{name}"' for name in columns]
    values = [changes.get(name, f'"{name}"') for name in columns]
    some = 2 if table is schema.movements else 1  # reserved and taken
    many = (
        f"INSERT INTO {table.name} ({', '.join(quoted)}) "  # noqa: S608 - our own names
        f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {times}) "
        f"SELECT {', '.join(values)} FROM (SELECT * FROM {table.name} LIMIT {some}) AS one, n"
    )
    connection.execute(text(many))


@contextmanager
def _asked(engine: Engine) -> Iterator[list[tuple[str, Any]]]:
    """Note every statement with its values."""
    seen: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, values: Any, _context: Any, _many: bool) -> None:  # noqa: FBT001 - SQLAlchemy calls it so
        if statement.startswith(("SELECT", "UPDATE", "DELETE")):
            seen.append((statement, values))

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


def _work(engine: Engine, statement: str, values: Any) -> int:
    """Return how much a statement has to do: rows on PostgreSQL, hundreds of steps of its machine on SQLite."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            driver: Any = connection.connection.driver_connection
            steps: list[None] = []
            driver.set_progress_handler(lambda: steps.append(None), 100)
            connection.exec_driver_sql(statement, values).close()
            driver.set_progress_handler(None, 0)
            connection.rollback()
            return len(steps)
        plan = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", values).scalar_one()
        connection.rollback()
        return sum(
            int(step["Actual Rows"] + step.get("Rows Removed by Filter", 0)) * int(step["Actual Loops"])
            for step in _steps(plan[0]["Plan"])
        )


def _steps(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _steps(child)


def _asks(shop: Shop) -> Iterator[tuple[str, Callable[[], Any]]]:
    payments, mandates = shop.payments, shop.mandates
    yield "sweep", shop.accounts.sweep
    yield "find", payments.find
    yield "find an order", lambda: payments.find(order_reference="K-77")
    yield "next page", lambda: payments.find(after="pay_77")
    for state in PaymentState:
        yield f"find {state}", partial(payments.find, state=state)
    yield "open operations", payments.open_operations
    yield "timeline", lambda: payments.timeline("pay_77")
    yield "observe", lambda: shop.tries(lambda: payments.observe("pay_77"))
    yield "mandates", mandates.find
    yield "next mandates", lambda: mandates.find(after="man_77")
    for kind in MandateState:
        yield f"mandates {kind}", partial(mandates.find, state=kind)
    yield "of a payer", lambda: mandates.of_payer(f"{READER.reference}-none")
    yield "to offer", lambda: mandates.to_offer(f"{READER.reference}-none")
    yield "callbacks", shop.accounts.callbacks
    yield "open callbacks", lambda: shop.accounts.callbacks(open_only=True)
    yield "deliver", shop.accounts.deliver_pending
    yield "buy", lambda: shop.bought("order:new")
    yield "erase", lambda: payments.erase_payer("pay_77")
    yield "erase a person", lambda: payments.erase_payer(payer_reference=f"{READER.reference}-none")


@pytest.mark.two_stores
def test_every_question_uses_an_index_and_the_check_is_one_pass(grown: Shop) -> None:
    engine, slow = _engine(grown), {}
    for what, ask in _asks(grown):
        with _asked(engine) as seen:
            ask()
        for statement, values in seen:
            if (work := _work(engine, statement, values)) > MUCH:
                slow[what] = (work, statement)
    assert [(what, work) for what, (work, _) in slow.items()] == [], slow

    with _asked(engine) as seen, engine.connect() as connection:
        wrong = totals_that_disagree(connection)
    assert len(wrong) == 0
    assert len(seen) == 1
    assert sum(_work(engine, statement, values) for statement, values in seen) < 10 * PAYMENTS


@pytest.mark.two_stores
def test_a_captured_payment_takes_little_room(shop: Shop) -> None:
    _sell(shop, range(1))  # the first row of a table takes a page
    before = _room(shop)
    _sell(shop, range(1, SOLD + 1))
    assert "'status': 'Paid'" in repr(shop.events[-1].raw)
    assert (_room(shop) - before) / SOLD <= ROOM


def _sell(shop: Shop, numbers: Iterable[int]) -> None:
    for number in numbers:
        payment = shop.bought(f"order:{number}", order_reference=f"K-{number}", capture=CaptureMode.AUTOMATIC)
        shop.pay(payment)
        shop.deliver_callbacks()
        assert shop.payments.get(payment.payment_id).captured == sek(11900)


def _room(shop: Shop) -> int:
    """Return how many bytes the tables and their indexes take."""
    if _engine(shop).dialect.name == "sqlite":
        return _by_itself(shop, "PRAGMA page_count") * _by_itself(shop, "PRAGMA page_size")
    _by_itself(shop, "VACUUM FULL")
    ours = "FROM pg_class WHERE relname LIKE 'prenopay%' AND relkind = 'r'"
    return _by_itself(shop, f"SELECT sum(pg_total_relation_size(oid))::bigint {ours}")


def _by_itself(shop: Shop, statement: str) -> int:
    """Execute a statement outside a transaction, on a connection of its own; return its number, if it has one."""
    url = shop.database.replace("postgresql://", "postgresql+psycopg://")
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        result = connection.execute(text(statement))
        return int(result.scalar_one()) if result.returns_rows else 0


@pytest.mark.two_stores
def test_events_that_wait_for_one_that_fails_cost_no_other_anything(shop: Shop) -> None:
    def hear(event: Event) -> None:
        if event.order_reference == "K-1001":
            message = "not this one"
            raise RuntimeError(message)
        shop.events.append(event)

    shop.on_event = hear
    shop.paid()
    engine = _engine(shop)
    with engine.begin() as connection:
        for table in (schema.events, schema.deliveries):
            _multiply(connection, table, WAITING[table], times=BLOCKED)
    _by_itself(shop, "ANALYZE")
    for _ in range(2):
        shop.accounts.sweep()
        shop.later(minutes=20)
    shop.accounts.sweep()
    with _asked(engine) as seen:
        shop.paid("order:2", order_reference="K-2")
    assert [event.order_reference for event in shop.events] == ["K-2"]
    slow = [statement for statement, values in seen if _work(engine, statement, values) > MUCH]
    assert slow == []

    shop.on_event = shop.events.append
    shop.later(hours=1)
    shop.accounts.sweep(limit=50)
    assert [event.number for event in shop.events[1:]] == list(range(1, 51))


def test_old_answers_callbacks_and_events_can_be_removed_and_the_books_stay(shop: Shop) -> None:
    payment = shop.captured()
    shop.deliver_callbacks()
    books = shop.payments.get(payment.payment_id)
    nothing = prune(_engine(shop), before=shop.clock.now() - timedelta(days=1))
    for _ in range(2):
        shop.later(days=400)
        shop.accounts.sweep()
    shop.later(days=400)
    with _engine(shop).begin() as connection:
        connection.execute(update(schema.payments).values(next_at=None))
    gone = prune(_engine(shop), before=shop.clock.now() - timedelta(days=100))
    again = prune(_engine(shop), before=shop.clock.now() - timedelta(days=100))

    assert (nothing, again) == (Pruned(0, 0, 0), Pruned(0, 0, 0))
    assert (gone.answers > 0, gone.callbacks, gone.events) == (True, 1, 1)
    assert shop.payments.get(payment.payment_id).captured == books.captured
    shop.payments.refund(payment.payment_id, sek(1000), operation_id="refund:1")
    assert shop.events[-1].number == 3
    shop.books_agree()


@pytest.mark.every_store
@pytest.mark.parametrize(("database", "colour"), [("postgresql", "blocking")], indirect=True)
def test_nothing_is_removed_of_a_payment_that_is_written_at_this_moment(shop: Shop) -> None:
    """The next answer is packed with the one before it, which must not go meanwhile."""
    payment = shop.captured()
    engine, long_ago = _engine(shop), shop.clock.now() + timedelta(days=400)
    with engine.begin() as connection:
        connection.execute(update(schema.payments).values(next_at=None))
    with engine.begin() as writing:
        rows.lock(writing, payment.account, payment.payment_id)
        meanwhile = prune(engine, before=long_ago)
    afterwards = prune(engine, before=long_ago)

    assert (meanwhile.answers, afterwards.answers > 0) == (0, True)


def test_an_answer_that_cannot_be_unpacked_holds_up_nothing(shop: Shop) -> None:
    def hear(_event: Event) -> None:
        message = "not now"
        raise RuntimeError(message)

    shop.on_event = hear
    payment = shop.captured()
    with _engine(shop).begin() as connection:
        first = select(func.min(schema.observations.c.observation_id)).scalar_subquery()
        connection.execute(delete(schema.observations).where(schema.observations.c.observation_id == first))

    shop.on_event = shop.events.append
    shop.later(hours=1)
    assert shop.accounts.sweep().failures == ()

    assert shop.told == ["payment.authorized", "payment.captured"]
    assert shop.payments.refund(payment.payment_id, operation_id="refund:1").succeeded
    assert shop.events[-1].raw
    shop.books_agree()
