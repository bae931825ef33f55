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


@pytest.mark.parametrize(
    ("found", "state", "taken", "actions", "known"),
    [
        (payment(), PaymentState.PENDING, 0, {Action.CANCEL}, True),
        (payment("created"), PaymentState.PENDING, 0, {Action.CANCEL}, True),
        (payment("CREATED", paymentReference=BANKS), PaymentState.PENDING, 0, {Action.CANCEL}, True),
        (payment("PENDING"), PaymentState.PENDING, 0, {Action.CANCEL}, False),
        (payment("SOMETHING"), PaymentState.PENDING, 0, {Action.CANCEL}, False),
        (payment("PAID"), PaymentState.CAPTURED, 14900, {Action.REFUND}, True),
        (payment("DECLINED"), PaymentState.DECLINED, 0, set(), True),
        (payment("CANCELLED", paymentReference=BANKS), PaymentState.CANCELLED, 0, set(), True),
        (failed("RF07", paymentReference=BANKS), PaymentState.DECLINED, 0, set(), True),
        (failed("BANKIDCL"), PaymentState.DECLINED, 0, set(), True),
        (failed("VR01"), PaymentState.DECLINED, 0, set(), True),
        (failed("XX99"), PaymentState.DECLINED, 0, set(), True),
        (failed(""), PaymentState.DECLINED, 0, set(), True),
        (failed("TM01", payerAlias=None), PaymentState.EXPIRED, 0, set(), True),
        (failed("RP08"), PaymentState.CANCELLED, 0, set(), True),
        (failed("DS24"), PaymentState.UNKNOWN, 0, set(), True),
    ],
)
def test_every_status_is_a_state(
    found: Json,
    state: PaymentState,
    taken: int,
    actions: set[Action],
    known: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    observed = observe(found)
    expected = (UUID, state, sek(taken), sek(taken), None, sek(0), sek(14900), frozenset(actions), known)
    assert expected == (
        observed.provider_reference,
        observed.state,
        observed.authorized,
        observed.captured,
        observed.refunded,
        observed.cancelled,
        observed.submitted,
        observed.allowed_actions,
        observed.status_is_known,
    )


def test_a_payment_names_what_it_is_of() -> None:
    observed = observe(payment("PAID"))
    assert (observed.instrument, observed.order_reference, observed.reference) == ("swish", "4711", UUID)


def test_a_cleaned_order_reference_proves_nothing() -> None:
    assert observe(payment(), clean_texts=True).order_reference is None


@pytest.mark.parametrize("nothing", [None, ""])
def test_nothing_comes_in_two_forms(nothing: str | None) -> None:
    observed = observe(payment(payeePaymentReference=nothing, message=nothing, errorMessage=nothing))
    assert observed.order_reference is None


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
        "null",
        '""',
        "true",
        "-1",
        "0.001",
        "NaN",
        "Infinity",
        '"NaN"',
        '"1_0"',
        '" 1"',
        '"1,00"',
        "1e999999999",
        "[]",
        "1e-400",
        "1000000000000000",
        '"٣"',
    ],
)
def test_what_is_no_amount_is_not_taken(written: str) -> None:
    body = json.dumps(payment(amount="AMOUNT")).replace('"AMOUNT"', written).encode()
    with pytest.raises(UnexpectedAnswer):
        observe(body)


def test_unknown_members_and_other_casings_are_taken() -> None:
    shouted = {name.upper(): value for name, value in payment("PAID").items()}
    assert sek(14900) == observe({**shouted, "somethingNew": {"deep": [1]}}).captured


def test_a_lower_case_id_is_ours() -> None:
    assert observe(payment(id=UUID.lower())).provider_reference == UUID


@pytest.mark.parametrize(
    "found",
    [
        payment(id="0" * 32),
        payment(id=None),
        payment(payeeAlias="1231181189"),
        {**payment(), "status": None},
        payment(status=""),
        payment(currency=None),
        [payment()],
        "text",
        {},
    ],
)
def test_what_is_not_our_payment_is_not_taken(found: Any) -> None:
    with pytest.raises(UnexpectedAnswer):
        observe(answer(found))


@pytest.mark.parametrize("body", [b"", b"{", b"<html>", b"\xff", b"[" * 100_000, b'{"amount": ' + b"9" * 5000 + b"}"])
def test_what_is_no_json_is_not_taken(body: bytes) -> None:
    with pytest.raises(UnexpectedAnswer):
        observe(body)


def test_a_payment_without_number_is_taken() -> None:
    assert PaymentState.PENDING is observe(payment(payeeAlias=None)).state


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
        (failed("XX99", "new"), DeclineCode.DECLINED, Advice.NEW_METHOD),
    ],
)
def test_a_no_says_whose_and_what_to_do(found: Json, code: DeclineCode, advice: Advice) -> None:
    decline = observe(found).decline
    assert decline is not None
    assert (code, advice) == (decline.code, decline.advice)


def test_an_uncertain_payment_tells_what_to_do() -> None:
    decline = observe(failed("DS24", "timed out waiting")).decline
    assert decline is not None
    assert "timed out waiting" in decline.text
    assert "bank account" in decline.text


def test_what_is_kept_shows_neither_payer_nor_callback() -> None:
    kept = json.dumps(redact(observe(payment("PAID")).raw))
    assert not [secret for secret in (PHONE, CALLBACK, "00" * 16) if secret in kept]
    assert '"149.0"' in kept
