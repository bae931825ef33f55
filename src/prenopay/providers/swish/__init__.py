"""Swish Handel: payments by app, QR code or phone number, refunds, payouts, over mutual TLS.

Sources for wire facts: "User Guide Merchant Swish Simulator" 2.0 (2023-08-28), called *MSS guide*
here; where it is silent, what several public integrations agree on, called *integrators*.
"""

from prenopay.providers.swish.config import Swish, SwishRecurring
from prenopay.providers.swish.consents import SwishRecurringProvider
from prenopay.providers.swish.phones import msisdn
from prenopay.providers.swish.provider import SwishProvider
from prenopay.providers.swish.qr import qr_png, qr_svg

__all__ = ["Swish", "SwishProvider", "SwishRecurring", "SwishRecurringProvider", "msisdn", "qr_png", "qr_svg"]
