"""prenopay: Nordic publishers take payments on their own web sites, straight to their own agreements.

The names a host needs. Importing this loads neither a database library nor an HTTP client; what
needs them is loaded when first named, and ``Accounts.open`` warms everything up.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from prenopay._redaction import Secret
from prenopay.values.callbacks import CallbackReply, CallbackRequest
from prenopay.values.events import Event, EventKind
from prenopay.values.money import Money
from prenopay.values.orders import Address, CaptureMode, Instrument, Order, OrderLine, PageStyle, Payer, PayoutOrder
from prenopay.values.payments import (
    Action,
    Advice,
    Decline,
    DeclineCode,
    DeclineKind,
    Flag,
    FlagKind,
    Operation,
    OperationId,
    OperationKind,
    Outcome,
    Payment,
    PaymentState,
    Payout,
)
from prenopay.values.subjects import Subject, SubjectKind

if TYPE_CHECKING:
    from prenopay.accounts.accounts import AsyncAccounts
    from prenopay.accounts.sweep import SweepReport
    from prenopay.blocking import Accounts, Payments
    from prenopay.books.upgrade import upgrade_database
    from prenopay.payments.use_cases import AsyncPayments
    from prenopay.provider import Environment

__all__ = [
    "Accounts",
    "Action",
    "Address",
    "Advice",
    "AsyncAccounts",
    "AsyncPayments",
    "CallbackReply",
    "CallbackRequest",
    "CaptureMode",
    "Decline",
    "DeclineCode",
    "DeclineKind",
    "Environment",
    "Event",
    "EventKind",
    "Flag",
    "FlagKind",
    "Instrument",
    "Money",
    "Operation",
    "OperationId",
    "OperationKind",
    "Order",
    "OrderLine",
    "Outcome",
    "PageStyle",
    "Payer",
    "Payment",
    "PaymentState",
    "Payments",
    "Payout",
    "PayoutOrder",
    "Secret",
    "Subject",
    "SubjectKind",
    "SweepReport",
    "upgrade_database",
]

__version__ = "0.1.0"

_LOADED_WHEN_NAMED = {
    "Accounts": "prenopay.blocking",
    "AsyncAccounts": "prenopay.accounts.accounts",
    "AsyncPayments": "prenopay.payments.use_cases",
    "Environment": "prenopay.provider",
    "Payments": "prenopay.blocking",
    "SweepReport": "prenopay.accounts.sweep",
    "upgrade_database": "prenopay.books.upgrade",
}


def __getattr__(name: str) -> object:
    if name in _LOADED_WHEN_NAMED:
        return getattr(import_module(_LOADED_WHEN_NAMED[name]), name)
    message = f"module 'prenopay' has no attribute {name!r}"
    raise AttributeError(message)


def __dir__() -> list[str]:
    return sorted(__all__)
