"""The merchants' HTTP interface: who may call, in which media type, with which body."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from prenopay.testing.emulators.jsonvalues import JsonObject, as_object, read_json
from prenopay.testing.emulators.swish.authority import SwishAuthority
from prenopay.testing.emulators.swish.calls import API_PATH, QR_PATH, RECURRING_PATH
from prenopay.testing.emulators.swish.codes import text_of
from prenopay.testing.emulators.swish.documents import document_of
from prenopay.testing.emulators.swish.merchants import SwishMerchant
from prenopay.testing.emulators.swish.objects import Item
from prenopay.testing.emulators.swish.payer_side import PayerSide
from prenopay.testing.emulators.swish.payment_side import PaymentSide
from prenopay.testing.emulators.swish.payout_side import PayoutSide
from prenopay.testing.emulators.swish.problems import Problem, Refusal, malformed, refuse
from prenopay.testing.emulators.swish.qr import commerce_content, prefilled_content, qr_picture
from prenopay.testing.emulators.swish.recurring import Recurring
from prenopay.testing.emulators.swish.refund_side import RefundSide
from prenopay.testing.emulators.swish.register import Register, UsedId
from prenopay.testing.emulators.swish.signatures import payload_bytes
from prenopay.testing.http import EmulatorAnswer, EmulatorRequest, Headers, json_answer

__all__ = ["Api"]

ItemT = TypeVar("ItemT", bound=Item)

_JSON: Final = "application/json"
_PATCH: Final = "application/json-patch+json"
_UUID: Final = re.compile(r"[0-9A-F]{32}")
_LOWER_UUID: Final = re.compile(r"[0-9A-Fa-f]{32}")


class Api:
    """Answers merchants' calls."""

    def __init__(
        self, register: Register, payer: PayerSide, recurring: Recurring, authority: Callable[[], SwishAuthority]
    ) -> None:
        """Answer from ``register``; ``authority`` issued the certificates that sign payouts."""
        self._register = register
        self._payments = PaymentSide(register, payer)
        self._refunds = RefundSide(register)
        self._authority = authority
        self._recurring = recurring

    def answer(self, request: EmulatorRequest) -> EmulatorAnswer:
        """Answer one call."""
        try:
            if request.path.startswith(QR_PATH):
                return self._picture(request)
            caller = self._caller(request)
            if request.path.startswith(RECURRING_PATH):
                return self._recurring.answer(request, caller, lambda: _object(_body(request, _JSON)))
            return self._route(request, caller)
        except Refusal as refusal:
            return refusal.answer(self._register.behaviour)

    def _route(self, request: EmulatorRequest, caller: SwishMerchant) -> EmulatorAnswer:
        register = self._register
        match request.method, request.path.removeprefix(API_PATH).strip("/").split("/"):
            case "PUT", ["v2", "paymentrequests", name]:
                return self._create_payment(request, caller, self._new_id(name))
            case "GET", ["v1", "paymentrequests", name]:
                return self._shown(self._own(register.payments, name, caller))
            case "PATCH", ["v1", "paymentrequests", name]:
                patch = _body(request, _PATCH)
                payment = self._payments.cancel(self._own(register.payments, name, caller), patch)
                return self._shown(payment)
            case "PUT", ["v2", "refunds", name]:
                return self._create_refund(request, caller, self._new_id(name))
            case "GET", ["v1", "refunds", name]:
                return self._shown(self._own(register.refunds, name, caller))
            case "POST", ["v1", "payouts"]:
                return self._create_payout(request, caller)
            case "GET", ["v1", "payouts", name]:
                return self._shown(self._own(register.payouts, name, caller))
            case _:
                raise Refusal(404)

    # The calls

    def _create_payment(self, request: EmulatorRequest, caller: SwishMerchant, name: str) -> EmulatorAnswer:
        body = _object(_body(request, _JSON))

        def act() -> Headers:
            payment = self._payments.create(caller, name, body)
            return (("paymentrequesttoken", payment.token),) if payment.token else ()

        return self._once(request, "paymentrequests", name, act)

    def _create_refund(self, request: EmulatorRequest, caller: SwishMerchant, name: str) -> EmulatorAnswer:
        body = _object(_body(request, _JSON))

        def act() -> Headers:
            self._refunds.create(caller, name, body)
            return ()

        return self._once(request, "refunds", name, act)

    def _create_payout(self, request: EmulatorRequest, caller: SwishMerchant) -> EmulatorAnswer:
        body = _object(_body(request, _JSON))
        name = (as_object(body.get("payload")) or {}).get("payoutInstructionUUID")
        try:
            signed = payload_bytes(request.body)
        except ValueError as error:
            raise malformed(str(error)) from error

        def act() -> Headers:
            PayoutSide(self._register, self._authority()).create(caller, body, signed)
            return ()

        return self._once(request, "payouts", str(name), act)

    def _picture(self, request: EmulatorRequest) -> EmulatorAnswer:
        if request.method != "POST":
            raise Refusal(404)
        body = {name: value for name, value in _object(_body(request, _JSON)).items() if value is not None}
        match request.path.removeprefix(QR_PATH).strip("/"):
            case "commerce":
                return qr_picture(commerce_content(body), body)
            case "prefilled":
                return qr_picture(prefilled_content(body), body)
            case _:
                raise Refusal(404)

    # What calls have in common

    def _once(self, request: EmulatorRequest, kind: str, name: str, act: Callable[[], Headers]) -> EmulatorAnswer:
        """Act, unless the id was used for anything before."""
        fingerprint = hashlib.sha256(request.body).hexdigest()
        used = self._register.used.get((kind, name))
        if used is not None:
            if used.fingerprint == fingerprint and self._register.behaviour.identical_repeat == "replay":
                return used.answer
            refund = self._register.refunds.get(name) if kind == "refunds" else None
            in_progress = refund is not None and not refund.status.is_final
            refuse(self._register.behaviour.refund_in_progress if in_progress else "RP09")
        headers = act()
        # Always v1, although the call was v2 (MSS user guide 2.0, §5.2.1).
        base = API_PATH.removesuffix("/api") if self._register.behaviour.location_without_api else API_PATH
        location = ("location", f"{request.origin}{base}/v1/{kind}/{name}")
        answer = EmulatorAnswer(status=201, headers=(location, *headers))
        self._register.used[kind, name] = UsedId(fingerprint=fingerprint, answer=answer)
        return answer

    def _caller(self, request: EmulatorRequest) -> SwishMerchant:
        """Return whose certificate it is; one that is good but of nobody with an agreement gets 401."""
        caller = self._register.merchants.get(request.client_name)
        if caller is None:
            raise Refusal(401)
        return caller

    def _new_id(self, name: str) -> str:
        pattern = _LOWER_UUID if self._register.behaviour.lower_case_ids else _UUID
        if not pattern.fullmatch(name):
            reason = "The instructionUUID must be 32 upper-case hex digits."
            raise malformed(reason)
        return name

    def _own(self, items: Mapping[str, ItemT], name: str, caller: SwishMerchant) -> ItemT:
        """Return an object that the caller may see; to a merchant, another's does not exist."""
        item, behaviour = items.get(name), self._register.behaviour
        sees_all = not behaviour.numbers_are_checked
        if item is not None and (sees_all or item.merchant.number in {caller.number, *caller.acts_for}):
            return item
        raise Refusal(404, *([Problem("RP04", text_of("RP04"))] if behaviour.not_found_body else []))

    def _shown(self, item: Item) -> EmulatorAnswer:
        return json_answer(200, document_of(item, self._register.behaviour))


def _body(request: EmulatorRequest, media_type: str) -> object:
    """Return the body, which must be of ``media_type`` and JSON."""
    if request.header("content-type").partition(";")[0].strip().lower() != media_type:
        raise Refusal(415)
    try:
        return read_json(request.body)
    except (ValueError, RecursionError) as error:
        reason = f"The body is not JSON: {error}"
        raise malformed(reason) from error


def _object(body: object) -> JsonObject:
    found = as_object(body)
    if found is None:
        reason = "The body must be a JSON object."
        raise malformed(reason)
    return found
