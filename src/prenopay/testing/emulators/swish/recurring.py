"""Recurring payments: consents, and charges on them. Experimental: no official text was at hand.

The paths and members are those of ``getswish`` 0.4.1, whose author calls them experimental too. Of the
states only ``ACTIVE`` is known; the others are guesses, to be met as unknown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Final

from prenopay.testing.emulators.jsonvalues import JsonObject, as_object
from prenopay.testing.emulators.swish.calls import RECURRING_PATH
from prenopay.testing.emulators.swish.codes import Call, text_of
from prenopay.testing.emulators.swish.fields import Fields
from prenopay.testing.emulators.swish.formats import amount_of, stamp
from prenopay.testing.emulators.swish.merchants import SwishMerchant
from prenopay.testing.emulators.swish.notices import queue_callback
from prenopay.testing.emulators.swish.objects import Payment, Status
from prenopay.testing.emulators.swish.payer_side import DEFAULT_PAYER, PayerRefused
from prenopay.testing.emulators.swish.payment_side import acting_for
from prenopay.testing.emulators.swish.problems import Refusal, malformed, refuse
from prenopay.testing.emulators.swish.register import Register
from prenopay.testing.http import EmulatorAnswer, EmulatorRequest, json_answer

__all__ = ["Charge", "Consent", "Recurring"]

_CHARGED_AFTER: Final = timedelta(seconds=4)
_CONSENT: Final = frozenset({"callbackUrl", "callbackIdentifier", "payee", "payer", "payeePaymentReference", "tin"})
_CHARGE: Final = frozenset({"consentId", "callbackUrl", "callbackIdentifier", "payee", "amount", "message"})
_BAILS: Final = frozenset({"RF07", "FF10", "DS24", "TM01"})


@dataclass(slots=True, kw_only=True)
class Consent:
    """A payer's standing consent: PENDING, ACTIVE, DECLINED or REVOKED."""

    id: str
    merchant: SwishMerchant
    callback_url: str
    callback_identifier: str
    payer: str
    reference: str
    token: str
    status: str = "PENDING"


@dataclass(slots=True, kw_only=True)
class Charge:
    """Money taken on a consent: CREATED, PAID or ERROR. Swish does not try again by itself."""

    id: str
    consent: Consent
    amount: Decimal
    message: str
    callback_url: str
    callback_identifier: str
    status: str = "CREATED"
    error_code: str = ""
    payment_reference: str = ""


