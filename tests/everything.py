"""Everything that a database holds, for tests of what it must not hold."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from prenopay.books import answers, schema

__all__ = ["everything", "stored_answers"]


def stored_answers(connection: Connection) -> list[Any]:
    """Return the gateways' answers about every payment, unpacked."""
    return [answers.of_payment(connection, each) for each in connection.scalars(select(schema.payments.c.payment_id))]


def everything(connection: Connection) -> list[Any]:
    """Return every row of every table, and the answers that are packed in one of them."""
    rows = [tuple(row) for table in schema.metadata.sorted_tables for row in connection.execute(select(table))]
    return [*rows, *stored_answers(connection)]
