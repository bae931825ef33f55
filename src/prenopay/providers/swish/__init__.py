"""Swish Handel: payments by app, QR code or phone number, refunds, payouts, over mutual TLS.

Sources for wire facts: "User Guide Merchant Swish Simulator" 2.0 (2023-08-28), called *MSS guide* here; if it
is silent, what several public integrations agree on, called *integrators*.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING

from prenopay.providers.swish.config import KeyMaterial, SwishAccount
from prenopay.providers.swish.qr import qr_png, qr_svg

if TYPE_CHECKING:
    from prenopay.providers.swish.consents import SwishRecurringProvider
    from prenopay.providers.swish.provider import SwishProvider

__all__ = [
    "KeyMaterial",
    "Swish",
    "SwishAccount",
    "SwishProvider",
    "SwishRecurring",
    "SwishRecurringProvider",
    "qr_png",
    "qr_svg",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Swish(SwishAccount["SwishProvider"]):
    """An account with Swish Handel; see ``SwishAccount`` for its fields."""

    def provider(self) -> SwishProvider:
        """Build the provider of this account; raises ``ConfigurationError``."""
        from prenopay.providers.swish.consents import SwishRecurringProvider  # noqa: PLC0415 - loads pydantic
        from prenopay.providers.swish.provider import SwishProvider  # noqa: PLC0415 - loads pydantic

        return SwishRecurringProvider(self) if self.recurring else SwishProvider(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class SwishRecurring(SwishAccount["SwishRecurringProvider"]):
    """``Swish`` with ``recurring=True``, for type checkers: its payments can be charged. Experimental."""

    recurring: bool = field(default=True, init=False)

    def provider(self) -> SwishRecurringProvider:
        """Build the provider of this account; raises ``ConfigurationError``."""
        from prenopay.providers.swish.consents import SwishRecurringProvider  # noqa: PLC0415 - loads pydantic

        return SwishRecurringProvider(self)


_LOADED_WHEN_NAMED = {
    "SwishProvider": "prenopay.providers.swish.provider",
    "SwishRecurringProvider": "prenopay.providers.swish.consents",
}


def __getattr__(name: str) -> object:
    if name in _LOADED_WHEN_NAMED:
        return getattr(import_module(_LOADED_WHEN_NAMED[name]), name)
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
