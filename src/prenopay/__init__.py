"""prenopay: Nordic publishers take payments on their own web sites, straight to their own agreements.

The names a host needs. Importing this loads neither a database library nor an HTTP client; what
needs them is loaded when first named, and ``Accounts.open`` warms everything up.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from prenopay._redaction import Secret
from prenopay.callbacks import CallbackReply, CallbackRequest
from prenopay.events import Event, EventKind
from prenopay.models import (
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
from prenopay.money import Money
from prenopay.orders import Address, CaptureMode, Instrument, Order, OrderLine, PageStyle, Payer, PayoutOrder

if TYPE_CHECKING:
    from prenopay.accounts import AsyncAccounts, SweepReport
    from prenopay.ledger.upgrading import upgrade_database
    from prenopay.payments import AsyncPayments
    from prenopay.payments_sync import Accounts, Payments
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
    "SweepReport",
    "upgrade_database",
]

__version__ = "0.1.0"

_LOADED_WHEN_NAMED = {
    "Accounts": "prenopay.payments_sync",
    "AsyncAccounts": "prenopay.accounts",
    "AsyncPayments": "prenopay.payments",
    "Environment": "prenopay.provider",
    "Payments": "prenopay.payments_sync",
    "SweepReport": "prenopay.accounts",
    "upgrade_database": "prenopay.ledger.upgrading",
}


def __getattr__(name: str) -> object:
    if name in _LOADED_WHEN_NAMED:
        return getattr(import_module(_LOADED_WHEN_NAMED[name]), name)
    message = f"module 'prenopay' has no attribute {name!r}"
    raise AttributeError(message)


def __dir__() -> list[str]:
    return sorted(__all__)
