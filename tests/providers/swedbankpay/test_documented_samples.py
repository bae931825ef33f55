"""The gateway's own documented samples, if a folder of them is given: each is read, and written again."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from prenopay import PaymentState
from prenopay._blocking import run_blocking
from prenopay.ports import HttpResponse
from prenopay.provider import CreateRequest
from prenopay.providers.swedbankpay import SwedbankPay
from prenopay.providers.swedbankpay.encoding import (
    abort_body,
    archive_body,
    charge_body,
    create_body,
    delete_body,
    transaction_body,
    update_body,
)

from .samples import Json, Script, provider, without_nothing
from .translation import account_of, change_of, charge_of, order_of

_FOLDER = os.environ.get("PRENOPAY_SAMPLES", "")

pytestmark = pytest.mark.skipif(not _FOLDER, reason="PRENOPAY_SAMPLES names no folder of documented samples")


@dataclass(frozen=True)
class Sample:
    """One documented body, and what the index says of it."""

    file: str
    kind: str
    http: str
    body: bytes

    @property
    def members(self) -> Json:
        """The members of the body, named in lower case."""
        decoded = json.loads(self.body)
        return {name.lower(): value for name, value in decoded.items()} if isinstance(decoded, dict) else {}

    @property
    def order(self) -> Json:
        """The payment order in the body, if there is one."""
        found = self.members.get("paymentorder")
        return found if isinstance(found, dict) else {}


def samples() -> list[Sample]:
    folder = Path(_FOLDER) / "swedbankpay"
    with (folder / "index.tsv").open(encoding="utf-8", newline="") as index:
        rows = [row for row in csv.DictReader(index, delimiter="\t") if row["file"].endswith(".json")]
    return [Sample(row["file"], row["kind"], row["http"], (folder / row["file"]).read_bytes()) for row in rows]


# Reading: what each sample is, by a rule of its own

_BY_STATUS = {
    "Initialized": PaymentState.PENDING,
    "Aborted": PaymentState.CANCELLED,
    "Cancelled": PaymentState.CANCELLED,
    "Failed": PaymentState.DECLINED,
    "Reversed": PaymentState.CAPTURED,
}
_BY_NODE = {
    "cancelled": PaymentState.CANCELLED,
    "aborted": PaymentState.CANCELLED,
    "failed": PaymentState.DECLINED,
    "failedattempts": None,
    "cancellation": PaymentState.CANCELLED,
}
_SILENT = {"urls", "payeeinfo", "payer", "metadata", "clientinfo", "availableinstruments", "operations"}


def expected_of(sample: Sample) -> tuple[str, PaymentState | None]:
    """Return a sample's kind and the state that it reports; "refused" for what prenopay does not read."""
    members = sample.members
    if sample.kind == "callback":
        return "callback", None
    if sample.kind == "problem":
        return "problem", _state_of_problem(sample)
    if set(members) == {"state", "comment"}:
        return "stored_methods", None  # the docs show the request to delete as its answer
    if sample.kind != "response":
        return "refused", None
    if "status" in sample.order:
        return "payment_order", _state_of_order(sample)
    node = next((name for name in members if name in {*_BY_NODE, "paid", "capture", "reversal"}), "")
    if node or {"financialtransactions", "history"} & set(members):
        return "payment_order", _state_of_node(sample, node)
    if any("token" in name for name in members):
        return "stored_methods", None
    if isinstance(members.get("payment"), dict):
        return "payment", None
    return ("payment_order" if _SILENT & set(members) else "refused"), None


def _state_of_problem(sample: Sample) -> PaymentState | None:
    text, status = sample.body.decode(), int(sample.http.rsplit(" ", 1)[-1])
    if status >= 500:
        return PaymentState.UNKNOWN
    is_ours = any(
        word in str(sample.members["type"]) for word in ("inputerror", "configerror", "forbidden", "notfound")
    )
    return None if is_ours and "does not exist" not in text else PaymentState.DECLINED


def _state_of_order(sample: Sample) -> PaymentState:
    rels = {operation["rel"] for operation in sample.members.get("operations", ())}
    by_status = _BY_STATUS.get(sample.order["status"])
    if by_status is not None:
        return by_status
    if sample.order["operation"] == "Verify":
        return PaymentState.CAPTURED  # ended well, and nothing to take
    is_taken = "reversal" in rels or b'"Sale"' in sample.body
    return PaymentState.CAPTURED if is_taken else PaymentState.AUTHORIZED


