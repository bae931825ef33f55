"""Accounts, payments and rows are apart: one that hangs, fails, or cannot be read holds up no other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, update

from prenopay import CaptureMode, Event, PaymentState
from prenopay.books import schema
from prenopay.books.engine import open_engine
from prenopay.errors import IllegalTransition, OutcomeUnknown
from prenopay.ports import HttpRequest, HttpResponse
from prenopay.testing.callbacks import Manner
from prenopay.testing.faults import Fault, FaultKind
from prenopay.testing.http import EmulatorSender
from tests.behaviour.shop import Shop

SLOW = "https://slow.example"


class Hanging:
    """A way to the gateway; the gateway of ``slow.example`` answers only when the other account's events are there."""

    def __init__(self, shop: Callable[[], Shop]) -> None:
        self.shop = shop
        self.hangs = False
        self.sent = 0
        self.told = threading.Event()

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - the port's name
        shop = self.shop()
        if self.hangs and request.url.startswith(SLOW):
            self.sent += 1
            if shop.colour == "blocking":
                assert self.told.wait(20), "the other account waits for this one"
            else:
                import anyio  # noqa: PLC0415

                with anyio.fail_after(20):
                    while not self.told.is_set():
                        await anyio.lowlevel.checkpoint()
            shop.later(seconds=timeout)
            message = "no answer"
            raise OutcomeUnknown(message)
        mounts = {**shop.emulator.mounts, "slow.example": shop.emulator}
        return await EmulatorSender(mounts).send(request, timeout=timeout)


def change(shop: Shop, table: Any, where: Any, **values: Any) -> None:
    """Write into the books as a newer prenopay would."""
    engine = open_engine(shop.database)
    with engine.begin() as connection:
        connection.execute(update(table).where(where).values(**values))
    engine.dispose()


def row(shop: Shop, table: Any, where: Any) -> Any:
    engine = open_engine(shop.database)
    with engine.connect() as connection:
        found = connection.execute(select(table).where(where)).one()
    engine.dispose()
    return found


@pytest.mark.parametrize("slow_name", ["a-slow", "z-slow"])
def test_a_gateway_that_hangs_holds_up_no_other_account(open_shop: Callable[..., Shop], slow_name: str) -> None:
    shops: list[Shop] = []
    way = Hanging(lambda: shops[0])
    shops.append(open_shop(sender=way))
    shop = shops[0]
    slow = shop.add(slow_name, base_url=SLOW)
    shop.emulator.callbacks.behave(Manner.DROP, times=1000)
    from tests.behaviour.shop import an_order  # noqa: PLC0415

    for number in range(5):
        slow.create(an_order(order_reference=f"S-{number}"), operation_id=f"order:{number}")
    payment = shop.bought(capture=CaptureMode.AUTOMATIC)
    shop.pay(payment)
    shop.later(minutes=3)
    caller = threading.get_ident()
    threads: list[int] = []

    def hear(event: Event) -> None:
        threads.append(threading.get_ident())
        shop.events.append(event)
        way.told.set()

    shop.on_event, way.hangs = hear, True
    began = shop.clock.monotonic()
    report = shop.accounts.sweep()

    assert shop.told == ["payment.authorized", "payment.captured"]
    assert set(threads) == {caller}, "a handler is called on the thread of the sweep"
    assert shop.clock.monotonic() - began <= 60 + 30, "a turn has an end"
    assert any(slow_name in each and "no answer" in each for each in report.failures)
    assert any("wait for the next sweep" in each for each in report.failures)
    assert way.sent < 5

    way.hangs = False
    shop.later(minutes=30)
    assert shop.accounts.sweep().failures == ()
    assert shop.accounts.sweep().payments == 0, "what was left was not lost, and waits for nothing"


