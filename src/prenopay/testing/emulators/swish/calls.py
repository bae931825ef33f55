"""What each call is named in faults and transcripts, and the id it carries: read leniently, judged elsewhere."""

from __future__ import annotations

from typing import Final

from prenopay.testing.emulators.jsonvalues import as_object, read_json
from prenopay.testing.http import EmulatorRequest

__all__ = ["API_PATH", "PHONE_PATH", "QR_PATH", "RECURRING_PATH", "describe_call"]

API_PATH: Final = "/swish-cpcapi/api"
QR_PATH: Final = "/qrg-swish/api/v1"
RECURRING_PATH: Final = "/recurring/merchant/v1"
PHONE_PATH: Final = "/phone"

_NAMES: Final = {
    ("PUT", "v2", "paymentrequests"): "create",
    ("GET", "v1", "paymentrequests"): "get",
    ("PATCH", "v1", "paymentrequests"): "cancel",
    ("PUT", "v2", "refunds"): "refund",
    ("GET", "v1", "refunds"): "get-refund",
    ("GET", "v1", "payouts"): "get-payout",
}


def describe_call(request: EmulatorRequest) -> tuple[str, str]:
    """Return the call's name ("create", "refund", "get" …) and the ``instructionUUID`` it is about."""
    path = request.path
    for prefix, name in ((QR_PATH, "qr"), (RECURRING_PATH, "recurring"), (PHONE_PATH, "page")):
        if path.startswith(prefix):
            return name, path.rsplit("/", maxsplit=1)[-1] if name == "recurring" else ""
    match request.method, path.removeprefix(API_PATH).strip("/").split("/"):
        case "POST", ["v1", "payouts"]:
            return "payout", _payout_id(request)
        case method, [version, kind, item]:
            return _NAMES.get((method, version, kind), "unknown"), item
        case _:
            return "unknown", ""


def _payout_id(request: EmulatorRequest) -> str:
    try:
        body = as_object(read_json(request.body)) or {}
    except ValueError:
        return ""
    return str((as_object(body.get("payload")) or {}).get("payoutInstructionUUID", ""))
