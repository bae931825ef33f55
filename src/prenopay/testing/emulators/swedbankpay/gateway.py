"""The emulated Swedbank Pay as a ``Gateway``: what payers, staff and tests do with it, and what it did."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Final
from urllib.parse import urlsplit

from prenopay.ports import HttpRequest
from prenopay.provider import Environment, Secret
from prenopay.providers.swedbankpay import RepeatedReference, SwedbankPay
from prenopay.testing.callbacks import CallbackQueue
from prenopay.testing.clock import VirtualClock
from prenopay.testing.emulators.swedbankpay import (
    AWKWARD,
    TEST_CARDS,
    AsynchronousReversal,
    Behaviour,
    DeclineChannel,
    DuplicateAnswer,
    Merchant,
    PayerAnswer,
    SwedbankPayEmulator,
    TokenKind,
    TransactionKind,
)
from prenopay.testing.faults import FaultPlan
from prenopay.testing.gateway import (
    Asked,
    Behaviours,
    Gateway,
    History,
    LaggingLists,
    MethodEnds,
    Move,
    OldMethod,
    OldMethods,
    Ordered,
    Payers,
    Portal,
    SharedAgreement,
    StoredMethods,
    StrangeCode,
    StrangeStatus,
    Totals,
    refusing,
)
from prenopay.testing.http import Emulator, EmulatorAnswer, EmulatorRequest, JsonObject, as_object, read_json
from prenopay.testing.transcript import Transcript
from prenopay.values.mandates import MandateKind
from prenopay.values.orders import Payer

__all__ = ["MERCHANTS", "SwedbankPayGateway"]

MERCHANTS: Final = (
    Merchant(),
    Merchant(
        payee_id="5e1f0000-0000-4000-8000-00000000e1f1",
        access_token="emulator-second-key",  # noqa: S106 - opens nothing but this emulator
        name="Emulerad tidning",
    ),
)
"""Who has an agreement with a gateway that is made without an emulator."""
_ELSEWHERE_COSTS: Final = 77_700
_NOBODYS: Final = "/psp/paymentorders/5adc265f-f87f-4313-577e-08d3dca1a26c"
_ORDERS: Final = "/psp/paymentorders"
_TYPE: Final = re.compile(rb'("type": ?"https?://[^"]*/)[A-Za-z0-9_-]+"')
_STATUS: Final = re.compile(rb'("status"\s*:\s*")[A-Za-z]+"')
_DECLINES: Final = ("acquirerinsufficientfunds", "acquirererrordonotretry", "acquirercardblacklisted")
_ASKING: Final = tuple(card for card in TEST_CARDS if card.is_challenged and not card.is_network_token)
_PLAIN: Final = tuple(card for card in TEST_CARDS if not card.is_challenged and card.brand in {"Visa", "MasterCard"})
_REVERSAL_TAKES: Final = 400_000
"""The most seconds until an accepted reversal is done: days, as with some instruments."""
_FIRST_BY_HAND: Final = 900_000_000_000
_DONE: Final = frozenset({200, 201, 202})
_MOVES: Final = {
    TransactionKind.AUTHORIZATION: "authorize",
    TransactionKind.SALE: "authorize",
    TransactionKind.CAPTURE: "capture",
    TransactionKind.CANCELLATION: "cancel",
    TransactionKind.REVERSAL: "refund",
}
_CALLS: Final = {"paymentorders": "authorize", "captures": "capture", "cancellations": "cancel", "reversals": "refund"}
_OTHER_ITEM: Final = {
    "reference": "1", "name": "Other", "type": "PRODUCT", "class": "none", "quantity": 1, "quantityUnit": "pcs",
    "unitPrice": 100, "vatPercent": 0, "amount": 100, "vatAmount": 0,
}  # fmt: skip


class SwedbankPayGateway(
    Gateway,
    History,
    Payers,
    Portal,
    StoredMethods,
    StrangeStatus,
    StrangeCode,
    Behaviours,
    OldMethods,
    MethodEnds,
    LaggingLists,
    SharedAgreement,
):
    """Swedbank Pay. Accounts belong to the emulator's merchants in turn, in the order in which they are asked for."""

    def __init__(
        self, emulator: SwedbankPayEmulator | None = None, *, clock: VirtualClock | None = None, seed: int | None = None
    ) -> None:
        """Speak for ``emulator``, or for a new one with two merchants, ``clock`` and ``seed``."""
        self.emulator: SwedbankPayEmulator = emulator or SwedbankPayEmulator(
            clock=clock, seed=seed, merchants=MERCHANTS
        )
        self.clock: VirtualClock = self.emulator.clock
        self.faults: FaultPlan = self.emulator.faults
        self.callbacks: CallbackQueue = self.emulator.callbacks
        self._hosts = frozenset(self.emulator.mounts)
        self._accounts: list[str] = []
        self._repeated = RepeatedReference.UNKNOWN
        self._by_hand = 0

    @property
    def mounts(self) -> Mapping[str, Emulator]:
        """The gateway's API and its payment page, under both brands."""
        return dict(self.emulator.mounts)

    def account(self, name: str, *, base_url: str = "") -> SwedbankPay:
        """Return the settings of an account with one of the merchants; ``base_url`` where it is on a socket."""
        if name not in self._accounts:
            self._accounts.append(name)
        merchant = self.emulator.merchants[self._accounts.index(name) % len(self.emulator.merchants)]
        return SwedbankPay(
            account=name,
            environment=Environment.TEST,
            payee_id=merchant.payee_id,
            access_token=Secret(merchant.access_token),
            repeated_reference=self._repeated,
            base_url=base_url,
        )

    def payer(self) -> Payer:
        """Return a payer with everything that the gateway takes."""
        return Payer(reference="R-77", email="leia@example.com", phone="+46739000001", personal_number="199710202392")

    @property
    def nobodys(self) -> str:
        """An order's address that the gateway never handed out."""
        return _NOBODYS

    @property
    def transcript(self) -> Transcript:
        """What the emulator was asked."""
        return self.emulator.transcript

    # What payers do

    def pays(self, payment: str) -> None:
        """Pay by a test card."""
        with refusing():
            self.emulator.pay_by_card(payment)

    def declines(self, payment: str) -> None:
        """Say no to 3-D Secure; the page stays open for another try."""
        with refusing():
            self.emulator.pay_by_card(payment, pan=_ASKING[0].number, answer=PayerAnswer.DECLINE)

    def waits(self, payment: str) -> None:
        """Leave the bank's question open, for at most fifteen minutes."""
        with refusing():
            self.emulator.pay_by_card(payment, pan=_ASKING[0].number, answer=PayerAnswer.LEAVE)

    def vanishes(self, payment: str) -> None:
        """Open the page and close the browser."""
        with refusing():
            self.emulator.walk_away(payment)

    def pays_somehow(self, payment: str, chance: Random) -> None:
        """Pay by one of the test cards, by Swish or from a bank account."""
        with refusing():
            if _perhaps(chance, 0.2):
                self.emulator.pay_by(payment, chance.choice(("Swish", "Trustly")), msisdn=self.payer().phone)
            else:
                card = chance.choice((chance.choice(_ASKING), chance.choice(_PLAIN)))
                self.emulator.pay_by_card(payment, pan=card.number)

    def cancels(self, payment: str) -> None:
        """Press the cancel link of the page."""
        with refusing():
            self.emulator.cancel(payment)

    def unanswered(self) -> tuple[str, ...]:
        """Return the orders for which bank or app still waits for an answer."""
        return tuple(order.id for order in self.emulator.orders if order.open_attempts)

    def answers(self, payment: str, chance: Random) -> bool:
        """Answer what bank or app still asks: yes mostly, no, or too late."""
        said = chance.choice((PayerAnswer.APPROVE, PayerAnswer.APPROVE, PayerAnswer.DECLINE, PayerAnswer.TIME_OUT))
        with refusing():
            self.emulator.answer(payment, said)
        return said is PayerAnswer.APPROVE

    # What the gateway has

    def books(self) -> dict[str, Totals]:
        """Return what each order adds up to."""
        return {
            name: Totals(
                authorized=each.authorized, captured=each.captured, refunded=each.reversed, cancelled=each.cancelled
            )
            for name, each in self.emulator.books().items()
        }

    def secrets(self) -> set[str]:
        """Return access tokens, stored tokens (ended ones too) and the numbers of test cards."""
        tokens = {each.token for each in self.emulator.tokens()}
        merchants = {merchant.access_token for merchant in self.emulator.merchants}
        return tokens | merchants | {card.number for card in TEST_CARDS}

    def links(self) -> set[str]:
        """Return the secret part of every payment page's address."""
        return {order.page_path.rsplit("/", 1)[-1] for order in self.emulator.orders} - {""}

    def personal(self) -> set[str]:
        """Return what orders and payers' tries hold of people."""
        return {each for order in self.emulator.orders for each in order.personal}

    def forge_callback(self, *, to: str, naming: str) -> None:
        """Queue a callback to an order's address that names another."""
        self.emulator.forge_callback(to, naming=naming)

    def with_strange_status(self, body: bytes) -> bytes:
        """Return the body with another status."""
        return _STATUS.sub(rb'\1Teleported"', body)

    def with_strange_code(self, body: bytes) -> bytes:
        """Return the body with another code."""
        return _TYPE.sub(rb'\1teleported"', body)

    # What it did

    def moves(self) -> list[Move]:
        """Return every transaction of every order."""
        charges = {charge.order for charge in self.emulator.charges()}
        return [
            Move(
                what=_MOVES[each.kind],
                payment=order.id,
                reference=each.payee_reference or order.payee_reference,
                amount=each.amount,
                vat=each.vat_amount,
                is_charge=order.id in charges,
            )
            for order in self.emulator.orders
            for each in order.transactions
            if each.kind in _MOVES
        ]

    def asked_in(self, request: HttpRequest) -> Asked | None:
        """Return what a ``POST`` to the payment orders asks for."""
        parts = urlsplit(request.url)
        is_asked = parts.netloc in self._hosts and request.method == "POST"
        what = _CALLS.get(parts.path.rpartition("/")[2]) if is_asked and parts.path.startswith(_ORDERS) else None
        if what is None:
            return None
        body = _in(read_json(request.body))
        order, transaction = _in(body.get("paymentorder")), _in(body.get("transaction"))
        asked = transaction or order
        reference = transaction.get("payeeReference") or _in(order.get("payeeInfo")).get("payeeReference")
        amount = asked.get("amount")
        return Asked(
            what=what,
            text=str(asked.get("description", "")),
            reference=str(reference or ""),
            amount=amount if isinstance(amount, int) else None,
        )

    def ordered(self) -> dict[str, Ordered]:
        """Return what each order is for."""
        return {order.id: Ordered(amount=order.amount, vat=order.vat_amount) for order in self.emulator.orders}

    def payable(self) -> set[str]:
        """Return the orders whose page takes money now."""
        return {order.id for order in self.emulator.orders if order.is_payable}

    def find(self, reference: str) -> str | None:
        """Return the order that was made with this ``payeeReference``."""
        return next((order.id for order in self.emulator.orders if order.payee_reference == reference), None)

    def left_to_refund(self, payment: str) -> int | None:
        """Return what was captured and not given back."""
        totals = self.books().get(payment)
        return None if totals is None else totals.captured - totals.refunded

    def failed_back(self) -> set[str]:
        """Return the orders with a reversal that failed later."""
        orders = self.emulator.orders
        return {order.id for order in orders if TransactionKind.REVERSAL in order.failed_operations}

    def methods_by_payment(self) -> Counter[str]:
        """Return, for each order, how many of the tokens it made can still be charged."""
        return Counter(token.made_by for token in self.emulator.tokens() if token.is_active)

    # Stored methods

    def tokens(self) -> list[str]:
        """Return the tokens that can still be charged."""
        return [each.token for each in self.emulator.tokens() if each.is_active]

    def decline_next_charge(self, chance: Random | None = None) -> None:
        """Have the acquirer decline the next charge."""
        self.emulator.decline_next_charge(_DECLINES[0] if chance is None else chance.choice(_DECLINES))

    def store_method(self, payer_reference: str, chance: Random) -> OldMethod:
        """Store a test card for a payer of the first merchant."""
        card = chance.choice(_PLAIN)
        stored = self.emulator.store_card(payer_reference, kind=TokenKind.UNSCHEDULED, pan=card.number)
        return OldMethod(
            account=self._accounts[0],
            kind=MandateKind.UNSCHEDULED,
            token=stored.token,
            display=f"{card.brand} {card.number[-4:]}",
        )

    def ends_method(self, chance: Random) -> bool:
        """Have the issuer close a card."""
        stored = self.tokens()
        if stored:
            self.emulator.archive_token(chance.choice(stored))
        return bool(stored)

    def lag(self, until: datetime, *, is_empty: bool) -> None:
        """Have the lists of tokens lag."""
        self.emulator.lag_lists(until, is_empty=is_empty)

    # What another shop with the same agreement does

    def take_reference(self, request: HttpRequest) -> str | None:
        """Make an order of the other shop under this ``payeeReference``, or a transaction of such an order."""
        asked, body = self.asked_in(request), _in(read_json(request.body)) if request.body else {}
        if asked is None or not asked.reference:
            return None
        order = _in(body.get("paymentorder"))
        if order:
            payee = str(_in(order.get("payeeInfo")).get("payeeId"))
            return self._order_elsewhere(payee, asked.reference)
        payee = self.emulator.order(urlsplit(request.url).path.rpartition("/")[0]).payee_id
        theirs = self._order_elsewhere(payee, self._reference_by_hand())
        if theirs is not None:
            self.pays(theirs)
            if asked.what == "refund":
                self._post_by_hand(theirs, "captures", _ELSEWHERE_COSTS)
            ending = next(ending for ending, what in _CALLS.items() if what == asked.what)
            self._post_by_hand(theirs, ending, _ELSEWHERE_COSTS - 100, reference=asked.reference)
        return theirs

    def _order_elsewhere(self, payee: str, reference: str) -> str | None:
        order = {
            "operation": "Purchase",
            "currency": "SEK",
            "amount": _ELSEWHERE_COSTS,
            "vatAmount": 0,
            "description": "Another shop",
            "userAgent": "other/1.0",
            "language": "sv-SE",
            "urls": {
                "hostUrls": ["https://other.example"],
                "completeUrl": "https://other.example/done",
                "callbackUrl": "https://other.example/callbacks",
            },
            "payeeInfo": {"payeeId": payee, "payeeReference": reference, "orderReference": "other"},
            "orderItems": [_OTHER_ITEM | {"amount": _ELSEWHERE_COSTS, "unitPrice": _ELSEWHERE_COSTS}],
        }
        known = set(self.ordered())
        self._asks_by_hand("POST", payee, _ORDERS, {"paymentorder": order})
        return next((name for name in self.ordered() if name not in known), None)

    # What staff do in the portal

    def takes_by_hand(self, payment: str, amount: int) -> bool:
        """Capture a part of what is reserved."""
        return self._post_by_hand(payment, "captures", amount)

    def gives_back_by_hand(self, payment: str, amount: int) -> bool:
        """Reverse a part of what was captured."""
        return self._post_by_hand(payment, "reversals", amount)

    def releases_by_hand(self, payment: str) -> bool:
        """Cancel what is reserved."""
        return self._post_by_hand(payment, "cancellations")

    def tampers(self, payment: str) -> bool:
        """Update the order to one krona for something else."""
        changed = {"operation": "UpdateOrder", "amount": 100, "vatAmount": 0, "orderItems": [_OTHER_ITEM]}
        return self._asks_by_hand("PATCH", self.emulator.order(payment).payee_id, payment, {"paymentorder": changed})

    def _post_by_hand(self, payment: str, what: str, amount: int = 0, *, reference: str = "") -> bool:
        named = reference or self._reference_by_hand()
        body: dict[str, object] = {"description": "by hand", "payeeReference": named}
        if what != "cancellations":
            body |= {"amount": amount, "vatAmount": 0}
        payee = self.emulator.order(payment).payee_id
        return self._asks_by_hand("POST", payee, f"{payment}/{what}", {"transaction": body})

    def _reference_by_hand(self) -> str:
        """Return a reference that every reference format allows."""
        self._by_hand += 1
        return str(_FIRST_BY_HAND + self._by_hand)

    def _asks_by_hand(self, method: str, payee: str, path: str, body: dict[str, object]) -> bool:
        merchant = next(each for each in self.emulator.merchants if each.payee_id == payee)
        outcome = self.emulator.handle(
            EmulatorRequest(
                method=method,
                target=path,
                headers=(
                    ("authorization", f"Bearer {merchant.access_token}"),
                    ("content-type", "application/json;version=3.1"),
                    ("accept", "application/json;version=3.1"),
                ),
                body=json.dumps(body).encode(),
                origin=f"https://{next(iter(self.emulator.mounts))}",
            )
        )
        return isinstance(outcome, EmulatorAnswer) and outcome.status in _DONE

    # How it behaves

    def vary(self, chance: Random) -> None:
        """Choose one of the gateways that the documents allow, and the account's setting that goes with it."""
        behaviour = AWKWARD if _perhaps(chance, 0.25) else Behaviour()
        duplicate = chance.choice(list(DuplicateAnswer))
        refused = _perhaps(chance, 0.4)
        takes = timedelta(seconds=chance.randint(30, _REVERSAL_TAKES))
        slow_refunds = AsynchronousReversal(after=takes, succeeds=_perhaps(chance, 0.6))
        self.emulator.behaviour = replace(
            behaviour,
            duplicate_reference=duplicate,
            duplicate_charge=DuplicateAnswer.CONFLICT if refused else chance.choice(["accept", None]),
            decline_channel=chance.choice(list(DeclineChannel)),
            asynchronous_reversal=slow_refunds if _perhaps(chance, 0.35) else None,
            fee_amount=1900 if _perhaps(chance, 0.1) else 0,
            discount_amount=900 if _perhaps(chance, 0.1) else 0,
            unknown_status="Odd" if _perhaps(chance, 0.02) else "",
            post_purchase_callbacks=_perhaps(chance, 0.3),
        )
        self._repeated = RepeatedReference.REFUSED if refused else RepeatedReference.UNKNOWN

    def calm(self) -> None:
        """Use known statuses again."""
        self.emulator.behaviour = replace(self.emulator.behaviour, unknown_status="")

    @property
    def hides_status(self) -> bool:
        """Whether it uses an unknown status."""
        return bool(self.emulator.behaviour.unknown_status)

    @property
    def fee(self) -> int:
        """What the page adds."""
        return self.emulator.behaviour.fee_amount

    @property
    def discount(self) -> int:
        """What the page takes off."""
        return self.emulator.behaviour.discount_amount


def _perhaps(chance: Random, odds: float) -> bool:
    return chance.random() < odds


def _in(value: object) -> JsonObject:
    return as_object(value) or {}
