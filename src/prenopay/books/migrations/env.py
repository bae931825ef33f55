"""Runs the migrations on the connection that ``prenopay.upgrade_database`` hands over."""

from __future__ import annotations

from alembic import context

from prenopay.books import schema

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=schema.metadata,
    version_table=schema.VERSION_TABLE,
)
context.run_migrations()