def test_a_handler_that_fails_is_in_the_report(shop: Shop) -> None:
    shop.emulator.callbacks.behave(Manner.DROP, times=1000)
    first, second = shop.bought("order:1"), shop.bought("order:2", order_reference="K-1002")
    for payment in (first, second):
        shop.pay(payment)

    def hear(event: Event) -> None:
        if event.payment_id == first.payment_id:
            message = "the readers' database is away"
            raise RuntimeError(message)
        shop.events.append(event)

    shop.on_event = hear
    shop.later(minutes=3)
    report = shop.accounts.sweep()

    assert [event.payment_id for event in shop.events] == [second.payment_id]
    (failure,) = report.failures
    assert ("payment.authorized (119.00 SEK)" in failure, "readers' database" in failure) == (True, True)
    shop.on_event = shop.events.append
    shop.later(minutes=1)
    assert shop.accounts.sweep().failures == ()
    assert shop.told == ["payment.authorized"] * 2


# A newer prenopay has written words that this one does not know


@pytest.mark.every_store
def test_a_payment_in_a_newer_state_is_shown_and_left_alone(shop: Shop) -> None:
    shop.emulator.callbacks.behave(Manner.DROP, times=1000)
    newer, other = shop.bought("order:1"), shop.bought("order:2")
    for payment in (newer, other):
        shop.pay(payment)
    is_newer = schema.payments.c.payment_id == newer.payment_id
    change(shop, schema.payments, is_newer, state="disputed")
    before = row(shop, schema.payments, is_newer)
    shop.later(minutes=3)

    report = shop.accounts.sweep()

    assert [each for each in report.failures if "1 payments of cards" in each] == list(report.failures)
    assert shop.payments.get(other.payment_id).state is PaymentState.AUTHORIZED
    shown = shop.payments.get(newer.payment_id)
    assert (shown.state, shown.state.value, shown.is_open, shown.is_paid) == ("disputed", "disputed", False, False)
    assert {each.state.value for each in shop.payments.find()} == {"disputed", "authorized"}
    assert shop.payments.timeline(newer.payment_id)
    assert isinstance(shop.tries(lambda: shop.payments.observe(newer.payment_id)), IllegalTransition)
    assert row(shop, schema.payments, is_newer) == before, "the newer one finds its row as it left it"


@pytest.mark.parametrize("words", [{"kind": "reverse"}, {"outcome": "reversing"}])
def test_nothing_is_done_beside_a_newer_operation(shop: Shop, words: dict[str, str]) -> None:
    payment = shop.captured()
    shop.payments.refund(payment.payment_id, shop.payments.get(payment.payment_id).amount, operation_id="refund:1")
    other = shop.captured("order:2")
    change(shop, schema.operations, schema.operations.c.operation_id == "refund:1", **words)

    again = shop.tries(lambda: shop.payments.refund(payment.payment_id, operation_id="refund:2"))

    assert isinstance(again, IllegalTransition)
    assert shop.payments.refund(other.payment_id, operation_id="refund:3").succeeded
    assert shop.payments.timeline(payment.payment_id)
    assert shop.payments.operation("refund:1").operation_id == "refund:1"
    assert shop.accounts.sweep().failures == ()


def test_an_open_operation_of_a_newer_kind_is_listed_and_left(shop: Shop) -> None:
    payment = shop.captured()
    shop.emulator.faults.add(Fault(kind=FaultKind.DROP_BEFORE, call="reversal", method="POST"))
    shop.payments.refund(payment.payment_id, operation_id="refund:1")
    change(shop, schema.operations, schema.operations.c.operation_id == "refund:1", kind="reverse", outcome="unknown")
    shop.later(hours=1)

    report = shop.accounts.sweep()

    assert [each for each in report.failures if "1 operations of cards" in each] == list(report.failures)
    assert [each.kind for each in shop.payments.open_operations()] == ["reverse"]


