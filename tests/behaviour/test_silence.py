"""What would pass in silence is reported where people look, listed, and can be tried again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import delete

from prenopay import CaptureMode, Event, FlagKind, Payment
from prenopay.books import schema
from prenopay.books.engine import open_engine
from prenopay.errors import InvalidOrder, NotFound
from prenopay.testing.callbacks import Manner
from prenopay.values.callbacks import CallbackRequest
from prenopay.values.subjects import Subject
from tests.behaviour.shop import Shop, an_order

HISTORY = (
    schema.deliveries,
    schema.events,
    schema.observations,
    schema.movements,
    schema.attempts,
    schema.flags,
    schema.inbox,
    schema.operations,
    schema.payers,
    schema.payments,
)


def restore_yesterday(shop: Shop) -> None:
    """Put back the database as it was before anything was sold."""
    engine = open_engine(shop.database)
    with engine.begin() as connection:
        for table in HISTORY:
            connection.execute(delete(table))
    engine.dispose()


# An account that was renamed, or left out


@pytest.mark.every_store
def test_an_account_that_was_left_out_is_reported_with_its_money(open_shop: Callable[..., Shop]) -> None:
    before = open_shop(account="old-name")
    before.bought("order:1")
    before.bought("order:2", order_reference="K-1002")
    after = open_shop(account="new-name", emulator=before.emulator)
    assert after.accounts.sweep().failures == (), "another process may serve it"

    after.later(days=1)
    (failure,) = after.accounts.sweep().failures
    (left_out,) = after.accounts.unserved()

    assert ("'old-name'" in failure, "2 open payments (238.00 SEK)" in failure) == (True, True)
    assert (left_out.account, left_out.payments, [str(each) for each in left_out.amounts]) == (
        "old-name",
        2,
        ["238.00 SEK"],
    )
    after.add("old-name")
    assert after.accounts.sweep().failures == ()
    assert after.accounts.unserved() == ()


def test_an_account_with_nothing_open_is_not_missed(open_shop: Callable[..., Shop]) -> None:
    before = open_shop(account="old-name")
    payment = before.captured()
    before.payments.refund(payment.payment_id, operation_id="refund:1")
    after = open_shop(account="new-name", emulator=before.emulator)
    after.later(days=400)
    before.accounts.sweep()
    after.later(days=2)

    assert after.accounts.sweep().failures == ()


def test_a_callback_of_an_account_that_was_left_out_is_to_come_again(open_shop: Callable[..., Shop]) -> None:
    before = open_shop(account="old-name")
    payment = before.bought()
    path = before.accounts.callback_urls.url("old-name", Subject.payment(payment.payment_id))
    request = CallbackRequest(path=path.removeprefix("https://shop.example"), body=b"{}")
    after = open_shop(account="new-name", emulator=before.emulator)

    assert after.accounts.receive(request).status == 503


# A database that was restored


def test_a_callback_about_a_payment_that_is_not_in_the_books_says_what_to_look_for(shop: Shop) -> None:
    payment = shop.bought()
    shop.pay(payment)
    restore_yesterday(shop)
    shop.deliver_callbacks()
    shop.later(minutes=1)

    failures = shop.accounts.sweep().failures

    assert failures
    assert all("restored" in each and str(payment.provider_reference) in each for each in failures)
    waiting = shop.accounts.callbacks(open_only=True)
    assert "NotFound" in shop.accounts.replay(waiting[0].inbox_id)
    for each in waiting:
        shop.accounts.dismiss_callback(each.inbox_id, person="Ann", reason="given back in the portal")
    shop.later(hours=2)
    assert shop.accounts.sweep().failures == ()
    assert {each.last_error for each in shop.accounts.callbacks()} == {"dismissed by Ann: given back in the portal"}


def test_a_callback_that_names_nothing_in_the_books_is_listed_as_such(shop: Shop) -> None:
    path = shop.accounts.callback_urls.url("cards").removeprefix("https://shop.example")
    body = b'{"paymentOrder":{"id":"/psp/paymentorders/1","instrument":"CreditCard","number":1}}'

    shop.accounts.work(shop.accounts.receive(CallbackRequest(path=path, body=body)).address)

    (callback,) = shop.accounts.callbacks()
    assert (callback.done_at is not None, "restored copy" in callback.last_error) == (True, True)


def test_nobody_dismisses_a_callback_without_name_and_reason_or_twice(shop: Shop) -> None:
    assert isinstance(shop.tries(lambda: shop.accounts.dismiss_callback(1, person="Ann", reason=" ")), InvalidOrder)
    assert isinstance(shop.tries(lambda: shop.accounts.dismiss_callback(1, person="Ann", reason="x")), NotFound)


def test_an_order_that_the_gateway_has_and_the_books_do_not_is_flagged(shop: Shop) -> None:
    lost = shop.bought()
    reference = shop.payments.operation("order:1").reference
    restore_yesterday(shop)

    payment = shop.payments.create(an_order(), operation_id="order:1")

    assert payment.provider_reference != lost.provider_reference
    (flag,) = payment.flags
    assert (flag.kind, reference in flag.detail) == (FlagKind.REFERENCE_SEEN, True)
    assert shop.told == ["payment.flagged"]


# A handler that fails for hours


class Failing:
    """A handler that fails until it is repaired."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop

    def __call__(self, event: Event) -> None:
        message = f"cannot reach the readers for {event.order_reference}"
        raise RuntimeError(message)


