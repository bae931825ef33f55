"""What a callback may claim, what gives a forgery away, and what is answered."""

from __future__ import annotations

import json
from typing import Any

import pytest

from prenopay.providers.swish.encoding import callback_identifier
from prenopay.values.callbacks import CallbackReply, CallbackRequest, Heard

from .samples import CALLBACK, UUID, Json, failed, payment, payout, provider, refund

_PATH = "/prenopay/swish/pay_1/s3cretmac"
_OURS = callback_identifier(CALLBACK)


def read(
    body: Json | bytes, headers: dict[str, str] | None = None, *, path: str = _PATH, peer: str = "", **fields: Any
) -> Heard:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = CallbackRequest(path=path, body=content, headers=headers or {}, peer=peer)
    return provider(**fields).read_callback(request)


_HEADERS: list[dict[str, str]] = [
    {},
    {"callbackIdentifier": _OURS},
    {"CALLBACKIDENTIFIER": _OURS.lower()},
    {"callbackidentifier": ""},
]


@pytest.mark.parametrize(
    "body",
    [
        payment("PAID"),
        payment("DECLINED"),
        payment("CANCELLED"),
        failed("RF07"),
        payment(id=UUID.lower()),
        payment(amount="149.00"),
        payment(dateCreated="2020-10-29T13:40:27.950+0100", somethingNew=1),
    ],
)
def test_a_callback_about_a_payment_names_it(body: Json) -> None:
    for headers in _HEADERS:
        assert Heard(names=(UUID,)) == read(body, headers)
    assert Heard(names=(UUID,)) == read(body, path="")  # a stored one is read without path and headers


@pytest.mark.parametrize("body", [refund("DEBITED"), refund("PAID"), payout("PAID"), payout("ERROR", errorCode="CD01")])
def test_a_callback_about_a_refund_or_payout_names_no_payment(body: Json) -> None:
    assert Heard() == read(body, {"callbackIdentifier": _OURS})


@pytest.mark.parametrize("stated", ["0" * 32, "x", "å", _OURS + "0", "6f1c0b6e-6f0e-4f57-9d3a-0a6a3c1f7c55"])
def test_another_identifier_is_a_forgery(stated: str) -> None:
    assert read(payment("PAID"), {"callbackIdentifier": stated}).problem


def test_an_identifier_is_32_hex_digits_of_its_own_url() -> None:
    assert read(payment("PAID"), {"callbackIdentifier": _OURS}, path="/prenopay/swish/payment/pay_1/other").problem
    assert len(_OURS) == 32
    assert not set(_OURS) - set("0123456789ABCDEF")
    assert callback_identifier(CALLBACK + "x") != _OURS


_JUNK: list[Json | bytes] = [
    *(b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 50_000),
    *({}, payment(id=None), payment(amount=None), {**payment(), "status": None}, refund(amount="x")),
    {**payout(), "payoutInstructionUUID": ""},
]


@pytest.mark.parametrize("body", _JUNK, ids=range(len(_JUNK)))
def test_what_is_no_object_of_swish_is_refused(body: Json | bytes) -> None:
    assert read(body).problem


def test_a_source_may_be_pinned() -> None:
    sources: Json = {"callback_sources": ("192.0.2.0/28",)}
    assert Heard(names=(UUID,)) == read(payment("PAID"), peer="192.0.2.7", **sources)
    assert read(payment("PAID"), peer="192.0.2.77", **sources).problem
    assert read(payment("PAID"), peer="", **sources).problem


def test_the_answer_is_exactly_200() -> None:
    assert CallbackReply(status=200) == provider().callback_reply(accepted=True)
    assert provider().callback_reply(accepted=False).status == 400
