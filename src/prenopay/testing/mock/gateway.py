"""The mock gateway: payments in memory, moved by the provider on one side and by payer and script on the other."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, TypeVar

from prenopay._redaction import Secret
from prenopay.errors import (
    Conflict,
    NotSent,
    OutcomeUnknown,
    PrenopayError,
    ProviderUnavailable,
    RateLimited,
    Rejected,
    Unauthenticated,
    UnexpectedAnswer,
)
from prenopay.provider import (
    Attempt,
    ChangeRequest,
    Charged,
    ChargeRequest,
    Created,
    CreateRequest,
    Observation,
    Reply,
    TransactionKind,
)
from prenopay.testing.callbacks import Callback, CallbackAttempt, CallbackQueue, Post
from prenopay.testing.clock import VirtualClock
from prenopay.testing.control import ControlRefused
from prenopay.testing.mock.outcomes import Call, Manner, Scripted, Scripts, chosen, decline_of
from prenopay.testing.mock.records import Method, MockTotals, Movement, Payment, Payout, Standing
from prenopay.values.mandates import MandateKind, MethodSeen
from prenopay.values.orders import Instrument
from prenopay.values.payments import Action, DeclineCode, Outcome, PaymentState

__all__ = ["MockGateway", "MockSeen", "PayerRefused"]

T = TypeVar("T")

_STANDING: Final = {Manner.DECLINE: Standing.FAILED, Manner.PENDING: Standing.PENDING}
_CARD_LIVES: Final = timedelta(days=730)
_AT_ONCE: Final = frozenset({Instrument.SWISH.value})
"""Instruments that take the money where others reserve it."""
_OWN_SIGNS: Final = 8
"""So many signs at the end of a payment's id are drawn by lot: enough to be like no other's in a test."""


class PayerRefused(ControlRefused):
    """No payer could do this now; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MockSeen:
    """One call that the mock was asked: ``reference`` is ours, ``manner`` how it ended."""

    number: int
    at: datetime
    call: Call
    reference: str
    manner: Manner


