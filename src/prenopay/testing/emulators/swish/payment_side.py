"""What merchants do with payment requests: make one, cancel one."""

from __future__ import annotations

import re
from typing import Final

from prenopay.testing.emulators.jsonvalues import JsonObject, as_list
from prenopay.testing.emulators.swish.codes import Call, provokes_at_once, provokes_later
from prenopay.testing.emulators.swish.fields import Fields
from prenopay.testing.emulators.swish.merchants import SwishMerchant
from prenopay.testing.emulators.swish.notices import notify
from prenopay.testing.emulators.swish.objects import Payment, Status
from prenopay.testing.emulators.swish.payer_side import PayerSide, payer_code
from prenopay.testing.emulators.swish.problems import refuse
from prenopay.testing.emulators.swish.register import Register

__all__ = ["PaymentSide", "acting_for", "simulate"]

_KNOWN: Final = frozenset({
    "payeePaymentReference",
    "callbackUrl",
    "callbackIdentifier",
    "payerAlias",
    "payerSSN",
    "ageLimit",
    "payeeAlias",
    "amount",
    "currency",
    "message",
})  # fmt: skip
_CANCELLED: Final = [{"op": "replace", "path": "/status", "value": "cancelled"}]
"""The only patch there is (MSS user guide 2.0, §7.1)."""
_MERCHANT_NUMBER: Final = re.compile(r"123\d{7}")


class PaymentSide:
    """Makes and cancels payment requests."""

    def __init__(self, register: Register, payer: PayerSide) -> None:
        """Keep them in ``register``."""
        self._register = register
        self._payer = payer

    def create(self, caller: SwishMerchant, request_id: str, body: JsonObject) -> Payment:
        """Make a request; without a payer's number it gets a token."""
        behaviour = self._register.behaviour
        call = Call.ECOM if body.get("payerAlias") is not None else Call.MCOM
        fields = Fields(body, behaviour, call, known=_KNOWN)
        number = fields.text("payeeAlias", "RP01", required=True)
        if number:
            acting_for(self._register, caller, number)
        payment = Payment(
            id=request_id,
            merchant=self._register.merchants.get(number, SwishMerchant(number=number, name=number)),
            callback_url=fields.callback_url(),
            payer=fields.msisdn("payerAlias", required=call is Call.ECOM),
            amount=fields.amount(),
            reference=fields.reference("payeePaymentReference"),
            message=fields.message(),
            payer_ssn=fields.ssn("payerSSN", behaviour.field_error_code),
            age_limit=fields.age_limit(),
            callback_identifier=fields.callback_identifier(),
            created=self._register.now(),
            payment_reference="",
        )
        fields.currency()
        fields.refuse()
        simulate(self._register, payment.message, call)
        self._check_payer(payment, call)
        payment.payment_reference = self._register.new_reference()
        payment.token = self._register.new_token() if call is Call.MCOM else ""
        payment.payer = payment.payer or behaviour.fake_payer
        payment.ends_as = provokes_later(payment.message, call) if behaviour.message_codes else ""
        self._register.payments[payment.id] = payment
        self._payer.await_payer(payment)
        return payment

    def cancel(self, payment: Payment, patch: object) -> Payment:
        """Cancel an open request; a callback tells of it too."""
        if as_list(patch) != _CANCELLED:
            refuse("PA01")
        if payment.status is not Status.CREATED:
            refuse("RP07")
        payment.status = Status.CANCELLED
        if self._register.behaviour.callback_on_cancel:
            notify(self._register, payment)
        return payment

    def _check_payer(self, payment: Payment, call: Call) -> None:
        """Refuse a payer who cannot pay, as far as that is known when the request is made."""
        if call is not Call.ECOM:
            return
        known = self._register.payers.get(payment.payer)
        if known is not None and not known.is_enrolled:
            refuse("ACMT03")
        code = payer_code(self._register, payment)
        if code:
            refuse(code)
        others = self._register.payments.values()
        is_open = any(one.status is Status.CREATED and not one.token and one.payer == payment.payer for one in others)
        if is_open and self._register.behaviour.one_open_request_per_payer:
            refuse("RP06")


def acting_for(register: Register, caller: SwishMerchant, number: str) -> None:
    """Refuse a caller whose certificate is not the merchant's, nor that of a supplier the merchant named."""
    if not _MERCHANT_NUMBER.fullmatch(number):
        refuse("PA01", status=403)
    if not register.behaviour.numbers_are_checked:
        return
    if number != caller.number and number not in caller.acts_for:
        refuse("PA01", status=403)
    if not caller.is_active:
        refuse("ACMT01" if number == caller.number else "UNKW")
    merchant = register.merchants.get(number)
    if merchant is None or not merchant.is_active:
        refuse("ACMT01")


def simulate(register: Register, message: str, call: Call) -> None:
    """Refuse the call when its message is a code that says so."""
    code = provokes_at_once(message, call) if register.behaviour.message_codes else ""
    if code:
        refuse(code, call, status=403 if code == "PA01" else 422)
