"""The worlds in which the shipped providers are tried: each provider's emulator, and hands to move it with."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any

from prenopay import DeclineCode, Environment, Money, Order, Payer, Payment, Secret
from prenopay.providers.swedbankpay import ReferenceFormat, SwedbankPay
from prenopay.providers.swish import Swish
from prenopay.testing.clock import VirtualClock
from prenopay.testing.conformance import Totals, World
from prenopay.testing.conformance.world import Books, Trouble, consent
from prenopay.testing.emulators.swedbankpay import (
    DEFAULT_ACCESS_TOKEN,
    DEFAULT_PAYEE_ID,
    Merchant,
    ReferenceFormat as MerchantFormat,
    SwedbankPayEmulator,
    Totals as Reserved,
)
from prenopay.testing.emulators.swish import DEFAULT_NUMBER, IssuedCertificate, SwishAuthority, SwishEmulator
from prenopay.testing.http import EmulatorSender
from prenopay.testing.mock import Call, Manner, Mock, MockGateway, MockTotals
from prenopay.testing.payer_at_emulators import SwedbankPayPayer, SwishPayer
from prenopay.values.mandates import MandateKind, StoreMethod
from prenopay.values.orders import PayoutOrder

PAYER = Payer(reference="R-77", email="leia@example.com", phone="+46739000001", personal_number="199710202392")
SWISH_PAYER = Payer(reference="R-77", email="leia@example.com", personal_number="199710202392")
PAYOUT = PayoutOrder(
    amount=Money(25000, "SEK"),
    payee_phone="070-174 06 06",
    payee_personal_number="199710202392",
    description="Vinst i korsordet",
    reference="VINST-1",
)
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


def totals(theirs: Reserved | MockTotals) -> Totals:
    return Totals(
        authorized=theirs.authorized,
        captured=theirs.captured,
        refunded=theirs.reversed,
        cancelled=theirs.cancelled,
    )


def swedbankpay(
    reference_format: ReferenceFormat = ReferenceFormat.ALPHANUMERIC_30,
    **settings: Any,
) -> Generator[World]:
    gateway = SwedbankPayEmulator(
        clock=VirtualClock(),
        merchants=[Merchant(reference_format=FORMATS[reference_format])],
    )
    payer = SwedbankPayPayer(gateway)

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
        books=lambda: {name: totals(each) for name, each in gateway.books().items()},
        secrets=(DEFAULT_ACCESS_TOKEN,),
        payer=PAYER,
        deliver=gateway.deliver_callbacks,
        forges=lambda ours, other: gateway.forge_callback(named(ours), naming=named(other)),
        declines_charge=gateway.decline_next_charge,
        tokens=lambda: [each.token for each in gateway.tokens() if each.is_active],
        unknown_status=strange,
    )


@functools.cache
def certificate() -> tuple[SwishAuthority, IssuedCertificate]:
    """Return the one authority of the run, and the merchant's certificate; keys take a while to make."""
    authority = SwishAuthority()
    return authority, authority.issue(DEFAULT_NUMBER, key_size=4096)


def swish(**settings: Any) -> Generator[World]:
    authority, _ = certificate()
    yield swish_world(SwishEmulator(clock=VirtualClock(), authority=authority), **settings)


def swish_books(gateway: SwishEmulator) -> dict[str, Totals]:
    return {name: Totals(captured=each.paid, refunded=each.refunded) for name, each in gateway.books().items()}


def swish_world(gateway: SwishEmulator, **settings: Any) -> World:
    payer = SwishPayer(gateway)
    _, issued = certificate()
    return World(
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
        books=lambda: swish_books(gateway),
        secrets=tuple(line for line in issued.key_pem.decode().splitlines() if not line.startswith("-")),
        payer=SWISH_PAYER,
        deliver=gateway.deliver_callbacks,
        forges=lambda ours, other: gateway.forge_callback(named(ours), naming=named(other)),
        payout=PAYOUT,
        paid_out=lambda: sum(round(each.amount * 100) for each in gateway.payouts if each.status.value != "ERROR"),
        unknown_status=strange,
    )


def swish_consents() -> Generator[World]:
    """Yield Swish with standing consents: signed in the app, where no money moves."""
    authority, _ = certificate()
    gateway = SwishEmulator(clock=VirtualClock(), authority=authority)
    storing = Order(
        amount=Money(0, "SEK"),
        description="Swish every month",
        order_reference="K-1001",
        return_url="https://shop.example/orders/K-1001/return",
        payer=SWISH_PAYER,
        store=StoreMethod(consent=consent(), kinds=(MandateKind.CONSENT,)),
    )

    def books() -> Books:
        """Return what stands for itself, and consents and charges under the names that prenopay gives them."""
        theirs = swish_books(gateway)
        nothing = Totals(captured=0, refunded=0)
        charges = {f"recurring:{each.id}": theirs.pop(each.id, nothing) for each in gateway.charges}
        return theirs | charges | {f"consent:{each.id}": nothing for each in gateway.consents}

    yield replace(
        swish_world(gateway, recurring=True),
        storing=storing,
        books=books,
        declines_charge=gateway.fail_next_charge,
        tokens=lambda: [each.id for each in gateway.consents if each.status == "ACTIVE"],
    )


CALLS = {"create_payment": Call.CREATE, "pay_out": Call.PAY_OUT}
MANNERS = {
    Trouble.LOST_BEFORE: Manner.LOST_BEFORE,
    Trouble.LOST_AFTER: Manner.LOST_AFTER,
    Trouble.UNREADABLE: Manner.UNREADABLE,
    Trouble.UNAVAILABLE: Manner.UNAVAILABLE,
    Trouble.NOT_SENT: Manner.NOT_SENT,
}


def mock(**settings: Any) -> Generator[World]:
    gateway = MockGateway()

    yield World(
        config=Mock(account="mock", gateway=gateway, **settings),
        sender=EmulatorSender({}),
        clock=gateway.clock,
        pays=by_name(gateway.approve),
        declines=by_name(gateway.decline),
        books=lambda: {name: totals(each) for name, each in gateway.books().items()},
        secrets=(),
        payer=PAYER,
        deliver=gateway.deliver_callbacks,
        forges=lambda ours, other: gateway.forge_callback(named(ours), naming=named(other)),
        declines_charge=lambda: gateway.script(Call.CHARGE, decline=DeclineCode.INSUFFICIENT_FUNDS),
        tokens=lambda: [each.token.reveal() for each in gateway.methods(PAYER.reference)],
        payout=PAYOUT,
        paid_out=lambda: sum(
            PAYOUT.amount.minor for each in gateway.seen if each.call is Call.PAY_OUT and each.manner.acts
        ),
        lose=lambda verb, trouble: gateway.script(CALLS.get(verb, verb), MANNERS[trouble]),
    )
