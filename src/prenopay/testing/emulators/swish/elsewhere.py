"""Another shop with the same Swish number: what it makes under references that a host is about to use itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from prenopay.provider import PayoutRequest
from prenopay.providers.swish.provider import SwishProvider
from prenopay.testing.emulators.swish.emulator import SwishEmulator
from prenopay.testing.emulators.swish.objects import RECURRING_PATH
from prenopay.testing.http import EmulatorAnswer, EmulatorRequest
from prenopay.values.money import Money
from prenopay.values.orders import PayoutOrder

__all__ = ["AnotherShop"]

_API: Final = "/swish-cpcapi/api"
_CALLBACK: Final = "https://other.example/callbacks"
_COSTS: Final = 777
_GIVES_BACK: Final = 333
_BUYER: Final = "46739000009"


class AnotherShop:
    """Makes objects at ``emulator`` as its first merchant; ``provider`` writes its payouts."""

    def __init__(self, emulator: SwishEmulator, provider: SwishProvider) -> None:
        """Own nothing yet."""
        self._emulator = emulator
        self._provider = provider
        self._number = emulator.merchants[0].number
        self._made = 0

    def sells(self, reference: str) -> str | None:
        """Make a payment request; return its name."""
        body = {"payeeAlias": self._number, "amount": _COSTS, "currency": "SEK", "message": "Elsewhere"}
        return reference if self._asks("PUT", f"{_API}/v2/paymentrequests/{reference}", body) else None

    def refunds(self, reference: str) -> str | None:
        """Give back a part of a payment of its own; return the payment's name."""
        payment = self.sells(self._new_id())
        if payment is None:
            return None
        self._emulator.approve(payment)
        original = self._emulator.payment(payment).payment_reference
        body = {"payerAlias": self._number, "amount": _GIVES_BACK, "currency": "SEK", "message": "Elsewhere"}
        path = f"{_API}/v2/refunds/{reference}"
        return payment if self._asks("PUT", path, body | {"originalPaymentReference": original}) else None

    def pays_out(self, reference: str) -> str | None:
        """Pay somebody; return the payout's name."""
        order = PayoutOrder(
            amount=Money(_COSTS * 100, "SEK"),
            payee_phone="070-174 06 09",
            payee_personal_number="197203042382",
            description="Elsewhere",
            reference="OTHER-1",
        )
        asked = PayoutRequest(
            order=order,
            payout_id="elsewhere",
            reference=reference,
            callback_url=_CALLBACK,
            asked_at=self._emulator.clock.now(),
        )
        return reference if self._sends("POST", f"{_API}/v1/payouts", self._provider.write_payout(asked)) else None

    def asks_for_consent(self, reference: str) -> str | None:
        """Ask a buyer of its own for a standing consent; return its id."""
        body = {"payee": {"alias": self._number}, "payer": {"alias": _BUYER}, "callbackUrl": _CALLBACK}
        return reference if self._asks("POST", f"{RECURRING_PATH}/consents/{reference}", body) else None

    def charges(self, reference: str) -> str | None:
        """Draw on a consent of a buyer of its own; return the charge's id."""
        consent = self.asks_for_consent(self._new_id())
        if consent is None:
            return None
        self._emulator.sign_consent(consent)
        body = {
            "consentId": consent,
            "payee": {"alias": self._number},
            "amount": {"value": _COSTS, "currency": "SEK"},
            "message": "Elsewhere",
            "callbackUrl": _CALLBACK,
        }
        return reference if self._asks("POST", f"{RECURRING_PATH}/payments/single/{reference}", body) else None

    def _new_id(self) -> str:
        self._made += 1
        return f"{self._made:032X}"

    def _asks(self, method: str, path: str, body: Mapping[str, object]) -> bool:
        return self._sends(method, path, json.dumps({"callbackUrl": _CALLBACK, **body}).encode())

    def _sends(self, method: str, path: str, body: bytes) -> bool:
        headers = (("content-type", "application/json"), ("accept", "application/json"))
        gateway = next(iter(self._emulator.mounts.values()))
        answer = gateway.handle(EmulatorRequest(method=method, target=path, headers=headers, body=body))
        return isinstance(answer, EmulatorAnswer) and answer.status == HTTPStatus.CREATED
