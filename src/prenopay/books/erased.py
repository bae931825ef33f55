"""Which subjects had their person erased. What others say about those is not stored as they say it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Column, Connection, select

from prenopay.books import schema
from prenopay.values.subjects import Subject, SubjectKind

__all__ = ["is_erased"]

_WRITTEN_IN: Final[Mapping[str, tuple[Column[Any], Column[Any]]]] = {
    SubjectKind.PAYMENT: (schema.payments.c.payment_id, schema.payments.c.erased_at),
    SubjectKind.PAYOUT: (schema.payouts.c.payout_id, schema.payouts.c.erased_at),
    SubjectKind.MANDATE: (schema.mandates.c.mandate_id, schema.mandates.c.erased_at),
}


def is_erased(connection: Connection, subject: Subject) -> bool:
    """Return whether the person of ``subject`` was erased."""
    if subject.kind not in _WRITTEN_IN:  # a newer prenopay wrote it
        return False
    key, erased_at = _WRITTEN_IN[subject.kind]
    return connection.scalar(select(erased_at).where(key == subject.id)) is not None
