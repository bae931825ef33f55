"""The merchants' HTTP interface: who may call, in which media type, with which body."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from prenopay.testing.emulators.gateway import Used
from prenopay.testing.emulators.swish.authority import SwishAuthority, payload_bytes
from prenopay.testing.emulators.swish.documents import document_of
from prenopay.testing.emulators.swish.objects import (
    RECURRING_PATH,
    Recurring,
    cancel_payment,
    make_payment,
    make_payout,
    make_refund,
    not_found,
)
from prenopay.testing.emulators.swish.problems import Refusal, malformed, refuse
from prenopay.testing.emulators.swish.qr import commerce_content, prefilled_content, qr_picture
from prenopay.testing.emulators.swish.register import PHONE_PATH, Item, Register, SwishMerchant
from prenopay.testing.http import (
    EmulatorAnswer,
    EmulatorRequest,
    Headers,
    JsonObject,
    as_object,
    json_answer,
    read_json,
)

ItemT = TypeVar("ItemT", bound=Item)

QR_PATH: Final = "/qrg-swish/api/v1"
_API_PATH: Final = "/swish-cpcapi/api"
_JSON: Final = "application/json"
_PATCH: Final = "application/json-patch+json"
_NAMES: Final = {
    ("PUT", "v2", "paymentrequests"): "create",
    ("GET", "v1", "paymentrequests"): "get",
    ("PATCH", "v1", "paymentrequests"): "cancel",
    ("PUT", "v2", "refunds"): "refund",
    ("GET", "v1", "refunds"): "get-refund",
    ("GET", "v1", "payouts"): "get-payout",
}

CALLS: Final = (*_NAMES.values(), "payout", "qr", "recurring", "page", "unknown")
"""What ``describe_call`` calls them."""


def describe_call(request: EmulatorRequest) -> tuple[str, str]:
    """Return the call's name ("create", "refund", "get" …) and the ``instructionUUID`` it is about."""
    path = request.path
    for prefix, name in ((QR_PATH, "qr"), (RECURRING_PATH, "recurring"), (PHONE_PATH, "page")):
        if path.startswith(prefix):
            return name, path.rsplit("/", maxsplit=1)[-1] if name == "recurring" else ""
    match request.method, path.removeprefix(_API_PATH).strip("/").split("/"):
        case "POST", ["v1", "payouts"]:
            return "payout", str((as_object(request.json().get("payload")) or {}).get("payoutInstructionUUID", ""))
        case method, [version, kind, item]:
            return _NAMES.get((method, version, kind), "unknown"), item
        case _:
            return "unknown", ""


