"""Mandates, their sealed tokens and history, the charges on them, and what a person settled by hand."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from prenopay.books.schema import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    _mandates()
    _tokens()
    _mandate_changes()
    _charges()
    _decisions()


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
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["payment_id"], ["prenopay_payments.payment_id"]),
        sa.PrimaryKeyConstraint("mandate_id"),
    )
    op.create_index("prenopay_mandates_payer", "prenopay_mandates", ["account", "payer_reference"])
    op.create_index("prenopay_mandates_state", "prenopay_mandates", ["account", "state"])
    op.create_index("prenopay_mandates_payment", "prenopay_mandates", ["payment_id"])


def _tokens() -> None:
    op.create_table(
        "prenopay_tokens",
        sa.Column("mandate_id", sa.String(length=40), nullable=False),
        sa.Column("account", sa.String(length=60), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("remove_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["mandate_id"], ["prenopay_mandates.mandate_id"]),
        sa.PrimaryKeyConstraint("mandate_id"),
        sa.UniqueConstraint("account", "fingerprint", name="prenopay_tokens_fingerprint"),
    )
    op.create_index("prenopay_tokens_remove", "prenopay_tokens", ["account", "remove_at"])


def _mandate_changes() -> None:
    op.create_table(
        "prenopay_mandate_changes",
        sa.Column("change_id", _ID, nullable=False),
        sa.Column("mandate_id", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["mandate_id"], ["prenopay_mandates.mandate_id"]),
        sa.PrimaryKeyConstraint("change_id"),
    )
    op.create_index("prenopay_mandate_changes_mandate", "prenopay_mandate_changes", ["mandate_id", "change_id"])


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
        sa.ForeignKeyConstraint(["payment_id"], ["prenopay_payments.payment_id"]),
        sa.ForeignKeyConstraint(["mandate_id"], ["prenopay_mandates.mandate_id"]),
        sa.PrimaryKeyConstraint("payment_id"),
    )
    op.create_index("prenopay_charges_card", "prenopay_charges", ["account", "card_key", "at"])
    op.create_index("prenopay_charges_mandate", "prenopay_charges", ["mandate_id", "at"])


def _decisions() -> None:
    op.create_table(
        "prenopay_decisions",
        sa.Column("decision_id", _ID, nullable=False),
        sa.Column("account", sa.String(length=60), nullable=False),
        sa.Column("operation_id", sa.String(length=100), nullable=False),
        sa.Column("payment_id", sa.String(length=40), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("person", sa.String(length=100), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["payment_id"], ["prenopay_payments.payment_id"]),
        sa.PrimaryKeyConstraint("decision_id"),
    )
    op.create_index("prenopay_decisions_payment", "prenopay_decisions", ["payment_id"])
