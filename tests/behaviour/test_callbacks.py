"""Callbacks are hints: they are stored before they are answered, and they only change when something is seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest

from prenopay import CallbackRequest, CaptureMode, FlagKind, Outcome, Payment, PaymentState, Secret
from prenopay.testing.callbacks import Manner, hand_over
from prenopay.testing.clock import VirtualClock
from prenopay.testing.emulators.swedbankpay import AWKWARD
from prenopay.testing.faults import Fault, FaultKind
from prenopay.values.callbacks import BODY_LIMIT_BYTES, CallbackUrls
from prenopay.values.subjects import Subject
from tests.behaviour.shop import CALLBACK_URL, Interrupted, Shop, an_order
from tests.behaviour.test_crashes import mortal
from tests.behaviour.test_races import Interrupter

GOOD_BODY = b'{"paymentOrder":{"id":"%s","instrument":"CreditCard","number":1}}'


def to(shop: Shop, payment: Payment, body: bytes, *, method: str = "POST") -> CallbackRequest:
    """Return a callback to the payment's own URL."""
    url: str = shop.accounts.callback_urls.url(shop.account_name, Subject.payment(payment.payment_id))
    return CallbackRequest(path=url.removeprefix("https://shop.example"), body=body, method=method)


def genuine(payment: Payment) -> bytes:
    return GOOD_BODY % str(payment.provider_reference).encode()


@pytest.mark.every_store
def test_a_callback_opens_access_without_the_browser(shop: Shop) -> None:
    payment = shop.bought(capture=CaptureMode.AUTOMATIC)
    shop.pay(payment)

    shop.deliver_callbacks()

    assert shop.payments.get(payment.payment_id).is_paid
    assert shop.told == ["payment.authorized", "payment.captured"]
    (callback,) = shop.accounts.callbacks()
    assert callback.done_at is not None


@pytest.mark.parametrize("manner", [Manner.DUPLICATE, Manner.REORDER, Manner.DROP])
def test_duplicates_reordering_and_silence_change_only_timing(shop: Shop, manner: Manner) -> None:
    shop.emulator.behaviour = AWKWARD
    shop.emulator.callbacks.behave(manner, times=3)
    payment = shop.bought(capture=CaptureMode.AUTOMATIC)
    shop.pay(payment)
    for _ in range(3):
        shop.deliver_callbacks()
        shop.later(minutes=30)
        shop.accounts.sweep()

    assert shop.payments.get(payment.payment_id).is_paid
    assert shop.told == ["payment.authorized", "payment.captured"]
    shop.books_agree()


def test_a_forged_path_is_refused_before_the_database_is_asked(shop: Shop) -> None:
    payment = shop.bought()
    path = to(shop, payment, b"").path
    for forged in (path[:-1] + ("A" if path[-1] != "A" else "B"), path.replace("cards", "other"), "/", "/a/b/c", ""):
        reply = shop.accounts.receive(CallbackRequest(path=forged, body=genuine(payment)))
        assert (reply.status, reply.address) == (404, None)

    assert shop.accounts.callbacks() == ()


def test_a_body_that_names_another_order_leads_to_a_look_at_ours_and_a_flag(shop: Shop) -> None:
    ours, other = shop.bought("order:1"), shop.bought("order:2")
    shop.pay(other)
    shop.emulator.forge_callback(str(ours.provider_reference), naming=str(other.provider_reference))

    shop.deliver_callbacks()

    assert shop.payments.get(ours.payment_id).state is PaymentState.PENDING
    flags = shop.payments.get(ours.payment_id).flags
    assert [flag.kind for flag in flags] == [FlagKind.FOREIGN_CALLBACK]
    assert str(other.provider_reference) in flags[0].detail
    called = [call.path for call in shop.emulator.transcript.seen if call.call == "get"]
    assert str(ours.provider_reference) in called[-1] or str(ours.provider_reference) in called[-2]