class MockGateway:
    """A gateway without a network: one synchronous, thread-safe object that several accounts may share.

    Payments are named by the gateway's reference (``payment.provider_reference``).
    """

    def __init__(self, *, clock: VirtualClock | None = None, page_lives: timedelta = timedelta(days=1)) -> None:
        """Keep time by ``clock``; a payer can pay for ``page_lives``."""
        self.clock: VirtualClock = clock or VirtualClock()
        self.callbacks: CallbackQueue = CallbackQueue(self.clock)
        self.page_lives: timedelta = page_lives
        self._lock = threading.RLock()
        self._scripts = Scripts()
        self._seen: list[MockSeen] = []
        self._payments: dict[str, Payment] = {}
        self._methods: list[Method] = []
        self._payouts: dict[str, Payout] = {}
        self._made = 0
        self._users = 0

    @contextmanager
    def in_use(self) -> Generator[None]:
        """Count who uses it.

        The last to leave raises ``ScriptUnused`` for scripts that met no call, unless it leaves with an error.
        """
        with self._lock:
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
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
        """Let the next ``times`` calls end in ``manner``, or as ``decline``, after so many that pass.

        Raises ``ValueError`` for words it does not know, with those it does, and for an end that the call cannot have.
        """
        code = None if decline is None else chosen(DeclineCode, decline, field="decline")
        if manner is None:
            manner = Manner.ACCEPT if code is None else Manner.DECLINE
        ends = Scripted(manner=chosen(Manner, manner, field="manner"), code=code)
        self._scripts.plan(chosen(Call, call, field="call"), ends, after=after, times=times)

    def clear_scripts(self) -> None:
        """Let every call to come end well, unless its amount says otherwise."""
        self._scripts.clear()

    def finish_pending(self, *, decline: DeclineCode | str | None = None) -> int:
        """End everything that is pending, well or with ``decline``, and call back; return how much there was."""
        code = None if decline is None else chosen(DeclineCode, decline, field="decline")
        with self._lock:
            finished = 0
            for payment in self._payments.values():
                waiting = [each for each in payment.movements if each.standing is Standing.PENDING]
                for each in waiting:
                    self._finish(payment, each, code)
                if waiting:
                    self._call_back(payment.callback_url, payment.name, "payment")
                finished += len(waiting)
            for payout in self._payouts.values():
                if payout.standing is Standing.PENDING:
                    payout.standing = Standing.DONE if code is None else Standing.FAILED
                    payout.decline = None if code is None else decline_of(code)
                    self._call_back(payout.callback_url, payout.reference, "payout")
                    finished += 1
            return finished

    # What a payer does

    def approve(self, payment: str, *, instrument: str = Instrument.CARD.value) -> PaymentState:
        """Pay. The amount or a script may let the bank say no; Swish takes the money at once, others reserve it."""
        with self._lock:
            found = self._payable(payment)
            paid_by = str(found.order.only_instrument or instrument)
            ends = self._scripts.take(Call.APPROVE, reference=found.name, minor=found.minor)
            if ends.code is not None:
                return self._fail(found, ends.code, paid_by)
            found.instrument, found.is_verified = paid_by, found.order.is_verification
            if not found.is_verified:
                self._move(found, TransactionKind.AUTHORIZATION, found.minor)
                if paid_by in _AT_ONCE:
                    self._move(found, TransactionKind.CAPTURE, found.minor)
            self._store(found)
            self._call_back(found.callback_url, found.name, "payment")
            return found.state

    def decline(self, payment: str, *, code: DeclineCode | str = DeclineCode.CANCELLED_BY_PAYER) -> PaymentState:
        """Say no. The page stays open for another try; a payment by Swish alone has ended."""
        why = chosen(DeclineCode, code, field="code")
        with self._lock:
            found = self._payable(payment)
            return self._fail(found, why, str(found.order.only_instrument or Instrument.CARD.value))

    def wait(self, payment: str) -> PaymentState:
        """Open the page and do nothing yet."""
        with self._lock:
            return self._payable(payment).state

    def vanish(self, payment: str) -> PaymentState:
        """Close the browser for good: nobody is told, and only the sweep finds out, when the page's time is over."""
        with self._lock:
            found = self._payable(payment)
            found.payer_is_gone = True
            return found.state

    def deliver_callbacks(self, post: Post) -> tuple[CallbackAttempt, ...]:
        """Deliver the callbacks that are due; see ``callbacks`` for holding, dropping, doubling them."""
        return self.callbacks.deliver(post)

    def forge_callback(self, order: str, *, naming: str) -> Callback:
        """Queue a callback to the address of the payment ``order`` whose body names another."""
        with self._lock:
            return self._call_back(self._find(order).callback_url, naming, "payment")

    # What the provider asks

    def create(self, request: CreateRequest, *, apart: bool) -> Created:
        """Make the order payable, once for each reference."""
        with self._lock:
            known = self._by_reference(request.reference)
            if known is not None:
                return known.created(apart=apart)

            def act(_ends: Scripted) -> Created:
                return self._add(request).created(apart=apart)

            return self._meet(Call.CREATE, request.reference, act, minor=request.order.amount.minor)

    def observe(self, payment: str, *, apart: bool) -> Observation:
        """Say how a payment stands."""
        with self._lock:
            return self._meet(Call.OBSERVE, payment, lambda _ends: self._find(payment).observed(apart=apart))

    def change(self, call: Call, request: ChangeRequest, *, apart: bool) -> Reply:
        """Capture, cancel, refund or update, once for each reference."""
        with self._lock:
            found = self._find(request.provider_reference)
            done = found.of_reference(request.reference)
            if done is not None:
                return Reply(outcome=done.outcome, observation=found.observed(apart=apart), decline=done.decline)
            minor = None if request.amount is None else request.amount.minor
            return self._meet(
                call,
                request.reference,
                lambda ends: self._change(call, found, request, ends, apart=apart),
                minor=minor,
                tells=found,
            )

    def observe_refund(self, reference: str) -> Reply:
        """Say how the refund of our ``reference`` stands."""
        with self._lock:

            def act(_ends: Scripted) -> Reply:
                found = [each.of_reference(reference) for each in self._payments.values()]
                refund = next((each for each in found if each is not None), None)
                if refund is None:
                    return Reply(outcome=Outcome.PENDING)
                return Reply(outcome=refund.outcome, decline=refund.decline)

            return self._meet(Call.OBSERVE_REFUND, reference, act)

    def charge(self, request: ChargeRequest, *, finds_charges: bool, apart: bool) -> Charged:
        """Reserve money on a stored method. Without ``finds_charges``, a lost one is never sent again."""
        with self._lock:
            if request.again and not finds_charges:
                message = "an earlier try may have reached the gateway, so nothing was sent again"
                raise OutcomeUnknown(message)
            known = self._by_reference(request.reference)
            if known is not None:
                return _charged(known, apart=apart)
            if request.again and request.token is None:
                return Charged(outcome=Outcome.NOT_ATTEMPTED)
            return self._meet(
                Call.CHARGE,
                request.reference,
                lambda ends: self._charge(request, ends, apart=apart),
                minor=request.order.amount.minor,
            )

    def methods(self, payer_reference: str) -> tuple[MethodSeen, ...]:
        """Return a payer's stored methods."""
        with self._lock:

            def act(_ends: Scripted) -> tuple[MethodSeen, ...]:
                return tuple(each.seen for each in self._methods if each.payer_reference == payer_reference)

            return self._meet(Call.OBSERVE_METHODS, payer_reference, act)

    def remove_method(self, kind: MandateKind, token: Secret) -> None:
        """Forget one stored method."""
        self._remove(lambda held: held.kind is kind and held.token.reveal() == token.reveal())

    def remove_methods_of(self, payer_reference: str) -> None:
        """Forget all stored methods of a payer, as the merchant asks, or as the bank does without being asked."""
        self._remove(lambda held: held.payer_reference == payer_reference)

    def pay_out(self, reference: str, *, minor: int, callback_url: str) -> Reply:
        """Send money, once for each reference."""
        with self._lock:
            known = self._payouts.get(reference)
            if known is not None:
                return known.reply

            def act(ends: Scripted) -> Reply:
                standing = _STANDING.get(ends.manner, Standing.DONE)
                made = Payout(reference=reference, callback_url=callback_url, standing=standing, decline=ends.decline)
                self._payouts[reference] = made
                return made.reply

            return self._meet(Call.PAY_OUT, reference, act, minor=minor)

    def observe_payout(self, reference: str) -> Reply:
        """Say how a payout stands."""
        with self._lock:

            def act(_ends: Scripted) -> Reply:
                known = self._payouts.get(reference)
                return Reply(outcome=Outcome.PENDING) if known is None else known.reply

            return self._meet(Call.OBSERVE_PAYOUT, reference, act)

    def ask(self, call: Call) -> None:
        """Meet what is planned for a call that changes nothing here."""
        with self._lock:
            self._meet(call, "", lambda _ends: None)

    # What tests read

    @property
    def seen(self) -> tuple[MockSeen, ...]:
        """Every call that was acted on or went astray, in order; one that was answered from memory is none."""
        with self._lock:
            return tuple(self._seen)

    def books(self) -> dict[str, MockTotals]:
        """Return every payment's totals, by the gateway's reference."""
        with self._lock:
            return {name: payment.totals for name, payment in self._payments.items()}

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every token in it, in the clear: what must never show in a log."""
        with self._lock:
            return tuple(each.token.reveal() for each in self._methods)

    @property
    def personal(self) -> tuple[str, ...]:
        """What orders tell of payers' phones, e-mail addresses and personal numbers: no log may show these either."""
        with self._lock:
            return tuple(each for payment in self._payments.values() for each in payment.personal)

    def find(self, reference: str) -> str | None:
        """Return the gateway's name of the payment of our ``reference``, as a person finds it in a portal."""
        with self._lock:
            found = self._by_reference(reference)
            return None if found is None else found.name

    def store_card(
        self,
        payer_reference: str,
        *,
        kind: MandateKind = MandateKind.UNSCHEDULED,
        expires: date | None = None,
    ) -> Secret:
        """Store a card of a payer's as another system would have; return its token."""
        with self._lock:
            return self._add_method(payer_reference, kind, card=self._number(), expires=expires).token

    # One step down

    def _remove(self, wanted: Callable[[Method], bool]) -> None:
        with self._lock:

            def act(_ends: Scripted) -> None:
                self._methods = [each for each in self._methods if not wanted(each)]

            self._meet(Call.REMOVE_METHOD, "", act)

    def _meet(
        self,
        call: Call,
        reference: str,
        act: Callable[[Scripted], T],
        *,
        minor: int | None = None,
        tells: Payment | None = None,
    ) -> T:
        """Let a call meet what is planned for it; what was done and not answered is called back."""
        ends = self._scripts.take(call, reference=reference, minor=minor)
        self._seen.append(
            MockSeen(
                number=len(self._seen) + 1,
                at=self.clock.now(),
                call=call,
                reference=reference,
                manner=ends.manner,
            ),
        )
        error = _trouble(call, ends.manner)
        if error is None:
            return act(ends)
        if ends.manner.acts:
            act(ends)
            if tells is not None:
                self._call_back(tells.callback_url, tells.name, "payment")
        raise error

    def _change(self, call: Call, found: Payment, request: ChangeRequest, ends: Scripted, *, apart: bool) -> Reply:
        minor = found.minor if request.amount is None else request.amount.minor
        is_paid = request.page_only and found.state is not PaymentState.PENDING
        if Action(call.value) not in found.allowed_actions or is_paid:
            if call is Call.CANCEL and found.state is PaymentState.CANCELLED:
                return Reply(outcome=Outcome.SUCCEEDED, observation=found.observed(apart=apart))
            allowed = ", ".join(sorted(found.allowed_actions)) or "nothing"
            message = f"{call} is not possible now: the payment is {found.state}, the mock allows {allowed}"
            raise Conflict(message)
        standing = _STANDING.get(ends.manner, Standing.DONE)
        if call is Call.UPDATE:
            found.minor = minor
        elif call is Call.CANCEL and found.state is PaymentState.PENDING:
            if standing is Standing.FAILED:
                return Reply(outcome=Outcome.DECLINED, decline=ends.decline)
            found.ended = PaymentState.CANCELLED
        else:
            kind = _KIND[call]
            left = found.left_to_refund if call is Call.REFUND else found.left_to_capture
            minor = left if call is Call.CANCEL else minor
            if minor > left:
                message = f"{call} of {minor} is not possible now: {left} is left"
                raise Conflict(message)
            moved = self._move(found, kind, minor, reference=request.reference, standing=standing)
            moved.decline = ends.decline
            if moved.standing is not Standing.DONE:
                return Reply(outcome=moved.outcome, observation=found.observed(apart=apart), decline=moved.decline)
        return Reply(outcome=Outcome.SUCCEEDED, observation=found.observed(apart=apart))

    def _charge(self, request: ChargeRequest, ends: Scripted, *, apart: bool) -> Charged:
        token = request.token_to_send().reveal()
        held = any(each.token.reveal() == token and each.kind is request.kind for each in self._methods)
        decline = ends.decline if held else decline_of(DeclineCode.MANDATE_INACTIVE)
        made = self._add(
            CreateRequest(
                order=request.order,
                payment_id=request.payment_id,
                reference=request.reference,
                callback_url=request.callback_url,
            ),
        )
        made.is_charge, made.instrument = True, Instrument.CARD.value
        standing = Standing.FAILED if decline is not None else _STANDING.get(ends.manner, Standing.DONE)
        moved = self._move(made, TransactionKind.AUTHORIZATION, made.minor, standing=standing)
        if decline is not None:
            made.ended, made.decline, moved.decline = PaymentState.DECLINED, decline, decline
        return _charged(made, apart=apart)

    def _finish(self, payment: Payment, moved: Movement, decline: DeclineCode | None) -> None:
        moved.standing = Standing.DONE if decline is None else Standing.FAILED
        moved.decline = None if decline is None else decline_of(decline)
        if moved.kind is TransactionKind.AUTHORIZATION and decline is not None:
            payment.ended, payment.decline = PaymentState.DECLINED, moved.decline

    def _fail(self, payment: Payment, code: DeclineCode, instrument: str) -> PaymentState:
        decline = decline_of(code)
        attempt = Attempt(
            number=str(self._number()), created_at=self.clock.now(), instrument=instrument, decline=decline
        )
        payment.attempts.append(attempt)
        if instrument in _AT_ONCE and payment.order.only_instrument is not None:
            payment.ended, payment.decline = PaymentState.DECLINED, decline
        self._call_back(payment.callback_url, payment.name, "payment")
        return payment.state

    def _add(self, request: CreateRequest) -> Payment:
        made = Payment(
            # A gateway's number alone would name payments of other gateways in the same test too.
            name=f"mock-{self._number():06d}-{request.payment_id[-_OWN_SIGNS:]}",
            reference=request.reference,
            order=request.order,
            callback_url=request.callback_url,
            created_at=self.clock.now(),
            minor=request.order.amount.minor,
        )
        self._payments[made.name] = made
        return made

    def _move(
        self,
        payment: Payment,
        kind: TransactionKind,
        minor: int,
        *,
        reference: str = "",
        standing: Standing = Standing.DONE,
    ) -> Movement:
        moved = Movement(
            kind=kind,
            number=str(self._number()),
            minor=minor,
            reference=reference,
            at=self.clock.now(),
            standing=standing,
        )
        payment.movements.append(moved)
        return moved

    def _store(self, payment: Payment) -> None:
        store, payer = payment.order.store, payment.order.payer
        if store is not None and payer is not None:
            card = self._number()
            payment.methods = [self._add_method(payer.reference, kind, card=card) for kind in store.kinds]

    def _add_method(
        self,
        payer_reference: str,
        kind: MandateKind,
        *,
        card: int,
        expires: date | None = None,
    ) -> Method:
        method = Method(
            payer_reference=payer_reference,
            kind=kind,
            card=card,
            token=Secret(f"mock-token-{self._number():06d}"),
            expires=expires or (self.clock.now() + _CARD_LIVES).date(),
        )
        self._methods.append(method)
        return method

    def _call_back(self, url: str, name: str, what: str) -> Callback:
        return self.callbacks.put(url, json.dumps({what: name}).encode(), about=name)

    def _payable(self, name: str) -> Payment:
        found = self._find(name)
        if found.is_charge or found.state is not PaymentState.PENDING:
            message = f"{name} is {found.state}: nobody can pay it now"
            raise PayerRefused(message)
        if found.payer_is_gone or self.clock.now() >= found.created_at + self.page_lives:
            message = f"{name}: the payer has closed the page, or its time is over"
            raise PayerRefused(message)
        return found

    def _find(self, name: str) -> Payment:
        found = self._payments.get(name)
        if found is None:
            message = (
                f"this mock has no payment {name!r}; if it is with another MockGateway, use the payer and callbacks "
                "of that one, or let accounts share one: Mock(account=…, gateway=…)"
            )
            raise Conflict(message)
        return found

    def _by_reference(self, reference: str) -> Payment | None:
        return next((each for each in self._payments.values() if each.reference == reference), None)

    def _number(self) -> int:
        self._made += 1
        return self._made


