"""Taken money stays taken, whatever the gateway says and in any order; and one history has one end."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, strategies as st

from prenopay import PaymentState
from prenopay.payments.lifecycle import ENDED, Step, advance

_STATES = st.sampled_from(PaymentState)
_SAID = st.lists(_STATES, max_size=12)

_PENDING, _AUTHORIZED, _CAPTURED = PaymentState.PENDING, PaymentState.AUTHORIZED, PaymentState.CAPTURED

# What can happen to a payment at a gateway, in order. Each end may be reached with less in between.
_HISTORIES = [
    [_PENDING, _AUTHORIZED, _CAPTURED],
    [_PENDING, _CAPTURED],
    [_PENDING, _AUTHORIZED, PaymentState.CANCELLED],
    [_PENDING, PaymentState.CANCELLED],
    [_PENDING, PaymentState.DECLINED],
    [_PENDING, PaymentState.EXPIRED],
]
_MONEY = {_AUTHORIZED, _CAPTURED}


def live(said: list[PaymentState], *, first: PaymentState = PaymentState.CREATED, had: bool = False) -> list[Step]:
    """Return every step of a life in which the gateway says ``said``. Totals are cumulative, so money is kept."""
    steps = [Step(first)]
    for observed in said:
        steps.append(advance(steps[-1].state, observed, had_money=had))
        had = had or observed in _MONEY
    return steps


@given(_SAID, _SAID)
def test_what_was_taken_stays_taken(before: list[PaymentState], after: list[PaymentState]) -> None:
    steps = live([*before, _CAPTURED, *after])
    later = steps[len(before) + 1 :]
    assert all(step.state is _CAPTURED for step in later)


@given(_SAID)
def test_a_payment_is_unknown_only_where_the_gateway_cannot_say(said: list[PaymentState]) -> None:
    for observed, step in zip(said, live(said)[1:], strict=True):
        assert step.state is not PaymentState.CREATED
        assert step.state is not PaymentState.UNKNOWN or observed is PaymentState.UNKNOWN


@given(_STATES, _STATES, st.booleans())
def test_hearing_the_same_again_changes_nothing(
    current: PaymentState,
    observed: PaymentState,
    had_money: bool,  # noqa: FBT001 - drawn
) -> None:
    once = advance(current, observed, had_money=had_money)
    again = advance(once.state, observed, had_money=had_money or observed in _MONEY)
    assert once.state is again.state
    assert not again.late


@given(st.sampled_from(_HISTORIES), st.data())
def test_one_history_heard_in_any_order_has_one_end(history: list[PaymentState], data: st.DataObject) -> None:
    end = history[-1]
    heard = data.draw(st.lists(st.sampled_from(history), max_size=8).map(lambda some: [*some, end]))
    heard = data.draw(st.permutations(heard))
    # A report of a release has the total that was reserved, so it also reports that money.
    had = end is PaymentState.CANCELLED and _AUTHORIZED in history
    steps = live(list(heard), had=had)
    assert end is steps[-1].state
    assert not any(step.contradiction for step in steps)


@given(_SAID)
def test_an_end_is_left_only_for_money_and_then_it_is_marked(said: list[PaymentState]) -> None:
    steps = live(said)
    for before, after in pairwise(steps):
        if before.state in ENDED and after.state is not before.state:
            assert after.state in _MONEY
            assert after.late or _CAPTURED is after.state


@given(_STATES, _STATES, st.booleans())
def test_only_money_is_ever_late(
    current: PaymentState,
    observed: PaymentState,
    had_money: bool,  # noqa: FBT001 - drawn
) -> None:
    step = advance(current, observed, had_money=had_money)
    assert not step.late or (observed in _MONEY and current in ENDED and not had_money)
