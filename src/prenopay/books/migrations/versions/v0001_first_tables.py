"""The first tables."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from prenopay.books.schema import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    _decisions()
    _events()
    _inbox()
    _operations()
    _payments()
    _payouts()
    _attempts()
    _deliveries()
    _flags()
    _mandates()
    _movements()
    _observations()
    _payers()
    _charges()
    _mandate_changes()
    _tokens()
    _identity()


def _decisions() -> None:
    op.create_table(
        "prenopay_decisions",
        sa.Column("decision_id", _ID, nullable=False),
        sa.Column("account", sa.String(length=60), nullable=False),
        sa.Column("operation_id", sa.String(length=100), nullable=False),
        sa.Column("subject_kind", sa.String(length=20), nullable=False),
        sa.Column("subject_id", sa.String(length=40), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("person", sa.String(length=100), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("decision_id"),
    )
    op.create_index("prenopay_decisions_subject", "prenopay_decisions", ["subject_id"])


def _events() -> None:
    op.create_table(
        "prenopay_events",
        sa.Column("sequence", _ID, nullable=False),
        sa.Column("event_id", sa.String(length=50), nullable=False),
        sa.Column("account", sa.String(length=60), nullable=False),
        sa.Column("subject_kind", sa.String(length=20), nullable=False),
        sa.Column("subject_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("body", _JSON, nullable=False),
        sa.Column("observation_id", _ID, nullable=True),
        sa.Column("occurred_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("sequence"),
        sa.UniqueConstraint("event_id", name="prenopay_events_id"),
        sa.UniqueConstraint("subject_id", "number", name="prenopay_events_number"),
    )


def _inbox() -> None:
    op.create_table(
        "prenopay_inbox",
        sa.Column("inbox_id", _ID, nullable=False),
        sa.Column("account", sa.String(length=60), nullable=False),
        sa.Column("subject_kind", sa.String(length=20), nullable=False),
        sa.Column("subject_id", sa.String(length=40), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("names", _JSON, nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.Column("done_at", UtcDateTime(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.Column("looks", sa.Integer(), nullable=False),
        sa.Column("looks_since", UtcDateTime(), nullable=True),
        sa.Column("next_at", UtcDateTime(), nullable=True),
        sa.Column("claimed_until", UtcDateTime(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("inbox_id"),
        sa.UniqueConstraint("account", "subject_id", "digest", name="prenopay_inbox_digest"),
    )
    op.create_index("prenopay_inbox_due", "prenopay_inbox", ["account", "next_at"])
    op.create_index("prenopay_inbox_subject", "prenopay_inbox", ["subject_id"])
    op.create_index("prenopay_inbox_newest", "prenopay_inbox", ["account", "received_at", "inbox_id"])
    still_open = sa.text("done_at IS NULL")
    op.create_index(
        "prenopay_inbox_open",
        "prenopay_inbox",
        ["account", "received_at", "inbox_id"],
        sqlite_where=still_open,
        postgresql_where=still_open,
    )
    has_no_subject = sa.text("subject_id = ''")
    for name, column in (("prenopay_inbox_addressed", "next_at"), ("prenopay_inbox_old", "done_at")):
        op.create_index(
            name,
            "prenopay_inbox",
            ["account", column],
            sqlite_where=has_no_subject,
            postgresql_where=has_no_subject,
        )


def _operations() -> None:
    op.create_table(
        "prenopay_operations",
        sa.Column("account", sa.String(length=60), nullable=False),
        sa.Column("operation_id", sa.String(length=100), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("subject_kind", sa.String(length=20), nullable=False),
        sa.Column("subject_id", sa.String(length=40), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("mark", sa.String(length=64), nullable=True),
        sa.Column("reference", sa.String(length=60), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        sa.Column("vat", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("parameters", _JSON, nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("decline", _JSON, nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("earlier_references", _JSON, nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("first_sent_at", UtcDateTime(), nullable=False),
        sa.Column("last_sent_at", UtcDateTime(), nullable=True),
        sa.Column("settled_at", UtcDateTime(), nullable=True),
        sa.Column("claim", sa.String(length=32), nullable=True),
        sa.Column("next_at", UtcDateTime(), nullable=True),
        sa.Column("claimed_until", UtcDateTime(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("account", "operation_id"),
        sa.UniqueConstraint("account", "reference", name="prenopay_operations_reference"),
    )
    op.create_index("prenopay_operations_due", "prenopay_operations", ["account", "next_at"])
    op.create_index("prenopay_operations_subject", "prenopay_operations", ["subject_id"])
    op.create_index("prenopay_operations_open", "prenopay_operations", ["account", "outcome", "created_at"])


def _payments() -> None:
    op.create_table(
        "prenopay_payments",
        sa.Column("payment_id", sa.String(length=40), nullable=False),
        sa.Column("account", sa.String(length=60), nullable=False),
        sa.Column("provider", sa.String(length=40), nullable=False),
        sa.Column("order_reference", sa.String(length=100), nullable=False),
        sa.Column("provider_reference", sa.String(length=200), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.Column("authorized", sa.BigInteger(), nullable=False),
        sa.Column("captured", sa.BigInteger(), nullable=False),
        sa.Column("refunded", sa.BigInteger(), nullable=False),
        sa.Column("cancelled", sa.BigInteger(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("instrument", sa.String(length=60), nullable=True),
        sa.Column("allowed_actions", _JSON, nullable=False),
        sa.Column("capture_mode", sa.String(length=20), nullable=False),
        sa.Column("order", _JSON, nullable=False),
        sa.Column("decline", _JSON, nullable=True),
        sa.Column("quarantined", sa.Boolean(), nullable=False),
        sa.Column("redirect_url", sa.Text(), nullable=True),
        sa.Column("seamless_view", _JSON, nullable=True),
        sa.Column("app_switch", _JSON, nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("asked_version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("erased_at", UtcDateTime(), nullable=True),
        sa.Column("next_at", UtcDateTime(), nullable=True),
        sa.Column("claimed_until", UtcDateTime(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("payment_id"),
        sa.UniqueConstraint("account", "provider_reference", name="prenopay_payments_provider_reference"),
    )
    op.create_index("prenopay_payments_created", "prenopay_payments", ["account", "created_at", "payment_id"])
    op.create_index("prenopay_payments_due", "prenopay_payments", ["account", "next_at"])
    op.create_index("prenopay_payments_order_reference", "prenopay_payments", ["account", "order_reference"])
    op.create_index("prenopay_payments_state", "prenopay_payments", ["account", "state", "created_at", "payment_id"])


def _payouts() -> None:
    op.create_table(
        "prenopay_payouts",
        sa.Column("payout_id", sa.String(length=40), nullable=False),
        sa.Column("account", sa.String(length=60), nullable=False),
        sa.Column("operation_id", sa.String(length=100), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("payee_reference", sa.String(length=200), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("erased_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("payout_id"),
        sa.UniqueConstraint("account", "operation_id", name="prenopay_payouts_operation"),
    )
    op.create_index("prenopay_payouts_payee", "prenopay_payouts", ["account", "payee_reference"])


def _attempts() -> None:
    op.create_table(
        "prenopay_attempts",
        sa.Column("attempt_id", _ID, nullable=False),
        sa.Column("payment_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.String(length=60), nullable=False),
        sa.Column("instrument", sa.String(length=60), nullable=True),
        sa.Column("decline", _JSON, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["payment_id"],
            ["prenopay_payments.payment_id"],
        ),
        sa.PrimaryKeyConstraint("attempt_id"),
        sa.UniqueConstraint("payment_id", "number", name="prenopay_attempts_number"),
    )


def _deliveries() -> None:
    op.create_table(
        "prenopay_deliveries",
        sa.Column("sequence", _ID, autoincrement=False, nullable=False),
        sa.Column("account", sa.String(length=60), nullable=False),
        sa.Column("subject_id", sa.String(length=40), nullable=False),
        sa.Column("delivered_at", UtcDateTime(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.Column("next_at", UtcDateTime(), nullable=True),
        sa.Column("claimed_until", UtcDateTime(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["sequence"],
            ["prenopay_events.sequence"],
        ),
        sa.PrimaryKeyConstraint("sequence"),
    )
    op.create_index("prenopay_deliveries_due", "prenopay_deliveries", ["account", "next_at"])
    waiting = sa.text("delivered_at IS NULL")
    op.create_index(
        "prenopay_deliveries_waiting",
        "prenopay_deliveries",
        ["subject_id", "sequence"],
        sqlite_where=waiting,
        postgresql_where=waiting,
    )


def _flags() -> None:
    op.create_table(
        "prenopay_flags",
        sa.Column("flag_id", _ID, nullable=False),
        sa.Column("payment_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("raised_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["payment_id"],
            ["prenopay_payments.payment_id"],
        ),
        sa.PrimaryKeyConstraint("flag_id"),
    )
    op.create_index("prenopay_flags_payment", "prenopay_flags", ["payment_id"])


def _mandates() -> None:
    op.create_table(
        "prenopay_mandates",
        sa.Column("mandate_id", sa.String(length=40), nullable=False),
        sa.Column("account", sa.String(length=60), nullable=False),
        sa.Column("provider", sa.String(length=40), nullable=False),
        sa.Column("payer_reference", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("consent", _JSON, nullable=False),
        sa.Column("time_zone", sa.String(length=40), nullable=False),
        sa.Column("until", sa.Date(), nullable=True),
        sa.Column("instrument", sa.String(length=60), nullable=False),
        sa.Column("display", sa.String(length=200), nullable=False),
        sa.Column("expires", sa.Date(), nullable=True),
        sa.Column("card_key", sa.String(length=100), nullable=False),
        sa.Column("network_tokenized", sa.Boolean(), nullable=False),
        sa.Column("payment_id", sa.String(length=40), nullable=True),
        sa.Column("replaces", sa.String(length=40), nullable=True),
        sa.Column("replaced_by", sa.String(length=40), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("resume_at", UtcDateTime(), nullable=True),
        sa.Column("missing_since", UtcDateTime(), nullable=True),
        sa.Column("look_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("erased_at", UtcDateTime(), nullable=True),
        sa.Column("next_at", UtcDateTime(), nullable=True),
        sa.Column("claimed_until", UtcDateTime(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["payment_id"],
            ["prenopay_payments.payment_id"],
        ),
        sa.PrimaryKeyConstraint("mandate_id"),
    )
    op.create_index("prenopay_mandates_due", "prenopay_mandates", ["account", "next_at"])
    op.create_index("prenopay_mandates_missing", "prenopay_mandates", ["account", "missing_since"])
    op.create_index("prenopay_mandates_payer", "prenopay_mandates", ["account", "payer_reference"])
    op.create_index("prenopay_mandates_payment", "prenopay_mandates", ["payment_id"])
    op.create_index("prenopay_mandates_newest", "prenopay_mandates", ["account", "mandate_id"])
    op.create_index("prenopay_mandates_state", "prenopay_mandates", ["account", "state", "mandate_id"])


def _movements() -> None:
    op.create_table(
        "prenopay_movements",
        sa.Column("movement_id", _ID, nullable=False),
        sa.Column("payment_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("number", sa.String(length=60), nullable=True),
        sa.Column("reference", sa.String(length=60), nullable=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["payment_id"],
            ["prenopay_payments.payment_id"],
        ),
        sa.PrimaryKeyConstraint("movement_id"),
        sa.UniqueConstraint("payment_id", "kind", "number", name="prenopay_movements_number"),
    )


def _observations() -> None:
    op.create_table(
        "prenopay_observations",
        sa.Column("observation_id", _ID, nullable=False),
        sa.Column("payment_id", sa.String(length=40), nullable=False),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["payment_id"],
            ["prenopay_payments.payment_id"],
        ),
        sa.PrimaryKeyConstraint("observation_id"),
    )
    op.create_index("prenopay_observations_payment", "prenopay_observations", ["payment_id", "observation_id"])


def _payers() -> None:
    op.create_table(
        "prenopay_payers",
        sa.Column("payment_id", sa.String(length=40), nullable=False),
        sa.Column("reference", sa.String(length=200), nullable=True),
        sa.Column("data", _JSON, nullable=False),
        sa.ForeignKeyConstraint(
            ["payment_id"],
            ["prenopay_payments.payment_id"],
        ),
        sa.PrimaryKeyConstraint("payment_id"),
    )
    op.create_index("prenopay_payers_reference", "prenopay_payers", ["reference"])


def _charges() -> None:
    op.create_table(
        "prenopay_charges",
        sa.Column("payment_id", sa.String(length=40), nullable=False),
        sa.Column("account", sa.String(length=60), nullable=False),
        sa.Column("mandate_id", sa.String(length=40), nullable=False),
        sa.Column("operation_id", sa.String(length=100), nullable=False),
        sa.Column("card_key", sa.String(length=100), nullable=False),
        sa.Column("period", sa.String(length=60), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["mandate_id"],
            ["prenopay_mandates.mandate_id"],
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"],
            ["prenopay_payments.payment_id"],
        ),
        sa.PrimaryKeyConstraint("payment_id"),
    )
    op.create_index("prenopay_charges_card", "prenopay_charges", ["account", "card_key", "at"])
    op.create_index("prenopay_charges_mandate", "prenopay_charges", ["mandate_id", "at"])


def _mandate_changes() -> None:
    op.create_table(
        "prenopay_mandate_changes",
        sa.Column("change_id", _ID, nullable=False),
        sa.Column("mandate_id", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["mandate_id"],
            ["prenopay_mandates.mandate_id"],
        ),
        sa.PrimaryKeyConstraint("change_id"),
    )
    op.create_index("prenopay_mandate_changes_mandate", "prenopay_mandate_changes", ["mandate_id", "change_id"])


def _tokens() -> None:
    op.create_table(
        "prenopay_tokens",
        sa.Column("mandate_id", sa.String(length=40), nullable=False),
        sa.Column("account", sa.String(length=60), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("next_at", UtcDateTime(), nullable=True),
        sa.Column("claimed_until", UtcDateTime(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["mandate_id"],
            ["prenopay_mandates.mandate_id"],
        ),
        sa.PrimaryKeyConstraint("mandate_id"),
        sa.UniqueConstraint("account", "fingerprint", name="prenopay_tokens_fingerprint"),
    )
    op.create_index("prenopay_tokens_due", "prenopay_tokens", ["account", "next_at"])


def _identity() -> None:
    table = op.create_table(
        "prenopay_identity",
        sa.Column("only_row", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("database_id", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("only_row"),
    )
    op.bulk_insert(table, [{"only_row": 1, "database_id": secrets.token_hex(16)}])
