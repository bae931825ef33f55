"""The emulated Swish as one object: handle a call, act as the payer, read the books, misbehave on request."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace
from email.utils import format_datetime
from typing import Final
from urllib.parse import urlsplit

from prenopay.testing.callbacks import Callback, CallbackAttempt, CallbackQueue, Post
from prenopay.testing.clock import VirtualClock
from prenopay.testing.control import CONTROL_PREFIX, ControlPanel, ControlRefused, take
from prenopay.testing.emulators.jsonvalues import JsonObject
from prenopay.testing.emulators.swish.api import Api
from prenopay.testing.emulators.swish.authority import SwishAuthority
from prenopay.testing.emulators.swish.behaviour import Behaviour, CallbackAddresses
from prenopay.testing.emulators.swish.books import (
    ChargeRecord,
    ConsentRecord,
    PaymentRecord,
    PayoutRecord,
    RefundRecord,
    Totals,
    describe,
)
from prenopay.testing.emulators.swish.calls import PHONE_PATH, QR_PATH, describe_call
from prenopay.testing.emulators.swish.faces import PhoneFace, Presenting
from prenopay.testing.emulators.swish.merchants import SwishMerchant, SwishPayer
from prenopay.testing.emulators.swish.notices import notify
from prenopay.testing.emulators.swish.objects import Item, Payment
from prenopay.testing.emulators.swish.page.pages import Pages
from prenopay.testing.emulators.swish.payer_side import DEFAULT_PAYER, PayerSide
from prenopay.testing.emulators.swish.recurring import Recurring
from prenopay.testing.emulators.swish.register import Register
from prenopay.testing.emulators.swish.serving import serve_swish_forever
from prenopay.testing.faults import FaultPlan, meet
from prenopay.testing.http import Emulator, EmulatorAnswer, EmulatorRequest, Outcome, Refused
from prenopay.testing.transcript import Transcript

__all__ = ["API_HOSTS", "QR_HOSTS", "SwishEmulator"]

API_HOSTS: Final = ("cpc.getswish.net", "mss.cpc.getswish.net", "staging.getswish.pub.tds.tieto.com")
QR_HOSTS: Final = ("mpc.getswish.net",)
"""The sandbox draws its codes on the host of its API."""


class SwishEmulator:
    """Swish Handel: payment requests, refunds, payouts, QR codes, and recurring payments as an experiment.

    One synchronous, thread-safe object. Payments are named by their id, their token, the merchant's
    reference, or the address of their page on the phone.
    """

    def __init__(
        self,
        *,
        merchants: Iterable[SwishMerchant] = (),
        payers: Iterable[SwishPayer] = (),
        authority: SwishAuthority | None = None,
        clock: VirtualClock | None = None,
        seed: int = 0,
        behaviour: Behaviour | None = None,
    ) -> None:
        """Serve the merchants, or one of its own; ``seed`` decides every reference and token."""
        behaviour = behaviour or Behaviour()
        self.clock: VirtualClock = clock or VirtualClock()
        self.faults: FaultPlan = FaultPlan()
        self.callbacks: CallbackQueue = CallbackQueue(self.clock, schedule=behaviour.retry_schedule)
        self.transcript: Transcript = Transcript()
        self.merchants: tuple[SwishMerchant, ...] = tuple(merchants) or (SwishMerchant(),)
        self._authority = authority
        self._lock = threading.RLock()
        self._register = Register(
            clock=self.clock,
            callbacks=self.callbacks,
            merchants=self.merchants,
            payers=payers,
            behaviour=behaviour,
            seed=seed,
        )
        self._payer = PayerSide(self._register)
        self._recurring = Recurring(self._register)
        self._api = Api(self._register, self._payer, self._recurring, lambda: self.authority)
        self._pages = Pages(self._register, self._payer)
        self._control = ControlPanel(self)

    @classmethod
    def serve_forever(cls, *, port: int, as_json: bool = False) -> None:
        """Serve one merchant in real time until Ctrl-C; says on standard output how to reach it."""
        behaviour = Behaviour(callback_addresses=CallbackAddresses.LOCAL_HTTP)
        emulator = cls(clock=VirtualClock(real_time=True), behaviour=behaviour)
        serve_swish_forever(emulator, port=port, as_json=as_json)

    @property
    def authority(self) -> SwishAuthority:
        """Whose certificates are good here; made when it is first wanted."""
        with self._lock:
            if self._authority is None:
                self._authority = SwishAuthority()
            return self._authority

    @property
    def behaviour(self) -> Behaviour:
        """How it behaves; may be replaced at any time."""
        return self._register.behaviour

    @behaviour.setter
    def behaviour(self, behaviour: Behaviour) -> None:
        with self._lock:
            self._register.behaviour = behaviour
            self.callbacks.schedule = behaviour.retry_schedule

    # Who calls

    @property
    def mounts(self) -> dict[str, Emulator]:
        """The hosts it answers for, as ``EmulatorSender`` wants them; the first merchant calls."""
        return self.mounts_for(self.merchants[0].number)

    def mounts_for(self, number: str) -> dict[str, Emulator]:
        """Return the hosts, with calls as if they presented the certificate of ``number``; empty for none."""
        return dict.fromkeys((*API_HOSTS, *QR_HOSTS), self.presenting(number))

    def presenting(self, number: str) -> Presenting:
        """Return this emulator as one sees it who presents the certificate of ``number``."""
        return Presenting(self, number)

    @property
    def phone(self) -> PhoneFace:
        """Its pages, QR codes and control API alone: what is served without client certificates."""
        return PhoneFace(self)

    # What callers do

    def handle(self, request: EmulatorRequest) -> Outcome:
        """Act on one call, unless a planned fault is in the way. Without a certificate, no call arrives."""
        if request.path.startswith(CONTROL_PREFIX):
            return self._control.answer(request)
        with self._lock:
            self._register.settle()
            call, reference = describe_call(request)
            fault = self.faults.take(method=request.method, path=request.path, call=call)
            outcome = meet(fault, lambda: self._answer(request)) if _may_enter(request) else Refused()
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
        """Let happen what was due by now: refunds that move, requests that time out."""
        with self._lock:
            self._register.settle()

    def deliver_callbacks(self, post: Post) -> tuple[CallbackAttempt, ...]:
        """Deliver the callbacks that are due; see ``callbacks`` for holding, dropping, doubling them."""
        self.settle()
        return self.callbacks.deliver(post)

    # What a payer does

    def scan(self, payment: str, msisdn: str = DEFAULT_PAYER) -> PaymentRecord:
        """Open a request by its token, from the phone with this number."""
        with self._lock:
            found = self._find(payment)
            self._payer.scan(found, msisdn)
            return PaymentRecord.of(found)

    def approve(self, payment: str, *, msisdn: str = "", failing: str = "") -> PaymentRecord:
        """Sign with BankID; the payment is paid, or the bank lets it end as ``failing``."""
        with self._lock:
            found = self._find(payment)
            self._payer.approve(found, msisdn=msisdn, failing=failing)
            return PaymentRecord.of(found)

    def decline(self, payment: str) -> PaymentRecord:
        """Say no in the app."""
        with self._lock:
            found = self._find(payment)
            self._payer.decline(found)
            return PaymentRecord.of(found)

    def sign_consent(self, consent: str, *, msisdn: str = "", agrees: bool = True) -> str:
        """Answer a consent, named by id or token; returns its state."""
        with self._lock:
            self._register.settle()
            return self._recurring.sign(consent, msisdn=msisdn, agrees=agrees).status

    def revoke_consent(self, consent: str) -> str:
        """Take a signed consent back in the app; returns its state."""
        with self._lock:
            return self._recurring.revoke(consent).status

    # What banks and Swish's people do

    def fail(self, item: str, code: str) -> None:
        """Let an open payment, refund or payout end with ``code``."""
        with self._lock:
            self._payer.fail(self._find_any(item), code)

    def fail_next_charge(self, code: str = "RF07") -> None:
        """Let the next charge on a consent end with ``code``, once."""
        with self._lock:
            self._recurring.next_code = code

    def enrol(self, *members: SwishMerchant | SwishPayer) -> None:
        """Add merchants and payers, or change what is known of them."""
        with self._lock:
            for member in members:
                if isinstance(member, SwishMerchant):
                    self._register.merchants[member.number] = member
                else:
                    self._register.payers[member.msisdn] = member

    def hand_on(self, msisdn: str) -> None:
        """Give a phone number to somebody else: older payments cannot be refunded to it (RF06)."""
        with self._lock:
            self._register.handed_on[msisdn] = self.clock.now()

    def forge_callback(self, order: str, *, naming: str) -> Callback:
        """Queue a callback to the address of ``order`` (any object) whose body names another."""
        with self._lock:
            callback = notify(self._register, self._find_any(order), naming=naming)
            if callback is None:
                message = f"{order} has no callbackUrl"
                raise ControlRefused(message)
            return callback

    # What tests read

    @property
    def payments(self) -> tuple[PaymentRecord, ...]:
        """Every payment request as it stands, in the order of creation."""
        with self._lock:
            self._register.settle()
            return tuple(map(PaymentRecord.of, self._register.payments.values()))

    @property
    def refunds(self) -> tuple[RefundRecord, ...]:
        """Every refund."""
        with self._lock:
            self._register.settle()
            return tuple(map(RefundRecord.of, self._register.refunds.values()))

    @property
    def payouts(self) -> tuple[PayoutRecord, ...]:
        """Every payout."""
        with self._lock:
            self._register.settle()
            return tuple(map(PayoutRecord.of, self._register.payouts.values()))

    @property
    def consents(self) -> tuple[ConsentRecord, ...]:
        """Every standing consent."""
        with self._lock:
            return tuple(map(ConsentRecord.of, self._recurring.consents.values()))

    @property
    def charges(self) -> tuple[ChargeRecord, ...]:
        """Every charge on a consent; one that is paid stands among ``payments`` too, and is refunded there."""
        with self._lock:
            self._register.settle()
            return tuple(map(ChargeRecord.of, self._recurring.charges.values()))

    def payment(self, payment: str) -> PaymentRecord:
        """Return one payment request as it stands."""
        with self._lock:
            return PaymentRecord.of(self._find(payment))

    def books(self) -> dict[str, Totals]:
        """Return what each payment comes to, by id."""
        return {record.id: record.totals for record in self.payments}

    def describe_orders(self) -> list[JsonObject]:
        """Return every payment request as JSON, for the control API."""
        return [describe(record) for record in self.payments]

    def describe_order(self, order: str) -> JsonObject:
        """Return one payment request as JSON, for the control API."""
        return describe(self.payment(order))

    def act_as_payer(self, action: str, order: str, arguments: Mapping[str, object]) -> JsonObject:
        """Do a payer action by its name, for the control API."""
        given = {"msisdn": "", "failing": "", **arguments}
        msisdn, failing = take(given, "msisdn", str), take(given, "failing", str)
        match action:
            case "scan":
                return describe(self.scan(order, msisdn or DEFAULT_PAYER))
            case "approve":
                return describe(self.approve(order, msisdn=msisdn, failing=failing))
            case "decline":
                return describe(self.decline(order))
            case "fail":
                self.fail(order, take(arguments, "code", str))
                return {"failed": order}
            case "sign_consent" | "refuse_consent":
                return {"status": self.sign_consent(order, msisdn=msisdn, agrees=action == "sign_consent")}
            case "revoke_consent":
                return {"status": self.revoke_consent(order)}
            case _:
                message = "action must be scan, approve, decline, fail, sign_consent, refuse_consent or revoke_consent"
                raise ControlRefused(message)

    def _answer(self, request: EmulatorRequest) -> EmulatorAnswer:
        side = self._pages if request.path.startswith(PHONE_PATH) else self._api
        answer = side.answer(request)
        date = format_datetime(self.clock.now(), usegmt=True)
        return replace(answer, headers=(*answer.headers, ("date", date)))

    def _find(self, name: str) -> Payment:
        self._register.settle()
        found = self._register.by_token(_named(name))
        found = found or self._register.payments.get(_named(name))
        payments = self._register.payments.values()
        found = found or next((one for one in payments if _named(name) in {one.reference, one.payment_reference}), None)
        if found is None:
            message = f"there is no payment request {name!r}"
            raise ControlRefused(message)
        return found

    def _find_any(self, name: str) -> Item:
        self._register.settle()
        found = self._register.refunds.get(_named(name)) or self._register.payouts.get(_named(name))
        return found or self._find(name)


def _named(name: str) -> str:
    """Return the id in an address (``…/paymentrequests/{id}``), or the token in one of the phone's."""
    parts = urlsplit(name)
    token = EmulatorRequest(method="GET", target=name).query.get("token", "")
    return token or parts.path.rstrip("/").rsplit("/", maxsplit=1)[-1]


def _may_enter(request: EmulatorRequest) -> bool:
    return bool(request.client_name) or request.path.startswith((PHONE_PATH, QR_PATH))
