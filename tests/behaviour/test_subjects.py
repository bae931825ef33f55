"""What belongs to a subject: events of mandates without payments, accounts' own callback addresses, reactions."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Connection

from prenopay import CallbackRequest, CaptureMode, EventKind, Outcome, PaymentState, Subject
from prenopay.account import Account, News
from prenopay.books.outbox import NewEvent
from prenopay.errors import IdReused, InvalidOrder, OutcomeUnknown
from prenopay.testing.faults import Fault, FaultKind
from tests.behaviour.shop import READER, Shop, sek
from tests.rewiring import core_of, rewire

_HEADER = "payer_reference,kind,token,display,text_version,agreed_at,expires\n"


def taken_over(shop: Shop) -> str:
    """Take over a card that another system stored, and that was never charged here; return its mandate."""
    held = shop.emulator.store_card(READER.reference)
    line = f"{READER.reference},unscheduled,{held.token},Visa,terms-2026,2026-01-02T00:00:00Z,2026-04\n"
    assert shop.mandates.take_over(_HEADER + line).added == 1
    (mandate,) = shop.mandates.of_payer(READER.reference)
    return str(mandate.mandate_id)


def test_a_card_taken_over_and_never_charged_is_reported_when_it_runs_out(shop: Shop) -> None:
    mandate_id = taken_over(shop)

    shop.later(days=70)
    first = shop.accounts.sweep()
    shop.later(days=60)
    second = shop.accounts.sweep()

    heard = [(event.kind, event.subject, event.payment_id, event.amount) for event in shop.events]
    assert heard == [
        (EventKind.MANDATE_EXPIRING, Subject.mandate(mandate_id), "", None),
        (EventKind.MANDATE_ENDED, Subject.mandate(mandate_id), "", None),
    ]
    assert [event.number for event in shop.events] == [1, 2]
    assert first.failures == second.failures == ()


def to_the_account(shop: Shop, named: list[str]) -> CallbackRequest:
    """Return a callback to the account's own address that names one payment after another."""
    path = urlsplit(core_of(shop.accounts.target).callback_urls.url("cards")).path
    return CallbackRequest(path=path, body=json.dumps({"paymentOrder": {"id": named[0]}}).encode())


def test_a_callback_to_the_accounts_own_address_leads_to_what_it_names(shop: Shop) -> None:
    payment, other = shop.bought("order:1"), shop.bought("order:2", order_reference="K-1002")
    for each in (payment, other):
        shop.pay(each)

    reply = shop.accounts.receive(to_the_account(shop, [str(payment.provider_reference)]))
    assert (reply.status, reply.address.subject) == (200, None)
    shop.accounts.work(reply.address)

    assert shop.payments.get(payment.payment_id).state is PaymentState.AUTHORIZED
    assert shop.payments.get(other.payment_id).state is PaymentState.PENDING, "nothing else was looked at"
    (callback,) = shop.accounts.callbacks()
    assert (callback.subject, callback.done_at is None) == (None, False)


def test_an_accounts_callback_that_names_nothing_of_ours_is_answered_and_done(shop: Shop) -> None:
    shop.bought()
    reply = shop.accounts.receive(to_the_account(shop, ["/psp/paymentorders/5adc265f-f87f-4313-577e-08d3dca1a26c"]))
    shop.accounts.work(reply.address)

    (callback,) = shop.accounts.callbacks()
    assert reply.status == 200
    assert callback.done_at is not None


def test_an_accounts_callback_that_cannot_be_worked_on_waits_for_the_sweep(shop: Shop) -> None:
    payment = shop.bought()
    shop.pay(payment)
    shop.emulator.faults.add(Fault(kind=FaultKind.REFUSE, times=9))
    reply = shop.accounts.receive(to_the_account(shop, [str(payment.provider_reference)]))
    shop.accounts.work(reply.address)
    (waits,) = shop.accounts.callbacks()

    shop.emulator.faults.clear()
    shop.later(minutes=1)
    report = shop.accounts.sweep()

    assert (waits.done_at, waits.tries) == (None, 1)
    assert report.failures == ()
    assert shop.payments.get(payment.payment_id).state is PaymentState.AUTHORIZED


