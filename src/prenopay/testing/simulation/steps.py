"""How steps are chosen, and what else happens while one waits."""

from __future__ import annotations

import functools
import math
from datetime import timedelta
from random import Random
from typing import Final

from prenopay.testing.gateway import AsksPayers
from prenopay.testing.simulation import customers, misuse, outside, staff
from prenopay.testing.simulation.moment import STEPS, Did, Moment
from prenopay.testing.simulation.notebook import Wish
from prenopay.testing.simulation.world import World

__all__ = ["FREEZES", "MEANWHILE", "happen", "meanwhile"]

_WHO: Final = (customers, staff, outside, misuse)
"""Who takes steps: imported so that they are in ``STEPS``."""
_LEANINGS: Final = (0.25, 1, 1, 5)
_OFTEN: Final = 0.5
_A_MOMENT: Final = timedelta(milliseconds=1)
"""What is done while something else waits is done later."""
_LOOKS: Final = ("repeat", "resolve", "time")
"""What people do while a request is on its way still."""
_SETTLE: Final = ("misuse", "settle by hand", "remove")
"""What people do while nobody knows what became of a charge."""
_ANYBODY: Final = ("pay", "callbacks", "sweep", "repeat", "come back", "resolve", "refund", "capture", "remove")
_ANYBODY_TRIES: Final = 3
_FIRST: Final[tuple[tuple[str, ...], ...]] = (("pay",), ("sweep",), (), ())
"""What anybody does more often than the rest."""
_THE_SAME: Final = ("the same again", "the same looked up")
PAID_AT_ONCE: Final = "paid at once"
FREEZES: Final = ("buy", "capture", "refund", "cancel", "charge", "pay out", "sweep", "callbacks", "remove")
"""In which of the steps a process must have frozen; that an event was delivered meanwhile, its port says."""
MEANWHILE: Final = (*_ANYBODY, *_THE_SAME, PAID_AT_ONCE)
"""What another process, or a payer, does while a step waits."""


@functools.lru_cache(maxsize=4)
def _leanings(seed: int) -> dict[str, float]:
    """Return how often each step is tried in this world: lives that lean to a few things find more."""
    chance = Random(f"{seed}:leanings")  # noqa: S311 - a story, not a secret
    return {name: step.weight * chance.choice(_LEANINGS) for name, step in STEPS.items()}


async def happen(at: Moment) -> tuple[str, str]:
    """Take the first step that can be taken, in an order that chance decides; return its name and what it did."""
    leanings = _leanings(at.world.seed)
    order = sorted(STEPS, key=lambda name: -math.log(1 - at.chance.random()) / leanings[name])
    if not (at.books.payments or at.books.mandates):
        order.insert(0, "take over" if at.world.has_subscribers else "buy")
    elif at.world.awaits_late and at.chance.random() < _OFTEN:
        order.insert(0, at.chance.choice(_LOOKS))
    elif at.books.lost_charges and at.chance.random() < _OFTEN:
        order.insert(0, at.chance.choice(_SETTLE))
    for name in order:
        did = await STEPS[name].take(at)
        if did is not None:
            at.world.reached[f"step: {name}"] += 1
            at.world.reached[f"step: {name} succeeded"] += did.well
            return name, did.said
    return "nothing", ""


async def meanwhile(world: World, chance: Random) -> str:
    """Let something happen while another step waits: by another process, in fair weather.

    Half the time it is what the step itself asks for that is repeated, or looked up.
    """
    under_way, before = world.under_way, world.process
    world.process = world.other
    world.clock.advance(_A_MOMENT)
    try:
        did: Did | None
        at = Moment(world=world, chance=chance, books=world.books())
        if under_way is not None and under_way.is_by_phone and (paid := await _paid_at_once(at, under_way)):
            name, did = PAID_AT_ONCE, paid
        elif under_way is not None and chance.random() < _OFTEN:
            name, did = await _the_same(world, chance)
        else:
            name, did = await _by_anybody(at)
    finally:
        world.process, world.under_way = before, under_way
    if did is not None:
        world.reached[f"meanwhile: {name}"] += 1
    return f"{name}: {did.said if did is not None else 'nothing'}"


async def _by_anybody(at: Moment) -> tuple[str, Did | None]:
    name, did, chance = "", None, at.chance
    for name in (*chance.choice(_FIRST), *chance.sample(_ANYBODY, _ANYBODY_TRIES)):
        did = await STEPS[name].take(at)
        if did is not None:
            break
    if did is not None and name == "pay" and chance.random() < _OFTEN:
        await STEPS["callbacks"].take(at)  # of the payment, while the step is still under way
    return name, did


async def _paid_at_once(at: Moment, wish: Wish) -> Did | None:
    """The payer pays, and the callback comes, before the answer to the request that made the payment is written."""
    place = at.world.gateways.places[wish.account]
    names = {place.history.find(reference) for reference in at.world.notebook.sent(wish.account, wish.operation_id)}
    asking = place.gateway
    asked = asking.asked() if isinstance(asking, AsksPayers) else ()
    for name in sorted(name for name in asked if name in names):
        place.gateway.pays(name)
        count = await at.world.deliver_callbacks()
        return Did(f"{name}, {count} callbacks")
    return None


async def _the_same(world: World, chance: Random) -> tuple[str, Did | None]:
    wish = world.under_way
    assert wish is not None, "asked for only then"
    if chance.random() < _OFTEN:
        came = await world.asks_again(wish)
        return _THE_SAME[0], Did(f"{wish.text}: {came}")
    came = await world.tries(lambda: world.account(wish.account).resolve(wish.operation_id))
    return _THE_SAME[1], Did(f"{wish.text}: {came}")
