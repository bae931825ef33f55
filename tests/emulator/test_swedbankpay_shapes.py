"""The Swedbank Pay emulator's bodies: member names, links, versions, switches, and what the samples look like."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any

from prenopay.testing.callbacks import RetrySchedule
from prenopay.testing.emulators.swedbankpay import AWKWARD, Behaviour, Brand, PayerAnswer, SwedbankPayEmulator

from .calling import ITEM, Merchant, purchase

NODES = {
    "orderItems": "orderitems",
    "urls": "urls",
    "payeeInfo": "payeeinfo",
    "payer": "payers",
    "history": "history",
    "failed": "failed",
    "aborted": "aborted",
    "paid": "paid",
    "cancelled": "cancelled",
    "reversed": "reversed",
    "financialTransactions": "financialtransactions",
    "failedAttempts": "failedattempts",
    "postPurchaseFailedAttempts": "postpurchasefailedattempts",
    "metadata": "metadata",
}
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z")


def _paid(merchant: Merchant, reference: str = "A1", **changes: object) -> str:
    order = merchant.order(reference, **changes)
    merchant.emulator.pay_by_card(order)
    return order


# The order


def test_ids_are_relative_links_absolute_and_times_have_seven_digits(merchant: Merchant) -> None:
    created = merchant.create()
    order = created.order
    assert re.fullmatch(r"/psp/paymentorders/[0-9a-f-]{36}", order["id"])
    assert STAMP.fullmatch(order["created"])
    assert STAMP.fullmatch(order["updated"])
    for key, path in NODES.items():
        assert order[key] == {"id": f"{order['id']}/{path}"}
    assert created.rels["update-order"] == f"https://api.externalintegration.payex.com{order['id']}"
    for operation in created.body["operations"]:
        assert operation.keys() == {"method", "href", "rel", "contentType"}
    assert order["initiatingSystemUserAgent"] == "tests/1"


def test_every_part_can_be_expanded_whatever_its_case_and_fetched_directly() -> None:
    for key, path in NODES.items():
        merchant = Merchant()
        order = _paid(
            merchant, metadata={"key": 1, "rate": 3.1}, payer={"payerReference": "p1", "email": "a@b.example"}
        )
        whole = merchant.get(order, "paid,failed").order
        expanded = merchant.get(order, key.lower()).order
        assert {name for name in NODES if expanded[name] != {"id": f"{order}/{NODES[name]}"}} <= {key}
        direct = merchant.call("GET", f"{order}/{path}").body
        assert direct == {"paymentOrder": order, key: expanded[key]}
        assert merchant.call("GET", f"{order}/{key}/").body == direct
        assert whole["paid"]["number"]


def test_expansion_works_on_every_method(merchant: Merchant) -> None:
    created = merchant.call("POST", "/psp/paymentorders?$expand=urls,PayeeInfo", purchase())
    assert created.order["urls"]["completeUrl"] == "https://shop.example/complete"
    assert created.order["payeeInfo"]["payeeReference"] == "A1"
    update = {"paymentorder": {"operation": "UpdateOrder", "amount": 5, "vatAmount": 0}}
    patched = merchant.call("PATCH", f"{created.order['id']}?%24expand=history", update)
    assert patched.order["history"]["historyList"][0]["name"] == "PaymentCreated"


def test_parts_echo_what_was_sent(merchant: Merchant) -> None:
    payer = {"payerReference": "p1", "firstName": "Leia", "lastName": "A", "nationalIdentifier": _person()}
    order = merchant.order(payer=payer, metadata={"a": "b", "c": 3.1}, orderItems=[ITEM])
    shown = merchant.get(order, "payer,metadata,orderItems,payeeInfo").order
    assert (shown["payer"]["reference"], shown["payer"]["name"]) == ("p1", "Leia A")
    assert shown["payer"]["hashedFields"].keys() == {"socialSecurityNumberHash"}
    assert shown["metadata"] == {"id": f"{order}/metadata", "a": "b", "c": 3.1}
    assert shown["orderItems"]["orderItemList"] == [ITEM]
    assert shown["payeeInfo"]["payeeName"] == "Emulerat förlag"


def _person() -> dict[str, object]:
    return {"socialSecurityNumber": "199710202392", "countryCode": "SE"}


def test_an_order_without_lines_is_shown_as_one(merchant: Merchant) -> None:
    order = merchant.order()
    (line,) = merchant.get(order, "orderItems").order["orderItems"]["orderItemList"]
    assert (line["name"], line["amount"], line["vatAmount"]) == ("Test Purchase", 1500, 375)


# Versions


def test_version_3_0_reads_a_reversed_order_as_paid(merchant: Merchant) -> None:
    order = _paid(merchant)
    merchant.capture(order, 1500, "C1")
    merchant.reverse(order, 1500, "R1")
    old = dataclasses.replace(merchant, version="3.0").get(order)
    assert old.order["status"] == "Paid"
    assert not {"reversed", "postPurchaseFailedAttempts", "viewableInstruments"} & old.order.keys()
    assert "version=3.0" in dict(old.answer.headers)["content-type"]


def test_version_2_0_has_a_state_and_its_own_rels(merchant: Merchant) -> None:
    old = dataclasses.replace(merchant, version="2.0")
    order = merchant.order(instrument="CreditCard")
    shown = old.call("GET", order)
    assert shown.body["paymentorder"]["state"] == "Ready"
    assert {"currentPayment", "payments"} <= shown.order.keys()
    assert set(shown.rels) == {
        "update-paymentorder-updateorder",
        "update-paymentorder-abort",
        "update-paymentorder-setinstrument",
        "redirect-paymentorder",
        "view-paymentorder",
    }
    merchant.emulator.pay_by_card(order)
    paid = old.call("GET", order)
    assert {"create-paymentorder-capture", "create-paymentorder-cancel"} <= paid.rels.keys()
    assert paid.order["remainingReversalAmount"] == 0
    aborted = merchant.order("A2")
    merchant.patch(aborted, "Abort", abortReason="x")
    assert old.call("GET", aborted).order["state"] == "Aborted"


def test_older_versions_answer_a_capture_with_a_transaction() -> None:
    cases: list[str] = ["3.0", "2.0"]
    for version in cases:
        merchant = Merchant()
        order = _paid(merchant)
        old = dataclasses.replace(merchant, version=version)
        captured = old.capture(order, 500, "C1", receiptReference="K1").body
        assert captured.keys() == {"payment", "capture"}
        transaction = captured["capture"]["transaction"]
        assert (transaction["state"], transaction["type"], transaction["payeeReference"]) == (
            "Completed",
            "Capture",
            "C1",
        )
        assert old.cancel(order, "X1").body.keys() == {"payment", "cancellation"}
        assert old.reverse(order, 500, "R1").body.keys() == {"payment", "reversal"}


def test_older_versions_require_order_lines(merchant: Merchant) -> None:
    old = dataclasses.replace(merchant, version="3.0")
    assert old.create().problem_names == ["PaymentOrder.OrderItems"]
    assert old.create(orderItems=[ITEM]).status == 201


# Callbacks


def _told(emulator: SwedbankPayEmulator) -> list[Any]:
    told = [json.loads(callback.body) for callback in emulator.callbacks.waiting]
    emulator.deliver_callbacks(lambda *_: 200)
    return told


def test_a_callback_names_the_order_and_the_attempt(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    order = merchant.order()
    failed = emulator.pay_by_swish(order, answer=PayerAnswer.DECLINE)
    paid = emulator.pay_by_card(order)
    assert emulator.callbacks.waiting[0].url == "https://shop.example/callback?secret=1"
    assert _told(emulator) == [
        {
            "orderReference": "or-1",
            "paymentOrder": {"id": order, "instrument": "paymentorders", "number": result.attempt},
        }
        for result in (failed, paid)
    ]
    assert merchant.capture(order, 1500, "C1").status == 200
    assert _told(emulator) == []


def test_the_creating_version_shapes_the_callback() -> None:
    cases: list[tuple[str, str | None]] = [("3.0", None), ("2.0", None), ("2.0", "Checkout3")]
    for version, product in cases:
        merchant = Merchant()
        emulator = merchant.emulator
        old = dataclasses.replace(merchant, version=version)
        order = old.order(orderItems=[ITEM], productName=product)
        emulator.pay_by_swish(order)
        (told,) = _told(emulator)
        assert told.keys() == {"orderReference", "paymentOrder", "payment", "transaction"}
        assert told["paymentOrder"] == {"id": order, "instrument": "paymentorders"}
        assert told["transaction"]["id"].startswith(f"{told['payment']['id']}/sales/")


def test_callbacks_can_be_late_talkative_and_retried_by_gaps(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    emulator.behaviour = Behaviour(
        callback_instrument="name", post_purchase_callbacks=True, retry_schedule=RetrySchedule(from_first=False)
    )
    order = _paid(merchant, payeeInfo={"payeeId": emulator.merchants[0].payee_id, "payeeReference": "A1"})
    merchant.capture(order, 500, "C1")
    merchant.reverse(order, 500, "R1")
    merchant.cancel(order, "X1")
    told = _told(emulator)
    assert len(told) == 4
    assert {json.dumps(body["paymentOrder"]["instrument"]) for body in told} == {'"CreditCard"'}
    assert all("orderReference" not in body for body in told)
    assert emulator.callbacks.schedule.from_first is False


def test_a_forged_callback_comes_to_one_order_and_names_another(
    merchant: Merchant, emulator: SwedbankPayEmulator
) -> None:
    order, other = merchant.order("A1"), merchant.order("A2")
    forged = emulator.forge_callback(order, naming=other)
    assert forged.about == order
    assert json.loads(forged.body)["paymentOrder"]["id"] == other


# Switches


def test_an_awkward_gateway_still_says_everything(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    emulator.behaviour = AWKWARD
    created = merchant.create()
    assert created.status == 200
    assert created.body.keys() == {"paymentorder", "operations"}
    assert created.rels["abort"].startswith("https://api.externalintegration.swedbankpay.com/")
    assert created.rels["redirect-checkout"].startswith("https://ecom.externalintegration.swedbankpay.com/")
    assert "frobnicate" in created.rels
    order = str(created.order["id"])
    emulator.pay_by_swish(order)
    shown = merchant.get(order, "paid,financialTransactions,postpurchaseFailedAttempts,history").order
    assert "postPurchaseFailedAttempts" not in shown
    assert shown["paid"]["details"] == {"msisdn": "+46739000001"}
    assert shown["remainingCaptureAmount"] == 0
    assert shown["cancelled"]["paymentTokenGenerated"] is False
    assert shown["reversed"]["paymentTokenGenerated"] is False
    assert [entry["type"] for entry in shown["financialTransactions"]["financialTransactionsList"]] == ["Sale"]
    assert shown["history"]["historyList"][-1]["name"] == "PaymentFrobnicated"
    merchant.reverse(order, 9999, "R1")
    failed = merchant.get(order, "postPurchaseFailedAttempts").order["postpurchaseFailedAttempts"]
    assert failed["postpurchaseFailedAttemptList"][0]["transactionType"] == "Reversal"


def test_wallets_may_leave_the_type_out(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    emulator.behaviour = Behaviour(wallet_paid_is_short=True)
    order = merchant.order()
    emulator.pay_by(order, "GooglePay")
    paid = merchant.get(order, "paid").order["paid"]
    assert not {"transactionType", "submittedAmount", "feeAmount", "discountAmount"} & paid.keys()
    assert paid["amount"] == 1500


def test_a_status_may_be_one_that_nobody_knows(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    emulator.behaviour = Behaviour(unknown_status="Frobnicated")
    assert merchant.create().order["status"] == "Frobnicated"


def test_links_may_carry_the_other_brand_and_lead_here_all_the_same() -> None:
    emulator = SwedbankPayEmulator(behaviour=Behaviour(brand=Brand.SWEDBANK_PAY))
    assert set(emulator.mounts) == {
        f"{host}.externalintegration.{brand}" for host in ("api", "ecom") for brand in ("payex.com", "swedbankpay.com")
    }
    merchant = Merchant(emulator)
    assert merchant.call("PATCH", merchant.create().rels["abort"], _abort()).order["status"] == "Aborted"


def _abort() -> dict[str, object]:
    return {"paymentorder": {"operation": "Abort", "abortReason": "x"}}
