"""What a step of a life is: what it can be about, and what is then done; every one has its name and weight here.

A step takes the world as it finds it and its own chance, so that a schedule from which others were taken out
is still a schedule.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final, TypeAlias

from prenopay.testing.simulation.books import Books, MandateRow, PaymentRow
from prenopay.testing.simulation.world import World

__all__ = ["STEPS", "Did", "Moment", "Step", "step"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When a step is taken: the world, the step's own chance, and the books as they are."""

    world: World
    chance: Random
    books: Books

    def payments(self, *needs: type) -> list[PaymentRow]:
        """Return the payments at gateways that have all of ``needs``."""
        places = {place.name for place in self.world.gateways.having(*needs)}
        return [row for row in self.books.payments if row.account in places]

    def mandates(self, *needs: type) -> list[MandateRow]:
        """Return the stored methods at gateways that have all of ``needs``."""
        places = {place.name for place in self.world.gateways.having(*needs)}
        return [row for row in self.books.mandates if row.account in places]


@dataclass(frozen=True, slots=True)
class Did:
    """What a step did; ``well`` says whether it came to what it is made for."""

    said: str
    well: bool = True


Act: TypeAlias = Callable[[Moment, Any], Awaitable[Did]]
Choices: TypeAlias = Callable[[Moment], Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Step:
    """A step: how often it is tried against the others, what it needs of a gateway, what it can be about now."""

    act: Act
    weight: float
    needs: tuple[type, ...]
    choices: Choices

    async def take(self, at: Moment) -> Did | None:
        """Do it with one of its choices; ``None`` where there is none."""
        choices = self.choices(at)
        return await self.act(at, at.chance.choice(choices)) if choices else None


STEPS: Final[dict[str, Step]] = {}
"""Every step by its name."""


def _always(_at: Moment) -> Sequence[None]:
    return (None,)


def step(
    name: str, weight: float, *needs: type, of: Choices = _always, steps: dict[str, Step] = STEPS
) -> Callable[[Act], Act]:
    """Make a function a step. ``needs``: verbs of the provider, abilities of the gateway; ``of``: its choices."""

    def made(act: Act) -> Act:
        steps[name] = Step(act, weight, needs, of)
        return act

    return made
