"""What the host and its staff ask for: again, capture, refund, cancel, charge, pay out, look after what is stored."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from random import Random
from typing import Final

from prenopay.testing.emulators.swedbankpay import TEST_CARDS, TokenKind
from prenopay.testing.emulators.swish import Status
from prenopay.testing.simulation.books import MandateRow, OperationRow, PaymentRow, remains
from prenopay.testing.simulation.customers import order_of
from prenopay.testing.simulation.gateways import CARD_ACCOUNTS, CARDS, SWISH, text_of
from prenopay.testing.simulation.moment import PEOPLE, STRANGER, Did, Moment, sek
from prenopay.testing.simulation.notebook import Wish
from prenopay.testing.simulation.process import Process
from prenopay.testing.simulation.weather import perhaps
from prenopay.testing.simulation.world import Came, World
from prenopay.values.orders import CaptureMode, OrderLine, PayoutOrder
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
_DECLINES: Final = ("acquirerinsufficientfunds", "acquirererrordonotretry", "acquirercardblacklisted")
_GONE: Final = {"proposed", "deleted", "replaced", "revoked"}
_BLOCKED_FOR: Final = timedelta(days=29)
"""Schemes forbid a card for thirty days; a day is left for clocks that ran on meanwhile."""
_STORED: Final = tuple(card for card in TEST_CARDS if not card.is_challenged and card.brand in {"Visa", "MasterCard"})


async def repeat(at: Moment) -> Did | None:
    """The host repeats what it asked for, under the same operation id."""
    world, chance = at.world, at.chance
    wishes = list(world.notebook.wishes.values())
    failed = [wish for wish in wishes if not wish.answered]
    if not wishes:
        return None
    wish = chance.choice(failed * 3 + wishes)
    came = await world.asks_again(wish)
    return Did(f"{wish.text}: {came}", came.well)


# Payments


async def capture(at: Moment) -> Did | None:
    """Staff take reserved money, in part or whole."""
    world, chance, books = at.world, at.chance, at.books
    rows = [row for row in books.payments if row.account in CARD_ACCOUNTS and row.sums.kept > 0]
    if not rows:
        return None
    row = chance.choice(rows)
    part = chance.randint(1, row.sums.kept) if perhaps(chance, 0.5) else None
    return await _change(world, "capture", row, part)


async def refund(at: Moment) -> Did | None:
    """Staff give money back, in part or whole; now and then a bank refuses it later."""
    world, chance, books = at.world, at.chance, at.books
    rows = [row for row in books.payments if row.captured > row.refunded]
    if not rows:
        return None
    row = chance.choice(rows)
    part = chance.randint(1, row.captured - row.refunded) if perhaps(chance, 0.5) else None
    did = await _change(world, "refund", row, part)
    under_way = [each for each in world.swish.refunds if each.payment == row.name and not each.status.is_final]
    if under_way and perhaps(chance, 0.4):
        world.swish.fail(under_way[-1].id, "RF07")
        return Did(f"{did.said}, refused by the bank", did.well)
    return did


async def cancel(at: Moment) -> Did | None:
    """Staff end a payment before its money is taken."""
    world, chance, books = at.world, at.chance, at.books
    rows = [row for row in books.payments if row.is_open or row.sums.kept > 0]
    return await _change(world, "cancel", chance.choice(rows), None) if rows else None


async def update(at: Moment) -> Did | None:
    """Staff change the amount of a payment nobody has paid yet."""
    world, chance, books = at.world, at.chance, at.books
    rows = [row for row in books.payments if row.account in CARD_ACCOUNTS and row.state == "pending"]
    return await _change(world, "update", chance.choice(rows), 40_000 + chance.randint(1, 900)) if rows else None


async def _change(world: World, what: str, row: PaymentRow, amount: int | None) -> Did:
    operation_id = f"{what}:{world.notebook.next_number(what, row.account)}"

    async def ask(process: Process, more: int) -> object:
        account, text = process.account(row.account), text_of(row.account, operation_id)
        asked = None if amount is None and not more else sek((amount or 0) + more)
        if what == "refund":
            return await account.refund(row.payment_id, asked, operation_id=operation_id, description=text)
        if what == "cancel":
            described = f"{text} {more}" if more else text
            return await account.cancel(row.payment_id, operation_id=operation_id, description=described)
        cards = process.cards[row.account]
        if what == "capture":
            return await cards.capture(row.payment_id, asked, operation_id=operation_id, description=text)
        lines = (OrderLine(name="One month", amount=asked or sek(0), vat_percent=6),)
        return await cards.update(row.payment_id, lines=lines, operation_id=operation_id, description=text)

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


async def end(world: World, chance: Random, row: PaymentRow) -> Did:
    """Staff take what is still reserved, or let it go."""
    return await _change(world, chance.choice(("capture", "cancel")), row, None)


async def replace_link(at: Moment) -> Did | None:
    """Staff put a new payment in the place of an open one."""
    world, chance, books = at.world, at.chance, at.books
    rows = [row for row in books.payments if row.is_open and row.name is not None]
    if not rows:
        return None
    row, person = chance.choice(rows), chance.choice(PEOPLE)
    number = world.notebook.next_number("authorize", row.account)
    operation_id, amount = f"order:{number}", 30_000 + number

    async def ask(process: Process, more: int) -> object:
        text = text_of(row.account, operation_id)
        order = order_of(text, amount + more, f"K-{number}", CaptureMode.AUTOMATIC, person=person)
        return await process.account(row.account).replace(row.payment_id, order, operation_id=operation_id)

    wish = Wish(
        operation_id=operation_id,
        what="authorize",
        account=row.account,
        ask=ask,
        amount=amount,
        order_reference=f"K-{number}",
        payer=person.reference,
        replaces=row.payment_id,
        is_automatic=True,
    )
    came = await world.asks(wish)
    return Did(f"{wish.text} for {row.payment_id}: {came}", came.well)


async def expire(at: Moment) -> Did | None:
    """Staff end a payment that nobody pays."""
    world, chance, books = at.world, at.chance, at.books
    rows = [row for row in books.payments if row.is_open]
    if not rows:
        return None
    lost = [row for row in rows if row.name is None]
    row = chance.choice(lost * 3 + rows)
    came = await world.tries(lambda: world.process.account(row.account).expire(row.payment_id))
    return Did(f"{row.payment_id}: {came}", came.well)


async def resolve(at: Moment) -> Did | None:
    """Staff have an open operation looked up."""
    world, chance, books = at.world, at.chance, at.books
    rows = [row for row in books.operations if row.is_open]
    if not rows:
        return None
    row = chance.choice(rows)
    came = await world.tries(lambda: world.process.account(row.account).resolve(row.operation_id))
    return Did(f"{row.operation_id} of {row.account}: {came}", came.well)


async def settle_by_hand(at: Moment) -> Did | None:
    """A person looks for a lost charge in the gateway's portal, and writes down what is there."""
    world, chance, books = at.world, at.chance, at.books
    rows = [row for row in books.operations if row.kind == "charge" and row.outcome == "unknown"]
    if not rows:
        return None
    row = chance.choice(rows)
    found = _found(world, row)
    came = await world.tries(
        lambda: world.process.account(row.account).settle_by_hand(
            row.operation_id,
            provider_reference=found,
            person="Ann",
            reason="looked in the portal",
        ),
    )
    return Did(f"{row.operation_id}, {'found' if found else 'nothing found'}: {came}", came.answered)


