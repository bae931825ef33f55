"""A merchant's side of the wire, by hand: makes requests to the Swedbank Pay emulator and reads answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from prenopay.testing.emulators.swedbankpay import DEFAULT_ACCESS_TOKEN, DEFAULT_PAYEE_ID, SwedbankPayEmulator
from prenopay.testing.http import EmulatorAnswer, EmulatorRequest

API = "https://api.externalintegration.payex.com"
ITEM: dict[str, object] = {
    "reference": "P1",
    "name": "Digital subscription",
    "type": "PRODUCT",
    "class": "Digital",
    "quantity": 1,
    "quantityUnit": "pcs",
    "unitPrice": 1500,
    "vatPercent": 600,
    "amount": 1500,
    "vatAmount": 85,
}


@dataclass(frozen=True)
class Answer:
    """What came back: status, decoded body, and the answer itself."""

    status: int
    body: Any
    answer: EmulatorAnswer

    @property
    def order(self) -> dict[str, Any]:
        """The order in the body, whatever the case of its key."""
        found: dict[str, Any] = next(value for key, value in self.body.items() if key.lower() == "paymentorder")
        return found

    @property
    def rels(self) -> dict[str, str]:
        """What can be done: rel to address."""
        return {operation["rel"]: operation["href"] for operation in self.body["operations"]}

    @property
    def problem(self) -> str:
        """The last part of the problem's type."""
        return str(self.body["type"]).rsplit("/", maxsplit=1)[-1]

    @property
    def problem_names(self) -> list[str]:
        """The fields that the problem names."""
        return [entry["name"] for entry in self.body.get("problems", ())]


def purchase(reference: str = "A1", **changes: object) -> dict[str, object]:
    """Return a good create request, with ``changes``; ``None`` takes a member out."""
    order: dict[str, object] = {
        "operation": "Purchase",
        "currency": "SEK",
        "amount": 1500,
        "vatAmount": 375,
        "description": "Test Purchase",
        "userAgent": "Mozilla/5.0",
        "language": "sv-SE",
        "urls": {
            "hostUrls": ["https://shop.example"],
            "completeUrl": "https://shop.example/complete",
            "cancelUrl": "https://shop.example/cancel",
            "callbackUrl": "https://shop.example/callback?secret=1",
        },
        "payeeInfo": {"payeeId": DEFAULT_PAYEE_ID, "payeeReference": reference, "orderReference": "or-1"},
        **changes,
    }
    return {"paymentorder": {name: value for name, value in order.items() if value is not None}}


@dataclass
class Merchant:
    """Calls the emulator as a merchant with this token does."""

    emulator: SwedbankPayEmulator = field(default_factory=SwedbankPayEmulator)
    token: str = DEFAULT_ACCESS_TOKEN
    version: str = "3.1"
    headers: Mapping[str, str] = field(default_factory=dict)

    def call(self, method: str, url: str, body: object = None, **headers: str) -> Answer:
        """Call, and return the answer; a lost answer is a failed test."""
        parts = urlsplit(url)
        media = f"application/json;version={self.version}"
        sent = {"authorization": f"Bearer {self.token}", "accept": media, "user-agent": "tests/1"}
        if body is not None:
            sent["content-type"] = media
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        outcome = self.emulator.handle(
            EmulatorRequest(
                method=method,
                target=f"{parts.path}?{parts.query}" if parts.query else parts.path,
                headers=tuple((name, value) for name, value in sent.items() if value),
                body=b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode(),
                origin=API,
            )
        )
        assert isinstance(outcome, EmulatorAnswer), outcome
        return Answer(outcome.status, json.loads(outcome.body) if outcome.body else None, outcome)

    def create(self, reference: str = "A1", **changes: object) -> Answer:
        """Make an order."""
        return self.call("POST", "/psp/paymentorders", purchase(reference, **changes))

    def order(self, reference: str = "A1", **changes: object) -> str:
        """Make an order that must succeed, and return its id."""
        answer = self.create(reference, **changes)
        assert answer.status in {200, 201}, answer.body
        return str(answer.order["id"])

    def get(self, order: str, expand: str = "") -> Answer:
        """Read an order."""
        answer = self.call("GET", f"{order}?$expand={expand}" if expand else order)
        assert answer.status == 200, answer.body
        return answer

    def patch(self, order: str, operation: str, **members: object) -> Answer:
        """Change an order."""
        return self.call("PATCH", order, {"paymentorder": {"operation": operation, **members}})

    def capture(self, order: str, amount: int, reference: str, **more: object) -> Answer:
        """Take money."""
        return self._move(order, "captures", amount=amount, vatAmount=0, payeeReference=reference, **more)

    def cancel(self, order: str, reference: str, **more: object) -> Answer:
        """Release money."""
        return self._move(order, "cancellations", payeeReference=reference, **more)

    def reverse(self, order: str, amount: int, reference: str, **more: object) -> Answer:
        """Give money back."""
        return self._move(order, "reversals", amount=amount, vatAmount=0, payeeReference=reference, **more)

    def _move(self, order: str, ending: str, **members: object) -> Answer:
        body = {"transaction": {"description": "Test", **members}}
        return self.call("POST", f"{order}/{ending}?$expand=financialTransactions", body)