def failed_for_hours(shop: Shop) -> Payment:
    shop.on_event = Failing(shop)
    payment = shop.captured()
    for _ in range(6):
        shop.later(hours=1)
        shop.accounts.sweep()
    return payment


@pytest.mark.every_store
def test_an_event_that_the_handler_refuses_is_listed_and_tried_again(shop: Shop) -> None:
    payment = failed_for_hours(shop)
    assert [each.event.number for each in shop.accounts.undelivered()] == [1, 2]

    (first,) = shop.accounts.undelivered(failed_only=True)

    assert (first.event.payment_id, first.tries > 3, "cannot reach the readers" in first.last_error) == (
        payment.payment_id,
        True,
        True,
    )
    assert str(first.event.amount) == "119.00 SEK"
    assert shop.accounts.undelivered(account="other") == ()
    shop.on_event = shop.events.append
    assert shop.accounts.sweep().delivered == 0, "it waits for its next try"
    assert shop.accounts.retry_events() == (first.event.event_id,)
    assert shop.accounts.sweep().delivered == 2
    assert shop.accounts.undelivered() == ()
    assert isinstance(shop.tries(lambda: shop.accounts.retry_events([first.event.event_id])), NotFound)


@pytest.mark.every_store
@pytest.mark.parametrize(("database", "colour"), [("postgresql", "blocking")], indirect=True)
def test_an_event_that_a_handler_has_at_this_moment_is_handed_to_no_other(open_shop: Callable[..., Shop]) -> None:
    shop = open_shop()
    other = open_shop(emulator=shop.emulator)
    delivered: list[int] = []

    def hear(event: Event) -> None:
        shop.events.append(event)
        other.accounts.retry_events([event.event_id])
        delivered.append(other.accounts.sweep().delivered)

    shop.on_event = hear
    shop.captured()

    assert delivered == [0, 0]
    assert shop.told == ["payment.authorized", "payment.captured"]
    assert other.told == []


# A host whose own transaction is rolled back


def test_what_a_host_rolls_back_is_told_to_it_again_by_the_sweep(open_shop: Callable[..., Shop]) -> None:
    """The pattern for hosts whose requests are transactions: they have no handler, and the process that sweeps has."""
    shop = open_shop()
    shop.emulator.callbacks.behave(Manner.DROP, times=1000)
    payment = shop.bought(capture=CaptureMode.AUTOMATIC)
    shop.pay(payment)
    web = open_shop(emulator=shop.emulator, tells=False)

    web.payments.observe(payment.payment_id)  # and then the request's transaction is rolled back

    assert (web.told, shop.told) == ([], [])
    assert shop.accounts.sweep().delivered == 2
    assert shop.told == ["payment.authorized", "payment.captured"]
