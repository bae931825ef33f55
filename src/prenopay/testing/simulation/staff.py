"""What the host and its staff ask for: again, capture, refund, cancel, charge, pay out, look after what is stored."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any, Final

from prenopay.accounts.accounts import AsyncAccounts
from prenopay.provider import (
    Cancels,
    Captures,
    ChargesMandates,
    PaysOut,
    Refunds,
    StoresMandates,
    Updates,
)
from prenopay.testing.gateway import Banks, OldMethods, Payouts, StoredMethods
from prenopay.testing.simulation import customers
from prenopay.testing.simulation.books import MandateRow, OperationRow, PaymentRow, remains
from prenopay.testing.simulation.gateways import text_of
from prenopay.testing.simulation.notebook import Wish
from prenopay.testing.simulation.people import PEOPLE, STRANGER, sek
from prenopay.testing.simulation.weather import perhaps
from prenopay.testing.simulation.world import Came, Did, Moment, World
from prenopay.values.orders import CaptureMode, OrderLine
from prenopay.values.payments import Advice, DeclineCode, Operation

__all__ = [
    "PERIODS",
    "cancel",
    "capture",
    "charge",
    "end",
    "erase",
    "expire",
    "pay_out",
    "refresh",
    "refund",
    "remove",
    "repeat",
    "replace_link",
    "resolve",
    "settle_by_hand",
    "take_over",
    "update",
]

PERIODS: Final = ("2026-01", "2026-02")
_EXPIRE: Final = ("", "", "2026-01", "2026-03", "2027-12")
"""When cards of another system expire: some of them within every life, which begins in January 2026."""
_BLOCKED_FOR: Final = timedelta(days=29)
"""Schemes forbid a card for thirty days; a day is left for clocks that ran on meanwhile."""
_AUTOMATIC_MOSTLY: Final = (CaptureMode.AUTOMATIC, CaptureMode.AUTOMATIC, CaptureMode.MANUAL)


async def repeat(at: Moment) -> Did | None:
    """The host repeats what it asked for, under the same operation id."""
    world = at.world
    wishes = list(world.notebook.wishes.values())
    if not wishes:
        return None
    wish = at.chance.choice([wish for wish in wishes if not wish.answered] * 3 + wishes)
    came = await world.asks_again(wish)
    return Did(f"{wish.text}: {came}", came.well)


# Payments


async def capture(at: Moment) -> Did | None:
    """Staff take reserved money, in part or whole."""
    rows = [row for row in _at(at, Captures) if row.totals.kept > 0]
    if not rows:
        return None
    row = at.chance.choice(rows)
    return await _change(at.world, "capture", row, _part(at.chance, row.totals.kept))


async def refund(at: Moment) -> Did | None:
    """Staff give money back, in part or whole; now and then a bank refuses it later."""
    rows = [row for row in _at(at, Refunds) if row.captured > row.refunded]
    if not rows:
        return None
    row = at.chance.choice(rows)
    did = await _change(at.world, "refund", row, _part(at.chance, row.captured - row.refunded))
    gateway = at.world.gateways.places[row.account].gateway
    if isinstance(gateway, Banks) and perhaps(at.chance, 0.4) and gateway.refuses_refund(row.name or ""):
        return Did(f"{did.said}, refused by the bank", did.well)
    return did


async def cancel(at: Moment) -> Did | None:
    """Staff end a payment before its money is taken."""
    rows = [row for row in _at(at, Cancels) if row.is_open or row.totals.kept > 0]
    return await _change(at.world, "cancel", at.chance.choice(rows), None) if rows else None


async def update(at: Moment) -> Did | None:
    """Staff change the amount of a payment nobody has paid yet."""
    rows = [row for row in _at(at, Updates) if row.state == "pending" and row.amount]
    return (
        await _change(at.world, "update", at.chance.choice(rows), 40_000 + at.chance.randint(1, 900)) if rows else None
    )


async def end(world: World, chance: Random, row: PaymentRow) -> Did:
    """Staff take what is still reserved, or let it go."""
    return await _change(world, chance.choice(("capture", "cancel")), row, None)


def _at(at: Moment, verb: type) -> list[PaymentRow]:
    """Return the payments at gateways that have ``verb``."""
    places = {place.name for place in at.world.gateways.having(verb)}
    return [row for row in at.books.payments if row.account in places]


def _part(chance: Random, most: int) -> int | None:
    return chance.randint(1, most) if perhaps(chance, 0.5) else None


async def _change(world: World, what: str, row: PaymentRow, amount: int | None) -> Did:
    operation_id = f"{what}:{world.notebook.next_number(what, row.account)}"
    text = text_of(row.account, operation_id)

    async def ask(process: AsyncAccounts, more: int) -> object:
        account: Any = process[row.account]
        asked = None if amount is None and not more else sek((amount or 0) + more)
        change = partial(getattr(account, what), row.payment_id, operation_id=operation_id)
        match what:
            case "cancel":
                return await change(description=f"{text} {more}" if more else text)
            case "update":
                lines = (OrderLine(name="One month", amount=asked or sek(0), vat_percent=6),)
                return await change(lines=lines, description=text)
            case _:
                return await change(asked, description=text)

    wish = Wish(
        operation_id=operation_id,
        what=what,
        account=row.account,
        ask=ask,
        amount=amount,
        payment_id=row.payment_id,
    )
    came = await world.asks(wish)
    return Did(f"{wish.text} of {row.payment_id}, {amount}: {came}", came.well)


async def replace_link(at: Moment) -> Did | None:
    """Staff put a new payment in the place of an open one."""
    rows = [row for row in _at(at, Cancels) if row.is_open and row.name is not None]
    if not rows:
        return None
    row = at.chance.choice(rows)
    return await customers.order(
        at.world,
        at.world.gateways.places[row.account],
        at.chance,
        person=at.chance.choice(PEOPLE),
        capture=CaptureMode.AUTOMATIC,
        replaces=row.payment_id,
    )


async def expire(at: Moment) -> Did | None:
    """Staff end a payment that nobody pays."""
    world = at.world
    rows = [row for row in at.books.payments if row.is_open]
    if not rows:
        return None
    row = at.chance.choice([row for row in rows if row.name is None] * 3 + rows)
    came = await world.tries(lambda: world.account(row.account).expire(row.payment_id))
    return Did(f"{row.payment_id}: {came}", came.well)


async def resolve(at: Moment) -> Did | None:
    """Staff have an open operation looked up."""
    world = at.world
    rows = [row for row in at.books.operations if row.is_open]
    if not rows:
        return None
    row = at.chance.choice(rows)
    came = await world.tries(lambda: world.account(row.account).resolve(row.operation_id))
    return Did(f"{row.operation_id} of {row.account}: {came}", came.well)


async def settle_by_hand(at: Moment) -> Did | None:
    """A person looks for a lost charge in the gateway's portal, and writes down what is there."""
    world, rows = at.world, at.books.lost_charges
    if not rows:
        return None
    row = at.chance.choice(rows)
    found = _found(world, row)
    came = await world.tries(
        lambda: world.account(row.account).settle_by_hand(
            row.operation_id,
            provider_reference=found,
            person="Ann",
            reason="looked in the portal",
        ),
    )
    return Did(f"{row.operation_id}, {'found' if found else 'nothing found'}: {came}", came.answered)


