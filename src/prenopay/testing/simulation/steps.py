"""What can happen in one step: by the host's customers, its staff, the gateway, time, and the machine.

Every step takes the world as it finds it and its own chance; it says what it did, or ``None`` where it
could do nothing. So a schedule from which steps were taken out is still a schedule.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Final, TypeAlias

from prenopay.mandates import Consent, StoreMethod
from prenopay.money import Money
from prenopay.orders import CaptureMode, Order, OrderLine, Payer, PayoutOrder
from prenopay.testing.emulators.callbacks import Manner
from prenopay.testing.emulators.control import ControlRefused
from prenopay.testing.emulators.exchange import EmulatorRequest
from prenopay.testing.emulators.swedbankpay import DEFAULT_ACCESS_TOKEN, TEST_CARDS, PayerAnswer
from prenopay.testing.simulation.books import Books, PaymentRow
from prenopay.testing.simulation.gateways import CARDS, SWISH
from prenopay.testing.simulation.notebook import Wish
from prenopay.testing.simulation.process import Process
from prenopay.testing.simulation.weather import perhaps
from prenopay.testing.simulation.world import World

__all__ = [
    "PERSON",
    "STEPS",
    "Moment",
    "Step",
    "answer",
    "buy",
    "callbacks",
    "cancel",
    "capture",
    "charge",
    "come_back",
    "end",
    "expire",
    "forge",
    "happen",
    "look_after_cards",
    "meanwhile",
    "pay",
    "pay_out",
    "portal",
    "refund",
    "repeat",
    "replace_link",
    "resolve",
    "restart",
    "settle_by_hand",
    "sweep",
    "tamper",
    "time",
    "update",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When a step is taken: the world, the step's own chance, and the books as they stand."""

    world: World
    chance: Random
    books: Books


Step: TypeAlias = Callable[[Moment], Awaitable[str | None]]

PERSON: Final = ("Leia", "Ahlström", "leia@example.com", "+46739000001", "199710202392")
"""Who pays: an invented person with published test numbers. None of it may ever be seen in a log."""
_ASKING: Final = tuple(card for card in TEST_CARDS if card.is_challenged and not card.is_network_token)
_PLAIN: Final = tuple(card for card in TEST_CARDS if not card.is_challenged and card.brand in {"Visa", "MasterCard"})
_LEANINGS: Final = (0.25, 1, 1, 5)
_PERIODS: Final = ("2026-01", "2026-02")
_PAUSES: Final = (2, 20, 120, 700, 3_000, 20_000, 100_000, 300_000, 2_600_000)
"""In seconds: from a moment to a month in which nobody swept."""
_DECLINES: Final = ("acquirerinsufficientfunds", "acquirererrordonotretry", "acquirercardblacklisted")


def _sek(minor: int) -> Money:
    return Money(minor, "SEK")


# The host's customers


async def buy(at: Moment) -> str | None:
    """A reader orders something."""
    world, chance, books = at.world, at.chance, at.books
    account = chance.choice(sorted(world.names))
    number = sum(wish.what == "authorize" for wish in world.notebook.wishes.values()) + 1
    operation_id = f"order:{number}"
    paid_before = [row.order_reference for row in books.payments if row.account == account]
    again = bool(paid_before) and perhaps(chance, 0.12)
    reference = chance.choice(paid_before) if again else f"K-{number}"
    amount = 10_000 + 100 * number + chance.randint(1, 99)
    capture = chance.choice((CaptureMode.AUTOMATIC, CaptureMode.MANUAL)) if account == CARDS else CaptureMode.AUTOMATIC
    stores = account == CARDS and perhaps(chance, 0.6)
    valid_for = timedelta(hours=2) if account == CARDS and perhaps(chance, 0.2) else None
    order = _order(world, operation_id, amount, reference, capture, stores=stores, valid_for=valid_for)

    async def ask(process: Process) -> object:
        return await process.account(account).create(order, operation_id=operation_id)

    wish = Wish(
        operation_id=operation_id,
        what="authorize",
        account=account,
        ask=ask,
        amount=amount,
        order_reference=reference,
        is_automatic=capture is CaptureMode.AUTOMATIC,
    )
    return f"{account} {operation_id} of {amount}: {await world.asks(wish)}"


