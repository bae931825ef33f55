"""Large inputs of the kinds that make careless readers slow: the time for each grows no faster than it does."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest

from prenopay.values.callbacks import BODY_LIMIT_BYTES
from tests.providers.swedbankpay import samples as card
from tests.providers.swish import samples as swish

from .calls import enveloped
from .targets import TARGETS

_SECONDS: Final = 15.0
"""Of the processor. Work that grows with the square of these inputs takes minutes, other work a part of a second."""
_MANY: Final = 60_000


def answered(body: bytes, verb: str = "observe", status: int = 200, **headers: str) -> bytes:
    return enveloped({"verb": verb, "status": status, "headers": list(headers.items())}, body)


def packed(document: Any) -> bytes:
    return json.dumps(document).encode()


def _a_list(count: int) -> bytes:
    listed = card.transactions(*[card.transaction("Capture", 1, number) for number in range(count)])
    return packed(card.order("Paid", rels=card.TAKEN, financialTransactions=listed))


_LARGE: Final[Mapping[str, tuple[str, Callable[[], bytes]]]] = {
    "members": ("card_inspect", lambda: packed({f"m{number}": number for number in range(_MANY)})),
    "one member again and again": ("card_inspect", lambda: b"{" + b'"paymentOrder":{},' * _MANY + b'"a":1}'),
    "brackets": ("card_inspect", lambda: b"[" * 1_000_000),
    "quotes": ("swish_inspect", lambda: b'"' + b"\\" * 500_000 + b'"'),
    "digits": ("swish_inspect", lambda: b"[" + b"9" * 500_000 + b"]"),
    "zeros": ("swish_inspect", lambda: packed(swish.payment()).replace(b"149.0", b"0." + b"0" * 500_000)),
    "exponent": ("swish_inspect", lambda: packed(swish.payment()).replace(b"149.0", b"1e-999999999")),
    "errors": ("swish_inspect", lambda: packed([{"errorCode": "RF07"}] * _MANY)),
    "transactions": ("card_answers", lambda: answered(_a_list(5_000))),
    "operations": ("card_answers", lambda: answered(packed(card.order(rels=["capture"] * 5_000)))),
    "masked number": (
        "card_answers",
        lambda: answered(
            packed(
                card.order(
                    "Paid",
                    paid=card.paid(tokens=[card.token(name=name * 100_000) for name in ("1", "*", "x1", "1*", "-")]),
                )
            )
        ),
    ),
    "digits in a problem": (
        "card_answers",
        lambda: answered(packed(card.problem("x", detail="4925 " * 20_000)), status=400),
    ),
    "type of a problem": ("card_answers", lambda: answered(packed({"type": "/" * 500_000, "title": "x"}), status=400)),
    "wait": ("card_answers", lambda: answered(b"", status=429, **{"retry-after": "9" * 500_000})),
    "date": ("card_answers", lambda: answered(b"", "probe", date="Wed, " * 20_000)),
    "location": ("swish_answers", lambda: answered(b"", "create", 201, location="%25" * 200_000)),
    "callback of brackets": ("card_callback", lambda: enveloped({}, b"[" * BODY_LIMIT_BYTES)),
    "forwarded by many": (
        "card_callback",
        lambda: enveloped({"peer": "203.0.113.9", "headers": {"x-forwarded-for": "203.0.113.9," * 5_000}}, b"{}"),
    ),
    "columns": ("tokens", lambda: b"kind," * _MANY),
    "unknown columns": ("tokens", lambda: b",".join(b"c%d" % number for number in range(_MANY))),
    "lines": (
        "tokens",
        lambda: b"payer_reference,kind,token,text_version,agreed_at\n" + b"R,recurrence,t,v,x\n" * 20_000,
    ),
    "year": (
        "tokens",
        lambda: (
            b"payer_reference,kind,token,text_version,agreed_at,expires\nR,recurrence,t,v,2025-01-01T00:00:00Z,"
            + b"9" * 100_000
            + b"-1\n"
        ),
    ),
    "settings": ("settings_file", lambda: b"".join(b"k%d = 1\n" % number for number in range(10_000))),
    "tables": ("settings_file", lambda: b"x = " + b"{a = " * 2_000),
    "keys of a certificate": ("certificate", lambda: enveloped({}, b"-----BEGIN " * 20_000)),
    "certificates": ("certificate", lambda: enveloped({}, b"-----BEGIN CERTIFICATE-----\nAAAA\n" * 8_000)),
}


@pytest.mark.parametrize("name", _LARGE)
def test_a_large_input_takes_no_time(name: str) -> None:
    target, make = _LARGE[name]
    content = make()
    began = time.process_time()
    TARGETS[target](content)
    assert time.process_time() - began < _SECONDS
