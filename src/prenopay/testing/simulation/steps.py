"""Every step with how often it is tried, and how one is chosen.

Every step takes the world as it finds it and its own chance; it says what it did, or ``None`` where it
could do nothing. So a schedule from which steps were taken out is still a schedule.
"""

from __future__ import annotations

import functools
import math
from random import Random
from typing import Final

from prenopay.provider import (
    Cancels,
    Captures,
    ChargesMandates,
    PaysOut,
    ReceivesCallbacks,
    Refunds,
    StoresMandates,
    Updates,
)
from prenopay.testing.gateway import MethodEnds, OldMethods, Payers, Payouts, Portal
from prenopay.testing.simulation import customers, misuse, outside, staff
from prenopay.testing.simulation.world import Did, Moment, Step, World

__all__ = ["MEANWHILE", "STEPS", "happen", "meanwhile"]

_LEANINGS: Final = (0.25, 1, 1, 5)
_OFTEN: Final = 0.5

STEPS: Final[dict[str, tuple[Step, float, tuple[type, ...]]]] = {
    "buy": (customers.buy, 2, ()),
    "pay": (customers.pay, 6, ()),
    "answer": (customers.answer, 5, (Payers,)),
    "come back": (customers.come_back, 3, ()),
    "repeat": (staff.repeat, 2, ()),
    "capture": (staff.capture, 4, (Captures,)),
    "refund": (staff.refund, 3.5, (Refunds,)),
    "cancel": (staff.cancel, 0.8, (Cancels,)),
    "update": (staff.update, 0.6, (Updates,)),
    "replace": (staff.replace_link, 0.4, (Cancels,)),
    "expire": (staff.expire, 0.5, ()),
    "resolve": (staff.resolve, 1.5, ()),
    "settle by hand": (staff.settle_by_hand, 5, (ChargesMandates,)),
    "erase": (staff.erase, 0.4, ()),
    "charge": (staff.charge, 9, (ChargesMandates,)),
    "refresh": (staff.refresh, 0.8, (StoresMandates,)),
    "remove": (staff.remove, 1, (StoresMandates,)),
    "take over": (staff.take_over, 0.7, (OldMethods,)),
    "pay out": (staff.pay_out, 0.9, (PaysOut, Payouts)),
    "callbacks": (outside.callbacks, 4, (ReceivesCallbacks,)),
    "forge": (outside.forge, 0.7, (ReceivesCallbacks,)),
    "tell account": (outside.tell_account, 0.7, (ReceivesCallbacks,)),
    "sweep": (outside.sweep, 1, ()),
    "time": (outside.time, 2, ()),
    "restart": (outside.restart, 0.3, ()),
    "tamper": (outside.tamper, 0.3, (Portal,)),
    "portal": (outside.portal, 0.4, (Portal,)),
    "end method": (outside.end_method, 0.4, (MethodEnds,)),
    "misuse": (misuse.misuse, 2, ()),
}
"""Every step, with how often it is tried against the others, and what it needs: verbs, abilities of gateways."""
_LOOKS: Final = ("repeat", "resolve", "time")
"""What people do while a request is on its way still."""
_ANYBODY: Final = ("pay", "callbacks", "sweep", "repeat", "come back", "resolve", "refund", "capture", "remove")
_ANYBODY_TRIES: Final = 3
_THE_SAME: Final = ("the same again", "the same looked up")
MEANWHILE: Final = (*_ANYBODY, *_THE_SAME)
"""What another process, or a payer, does while a step waits."""


@functools.lru_cache(maxsize=4)
def _leanings(seed: int) -> dict[str, float]:
    """Return how often each step is tried in this world: lives that lean to a few things find more."""
    chance = Random(f"{seed}:leanings")  # noqa: S311 - a story, not a secret
    return {name: weight * chance.choice(_LEANINGS) for name, (_step, weight, _needs) in STEPS.items()}


async def happen(at: Moment) -> tuple[str, str]:
    """Do the first step that can be done, in an order that chance decides; return its name and what it did."""
    leanings = _leanings(at.world.seed)
    order = sorted(STEPS, key=lambda name: -math.log(1 - at.chance.random()) / leanings[name])
    if not (at.books.payments or at.books.mandates):
        order.insert(0, "take over" if at.world.has_subscribers else "buy")
    elif at.world.awaits_late and at.chance.random() < _OFTEN:
        order.insert(0, at.chance.choice(_LOOKS))
    for name in order:
        did = await STEPS[name][0](at)
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
    try:
        if under_way is not None and chance.random() < _OFTEN:
            name, did = await _the_same(world, chance)
        else:
            name, did = await _by_anybody(world, chance)
    finally:
        world.process, world.under_way = before, under_way
    if did is not None:
        world.reached[f"meanwhile: {name}"] += 1
    return f"{name}: {did.said if did is not None else 'nothing'}"


async def _by_anybody(world: World, chance: Random) -> tuple[str, Did | None]:
    name, did, books = "", None, world.books()
    for name in chance.sample(_ANYBODY, _ANYBODY_TRIES):
        did = await STEPS[name][0](Moment(world=world, chance=chance, books=books))
        if did is not None:
            break
    return name, did


async def _the_same(world: World, chance: Random) -> tuple[str, Did | None]:
    wish = world.under_way
    assert wish is not None, "asked for only then"
    if chance.random() < _OFTEN:
        came = await world.asks_again(wish)
        return _THE_SAME[0], Did(f"{wish.text}: {came}")
    came = await world.tries(lambda: world.account(wish.account).resolve(wish.operation_id))
    return _THE_SAME[1], Did(f"{wish.text}: {came}")