def _found(world: World, row: OperationRow) -> str | None:
    references = world.notebook.references.get(("authorize", text_of(row.account, row.operation_id)), set())
    return next((order.id for order in world.cards.orders if order.payee_reference in references), None)


async def erase(at: Moment) -> Did | None:
    """A reader asks to be forgotten: from then on no table may know who they were."""
    world, chance, books = at.world, at.chance, at.books
    payers: dict[str, str] = {}
    for row in books.operations:
        wish = world.notebook.wishes.get(text_of(row.account, row.operation_id))
        if wish is not None and wish.payer:
            payers[row.payment_id] = wish.payer
    # An order that stores a method is not readable without its payer: who has one is left alone here.
    storing = {wish.payer for wish in world.notebook.wishes.values() if wish.stores}
    people = [each for each in PEOPLE if each.reference in set(payers.values()) - storing]
    if not people:
        return None
    person = chance.choice(people)
    mine = [row for row in books.payments if payers.get(row.payment_id) == person.reference]
    answered = 0
    for payment in mine:
        use_case = partial(world.process.account(payment.account).erase_payer, payment.payment_id)
        answered += (await world.tries(use_case)).answered
    is_whole = answered == len(mine) and not world.weather.is_interrupted
    if is_whole and (left := remains(world.engine, person.secrets, [payment.payment_id for payment in mine])):
        world.notebook.broken.append(f"forgotten: {person.reference} was erased, and {left} know them still")
    return Did(f"{person.reference}, in {answered} of {len(mine)} payments", is_whole)


# Stored cards


