"""Find the one account that an id means: the same operation id may be in several accounts, for different money."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from prenopay.errors import Conflict, NotFound

if TYPE_CHECKING:
    from prenopay.blocking import Accounts, Payments

__all__ = ["add_account", "find", "names"]

T = TypeVar("T")


def add_account(parser: argparse.ArgumentParser, *, what: str) -> None:
    """Add ``--account`` to a command; ``what`` says what it is for."""
    parser.add_argument("--account", metavar="ACCOUNT", help=what)


def names(accounts: Accounts, account: str | None) -> tuple[str, ...]:
    """Return the account that was asked for, else all of them; raises ``NotFound`` for one that is not there."""
    return accounts.names if account is None else (accounts[account].account,)


def find(
    accounts: Accounts, account: str | None, look: Callable[[Payments[object]], T], *, what: str
) -> tuple[Payments[object], T]:
    """Return the account that has ``what``, and what ``look`` returns there.

    Raises ``NotFound`` if no account has it, ``Conflict`` if several have it and none was named.
    """
    found: list[tuple[Payments[object], T]] = []
    for name in names(accounts, account):
        with suppress(NotFound):
            found.append((accounts[name], look(accounts[name])))
    if not found:
        where = "any account in these settings" if account is None else f"account {account!r}"
        message = f"there is no {what} in {where}"
        raise NotFound(message)
    if len(found) > 1:
        having = ", ".join(payments.account for payments, _ in found)
        message = f"several accounts have {what} ({having}): name one with --account; nothing was done"
        raise Conflict(message)
    return found[0]