_KIND: Final = {
    Call.CAPTURE: TransactionKind.CAPTURE,
    Call.CANCEL: TransactionKind.RELEASE,
    Call.REFUND: TransactionKind.REFUND,
}


def _charged(payment: Payment, *, apart: bool) -> Charged:
    observed, decline = payment.observed(apart=apart), payment.decline
    if decline is not None:
        return Charged(outcome=Outcome.DECLINED, observation=observed, decline=decline)
    pending = payment.state is PaymentState.PENDING
    return Charged(outcome=Outcome.PENDING if pending else Outcome.SUCCEEDED, observation=observed)


def _trouble(call: Call, manner: Manner) -> PrenopayError | None:
    """Return the error of a manner that ends in one."""
    match manner:
        case Manner.ACCEPT | Manner.DECLINE | Manner.PENDING:
            return None
        case Manner.REFUSE:
            return Rejected(f"{call}: the mock refuses this request", http_status=400, provider_code="mock-refused")
        case Manner.NOT_SENT:
            return NotSent(f"{call}: the connection was refused")
        case Manner.LOST_BEFORE | Manner.LOST_AFTER:
            return OutcomeUnknown(f"{call}: the connection died before the answer")
        case Manner.UNAVAILABLE:
            return ProviderUnavailable(f"{call}: the mock is not available", http_status=503)
        case Manner.UNREADABLE:
            return UnexpectedAnswer(f"{call}: the mock's answer makes no sense", http_status=200)
        case Manner.RATE_LIMITED:
            return RateLimited(f"{call}: too many requests", http_status=429, retry_after=1.0)
        case Manner.UNAUTHENTICATED:
            return Unauthenticated(f"{call}: the credentials are refused", http_status=401)
