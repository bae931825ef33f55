"""Objects as JSON, in the words of the guide (MSS user guide 2.0, §6, §10, §12), and callbacks with them."""

from __future__ import annotations

from typing import Final, assert_never

from prenopay.testing.callbacks import Callback
from prenopay.testing.emulators.swish.behaviour import AbsentStyle, Behaviour, DateStyle, IdentifierPlace
from prenopay.testing.emulators.swish.problems import Call, text_of
from prenopay.testing.emulators.swish.register import Charge, Consent, Item, Payment, Payout, Refund, Register, Status
from prenopay.testing.emulators.swish.requests import amount_of, stamp
from prenopay.testing.http import JsonObject

CALLBACK_SOURCE: Final = "89.46.83.171"
"""The address from which the simulator calls, as several integrators saw it."""
_IDENTIFIER: Final = "callbackIdentifier"
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


def _common(item: Item, behaviour: Behaviour, payer: str, payee: str, dates: DateStyle) -> JsonObject:
    """Return the members that all three have; the text of a payment's error does not depend on the call."""
    call = Call.REFUND if isinstance(item, Refund) else Call.PAYOUT if isinstance(item, Payout) else None
    return {
        "paymentReference": item.payment_reference,
        "callbackUrl": item.callback_url,
        _IDENTIFIER: item.callback_identifier,
        "payerAlias": payer,
        "payeeAlias": payee,
        "amount": amount_of(item.amount, behaviour.amounts),
        "currency": "SEK",
        "message": item.message,
        "status": item.status.value,
        "dateCreated": stamp(item.created, dates),
        "datePaid": stamp(item.paid, dates) if item.paid else None,
        "errorCode": item.error_code,
        "errorMessage": text_of(item.error_code, call) if item.error_code else None,
    }


def _payment(payment: Payment, behaviour: Behaviour) -> JsonObject:
    members = _common(payment, behaviour, payment.payer, payment.merchant.number, behaviour.dates)
    members = {"id": payment.id, "payeePaymentReference": payment.reference, **members}
    if not (payment.status is Status.PAID or behaviour.reference_early or payment.error_code == "DS24"):
        members["paymentReference"] = None
    if payment.status is Status.CREATED:
        members["status"] = behaviour.open_status
    if payment.status is Status.CANCELLED and behaviour.paid_date_on_cancelled:
        members["datePaid"] = members["dateCreated"]
    if behaviour.token_in_object and payment.token:
        members["paymentRequestToken"] = payment.token
    return members


def _refund(refund: Refund, behaviour: Behaviour) -> JsonObject:
    members = _common(refund, behaviour, refund.merchant.number, refund.payee, behaviour.dates)
    if refund.status is Status.VALIDATED and not behaviour.reference_early:
        members["paymentReference"] = None
    references = {"payerPaymentReference": refund.reference, "originalPaymentReference": refund.original_reference}
    return {"id": refund.id, **references, **members, "additionalInformation": None}


def _payout(payout: Payout, behaviour: Behaviour) -> JsonObject:
    members = _common(payout, behaviour, payout.merchant.number, payout.payee, behaviour.payout_dates)
    names = {"payoutInstructionUUID": payout.id, "payerPaymentReference": payout.reference}
    return {**names, **members, "payeeSSN": payout.payee_ssn, "payoutType": "PAYOUT", "additionalInformation": None}


def _with_absent(members: JsonObject, style: AbsentStyle) -> JsonObject:
    """Write what is absent (``None`` or ``""``) in the asked style."""
    present = {name: value for name, value in members.items() if value is not None and value != ""}
    if style is AbsentStyle.MISSING:
        return present
    blank = _TEXTS if style is AbsentStyle.EMPTY else frozenset[str]()
    return {name: present.get(name, "" if name in blank else None) for name in members}


def consent_document(consent: Consent) -> JsonObject:
    """Return what GET and callbacks say of a consent."""
    return {
        "id": consent.id,
        "status": consent.status,
        "payee": {"alias": consent.merchant.number},
        "payer": {"alias": consent.payer or None},
        "payeePaymentReference": consent.reference or None,
        "callbackUrl": consent.callback_url,
        _IDENTIFIER: consent.callback_identifier or None,
    }


def charge_document(charge: Charge, register: Register) -> JsonObject:
    """Return what GET and callbacks say of a charge on a consent."""
    behaviour = register.behaviour
    return {
        "id": charge.id,
        "consentId": charge.consent.id,
        "status": charge.status,
        "amount": {"value": amount_of(charge.amount, behaviour.amounts), "currency": "SEK"},
        "message": charge.message or None,
        "paymentReference": charge.payment_reference or None,
        "date": stamp(register.now(), behaviour.dates),
        "errorCode": charge.error_code or None,
        "errorMessage": text_of(charge.error_code) if charge.error_code else None,
    }


def notify(register: Register, item: Item | Consent | Charge, *, naming: str = "") -> Callback | None:
    """Queue a callback about ``item``, if it has an address: the object as GET shows it, and the identifier.

    ``naming`` puts a false id into the body.
    """
    match item:
        case Consent():
            body = consent_document(item)
        case Charge():
            body = charge_document(item, register)
        case _:
            body = document_of(item, register.behaviour)
    if naming:
        body["payoutInstructionUUID" if isinstance(item, Payout) else "id"] = naming
    place, headers = register.behaviour.identifier_place, [("content-type", "application/json; charset=utf-8")]
    if item.callback_identifier and place in {IdentifierPlace.BOTH, IdentifierPlace.HEADER}:
        headers.append((_IDENTIFIER, item.callback_identifier))
    if place in {IdentifierPlace.HEADER, IdentifierPlace.NOWHERE}:
        body.pop(_IDENTIFIER, None)
    return register.tell(item.callback_url, body, about=item.id, headers=tuple(headers))
