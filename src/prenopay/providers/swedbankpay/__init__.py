"""Swedbank Pay payment orders, API 3.1 (Checkout v3): cards, wallets, Swish, Vipps, MobilePay, Trustly, invoice.

Source for wire facts: developer.swedbankpay.com, docs release 5.3.19 (2026-07-01).
"""

from prenopay.providers.swedbankpay.config import ReferenceFormat, RepeatedReference, SwedbankPay
from prenopay.providers.swedbankpay.provider import SwedbankPayProvider

__all__ = ["ReferenceFormat", "RepeatedReference", "SwedbankPay", "SwedbankPayProvider"]
