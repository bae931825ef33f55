"""What time alone does to a mandate: cards and consents expire, a suspension ends (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from prenopay.values.days import end_of, start_of
from prenopay.values.events import EventKind
from prenopay.values.mandates import MandateState

__all__ = ["Standing", "Step", "next_step", "next_step_at"]

_WARNED_AHEAD: Final = timedelta(days=45)
"""How long before its card expires a mandate becomes ``EXPIRING``: two monthly charges in which to ask the payer."""
_TOKEN_MAY_TAKE: Final = timedelta(days=7)
"""How long after a purchase its token may come. A payer who used a card stored earlier gets no new token."""
_LIVES: Final = frozenset({MandateState.ACTIVE, MandateState.EXPIRING, MandateState.SUSPENDED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What decides a mandate's next step. ``until`` is the last day on which the payer allows it to be stored."""

    state: MandateState
    time_zone: str
    """Where the days below begin and end."""
    until: date | None
    expires: date | None
    """The last day of the card; ``None`` if there is no card, or if the network renews it."""
    resume_at: datetime | None
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The state that follows, why, and the event that reports it, if any."""

    state: MandateState
    why: str
    event: EventKind | None
    removes_token: bool = False


def next_step_at(standing: Standing) -> datetime | None:
    """Return when time alone changes the mandate; ``None`` if it never does."""
    if standing.state is MandateState.PENDING:
        return standing.updated_at + _TOKEN_MAY_TAKE
    if standing.state not in _LIVES:
        return None
    zone = standing.time_zone
    times = [end_of(standing.until, zone)] if standing.until is not None else []
    if standing.state is MandateState.ACTIVE and standing.expires is not None:
        times.append(start_of(standing.expires, zone, less=_WARNED_AHEAD))
    if standing.state is MandateState.EXPIRING and standing.expires is not None:
        times.append(end_of(standing.expires, zone))
    if standing.state is MandateState.SUSPENDED and standing.resume_at is not None:
        times.append(standing.resume_at)
    return min(times, default=None)


def next_step(standing: Standing, now: datetime) -> Step | None:
    """Return the step that is due ``now``, if one is."""
    at = next_step_at(standing)
    if at is None or at > now:
        return None
    if standing.state is MandateState.PENDING:
        return Step(state=MandateState.DELETED, why="the gateway sent no token", event=None)
    if standing.until is not None and end_of(standing.until, standing.time_zone) <= now:
        why = "the payer's consent ended"
        return Step(state=MandateState.EXPIRED, why=why, event=EventKind.MANDATE_ENDED, removes_token=True)
    if standing.state is MandateState.SUSPENDED:
        return Step(state=MandateState.ACTIVE, why="the wait is over", event=EventKind.MANDATE_ACTIVE)
    if standing.expires is not None and end_of(standing.expires, standing.time_zone) <= now:
        return Step(state=MandateState.EXPIRED, why="the card has run out", event=EventKind.MANDATE_ENDED)
    return Step(state=MandateState.EXPIRING, why="the card runs out soon", event=EventKind.MANDATE_EXPIRING)
