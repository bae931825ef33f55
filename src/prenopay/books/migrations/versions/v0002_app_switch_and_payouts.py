"""Room for how a payer's banking app gets to a payment, and for payouts (Swish)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from prenopay.books.schema import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    """Add one column, empty for every payment so far, and one table."""
    op.add_column("prenopay_payments", sa.Column("app_switch", _JSON, nullable=True))
    op.create_table(
        "prenopay_payouts",
        sa.Column("payout_id", sa.String(length=40), nullable=False),
        sa.Column("account", sa.String(length=60), nullable=False),
        sa.Column("operation_id", sa.String(length=100), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("reference", sa.String(length=60), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("decline", _JSON, nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("checks", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("settled_at", UtcDateTime(), nullable=True),
        sa.Column("claimed_until", UtcDateTime(), nullable=True),
        sa.Column("next_check_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("payout_id"),
        sa.UniqueConstraint("account", "operation_id", name="prenopay_payouts_operation"),
        sa.UniqueConstraint("account", "reference", name="prenopay_payouts_reference"),
    )
    op.create_index("prenopay_payouts_next_check", "prenopay_payouts", ["account", "next_check_at"])
