"""What must be refused, asked for all the same: ids used again, methods that are gone, false proof, false addresses.

What is taken although it must be refused goes to the notebook's ``broken``, or is an operation whose id says
that it must not be there.
"""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from prenopay.provider import ChargesMandates, ReceivesCallbacks
from prenopay.testing.simulation.books import MandateRow, OperationRow, PaymentRow
from prenopay.testing.simulation.gateways import text_of
from prenopay.testing.simulation.moment import Did, Moment, Step, step
from prenopay.testing.simulation.notebook import Wish
from prenopay.testing.simulation.people import AGREED, sek
from prenopay.testing.simulation.weather import perhaps
from prenopay.values.callbacks import CallbackRequest
from prenopay.values.subjects import Subject

__all__ = ["MISUSED", "WAYS"]

MISUSED: Final = "misuse:"
"""How the ids begin of operations that must be refused."""
WAYS: Final[dict[str, Step]] = {}
"""Every way to misuse prenopay, by its name; the greater its weight, the rarer it can be done, and the sooner it is."""
_RARE_FIRST: Final = 0.7

_way = partial(step, steps=WAYS)


@step("misuse", 3)
async def misuse(at: Moment, _anything: object) -> Did:
    """Somebody asks for what must be refused."""
    names = at.chance.sample(list(WAYS), len(WAYS))
    if perhaps(at.chance, _RARE_FIRST):
        names.sort(key=lambda name: -WAYS[name].weight)
    for name in names:
        did = await WAYS[name].take(at)
        if did is not None:
            at.world.reached[f"misuse: {name}"] += did.well
            return Did(f"{name}, {did.said}", did.well)
    return Did("nothing", well=False)


def _known(at: Moment) -> list[Wish]:
    known = {text_of(row.account, row.operation_id) for row in at.books.operations}
    return [wish for text, wish in at.world.notebook.wishes.items() if text in known]


@_way("id used again", 0, of=_known)
async def id_used_again(at: Moment, wish: Wish) -> Did:
    """An operation id is used for another amount or order."""
    more = at.chance.randint(1, 500)
    came = await at.world.tries(lambda: wish.ask(at.world.process, more))
    if came.answered:
        at.world.notebook.broken.append(f"never twice: {wish.text} was asked for again with something else, and taken")
    return Did(f"{wish.text}: {came}", came.word == "IdReused")


@_way("false address", 0, ReceivesCallbacks, of=lambda at: at.books.payments)
async def false_address(at: Moment, row: PaymentRow) -> Did:
    """A callback comes to an address that nobody was given: a payment's, or an account's own."""
    other, urls = at.chance.choice(at.books.payments), at.world.process.callback_urls
    subject = Subject.payment(row.payment_id) if perhaps(at.chance, 0.7) else None
    whole, _, mac = urlsplit(urls.url(row.account, subject)).path.rpartition("/")
    false = urls.url(other.account, Subject.payment(other.payment_id)).rpartition("/")[2]
    false = at.chance.choice((false, "A" * len(mac))) if false != mac else "A" * len(mac)
    request = CallbackRequest(path=f"{whole}/{false}", body=b"{}", peer="127.0.0.1")
    reply = await at.world.process.receive(request)
    if reply.status != HTTPStatus.NOT_FOUND:
        at.world.notebook.broken.append(f"callbacks are hints: a false address of {subject} got {reply.status}")
    return Did(f"{subject or row.account}: {reply.status}")


@_way("false proof", 2, ChargesMandates, of=lambda at: at.books.lost_charges)
async def false_proof(at: Moment, row: OperationRow) -> Did:
    """A lost charge is settled with a payment that is another's."""
    place = at.world.gateways.places[row.account]
    own = {place.history.find(reference) for reference in at.world.notebook.sent(row.account, row.operation_id)}
    others = [name for name in place.gateway.books() if name not in own]
    if not others:
        return Did(f"{row.operation_id}: there is no other", well=False)
    ours = {payment.name for payment in at.books.payments}
    found = at.chance.choice([name for name in others if name not in ours] or others)
    came = await at.world.tries(
        lambda: at.world.account(row.account).settle_by_hand(
            row.operation_id, provider_reference=found, person="Ann", reason="took the wrong line in the portal"
        ),
    )
    if came.answered:
        at.world.notebook.broken.append(f"never lost: {row.operation_id} was settled with {found}, which is another's")
    return Did(f"{row.operation_id}: {came}", came.word == "Conflict")


