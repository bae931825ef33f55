"""Objects as Swish writes them, made from the documented fields, an account, and what the verbs are given."""

from __future__ import annotations

import functools
from datetime import UTC, datetime
from typing import Any

from prenopay import Money, Order, PageStyle, Payer, Secret
from prenopay.ports import HttpResponse
from prenopay.provider import ChangeRequest, ChargeRequest, CreateRequest, Environment, PayoutRequest
from prenopay.providers.swish import Swish, SwishProvider, SwishRecurringProvider
from prenopay.values.mandates import MandateKind
from prenopay.values.orders import Initiator, PayoutOrder
from tests.providers.swedbankpay.samples import Script, answer, body_of, sek

from .authority import NUMBER, issued

__all__ = ["Json", "Script", "answer", "body_of", "sek"]

Json = dict[str, Any]

HOST = "https://mss.cpc.getswish.net"
API = f"{HOST}/swish-cpcapi/api"
UUID = "11A86BE70EA346E4B1C39C874173F088"
REFUND = "22B86BE70EA346E4B1C39C874173F099"
BANKS = "6D6CD7406ECE4542A80152D909EF9F6B"
TOKEN = "4f2c1d0e9b8a47d6a5c4b3a29180f7e6"
CALLBACK = "https://shop.example/prenopay/swish/pay_1/s3cretmac"
RETURN = "https://shop.example/thanks?order=4711"
PHONE = "46701234567"


def config(**fields: Any) -> Swish:
    """Return a test account."""
    plain = {
        "account": "swish",
        "environment": Environment.TEST,
        "number": NUMBER,
        "certificate": issued().whole_pem,
    }
    return Swish(**{**plain, **fields})


def provider(**fields: Any) -> SwishProvider:
    """Return what speaks for a test account."""
    return config(**fields).provider() if fields else _plain_provider()


@functools.cache
def _plain_provider() -> SwishProvider:
    """Reading a key is slow, and a provider keeps no state: one does for all tests."""
    return config().provider()


def payment(status: str = "CREATED", **members: Any) -> Json:
    """Return a payment."""
    return {
        "id": UUID,
        "payeePaymentReference": "4711",
        "paymentReference": BANKS if status == "PAID" else None,
        "callbackUrl": CALLBACK,
        "callbackIdentifier": "00" * 16,
        "payerAlias": PHONE,
        "payeeAlias": NUMBER,
        "amount": 149.0,
        "currency": "SEK",
        "message": "En månad",
        "status": status,
        "dateCreated": "2026-10-28T11:58:00.123Z",
        "datePaid": "2026-10-28T11:58:04.123Z" if status == "PAID" else None,
        "errorCode": None,
        "errorMessage": None,
        **members,
    }


def failed(code: str, text: str = "", **members: Any) -> Json:
    """Return a payment that ended in ERROR."""
    return payment("ERROR", errorCode=code, errorMessage=text, **members)


def refund(status: str = "CREATED", **members: Any) -> Json:
    """Return a refund."""
    return {
        "id": REFUND,
        "paymentReference": None,
        "payerPaymentReference": "4711",
        "originalPaymentReference": BANKS,
        "callbackUrl": CALLBACK,
        "payerAlias": NUMBER,
        "payeeAlias": PHONE,
        "amount": 49.5,
        "currency": "SEK",
        "message": "",
        "status": status,
        "dateCreated": "2026-10-28T12:58:00.123Z",
        "datePaid": None,
        "errorMessage": None,
        "additionalInformation": None,
        "errorCode": None,
        **members,
    }


def payout(status: str = "CREATED", **members: Any) -> Json:
    """Return a payout."""
    return {
        "paymentReference": None,
        "payoutInstructionUUID": UUID,
        "payerPaymentReference": "prize-1",
        "callbackUrl": CALLBACK,
        "payerAlias": NUMBER,
        "payeeAlias": PHONE,
        "payeeSSN": "197501082387",
        "amount": 500.0,
        "currency": "SEK",
        "payoutType": "PAYOUT",
        "status": status,
        "dateCreated": "2026-10-28T12:56:59.874",
        "datePaid": None,
        "errorCode": None,
        "errorMessage": None,
        "additionalInformation": None,
        **members,
    }