def _order(
    world: World,
    operation_id: str,
    amount: int,
    reference: str,
    capture: CaptureMode,
    *,
    stores: bool,
    valid_for: timedelta | None,
) -> Order:
    first, last, email, phone, personal_number = PERSON
    consent = Consent(text_version="terms-2026-01", agreed_at=world.clock.now(), channel="web")
    return Order(
        amount=_sek(amount),
        description=operation_id,
        lines=(OrderLine(name="One month", amount=_sek(amount), vat_percent=6),),
        order_reference=reference,
        return_url="https://shop.example/return",
        cancel_url="https://shop.example/cancelled",
        capture=capture,
        payer=Payer(
            reference=f"R-{operation_id.replace(':', '-')}",
            first_name=first,
            last_name=last,
            email=email,
            phone=phone,
            personal_number=personal_number,
        ),
        store=StoreMethod(consent=consent) if stores else None,
        valid_for=valid_for,
    )


async def pay(at: Moment) -> str | None:
    """A payer does something with an open payment: mostly pays it."""
    world, chance, books = at.world, at.chance, at.books
    row = _payable(world, chance, books)
    if row is None or row.name is None:
        return None
    does = chance.choices(("approve", "decline", "cancel", "leave", "vanish"), (12, 2, 1, 2, 1))[0]
    try:
        if row.account == CARDS:
            _pays_cards(world, chance, row.name, does)
        elif does == "approve":
            world.swish.approve(row.name, msisdn=PERSON[3].removeprefix("+"))
        elif does in {"decline", "cancel"}:
            world.swish.scan(row.name, PERSON[3].removeprefix("+"))
            world.swish.decline(row.name)
    except ControlRefused as error:
        return f"{row.payment_id} {does}: could not ({error})"
    return f"{row.payment_id} {does}"


def _payable(world: World, chance: Random, books: Books) -> PaymentRow | None:
    """Return a payment whose page is open at the gateway, whatever the books say of it."""
    sums = world.gateways.sums()
    rows = [row for row in books.payments if row.name in sums and not sums[row.name].authorized]
    unexpected = [row for row in rows if not row.is_open]
    return chance.choice(unexpected * 3 + rows) if rows else None


def _pays_cards(world: World, chance: Random, name: str, does: str) -> None:
    asked, plain = chance.choice(_ASKING).number, chance.choice(_PLAIN).number
    match does:
        case "approve" if perhaps(chance, 0.2):
            world.cards.pay_by(name, chance.choice(("Swish", "Trustly")), msisdn=PERSON[3])
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


async def answer(at: Moment) -> str | None:
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
        return f"{order.payee_reference} {said}: could not ({error})"
    return f"{order.payee_reference} {said}"


async def come_back(at: Moment) -> str | None:
    """The browser comes back from the gateway's page, and the host looks."""
    world, chance, books = at.world, at.chance, at.books
    rows = [row for row in books.payments if row.name is not None]
    if not rows:
        return None
    row = chance.choice(rows)
    word = await world.tries(lambda: world.process.account(row.account).observe(row.payment_id))
    return f"{row.payment_id}: {word}"


# The host


async def repeat(at: Moment) -> str | None:
    """The host repeats what it asked for, under the same operation id."""
    world, chance = at.world, at.chance
    wishes = list(world.notebook.wishes.values())
    failed = [wish for wish in wishes if not wish.answered]
    if not wishes:
        return None
    wish = chance.choice(failed * 3 + wishes)
    return f"{wish.operation_id}: {await world.asks_again(wish)}"


