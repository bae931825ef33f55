"""What a test needs from a gateway: the mock, an emulator, or a provider author's own small fake.

``Gateway`` is what the conformance suite, the fixtures and the simulation drive. Most gateways inherit
``FakeGateway``, which already meets planned faults and writes down what was asked. A feature that only some
gateways have is a class; a gateway declares the feature by inheriting it. Payments are named as the gateway names
them (``Payment.provider_reference``); amounts are in minor units with VAT included.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Collection, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Protocol, final

from prenopay.ports import HttpRequest
from prenopay.provider import PaymentProvider, ProviderConfig
from prenopay.testing.callbacks import Callback, CallbackAttempt, CallbackQueue, Post, RetrySchedule
from prenopay.testing.clock import VirtualClock
from prenopay.testing.control import ControlRefused, PayerRefused
from prenopay.testing.faults import Fault, FaultPlan, meet
from prenopay.testing.http import Emulator, EmulatorAnswer, EmulatorRequest, Outcome
from prenopay.testing.transcript import Transcript
from prenopay.values.mandates import MandateKind
from prenopay.values.money import Money
from prenopay.values.orders import Order, OrderLine, Payer, PayoutOrder

__all__ = [
    "Asked",
    "AsksPayers",
    "Banks",
    "Behaviours",
    "FakeGateway",
    "Gateway",
    "GatewayMaker",
    "History",
    "LaggingLists",
    "MethodEnds",
    "Move",
    "OldMethod",
    "OldMethods",
    "Ordered",
    "PayerRefused",
    "Payers",
    "Payouts",
    "Portal",
    "SharedAgreement",
    "StoredMethods",
    "StrangeCode",
    "StrangeStatus",
    "Totals",
    "an_order",
    "refusing",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What one payment adds up to at its gateway, in minor units. Money taken at once counts as authorized too."""

    authorized: int = 0
    captured: int = 0
    refunded: int = 0
    cancelled: int = 0

    @property
    def kept(self) -> int:
        """What is reserved and neither taken nor released."""
        return self.authorized - self.captured - self.cancelled


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One movement of money at a gateway, under the reference that was given with the request."""

    what: str
    """``authorize``, ``capture``, ``cancel``, ``refund`` or ``pay out``."""
    payment: str
    reference: str
    amount: int
    vat: int | None = None
    """``None`` at a gateway that knows no VAT."""
    is_charge: bool = False
    """Whether it charged a stored method, without a payer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a request asks for. ``what`` is as in ``Move``; ``text`` is the description, which names the operation."""

    what: str
    text: str
    reference: str
    amount: int | None
    """``None`` where the request names no amount."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """What a gateway was asked to take from the payer."""

    amount: int
    vat: int | None = None
    """``None`` at a gateway that knows no VAT."""


def an_order(amount: Money | None = None) -> Order:
    """Return an order of one line: 119 kronor with 6 % VAT, unless ``amount`` says otherwise."""
    total = amount or Money(11900, "SEK")
    return Order(
        amount=total,
        description="One month",
        lines=(OrderLine(name="Digital subscription", reference="D1", amount=total, vat_percent=6),),
        order_reference="K-1001",
        return_url="https://shop.example/orders/K-1001/return",
        cancel_url="https://shop.example/orders/K-1001/cancelled",
    )


class Gateway(ABC):
    """One gateway with at least one merchant. Everything in it is new for every test.

    The simulation makes one by ``MyGateway(clock=…, seed=…)``.
    """

    clock: VirtualClock
    """The gateway's time; the host under test has the same clock."""
    faults: FaultPlan
    """What goes wrong with the calls to come."""
    callbacks: CallbackQueue
    """The callbacks to hosts."""

    @property
    @abstractmethod
    def mounts(self) -> Mapping[str, Emulator]:
        """Who answers at which host: ``EmulatorSender(gateway.mounts)`` reaches the gateway."""

    @abstractmethod
    def account(self, name: str) -> ProviderConfig[PaymentProvider]:
        """Return the settings of an account with this gateway. Different names may be different merchants."""

    @abstractmethod
    def pays(self, payment: str) -> object:
        """The payer pays the whole of an open payment. Raises ``PayerRefused`` where nobody could pay it."""

    @abstractmethod
    def declines(self, payment: str) -> object:
        """The payer, or the payer's bank, says no to an open payment. Raises ``PayerRefused``."""

    @abstractmethod
    def books(self) -> Mapping[str, Totals]:
        """Return every payment that the gateway has, including those that prenopay does not know."""

    @abstractmethod
    def secrets(self) -> Iterable[str]:
        """Return what no log and no database may hold: credentials, card numbers, tokens of stored methods."""

    def forge_callback(self, *, to: str, naming: str) -> object:
        """Queue a callback to the address of the payment ``to``; its body names the payment ``naming``."""
        message = f"{type(self).__name__} has no forge_callback(*, to, naming): write it, this gateway sends callbacks"
        raise NotImplementedError(message)

    # What most gateways leave as it is

    def waits(self, payment: str) -> object:
        """The payer opens page or app, and does nothing yet. Raises ``PayerRefused`` for an unknown payment."""
        return self._found(payment)

    def vanishes(self, payment: str) -> object:
        """The payer closes the browser: nobody is notified. Raises ``PayerRefused`` for an unknown payment."""
        return self._found(payment)

    def settle(self) -> None:
        """Do what is due by now."""
        for emulator in {id(each): each for each in self.mounts.values()}.values():
            emulator.settle()

    def deliver_callbacks(self, post: Post) -> tuple[CallbackAttempt, ...]:
        """Deliver the callbacks that are due through ``post``."""
        self.settle()
        return self.callbacks.deliver(post)

    def personal(self) -> Iterable[str]:
        """Return what the gateway knows of payers: phone numbers, e-mail addresses, personal numbers."""
        return ()

    def links(self) -> Iterable[str]:
        """Return what opens a payment page or an app: the database holds it, and no log may show it."""
        return ()

    @property
    def transcript(self) -> Transcript:
        """What the gateway was asked."""
        return Transcript()

    @property
    def nobodys(self) -> str:
        """A name in the gateway's form, of a payment that it does not have."""
        return "nobodys-payment"

    def order(self, amount: Money | None = None) -> Order:
        """Return an order that the gateway takes; tests change its amount, capture mode and payer."""
        return an_order(amount)

    def payer(self) -> Payer:
        """Return a payer that the gateway takes, with invented data."""
        return Payer(reference="R-77", email="leia@example.com")

    def _found(self, payment: str) -> Totals:
        books = self.books()
        if payment not in books:
            message = f"the gateway has no payment {payment!r}"
            raise PayerRefused(message)
        return books[payment]


