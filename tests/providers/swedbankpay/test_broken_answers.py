"""An answer that cannot be read is said to be one: nothing is guessed, and nothing else is thrown."""

from __future__ import annotations

import json

import pytest

from prenopay import Order, PaymentState
from prenopay._blocking import run_blocking
from prenopay.errors import UnexpectedAnswer
from prenopay.provider import CreateRequest

from .samples import ORDER_ID, REFERENCE, Script, answer, order, provider, sek

_WHOLE = json.dumps(order()).encode()
_BROKEN = {
    "empty": b"",
    "blank": b" \r\n",
    "html": b"<!doctype html><title>Bad gateway</title>",
    "cut off": _WHOLE[:-1],
    "cut in half": _WHOLE[: len(_WHOLE) // 2],
    "two of them": _WHOLE * 2,
    "null": b"null",
    "a list": b"[]",
    "a text": b'"Paid"',
    "no order": b'{"operations": []}',
    "an order that is a link": json.dumps({"paymentOrder": ORDER_ID}).encode(),
    "an order without an id": b'{"paymentOrder": {"status": "Paid", "amount": 1, "currency": "SEK"}}',
    "not UTF-8": b'{"paymentOrder": "\xff"}',
    "nested without end": b'{"a":' * 200_000,
    "nested too deep": json.dumps(order(deep=json.loads("[" * 41 + "]" * 41))).encode(),
    "a number without end": b'{"a": ' + b"9" * 5000 + b"}",
    "an answer of version 3.0 to a capture": b'{"payment": "/psp/x", "capture": {"transaction": {"amount": 5}}}',
}


@pytest.mark.parametrize("body", _BROKEN.values(), ids=_BROKEN)
def test_a_broken_answer_is_an_error(body: bytes) -> None:
    match = r"^{}: the gateway answered 20. with something that is not"
    with pytest.raises(UnexpectedAnswer, match=match.format("observe")) as caught:
        run_blocking(provider().observe(Script(answer(body)), ORDER_ID))
    assert caught.value.http_status == 200
    asked = Order(amount=sek(100), description="Digital", return_url="https://shop.example")
    request = CreateRequest(order=asked, payment_id="pay_1", reference=REFERENCE, callback_url="https://shop.example")
    with pytest.raises(UnexpectedAnswer, match=match.format("create")):
        run_blocking(provider().create_payment(Script(answer(body, 201)), request))


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(order(noise=["x" * 1000] * 3000)).encode(),
        json.dumps(order(deep=json.loads("[" * 30 + "]" * 30))).encode(),
        b"\xef\xbb\xbf" + _WHOLE,
    ],
    ids=["large", "deep", "byte order mark"],
)
def test_an_unusual_answer_is_read(body: bytes) -> None:
    assert PaymentState.PENDING is run_blocking(provider().observe(Script(answer(body)), ORDER_ID)).state


def test_an_error_does_not_repeat_the_body() -> None:
    with pytest.raises(UnexpectedAnswer) as caught:
        run_blocking(provider().observe(Script(answer(order(amount="hunter2", currency="hunter2"))), ORDER_ID))
    assert "hunter2" not in str(caught.value)
