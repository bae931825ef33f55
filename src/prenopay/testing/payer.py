"""The payer of a test: approves, declines, waits or vanishes, at the mock and at every other gateway alike."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from prenopay._arguments import check_arguments, refuse_misuse
from prenopay.testing.gateway import Gateway
from prenopay.values.payments import Payment

__all__ = ["AsyncTestPayer", "TestPayer"]


@check_arguments(refuse_misuse, any_text=True)
class _Payer:
    __test__ = False  # pytest would take it for a test

    def __init__(self, gateways: Mapping[str, Gateway]) -> None:
        self._gateways = gateways

    def wait(self, payment: Payment) -> None:
        """Open page or app and do nothing yet; nobody is notified."""
        self._at(payment).waits(_name(payment))

    def vanish(self, payment: Payment) -> None:
        """Close the browser: nobody is notified, and only the sweep finds out."""
        self._at(payment).vanishes(_name(payment))

    def _at(self, payment: Payment) -> Gateway:
        gateway = self._gateways.get(payment.provider)
        if gateway is None:
            known = ", ".join(self._gateways) or "none: ask for a gateway's fixture"
            message = f"payment {payment.payment_id} is with {payment.provider!r}; this payer pays at: {known}"
            raise LookupError(message)
        return gateway


@check_arguments(refuse_misuse, any_text=True)
class TestPayer(_Payer):
    """Acts on payments of several gateways, each under its provider's name; callbacks that follow are delivered.

    Raises ``PayerRefused`` for what no payer could do now.
    """

    def __init__(self, gateways: Mapping[str, Gateway], *, deliver: Callable[[], object]) -> None:
        """Pay at ``gateways`` (``{"swish": SwishGateway(emulator)}``); ``deliver`` lets callbacks arrive."""
        super().__init__(gateways)
        self._deliver = deliver

    def approve(self, payment: Payment) -> None:
        """Pay."""
        self._at(payment).pays(_name(payment))
        self._deliver()

    def decline(self, payment: Payment) -> None:
        """Say no to bank or app."""
        self._at(payment).declines(_name(payment))
        self._deliver()


@check_arguments(refuse_misuse, any_text=True)
class AsyncTestPayer(_Payer):
    """The same for async code: what leads to callbacks is awaited."""

    def __init__(self, gateways: Mapping[str, Gateway], *, deliver: Callable[[], Awaitable[object]]) -> None:
        """Pay at ``gateways``; ``deliver`` lets callbacks arrive."""
        super().__init__(gateways)
        self._deliver = deliver

    async def approve(self, payment: Payment) -> None:
        """Pay."""
        self._at(payment).pays(_name(payment))
        await self._deliver()

    async def decline(self, payment: Payment) -> None:
        """Say no to bank or app."""
        self._at(payment).declines(_name(payment))
        await self._deliver()


def _name(payment: Payment) -> str:
    if payment.provider_reference is None:
        message = f"payment {payment.payment_id} is not known to the gateway: nobody can pay it"
        raise LookupError(message)
    return payment.provider_reference
