"""Faults: which calls they hit, in what order, and what the caller then gets."""

from __future__ import annotations

import pytest
from examples.own_provider.gateway import NordpayGateway

from prenopay.testing.emulators.swedbankpay import SwedbankPayEmulator
from prenopay.testing.emulators.swish import SwishEmulator
from prenopay.testing.faults import Fault, FaultBody, FaultKind, FaultPlan, meet
from prenopay.testing.http import Dropped, EmulatorAnswer, HalfBody, Outcome, Refused
from prenopay.testing.mock import MockGateway

WHOLE = EmulatorAnswer(status=200, body=b"0123456789")


class _Deed:
    done = False

    def __call__(self) -> EmulatorAnswer:
        self.done = True
        return WHOLE


def test_each_kind_acts_or_not_and_answers_or_not() -> None:
    cases: list[tuple[FaultKind, bool, Outcome]] = [
        (FaultKind.REFUSE, False, Refused()),
        (FaultKind.DROP_BEFORE, False, Dropped()),
        (FaultKind.DROP_AFTER, True, Dropped()),
        (FaultKind.HALF_BODY, True, HalfBody(WHOLE)),
        (FaultKind.DELAY, True, EmulatorAnswer(status=200, body=b"0123456789", delay_seconds=9)),
    ]
    for kind, acted, outcome in cases:
        deed = _Deed()
        assert meet(Fault(kind=kind, seconds=9), deed) == outcome
        assert deed.done is acted


def test_a_status_is_answered_before_or_after_acting() -> None:
    cases: list[tuple[FaultKind, bool]] = [(FaultKind.STATUS_BEFORE, False), (FaultKind.STATUS_AFTER, True)]
    for kind, acted in cases:
        deed = _Deed()
        answer = meet(Fault(kind=kind, status=502), deed)
        assert isinstance(answer, EmulatorAnswer)
        assert (answer.status, deed.done) == (502, acted)
        assert b"<html>" in answer.body


def test_too_many_requests_says_when_to_come_again() -> None:
    assert ("retry-after", "1") in Fault(kind=FaultKind.STATUS_BEFORE, status=429).answer().headers
    fault = Fault(kind=FaultKind.STATUS_BEFORE, status=503, retry_after=7, body=FaultBody.EMPTY)
    assert fault.answer() == EmulatorAnswer(status=503, headers=(("retry-after", "7"),))


def test_the_first_in_line_takes_the_call_and_is_used_up() -> None:
    first = Fault(kind=FaultKind.DROP_AFTER, call="capture", times=2)
    second = Fault(kind=FaultKind.DELAY, path="/captures")
    plan = FaultPlan(first, second)
    taken = [plan.take(method="POST", path="/x/captures", call="capture") for _ in range(4)]
    assert [fault.kind if fault else None for fault in taken] == [
        FaultKind.DROP_AFTER,
        FaultKind.DROP_AFTER,
        FaultKind.DELAY,
        None,
    ]


def test_a_fault_waits_for_its_call_and_lets_some_pass() -> None:
    plan = FaultPlan(Fault(kind=FaultKind.REFUSE, method="get", after=1))
    assert plan.take(method="POST", path="/", call="create") is None
    assert plan.take(method="GET", path="/", call="get") is None
    assert plan.waiting[0].after == 0
    assert plan.take(method="GET", path="/", call="get") is not None
    assert plan.waiting == ()


def test_a_plan_can_be_cleared() -> None:
    plan = FaultPlan(Fault(kind=FaultKind.REFUSE))
    plan.clear()
    assert plan.take(method="GET", path="/", call="get") is None


def test_a_fault_that_cannot_happen_is_refused() -> None:
    with pytest.raises(ValueError, match="a fault needs"):
        Fault(kind=FaultKind.REFUSE, times=0)
    with pytest.raises(ValueError, match="a fault needs"):
        Fault(kind=FaultKind.REFUSE, after=-1)


def test_a_call_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    for emulator in (SwedbankPayEmulator(), SwishEmulator(), MockGateway(), NordpayGateway()):
        for call in emulator.faults.calls:
            emulator.faults.add(Fault(kind=FaultKind.DELAY, call=call))
        with pytest.raises(ValueError, match="'captrue' is not one of create, "):
            emulator.faults.add(Fault(kind=FaultKind.DELAY, call="captrue"))