async def charge(at: Moment) -> Did | None:
    """The host draws on a stored card for a period; now and then the card is declined."""
    world, chance, books = at.world, at.chance, at.books
    rows = [row for row in books.mandates if row.state in {"active", "expiring"} and row.account in CARD_ACCOUNTS]
    if not rows:
        return None
    row, period = chance.choice(rows), chance.choice(PERIODS)
    if perhaps(chance, 0.25):
        world.cards.decline_next_charge(chance.choice(_DECLINES))
    mode = chance.choice((CaptureMode.AUTOMATIC, CaptureMode.AUTOMATIC, CaptureMode.MANUAL))
    wish = _charging(world, row, period, mode)
    came = await world.asks(wish)
    _remember_block(world, row, came)
    return Did(f"{wish.text} on {row.mandate_id} for {period}: {came}", came.well)


def _charging(world: World, row: MandateRow, period: str, mode: CaptureMode) -> Wish:
    number = world.notebook.next_number("authorize", row.account)
    operation_id, amount = f"charge:{number}", 5_000 + number

    async def ask(process: Process, more: int) -> object:
        return await process.cards[row.account].charge(
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
        is_automatic=mode is CaptureMode.AUTOMATIC,
    )


def _remember_block(world: World, row: MandateRow, came: Came) -> None:
    """Remember what a decline forbids, until a draw on any card of the payer's goes well."""
    blocked = world.notebook.blocked
    if came.well:
        for wish in world.notebook.wishes.values():
            if wish.payer == row.payer_reference:
                blocked.pop(wish.mandate_id, None)
    decline = came.answer.decline if isinstance(came.answer, Operation) else None
    if decline is not None and (decline.advice is Advice.NEVER or decline.code is DeclineCode.DO_NOT_RETRY):
        blocked[row.mandate_id] = world.clock.now() + _BLOCKED_FOR


async def refresh(at: Moment) -> Did | None:
    """The host looks how a reader's stored methods stand."""
    world, chance, books = at.world, at.chance, at.books
    rows = [row for row in books.mandates if row.state not in _GONE and row.account in CARD_ACCOUNTS]
    if not rows:
        return None
    row = chance.choice(rows)
    came = await world.tries(lambda: world.process.cards[row.account].mandates.refresh(row.payer_reference))
    return Did(f"{row.payer_reference} of {row.account}: {came}", came.well)


async def remove(at: Moment) -> Did | None:
    """A reader takes a stored method back."""
    world, chance, books = at.world, at.chance, at.books
    rows = [row for row in books.mandates if row.state not in _GONE and row.account in CARD_ACCOUNTS]
    if not rows:
        return None
    lost = {row.payment_id for row in books.operations if row.kind == "charge" and row.outcome == "unknown"}
    drawn = {wish.mandate_id for wish in world.notebook.wishes.values() if wish.mandate_id and lost}
    row = chance.choice([row for row in rows if row.mandate_id in drawn] * 3 + rows)
    came = await world.tries(
        lambda: world.process.cards[row.account].mandates.remove(row.mandate_id, reason="the reader left"),
    )
    return Did(f"{row.mandate_id}: {came}", came.answered)


async def take_over(at: Moment) -> Did | None:
    """The host takes over cards that another system stored."""
    world, chance = at.world, at.chance
    if CARDS not in world.names:
        return None
    person, card = chance.choice(PEOPLE), chance.choice(_STORED)
    stored = world.cards.store_card(person.reference, kind=TokenKind.UNSCHEDULED, pan=card.number)
    text = (
        "payer_reference,kind,token,display,text_version,agreed_at\n"
        f"{person.reference},unscheduled,{stored.token},{card.brand} {card.number[-4:]},terms-2025-01,"
        f"{world.clock.now().isoformat()}\n"
    )
    came = await world.tries(lambda: world.process.cards[CARDS].mandates.take_over(text))
    return Did(f"a card of {person.reference}: {came}", came.well)


# Payouts


async def pay_out(at: Moment) -> Did | None:
    """The host sends somebody money."""
    world, chance = at.world, at.chance
    if world.process.swish is None:
        return None
    number = world.notebook.next_number("pay out", SWISH)
    operation_id, amount = f"out:{number}", 40_000 + number

    async def ask(process: Process, more: int) -> object:
        assert process.swish is not None, "only Swish pays out"
        order = PayoutOrder(
            amount=sek(amount + more),
            payee_phone=STRANGER.phone,
            payee_personal_number=STRANGER.personal_number,
            description=text_of(SWISH, operation_id),
            reference=f"WON-{number}",
        )
        return await process.swish.pay_out(order, operation_id=operation_id)

    wish = Wish(operation_id=operation_id, what="pay out", account=SWISH, ask=ask, amount=amount)
    came = await world.asks(wish)
    under_way = [each for each in world.swish.payouts if each.status is Status.CREATED]
    if under_way and perhaps(chance, 0.2):
        world.swish.fail(under_way[-1].id, "RF07")
    return Did(f"{wish.text}: {came}", came.well)
