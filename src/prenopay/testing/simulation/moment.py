"""When a step of a life is taken, what came of it, and the people it is about."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import Final, TypeAlias

from prenopay.testing.simulation.books import Books
from prenopay.testing.simulation.world import World
from prenopay.values.money import Money

__all__ = ["AGREED", "MISUSED", "PEOPLE", "STRANGER", "Did", "Moment", "Person", "Step", "sek"]

AGREED: Final = 50_000
"""What may be drawn at most, in öre, as everybody agrees who stores a card on a page."""
MISUSED: Final = "misuse:"
"""How the ids begin of operations that must be refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When a step is taken: the world, the step's own chance, and the books as they stand."""

    world: World
    chance: Random
    books: Books


@dataclass(frozen=True, slots=True)
class Did:
    """What a step did; ``well`` says whether it came to what it is made for."""

    said: str
    well: bool = True


Step: TypeAlias = Callable[[Moment], Awaitable[Did | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """An invented person with published test numbers. None of it may ever be seen in a log."""

    reference: str
    first: str
    last: str
    email: str
    phone: str
    personal_number: str

    @property
    def msisdn(self) -> str:
        """The phone's number as Swish writes it."""
        return self.phone.removeprefix("+")

    @property
    def secrets(self) -> tuple[str, ...]:
        """What of the person is nobody's business; a first name is also a word."""
        return (self.last, self.email, self.phone, self.msisdn, self.personal_number)


PEOPLE: Final = (
    Person(
        reference="reader-1",
        first="Leia",
        last="Ahlström",
        email="leia@example.com",
        phone="+46739000001",
        personal_number="199710202392",
    ),
    Person(
        reference="reader-2",
        first="Olle",
        last="Björkegren",
        email="olle@example.com",
        phone="+46739000002",
        personal_number="199001022384",
    ),
    Person(
        reference="reader-3",
        first="Siv",
        last="Cederlöf",
        email="siv@example.com",
        phone="+46739000003",
        personal_number="198105052388",
    ),
)
"""Who pays: few enough that one of them has several cards, and several tries at one period."""
STRANGER: Final = Person(
    reference="somebody",
    first="Tore",
    last="Dahlqvist",
    email="tore@example.com",
    phone="+46739000004",
    personal_number="197203042382",
)
"""Whose phone pays by Swish, whoever ordered, and who is paid out to."""


def sek(minor: int) -> Money:
    """Return so many öre."""
    return Money(minor, "SEK")
