"""An emulator of Swish Handel, with its own certificate authority and a phone to pay with."""

from __future__ import annotations

from prenopay.testing.control import PayerRefused
from prenopay.testing.emulators.leniency import Leniency
from prenopay.testing.emulators.swish.authority import (
    IssuedCertificate,
    KeyPurpose,
    SwishAuthority,
    is_payout_signature,
    sign_payout,
)
from prenopay.testing.emulators.swish.behaviour import (
    AWKWARD,
    LENIENCIES,
    LENIENT,
    MSS,
    AbsentStyle,
    AmountStyle,
    Behaviour,
    DateStyle,
    IdentifierPlace,
    MessageSigns,
    ReferenceSigns,
    RemainingStyle,
)
from prenopay.testing.emulators.swish.documents import CALLBACK_SOURCE
from prenopay.testing.emulators.swish.emulator import (
    API_HOSTS,
    QR_HOSTS,
    PhoneFace,
    Presenting,
    ServedSwish,
    SwishEmulator,
    serve_swish,
)
from prenopay.testing.emulators.swish.payer import DEFAULT_PAYER
from prenopay.testing.emulators.swish.register import (
    DEFAULT_NUMBER,
    ChargeRecord,
    ConsentRecord,
    PaymentRecord,
    PayoutRecord,
    RefundRecord,
    Status,
    SwishMerchant,
    SwishPayer,
    Totals,
)

__all__ = [
    "API_HOSTS",
    "AWKWARD",
    "CALLBACK_SOURCE",
    "DEFAULT_NUMBER",
    "DEFAULT_PAYER",
    "LENIENCIES",
    "LENIENT",
    "MSS",
    "QR_HOSTS",
    "AbsentStyle",
    "AmountStyle",
    "Behaviour",
    "ChargeRecord",
    "ConsentRecord",
    "DateStyle",
    "IdentifierPlace",
    "IssuedCertificate",
    "KeyPurpose",
    "Leniency",
    "MessageSigns",
    "PayerRefused",
    "PaymentRecord",
    "PayoutRecord",
    "PhoneFace",
    "Presenting",
    "ReferenceSigns",
    "RefundRecord",
    "RemainingStyle",
    "ServedSwish",
    "Status",
    "SwishAuthority",
    "SwishEmulator",
    "SwishMerchant",
    "SwishPayer",
    "Totals",
    "is_payout_signature",
    "serve_swish",
    "sign_payout",
]