def test_a_body_that_names_another_host_is_never_called(shop: Shop) -> None:
    payment = shop.bought()
    body = b'{"paymentOrder":{"id":"https://evil.example/psp/paymentorders/1","instrument":"","number":1}}'

    reply = shop.accounts.receive(to(shop, payment, body))
    shop.accounts.work(reply.address)

    assert reply.status == 200
    assert [flag.kind for flag in shop.payments.get(payment.payment_id).flags] == [FlagKind.FOREIGN_CALLBACK]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"paymentOrder":{}}', b'{"a":' * 3000 + b"1" + b"}" * 3000, b"<html>"],
)
def test_an_unreadable_body_is_refused_kept_and_looked_into(shop: Shop, body: bytes) -> None:
    payment = shop.bought()
    shop.pay(payment)

    reply = shop.accounts.receive(to(shop, payment, body))
    shop.accounts.work(reply.address)

    assert reply.status == 400
    payment = shop.payments.get(payment.payment_id)
    assert payment.state is PaymentState.AUTHORIZED, "the hint was good, whatever its body"
    assert [flag.kind for flag in payment.flags] == [FlagKind.MALFORMED_CALLBACK]


def test_an_oversized_body_is_refused_and_not_kept(shop: Shop) -> None:
    payment = shop.bought()
    shop.pay(payment)

    reply = shop.accounts.receive(to(shop, payment, b" " * (BODY_LIMIT_BYTES + 1)))
    shop.accounts.work(reply.address)

    assert reply.status == 413
    assert shop.accounts.callbacks()[0].note == "the body is too large"
    assert shop.payments.get(payment.payment_id).state is PaymentState.AUTHORIZED


def test_callbacks_are_posted(shop: Shop) -> None:
    payment = shop.bought()

    reply = shop.accounts.receive(to(shop, payment, b"", method="GET"))

    assert (reply.status, reply.headers) == (405, (("allow", "POST"),))


@pytest.mark.every_store
def test_a_repeat_counts_up_and_a_repeat_of_a_finished_one_is_looked_into_again(shop: Shop) -> None:
    payment = shop.bought()
    request = to(shop, payment, genuine(payment))
    for _ in range(2):
        reply = shop.accounts.receive(request)
    shop.accounts.work(reply.address)
    (callback,) = shop.accounts.callbacks()
    assert (callback.times, callback.done_at is not None) == (2, True)

    shop.pay(payment)
    shop.accounts.receive(request)
    shop.accounts.work(reply.address)

    assert shop.payments.get(payment.payment_id).state is PaymentState.AUTHORIZED
    assert shop.accounts.callbacks()[0].times == 3


def test_a_callback_that_cannot_be_worked_on_waits_and_is_repeated_by_the_sweep(shop: Shop) -> None:
    payment = shop.bought()
    shop.pay(payment)
    shop.emulator.faults.add(Fault(kind=FaultKind.REFUSE, method="GET", times=3))
    shop.deliver_callbacks()
    (callback,) = shop.accounts.callbacks(open_only=True)
    assert (callback.tries, callback.done_at) == (1, None)
    assert "refused" in callback.last_error

    shop.later(seconds=30)
    report = shop.accounts.sweep()

    assert report.callbacks == 1
    assert shop.accounts.callbacks(open_only=True) == ()
    assert shop.payments.get(payment.payment_id).state is PaymentState.AUTHORIZED


@pytest.mark.every_store
def test_a_person_can_replay_a_callback(shop: Shop) -> None:
    payment = shop.bought()
    reply = shop.accounts.receive(to(shop, payment, genuine(payment)))
    shop.accounts.work(reply.address)
    shop.pay(payment)

    assert shop.accounts.replay(shop.accounts.callbacks()[0].inbox_id) == ""

    assert shop.payments.get(payment.payment_id).state is PaymentState.AUTHORIZED


def test_a_callback_for_an_account_that_is_not_open_here_is_to_come_again(shop: Shop) -> None:
    url: str = shop.accounts.callback_urls.url("someone-else", Subject.payment("pay_1"))

    reply = shop.accounts.receive(CallbackRequest(path=url.removeprefix("https://shop.example"), body=b"{}"))

    assert reply.status == 503


