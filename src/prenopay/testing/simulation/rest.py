"""What must hold at rest, when nothing goes wrong any more: books, events and gateways tell the same story.

Each function returns sentences that say what was broken, as those in ``promises`` do.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import timedelta
from itertools import combinations
from typing import Final

from prenopay.testing.emulators.swedbankpay import TEST_CARDS
from prenopay.testing.simulation.books import Books, Depths, PaymentRow
from prenopay.testing.simulation.gateways import Move, Ordered, Sums, text_of
from prenopay.testing.simulation.process import SECRETS
from prenopay.testing.simulation.world import World
from prenopay.values.events import Event, EventKind
from prenopay.values.payments import Outcome

__all__ = ["damaged", "mistold", "overdue", "unflagged", "untold_declines", "vat_astray"]

_TOLD_WITHIN: Final = timedelta(hours=3)
"""By then a handler that works again has heard everything, and every callback was worked on."""
_SETTLED_WITHIN: Final = timedelta(days=3)
"""By then what was asked for has an outcome: the longest pause between two looks is a day."""
_ENDS: Final = {EventKind.CANCELLED: "cancelled", EventKind.DECLINED: "declined", EventKind.EXPIRED: "expired"}
_FULL: Final = 2
"""How SQLite calls ``synchronous=FULL``."""


# In time


def overdue(world: World, books: Books, *, waited: timedelta) -> Iterator[str]:
    """Yield what should have happened by now, ``waited`` after the last thing that went wrong.

    A refund takes as long as its gateway does, and what is asked of a payment that is not the one that was
    ordered waits for a person.
    """
    if waited >= _TOLD_WITHIN:
        for event_id in sorted(books.events - world.notebook.heard.keys()):
            yield f"in time: {event_id} was not told within {waited}"
        if books.waiting_callbacks:
            yield f"in time: {books.waiting_callbacks} callbacks still wait after {waited}"
    if waited >= _SETTLED_WITHIN:
        slow = {payment.payment_id for payment in books.payments if payment.quarantined}
        for row in books.operations:
            if row.is_open and row.payment_id not in slow and row.kind != "refund":
                yield f"in time: {row.kind} {row.operation_id} is still {row.outcome} after {waited}"
        for payout in books.payouts:
            if payout.outcome in {"unknown", "pending"}:
                yield f"in time: payout {payout.operation_id} is still {payout.outcome} after {waited}"


# Told as it was


def mistold(world: World, books: Books, sums: dict[str, Sums], ordered: dict[str, Ordered]) -> Iterator[str]:
    """Yield events of a payment that do not add up to what the gateway did with it."""
    told: dict[str, list[Event]] = defaultdict(list)
    for event in world.notebook.heard.values():
        told[event.payment_id].append(event)
    for row in books.payments:
        theirs = sums.get(row.name or "", Sums())
        if not row.quarantined:
            yield from _sums_mistold(row, told[row.payment_id], theirs)
            yield from _end_mistold(row, told[row.payment_id], theirs)
            yield from _paid_mistold(row, told[row.payment_id], theirs, ordered)


def untold_declines(world: World, books: Books) -> Iterator[str]:
    """Yield changes that were refused after the host was answered that they are under way, or by themselves."""
    heard = {
        text_of(event.account, event.operation_id or "")
        for event in world.notebook.heard.values()
        if event.kind is EventKind.OPERATION_DECLINED
    }
    for row in books.operations:
        text = text_of(row.account, row.operation_id)
        is_own = text not in world.notebook.wishes and row.kind == "capture"
        was_open = world.notebook.said.get(text) in {Outcome.PENDING, Outcome.UNKNOWN}
        if row.outcome == "declined" and row.kind != "charge" and (is_own or was_open) and text not in heard:
            yield f"told as it was: {row.kind} {row.operation_id} was declined, and nobody was told"


def _sums_mistold(row: PaymentRow, told: list[Event], theirs: Sums) -> Iterator[str]:
    for kind, happened in (
        (EventKind.AUTHORIZED, theirs.authorized),
        (EventKind.CAPTURED, theirs.captured),
        (EventKind.REFUNDED, theirs.refunded),
    ):
        said = sum(event.amount.minor for event in told if event.kind is kind and event.amount)
        if said != happened:
            yield f"told as it was: events say {said} {kind} of {row.payment_id}, the gateway {happened}"


def _end_mistold(row: PaymentRow, told: list[Event], theirs: Sums) -> Iterator[str]:
    ends = [_ENDS[event.kind] for event in told if event.kind in _ENDS]
    if row.state in _ENDS.values() and (ends[-1:] != [row.state] or (len(ends) > 1 and not theirs.authorized)):
        yield f"told as it was: {row.payment_id} is {row.state}, its ends were told as {ends}"


def _paid_mistold(row: PaymentRow, told: list[Event], theirs: Sums, ordered: dict[str, Ordered]) -> Iterator[str]:
    order = ordered.get(row.name or "")
    if not told or order is None:
        return
    # What was reserved is what was due: a fee or a discount on the gateway's page is in it already.
    is_paid = theirs.captured >= (theirs.authorized or order.amount)
    if told[-1].is_paid != is_paid:
        yield (
            f"told as it was: {told[-1].event_id} says is_paid={told[-1].is_paid}, the gateway took "
            f"{theirs.captured} of {theirs.authorized or order.amount}"
        )


# Adds up


def vat_astray(world: World, moves: list[Move], sums: dict[str, Sums], ordered: dict[str, Ordered]) -> Iterator[str]:
    """Yield payments whose parts do not have their share of the VAT, to half an öre: so whole ones have all of it."""
    vats: dict[tuple[str, str], int] = defaultdict(int)
    for move in moves:
        if move.vat is not None and move.what in {"capture", "refund"}:
            vats[move.payment, move.what] += move.vat
    unlike = world.notebook.by_hand | world.notebook.tampered | world.gateways.failed_back()
    for (name, what), vat in vats.items():
        order, whole = ordered[name], sums[name]
        done = whole.captured if what == "capture" else whole.refunded
        # With a fee the payer pays more than was ordered, and it has no VAT of its own.
        is_plain = whole.authorized <= order.amount or done == whole.authorized
        right = (order.vat or 0) * min(done, order.amount)
        if name not in unlike and is_plain and 2 * abs(vat * order.amount - right) > order.amount:
            yield f"adds up: {what} of {done} of {name} has {vat} of VAT, the order of {order.amount} has {order.vat}"


# Flagged


def unflagged(world: World, books: Books, sums: dict[str, Sums], ordered: dict[str, Ordered]) -> Iterator[str]:
    """Yield oddities that no person is told of."""

    def lacks(row: PaymentRow, flag: str) -> bool:
        return (row.payment_id, flag) not in books.flags

    for row in books.payments:
        is_other = (
            row.name in world.notebook.tampered and row.name in ordered and ordered[row.name].amount != row.amount
        )
        if is_other and lacks(row, "mismatch"):
            yield f"callbacks are hints: {row.payment_id} is another order at the gateway, and nobody is told"
        if row.payment_id in world.notebook.foreign and lacks(row, "foreign_callback"):
            yield f"callbacks are hints: a callback to {row.payment_id} named another payment, and nobody is told"
        theirs = sums.get(row.name or "", Sums())
        if _was_late(world, row) and theirs.authorized > theirs.cancelled and lacks(row, "late"):
            yield f"never lost: {row.payment_id} was paid after its end, and nobody is told"
    for one, other in combinations([row for row in books.payments if not row.quarantined], 2):
        both = [sums.get(each.name or "", Sums()) for each in (one, other)]
        keep_money = all(each.authorized - each.cancelled - each.refunded > 0 for each in both)
        is_same = (one.account, one.order_reference) == (other.account, other.order_reference)
        if is_same and keep_money and lacks(one, "paid_twice") and lacks(other, "paid_twice"):
            yield f"never lost: {one.payment_id} and {other.payment_id} pay the same order, and nobody is told"


def _was_late(world: World, row: PaymentRow) -> bool:
    """Whether the first money came after an end that the host was told of."""
    told = [event.kind for event in world.notebook.heard.values() if event.payment_id == row.payment_id]
    return EventKind.AUTHORIZED in told and not _ENDS.keys().isdisjoint(told[: told.index(EventKind.AUTHORIZED)])


# Kept well


def damaged(world: World, books: Books, depths: Depths) -> Iterator[str]:
    """Yield what is wrong with how the books are kept."""
    for payment_id in depths.disagreeing:
        yield f"books: the totals of {payment_id} are not the sums of its movements"
    if world.on_disk and (depths.journal_mode, depths.synchronous) != ("wal", _FULL):
        yield f"books: a power cut may lose what was answered ({depths.journal_mode}, {depths.synchronous})"
    hidden = {*SECRETS, *world.gateways.tokens(), *(card.number for card in TEST_CARDS)}
    for secret in sorted(hidden):
        if secret.encode() in depths.contents:
            yield f"nothing secret out: {secret[:3]}… stands in the database as it is"
    for mandate in books.mandates:
        if mandate.state in {"deleted", "replaced"} and mandate.mandate_id in depths.tokens:
            yield f"never charged again: mandate {mandate.mandate_id} is {mandate.state}, and its token is kept"
    yield from _live_at_the_gateway(world, books)


def _live_at_the_gateway(world: World, books: Books) -> Iterator[str]:
    names = {row.payment_id: row.name or "" for row in books.payments}
    wanted = Counter(names.get(each.payment_id or "", "") for each in books.mandates if each.state != "deleted")
    for mandate in books.mandates:
        name = names.get(mandate.payment_id or "", "")
        if mandate.state == "deleted" and name and world.gateways.live_tokens()[name] > wanted[name]:
            yield f"never charged again: mandate {mandate.mandate_id} was removed, and is live at the gateway"
