"""The promises, compared with what the host asked, what the gateways did, and what the books say.

Cheap ones after every step; all of them at the end of a life, when everything has had time to settle.
Each returns sentences that say what was broken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from prenopay.testing.gateway import Behaviours, Move, Totals
from prenopay.testing.simulation.books import Books, OperationRow, read_depths
from prenopay.testing.simulation.gateways import text_of
from prenopay.testing.simulation.misuse import MISUSED
from prenopay.testing.simulation.notebook import Wish
from prenopay.testing.simulation.people import PEOPLE, STRANGER
from prenopay.testing.simulation.rest import at_rest, damaged
from prenopay.testing.simulation.world import SECRETS, World

__all__ = ["after_step", "at_the_end"]

_WHAT: Final = {"create": "authorize", "charge": "authorize", "payout": "pay out"}
_MUST_HAVE_MOVED: Final = {"capture", "refund", "charge", "payout"}
_ENDED: Final = {"cancelled", "expired"}
_NOTHING_HAPPENED: Final = {"not_attempted", "declined"}
_NOTHING: Final = Totals()


def after_step(world: World, books: Books) -> list[str]:
    """Return what was broken by now."""
    being_closed = {row.subject_id for row in books.operations if row.kind == "cancel" and row.outcome == "unknown"}
    open_for_now = being_closed | world.notebook.ended_unnamed
    return _checked(world, books, world.gateways.moves(), world.gateways.totals(), open_for_now=open_for_now)


def at_the_end(world: World, books: Books) -> list[str]:
    """Return what is broken once nothing goes wrong any more and time has passed."""
    moves, totals = world.gateways.moves(), world.gateways.totals()
    return [
        *_checked(world, books, moves, totals),
        *_lost(books, totals, world.notebook.by_hand),
        *_unsettled(books),
        *at_rest(world, books, moves, totals),
        *_secrets_out(world),
        *damaged(world, books, read_depths(world.engine, world.clock.now())),
    ]


def _checked(
    world: World,
    books: Books,
    moves: list[Move],
    totals: Mapping[str, Totals],
    *,
    open_for_now: set[str] | None = None,
) -> list[str]:
    """Check; ``open_for_now`` are ended payments whose pages may be open for a while.

    Either the page was found after the end, or the gateway has not answered yet that it closed the page.
    """
    return [
        *world.notebook.broken,
        *_misused(books),
        *_twice(world, moves),
        *_other_amounts(world, moves),
        *_still_payable(world, books, totals, open_for_now),
        *_set_aside(world, books),
        *_dishonest(world, books, moves),
        *_ahead_of_the_gateway(books, totals),
        *_answered_without_a_look(world, books),
        *_untrue_events(world, books, totals),
    ]


# Never twice


def _twice(world: World, moves: list[Move]) -> Iterator[str]:
    references, by_hand = world.notebook.references, world.notebook.by_hand
    under = Counter((move.what, move.reference) for move in moves)
    for (what, text), used in references.items():
        times = sum(under[what, reference] for reference in used)
        if times > 1:
            yield f"never twice: {what} of {text} happened {times} times at the gateway"
    asked = {(what, reference) for (what, _), used in references.items() for reference in used}
    for move in moves:
        if (move.what, move.reference) not in asked and (move.what == "authorize" or move.payment not in by_hand):
            yield f"never twice: nobody asked for {move.what} of {move.amount} under {move.reference}"
    periods = Counter(
        (wish.account, wish.payer, wish.period)
        for wish in world.notebook.wishes.values()
        if wish.period and any(under["authorize", each] for each in references.get(("authorize", wish.text), ()))
    )
    for (account, payer, period), times in periods.items():
        if times > 1:
            yield f"never twice: period {period} of {payer} was charged {times} times in {account}"


def _misused(books: Books) -> Iterator[str]:
    """What had to be refused leaves no operation."""
    for row in books.operations:
        if row.operation_id.startswith(MISUSED):
            yield f"never twice: {row.kind} {row.operation_id} had to be refused, and was begun"


def _other_amounts(world: World, moves: list[Move]) -> Iterator[str]:
    """What the gateway did for the host is of the amount that the host asked for."""
    under = {(move.what, move.reference): move for move in moves}
    for wish in world.notebook.wishes.values():
        for reference in world.notebook.references.get((wish.what, wish.text), ()):
            move = under.get((wish.what, reference))
            if move is not None and wish.amount is not None and move.amount not in _right_amounts(world, wish, move):
                yield f"never twice: {wish.text} asked for {wish.amount}, the gateway did {move.amount}"


def _right_amounts(world: World, wish: Wish, move: Move) -> set[int | None]:
    """An order may be changed before it is paid, and the gateway's page may add a fee or take off a discount."""
    page = world.gateways.places[wish.account].gateway
    if wish.what != "authorize" or move.is_charge:
        return {wish.amount}
    if move.payment in world.notebook.tampered:
        return {move.amount}
    payment_id = world.notebook.names.get(move.payment)
    updates = (each for each in world.notebook.wishes.values() if each.what == "update")
    asked = {wish.amount, *(each.amount for each in updates if each.payment_id == payment_id)}
    more = page.fee - page.discount if isinstance(page, Behaviours) else 0
    return {amount + more for amount in asked if amount is not None}


