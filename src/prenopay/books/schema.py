"""Every table in one file. All names have a prefix, so that the tables can live in a host's own database.

Operations, events, deliveries and the inbox belong to a subject (kind and id), never to payments alone. Every
table with a next time has the same three columns (see ``books.due``). Append-only: observations, movements,
events, attempts, flags, changes of mandates, decisions. Everything about the payer is in ``prenopay_payers``, so
that it can be erased while the history stays. Migrations make these tables (``prenopay db upgrade``); a test
compares this file with them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from prenopay._text import storable
from prenopay.books.text import NAME_MOST, fitted

__all__ = [
    "SCHEMA_VERSION",
    "VERSION_TABLE",
    "StrangersName",
    "StrangersText",
    "UtcDateTime",
    "attempts",
    "charges",
    "decisions",
    "deliveries",
    "events",
    "flags",
    "identity",
    "inbox",
    "mandate_changes",
    "mandates",
    "metadata",
    "movements",
    "observations",
    "operations",
    "payers",
    "payments",
    "payouts",
    "tokens",
]

SCHEMA_VERSION: Final = "0001"
"""The migration that this code needs (a test compares it with the newest one)."""

VERSION_TABLE: Final = "prenopay_schema_version"


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time in UTC on both databases. SQLite stores no zone, so the zone is added when a time is read."""

    impl: TypeEngine[Any] | type[TypeEngine[Any]] = DateTime(timezone=True)
    cache_ok: bool | None = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse times without a zone; store UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            message = f"a time without a zone cannot be stored: {value!r}"
            raise ValueError(message)
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Add the zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class StrangersText(TypeDecorator[str]):
    """Text that a gateway or a person wrote: what a database refuses in it is replaced."""

    impl: TypeEngine[Any] | type[TypeEngine[Any]] = Text
    cache_ok: bool | None = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Replace NUL and halves of characters."""
        del dialect
        return None if value is None else storable(value)


class StrangersName(TypeDecorator[str]):
    """A name that a gateway or a person gave: also shortened to the column's length."""

    impl: TypeEngine[Any] | type[TypeEngine[Any]] = String
    cache_ok: bool | None = True

    def __init__(self, most: int) -> None:
        """Store at most so many characters."""
        super().__init__(length=most)
        self.most = most

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Replace NUL and halves of characters, and shorten what is too long."""
        del dialect
        return None if value is None else fitted(value, self.most)


_Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
_Id = BigInteger().with_variant(Integer(), "sqlite")
_Account = String(60)
_PaymentId = String(40)
_OperationId = String(100)
_SubjectKind = String(20)
_SubjectId = String(40)
_PAYER_REFERENCE_MOST: Final = 200


def _due_columns() -> tuple[Column[Any], ...]:
    """Return the columns of a table with a next time: when due, until when claimed, how often tried."""
    return (
        Column("next_at", UtcDateTime),
        Column("claimed_until", UtcDateTime),
        Column("tries", Integer, nullable=False, default=0),
    )


def _where(condition: str) -> dict[str, Any]:
    """Return the options of an index over some rows only."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


metadata: Final[MetaData] = MetaData()

