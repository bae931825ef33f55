"""What the host's customers do: order, pay or not, answer late, come back from the gateway's page."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

from prenopay.accounts.accounts import AsyncAccounts
from prenopay.provider import StoresMandates
from prenopay.testing.gateway import PayerRefused, Payers, StoredMethods
from prenopay.testing.simulation.gateways import Place, text_of
from prenopay.testing.simulation.notebook import Wish
from prenopay.testing.simulation.people import AGREED, PEOPLE, Person, sek
from prenopay.testing.simulation.weather import perhaps
from prenopay.testing.simulation.world import Did, Moment, World
from prenopay.values.mandates import Consent, StoreMethod
from prenopay.values.orders import CaptureMode, Order, OrderLine

__all__ = ["answer", "buy", "come_back", "order", "pay"]

_VALID_FOR = timedelta(hours=2)


async def buy(at: Moment) -> Did | None:
    """A reader orders something, and may have a method stored, in place of an older one now and then."""
    world, chance, books = at.world, at.chance, at.books
    place = chance.choice(list(world.gateways.places.values()))
    before = [row.order_reference for row in books.payments if row.account == place.name]
    reference = chance.choice(before) if before and perhaps(chance, 0.12) else None
    person, capture = chance.choice(PEOPLE), place.capture_mode(chance, CaptureMode.AUTOMATIC, CaptureMode.MANUAL)
    store = _store(at, place, person)
    return await order(
        world,
        place,
        chance,
        reference=reference,
        person=person,
        capture=capture,
        store=store,
        valid_for=_VALID_FOR if perhaps(chance, 0.2) else None,
    )


def _store(at: Moment, place: Place, person: Person) -> StoreMethod | None:
    if not (place.has(StoresMandates, StoredMethods) and perhaps(at.chance, 0.6)):
        return None
    now = at.world.clock.now()
    until = now.date() + timedelta(days=at.chance.choice((1, 20))) if perhaps(at.chance, 0.2) else None
    mine = [
        row.mandate_id
        for row in at.books.mandates
        if (row.account, row.payer_reference) == (place.name, person.reference) and row.is_chargeable
    ]
    return StoreMethod(
        consent=_agreed(now, until), replaces=at.chance.choice(mine) if mine and perhaps(at.chance, 0.3) else None
    )


def _agreed(at: datetime, until: date | None) -> Consent:
    return Consent(text_version="terms-2026-01", agreed_at=at, channel="web", most=sek(AGREED), until=until)


async def order(
    world: World,
    place: Place,
    chance: Random,
    *,
    person: Person,
    capture: CaptureMode,
    reference: str | None = None,
    store: StoreMethod | None = None,
    valid_for: timedelta | None = None,
    replaces: str = "",
) -> Did:
    """Have the host order something, in place of the open payment ``replaces`` if one is named."""
    number = world.notebook.next_number("authorize", place.name)
    operation_id, text = f"order:{number}", text_of(place.name, f"order:{number}")
    reference = reference or f"K-{number}"
    amount = 10_000 + 100 * number + chance.randint(1, 99)
    wanted = _order(place, amount, text=text, reference=reference, person=person, capture=capture)
    if store is not None:
        wanted = _storing(place, wanted, store)
    if valid_for is not None and place.takes(longer := replace(wanted, valid_for=valid_for)):
        wanted = longer

    async def ask(process: AsyncAccounts, more: int) -> object:
        asked = _dearer(wanted, more)
        if replaces:
            account: Any = process[place.name]
            return await account.replace(replaces, asked, operation_id=operation_id)
        return await process[place.name].create(asked, operation_id=operation_id)

    wish = Wish(
        operation_id=operation_id,
        what="authorize",
        account=place.name,
        ask=ask,
        amount=wanted.amount.minor,
        order_reference=reference,
        payer=person.reference,
        replaces=replaces,
        until=None if store is None else store.consent.until,
        stores=wanted.store is not None,
    )
    came = await world.asks(wish)
    return Did(f"{place.name} {operation_id} of {wish.amount}: {came}", came.well)


def _order(place: Place, amount: int, *, text: str, reference: str, person: Person, capture: CaptureMode) -> Order:
    gateway = place.gateway
    return replace(
        gateway.order(sek(amount)),
        description=text,
        lines=(OrderLine(name="One month", amount=sek(amount), vat_percent=6),),
        order_reference=reference,
        payer=person.paying(gateway.payer()),
        capture=capture,
    )


def _storing(place: Place, wanted: Order, store: StoreMethod) -> Order:
    """Return the order with the payer's method stored: of nothing, where methods are stored without a purchase."""
    assert isinstance(place.gateway, StoredMethods), "asked for only there"
    apart = place.gateway.storing_order()
    if apart is None or apart.store is None:
        return replace(wanted, store=store)
    return replace(
        apart,
        description=wanted.description,
        order_reference=wanted.order_reference,
        payer=wanted.payer,
        store=replace(apart.store, consent=store.consent, replaces=store.replaces),
    )


def _dearer(wanted: Order, more: int) -> Order:
    """Return another order: dearer by ``more``, or of nothing with another text."""
    if not more:
        return wanted
    if not wanted.amount:
        return replace(wanted, description=f"{wanted.description} {more}")
    amount = wanted.amount + sek(more)
    return replace(wanted, amount=amount, lines=tuple(replace(line, amount=amount) for line in wanted.lines))


async def pay(at: Moment) -> Did | None:
    """A payer does something with an open payment, whatever the books say of it: mostly pays it."""
    world, chance = at.world, at.chance
    payable = world.gateways.payable()
    rows = [row for row in at.books.payments if row.name in payable]
    if not rows:
        return None
    row = chance.choice([row for row in rows if not row.is_open] * 3 + rows)
    does = chance.choices(("pays", "declines", "cancels", "waits", "vanishes"), (12, 2, 1, 2, 1))[0]
    try:
        _does(world.gateways.places[row.account], row.name or "", does, chance)
    except PayerRefused as error:
        return Did(f"{row.payment_id} {does}: could not ({error})", well=False)
    return Did(f"{row.payment_id} {does}", does == "pays")


def _does(place: Place, name: str, does: str, chance: Random) -> None:
    gateway = place.gateway
    if isinstance(gateway, Payers) and does == "pays":
        gateway.pays_somehow(name, chance)
    elif isinstance(gateway, Payers) and does == "cancels":
        gateway.cancels(name)
    else:
        getattr(gateway, "declines" if does == "cancels" else does)(name)


async def answer(at: Moment) -> Did | None:
    """A payer who left the app or the bank open answers it at last."""
    chance = at.chance
    waiting = [
        (gateway, name)
        for gateway in at.world.gateways.each(Payers)  # type: ignore[type-abstract]  # an ability
        for name in gateway.unanswered()
    ]
    if not waiting:
        return None
    gateway, name = chance.choice(waiting)
    try:
        said = gateway.answers(name, chance)
    except PayerRefused as error:
        return Did(f"{name}: could not ({error})", well=False)
    return Did(f"{name}: {'yes' if said else 'no'}", said)


async def come_back(at: Moment) -> Did | None:
    """The browser comes back from the gateway's page, and the host looks."""
    world = at.world
    rows = [row for row in at.books.payments if row.name is not None]
    if not rows:
        return None
    row = at.chance.choice(rows)
    came = await world.tries(lambda: world.account(row.account).observe(row.payment_id))
    return Did(f"{row.payment_id}: {came}", came.well)
