"""The gateway's own documented samples, if a folder of them is given: each is read, and written again."""

from __future__ import annotations

import csv
import json
import os
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from prenopay import Money, Order, PageStyle, Payer, PaymentState, phone_number
from prenopay._blocking import run_blocking
from prenopay.errors import InvalidOrder
from prenopay.provider import CreateRequest
from prenopay.providers.swish import Swish, encoding, qr, signing
from prenopay.providers.swish.encoding import cancel_body, payment_body, payout_payload, qr_body, refund_body
from prenopay.providers.swish.problems import TABLE, Certainty, Verdict
from prenopay.values.callbacks import CallbackRequest, Heard
from prenopay.values.orders import PayoutOrder

from .authority import issued
from .samples import (
    API,
    CALLBACK,
    RETURN,
    UUID,
    Json,
    Script,
    answer,
    change,
    config,
    payment,
    payout_request,
    provider,
)

_FOLDER = os.environ.get("PRENOPAY_SAMPLES", "")

pytestmark = pytest.mark.skipif(not _FOLDER, reason="PRENOPAY_SAMPLES names no folder of documented samples")


def load(name: str) -> Any:
    return json.loads((Path(_FOLDER) / "swish" / name).read_text(encoding="utf-8"))


def index() -> dict[str, str]:
    with (Path(_FOLDER) / "swish" / "index.tsv").open(encoding="utf-8", newline="") as file:
        return {row["file"]: row["kind"] for row in csv.DictReader(file, delimiter="\t")}


def body_of(name: str) -> bytes:
    return (Path(_FOLDER) / "swish" / name).read_bytes()


# Reading

_STATES = {
    "CREATED": PaymentState.PENDING,
    "VALIDATED": PaymentState.PENDING,
    "DEBITED": PaymentState.PENDING,
    "PAID": PaymentState.CAPTURED,
    "DECLINED": PaymentState.DECLINED,
    "CANCELLED": PaymentState.CANCELLED,
    "TM01": PaymentState.EXPIRED,
    "DS24": PaymentState.UNKNOWN,
    "RF07": PaymentState.DECLINED,
}
_MADE = {"paymentrequests": "payment", "refunds": "refund", "payouts": "payout"}


def expected_of(name: str) -> tuple[str, PaymentState | None]:
    """Return a sample's kind and the state that it reports; "refused" for what prenopay does not read."""
    kind, decoded = index()[name], load(name)
    if name.startswith("rec_"):
        return ("availability" if kind == "response" else "refused"), None
    if kind == "error":
        verdict = TABLE[decoded[0]["errorCode"]].verdict
        states = {Verdict.DECLINE: PaymentState.DECLINED, Verdict.SEEN_BEFORE: PaymentState.UNKNOWN}
        return "error", states.get(verdict)
    if kind == "response-envelope":
        if decoded["status"] == 401:
            return "error", None
        return _MADE[decoded["headers"]["Location"].split("/")[-2]], PaymentState.PENDING
    found = decoded["body"] if kind == "callback-envelope" else decoded
    if kind not in {"callback-body", "callback-envelope", "response"}:
        return "refused", None
    is_refund = "originalPaymentReference" in found
    word = found["errorCode"] if found["status"] == "ERROR" else found["status"]
    return "refund" if is_refund else "payment", _STATES[word]


def read(name: str) -> tuple[str, PaymentState | None]:
    try:
        seen = Swish.inspect(body_of(name))
    except ValueError:
        return "refused", None
    return seen.kind, seen.state


def test_every_sample_is_read_for_what_it_is() -> None:
    assert {name: expected_of(name) for name in index()} == {name: read(name) for name in index()}
    assert {"payment", "refund", "payout", "error", "availability", "refused"} == {
        expected_of(name)[0] for name in index()
    }


def test_every_object_is_read_by_the_provider() -> None:
    for name, kind in index().items():
        if kind not in {"callback-body", "response"} or name.startswith("rec_"):
            continue
        found = load(name)
        if "originalPaymentReference" in found:
            gateway = provider(number=found["payerAlias"]) if found["payerAlias"] != "1234567839" else None
            if gateway is not None:
                asked = change(
                    reference=found["id"],
                    amount=Money(round(float(found["amount"]) * 100), "SEK"),
                    callback_url=found.get("callbackUrl") or "",
                )
                paid = replace(
                    run_blocking(provider().observe(Script(answer(payment("PAID"))), UUID)),
                    bank_reference=found["originalPaymentReference"],
                    order_reference=found.get("payerPaymentReference") or None,
                )
                run_blocking(gateway.observe_refund(Script(answer(found)), asked, paid))
            continue
        observed = run_blocking(provider(number=found["payeeAlias"]).observe(Script(answer(found)), found["id"]))
        assert observed.state is _STATES[found["errorCode"] or found["status"]]
        assert observed.captured == (Money(10000, "SEK") if found["status"] == "PAID" else Money(0, "SEK"))


