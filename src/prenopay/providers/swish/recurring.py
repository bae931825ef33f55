"""Recurring payments, experimental and off unless asked for: consents, charges on them, and how they stand.

No official text was at hand. Paths and members are those of ``getswish`` 0.4.1, whose author calls them
experimental and not validated; of the states only ``ACTIVE`` is known. Nothing of prenopay's recurring
side uses this yet: it writes requests and reads answers, for those who try it out with Swish.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, TypeVar

from prenopay.errors import UnexpectedAnswer
from prenopay.models import Outcome
from prenopay.money import Money
from prenopay.ports import HttpRequest, HttpResponse
from prenopay.provider import Reply
from prenopay.providers.swish import _wire, encoding, phones, texts
from prenopay.providers.swish.config import Swish
from prenopay.providers.swish.reading import PAID, is_uncertain
from prenopay.providers.swish.refusals import decline_of, read_refusal

__all__ = ["Recurring"]

ModelT = TypeVar("ModelT", bound=_wire.In)

_PATH: Final = "/recurring/merchant/v1"
_ACTIVE: Final = "ACTIVE"


class Recurring:
    """Requests and answers of one Swish number's recurring payments. Experimental."""

    def __init__(self, config: Swish) -> None:
        """Speak for the merchant of ``config``."""
        self._config = config
        self._base = config.api_url + _PATH

    # A consent

    def ask_consent(self, consent_id: str, phone: str, *, callback_url: str, order_reference: str = "") -> HttpRequest:
        """Return the request for a consent that is sent to the payer's phone."""
        payer = _wire.AliasOut(alias=phones.msisdn(phone, field="phone"))
        body = self._consent(callback_url, order_reference, payer=payer)
        return self._request("POST", f"/consents/{consent_id}", "ask consent", body)

    def ask_consent_in_app(
        self,
        consent_id: str,
        personal_number: str,
        *,
        callback_url: str,
        order_reference: str = "",
    ) -> HttpRequest:
        """Return the request for a consent that the payer opens in the app; its answer has a token."""
        body = self._consent(callback_url, order_reference, tin=personal_number)
        return self._request("POST", f"/consents/{consent_id}/token", "ask consent", body)

    def move_callback(self, consent_id: str, callback_url: str) -> HttpRequest:
        """Return the request that changes a consent's callback URL (``consent`` without s, here alone)."""
        body = {"callbackUrl": callback_url}
        return self._request("PUT", f"/consent/{consent_id}/callback", "move callback", body)

    def look_at_consent(self, consent_id: str) -> HttpRequest:
        """Return the request that reads a consent."""
        return self._request("GET", f"/consents/{consent_id}", "look at consent", retry_safe=True)

    def end_consent(self, consent_id: str) -> HttpRequest:
        """Return the request that ends a consent."""
        return self._request("DELETE", f"/consents/{consent_id}", "end consent")

    def is_active(self, answer: HttpResponse) -> bool:
        """Whether a consent that was read may be charged; any other state, known or not, may not."""
        return self._read(answer, _wire.Consent, "look at consent").status == _ACTIVE

    # A charge

    def charge(
        self, payment_id: str, consent_id: str, amount: Money, *, description: str, callback_url: str
    ) -> HttpRequest:
        """Return the request that takes money on a consent."""
        body = _wire.ChargeOut(
            consent_id=consent_id,
            callback_url=callback_url,
            payee=_wire.AliasOut(alias=self._config.number),
            amount=_wire.AmountOut(value=float(amount.to_decimal()), currency=amount.currency),
            message=texts.message(description, field="description", clean=self._config.clean_texts),
        )
        return self._request("POST", f"/payments/single/{payment_id}", "charge", body.as_json())

    def look_at_charge(self, payment_id: str) -> HttpRequest:
        """Return the request that reads how a charge stands."""
        return self._request("GET", f"/payments/single/{payment_id}/status", "look at charge", retry_safe=True)

    def charge_reply(self, answer: HttpResponse) -> Reply:
        """Say how a charge that was read stands."""
        charge = self._read(answer, _wire.Charge, "look at charge")
        if charge.status == PAID:
            return Reply(outcome=Outcome.SUCCEEDED)
        if charge.status not in {"ERROR", "DECLINED"}:
            return Reply(outcome=Outcome.PENDING)
        code = charge.error_code or charge.status
        outcome = Outcome.UNKNOWN if is_uncertain(code) else Outcome.DECLINED
        return Reply(outcome=outcome, decline=decline_of(code, charge.error_message))

    # Whether it is offered

    def ask_offered(self, phone: str) -> HttpRequest:
        """Return the question whether the bank behind a phone number offers recurring payments."""
        body = {"alias": phones.msisdn(phone, field="phone")}
        return self._request("POST", "/recurring/alias", "ask offered", body, retry_safe=True)

    def is_offered(self, answer: HttpResponse) -> bool:
        """Read the answer to ``ask_offered``."""
        return self._read(answer, _wire.Offered, "ask offered").recurring_is_offered

    def _consent(
        self,
        callback_url: str,
        order_reference: str,
        *,
        payer: _wire.AliasOut | None = None,
        tin: str | None = None,
    ) -> dict[str, object]:
        clean = self._config.clean_texts
        reference = texts.reference(order_reference, field="order_reference", clean=clean) if order_reference else None
        return _wire.ConsentOut(
            callback_url=callback_url,
            callback_identifier=encoding.callback_identifier(callback_url),
            payee=_wire.AliasOut(alias=self._config.number),
            payer=payer,
            tin=tin,
            payee_payment_reference=reference,
        ).as_json()

    def _request(
        self,
        method: str,
        path: str,
        label: str,
        body: Mapping[str, object] | None = None,
        *,
        retry_safe: bool = False,
    ) -> HttpRequest:
        headers = (("accept", "application/json"), ("user-agent", "prenopay"))
        return HttpRequest(
            method=method,
            url=self._base + path,
            label=label,
            headers=headers if body is None else (*headers, ("content-type", "application/json")),
            body=b"" if body is None else json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(),
            retry_safe=retry_safe,
        )

    def _read(self, answer: HttpResponse, model: type[ModelT], call: str) -> ModelT:
        if not 200 <= answer.status < 300:  # noqa: PLR2004 - success
            raise read_refusal(answer, call).error()
        try:
            return _wire.read(model, _wire.read_object(answer.body))
        except _wire.Unreadable as error:
            message = f"{call}: the answer cannot be read: {error}"
            raise UnexpectedAnswer(message, http_status=answer.status) from error
