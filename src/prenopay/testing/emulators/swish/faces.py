"""The emulator as different callers meet it: with a certificate of theirs, or with none."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from prenopay.testing.callbacks import CallbackQueue
from prenopay.testing.clock import VirtualClock
from prenopay.testing.control import CONTROL_PREFIX
from prenopay.testing.emulators.swish.calls import PHONE_PATH, QR_PATH
from prenopay.testing.http import Emulator, EmulatorAnswer, EmulatorRequest, Outcome

__all__ = ["PhoneFace", "Presenting"]

_OPEN: Final = (PHONE_PATH, QR_PATH, CONTROL_PREFIX)
_MISDIRECTED: Final = 421
_HOME: Final = EmulatorAnswer(status=303, headers=(("location", PHONE_PATH),))


class Presenting:
    """Calls as if with the certificate of one Swish number, without TLS."""

    def __init__(self, emulator: Emulator, number: str) -> None:
        """Call ``emulator`` as ``number``; empty for a caller without a certificate."""
        self._emulator = emulator
        self._number = number

    @property
    def clock(self) -> VirtualClock:
        """The emulator's time."""
        return self._emulator.clock

    @property
    def callbacks(self) -> CallbackQueue:
        """What it has to tell hosts."""
        return self._emulator.callbacks

    def handle(self, request: EmulatorRequest) -> Outcome:
        """Act on one call."""
        return self._emulator.handle(replace(request, client_name=self._number))

    def settle(self) -> None:
        """Let happen what was due by now."""
        self._emulator.settle()


class PhoneFace:
    """What needs no certificate: the phone's pages, QR codes, and the control API."""

    def __init__(self, emulator: Emulator) -> None:
        """Show ``emulator``."""
        self._emulator = emulator

    @property
    def clock(self) -> VirtualClock:
        """The emulator's time."""
        return self._emulator.clock

    @property
    def callbacks(self) -> CallbackQueue:
        """What it has to tell hosts."""
        return self._emulator.callbacks

    def handle(self, request: EmulatorRequest) -> Outcome:
        """Act on one call; what needs a certificate is served on another port."""
        if request.path == "/":
            return _HOME
        return self._emulator.handle(request) if request.path.startswith(_OPEN) else EmulatorAnswer(status=_MISDIRECTED)

    def settle(self) -> None:
        """Let happen what was due by now."""
        self._emulator.settle()