def _found(world: World, row: OperationRow) -> str | None:
    history = world.gateways.places[row.account].history
    names = (history.find(reference) for reference in sorted(world.notebook.sent(row.account, row.operation_id)))
    return next(filter(None, names), None)


async def erase(at: Moment) -> Did | None:
    """A reader asks to be forgotten: from then on no table may know who they were."""
    world, chance, books = at.world, at.chance, at.books
    payers: dict[str, str] = {}
    for row in books.operations:
        wish = world.notebook.wishes.get(text_of(row.account, row.operation_id))
        if wish is not None and wish.payer:
            payers[row.subject_id] = wish.payer
    # An order that stores a method is not readable without its payer: who has one is left alone here.
    storing = {wish.payer for wish in world.notebook.wishes.values() if wish.stores}
    people = [each for each in PEOPLE if each.reference in set(payers.values()) - storing]
    if not people:
        return None
    person = chance.choice(people)
    mine = [row for row in books.payments if payers.get(row.payment_id) == person.reference]
    answered = 0
    for payment in mine:
        use_case = partial(world.account(payment.account).erase_payer, payment.payment_id)
        answered += (await world.tries(use_case)).answered
    is_whole = answered == len(mine) and not world.weather.is_interrupted
    if is_whole and (left := remains(world.engine, person.secrets, [payment.payment_id for payment in mine])):
        world.notebook.broken.append(f"forgotten: {person.reference} was erased, and {left} know them still")
    return Did(f"{person.reference}, in {answered} of {len(mine)} payments", is_whole)


# Stored methods


async def charge(at: Moment) -> Did | None:
    """The host draws on a stored method for a period; now and then the draw is declined."""
    world, chance = at.world, at.chance
    rows = [row for row in _stored(at, ChargesMandates) if row.is_chargeable]
    if not rows:
        return None
    row, period = chance.choice(rows), chance.choice(PERIODS)
    place = world.gateways.places[row.account]
    if isinstance(place.gateway, StoredMethods) and perhaps(chance, 0.25):
        place.gateway.decline_next_charge(chance)
    wish = _charging(world, row, period, place.capture_mode(chance, *_AUTOMATIC_MOSTLY))
    came = await world.asks(wish)
    _remember_block(world, row, came)
    return Did(f"{wish.text} on {row.mandate_id} for {period}: {came}", came.well)