@pytest.mark.every_store
def test_the_gateway_is_asked_to_send_again_when_nothing_can_be_stored(
    shop: Shop,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("prenopay.books.inbox.OPEN_MOST", 1)
    payment = shop.bought()
    path = shop.accounts.callback_urls.url("cards").removeprefix("https://shop.example")
    first, second = (CallbackRequest(path=path, body=GOOD_BODY % f"/psp/paymentorders/{n}".encode()) for n in (1, 2))
    assert shop.accounts.receive(first).status == 200

    reply = shop.accounts.receive(second)

    assert reply.status == 503
    assert dict(reply.headers)["retry-after"] == "30"
    assert shop.accounts.receive(to(shop, payment, genuine(payment))).status == 200, "it has a row of its own"


def test_callbacks_go_to_the_url_that_the_gateway_was_given(shop: Shop) -> None:
    payment = shop.bought()
    shop.pay(payment)

    (callback,) = shop.emulator.callbacks.waiting

    assert callback.url.startswith(f"{CALLBACK_URL}/cards/payment/{payment.payment_id}/")


def test_an_old_key_still_verifies_after_the_keys_were_rotated() -> None:
    old, new = Secret("the-old-key-that-signed-addresses"), Secret("the-new-key-that-signs-addresses")
    before = CallbackUrls("https://shop.example/c", [old]).url("cards", Subject.payment("pay_1"))

    after = CallbackUrls("https://shop.example/c", [new, old])

    assert after.verify(before).subject == Subject.payment("pay_1")
    assert after.url("cards", Subject.payment("pay_1")) != before


def test_only_the_gateways_addresses_are_accepted_if_they_are_configured(shop: Shop) -> None:
    shop.add("pinned", callback_sources=("20.91.170.120/29",), trusted_proxies=("10.0.0.0/8",))
    url: str = shop.accounts.callback_urls.url("pinned", Subject.payment("pay_1"))
    request = CallbackRequest(path=url.removeprefix("https://shop.example"), body=GOOD_BODY % b"/psp/paymentorders/1")

    def status(peer: str, forwarded: str = "") -> int:
        headers = {"X-Forwarded-For": forwarded} if forwarded else {}
        answer: int = shop.accounts.receive(replace(request, peer=peer, headers=headers)).status
        return answer

    assert status("20.91.170.121") == 200
    assert status("192.0.2.1") == 400
    assert status("10.1.1.1", "20.91.170.121") == 200
    assert status("10.1.1.1", "20.91.170.121, 192.0.2.1") == 400, "what the caller says about itself is not trusted"


def test_a_good_callback_from_the_gateways_address_raises_no_flag(shop: Shop) -> None:
    pinned = shop.add("pinned", callback_sources=("20.91.170.120/29",))
    payment = pinned.create(an_order(), operation_id="order:pinned")
    shop.emulator.pay_by_card(payment.provider_reference)

    def receive(request: CallbackRequest) -> int:
        reply = shop.accounts.receive(request)
        shop.accounts.work(reply.address)
        return int(reply.status)

    shop.emulator.deliver_callbacks(hand_over(receive, peer="20.91.170.121"))

    seen = pinned.get(payment.payment_id)
    assert (seen.state, seen.flags) == (PaymentState.AUTHORIZED, ())


@pytest.mark.every_store
@pytest.mark.parametrize("skew", [timedelta(0), timedelta(seconds=-1), timedelta(hours=-1), timedelta(hours=1)])
@pytest.mark.parametrize("is_repeat", [False, True])
def test_a_callback_that_comes_during_a_look_is_not_answered_by_that_look(
    database: str,
    skew: timedelta,
    is_repeat: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    shop = Shop("blocking", database)
    payment = shop.bought(capture=CaptureMode.MANUAL)
    sender = Interrupted(shop.emulator)
    looking = shop.restarted(sender=sender)
    body = genuine(payment)

    def payer_pays() -> None:
        shop.pay(payment)
        web = Shop("blocking", database, emulator=shop.emulator, clock=VirtualClock(shop.clock.now() + skew))
        web.accounts.receive(to(shop, payment, body))
        web.close()

    reply = looking.accounts.receive(to(shop, payment, body if is_repeat else b"{}"))
    sender.happens = payer_pays
    looking.accounts.work(reply.address)  # what it reads first is older than what the payer did

    assert len([call for call in shop.emulator.transcript.seen if call.call == "get"]) == 2, "it looks again at once"
    assert looking.accounts.callbacks(open_only=True) == ()
    assert looking.payments.get(payment.payment_id).state is PaymentState.AUTHORIZED
    looking.close()
    shop.close()


@pytest.mark.parametrize("skew", [timedelta(seconds=-1), timedelta(days=-1), timedelta(days=1)])
def test_a_callback_that_another_host_received_is_worked_on_whatever_its_clock_says(
    open_shop: Callable[..., Shop], skew: timedelta
) -> None:
    shop = open_shop()
    web = open_shop(emulator=shop.emulator, clock=VirtualClock(shop.clock.now() + skew))
    payment = shop.bought(capture=CaptureMode.AUTOMATIC)
    shop.pay(payment)

    reply = web.accounts.receive(to(shop, payment, genuine(payment)))
    shop.accounts.work(reply.address)

    assert shop.payments.get(payment.payment_id).is_paid
    assert shop.accounts.callbacks(open_only=True) == ()


def test_what_a_host_read_whose_clock_was_ahead_does_not_stay_the_newest(open_shop: Callable[..., Shop]) -> None:
    shop = open_shop()
    ahead = open_shop(emulator=shop.emulator, clock=VirtualClock(shop.clock.now() + timedelta(days=300)))
    payment = shop.bought()
    assert ahead.payments.observe(payment.payment_id).allowed_actions

    abort = {"paymentorder": {"operation": "Abort", "abortReason": "CancelledByConsumer"}}
    shop.by_hand("PATCH", str(payment.provider_reference), abort)

    assert shop.payments.observe(payment.payment_id).allowed_actions == frozenset()


# Callbacks that come before the answer that they are about


def test_a_callback_about_an_order_whose_answer_was_lost_is_ordinary(shop: Shop) -> None:
    shop.emulator.faults.add(Fault(kind=FaultKind.DROP_AFTER, call="create"))
    shop.tries(shop.bought)
    (lost,) = shop.emulator.orders
    (payment,) = shop.payments.find()
    shop.accounts.receive(to(shop, replace(payment, provider_reference=lost.id), GOOD_BODY % lost.id.encode()))

    shop.later(minutes=2)
    assert shop.accounts.sweep().failures == ()

    seen = shop.payments.get(payment.payment_id)
    assert (seen.state, seen.flags) == (PaymentState.PENDING, ())
    assert shop.accounts.callbacks(open_only=True) == ()
    assert any(seen.provider_reference in call.path for call in shop.emulator.transcript.seen if call.call == "get")
    shop.pay(seen)
    assert shop.payments.observe(payment.payment_id).flags == ()
    nobodys = GOOD_BODY % b"/psp/paymentorders/5adc265f-f87f-4313-577e-08d3dca1a26c"
    shop.accounts.work(shop.accounts.receive(to(shop, seen, nobodys)).address)
    assert [flag.kind for flag in shop.payments.get(payment.payment_id).flags] == [FlagKind.FOREIGN_CALLBACK]


def test_a_callback_that_is_faster_than_the_answer_waits_for_it(database: str) -> None:
    shop = Shop("blocking", database)
    sender = Interrupted(shop.emulator)
    creating = shop.restarted(sender=sender)
    sender.happens = lambda: shop.accounts.work(_arrives(shop))

    payment = creating.bought()

    (waiting,) = shop.accounts.callbacks(open_only=True)
    assert "Conflict" in waiting.last_error
    shop.pay(payment)
    shop.later(seconds=5)
    shop.accounts.sweep()
    seen = shop.payments.get(payment.payment_id)
    assert (seen.state, seen.flags) == (PaymentState.AUTHORIZED, ())
    assert shop.accounts.callbacks(open_only=True) == ()
    creating.close()
    shop.close()


def test_no_callback_is_done_without_a_look_however_the_answer_comes_meanwhile(database: str) -> None:
    looks = 0
    for at in count(1):
        shop = Shop("blocking", database, account=f"cards-{at}")
        shop.emulator.faults.add(Fault(kind=FaultKind.DROP_BEFORE, call="create"))
        shop.tries(shop.bought)
        (payment,) = shop.payments.find()
        reply = shop.accounts.receive(to(shop, payment, b"{}"))

        before = [0]

        def answered(shop: Shop = shop, before: list[int] = before) -> None:
            if shop.payments.operation("order:1").outcome is Outcome.SUCCEEDED:
                return
            shop.payments.resolve("order:1")
            before[0] = len(shop.emulator.transcript.seen)

        interrupter = Interrupter(at, answered)
        process = mortal(shop, interrupter)
        process.accounts.work(reply.address)

        is_open = bool(shop.accounts.callbacks(open_only=True))
        looked = [each for each in shop.emulator.transcript.seen[before[0] :] if each.call in {"create", "get"}]
        assert is_open or looked or interrupter.count < at or not before[0], f"interrupted at await {at}"
        looks += bool(looked)
        process.close()
        shop.close()
        if interrupter.count < at:
            break
    assert looks


def _arrives(shop: Shop) -> object:
    (order,), (payment,) = shop.emulator.orders, shop.payments.find()
    body = GOOD_BODY % order.id.encode()
    return shop.accounts.receive(to(shop, payment, body)).address


def test_a_callback_to_the_accounts_address_waits_for_the_answer_that_brings_its_name(shop: Shop) -> None:
    url: str = shop.accounts.callback_urls.url(shop.account_name, None)
    shop.emulator.faults.add(Fault(kind=FaultKind.DROP_BEFORE, call="create"))
    shop.tries(shop.bought)
    body = GOOD_BODY % b"/psp/paymentorders/5adc265f-f87f-4313-577e-08d3dca1a26c"
    reply = shop.accounts.receive(
        CallbackRequest(path=url.removeprefix("https://shop.example"), body=body, method="POST")
    )

    shop.accounts.work(reply.address)
    (waiting,) = shop.accounts.callbacks(open_only=True)
    assert "answer to an order is missing" in waiting.last_error

    shop.payments.resolve("order:1")
    shop.accounts.work(reply.address)
    assert shop.accounts.callbacks(open_only=True) == ()


def test_each_name_that_comes_to_the_accounts_own_address_is_looked_at(shop: Shop) -> None:
    payments = [shop.bought(f"order:{number}", order_reference=f"K-{number}") for number in range(2)]
    path = shop.accounts.callback_urls.url(shop.account_name).removeprefix("https://shop.example")
    for payment in payments:
        shop.pay(payment)
        body = genuine(payment)
        reply = shop.accounts.receive(CallbackRequest(path=path, body=body))
    shop.accounts.work(reply.address)

    assert [shop.payments.get(payment.payment_id).state for payment in payments] == [PaymentState.AUTHORIZED] * 2
    assert {callback.names for callback in shop.accounts.callbacks()} == {
        (payment.provider_reference,) for payment in payments
    }


def test_a_callback_about_a_lost_charge_says_by_which_name_to_settle_it(shop: Shop) -> None:
    mandate = shop.stored()
    shop.deliver_callbacks()
    shop.emulator.faults.add(Fault(kind=FaultKind.DROP_AFTER, call="charge", times=5))
    made = shop.drawn(mandate, "renewal:1")
    assert made.outcome is Outcome.UNKNOWN
    shop.later(minutes=15)
    charged = shop.emulator.charges()[-1]
    payment = shop.payments.get(made.payment_id)

    reply = shop.accounts.receive(to(shop, payment, GOOD_BODY % charged.order.encode()))
    shop.accounts.work(reply.address)

    (flag,) = shop.payments.get(made.payment_id).flags
    assert charged.order in flag.detail
    assert "settle it by hand with this name" in flag.detail
    settled = shop.payments.settle_by_hand(
        "renewal:1", provider_reference=charged.order, person="Siv", reason="the flag"
    )
    assert settled.outcome is Outcome.SUCCEEDED
