"""An emulator of Swedbank Pay's payment orders, with its payment page."""

from __future__ import annotations

from prenopay.testing.control import PayerRefused
from prenopay.testing.emulators.leniency import Leniency
from prenopay.testing.emulators.swedbankpay.behaviour import (
    AWKWARD,
    LENIENCIES,
    LENIENT,
    AsynchronousReversal,
    AttemptLimits,
    Behaviour,
    Brand,
    DeclineChannel,
    DuplicateAnswer,
    TrustlyCharge,
)
from prenopay.testing.emulators.swedbankpay.cards import TEST_CARDS, TestCard
from prenopay.testing.emulators.swedbankpay.documents import CALLBACK_SOURCES
from prenopay.testing.emulators.swedbankpay.emulator import SwedbankPayEmulator
from prenopay.testing.emulators.swedbankpay.orders import (
    DEFAULT_ACCESS_TOKEN,
    DEFAULT_PAYEE_ID,
    ArchivedBy,
    Merchant,
    ReferenceFormat,
    Status,
    TokenKind,
    TokenRecord,
    TransactionKind,
    TransactionRecord,
)
from prenopay.testing.emulators.swedbankpay.payer import PayerAnswer, PayerResult, TrustlyAnswer
from prenopay.testing.emulators.swedbankpay.register import ChargeRecord, OrderRecord, Totals

__all__ = [
    "AWKWARD",
    "CALLBACK_SOURCES",
    "DEFAULT_ACCESS_TOKEN",
    "DEFAULT_PAYEE_ID",
    "LENIENCIES",
    "LENIENT",
    "TEST_CARDS",
    "ArchivedBy",
    "AsynchronousReversal",
    "AttemptLimits",
    "Behaviour",
    "Brand",
    "ChargeRecord",
    "DeclineChannel",
    "DuplicateAnswer",
    "Leniency",
    "Merchant",
    "OrderRecord",
    "PayerAnswer",
    "PayerRefused",
    "PayerResult",
    "ReferenceFormat",
    "Status",
    "SwedbankPayEmulator",
    "TestCard",
    "TokenKind",
    "TokenRecord",
    "Totals",
    "TransactionKind",
    "TransactionRecord",
    "TrustlyAnswer",
    "TrustlyCharge",
]