class Api:
    """Answers merchants' calls."""

    def __init__(self, register: Register, authority: Callable[[], SwishAuthority]) -> None:
        """Answer from ``register``; ``authority`` issued the certificates that sign payouts."""
        self._register = register
        self._authority = authority
        self._recurring = Recurring(register)

    def answer(self, request: EmulatorRequest) -> EmulatorAnswer:
        """Answer one call."""
        try:
            if request.path.startswith(QR_PATH):
                return self._picture(request)
            caller = self._caller(request)
            if request.path.startswith(RECURRING_PATH):
                return self._recurring.answer(request, caller, lambda: _object(request))
            return self._route(request, caller)
        except Refusal as refusal:
            return refusal.answer(self._register.behaviour)

    def _route(self, request: EmulatorRequest, caller: SwishMerchant) -> EmulatorAnswer:
        register = self._register
        match request.method, request.path.removeprefix(_API_PATH).strip("/").split("/"):
            case "PUT", ["v2", "paymentrequests", name]:
                self._must_be_new_id(name)
                body = _object(request)

                def pay() -> Headers:
                    payment = make_payment(register, caller, name, body)
                    return (("paymentrequesttoken", payment.token),) if payment.token else ()

                return self._once(request, "paymentrequests", name, pay)
            case "GET", ["v1", "paymentrequests", name]:
                return self._shown(self._own(register.payments, name, caller))
            case "PATCH", ["v1", "paymentrequests", name]:
                patch = _body(request, _PATCH)
                return self._shown(cancel_payment(register, self._own(register.payments, name, caller), patch))
            case "PUT", ["v2", "refunds", name]:
                self._must_be_new_id(name)
                body = _object(request)

                def refund() -> Headers:
                    make_refund(register, caller, name, body)
                    return ()

                return self._once(request, "refunds", name, refund)
            case "GET", ["v1", "refunds", name]:
                return self._shown(self._own(register.refunds, name, caller))
            case "POST", ["v1", "payouts"]:
                return self._payout(request, caller)
            case "GET", ["v1", "payouts", name]:
                return self._shown(self._own(register.payouts, name, caller))
            case _:
                raise Refusal(404)

    def _payout(self, request: EmulatorRequest, caller: SwishMerchant) -> EmulatorAnswer:
        body = _object(request)
        name = (as_object(body.get("payload")) or {}).get("payoutInstructionUUID")
        try:
            signed = payload_bytes(request.body)
        except ValueError as error:
            raise malformed(str(error)) from error

        def act() -> Headers:
            make_payout(self._register, self._authority(), caller, body, signed)
            return ()

        return self._once(request, "payouts", str(name), act)

    def _picture(self, request: EmulatorRequest) -> EmulatorAnswer:
        contents = {"commerce": commerce_content, "prefilled": prefilled_content}
        content = contents.get(request.path.removeprefix(QR_PATH).strip("/"))
        if request.method != "POST" or content is None:
            raise Refusal(404)
        body = {name: value for name, value in _object(request).items() if value is not None}
        return qr_picture(content(body), body)

    def _once(self, request: EmulatorRequest, kind: str, name: str, act: Callable[[], Headers]) -> EmulatorAnswer:
        """Act, unless the id was used for anything before."""
        register, behaviour = self._register, self._register.behaviour

        def make() -> EmulatorAnswer:
            headers = act()
            # Always v1, although the call was v2 (MSS user guide 2.0, §5.2.1).
            base = _API_PATH.removesuffix("/api") if behaviour.location_without_api else _API_PATH
            location = ("location", f"{request.origin}{base}/v1/{kind}/{name}")
            return EmulatorAnswer(status=201, headers=(location, *headers))

        def again(used: Used, is_same: bool) -> EmulatorAnswer:  # noqa: FBT001 - read in place
            refund = register.refunds.get(name) if kind == "refunds" else None
            is_open = refund is not None and not refund.status.is_final
            if not is_same or behaviour.identical_repeat != "replay":
                refuse(behaviour.refund_in_progress if is_open else "RP09")
            return used.answer

        return register.once((kind, name), request, make, again)

    def _caller(self, request: EmulatorRequest) -> SwishMerchant:
        """Return whose certificate it is; a good one of somebody without an agreement gets 401."""
        caller = self._register.merchants.get(request.client_name)
        if caller is None:
            raise Refusal(401)
        return caller

    def _must_be_new_id(self, name: str) -> None:
        pattern = "[0-9A-Fa-f]{32}" if self._register.behaviour.lower_case_ids else "[0-9A-F]{32}"
        if not re.fullmatch(pattern, name):
            reason = "The instructionUUID must be 32 upper-case hex digits."
            raise malformed(reason)

    def _own(self, items: Mapping[str, ItemT], name: str, caller: SwishMerchant) -> ItemT:
        """Return an object that the caller may see; to a merchant, another's does not exist."""
        item, behaviour = items.get(name), self._register.behaviour
        sees_all = not behaviour.numbers_are_checked
        if item is not None and (sees_all or item.merchant.number in {caller.number, *caller.acts_for}):
            return item
        raise not_found(self._register)

    def _shown(self, item: Item) -> EmulatorAnswer:
        return json_answer(200, document_of(item, self._register.behaviour))


def _body(request: EmulatorRequest, media_type: str) -> object:
    """Return the body, which must be of ``media_type`` and JSON."""
    if request.header("content-type").partition(";")[0].strip().lower() != media_type:
        raise Refusal(415)
    try:
        return read_json(request.body)
    except ValueError as error:
        reason = f"The body is not JSON: {error}"
        raise malformed(reason) from error


def _object(request: EmulatorRequest) -> JsonObject:
    found = as_object(_body(request, _JSON))
    if found is None:
        reason = "The body must be a JSON object."
        raise malformed(reason)
    return found
