"""Bodies as Swedbank Pay writes them, made from the documented fields, and a send that follows a script."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from prenopay import Money, OrderLine, Secret
from prenopay.ports import HttpRequest, HttpResponse
from prenopay.provider import ChangeRequest, Environment
from prenopay.providers.swedbankpay import SwedbankPay, SwedbankPayProvider
from prenopay.values.mandates import Consent

Json = dict[str, Any]

API = "https://api.externalintegration.payex.com"
PAYEE = "7f3c9a10-1b2c-4d5e-8f90-a1b2c3d4e5f6"
TOKEN = "t0ken-of-the-shop"
ORDER_ID = "/psp/paymentorders/6b1c2d3e-0001-4a5b-8c9d-08de16a1b2c3"
REFERENCE = "0123456789ABCDEFGHJKMNPQRSTVWX"
ERRORS = "https://api.payex.com/psp/errordetail"

STORED = "5f0e1d2c-3b4a-4958-8776-a5b4c3d2e1f0"
"""A stored token: it opens nothing, and must never be seen."""
CALLBACK = "https://shop.example/prenopay/paper/pay_1/mac"
CONSENT = Consent(text_version="terms-2026-01", agreed_at=datetime(2026, 10, 28, 11, tzinfo=UTC), channel="web")

OPEN = ("update-order", "abort", "abort-paymentattempt", "redirect-checkout", "view-checkout")
RESERVED = ("capture", "cancel", "redirect-checkout", "view-checkout")
TAKEN = ("reversal", "redirect-checkout", "view-checkout")

_PATHS = {"capture": "/captures", "cancel": "/cancellations", "reversal": "/reversals"}
_PAGES = {
    "redirect-checkout": "https://ecom.externalintegration.payex.com/payment/menu/9d8c7b?_tc_tid=1f2e",
    "view-checkout": "https://ecom.externalintegration.payex.com/payment/core/js/px.payment.client.js?token=9d8c7b",
}
_NODES = (
    "orderItems urls payeeInfo payer history failed aborted paid cancelled reversed "
    "financialTransactions failedAttempts postPurchaseFailedAttempts metadata"
)


def sek(minor: int) -> Money:
    """Return an amount in öre."""
    return Money(minor, "SEK")


def config(**fields: Any) -> SwedbankPay:
    """Return a test account."""
    plain = {"account": "paper", "environment": Environment.TEST, "payee_id": PAYEE, "access_token": Secret(TOKEN)}
    return SwedbankPay(**{**plain, **fields})


def provider(**fields: Any) -> SwedbankPayProvider:
    """Return what speaks for a test account."""
    return config(**fields).provider()


def operation(rel: str) -> Json:
    """Return one of ``operations``."""
    method = "POST" if rel in _PATHS else "GET" if rel in _PAGES else "PATCH"
    href = _PAGES.get(rel, API + ORDER_ID + _PATHS.get(rel, ""))
    return {"method": method, "href": href, "rel": rel, "contentType": "application/json"}


def order(status: str | None = "Initialized", *, rels: Iterable[str] = OPEN, **members: Any) -> Json:
    """Return a payment order of version 3.1: every node a link, except for the ``members`` given."""
    body: Json = {
        "id": ORDER_ID,
        "created": "2026-10-28T11:58:00.1234567Z",
        "updated": "2026-10-28T12:00:00.7654321Z",
        "operation": "Purchase",
        "status": status,
        "currency": "SEK",
        "amount": 14900,
        "vatAmount": 843,
        "description": "Digital, one month",
        "initiatingSystemUserAgent": "prenopay",
        "language": "sv-SE",
        "availableInstruments": ["CreditCard", "Swish"],
        "instrumentMode": False,
        "guestMode": True,
    }
    body |= {name: {"id": f"{ORDER_ID}/{name.lower()}"} for name in _NODES.split()}
    body |= members
    return {"paymentOrder": body, "operations": [operation(rel) for rel in rels]}


def paid(*, amount: int = 14900, transaction_type: str = "Authorization", **members: Any) -> Json:
    """Return a ``paid`` node."""
    return {
        "id": f"{ORDER_ID}/paid",
        "instrument": "CreditCard",
        "number": 40123456789,
        "payeeReference": REFERENCE,
        "transactionType": transaction_type,
        "amount": amount,
        "submittedAmount": 14900,
        "feeAmount": 0,
        "discountAmount": 0,
        "details": {"cardBrand": "Visa", "maskedPan": "492500******0004", "expiryDate": "12/2030"},
        **members,
    }


def token(kind: str = "unscheduled", **members: Any) -> Json:
    """Return one of ``tokens`` of a ``paid`` node."""
    return {"type": kind, "token": STORED, "name": "492500******0004", "expiryDate": "12/2027", **members}


def transactions(*listed: Json) -> Json:
    """Return a ``financialTransactions`` node."""
    return {"id": f"{ORDER_ID}/financialtransactions", "financialTransactionsList": list(listed)}


def transaction(kind: str, amount: int | None, number: int | str, reference: str | None = None) -> Json:
    """Return one of the financial transactions."""
    return {
        "id": f"{ORDER_ID}/financialtransactions/{number}",
        "created": "2026-10-28T12:30:00.12Z",
        "type": kind,
        "number": number,
        "amount": amount,
        "vatAmount": 0,
        "description": "one of several",
        "payeeReference": reference,
    }


def problem(kind: str, status: int = 403, **members: Any) -> Json:
    """Return a problem whose type ends in ``kind``."""
    return {
        "type": f"{ERRORS}/{kind}",
        "title": "Operation failed",
        "status": status,
        "detail": "Look at the problems node!",
        "instance": "https://api.payex.com/psp/probleminstance/00-1f2e-01",
        "problems": [],
        **members,
    }


def answer(body: object = None, status: int = 200, **headers: str) -> HttpResponse:
    """Return an answer of the gateway's; ``body`` is JSON, or bytes as they are."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return HttpResponse(status=status, headers=named, body=content)


