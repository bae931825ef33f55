"""Swish's callbacks are hints: they only change when something is seen, no matter who sends them and what they say."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from prenopay import CallbackRequest, FlagKind, Payment, PaymentState
from prenopay.providers.swish.encoding import callback_identifier
from prenopay.testing.callbacks import Manner
from prenopay.testing.emulators.swish import IdentifierPlace
from prenopay.testing.faults import Fault, FaultKind
from prenopay.values.subjects import Subject
from tests.behaviour.shop import sek
from tests.swish.shop import SwishShop


def to(shop: SwishShop, payment: Payment, body: object, **headers: str) -> CallbackRequest:
    """Return a callback to the payment's own URL."""
    url: str = shop.accounts.callback_urls.url(shop.account_name, Subject.payment(payment.payment_id))
    path = url.removeprefix("https://shop.example")
    return CallbackRequest(path=path, body=json.dumps(body).encode(), headers=headers)


def says_paid(payment: Payment) -> dict[str, object]:
    """Return what Swish would say about a payment that was paid."""
    return {
        "id": payment.provider_reference,
        "amount": 119.0,
        "currency": "SEK",
        "status": "PAID",
        "paymentReference": "1E2FC19E5E5E4E18916609B7F8911C12",
        "datePaid": "2026-01-15T12:00:05.000Z",
    }


def kinds(shop: SwishShop, payment: Payment) -> list[FlagKind]:
    return [flag.kind for flag in shop.payments.get(payment.payment_id).flags]


@pytest.mark.parametrize("place", IdentifierPlace)
@pytest.mark.parametrize("manner", [Manner.DUPLICATE, Manner.REORDER, Manner.DROP])
def test_duplicates_reordering_and_silence_change_only_timing(
    shop: SwishShop, manner: Manner, place: IdentifierPlace
) -> None:
    shop.swish.behaviour = replace(shop.swish.behaviour, identifier_place=place)
    shop.swish.callbacks.behave(manner, times=4)
    payment = shop.paid()
    shop.refund(payment, sek(5000))
    for _ in range(3):
        shop.deliver_callbacks()
        shop.later(minutes=5)
        shop.accounts.sweep()

    assert shop.payments.get(payment.payment_id).refunded == sek(5000)
    assert shop.told == ["payment.authorized", "payment.captured", "payment.refunded"]
    assert kinds(shop, payment) == []
    shop.books_agree()


def test_a_callback_that_says_paid_opens_nothing(shop: SwishShop) -> None:
    payment = shop.bought()

    reply = shop.accounts.receive(to(shop, payment, says_paid(payment)))
    shop.accounts.work(reply.address)

    assert reply.status == 200
    assert shop.payments.get(payment.payment_id).state is PaymentState.PENDING
    assert shop.told == []


@pytest.mark.parametrize("wrong", ["0" * 32, "å" * 32, "x"])
def test_a_wrong_identifier_is_refused_noted_and_looked_into(shop: SwishShop, wrong: str) -> None:
    payment = shop.bought()

    reply = shop.accounts.receive(to(shop, payment, says_paid(payment), callbackIdentifier=wrong))
    shop.accounts.work(reply.address)

    assert reply.status == 400
    assert kinds(shop, payment) == [FlagKind.MALFORMED_CALLBACK]
    assert shop.payments.get(payment.payment_id).state is PaymentState.PENDING


def test_the_right_identifier_is_taken_however_it_is_written(shop: SwishShop) -> None:
    payment = shop.bought()
    path = to(shop, payment, {}).path
    for name, value in (("callbackIdentifier", callback_identifier(path)), ("CALLBACKIDENTIFIER", "")):
        request = to(shop, payment, says_paid(payment), **{name: value.lower()})
        assert shop.accounts.receive(request).status == 200


def test_a_body_that_names_another_payment_leads_to_a_look_at_ours_and_a_flag(shop: SwishShop) -> None:
    ours, other = shop.bought("order:1"), shop.bought("order:2")
    shop.pay(other)
    shop.swish.forge_callback(str(ours.provider_reference), naming=str(other.provider_reference))

    shop.deliver_callbacks()

    assert shop.payments.get(ours.payment_id).state is PaymentState.PENDING
    assert kinds(shop, ours) == [FlagKind.FOREIGN_CALLBACK]
    assert kinds(shop, other) == []
    assert shop.payments.get(other.payment_id).is_paid


def test_the_end_of_a_request_whose_token_was_lost_is_not_foreign(shop: SwishShop) -> None:
    shop.swish.faults.add(Fault(kind=FaultKind.DROP_AFTER, call="create", times=2))
    for _ in range(3):
        shop.tries(shop.bought)
        shop.later(minutes=2)
    payment = shop.bought()
    assert [each.status for each in shop.swish.payments] == ["CANCELLED", "CANCELLED", "CREATED"]

    shop.deliver_callbacks()

    assert kinds(shop, payment) == []
    assert shop.payments.get(payment.payment_id).state is PaymentState.PENDING


@pytest.mark.parametrize("place", [-1, -5])
def test_a_forged_address_is_unknown(shop: SwishShop, place: int) -> None:
    payment = shop.bought()
    path = to(shop, payment, {}).path
    forged = path[:place] + ("A" if path[place] != "A" else "B") + (path[place + 1 :] if place + 1 else "")

    reply = shop.accounts.receive(CallbackRequest(path=forged, body=json.dumps(says_paid(payment)).encode()))

    assert (reply.status, reply.address) == (404, None)
    assert shop.accounts.callbacks() == ()


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"id":"","status":"PAID"}', b"<html>", b"\xff\xfe"])
def test_an_unreadable_body_is_refused_kept_and_looked_into(shop: SwishShop, body: bytes) -> None:
    payment = shop.bought()
    shop.pay(payment)
    shop.swish.callbacks.behave(Manner.HOLD)
    path = to(shop, payment, {}).path

    reply = shop.accounts.receive(CallbackRequest(path=path, body=body))
    shop.accounts.work(reply.address)

    assert reply.status == 400
    assert shop.payments.get(payment.payment_id).is_paid, "the hint was good, whatever its body"
    assert kinds(shop, payment) == [FlagKind.MALFORMED_CALLBACK]


def test_while_the_gateway_is_away_callbacks_wait(shop: SwishShop) -> None:
    payment = shop.bought()
    shop.pay(payment)
    shop.swish.faults.add(Fault(kind=FaultKind.REFUSE, call="get", times=100))
    shop.deliver_callbacks()
    assert shop.payments.get(payment.payment_id).state is PaymentState.PENDING
    shop.swish.faults.clear()

    shop.later(minutes=5)
    assert shop.accounts.sweep().failures == ()
    assert shop.payments.get(payment.payment_id).is_paid
