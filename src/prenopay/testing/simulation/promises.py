"""The promises, held against what the host asked, what the gateways did, and what the books say.

Cheap ones after every step; all of them at the end of a life, when everything has had time to settle.
Each returns sentences that say what was broken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prenopay.testing.emulators.swedbankpay import TEST_CARDS
from prenopay.testing.simulation.books import Books, OperationRow, read_depths
from prenopay.testing.simulation.gateways import CARD_ACCOUNTS, SWISH, Move, Sums, text_of
from prenopay.testing.simulation.moment import MISUSED, PEOPLE, STRANGER
from prenopay.testing.simulation.notebook import Wish
from prenopay.testing.simulation.process import SECRETS
from prenopay.testing.simulation.rest import damaged, mistold, unflagged, untold_declines, vat_astray
from prenopay.testing.simulation.world import World

__all__ = ["after_step", "at_the_end", "secrets_out"]

_WHAT: dict[str, str] = {"create": "authorize", "charge": "authorize"}
_ENDED = {"cancelled", "expired"}
_NOTHING_HAPPENED = {"not_attempted", "declined"}


def after_step(world: World, books: Books) -> list[str]:
    """Return what was broken by now."""
    found_late = world.notebook.ended_unnamed
    return _checked(world, books, world.gateways.moves(), world.gateways.sums(), found_late=found_late)


def _checked(
    world: World, books: Books, moves: list[Move], sums: dict[str, Sums], *, found_late: set[str] | None = None
) -> list[str]:
    """Check; ``found_late`` are payments whose pages may have been found after their end, and be open for a while."""
    return [
        *world.notebook.broken,
        *_misused(books),
        *_twice(world, moves),
        *_other_amounts(world, moves),
        *_still_payable(world, books, sums, found_late),
        *_set_aside(world, books),
        *_dishonest(world, books, moves),
        *_ahead_of_the_gateway(books, sums),
        *_told_untruths(world, books, sums),
    ]


def at_the_end(world: World, books: Books) -> list[str]:
    """Return what is broken once nothing goes wrong any more and time has passed."""
    moves, sums, ordered = world.gateways.moves(), world.gateways.sums(), world.gateways.ordered()
    return [
        *_checked(world, books, moves, sums),
        *_lost(books, sums, world.notebook.by_hand),
        *_unsettled(books),
        *_untold(world, books),
        *mistold(world, books, sums, ordered),
        *untold_declines(world, books),
        *vat_astray(world, moves, sums, ordered),
        *unflagged(world, books, sums, ordered),
        *secrets_out(world),
        *damaged(world, books, read_depths(world.engine)),
    ]


# Never twice


def _twice(world: World, moves: list[Move]) -> Iterator[str]:
    references = world.notebook.references
    under = Counter((move.what, move.reference) for move in moves)
    for (what, text), used in references.items():
        times = sum(under[what, reference] for reference in used)
        if times > 1:
            yield f"never twice: {what} of {text} happened {times} times at the gateway"
    asked = {(what, reference) for (what, _), used in references.items() for reference in used}
    for move in moves:
        if (move.what, move.reference) not in asked and not move.reference.startswith("HAND"):
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
    if wish.what != "authorize" or wish.account not in CARD_ACCOUNTS or move.is_charge:
        return {wish.amount}
    if move.payment in world.notebook.tampered:
        return {move.amount}
    payment_id, page = world.notebook.names.get(move.payment), world.cards.behaviour
    updates = (each for each in world.notebook.wishes.values() if each.what == "update")
    asked = {wish.amount, *(each.amount for each in updates if each.payment_id == payment_id)}
    return {amount + page.fee_amount - page.discount_amount for amount in asked if amount is not None}


def _still_payable(world: World, books: Books, sums: dict[str, Sums], found_late: set[str] | None) -> Iterator[str]:
    """What was cancelled, ended or replaced can be paid by nobody; what was cancelled keeps nothing reserved."""
    ended = [row for row in books.payments if row.state in _ENDED and row.payment_id not in (found_late or ())]
    cancelled = [row for row in books.operations if row.kind == "cancel" and row.outcome == "succeeded"]
    replacing = [wish for wish in world.notebook.wishes.values() if wish.replaces and wish.answered]
    if not cancelled and not replacing and not ended:
        return
    payable, names = world.gateways.payable(), {row.payment_id: row.name or "" for row in books.payments}
    for row in cancelled:
        if names[row.payment_id] in payable or sums.get(names[row.payment_id], Sums()).kept:
            yield f"never lost: {row.operation_id} is succeeded, and {row.payment_id} can still be paid or taken"
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
    creators = {row.payment_id: text_of(row.account, row.operation_id) for row in books.operations if row.kind in _WHAT}
    # What prenopay does of itself (end a page, take a reservation) bears the order's text on the wire: of two
    # such operations of one payment, the one that says "done" accounts for what the gateway did.
    done = {(row.payment_id, row.kind) for row in books.operations if row.outcome not in _NOTHING_HAPPENED}

    def times(what: str, text: str) -> int:
        return sum(under[what, reference] for reference in world.notebook.references.get((what, text), ()))

    for row in books.operations:
        what, text = _WHAT.get(row.kind, row.kind), text_of(row.account, row.operation_id)
        if text in world.notebook.wishes:
            yield from _contradictions(row, times(what, text))
        elif row.outcome not in _NOTHING_HAPPENED or (row.payment_id, row.kind) not in done:
            yield from _contradictions(row, times(what, creators.get(row.payment_id, "")))
    for payout in books.payouts:
        paid = times("pay out", text_of(SWISH, payout.operation_id))
        if (payout.outcome == "succeeded" and not paid) or (payout.outcome in _NOTHING_HAPPENED and paid):
            yield f"never lost: payout {payout.operation_id} is {payout.outcome}, the gateway paid {paid} times"


def _contradictions(row: OperationRow, times: int) -> Iterator[str]:
    if row.outcome in _NOTHING_HAPPENED and times:
        yield f"never lost: {row.kind} {row.operation_id} is {row.outcome}, but the gateway did it"
    if row.outcome == "succeeded" and row.kind in {"capture", "refund", "charge"} and not times:
        yield f"never lost: {row.kind} {row.operation_id} is succeeded, but the gateway did nothing"


def _ahead_of_the_gateway(books: Books, sums: dict[str, Sums]) -> Iterator[str]:
    """The books may lag behind the gateway, and never run ahead of it."""
    for row in books.payments:
        theirs, ours = sums.get(row.name or "", Sums()), row.sums
        pairs = (
            (ours.authorized, theirs.authorized),
            (ours.captured, theirs.captured),
            (ours.refunded, theirs.refunded),
            (ours.cancelled, theirs.cancelled),
        )
        if any(our > their for our, their in pairs):
            yield f"callbacks are hints: the books have {ours} of {row.payment_id}, the gateway {theirs}"


def _lost(books: Books, sums: dict[str, Sums], by_hand: set[str]) -> Iterator[str]:
    """Every payment that the gateway took is in the books, with the gateway's totals."""
    ours = {row.name: row for row in books.payments if row.name is not None}
    for name, theirs in sums.items():
        row = ours.get(name)
        if row is None and theirs.authorized:
            yield f"never lost: the gateway took {theirs} for {name}, which is not in the books"
        elif row is not None and not row.quarantined and row.sums != theirs:
            yield f"never lost: the books have {row.sums} of {row.payment_id} ({row.state}), the gateway {theirs}"
        elif row is None or row.quarantined or name in by_hand:
            continue
        elif row.capture_mode == "automatic" and theirs.kept:
            yield f"never lost: {theirs.kept} of {row.payment_id} ({row.state}) was to be taken at once, and was not"


