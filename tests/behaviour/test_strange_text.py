"""NUL and halves of characters in what a gateway sends: both databases store the rest, and nothing waits forever."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest

from prenopay import CallbackRequest, CaptureMode, PaymentState, Subject
from prenopay.ports import HttpRequest, HttpResponse
from prenopay.testing.clock import VirtualClock
from prenopay.testing.emulators.swedbankpay import SwedbankPayEmulator
from prenopay.testing.http import EmulatorSender
from tests.behaviour.shop import Shop, sek
from tests.rewiring import core_of

_STRANGE = rb'{"strange \u0000": "\u0000 \\u0000 \ud83d",'


class _Strange(EmulatorSender):
    """Adds a text to every answer that PostgreSQL does not take as it is."""

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - the port's shape
        answer = await super().send(request, timeout=timeout)
        return replace(answer, body=answer.body.replace(b"{", _STRANGE, 1))


def test_an_answer_with_strange_text_is_written_down(open_shop: Callable[..., Shop]) -> None:
    emulator = SwedbankPayEmulator(clock=VirtualClock())
    shop = open_shop(emulator=emulator, sender=_Strange(emulator.mounts))
    payment = shop.bought()
    shop.pay(payment)

    assert shop.payments.observe(payment.payment_id).state is PaymentState.AUTHORIZED
    assert [event.payment_id for event in shop.events] == [payment.payment_id]


@pytest.mark.parametrize("to_account", [False, True])
def test_a_callback_with_strange_text_is_worked_on(shop: Shop, *, to_account: bool) -> None:
    payment = shop.bought()
    shop.pay(payment)
    subject = None if to_account else Subject.payment(payment.payment_id)
    path = urlsplit(core_of(shop.accounts.target).callback_urls.url("cards", subject)).path
    body: dict[str, Any] = {"paymentOrder": {"id": f"{payment.provider_reference}"}, "\0": "\0"}

    reply = shop.accounts.receive(CallbackRequest(path=path, body=json.dumps(body).encode()))
    assert reply.status == 200
    shop.accounts.work(reply.address)
    assert shop.payments.get(payment.payment_id).state is PaymentState.AUTHORIZED

    body["paymentOrder"]["id"] += "\0\ud83d"
    reply = shop.accounts.receive(CallbackRequest(path=path, body=json.dumps(body).encode()))
    shop.accounts.work(reply.address)
    assert all(callback.done_at is not None for callback in shop.accounts.callbacks())


class _LongNumbers(EmulatorSender):
    """Makes each number of a transaction longer than its column, with a character that PostgreSQL does not take."""

    async def send(self, request: HttpRequest, *, timeout: float) -> HttpResponse:  # noqa: ASYNC109 - the port's shape
        answer = await super().send(request, timeout=timeout)
        long = rb'"number":"\g<1>' + b"9" * 90 + rb'\\u0000"'
        return replace(answer, body=re.sub(rb'"number":\s*"?(\d+)"?', long, answer.body))


@pytest.mark.every_store
def test_numbers_that_fit_no_column_are_written_once(open_shop: Callable[..., Shop]) -> None:
    emulator = SwedbankPayEmulator(clock=VirtualClock())
    shop = open_shop(emulator=emulator, sender=_LongNumbers(emulator.mounts))
    payment = shop.bought(capture=CaptureMode.AUTOMATIC)
    shop.pay(payment)
    for source in ("host", "the page to which the reader comes back"):
        shop.payments.observe(payment.payment_id, source=source)
    shop.payments.refund(payment.payment_id, sek(1000), operation_id="refund:1")
    shop.payments.refund(payment.payment_id, sek(1000), operation_id="refund:2")
    shop.payments.observe(payment.payment_id)

    seen = shop.payments.get(payment.payment_id)
    assert (seen.captured, seen.refunded, seen.flags) == (sek(11900), sek(2000), ())
    assert shop.told.count("payment.refunded") == 2
    shop.books_agree()
