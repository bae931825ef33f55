"""Stored bodies, as ``prenopay inspect`` reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from prenopay import PaymentState
from prenopay.cli import main
from prenopay.providers.swish import Swish
from prenopay.values.payments import Action

from .samples import API, TOKEN, UUID, Json, failed, payment, payout, refund


def seen(body: object) -> Any:
    return Swish.inspect(json.dumps(body).encode())


@pytest.mark.parametrize(
    ("body", "kind", "state", "sums"),
    [
        (payment(), "payment", PaymentState.PENDING, (0, 0, None)),
        (payment("PAID"), "payment", PaymentState.CAPTURED, (14900, 14900, None)),
        (payment("PAID", amount="149.50"), "payment", PaymentState.CAPTURED, (14950, 14950, None)),
        (payment("DECLINED"), "payment", PaymentState.DECLINED, (0, 0, None)),
        (payment("CANCELLED"), "payment", PaymentState.CANCELLED, (0, 0, None)),
        (failed("RF07"), "payment", PaymentState.DECLINED, (0, 0, None)),
        (failed("TM01"), "payment", PaymentState.EXPIRED, (0, 0, None)),
        (failed("DS24"), "payment", PaymentState.UNKNOWN, (None, None, None)),
        (payment("SOMETHING"), "payment", PaymentState.PENDING, (None, None, None)),
        (refund("DEBITED"), "refund", PaymentState.PENDING, (None, None, 0)),
        (refund("VALIDATED"), "refund", PaymentState.PENDING, (None, None, 0)),
        (refund("PAID"), "refund", PaymentState.CAPTURED, (None, None, 4950)),
        (refund("ERROR", errorCode="RF07"), "refund", PaymentState.DECLINED, (None, None, 0)),
        (payout("PAID"), "payout", PaymentState.CAPTURED, (None, None, None)),
        (payout("DEBITED"), "payout", PaymentState.PENDING, (None, None, None)),
    ],
)
def test_an_object_is_read(body: Json, kind: str, state: PaymentState, sums: tuple[int | None, ...]) -> None:
    found = seen(body)
    assert (kind, state, sums) == (found.kind, found.state, (found.authorized, found.captured, found.refunded))
    assert (found.currency, found.instrument) == ("SEK", "swish")
    assert found.provider_reference == body.get("id", UUID)
    assert (found.decline is None) is (body["status"] not in {"ERROR", "DECLINED"})


def test_what_is_possible_and_what_is_odd_is_shown() -> None:
    assert seen(payment()).allowed_actions == (Action.CANCEL,)
    assert seen(payment("PAID")).allowed_actions == (Action.REFUND,)
    assert "unknown status" in seen(payment("SOMETHING")).note
    assert "unknown status" in seen(payout("SOMETHING")).note
    assert "paid out: 500.00 SEK" in seen(payout("PAID")).note
    assert tuple(seen(payout(word)).paid_out for word in ("PAID", "DEBITED", "SOMETHING")) == (50000, 0, None)
    assert seen(payout("PAID")).allowed_actions == ()
    assert seen({"recurringIsOffered": True}).kind == "availability"
    assert seen({"method": "POST", "path": "/x", "headers": {}, "body": payment("PAID")}).captured == 14900


@pytest.mark.parametrize(
    ("body", "kind", "state"),
    [
        ({"id": UUID.lower(), "status": "PAID"}, "payment", PaymentState.CAPTURED),
        ({"id": UUID, "status": "PAID", "originalPaymentReference": "X"}, "refund", PaymentState.CAPTURED),
        ({"payoutInstructionUUID": UUID, "status": "DEBITED"}, "payout", PaymentState.PENDING),
        ({"id": UUID, "status": "ERROR", "errorCode": "DS24"}, "payment", PaymentState.UNKNOWN),
        ({"id": UUID, "status": "SOMETHING"}, "payment", None),
    ],
)
def test_a_short_callback_says_its_state_and_no_amount(body: Json, kind: str, state: PaymentState | None) -> None:
    found = seen(body)
    assert (kind, UUID, state) == (found.kind, found.provider_reference, found.state)
    assert {None} == {found.authorized, found.captured, found.refunded, found.paid_out, found.currency}


@pytest.mark.parametrize(
    ("kind", "name"), [("paymentrequests", "payment"), ("refunds", "refund"), ("payouts", "payout")]
)
def test_an_answer_to_a_create_may_stand_in_its_envelope(kind: str, name: str) -> None:
    headers = {"Location": f"{API}/v1/{kind}/{UUID}", "PaymentRequestToken": TOKEN}
    found = seen({"status": 201, "headers": headers, "body": None})
    assert (name, UUID, PaymentState.PENDING) == (found.kind, found.provider_reference, found.state)
    assert TOKEN not in repr(found)


@pytest.mark.parametrize(
    ("body", "state", "note"),
    [
        ([{"errorCode": "RF07", "errorMessage": "no"}], PaymentState.DECLINED, "RF07"),
        ([{"errorCode": "RP09", "errorMessage": "taken"}], PaymentState.UNKNOWN, "look it up"),
        ([{"errorCode": "DS24", "errorMessage": "?"}], PaymentState.UNKNOWN, "look it up"),
        ([{"errorCode": "FF08"}, {"errorCode": "RP02"}], None, "RP02"),
        ([{"errorCode": "PA01", "additionalInformation": ""}], None, "our_setup"),
        ([{"errorCode": "XX99"}], PaymentState.UNKNOWN, "XX99"),
        ({"errorCode": "AM02", "errorMessage": "too much"}, None, "AM02"),
        ({"errorCode": "AM02"}, None, "AM02"),
        ({"errors": [{"errorCode": "AM02"}]}, None, "AM02"),
        ({"error": {"errorCode": "AM02"}}, None, "AM02"),
        ({"status": 401, "headers": {}, "body": None}, None, "HTTP 401"),
        ({"status": 500, "headers": {}, "body": ""}, PaymentState.UNKNOWN, "HTTP 500"),
        (
            {"status": 422, "headers": {}, "body": [{"errorCode": "RF08", "additionalInformation": "40.00"}]},
            None,
            "40.00",
        ),
    ],
)
def test_errors_are_read(body: object, state: PaymentState | None, note: str) -> None:
    found = seen(body)
    assert ("error", state) == (found.kind, found.state)
    assert note in found.note


@pytest.mark.parametrize(
    "body",
    [
        [],
        [1],
        [{"op": "replace"}],
        "text",
        17,
        None,
        {},
        {"token": "x", "format": "png"},
        {"payeeAlias": "1231181189", "amount": "1.00", "currency": "SEK"},
        payment(amount=None),
        payment(id=None),
        refund(status=""),
        {"status": 201, "headers": {}, "body": None},
        {"status": 201, "headers": [], "body": None},
        {"method": "POST", "headers": {}, "body": "text"},
        {"ett ord": 1, "x" * 50: 2},
    ],
)
def test_anything_else_is_refused_in_one_line(body: object) -> None:
    with pytest.raises(ValueError) as refused:
        seen(body)
    assert "\n" not in str(refused.value)


def test_the_command_prints_the_same_keys_for_every_kind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys: set[frozenset[str]] = set()
    file = tmp_path / "x.json"
    for body in (payment("PAID"), refund("PAID"), payout(), [{"errorCode": "RF07"}]):
        file.write_text(json.dumps(body))
        assert main(["inspect", "swish", str(file)]) == 0
        keys.add(frozenset(json.loads(capsys.readouterr().out)))
    assert len(keys) == 1
    file.write_text("{}")
    assert main(["inspect", "swish", str(file)]) == 2
    assert str(file) in capsys.readouterr().err