def test_every_callback_is_a_hint() -> None:
    for name, kind in index().items():
        if kind == "callback-body":
            claim = provider().read_callback(CallbackRequest(path="", body=body_of(name)))
            expected = () if name.startswith("cb_ref") else (load(name)["id"],)
            assert claim == Heard(names=expected)


# Writing

_DIFFERS = {"callbackIdentifier", "amount"}


def essence(asked: Json) -> Json:
    """Return a request without what is derived here, and with its amount as a number."""
    return {name: value for name, value in asked.items() if name not in _DIFFERS} | {"amount": Decimal(asked["amount"])}


def account_of(number: str, **fields: Any) -> Swish:
    return config(number=number, certificate=issued().whole_pem, **fields)


@pytest.mark.parametrize("name", ["pay_create_ecom_req.json", "pay_create_mcom_req.json", "pay_create_full_req.json"])
def test_documented_payments_are_written_field_by_field(name: str) -> None:
    sample = load(name)
    payer = Payer(
        phone=sample.get("payerAlias", ""),
        personal_number=sample.get("payerSSN", ""),
        must_match_personal_number="payerSSN" in sample,
    )
    order = Order(
        amount=Money.from_decimal(sample["amount"], "SEK"),
        description=sample["message"],
        return_url=RETURN,
        order_reference=sample["payeePaymentReference"],
        page=PageStyle.PHONE if "payerAlias" in sample else PageStyle.REDIRECT,
        payer=payer,
        age_limit=int(sample["ageLimit"]) if "ageLimit" in sample else None,
    )
    request = CreateRequest(order=order, payment_id="", reference="", callback_url=sample["callbackUrl"])
    assert essence(sample) == essence(json.loads(payment_body(account_of(sample["payeeAlias"]), request)))


def test_the_least_documented_payment_has_what_ours_always_has() -> None:
    sample = load("pay_create_minimal_req.json")
    ours = json.loads(payment_body(config(), CreateRequest(
        order=Order(amount=Money(100, "SEK"), description="x", return_url=RETURN),
        payment_id="", reference="", callback_url=sample["callbackUrl"],
    )))  # fmt: skip
    assert {**sample, "message": "x", "callbackIdentifier": ours["callbackIdentifier"]} == ours


@pytest.mark.parametrize("name", ["ref_create_req.json", "ref_create_req_min.json"])
def test_documented_refunds_are_written_field_by_field(name: str) -> None:
    sample = load(name)
    asked = change(
        amount=Money.from_decimal(sample["amount"], "SEK"),
        description=sample.get("message", ""),
        callback_url=sample["callbackUrl"],
    )
    ours = refund_body(
        account_of(sample["payerAlias"]),
        asked,
        original=sample["originalPaymentReference"],
        order_reference=sample.get("payerPaymentReference", ""),
    )
    sample.pop("payeeAlias", None)  # may be left out: Swish knows the payer
    assert essence(sample) == essence(json.loads(ours))


def test_the_documented_cancel_is_written_field_by_field() -> None:
    assert load("pay_cancel_req.json") == json.loads(cancel_body())


def test_the_documented_payout_is_written_field_by_field() -> None:
    sample = load("po_create_req_guide.json")["payload"]
    order = PayoutOrder(
        amount=Money.from_decimal(sample["amount"], "SEK"),
        payee_phone=sample["payeeAlias"],
        payee_personal_number=sample["payeeSSN"],
        description=sample["message"],
        reference=sample["payerPaymentReference"],
    )
    request = payout_request()
    ours = json.loads(
        payout_payload(
            account_of(sample["payerAlias"]),
            type(request)(
                order=order,
                payout_id="out_1",
                reference=sample["payoutInstructionUUID"],
                callback_url=CALLBACK,
                asked_at=request.asked_at.replace(year=2019, month=12, day=2, hour=12, minute=41, second=20),
            ),
            sample["signingCertificateSerialNumber"],
        ),
    )
    assert {**sample, "payeeAlias": phone_number(sample["payeeAlias"]).removeprefix("+")} == ours