def test_newer_flags_actions_and_declines_are_shown(shop: Shop) -> None:
    payment = shop.captured()
    engine = open_engine(shop.database)
    with engine.begin() as connection:
        connection.execute(
            schema.flags.insert().values(
                payment_id=payment.payment_id, kind="disputed", detail="by the bank", raised_at=shop.clock.now()
            )
        )
    engine.dispose()
    decline = {
        "$type": "decline",
        "$v": 1,
        "code": {"$enum": ["decline-code", "card_eaten"]},
        "kind": {"$enum": ["decline-kind", "soft"]},
        "advice": {"$enum": ["an-advice-of-tomorrow", "pray"]},
        "provider_code": "E1",
        "appealed": True,
    }
    change(
        shop,
        schema.payments,
        schema.payments.c.payment_id == payment.payment_id,
        decline=decline,
        allowed_actions=["refund", "appeal"],
    )

    (shown,) = shop.payments.find()

    assert [flag.kind for flag in shown.flags] == ["disputed"]
    assert shown.allowed_actions == {"refund", "appeal"}
    assert (shown.decline.code, shown.decline.advice) == ("card_eaten", "pray")
    assert shop.payments.refund(payment.payment_id, operation_id="refund:1").succeeded


def test_an_event_of_a_newer_kind_waits_for_the_newer_one_in_order(shop: Shop) -> None:
    def refuse(_event: Event) -> None:
        message = "not now"
        raise RuntimeError(message)

    shop.on_event = refuse
    payment, other = shop.captured("order:1"), shop.captured("order:2", order_reference="K-1002")
    first = (schema.events.c.subject_id == payment.payment_id) & (schema.events.c.number == 1)
    change(shop, schema.events, first, kind="payment.disputed")
    shop.on_event = shop.events.append
    shop.later(minutes=1)

    shop.accounts.sweep()

    assert {event.payment_id for event in shop.events} == {other.payment_id}
    change(shop, schema.events, first, kind="payment.authorized")
    shop.accounts.sweep()
    assert [event.number for event in shop.events if event.payment_id == payment.payment_id] == [1, 2]


def test_a_mandate_in_a_newer_state_is_shown_and_left_alone(shop: Shop) -> None:
    mandate = shop.stored()
    is_it = schema.mandates.c.mandate_id == mandate.mandate_id
    change(shop, schema.mandates, is_it, state="paused", next_at=shop.clock.now())
    shop.later(minutes=1)

    report = shop.accounts.sweep()

    assert [each for each in report.failures if "1 mandates of cards" in each] == list(report.failures)
    assert [each.state for each in shop.mandates.of_payer("R-77")] == ["paused"]
    assert isinstance(shop.tries(lambda: shop.drawn(mandate, "draw:1")), IllegalTransition)
    assert isinstance(shop.tries(lambda: shop.mandates.remove(mandate.mandate_id, reason="x")), IllegalTransition)
    assert row(shop, schema.mandates, is_it).state == "paused"


def test_one_mandate_that_cannot_take_its_step_holds_up_no_other(shop: Shop) -> None:
    first, second = shop.stored("order:1"), shop.stored("order:2", pan="4581097032723517")
    for each in (first, second):
        where = schema.mandates.c.mandate_id == each.mandate_id
        change(shop, schema.mandates, where, state="suspended", resume_at=shop.clock.now(), next_at=shop.clock.now())
    change(
        shop, schema.mandates, schema.mandates.c.mandate_id == first.mandate_id, consent={"$type": "tomorrow", "$v": 1}
    )
    shop.later(minutes=1)

    report = shop.accounts.sweep()

    assert len(report.failures) == 1
    assert row(shop, schema.mandates, schema.mandates.c.mandate_id == second.mandate_id).state == "active"


def test_a_callback_about_a_newer_kind_of_subject_is_listed(shop: Shop) -> None:
    payment = shop.bought()
    shop.pay(payment)
    shop.deliver_callbacks()
    change(shop, schema.inbox, schema.inbox.c.subject_id == payment.payment_id, subject_kind="dispute")

    (callback,) = shop.accounts.callbacks()

    assert callback.subject is not None
    assert callback.subject.kind == "dispute"
