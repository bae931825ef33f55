"""A host whose account is with Swish: what a payer does there, and a comparison of its books with the gateway's."""

from __future__ import annotations

import functools
import json
from typing import Any, cast

from prenopay import Environment, Money, Order, Payer, Payment
from prenopay.ports import HttpSender
from prenopay.providers.swish import Swish
from prenopay.testing.clock import VirtualClock
from prenopay.testing.emulators.swish import DEFAULT_NUMBER, IssuedCertificate, SwishAuthority, SwishEmulator
from prenopay.testing.http import EmulatorAnswer, EmulatorRequest, EmulatorSender
from prenopay.values.orders import PageStyle, PayoutOrder
from tests.behaviour.shop import Driven, Shop, an_order, sek

PHONE = "46701740606"
PERSONAL_NUMBER = "199710202392"
OTHER_NUMBER = "1230000025"


@functools.cache
def authority() -> SwishAuthority:
    """Return the only authority of the run; its keys take a while to make."""
    return SwishAuthority()


@functools.cache
def certificate(number: str = DEFAULT_NUMBER) -> IssuedCertificate:
    return authority().issue(number, key_size=2048)


def by_phone(**changes: Any) -> dict[str, Any]:
    """Return the fields of an order that is sent to a phone number."""
    return {"page": PageStyle.PHONE, "payer": Payer(phone="+" + PHONE), **changes}


def a_payout(**changes: Any) -> PayoutOrder:
    values: dict[str, Any] = {
        "amount": sek(25000),
        "payee_phone": "070-174 06 06",
        "payee_personal_number": PERSONAL_NUMBER,
        "description": "Vinst i korsordet",
        "reference": "VINST-1",
    }
    return PayoutOrder(**(values | changes))


class SwishShop(Shop):
    """A shop that takes Swish."""

    emulator: Any

    def __init__(
        self,
        colour: str,
        database: str,
        *,
        emulator: Any = None,
        sender: HttpSender | None = None,
        account: str = "swish",
        **settings: Any,
    ) -> None:
        swish = emulator or SwishEmulator(clock=VirtualClock(), authority=authority())
        super().__init__(
            colour,
            database,
            emulator=cast("Any", swish),
            sender=sender or EmulatorSender(swish.mounts),
            account=account,
            **settings,
        )

    @property
    def swish(self) -> SwishEmulator:
        """Return the gateway, with its type."""
        return cast("SwishEmulator", self.emulator)

    def add(self, account: str, **settings: Any) -> Driven:
        """Add an account, and return its use cases."""
        values: dict[str, Any] = {
            "environment": Environment.TEST,
            "number": DEFAULT_NUMBER,
            "certificate": certificate().chain_pem,
            "private_key": certificate().key_pem,
        }
        return Driven(self.accounts.add(Swish(account=account, **(values | settings))), self._run)

    def restarted(self, *, sender: HttpSender | None = None, **changes: Any) -> SwishShop:
        """Start another process on the same database and gateway, perhaps with other settings."""
        return SwishShop(
            self.colour,
            self.database,
            emulator=self.emulator,
            sender=sender,
            account=self.account_name,
            **(self._settings | changes),
        )

    def order(self, **changes: Any) -> Order:
        return an_order(**changes)

    def pay(self, payment: Payment, **answers: Any) -> None:
        """Let the payer accept in the app."""
        assert payment.provider_reference is not None
        self.swish.approve(payment.provider_reference, **answers)

    def refund(self, payment: Payment, amount: Money | None = None, operation_id: str = "refund:1", **more: Any) -> Any:
        return self.payments.refund(payment.payment_id, amount, operation_id=operation_id, **more)

    def refund_elsewhere(self, payment: Payment, amount: str) -> None:
        """Give money back without prenopay, as the bank's own page does."""
        body = {
            "originalPaymentReference": self.swish.payment(str(payment.provider_reference)).payment_reference,
            "callbackUrl": "https://bank.example/callbacks",
            "payerAlias": DEFAULT_NUMBER,
            "amount": amount,
            "currency": "SEK",
        }
        outcome = self.swish.handle(
            EmulatorRequest(
                method="PUT",
                target=f"/swish-cpcapi/api/v2/refunds/{'B0' * 16}",
                headers=(("content-type", "application/json"),),
                body=json.dumps(body).encode(),
                client_name=DEFAULT_NUMBER,
            ),
        )
        assert isinstance(outcome, EmulatorAnswer)
        assert outcome.status == 201, outcome.body

    def captured(self, operation_id: str = "order:1", **changes: Any) -> Payment:
        """Return a paid payment; Swish takes the money at once."""
        return self.paid(operation_id, **changes)

    def calls(self, name: str) -> int:
        """Return how often the gateway was called with this label."""
        return sum(each.call == name for each in self.swish.transcript.seen)

    def books_agree(self) -> None:
        """Check that every payment's totals are the gateway's, and that it paid every payout that we call paid."""
        theirs = self.swish.books()
        ours = [payment for payment in self.payments.find(limit=500) if payment.provider_reference]
        for payment in ours:
            gateway = theirs[str(payment.provider_reference)]
            assert (payment.captured.minor, payment.refunded.minor) == (gateway.paid, gateway.refunded), payment
        assert sum(each.captured.minor for each in ours) == sum(each.paid for each in theirs.values())
        paid_out = {each.id: each.status.value == "PAID" for each in self.swish.payouts}
        for payout in self.payments.payouts(limit=500):
            assert paid_out.get(payout.reference, False) == (payout.outcome == "succeeded"), payout
        assert set(paid_out) <= {payout.reference for payout in self.payments.payouts(limit=500)}
