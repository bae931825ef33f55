"""What must be refused, asked for all the same: ids used again, methods that are gone, false proof, false addresses.

Each way returns what it tried, or ``None`` where it could not be tried now. What is taken although it must
be refused goes to the notebook's ``broken``, or is an operation whose id says that it must not be there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from prenopay.testing.simulation.books import MandateRow
from prenopay.testing.simulation.gateways import CARD_ACCOUNTS, SWISH, text_of
from prenopay.testing.simulation.moment import AGREED, MISUSED, Did, Moment, sek
from prenopay.testing.simulation.weather import perhaps
from prenopay.values.callbacks import CallbackRequest
from prenopay.values.subjects import Subject

__all__ = ["WAYS", "misuse"]

Way: TypeAlias = Callable[[Moment], Awaitable[Did | None]]

_ALWAYS_POSSIBLE: Final = {"id used again", "false address"}
_RARE_FIRST: Final = 0.7
_CHARGEABLE: Final = {"active", "expiring"}
_ENDED: Final = {"deleted", "replaced", "revoked"}


async def misuse(at: Moment) -> Did | None:
    """Somebody asks for what must be refused."""
    names = at.chance.sample(list(WAYS), len(WAYS))
    if perhaps(at.chance, _RARE_FIRST):
        names.sort(key=_ALWAYS_POSSIBLE.__contains__)
    for name in names:
        did = await WAYS[name](at)
        if did is not None:
            at.world.reached[f"misuse: {name}"] += did.well
            return Did(f"{name}, {did.said}", did.well)
    return None


async def _id_used_again(at: Moment) -> Did | None:
    """An operation id is used for another amount or order."""
    world = at.world
    known = {text_of(row.account, row.operation_id) for row in at.books.operations}
    known |= {text_of(SWISH, row.operation_id) for row in at.books.payouts}
    wishes = [wish for text, wish in world.notebook.wishes.items() if text in known]
    if not wishes:
        return None
    wish, more = at.chance.choice(wishes), at.chance.randint(1, 500)
    came = await world.tries(lambda: wish.ask(world.process, more))
    if came.answered:
        world.notebook.broken.append(f"never twice: {wish.text} was asked for again with something else, and taken")
    return Did(f"{wish.text}: {came}", came.word == "IdReused")


async def _gone(at: Moment) -> Did | None:
    """A stored method that is gone is drawn on."""
    rows = [row for row in at.books.mandates if row.state in _ENDED and row.account in CARD_ACCOUNTS]
    return await _drawn(at, at.chance.choice(rows), "") if rows else None


async def _blocked(at: Moment) -> Did | None:
    """A card is drawn on although its last decline forbids that."""
    now, blocked = at.world.clock.now(), at.world.notebook.blocked
    rows = [row for row in at.books.mandates if row.mandate_id in blocked and now < blocked[row.mandate_id]]
    return await _drawn(at, at.chance.choice(rows), "") if rows else None


async def _paid_period(at: Moment) -> Did | None:
    """A period that is paid is charged again, through another card of the same reader where there is one."""
    succeeded = {
        text_of(row.account, row.operation_id)
        for row in at.books.operations
        if row.kind == "charge" and row.outcome == "succeeded"
    }
    paid = [wish for text, wish in at.world.notebook.wishes.items() if text in succeeded and wish.period]
    pairs = [
        (row, wish.period)
        for wish in paid
        for row in at.books.mandates
        if (row.account, row.payer_reference) == (wish.account, wish.payer) and row.state in _CHARGEABLE
    ]
    if not pairs:
        return None
    drawn = {wish.mandate_id for wish in paid}
    row, period = at.chance.choice([pair for pair in pairs if pair[0].mandate_id not in drawn] or pairs)
    return await _drawn(at, row, period)


async def _after_a_lost_one(at: Moment) -> Did | None:
    """A stored method is drawn on while nobody knows what became of its last draw."""
    wishes = at.world.notebook.wishes
    lost = [row for row in at.books.operations if row.kind == "charge" and row.outcome == "unknown"]
    drawn = {wishes[text_of(row.account, row.operation_id)].mandate_id for row in lost}
    rows = [row for row in at.books.mandates if row.mandate_id in drawn and row.state in _CHARGEABLE]
    return await _drawn(at, at.chance.choice(rows), "") if rows else None


async def _more_than_agreed(at: Moment) -> Did | None:
    """More is drawn than the payer agreed to."""
    rows = [row for row in at.books.mandates if row.payment_id is not None and row.state in _CHARGEABLE]
    return await _drawn(at, at.chance.choice(rows), "", amount=AGREED + 1) if rows else None


async def _drawn(at: Moment, row: MandateRow, period: str, *, amount: int = 5_000) -> Did:
    world = at.world
    number = world.notebook.misused = world.notebook.misused + 1
    operation_id = f"{MISUSED}{number}"
    came = await world.tries(
        lambda: world.process.cards[row.account].charge(
            row.mandate_id,
            sek(amount),
            operation_id=operation_id,
            description=text_of(row.account, operation_id),
            period=period,
        ),
    )
    if came.answered:
        world.notebook.broken.append(f"never twice: {row.mandate_id} was drawn on, and had to be refused")
    return Did(f"{row.mandate_id}: {came}", came.word in {"MandateUnusable", "CeilingReached", "Conflict"})


async def _false_proof(at: Moment) -> Did | None:
    """A lost charge is settled with a payment that is another's."""
    world = at.world
    rows = [row for row in at.books.operations if row.kind == "charge" and row.outcome == "unknown"]
    if not rows:
        return None
    row = at.chance.choice(rows)
    own = world.notebook.references.get(("authorize", text_of(row.account, row.operation_id)), set())
    ours = {payment.name for payment in at.books.payments}
    others = [order.id for order in world.cards.orders if order.payee_reference not in own]
    unknown = [name for name in others if name not in ours]
    if not others:
        return None
    found = at.chance.choice(unknown or others)
    came = await world.tries(
        lambda: world.process.account(row.account).settle_by_hand(
            row.operation_id,
            provider_reference=found,
            person="Ann",
            reason="took the wrong line in the portal",
        ),
    )
    if came.answered:
        world.notebook.broken.append(f"never lost: {row.operation_id} was settled with {found}, which is another's")
    return Did(f"{row.operation_id}: {came}", came.word == "Conflict")


