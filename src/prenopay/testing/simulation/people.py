"""The people of every life: invented, with published test numbers. None of it may ever be seen in a log."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from prenopay.values.money import Money
from prenopay.values.orders import Payer

__all__ = ["AGREED", "PEOPLE", "STRANGER", "Person", "sek"]

AGREED: Final = 50_000
"""What may be drawn at most, in öre, as everybody agrees who stores a method."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """An invented person."""

    reference: str
    first: str
    last: str
    email: str
    phone: str
    personal_number: str

    @property
    def secrets(self) -> tuple[str, ...]:
        """What of the person is nobody's business; a first name is also a word."""
        return (self.last, self.email, self.phone, self.phone.removeprefix("+"), self.personal_number)

    def paying(self, known: Payer) -> Payer:
        """Return the person as a payer, with what the gateway asks of its payers."""
        return replace(
            known,
            reference=self.reference,
            first_name=self.first,
            last_name=self.last,
            email=known.email and self.email,
            phone=known.phone and self.phone,
            personal_number=known.personal_number and self.personal_number,
        )


def _person(reference: str, first: str, last: str, phone: str, personal_number: str) -> Person:
    email = f"{first.lower()}@example.com"
    return Person(
        reference=reference, first=first, last=last, email=email, phone=phone, personal_number=personal_number
    )


PEOPLE: Final = (
    _person("reader-1", "Leia", "Ahlström", "+46739000001", "199710202392"),
    _person("reader-2", "Olle", "Björkegren", "+46739000002", "199001022384"),
)
"""Who pays: few enough that one of them has several cards, and several tries at one period."""
STRANGER: Final = _person("somebody", "Tore", "Dahlqvist", "+46739000004", "197203042382")
"""Who is paid out to."""


def sek(minor: int) -> Money:
    """Return so many öre."""
    return Money(minor, "SEK")
