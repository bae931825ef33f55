"""The worlds in which the shipped providers are tried: each provider's emulator, and hands to move it with."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from typing import Any

from prenopay import Environment, Money, Payer, Payment, Secret
from prenopay.orders import PayoutOrder
from prenopay.providers.swedbankpay import ReferenceFormat, SwedbankPay
from prenopay.providers.swish import Swish
from prenopay.testing.conformance import Totals, World
from prenopay.testing.conformance.world import Books
from prenopay.testing.emulators.clock import VirtualClock
from prenopay.testing.emulators.sender import EmulatorSender
from prenopay.testing.emulators.swedbankpay import (
    DEFAULT_ACCESS_TOKEN,
    DEFAULT_PAYEE_ID,
    Merchant,
    ReferenceFormat as MerchantFormat,
    SwedbankPayEmulator,
)
from prenopay.testing.emulators.swish import DEFAULT_NUMBER, IssuedCertificate, SwishAuthority, SwishEmulator
from prenopay.testing.payer_at_emulators import SwedbankPayPayer, SwishPayer

PAYER = Payer(reference="R-77", email="leia@example.com", phone="+46739000001", personal_number="199710202392")
SWISH_PAYER = Payer(reference="R-77", email="leia@example.com", personal_number="199710202392")
FORMATS = {
    ReferenceFormat.ALPHANUMERIC_30: MerchantFormat.SETTLED_BY_GATEWAY,
    ReferenceFormat.ALPHANUMERIC_50: MerchantFormat.LONG,
    ReferenceFormat.DIGITS_12: MerchantFormat.SETTLED_BY_OWN_ACQUIRER,
}
_STATUS = re.compile(rb'("status"\s*:\s*")[A-Za-z]+"')


def named(payment: Payment) -> str:
    assert payment.provider_reference is not None
    return payment.provider_reference


def by_name(act: Callable[[str], object]) -> Callable[[Payment], object]:
    """Return what does the same with a payment as ``act`` with its name."""
    return lambda payment: act(named(payment))


def strange(body: bytes) -> bytes:
    return _STATUS.sub(rb'\1Teleported"', body)


def swedbankpay(
    reference_format: ReferenceFormat = ReferenceFormat.ALPHANUMERIC_30,
    **settings: Any,
) -> Iterator[World]:
    gateway = SwedbankPayEmulator(
        clock=VirtualClock(),
        merchants=[Merchant(reference_format=FORMATS[reference_format])],
    )
    payer = SwedbankPayPayer(gateway)

    def books() -> Books:
        return {
            name: Totals(
                authorized=each.authorized,
                captured=each.captured,
                refunded=each.reversed,
                cancelled=each.cancelled,
            )
            for name, each in gateway.books().items()
        }

    yield World(
        config=SwedbankPay(
            account="cards",
            environment=Environment.TEST,
            payee_id=DEFAULT_PAYEE_ID,
            access_token=Secret(DEFAULT_ACCESS_TOKEN),
            reference_format=reference_format,
            **settings,
        ),
        sender=EmulatorSender(gateway.mounts),
        clock=gateway.clock,
        pays=by_name(payer.approve),
        declines=by_name(payer.decline),
        books=books,
        secrets=(DEFAULT_ACCESS_TOKEN,),
        payer=PAYER,
        deliver=gateway.deliver_callbacks,
        forges=lambda ours, other: gateway.forge_callback(named(ours), naming=named(other)),
        declines_charge=gateway.decline_next_charge,
        tokens=lambda: [each.token for each in gateway.tokens()],
        unknown_status=strange,
    )


@functools.cache
def certificate() -> tuple[SwishAuthority, IssuedCertificate]:
    """Return the one authority of the run, and the merchant's certificate; keys take a while to make."""
    authority = SwishAuthority()
    return authority, authority.issue(DEFAULT_NUMBER, key_size=2048)


def swish(**settings: Any) -> Iterator[World]:
    authority, issued = certificate()
    gateway = SwishEmulator(clock=VirtualClock(), authority=authority)
    payer = SwishPayer(gateway)

    def books() -> Books:
        return {name: Totals(captured=each.paid, refunded=each.refunded) for name, each in gateway.books().items()}

    yield World(
        config=Swish(
            account="swish",
            environment=Environment.TEST,
            number=DEFAULT_NUMBER,
            certificate=issued.chain_pem,
            private_key=issued.key_pem,
            **settings,
        ),
        sender=EmulatorSender(gateway.mounts),
        clock=gateway.clock,
        pays=by_name(payer.approve),
        declines=by_name(payer.decline),
        books=books,
        secrets=tuple(line for line in issued.key_pem.decode().splitlines() if not line.startswith("-")),
        payer=SWISH_PAYER,
        deliver=gateway.deliver_callbacks,
        forges=lambda ours, other: gateway.forge_callback(named(ours), naming=named(other)),
        payout=PayoutOrder(
            amount=Money(25000, "SEK"),
            payee_phone="070-174 06 06",
            payee_personal_number="199710202392",
            description="Vinst i korsordet",
            reference="VINST-1",
        ),
        paid_out=lambda: sum(round(each.amount * 100) for each in gateway.payouts if each.status.value != "ERROR"),
        unknown_status=strange,
    )
