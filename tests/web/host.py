"""A host with an emulated gateway: one process makes payments, another serves the callback app."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from prenopay import (
    Accounts,
    AsyncAccounts,
    Environment,
    Event,
    Payment,
    Secret,
)
from prenopay.books.inbox import Callback
from prenopay.ports import HttpRequest, HttpResponse
from prenopay.providers.swedbankpay import SwedbankPay
from prenopay.testing.emulators.swedbankpay import DEFAULT_ACCESS_TOKEN, DEFAULT_PAYEE_ID, SwedbankPayEmulator
from prenopay.testing.http import EmulatorSender
from prenopay.values.subjects import Subject
from tests.behaviour.shop import KEY, an_order

CALLBACK_URL = "https://shop.example/pay/callbacks"
ACCOUNT = SwedbankPay(
    account="cards",
    environment=Environment.TEST,
    payee_id=DEFAULT_PAYEE_ID,
    access_token=Secret(DEFAULT_ACCESS_TOKEN),
)


class Host:
    """The books and the gateway that both processes share, and the events that the host received."""

    def __init__(self, database: str) -> None:
        self.emulator = SwedbankPayEmulator()
        self.sender = GatedSender(self.emulator)
        self.told: list[Event] = []
        self._settings: dict[str, Any] = {
            "callback_url": CALLBACK_URL,
            "callback_keys": [KEY],
            "clock": self.emulator.clock,
        }
        self._database = database
        self._closing: list[Callable[[], None]] = []
        self.desk = Accounts.open(database, sender=EmulatorSender(self.emulator.mounts), **self._settings)
        self._payments = self.desk.add(ACCOUNT)

    def blocking(self) -> Accounts:
        """Return the accounts that a WSGI app serves."""
        accounts = Accounts.open(self._database, sender=self.sender, on_event=self.told.append, **self._settings)
        self._closing.append(accounts.close)
        accounts.add(ACCOUNT)
        return accounts

    def awaiting(self) -> AsyncAccounts:
        """Return the accounts that an ASGI app serves; the caller who runs the loop closes them."""

        async def tell(event: Event) -> None:
            self.told.append(event)

        accounts = AsyncAccounts.open(self._database, sender=self.sender, on_event=tell, **self._settings)
        accounts.add(ACCOUNT)
        return accounts

    def close(self) -> None:
        for close in [*self._closing, self.desk.close]:
            close()

    # What the tests do and look at

    def bought(self, number: int = 1) -> Payment:
        return self._payments.create(an_order(order_reference=f"K-{number}"), operation_id=f"order:{number}")

    def paid(self, number: int = 1) -> Payment:
        """Make an order payable and pay it; no callback has come yet."""
        payment = self.bought(number)
        self.emulator.pay_by_card(str(payment.provider_reference))
        return payment

    def path(self, payment: Payment) -> str:
        return urlsplit(self.desk.callback_urls.url("cards", Subject.payment(payment.payment_id))).path

    def callbacks(self) -> tuple[Callback, ...]:
        return self.desk.callbacks(limit=1000)

    @property
    def heard(self) -> list[str]:
        """Return the events that the host received, in order: which payment, which kind."""
        return [f"{event.payment_id} {event.kind.value}" for event in self.told]


class GatedSender(EmulatorSender):
    """Calls the emulator once the gate is open, so that a test can make the gateway slow."""

    def __init__(self, emulator: SwedbankPayEmulator) -> None:
        super().__init__(emulator.mounts)
        self.gate = threading.Event()
        self.gate.set()

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - see the port
        if not self.gate.wait(timeout=60):
            message = "the test forgot to open the gate"
            raise AssertionError(message)
        return await super().send(request, timeout=timeout)


def body(payment: Payment, number: int = 1) -> bytes:
    """Return the body that the gateway posts about ``payment``."""
    told = {"id": payment.provider_reference, "instrument": "CreditCard", "number": number}
    return json.dumps({"orderReference": payment.order_reference, "paymentOrder": told}).encode()
