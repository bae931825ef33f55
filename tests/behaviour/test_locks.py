"""Two processes at the same moment on PostgreSQL: what one reads before it acts, the other cannot change meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from prenopay import FlagKind, Payer, PaymentState
from prenopay.errors import CeilingReached, MandateUnusable, PrenopayError
from prenopay.mandates import rows
from prenopay.values.mandates import MandateState, StoreMethod
from tests.behaviour.shop import CONSENT, READER, Shop
from tests.postgresql import Server

pytestmark = pytest.mark.postgresql

_ROUNDS = range(8)
_OTHER_CARD = "5226612199533406"


@pytest.fixture
def shops(postgresql: Server) -> Iterator[tuple[Shop, Shop]]:
    """Return two processes on one database and one gateway."""
    postgresql.empty()
    one = Shop("blocking", postgresql.url)
    other = one.restarted()
    yield one, other
    for shop in (one, other):
        shop.close()


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Make calls at the same moment, each on its own thread; return what came of each: a result, or our error."""
    together = threading.Barrier(len(calls))

    def call(use_case: Callable[[], Any]) -> Any:
        together.wait()
        try:
            return use_case()
        except PrenopayError as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return [each.result() for each in [pool.submit(call, use_case) for use_case in calls]]


def test_one_period_is_charged_once_through_two_methods_of_the_payer(shops: tuple[Shop, Shop]) -> None:
    one, other = shops
    first, second = one.stored("order:1"), one.stored("order:2", pan=_OTHER_CARD)
    for number in _ROUNDS:
        period = f"2026-{number + 1:02}"
        ended = at_once(
            lambda: one.drawn(first, f"a:{period}", period=period),  # noqa: B023 - called in this round
            lambda: other.drawn(second, f"b:{period}", period=period),  # noqa: B023 - called in this round
        )
        assert sorted(type(each).__name__ for each in ended) == ["Conflict", "Operation"], ended
    assert len(one.emulator.charges()) == len(_ROUNDS)


def test_the_last_try_that_a_scheme_allows_is_made_by_one_of_two_payers_of_a_card(shops: tuple[Shop, Shop]) -> None:
    one, other = shops
    mine = one.stored("order:mine", pan=_OTHER_CARD)
    theirs = one.stored("order:theirs", pan=_OTHER_CARD, payer=Payer(reference="R-78"))
    for month in range(4):
        one.emulator.decline_next_charge("carddeclined", times=10)
        for each in range(9):
            assert one.drawn(mine, f"month:{month}:{each}").decline is not None
        ended = at_once(
            lambda: one.drawn(mine, f"mine:{month}"),  # noqa: B023 - called in this round
            lambda: other.drawn(theirs, f"theirs:{month}"),  # noqa: B023 - called in this round
        )
        assert sum(isinstance(each, CeilingReached) for each in ended) == 1, ended
        one.later(days=31)


def test_two_payments_of_one_order_that_are_paid_at_once_are_flagged(shops: tuple[Shop, Shop]) -> None:
    one, other = shops
    for number in _ROUNDS:
        order = f"K-{number}"
        paid = [one.bought(f"order:{number}:{each}", order_reference=order).payment_id for each in range(2)]
        for payment_id in paid:
            one.pay(one.payments.get(payment_id))
        at_once(
            lambda: one.payments.observe(paid[0]),  # noqa: B023 - called in this round
            lambda: other.payments.observe(paid[1]),  # noqa: B023 - called in this round
        )
        flags = [flag.kind for payment_id in paid for flag in one.payments.get(payment_id).flags]
        assert flags == [FlagKind.PAID_TWICE]


def test_a_method_that_is_replaced_while_it_is_charged_stops_neither(
    shops: tuple[Shop, Shop], postgresql: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = shops
    old = one.stored("order:old")
    one.later(minutes=1)  # so that the new one has the higher id
    asked = one.bought("order:new", payer=READER, store=StoreMethod(consent=CONSENT, replaces=old.mandate_id))
    one.pay(asked, pan=_OTHER_CARD)
    replacing, keep_token = threading.Event(), rows.keep_token

    def keep_when_the_charge_waits(*arguments: Any) -> None:
        replacing.set()
        until_somebody_waits(postgresql)
        keep_token(*arguments)

    def charge() -> Any:
        replacing.wait()
        return one.drawn(old, "renewal:1")

    monkeypatch.setattr(rows, "keep_token", keep_when_the_charge_waits)
    charged, seen = at_once(charge, lambda: other.payments.observe(asked.payment_id))

    assert isinstance(charged, MandateUnusable), charged
    assert seen.state is PaymentState.AUTHORIZED, seen
    assert one.mandates.get(old.mandate_id).state is MandateState.REPLACED
    assert_in_order(one, other)


def until_somebody_waits(server: Server) -> None:
    """Return once a transaction waits for a lock of another."""
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    with psycopg.connect(server.url, autocommit=True) as connection:
        for _ in range(2000):
            row = connection.execute(waiting).fetchone()
            if row is not None and row[0]:
                return
    pytest.fail("nobody waited")


def assert_in_order(*shops: Shop) -> None:
    """Check that each subject's events are numbered from one without a gap."""
    numbers: dict[str, list[int]] = {}
    for event in (event for shop in shops for event in shop.events):
        numbers.setdefault(event.subject.id, []).append(event.number)
    for found in numbers.values():
        assert sorted(found) == list(range(1, len(found) + 1))


def test_one_file_of_tokens_is_taken_over_once_by_two_processes(shops: tuple[Shop, Shop]) -> None:
    one, other = shops
    for number in _ROUNDS:
        tokens = [one.emulator.store_card(f"old-{number}").token for _ in range(20)]
        lines = [f"old-{number},unscheduled,{token},terms-1,2024-05-01T12:00:00Z\n" for token in tokens]
        header = "payer_reference,kind,token,text_version,agreed_at\n"
        reports = at_once(
            lambda: one.mandates.take_over(header + "".join(lines), check=False),  # noqa: B023 - called in this round
            lambda: other.mandates.take_over(header + "".join(reversed(lines)), check=False),  # noqa: B023 - in this round
        )
        assert sorted((report.added, report.known) for report in reports) == [(0, 20), (20, 0)]
