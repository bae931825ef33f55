"""What comes from outside the host: callbacks true and false, time, restarts, hands in the gateway's portal."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from prenopay.accounts.sweep import SweepReport
from prenopay.provider import ReceivesCallbacks
from prenopay.testing.callbacks import Manner
from prenopay.testing.control import ControlRefused
from prenopay.testing.gateway import Behaviours, Gateway, MethodEnds, Portal, Totals
from prenopay.testing.simulation.books import PaymentRow
from prenopay.testing.simulation.moment import Did, Moment, step
from prenopay.testing.simulation.spells import Spell, possible
from prenopay.testing.simulation.world import Came
from prenopay.values.subjects import Subject

__all__: list[str] = []

_PAUSES: Final = (2, 20, 120, 700, 3_000, 20_000, 100_000, 300_000, 2_600_000)
"""In seconds: from a moment to a month in which nobody swept."""


def _manners(at: Moment) -> list[Manner | None]:
    """Return how callbacks may come now, if any may."""
    queues = [gateway.callbacks for gateway in at.world.gateways.all.values()]
    for queue in queues:
        queue.behave(Manner.RELEASE)
    if not any(queue.due() for queue in queues):
        return []
    return (
        [Manner.DROP]
        if at.world.loses_callbacks
        else [None, None, Manner.DROP, Manner.DUPLICATE, Manner.REORDER, Manner.HOLD]
    )


@step("callbacks", 4, ReceivesCallbacks, of=_manners)
async def callbacks(at: Moment, manner: Manner | None) -> Did:
    """The gateways' callbacks come, or do not, or come twice, or in another order."""
    for gateway in at.world.gateways.all.values():
        if manner is not None and gateway.callbacks.waiting:
            gateway.callbacks.behave(manner, times=3 if at.world.loses_callbacks else 1)
    count = await at.world.deliver_callbacks()
    return Did(f"{manner or 'as they are'}: {count}", count > 0)


def _named(at: Moment) -> list[PaymentRow]:
    return [row for row in at.payments(ReceivesCallbacks) if row.name is not None]


@step("forge", 1, ReceivesCallbacks, of=_named)
async def forge(at: Moment, row: PaymentRow) -> Did:
    """Who knows an address sends a false callback: naming another payment, lying about this one, rubbish."""
    how = at.chance.choice(("another", "itself", "rubbish"))
    gateway = at.world.gateways.places[row.account].gateway
    if how == "rubbish":
        url = at.world.process.callback_urls.url(row.account, Subject.payment(row.payment_id))
        gateway.callbacks.put(url, b"{]")
    elif not _forged(gateway, row, naming=gateway.nobodys if how == "another" else row.name):
        return Did(f"{how}, to {row.payment_id}: could not", well=False)
    gateway.callbacks.behave(Manner.RELEASE)
    await at.world.deliver_callbacks()
    return Did(f"{how}, to {row.payment_id}")


@step("tell account", 1, ReceivesCallbacks, of=_named)
async def tell_account(at: Moment, row: PaymentRow) -> Did:
    """What waits of a payment comes to the account's own address; or a false one does: of nobody's payment, rubbish."""
    how = at.chance.choice(("itself", "itself", "nobody", "rubbish"))
    gateway, urls = at.world.gateways.places[row.account].gateway, at.world.process.callback_urls
    own, of_all = urls.url(row.account, Subject.payment(row.payment_id)), urls.url(row.account)
    if how == "rubbish":
        gateway.callbacks.put(of_all, b"{]")
    elif not _forged(gateway, row, naming=gateway.nobodys if how == "nobody" else row.name):
        return Did(f"{how}, by {row.payment_id}: could not", well=False)
    else:
        _readdress(gateway, own, of_all)
    gateway.callbacks.behave(Manner.RELEASE)
    await at.world.deliver_callbacks()
    return Did(f"{how}, by {row.payment_id}")


def _readdress(gateway: Gateway, url: str, to: str) -> None:
    """Have everything that waits for one address come to another."""
    queue = gateway.callbacks
    for each in [each for each in queue.waiting if each.url == url]:
        queue.withdraw(each)
        queue.put(to, each.body, headers=each.headers, about=each.about)


