"""What is odd about callbacks: one names another payment, or cannot be read. A person is notified by a flag.

An order whose answer was lost may be made again under another reference. The first order is abandoned: nobody has its
page, and nobody here has its name. The gateway may still call about it by that name, which is no reason for a flag. So
what such a name stands for is read once.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from sqlalchemy import Connection

from prenopay._redaction import scrub
from prenopay._text import quoted
from prenopay.account import Account, News
from prenopay.books import operations
from prenopay.books.inbox import Callback
from prenopay.books.operations import StoredOperation
from prenopay.errors import ProviderError, ProviderUnavailable, RateLimited
from prenopay.payments import observing
from prenopay.payments.rows import StoredPayment
from prenopay.values.payments import FlagKind, OperationKind

__all__ = ["abandoned_references", "flag_oddities", "names_of_abandoned", "our_names"]

_MAKE_PAYMENTS: Final = frozenset({OperationKind.CREATE, OperationKind.CHARGE})
_READ_MOST: Final = 5
"""How many unknown names are read at one look. A payment is seldom made under more than two references."""


def our_names(stored: StoredPayment, made: Sequence[StoredOperation]) -> frozenset[str]:
    """Return what the gateway may call a payment: its own name for it, and our references."""
    references = (each.operation.reference for each in made if each.operation.kind in _MAKE_PAYMENTS)
    return frozenset({stored.payment.provider_reference or "", *references}) - {""}


def abandoned_references(made: Sequence[StoredOperation]) -> frozenset[str]:
    """Return the references under which a payment was asked for before it got its present one."""
    makes = (each for each in made if each.operation.kind in _MAKE_PAYMENTS)
    return frozenset(reference for each in makes for reference in operations.references(each)[:-1])


async def names_of_abandoned(
    account: Account, names: frozenset[str], abandoned: frozenset[str], callbacks: Sequence[Callback]
) -> frozenset[str]:
    """Return what callbacks call a payment's abandoned orders, where it is neither of its ``names``.

    Raises the gateway's error if an order cannot be read now.
    """
    called = {name for callback in callbacks for name in callback.names}
    found = called & abandoned
    if not abandoned:
        return frozenset()
    for name in sorted(called - names - found)[:_READ_MOST]:
        try:
            observed = await account.gateway.observe(account.send(), name)
        except (RateLimited, ProviderUnavailable):
            raise
        except ProviderError:  # the gateway does not have it, or it is no name at all
            continue
        if observed.reference in abandoned and not observed.authorized:
            found |= {name}
    return frozenset(found)


def flag_oddities(
    connection: Connection,
    account: Account,
    stored: StoredPayment,
    names: Collection[str],
    callbacks: Sequence[Callback],
) -> News:
    """Mark a payment whose callback names none of its ``names``, or cannot be read."""
    news: News = ()
    for callback in callbacks:
        foreign = [name for name in callback.names if name not in names]
        if callback.note:
            news += observing.flag(connection, account, stored, FlagKind.MALFORMED_CALLBACK, callback.note)
        if foreign:
            named = f"a callback names {quoted(scrub(foreign[0]))}"
            detail = f"{named}, this payment is {stored.payment.provider_reference}"
            if stored.payment.provider_reference is None:
                detail = f"{named}, and this payment has no answer yet: if that is it, settle it by hand with this name"
            news += observing.flag(connection, account, stored, FlagKind.FOREIGN_CALLBACK, detail)
    return news
