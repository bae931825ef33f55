"""The emulated Swish as a ``Gateway``: what payers, banks and tests do with it, and what it did."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Final
from urllib.parse import urlsplit

from prenopay.ports import HttpRequest
from prenopay.provider import Environment
from prenopay.providers.swish import Swish
from prenopay.providers.swish.provider import SwishProvider
from prenopay.testing.callbacks import CallbackQueue
from prenopay.testing.clock import VirtualClock
from prenopay.testing.emulators.swish import AWKWARD, IssuedCertificate, Status, SwishAuthority, SwishEmulator
from prenopay.testing.emulators.swish.elsewhere import AnotherShop
from prenopay.testing.faults import FaultPlan
from prenopay.testing.gateway import (
    Asked,
    AsksPayers,
    Banks,
    Behaviours,
    Gateway,
    History,
    MethodEnds,
    Move,
    Ordered,
    Payers,
    Payouts,
    SharedAgreement,
    StoredMethods,
    StrangeCode,
    StrangeStatus,
    Totals,
    refusing,
)
from prenopay.testing.http import Emulator, as_object, read_json
from prenopay.testing.transcript import Transcript
from prenopay.values.mandates import Consent, MandateKind, StoreMethod
from prenopay.values.money import Money
from prenopay.values.orders import Order, Payer

__all__ = ["EmulatedSwish", "SwishConsents", "SwishGateway"]

_CONSENT: Final = "consent:"
"""Begins the name of a standing consent in prenopay; the payer signs it instead of paying."""
_CHARGE: Final = "recurring:"
"""Begins the name of a charge on a consent in prenopay."""
_CHARGES: Final = "/payments/single/"
_CONSENTS: Final = "/consents/"
_CODE: Final = re.compile(rb'"errorCode": ?(?:null|"[A-Z0-9]*")')
_STATUS: Final = re.compile(rb'("status"\s*:\s*")[A-Za-z]+"')
_CALLS: Final = {"paymentrequests": "authorize", "refunds": "refund", "payouts": "pay out"}
_REFUSED_BY_BANK: Final = "RF07"
_WHOLE_LINE: Final = 64


class SwishGateway(
    Gateway,
    History,
    Payers,
    Banks,
    Payouts,
    StrangeStatus,
    StrangeCode,
    Behaviours,
    SharedAgreement,
    AsksPayers,
):
    """Swish Handel, with one merchant: every account is the emulator's first merchant."""

    def __init__(
        self,
        emulator: SwishEmulator | None = None,
        *,
        certificate: IssuedCertificate | None = None,
        clock: VirtualClock | None = None,
        seed: int | None = None,
    ) -> None:
        """Speak for ``emulator``, or for a new one with ``clock`` and ``seed``.

        ``certificate`` is the merchant's; without one, the emulator's authority issues it.
        """
        self.emulator: SwishEmulator = emulator or SwishEmulator(clock=clock, seed=seed, authority=_authority())
        self._certificate = certificate
        self.clock: VirtualClock = self.emulator.clock
        self.faults: FaultPlan = self.emulator.faults
        self.callbacks: CallbackQueue = self.emulator.callbacks
        self._hosts = frozenset(self.emulator.mounts)

    @property
    def mounts(self) -> Mapping[str, Emulator]:
        """The gateway's hosts, called with the certificate of the first merchant."""
        return self.emulator.mounts

    @property
    def certificate(self) -> IssuedCertificate:
        """The merchant's certificate."""
        if self._certificate is None:
            self._certificate = _issued(self.emulator.authority, self.emulator.merchants[0].number)
        return self._certificate

    def account(self, name: str, *, base_url: str = "") -> Swish:
        """Return the settings of an account with the first merchant; ``base_url`` where it is on a socket."""
        return EmulatedSwish(
            account=name,
            environment=Environment.TEST,
            number=self.emulator.merchants[0].number,
            certificate=self.certificate.chain_pem,
            private_key=self.certificate.key_pem,
            base_url=base_url,
            trust=self.emulator.authority.server_root_pem if base_url else "",
        )

    def payer(self) -> Payer:
        """Return a payer without a phone number: with one, Swish would ask that phone and no other."""
        return Payer(reference="R-77", email="leia@example.com", personal_number="199710202392")

    @property
    def nobodys(self) -> str:
        """An instruction id that nobody used."""
        return "AB" * 16

    @property
    def transcript(self) -> Transcript:
        """What the emulator was asked."""
        return self.emulator.transcript

    # What payers do

    def pays(self, payment: str) -> None:
        """Sign a payment, or a standing consent, with BankID."""
        with refusing():
            if payment.startswith(_CONSENT):
                self.emulator.sign_consent(payment.removeprefix(_CONSENT))
            else:
                self.emulator.approve(payment)

    def declines(self, payment: str) -> None:
        """Say no in the app: the payment, or the consent, has ended."""
        with refusing():
            if payment.startswith(_CONSENT):
                self.emulator.sign_consent(payment.removeprefix(_CONSENT), agrees=False)
            else:
                self.emulator.decline(payment)

    def waits(self, payment: str) -> None:
        """Leave the app open; Swish gives up after some minutes of the virtual clock."""
        with refusing():
            if payment.removeprefix(_CONSENT) not in {consent.id for consent in self.emulator.consents}:
                self.emulator.payment(payment)

    def vanishes(self, payment: str) -> None:
        """Put the phone away."""
        self.waits(payment)

    def pays_somehow(self, payment: str, chance: Random) -> None:
        """Sign with BankID: there is no other way."""
        del chance
        self.pays(payment)

    def asked(self) -> set[str]:
        """Return the open requests without a token, which are in their payers' apps."""
        return {each.id for each in self.emulator.payments if each.status is Status.CREATED and not each.token}

    def cancels(self, payment: str) -> None:
        """Scan the code, and say no in the app."""
        with refusing():
            self.emulator.scan(payment)
            self.emulator.decline(payment)

    # What banks do

    def refuses_refund(self, payment: str) -> bool:
        """Refuse the latest refund that is under way."""
        under_way = [each for each in self.emulator.refunds if each.payment == payment and not each.status.is_final]
        return self._refuses(under_way[-1].id if under_way else "")

    def refuses_payout(self) -> bool:
        """Refuse the latest payout that is under way."""
        under_way = [each for each in self.emulator.payouts if each.status is Status.CREATED]
        return self._refuses(under_way[-1].id if under_way else "")

    def _refuses(self, item: str) -> bool:
        if item:
            self.emulator.fail(item, _REFUSED_BY_BANK)
        return bool(item)

    # What another shop with the same number does

    def take_reference(self, request: HttpRequest) -> str | None:
        """Make a payment, a refund or a payout of the other shop under this UUID."""
        asked, other = self.asked_in(request), self._another_shop
        match asked.what if asked else "":
            case "authorize":
                return other.sells(_reference_in(request))
            case "refund":
                return other.refunds(_reference_in(request))
            case "pay out" if asked is not None:
                return other.pays_out(asked.reference)
            case _:
                return None

    @functools.cached_property
    def _another_shop(self) -> AnotherShop:
        return AnotherShop(self.emulator, self.account("another-shop").provider())

    # What the gateway has

    def books(self) -> dict[str, Totals]:
        """Return what payments come to; consents and charges have prenopay's names."""
        payments = {
            name: Totals(authorized=each.paid, captured=each.paid, refunded=each.refunded)
            for name, each in self.emulator.books().items()
        }
        charges = {f"{_CHARGE}{each.id}": payments.pop(each.id, Totals()) for each in self.emulator.charges}
        return payments | charges | {f"{_CONSENT}{each.id}": Totals() for each in self.emulator.consents}

    def secrets(self) -> set[str]:
        """Return every whole line of the private keys that were issued."""
        issued = self.emulator.authority.issued
        return {line for each in issued if each.private_key for line in _lines(each)}

    def links(self) -> set[str]:
        """Return the tokens that open payments in the app."""
        return {each.token for each in self.emulator.payments} - {""}

    def personal(self) -> set[str]:
        """Return the numbers of payers and payees, and their personal numbers."""
        found = {each for payment in self.emulator.payments for each in (payment.payer, payment.payer_ssn)}
        found |= {each for payout in self.emulator.payouts for each in (payout.payee, payout.payee_ssn)}
        found |= {consent.payer for consent in self.emulator.consents}
        return found - {""}

    def forge_callback(self, *, to: str, naming: str) -> None:
        """Queue a callback to a payment's address that names another."""
        self.emulator.forge_callback(to, naming=naming)

    def with_strange_status(self, body: bytes) -> bytes:
        """Return the body with another status."""
        return _STATUS.sub(rb'\1Teleported"', body)

    def with_strange_code(self, body: bytes) -> bytes:
        """Return the body with another code."""
        return _CODE.sub(b'"errorCode": "ZZ99"', body.replace(b'"DECLINED"', b'"ERROR"'))

    # What it did

    def moves(self) -> list[Move]:
        """Return every payment, refund and payout that was paid."""
        payments = [
            Move(what="authorize", payment=each.id, reference=each.id, amount=each.totals.paid)
            for each in self.emulator.payments
            if each.paid is not None
        ]
        back = [
            Move(what="refund", payment=each.payment, reference=each.id, amount=_minor(each.amount))
            for each in self.emulator.refunds
            if each.status is Status.PAID
        ]
        out = [
            Move(what="pay out", payment=each.id, reference=each.id, amount=_minor(each.amount))
            for each in self.emulator.payouts
            if each.status is Status.PAID
        ]
        return [*payments, *back, *out]

    def asked_in(self, request: HttpRequest) -> Asked | None:
        """Return what a payment request, a refund or a payout asks for."""
        parts = urlsplit(request.url)
        what = next((what for word, what in _CALLS.items() if f"/{word}" in parts.path), None)
        if parts.netloc not in self._hosts or request.method not in {"POST", "PUT"} or what is None:
            return None
        body = as_object(read_json(request.body)) or {}
        asked = as_object(body.get("payload")) or body
        return Asked(
            what=what,
            text=str(asked.get("message", "")),
            reference=str(asked.get("payoutInstructionUUID") or parts.path.rsplit("/", 1)[-1]),
            amount=_minor(Decimal(str(asked.get("amount")))),
        )

    def ordered(self) -> dict[str, Ordered]:
        """Return what each payment request is for."""
        return {each.id: Ordered(amount=_minor(each.amount)) for each in self.emulator.payments}

    def payable(self) -> set[str]:
        """Return the payment requests that are open."""
        return {each.id for each in self.emulator.payments if each.status is Status.CREATED}

    def find(self, reference: str) -> str | None:
        """Return the payment request of this id: Swish takes our reference as its own."""
        return next((each.id for each in self.emulator.payments if each.id == reference), None)

    def left_to_refund(self, payment: str) -> int | None:
        """Return what was paid, without what went back or is on its way back."""
        totals = self.emulator.books().get(payment)
        return None if totals is None else totals.paid - totals.refunded - totals.refunding

    # Payouts

    def paid_out(self) -> int:
        """Return what was sent, or is about to be."""
        return sum(_minor(each.amount) for each in self.emulator.payouts if each.status is not Status.ERROR)

    # How it behaves

    def vary(self, chance: Random) -> None:
        """Choose between the plain Swish and the awkward one.

        An empty 404 proves nothing, and what it leaves open waits for a person: so the one with a code is used.
        """
        if chance.choice((True, False, False)):
            self.emulator.behaviour = replace(AWKWARD, not_found_body=True)

    def calm(self) -> None:
        """Do nothing: no behaviour of Swish keeps a payment open forever."""
        return