def errors(*codes: str, status: int = 422, more: str | None = None, **headers: str) -> HttpResponse:
    """Return the refusal of a request."""
    listed = [{"errorCode": code, "errorMessage": f"{code} it is", "additionalInformation": more} for code in codes]
    return answer(listed, status, **headers)


def made(kind: str = "paymentrequests", uuid: str = UUID, **headers: str) -> HttpResponse:
    """Return the answer to a create: no body, and a Location on v1."""
    return answer(b"", 201, location=f"{API}/v1/{kind}/{uuid}", **headers)


def made_with_token(token: str = TOKEN) -> HttpResponse:
    """Return the answer to a create of a payment for the app."""
    return made(paymentrequesttoken=token)


MISSING = answer(b"", 404)
MISSING_WITH_BODY = errors("RP04", status=404)


def asked(minor: int = 14900, **fields: Any) -> Order:
    """Return an order."""
    plain = {"amount": sek(minor), "description": "En månad", "return_url": RETURN, "order_reference": "4711"}
    return Order(**{**plain, **fields})


def by_phone(phone: str = "070-123 45 67", **payer: Any) -> Json:
    """Return the fields of an order whose request goes to a phone."""
    return {"page": PageStyle.PHONE, "payer": Payer(phone=phone, **payer)}


def request_of(order: Order | None = None, *, again: bool = False) -> CreateRequest:
    """Return what a create is given."""
    return CreateRequest(order=order or asked(), payment_id="pay_1", reference=UUID, callback_url=CALLBACK, again=again)


def change(minor: int | None = None, *, again: bool = False, **fields: Any) -> ChangeRequest:
    """Return what a cancel or refund is given."""
    plain: Json = {
        "payment_id": "pay_1",
        "provider_reference": UUID,
        "reference": REFUND,
        "amount": None if minor is None else sek(minor),
        "vat": None,
        "lines": (),
        "description": "En månad",
        "callback_url": CALLBACK,
        "again": again,
    }
    return ChangeRequest(**{**plain, **fields})


def payout_request(minor: int = 50000, **fields: Any) -> PayoutRequest:
    """Return what a payout is given."""
    plain: Json = {
        "amount": Money(minor, "SEK"),
        "payee_phone": "070-123 45 67",
        "payee_personal_number": "19750108-2387",
        "description": "Första pris",
        "reference": "prize-1",
    }
    return PayoutRequest(
        order=PayoutOrder(**{**plain, **fields}),
        payout_id="out_1",
        reference=UUID,
        callback_url=CALLBACK,
        asked_at=datetime(2026, 10, 28, 12, 0, 1, 999, tzinfo=UTC),
    )


def recurring(**fields: Any) -> SwishRecurringProvider:
    """Return what speaks for a test account that has turned recurring payments on."""
    found = provider(recurring=True, **fields)
    assert isinstance(found, SwishRecurringProvider)
    return found


def consent(status: str = "ACTIVE", **members: Any) -> Json:
    """Return a standing consent."""
    return {
        "id": UUID,
        "status": status,
        "payee": {"alias": NUMBER},
        "payer": {"alias": PHONE},
        "payeePaymentReference": "4711",
        "callbackUrl": CALLBACK,
        **members,
    }


def charged(status: str = "CREATED", **members: Any) -> Json:
    """Return a charge on a consent."""
    return {
        "id": REFUND,
        "consentId": UUID,
        "status": status,
        "amount": {"value": 149.0, "currency": "SEK"},
        "paymentReference": BANKS if status == "PAID" else None,
        **members,
    }


def charge_of(minor: int = 14900, *, again: bool = False, **fields: Any) -> ChargeRequest:
    """Return what a charge is given."""
    order = Order(amount=sek(minor), description="En månad", return_url="", initiator=Initiator.MERCHANT)
    values: Json = {
        "order": order,
        "payment_id": "pay_2",
        "reference": REFUND,
        "callback_url": CALLBACK,
        "kind": MandateKind.CONSENT,
        "token": Secret(UUID),
        "again": again,
    }
    return ChargeRequest(**(values | fields))
