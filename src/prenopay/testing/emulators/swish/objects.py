"""What merchants make: payment requests, refunds, signed payouts, consents and charges on them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, NoReturn

from cryptography.hazmat.primitives.asymmetric import rsa

from prenopay.testing.emulators.swish.authority import SwishAuthority, is_payout_signature
from prenopay.testing.emulators.swish.behaviour import RemainingStyle
from prenopay.testing.emulators.swish.documents import charge_document, consent_document, notify
from prenopay.testing.emulators.swish.payer import await_payer, payer_code
from prenopay.testing.emulators.swish.problems import (
    Call,
    Problem,
    Refusal,
    malformed,
    provokes_at_once,
    provokes_later,
    refuse,
    refuse_all,
    text_of,
)
from prenopay.testing.emulators.swish.register import (
    Charge,
    Consent,
    Payment,
    Payout,
    Refund,
    Register,
    Status,
    SwishMerchant,
)
from prenopay.testing.emulators.swish.requests import (
    amount_in,
    charge_table,
    checked,
    consent_table,
    envelope_table,
    payment_table,
    payout_table,
    refund_table,
    text_in,
)
from prenopay.testing.http import EmulatorAnswer, EmulatorRequest, JsonObject, as_list, as_object, json_answer

RECURRING_PATH: Final = "/recurring/merchant/v1"
_CANCELLED: Final = [{"op": "replace", "path": "/status", "value": "cancelled"}]
"""The only patch there is (MSS user guide 2.0, §7.1)."""
_MONTHS: Final = 13
"""How long a payment can be refunded (merchants' manual, RF02)."""


# Payments


def make_payment(register: Register, caller: SwishMerchant, request_id: str, body: JsonObject) -> Payment:
    """Make a request; without a payer's number it gets a token."""
    behaviour = register.behaviour
    call = Call.ECOM if body.get("payerAlias") is not None else Call.MCOM
    given, codes = checked(body, payment_table(behaviour, call), behaviour)
    merchant, age_limit = _acting_for(register, caller, text_in(given, "payeeAlias")), text_in(given, "ageLimit")
    refuse_all(codes, call)
    message = text_in(given, "message")
    _simulate(register, message, call)
    payment = Payment(
        id=request_id,
        merchant=merchant,
        amount=amount_in(given),
        created=register.now(),
        callback_url=text_in(given, "callbackUrl"),
        callback_identifier=text_in(given, "callbackIdentifier"),
        message=message,
        reference=text_in(given, "payeePaymentReference"),
        payer=text_in(given, "payerAlias"),
        payer_ssn=text_in(given, "payerSSN"),
        age_limit=int(age_limit) if age_limit else None,
        ends_as=provokes_later(message, call) if behaviour.message_codes else "",
    )
    if call is Call.ECOM:
        _check_payer(register, payment)
    payment.payment_reference = register.new_reference()
    payment.token = register.new_token() if call is Call.MCOM else ""
    payment.payer = payment.payer or behaviour.fake_payer
    register.payments[payment.id] = payment
    await_payer(register, payment)
    return payment


def cancel_payment(register: Register, payment: Payment, patch: object) -> Payment:
    """Cancel an open request; a callback reports it too."""
    if as_list(patch) != _CANCELLED:
        refuse("PA01")
    if payment.status is not Status.CREATED:
        refuse("RP07")
    payment.status = Status.CANCELLED
    if register.behaviour.callback_on_cancel:
        notify(register, payment)
    return payment


def _check_payer(register: Register, payment: Payment) -> None:
    """Refuse a payer who cannot pay, as far as that is known when the request is made."""
    known = register.payers.get(payment.payer)
    if known is not None and not known.is_enrolled:
        refuse("ACMT03")
    code = payer_code(register, payment)
    if code:
        refuse(code)
    waiting = (each for each in register.payments.values() if each.status is Status.CREATED and not each.token)
    if register.behaviour.one_open_request_per_payer and any(each.payer == payment.payer for each in waiting):
        refuse("RP06")


def _acting_for(register: Register, caller: SwishMerchant, number: str) -> SwishMerchant:
    """Return the merchant with this number.

    Refuses a caller whose certificate is not the merchant's, nor that of a supplier the merchant named.
    """
    merchant = register.merchants.get(number)
    if number and not re.fullmatch(r"123\d{7}", number):
        refuse("PA01", status=403)
    if number and register.behaviour.numbers_are_checked:
        if number != caller.number and number not in caller.acts_for:
            refuse("PA01", status=403)
        if not caller.is_active and number != caller.number:
            refuse("UNKW")
        if merchant is None or not merchant.is_active or not caller.is_active:
            refuse("ACMT01")
    return register.merchant(number)


def _simulate(register: Register, message: str, call: Call) -> None:
    """Refuse the call when its message is a code that says so."""
    code = provokes_at_once(message, call) if register.behaviour.message_codes else ""
    if code:
        refuse(code, call, status=403 if code == "PA01" else 422)


# Refunds


def make_refund(register: Register, caller: SwishMerchant, request_id: str, body: JsonObject) -> Refund:
    """Make a refund of what ``originalPaymentReference`` names."""
    _pace(register, caller)
    behaviour = register.behaviour
    given, codes = checked(body, refund_table(behaviour), behaviour)
    merchant, message = _acting_for(register, caller, text_in(given, "payerAlias")), text_in(given, "message")
    refuse_all(codes, Call.REFUND)
    _simulate(register, message, Call.REFUND)
    refund = Refund(
        id=request_id,
        merchant=merchant,
        amount=amount_in(given),
        created=register.now(),
        callback_url=text_in(given, "callbackUrl"),
        callback_identifier=text_in(given, "callbackIdentifier"),
        message=message,
        reference=text_in(given, "payerPaymentReference"),
        original_reference=text_in(given, "originalPaymentReference"),
        payee=text_in(given, "payeeAlias"),
        status=Status(behaviour.refund_first_state),
        ends_as=provokes_later(message, Call.REFUND) if behaviour.message_codes else "",
    )
    if behaviour.refunds_are_linked:
        refund.payment = _refundable(register, refund)
        refund.payee = refund.payee or refund.payment.payer
    balance = register.balance(merchant)
    if balance is not None and refund.amount > balance:
        refuse("AM04")
    refund.payment_reference = register.new_reference()
    register.refunds[refund.id] = refund
    if refund.payment is not None:
        refund.payment.refunds.append(refund)
    _run_its_course(register, refund)
    return refund


def _refundable(register: Register, refund: Refund) -> Payment:
    """Return the payment, if it allows this refund."""
    reference, now = refund.original_reference, register.now()
    paid = (each for each in register.payments.values() if each.status is Status.PAID)
    payment = next((each for each in paid if each.payment_reference == reference), None)
    if payment is None or payment.paid is None or now >= _months_later(payment.paid, _MONTHS):
        refuse("RF02")
    if payment.merchant.number != refund.merchant.number:
        refuse("RF03")
    if payment.merchant.organisation != refund.merchant.organisation:
        refuse("RF04")
    moved = register.handed_on.get(payment.payer)
    if moved is not None and moved >= payment.paid:
        refuse("RF06")
    known = register.payers.get(payment.payer)
    if known is not None and not known.is_enrolled:
        refuse("ACMT07", Call.REFUND)
    remaining, style = payment.amount - payment.refunded, register.behaviour.remaining
    if refund.amount > remaining:
        texts = {
            RemainingStyle.AMOUNT: f"{remaining:.2f}",
            RemainingStyle.TEXT: f"Remaining amount: {remaining:.2f} SEK",
        }
        refuse("RF08", Call.REFUND, information=texts.get(style))
    return payment


def _pace(register: Register, caller: SwishMerchant) -> None:
    """Refuse refunds that come too fast, with 429."""
    now, last = register.now(), register.last_refund.get(caller.number)
    left = last + register.behaviour.refund_pause - now if last is not None else timedelta(0)
    if left > timedelta(0):
        raise Refusal(429, headers=(("retry-after", str(max(1, int(left.total_seconds())))),))
    register.last_refund[caller.number] = now


def _run_its_course(register: Register, item: Refund | Payout) -> None:
    """Have money move: the merchant is debited, then the other side is paid; a callback reports each."""

    def debit() -> None:
        if item.status.is_final:
            return
        item.status, item.error_code = Status.ERROR if item.ends_as else Status.DEBITED, item.ends_as
        if isinstance(item, Payout) and not item.ends_as:
            item.paid = register.now()
        notify(register, item)

    def settle() -> None:
        if not item.status.is_final:
            item.status, item.paid = Status.PAID, item.paid or register.now()
            notify(register, item)

    register.later(register.behaviour.debited_after, debit)
    register.later(register.behaviour.settled_after, settle)


def _months_later(moment: datetime, months: int) -> datetime:
    """Return the same day so many months later; after the 28th it is the 28th, which every month has."""
    year, month = divmod(moment.month - 1 + months, 12)
    return moment.replace(year=moment.year + year, month=month + 1, day=min(moment.day, 28))


# Payouts: money to anybody, signed. They need an agreement of their own with the bank.


def make_payout(
    register: Register, authority: SwishAuthority, caller: SwishMerchant, envelope: JsonObject, signed: bytes
) -> Payout:
    """Make a payout; ``signed`` is its payload as sent, and ``authority`` issued the certificates that sign."""
    behaviour, payload = register.behaviour, as_object(envelope.get("payload"))
    if payload is None:
        _wrong_parameter(register)
    around, codes_around = checked(envelope, envelope_table(behaviour), behaviour)
    given, codes = checked(payload, payout_table(behaviour, register.now()), behaviour)
    merchant = _acting_for(register, caller, text_in(given, "payerAlias"))
    codes += codes_around
    if "PA01" in codes:
        _wrong_parameter(register)
    refuse_all(codes, Call.PAYOUT)
    serial = text_in(given, "signingCertificateSerialNumber")
    signing_only = behaviour.payout_signers == "signing_only"
    certificate = authority.signing_certificate(merchant.number, serial, signing_only=signing_only)
    is_good = certificate is not None and certificate.not_valid_after_utc > register.clock.now()
    key = certificate.public_key() if certificate is not None and is_good else None
    if not (isinstance(key, rsa.RSAPublicKey) and is_payout_signature(key, signed, text_in(around, "signature"))):
        if behaviour.bad_signature == "401":
            raise Refusal(401)
        _wrong_parameter(register)
    payout = Payout(
        id=text_in(given, "payoutInstructionUUID"),
        merchant=merchant,
        amount=amount_in(given),
        created=register.now(),
        callback_url=text_in(around, "callbackUrl"),
        callback_identifier=text_in(around, "callbackIdentifier"),
        message=text_in(given, "message"),
        reference=text_in(given, "payerPaymentReference"),
        payee=text_in(given, "payeeAlias"),
        payee_ssn=text_in(given, "payeeSSN"),
    )
    _check_parties(register, payout)
    payout.payment_reference = register.new_reference()
    register.payouts[payout.id] = payout
    _run_its_course(register, payout)
    return payout


def _check_parties(register: Register, payout: Payout) -> None:
    """Refuse what bank and agreement refuse; the message can ask for it."""
    code = provokes_at_once(payout.message, Call.PAYOUT) if register.behaviour.message_codes else ""
    if code == "PA01":
        _wrong_parameter(register)
    known = register.payers.get(payout.payee)
    other_ssn = known is not None and known.ssn and payout.payee_ssn and known.ssn != payout.payee_ssn
    for is_wrong, why in (
        (code, code),
        (not payout.merchant.may_pay_out, "ACMT14"),
        (payout.amount > register.behaviour.payout_ceiling, "AM02"),
        (known is not None and not known.is_enrolled, "ACMT07"),
        (other_ssn, "VR02"),
    ):
        if is_wrong:
            refuse(why, Call.PAYOUT)
    balance = register.balance(payout.merchant)
    if balance is not None and payout.amount > balance:
        payout.ends_as = "RF07"


def _wrong_parameter(register: Register) -> NoReturn:
    refuse("PA01", Call.PAYOUT, status=register.behaviour.payout_parameter_status)


# Recurring payments

_CHARGED_AFTER: Final = timedelta(seconds=4)
_BAILS: Final = frozenset({"RF07", "FF10", "DS24", "TM01"})


class Recurring:
    """Consents, and charges on them. Experimental: no official text was available.

    The paths and members are those of ``getswish`` 0.4.1, whose author calls them experimental too. Of the
    states only ``ACTIVE`` is known; the others are guesses, and clients must take them as unknown.
    """

    def __init__(self, register: Register) -> None:
        """Keep them in ``register``."""
        self._register = register

    def answer(self, request: EmulatorRequest, caller: SwishMerchant, read: Callable[[], JsonObject]) -> EmulatorAnswer:
        """Answer one call; ``read`` gives its body."""
        match request.method, request.path.removeprefix(RECURRING_PATH).strip("/").split("/"):
            case "POST", ["consents", name, *rest] if rest in ([], ["token"]):
                return self._create(request, caller, name, read(), by_token=bool(rest))
            case "PUT", ["consent", name, "callback"]:  # singular, in the one client that knows it
                return self._redirect(self._consent(name, caller), read())
            case "GET", ["consents", name]:
                return json_answer(200, consent_document(self._consent(name, caller)))
            case "DELETE", ["consents", name]:
                consent = self._consent(name, caller)
                consent.status = "REVOKED"
                notify(self._register, consent)
                return EmulatorAnswer(status=204)
            case "POST", ["payments", "single", name]:
                return self._charge(request, caller, name, read())
            case "GET", ["payments", "single", name, "status"]:
                charge = self._register.charges.get(name)
                if charge is None or charge.consent.merchant.number != caller.number:
                    raise not_found(self._register)
                return json_answer(200, charge_document(charge, self._register))
            case "POST", ["recurring", "alias" | "tin" as kind]:
                asked = read().get(kind)
                if not isinstance(asked, str) or not asked.isdecimal():
                    message = f"{kind} must be given."
                    raise malformed(message)
                known = self._register.payers.get(asked)
                return json_answer(200, {"recurringIsOffered": known is None or known.is_enrolled})
            case _:
                raise Refusal(404)

    def _create(
        self, request: EmulatorRequest, caller: SwishMerchant, name: str, body: JsonObject, *, by_token: bool
    ) -> EmulatorAnswer:
        if name in self._register.consents:
            refuse("RP09")
        behaviour, payer = self._register.behaviour, _alias(body, "payer")
        given, codes = checked(body, consent_table(behaviour, is_new=True), behaviour)
        if bool(payer) is by_token:
            reason = "A consent names its payer, and one by token does not."
            raise malformed(reason)
        merchant = self._payee(caller, body)
        refuse_all(codes, Call.ECOM)
        consent = Consent(
            id=name,
            merchant=merchant,
            callback_url=text_in(given, "callbackUrl"),
            callback_identifier=text_in(given, "callbackIdentifier"),
            payer=payer,
            reference=text_in(given, "payeePaymentReference"),
            token=self._register.new_token() if by_token else "",
        )
        self._register.consents[name] = consent
        location = ("location", f"{request.origin}{RECURRING_PATH}/consents/{name}")
        token = (("paymentrequesttoken", consent.token),) if by_token else ()
        return EmulatorAnswer(status=201, headers=(location, *token))

    def _redirect(self, consent: Consent, body: JsonObject) -> EmulatorAnswer:
        behaviour = self._register.behaviour
        given, codes = checked(body, consent_table(behaviour, is_new=False), behaviour)
        refuse_all(codes, Call.ECOM)
        consent.callback_url = text_in(given, "callbackUrl")
        consent.callback_identifier = text_in(given, "callbackIdentifier")
        return EmulatorAnswer(status=204)

    def _charge(self, request: EmulatorRequest, caller: SwishMerchant, name: str, body: JsonObject) -> EmulatorAnswer:
        if name in self._register.charges:
            refuse("RP09")
        behaviour, money = self._register.behaviour, as_object(body.get("amount")) or {}
        flat = {**body, "amount": money.get("value"), "currency": money.get("currency")}
        given, codes = checked(flat, charge_table(behaviour), behaviour)
        merchant = self._payee(caller, body)
        consent = self._consent(text_in(given, "consentId"), caller)
        refuse_all(codes, Call.MCOM)
        if consent.status != "ACTIVE" or merchant.number != consent.merchant.number:
            refuse("PA01")
        charge = Charge(
            id=name,
            consent=consent,
            amount=amount_in(given),
            message=text_in(given, "message"),
            callback_url=text_in(given, "callbackUrl"),
            callback_identifier=text_in(given, "callbackIdentifier"),
        )
        self._register.charges[name] = charge
        self._register.later(_CHARGED_AFTER, lambda: self._take(charge))
        location = f"{request.origin}{RECURRING_PATH}/payments/single/{name}"
        return EmulatorAnswer(status=201, headers=(("location", location),))

    def _take(self, charge: Charge) -> None:
        register, consent = self._register, charge.consent
        code, register.next_charge_code = register.next_charge_code, ""
        if not code and charge.message in _BAILS and register.behaviour.message_codes:
            code = charge.message
        charge.error_code = code or ("RF07" if consent.status != "ACTIVE" else "")
        charge.status = "ERROR" if charge.error_code else "PAID"
        if not charge.error_code:
            charge.payment_reference = register.new_reference()
            # A charge makes a payment, which is in the books too and can be refunded.
            register.payments[charge.id] = Payment(
                id=charge.id,
                merchant=consent.merchant,
                amount=charge.amount,
                created=register.now(),
                callback_url=charge.callback_url,
                callback_identifier="",
                message=charge.message,
                payment_reference=charge.payment_reference,
                payer=consent.payer,
                status=Status.PAID,
                paid=register.now(),
            )
        notify(register, charge)

    def _payee(self, caller: SwishMerchant, body: JsonObject) -> SwishMerchant:
        number = _alias(body, "payee")
        if not number:
            refuse("RP01")
        return _acting_for(self._register, caller, number)

    def _consent(self, name: str, caller: SwishMerchant) -> Consent:
        consent = self._register.consents.get(name)
        if consent is None or consent.merchant.number not in {caller.number, *caller.acts_for}:
            raise not_found(self._register)
        return consent


def not_found(register: Register) -> Refusal:
    """Return the answer about an object that there is not."""
    return Refusal(404, *([Problem("RP04", text_of("RP04"))] if register.behaviour.not_found_body else []))


def _alias(body: JsonObject, name: str) -> str:
    return text_in(as_object(body.get(name)) or {}, "alias")