@contextmanager
def refusing() -> Generator[None]:
    """Raise ``PayerRefused`` for what an emulator refuses, such as a payment that it does not have."""
    try:
        yield
    except PayerRefused:
        raise
    except ControlRefused as error:
        raise PayerRefused(str(error)) from error


class GatewayMaker(Protocol):
    """Makes a gateway; usually it is the class itself. ``seed`` decides every id and number."""

    def __call__(self, *, clock: VirtualClock, seed: int) -> Gateway:
        """Return a new gateway that keeps time by ``clock``."""
        ...


# What only some gateways have


class StoredMethods(ABC):
    """The gateway stores cards or consents, and lets them be charged."""

    @abstractmethod
    def tokens(self) -> Iterable[str]:
        """Return the tokens of stored methods that can still be charged."""

    @abstractmethod
    def decline_next_charge(self, chance: Random | None = None) -> object:
        """Have the next charge declined; ``chance`` chooses why, where there are several reasons."""

    def storing_order(self) -> Order | None:
        """Return an order that stores the payer's method; ``None`` where ``order`` with a ``store`` does."""
        return None


class Payouts(ABC):
    """The gateway sends money to people."""

    def payout_order(self, amount: Money | None = None) -> PayoutOrder:
        """Return a payout that the gateway takes, to an invented person."""
        return PayoutOrder(
            amount=amount or Money(25000, "SEK"),
            payee_phone="070-174 06 06",
            payee_personal_number="199710202392",
            description="Vinst i korsordet",
            reference="VINST-1",
        )

    @abstractmethod
    def paid_out(self) -> int:
        """Return how much the gateway has sent, or is about to send."""


