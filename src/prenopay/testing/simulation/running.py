"""Many lives after one another: what was reached, what was not, and the first one that broke a promise, made short."""

from __future__ import annotations

import gc
import logging
import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

from prenopay._arguments import check_arguments, checked_fields, refuse_misuse
from prenopay.testing.clock import VirtualClock
from prenopay.testing.gateway import GatewayMaker, LaggingLists
from prenopay.testing.simulation.gateways import Place, find_gateways
from prenopay.testing.simulation.life import Life, Schedule, live
from prenopay.testing.simulation.misuse import WAYS
from prenopay.testing.simulation.moment import STEPS
from prenopay.testing.simulation.spells import SPELLS, Spell
from prenopay.testing.simulation.steps import FREEZES, MEANWHILE
from prenopay.testing.simulation.stores import Stores
from prenopay.testing.simulation.weather import POSSIBLE
from prenopay.testing.simulation.world import Listener
from prenopay.values.payments import FlagKind, Outcome, PaymentState

__all__ = ["DEFAULT_STEPS", "ENOUGH_SEEDS", "Result", "declared", "enough_seeds", "relive", "simulate"]

DEFAULT_STEPS: Final = 12
ENOUGH_SEEDS: Final = 2_500
"""From so many seeds of ``DEFAULT_STEPS`` on, everything that is declared must have been reached, or the run fails."""
_ALLOCATIONS: Final = 50_000
_RUNS_MOST: Final = 150
"""So many lives are spent on making a failing one shorter."""
_REACHED_FLAGS: Final = (
    FlagKind.MISMATCH,
    FlagKind.ADJUSTED,
    FlagKind.LATE,
    FlagKind.PAID_TWICE,
    FlagKind.UNREADABLE_STATUS,
    FlagKind.FOREIGN_CALLBACK,
    FlagKind.MALFORMED_CALLBACK,
)
"""The others need a gateway that contradicts itself, which those that ship never do by themselves, or a longer life."""
_REACHED_MANDATES: Final = (
    "proposed", "active", "expiring", "expired", "suspended", "replaced", "revoked", "deleted",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class Result:
    """What a run found. ``broken`` is the shortest failing life that was found, ``missing`` what was never reached."""

    seeds: int
    payments: int
    seconds: float
    reached: dict[str, int]
    missing: tuple[str, ...]
    broken: Life | None
    shortened_in: int
    """How many lives it took to make the failing one short."""
    stopped_at: int | None = None
    """The seed to go on with, where somebody stopped the run."""

    @property
    def lives_per_minute(self) -> int:
        """Payments made and brought to an end, per minute."""
        return round(60 * self.payments / self.seconds) if self.seconds else 0

    @property
    def is_good(self) -> bool:
        """Whether every promise was kept, and everything declared was reached (where that was asked)."""
        return self.broken is None and not self.missing


@check_arguments(refuse_misuse, any_text=True)
def declared(gateways: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the names of everything that a run of ``ENOUGH_SEEDS`` must reach at ``gateways``.

    Of gateways that do not ship with prenopay that is what they declare; what they can come to is theirs to say.
    """
    makers = find_gateways(gateways)
    places = [_place(name, make) for name, make in makers.items()]

    def possible(needs: tuple[type, ...]) -> bool:
        return any(place.has(*needs) for place in places)

    steps = (name for name, step in STEPS.items() if possible(step.needs))
    ways = (name for name, way in WAYS.items() if possible(way.needs))
    meanwhile = (name for name in MEANWHILE if name not in STEPS or possible(STEPS[name].needs))
    must = (
        *(f"step: {name} succeeded" for name in steps),
        *(f"misuse: {name}" for name in ways),
        *(f"meanwhile: {name}" for name in meanwhile),
        *dict.fromkeys(trouble.name for trouble in POSSIBLE),
        *(f"frozen: {name}" for name in FREEZES if possible(STEPS[name].needs)),
        *(name for name in SPELLS if name != Spell.LAGGING or possible((LaggingLists,))),
    )
    if gateways:
        return must
    return (
        *must,
        *(f"state: {state}" for state in PaymentState),
        *(f"outcome: {outcome}" for outcome in Outcome),
        *(f"flag: {flag}" for flag in _REACHED_FLAGS),
        *(f"mandate: {state}" for state in _REACHED_MANDATES),
        "spent reference: authorize",
    )


def _place(name: str, make: GatewayMaker) -> Place:
    gateway = make(clock=VirtualClock(), seed=0)
    config = gateway.account(name)
    return Place(name, gateway, config, config.provider())


@check_arguments(refuse_misuse, any_text=True)
def simulate(
    *,
    seeds: int,
    first_seed: int = 0,
    steps: int = DEFAULT_STEPS,
    only: tuple[int, ...] | None = None,
    calm: frozenset[int] = frozenset(),
    gateways: Sequence[str] = (),
    progress: Callable[[int], None] = lambda _done: None,
) -> Result:
    """Live ``seeds`` lives of ``steps`` steps, until one breaks a promise; that one is then made short.

    ``gateways`` names them: entry points of ``prenopay.gateways``, or ``module:Class`` (none: those that ship with
    prenopay); ``ConfigurationError`` is raised for one that is not there. ``progress`` is called with how many
    lives are over; the rest is ``Schedule``'s, which raises ``ValueError``.
    """
    schedule = Schedule(seed=first_seed, steps=steps, only=only, calm=calm, gateways=tuple(gateways))
    must, makers = declared(gateways), find_gateways(gateways)
    reached: Counter[str] = Counter()
    payments, lived, broken, spent, stopped, began = 0, 0, None, 0, False, time.perf_counter()
    with _stage() as (stores, listener):

        def again(schedule: Schedule) -> Life:
            return live(schedule, makers, stores, listener, Counter())

        try:
            for seed in range(first_seed, first_seed + seeds):
                life = live(replace(schedule, seed=seed), makers, stores, listener, reached)
                payments, lived = payments + life.payments, lived + 1
                progress(lived)
                if life.broken:
                    broken = life
                    broken, spent = (life, 0) if only is not None else _shortened(life, again)
                    break
        except KeyboardInterrupt:  # hours of lives are worth a report
            stopped = broken is None
        seconds = time.perf_counter() - began
    whole = only is None and not calm and not stopped and broken is None
    return Result(
        seeds=lived,
        payments=payments,
        seconds=seconds,
        reached=dict(sorted(reached.items())),
        missing=tuple(name for name in must if not reached[name]) if whole and seeds >= enough_seeds(steps) else (),
        broken=broken,
        shortened_in=spent,
        stopped_at=first_seed + lived if stopped else None,
    )


@check_arguments(refuse_misuse, any_text=True)
def enough_seeds(steps: int) -> int:
    """Return from how many lives of ``steps`` steps on everything declared must be reached."""
    return -(-ENOUGH_SEEDS * DEFAULT_STEPS // steps)


@check_arguments(refuse_misuse, any_text=True)
def relive(schedule: Schedule) -> Life:
    """Live one life alone."""
    makers = find_gateways(schedule.gateways)
    with _stage() as (stores, listener):
        return live(schedule, makers, stores, listener, Counter())


@contextmanager
def _stage() -> Generator[tuple[Stores, Listener]]:
    """Open the databases and listen to the log, which goes nowhere else meanwhile."""
    log, listener = logging.getLogger("prenopay"), Listener()
    before = log.level, log.propagate
    log.addHandler(listener)
    log.setLevel(logging.DEBUG)
    log.propagate = False
    collecting = gc.get_threshold()
    gc.set_threshold(_ALLOCATIONS, *collecting[1:])  # short lives leave much behind, and nothing that is in a hurry
    try:
        with Stores() as stores:
            yield stores, listener
    finally:
        gc.set_threshold(*collecting)
        log.removeHandler(listener)
        log.level, log.propagate = before


def _shortened(life: Life, live_again: Callable[[Schedule], Life]) -> tuple[Life, int]:
    """Leave out steps, and what went wrong in them, for as long as the same promise is broken."""
    promise, spent = _promise(life), 0

    def breaks(schedule: Schedule) -> Life | None:
        nonlocal spent
        if spent >= _RUNS_MOST:
            return None
        spent += 1
        again = live_again(schedule)
        return again if again.broken and _promise(again) == promise else None

    numbers = tuple(life.schedule.numbers)
    size = max(1, len(numbers) // 2)
    while size:
        place = 0
        while place < len(numbers):
            fewer = numbers[:place] + numbers[place + size :]
            found = breaks(replace(life.schedule, only=fewer))
            if found is None:
                place += size
            else:
                life, numbers = found, fewer
        size //= 2
    for number in numbers:
        calmer = replace(life.schedule, calm=life.schedule.calm | {number})
        if life.schedule.troubles(number) and (found := breaks(calmer)) is not None:
            life = found
    return life, spent


def _promise(life: Life) -> str:
    return life.broken[0].partition(":")[0]
