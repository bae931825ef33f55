"""What the host's customers do: order, pay or not, answer late, come back from the gateway's page."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Final

from prenopay.testing.control import ControlRefused
from prenopay.testing.emulators.swedbankpay import TEST_CARDS, PayerAnswer
from prenopay.testing.simulation.books import Books, PaymentRow
from prenopay.testing.simulation.gateways import CARD_ACCOUNTS, text_of
from prenopay.testing.simulation.moment import AGREED, PEOPLE, STRANGER, Did, Moment, Person, sek
from prenopay.testing.simulation.notebook import Wish
from prenopay.testing.simulation.process import Process
from prenopay.testing.simulation.weather import perhaps
from prenopay.testing.simulation.world import World
from prenopay.values.mandates import Consent, StoreMethod
from prenopay.values.orders import CaptureMode, Order, OrderLine, Payer

__all__ = ["answer", "buy", "come_back", "order_of", "pay"]

_ASKING: Final = tuple(card for card in TEST_CARDS if card.is_challenged and not card.is_network_token)
_PLAIN: Final = tuple(card for card in TEST_CARDS if not card.is_challenged and card.brand in {"Visa", "MasterCard"})


async def buy(at: Moment) -> Did | None:
    """A reader orders something."""
    world, chance, books = at.world, at.chance, at.books
    account = chance.choice(sorted(world.names))
    number = world.notebook.next_number("authorize", account)
    operation_id = f"order:{number}"
    before = [row.order_reference for row in books.payments if row.account == account]
    reference = chance.choice(before) if before and perhaps(chance, 0.12) else f"K-{number}"
    amount = 10_000 + 100 * number + chance.randint(1, 99)
    is_cards = account in CARD_ACCOUNTS
    capture = chance.choice((CaptureMode.AUTOMATIC, CaptureMode.MANUAL)) if is_cards else CaptureMode.AUTOMATIC
    stores = is_cards and perhaps(chance, 0.6)
    valid_for = timedelta(hours=2) if is_cards and perhaps(chance, 0.2) else None
    person, agreed_at = chance.choice(PEOPLE), world.clock.now()

    async def ask(process: Process, more: int) -> object:
        order = order_of(
            text_of(account, operation_id),
            amount + more,
            reference,
            capture,
            person=person,
            store=_agreed(agreed_at) if stores else None,
            valid_for=valid_for,
        )
        return await process.account(account).create(order, operation_id=operation_id)

    wish = Wish(
        operation_id=operation_id,
        what="authorize",
        account=account,
        ask=ask,
        amount=amount,
        order_reference=reference,
        payer=person.reference,
        is_automatic=capture is CaptureMode.AUTOMATIC,
        stores=stores,
    )
    came = await world.asks(wish)
    return Did(f"{account} {operation_id} of {amount}: {came}", came.well)


def _agreed(at: datetime) -> StoreMethod:
    return StoreMethod(consent=Consent(text_version="terms-2026-01", agreed_at=at, channel="web", most=sek(AGREED)))


def order_of(
    text: str,
    amount: int,
    reference: str,
    capture: CaptureMode,
    *,
    person: Person,
    store: StoreMethod | None = None,
    valid_for: timedelta | None = None,
) -> Order:
    """Return what somebody orders."""
    return Order(
        amount=sek(amount),
        description=text,
        lines=(OrderLine(name="One month", amount=sek(amount), vat_percent=6),),
        order_reference=reference,
        return_url="https://shop.example/return",
        cancel_url="https://shop.example/cancelled",
        capture=capture,
        payer=Payer(
            reference=person.reference,
            first_name=person.first,
            last_name=person.last,
            email=person.email,
            phone=person.phone,
            personal_number=person.personal_number,
        ),
        store=store,
        valid_for=valid_for,
    )


async def pay(at: Moment) -> Did | None:
    """A payer does something with an open payment: mostly pays it."""
    world, chance, books = at.world, at.chance, at.books
    row = _payable(world, chance, books)
    if row is None or row.name is None:
        return None
    does = chance.choices(("approve", "decline", "cancel", "leave", "vanish"), (12, 2, 1, 2, 1))[0]
    try:
        if row.account in CARD_ACCOUNTS:
            _pays_cards(world, chance, row.name, does)
        elif does == "approve":
            world.swish.approve(row.name, msisdn=STRANGER.msisdn)
        elif does in {"decline", "cancel"}:
            world.swish.scan(row.name, STRANGER.msisdn)
            world.swish.decline(row.name)
    except ControlRefused as error:
        return Did(f"{row.payment_id} {does}: could not ({error})", well=False)
    return Did(f"{row.payment_id} {does}", does == "approve")


def _payable(world: World, chance: Random, books: Books) -> PaymentRow | None:
    """Return a payment whose page is open at the gateway, whatever the books say of it."""
    open_pages = world.gateways.open_pages()
    rows = [row for row in books.payments if row.name in open_pages]
    unexpected = [row for row in rows if not row.is_open]
    return chance.choice(unexpected * 3 + rows) if rows else None


def _pays_cards(world: World, chance: Random, name: str, does: str) -> None:
    asked, plain = chance.choice(_ASKING).number, chance.choice(_PLAIN).number
    match does:
        case "approve" if perhaps(chance, 0.2):
            world.cards.pay_by(name, chance.choice(("Swish", "Trustly")), msisdn=STRANGER.phone)
        case "approve":
            world.cards.pay_by_card(name, pan=chance.choice((asked, plain)))
        case "decline":
            world.cards.pay_by_card(name, pan=asked, answer=PayerAnswer.DECLINE)
        case "leave":
            world.cards.pay_by_card(name, pan=asked, answer=PayerAnswer.LEAVE)
        case "cancel":
            world.cards.cancel(name)
        case _:
            world.cards.walk_away(name)


async def answer(at: Moment) -> Did | None:
    """A payer who left the app or the bank open answers it at last."""
    world, chance = at.world, at.chance
    waiting = [order for order in world.cards.orders if order.open_attempts]
    if not waiting:
        return None
    order = chance.choice(waiting)
    said = chance.choice((PayerAnswer.APPROVE, PayerAnswer.APPROVE, PayerAnswer.DECLINE, PayerAnswer.TIME_OUT))
    try:
        world.cards.answer(order.id, said)
    except ControlRefused as error:
        return Did(f"{order.payee_reference} {said}: could not ({error})", well=False)
    return Did(f"{order.payee_reference} {said}", said is PayerAnswer.APPROVE)


async def come_back(at: Moment) -> Did | None:
    """The browser comes back from the gateway's page, and the host looks."""
    world, chance, books = at.world, at.chance, at.books
    rows = [row for row in books.payments if row.name is not None]
    if not rows:
        return None
    row = chance.choice(rows)
    came = await world.tries(lambda: world.process.account(row.account).observe(row.payment_id))
    return Did(f"{row.payment_id}: {came}", came.well)