async def capture(at: Moment) -> str | None:
    """Staff take reserved money, in part or whole."""
    world, chance, books = at.world, at.chance, at.books
    rows = [row for row in books.payments if row.account == CARDS and row.sums.kept > 0]
    if not rows:
        return None
    row = chance.choice(rows)
    part = chance.randint(1, row.sums.kept) if perhaps(chance, 0.5) else None
    return await _change(world, "capture", row, part)


async def refund(at: Moment) -> str | None:
    """Staff give money back, in part or whole."""
    world, chance, books = at.world, at.chance, at.books
    rows = [row for row in books.payments if row.captured > row.refunded]
    if not rows:
        return None
    row = chance.choice(rows)
    part = chance.randint(1, row.captured - row.refunded) if perhaps(chance, 0.5) else None
    return await _change(world, "refund", row, part)


async def cancel(at: Moment) -> str | None:
    """Staff end a payment before its money is taken."""
    world, chance, books = at.world, at.chance, at.books
    rows = [row for row in books.payments if row.is_open or row.sums.kept > 0]
    return await _change(world, "cancel", chance.choice(rows), None) if rows else None


async def update(at: Moment) -> str | None:
    """Staff change the amount of a payment nobody has paid yet."""
    world, chance, books = at.world, at.chance, at.books
    rows = [row for row in books.payments if row.account == CARDS and row.state == "pending"]
    return await _change(world, "update", chance.choice(rows), 20_000 + chance.randint(1, 900)) if rows else None


async def _change(world: World, what: str, row: PaymentRow, amount: int | None) -> str:
    number = sum(wish.what == what for wish in world.notebook.wishes.values()) + 1
    operation_id, money = f"{what}:{number}", None if amount is None else _sek(amount)

    async def ask(process: Process) -> object:
        account = process.account(row.account)
        if what == "refund":
            return await account.refund(row.payment_id, money, operation_id=operation_id, description=operation_id)
        if what == "cancel":
            return await account.cancel(row.payment_id, operation_id=operation_id, description=operation_id)
        cards = process.cards
        assert cards is not None, "only cards are captured and updated"
        change = cards.capture if what == "capture" else cards.update
        return await change(row.payment_id, money, operation_id=operation_id, description=operation_id)

    wish = Wish(
        operation_id=operation_id,
        what=what,
        account=row.account,
        ask=ask,
        amount=amount,
        payment_id=row.payment_id,
    )
    return f"{operation_id} of {row.payment_id}, {amount}: {await world.asks(wish)}"


async def end(world: World, chance: Random, row: PaymentRow) -> str:
    """Staff take what is still reserved, or let it go."""
    return await _change(world, chance.choice(("capture", "cancel")), row, None)


async def replace_link(at: Moment) -> str | None:
    """Staff put a new payment in the place of an open one."""
    world, chance, books = at.world, at.chance, at.books
    rows = [row for row in books.payments if row.is_open and row.name is not None]
    if not rows:
        return None
    row = chance.choice(rows)
    number = sum(wish.what == "authorize" for wish in world.notebook.wishes.values()) + 1
    operation_id, amount = f"order:{number}", 30_000 + number
    order = _order(
        world,
        operation_id,
        amount,
        f"K-{number}",
        CaptureMode.AUTOMATIC,
        stores=False,
        valid_for=None,
    )

    async def ask(process: Process) -> object:
        return await process.account(row.account).replace(row.payment_id, order, operation_id=operation_id)

    wish = Wish(
        operation_id=operation_id,
        what="authorize",
        account=row.account,
        ask=ask,
        amount=amount,
        order_reference=f"K-{number}",
        is_automatic=True,
    )
    return f"{operation_id} for {row.payment_id}: {await world.asks(wish)}"


async def expire(at: Moment) -> str | None:
    """Staff end a payment that nobody pays."""
    world, chance, books = at.world, at.chance, at.books
    rows = [row for row in books.payments if row.is_open]
    if not rows:
        return None
    lost = [row for row in rows if row.name is None]
    row = chance.choice(lost * 3 + rows)
    word = await world.tries(lambda: world.process.account(row.account).expire(row.payment_id))
    return f"{row.payment_id}: {word}"