def _stored(at: Moment, verb: type) -> list[MandateRow]:
    """Return the stored methods at gateways that have ``verb``."""
    places = {place.name for place in at.world.gateways.having(verb)}
    return [row for row in at.books.mandates if row.account in places]


def _charging(world: World, row: MandateRow, period: str, mode: CaptureMode) -> Wish:
    number = world.notebook.next_number("authorize", row.account)
    operation_id, amount = f"charge:{number}", 5_000 + number

    async def ask(process: AsyncAccounts, more: int) -> object:
        account: Any = process[row.account]
        return await account.charge(
            row.mandate_id,
            sek(amount + more),
            operation_id=operation_id,
            description=text_of(row.account, operation_id),
            order_reference=f"C-{number}",
            period=period,
            capture=mode,
        )

    return Wish(
        operation_id=operation_id,
        what="authorize",
        account=row.account,
        ask=ask,
        amount=amount,
        order_reference=f"C-{number}",
        payer=row.payer_reference,
        mandate_id=row.mandate_id,
        period=period,
    )


def _remember_block(world: World, row: MandateRow, came: Came) -> None:
    """Remember what a decline forbids, until a draw on any method of the payer's goes well."""
    blocked = world.notebook.blocked
    if came.well:
        for wish in world.notebook.wishes.values():
            if wish.payer == row.payer_reference:
                blocked.pop(wish.mandate_id, None)
    decline = came.answer.decline if isinstance(came.answer, Operation) else None
    if decline is not None and (decline.advice is Advice.NEVER or decline.code is DeclineCode.DO_NOT_RETRY):
        blocked[row.mandate_id] = world.clock.now() + _BLOCKED_FOR


async def refresh(at: Moment) -> Did | None:
    """The host looks how a reader's stored methods are."""
    world = at.world
    rows = [row for row in _stored(at, StoresMandates) if row.state != "proposed" and not row.has_ended]
    if not rows:
        return None
    row = at.chance.choice(rows)
    came = await world.tries(lambda: world.account(row.account).mandates.refresh(row.payer_reference))
    return Did(f"{row.payer_reference} of {row.account}: {came}", came.well)


async def remove(at: Moment) -> Did | None:
    """A reader takes a stored method back."""
    world = at.world
    rows = [row for row in _stored(at, StoresMandates) if row.state != "proposed" and not row.has_ended]
    if not rows:
        return None
    drawn = {wish.mandate_id for wish in world.notebook.wishes.values() if wish.mandate_id and at.books.lost_charges}
    row = at.chance.choice([row for row in rows if row.mandate_id in drawn] * 3 + rows)
    came = await world.tries(
        lambda: world.account(row.account).mandates.remove(row.mandate_id, reason="the reader left"),
    )
    return Did(f"{row.mandate_id}: {came}", came.answered)


async def take_over(at: Moment) -> Did | None:
    """The host takes over methods that another system stored."""
    world, chance = at.world, at.chance
    gateways = world.gateways.each(OldMethods)  # type: ignore[type-abstract]  # an ability
    if not gateways:
        return None
    person = chance.choice(PEOPLE)
    old = chance.choice(gateways).store_method(person.reference, chance)
    text = (
        "payer_reference,kind,token,display,expires,text_version,agreed_at\n"
        f"{person.reference},{old.kind.value},{old.token},{old.display},{chance.choice(_EXPIRE)},terms-2025-01,"
        f"{world.clock.now().isoformat()}\n"
    )
    came = await world.tries(lambda: world.account(old.account).mandates.take_over(text))
    return Did(f"a method of {person.reference}: {came}", came.well)


# Payouts


async def pay_out(at: Moment) -> Did | None:
    """The host sends somebody money."""
    world, chance = at.world, at.chance
    places = world.gateways.having(PaysOut, Payouts)
    if not places:
        return None
    place = chance.choice(places)
    gateway: Any = place.gateway
    number = world.notebook.next_number("pay out", place.name)
    operation_id, amount = f"out:{number}", 40_000 + number
    order = replace(
        gateway.payout_order(sek(amount)),
        payee_phone=STRANGER.phone,
        payee_personal_number=STRANGER.personal_number,
        description=text_of(place.name, operation_id),
        reference=f"WON-{number}",
    )

    async def ask(process: AsyncAccounts, more: int) -> object:
        account: Any = process[place.name]
        return await account.pay_out(replace(order, amount=sek(amount + more)), operation_id=operation_id)

    wish = Wish(operation_id=operation_id, what="pay out", account=place.name, ask=ask, amount=amount)
    came = await world.asks(wish)
    if isinstance(gateway, Banks) and perhaps(chance, 0.2):
        gateway.refuses_payout()
    return Did(f"{wish.text}: {came}", came.well)