def _still_payable(
    world: World, books: Books, totals: Mapping[str, Totals], open_for_now: set[str] | None
) -> Iterator[str]:
    """What was cancelled, ended or replaced can be paid by nobody; what was cancelled keeps nothing reserved."""
    ended = [row for row in books.payments if row.state in _ENDED and row.payment_id not in (open_for_now or ())]
    cancelled = [row for row in books.operations if row.kind == "cancel" and row.outcome == "succeeded"]
    replacing = [wish for wish in world.notebook.wishes.values() if wish.replaces and wish.answered]
    if not cancelled and not replacing and not ended:
        return
    payable, names = world.gateways.payable(), {row.payment_id: row.name or "" for row in books.payments}
    for row in cancelled:
        if names[row.subject_id] in payable or totals.get(names[row.subject_id], _NOTHING).kept:
            yield f"never lost: {row.operation_id} is succeeded, and {row.subject_id} can still be paid or taken"
    for payment in ended:
        if payment.name in payable:
            yield f"never lost: {payment.payment_id} is {payment.state}, and can still be paid"
    for wish in replacing:
        if names[wish.replaces] in payable:
            yield f"never twice: {wish.operation_id} replaces {wish.replaces}, which can still be paid"


def _set_aside(world: World, books: Books) -> Iterator[str]:
    """Only a payment that is another one at the gateway waits for a person."""
    for row in books.payments:
        if row.quarantined and row.name not in world.notebook.tampered:
            yield f"never lost: {row.payment_id} was set aside, though nobody changed it at the gateway"


# Never lost


def _dishonest(world: World, books: Books, moves: list[Move]) -> Iterator[str]:
    """An outcome that says something the gateway's books deny."""
    under = Counter((move.what, move.reference) for move in moves)
    creators = {row.subject_id: text_of(row.account, row.operation_id) for row in books.operations if row.kind in _WHAT}
    # What prenopay does of itself (end a page, take a reservation) has the order's text on the wire: of two
    # such operations of one payment, the one that says "done" accounts for what the gateway did.
    done = {(row.subject_id, row.kind) for row in books.operations if row.outcome not in _NOTHING_HAPPENED}

    def times(what: str, text: str) -> int:
        return sum(under[what, reference] for reference in world.notebook.references.get((what, text), ()))

    for row in books.operations:
        what, text = _WHAT.get(row.kind, row.kind), text_of(row.account, row.operation_id)
        if text in world.notebook.wishes:
            yield from _contradictions(row, times(what, text))
        elif row.outcome not in _NOTHING_HAPPENED or (row.subject_id, row.kind) not in done:
            yield from _contradictions(row, times(what, creators.get(row.subject_id, "")))


def _contradictions(row: OperationRow, times: int) -> Iterator[str]:
    if row.outcome in _NOTHING_HAPPENED and times:
        yield f"never lost: {row.kind} {row.operation_id} is {row.outcome}, but the gateway did it"
    if row.outcome == "succeeded" and row.kind in _MUST_HAVE_MOVED and not times:
        yield f"never lost: {row.kind} {row.operation_id} is succeeded, but the gateway did nothing"


def _ahead_of_the_gateway(books: Books, totals: Mapping[str, Totals]) -> Iterator[str]:
    """The books may lag behind the gateway, and never run ahead of it."""
    for row in books.payments:
        theirs = totals.get(row.name or "", _NOTHING)
        if not _has_all(theirs, row.totals):
            yield f"callbacks are hints: the books have {row.totals} of {row.payment_id}, the gateway {theirs}"


