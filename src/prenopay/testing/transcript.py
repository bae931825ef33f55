"""What an emulator was asked, in order: enough to count calls and match references, nothing secret."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime

from prenopay._arguments import check_arguments, checked_fields, refuse_misuse
from prenopay._redaction import scrub
from prenopay.testing.http import EmulatorAnswer, EmulatorRequest, HalfBody, Outcome

__all__ = ["Seen", "Transcript"]


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class Seen:
    """One call: ``call`` is the emulator's name for it, ``reference`` the one its body carried.

    ``outcome`` is what the caller got: a status, or how the answer was lost.
    """

    number: int
    at: datetime
    method: str
    path: str
    call: str
    reference: str
    outcome: str


@check_arguments(refuse_misuse, any_text=True)
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

    def add(self, request: EmulatorRequest, outcome: Outcome, *, at: datetime, call: str, reference: str) -> None:
        """Write one down."""
        is_half = isinstance(outcome, HalfBody)
        word = "half_body" if is_half else type(outcome).__name__.lower()  # else "refused" or "dropped"
        word = str(outcome.status) if isinstance(outcome, EmulatorAnswer) else word
        method, path = request.method, scrub(request.path)
        with self._lock:
            number = len(self._seen) + 1
            seen = Seen(number=number, at=at, method=method, path=path, call=call, reference=reference, outcome=word)
            self._seen.append(seen)