def _state_of_node(sample: Sample, node: str) -> PaymentState | None:
    if b'"state": "Initialized"' in sample.body:
        return PaymentState.PENDING
    if node in _BY_NODE:
        return _BY_NODE[node]
    is_taken = node in {"capture", "reversal"} or any(
        word in sample.body for word in (b'"Sale"', b'"Capture"', b"Captured")
    )
    return PaymentState.CAPTURED if is_taken else PaymentState.AUTHORIZED


def read(sample: Sample) -> tuple[str, PaymentState | None]:
    try:
        seen = SwedbankPay.inspect(sample.body)
    except ValueError:
        return "refused", None
    return seen.kind, seen.state


def test_every_sample_is_read_for_what_it_is() -> None:
    every = samples()
    assert {each.file: expected_of(each) for each in every} == {each.file: read(each) for each in every}


def test_there_are_samples_of_every_kind_and_state() -> None:
    found = {expected_of(each) for each in samples()}
    states = {PaymentState.PENDING, PaymentState.AUTHORIZED, PaymentState.CAPTURED, PaymentState.CANCELLED}
    orders = {("payment_order", state) for state in (*states, PaymentState.DECLINED)}
    others = {("callback", None), ("problem", None), ("problem", PaymentState.DECLINED), ("refused", None)}
    assert not (orders | others | {("stored_methods", None), ("payment_order", None)}) - found


_SHORT = 10


def test_no_token_of_a_sample_is_shown() -> None:
    """Ask for every text that a sample holds under a name with "token" in it."""
    shown = {
        (each.file, secret)
        for each in samples()
        if expected_of(each)[0] != "refused"
        for secret in _tokens_in(json.loads(each.body))
        if secret in repr(SwedbankPay.inspect(each.body))
    }
    assert not shown


def _tokens_in(value: object, name: str = "") -> set[str]:
    if isinstance(value, dict):
        return {secret for key, inside in value.items() for secret in _tokens_in(inside, key.lower())}
    if isinstance(value, list):
        return {secret for inside in value for secret in _tokens_in(inside, name)}
    return {value} if name.endswith("token") and isinstance(value, str) and len(value) > _SHORT else set()


def test_an_orders_money_is_its_amount() -> None:
    wrong: dict[str, tuple[object, ...]] = {}
    for each in samples():
        if expected_of(each)[0] != "payment_order" or "status" not in each.order:
            continue
        seen = SwedbankPay.inspect(each.body)
        paid = each.order.get("paid", {}).get("amount", each.order["amount"])
        has_money = (
            seen.state in {PaymentState.AUTHORIZED, PaymentState.CAPTURED} and each.order["operation"] != "Verify"
        )
        expected = paid if has_money or each.order["status"] == "Cancelled" else 0
        if (expected, each.order["currency"]) != (seen.authorized, seen.currency):
            wrong[each.file] = (expected, seen)
    assert not wrong


# Writing: the same order asks for the same thing

_DIFFERS_BY_TRY = {"payeeReference", "callbackUrl", "receiptReference"}
_LEAST = 20
"""So many of the documented requests are whole purchases."""


def purchases() -> list[Sample]:
    needed = {"operation", "currency", "description", "urls", "payeeInfo"}
    whole = [each for each in samples() if each.kind == "request" and needed <= set(each.order)]
    return [each for each in whole if _is_whole(each.order) and "completeUrl" in each.order["urls"]]


def _is_whole(order: Json) -> bool:
    return order["operation"] == "Verify" or (
        order["operation"] == "Purchase" and {"amount", "vatAmount"} <= set(order)
    )


def essence(asked: object) -> object:
    """Return a request without what differs from one try to the next, and without what says nothing."""
    if isinstance(asked, dict):
        return without_nothing({name: essence(value) for name, value in asked.items() if name not in _DIFFERS_BY_TRY})
    return [essence(value) for value in asked] if isinstance(asked, list) else asked


def secure(asked: Any) -> Any:
    """Return a request with ``https``, where some samples send the payer over plain ``http``: no order of ours does."""
    if isinstance(asked, dict):
        return {name: secure(value) for name, value in asked.items()}
    return asked.replace("http://", "https://") if isinstance(asked, str) else asked


