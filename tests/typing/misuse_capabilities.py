"""Asking a provider for what it cannot do, and declaring what it does not: each is refused before it runs."""

from __future__ import annotations

from prenopay import Accounts, AsyncAccounts, Money, Operation, Payments
from prenopay.values.callbacks import Heard
from prenopay.ports import Send
from prenopay.provider import (
    Captures,
    ChangeRequest,
    ChargesMandates,
    PaymentProvider,
    ProviderConfig,
    ReceivesCallbacks,
    Refunds,
    StoresMandates,
)


class SettlesAtOnce(PaymentProvider, Refunds):
    """A rail without reservations, such as Swish."""


def blocking(accounts: Accounts, config: ProviderConfig[SettlesAtOnce]) -> None:
    swish = accounts.add(config)
    swish.refund("p", operation_id="refund:1")
    swish.capture("p", operation_id="capture:1")  # refused: misc | reportAttributeAccessIssue
    swish.cancel("p", operation_id="cancel:1")  # refused: misc | reportAttributeAccessIssue
    swish.update("p", operation_id="update:1")  # refused: misc | reportAttributeAccessIssue
    swish.charge(  # refused: misc | reportAttributeAccessIssue
        "m", Money(100, "SEK"), operation_id="renewal:1", description="One month"
    )
    swish.mandates.get("m")  # refused: misc | reportAttributeAccessIssue


async def awaiting(accounts: AsyncAccounts, config: ProviderConfig[SettlesAtOnce]) -> None:
    swish = accounts.add(config)
    await swish.refund("p", operation_id="refund:1")
    await swish.capture("p", operation_id="x")  # refused: misc | reportAttributeAccessIssue
    await swish.mandates.of_payer("r")  # refused: misc | reportAttributeAccessIssue


def any_provider(payments: Payments[PaymentProvider]) -> None:
    payments.refund("p", operation_id="x")  # refused: misc | reportAttributeAccessIssue


def by_name(accounts: Accounts) -> None:
    accounts["swish"].refund("p", operation_id="x")  # refused: misc | reportAttributeAccessIssue


def capture_all(payments: Payments[Captures]) -> Operation:
    return payments.capture("p", operation_id="capture:1")


def draw(payments: Payments[ChargesMandates]) -> Operation:
    return payments.charge("m", Money(100, "SEK"), operation_id="renewal:1", description="One month")


def handed_on(swish: Payments[SettlesAtOnce], storing: Payments[StoresMandates]) -> None:
    capture_all(swish)  # refused: arg-type | reportArgumentType
    draw(storing)  # refused: arg-type | reportArgumentType
    storing.mandates.get("m")


def not_built() -> PaymentProvider:
    return SettlesAtOnce()  # refused: abstract | reportAbstractUsage


class NoMoneyBack(Refunds):
    async def refund(  # refused: override | reportIncompatibleMethodOverride
        self,
        send: Send,
        request: str,  # refused: override | -
    ) -> None:
        return None


class BlockingVerb(Captures):
    def capture(  # refused: override | reportIncompatibleMethodOverride
        self,
        send: Send,
        request: ChangeRequest,
    ) -> None:
        return None


class WrongReply(ReceivesCallbacks):
    def read_callback(self, request: bytes) -> Heard:  # refused: override | reportIncompatibleMethodOverride
        return request  # refused: return-value | reportReturnType
