"""What the mock remembers: payments with what moved in them, stored methods, payouts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from prenopay._redaction import Secret
from prenopay.provider import Attempt, Created, Observation, ProviderTransaction, Reply, TransactionKind
from prenopay.values.mandates import MandateKind, MethodSeen
from prenopay.values.money import Money
from prenopay.values.orders import Instrument, Order, PageStyle
from prenopay.values.payments import Action, AppSwitch, Decline, Outcome, PaymentState, SeamlessView

__all__ = ["Method", "MockTotals", "Movement", "Payment", "Payout", "Standing"]

_PAGES = "https://mock.invalid"


class Standing(StrEnum):
    """How a movement stands."""

    DONE = "done"
    PENDING = "pending"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class MockTotals:
    """What a payment adds up to, in minor units; the names are the emulators'."""

    authorized: int
    captured: int
    reversed: int
    cancelled: int


@dataclass(slots=True, kw_only=True)
class Movement:
    """Money that moved, is on its way, or was refused."""

    kind: TransactionKind
    number: str
    minor: int
    reference: str
    at: datetime
    standing: Standing
    decline: Decline | None = None

    @property
    def outcome(self) -> Outcome:
        """How that is told."""
        match self.standing:
            case Standing.DONE:
                return Outcome.SUCCEEDED
            case Standing.PENDING:
                return Outcome.PENDING
            case Standing.FAILED:
                return Outcome.DECLINED


@dataclass(slots=True, kw_only=True)
class Payout:
    """Money sent to someone."""

    reference: str
    callback_url: str
    standing: Standing
    decline: Decline | None = None

    @property
    def reply(self) -> Reply:
        """How it is told."""
        outcome = {Standing.DONE: Outcome.SUCCEEDED, Standing.PENDING: Outcome.PENDING}
        return Reply(outcome=outcome.get(self.standing, Outcome.DECLINED), decline=self.decline)


@dataclass(slots=True, kw_only=True)
class Method:
    """A stored method of a payer."""

    payer_reference: str
    kind: MandateKind
    card: int
    """Which card it is: several tokens may be of one."""
    token: Secret
    expires: date

    @property
    def seen(self) -> MethodSeen:
        """How it is told."""
        return MethodSeen(
            kind=self.kind,
            token=self.token,
            display=f"Mock •••• 0000, {self.expires:%m/%y}",
            instrument=Instrument.CARD.value,
            expires=self.expires,
            card_key=f"mock-card-{self.card}",
        )