def _answered_without_a_look(world: World, books: Books) -> Iterator[str]:
    """What a callback said to have changed is in the books as soon as no callback of the payment waits."""
    if world.hides_status:
        return  # what it comes to cannot be read now
    waiting = {subject for _account, subject in books.waiting}
    of_accounts = {account for account, subject in books.waiting if not subject}
    for row in books.payments:
        owed = world.notebook.owed.get(row.name or "")
        if owed is None or row.quarantined or row.payment_id in waiting or row.account in of_accounts:
            continue
        if not _has_all(row.totals, owed):
            yield f"never lost: a callback of {row.payment_id} was answered, the books have {row.totals}, it had {owed}"


def _has_all(has: Totals, least: Totals) -> bool:
    return (
        has.authorized >= least.authorized
        and has.captured >= least.captured
        and has.refunded >= least.refunded
        and has.cancelled >= least.cancelled
    )


def _lost(books: Books, totals: Mapping[str, Totals], by_hand: set[str]) -> Iterator[str]:
    """Every payment that the gateway took is in the books, with the gateway's totals."""
    ours = {row.name: row for row in books.payments if row.name is not None}
    for name, theirs in totals.items():
        row = ours.get(name)
        if row is None and theirs.authorized:
            yield f"never lost: the gateway took {theirs} for {name}, which is not in the books"
        elif row is not None and not row.quarantined and row.totals != theirs:
            yield f"never lost: the books have {row.totals} of {row.payment_id} ({row.state}), the gateway {theirs}"
        elif row is None or row.quarantined or name in by_hand:
            continue
        elif row.capture_mode == "automatic" and theirs.kept:
            yield f"never lost: {theirs.kept} of {row.payment_id} ({row.state}) was to be taken at once, and was not"


def _unsettled(books: Books) -> Iterator[str]:
    # A payment that is not the one that was ordered waits for a person, and so does what was asked of it.
    waits = {payment.payment_id for payment in books.payments if payment.quarantined}
    for row in books.operations:
        if row.is_open and row.subject_id not in waits:
            yield f"never lost: operation {row.operation_id} is still {row.outcome}"
    # A charge that certainly never happened leaves its payment as it was: the host may ask for it again.
    never = {row.subject_id for row in books.operations if row.kind == "charge" and row.outcome == "not_attempted"}
    for payment in books.payments:
        if payment.is_open and payment.payment_id not in never | waits:
            yield f"never lost: payment {payment.payment_id} is still {payment.state}"
    for account, subject in sorted(books.waiting):
        yield f"never lost: callbacks of {subject or account} still wait"


# Told as it is


def _untrue_events(world: World, books: Books, totals: Mapping[str, Totals]) -> Iterator[str]:
    names = {payment_id: name for name, payment_id in world.notebook.names.items()}
    least = world.notebook.least_asked()
    for event_id, event in world.notebook.heard.items():
        if event_id not in books.events:
            yield f"told when durable: {event_id} ({event.kind}) was delivered and is not in the books"
        if event.captured is None or event.refunded is None:
            continue
        theirs = totals.get(names.get(event.payment_id or "", ""), _NOTHING)
        if event.captured.minor > theirs.captured or event.refunded.minor > theirs.refunded:
            yield f"callbacks are hints: {event_id} says {event.captured}, {event.refunded}; the gateway: {theirs}"
        page = world.gateways.places[event.account].gateway
        discount = page.discount if isinstance(page, Behaviours) else 0
        asked = least.get((event.account, event.order_reference), 0) - discount
        if event.is_paid and theirs.captured < asked:
            yield f"callbacks are hints: {event_id} says paid with {theirs.captured} of {asked}"


# Nothing secret out


def _secrets_out(world: World) -> Iterator[str]:
    """Yield what a log, an error, a repr or an event showed and must not."""
    hidden = {*SECRETS, *world.gateways.unloggable()}
    hidden |= {secret for person in (*PEOPLE, STRANGER) for secret in person.secrets}
    lines = [*world.listener.lines, *world.notebook.shown]
    everything = "\n".join(lines)
    for secret in sorted(hidden):
        if secret in everything:
            where = next(line for line in lines if secret in line)
            yield f"nothing secret out: {secret[:3]}… in {where.replace(secret, '<here>')[:200]}"
