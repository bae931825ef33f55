"""Swedbank Pay payment orders, API 3.1 (Checkout v3): cards, wallets, Swish, Vipps, MobilePay, Trustly, invoice.

Source for wire facts: developer.swedbankpay.com, docs release 5.3.19 (2026-07-01).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from prenopay._arguments import check_arguments, refuse_setting
from prenopay.provider import Inspection
from prenopay.providers.swedbankpay.config import ReferenceFormat, RepeatedReference, SwedbankPayAccount

if TYPE_CHECKING:
    from prenopay.providers.swedbankpay.provider import SwedbankPayProvider

__all__ = ["ReferenceFormat", "RepeatedReference", "SwedbankPay", "SwedbankPayAccount", "SwedbankPayProvider"]


@check_arguments(refuse_setting)
@dataclass(frozen=True, slots=True, kw_only=True)
class SwedbankPay(SwedbankPayAccount["SwedbankPayProvider"]):
    """An account with Swedbank Pay; see ``SwedbankPayAccount`` for its fields."""

    def provider(self) -> SwedbankPayProvider:
        """Build the provider of this account."""
        from prenopay.providers.swedbankpay.provider import SwedbankPayProvider  # noqa: PLC0415 - loads pydantic

        return SwedbankPayProvider(self)

    @classmethod
    def inspect(cls, body: bytes) -> Inspection:
        """Say how a stored payment order (of any version), callback or problem is read; raises ``ValueError``."""
        from prenopay.providers.swedbankpay.inspection import inspect  # noqa: PLC0415 - loads pydantic

        return inspect(body)


def __getattr__(name: str) -> object:
    if name == "SwedbankPayProvider":
        from prenopay.providers.swedbankpay.provider import SwedbankPayProvider  # noqa: PLC0415 - loads pydantic

        return SwedbankPayProvider
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
