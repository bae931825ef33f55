"""A table of whole numbers that shows what a transaction left behind."""

from __future__ import annotations

from sqlalchemy import Column, Connection, Engine, ForeignKey, Integer, MetaData, Table, event, insert, select

from prenopay.books.engine import open_engine

_metadata = MetaData()
_numbers = Table("numbers", _metadata, Column("number", Integer, primary_key=True))
_children = Table(
    "children",
    _metadata,
    Column("number", Integer, primary_key=True),
    Column("parent", Integer, ForeignKey("numbers.number", deferrable=True, initially="DEFERRED")),
)


def open_numbers(url: str) -> Engine:
    """Open a database with the table."""
    engine = open_engine(url)
    _metadata.create_all(engine)
    return engine


def add(connection: Connection, number: int) -> int:
    """Write ``number`` down and return it; raises ``IntegrityError`` if the table has it already."""
    connection.execute(insert(_numbers).values(number=number))
    return number


def add_orphan(connection: Connection, number: int) -> int:
    """Write a row that the database refuses only at the commit."""
    connection.execute(insert(_children).values(number=number, parent=-1))
    return number


def numbers(engine: Engine) -> tuple[int, ...]:
    """Return the numbers in the table, smallest first."""
    with engine.execution_options(prenopay_reads=True).connect() as connection:
        return tuple(connection.scalars(select(_numbers.c.number).order_by(_numbers.c.number)))


def count_commits(engine: Engine) -> list[str]:
    """Return a list that grows by one entry at each commit."""
    commits: list[str] = []
    event.listen(engine, "commit", lambda _connection: commits.append("commit"))
    return commits