class Recurring:
    """Answers the recurring interface."""

    def __init__(self, register: Register) -> None:
        """Begin without consents."""
        self.consents: dict[str, Consent] = {}
        self.charges: dict[str, Charge] = {}
        self.next_code: str = ""
        """What the next charge that is made ends with, once."""
        self._register = register

    def answer(self, request: EmulatorRequest, caller: SwishMerchant, read: Callable[[], JsonObject]) -> EmulatorAnswer:
        """Answer one call; ``read`` gives its body."""
        match request.method, request.path.removeprefix(RECURRING_PATH).strip("/").split("/"):
            case "POST", ["consents", name]:
                return self._create(request, caller, name, read(), by_token=False)
            case "POST", ["consents", name, "token"]:
                return self._create(request, caller, name, read(), by_token=True)
            case "PUT", ["consent", name, "callback"]:  # singular, in the one client that knows it
                return self._redirect(self._consent(name, caller), read())
            case "GET", ["consents", name]:
                return json_answer(200, self._consent_document(self._consent(name, caller)))
            case "DELETE", ["consents", name]:
                self._tell_consent(self._consent(name, caller), "REVOKED")
                return EmulatorAnswer(status=204)
            case "POST", ["payments", "single", name]:
                return self._charge(request, caller, name, read())
            case "GET", ["payments", "single", name, "status"]:
                charge = self.charges.get(name)
                if charge is None or charge.consent.merchant.number != caller.number:
                    raise Refusal(404)
                return json_answer(200, self._charge_document(charge))
            case "POST", ["recurring", "alias" | "tin" as kind]:
                return self._offered(kind, read())
            case _:
                raise Refusal(404)

    def sign(self, name: str, *, msisdn: str = "", agrees: bool = True) -> Consent:
        """Have the payer sign a consent, or say no."""
        consent = self.consents.get(name) or next((one for one in self.consents.values() if one.token == name), None)
        if consent is None or consent.status != "PENDING":
            message = f"there is no consent {name!r} that waits for a payer"
            raise PayerRefused(message)
        consent.payer = consent.payer or msisdn or DEFAULT_PAYER
        self._tell_consent(consent, "ACTIVE" if agrees else "DECLINED")
        return consent

    def revoke(self, name: str) -> Consent:
        """Have the payer take a signed consent back in the app; Swish tells of it."""
        consent = self.consents.get(name)
        if consent is None or consent.status != "ACTIVE":
            message = f"there is no signed consent {name!r}"
            raise PayerRefused(message)
        self._tell_consent(consent, "REVOKED")
        return consent

    def _create(
        self,
        request: EmulatorRequest,
        caller: SwishMerchant,
        name: str,
        body: JsonObject,
        *,
        by_token: bool,
    ) -> EmulatorAnswer:
        if name in self.consents:
            refuse("RP09")
        fields = Fields(body, self._register.behaviour, Call.ECOM, known=_CONSENT)
        payer = _alias(body, "payer")
        if bool(payer) is by_token:
            reason = "A consent names its payer, and one by token does not."
            raise malformed(reason)
        consent = Consent(
            id=name,
            merchant=self._payee(caller, body),
            callback_url=fields.callback_url(),
            callback_identifier=fields.callback_identifier(),
            payer=payer,
            reference=fields.reference("payeePaymentReference"),
            token=self._register.new_token() if by_token else "",
        )
        fields.refuse()
        self.consents[name] = consent
        location = ("location", f"{request.origin}{RECURRING_PATH}/consents/{name}")
        token = (("paymentrequesttoken", consent.token),) if by_token else ()
        return EmulatorAnswer(status=201, headers=(location, *token))

    def _redirect(self, consent: Consent, body: JsonObject) -> EmulatorAnswer:
        fields = Fields(body, self._register.behaviour, Call.ECOM, known=("callbackUrl", "callbackIdentifier"))
        consent.callback_url, consent.callback_identifier = fields.callback_url(), fields.callback_identifier()
        fields.refuse()
        return EmulatorAnswer(status=204)

    def _charge(self, request: EmulatorRequest, caller: SwishMerchant, name: str, body: JsonObject) -> EmulatorAnswer:
        if name in self.charges:
            refuse("RP09")
        money = as_object(body.get("amount")) or {}
        flat = {**body, "amount": money.get("value"), "currency": money.get("currency")}
        fields = Fields(flat, self._register.behaviour, Call.MCOM, known=_CHARGE | {"currency"})
        merchant = self._payee(caller, body)
        consent = self._consent(fields.text("consentId", "PA01", required=True), caller)
        charge = Charge(
            id=name,
            consent=consent,
            amount=fields.amount(),
            message=fields.message(),
            callback_url=fields.callback_url(),
            callback_identifier=fields.callback_identifier(),
        )
        fields.currency()
        fields.refuse()
        if consent.status != "ACTIVE" or merchant.number != consent.merchant.number:
            refuse("PA01")
        self.charges[name] = charge
        self._register.later(_CHARGED_AFTER, lambda: self._take(charge))
        location = f"{request.origin}{RECURRING_PATH}/payments/single/{name}"
        return EmulatorAnswer(status=201, headers=(("location", location),))

    def _take(self, charge: Charge) -> None:
        code, self.next_code = self.next_code, ""
        if not code and charge.message in _BAILS and self._register.behaviour.message_codes:
            code = charge.message
        revoked = charge.consent.status != "ACTIVE"
        charge.error_code = code or ("RF07" if revoked else "")
        charge.status = "ERROR" if charge.error_code else "PAID"
        if not charge.error_code:
            charge.payment_reference = self._register.new_reference()
            self._register.payments[charge.id] = self._money_of(charge)
        self._tell(charge, self._charge_document(charge))

    def _money_of(self, charge: Charge) -> Payment:
        """Return the payment that a charge comes to, which stands in the books and can be refunded."""
        now = self._register.now()
        return Payment(
            id=charge.id,
            merchant=charge.consent.merchant,
            amount=charge.amount,
            callback_url=charge.callback_url,
            created=now,
            payment_reference=charge.payment_reference,
            message=charge.message,
            payer=charge.consent.payer,
            status=Status.PAID,
            paid=now,
        )

    def _offered(self, kind: str, body: JsonObject) -> EmulatorAnswer:
        asked = body.get(kind)
        if not isinstance(asked, str) or not asked.isdecimal():
            reason = f"{kind} must be given."
            raise malformed(reason)
        known = self._register.payers.get(asked)
        return json_answer(200, {"recurringIsOffered": known is None or known.is_enrolled})

    def _payee(self, caller: SwishMerchant, body: JsonObject) -> SwishMerchant:
        number = _alias(body, "payee")
        if not number:
            refuse("RP01")
        acting_for(self._register, caller, number)
        return self._register.merchants.get(number, SwishMerchant(number=number, name=number))

    def _consent(self, name: str, caller: SwishMerchant) -> Consent:
        consent = self.consents.get(name)
        if consent is None or consent.merchant.number not in {caller.number, *caller.acts_for}:
            raise Refusal(404)
        return consent

    def _tell_consent(self, consent: Consent, status: str) -> None:
        consent.status = status
        self._tell(consent, self._consent_document(consent))

    def _tell(self, one: Consent | Charge, body: JsonObject) -> None:
        queue_callback(self._register, body, url=one.callback_url, identifier=one.callback_identifier, about=one.id)

    def _consent_document(self, consent: Consent) -> JsonObject:
        return {
            "id": consent.id,
            "status": consent.status,
            "payee": {"alias": consent.merchant.number},
            "payer": {"alias": consent.payer or None},
            "payeePaymentReference": consent.reference or None,
            "callbackUrl": consent.callback_url,
            "callbackIdentifier": consent.callback_identifier or None,
        }

    def _charge_document(self, charge: Charge) -> JsonObject:
        behaviour = self._register.behaviour
        return {
            "id": charge.id,
            "consentId": charge.consent.id,
            "status": charge.status,
            "amount": {"value": amount_of(charge.amount, behaviour.amounts), "currency": "SEK"},
            "message": charge.message or None,
            "paymentReference": charge.payment_reference or None,
            "date": stamp(self._register.now(), behaviour.dates),
            "errorCode": charge.error_code or None,
            "errorMessage": text_of(charge.error_code) if charge.error_code else None,
        }


def _alias(body: JsonObject, name: str) -> str:
    alias = (as_object(body.get(name)) or {}).get("alias", "")
    return alias if isinstance(alias, str) else ""
