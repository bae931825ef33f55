"""Days as the merchant's calendar has them: they begin and end at midnight in the account's time zone."""

from __future__ import annotations

import functools
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

__all__ = ["TIME_ZONE", "day_of", "end_of", "is_zone", "local", "start_of"]

TIME_ZONE: Final = "Europe/Stockholm"
"""The zone of an account whose settings name none. Days are the same in Oslo and Copenhagen, but not in Helsinki."""


@functools.cache
def _zone(name: str) -> ZoneInfo:
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - slow to import, and needed by few

    return ZoneInfo(name)


def is_zone(name: str) -> bool:
    """Whether ``name`` is a time zone of the IANA database, such as ``Europe/Helsinki``."""
    try:
        return name == TIME_ZONE or bool(_zone(name))
    except (LookupError, ValueError, OSError):  # not there, a path outside the database, a folder in it
        return False


def local(at: datetime, zone: str) -> datetime:
    """Return the same moment as a clock in ``zone`` shows it."""
    return at.astimezone(_zone(zone))


def day_of(at: datetime, zone: str) -> date:
    """Return the day that it is in ``zone`` at a moment."""
    return local(at, zone).date()


def start_of(day: date, zone: str) -> datetime:
    """Return the midnight at which ``day`` begins in ``zone``."""
    return datetime.combine(day, time(), tzinfo=_zone(zone))


def end_of(day: date, zone: str) -> datetime:
    """Return the midnight at which ``day`` ends in ``zone``."""
    return start_of(day + timedelta(days=1), zone)
