"""What each call is named in faults and transcripts, and the reference it carries: read leniently, judged elsewhere."""

from __future__ import annotations

from typing import Final

from prenopay.testing.emulators.jsonvalues import JsonObject, as_object, read_json
from prenopay.testing.emulators.swedbankpay.tokens import CHARGES
from prenopay.testing.http import EmulatorRequest

__all__ = ["ORDERS_PATH", "PAGE_PATH", "PAYERS_PATH", "describe_call", "member"]

ORDERS_PATH: Final = "/psp/paymentorders"
PAGE_PATH: Final = "/checkout"
PAYERS_PATH: Final = "/online/payers"

_POSTED: Final = {"captures": "capture", "cancellations": "cancel", "reversals": "reversal"}
_PATCHED: Final = {
    "UpdateOrder": "update",
    "Abort": "abort",
    "PaymentAttemptAborted": "abort-attempt",
    "SetInstrument": "set-instrument",
}


def describe_call(request: EmulatorRequest) -> tuple[str, str]:
    """Return the call's name ("create", "charge", "get", "capture" …) and the ``payeeReference`` in its body."""
    if request.path.lower().startswith(PAYERS_PATH):
        return _payers_call(request), ""
    if not request.path.startswith(ORDERS_PATH):
        return ("page" if request.path.startswith(PAGE_PATH) else "unknown"), ""
    body = _body(request)
    order, transaction = member(body, "paymentorder"), member(body, "transaction")
    match request.method, request.path.removeprefix(ORDERS_PATH).strip("/").split("/"):
        case "POST", [""]:
            name = "charge" if order.get("operation") in CHARGES else "create"
            return name, str((as_object(order.get("payeeInfo")) or {}).get("payeeReference", ""))
        case "POST", [_, ending] if ending in _POSTED:
            return _POSTED[ending], str(transaction.get("payeeReference", ""))
        case "GET" | "PATCH" as method, [first, _] if first.lower().endswith("tokens"):
            verb, is_one = "get" if method == "GET" else "delete", not first.lower().startswith("payerowned")
            return f"{verb}-token" if is_one else f"{verb}-tokens", ""
        case "PATCH", [_]:
            return _PATCHED.get(str(order.get("operation")), "patch"), ""
        case "GET", [_]:
            return "get", ""
        case "GET", [_, *_]:
            return "get-node", ""
        case _:
            return "unknown", ""


def _payers_call(request: EmulatorRequest) -> str:
    """Return what is done in the Payer API; archiving is called what the older API calls it."""
    parts = [part.lower() for part in request.path[len(PAYERS_PATH) :].split("/") if part]
    noun = "token" if parts[:1] == ["tokens"] else "tokens"
    if request.method == "GET":
        return f"get-{noun}"
    return "rename-token" if parts[-1:] == ["displaynames"] else f"delete-{noun}"


def member(body: JsonObject, name: str) -> JsonObject:
    """Return the object that ``body`` has under ``name``, whatever its case; empty when there is none."""
    found = next((value for key, value in body.items() if key.lower() == name), None)
    return as_object(found) or {}


def _body(request: EmulatorRequest) -> JsonObject:
    try:
        return as_object(read_json(request.body)) or {}
    except ValueError:
        return {}
