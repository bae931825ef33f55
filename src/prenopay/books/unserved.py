"""Accounts that are in the books and in no settings: renamed, or left out. Nobody looks at what is open there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Table, func, select

from prenopay._arguments import checked_fields
from prenopay.books import due, schema
from prenopay.books.text import number_of
from prenopay.values.money import Money

__all__ = ["Unserved", "find"]


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class Unserved:
    """An account in the books that this process does not serve, and what is open there.

    ``amounts`` is what the open payments ask for, VAT included, one for each currency. ``waiting`` counts everything
    that a sweep would do now or later. ``since`` is when the first of it was due, or will be.
    """

    account: str
    payments: int
    amounts: tuple[Money, ...]
    waiting: int
    since: datetime

    def __str__(self) -> str:
        """Say what is open."""
        sums = f" ({', '.join(map(str, self.amounts))})" if self.amounts else ""
        payments, things = number_of(self.payments, "open payment"), number_of(self.waiting, "thing")
        return (
            f"account {self.account!r} is in the books and in no settings here: {payments}{sums}, {things} to do, "
            f"the first due since {self.since:%Y-%m-%d %H:%M} UTC"
        )


def find(
    connection: Connection, served: Sequence[str], *, overdue_since: datetime | None = None
) -> tuple[Unserved, ...]:
    """Return the accounts that are not ``served`` and have something open.

    ``overdue_since``: only those whose first work was due before that, so that no other process serves them either.
    """
    names = {*_names(connection, schema.operations), *_names(connection, schema.mandates)} - {*served}
    found: list[Unserved] = []
    for name in sorted(names):
        since = _first_due(connection, name)
        if since is not None and (overdue_since is None or since < overdue_since):
            found.append(_what_is_open(connection, name, since))
    return tuple(found)


def _names(connection: Connection, table: Table) -> Iterable[str]:
    """Yield every account in a table. Each step reads one entry of an index that begins with the account."""
    names = select(func.min(table.c.account).label("account")).cte("names", recursive=True)
    following = select(func.min(table.c.account)).where(table.c.account > names.c.account).scalar_subquery()
    names = names.union_all(select(following).where(names.c.account.is_not(None)))
    return connection.scalars(select(names.c.account).where(names.c.account.is_not(None)))


def _first_due(connection: Connection, account: str) -> datetime | None:
    first = (
        connection.scalar(select(func.min(table.c.next_at)).where(table.c.account == account))
        for table, _key in due.TABLES.values()
    )
    return min((each for each in first if each is not None), default=None)


def _what_is_open(connection: Connection, account: str, since: datetime) -> Unserved:
    table = schema.payments
    sums = connection.execute(
        select(table.c.currency, func.count(), func.sum(table.c.amount))
        .where(table.c.account == account, table.c.next_at.is_not(None))
        .group_by(table.c.currency)
        .order_by(table.c.currency)
    ).all()
    waiting = sum(
        connection.scalar(
            select(func.count()).select_from(each).where(each.c.account == account, each.c.next_at.is_not(None))
        )
        or 0
        for each, _key in due.TABLES.values()
    )
    return Unserved(
        account=account,
        payments=sum(count for _currency, count, _amount in sums),
        amounts=tuple(Money(int(amount), currency) for currency, _count, amount in sums),
        waiting=waiting,
        since=since,
    )
