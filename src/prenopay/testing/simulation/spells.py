"""What is wrong for a while: look-ups that lie, lists that lag, a handler that fails, a wrong clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random
from typing import Final

from prenopay.ports import HttpRequest, HttpResponse
from prenopay.testing.clock import VirtualClock
from prenopay.testing.gateway import Gateway, LaggingLists

__all__ = ["SPELLS", "Spell", "Spells", "WrongClock"]

_LASTS: Final = (300, 900, 4_000, 30_000, 150_000)
"""In seconds: from five minutes to two days."""
_LIES: Final = (401, 403, 404, 405, 409, 410, 421, 422, 431, 451, 200)
"""What answers in place of the gateway; 200 is a page of HTML."""
_BODIES: Final[tuple[tuple[str, bytes], ...]] = (
    ("text/html", b"<html><head><title>Sorry</title></head><body><h1>Sorry</h1></body></html>"),
    ("text/plain", b""),
    ("application/json", b'{"message": "no Route matched with those values"}'),
)
_HTML: Final = 200
_OFTEN: Final = 0.5
_OFF_BY: Final = (2, 400, 12_000, 200_000, 26_000_000)
"""In seconds: from a moment to three hundred days."""
_BEHIND_MOST: Final = 12_000


class Spell(StrEnum):
    """What is wrong for a while."""

    LYING = "lying look-ups"
    """Something in front of the gateways answers reads."""
    LAGGING = "lagging lists"
    """The lists of stored methods show what was, or nothing."""
    FAILING = "failing handler"
    """The host's event handler fails whenever it is called."""
    AHEAD = "clock ahead"
    BEHIND = "clock behind"


SPELLS: Final = (*Spell, *(f"lie: {'html' if status == _HTML else status}" for status in _LIES))
"""What must be met."""


class Spells:
    """What is wrong now. Each kind is counted in ``reached`` when somebody meets it."""

    def __init__(self, reached: Counter[str], clock: VirtualClock) -> None:
        """Begin with nothing wrong."""
        self._reached = reached
        self._clock = clock
        self._until: dict[Spell, datetime] = {}
        self._lie = HttpResponse(status=404)
        self._off_by = timedelta(0)
        self.was_ahead: bool = False
        """Whether the clock was ever ahead."""

    def begin(self, spell: Spell, gateways: Mapping[str, Gateway], chance: Random) -> str:
        """Let ``spell`` last for a while; return what it is."""
        lasts = timedelta(seconds=chance.choice(_LASTS))
        self._until[spell] = until = self._clock.now() + lasts
        said = ""
        match spell:
            case Spell.LYING:
                status = chance.choice(_LIES)
                media, body = _BODIES[0] if status == _HTML else chance.choice(_BODIES)
                self._lie = HttpResponse(status=status, headers=(("content-type", media),), body=body)
                said = f" {status} {media}"
            case Spell.LAGGING:
                is_empty = chance.random() < _OFTEN
                for gateway in gateways.values():
                    if isinstance(gateway, LaggingLists):
                        gateway.lag(until, is_empty=is_empty)
                self._reached[spell] += 1
                said = " empty" if is_empty else ""
            case Spell.AHEAD | Spell.BEHIND:
                self._until.pop(Spell.BEHIND if spell is Spell.AHEAD else Spell.AHEAD, None)
                off = chance.choice(_OFF_BY)
                self._off_by = timedelta(seconds=off if spell is Spell.AHEAD else -min(off, _BEHIND_MOST))
                self.was_ahead |= spell is Spell.AHEAD
                self._reached[spell] += 1
                said = f" by {self._off_by}"
            case Spell.FAILING:
                pass
        return f"{spell}{said} for {lasts}"

    def end(self, gateways: Mapping[str, Gateway]) -> None:
        """Let nothing be wrong."""
        self._until.clear()
        for gateway in gateways.values():
            if isinstance(gateway, LaggingLists):
                gateway.lag(self._clock.now(), is_empty=False)

    def lasts(self, spell: Spell) -> bool:
        """Whether it is wrong now."""
        return self._clock.now() < self._until.get(spell, self._clock.now())

    def lie(self, request: HttpRequest) -> HttpResponse | None:
        """Return what comes in place of the gateway's answer to a read."""
        if request.method != "GET" or not self.lasts(Spell.LYING):
            return None
        self._reached[f"lie: {'html' if self._lie.status == _HTML else self._lie.status}"] += 1
        self._reached[Spell.LYING] += 1
        return self._lie

    def fail(self) -> None:
        """Raise what the host's handler raises now."""
        if self.lasts(Spell.FAILING):
            self._reached[Spell.FAILING] += 1
            message = "the host's handler fails all day"
            raise RuntimeError(message)

    @property
    def off_by(self) -> timedelta:
        """What the clock of the host is wrong by: with SQLite, all processes are on one machine."""
        is_wrong = self.lasts(Spell.AHEAD) or self.lasts(Spell.BEHIND)
        return self._off_by if is_wrong else timedelta(0)


class WrongClock:
    """The clock of the host's processes, which is right but for a spell."""

    def __init__(self, clock: VirtualClock, off_by: Callable[[], timedelta]) -> None:
        """Show the time of ``clock``, wrong by ``off_by``."""
        self._clock = clock
        self._off_by = off_by

    def now(self) -> datetime:
        """Return the time of day, as the processes see it."""
        return self._clock.now() + self._off_by()

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Push the true time forward."""
        await self._clock.sleep(seconds)


def possible(gateways: Sequence[Gateway]) -> list[Spell]:
    """Return what can be wrong at ``gateways``."""
    lists = any(isinstance(each, LaggingLists) for each in gateways)
    return [spell for spell in Spell if spell is not Spell.LAGGING or lists]
