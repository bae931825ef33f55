"""The database tables, from the schema of the code."""

from __future__ import annotations

from sqlalchemy import Column, Table, UniqueConstraint
from sqlalchemy.dialects import postgresql

from from_code.markdown import Texts, code, table
from prenopay.books import schema

__all__ = ["tables"]


def tables(texts: Texts) -> str:
    """Return a section for each table, with its columns as PostgreSQL has them."""
    return "\n".join(_section(each, texts) for each in schema.metadata.tables.values())


def _section(each: Table, texts: Texts) -> str:
    rows = [
        (code(column.name), _type(column), "yes" if column.nullable else "", _keys(each, column))
        for column in each.columns
    ]
    return f"## {each.name}\n\n{texts[each.name]}\n\n{table(('Column', 'Type', 'Null', 'Key'), rows)}"


def _type(column: Column[object]) -> str:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves this one untyped
    return str(column.type.compile(dialect=dialect)).lower()


def _keys(each: Table, column: Column[object]) -> str:
    found = ["primary"] if column.primary_key else []
    found += [f"→ `{key.column.table.name}`" for key in column.foreign_keys]
    for constraint in each.constraints:
        if isinstance(constraint, UniqueConstraint) and column.name in constraint.columns:
            others = [other.name for other in constraint.columns if other is not column]
            found.append("unique" + (f" with {', '.join(map(code, others))}" if others else ""))
    return ", ".join(found)
