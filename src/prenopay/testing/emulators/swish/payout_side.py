"""What merchants do with payouts: money to anybody, signed. Needs an agreement of its own with the bank."""

from __future__ import annotations

import re
from typing import Final, NoReturn

from cryptography.hazmat.primitives.asymmetric import rsa

from prenopay.testing.emulators.jsonvalues import JsonObject, as_object
from prenopay.testing.emulators.swish.authority import SwishAuthority
from prenopay.testing.emulators.swish.codes import Call, provokes_at_once
from prenopay.testing.emulators.swish.fields import Fields
from prenopay.testing.emulators.swish.merchants import SwishMerchant
from prenopay.testing.emulators.swish.objects import Payout
from prenopay.testing.emulators.swish.payment_side import acting_for
from prenopay.testing.emulators.swish.problems import Refusal, refuse
from prenopay.testing.emulators.swish.refund_side import run_its_course
from prenopay.testing.emulators.swish.register import Register
from prenopay.testing.emulators.swish.signatures import is_payout_signature

__all__ = ["PayoutSide"]

_ENVELOPE: Final = frozenset({"payload", "callbackUrl", "callbackIdentifier", "signature"})
_PAYLOAD: Final = frozenset({
    "payoutInstructionUUID",
    "payerPaymentReference",
    "payerAlias",
    "payeeAlias",
    "payeeSSN",
    "amount",
    "currency",
    "payoutType",
    "message",
    "instructionDate",
    "signingCertificateSerialNumber",
})  # fmt: skip
_UUID: Final = re.compile(r"[0-9A-F]{32}")
_SERIAL: Final = re.compile(r"[0-9A-F]{32}")
_ALIAS: Final = re.compile(r"\d{8,15}")
"""The guide's own example has a national number, ``07…``."""
_REFERENCE: Final = re.compile(r"[A-Za-z0-9-]{1,35}")
_PAYOUT: Final = re.compile(r"PAYOUT")


class PayoutSide:
    """Makes payouts whose signature is by a certificate that ``authority`` issued."""

    def __init__(self, register: Register, authority: SwishAuthority) -> None:
        """Keep them in ``register``."""
        self._register = register
        self._authority = authority

    def create(self, caller: SwishMerchant, envelope: JsonObject, signed: bytes) -> Payout:
        """Make a payout; ``signed`` is its payload as sent."""
        behaviour = self._register.behaviour
        payload = as_object(envelope.get("payload"))
        if payload is None:
            self._parameter()
        around = Fields(envelope, behaviour, Call.PAYOUT, known=_ENVELOPE)
        fields = Fields(payload, behaviour, Call.PAYOUT, known=_PAYLOAD)
        number = fields.text("payerAlias", "RP01", required=True)
        if number:
            acting_for(self._register, caller, number)
        now = self._register.now()
        payout = Payout(
            id=fields.pattern("payoutInstructionUUID", _UUID, "PA01", required=True),
            merchant=self._register.merchants.get(number, SwishMerchant(number=number, name=number)),
            payee=fields.pattern("payeeAlias", _ALIAS, "ACMT17", required=True),
            payee_ssn=fields.ssn("payeeSSN", "PA06", required=behaviour.payee_ssn_required),
            amount=fields.amount(),
            reference=fields.pattern("payerPaymentReference", _REFERENCE, "FF08", required=True),
            message=fields.message(),
            callback_url=around.callback_url(required=False),
            callback_identifier=around.callback_identifier(),
            created=now,
            payment_reference="",
        )
        fields.currency()
        fields.pattern("payoutType", _PAYOUT, "PA01", required=True)
        fields.past_moment("instructionDate", now, "PA01")
        serial = fields.pattern("signingCertificateSerialNumber", _SERIAL, "PA01", required=True)
        fields.codes.extend(around.codes)
        if "PA01" in fields.codes:
            self._parameter()
        fields.refuse()
        self._check_signature(payout.merchant, serial, signed, around.text("signature", "PA01", required=True))
        self._check_parties(payout)
        payout.payment_reference = self._register.new_reference()
        self._register.payouts[payout.id] = payout
        run_its_course(self._register, payout)
        return payout

    def _check_signature(self, merchant: SwishMerchant, serial: str, signed: bytes, signature: str) -> None:
        behaviour = self._register.behaviour
        signing_only = behaviour.payout_signers == "signing_only"
        certificate = self._authority.signing_certificate(merchant.number, serial, signing_only=signing_only)
        if certificate is not None and certificate.not_valid_after_utc > self._register.clock.now():
            key = certificate.public_key()
            if isinstance(key, rsa.RSAPublicKey) and is_payout_signature(key, signed, signature):
                return
        if behaviour.bad_signature == "401":
            raise Refusal(401)
        self._parameter()

    def _check_parties(self, payout: Payout) -> None:
        """Refuse what bank and agreement refuse; the message can ask for it."""
        behaviour = self._register.behaviour
        code = provokes_at_once(payout.message, Call.PAYOUT) if behaviour.message_codes else ""
        if code == "PA01":
            self._parameter()
        if code:
            refuse(code, Call.PAYOUT)
        if not payout.merchant.may_pay_out:
            refuse("ACMT14", Call.PAYOUT)
        if payout.amount > behaviour.payout_ceiling:
            refuse("AM02", Call.PAYOUT)
        known = self._register.payers.get(payout.payee)
        if known is not None and not known.is_enrolled:
            refuse("ACMT07", Call.PAYOUT)
        if known is not None and known.ssn and payout.payee_ssn and known.ssn != payout.payee_ssn:
            refuse("VR02", Call.PAYOUT)
        balance = self._register.balance(payout.merchant)
        if balance is not None and payout.amount > balance:
            payout.ends_as = "RF07"

    def _parameter(self) -> NoReturn:
        refuse("PA01", Call.PAYOUT, status=self._register.behaviour.payout_parameter_status)
