"""A caller who knows one callback URL may post to it as often as they like: it costs little, and no other notices."""

from __future__ import annotations

from functools import partial
from itertools import count

import pytest

from prenopay import CallbackRequest, FlagKind, Payment, PaymentState
from prenopay.books import inbox
from prenopay.testing.faults import Fault, FaultKind
from tests.behaviour.shop import Interrupted, Shop
from tests.behaviour.test_callbacks import GOOD_BODY, genuine, to
from tests.behaviour.test_crashes import Executioner, mortal, survives
from tests.behaviour.test_races import Interrupter

FLOOD = 60


def odd(number: int) -> bytes:
    """Return a body that names nothing of ours, or that cannot be read."""
    return GOOD_BODY % f"/psp/paymentorders/{number}".encode() if number % 2 else b"{" * number


def flooded(shop: Shop, payment: Payment, *, posts: int = FLOOD) -> None:
    """Post different odd bodies to one URL, and then work on each that says so."""
    replies = [shop.accounts.receive(to(shop, payment, odd(number))) for number in range(posts)]
    for reply in replies:
        shop.works(reply)


def looks(shop: Shop, payment: Payment) -> int:
    """Return how often the gateway was asked for a payment."""
    name = str(payment.provider_reference)
    return len([call for call in shop.emulator.transcript.seen if call.call == "get" and name in call.path])


@pytest.mark.every_store
def test_a_flood_to_one_url_is_one_row_one_look_and_one_flag_of_each_kind(shop: Shop) -> None:
    payment = shop.bought()

    flooded(shop, payment)

    (stored,) = shop.accounts.callbacks()
    assert (stored.times, stored.done_at is not None) == (FLOOD, True)
    assert len(stored.names) <= 20
    assert looks(shop, payment) == 1
    assert {flag.kind: flag.times for flag in shop.payments.get(payment.payment_id).flags} == {
        FlagKind.MALFORMED_CALLBACK: 1,
        FlagKind.FOREIGN_CALLBACK: 1,
    }
    assert shop.told == ["payment.flagged"] * 2
    flooded(shop, payment)
    assert [flag.times for flag in shop.payments.get(payment.payment_id).flags] == [2, 2]
    assert shop.told == ["payment.flagged"] * 2, "the host is notified of each kind once"
    shown = [entry.text for entry in shop.payments.timeline(payment.payment_id) if entry.kind.startswith("flag.")]
    assert all("found 2 times" in text for text in shown)


def test_one_url_makes_us_look_so_often_in_a_minute_and_the_last_callback_is_looked_into(shop: Shop) -> None:
    payment = shop.bought()
    for number in range(FLOOD):
        shop.works(shop.accounts.receive(to(shop, payment, odd(number))))
    assert looks(shop, payment) == inbox._LOOKS_MOST
    shop.pay(payment)
    shop.works(shop.accounts.receive(to(shop, payment, genuine(payment))))
    assert len(shop.accounts.callbacks(open_only=True)) == 1

    shop.later(minutes=1)
    shop.accounts.sweep()

    assert shop.payments.get(payment.payment_id).state is PaymentState.AUTHORIZED
    assert shop.accounts.callbacks(open_only=True) == ()


def test_while_a_gateway_is_away_a_flood_to_one_url_locks_out_no_other(shop: Shop) -> None:
    ours, other = shop.bought("order:1"), shop.bought("order:2", order_reference="K-2")
    shop.emulator.faults.add(Fault(kind=FaultKind.REFUSE, method="GET", times=1000))
    flooded(shop, ours)
    shop.pay(other)
    assert shop.accounts.receive(to(shop, other, genuine(other))).status == 200
    flooded(shop, ours)
    shop.emulator.faults.clear()

    report = shop.accounts.sweep(limit=2)

    assert shop.payments.get(other.payment_id).state is PaymentState.AUTHORIZED
    assert report.failures == ()
    assert shop.payments.get(other.payment_id).flags == ()