async def resolve(at: Moment) -> str | None:
    """Staff have an open operation looked up."""
    world, chance, books = at.world, at.chance, at.books
    rows = [row for row in books.operations if row.is_open]
    if not rows:
        return None
    row = chance.choice(rows)
    word = await world.tries(lambda: world.process.account(row.account).resolve(row.operation_id))
    return f"{row.operation_id}: {word}"


async def settle_by_hand(at: Moment) -> str | None:
    """A person looks for a lost charge in the gateway's portal, and writes down what is there."""
    world, chance, books = at.world, at.chance, at.books
    cards = world.process.cards
    rows = [row for row in books.operations if row.kind == "charge" and row.outcome == "unknown"]
    if not rows or cards is None:
        return None
    row = chance.choice(rows)
    references = world.notebook.references.get(("authorize", row.operation_id), set())
    found = [order.id for order in world.cards.orders if order.payee_reference in references]
    use_case = cards.settle_by_hand(
        row.operation_id,
        provider_reference=found[0] if found else None,
        person="Ann",
        reason="looked in the portal",
    )
    word = await world.tries(lambda: use_case)
    return f"{row.operation_id}, {len(found)} found: {word}"


# Stored cards


async def charge(at: Moment) -> str | None:
    """The host draws on a stored card for a period; now and then the card is declined."""
    world, chance, books = at.world, at.chance, at.books
    rows = [row for row in books.mandates if row.state in {"active", "expiring"}]
    if not rows:
        return None
    row, period = chance.choice(rows), chance.choice(_PERIODS)
    if perhaps(chance, 0.25):
        world.cards.decline_next_charge(chance.choice(_DECLINES))
    number = sum(bool(wish.mandate_id) for wish in world.notebook.wishes.values()) + 1
    operation_id, amount = f"charge:{number}", 5_000 + number
    mode = chance.choice((CaptureMode.AUTOMATIC, CaptureMode.AUTOMATIC, CaptureMode.MANUAL))

    async def ask(process: Process) -> object:
        assert process.cards is not None, "only cards are stored"
        return await process.cards.charge(
            row.mandate_id,
            _sek(amount),
            operation_id=operation_id,
            description=operation_id,
            order_reference=f"C-{number}",
            period=period,
            capture=mode,
        )

    wish = Wish(
        operation_id=operation_id,
        what="authorize",
        account=CARDS,
        ask=ask,
        amount=amount,
        order_reference=f"C-{number}",
        mandate_id=row.mandate_id,
        period=period,
        is_automatic=mode is CaptureMode.AUTOMATIC,
    )
    return f"{operation_id} on {row.mandate_id} for {period}: {await world.asks(wish)}"


async def look_after_cards(at: Moment) -> str | None:
    """A payer removes a stored card, or the host looks how it stands."""
    world, chance, books = at.world, at.chance, at.books
    rows = [row for row in books.mandates if row.state not in {"proposed", "deleted", "replaced", "revoked"}]
    cards = world.process.cards
    if not rows or cards is None:
        return None
    row = chance.choice(rows)
    if perhaps(chance, 0.6):
        word = await world.tries(lambda: cards.mandates.refresh(row.payer_reference))
        return f"refresh {row.payer_reference}: {word}"
    word = await world.tries(lambda: cards.mandates.remove(row.mandate_id, reason="the reader left"))
    return f"remove {row.mandate_id}: {word}"


# Payouts


async def pay_out(at: Moment) -> str | None:
    """The host sends somebody money."""
    world = at.world
    if world.process.swish is None:
        return None
    number = sum(wish.what == "pay out" for wish in world.notebook.wishes.values()) + 1
    operation_id, amount = f"out:{number}", 40_000 + number
    order = PayoutOrder(
        amount=_sek(amount),
        payee_phone=PERSON[3],
        payee_personal_number=PERSON[4],
        description=operation_id,
        reference=f"WON-{number}",
    )

    async def ask(process: Process) -> object:
        assert process.swish is not None, "only Swish pays out"
        return await process.swish.pay_out(order, operation_id=operation_id)

    wish = Wish(operation_id=operation_id, what="pay out", account=SWISH, ask=ask, amount=amount)
    return f"{operation_id}: {await world.asks(wish)}"


