"""When a payment is looked at next, if nothing else leads to a look before.

The provider knows how long a payer may take. The rest is the same for every gateway: money that is reserved is taken
or reported in time, and money that was taken may be given back in the gateway's portal, where a lost callback would
hide it for good.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from prenopay.account import Account
from prenopay.books import due
from prenopay.payments.movements import Totals
from prenopay.payments.rows import StoredPayment
from prenopay.provider.verbs import RefundsApart
from prenopay.values.orders import CaptureMode
from prenopay.values.payments import PaymentState

__all__ = ["Facts", "left_since", "next_look", "unread"]

_DAY: Final = timedelta(days=1)
_AGES: Final = tuple(days * _DAY for days in (1, 8, *range(30, 400, 35), 400))
"""The ages at which a payment that holds money is looked at. Thirteen months later the gateways refund no more."""
_CAPTURE_AGAIN_AFTER: Final = timedelta(minutes=5)
"""When an automatic capture that did not happen is tried again: later, the longer the money is reserved."""
_CAPTURE_RARER: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the gateway said a moment ago about a payment's ``state`` and ``totals``.

    ``reserved_since`` is set while money is reserved. ``capture_declined``: a capture was refused for good.
    """

    state: PaymentState
    totals: Totals
    reserved_since: datetime | None
    capture_declined: bool


def unread(stored: StoredPayment, state: PaymentState) -> Facts:
    """Return the facts about a payment whose reading is not written down, because it does not match the order."""
    payment = stored.payment
    totals = Totals(payment.authorized, payment.captured, payment.refunded, payment.cancelled)
    return Facts(state=state, totals=totals, reserved_since=None, capture_declined=True)


def next_look(account: Account, stored: StoredPayment, facts: Facts, now: datetime) -> datetime | None:
    """Return when to look at the payment next; ``None`` if there is nothing more to see."""
    payment = stored.payment
    age = now - payment.created_at
    wait = account.gateway.next_check(facts.state, age)
    since = facts.reserved_since
    is_taken_at_a_look = facts.state is PaymentState.AUTHORIZED and stored.capture_mode is CaptureMode.AUTOMATIC
    if since is not None and is_taken_at_a_look and not facts.capture_declined:
        wait = max(_CAPTURE_AGAIN_AFTER, (now - since) / _CAPTURE_RARER)
    if wait is None and (since is not None or _may_change_elsewhere(account, facts.totals)):
        wait = next((each - age for each in _AGES if each > age), None)
    if wait is None:
        return None
    ends = [payment.expires_at] if payment.expires_at is not None else []
    if since is not None:
        ends.append(since + account.gateway.limits.capture_within)
    return min([now + min(wait, due.LOOK_MOST), *(each for each in ends if each > now)])


def left_since(account: Account, facts: Facts, now: datetime) -> datetime | None:
    """Return since when money has been reserved, if that is longer than it should be."""
    since = facts.reserved_since
    return since if since is not None and now - since >= account.gateway.limits.capture_within else None


def _may_change_elsewhere(account: Account, totals: Totals) -> bool:
    """Whether a look could show a refund that prenopay did not ask for."""
    return totals.captured > totals.refunded and not account.can(RefundsApart)
