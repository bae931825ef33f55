"""The promises, held against what the host asked, what the gateways did, and what the books say.

Cheap ones after every step; all of them at the end of a life, when everything has had time to settle.
Each returns sentences that say what was broken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prenopay.events import Event, EventKind
from prenopay.testing.emulators.swedbankpay import TEST_CARDS
from prenopay.testing.simulation.books import Books, OperationRow, disagreements, every_row, live_tokens
from prenopay.testing.simulation.gateways import Move, Sums
from prenopay.testing.simulation.process import SECRETS
from prenopay.testing.simulation.steps import PERSON
from prenopay.testing.simulation.world import World

__all__ = ["after_step", "at_the_end", "secrets_out", "within_days"]

_WHAT: dict[str, str] = {"create": "authorize", "charge": "authorize"}
_NOTHING_HAPPENED = {"not_attempted", "declined"}


def after_step(world: World, books: Books) -> list[str]:
    """Return what was broken by now."""
    return _checked(world, books, world.gateways.moves(), world.gateways.sums())


def _checked(world: World, books: Books, moves: list[Move], sums: dict[str, Sums]) -> list[str]:
    return [
        *world.notebook.broken,
        *_twice(world, moves),
        *_other_amounts(world, moves),
        *_dishonest(world, books, moves),
        *_released(world, books, sums),
        *_ahead_of_the_gateway(books, sums),
        *_told_untruths(world, books, sums),
    ]


def at_the_end(world: World, books: Books) -> list[str]:
    """Return what is broken once nothing goes wrong any more and time has passed."""
    moves, sums = world.gateways.moves(), world.gateways.sums()
    return [
        *_checked(world, books, moves, sums),
        *_lost(books, sums, world.notebook.by_hand),
        *_unsettled(books),
        *_untold(world, books),
        *_told_in_full(world, books, sums),
        *_unflagged(world, books),
        *secrets_out(world),
        *_secrets_kept(world, books),
        *(f"books: the totals of {name} are not the sums of its movements" for name in disagreements(world.engine)),
    ]


def within_days(books: Books, world: World) -> list[str]:
    """Return what is still open though nothing went wrong for three days.

    Charges wait for a person, refunds and payouts for a bank, pages and reservations for their own time.
    """
    waits = {payment.payment_id for payment in books.payments if payment.quarantined}
    late = [
        f"never lost: three calm days later {row.kind} {row.operation_id} is still {row.outcome}"
        for row in books.operations
        if row.is_open and row.kind not in {"charge", "refund"} and row.payment_id not in waits
    ]
    late += [
        f"told once: three calm days later {each} is not told" for each in books.events - world.notebook.heard.keys()
    ]
    if books.waiting_callbacks:
        late.append(f"never lost: three calm days later {books.waiting_callbacks} callbacks wait")
    return late


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
        (wish.mandate_id, wish.period)
        for wish in world.notebook.wishes.values()
        if wish.period
        and any(under["authorize", each] for each in references.get(("authorize", wish.operation_id), ()))
    )
    for (mandate, period), times in periods.items():
        if times > 1:
            yield f"never twice: period {period} of {mandate} was charged {times} times"


def _other_amounts(world: World, moves: list[Move]) -> Iterator[str]:
    """What was asked for with an amount happens with that amount. Pages add fees and are updated: not looked at."""
    asked = {
        (what, reference): wish.amount
        for (what, text), used in world.notebook.references.items()
        if (wish := world.notebook.wishes.get(text)) is not None and wish.amount is not None
        for reference in used
        if wish.what == what and (what != "authorize" or wish.mandate_id)
    }
    for move in moves:
        amount = asked.get((move.what, move.reference), move.amount)
        if amount != move.amount:
            yield f"never twice: {move.what} {move.reference} is of {move.amount}, and {amount} was asked for"


# Never lost


def _dishonest(world: World, books: Books, moves: list[Move]) -> Iterator[str]:
    """An outcome that says something the gateway's books deny."""
    under = Counter((move.what, move.reference) for move in moves)
    creators = {row.payment_id: row.operation_id for row in books.operations if row.kind in _WHAT}
    # What prenopay does of itself (end a page, take a reservation) bears the order's text on the wire: of two
    # such operations of one payment, the one that says "done" accounts for what the gateway did.
    done = {(row.payment_id, row.kind) for row in books.operations if row.outcome not in _NOTHING_HAPPENED}

    def times(what: str, text: str) -> int:
        return sum(under[what, reference] for reference in world.notebook.references.get((what, text), ()))

    for row in books.operations:
        what = _WHAT.get(row.kind, row.kind)
        if row.operation_id in world.notebook.wishes:
            yield from _contradictions(row, times(what, row.operation_id))
        elif row.outcome not in _NOTHING_HAPPENED or (row.payment_id, row.kind) not in done:
            yield from _contradictions(row, times(what, creators.get(row.payment_id, "")))
    for payout in books.payouts:
        paid = times("pay out", payout.operation_id)
        if (payout.outcome == "succeeded" and not paid) or (payout.outcome in _NOTHING_HAPPENED and paid):
            yield f"never lost: payout {payout.operation_id} is {payout.outcome}, the gateway paid {paid} times"


