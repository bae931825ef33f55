"""The pure rule of the books: which movements a new observation adds to those already written.

Movements are signed amounts, appended and never edited; a payment's totals are their sums. The
gateway reports cumulative totals, so what is new is the difference. Lists of single transactions
only *name* that difference (which capture, whose reference): a list that comes late, twice or not
at all never changes how much is written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from prenopay.provider import Observation, ProviderTransaction, TransactionKind
from prenopay.values.money import Money

__all__ = ["Movement", "Totals", "contradiction", "new_movements", "overrules"]

_SIGN: Final = {
    TransactionKind.AUTHORIZATION: 1,
    TransactionKind.CAPTURE: 1,
    TransactionKind.RELEASE: -1,
    TransactionKind.REFUND: -1,
}


@dataclass(frozen=True, slots=True)
class Movement:
    """One line in the books: ``amount`` is signed (releases and refunds are negative)."""

    kind: TransactionKind
    amount: Money
    number: str | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Totals:
    """What the movements of a payment add up to, each as a positive amount."""

    authorized: Money
    captured: Money
    refunded: Money
    cancelled: Money

    @classmethod
    def of(cls, movements: Iterable[Movement], currency: str) -> Totals:
        """Add up ``movements``."""
        sums = dict.fromkeys(TransactionKind, Money.zero(currency))
        for movement in movements:
            sums[movement.kind] += movement.amount
        return cls(
            authorized=sums[TransactionKind.AUTHORIZATION],
            captured=sums[TransactionKind.CAPTURE],
            refunded=-sums[TransactionKind.REFUND],
            cancelled=-sums[TransactionKind.RELEASE],
        )

    def of_kind(self, kind: TransactionKind) -> Money:
        """Return the total of one kind."""
        return {
            TransactionKind.AUTHORIZATION: self.authorized,
            TransactionKind.CAPTURE: self.captured,
            TransactionKind.RELEASE: self.cancelled,
            TransactionKind.REFUND: self.refunded,
        }[kind]


def new_movements(
    recorded: Totals,
    observed: Observation,
    known: Collection[tuple[TransactionKind, str]],
) -> tuple[Movement, ...]:
    """Return what ``observed`` adds to the books.

    ``known`` are the transactions that the books have by name: their kinds and numbers. Totals below the recorded
    ones are old news and add nothing.
    """
    refunded = observed.refunded
    if refunded is None:  # the gateway keeps refunds apart: a listed refund that the books do not have is new
        refunded = recorded.refunded + _unwritten_refunds(observed, known)
    totals = Totals(observed.authorized, observed.captured, refunded, observed.cancelled)
    added: list[Movement] = []
    for kind in TransactionKind:
        missing = totals.of_kind(kind) - recorded.of_kind(kind)
        if missing.minor > 0:
            named = (each for each in observed.transactions if each.kind is kind and (kind, each.number) not in known)
            added += _name(kind, missing, named)
    return tuple(added)


def overrules(before: Totals, after: Totals, observed: Observation, *, asked_last: bool) -> bool:
    """Return whether ``observed`` decides what can be done next. The books had ``before``, and have ``after`` now.

    Readings overlap: a later request may be answered from an earlier moment. So money decides first. An
    observation with less money than the books is old; one with more is new.
    """
    refunded = after.refunded if observed.refunded is None else observed.refunded
    seen = Totals(observed.authorized, observed.captured, refunded, observed.cancelled)
    if any(seen.of_kind(kind) < after.of_kind(kind) for kind in TransactionKind):
        return False
    return asked_last or before != after


def contradiction(totals: Totals) -> str | None:
    """Return what is impossible about ``totals``, or ``None``."""
    if totals.refunded > totals.captured:
        return f"refunded {totals.refunded}, captured only {totals.captured}"
    if totals.captured + totals.cancelled > totals.authorized:
        return f"captured {totals.captured} and released {totals.cancelled} of {totals.authorized} authorized"
    return None


def _unwritten_refunds(observed: Observation, known: Collection[tuple[TransactionKind, str]]) -> Money:
    amounts = {
        each.number: each.amount
        for each in observed.transactions
        if each.kind is TransactionKind.REFUND and each.amount is not None and (each.kind, each.number) not in known
    }
    return sum(amounts.values(), Money.zero(observed.captured.currency))


def _name(kind: TransactionKind, missing: Money, listed: Iterable[ProviderTransaction]) -> Iterable[Movement]:
    """Divide ``missing`` among the listed transactions that fit; the rest stays unnamed.

    A transaction without a number names nothing, and neither does one listed twice: numbers are unique in the
    books.
    """
    named: set[str] = set()
    for each in listed:
        if not each.number or each.number in named:
            continue
        if each.amount is not None and 0 < each.amount.minor <= missing.minor:
            named.add(each.number)
            yield Movement(kind, each.amount * _SIGN[kind], each.number, each.reference)
            missing -= each.amount
    if missing:
        yield Movement(kind, missing * _SIGN[kind])