def test_a_reaction_stays_or_goes_with_the_change_it_reacts_to(shop: Shop) -> None:
    heard: list[str] = []

    def fails_once(_connection: Connection, _account: Account, subject: Subject, new: NewEvent) -> News:
        heard.append(f"{new.kind} {subject}")
        if len(heard) == 1:
            message = "the reaction failed"
            raise OutcomeUnknown(message)
        return ()

    payment = shop.bought()
    shop.pay(payment)
    back = rewire(shop.accounts.target, reactions=(fails_once,))
    error = shop.tries(lambda: shop.payments.observe(payment.payment_id))
    undone = shop.payments.get(payment.payment_id)
    shop.payments.observe(payment.payment_id)
    back()

    assert isinstance(error, OutcomeUnknown)
    assert (undone.state, undone.authorized) == (PaymentState.PENDING, sek(0))
    assert heard == [f"payment.authorized {payment.payment_id}"] * 2
    assert shop.told == ["payment.authorized"], "the event that was undone was never delivered"


def test_an_operation_id_names_one_thing_whatever_its_subject(shop: Shop) -> None:
    payment = shop.captured("order:1")
    shop.payments.refund(payment.payment_id, sek(100), operation_id="one-id")
    with pytest.raises(IdReused):
        shop.bought("one-id")


# What a provider declares is kept


def limited(shop: Shop, **limits: Any) -> None:
    """Let the gateway of the shop declare other limits."""
    gateway = core_of(shop.accounts.target)._accounts["cards"].gateway
    gateway.limits = replace(gateway.limits, **limits)


@pytest.mark.parametrize("verb", ["capture", "refund"])
def test_a_part_is_refused_where_the_gateway_takes_no_parts(shop: Shop, verb: str) -> None:
    payment = shop.paid(capture=CaptureMode.MANUAL) if verb == "capture" else shop.captured()
    limited(shop, partial_capture=False, partial_refund=False)
    change: Callable[..., Any] = getattr(shop.payments, verb)

    with pytest.raises(InvalidOrder, match="amount: this gateway does not") as refused:
        change(payment.payment_id, sek(100), operation_id="part:1")
    whole = change(payment.payment_id, operation_id="whole:1")

    assert refused.value.field == "amount"
    assert whole.outcome is Outcome.SUCCEEDED
    assert whole.amount == sek(11900)


@pytest.mark.parametrize("hours", [23, 25])
def test_nothing_is_sent_again_once_the_gateway_may_have_forgotten_the_reference(shop: Shop, hours: int) -> None:
    late = hours > 24
    payment = shop.captured()
    limited(shop, resend_window=timedelta(hours=24))
    shop.emulator.faults.add(Fault(kind=FaultKind.DROP_BEFORE, call="reversal", method="POST"))
    lost = shop.payments.refund(payment.payment_id, sek(5000), operation_id="refund:1")

    shop.later(hours=hours)
    shop.accounts.sweep()
    found = shop.payments.operation("refund:1")

    sent = [call for call in shop.emulator.transcript.seen if call.call == "reversal" and call.method == "POST"]
    assert lost.outcome is Outcome.UNKNOWN
    assert len(sent) == (1 if late else 2)
    assert found.outcome is (Outcome.UNKNOWN if late else Outcome.SUCCEEDED)
    assert ("settle it by hand" in found.error) is late


def test_what_may_not_be_sent_again_is_still_found(shop: Shop) -> None:
    payment = shop.captured()
    limited(shop, resend_window=timedelta(hours=24))
    shop.emulator.faults.add(Fault(kind=FaultKind.DROP_AFTER, call="reversal", method="POST"))
    shop.payments.refund(payment.payment_id, sek(5000), operation_id="refund:1")

    shop.later(hours=25)
    shop.accounts.sweep()

    assert shop.payments.operation("refund:1").outcome is Outcome.SUCCEEDED
    assert shop.payments.get(payment.payment_id).refunded == sek(5000)


def test_a_person_settles_what_may_not_be_sent_again(shop: Shop) -> None:
    payment = shop.captured()
    limited(shop, resend_window=timedelta(hours=24))
    shop.emulator.faults.add(Fault(kind=FaultKind.DROP_BEFORE, call="reversal", method="POST"))
    shop.payments.refund(payment.payment_id, sek(5000), operation_id="refund:1")
    shop.later(hours=25)
    shop.accounts.sweep()
    shop.later(hours=1)

    settled = shop.payments.settle_by_hand(
        "refund:1", provider_reference=None, person="Siv", reason="the portal shows no reversal"
    )
    again = shop.payments.refund(payment.payment_id, sek(5000), operation_id="refund:2")

    assert settled.outcome is Outcome.NOT_ATTEMPTED
    assert again.outcome is Outcome.SUCCEEDED
    shop.books_agree()