class SwishConsents(SwishGateway, StoredMethods, MethodEnds):
    """Swish with standing consents: signed in the app, where no money moves, and charged from then on."""

    def account(self, name: str, *, base_url: str = "") -> Swish:
        """Return the settings of an account that may ask for consents."""
        return replace(super().account(name, base_url=base_url), recurring=True)

    def tokens(self) -> list[str]:
        """Return the consents that can be charged."""
        return [each.id for each in self.emulator.consents if each.status == "ACTIVE"]

    def take_reference(self, request: HttpRequest) -> str | None:
        """Make an object of the other shop: a consent or a charge too."""
        path, name = urlsplit(request.url).path, _reference_in(request)
        if request.method != "POST" or urlsplit(request.url).netloc not in self._hosts:
            return super().take_reference(request)
        if _CHARGES in path:
            made = self._another_shop.charges(name)
            return None if made is None else f"{_CHARGE}{made}"
        if _CONSENTS in path:
            made = self._another_shop.asks_for_consent(path.partition(_CONSENTS)[2].partition("/")[0])
            return None if made is None else f"{_CONSENT}{made}"
        return super().take_reference(request)

    def decline_next_charge(self, chance: Random | None = None) -> None:
        """Have the payer's bank refuse the next charge."""
        del chance
        self.emulator.fail_next_charge()

    def ends_method(self, chance: Random) -> bool:
        """Have a payer take a consent back in the app."""
        signed = self.tokens()
        if signed:
            self.emulator.revoke_consent(chance.choice(signed))
        return bool(signed)

    # What it did: consents and charges, under prenopay's names of them

    def moves(self) -> list[Move]:
        """Return what Swish moved; what it took on a consent is a charge."""
        charges = {each.id for each in self.emulator.charges}
        return [
            replace(move, payment=f"{_CHARGE}{move.payment}", is_charge=move.what == "authorize")
            if move.payment in charges
            else move
            for move in super().moves()
        ]

    def asked_in(self, request: HttpRequest) -> Asked | None:
        """Return what a request asks for: charges too."""
        path = urlsplit(request.url).path
        if _CHARGES not in path or request.method != "POST" or urlsplit(request.url).netloc not in self._hosts:
            return super().asked_in(request)
        body = as_object(read_json(request.body)) or {}
        amount = as_object(body.get("amount")) or {}
        return Asked(
            what="authorize",
            text=str(body.get("message", "")),
            reference=path.rpartition("/")[2],
            amount=_minor(Decimal(str(amount.get("value")))),
        )

    def ordered(self) -> dict[str, Ordered]:
        """Return what each payment request and each charge is for."""
        charges = {each.id for each in self.emulator.charges}
        return {f"{_CHARGE}{name}" if name in charges else name: each for name, each in super().ordered().items()}

    def payable(self) -> set[str]:
        """Return the payment requests that are open, and the consents that can be signed."""
        return super().payable() | {
            f"{_CONSENT}{each.id}" for each in self.emulator.consents if each.status == "PENDING"
        }

    def find(self, reference: str) -> str | None:
        """Return the payment request, the charge or the consent of this id."""
        names = (reference, f"{_CHARGE}{reference}", f"{_CONSENT}{reference}")
        return next((name for name in names if name in self.books()), None)

    def left_to_refund(self, payment: str) -> int | None:
        """Return what was paid or charged, without what went back or is on its way back."""
        return super().left_to_refund(payment.removeprefix(_CHARGE))

    def methods_by_payment(self) -> dict[str, int]:
        """Return the consents that can be charged."""
        return {f"{_CONSENT}{name}": 1 for name in self.tokens()}

    def storing_order(self) -> Order:
        """Return an order without money that asks for a consent."""
        consent = Consent(text_version="terms-1", agreed_at=datetime(2026, 1, 2, tzinfo=UTC), channel="web")
        return Order(
            amount=Money(0, "SEK"),
            description="Swish every month",
            order_reference="K-1001",
            return_url="https://shop.example/orders/K-1001/return",
            payer=self.payer(),
            store=StoreMethod(consent=consent, kinds=(MandateKind.CONSENT,)),
        )


class EmulatedSwish(Swish):
    """An account with the emulated Swish. Its key, which is slow to read on purpose, is read once in a run."""

    def provider(self) -> SwishProvider:
        """Return the one provider of these settings: it keeps no state."""
        return _provider_of(self)


@functools.cache
def _provider_of(config: EmulatedSwish) -> SwishProvider:
    return super(EmulatedSwish, config).provider()


@functools.cache
def _authority() -> SwishAuthority:
    """Return the one authority of the process: its keys take a while to make."""
    return SwishAuthority()


@functools.cache
def _issued(authority: SwishAuthority, number: str) -> IssuedCertificate:
    return authority.issue(number)


@functools.cache
def _lines(issued: IssuedCertificate) -> frozenset[str]:
    return frozenset(line for line in issued.key_pem.decode().splitlines() if len(line) == _WHOLE_LINE)


def _reference_in(request: HttpRequest) -> str:
    return urlsplit(request.url).path.rpartition("/")[2]


def _minor(amount: Decimal) -> int:
    return round(amount * 100)
