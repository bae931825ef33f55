"""Moments and amounts as Swish writes them, in every way that was seen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, assert_never

from prenopay.testing.emulators.swish.behaviour import AmountStyle, DateStyle

__all__ = ["amount_of", "minor", "stamp", "swedish_time"]

_CENT: Final = Decimal("0.01")
_MARCH: Final = 3
_OCTOBER: Final = 10


def stamp(moment: datetime, style: DateStyle) -> str:
    """Return a moment, to the millisecond."""
    match style:
        case DateStyle.ZULU:
            return f"{_bare(moment)}Z"
        case DateStyle.OFFSET:
            local = swedish_time(moment)
            return f"{_bare(local)}+0{(local - moment.replace(tzinfo=None)).seconds // 3600}00"
        case DateStyle.BARE:
            return _bare(moment)
        case DateStyle.BARE_SWEDISH:
            return _bare(swedish_time(moment))
        case _:
            assert_never(style)


def swedish_time(moment: datetime) -> datetime:
    """Return the Swedish wall clock, without a zone: the EU's rule, so that no zone database is needed."""
    moment = moment.astimezone(UTC).replace(tzinfo=None)
    begins, ends = (_last_sunday(moment.year, month) for month in (_MARCH, _OCTOBER))
    return moment + timedelta(hours=2 if begins <= moment < ends else 1)


def amount_of(amount: Decimal, style: AmountStyle) -> object:
    """Return an amount as JSON has it."""
    match style:
        case AmountStyle.NUMBER:
            return amount.quantize(_CENT)
        case AmountStyle.WHOLE_NUMBER:
            return int(amount) if amount == int(amount) else amount.quantize(_CENT)
        case AmountStyle.STRING:
            return f"{amount:.2f}"
        case _:
            assert_never(style)


def minor(amount: Decimal) -> int:
    """Return an amount in öre."""
    return int(amount.quantize(_CENT).scaleb(2))


def _bare(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds")


def _last_sunday(year: int, month: int) -> datetime:
    last = datetime(year, month, 31, 1)  # noqa: DTZ001 - UTC without its mark; both months have 31 days
    return last - timedelta(days=(last.weekday() + 1) % 7)
