"""The emulated gateway as one object: handle a call, act as the payer, read the books, misbehave on request."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace
from email.utils import format_datetime
from typing import Final
from urllib.parse import urlsplit

from prenopay.testing.callbacks import Callback, CallbackAttempt, CallbackQueue, Post
from prenopay.testing.clock import VirtualClock
from prenopay.testing.control import (
    CONTROL_PREFIX,
    ControlPanel,
    ControlRefused,
)
from prenopay.testing.emulators.jsonvalues import JsonObject
from prenopay.testing.emulators.swedbankpay.api import Api
from prenopay.testing.emulators.swedbankpay.behaviour import Behaviour, DeclineChannel
from prenopay.testing.emulators.swedbankpay.books import (
    ChargeRecord,
    OrderRecord,
    TokenRecord,
    Totals,
    charge_of,
    describe,
    record_of,
    token_record,
)
from prenopay.testing.emulators.swedbankpay.calls import PAGE_PATH, describe_call
from prenopay.testing.emulators.swedbankpay.cards import PLAIN_CARD
from prenopay.testing.emulators.swedbankpay.charging import TrustlyAnswer
from prenopay.testing.emulators.swedbankpay.hosts import Hosts
from prenopay.testing.emulators.swedbankpay.instruments import INSTRUMENTS
from prenopay.testing.emulators.swedbankpay.merchants import (
    DEFAULT_ACCESS_TOKEN,
    DEFAULT_PAYEE_ID,
    Merchant,
)
from prenopay.testing.emulators.swedbankpay.notices import notify
from prenopay.testing.emulators.swedbankpay.orders import PaymentOrder, Status
from prenopay.testing.emulators.swedbankpay.page.pages import Pages
from prenopay.testing.emulators.swedbankpay.payer_side import PayerAnswer, PayerResult, PayerSide
from prenopay.testing.emulators.swedbankpay.register import Register
from prenopay.testing.emulators.swedbankpay.remote import act_as_payer
from prenopay.testing.emulators.swedbankpay.token_keeper import TokenKeeper
from prenopay.testing.emulators.swedbankpay.tokens import ArchivedBy, TokenKind
from prenopay.testing.faults import FaultPlan, meet
from prenopay.testing.http import EmulatorAnswer, EmulatorRequest, Outcome
from prenopay.testing.server import Served, serve_until_interrupted
from prenopay.testing.transcript import Transcript

__all__ = ["SwedbankPayEmulator"]

_WELCOME: Final = """\
An emulated Swedbank Pay answers at {url} until you press Ctrl-C. No money moves.

  base_url      {url}
  payee_id      {payee_id}
  access_token  {access_token}