# Callbacks, sweeps, time


async def callbacks(at: Moment) -> str | None:
    """The gateways' callbacks come, or do not, or come twice, or in another order."""
    world, chance = at.world, at.chance
    emulators = (world.cards, world.swish)
    manner = chance.choice((None, None, Manner.DROP, Manner.DUPLICATE, Manner.REORDER, Manner.HOLD))
    if world.loses_callbacks:
        manner = Manner.DROP
    for emulator in emulators:
        emulator.callbacks.behave(Manner.RELEASE)
        if manner is not None and emulator.callbacks.waiting:
            emulator.callbacks.behave(manner, times=3 if world.loses_callbacks else 1)
    if not any(emulator.callbacks.due() for emulator in emulators):
        return None
    return f"{manner or 'as they are'}: {await world.deliver_callbacks()}"


async def forge(at: Moment) -> str | None:
    """Somebody sends a false callback: naming another payment, lying about this one, or plain rubbish."""
    world, chance, books = at.world, at.chance, at.books
    rows = [row for row in books.payments if row.name is not None]
    if not rows:
        return None
    row, how = chance.choice(rows), chance.choice(("another", "itself", "rubbish", "elsewhere"))
    assert row.name is not None, "chosen so"
    emulator = world.cards if row.account == CARDS else world.swish
    url = world.process.accounts.callback_urls.url(row.account, row.payment_id)
    if how == "rubbish":
        emulator.callbacks.put(url, b"{]")
    elif how == "elsewhere":
        emulator.callbacks.put(url[:-6] + "AAAAAA", b"{}")
    else:
        other = "/psp/paymentorders/5adc265f-f87f-4313-577e-08d3dca1a26c" if row.account == CARDS else "AB" * 16
        emulator.forge_callback(row.name, naming=row.name if how == "itself" else other)
    emulator.callbacks.behave(Manner.RELEASE)
    await world.deliver_callbacks()
    return f"{how}, to {row.payment_id}"


async def sweep(at: Moment) -> str | None:
    """The host's sweep runs."""
    world = at.world
    return await world.tries(world.process.accounts.sweep)


async def time(at: Moment) -> str | None:
    """Time passes: seconds, mostly; weeks, now and then."""
    world, chance, books = at.world, at.chance, at.books
    if not books.payments:
        return None
    seconds = chance.choices(_PAUSES, (3, 4, 6, 8, 6, 3, 3, 2, 1))[0] + chance.randint(0, 9)
    world.clock.advance(timedelta(seconds=seconds))
    word = await world.tries(world.process.accounts.sweep)
    return f"{seconds} s, then a sweep: {word}"


async def restart(at: Moment) -> str | None:
    """The host's process is stopped and started."""
    world, books = at.world, at.books
    if not books.payments:
        return None
    world.crashed()
    return "done"


# By other hands


async def tamper(at: Moment) -> str | None:
    """Somebody changes an order at the gateway, past prenopay."""
    world, chance, books = at.world, at.chance, at.books
    rows = [row for row in books.payments if row.account == CARDS and row.state == "pending" and row.name]
    if not rows or world.cards.behaviour.discount_amount:
        return None
    row = chance.choice(rows)
    item = {
        "reference": "1", "name": "Other", "type": "PRODUCT", "class": "none", "quantity": 1, "quantityUnit": "pcs",
        "unitPrice": 100, "vatPercent": 0, "amount": 100, "vatAmount": 0,
    }  # fmt: skip
    changed = {"operation": "UpdateOrder", "amount": 100, "vatAmount": 0, "orderItems": [item]}
    done = _by_hand(world, "PATCH", str(row.name), {"paymentorder": changed})
    if done:
        world.notebook.tampered.add(str(row.name))
    return f"{row.payment_id}: {done}"