class StrangeStatus(ABC):
    """Answers about a payment name its status, so that a test can make it unknown."""

    @abstractmethod
    def with_strange_status(self, body: bytes) -> bytes:
        """Return the body of an answer about a payment, with an unknown status."""


class StrangeCode(ABC):
    """The gateway says why it refuses, in a code."""

    @abstractmethod
    def with_strange_code(self, body: bytes) -> bytes:
        """Return the body of an answer about a refusal, with a code that no page of the gateway's has."""


# What only the simulation asks for. It leaves out what a gateway does not have


class History(ABC):
    """The gateway can tell what it did and what it was asked for."""

    @abstractmethod
    def moves(self) -> Iterable[Move]:
        """Return every movement of money there ever was."""

    @abstractmethod
    def asked_in(self, request: HttpRequest) -> Asked | None:
        """Return what a request to this gateway asks for; ``None`` if it moves no money or is for another."""

    @abstractmethod
    def ordered(self) -> Mapping[str, Ordered]:
        """Return what each payment is for."""

    @abstractmethod
    def payable(self) -> Iterable[str]:
        """Return the payments that somebody could pay now."""

    @abstractmethod
    def find(self, reference: str) -> str | None:
        """Return the payment that was made under our ``reference``, as a person finds it in a portal."""

    @abstractmethod
    def left_to_refund(self, payment: str) -> int | None:
        """Return what can still be given back, without what is on its way; ``None`` for an unknown payment."""

    def failed_back(self) -> Iterable[str]:
        """Return the payments with a refund that was accepted and failed later."""
        return ()

    def methods_by_payment(self) -> Mapping[str, int]:
        """Return, for each payment, how many of the methods it stored can still be charged."""
        return {}


class Payers(ABC):
    """Payers act in more than one way: by another card, with a question left open, by the cancel link."""

    @abstractmethod
    def pays_somehow(self, payment: str, chance: Random) -> object:
        """Pay in a way that ``chance`` chooses; it may leave a question open. Raises ``PayerRefused``."""

    @abstractmethod
    def cancels(self, payment: str) -> object:
        """The payer presses the cancel link, or says no in the app. Raises ``PayerRefused``."""

    def unanswered(self) -> Iterable[str]:
        """Return the payments for which bank or app still waits for the payer's answer."""
        return ()

    def answers(self, payment: str, chance: Random) -> bool:
        """The payer answers at last; returns whether it was a yes. Raises ``PayerRefused``."""
        message = f"{payment}: nothing waits for an answer"
        raise PayerRefused(message)


class AsksPayers(ABC):
    """The gateway asks a payer whose phone number it has by itself: the payer may be faster than the answer to us."""

    @abstractmethod
    def asked(self) -> Iterable[str]:
        """Return the open payments that were put to their payers."""


class Portal(ABC):
    """Staff can change payments in the gateway's portal, without prenopay. Each returns whether it was done."""

    @abstractmethod
    def gives_back_by_hand(self, payment: str, amount: int) -> bool:
        """Staff give money back."""

    def takes_by_hand(self, payment: str, amount: int) -> bool:
        """Staff take reserved money."""
        del payment, amount
        return False

    def releases_by_hand(self, payment: str) -> bool:
        """Staff release what is reserved and not taken."""
        del payment
        return False

    def tampers(self, payment: str) -> bool:
        """Somebody changes what an open payment is for, amount included."""
        del payment
        return False


class Banks(ABC):
    """What was accepted can fail later, when a bank says no. Each returns whether there was something to refuse."""

    @abstractmethod
    def refuses_refund(self, payment: str) -> bool:
        """The bank refuses the latest refund of the payment that is under way."""

    def refuses_payout(self) -> bool:
        """The bank refuses the latest payout that is under way."""
        return False


