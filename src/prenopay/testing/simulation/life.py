"""One life: a seed's schedule lived through to its end, and checked after every step."""

from __future__ import annotations

import asyncio
import traceback
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from random import Random
from typing import Final

from prenopay._arguments import check_arguments, checked_fields, refuse_misuse
from prenopay.accounts.sweep import SweepReport
from prenopay.provider import Captures
from prenopay.testing.callbacks import Manner
from prenopay.testing.gateway import Behaviours, GatewayMaker
from prenopay.testing.simulation import staff, steps
from prenopay.testing.simulation.books import Books
from prenopay.testing.simulation.moment import Moment
from prenopay.testing.simulation.promises import after_step, at_the_end
from prenopay.testing.simulation.rest import overdue, what_is_next
from prenopay.testing.simulation.stores import Stores
from prenopay.testing.simulation.weather import Crash, Trouble, forecast
from prenopay.testing.simulation.world import Listener, World, is_awaiting

__all__ = ["STEPS_MOST", "Life", "Schedule", "live"]

_CALM: Final = (
    timedelta(minutes=12),
    timedelta(hours=3),
    timedelta(hours=20),
    timedelta(days=3),
    timedelta(days=32),
    timedelta(days=2),
    timedelta(days=2),
    timedelta(days=2),
)
"""How time passes at the end: by then every operation was looked at, and every page has closed."""
_LEAST_CALM: Final = 5
_AFTER_A_WRONG_CLOCK: Final = timedelta(days=340)
"""By then what was written by a clock that was ahead is over."""
STEPS_MOST: Final = 10_000
"""More steps in one life find nothing that more lives do not, and take its books ever longer to check."""
_AFTER_A_SWEEP: Final = timedelta(minutes=12)
"""What the sweep has sent again has arrived by then."""
_PEOPLE_COME: Final = 2
"""From this round on people settle what only they can."""


@check_arguments(refuse_misuse, any_text=True)
@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class Schedule:
    """What is to happen: the steps 1 to ``steps`` of ``seed``, or ``only`` some; nothing goes wrong in ``calm`` ones.

    Each step's decisions come from the seed and the step's number alone, so that leaving others out does
    not change them.
    """

    seed: int
    steps: int
    only: tuple[int, ...] | None = None
    calm: frozenset[int] = frozenset()
    gateways: tuple[str, ...] = ()
    """The names of the gateways that lives have; empty: those that ship with prenopay."""

    def __post_init__(self) -> None:
        """Refuse steps that there are none of; raises ``ValueError``."""
        if not 0 < self.steps <= STEPS_MOST:
            message = f"steps: must be at least 1 and at most {STEPS_MOST}, not {self.steps}"
            raise ValueError(message)
        for name, numbers in (("only", self.only or ()), ("calm", self.calm)):
            if wrong := [number for number in sorted(numbers) if not 0 < number <= self.steps]:
                message = f"{name}: there is no step {wrong[0]} in a life of {self.steps}; raise steps, or leave it out"
                raise ValueError(message)

    @property
    def numbers(self) -> Sequence[int]:
        """The steps that are taken."""
        return range(1, self.steps + 1) if self.only is None else self.only

    def troubles(self, number: int) -> tuple[Trouble, ...]:
        """Return what goes wrong in step ``number``."""
        if number in self.calm:
            return ()
        return forecast(_chance(self.seed, number, "weather"), is_awaiting=is_awaiting(self.seed))

    @property
    def replay(self) -> str:
        """The command that lives this life again."""
        parts = [f"prenopay simulate --first-seed {self.seed} --seeds 1 --steps {self.steps}"]
        parts += [f"--gateway {name}" for name in self.gateways]
        if self.only is not None:
            parts.append(f"--only {','.join(map(str, self.only)) or 'none'}")
        if self.calm:
            parts.append(f"--calm {','.join(map(str, sorted(self.calm)))}")
        return " ".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class Life:
    """How one life went. ``broken`` is empty where every promise was kept."""

    schedule: Schedule
    broken: tuple[str, ...]
    transcript: tuple[str, ...]
    digest: str
    payments: int


def live(
    schedule: Schedule,
    makers: Mapping[str, GatewayMaker],
    stores: Stores,
    listener: Listener,
    reached: Counter[str],
) -> Life:
    """Live through ``schedule`` at the gateways of ``makers``; what was reached is counted in ``reached``."""
    try:
        world = World(schedule.seed, makers, stores, listener, reached)
    except Exception as error:  # noqa: BLE001 - a finding too, and reported with its seed
        found = f"unexpected: {type(error).__name__}: {error}, before the first step"
        return Life(schedule=schedule, broken=(found,), transcript=(), digest="", payments=0)
    try:
        broken = _through(world, schedule)
        return Life(
            schedule=schedule,
            broken=tuple(dict.fromkeys(broken)),
            transcript=tuple(world.transcript),
            digest=world.digest(),
            payments=len(world.books().payments),
        )
    finally:
        world.close()