@pytest.mark.every_store
def test_of_two_processes_one_looks_and_it_looks_again_for_what_the_other_took(database: str) -> None:
    shop = Shop("blocking", database)
    payment = shop.bought()
    sender = Interrupted(shop.emulator)
    looking, other = shop.restarted(sender=sender), shop.restarted()
    address = shop.accounts.receive(to(shop, payment, genuine(payment))).address
    reports = []

    def meanwhile() -> None:
        other.accounts.work(address)
        assert looks(shop, payment) == 1, "the other process leaves it to the one that looks"
        shop.pay(payment)
        reply = other.accounts.receive(to(shop, payment, genuine(payment)))
        assert (reply.status, reply.address) == (200, None)
        reports.append(other.accounts.sweep())

    sender.happens = meanwhile
    looking.accounts.work(address)

    assert reports[0].callbacks == 0
    assert looks(shop, payment) == 2
    assert shop.payments.get(payment.payment_id).state is PaymentState.AUTHORIZED
    assert shop.accounts.callbacks(open_only=True) == ()
    for each in (looking, other, shop):
        each.close()


@pytest.mark.every_store
def test_a_process_that_dies_between_leaves_its_callbacks_to_the_sweep(database: str) -> None:
    for at in count(1):
        shop = Shop("blocking", database, account=f"cards-{at}")
        payment = shop.bought()
        shop.pay(payment)
        executioner = Executioner()
        process = mortal(shop, executioner)
        reply = process.accounts.receive(to(shop, payment, genuine(payment)))
        executioner.kill_at = executioner.count + at
        was_killed = not survives(partial(process.accounts.work, reply.address))
        if was_killed:
            shop.works(shop.accounts.receive(to(shop, payment, b"{}")))  # while the claim of the dead lasts
            shop.later(minutes=2)
            assert shop.accounts.sweep().failures == ()

        assert shop.payments.get(payment.payment_id).state is PaymentState.AUTHORIZED, f"killed at await {at}"
        assert shop.accounts.callbacks(open_only=True) == (), f"killed at await {at}"
        process.close()
        shop.close()
        if not was_killed:
            break
    assert at > 3


def test_a_callback_at_any_moment_of_a_look_is_looked_into(database: str) -> None:
    for at in count(1):
        shop = Shop("blocking", database, account=f"cards-{at}")
        payment = shop.bought()
        web = shop.restarted()
        address = shop.accounts.receive(to(shop, payment, genuine(payment))).address

        def paid(shop: Shop = shop, web: Shop = web, payment: Payment = payment) -> None:
            shop.pay(payment)
            web.works(web.accounts.receive(to(shop, payment, genuine(payment))))

        interrupter = Interrupter(at, paid)
        process = mortal(shop, interrupter)
        process.accounts.work(address)

        assert interrupter.count < at or shop.payments.get(payment.payment_id).state is PaymentState.AUTHORIZED, at
        assert shop.accounts.callbacks(open_only=True) == (), f"interrupted at await {at}"
        for each in (process, web, shop):
            each.close()
        if interrupter.count < at:
            break


def addressed(shop: Shop, name: str) -> CallbackRequest:
    """Return a callback to the account's own address."""
    path = shop.accounts.callback_urls.url(shop.account_name).removeprefix("https://shop.example")
    return CallbackRequest(path=path, body=GOOD_BODY % name.encode())


def test_at_an_accounts_own_address_a_payment_that_cannot_be_read_holds_up_no_other(shop: Shop) -> None:
    payments = [shop.bought(f"order:{number}", order_reference=f"K-{number}") for number in range(2)]
    for payment in payments:
        shop.pay(payment)
        reply = shop.accounts.receive(addressed(shop, str(payment.provider_reference)))
    shop.emulator.faults.add(Fault(kind=FaultKind.STATUS_BEFORE, status=500, method="GET"))

    shop.works(reply)

    (waiting,) = shop.accounts.callbacks(open_only=True)
    (well,) = (payment for payment in payments if payment.provider_reference not in waiting.names)
    assert shop.payments.get(well.payment_id).state is PaymentState.AUTHORIZED
    assert waiting.tries == 1
    shop.later(seconds=5)
    assert shop.accounts.sweep().callbacks == 1
    assert shop.accounts.callbacks(open_only=True) == ()


def test_what_was_done_at_an_accounts_own_address_is_removed_after_a_month(shop: Shop) -> None:
    for day in range(0, 80, 20):
        shop.works(shop.accounts.receive(addressed(shop, f"/psp/paymentorders/{day}")))
        shop.later(days=20)

    assert [callback.names for callback in shop.accounts.callbacks()] == [
        ("/psp/paymentorders/60",),
        ("/psp/paymentorders/40",),
    ]