class Behaviours(ABC):
    """The gateway behaves in more than one way, within what its documents allow."""

    @abstractmethod
    def vary(self, chance: Random) -> object:
        """Choose a behaviour, before any account is opened: ``account`` returns the settings that go with it."""

    @abstractmethod
    def calm(self) -> object:
        """End the behaviour that keeps payments open forever, such as an unknown status."""

    @property
    def hides_status(self) -> bool:
        """Whether the status of payments cannot be read now."""
        return False

    @property
    def fee(self) -> int:
        """What the payment page adds to each order."""
        return 0

    @property
    def discount(self) -> int:
        """What the payment page takes off each order."""
        return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OldMethod:
    """A method that another system stored, which ``account`` can take over."""

    account: str
    kind: MandateKind
    token: str = field(repr=False)
    display: str


class OldMethods(ABC):
    """Another system has stored methods here already, and a host can take them over."""

    @abstractmethod
    def store_method(self, payer_reference: str, chance: Random) -> OldMethod:
        """Store a method for a payer, as another system did; it belongs to the first account that was asked for."""


class MethodEnds(ABC):
    """Payers and their banks can end stored methods, past prenopay."""

    @abstractmethod
    def ends_method(self, chance: Random) -> bool:
        """End one of the methods that can still be charged; returns whether there was one."""


class LaggingLists(ABC):
    """The list of a payer's stored methods can lag behind what was stored and removed."""

    @abstractmethod
    def lag(self, until: datetime, *, is_empty: bool) -> object:
        """Until then, list what was stored when this was called, or nothing. Charges and removals do not lag."""


class SharedAgreement(ABC):
    """Another shop has the same agreement, and may choose the references that we choose."""

    @abstractmethod
    def take_reference(self, request: HttpRequest) -> str | None:
        """The other shop makes an object of its own under the reference of ``request``, which has not arrived yet.

        Its amount and its order are others. Returns the payment or payout that it belongs to; ``None`` where the
        request makes nothing that another shop could have made.
        """


class FakeGateway(Gateway):
    """A gateway at one ``host``, in this process: write ``answer``, and what ``Gateway`` asks for.

    Safe to use from several threads: calls are answered one after another. Each call meets what is planned for it in
    ``faults``, and is written down in ``transcript``.
    """

    def __init__(
        self,
        host: str,
        *,
        clock: VirtualClock | None = None,
        schedule: RetrySchedule | None = None,
        calls: Collection[str] = (),
    ) -> None:
        """Answer at ``host``; keep time by ``clock``; send callbacks again by ``schedule``.

        ``calls`` are the names that ``describe`` gives: a fault of another call is refused.
        """
        self.host: str = host
        self.clock: VirtualClock = clock or VirtualClock()
        self.faults: FaultPlan = FaultPlan(calls=calls)
        self.callbacks: CallbackQueue = CallbackQueue(self.clock, schedule=schedule)
        self.lock: threading.RLock = threading.RLock()
        """Hold it while you change what ``answer`` reads."""
        self._transcript = Transcript()

    @abstractmethod
    def answer(self, request: EmulatorRequest) -> EmulatorAnswer:
        """Act on one call, and return the answer."""

    def describe(self, request: EmulatorRequest) -> tuple[str, str]:
        """Return the call's name for faults and transcripts, and our reference in it; both may be empty."""
        del request
        return "", ""

    def planned(self, request: EmulatorRequest, call: str) -> Fault | None:
        """Return the fault that this call meets, and count it."""
        return self.faults.take(method=request.method, path=request.path, call=call)

    @property
    def mounts(self) -> Mapping[str, Emulator]:
        """This gateway, at its host."""
        return {self.host: self}

    @property
    @final
    def transcript(self) -> Transcript:
        """What it was asked."""
        return self._transcript

    @final
    def handle(self, request: EmulatorRequest) -> Outcome:
        """Act on one call, unless a planned fault is in the way."""
        with self.lock:
            call, reference = self.describe(request)
            outcome = meet(self.planned(request, call), lambda: self.answer(request))
            self._transcript.add(request, outcome, at=self.clock.now(), call=call, reference=reference)
            return outcome

    def settle(self) -> None:
        """Do what is due by now: nothing, unless you write it."""

    def call_back(self, url: str, body: bytes, *, about: str = "") -> Callback:
        """Queue a callback that is due now."""
        return self.callbacks.put(url, body, about=about)
