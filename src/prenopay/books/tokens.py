"""Sealed tokens in the books: the secret inside a mandate, kept apart from it and removed with it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from prenopay.books import schema

__all__ = [
    "holder",
    "is_known",
    "keep",
    "keep_sealed",
    "postpone_removal",
    "removed",
    "sealed_tokens",
    "to_remove",
    "token_of",
]


def holder(connection: Connection, account: str, fingerprint: str) -> str | None:
    """Return the mandate that holds a token, if it is in the books."""
    table = schema.tokens
    query = select(table.c.mandate_id).where(table.c.account == account, table.c.fingerprint == fingerprint)
    return connection.execute(query).scalar_one_or_none()


def is_known(connection: Connection, account: str, fingerprint: str) -> bool:
    """Whether a token is in the books already."""
    return holder(connection, account, fingerprint) is not None


def to_remove(connection: Connection, account: str, now: datetime, *, limit: int) -> tuple[str, ...]:
    """Return the ids of mandates whose tokens are due to be removed at the gateway."""
    table = schema.tokens
    query = (
        select(table.c.mandate_id)
        .where(table.c.account == account, table.c.remove_at <= now)
        .order_by(table.c.remove_at)
        .limit(limit)
    )
    return tuple(connection.scalars(query))


def removed(connection: Connection, mandate_id: str) -> None:
    """Forget a token that the gateway has no more."""
    connection.execute(delete(schema.tokens).where(schema.tokens.c.mandate_id == mandate_id))


def postpone_removal(connection: Connection, mandate_id: str, at: datetime) -> None:
    """Say when a token is to be removed at the gateway, or that is tried again."""
    table = schema.tokens
    connection.execute(update(table).where(table.c.mandate_id == mandate_id).values(remove_at=at))


def token_of(connection: Connection, mandate_id: str) -> bytes | None:
    """Return the sealed token, or ``None`` once it is removed."""
    table = schema.tokens
    sealed = connection.execute(select(table.c.sealed).where(table.c.mandate_id == mandate_id)).scalar_one_or_none()
    return None if sealed is None else bytes(sealed)


def sealed_tokens(connection: Connection, account: str) -> tuple[tuple[str, bytes], ...]:
    """Return every sealed token of an account, by mandate."""
    table = schema.tokens
    rows = connection.execute(select(table.c.mandate_id, table.c.sealed).where(table.c.account == account))
    return tuple((row.mandate_id, bytes(row.sealed)) for row in rows)


def keep_sealed(connection: Connection, mandate_id: str, sealed: bytes) -> None:
    """Store a token under another key."""
    table = schema.tokens
    connection.execute(update(table).where(table.c.mandate_id == mandate_id).values(sealed=sealed))


def keep(connection: Connection, mandate_id: str, account: str, fingerprint: str, sealed: bytes) -> None:
    """Store a mandate's sealed token."""
    connection.execute(
        insert(schema.tokens).values(mandate_id=mandate_id, account=account, fingerprint=fingerprint, sealed=sealed),
    )