Control it (orders, faults, clock, callbacks) at {url}{control}"""


class SwedbankPayEmulator:
    """Swedbank Pay's payment orders (Checkout v3, API 3.1, and what is needed of 3.0 and 2.0).

    One synchronous, thread-safe object. Orders are named by their id, by the address of their payment
    page, or by the ``payeeReference`` they were made with.
    """

    def __init__(
        self,
        *,
        payee_id: str = DEFAULT_PAYEE_ID,
        access_token: str = DEFAULT_ACCESS_TOKEN,
        merchants: Iterable[Merchant] = (),
        api_host: str = "api.externalintegration.payex.com",
        page_host: str = "ecom.externalintegration.payex.com",
        clock: VirtualClock | None = None,
        seed: int = 0,
        behaviour: Behaviour | None = None,
    ) -> None:
        """Serve one merchant, or those in ``merchants`` instead; ``seed`` decides every id and number."""
        behaviour = behaviour or Behaviour()
        self.clock: VirtualClock = clock or VirtualClock()
        self.faults: FaultPlan = FaultPlan()
        self.callbacks: CallbackQueue = CallbackQueue(self.clock, schedule=behaviour.retry_schedule)
        self.transcript: Transcript = Transcript()
        self.merchants: tuple[Merchant, ...] = tuple(merchants) or (
            Merchant(payee_id=payee_id, access_token=access_token),
        )
        self._lock = threading.RLock()
        self._register = Register(
            clock=self.clock,
            callbacks=self.callbacks,
            merchants=self.merchants,
            behaviour=behaviour,
            seed=seed,
        )
        self._hosts = Hosts(api=api_host, page=page_host)
        self._payer = PayerSide(self._register)
        self._keeper = TokenKeeper(self._register)
        self._api = Api(self._register, self._hosts)
        self._pages = Pages(self._register, self._payer)
        self._control = ControlPanel(self)

    @classmethod
    def serve_forever(cls, *, port: int, as_json: bool = False) -> None:
        """Serve one merchant in real time until Ctrl-C; says on standard output how to reach it."""

        def announce(served: Served) -> None:
            members = {"url": served.url, "payee_id": DEFAULT_PAYEE_ID, "access_token": DEFAULT_ACCESS_TOKEN}
            said = json.dumps(members) if as_json else _WELCOME.format(control=CONTROL_PREFIX, **members)
            sys.stdout.write(f"{said}\n")
            sys.stdout.flush()

        serve_until_interrupted(cls(clock=VirtualClock(real_time=True)), port=port, announce=announce)

    @property
    def behaviour(self) -> Behaviour:
        """How it behaves; may be replaced at any time."""
        return self._register.behaviour

    @behaviour.setter
    def behaviour(self, behaviour: Behaviour) -> None:
        with self._lock:
            self._register.behaviour = behaviour
            self.callbacks.schedule = behaviour.retry_schedule

    @property
    def mounts(self) -> dict[str, SwedbankPayEmulator]:
        """The hosts it answers for, as ``EmulatorSender`` wants them."""
        return dict.fromkeys(sorted(self._hosts.all()), self)

    # What callers do

    def handle(self, request: EmulatorRequest) -> Outcome:
        """Act on one call, unless a planned fault is in the way."""
        if request.path.startswith(CONTROL_PREFIX):
            return self._control.answer(request)
        with self._lock:
            self._register.settle()
            call, reference = describe_call(request)
            fault = self.faults.take(method=request.method, path=request.path, call=call)
            outcome = meet(fault, lambda: self._answer(request))
            self.transcript.add(
                at=self.clock.now(),
                method=request.method,
                path=request.path,
                call=call,
                reference=reference,
                outcome=outcome,
            )
            return outcome

    def settle(self) -> None:
        """Let happen what was due by now: reversals that end, attempts that time out."""
        with self._lock:
            self._register.settle()

    def deliver_callbacks(self, post: Post) -> tuple[CallbackAttempt, ...]:
        """Deliver the callbacks that are due; see ``callbacks`` for holding, dropping, doubling them."""
        self.settle()
        return self.callbacks.deliver(post)

    # What a payer does

    def pay_by_card(
        self,
        order: str,
        *,
        pan: str = PLAIN_CARD.number,
        expiry: str = PLAIN_CARD.expiry,
        answer: PayerAnswer = PayerAnswer.APPROVE,
        remember: bool = True,
    ) -> PayerResult:
        """Pay by a published test card; ``answer`` is what the payer says to 3-D Secure, where it asks.

        ``remember`` is what the payer says where the page asks whether the card may be stored.
        """
        with self._lock:
            found = self._find(order)
            return self._payer.pay_by_card(found, number=pan, expiry=expiry, answer=answer, remember=remember)

    def pay_by_stored(
        self,
        order: str,
        *,
        token: str = "",
        answer: PayerAnswer = PayerAnswer.APPROVE,
    ) -> PayerResult:
        """Pay by what the page offers of what is stored: the first, or the one with this token."""
        with self._lock:
            return self._payer.pay_by_stored(self._find(order), token=token, answer=answer)

    def pay_by_swish(
        self,
        order: str,
        *,
        msisdn: str = "+46739000001",
        answer: PayerAnswer = PayerAnswer.APPROVE,
    ) -> PayerResult:
        """Pay by Swish; ``answer`` is what the payer does in the app."""
        return self.pay_by(order, "Swish", msisdn=msisdn, answer=answer)

    def pay_by(
        self,
        order: str,
        instrument: str,
        *,
        msisdn: str = "",
        answer: PayerAnswer = PayerAnswer.APPROVE,
        remember: bool = True,
    ) -> PayerResult:
        """Pay by any other instrument of the menu, named as the gateway does ("Vipps", "Trustly")."""
        with self._lock:
            found = self._find(order)
            return self._payer.pay_by(found, instrument, msisdn=msisdn, answer=answer, remember=remember)

    def answer(self, order: str, answer: PayerAnswer, *, attempt: int | None = None) -> PayerResult:
        """Answer what bank or app still asks, in the latest attempt or in ``attempt``."""
        with self._lock:
            return self._payer.answer(self._find(order), answer, attempt=attempt)

    def cancel(self, order: str) -> PayerResult:
        """Press the cancel link of the redirect page."""
        with self._lock:
            return self._payer.cancel(self._find(order))

    def walk_away(self, order: str) -> PayerResult:
        """Open the page and close the browser: nothing happens, and nobody is told."""
        with self._lock:
            found = self._find(order)
            self._payer.open_page(found, integration="Redirect")
            return PayerResult(status=found.status)

    # What the gateway's people do

    def unlock(self, order: str) -> None:
        """Open an order that too many failures locked, as support would."""
        with self._lock:
            found = self._find(order)
            found.is_locked = False
            found.failures_in_a_row.clear()

    def store_card(
        self,
        payer_reference: str,
        *,
        kind: TokenKind = TokenKind.UNSCHEDULED,
        pan: str = PLAIN_CARD.number,
        expiry: str = PLAIN_CARD.expiry,
    ) -> TokenRecord:
        """Store a published test card for a payer of the first merchant's, as if an order had done it."""
        with self._lock:
            return self._keeper.store_card(self.merchants[0], payer_reference, kind=kind, number=pan, expiry=expiry)

    def store_account(self, payer_reference: str, *, kind: TokenKind = TokenKind.UNSCHEDULED) -> TokenRecord:
        """Store a bank account (Trustly) for a payer of the first merchant's, as if an order had done it."""
        with self._lock:
            return self._keeper.store_account(self.merchants[0], payer_reference, kind=kind)

    def archive_token(
        self,
        token: str,
        *,
        by: ArchivedBy = ArchivedBy.TOKEN_ISSUER,
        reason: str = "The card was closed",
    ) -> TokenRecord:
        """End a token without the merchant: the issuer closed the card, or the gateway did."""
        with self._lock:
            return self._keeper.archive(token, by=by, reason=reason)

    def expire_card(self, token: str) -> TokenRecord:
        """Let the card behind a token have expired last month."""
        with self._lock:
            return self._keeper.expire_card(token)

    def replace_card(self, token: str, pan: str, expiry: str) -> TokenRecord:
        """Put the card that the issuer sent instead behind a network token, without telling anybody.

        The payer's other tokens for the same card get it too.
        """
        with self._lock:
            return self._keeper.replace_card(token, number=pan, expiry=expiry)

    def decline_next_charge(
        self,
        problem: str = "acquirerinsufficientfunds",
        *,
        channel: DeclineChannel | None = None,
        times: int = 1,
    ) -> None:
        """Have the next ``times`` charges of cards that reach the acquirer declined by a documented word.

        Without a ``channel`` the decline is told as ``behaviour.decline_channel`` says.
        """
        with self._lock:
            self._keeper.plan_decline(problem, channel=channel, times=times)

    def settle_trustly(self, order: str, answer: TrustlyAnswer = TrustlyAnswer.SETTLE) -> Status:
        """End the charge of a bank account now, instead of hours later."""
        with self._lock:
            found = self._find(order)
            self._api.charges.settle_account(found, answer)
            return found.status

    def forge_callback(self, order: str, *, naming: str) -> Callback:
        """Queue a callback to ``order``'s address whose body names another order."""
        with self._lock:
            found = self._find(order)
            number, instrument = self._register.new_number(), next(iter(INSTRUMENTS.values()))
            callback = notify(self._register, found, number=number, instrument=instrument, naming=naming)
            if callback is None:
                message = f"{found.id} has no callbackUrl"
                raise ControlRefused(message)
            return callback

    # What tests read

    @property
    def orders(self) -> tuple[OrderRecord, ...]:
        """Every order as it stands, in the order of creation."""
        with self._lock:
            self._register.settle()
            return tuple(self._record(order) for order in self._register.orders.values())

    def order(self, order: str) -> OrderRecord:
        """Return one order as it stands."""
        with self._lock:
            return self._record(self._find(order))

    def charges(self) -> tuple[ChargeRecord, ...]:
        """Return every charge of a token that was tried, declined ones too, in order."""
        with self._lock:
            self._register.settle()
            found = (charge_of(order) for order in self._register.orders.values())
            return tuple(charge for charge in found if charge is not None)

    def tokens(self, payer_reference: str = "") -> tuple[TokenRecord, ...]:
        """Return everything stored for a payer (for everybody, without one), ended tokens too, in order."""
        with self._lock:
            return tuple(
                token_record(stored)
                for stored in self._register.vault
                if payer_reference in {"", stored.payer_reference}
            )

    def books(self) -> dict[str, Totals]:
        """Return what each order's movements add up to, by order id."""
        return {record.id: record.totals for record in self.orders}

    def describe_orders(self) -> list[JsonObject]:
        """Return every order as JSON, for the control API."""
        return [describe(record) for record in self.orders]

    def describe_order(self, order: str) -> JsonObject:
        """Return one order as JSON, for the control API."""
        return describe(self.order(order))

    def act_as_payer(self, action: str, order: str, arguments: Mapping[str, object]) -> JsonObject:
        """Do a payer action by its name, for the control API."""
        return act_as_payer(self, action, order, arguments)

    def _answer(self, request: EmulatorRequest) -> EmulatorAnswer:
        side = self._pages if request.path.startswith(PAGE_PATH) else self._api
        answer = side.answer(request)
        date = format_datetime(self.clock.now(), usegmt=True)
        return replace(answer, headers=(*answer.headers, ("date", date)))

    def _record(self, order: PaymentOrder) -> OrderRecord:
        page_path = "" if order.is_charge else f"{PAGE_PATH}/{order.page_token}"
        is_open = not order.is_charge and not self._register.page_has_expired(order)
        return record_of(order, page_path=page_path, page_is_open=is_open)

    def _find(self, name: str) -> PaymentOrder:
        self._register.settle()
        path = urlsplit(name).path.strip("/")
        last = path.rsplit("/", maxsplit=1)[-1]
        for order in self._register.orders.values():
            if last in {order.id.rsplit("/", maxsplit=1)[-1], order.page_token, order.payee_reference}:
                return order
        message = f"there is no payment order {name!r}"
        raise ControlRefused(message)
