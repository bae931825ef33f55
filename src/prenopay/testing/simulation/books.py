"""Prenopay's books as they are on disk, read past the library: a few columns, in one look."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, cast

from sqlalchemy import Engine, Table

from prenopay.books import schema
from prenopay.testing.gateway import Totals

__all__ = ["Books", "Depths", "MandateRow", "OperationRow", "PaymentRow", "read_books", "read_depths", "remains"]

_DISAGREEING: Final = f"""
SELECT payment_id FROM {schema.payments.name} AS payments
WHERE (authorized, captured, cancelled, refunded) != (
    SELECT total(amount) FILTER (WHERE kind = 'authorization'), total(amount) FILTER (WHERE kind = 'capture'),
        -total(amount) FILTER (WHERE kind = 'release'), -total(amount) FILTER (WHERE kind = 'refund')
    FROM {schema.movements.name} AS movements WHERE movements.payment_id = payments.payment_id
)
"""  # noqa: S608 - our own names
_STORED_AGAIN: Final = f"""
SELECT payment_id FROM {schema.payments.name} AS payments WHERE erased_at IS NOT NULL AND (
    EXISTS (SELECT 1 FROM {schema.payers.name} AS kept WHERE kept.payment_id = payments.payment_id)
    OR EXISTS (SELECT 1 FROM {schema.observations.name} AS kept WHERE kept.payment_id = payments.payment_id)
    OR EXISTS (
        SELECT 1 FROM {schema.operations.name} AS kept WHERE kept.subject_id = payments.payment_id AND mark IS NOT NULL
    )
)
"""  # noqa: S608 - our own names
_NEVER_DUE: Final = (
    (schema.operations, "outcome IN ('unknown', 'pending')"),
    (schema.deliveries, "delivered_at IS NULL"),
    (schema.inbox, "done_at IS NULL"),
)
"""What is not done, and must be due at some time."""
_MAY_TAKE: Final = timedelta(hours=1)
"""Nothing that was due so long ago is left by a sweep, and nobody owns anything for longer."""


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
    actions: str

    @property
    def totals(self) -> Totals:
        """What it adds up to."""
        return Totals(
            authorized=self.authorized, captured=self.captured, refunded=self.refunded, cancelled=self.cancelled
        )

    @property
    def is_open(self) -> bool:
        """Whether it may still be paid."""
        return self.state in {"created", "pending", "unknown"}

    @property
    def allowed_actions(self) -> list[str]:
        """What can be done next."""
        return sorted(json.loads(self.actions))


@dataclass(frozen=True, slots=True)
class OperationRow:
    """One operation; ``subject_id`` is the payment or the payout that it is about."""

    account: str
    operation_id: str
    kind: str
    subject_id: str
    outcome: str
    amount: int | None
    reference: str
    created_at: str

    @property
    def is_open(self) -> bool:
        """Whether its outcome is still to come."""
        return self.outcome in {"unknown", "pending"}


@dataclass(frozen=True, slots=True)
class MandateRow:
    """One stored method."""

    account: str
    mandate_id: str
    payer_reference: str
    state: str
    payment_id: str | None
    expires: str | None
    is_renewed: bool
    """Whether the network renews the card by itself."""

    @property
    def is_chargeable(self) -> bool:
        """Whether it may be drawn on."""
        return self.state in {"active", "expiring"}

    @property
    def has_ended(self) -> bool:
        """Whether it never comes back."""
        return self.state in {"expired", "replaced", "revoked", "deleted"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """Everything the checks need, as it was at one moment."""

    payments: tuple[PaymentRow, ...]
    operations: tuple[OperationRow, ...]
    mandates: tuple[MandateRow, ...]
    flags: frozenset[tuple[str, str]]
    events: dict[str, str]
    """The subject of every event."""
    waiting: frozenset[tuple[str, str]]
    """Accounts and subjects whose callbacks wait; the subject of an account's own address is empty."""

    @property
    def lost_charges(self) -> list[OperationRow]:
        """Charges of which nobody knows what became."""
        return [row for row in self.operations if row.kind == "charge" and row.outcome == "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Depths:
    """What is looked at only at rest, because it costs more."""

    disagreeing: tuple[str, ...]
    """Payments whose totals are not the sums of their movements."""
    forgotten: tuple[str, ...]
    """Rows that stay due or claimed, or are not done and never due again."""
    stored_again: tuple[str, ...]
    """Payments whose payer was erased, and about whose payer something is stored."""
    tokens: frozenset[str]
    """Mandates whose token is kept."""
    journal_mode: str
    synchronous: int
    contents: bytes = field(repr=False)
    """The whole database, as it is in its file."""


def read_books(engine: Engine) -> Books:
    """Return the books."""
    with _reading(engine) as connection:

        def rows(table: Table, columns: str, where: str = "1") -> list[Any]:
            query = f"SELECT {columns} FROM {table.name} WHERE {where} ORDER BY rowid"  # noqa: S608 - our own names
            return connection.execute(query).fetchall()

        payments = rows(
            schema.payments,
            "payment_id, account, provider_reference, order_reference, state, amount, authorized, captured,"
            " refunded, cancelled, quarantined, capture_mode, allowed_actions",
        )
        operations = rows(
            schema.operations, "account, operation_id, kind, subject_id, outcome, amount, reference, created_at"
        )
        mandates = rows(
            schema.mandates,
            "account, mandate_id, payer_reference, state, payment_id, expires, network_tokenized",
        )
        return Books(
            payments=tuple(PaymentRow(*row) for row in payments),
            operations=tuple(OperationRow(*row) for row in operations),
            mandates=tuple(MandateRow(*row) for row in mandates),
            flags=frozenset((row[0], row[1]) for row in rows(schema.flags, "payment_id, kind")),
            events=dict(rows(schema.events, "event_id, subject_id")),
            waiting=frozenset(rows(schema.inbox, "account, subject_id", "done_at IS NULL")),
        )


def read_depths(engine: Engine, now: datetime) -> Depths:
    """Return what is looked at at rest, after a sweep."""
    with _reading(engine) as connection:

        def column(query: str, *values: str) -> list[Any]:
            return [row[0] for row in connection.execute(query, values)]

        def forgotten() -> Generator[str]:
            early, late = (_stored(now + margin) for margin in (-_MAY_TAKE, _MAY_TAKE))
            for table in schema.metadata.sorted_tables:
                key = table.primary_key.columns.keys()[-1]
                select = f"SELECT {key} FROM {table.name} WHERE"  # noqa: S608 - our own names
                if "next_at" in table.c:
                    for row in column(f"{select} next_at < ?", early):
                        yield f"{row} in {table.name} is due since long ago"
                    for row in column(f"{select} claimed_until > ?", late):
                        yield f"{row} in {table.name} is claimed for long"
                for _table, what in filter(lambda each: each[0] is table, _NEVER_DUE):
                    for row in column(f"{select} next_at IS NULL AND {what}"):
                        yield f"{row} in {table.name} is not done, and never due again"

        return Depths(
            disagreeing=tuple(column(_DISAGREEING)),
            forgotten=tuple(forgotten()),
            stored_again=tuple(column(_STORED_AGAIN)),
            tokens=frozenset(column(f"SELECT mandate_id FROM {schema.tokens.name}")),  # noqa: S608 - our own name
            journal_mode=column("PRAGMA journal_mode")[0],
            synchronous=column("PRAGMA synchronous")[0],
            contents=connection.serialize(),
        )


def remains(engine: Engine, secrets: Sequence[str]) -> tuple[str, ...]:
    """Return the tables that hold something secret of a payer."""
    with _reading(engine) as connection:
        return tuple(
            table.name
            for table in schema.metadata.sorted_tables
            for row in connection.execute(f"SELECT * FROM {table.name}")  # noqa: S608 - our own names
            if any(secret in repr(row) for secret in secrets)
        )


def _stored(moment: datetime) -> str:
    """Return a time as SQLite has it."""
    return moment.replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")


@contextmanager
def _reading(engine: Engine) -> Generator[sqlite3.Connection]:
    """Lend what the driver made: what is in the books is asked of the database alone."""
    with engine.connect() as connection:
        yield cast("sqlite3.Connection", connection.connection.driver_connection)
