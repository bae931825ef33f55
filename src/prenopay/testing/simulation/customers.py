"""What the host's customers do: order, pay or not, answer late, come back from the gateway's page."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from prenopay.accounts.accounts import AsyncAccounts
from prenopay.provider import StoresMandates
from prenopay.testing.gateway import AsksPayers, PayerRefused, Payers, StoredMethods
from prenopay.testing.simulation.books import PaymentRow
from prenopay.testing.simulation.gateways import Place, text_of
from prenopay.testing.simulation.moment import Did, Moment, step
from prenopay.testing.simulation.notebook import Wish
from prenopay.testing.simulation.people import AGREED, PEOPLE, Person, sek
from prenopay.testing.simulation.weather import perhaps
from prenopay.values.mandates import Consent, StoreMethod
from prenopay.values.orders import CaptureMode, Order, OrderLine, PageStyle, Payer

__all__ = ["order"]

_VALID_FOR: Final = timedelta(hours=2)
_BY_PHONE: Final = 0.3
"""How often the gateway asks the payer's phone, where it can: then the payer may be faster than the answer."""


@step("buy", 2, of=lambda at: list(at.world.gateways.places.values()))
async def buy(at: Moment, place: Place) -> Did:
    """A reader orders something, and may have a method stored, in place of an older one now and then."""
    before = [row.order_reference for row in at.books.payments if row.account == place.name]
    person = at.chance.choice(PEOPLE)
    return await order(
        at,
        place,
        person,
        place.capture_mode(at.chance, CaptureMode.AUTOMATIC, CaptureMode.MANUAL),
        reference=at.chance.choice(before) if before and perhaps(at.chance, 0.12) else None,
        store=_store(at, place, person),
        valid_for=_VALID_FOR if perhaps(at.chance, 0.2) else None,
    )


def _store(at: Moment, place: Place, person: Person) -> StoreMethod | None:
    if not (place.has(StoresMandates, StoredMethods) and perhaps(at.chance, 0.5)):
        return None
    now = at.world.clock.now()
    until = at.world.today() + timedelta(days=at.chance.choice((0, 0, 20))) if perhaps(at.chance, 0.4) else None
    consent = Consent(text_version="terms-2026-01", agreed_at=now, channel="web", most=sek(AGREED), until=until)
    whose = place.name, person.reference
    mine = [row for row in at.books.mandates if (row.account, row.payer_reference) == whose and row.is_chargeable]
    replaces = at.chance.choice(mine).mandate_id if mine and perhaps(at.chance, 0.5) else None
    return StoreMethod(consent=consent, replaces=replaces)


async def order(
    at: Moment,
    place: Place,
    person: Person,
    capture: CaptureMode,
    *,
    reference: str | None = None,
    store: StoreMethod | None = None,
    valid_for: timedelta | None = None,
    replaces: str = "",
) -> Did:
    """Have the host order something, in place of the open payment ``replaces`` if one is named."""
    number = at.world.notebook.next_number("authorize", place.name)
    operation_id, amount = f"order:{number}", sek(10_000 + 100 * number + at.chance.randint(1, 99))
    reference = reference or f"K-{number}"
    wanted = replace(
        place.gateway.order(amount),
        description=text_of(place.name, operation_id),
        lines=(OrderLine(name="One month", amount=amount, vat_percent=6),),
        order_reference=reference,
        payer=person.paying(place.gateway.payer()),
        capture=capture,
    )
    if store is not None:
        wanted = _storing(place, wanted, store)
    direct = replace(wanted, page=PageStyle.PHONE, payer=replace(wanted.payer or Payer(), phone=person.phone))
    is_by_phone = store is None and place.has(AsksPayers) and perhaps(at.chance, _BY_PHONE) and place.takes(direct)
    if is_by_phone:
        wanted = direct
    if valid_for is not None and place.takes(brief := replace(wanted, valid_for=valid_for)):
        wanted = brief

    async def ask(process: AsyncAccounts, more: int) -> object:
        account: Any = process[place.name]
        if replaces:
            return await account.replace(replaces, _dearer(wanted, more), operation_id=operation_id)
        return await account.create(_dearer(wanted, more), operation_id=operation_id)

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
        is_by_phone=is_by_phone,
    )
    came = await at.world.asks(wish)
    return Did(f"{place.name} {operation_id} of {wish.amount}: {came}", came.well)


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


def _payable(at: Moment) -> list[PaymentRow]:
    """Return what can be paid, first of all what the books call over."""
    payable = at.world.gateways.payable()
    rows = [row for row in at.books.payments if row.name in payable]
    return [row for row in rows if not row.is_open] * 3 + rows


@step("pay", 10, of=_payable)
async def pay(at: Moment, row: PaymentRow) -> Did:
    """A payer does something with an open payment: mostly pays it."""
    does = at.chance.choices(("pays", "declines", "cancels", "waits", "vanishes"), (12, 2, 1, 4, 1))[0]
    gateway, name = at.world.gateways.places[row.account].gateway, row.name or ""
    try:
        if isinstance(gateway, Payers) and does == "pays":
            gateway.pays_somehow(name, at.chance)
        elif isinstance(gateway, Payers) and does == "cancels":
            gateway.cancels(name)
        else:
            getattr(gateway, "declines" if does == "cancels" else does)(name)
    except PayerRefused as error:
        return Did(f"{row.payment_id} {does}: could not ({error})", well=False)
    return Did(f"{row.payment_id} {does}", does == "pays")


def _unanswered(at: Moment) -> list[tuple[Payers, str]]:
    gateways = at.world.gateways.each(Payers)  # type: ignore[type-abstract]  # an ability
    return [(gateway, name) for gateway in gateways for name in gateway.unanswered()]


@step("answer", 5, Payers, of=_unanswered)
async def answer(at: Moment, waiting: tuple[Payers, str]) -> Did:
    """A payer who left the app or the bank open answers it at last."""
    gateway, name = waiting
    try:
        said = gateway.answers(name, at.chance)
    except PayerRefused as error:
        return Did(f"{name}: could not ({error})", well=False)
    return Did(f"{name}: {'yes' if said else 'no'}", said)


@step("come back", 4, of=lambda at: [row for row in at.books.payments if row.name is not None])
async def come_back(at: Moment, row: PaymentRow) -> Did:
    """The browser comes back from the gateway's page, and the host looks."""
    came = await at.world.tries(lambda: at.world.account(row.account).observe(row.payment_id))
    return Did(f"{row.payment_id}: {came}", came.well)