def _contradictions(row: OperationRow, times: int) -> Iterator[str]:
    if row.outcome in _NOTHING_HAPPENED and times:
        yield f"never lost: {row.kind} {row.operation_id} is {row.outcome}, but the gateway did it"
    if row.outcome == "succeeded" and row.kind in {"capture", "refund", "charge"} and not times:
        yield f"never lost: {row.kind} {row.operation_id} is succeeded, but the gateway did nothing"


def _released(world: World, books: Books, sums: dict[str, Sums]) -> Iterator[str]:
    """Of what was cancelled nothing is kept, and nothing more is taken."""
    names = {payment_id: name for name, payment_id in world.notebook.names.items()}
    for row in books.operations:
        name = names.get(row.payment_id, "")
        if row.kind == "cancel" and row.outcome == "succeeded" and sums.get(name, Sums()).kept > 0:
            yield f"never lost: {row.operation_id} is succeeded, and the gateway keeps {sums[name].kept} reserved"


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
        if event.captured.minor > theirs.captured or event.refunded.minor > theirs.refunded:
            yield f"callbacks are hints: {event_id} tells of {event.captured}, {event.refunded}; the gateway: {theirs}"
        asked = least.get(event.order_reference, 0) - world.cards.behaviour.discount_amount
        if event.is_paid and theirs.captured < asked:
            yield f"callbacks are hints: {event_id} says paid with {theirs.captured} of {asked}"


def _untold(world: World, books: Books) -> Iterator[str]:
    for event_id in sorted(books.events - world.notebook.heard.keys()):
        yield f"told once: {event_id} was never told"
    for row in books.payments:
        told = world.notebook.told.get(row.payment_id, 0)
        if told != row.events:
            yield f"told once: {told} events of {row.payment_id} were told, it has {row.events}"


def _told_in_full(world: World, books: Books, sums: dict[str, Sums]) -> Iterator[str]:
    """The events of a payment add up to what the gateway did, say whether it is paid, and tell of its end once."""
    heard: dict[str, list[Event]] = {}
    for event in world.notebook.heard.values():
        heard.setdefault(event.payment_id, []).append(event)
    for row in books.payments:
        events, theirs = sorted(heard.get(row.payment_id, []), key=lambda event: event.number), sums.get(row.name or "")
        if row.quarantined or theirs is None:
            continue
        for kind, total in ((EventKind.CAPTURED, theirs.captured), (EventKind.REFUNDED, theirs.refunded)):
            told = sum(event.amount.minor for event in events if event.kind is kind)
            if told != total:
                yield f"told once: {kind} of {row.payment_id} was told of {told} in all, the gateway has {total}"
        said = [event.is_paid for event in events if event.kind is EventKind.CAPTURED]
        if said and said[-1] != (theirs.captured >= row.due):
            yield f"told once: {row.payment_id} has {theirs.captured} of {row.due}, and is_paid was told as {said[-1]}"
        ends = sum(event.kind.value == f"payment.{row.state}" for event in events)
        if row.state in {"cancelled", "declined", "expired"} and ends != 1:
            yield f"told once: {row.payment_id} is {row.state}, which was told {ends} times"


def _unflagged(world: World, books: Books) -> Iterator[str]:
    orders = {order.id: order for order in world.cards.orders}
    for row in books.payments:
        if row.quarantined and row.name not in world.notebook.tampered:
            yield f"never lost: {row.payment_id} is quarantined, and is the order that was asked for"
        changed = row.name in world.notebook.tampered and row.name in orders and orders[row.name].amount != row.amount
        if changed and (row.payment_id, "mismatch") not in books.flags:
            yield f"callbacks are hints: {row.payment_id} is another order at the gateway, and nobody is told"


# Nothing secret out


def secrets_out(world: World) -> Iterator[str]:
    """Return what a log, an error, a repr or an event showed and must not."""
    _first, last, email, phone, personal_number = PERSON
    hidden = {last, email, phone, phone.removeprefix("+"), personal_number, *SECRETS, *world.gateways.secrets()}
    hidden |= {card.number for card in TEST_CARDS}
    everything = "\n".join([*world.listener.lines, *world.notebook.shown])
    for secret in sorted(hidden):
        if secret in everything:
            where = next(line for line in [*world.listener.lines, *world.notebook.shown] if secret in line)
            yield f"nothing secret out: {secret[:3]}… in {where.replace(secret, '<here>')[:200]}"


def _secrets_kept(world: World, books: Books) -> Iterator[str]:
    """Tokens and keys are in no table as they are, and a method that is gone has no token here or at the gateway."""
    tokens = {token.token for token in world.cards.tokens()}
    rows = every_row(world.engine)
    for secret in sorted({*SECRETS, *tokens}):
        where = next((row for row in rows if secret in row), "")
        if where:
            yield f"nothing secret out: {secret[:3]}… is in the books: {where.replace(secret, '<here>')[:200]}"
    for mandate_id in live_tokens(world.engine, of="deleted"):
        yield f"nothing secret out: mandate {mandate_id} was removed, and its token is kept"
    made_by = Counter(token.made_by for token in world.cards.tokens() if token.is_active)
    names = {payment_id: name for name, payment_id in world.notebook.names.items()}
    wanted = Counter(names.get(each.payment_id or "", "") for each in books.mandates if each.state != "deleted")
    for name in {names.get(each.payment_id or "", "") for each in books.mandates if each.state == "deleted"} - {""}:
        if made_by[name] > wanted[name]:
            yield f"nothing secret out: a method of {name} was removed, and the gateway has its token still"
