"""Calls the Swish emulator as a merchant does, in process: requests, answers, and what they say."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from prenopay.testing.emulators.swish import DEFAULT_NUMBER, SwishEmulator
from prenopay.testing.http import EmulatorAnswer, EmulatorRequest, Outcome

API = "https://cpc.getswish.net"
CALLBACK = "https://shop.example/swish"
IDENTIFIER = "0123456789abcdef0123456789abcdef"
PAYER = "46701740606"


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    body: Any
    headers: dict[str, str]

    @property
    def codes(self) -> list[str]:
        """The error codes, in order."""
        return [entry["errorCode"] for entry in self.body]

    @property
    def token(self) -> str:
        """The token of a payment request without a payer."""
        return self.headers.get("paymentrequesttoken", "")


@dataclass
class Shop:
    """Calls as the merchant whose certificate has this number; hands out ids in a row."""

    emulator: SwishEmulator = field(default_factory=SwishEmulator)
    number: str = DEFAULT_NUMBER
    made: int = 0

    def send(self, method: str, path: str, body: object = None, *, media: str = "application/json") -> Outcome:
        """Call, and return the outcome on the wire."""
        return self.emulator.handle(
            EmulatorRequest(
                method=method,
                target=path,
                headers=(("content-type", media),) if body is not None else (),
                body=b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode(),
                origin=API,
                client_name=self.number,
            )
        )

    def call(self, method: str, path: str, body: object = None, *, media: str = "application/json") -> Answer:
        """Call, and return the answer; a lost one is a failed test."""
        outcome = self.send(method, path, body, media=media)
        assert isinstance(outcome, EmulatorAnswer), outcome
        is_json = dict(outcome.headers).get("content-type", "").startswith("application/json")
        return Answer(outcome.status, json.loads(outcome.body) if is_json else outcome.body, dict(outcome.headers))

    def new_id(self) -> str:
        """Return an instructionUUID that was not used here."""
        self.made += 1
        return f"{self.made:032X}"

    def request(self, **changes: object) -> dict[str, object]:
        """Return a good payment request, with ``changes``; ``None`` takes a member out."""
        body: dict[str, object] = {
            "payeePaymentReference": "ORDER1",
            "callbackUrl": CALLBACK,
            "callbackIdentifier": IDENTIFIER,
            "payeeAlias": self.number,
            "amount": "100.00",
            "currency": "SEK",
            "message": "En bok",
            **changes,
        }
        return {name: value for name, value in body.items() if value is not None}

    def create(self, request_id: str = "", /, **changes: object) -> Answer:
        """Ask for a payment."""
        path = f"/swish-cpcapi/api/v2/paymentrequests/{request_id or self.new_id()}"
        return self.call("PUT", path, self.request(**changes))

    def created(self, **changes: object) -> str:
        """Ask for a payment that must be taken; returns its id."""
        answer = self.create(**changes)
        assert answer.status == 201, answer
        return answer.headers["location"].rsplit("/", 1)[-1]

    def get(self, payment: str) -> Any:
        """Read a payment that must be there."""
        answer = self.call("GET", f"/swish-cpcapi/api/v1/paymentrequests/{payment}")
        assert answer.status == 200, answer
        return answer.body

    def cancel(self, payment: str, patch: object = None, *, media: str = "application/json-patch+json") -> Answer:
        """Cancel a payment."""
        patch = [{"op": "replace", "path": "/status", "value": "cancelled"}] if patch is None else patch
        return self.call("PATCH", f"/swish-cpcapi/api/v1/paymentrequests/{payment}", patch, media=media)

    def paid(self, **changes: object) -> str:
        """Have a payment paid; returns its bank reference."""
        payment = self.created(**changes)
        return self.emulator.approve(payment).payment_reference

    def refund_request(self, original: str, **changes: object) -> dict[str, object]:
        """Return a good refund request, with ``changes``."""
        body: dict[str, object] = {
            "originalPaymentReference": original,
            "payerPaymentReference": "BACK1",
            "callbackUrl": CALLBACK,
            "callbackIdentifier": IDENTIFIER,
            "payerAlias": self.number,
            "amount": "100.00",
            "currency": "SEK",
            "message": "Pengar tillbaka",
            **changes,
        }
        return {name: value for name, value in body.items() if value is not None}

    def refund(self, original: str, request_id: str = "", /, **changes: object) -> Answer:
        """Give money back."""
        path = f"/swish-cpcapi/api/v2/refunds/{request_id or self.new_id()}"
        return self.call("PUT", path, self.refund_request(original, **changes))

    def get_refund(self, refund: str) -> Any:
        """Read a refund that must be there."""
        answer = self.call("GET", f"/swish-cpcapi/api/v1/refunds/{refund}")
        assert answer.status == 200, answer
        return answer.body

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.emulator.clock.advance(timedelta(seconds=seconds))
        self.emulator.settle()

    @property
    def told(self) -> list[Any]:
        """The bodies of the callbacks that wait."""
        return [json.loads(callback.body) for callback in self.emulator.callbacks.waiting]

    @property
    def statuses_told(self) -> list[str]:
        """What they say of the status."""
        return [body["status"] for body in self.told]
