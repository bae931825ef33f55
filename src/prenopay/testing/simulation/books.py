"""Prenopay's books as they stand on disk, read past the library: a few columns, in one look."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, cast

from sqlalchemy import Engine, Table

from prenopay.books import schema
from prenopay.testing.simulation.gateways import Sums

__all__ = [
    "Books",
    "Depths",
    "MandateRow",
    "OperationRow",
    "PaymentRow",
    "PayoutRow",
    "read_books",
    "read_depths",
    "remains",
]

_DISAGREEING: Final = f"""
SELECT payment_id FROM {schema.payments.name} AS payments
WHERE (authorized, captured, cancelled, refunded) != (
    SELECT total(amount) FILTER (WHERE kind = 'authorization'), total(amount) FILTER (WHERE kind = 'capture'),
        -total(amount) FILTER (WHERE kind = 'release'), -total(amount) FILTER (WHERE kind = 'refund')
    FROM {schema.movements.name} AS movements WHERE movements.payment_id = payments.payment_id
)
"""  # noqa: S608 - our own names


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

    account: str
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Depths:
    """What is looked at only at rest, because it costs more."""

    disagreeing: tuple[str, ...]
    """Payments whose totals are not the sums of their movements."""
    tokens: frozenset[str]
    """Mandates whose token is kept."""
    journal_mode: str
    synchronous: int
    contents: bytes = field(repr=False)
    """The whole database, as it stands in its file."""


def read_books(engine: Engine) -> Books:
    """Return the books."""
    with _reading(engine) as connection:

        def rows(table: Table, columns: str, where: str = "") -> list[Any]:
            query = f"SELECT {columns} FROM {table.name}{where} ORDER BY rowid"  # noqa: S608 - our own names
            return connection.execute(query).fetchall()

        payments = rows(
            schema.payments,
            "payment_id, account, provider_reference, order_reference, state, amount, authorized, captured,"
            " refunded, cancelled, quarantined, capture_mode, due",
        )
        operations = rows(
            schema.operations, "account, operation_id, kind, subject_id, outcome", " WHERE kind != 'payout'"
        )
        payouts = rows(schema.operations, "operation_id, reference, outcome", " WHERE kind = 'payout'")
        mandates = rows(schema.mandates, "account, mandate_id, payer_reference, state, payment_id")
        flags = rows(schema.flags, "payment_id, kind")
        events = rows(schema.events, "event_id")
        waiting = rows(schema.inbox, "next_at")
    return Books(
        payments=tuple(PaymentRow(*row) for row in payments),
        operations=tuple(OperationRow(*row) for row in operations),
        payouts=tuple(PayoutRow(*row) for row in payouts),
        mandates=tuple(MandateRow(*row) for row in mandates),
        flags=frozenset((row[0], row[1]) for row in flags),
        events=frozenset(row[0] for row in events),
        waiting_callbacks=sum(row[0] is not None for row in waiting),
    )


def read_depths(engine: Engine) -> Depths:
    """Return what is looked at at rest."""
    with _reading(engine) as connection:

        def column(query: str) -> list[Any]:
            return [row[0] for row in connection.execute(query)]

        return Depths(
            disagreeing=tuple(column(_DISAGREEING)),
            tokens=frozenset(column(f"SELECT mandate_id FROM {schema.tokens.name}")),  # noqa: S608 - our own name
            journal_mode=column("PRAGMA journal_mode")[0],
            synchronous=column("PRAGMA synchronous")[0],
            contents=connection.serialize(),
        )


def remains(engine: Engine, secrets: Sequence[str], payment_ids: Sequence[str]) -> tuple[str, ...]:
    """Return the tables that hold something secret of a payer, or a callback's body of their payments."""
    named = ", ".join("?" for _ in payment_ids)
    query = f"SELECT 1 FROM {schema.inbox.name} WHERE length(body) > 0 AND subject_id IN ({named})"  # noqa: S608 - our own names
    with _reading(engine) as connection:
        bodies = connection.execute(query, payment_ids).fetchall()
        return (
            *([schema.inbox.name] if bodies else []),
            *(
                table.name
                for table in schema.metadata.sorted_tables
                for row in connection.execute(f"SELECT * FROM {table.name}")  # noqa: S608 - our own names
                if any(secret in repr(row) for secret in secrets)
            ),
        )


@contextmanager
def _reading(engine: Engine) -> Generator[sqlite3.Connection]:
    """Lend what the driver made: what stands in the books is asked of the database alone."""
    with engine.connect() as connection:
        yield cast("sqlite3.Connection", connection.connection.driver_connection)
