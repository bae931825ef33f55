"""Payments, refunds and payouts as JSON, in the words and the order of the guide (MSS user guide 2.0, §6, §10, §12)."""

from __future__ import annotations

from typing import Final, assert_never

from prenopay.testing.emulators.jsonvalues import JsonObject
from prenopay.testing.emulators.swish.behaviour import AbsentStyle, Behaviour, DateStyle
from prenopay.testing.emulators.swish.codes import Call, text_of
from prenopay.testing.emulators.swish.formats import amount_of, stamp
from prenopay.testing.emulators.swish.objects import Item, Payment, Payout, Refund, Status

__all__ = ["document_of"]

_TEXTS: Final = frozenset({"payeePaymentReference", "payerPaymentReference", "message", "errorMessage"})
"""Members that were seen as ``""`` where they are absent; the others were seen as ``null`` only."""


def document_of(item: Item, behaviour: Behaviour) -> JsonObject:
    """Return what GET and callbacks say of it."""
    match item:
        case Payment():
            members = _payment(item, behaviour)
        case Refund():
            members = _refund(item, behaviour)
        case Payout():
            members = _payout(item, behaviour)
        case _:
            assert_never(item)
    if behaviour.stray_members:
        members |= {"paymentChannel": "APP", "links": [{"rel": "self"}]}
        members.setdefault("additionalInformation", None)
    return _with_absent(members, behaviour.absent)


def _payment(payment: Payment, behaviour: Behaviour) -> JsonObject:
    style = behaviour.dates
    is_paid, is_cancelled = payment.status is Status.PAID, payment.status is Status.CANCELLED
    shows_reference = is_paid or behaviour.reference_early or payment.error_code == "DS24"
    shows_date = is_cancelled and behaviour.paid_date_on_cancelled
    status = behaviour.open_status if payment.status is Status.CREATED else payment.status.value
    token: JsonObject = {"paymentRequestToken": payment.token} if behaviour.token_in_object and payment.token else {}
    date_paid = stamp(payment.created, style) if shows_date else _date(payment, style)
    return {
        "id": payment.id,
        "payeePaymentReference": payment.reference,
        "paymentReference": payment.payment_reference if shows_reference else None,
        "callbackUrl": payment.callback_url,
        "callbackIdentifier": payment.callback_identifier,
        "payerAlias": payment.payer,
        "payeeAlias": payment.merchant.number,
        "amount": amount_of(payment.amount, behaviour.amounts),
        "currency": "SEK",
        "message": payment.message,
        "status": status,
        "dateCreated": stamp(payment.created, style),
        "datePaid": date_paid,
        "errorCode": payment.error_code,
        "errorMessage": text_of(payment.error_code) if payment.error_code else None,
        **token,
    }


def _refund(refund: Refund, behaviour: Behaviour) -> JsonObject:
    shows_reference = refund.status is not Status.VALIDATED or behaviour.reference_early
    return {
        "id": refund.id,
        "paymentReference": refund.payment_reference if shows_reference else None,
        "payerPaymentReference": refund.reference,
        "originalPaymentReference": refund.original_reference,
        "callbackUrl": refund.callback_url,
        "callbackIdentifier": refund.callback_identifier,
        "payerAlias": refund.merchant.number,
        "payeeAlias": refund.payee,
        "amount": amount_of(refund.amount, behaviour.amounts),
        "currency": "SEK",
        "message": refund.message,
        "status": refund.status.value,
        "dateCreated": stamp(refund.created, behaviour.dates),
        "datePaid": _date(refund, behaviour.dates),
        "errorMessage": text_of(refund.error_code, Call.REFUND) if refund.error_code else None,
        "additionalInformation": None,
        "errorCode": refund.error_code,
    }


def _payout(payout: Payout, behaviour: Behaviour) -> JsonObject:
    return {
        "paymentReference": payout.payment_reference,
        "payoutInstructionUUID": payout.id,
        "payerPaymentReference": payout.reference,
        "callbackUrl": payout.callback_url,
        "callbackIdentifier": payout.callback_identifier,
        "payerAlias": payout.merchant.number,
        "payeeAlias": payout.payee,
        "payeeSSN": payout.payee_ssn,
        "amount": amount_of(payout.amount, behaviour.amounts),
        "currency": "SEK",
        "message": payout.message,
        "payoutType": "PAYOUT",
        "status": payout.status.value,
        "dateCreated": stamp(payout.created, behaviour.payout_dates),
        "datePaid": _date(payout, behaviour.payout_dates),
        "errorMessage": text_of(payout.error_code, Call.PAYOUT) if payout.error_code else None,
        "additionalInformation": None,
        "errorCode": payout.error_code,
    }


def _date(item: Item, style: DateStyle) -> str | None:
    return stamp(item.paid, style) if item.paid else None


def _with_absent(members: JsonObject, style: AbsentStyle) -> JsonObject:
    """Write what is absent (``None`` or ``""``) in the asked style."""
    match style:
        case AbsentStyle.NULL:
            return {name: None if value == "" else value for name, value in members.items()}
        case AbsentStyle.EMPTY:
            return {
                name: ("" if name in _TEXTS else None) if value is None or value == "" else value
                for name, value in members.items()
            }
        case AbsentStyle.MISSING:
            return {name: value for name, value in members.items() if value is not None and value != ""}
        case _:
            assert_never(style)
