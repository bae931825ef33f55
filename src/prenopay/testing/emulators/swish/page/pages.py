"""The emulated phone."""

from __future__ import annotations

from prenopay.testing.emulators.exchange import EmulatorAnswer, EmulatorRequest
from prenopay.testing.emulators.swish.payer_side import PayerSide
from prenopay.testing.emulators.swish.register import Register


class Pages:
    """Serves the phone's pages."""

    def __init__(self, register: Register, payer: PayerSide) -> None:
        """Show the requests of ``register``; act through ``payer``."""
        self._register = register
        self._payer = payer

    def answer(self, request: EmulatorRequest) -> EmulatorAnswer:
        """Answer one call of a browser."""
        return EmulatorAnswer(status=404)