# Draws that must be refused


@_way("method that is gone", 1, ChargesMandates, of=lambda at: [row for row in _drawable(at) if row.has_ended])
async def gone(at: Moment, row: MandateRow) -> Did:
    """A stored method that is gone is drawn on."""
    return await _drawn(at, row)


def _blocked(at: Moment) -> list[MandateRow]:
    if at.world.spells.was_ahead:
        return []  # by that clock the time may have been over
    now, blocked = at.world.clock.now(), at.world.notebook.blocked
    return [row for row in _drawable(at) if row.mandate_id in blocked and now < blocked[row.mandate_id]]


@_way("blocked method", 1, ChargesMandates, of=_blocked)
async def blocked(at: Moment, row: MandateRow) -> Did:
    """A method is drawn on although its last decline forbids that."""
    return await _drawn(at, row)


def _past_consent(at: Moment) -> list[MandateRow]:
    today, ends = at.world.today(), at.world.ends_of_consents(at.books)
    return [row for row in _drawable(at) if row.mandate_id in ends and ends[row.mandate_id] < today]


@_way("after the consent's end", 2, ChargesMandates, of=_past_consent)
async def past_consent(at: Moment, row: MandateRow) -> Did:
    """A method is drawn on after the last day on which the payer wanted it remembered."""
    return await _drawn(at, row)


def _paid(at: Moment) -> list[tuple[MandateRow, str]]:
    """Return methods with a period that their payer has paid: by another of the payer's methods, if there is one."""
    succeeded = {
        text_of(row.account, row.operation_id)
        for row in at.books.operations
        if row.kind == "charge" and row.outcome == "succeeded"
    }
    paid = [wish for text, wish in at.world.notebook.wishes.items() if text in succeeded and wish.period]
    pairs = [
        (row, wish.period)
        for wish in paid
        for row in _chargeable(at)
        if (row.account, row.payer_reference) == (wish.account, wish.payer)
    ]
    drawn = {wish.mandate_id for wish in paid}
    return [pair for pair in pairs if pair[0].mandate_id not in drawn] or pairs


@_way("paid period", 1, ChargesMandates, of=_paid)
async def paid_period(at: Moment, pair: tuple[MandateRow, str]) -> Did:
    """A period that is paid is charged again."""
    return await _drawn(at, pair[0], period=pair[1])


def _after_lost(at: Moment) -> list[MandateRow]:
    if at.world.process._unwritten:  # noqa: SLF001 - the process knows more than the books, and writes it first
        return []
    notebook = at.world.notebook
    went_out = [row for row in at.books.lost_charges if notebook.sent(row.account, row.operation_id)]
    drawn = {notebook.wishes[text_of(row.account, row.operation_id)].mandate_id for row in went_out}
    return [row for row in _chargeable(at) if row.mandate_id in drawn]


@_way("after a lost one", 2, ChargesMandates, of=_after_lost)
async def after_a_lost_one(at: Moment, row: MandateRow) -> Did:
    """A stored method is drawn on while nobody knows what became of its last draw."""
    return await _drawn(at, row)


@_way("more than agreed", 1, ChargesMandates, of=lambda at: [row for row in _chargeable(at) if row.payment_id])
async def more_than_agreed(at: Moment, row: MandateRow) -> Did:
    """More is drawn than the payer agreed to."""
    return await _drawn(at, row, amount=AGREED + 1)


def _drawable(at: Moment) -> list[MandateRow]:
    return at.mandates(ChargesMandates)


def _chargeable(at: Moment) -> list[MandateRow]:
    return [row for row in _drawable(at) if row.is_chargeable]


async def _drawn(at: Moment, row: MandateRow, *, period: str = "", amount: int = 5_000) -> Did:
    world = at.world
    number = world.notebook.misused = world.notebook.misused + 1
    operation_id = f"{MISUSED}{number}"
    description = text_of(row.account, operation_id)
    charge = partial(world.account(row.account).charge, row.mandate_id, sek(amount), description=description)
    came = await world.tries(lambda: charge(operation_id=operation_id, period=period))
    if came.answered:
        world.notebook.broken.append(f"never twice: {row.mandate_id} was drawn on, and had to be refused")
    return Did(f"{row.mandate_id}: {came}", came.word in {"MandateUnusable", "CeilingReached", "Conflict"})