payments: Final[Table] = Table(
    "prenopay_payments",
    metadata,
    Column("payment_id", _PaymentId, primary_key=True),
    Column("account", _Account, nullable=False),
    Column("provider", String(40), nullable=False),
    Column("order_reference", String(100), nullable=False),
    Column("provider_reference", String(200)),
    Column("state", String(20), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("due", BigInteger, nullable=False),
    Column("authorized", BigInteger, nullable=False, default=0),
    Column("captured", BigInteger, nullable=False, default=0),
    Column("refunded", BigInteger, nullable=False, default=0),
    Column("cancelled", BigInteger, nullable=False, default=0),
    Column("description", StrangersText(), nullable=False),
    Column("instrument", StrangersName(60)),
    Column("allowed_actions", _Json, nullable=False),
    Column("capture_mode", String(20), nullable=False),
    Column("order", _Json, nullable=False),
    Column("decline", _Json),
    Column("quarantined", Boolean, nullable=False, default=False),
    Column("redirect_url", Text),
    Column("seamless_view", _Json),
    Column("app_switch", _Json),
    Column("version", Integer, nullable=False, default=1),
    Column("asked_version", Integer, nullable=False, default=0),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("erased_at", UtcDateTime),
    *_due_columns(),
    UniqueConstraint("account", "provider_reference", name="prenopay_payments_provider_reference"),
    Index("prenopay_payments_order_reference", "account", "order_reference"),
    Index("prenopay_payments_created", "account", "created_at", "payment_id"),
    Index("prenopay_payments_state", "account", "state", "created_at", "payment_id"),
    Index("prenopay_payments_due", "account", "next_at"),
)

payers: Final[Table] = Table(
    "prenopay_payers",
    metadata,
    Column("payment_id", _PaymentId, ForeignKey(payments.c.payment_id), primary_key=True),
    Column("reference", StrangersName(_PAYER_REFERENCE_MOST)),
    Column("data", _Json, nullable=False),
    Index("prenopay_payers_reference", "reference"),
)
"""What an order says of a person. An erasure deletes the row, and writes ``erased_at`` into the payment."""

operations: Final[Table] = Table(
    "prenopay_operations",
    metadata,
    Column("account", _Account, primary_key=True),
    Column("operation_id", _OperationId, primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("subject_kind", _SubjectKind, nullable=False),
    Column("subject_id", _SubjectId, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("mark", String(64)),
    Column("reference", String(60), nullable=False),
    Column("amount", BigInteger),
    Column("vat", BigInteger),
    Column("currency", String(3), nullable=False),
    Column("parameters", _Json, nullable=False),
    Column("outcome", String(20), nullable=False),
    Column("decline", _Json),
    Column("error", StrangersText(), nullable=False, default=""),
    Column("attempts", Integer, nullable=False, default=1),
    Column("earlier_references", _Json, nullable=False, default=list),
    Column("created_at", UtcDateTime, nullable=False),
    Column("first_sent_at", UtcDateTime, nullable=False),
    Column("last_sent_at", UtcDateTime),
    Column("settled_at", UtcDateTime),
    Column("claim", String(32)),
    *_due_columns(),
    UniqueConstraint("account", "reference", name="prenopay_operations_reference"),
    Index("prenopay_operations_subject", "subject_id"),
    Index("prenopay_operations_due", "account", "next_at"),
    Index("prenopay_operations_open", "account", "outcome", "created_at"),
)
"""``digest`` is of all that was asked, without the person. ``mark`` is of the person, under a key that is not in the
database; an erasure removes it."""

payouts: Final[Table] = Table(
    "prenopay_payouts",
    metadata,
    Column("payout_id", _SubjectId, primary_key=True),
    Column("account", _Account, nullable=False),
    Column("operation_id", _OperationId, nullable=False),
    Column("description", StrangersText(), nullable=False),
    Column("payee_reference", StrangersName(_PAYER_REFERENCE_MOST)),
    Column("body", LargeBinary, nullable=False),
    Column("erased_at", UtcDateTime),
    UniqueConstraint("account", "operation_id", name="prenopay_payouts_operation"),
    Index("prenopay_payouts_payee", "account", "payee_reference"),
)
"""A payout is its operation and this row. ``body`` is the signed instruction. It names the payee, so it is emptied when
the payout has ended."""

mandates: Final[Table] = Table(
    "prenopay_mandates",
    metadata,
    Column("mandate_id", _PaymentId, primary_key=True),
    Column("account", _Account, nullable=False),
    Column("provider", String(40), nullable=False),
    Column("payer_reference", String(_PAYER_REFERENCE_MOST), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("state", String(20), nullable=False),
    Column("consent", _Json, nullable=False),
    Column("time_zone", String(40), nullable=False),
    Column("until", Date),
    Column("instrument", StrangersName(60), nullable=False, default=""),
    Column("display", StrangersName(200), nullable=False, default=""),
    Column("expires", Date),
    Column("card_key", StrangersName(100), nullable=False, default=""),
    Column("network_tokenized", Boolean, nullable=False, default=False),
    Column("payment_id", _PaymentId, ForeignKey(payments.c.payment_id)),
    Column("replaces", _PaymentId),
    Column("replaced_by", _PaymentId),
    Column("reason", StrangersText(), nullable=False, default=""),
    Column("resume_at", UtcDateTime),
    Column("missing_since", UtcDateTime),
    Column("look_at", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("erased_at", UtcDateTime),
    *_due_columns(),
    Index("prenopay_mandates_newest", "account", "mandate_id"),
    Index("prenopay_mandates_state", "account", "state", "mandate_id"),
    Index("prenopay_mandates_due", "account", "next_at"),
    Index("prenopay_mandates_payer", "account", "payer_reference"),
    Index("prenopay_mandates_payment", "payment_id"),
    Index("prenopay_mandates_missing", "account", "missing_since"),
)

tokens: Final[Table] = Table(
    "prenopay_tokens",
    metadata,
    Column("mandate_id", _PaymentId, ForeignKey(mandates.c.mandate_id), primary_key=True),
    Column("account", _Account, nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    *_due_columns(),
    UniqueConstraint("account", "fingerprint", name="prenopay_tokens_fingerprint"),
    Index("prenopay_tokens_due", "account", "next_at"),
)
"""The secret inside a mandate, sealed. At ``next_at`` it is to be removed at the gateway, and then here."""

mandate_changes: Final[Table] = Table(
    "prenopay_mandate_changes",
    metadata,
    Column("change_id", _Id, primary_key=True),
    Column("mandate_id", _PaymentId, ForeignKey(mandates.c.mandate_id), nullable=False),
    Column("state", String(20), nullable=False),
    Column("actor", StrangersName(100), nullable=False),
    Column("reason", StrangersText(), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Index("prenopay_mandate_changes_mandate", "mandate_id", "change_id"),
)

charges: Final[Table] = Table(
    "prenopay_charges",
    metadata,
    Column("payment_id", _PaymentId, ForeignKey(payments.c.payment_id), primary_key=True),
    Column("account", _Account, nullable=False),
    Column("mandate_id", _PaymentId, ForeignKey(mandates.c.mandate_id), nullable=False),
    Column("operation_id", _OperationId, nullable=False),
    Column("card_key", StrangersName(100), nullable=False),
    Column("period", String(60), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Index("prenopay_charges_card", "account", "card_key", "at"),
    Index("prenopay_charges_mandate", "mandate_id", "at"),
)

decisions: Final[Table] = Table(
    "prenopay_decisions",
    metadata,
    Column("decision_id", _Id, primary_key=True),
    Column("account", _Account, nullable=False),
    Column("operation_id", _OperationId, nullable=False),
    Column("subject_kind", _SubjectKind, nullable=False),
    Column("subject_id", _SubjectId, nullable=False),
    Column("outcome", String(20), nullable=False),
    Column("person", StrangersName(100), nullable=False),
    Column("reason", StrangersText(), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Index("prenopay_decisions_subject", "subject_id"),
)
"""What a person settled by hand, because no gateway could say."""

attempts: Final[Table] = Table(
    "prenopay_attempts",
    metadata,
    Column("attempt_id", _Id, primary_key=True),
    Column("payment_id", _PaymentId, ForeignKey(payments.c.payment_id), nullable=False),
    Column("number", StrangersName(NAME_MOST), nullable=False),
    Column("instrument", StrangersName(60)),
    Column("decline", _Json, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    UniqueConstraint("payment_id", "number", name="prenopay_attempts_number"),
)

movements: Final[Table] = Table(
    "prenopay_movements",
    metadata,
    Column("movement_id", _Id, primary_key=True),
    Column("payment_id", _PaymentId, ForeignKey(payments.c.payment_id), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("number", StrangersName(NAME_MOST)),
    Column("reference", StrangersName(NAME_MOST)),
    Column("at", UtcDateTime, nullable=False),
    UniqueConstraint("payment_id", "kind", "number", name="prenopay_movements_number"),
)

observations: Final[Table] = Table(
    "prenopay_observations",
    metadata,
    Column("observation_id", _Id, primary_key=True),
    Column("payment_id", _PaymentId, ForeignKey(payments.c.payment_id), nullable=False),
    Column("source", StrangersName(20), nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Index("prenopay_observations_payment", "payment_id", "observation_id"),
)

flags: Final[Table] = Table(
    "prenopay_flags",
    metadata,
    Column("flag_id", _Id, primary_key=True),
    Column("payment_id", _PaymentId, ForeignKey(payments.c.payment_id), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("detail", StrangersText(), nullable=False),
    Column("times", Integer, nullable=False, default=1),
    Column("raised_at", UtcDateTime, nullable=False),
    Index("prenopay_flags_payment", "payment_id"),
)

events: Final[Table] = Table(
    "prenopay_events",
    metadata,
    Column("sequence", _Id, primary_key=True),
    Column("event_id", String(50), nullable=False),
    Column("account", _Account, nullable=False),
    Column("subject_kind", _SubjectKind, nullable=False),
    Column("subject_id", _SubjectId, nullable=False),
    Column("number", Integer, nullable=False),
    Column("kind", String(40), nullable=False),
    Column("body", _Json, nullable=False),
    Column("observation_id", _Id),
    Column("occurred_at", UtcDateTime, nullable=False),
    UniqueConstraint("event_id", name="prenopay_events_id"),
    UniqueConstraint("subject_id", "number", name="prenopay_events_number"),
)

deliveries: Final[Table] = Table(
    "prenopay_deliveries",
    metadata,
    Column("sequence", _Id, ForeignKey(events.c.sequence), primary_key=True, autoincrement=False),
    Column("account", _Account, nullable=False),
    Column("subject_id", _SubjectId, nullable=False),
    Column("delivered_at", UtcDateTime),
    Column("last_error", StrangersText(), nullable=False, default=""),
    *_due_columns(),
    Index("prenopay_deliveries_due", "account", "next_at"),
    Index("prenopay_deliveries_waiting", "subject_id", "sequence", **_where("delivered_at IS NULL")),
)

identity: Final[Table] = Table(
    "prenopay_identity",
    metadata,
    Column("only_row", Integer, primary_key=True, autoincrement=False),
    Column("database_id", String(32), nullable=False),
)
"""One row: see ``books.identity``."""

inbox: Final[Table] = Table(
    "prenopay_inbox",
    metadata,
    Column("inbox_id", _Id, primary_key=True),
    Column("account", _Account, nullable=False),
    Column("subject_kind", _SubjectKind, nullable=False, default=""),
    Column("subject_id", _SubjectId, nullable=False, default=""),
    Column("digest", String(64), nullable=False, default=""),
    Column("note", StrangersText(), nullable=False, default=""),
    Column("names", _Json, nullable=False),
    Column("times", Integer, nullable=False, default=1),
    Column("received_at", UtcDateTime, nullable=False),
    Column("done_at", UtcDateTime),
    Column("last_error", StrangersText(), nullable=False, default=""),
    Column("looks", Integer, nullable=False, default=0),
    Column("looks_since", UtcDateTime),
    *_due_columns(),
    UniqueConstraint("account", "subject_id", "digest", name="prenopay_inbox_digest"),
    Index("prenopay_inbox_subject", "subject_id"),
    Index("prenopay_inbox_due", "account", "next_at"),
    Index("prenopay_inbox_newest", "account", "received_at", "inbox_id"),
    Index("prenopay_inbox_open", "account", "received_at", "inbox_id", **_where("done_at IS NULL")),
    Index("prenopay_inbox_addressed", "account", "next_at", **_where("subject_id = ''")),
    Index("prenopay_inbox_old", "account", "done_at", **_where("subject_id = ''")),
)
"""Callbacks: one row for each subject. A callback to the account's own address has none: there is one row for each set
of ``names``, and ``digest`` tells them apart. ``looks`` counts how often they made us look since ``looks_since``."""