def _through(world: World, schedule: Schedule) -> list[str]:
    try:
        books = world.books()
        for number in schedule.numbers:
            is_interrupted = _step(world, schedule, number, books)
            books = world.books()
            _count(world, books)
            broken = after_step(world, books)
            if is_interrupted and not broken:
                broken = world.run(what_is_next(world, books))
            if broken:
                return broken
        world.note("calm")
        return _to_rest(world)
    except Exception as error:  # noqa: BLE001 - whatever prenopay or a step raised unexpectedly is a finding
        at = traceback.extract_tb(error.__traceback__)[-1]
        return [f"unexpected: {type(error).__name__}: {error} ({at.filename.rsplit('/', 1)[-1]}:{at.lineno})"]


def _step(world: World, schedule: Schedule, number: int, books: Books) -> bool:
    """Take one step; return whether something else happened while it was under way."""
    chance = _chance(schedule.seed, number, "step")
    troubles = schedule.troubles(number)

    async def meanwhile() -> None:
        said = await steps.meanwhile(world, _chance(schedule.seed, number, "meanwhile"))
        world.note(f"     meanwhile {said}")

    world.run(world.deliver_late())
    world.weather.turn(troubles, meanwhile)
    world.under_way, name = None, ""
    try:
        name, said = world.run(steps.happen(Moment(world=world, chance=chance, books=books)))
        line = f"{name}: {said}"
    except Crash:
        line = "crashed"
        world.crashed()
    except asyncio.CancelledError:
        line = "cancelled"
    finally:
        if world.weather.has_frozen:
            world.reached[f"frozen: {name or 'crashed'}"] += 1
        is_interrupted = world.weather.is_interrupted
        world.weather.turn(())
        world.under_way = None
        world.gateways.forget_plans()
    planned = f"  [{'; '.join(map(str, troubles))}]" if troubles else ""
    world.note(f"{number:4} {line}{planned}")
    return is_interrupted


def _to_rest(world: World) -> list[str]:
    """Let nothing go wrong any more, let time pass, and check everything."""
    chance = _chance(world.seed, 0, "rest")
    for gateway in world.gateways.each(Behaviours):  # type: ignore[type-abstract]  # an ability
        gateway.calm()
    world.spells.end(world.gateways.all)
    world.crashed()
    broken, began = list[str](), world.clock.now()
    for number, pause in enumerate((*_CALM, *([_AFTER_A_WRONG_CLOCK] * world.spells.was_ahead)), start=1):
        world.clock.advance(pause)
        world.run(world.deliver_late())
        report = world.run(_round(world, chance, number))
        books = world.books()
        _count(world, books)
        if broken := list(overdue(world, books, waited=world.clock.now() - began)):
            return broken
        if number < _LEAST_CALM:
            continue
        # A sweep names what it ended as certainly not done; what it names again and again is lost.
        broken = at_the_end(world, books)
        broken += [f"never lost: the last sweep failed with {failure}" for failure in report.failures]
        broken += world.run(what_is_next(world, books))
        if not broken:
            break
    return broken


async def _round(world: World, chance: Random, number: int) -> SweepReport:
    for gateway in world.gateways.all.values():
        gateway.callbacks.behave(Manner.RELEASE)
        if world.loses_callbacks:
            gateway.callbacks.behave(Manner.DROP, times=1000)
    if world.repeats_what_failed and number <= _PEOPLE_COME:
        for wish in [each for each in world.notebook.wishes.values() if not each.answered]:
            await world.asks_again(wish)
    await world.deliver_callbacks()
    report = await world.process.sweep()
    if number >= _PEOPLE_COME:
        await _people_finish(world, chance)
    if number > _PEOPLE_COME:
        accounts = {row.name: row.account for row in world.books().payments}
        for name in sorted(world.notebook.by_hand & world.notebook.names.keys()):  # nobody reports those
            await world.tries(partial(world.account(accounts[name]).observe, world.notebook.names[name]))
    return report


async def _people_finish(world: World, chance: Random) -> None:
    """A person settles charges that no gateway can find, and ends what is only reserved."""
    world.clock.advance(_AFTER_A_SWEEP)
    at = Moment(world=world, chance=chance, books=world.books())
    while lost := staff.to_settle(at):
        did = await staff.settle_by_hand(at, chance.choice(lost))
        world.note(f"     settled by hand {did.said}")
        if not did.well:
            break
        at = Moment(world=world, chance=chance, books=world.books())
    for row in at.payments(Captures):
        if row.totals.kept > 0 and not row.quarantined:
            await staff.end(at, row)


def _count(world: World, books: Books) -> None:
    """Count what is in the books and was not seen there before."""
    now = {(row.payment_id, f"state: {row.state}") for row in books.payments}
    now |= {(f"{row.account} {row.operation_id}", f"outcome: {row.outcome}") for row in books.operations}
    now |= {(row.mandate_id, f"mandate: {row.state}") for row in books.mandates}
    now |= {(payment_id, f"flag: {flag}") for payment_id, flag in books.flags}
    world.reached.update(what for _whose, what in now - world.counted)
    world.counted |= now


def _chance(seed: int, number: int, what: str) -> Random:
    return Random(f"{seed}:{number}:{what}")  # noqa: S311 - a story, not a secret