@dataclass(slots=True, kw_only=True)
class Payment:
    """One payment at the mock. ``name`` is the gateway's, ``reference`` ours."""

    name: str
    reference: str
    order: Order
    callback_url: str
    created_at: datetime
    minor: int
    movements: list[Movement] = field(default_factory=list[Movement])
    attempts: list[Attempt] = field(default_factory=list[Attempt])
    methods: list[Method] = field(default_factory=list[Method])
    instrument: str | None = None
    ended: PaymentState | None = None
    """Set where it ended without money."""
    decline: Decline | None = None
    is_verified: bool = False
    """A method was stored without a purchase."""
    is_charge: bool = False
    payer_is_gone: bool = False

    @property
    def personal(self) -> tuple[str, ...]:
        """Phone numbers, e-mail addresses and personal number that the order names."""
        payer, risk = self.order.payer, self.order.risk
        told = [] if risk is None else [risk.delivery_email]
        if payer is not None:
            told += [payer.email, payer.phone, payer.home_phone, payer.work_phone, payer.personal_number]
            for address in (payer.billing_address, payer.shipping_address):
                told += [] if address is None else [address.email, address.phone]
        return tuple(each for each in told if each)

    def sum(self, kind: TransactionKind, *standings: Standing) -> int:
        """Return what moved of ``kind``."""
        wanted = standings or (Standing.DONE,)
        return sum(each.minor for each in self.movements if each.kind is kind and each.standing in wanted)

    def of_reference(self, reference: str) -> Movement | None:
        """Return what was done under our ``reference``."""
        return next((each for each in self.movements if each.reference == reference), None)

    @property
    def totals(self) -> MockTotals:
        """What it adds up to."""
        return MockTotals(
            authorized=self.sum(TransactionKind.AUTHORIZATION),
            captured=self.sum(TransactionKind.CAPTURE),
            reversed=self.sum(TransactionKind.REFUND),
            cancelled=self.sum(TransactionKind.RELEASE),
        )

    @property
    def left_to_capture(self) -> int:
        """What is reserved, not taken, not released and not about to be."""
        moving = (Standing.DONE, Standing.PENDING)
        gone = self.sum(TransactionKind.CAPTURE, *moving) + self.sum(TransactionKind.RELEASE, *moving)
        return self.totals.authorized - gone

    @property
    def left_to_refund(self) -> int:
        """What was taken, not given back and not about to be."""
        return self.totals.captured - self.sum(TransactionKind.REFUND, Standing.DONE, Standing.PENDING)

    @property
    def state(self) -> PaymentState:
        """Where it stands."""
        totals = self.totals
        if totals.captured or self.is_verified:
            return PaymentState.CAPTURED
        if totals.authorized:
            return PaymentState.CANCELLED if totals.cancelled >= totals.authorized else PaymentState.AUTHORIZED
        return self.ended or PaymentState.PENDING

    @property
    def allowed_actions(self) -> frozenset[Action]:
        """What can be done with it now."""
        if self.state is PaymentState.PENDING:
            return frozenset() if self.is_charge else frozenset({Action.CANCEL, Action.UPDATE})
        allowed = {Action.CAPTURE, Action.CANCEL} if self.left_to_capture > 0 else set[Action]()
        return frozenset(allowed | ({Action.REFUND} if self.left_to_refund > 0 else set()))

    def observed(self, *, apart: bool) -> Observation:
        """Return what the gateway says of it; ``apart`` leaves refunds out, which are then asked for one by one."""
        money, totals = self._money, self.totals
        listed = [each for each in self.movements if not (apart and each.kind is TransactionKind.REFUND)]
        return Observation(
            provider_reference=self.name,
            state=self.state,
            authorized=money(totals.authorized),
            captured=money(totals.captured),
            refunded=None if apart else money(totals.reversed),
            cancelled=money(totals.cancelled),
            submitted=money(self.minor),
            fee=money(0),
            discount=money(0),
            allowed_actions=self.allowed_actions,
            instrument=self.instrument,
            reference=self.reference,
            order_reference=self.order.order_reference or None,
            decline=self.decline,
            attempts=tuple(self.attempts),
            transactions=tuple(self._listed(each) for each in listed if each.standing is Standing.DONE),
            failed_transactions=tuple(self._listed(each) for each in listed if each.standing is Standing.FAILED),
            methods=tuple(each.seen for each in self.methods),
            raw_status=self.state.value,
            raw={"payment": self.name, "state": self.state.value, "amount": self.minor},
        )

    def created(self, *, apart: bool) -> Created:
        """Return how the payer gets to it."""
        page = f"{_PAGES}/pay/{self.name}"
        redirect = page if self.order.page is PageStyle.REDIRECT else None
        seamless = None
        if self.order.page is PageStyle.SEAMLESS:
            seamless = SeamlessView(script_url=f"{page}.js", content_sources=(_PAGES,))
        switch = None
        if self.order.only_instrument == Instrument.SWISH:
            token = f"mock-app-{self.name}"
            switch = AppSwitch(token=token, app_url=f"swish://mock?token={token}", qr_content=f"D{token}")
        return Created(
            observation=self.observed(apart=apart),
            redirect_url=redirect,
            seamless_view=seamless,
            app_switch=switch,
        )

    def _money(self, minor: int) -> Money:
        return Money(minor, self.order.amount.currency)

    def _listed(self, each: Movement) -> ProviderTransaction:
        return ProviderTransaction(
            kind=each.kind,
            number=each.number,
            amount=self._money(each.minor),
            reference=each.reference,
            created_at=each.at,
            decline=each.decline,
        )
