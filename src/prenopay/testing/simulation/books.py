"""Prenopay's books as they stand on disk, read past the library: a few columns, in one look."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Table

from prenopay.ledger import schema
from prenopay.testing.simulation.gateways import Sums

__all__ = [
    "Books",
    "MandateRow",
    "OperationRow",
    "PaymentRow",
    "PayoutRow",
    "disagreements",
    "every_row",
    "live_tokens",
    "read_books",
]


@dataclass(frozen=True, slots=True)
class PaymentRow:
    """One payment."""

    payment_id: str
    account: str
    name: str | None
    """The gateway's name of it."""
    order_reference: str
    state: str
    amount: int
    authorized: int
    captured: int
    refunded: int
    cancelled: int
    quarantined: bool
    events: int
    capture_mode: str
    due: int

    @property
    def sums(self) -> Sums:
        """Its totals."""
        return Sums(self.authorized, self.captured, self.refunded, self.cancelled)

    @property
    def is_open(self) -> bool:
        """Whether it may still be paid."""
        return self.state in {"created", "pending", "unknown"}


@dataclass(frozen=True, slots=True)
class OperationRow:
    """One operation."""

    account: str
    operation_id: str
    kind: str
    payment_id: str
    outcome: str

    @property
    def is_open(self) -> bool:
        """Whether its outcome is still to come."""
        return self.outcome in {"unknown", "pending"}


@dataclass(frozen=True, slots=True)
class PayoutRow:
    """One payout."""

    operation_id: str
    reference: str
    outcome: str


@dataclass(frozen=True, slots=True)
class MandateRow:
    """One stored method."""

    mandate_id: str
    payer_reference: str
    state: str
    payment_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """Everything the checks need, as it stood at one moment."""

    payments: tuple[PaymentRow, ...]
    operations: tuple[OperationRow, ...]
    payouts: tuple[PayoutRow, ...]
    mandates: tuple[MandateRow, ...]
    flags: frozenset[tuple[str, str]]
    events: frozenset[str]
    waiting_callbacks: int


def read_books(engine: Engine) -> Books:
    """Return the books."""
    with _reading(engine) as connection:

        def rows(table: Table, columns: str) -> list[Any]:
            query = f"SELECT {columns} FROM {table.name} ORDER BY rowid"  # noqa: S608 - our own names
            return list(connection.exec_driver_sql(query))

        payments = rows(
            schema.payments,
            "payment_id, account, provider_reference, order_reference, state, amount, authorized, captured,"
            " refunded, cancelled, quarantined, events, capture_mode, due",
        )
        operations = rows(schema.operations, "account, operation_id, kind, payment_id, outcome")
        payouts = rows(schema.payouts, "operation_id, reference, outcome")
        mandates = rows(schema.mandates, "mandate_id, payer_reference, state, payment_id")
        flags = rows(schema.flags, "payment_id, kind")
        events = rows(schema.events, "event_id")
        waiting = rows(schema.inbox, "next_attempt_at")
    return Books(
        payments=tuple(PaymentRow(*row) for row in payments),
        operations=tuple(OperationRow(*row) for row in operations),
        payouts=tuple(PayoutRow(*row) for row in payouts),
        mandates=tuple(MandateRow(*row) for row in mandates),
        flags=frozenset((row[0], row[1]) for row in flags),
        events=frozenset(row[0] for row in events),
        waiting_callbacks=sum(row[0] is not None for row in waiting),
    )


def disagreements(engine: Engine) -> tuple[str, ...]:
    """Return payments whose totals are not the sums of their movements, added up by the database."""
    kinds = {"authorized": "authorization", "captured": "capture", "refunded": "refund", "cancelled": "release"}
    sums = " OR ".join(
        f"{column} <> (SELECT abs(coalesce(sum(m.amount), 0)) FROM {schema.movements.name} m"  # noqa: S608 - our own names
        f" WHERE m.payment_id = p.payment_id AND m.kind = '{kind}')"
        for column, kind in kinds.items()
    )
    query = f"SELECT payment_id FROM {schema.payments.name} p WHERE {sums}"  # noqa: S608 - our own names
    with _reading(engine) as connection:
        return tuple(row[0] for row in connection.exec_driver_sql(query))


def every_row(engine: Engine) -> list[str]:
    """Return every row of every table as text."""
    with _reading(engine) as connection:
        return [
            repr(tuple(row))
            for table in schema.metadata.sorted_tables
            for row in connection.exec_driver_sql(f"SELECT * FROM {table.name}")  # noqa: S608 - our own names
        ]


def live_tokens(engine: Engine, *, of: str) -> tuple[str, ...]:
    """Return the mandates in a state whose tokens are still held."""
    query = (
        f"SELECT m.mandate_id FROM {schema.mandates.name} m"  # noqa: S608 - our own names
        f" JOIN {schema.tokens.name} t ON t.mandate_id = m.mandate_id WHERE m.state = '{of}'"
    )
    with _reading(engine) as connection:
        return tuple(row[0] for row in connection.exec_driver_sql(query))


@contextmanager
def _reading(engine: Engine) -> Generator[Connection]:
    with engine.execution_options(prenopay_reads=True).connect() as connection, connection.begin():
        yield connection
