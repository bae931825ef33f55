"""What comes from outside the host: callbacks true and false, time, restarts, hands in the gateway's portal."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from prenopay.provider import ReceivesCallbacks
from prenopay.testing.callbacks import Manner
from prenopay.testing.control import ControlRefused
from prenopay.testing.gateway import Behaviours, Gateway, MethodEnds, Portal
from prenopay.testing.simulation.books import PaymentRow
from prenopay.testing.simulation.world import Did, Moment
from prenopay.values.subjects import Subject

__all__ = ["callbacks", "end_method", "forge", "portal", "restart", "sweep", "tamper", "tell_account", "time"]

_PAUSES: Final = (2, 20, 120, 700, 3_000, 20_000, 100_000, 300_000, 2_600_000)
"""In seconds: from a moment to a month in which nobody swept."""


async def callbacks(at: Moment) -> Did | None:
    """The gateways' callbacks come, or do not, or come twice, or in another order."""
    world, queues = at.world, [gateway.callbacks for gateway in at.world.gateways.all.values()]
    manner = at.chance.choice((None, None, Manner.DROP, Manner.DUPLICATE, Manner.REORDER, Manner.HOLD))
    if world.loses_callbacks:
        manner = Manner.DROP
    for queue in queues:
        queue.behave(Manner.RELEASE)
        if manner is not None and queue.waiting:
            queue.behave(manner, times=3 if world.loses_callbacks else 1)
    if not any(queue.due() for queue in queues):
        return None
    count = await world.deliver_callbacks()
    return Did(f"{manner or 'as they are'}: {count}", count > 0)


async def forge(at: Moment) -> Did | None:
    """Somebody who knows an address sends a false callback: naming another payment, lying about this one, rubbish."""
    world, rows = at.world, _named(at)
    if not rows:
        return None
    row, how = at.chance.choice(rows), at.chance.choice(("another", "itself", "rubbish"))
    gateway, name = world.gateways.places[row.account].gateway, row.name or ""
    if how == "rubbish":
        gateway.callbacks.put(world.process.callback_urls.url(row.account, Subject.payment(row.payment_id)), b"{]")
    elif not _forged(gateway, to=name, naming=name if how == "itself" else gateway.nobodys):
        return None
    gateway.callbacks.behave(Manner.RELEASE)
    await world.deliver_callbacks()
    return Did(f"{how}, to {row.payment_id}")


async def tell_account(at: Moment) -> Did | None:
    """A callback comes to the account's own address: of a payment, of one that is nobody's, or rubbish."""
    world, rows = at.world, _named(at)
    if not rows:
        return None
    row, how = at.chance.choice(rows), at.chance.choice(("itself", "itself", "nobody", "rubbish"))
    gateway, name = world.gateways.places[row.account].gateway, row.name or ""
    queue, before = gateway.callbacks, len(gateway.callbacks.waiting)
    if not _forged(gateway, to=name, naming=gateway.nobodys if how == "nobody" else name):
        return None
    for made in queue.waiting[before:]:
        body = b"{]" if how == "rubbish" else made.body
        queue.put(world.process.callback_urls.url(row.account), body, headers=made.headers, about=made.about)
    queue.behave(Manner.RELEASE)
    await world.deliver_callbacks()
    return Did(f"{how}, by {row.payment_id}")


def _named(at: Moment) -> list[PaymentRow]:
    """Return the payments whose gateways send callbacks and have a name for them."""
    places = {place.name for place in at.world.gateways.having(ReceivesCallbacks)}
    return [row for row in at.books.payments if row.name is not None and row.account in places]


def _forged(gateway: Gateway, *, to: str, naming: str) -> bool:
    try:
        gateway.forge_callback(to=to, naming=naming)
    except ControlRefused:  # it sends none of this one
        return False
    return True


async def sweep(at: Moment) -> Did | None:
    """The host's sweep runs."""
    came = await at.world.tries(at.world.process.sweep)
    return Did(str(came), came.well)


async def time(at: Moment) -> Did | None:
    """Time passes: seconds, mostly; weeks, now and then."""
    if not (at.books.payments or at.books.mandates):
        return None
    seconds = at.chance.choices(_PAUSES, (3, 4, 6, 8, 6, 3, 3, 2, 1))[0] + at.chance.randint(0, 9)
    at.world.clock.advance(timedelta(seconds=seconds))
    came = await at.world.tries(at.world.process.sweep)
    return Did(f"{seconds} s, then a sweep: {came}", came.well)


async def restart(at: Moment) -> Did | None:
    """The host's process is stopped and started."""
    if not at.books.payments:
        return None
    at.world.crashed()
    return Did("done")


# By other hands


async def tamper(at: Moment) -> Did | None:
    """Somebody changes a payment at the gateway, past prenopay."""
    world = at.world
    places = [place for place in world.gateways.having(Portal) if not _has_discount(place.gateway)]
    rows = _open_at(at, {place.name for place in places})
    if not rows:
        return None
    row = at.chance.choice(rows)
    gateway, name = world.gateways.places[row.account].gateway, row.name or ""
    done = isinstance(gateway, Portal) and gateway.tampers(name)
    if done:
        world.notebook.tampered.add(name)
    return Did(f"{row.payment_id}: {'done' if done else 'refused'}", done)


def _has_discount(gateway: object) -> bool:
    return isinstance(gateway, Behaviours) and bool(gateway.discount)


def _open_at(at: Moment, places: set[str]) -> list[PaymentRow]:
    return [row for row in at.books.payments if row.account in places and row.state == "pending" and row.name]


async def portal(at: Moment) -> Did | None:
    """Staff take or give back money in the gateway's portal, past prenopay."""
    world = at.world
    names = {row.name for row in at.books.payments}
    choices = [
        (gateway, name, totals)
        for gateway in world.gateways.all.values()
        if isinstance(gateway, Portal)
        for name, totals in gateway.books().items()
        if name in names and (totals.kept or totals.captured > totals.refunded)
    ]
    if not choices:
        return None
    gateway, name, totals = at.chance.choice(choices)
    back = totals.captured - totals.refunded
    amount = at.chance.randint(1, back or totals.kept)
    world.notebook.by_hand.add(name)
    done = gateway.gives_back_by_hand(name, amount) if back else gateway.takes_by_hand(name, amount)
    return Did(f"{'gives back' if back else 'takes'} {amount} of {name}: {'done' if done else 'refused'}", done)


async def end_method(at: Moment) -> Did | None:
    """A payer, or the payer's bank, ends a stored method at the gateway, past prenopay."""
    gateways = at.world.gateways.each(MethodEnds)  # type: ignore[type-abstract]  # an ability
    if not gateways:
        return None
    done = at.chance.choice(gateways).ends_method(at.chance)
    return Did("done") if done else None
