"""The mock gateway: a small gateway in this process, driven by its API on one side, by payer and scripts on the other.

Its API is JSON at a host of its own, which ``MockSender`` reaches::

    POST /payments                             GET /payments/{payment}
    POST /payments/{payment}/{capture|cancel|refund|update}
    GET  /refunds/{reference}                  GET /payers/{payer}
    POST /charges                              GET /charges/{reference}
    POST /removals                             GET /qr/{token}
    POST /payouts                              GET /payouts/{reference}
    GET  /health

A repeated reference is answered from memory.
"""

from __future__ import annotations

import itertools
import json
import re
import secrets
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import unquote, urlsplit
from weakref import WeakValueDictionary

from prenopay._arguments import check_arguments, checked_fields, refuse_misuse
from prenopay._redaction import Secret
from prenopay.errors import Conflict
from prenopay.ports import HttpRequest, HttpResponse
from prenopay.testing.callbacks import Callback
from prenopay.testing.clock import VirtualClock
from prenopay.testing.faults import Fault, FaultKind
from prenopay.testing.gateway import (
    FakeGateway,
    LaggingLists,
    PayerRefused,
    Payouts,
    Portal,
    SharedAgreement,
    StoredMethods,
    StrangeCode,
    StrangeStatus,
    Totals,
)
from prenopay.testing.http import (
    Emulator,
    EmulatorAnswer,
    EmulatorRequest,
    EmulatorSender,
    as_object,
    json_answer,
    read_json,
)
from prenopay.testing.mock.outcomes import Call, Manner, Scripted, Scripts, chosen
from prenopay.values.mandates import MandateKind
from prenopay.values.orders import Instrument, Payer
from prenopay.values.payments import Action, DeclineCode, Outcome, PaymentState

if TYPE_CHECKING:
    from prenopay.testing.mock.provider import Mock

__all__ = ["MockGateway", "MockSeen", "MockSender"]

_MEDIA: Final = "application/json"
_ELSEWHERE: Final = "https://other.example/callbacks"
_CARD_LIVES: Final = timedelta(days=730)
_AT_ONCE: Final = Instrument.SWISH.value
"""The instrument that takes the money where others reserve it."""
_STATE: Final = re.compile(rb'("state": ")[a-z]+"')
_REASON: Final = re.compile(rb'("declined?": ")[a-z_]+"')
_VERBS: Final = {"capture": "captured", "cancel": "cancelled", "refund": "refunded", "update": ""}
_numbers: Final = itertools.count(1)
_PROCESS: Final = secrets.token_hex(4)
"""Part of every name, so that a later process gives other names to payments: a shop's database may outlive this one."""
_LIVING: Final[WeakValueDictionary[str, MockGateway]] = WeakValueDictionary()
"""Every mock that is still in use, by its host."""


@check_arguments(refuse_misuse, any_text=True)
class MockSender:
    """Reaches every ``MockGateway`` of this process: the ``sender=`` of ``Accounts.open``."""

    def __init__(self, mounts: Mapping[str, Emulator] | None = None) -> None:
        """Reach the gateways in ``mounts`` too, which may grow later."""
        self._mounts: Mapping[str, Emulator] = {} if mounts is None else mounts

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - see the port
        """Return the gateway's answer, or raise what a real wire would have raised."""
        return await EmulatorSender({**dict(_LIVING.items()), **self._mounts}).send(request, timeout=timeout)

    async def aclose(self) -> None:
        """There is nothing to close."""


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class MockSeen:
    """One call to the mock: ``reference`` is ours, ``manner`` how it ended."""

    number: int
    at: datetime
    call: Call
    reference: str
    manner: Manner


_Shown: TypeAlias = dict[str, Any]
"""A movement, a method or a payout, as its API shows it."""


