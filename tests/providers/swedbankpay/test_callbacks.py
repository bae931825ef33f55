"""A callback is a hint: which order it names is read, from whom it came may be checked, and nothing breaks it."""

from __future__ import annotations

import json

import pytest

from prenopay import CallbackRequest
from prenopay.values.callbacks import Heard

from .samples import ORDER_ID, Json, provider

_BODIES: list[Json] = [
    {"orderReference": "4711", "paymentOrder": {"id": ORDER_ID, "instrument": "CreditCard", "number": 40123456789}},
    {"paymentOrder": {"id": ORDER_ID, "instrument": "paymentorders", "number": 40123456789}},
    {"paymentOrder": {"id": ORDER_ID, "instrument": ""}},
    {"paymentorder": {"id": ORDER_ID}},
    {
        "paymentOrder": {"id": ORDER_ID, "instrument": "creditcard"},
        "payment": {"id": "/psp/creditcard/payments/1", "number": 222222222},
        "transaction": {"id": "/psp/creditcard/payments/1/authorizations/2", "number": 333333333},
    },
    {"paymentOrder": {"id": ORDER_ID}, "brandNew": [1, 2, {"deep": None}]},
    {"paymentOrder": {"id": "https://evil.example"}},  # is compared with the stored order later
]


def claim(body: bytes, *, peer: str = "203.0.113.9", forwarded: str = "", sources: tuple[str, ...] = ()) -> Heard:
    receiver = provider(callback_sources=sources, trusted_proxies=("10.0.0.0/8",))
    headers = {"x-forwarded-for": forwarded} if forwarded else {}
    return receiver.read_callback(CallbackRequest(path="/", body=body, headers=headers, peer=peer))


@pytest.mark.parametrize("body", _BODIES)
def test_a_callback_of_any_version_names_its_order_from_any_address(body: Json) -> None:
    named = body.get("paymentOrder") or body["paymentorder"]
    assert Heard(names=(named["id"],)) == claim(json.dumps(body).encode())
    assert claim(json.dumps(body).encode(), peer="").names


_JUNK = [
    *(b"", b" ", b"<html>", b"null", b"[]", b"5", b'"text"', b"{", b"{}", b"\xff\xfe\x00"),
    b'{"paymentOrder": null}',
    b'{"paymentOrder": "/psp/paymentorders/1"}',
    b'{"paymentOrder": {}}',
    b'{"paymentOrder": {"number": 5}}',
    b'{"paymentOrder": "hunter2", "hunter2": ["hunter2"]}',
    b'{"a":' * 100_000,
    b"[" * 100_000,
    b'{"paymentOrder": {"id": "x", "deep": ' + b"[" * 60 + b"]" * 60 + b"}}",
    b'{"n": ' + b"9" * 5000 + b"}",
]


@pytest.mark.parametrize("body", _JUNK, ids=range(len(_JUNK)))
def test_anything_else_is_rejected_with_a_reason_that_does_not_repeat_it(body: bytes) -> None:
    heard = claim(body)
    assert heard.problem
    assert not heard.names
    assert "hunter2" not in repr(heard)


# Where it came from

_BODY = json.dumps(_BODIES[0]).encode()
_THEIRS = ("20.91.170.120/29", "51.107.183.58/32")


@pytest.mark.parametrize(
    ("peer", "forwarded"),
    [
        ("20.91.170.120", ""),
        ("20.91.170.127", ""),
        ("51.107.183.58", ""),
        ("::ffff:20.91.170.121", ""),
        ("10.0.0.1", "20.91.170.121"),
    ],
)
def test_a_callback_from_the_gateways_addresses_is_taken(peer: str, forwarded: str) -> None:
    expected = Heard(names=(ORDER_ID,))
    assert expected == claim(_BODY, peer=peer, forwarded=forwarded, sources=_THEIRS)


@pytest.mark.parametrize(
    ("peer", "forwarded"),
    [("20.91.170.119", ""), ("20.91.170.128", ""), ("203.0.113.9", "20.91.170.121"), ("", ""), ("10.0.0.1", "junk")],
)
def test_a_callback_from_anywhere_else_is_rejected(peer: str, forwarded: str) -> None:
    trust = claim(_BODY, peer=peer, forwarded=forwarded, sources=_THEIRS)
    assert not trust.names
    assert "not an address of the gateway" in trust.problem


# The reply


def test_an_accepted_callback_is_answered_with_an_empty_200_and_others_come_again() -> None:
    reply = provider().callback_reply(accepted=True)
    assert (reply.status, reply.body) == (200, b"")
    assert provider().callback_reply(accepted=False).status == 400