def _unsettled(books: Books) -> Iterator[str]:
    # A payment that is not the one that was ordered waits for a person, and so does what was asked of it.
    waits = {payment.payment_id for payment in books.payments if payment.quarantined}
    for row in books.operations:
        if row.is_open and row.payment_id not in waits:
            yield f"never lost: operation {row.operation_id} is still {row.outcome}"
    for payout in books.payouts:
        if payout.outcome in {"unknown", "pending"}:
            yield f"never lost: payout {payout.operation_id} is still {payout.outcome}"
    # A charge that certainly never happened leaves its payment as it was: the host may ask for it again.
    never = {row.payment_id for row in books.operations if row.kind == "charge" and row.outcome == "not_attempted"}
    for payment in books.payments:
        if payment.is_open and payment.payment_id not in never | waits:
            yield f"never lost: payment {payment.payment_id} is still {payment.state}"
    if books.waiting_callbacks:
        yield f"never lost: {books.waiting_callbacks} callbacks still wait"


# Told once, in order


def _told_untruths(world: World, books: Books, sums: dict[str, Sums]) -> Iterator[str]:
    names = {payment_id: name for name, payment_id in world.notebook.names.items()}
    least = world.notebook.least_asked()
    for event_id, event in world.notebook.heard.items():
        if event_id not in books.events:
            yield f"told when durable: {event_id} ({event.kind}) was told and is not in the books"
        theirs = sums.get(names.get(event.payment_id, ""), Sums())
        captured, refunded = (each.minor if each else 0 for each in (event.captured, event.refunded))
        if captured > theirs.captured or refunded > theirs.refunded:
            yield f"callbacks are hints: {event_id} tells of {event.captured}, {event.refunded}; the gateway: {theirs}"
        asked = least.get((event.account, event.order_reference), 0) - world.cards.behaviour.discount_amount
        if event.is_paid and theirs.captured < asked:
            yield f"callbacks are hints: {event_id} says paid with {theirs.captured} of {asked}"


def _untold(world: World, books: Books) -> Iterator[str]:
    for event_id in sorted(books.events - world.notebook.heard.keys()):
        yield f"told once: {event_id} was never told"
    for row in books.payments:
        told = world.notebook.told.get(row.payment_id, 0)
        written = sum(each.startswith(f"evt_{row.payment_id}_") for each in books.events)
        if told != written:
            yield f"told once: {told} events of {row.payment_id} were told, it has {written}"


# Nothing secret out


def secrets_out(world: World) -> Iterator[str]:
    """Return what a log, an error, a repr or an event showed and must not."""
    hidden = {*SECRETS, *world.gateways.secrets(), *(card.number for card in TEST_CARDS)}
    hidden |= {secret for person in (*PEOPLE, STRANGER) for secret in person.secrets}
    everything = "\n".join([*world.listener.lines, *world.notebook.shown])
    for secret in sorted(hidden):
        if secret in everything:
            where = next(line for line in [*world.listener.lines, *world.notebook.shown] if secret in line)
            yield f"nothing secret out: {secret[:3]}… in {where.replace(secret, '<here>')[:200]}"
