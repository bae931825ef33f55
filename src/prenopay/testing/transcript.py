"""What an emulator was asked, in order: enough to count calls and match references, nothing secret."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from prenopay._redaction import scrub
from prenopay.testing.http import Dropped, EmulatorAnswer, HalfBody, Outcome, Refused

__all__ = ["Seen", "Transcript"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One call: ``call`` is the emulator's name for it, ``reference`` the one its body carried.

    ``outcome`` is what the caller got: a status, or the way the answer went missing.
    """

    number: int
    at: datetime
    method: str
    path: str
    call: str
    reference: str
    outcome: str


class Transcript:
    """Every call, in the order in which it was acted on."""

    def __init__(self) -> None:
        """Begin empty."""
        self._lock = threading.Lock()
        self._seen: list[Seen] = []

    @property
    def seen(self) -> tuple[Seen, ...]:
        """All of them."""
        with self._lock:
            return tuple(self._seen)

    def calls(self, call: str) -> tuple[Seen, ...]:
        """Return those that the emulator calls ``call``."""
        return tuple(seen for seen in self.seen if seen.call == call)

    def clear(self) -> None:
        """Forget them."""
        with self._lock:
            self._seen.clear()

    def add(self, *, at: datetime, method: str, path: str, call: str, reference: str, outcome: Outcome) -> None:
        """Write one down."""
        with self._lock:
            self._seen.append(
                Seen(
                    number=len(self._seen) + 1,
                    at=at,
                    method=method,
                    path=scrub(path),
                    call=call,
                    reference=reference,
                    outcome=_word(outcome),
                ),
            )


def _word(outcome: Outcome) -> str:
    match outcome:
        case EmulatorAnswer():
            return str(outcome.status)
        case Refused():
            return "refused"
        case Dropped():
            return "dropped"
        case HalfBody():
            return "half_body"
        case _:
            assert_never(outcome)
