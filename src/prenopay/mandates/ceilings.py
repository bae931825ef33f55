"""How often a card may be tried: the card schemes' ceilings as data, and the pure rule that keeps them.

Draws are counted per card and merchant, over charges that the merchant started, because acquirers count in this
way. A replacement token of the same card does not reset the count.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Final, TypeAlias

from prenopay.values.payments import Advice, Decline, DeclineCode

__all__ = [
    "CEILINGS",
    "Ceiling",
    "Decision",
    "Draw",
    "Never",
    "NotBefore",
    "Now",
    "Scheme",
    "decide",
    "of_another_payer",
    "scheme_of",
]


class Scheme(Enum):
    """Whose rules a card obeys."""

    VISA = "Visa"
    MASTERCARD = "Mastercard"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """At most ``failures`` failed draws within ``window``. ``source`` says where we read the rule, and when."""

    rule: str
    failures: int
    window: timedelta
    source: str


_PAGE: Final = "Swedbank Pay developer portal, payment order problems, read 2026-11-22"

CEILINGS: Final[dict[Scheme, tuple[Ceiling, ...]]] = {
    Scheme.VISA: (Ceiling(rule="visa-30-days", failures=15, window=timedelta(days=30), source=_PAGE),),
    Scheme.MASTERCARD: (
        Ceiling(rule="mastercard-24-hours", failures=10, window=timedelta(hours=24), source=_PAGE),
        Ceiling(rule="mastercard-30-days", failures=35, window=timedelta(days=30), source=_PAGE),
    ),
    Scheme.OTHER: (
        Ceiling(rule="other-24-hours", failures=10, window=timedelta(hours=24), source="the stricter of both schemes"),
        Ceiling(rule="other-30-days", failures=15, window=timedelta(days=30), source="the stricter of both schemes"),
    ),
}
"""What acquirers enforce. Visa itself allows 20 since 2025; the acquirer's older bound is the one that blocks."""

BLOCKED_FOR: Final = timedelta(days=30)
"""How long "do not retry" blocks a card at a merchant (both schemes; same page)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """One try on a card. ``decline`` is ``None`` if it went well, or if its end is not known."""

    at: datetime
    decline: Decline | None = None
    is_open: bool = False
    """Sent, and its end is not known. It counts as failed until the end is known."""


@dataclass(frozen=True, slots=True)
class Now:
    """Nothing forbids a draw now."""


@dataclass(frozen=True, slots=True)
class NotBefore:
    """A draw is forbidden before ``at``."""

    at: datetime
    rule: str


@dataclass(frozen=True, slots=True)
class Never:
    """This method must not be drawn on again: the payer must give another, or take part."""

    rule: str


Decision: TypeAlias = Now | NotBefore | Never


def decide(history: Iterable[Draw], scheme: Scheme, now: datetime) -> Decision:
    """Return whether a card with this ``history`` (in any order) may be drawn on ``now``.

    A draw in the future was written down by a clock that is ahead of ours: it counts as made now.

    What the last decline forbids comes first, then the scheme's ceilings. Of several bounds the latest counts. A
    draw that went well lifts what an earlier decline forbade, but no ceiling.
    """
    draws = sorted((replace(draw, at=min(draw.at, now)) for draw in history), key=lambda draw: draw.at)
    forbidden = _after_last_success(draws)
    if any(_forbids_for_ever(decline) for decline in forbidden):
        return Never("declined-for-good")
    bounds = [NotBefore(at, rule) for at, rule in _bounds(forbidden, draws) if at > now]
    bounds += [bound for ceiling in CEILINGS[scheme] if (bound := _ceiling(draws, ceiling, now)) is not None]
    return max(bounds, key=lambda bound: bound.at) if bounds else Now()


def of_another_payer(draw: Draw) -> tuple[Draw, ...]:
    """Return what another payer's try on a card that looks the same means for this card.

    It may be the same card, so a failure counts towards the ceilings, and a block blocks. It may be another card,
    so nothing else is taken over: neither that it works, nor that it is gone for good.
    """
    if draw.decline is None and not draw.is_open:
        return ()
    blocks = draw.decline is not None and draw.decline.code is DeclineCode.DO_NOT_RETRY
    return (draw,) if blocks else (replace(draw, decline=None, is_open=True),)


def scheme_of(display: str) -> Scheme:
    """Return whose rules a card obeys, by the brand at the start of its display."""
    brand = display.strip().lower()
    if brand.startswith("visa"):
        return Scheme.VISA
    return Scheme.MASTERCARD if brand.startswith(("mastercard", "maestro")) else Scheme.OTHER


def _after_last_success(draws: Sequence[Draw]) -> tuple[Decline, ...]:
    last_good = max((n for n, draw in enumerate(draws) if draw.decline is None and not draw.is_open), default=-1)
    return tuple(draw.decline for draw in draws[last_good + 1 :] if draw.decline is not None)


def _forbids_for_ever(decline: Decline) -> bool:
    """Whether a decline ends the method. "Do not retry" only blocks it for a month."""
    return decline.advice is Advice.NEVER and decline.code is not DeclineCode.DO_NOT_RETRY


def _bounds(forbidden: Sequence[Decline], draws: Sequence[Draw]) -> Iterable[tuple[datetime, str]]:
    for draw in draws:
        decline = draw.decline
        if decline is None:
            continue
        if decline.code is DeclineCode.DO_NOT_RETRY:
            yield max(decline.not_before or draw.at, draw.at + BLOCKED_FOR), "do-not-retry"
        elif decline in forbidden and decline.not_before is not None:
            yield decline.not_before, "decline-not-before"


def _ceiling(draws: Sequence[Draw], ceiling: Ceiling, now: datetime) -> NotBefore | None:
    """Return when the ``ceiling`` allows the next draw; ``None`` if it does now."""
    since = now - ceiling.window
    failed = [draw.at for draw in draws if (draw.decline is not None or draw.is_open) and draw.at > since]
    if len(failed) < ceiling.failures:
        return None
    return NotBefore(failed[-ceiling.failures] + ceiling.window, ceiling.rule)
