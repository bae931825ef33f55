"""What must hold at rest, when nothing goes wrong any more: books, events and gateways tell the same story.

Each function returns sentences that say what was broken, as those in ``promises`` do.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import combinations
from typing import Final

from prenopay.errors import PrenopayError
from prenopay.testing.gateway import Move, Ordered, Totals
from prenopay.testing.simulation.books import Books, Depths, MandateRow, PaymentRow
from prenopay.testing.simulation.gateways import text_of
from prenopay.testing.simulation.world import SECRETS, World
from prenopay.values.events import Event, EventKind
from prenopay.values.payments import Advice, DeclineCode, Outcome

__all__ = ["at_rest", "damaged", "overdue", "what_is_next"]

_TOLD_WITHIN: Final = timedelta(hours=3)
"""By then a handler that works again has heard everything, and every callback was worked on."""
_SETTLED_WITHIN: Final = timedelta(days=3)
"""By then what was asked for has an outcome: the longest pause between two looks is a day."""
_ENDS: Final = {EventKind.CANCELLED: "cancelled", EventKind.DECLINED: "declined", EventKind.EXPIRED: "expired"}
_OF_MANDATES: Final = {
    "active": EventKind.MANDATE_ACTIVE,
    "expiring": EventKind.MANDATE_EXPIRING,
    "suspended": EventKind.MANDATE_SUSPENDED,
    **dict.fromkeys(("expired", "replaced", "revoked", "deleted"), EventKind.MANDATE_ENDED),
}
"""The event that reports each state of a mandate; of the others nobody hears."""
_OF_PAYOUTS: Final = {"succeeded": EventKind.PAYOUT_PAID, "declined": EventKind.PAYOUT_DECLINED}
_FULL: Final = 2
"""How SQLite calls ``synchronous=FULL``."""
_NOTHING: Final = Totals()


def at_rest(world: World, books: Books, moves: list[Move], totals: Mapping[str, Totals]) -> Iterator[str]:
    """Yield what must not be once nothing goes wrong any more."""
    ordered = world.gateways.ordered()
    yield from _unheard(world, books)
    yield from _payments_misreported(world, books, totals, ordered)
    yield from _mandates_misreported(world, books)
    yield from _payouts_misreported(world, books)
    yield from _declines_unreported(world, books)
    yield from _lives_too_long(world, books)
    yield from _suspensions_lost(world, books)
    yield from _vat_astray(world, moves, totals, ordered)
    yield from _unflagged(world, books, totals, ordered)


# In time


def overdue(world: World, books: Books, *, waited: timedelta) -> Iterator[str]:
    """Yield what should have happened by now, ``waited`` after the last thing that went wrong.

    A refund takes as long as its gateway does, and what is asked of a payment that is not the one that was
    ordered waits for a person.
    """
    if waited >= _TOLD_WITHIN:
        for event_id in sorted(books.events.keys() - world.notebook.heard.keys()):
            yield f"in time: {event_id} was not delivered within {waited}"
        for account, subject in sorted(books.waiting):
            if subject or waited >= _SETTLED_WITHIN:  # whose they are may depend on what has no outcome yet
                yield f"in time: callbacks of {subject or account} still wait after {waited}"
    if waited >= _SETTLED_WITHIN:
        slow = {payment.payment_id for payment in books.payments if payment.quarantined}
        for row in books.operations:
            if row.is_open and row.subject_id not in slow and row.kind != "refund":
                yield f"in time: {row.kind} {row.operation_id} is still {row.outcome} after {waited}"


async def what_is_next(world: World, books: Books) -> list[str]:
    """Return the payments with money of which the books say that something else can be done than the gateway does.

    Only of those that the books have as the gateway has them, and of which nothing is under way.
    """
    if world.hides_status:
        return []
    totals, busy = world.gateways.totals(), {row.subject_id for row in books.operations if row.is_open}
    broken: list[str] = []
    for row in books.payments:
        is_current = row.authorized and row.totals == totals.get(row.name or "") and row.payment_id not in busy
        if row.name is None or row.quarantined or not is_current or row.name in world.notebook.by_hand:
            continue
        try:
            theirs = await world.actions_of(world.gateways.places[row.account], row.name)
        except PrenopayError as error:
            broken.append(f"unexpected: {row.payment_id} cannot be read at rest: {error}")
            continue
        if theirs != row.allowed_actions:
            broken.append(
                f"newest word: {row.allowed_actions} can be done with {row.payment_id}, at the gateway {theirs}"
            )
    return broken


# Told once, and as it was


def _unheard(world: World, books: Books) -> Iterator[str]:
    for event_id in sorted(books.events.keys() - world.notebook.heard.keys()):
        yield f"told once: {event_id} was never delivered"
    written = Counter(books.events.values())
    for subject, count in written.items():
        told = world.notebook.numbers.get(subject, 0)
        if told != count:
            yield f"told once: {told} events of {subject} were delivered, it has {count}"


def _payments_misreported(
    world: World, books: Books, totals: Mapping[str, Totals], ordered: Mapping[str, Ordered]
) -> Iterator[str]:
    """Yield events of a payment that do not add up to what the gateway did with it."""
    told = _by_subject(world)
    for row in books.payments:
        theirs, events = totals.get(row.name or "", _NOTHING), told[row.payment_id]
        if not row.quarantined:
            yield from _sums_misreported(row, events, theirs)
            yield from _end_misreported(row, events, theirs)
            yield from _paid_misreported(row, events, theirs, ordered)


def _by_subject(world: World) -> defaultdict[str, list[Event]]:
    told: defaultdict[str, list[Event]] = defaultdict(list)
    for event in world.notebook.heard.values():
        told[event.subject.id].append(event)
    return told


def _sums_misreported(row: PaymentRow, told: list[Event], theirs: Totals) -> Iterator[str]:
    for kind, happened in (
        (EventKind.AUTHORIZED, theirs.authorized),
        (EventKind.CAPTURED, theirs.captured),
        (EventKind.REFUNDED, theirs.refunded),
    ):
        said = sum(event.amount.minor for event in told if event.kind is kind and event.amount)
        if said != happened:
            yield f"told as it was: events say {said} {kind} of {row.payment_id}, the gateway {happened}"


def _end_misreported(row: PaymentRow, told: list[Event], theirs: Totals) -> Iterator[str]:
    ends = [_ENDS[event.kind] for event in told if event.kind in _ENDS]
    if row.state in _ENDS.values() and (ends[-1:] != [row.state] or (len(ends) > 1 and not theirs.authorized)):
        yield f"told as it was: {row.payment_id} is {row.state}, its ends were reported as {ends}"


def _paid_misreported(
    row: PaymentRow, told: list[Event], theirs: Totals, ordered: Mapping[str, Ordered]
) -> Iterator[str]:
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


def _mandates_misreported(world: World, books: Books) -> Iterator[str]:
    """Yield mandates whose last event is not that of their state: all that ever were active, with a payment or not."""
    told = _by_subject(world)
    for row in books.mandates:
        events = [event.kind for event in told[row.mandate_id]]
        was_active = row.payment_id is None or EventKind.MANDATE_ACTIVE in events
        must = _OF_MANDATES.get(row.state) if was_active or row.is_chargeable else None
        if must is EventKind.MANDATE_ACTIVE and row.payment_id is None and not events:
            continue  # taken over, and nothing happened to it since
        if events[-1:] != ([] if must is None else [must]):
            yield f"told as it was: mandate {row.mandate_id} is {row.state}, reported was {[*map(str, events)]}"


def _payouts_misreported(world: World, books: Books) -> Iterator[str]:
    told = _by_subject(world)
    for row in (row for row in books.operations if row.kind == "payout"):
        must = _OF_PAYOUTS.get(row.outcome)
        said = [(event.kind, event.amount.minor if event.amount else None) for event in told[row.subject_id]]
        if said != ([] if must is None else [(must, row.amount)]):
            yield f"told as it was: payout {row.operation_id} of {row.amount} is {row.outcome}, reported was {said}"


def _declines_unreported(world: World, books: Books) -> Iterator[str]:
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
        is_change = row.kind not in {"charge", "payout"}
        if row.outcome == "declined" and is_change and (is_own or was_open) and text not in heard:
            yield f"told as it was: {row.kind} {row.operation_id} was declined, and nobody knows"


# Never charged again


def _lives_too_long(world: World, books: Books) -> Iterator[str]:
    """Yield mandates that live on after the last day of their card, or of what the payer agreed to."""
    today, ends = world.today().isoformat(), world.ends_of_consents(books)
    for row in books.mandates:
        until = ends.get(row.mandate_id)
        if until is not None and until.isoformat() < today and (row.is_chargeable or row.state == "suspended"):
            yield f"never charged again: mandate {row.mandate_id} is {row.state}, agreed was until {until}"
        if row.expires is not None and row.expires < today and row.is_chargeable and not row.is_renewed:
            yield f"never charged again: mandate {row.mandate_id} is {row.state}, its card expired {row.expires}"


def _suspensions_lost(world: World, books: Books) -> Iterator[str]:
    """Yield mandates that a decline said to leave alone, and that were neither suspended nor ended."""
    told, ended = _by_subject(world), {row.mandate_id for row in books.mandates if row.has_ended}
    charged = {
        row.subject_id: wish.mandate_id
        for row in books.operations
        if row.kind == "charge" and (wish := world.notebook.wishes.get(text_of(row.account, row.operation_id)))
    }
    for event in world.notebook.heard.values():
        decline, mandate_id = event.decline, charged.get(event.payment_id or "", "")
        if event.kind not in _ENDS or decline is None or not mandate_id or mandate_id in ended:
            continue
        rests = decline.advice is Advice.NEVER or decline.code is DeclineCode.MANDATE_INACTIVE
        if rests and EventKind.MANDATE_SUSPENDED not in {each.kind for each in told[mandate_id]}:
            yield f"never charged again: {mandate_id} was declined with {decline.code}, and was not suspended"


# Adds up


def _vat_astray(
    world: World, moves: list[Move], totals: Mapping[str, Totals], ordered: Mapping[str, Ordered]
) -> Iterator[str]:
    """Yield payments whose parts do not have their share of the VAT, to half an öre: so whole ones have all of it.

    Captures share the VAT of the order. Refunds share that of the captures.
    """
    vats: dict[tuple[str, str], int] = defaultdict(int)
    for move in moves:
        if move.vat is not None and move.what in {"capture", "refund"}:
            vats[move.payment, move.what] += move.vat
    unlike = world.notebook.by_hand | world.notebook.tampered | world.gateways.failed_back()
    for (name, what), vat in vats.items():
        order, whole = ordered[name], totals[name]
        done = whole.captured if what == "capture" else whole.refunded
        # With a fee the payer pays more than was ordered, and it has no VAT of its own.
        is_plain = whole.authorized <= order.amount or done == whole.authorized
        of, vat_of = min(whole.captured, order.amount), vats.get((name, "capture"))
        if what == "capture" or vat_of is None:
            of, vat_of = order.amount, order.vat or 0
        if name not in unlike and is_plain and 2 * abs(vat * of - vat_of * min(done, of)) > of:
            yield f"adds up: {what} of {done} of {name} has {vat} of VAT, the {of} that it is a part of have {vat_of}"


# Flagged


def _unflagged(
    world: World, books: Books, totals: Mapping[str, Totals], ordered: Mapping[str, Ordered]
) -> Iterator[str]:
    """Yield oddities that no person sees."""

    def lacks(row: PaymentRow, flag: str) -> bool:
        return (row.payment_id, flag) not in books.flags

    for row in books.payments:
        is_other = (
            row.name in world.notebook.tampered and row.name in ordered and ordered[row.name].amount != row.amount
        )
        if is_other and lacks(row, "mismatch"):
            yield f"callbacks are hints: {row.payment_id} is another order at the gateway, and no person knows"
        if row.payment_id in world.notebook.foreign and lacks(row, "foreign_callback"):
            yield f"callbacks are hints: a callback to {row.payment_id} named another payment, and no person knows"
        theirs = totals.get(row.name or "", _NOTHING)
        if _was_late(world, row) and theirs.authorized > theirs.cancelled and lacks(row, "late"):
            yield f"never lost: {row.payment_id} was paid after its end, and no person knows"
    for one, other in combinations([row for row in books.payments if not row.quarantined], 2):
        both = [totals.get(each.name or "", _NOTHING) for each in (one, other)]
        keep_money = all(each.authorized - each.cancelled - each.refunded > 0 for each in both)
        is_same = (one.account, one.order_reference) == (other.account, other.order_reference)
        if is_same and keep_money and lacks(one, "paid_twice") and lacks(other, "paid_twice"):
            yield f"never lost: {one.payment_id} and {other.payment_id} pay the same order, and no person knows"


def _was_late(world: World, row: PaymentRow) -> bool:
    """Whether the first money came after an end that the host knew."""
    told = [event.kind for event in world.notebook.heard.values() if event.subject.id == row.payment_id]
    return EventKind.AUTHORIZED in told and not _ENDS.keys().isdisjoint(told[: told.index(EventKind.AUTHORIZED)])


# Kept well


def damaged(world: World, books: Books, depths: Depths) -> Iterator[str]:
    """Yield what is wrong with how the books are kept."""
    for payment_id in depths.disagreeing:
        yield f"books: the totals of {payment_id} are not the sums of its movements"
    for row in depths.forgotten:
        yield f"nothing forgotten: {row}"
    for payment_id in depths.stored_again:
        yield f"forgotten: the payer of {payment_id} was erased, and something about them is stored again"
    if world.on_disk and (depths.journal_mode, depths.synchronous) != ("wal", _FULL):
        yield f"books: a power cut may lose what was answered ({depths.journal_mode}, {depths.synchronous})"
    for secret in sorted({*SECRETS, *world.gateways.secrets()}):
        if secret.encode() in depths.contents:
            yield f"nothing secret out: {secret[:3]}… is in the database as it is"
    for mandate in books.mandates:
        if mandate.state in {"deleted", "replaced"} and mandate.mandate_id in depths.tokens:
            yield f"never charged again: mandate {mandate.mandate_id} is {mandate.state}, and its token is kept"
    yield from _live_at_the_gateway(world, books)


def _live_at_the_gateway(world: World, books: Books) -> Iterator[str]:
    """Yield methods that were removed and still work. What a changed order stores is for a person to look at."""
    names = {row.payment_id: row.name or "" for row in books.payments}
    live = world.gateways.methods_by_payment()

    def name(mandate: MandateRow) -> str:
        return names.get(mandate.payment_id or "", "")

    wanted = Counter(name(each) for each in books.mandates if each.state != "deleted")
    for mandate in books.mandates:
        is_known = name(mandate) and name(mandate) not in world.notebook.tampered
        if mandate.state == "deleted" and is_known and live.get(name(mandate), 0) > wanted[name(mandate)]:
            yield f"never charged again: mandate {mandate.mandate_id} was removed, and is live at the gateway"
    works = Counter(name(each) for each in books.mandates if each.state not in {"deleted", "revoked"})
    for mandate in books.mandates:
        if mandate.state == "revoked" and name(mandate) and live.get(name(mandate), 0) > works[name(mandate)]:
            yield f"never lost: mandate {mandate.mandate_id} is revoked, and lives at the gateway"
