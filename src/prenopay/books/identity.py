"""The id of this database: a part of every reference, so that two databases never use the same one at a gateway.

It is made with the tables. A database that was emptied gets a new one: its operation ids begin again, and the
gateway still has what the old ones named.
"""

from __future__ import annotations

import secrets

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from prenopay.books import schema

__all__ = ["database_id"]


def database_id(connection: Connection) -> str:
    """Return the id of the database; makes one if there is none, so the transaction must be one that writes."""
    table = schema.identity
    query = select(table.c.database_id)
    if (found := connection.execute(query).scalar()) is not None:
        return str(found)
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    made = insert(table).values(only_row=1, database_id=secrets.token_hex(16))
    connection.execute(made.on_conflict_do_nothing())
    return str(connection.execute(query).scalar_one())