def _forged(gateway: Gateway, row: PaymentRow, *, naming: str | None) -> bool:
    try:
        gateway.forge_callback(to=row.name or "", naming=naming or "")
    except ControlRefused:  # it sends none of this one
        return False
    return True


@step("sweep", 1)
async def sweep(at: Moment, _anything: object) -> Did:
    """The host's sweep runs."""
    came = await _swept(at)
    return Did(str(came), came.well)


async def _swept(at: Moment) -> Came:
    """Sweep; a handler that fails must be in the report."""
    world = at.world
    before = world.reached[Spell.FAILING]
    came = await world.tries(world.process.sweep)
    has_failed = world.reached[Spell.FAILING] > before and not world.weather.is_interrupted
    if (
        has_failed
        and isinstance(came.answer, SweepReport)
        and "the handler failed" not in " ".join(came.answer.failures)
    ):
        world.notebook.broken.append("silence: the handler failed, and the sweep's report does not say so")
    return came


@step("time", 2, of=lambda at: at.books.payments or at.books.mandates)
async def time(at: Moment, _anything: object) -> Did:
    """Time passes: seconds, mostly; weeks, now and then."""
    seconds = at.chance.choices(_PAUSES, (3, 4, 6, 8, 6, 3, 3, 2, 1))[0] + at.chance.randint(0, 9)
    at.world.clock.advance(timedelta(seconds=seconds))
    came = await _swept(at)
    return Did(f"{seconds} s, then a sweep: {came}", came.well)


@step("bad spell", 1, of=lambda at: possible(list(at.world.gateways.all.values())))
async def bad_spell(at: Moment, spell: Spell) -> Did:
    """Something begins to be wrong for a while."""
    said = at.world.spells.begin(spell, at.world.gateways.all, at.chance)
    return Did(said)


@step("restart", 0.3, of=lambda at: at.books.payments)
async def restart(at: Moment, _anything: object) -> Did:
    """The host's process is stopped and started."""
    at.world.crashed()
    return Did("done")


# By other hands


def _tamperable(at: Moment) -> list[PaymentRow]:
    """Return open payments whose amount a discount on the page does not change as well."""

    def has_discount(row: PaymentRow) -> bool:
        gateway = at.world.gateways.places[row.account].gateway
        return isinstance(gateway, Behaviours) and bool(gateway.discount)

    return [row for row in at.payments(Portal) if row.state == "pending" and row.name and not has_discount(row)]


@step("tamper", 0.5, Portal, of=_tamperable)
async def tamper(at: Moment, row: PaymentRow) -> Did:
    """Somebody changes a payment at the gateway, past prenopay."""
    gateway: Any = at.world.gateways.places[row.account].gateway
    done = gateway.tampers(row.name)
    if done:
        at.world.notebook.tampered.add(row.name or "")
    return Did(f"{row.payment_id}: {'done' if done else 'refused'}", done)


def _movable(at: Moment) -> list[tuple[Portal, str, Totals]]:
    """Return our payments with money that can be moved in a portal."""
    names = {row.name for row in at.books.payments}
    return [
        (gateway, name, totals)
        for gateway in at.world.gateways.all.values()
        if isinstance(gateway, Portal)
        for name, totals in gateway.books().items()
        if name in names and (totals.kept or totals.captured > totals.refunded)
    ]


@step("portal", 0.6, Portal, of=_movable)
async def portal(at: Moment, movable: tuple[Portal, str, Totals]) -> Did:
    """Staff take or give back money in the gateway's portal, past prenopay."""
    gateway, name, totals = movable
    back = totals.captured - totals.refunded
    amount = at.chance.randint(1, back or totals.kept)
    at.world.notebook.by_hand.add(name)
    done = gateway.gives_back_by_hand(name, amount) if back else gateway.takes_by_hand(name, amount)
    return Did(f"{'gives back' if back else 'takes'} {amount} of {name}: {'done' if done else 'refused'}", done)


@step("end method", 0.4, MethodEnds, of=lambda at: at.world.gateways.each(MethodEnds))
async def end_method(at: Moment, gateway: MethodEnds) -> Did:
    """A payer, or the payer's bank, ends a stored method at the gateway, past prenopay."""
    done = gateway.ends_method(at.chance)
    return Did("done" if done else "there is none", done)
