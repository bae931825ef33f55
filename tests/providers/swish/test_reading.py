"""What a payment says of itself, in every form it may come in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from prenopay import PaymentState
from prenopay._blocking import run_blocking
from prenopay._redaction import redact
from prenopay.errors import Conflict, PrenopayError, ProviderUnavailable, Unauthenticated, UnexpectedAnswer
from prenopay.ports import HttpResponse
from prenopay.provider import Observation
from prenopay.values.payments import Action, Advice, DeclineCode

from .samples import (
    API,
    BANKS,
    CALLBACK,
    MISSING,
    MISSING_WITH_BODY,
    PHONE,
    UUID,
    Json,
    Script,
    answer,
    errors,
    failed,
    payment,
    provider,
    sek,
)


def observe(given: HttpResponse | Json | bytes, **fields: Any) -> Observation:
    script = Script(given if isinstance(given, HttpResponse) else answer(given))
    observed = run_blocking(provider(**fields).observe(script, UUID))
    (sent,) = script.sent
    assert ("GET", f"{API}/v1/paymentrequests/{UUID}", True) == (sent.method, sent.url, sent.retry_safe)
    return observed


_CANCEL, _REFUND, _NONE = frozenset({Action.CANCEL}), frozenset({Action.REFUND}), frozenset[Action]()
_STATES: list[tuple[Json, PaymentState, int, frozenset[Action], bool]] = [
    (payment(), PaymentState.PENDING, 0, _CANCEL, True),
    (payment("created", payeeAlias=None, id=UUID.lower()), PaymentState.PENDING, 0, _CANCEL, True),
    (payment("CREATED", paymentReference=BANKS), PaymentState.PENDING, 0, _CANCEL, True),
    (payment("PENDING"), PaymentState.PENDING, 0, _CANCEL, False),
    (payment("SOMETHING"), PaymentState.PENDING, 0, _CANCEL, False),
    (payment("PAID"), PaymentState.CAPTURED, 14900, _REFUND, True),
    (payment("DECLINED"), PaymentState.DECLINED, 0, _NONE, True),
    (payment("CANCELLED", paymentReference=BANKS), PaymentState.CANCELLED, 0, _NONE, True),
    (failed("RF07", paymentReference=BANKS), PaymentState.DECLINED, 0, _NONE, True),
    *((failed(code), PaymentState.DECLINED, 0, _NONE, True) for code in ("BANKIDCL", "VR01")),
    *((failed(code), PaymentState.UNKNOWN, 0, _NONE, False) for code in ("XX99", "")),
    (failed("TM01", payerAlias=None), PaymentState.EXPIRED, 0, _NONE, True),
    (failed("RP08"), PaymentState.CANCELLED, 0, _NONE, True),
    (failed("DS24"), PaymentState.UNKNOWN, 0, _NONE, True),
]


@pytest.mark.parametrize("row", _STATES)
def test_every_status_is_a_state(row: tuple[Json, PaymentState, int, frozenset[Action], bool]) -> None:
    found, state, taken, actions, known = row
    seen = observe(found)
    sums = (seen.authorized, seen.captured, seen.refunded, seen.cancelled, seen.submitted)
    assert (sek(taken), sek(taken), None, sek(0), sek(14900)) == sums
    assert (UUID, state, actions, known) == (
        seen.provider_reference,
        seen.state,
        seen.allowed_actions,
        seen.status_is_known,
    )


def test_a_payment_names_its_order_unless_texts_are_cleaned() -> None:
    observed = observe(payment("PAID"))
    assert (observed.instrument, observed.order_reference, observed.reference) == ("swish", "4711", UUID)
    assert observe(payment(), clean_texts=True).order_reference is None
    for nothing in (None, ""):
        empty = payment(payeePaymentReference=nothing, message=nothing, errorMessage=nothing)
        assert observe(empty).order_reference is None


@pytest.mark.parametrize(
    ("written", "minor"),
    [
        ("100.00", 10000),
        ("100", 10000),
        ("1e2", 10000),
        ("250.5", 25050),
        ("20.0", 2000),
        ("0.29", 29),
        ("1.10", 110),
        ('"100.00"', 10000),
        ('"100"', 10000),
        ("999999999999.99", 99999999999999),
        ("4.350", 435),
        ("1.1e1", 1100),
    ],
)
def test_an_amount_is_exact_as_number_and_as_text(written: str, minor: int) -> None:
    body = json.dumps(payment(amount="AMOUNT")).replace('"AMOUNT"', written).encode()
    assert sek(minor) == observe(body).submitted


@pytest.mark.parametrize(
    "written",
    [
        *("null", '""', "true", "-1", "0.001", "NaN", "Infinity", '"NaN"', '"1_0"', '" 1"', '"1,00"', "[]", '"٣"'),
        *("1e999999999", "1e-400", "1000000000000000"),
    ],
)
def test_what_is_no_amount_is_refused(written: str) -> None:
    body = json.dumps(payment(amount="AMOUNT")).replace('"AMOUNT"', written).encode()
    with pytest.raises(UnexpectedAnswer):
        observe(body)


def test_unknown_members_and_other_casings_are_taken() -> None:
    shouted = {name.upper(): value for name, value in payment("PAID").items()}
    assert sek(14900) == observe({**shouted, "somethingNew": {"deep": [1]}}).captured


_NOT_OURS: list[Any] = [
    payment(id="0" * 32),
    payment(id=None),
    payment(payeeAlias="1231181189"),
    {**payment(), "status": None},
    payment(status=""),
    payment(currency=None),
    [payment()],
    "text",
    {},
    *(b"", b"{", b"<html>", b"\xff", b"[" * 100_000, b'{"amount": ' + b"9" * 5000 + b"}"),
]


@pytest.mark.parametrize("found", _NOT_OURS, ids=range(len(_NOT_OURS)))
def test_what_is_not_our_payment_is_refused(found: Any) -> None:
    with pytest.raises(UnexpectedAnswer):
        observe(answer(found))


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (MISSING, Conflict),
        (MISSING_WITH_BODY, Conflict),
        (answer(b"", 401), Unauthenticated),
        (answer(b"", 500), ProviderUnavailable),
        (errors("PA01", status=403), Unauthenticated),
    ],
)
def test_a_payment_that_cannot_be_read_says_why(given: HttpResponse, kind: type[PrenopayError]) -> None:
    with pytest.raises(kind):
        observe(given)


@pytest.mark.parametrize(
    ("found", "code", "advice"),
    [
        (payment("DECLINED"), DeclineCode.CANCELLED_BY_PAYER, Advice.NEW_METHOD),
        (failed("RF07"), DeclineCode.DECLINED, Advice.NEW_METHOD),
        (failed("TM01"), DeclineCode.TIMED_OUT, Advice.AUTHENTICATE),
        (failed("VR02"), DeclineCode.IDENTITY_MISMATCH, Advice.NEW_METHOD),
        (failed("VR01"), DeclineCode.AGE_LIMIT_NOT_MET, Advice.NEVER),
        (failed("FF10"), DeclineCode.UNAVAILABLE, Advice.RETRY_LATER),
        (failed("BANKIDONGOING"), DeclineCode.PAYER_BUSY, Advice.AUTHENTICATE),
        (failed("XX99", "new"), DeclineCode.UNAVAILABLE, Advice.NEVER),
        (failed("DS24", "timed out waiting"), DeclineCode.UNAVAILABLE, Advice.NEVER),
    ],
)
def test_a_decline_says_what_to_do(found: Json, code: DeclineCode, advice: Advice) -> None:
    decline = observe(found).decline
    assert decline is not None
    assert (code, advice) == (decline.code, decline.advice)
    assert (found["errorMessage"] or "") in decline.text
    assert ("bank account" in decline.text) is (found["errorCode"] == "DS24")


def test_what_is_kept_shows_neither_payer_nor_callback() -> None:
    kept = json.dumps(redact(observe(payment("PAID")).raw))
    assert not [secret for secret in (PHONE, CALLBACK, "00" * 16) if secret in kept]
    assert '"149.0"' in kept
