"""What comes from outside the host: callbacks true and false, time, restarts, hands in the gateway's portal."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Final

from prenopay.testing.callbacks import Manner
from prenopay.testing.http import EmulatorRequest
from prenopay.testing.simulation.gateways import CARD_ACCOUNTS, FOREIGN_NAMES
from prenopay.testing.simulation.moment import Did, Moment
from prenopay.testing.simulation.process import MERCHANTS
from prenopay.testing.simulation.world import World
from prenopay.values.subjects import Subject

__all__ = ["callbacks", "forge", "portal", "restart", "sweep", "tamper", "time"]

_PAUSES: Final = (2, 20, 120, 700, 3_000, 20_000, 100_000, 300_000, 2_600_000)
"""In seconds: from a moment to a month in which nobody swept."""


async def callbacks(at: Moment) -> Did | None:
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
    count = await world.deliver_callbacks()
    return Did(f"{manner or 'as they are'}: {count}", count > 0)


async def forge(at: Moment) -> Did | None:
    """Somebody who knows an address sends a false callback: naming another payment, lying about this one, rubbish."""
    world, chance, books = at.world, at.chance, at.books
    rows = [row for row in books.payments if row.name is not None]
    if not rows:
        return None
    row, how = chance.choice(rows), chance.choice(("another", "itself", "rubbish"))
    assert row.name is not None, "chosen so"
    emulator = world.cards if row.account in CARD_ACCOUNTS else world.swish
    if how == "rubbish":
        url = world.process.accounts.callback_urls.url(row.account, Subject.payment(row.payment_id))
        emulator.callbacks.put(url, b"{]")
    else:
        emulator.forge_callback(row.name, naming=row.name if how == "itself" else FOREIGN_NAMES[row.account])
    emulator.callbacks.behave(Manner.RELEASE)
    await world.deliver_callbacks()
    return Did(f"{how}, to {row.payment_id}")


async def sweep(at: Moment) -> Did | None:
    """The host's sweep runs."""
    came = await at.world.tries(at.world.process.accounts.sweep)
    return Did(str(came), came.well)


async def time(at: Moment) -> Did | None:
    """Time passes: seconds, mostly; weeks, now and then."""
    world, chance, books = at.world, at.chance, at.books
    if not books.payments:
        return None
    seconds = chance.choices(_PAUSES, (3, 4, 6, 8, 6, 3, 3, 2, 1))[0] + chance.randint(0, 9)
    world.clock.advance(timedelta(seconds=seconds))
    came = await world.tries(world.process.accounts.sweep)
    return Did(f"{seconds} s, then a sweep: {came}", came.well)


async def restart(at: Moment) -> Did | None:
    """The host's process is stopped and started."""
    world, books = at.world, at.books
    if not books.payments:
        return None
    world.crashed()
    return Did("done")


# By other hands


async def tamper(at: Moment) -> Did | None:
    """Somebody changes an order at the gateway, past prenopay."""
    world, chance, books = at.world, at.chance, at.books
    rows = [row for row in books.payments if row.account in CARD_ACCOUNTS and row.state == "pending" and row.name]
    if not rows or world.cards.behaviour.discount_amount:
        return None
    row = chance.choice(rows)
    item = {
        "reference": "1", "name": "Other", "type": "PRODUCT", "class": "none", "quantity": 1, "quantityUnit": "pcs",
        "unitPrice": 100, "vatPercent": 0, "amount": 100, "vatAmount": 0,
    }  # fmt: skip
    changed = {"operation": "UpdateOrder", "amount": 100, "vatAmount": 0, "orderItems": [item]}
    done = _by_hand(world, row.account, "PATCH", str(row.name), {"paymentorder": changed})
    if done:
        world.notebook.tampered.add(str(row.name))
    return Did(f"{row.payment_id}: {'done' if done else 'refused'}", done)


async def portal(at: Moment) -> Did | None:
    """Staff take or give back money in the gateway's portal, past prenopay."""
    world, chance, books = at.world, at.chance, at.books
    accounts = {row.name: row.account for row in books.payments}
    orders = [order for order in world.cards.orders if order.totals.authorized and order.id in accounts]
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
    done = _by_hand(world, accounts[order.id], "POST", f"{order.id}/{what}", {"transaction": body})
    return Did(f"{what} of {order.payee_reference}: {'done' if done else 'refused'}", done)


def _by_hand(world: World, account: str, method: str, path: str, body: dict[str, object]) -> bool:
    outcome = world.cards.handle(
        EmulatorRequest(
            method=method,
            target=path,
            headers=(
                ("authorization", f"Bearer {MERCHANTS[account].access_token}"),
                ("content-type", "application/json;version=3.1"),
                ("accept", "application/json;version=3.1"),
            ),
            body=json.dumps(body).encode(),
            origin="https://api.externalintegration.payex.com",
        ),
    )
    return getattr(outcome, "status", 0) in {200, 201, 202}
