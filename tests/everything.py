"""Everything that a database holds, for tests of what it must not hold."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from prenopay.books import answers, schema
from prenopay.books.engine import open_engine

__all__ = ["cells", "digests", "everything", "files", "remembered", "stored_answers"]


_DIGEST = re.compile(r"\b(?=[\w+/-]*\d)[\w+/-]{20,}={0,2}")


def stored_answers(connection: Connection) -> list[Any]:
    """Return the gateways' answers about every payment, unpacked."""
    return [answers.of_payment(connection, each) for each in connection.scalars(select(schema.payments.c.payment_id))]


def everything(connection: Connection) -> list[Any]:
    """Return every row of every table, and the answers that are packed in one of them."""
    rows = [tuple(row) for table in schema.metadata.sorted_tables for row in connection.execute(select(table))]
    return [*rows, *stored_answers(connection)]


def cells(database: str) -> set[str]:
    """Return every value in every column of every table, and every answer, as texts."""
    engine = open_engine(database)
    with engine.connect() as connection:
        found = {text_of(cell) for row in everything(connection) for cell in row}
    engine.dispose()
    return found


def digests(database: str) -> set[str]:
    """Return everything in the tables that may be a digest."""
    return {found for cell in cells(database) for found in _DIGEST.findall(cell)}


def text_of(cell: object) -> str:
    return cell.decode("latin-1") if isinstance(cell, bytes) else str(cell)


def files(database: str) -> str:
    """Return the bytes of a SQLite database, with the files beside it; nothing for a server."""
    if not database.startswith("sqlite:///"):
        return ""
    file = Path(database.removeprefix("sqlite:///"))
    return "".join(each.read_bytes().decode("latin-1") for each in sorted(file.parent.glob(f"{file.name}*")))


def remembered(database: str, person: Iterable[str]) -> list[str]:
    """Return what of a person is still in a table or in the database's files."""
    texts = [*cells(database), files(database)]
    return [each for each in person if any(each in text for text in texts)]
