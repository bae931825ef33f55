"""Locks on what no single row stands for: an order, a card, the tokens of an account. And the one order of all locks.

A transaction takes its locks in this order, each kind once, and rows of one kind by id:

1. the payment (or the payout) that it is about;
2. the order of that payment, by name;
3. the mandates of one payer, all of them;
4. the card of a mandate, by name; the tokens of the account, by name.

Everything else belongs to one of these: operations, movements, flags and events to their payment, changes, tokens and
events to their mandate. It is written only while that lock is taken. A sweep's claims skip rows that are locked, and
wait for nothing.
"""

from __future__ import annotations

import hashlib

from sqlalchemy import Connection, func, select

from prenopay.books.postgresql import waits_for

__all__ = ["hold"]


def hold(connection: Connection, *name: str) -> None:
    """Take the lock ``name`` until the transaction ends, and wait while another transaction has it.

    SQLite has one writer at a time, so there is nothing to do. What is read after this call is what the other
    transaction has left.
    """
    if connection.dialect.name != "postgresql":
        return
    digest = hashlib.sha256("\n".join(("prenopay", *name)).encode()).digest()
    number = int.from_bytes(digest[:8], signed=True)
    connection.execute(select(func.pg_advisory_xact_lock(number)), execution_options=waits_for(f"the {name[0]}"))