def test_the_documented_qr_request_asks_for_the_same_code() -> None:
    sample = load("qr_commerce_req.json")
    ours = json.loads(qr_body(sample["token"], "png"))
    assert ours == {name: sample[name] for name in ours}


def test_documented_links_and_codes_are_ours() -> None:
    for sample in load("applink_examples.json"):
        assert sample["url"] == qr.app_url(sample["token"], sample["return_url"] or "")
    commerce = [each["content"] for each in load("qr_payload_examples.json") if each["kind"] == "commerce token"]
    assert commerce == [qr.qr_content(content[1:]) for content in commerce]


# Signatures


def test_the_signature_vector_is_judged_right() -> None:
    vector = load("po_signature_vector.json")
    key = serialization.load_pem_public_key(vector["public_key_pem"].encode())
    assert isinstance(key, rsa.RSAPublicKey)
    payload = bytes.fromhex(vector["payload_bytes_hex"])
    assert signing.is_signature(key, payload, vector["signature_ok_double_hash_b64"])
    assert not signing.is_signature(key, payload, vector["signature_bad_single_hash_b64"])
    assert not signing.is_signature(key, payload, vector["signature_bad_raw_digest_no_digestinfo_b64"])


def test_the_vectors_body_is_put_together_byte_for_byte() -> None:
    vector = load("po_signature_vector.json")
    decoded = json.loads(vector["request_body_utf8"])
    ours = signing.sealed(
        bytes.fromhex(vector["payload_bytes_hex"]), decoded["signature"], callbackUrl=decoded["callbackUrl"]
    )
    assert vector["request_body_utf8"].encode() == ours


# Tables


def test_the_table_of_codes_agrees() -> None:
    listed = {each["code"]: each for each in load("errors.json")}
    assert set(listed) == set(TABLE)
    sure = {"A": Certainty.OFFICIAL, "B": Certainty.AGREED, "C": Certainty.REPORTED}
    by_action = {
        "OUTCOME_UNKNOWN": {Verdict.UNCERTAIN},
        "get_same_uuid": {Verdict.SEEN_BEFORE},
        "final_no_money": {Verdict.DECLINE},
        "final_no_money_new_allowed": {Verdict.DECLINE},
        "not_found": {Verdict.NOT_NOW},
        "get_final_state": {Verdict.NOT_NOW},
    }
    for code, row in listed.items():
        meaning = TABLE[code]
        assert meaning.verdict in by_action.get(row["action"], set(Verdict) - {Verdict.UNCERTAIN, Verdict.SEEN_BEFORE})
        assert meaning.certainty is sure[row["certainty"]], code


def accepts(field: str, value: str) -> bool:
    """Say whether an order with ``value`` can be expressed, whatever form the value then takes on the wire."""
    try:
        match field:
            case "message":
                encoding.message(value, field=field, clean=False)
            case "payeePaymentReference":
                encoding.reference(value, field=field, clean=False)
            case "ageLimit":
                provider().check_order(
                    Order(amount=Money(100, "SEK"), description="x", return_url=RETURN, age_limit=int(value))
                )
            case "currency":
                provider().check_order(Order(amount=Money(100, value), description="x", return_url=RETURN))
            case "payerAlias":
                return phone_number(value) == f"+{value}"
    except InvalidOrder:
        return False
    return True


def test_what_swish_refuses_is_never_sent() -> None:
    fields = {"message", "payeePaymentReference", "ageLimit", "currency", "payerAlias"}
    for case in load("validation_cases.json"):
        if case["field"] in fields and case["value"] is not None:
            if case["expect"] == "ok":
                assert accepts(case["field"], case["value"]), case
            else:
                assert not accepts(case["field"], case["value"]), case


def test_the_address_of_every_call_is_the_documented_one() -> None:
    with (Path(_FOLDER) / "swish" / "index.tsv").open(encoding="utf-8", newline="") as file:
        documented = {row["http"].split(" -> ")[0] for row in csv.DictReader(file, delimiter="\t")}
    base = API.removeprefix("https://mss.cpc.getswish.net")
    for call in (
        f"PUT {base}/v2/refunds/{{instructionUUID}}",
        f"GET {base}/v1/refunds/{{id}}",
        f"POST {base}/v1/payouts",
    ):
        assert call in documented
