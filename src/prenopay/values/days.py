"""Days as the merchant's calendar has them: they begin and end at midnight in the account's time zone.

Every function here has an answer for every day and moment: at the edges of the calendar it is the nearest there is.
"""

from __future__ import annotations

import functools
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

__all__ = ["TIME_ZONE", "day_of", "end_of", "is_zone", "local", "start_of"]

TIME_ZONE: Final = "Europe/Stockholm"
"""The zone of an account whose settings name none. Days are the same in Oslo and Copenhagen, but not in Helsinki."""
_UTC: Final = "UTC"
_FIRST, _LAST = date.min.toordinal() + 2, date.max.toordinal() - 2
"""The days whose midnight is in the calendar wherever it is read: two days inside of its edges."""


@functools.cache
def _zone(name: str) -> ZoneInfo:
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - slow to import, and needed by few

    return ZoneInfo(name)


@functools.cache
def _zones() -> frozenset[str]:
    """Return the names of a region and a place; others are a machine's own, such as ``localtime``, or old ones."""
    from zoneinfo import available_timezones  # noqa: PLC0415 - slow to import, and needed by few

    return frozenset({_UTC, *(each for each in available_timezones() if "/" in each)})


def is_zone(name: str) -> bool:
    """Whether ``name`` is ``UTC`` or a region's time zone in the IANA database, such as ``Europe/Helsinki``."""
    return name == TIME_ZONE or name in _zones()


def local(at: datetime, zone: str) -> datetime:
    """Return the same moment as a clock in ``zone`` shows it, or the nearest that it can show."""
    try:
        return at.astimezone(_zone(zone))
    except OverflowError:
        edge = date.min if at.year == date.min.year else date.max
        return datetime.combine(edge, time.min if edge == date.min else time.max, tzinfo=_zone(zone))


def day_of(at: datetime, zone: str) -> date:
    """Return the day that it is in ``zone`` at a moment."""
    return local(at, zone).date()


def start_of(day: date, zone: str, *, less: timedelta = timedelta(0)) -> datetime:
    """Return the midnight at which ``day`` begins in ``zone``, or that of the day ``less`` days before."""
    return _midnight(day.toordinal() - less.days, zone)


def end_of(day: date, zone: str) -> datetime:
    """Return the midnight at which ``day`` ends in ``zone``."""
    return _midnight(day.toordinal() + 1, zone)


def _midnight(number: int, zone: str) -> datetime:
    """Return the midnight at which the day of that number begins."""
    day = date.fromordinal(min(max(number, _FIRST), _LAST))
    return datetime.combine(day, time(), tzinfo=_zone(zone))
