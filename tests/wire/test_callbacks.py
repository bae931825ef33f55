"""A callback is a hint: which order it names is read, from whom it came may be checked, and nothing breaks it."""

from __future__ import annotations

import json

import pytest

from prenopay import CallbackRequest
from prenopay.provider import ReceivesCallbacks
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
]


def claim(body: bytes, *, peer: str = "203.0.113.9", forwarded: str = "", sources: tuple[str, ...] = ()) -> Heard:
    receiver = provider(callback_sources=sources, trusted_proxies=("10.0.0.0/8",))
    headers = {"x-forwarded-for": forwarded} if forwarded else {}
    return receiver.read_callback(CallbackRequest(path="/", body=body, headers=headers, peer=peer))


@pytest.mark.parametrize("body", _BODIES)
def test_a_callback_of_any_version_names_its_order(body: Json) -> None:
    assert Heard(names=(ORDER_ID,)) == claim(json.dumps(body).encode())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"<html>",
        b"null",
        b"[]",
        b"5",
        b'"text"',
        b"{",
        b"{}",
        b'{"paymentOrder": null}',
        b'{"paymentOrder": "/psp/paymentorders/1"}',
        b'{"paymentOrder": {}}',
        b'{"paymentOrder": {"number": 5}}',
        b"\xff\xfe\x00",
        b'{"a":' * 100_000,
        b"[" * 100_000,
        b'{"paymentOrder": {"id": "x", "deep": ' + b"[" * 60 + b"]" * 60 + b"}}",
        b'{"n": ' + b"9" * 5000 + b"}",
    ],
    ids=range(18),
)
def test_anything_else_is_rejected_with_a_reason(body: bytes) -> None:
    trust = claim(body)
    assert trust.problem
    assert not trust.names


def test_a_reason_does_not_repeat_the_body() -> None:
    trust = claim(b'{"paymentOrder": "hunter2", "hunter2": ["hunter2"]}')
    assert "hunter2" not in repr(trust)


def test_what_a_callback_names_is_not_trusted_to_be_an_order_of_ours() -> None:
    assert Heard(names=("https://evil.example",)) == claim(b'{"paymentOrder": {"id": "https://evil.example"}}')


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


def test_addresses_are_not_looked_at_unless_asked_for() -> None:
    assert claim(_BODY, peer="").names


# The reply


def test_an_accepted_callback_is_answered_with_an_empty_200() -> None:
    reply = provider().callback_reply(accepted=True)
    expected = (200, b"")
    assert expected == (reply.status, reply.body)


def test_an_unreadable_callback_is_answered_so_that_it_comes_again() -> None:
    expected = 400
    assert expected == provider().callback_reply(accepted=False).status


def test_the_provider_says_that_it_receives_callbacks() -> None:
    assert ReceivesCallbacks in type(provider()).__mro__