@dataclass(slots=True, kw_only=True)
class _Payment:
    """One payment: ``name`` is the gateway's, ``reference`` ours, ``order`` the body that made it."""

    name: str
    reference: str
    amount: int
    order: Mapping[str, Any]
    created_at: datetime
    is_charge: bool = False
    moves: list[_Shown] = field(default_factory=list[_Shown])
    attempts: list[_Shown] = field(default_factory=list[_Shown])
    methods: list[_Shown] = field(default_factory=list[_Shown])
    instrument: str | None = None
    ended: PaymentState | None = None
    """Set where it ended without money."""
    decline: DeclineCode | None = None
    is_verified: bool = False
    """A method was stored without a purchase."""
    payer_is_gone: bool = False

    def sum(self, kind: str, *outcomes: Outcome) -> int:
        wanted = outcomes or (Outcome.SUCCEEDED,)
        return sum(each["amount"] for each in self.moves if each["kind"] == kind and each["outcome"] in wanted)

    @property
    def totals(self) -> Totals:
        return Totals(**{kind: self.sum(kind) for kind in ("authorized", "captured", "refunded", "cancelled")})

    def left_to(self, verb: str) -> int:
        """What can still be refunded, or else captured or released; what is on its way does not count."""
        gone = (Outcome.SUCCEEDED, Outcome.PENDING)
        if verb == "refund":
            return self.sum("captured") - self.sum("refunded", *gone)
        return self.sum("authorized") - self.sum("captured", *gone) - self.sum("cancelled", *gone)

    @property
    def state(self) -> PaymentState:
        totals = self.totals
        if totals.captured or self.is_verified:
            return PaymentState.CAPTURED
        if totals.authorized:
            return PaymentState.CANCELLED if totals.cancelled >= totals.authorized else PaymentState.AUTHORIZED
        return self.ended or PaymentState.PENDING

    @property
    def actions(self) -> list[str]:
        if self.state is PaymentState.PENDING:
            return [] if self.is_charge else [Action.CANCEL, Action.UPDATE]
        allowed = [Action.CAPTURE, Action.CANCEL] if self.left_to("capture") > 0 else []
        return [*allowed, *([Action.REFUND] if self.left_to("refund") > 0 else [])]

    def shown(self) -> _Shown:
        return asdict(self.totals) | {
            "payment": self.name,
            "state": self.state.value,
            "reference": self.reference,
            "order_reference": self.order["order_reference"],
            "currency": self.order["currency"],
            "amount": self.amount,
            "actions": self.actions,
            "instrument": self.instrument,
            "decline": self.decline,
            "attempts": self.attempts,
            "transactions": self.moves,
            "methods": self.methods,
            "payment_id": self.order.get("payment_id", ""),
            "page": f"https://mock.invalid/pay/{self.name}",
        }