def named(text: str, name: str = "Transaction.PayeeReference") -> Json:
    """Return the refusal of a request for one of its fields."""
    return problem("inputerror", 400, problems=[{"name": name, "description": text}])


SEEN_BEFORE = [
    answer(named("PayeeReference must be unique"), 400),
    answer(named("The payeeReference has already been used", "PaymentOrder.PayeeInfo.PayeeReference"), 400),
    answer(named("Duplicate", "payeeReference"), 400),
    answer(problem("forbidden", detail="A transaction with this payeeReference already exists"), 403),
    answer(problem("somethingnew", 409), 409),
    answer({"title": "Conflict", "status": 409}, 409),
]
"""What a repeated reference is answered with is not documented: every likely shape of it."""


def change(minor: int | None = 14900, *lines: OrderLine, vat: int = 843, reference: str = REFERENCE) -> ChangeRequest:
    """Return what a capture, cancel, refund or update is given."""
    return ChangeRequest(
        payment_id="pay_1",
        provider_reference=ORDER_ID,
        reference=reference,
        amount=None if minor is None else sek(minor),
        vat=None if minor is None else sek(vat),
        lines=lines,
        description="Digital, one month",
    )


class Script:
    """A send that gives the next answer of its script, or raises it, and remembers what was sent."""

    def __init__(self, *steps: HttpResponse | Exception) -> None:
        self.sent: list[HttpRequest] = []
        self._steps = iter(steps)

    async def __call__(self, request: HttpRequest) -> HttpResponse:
        self.sent.append(request)
        step = next(self._steps)
        if isinstance(step, Exception):
            raise step
        return step

    @property
    def calls(self) -> list[tuple[str, str]]:
        """Method and URL of each request, without what it asks to be expanded."""
        return [(each.method, each.url.partition("?")[0]) for each in self.sent]


def body_of(request: HttpRequest) -> Json:
    """Return what a request says."""
    decoded: Json = json.loads(request.body)
    return decoded


def without_nothing(value: object) -> object:
    """Return JSON without members that say nothing: empty texts, empty lists and nulls."""
    if isinstance(value, Mapping):
        kept = {name: without_nothing(member) for name, member in value.items()}
        return {name: member for name, member in kept.items() if member not in ("", None, [])}
    return [without_nothing(member) for member in value] if isinstance(value, list) else value
