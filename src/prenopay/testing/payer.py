"""The payer of a test: approves, declines, waits or vanishes, at the mock and at every emulator alike."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from prenopay.values.payments import Payment

__all__ = ["AsyncTestPayer", "PaysHere", "TestPayer"]


class PaysHere(Protocol):
    """What a payer can do at one gateway; payments are named by ``Payment.provider_reference``.

    Raises ``ControlRefused`` (each gateway's ``PayerRefused``) for what no payer could do now.
    """

    def approve(self, payment: str) -> object:
        """Pay."""
        ...

    def decline(self, payment: str) -> object:
        """Say no to bank or app."""
        ...

    def wait(self, payment: str) -> object:
        """Open page or app, and do nothing yet."""
        ...

    def vanish(self, payment: str) -> object:
        """Close the browser: nobody is told."""
        ...


class TestPayer:
    """Acts on payments of several gateways, each under its provider's name; callbacks that follow are delivered."""

    __test__ = False  # its name is no test to pytest

    def __init__(self, gateways: Mapping[str, PaysHere], *, deliver: Callable[[], object]) -> None:
        """Pay at ``gateways`` (``{"swish": SwishPayer(emulator)}``); ``deliver`` lets callbacks arrive."""
        self._gateways = gateways
        self._deliver = deliver

    def approve(self, payment: Payment) -> None:
        """Pay."""
        self._at(payment).approve(_name(payment))
        self._deliver()

    def decline(self, payment: Payment) -> None:
        """Say no to bank or app."""
        self._at(payment).decline(_name(payment))
        self._deliver()

    def wait(self, payment: Payment) -> None:
        """Open page or app and do nothing yet; nobody is told."""
        self._at(payment).wait(_name(payment))

    def vanish(self, payment: Payment) -> None:
        """Close the browser: nobody is told, and only the sweep finds out."""
        self._at(payment).vanish(_name(payment))

    def _at(self, payment: Payment) -> PaysHere:
        gateway = self._gateways.get(payment.provider)
        if gateway is None:
            known = ", ".join(self._gateways) or "none: ask for a gateway's fixture"
            message = f"payment {payment.payment_id} is with {payment.provider!r}; this payer pays at: {known}"
            raise LookupError(message)
        return gateway


class AsyncTestPayer:
    """The same for async code: what is followed by callbacks is awaited."""

    def __init__(self, gateways: Mapping[str, PaysHere], *, deliver: Callable[[], Awaitable[object]]) -> None:
        """Pay at ``gateways``; ``deliver`` lets callbacks arrive."""
        self._payer = TestPayer(gateways, deliver=lambda: None)
        self._deliver = deliver

    async def approve(self, payment: Payment) -> None:
        """Pay."""
        self._payer.approve(payment)
        await self._deliver()

    async def decline(self, payment: Payment) -> None:
        """Say no to bank or app."""
        self._payer.decline(payment)
        await self._deliver()

    def wait(self, payment: Payment) -> None:
        """Open page or app and do nothing yet; nobody is told."""
        self._payer.wait(payment)

    def vanish(self, payment: Payment) -> None:
        """Close the browser: nobody is told, and only the sweep finds out."""
        self._payer.vanish(payment)


def _name(payment: Payment) -> str:
    if payment.provider_reference is None:
        message = f"payment {payment.payment_id} is not known to the gateway: nobody can pay it"
        raise LookupError(message)
    return payment.provider_reference