def written(sample: Sample) -> Json:
    """Return what prenopay asks for when the same order is made with it."""
    asked = CreateRequest(
        order=order_of(secure(sample.order)), payment_id="pay_1", reference="R", callback_url="https://a.example"
    )
    body: Json = json.loads(create_body(account_of(secure(sample.order)), asked))["paymentorder"]
    urls = sample.order["urls"]
    if "paymentUrl" not in urls and "cancelUrl" not in urls:  # we always tell where to go from a redirect page
        body["urls"].pop("cancelUrl")
    return body


def test_documented_orders_are_written_field_by_field() -> None:
    every = purchases()
    asked = [each.order for each in every]
    assert {"Purchase", "Verify"} == {each["operation"] for each in asked}
    stored = {"generatePaymentToken", "generateRecurrenceToken", "generateUnscheduledToken", "generateMotoPayment"}
    assert not stored - {name for each in asked for name in each if each[name] is True}
    assert {each.file: essence(secure(each.order)) for each in every} == {
        each.file: essence(written(each)) for each in every
    }
    assert len(every) >= _LEAST


@pytest.mark.parametrize("operation", ["Recur", "UnscheduledPurchase"])
def test_a_documented_charge_is_written_field_by_field(operation: str) -> None:
    (sample,) = (each for each in samples() if each.kind == "request" and each.order.get("operation") == operation)
    ours = json.loads(charge_body(account_of(sample.order), charge_of(sample.order)))["paymentorder"]
    items = json.loads(transaction_body(change_of(sample.order, ""), with_amount=True))["transaction"]["orderItems"]
    assert essence(sample.order) == essence({**ours, "orderItems": items})


@pytest.mark.parametrize(
    ("http", "write"),
    [
        ("PATCH /online/payers/tokens/", archive_body),
        ("PATCH /psp/paymentorders/recurrenceTokens/", delete_body),
        ("PATCH /psp/paymentorders/payerownedtokens/", delete_body),
    ],
)
def test_a_documented_removal_is_written_field_by_field(http: str, write: Callable[[str], bytes]) -> None:
    every = [each for each in samples() if each.kind == "request" and each.http.startswith(http)]
    found = [json.loads(each.body) for each in every if "displayname" not in each.http]
    assert found == [json.loads(write(each.get("reason") or each["comment"])) for each in found]
    assert found


# Stored methods: what each list of tokens holds

_LISTS = [
    ("payerapi-get-all-payer-tokens-response.json", ["Visa •••• 0416, 12/55"]),
    ("payerapi-get-archived-payer-tokens-response.json", []),
    ("payerownedtokens-get-response-network-tokenization.json", ["Visa •••• 0004, 12/25"]),
    ("one-click-delete-payment-token-response.json", ["MasterCard •••• 3406, 12/33", "Visa •••• 0416, 12/33"]),
    ("payerownedtokens-delete-all-response.json", ["Invoice-payexfinancingno", "Visa •••• 0004, 12/20"]),
]


@pytest.mark.parametrize(("file", "shown"), _LISTS)
def test_a_documented_list_of_tokens_is_read(file: str, shown: list[str]) -> None:
    (sample,) = (each for each in samples() if each.file == file)
    owner = next(value["payerReference"] for value in sample.members.values() if isinstance(value, dict))
    script = Script(HttpResponse(status=200, body=sample.body))
    found = run_blocking(provider().observe_methods(script, owner))
    assert shown == [each.display for each in found]
    assert all(each.token.reveal() in sample.body.decode() for each in found)


@pytest.mark.parametrize("word", ["captures", "reversals", "cancellations"])
def test_documented_changes_are_written_field_by_field(word: str) -> None:
    found = [each for each in samples() if each.kind == "request" and each.http.endswith(f"/{word}")]
    asked = [change_of(each.members["transaction"], "") for each in found]
    ours = [essence(json.loads(transaction_body(each, with_amount=word != "cancellations"))) for each in asked]
    assert [essence(json.loads(each.body)) for each in found] == ours
    assert found


def test_a_documented_update_is_written_field_by_field() -> None:
    (sample,) = (each for each in samples() if each.order.get("operation") == "UpdateOrder")
    assert essence(json.loads(sample.body)) == essence(json.loads(update_body(change_of(sample.order, ""))))


def test_a_documented_abort_is_written_field_by_field() -> None:
    (sample,) = (each for each in samples() if each.order.get("operation") == "Abort")
    assert json.loads(sample.body) == json.loads(abort_body())
