"""No history leads to a draw that a card scheme forbids."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import given, settings, strategies as st

from prenopay.mandates.ceilings import Draw, Never, NotBefore, Now, Scheme, decide, of_another_payer
from prenopay.values.payments import Advice, Decline, DeclineCode, DeclineKind

_START = datetime(2026, 1, 1, tzinfo=UTC)

# The rules on Swedbank Pay's pages, written again here: (failures, window) that must never be exceeded.
_FORBIDDEN = {
    Scheme.VISA: [(15, timedelta(days=30))],
    Scheme.MASTERCARD: [(10, timedelta(hours=24)), (35, timedelta(days=30))],
}


def decline(code: DeclineCode, advice: Advice, not_before: datetime | None = None) -> Decline:
    return Decline(code=code, kind=DeclineKind.SOFT, advice=advice, provider_code="x", not_before=not_before)


_SOFT = decline(DeclineCode.INSUFFICIENT_FUNDS, Advice.RETRY_LATER)
_BLOCKED = decline(DeclineCode.DO_NOT_RETRY, Advice.NEVER)
_DEAD = decline(DeclineCode.CARD_BLOCKED, Advice.NEVER)
_ENDS = st.sampled_from(["good", "soft", "soft", "soft", "soft", "open", "blocked", "dead", "later"])


@settings(max_examples=300)
@given(
    st.sampled_from([Scheme.VISA, Scheme.MASTERCARD]),
    st.lists(st.tuples(st.integers(1, 60 * 30), _ENDS), max_size=120),
)
def test_an_eager_shop_never_draws_where_it_is_forbidden(scheme: Scheme, tries: list[tuple[int, str]]) -> None:
    history: list[Draw] = []
    now = _START
    for minutes, end in tries:
        now += timedelta(minutes=minutes)
        if not isinstance(decide(history, scheme, now), Now):
            continue
        _is_allowed(history, scheme, now)
        history.append(_drawn(now, end))


def _drawn(now: datetime, end: str) -> Draw:
    ends = {"good": None, "soft": _SOFT, "open": None, "blocked": _BLOCKED, "dead": _DEAD}
    if end == "later":
        wait = now + timedelta(hours=72)
        return Draw(at=now, decline=decline(DeclineCode.LIMIT_EXCEEDED, Advice.RETRY_LATER, wait))
    return Draw(at=now, decline=ends[end], is_open=end == "open")


def _is_allowed(history: list[Draw], scheme: Scheme, now: datetime) -> None:
    """Check a draw at ``now`` against the rules, counted in another way than in the code."""
    for failures, window in _FORBIDDEN[scheme]:
        failed = sum(1 for draw in history if now - draw.at < window and (draw.decline or draw.is_open))
        assert failed < failures
    for draw in history:
        if draw.decline is _BLOCKED:
            assert now - draw.at >= timedelta(days=30)
    since_good: list[Draw] = []
    for draw in history:
        since_good = [] if draw.decline is None and not draw.is_open else [*since_good, draw]
    assert not any(draw.decline is _DEAD for draw in since_good)
    waits = [draw.decline.not_before for draw in since_good if draw.decline is not None]
    assert all(wait is None or wait <= now for wait in waits)


@given(st.lists(st.tuples(st.integers(0, 60 * 24 * 40), _ENDS), max_size=60), st.randoms(use_true_random=False))
def test_the_order_of_the_history_does_not_matter(tries: list[tuple[int, str]], chance: Random) -> None:
    history = [_drawn(_START + timedelta(minutes=minute), end) for minute, end in dict(tries).items()]
    now = _START + timedelta(days=41)
    expected = decide(history, Scheme.VISA, now)
    chance.shuffle(history)
    assert expected == decide(history, Scheme.VISA, now)


@given(st.lists(st.tuples(st.integers(0, 60 * 24 * 40), _ENDS), max_size=60))
def test_what_is_forbidden_before_a_time_is_allowed_at_it(tries: list[tuple[int, str]]) -> None:
    history = [_drawn(_START + timedelta(minutes=minute), end) for minute, end in tries]
    now = _START + timedelta(days=41)
    decision = decide(history, Scheme.MASTERCARD, now)
    if isinstance(decision, NotBefore):
        assert decision.at > now
        assert isinstance(decide(history, Scheme.MASTERCARD, decision.at - timedelta(seconds=1)), NotBefore)
        assert isinstance(decide(history, Scheme.MASTERCARD, decision.at), Now)
    assert isinstance(decision, Now | NotBefore | Never)


@given(st.lists(st.tuples(st.integers(0, 60 * 24 * 40), _ENDS), max_size=60))
def test_another_payers_card_counts_and_blocks_and_never_ends_this_one(tries: list[tuple[int, str]]) -> None:
    theirs = [_drawn(_START + timedelta(minutes=minute), end) for minute, end in tries]
    taken_over = [each for draw in theirs for each in of_another_payer(draw)]
    now = _START + timedelta(days=41)

    failed = [draw.at for draw in theirs if draw.decline is not None or draw.is_open]
    assert failed == [draw.at for draw in taken_over]
    match decide(taken_over, Scheme.VISA, now):
        case NotBefore(rule=rule):
            assert rule in {"visa-30-days", "do-not-retry"}
        case Never():
            raise AssertionError
        case Now():
            blocks = [draw.at for draw in theirs if draw.decline is _BLOCKED]
            assert all(now - at >= timedelta(days=30) for at in blocks)