async def _false_address(at: Moment) -> Did | None:
    """A callback comes to an address that nobody was given."""
    world = at.world
    if not at.books.payments:
        return None
    row, other = (at.chance.choice(at.books.payments) for _ in range(2))
    urls = world.process.accounts.callback_urls
    path = urlsplit(urls.url(row.account, Subject.payment(row.payment_id))).path
    whole, _, mac = path.rpartition("/")
    false = urlsplit(urls.url(other.account, Subject.payment(other.payment_id))).path.rpartition("/")[2]
    false = at.chance.choice((false, "A" * len(mac))) if false != mac else "A" * len(mac)
    request = CallbackRequest(path=f"{whole}/{false}", body=b"{}", peer="127.0.0.1")
    reply = await world.process.accounts.receive(request)
    if reply.status != HTTPStatus.NOT_FOUND:
        world.notebook.broken.append(f"callbacks are hints: a false address of {row.payment_id} got {reply.status}")
    return Did(f"{row.payment_id}: {reply.status}")


WAYS: Final[dict[str, Way]] = {
    "id used again": _id_used_again,
    "method that is gone": _gone,
    "blocked card": _blocked,
    "paid period": _paid_period,
    "after a lost one": _after_a_lost_one,
    "more than agreed": _more_than_agreed,
    "false proof": _false_proof,
    "false address": _false_address,
}
"""Every way, by its name."""