async def portal(at: Moment) -> str | None:
    """Staff take or give back money in the gateway's portal, past prenopay."""
    world, chance = at.world, at.chance
    orders = [order for order in world.cards.orders if order.totals.authorized]
    if not orders:
        return None
    order = chance.choice(orders)
    totals = order.totals
    back = totals.captured - totals.reversed
    left = totals.authorized - totals.captured - totals.cancelled
    what, most = ("reversals", back) if back else ("captures", left)
    if not most:
        return None
    body = {
        "description": "by hand",
        "amount": chance.randint(1, most),
        "vatAmount": 0,
        "payeeReference": f"HAND{chance.randint(0, 10**9)}",
    }
    world.notebook.by_hand.add(order.id)
    return f"{what} of {order.payee_reference}: {_by_hand(world, 'POST', f'{order.id}/{what}', {'transaction': body})}"


def _by_hand(world: World, method: str, path: str, body: dict[str, object]) -> bool:
    outcome = world.cards.handle(
        EmulatorRequest(
            method=method,
            target=path,
            headers=(
                ("authorization", f"Bearer {DEFAULT_ACCESS_TOKEN}"),
                ("content-type", "application/json;version=3.1"),
                ("accept", "application/json;version=3.1"),
            ),
            body=json.dumps(body).encode(),
            origin="https://api.externalintegration.payex.com",
        ),
    )
    return getattr(outcome, "status", 0) in {200, 201, 202}


STEPS: Final[dict[str, tuple[Step, float]]] = {
    "buy": (buy, 2),
    "pay": (pay, 6),
    "answer": (answer, 5),
    "come back": (come_back, 3),
    "repeat": (repeat, 2),
    "capture": (capture, 4),
    "refund": (refund, 3.5),
    "cancel": (cancel, 0.8),
    "update": (update, 0.6),
    "replace": (replace_link, 0.4),
    "expire": (expire, 0.5),
    "resolve": (resolve, 1.5),
    "settle by hand": (settle_by_hand, 5),
    "charge": (charge, 9),
    "look after cards": (look_after_cards, 0.6),
    "pay out": (pay_out, 0.7),
    "callbacks": (callbacks, 4),
    "forge": (forge, 0.9),
    "sweep": (sweep, 1),
    "time": (time, 2),
    "restart": (restart, 0.3),
    "tamper": (tamper, 0.3),
    "portal": (portal, 0.4),
}
"""Every step, with how often it is tried against the others."""


@functools.lru_cache(maxsize=4)
def _leanings(seed: int) -> dict[str, float]:
    """Return how often each step is tried in this world: lives that lean to a few things find more."""
    chance = Random(f"{seed}:leanings")  # noqa: S311 - a story, not a secret
    return {name: weight * chance.choice(_LEANINGS) for name, (_step, weight) in STEPS.items()}


async def happen(at: Moment) -> tuple[str, str]:
    """Do the first step that can be done, in an order that chance decides; return its name and what it did."""
    leanings = _leanings(at.world.seed)
    order = sorted(STEPS, key=lambda name: -math.log(1 - at.chance.random()) / leanings[name])
    if not at.books.payments:
        order.insert(0, "buy")
    for name in order:
        said = await STEPS[name][0](at)
        if said is not None:
            at.world.reached[f"step: {name}"] += 1
            return name, said
    return "nothing", ""


async def meanwhile(world: World, chance: Random) -> str:
    """Let something happen while another step waits for its answer: by another process, in fair weather."""
    name = chance.choice(("pay", "callbacks", "sweep", "repeat", "come back", "resolve", "refund", "capture"))
    before, world.process = world.process, world.other
    try:
        said = await STEPS[name][0](Moment(world=world, chance=chance, books=world.books()))
    finally:
        world.process = before
    return f"{name}: {said}"
