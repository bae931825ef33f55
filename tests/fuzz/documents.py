"""Valid documents to begin with, made from the documented fields, and a folder of samples where there is one."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

from tests.providers.swedbankpay import samples as card
from tests.providers.swedbankpay.test_tokens import new_list, new_token, old_list, old_token
from tests.providers.swish import samples as swish

__all__ = ["CARD_CALLBACKS", "CARD_DOCUMENTS", "SETTINGS", "SWISH_CALLBACKS", "SWISH_DOCUMENTS", "TOKEN_FILE"]


class Documents(list[Any]):
    """Documents to draw from; a failing test does not print them all."""

    def __repr__(self) -> str:
        return "documents"

    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        return Documents(found) if isinstance(place, slice) else found


def _of_folder(provider: str) -> list[Any]:
    """Return the documented samples, if the environment says where they are."""
    folder = os.environ.get("PRENOPAY_SAMPLES", "")
    files = sorted((Path(folder) / provider).glob("*.json")) if folder else []
    found = [json.loads(file.read_bytes()) for file in files]
    return [each for each in found if isinstance(each, dict | list)]


def _card_orders() -> list[Any]:
    said_no = card.problem("acquirerinsufficientfunds", suspension={"attempts": 3, "remaining": 5, "state": "Warning"})
    listed = card.transactions(
        card.transaction("Authorization", 14900, 1, card.REFERENCE),
        card.transaction("Capture", 10000, 2, "R2"),
        card.transaction("Reversal", 5000, 3, "R3"),
        card.transaction("Cancellation", 4900, 4, "R4"),
    )
    tries = [{"created": "2026-10-28T12:00:00Z", "instrument": "CreditCard", "number": 7, "problem": said_no}]
    failed = [{"created": "2026-10-28T12:40:00Z", "type": "Capture", "number": 9, "problem": said_no}]
    everything: dict[str, Any] = {
        "paid": card.paid(tokens=[card.token(), card.token("recurrence")]),
        "financialTransactions": listed,
        "failedAttempts": {"failedAttemptList": tries},
        "postPurchaseFailedAttempts": {"postPurchaseFailedAttemptList": failed},
        "history": {"historyList": [{"name": "PaymentPaid", "instrument": "CreditCard", "amount": 14900}]},
        "remainingCaptureAmount": 4900,
        "remainingReversalAmount": 5000,
    }
    daily = card.problem("dailylimitexceeded")
    return [
        card.order(),
        card.order("Paid", rels=card.RESERVED, paid=card.paid()),
        card.order("Paid", rels=card.TAKEN, **everything),
        card.order("Reversed", rels=(), reversed=card.paid(transaction_type="Sale", instrument="Swish")),
        card.order("Cancelled", rels=(), cancelled=card.paid()),
        card.order("Failed", rels=(), failed={"id": "x", "problem": daily}, operation="Recur"),
        card.order("Aborted", rels=(), aborted={"abortReason": "CanceledByUser"}),
        card.order(
            None, rels=("paid-paymentorder", "create-paymentorder-capture"), state="Ready", unscheduledToken="t"
        ),
        card.order("Initialized", failedAttempts={"failedAttemptList": [*tries, {"problem": daily, **tries[0]}]}),
    ]


_ORDERS: Final = _card_orders()
_NODES: Final = ("paid", "financialTransactions", "failedAttempts", "postPurchaseFailedAttempts", "history")
CARD_CALLBACKS: Final = Documents(
    [
        {"orderReference": "K-1", "paymentOrder": {"id": card.ORDER_ID, "instrument": "CreditCard", "number": 1}},
        {"paymentOrder": {"id": card.ORDER_ID}, "payment": {"id": "x"}, "transaction": {"id": "y", "number": 2}},
    ]
)
CARD_DOCUMENTS: Final = Documents(
    [
        *_ORDERS,
        *CARD_CALLBACKS,
        *({"paymentOrder": card.ORDER_ID, name: _ORDERS[2]["paymentOrder"][name]} for name in _NODES),
        {
            "payment": "/psp/x",
            "capture": {"id": "x", "transaction": {"amount": 5, "state": "Completed", "type": "Capture"}},
        },
        card.problem(
            "inputerror", 400, problems=[{"name": "Transaction.PayeeReference", "description": "already used"}]
        ),
        card.problem("creditcard/dailylimitexceeded", suspension={"remaining": 0, "state": "Suspended"}),
        new_list(new_token(), new_token("Recurrence", "Archived")),
        old_list(old_token(), old_token("Payment")),
        {"token": new_token(), "operations": []},
        {"token": "t", "isDeleted": True},
        *_of_folder("swedbankpay"),
    ]
)

_ERROR: Final = {"errorCode": "RF07", "errorMessage": "Transaction declined", "additionalInformation": None}
SWISH_CALLBACKS: Final = Documents(
    [swish.payment("PAID"), swish.failed("TM01", "late"), swish.refund(), swish.payout()]
)
SWISH_DOCUMENTS: Final = Documents(
    [
        *(swish.payment(status) for status in ("CREATED", "PAID", "DECLINED", "CANCELLED")),
        *(swish.refund(status) for status in ("VALIDATED", "PAID")),
        *(swish.payout(status) for status in ("DEBITED", "PAID")),
        swish.failed("FF10", "Bank system processing error"),
        swish.payment("PAID", amount="149.00"),
        [_ERROR],
        [{**_ERROR, "errorCode": code} for code in ("RP09", "PA01", "RP07", "BANKIDCL")],
        {"code": "RF02", "message": "no such payment"},
        {"status": 201, "headers": {"Location": f"https://x/paymentrequests/{swish.UUID}"}, "body": ""},
        {"method": "POST", "headers": {}, "body": swish.payment("PAID")},
        {"status": 422, "headers": {}, "body": [_ERROR]},
        {"status": "ACTIVE", "consentId": "c", "recurringIsOffered": True},
        *_of_folder("swish"),
    ]
)

TOKEN_FILE: Final = (
    "payer_reference,kind,token,display,instrument,expires,consent,most,currency,text_version,agreed_at,channel\n"
    "R-1,unscheduled,t-1,Visa •••• 0004,card,2027-12,fixed,149.00,SEK,terms-3,2025-03-01T10:00:00+00:00,web\n"
    'R-2,recurrence,t-2,"Card, old",card,,variable,,,terms-3,2025-03-01T10:00:00Z,\n'
)
SETTINGS: Final = """\
database = "sqlite:///prenopay.db"
callback_url = "https://shop.example/callbacks"
callback_keys = ["env:FUZZ_KEY", "env:FUZZ_KEY"]
token_keys = ["env:FUZZ_KEY"]

[accounts.cards]
provider = "swedbankpay"
environment = "test"
payee_id = "7f3c9a10-1b2c-4d5e-8f90-a1b2c3d4e5f6"
access_token = "env:FUZZ_KEY"
base_url = "http://127.0.0.1:8001"
deadline_seconds = 12.5
callback_sources = ["20.91.170.120/29"]

[accounts.swish]
provider = "swish"
environment = "test"
number = "1234679304"
certificate = "file:swish.pem"
clean_texts = true
"""
