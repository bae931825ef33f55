"""prenopay: Nordic publishers take payments on their own web sites, straight to their own agreements.

This module is the door for hosts: every name that a host needs is imported from here. Importing it loads
neither a database library nor an HTTP client. A name that needs one loads it at its first use, and
``Accounts.open`` loads the rest.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from prenopay._redaction import Secret
from prenopay.ports import Clock, Entropy, HttpSender
from prenopay.values.callbacks import CallbackAddress, CallbackReply, CallbackRequest, CallbackUrls
from prenopay.values.events import Event, EventKind
from prenopay.values.forms import email_address, phone_number
from prenopay.values.mandates import (
    Consent,
    ConsentKind,
    ImportProblem,
    ImportReport,
    Mandate,
    MandateChange,
    MandateKind,
    MandateState,
    StoreMethod,
)
from prenopay.values.money import Money
from prenopay.values.orders import (
    Address,
    CaptureMode,
    DeliveryTime,
    Initiator,
    Instrument,
    LineKind,
    Order,
    OrderLine,
    PageStyle,
    Payer,
    PayerHistory,
    PayoutOrder,
    RiskFacts,
    ShippedTo,
)
from prenopay.values.payments import (
    Action,
    Advice,
    AppSwitch,
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
    SeamlessView,
    TimelineEntry,
)
from prenopay.values.subjects import Subject, SubjectKind

if TYPE_CHECKING:
    from prenopay.accounts.accounts import AsyncAccounts
    from prenopay.accounts.sweep import SweepReport
    from prenopay.blocking import Accounts, Mandates, Payments
    from prenopay.books.inbox import Callback
    from prenopay.books.outbox import Undelivered
    from prenopay.books.unserved import Unserved
    from prenopay.books.upgrade import upgrade_database
    from prenopay.cli.settings import Settings, load_settings
    from prenopay.mandates.use_cases import AsyncMandates
    from prenopay.payments.use_cases import AsyncPayments
    from prenopay.provider import Environment

__all__ = [
    "Accounts",
    "Action",
    "Address",
    "Advice",
    "AppSwitch",
    "AsyncAccounts",
    "AsyncMandates",
    "AsyncPayments",
    "Callback",
    "CallbackAddress",
    "CallbackReply",
    "CallbackRequest",
    "CallbackUrls",
    "CaptureMode",
    "Clock",
    "Consent",
    "ConsentKind",
    "Decline",
    "DeclineCode",
    "DeclineKind",
    "DeliveryTime",
    "Entropy",
    "Environment",
    "Event",
    "EventKind",
    "Flag",
    "FlagKind",
    "HttpSender",
    "ImportProblem",
    "ImportReport",
    "Initiator",
    "Instrument",
    "LineKind",
    "Mandate",
    "MandateChange",
    "MandateKind",
    "MandateState",
    "Mandates",
    "Money",
    "Operation",
    "OperationId",
    "OperationKind",
    "Order",
    "OrderLine",
    "Outcome",
    "PageStyle",
    "Payer",
    "PayerHistory",
    "Payment",
    "PaymentState",
    "Payments",
    "Payout",
    "PayoutOrder",
    "RiskFacts",
    "SeamlessView",
    "Secret",
    "Settings",
    "ShippedTo",
    "StoreMethod",
    "Subject",
    "SubjectKind",
    "SweepReport",
    "TimelineEntry",
    "Undelivered",
    "Unserved",
    "email_address",
    "load_settings",
    "phone_number",
    "upgrade_database",
]

__version__ = "0.1.0"

_LOADED_WHEN_NAMED = {
    "Accounts": "prenopay.blocking",
    "AsyncAccounts": "prenopay.accounts.accounts",
    "AsyncMandates": "prenopay.mandates.use_cases",
    "AsyncPayments": "prenopay.payments.use_cases",
    "Callback": "prenopay.books.inbox",
    "Undelivered": "prenopay.books.outbox",
    "Unserved": "prenopay.books.unserved",
    "Environment": "prenopay.provider",
    "Mandates": "prenopay.blocking",
    "Payments": "prenopay.blocking",
    "Settings": "prenopay.cli.settings",
    "SweepReport": "prenopay.accounts.sweep",
    "load_settings": "prenopay.cli.settings",
    "upgrade_database": "prenopay.books.upgrade",
}


def __getattr__(name: str) -> object:
    if name in _LOADED_WHEN_NAMED:
        return getattr(import_module(_LOADED_WHEN_NAMED[name]), name)
    message = f"module 'prenopay' has no attribute {name!r}"
    raise AttributeError(message)


def __dir__() -> list[str]:
    return sorted(__all__)
