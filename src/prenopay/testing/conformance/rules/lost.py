"""Lost answers: whatever is lost, before or after the gateway acted, one request moves money once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import pytest

from prenopay.errors import NotSent
from prenopay.ports import HttpRequest, HttpResponse
from prenopay.provider import Cancels, Captures, Refunds
from prenopay.testing.conformance.stage import Answer, Stage, answering, changes_something, needs, refused
from prenopay.testing.faults import Fault, FaultKind
from prenopay.values.orders import CaptureMode
from prenopay.values.payments import Operation, Outcome, PaymentState

__all__ = ["LostAnswers", "in_front"]

OPEN: Final = (FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER, FaultKind.UNREADABLE, FaultKind.STATUS_AFTER)
"""After these the caller cannot know whether the gateway acted. (To the caller, half a body is a lost answer.)"""
_NOT_YET_KNOWN: Final = frozenset({Outcome.UNKNOWN, Outcome.PENDING, Outcome.SUCCEEDED})
"""The outcomes that they may have: a provider that looks by itself may know already."""
_MARGIN_SECONDS: Final = 1.0


class LostAnswers:
    """A timeout is never a failure: it is looked into."""

    @pytest.mark.parametrize("fault", OPEN)
    def test_a_create_without_an_answer_ends_in_one_payment(self, stage: Stage, fault: FaultKind) -> None:
        """After a lost answer the same create makes the order payable, and the payer pays once."""
        with stage.losing(fault, "create_payment"):
            stage.tries(lambda: stage.bought(capture=CaptureMode.AUTOMATIC))
        (unknown,) = stage.every_payment()
        assert unknown.is_open, f"{fault}: nobody can know what happened, and the books say {unknown.state}"
        assert stage.operation("order:1").outcome in _NOT_YET_KNOWN

        stage.later(minutes=2)
        payment = stage.bought(capture=CaptureMode.AUTOMATIC)
        assert payment.payment_id == unknown.payment_id
        assert payment.state is PaymentState.PENDING, f"{fault}: the same create again left {payment.state}"
        stage.pays(payment)
        stage.observed(payment)
        stage.settle()

        assert stage.got(payment).is_paid
        assert len(stage.every_payment()) == 1
        assert stage.taken_at_gateway() == stage.due
        stage.books_agree()

    @needs(Captures)
    @pytest.mark.parametrize("fault", OPEN)
    def test_a_capture_without_an_answer_takes_the_money_once(self, stage: Stage, fault: FaultKind) -> None:
        """After a lost answer the same capture finds out what happened, and takes the money once."""
        payment = stage.reserved()
        part = stage.money(stage.due // 3) if stage.provider.limits.partial_capture else payment.due
        with stage.losing(fault, "capture"):
            made = _capture(stage, payment.payment_id, part.minor)
        assert made.outcome in _NOT_YET_KNOWN, f"{fault}: nobody can know what happened, it says {made.outcome}"

        stage.later(minutes=2)
        _capture(stage, payment.payment_id, part.minor)
        stage.settle()

        assert stage.operation("it").outcome is Outcome.SUCCEEDED
        assert stage.at_gateway(payment).captured == part.minor, "captured twice, or not at all"
        stage.books_agree()

    @needs(Refunds)
    @pytest.mark.parametrize("fault", OPEN)
    def test_a_refund_without_an_answer_gives_back_once(self, stage: Stage, fault: FaultKind) -> None:
        """After a lost answer the same refund finds out what happened, and gives the money back once."""
        payment = stage.taken()
        part = stage.money(stage.due // 3) if stage.provider.limits.partial_refund else payment.captured
        with stage.losing(fault, "refund"):
            made = _refund(stage, payment.payment_id, part.minor)
        assert made.outcome in _NOT_YET_KNOWN, f"{fault}: nobody can know what happened, it says {made.outcome}"

        stage.later(minutes=2)
        _refund(stage, payment.payment_id, part.minor)
        stage.settle()

        assert stage.operation("it").outcome is Outcome.SUCCEEDED
        assert stage.at_gateway(payment).refunded == part.minor, "given back twice, or not at all"
        assert stage.told.count("payment.refunded") == 1
        stage.books_agree()

    @needs(Cancels)
    @pytest.mark.parametrize("fault", OPEN)
    def test_a_cancel_without_an_answer_is_found_out(self, stage: Stage, fault: FaultKind) -> None:
        """After a lost answer the same cancel ends the payment, here and at the gateway."""
        payment = stage.bought()
        with stage.losing(fault, "cancel"):
            stage.tries(lambda: stage.do(lambda payments: payments.cancel(payment.payment_id, operation_id="it")))
        assert stage.operation("it").outcome in _NOT_YET_KNOWN

        stage.later(minutes=2)
        stage.do(lambda payments: payments.cancel(payment.payment_id, operation_id="it"))
        stage.settle()

        assert stage.operation("it").outcome is Outcome.SUCCEEDED
        assert not stage.could_pay(payment)

    @needs(Refunds)
    @pytest.mark.parametrize("fault", [FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER])
    def test_resolve_finds_out(self, stage: Stage, fault: FaultKind) -> None:
        """``resolve`` settles what is unknown, without the parameters being given again."""
        payment = stage.taken()
        with stage.losing(fault, "refund"):
            _refund(stage, payment.payment_id, payment.captured.minor)

        stage.later(minutes=2)
        stage.do(lambda payments: payments.resolve("it"))
        stage.settle()

        assert stage.operation("it").outcome is Outcome.SUCCEEDED
        assert stage.at_gateway(payment).refunded == payment.captured.minor
        stage.books_agree()

    @needs(Refunds)
    @pytest.mark.parametrize("fault", [FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER])
    def test_the_sweep_finds_out(self, stage: Stage, fault: FaultKind) -> None:
        """The sweep alone settles what is unknown, though nobody asks again."""
        payment = stage.taken()
        with stage.losing(fault, "refund"):
            _refund(stage, payment.payment_id, payment.captured.minor)

        stage.settle()

        assert stage.operation("it").outcome is Outcome.SUCCEEDED
        assert stage.at_gateway(payment).refunded == payment.captured.minor
        stage.books_agree()

    @needs(Refunds)
    def test_a_status_alone_proves_nothing_about_a_refund(self, stage: Stage) -> None:
        """After a lost answer, anything in front of the gateway may answer: the refund stays open."""
        payment = stage.taken()
        with stage.losing(FaultKind.DROP_AFTER, "refund"):
            _refund(stage, payment.payment_id, payment.captured.minor)

        for said in in_front():
            _stays_open(stage, "it", said, lambda: _refund(stage, payment.payment_id, payment.captured.minor))

        _found_out(stage, "it")
        assert stage.at_gateway(payment).refunded == payment.captured.minor

    @needs(Refunds)
    def test_a_look_that_fails_proves_nothing_about_a_refund(self, stage: Stage) -> None:
        """After a lost answer, looks alone are answered by something in front of the gateway: one refund, not two."""
        payment = stage.taken()
        with stage.losing(FaultKind.DROP_AFTER, "refund"):
            _refund(stage, payment.payment_id, payment.captured.minor)

        for said in in_front():

            def instead(request: HttpRequest, answer: HttpResponse, said: Answer = said) -> HttpResponse:
                return answer if changes_something(request) else said(request)

            stage.later(hours=1)
            with stage.wire.edited(instead):
                stage.tries(lambda: _refund(stage, payment.payment_id, payment.captured.minor))
            outcome = stage.operation("it").outcome
            assert outcome in _NOT_YET_KNOWN, f"the gateway has said nothing, and the books say {outcome}"

        _found_out(stage, "it")
        assert stage.at_gateway(payment).refunded == payment.captured.minor

    @needs(Captures)
    def test_a_status_alone_proves_nothing_about_a_capture(self, stage: Stage) -> None:
        """After a lost answer, anything in front of the gateway may answer: the capture stays open."""
        payment = stage.reserved()
        with stage.losing(FaultKind.DROP_AFTER, "capture"):
            _capture(stage, payment.payment_id, payment.due.minor)

        for said in in_front():
            _stays_open(stage, "it", said, lambda: _capture(stage, payment.payment_id, payment.due.minor))

        _found_out(stage, "it")
        assert stage.at_gateway(payment).captured == payment.due.minor

    def test_a_status_alone_proves_nothing_about_a_create(self, stage: Stage) -> None:
        """After a lost answer, anything in front of the gateway may answer: the payment stays open."""
        with stage.losing(FaultKind.DROP_AFTER, "create_payment"):
            stage.tries(stage.bought)

        for said in in_front():
            _stays_open(stage, "order:1", said, stage.bought)

        stage.tries(stage.bought)
        assert len(stage.every_payment()) == 1

    @needs(Refunds)
    def test_while_nothing_can_be_seen_nothing_is_called_settled(self, stage: Stage) -> None:
        """After a lost answer, a gateway that cannot be reached settles nothing: the outcome stays unknown."""
        payment = stage.taken()
        with stage.losing(FaultKind.DROP_AFTER, "refund"):
            _refund(stage, payment.payment_id, payment.captured.minor)

        with stage.wire.answered(refused):
            for _ in range(3):
                stage.later(hours=1)
                stage.tries(lambda: stage.do(lambda payments: payments.resolve("it")))
                stage.tries(lambda: _refund(stage, payment.payment_id, payment.captured.minor))
                outcome = stage.operation("it").outcome
                assert outcome in {Outcome.UNKNOWN, Outcome.PENDING}, f"nobody could look, and it says {outcome}"

        stage.settle()
        assert stage.operation("it").outcome is Outcome.SUCCEEDED
        assert stage.at_gateway(payment).refunded == payment.captured.minor

    def test_what_did_not_leave_is_not_attempted(self, stage: Stage) -> None:
        """A refused connection is ``NotSent``: nothing happened, and the same id may be used again."""
        with stage.losing(FaultKind.REFUSE, "create_payment"):
            error = stage.tries(stage.bought)

        assert isinstance(error, NotSent), f"what came was {error!r}"
        assert stage.operation("order:1").outcome is Outcome.NOT_ATTEMPTED
        assert len(stage.gateway.books()) == 0
        assert stage.bought().state is PaymentState.PENDING
        assert len(stage.every_payment()) == 1

    def test_the_deadline_is_kept(self, stage: Stage) -> None:
        """However slow the gateway, a call ends within ``limits.deadline_seconds``, and is then unknown."""
        deadline = stage.provider.limits.deadline_seconds
        assert deadline > 0
        began = stage.gateway.clock.monotonic()

        with stage.meeting(Fault(kind=FaultKind.DELAY, seconds=deadline * 2)):
            error = stage.tries(stage.bought)

        spent = stage.gateway.clock.monotonic() - began
        assert spent <= deadline + _MARGIN_SECONDS, f"{spent} seconds, and the deadline is {deadline}"
        assert error is not None, "the answer came too late, and the call says that all is well"
        assert not isinstance(error, NotSent), "a request that left and was not answered is OutcomeUnknown"
        assert stage.operation("order:1").outcome is Outcome.UNKNOWN
        stage.later(minutes=2)
        assert stage.bought().state is PaymentState.PENDING


def in_front() -> Iterator[Answer]:
    """Return what proxies, firewalls and load balancers answer: refusals that are not the gateway's."""
    for status in (404, 405, 409, 410, 421, 422, 431, 451):
        for body in (b"", b"<html><head><title>no</title></head><body>no</body></html>\n"):
            yield answering(status, body)


def _found_out(stage: Stage, operation_id: str) -> None:
    """Let the gateway answer again, and check that the operation ends well."""
    stage.later(hours=1)
    stage.do(lambda payments: payments.resolve(operation_id))
    stage.settle()
    assert stage.operation(operation_id).outcome is Outcome.SUCCEEDED


def _stays_open(stage: Stage, operation_id: str, said: Answer, again: Callable[[], object]) -> None:
    """Repeat a call whose answer was lost while ``said`` answers everything: it must stay open."""
    stage.later(hours=1)
    with stage.wire.answered(said):
        stage.tries(again)
        stage.tries(lambda: stage.do(lambda payments: payments.resolve(operation_id)))
    outcome = stage.operation(operation_id).outcome
    assert outcome in {Outcome.UNKNOWN, Outcome.PENDING}, f"the gateway has said nothing, the books say {outcome}"


def _capture(stage: Stage, payment_id: str, minor: int) -> Operation:
    return stage.do(lambda payments: payments.capture(payment_id, stage.money(minor), operation_id="it"))


def _refund(stage: Stage, payment_id: str, minor: int) -> Operation:
    return stage.do(lambda payments: payments.refund(payment_id, stage.money(minor), operation_id="it"))