@check_arguments(refuse_misuse, any_text=True)
class MockGateway(
    FakeGateway, StoredMethods, Payouts, Portal, StrangeStatus, StrangeCode, LaggingLists, SharedAgreement
):
    """A gateway in this process; several accounts may share one. Safe to use from several threads.

    Payments are named by the gateway's reference (``payment.provider_reference``).
    """

    def __init__(
        self,
        *,
        clock: VirtualClock | None = None,
        page_lives: timedelta = timedelta(days=1),
        forgets_after: timedelta | None = None,
    ) -> None:
        """Keep time by ``clock``; a payer can pay for ``page_lives``.

        After ``forgets_after`` a reference is neither recognized nor shown: sent again, it moves the money again.
        """
        self._name = f"mock-{_PROCESS}-{next(_numbers)}"
        super().__init__(f"{self._name}.invalid", clock=clock, calls=tuple(Call))
        _LIVING[self.host] = self
        self.page_lives: timedelta = page_lives
        self.forgets_after: timedelta | None = forgets_after
        self._scripts = Scripts()
        self._seen: list[MockSeen] = []
        self._payments: dict[str, _Payment] = {}
        self._methods: list[_Shown] = []
        self._listed: tuple[datetime, list[_Shown]] | None = None
        """What the list shows until when, while it lags."""
        self._payouts: dict[str, _Shown] = {}
        self._made = 0
        self._users = 0
        # About the call that is being answered:
        self._call: Call | None = None
        self._path: list[str] = []
        self._body: Mapping[str, Any] = {}
        self._ends = Scripted()
        self._is_unheard = False
        self._refused = ""
        """The last request that was refused: when it is retried, it is refused again."""

    def account(self, name: str) -> Mock:
        """Return an account with this gateway."""
        from prenopay.testing.mock.provider import Mock  # noqa: PLC0415 - it imports this

        return Mock(account=name, gateway=self)

    @contextmanager
    def in_use(self) -> Generator[None]:
        """Count who uses it.

        The last to leave raises ``ScriptUnused`` for scripts that met no call, unless it leaves with an error.
        """
        with self.lock:
            self._users += 1
        try:
            yield
        finally:
            with self.lock:
                self._users -= 1
        if not self._users:
            self._scripts.require_met()

    # What a test plans

    def script(
        self,
        call: Call | str,
        manner: Manner | str | None = None,
        *,
        decline: DeclineCode | str | None = None,
        after: int = 0,
        times: int = 1,
    ) -> None:
        """End the next ``times`` calls in ``manner``, or as ``decline``, once ``after`` calls have passed.

        Raises ``ValueError`` for an unknown word (it lists the known ones) and for an end that the call cannot have.
        """
        code = None if decline is None else chosen(DeclineCode, decline, field="decline")
        if manner is None:
            manner = Manner.ACCEPT if code is None else Manner.DECLINE
        ends = Scripted(manner=chosen(Manner, manner, field="manner"), code=code)
        with self.lock:
            self._scripts.plan(chosen(Call, call, field="call"), ends, after=after, times=times)

    def clear_scripts(self) -> None:
        """Let every call to come end well, unless its amount says otherwise."""
        with self.lock:
            self._scripts.clear()

    def finish_pending(self, *, decline: DeclineCode | str | None = None) -> int:
        """End everything that is pending, well or with ``decline``, and call back; return how much there was."""
        code = None if decline is None else chosen(DeclineCode, decline, field="decline")
        outcome = Outcome.SUCCEEDED if code is None else Outcome.DECLINED
        finished = 0
        with self.lock:
            for payment in self._payments.values():
                waiting = [each for each in payment.moves if each["outcome"] == Outcome.PENDING]
                for each in waiting:
                    each |= {"outcome": outcome, "declined": code}
                    if each["kind"] == "authorized" and code is not None:
                        payment.ended, payment.decline = PaymentState.DECLINED, code
                if waiting:
                    self._tell(payment)
                finished += len(waiting)
            for reference, payout in self._payouts.items():
                if payout["outcome"] == Outcome.PENDING:
                    payout |= {"outcome": outcome, "declined": code}
                    self.call_back(payout["callback_url"], _names("payout", reference), about=reference)
                    finished += 1
        return finished

    # What a payer does

    def approve(self, payment: str, *, instrument: str = Instrument.CARD.value) -> PaymentState:
        """Pay. The amount or a script may make the bank say no; Swish takes the money at once, others reserve it."""
        with self.lock:
            found = self._payable(payment)
            paid_by = str(found.order["only_instrument"] or instrument)
            ends = self._scripts.take(Call.APPROVE, reference=found.name, minor=found.amount)
            if ends.code is not None:
                return self._fail(found, ends.code, paid_by)
            found.instrument, found.is_verified = paid_by, found.order["is_verification"]
            if not found.is_verified:
                for kind in ("authorized", "captured")[: 2 if paid_by == _AT_ONCE else 1]:
                    self._move(found, kind, found.amount)
            card = self._number()
            found.methods = [self._store(found.order["payer"], kind, card) for kind in found.order["store"]]
            self._tell(found)
            return found.state

    def decline(self, payment: str, *, code: DeclineCode | str = DeclineCode.CANCELLED_BY_PAYER) -> PaymentState:
        """Say no. The page stays open for another try; a payment by Swish alone ends."""
        why = chosen(DeclineCode, code, field="code")
        with self.lock:
            found = self._payable(payment)
            return self._fail(found, why, str(found.order["only_instrument"] or Instrument.CARD.value))

    def wait(self, payment: str) -> PaymentState:
        """Open the page and do nothing yet."""
        with self.lock:
            return self._payable(payment).state

    def vanish(self, payment: str) -> PaymentState:
        """Close the browser for good: nobody is notified, and only the sweep finds out when the page's time is over."""
        with self.lock:
            found = self._payable(payment)
            found.payer_is_gone = True
            return found.state

    def pays(self, payment: str) -> PaymentState:
        """Pay; see ``approve``."""
        return self.approve(payment)

    def declines(self, payment: str) -> PaymentState:
        """Say no; see ``decline``."""
        return self.decline(payment)

    def waits(self, payment: str) -> PaymentState:
        """Open the page; see ``wait``."""
        return self.wait(payment)

    def vanishes(self, payment: str) -> PaymentState:
        """Close the browser; see ``vanish``."""
        return self.vanish(payment)

    def forge_callback(self, *, to: str, naming: str) -> Callback:
        """Queue a callback to the address of the payment ``to`` whose body names another."""
        with self.lock:
            return self.call_back(self._find(to).order["callback_url"], _names("payment", naming), about=naming)

    # What staff do in the portal

    def gives_back_by_hand(self, payment: str, amount: int) -> bool:
        """Give captured money back, as staff do without prenopay. Returns whether so much was left."""
        return self._by_hand("refund", payment, amount)

    def takes_by_hand(self, payment: str, amount: int) -> bool:
        """Capture reserved money, as staff do without prenopay. Returns whether so much was left."""
        return self._by_hand("capture", payment, amount)

    def releases_by_hand(self, payment: str) -> bool:
        """Release what is reserved and not captured, as staff do without prenopay."""
        with self.lock:
            return self._by_hand("cancel", payment, self._find(payment).left_to("cancel"))

    def _by_hand(self, verb: str, name: str, amount: int) -> bool:
        with self.lock:
            found = self._find(name)
            if not 0 < amount <= found.left_to(verb):
                return False
            self._move(found, _VERBS[verb], amount, reference=f"by-hand-{self._number()}")
            self._tell(found)
            return True

    # What tests read

    @property
    def seen(self) -> tuple[MockSeen, ...]:
        """Every call that a script or an amount could decide, in order; calls answered from memory are left out."""
        with self.lock:
            return tuple(self._seen)

    def books(self) -> dict[str, Totals]:
        """Return every payment's totals, by the gateway's reference."""
        with self.lock:
            return {name: payment.totals for name, payment in self._payments.items()}

    def secrets(self) -> tuple[str, ...]:
        """Return every token in it, in the clear."""
        with self.lock:
            return tuple(each["token"] for each in self._methods)

    def personal(self) -> tuple[str, ...]:
        """Return the payers' phone numbers, e-mail addresses and personal numbers that orders hold."""
        with self.lock:
            return tuple(each for payment in self._payments.values() for each in payment.order["personal"])

    def find(self, reference: str) -> str | None:
        """Return the gateway's name of the payment with our ``reference``, as a person finds it in a portal."""
        with self.lock:
            found = self._by_reference(reference)
            return None if found is None else found.name

    def tokens(self) -> tuple[str, ...]:
        """Return the tokens that can be charged."""
        return self.secrets()

    def methods(self, payer_reference: str) -> tuple[Secret, ...]:
        """Return the tokens of a payer's stored methods."""
        with self.lock:
            return tuple(Secret(each["token"]) for each in self._methods if each["payer"] == payer_reference)

    def store_card(
        self, payer_reference: str, *, kind: MandateKind = MandateKind.UNSCHEDULED, expires: date | None = None
    ) -> Secret:
        """Store a card of a payer's as another system would have; return its token."""
        with self.lock:
            return Secret(self._store(payer_reference, kind.value, self._number(), expires=expires)["token"])

    def remove_methods_of(self, payer_reference: str) -> None:
        """Forget all stored methods of a payer, as the bank does without being asked."""
        with self.lock:
            self._methods = [each for each in self._methods if each["payer"] != payer_reference]

    def lag(self, until: datetime, *, is_empty: bool) -> None:
        """Until then, list what is stored now, or nothing."""
        with self.lock:
            self._listed = until, [] if is_empty else list(self._methods)

    def take_reference(self, request: HttpRequest) -> str | None:
        """Make a payment, a charge or a payout of another shop, one krona dearer."""
        body = as_object(read_json(request.body)) or {} if request.body else {}
        call = _CALLS.get((request.method, urlsplit(request.url).path.strip("/")))
        if call not in {Call.CREATE, Call.CHARGE, Call.PAY_OUT}:
            return None
        amount = body["amount"]
        assert isinstance(amount, int), "the mock's bodies have whole öre"
        theirs = body | {"amount": amount + 100, "callback_url": _ELSEWHERE, "order_reference": "other"}
        with self.lock:
            if call is Call.PAY_OUT:
                result = {"outcome": Outcome.SUCCEEDED, "declined": None}
                self._payouts[str(body["reference"])] = self._event({**theirs, **result})
                return str(body["reference"])
            return self._add(theirs, is_charge=call is Call.CHARGE).name

    def decline_next_charge(self, chance: Random | None = None) -> None:
        """Script a decline of the next charge."""
        codes = (DeclineCode.INSUFFICIENT_FUNDS, DeclineCode.DO_NOT_RETRY)
        self.script(Call.CHARGE, decline=codes[0] if chance is None else chance.choice(codes))

    def payer(self) -> Payer:
        """Return a payer with every field that a provider may ask for."""
        return Payer(reference="R-77", email="leia@example.com", phone="+46739000001", personal_number="199710202392")

    def paid_out(self) -> int:
        """Return what was sent, or is about to be."""
        with self.lock:
            return sum(each["amount"] for each in self._payouts.values() if each["outcome"] != Outcome.DECLINED)

    def with_strange_status(self, body: bytes) -> bytes:
        """Return the body with another state."""
        return _STATE.sub(rb'\1teleported"', body)

    def with_strange_code(self, body: bytes) -> bytes:
        """Return the body with another reason."""
        return _REASON.sub(rb'\1teleported"', body)

    # The wire

    def describe(self, request: EmulatorRequest) -> tuple[str, str]:
        """Return the call's name and our reference; keep the body."""
        self._body = as_object(read_json(request.body)) or {} if request.body else {}
        self._path = [unquote(part) for part in request.path.strip("/").split("/")]
        call = _CALLS.get((request.method, self._path[0]))
        if call is Call.CREATE and len(self._path) > 1:
            call = Call(self._path[-1])
        self._call = call
        return call or "", str(self._body.get("reference") or self._path[-1])

    def planned(self, request: EmulatorRequest, call: str) -> Fault | None:
        """Return the planned fault, or the one that a script or the amount chooses."""
        self._ends, number = Scripted(), request.header("request-id")
        if number and number == self._refused:
            return Fault(kind=FaultKind.REFUSE)
        fault = super().planned(request, call)
        if fault is None and self._call is not None and not self._is_known(self._call):
            reference = str(self._body.get("reference") or self._path[-1])
            self._ends = self._scripts.take(self._call, reference=reference, minor=self._body.get("amount"))
            fault = self._ends.manner.fault
            made = len(self._seen) + 1
            self._seen.append(
                MockSeen(
                    number=made, at=self.clock.now(), call=self._call, reference=reference, manner=self._ends.manner
                )
            )
        self._refused = number if fault is not None and fault.kind is FaultKind.REFUSE else ""
        self._is_unheard = fault is not None and fault.kind.acts and fault.kind is not FaultKind.DELAY
        return fault

    def answer(self, request: EmulatorRequest) -> EmulatorAnswer:
        """Act on one call. ``repeated`` says that it was answered from memory."""
        name = self._path[1] if len(self._path) > 1 else ""
        repeated = self._call is not None and self._is_known(self._call)
        try:
            shown = self._shown(name)
        except Conflict as error:
            return json_answer(409, {"error": str(error)}, media_type=_MEDIA)
        if shown is None:
            return json_answer(404, {"error": f"this mock has nothing under {name!r}"}, media_type=_MEDIA)
        return json_answer(200, {**shown, "repeated": repeated}, media_type=_MEDIA)

    def _shown(self, name: str) -> _Shown | None:
        """Do what the present call asks for, and return what the API shows of it."""
        body, reference = self._body, str(self._body.get("reference", ""))
        match self._call:
            case Call.CREATE:
                return self._show(self._by_reference(reference) or self._add(body))
            case Call.CHARGE:
                return self._show(self._by_reference(reference) or self._charge(body))
            case Call.OBSERVE:
                found = self._by_reference(name) if self._path[0] == "charges" else self._find(name)
                return None if found is None else self._show(found)
            case Call.OBSERVE_REFUND:
                moves = (
                    {**each, "payment": payment.name} for payment in self._payments.values() for each in payment.moves
                )
                return next((each for each in moves if self._refers(each, name)), _UNDER_WAY)
            case Call.OBSERVE_METHODS:
                return {"methods": [each for each in self._lists() if each["payer"] == name]}
            case Call.REMOVE_METHOD:
                self._methods = [each for each in self._methods if not body.items() <= each.items()]
                return {}
            case Call.PAY_OUT:
                return self._payouts.setdefault(reference, self._event({**body, **self._result}))
            case Call.OBSERVE_PAYOUT:
                return self._payouts.get(name, _UNDER_WAY)
            case Call.PROBE | Call.DRAW_QR:
                return {"now": self.clock.now().isoformat()}
            case None:
                return None
            case verb:
                return self._change(verb.value, self._find(name))

    # One step down

    def _lists(self) -> list[_Shown]:
        if self._listed is not None and self.clock.now() < self._listed[0]:
            return self._listed[1]
        return self._methods

    def _is_known(self, call: Call) -> bool:
        """Whether the call is answered from memory, and no script meets it."""
        reference = self._body.get("reference")
        if call in {Call.CREATE, Call.CHARGE}:
            return self._by_reference(str(reference)) is not None
        if call is Call.PAY_OUT:
            return reference in self._payouts
        payment = self._payments.get(self._path[1]) if call in _VERBS else None
        return payment is not None and any(self._refers(each, str(reference)) for each in payment.moves)

    @property
    def _result(self) -> _Shown:
        """How a script or the amount ends the present call."""
        outcomes = {Manner.DECLINE: Outcome.DECLINED, Manner.PENDING: Outcome.PENDING}
        return {"outcome": outcomes.get(self._ends.manner, Outcome.SUCCEEDED), "declined": self._ends.code}

    def _change(self, verb: str, found: _Payment) -> _Shown:
        body, result = self._body, self._result
        known = next((each for each in found.moves if self._refers(each, body["reference"])), None)
        if known is not None:
            return self._show(found) | {"outcome": known["outcome"], "declined": known["declined"]}
        if verb == "cancel" and found.state is PaymentState.CANCELLED:
            return self._show(found) | {"outcome": Outcome.SUCCEEDED, "declined": None}
        if verb not in found.actions or (body["page_only"] and found.state is not PaymentState.PENDING):
            allowed = ", ".join(sorted(found.actions)) or "nothing"
            message = f"{verb} is not possible now: the payment is {found.state}, the mock allows {allowed}"
            raise Conflict(message)
        if verb == "update":
            found.amount = body["amount"]
        elif found.state is PaymentState.PENDING:
            found.ended = PaymentState.CANCELLED if result["outcome"] != Outcome.DECLINED else None
        else:
            left = found.left_to(verb)
            amount = left if verb == "cancel" else body["amount"]
            if amount > left:
                message = f"{verb} of {amount} is not possible now: {left} is left"
                raise Conflict(message)
            self._move(found, _VERBS[verb], amount, reference=body["reference"], **result)
        if self._is_unheard:
            self._tell(found)
        return self._show(found) | result

    def _charge(self, body: Mapping[str, Any]) -> _Payment:
        made, result = self._add(body, is_charge=True), self._result
        if not any((each["token"], each["kind"]) == (body["token"], body["kind"]) for each in self._methods):
            result |= {"outcome": Outcome.DECLINED, "declined": DeclineCode.MANDATE_INACTIVE}
        made.instrument = Instrument.CARD.value
        self._move(made, "authorized", made.amount, **result)
        if result["declined"] is not None:
            made.ended, made.decline = PaymentState.DECLINED, result["declined"]
        return made

    def _add(self, body: Mapping[str, Any], *, is_charge: bool = False) -> _Payment:
        made = _Payment(
            name=f"{self._name}-{self._number():06d}",
            reference=body["reference"],
            amount=body["amount"],
            order=body,
            created_at=self.clock.now(),
            is_charge=is_charge,
        )
        self._payments[made.name] = made
        return made

    def _move(
        self,
        payment: _Payment,
        kind: str,
        amount: int,
        *,
        reference: str = "",
        outcome: Outcome = Outcome.SUCCEEDED,
        declined: DeclineCode | None = None,
    ) -> None:
        said = {"kind": kind, "amount": amount, "reference": reference, "outcome": outcome, "declined": declined}
        payment.moves.append(self._event(said))

    def _event(self, said: _Shown) -> _Shown:
        return {"number": str(self._number()), "at": self.clock.now().isoformat(), **said}

    def _fail(self, payment: _Payment, code: DeclineCode, instrument: str) -> PaymentState:
        payment.attempts.append(self._event({"instrument": instrument, "declined": code}))
        if instrument == _AT_ONCE and payment.order["only_instrument"] is not None:
            payment.ended, payment.decline = PaymentState.DECLINED, code
        self._tell(payment)
        return payment.state

    def _store(self, payer: str, kind: str, card: int, *, expires: date | None = None) -> _Shown:
        ends = expires or (self.clock.now() + _CARD_LIVES).date()
        method = {
            "payer": payer,
            "kind": kind,
            "token": f"mock-token-{self._number():06d}",
            "display": f"Mock •••• 0000, {ends:%m/%y}",
            "expires": ends.isoformat(),
            "card": f"mock-card-{card}",
        }
        self._methods.append(method)
        return method

    def _tell(self, payment: _Payment) -> None:
        self.call_back(payment.order["callback_url"], _names("payment", payment.name), about=payment.name)

    def _payable(self, name: str) -> _Payment:
        found = self._find(name)
        if found.is_charge or found.state is not PaymentState.PENDING:
            message = f"{name} is {found.state}: nobody can pay it now"
            raise PayerRefused(message)
        if found.payer_is_gone or self.clock.now() >= found.created_at + self.page_lives:
            message = f"{name}: the payer has closed the page, or its time is over"
            raise PayerRefused(message)
        return found

    def _find(self, name: str) -> _Payment:
        found = self._payments.get(name)
        if found is None:
            message = (
                f"this mock has no payment {name!r}: pass payment.provider_reference; if it is with another "
                "MockGateway, use the payer and callbacks of that one, or let accounts share one: "
                "Mock(account=…, gateway=…)"
            )
            raise Conflict(message)
        return found

    def _by_reference(self, reference: str) -> _Payment | None:
        made = (each for each in self._payments.values() if self._remembers(each.created_at))
        return next((each for each in made if each.reference == reference), None)

    def _refers(self, move: _Shown, reference: str) -> bool:
        return move["reference"] == reference and self._remembers(datetime.fromisoformat(move["at"]))

    def _remembers(self, at: datetime) -> bool:
        return self.forgets_after is None or self.clock.now() - at < self.forgets_after

    def _show(self, payment: _Payment) -> _Shown:
        """Return what the API shows of a payment; a reference that is forgotten is not shown."""
        moves = [
            each if self._remembers(datetime.fromisoformat(each["at"])) else {**each, "reference": ""}
            for each in payment.moves
        ]
        return payment.shown() | {"transactions": moves}

    def _number(self) -> int:
        self._made += 1
        return self._made


_UNDER_WAY: Final[_Shown] = {"outcome": Outcome.PENDING, "declined": None}
"""The answer about an unknown refund or payout: it may still be on its way."""
_CALLS: Final = {
    ("POST", "payments"): Call.CREATE,
    ("GET", "payments"): Call.OBSERVE,
    ("GET", "refunds"): Call.OBSERVE_REFUND,
    ("POST", "charges"): Call.CHARGE,
    ("GET", "charges"): Call.OBSERVE,
    ("GET", "payers"): Call.OBSERVE_METHODS,
    ("POST", "removals"): Call.REMOVE_METHOD,
    ("POST", "payouts"): Call.PAY_OUT,
    ("GET", "payouts"): Call.OBSERVE_PAYOUT,
    ("GET", "qr"): Call.DRAW_QR,
    ("GET", "health"): Call.PROBE,
}


def _names(what: str, name: str) -> bytes:
    return json.dumps({what: name}).encode()
