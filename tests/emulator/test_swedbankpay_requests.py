"""What the Swedbank Pay emulator takes and refuses: credentials, versions, and every field of every body."""

from __future__ import annotations

from typing import Any

from prenopay.testing.callbacks import CallbackAddresses
from prenopay.testing.emulators.swedbankpay import (
    DEFAULT_PAYEE_ID,
    Behaviour,
    Leniency,
    Merchant as Agreement,
    ReferenceFormat,
    SwedbankPayEmulator,
)

from .addresses import PRIVATE
from .calling import ITEM, Merchant, purchase
from .storing import verify

OTHER_PAYEE = "11111111-2222-4333-8444-555555555555"
URLS: dict[str, object] = {
    "hostUrls": ["https://shop.example"],
    "completeUrl": "https://shop.example/complete",
    "cancelUrl": "https://shop.example/cancel",
}
PAYEE: dict[str, object] = {"payeeId": DEFAULT_PAYEE_ID, "payeeReference": "A1"}


# Who calls


def test_a_wrong_token_gets_an_empty_401() -> None:
    cases: list[str] = ["", "Bearer wrong", "Basic emulator-token"]
    for header in cases:
        merchant = Merchant()
        answer = merchant.call("POST", "/psp/paymentorders", purchase(), authorization=header)
        assert (answer.status, answer.body) == (401, None)


def test_a_401_may_explain_itself(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    emulator.behaviour = Behaviour(unauthorized_body=True)
    answer = merchant.call("GET", "/psp/paymentorders/x", authorization="Bearer wrong")
    assert (answer.status, answer.problem) == (401, "unauthorized")


def test_another_payees_id_is_forbidden(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    answer = merchant.create(payeeInfo={**PAYEE, "payeeId": OTHER_PAYEE})
    assert (answer.status, answer.problem) == (403, "forbidden")
    assert emulator.orders == ()


def test_one_merchants_token_does_not_reach_anothers_orders() -> None:
    emulator = SwedbankPayEmulator(
        merchants=[Agreement(access_token="one"), Agreement(payee_id=OTHER_PAYEE, access_token="two")]
    )
    mine, theirs = Merchant(emulator, token="one"), Merchant(emulator, token="two")
    order = mine.order()
    emulator.pay_by_card(order)
    assert theirs.call("GET", order).status == 404
    assert theirs.call("GET", f"{order}/paid").status == 404
    assert theirs.capture(order, 1500, "C1").status == 404
    assert theirs.patch(order, "Abort", abortReason="x").status == 404
    assert theirs.create("A1", payeeInfo={"payeeId": OTHER_PAYEE, "payeeReference": "A1"}).status == 201


# Versions


def test_a_create_without_the_version_is_refused() -> None:
    cases: list[str] = ["application/json", "text/plain;version=3.1", "application/json;version=9.9"]
    for content_type in cases:
        merchant = Merchant()
        answer = merchant.call("POST", "/psp/paymentorders", purchase(), content_type=content_type)
        assert (answer.status, answer.problem_names) == (400, ["Content-Type"])


def test_a_get_without_the_version_is_refused(merchant: Merchant) -> None:
    order = merchant.order()
    answer = merchant.call("GET", order, accept="application/json", content_type="application/json;version=3.1")
    assert (answer.status, answer.problem_names) == (400, ["Accept"])


def test_the_version_is_found_among_parameters() -> None:
    cases: list[str] = [
        "application/json;version=3.1, application/problem+json;q=0.9",
        "application/problem+json, application/json; charset=utf-8; version=3.1",
        'application/json;version="3.1"',
    ]
    for accept in cases:
        merchant = Merchant()
        assert merchant.call("GET", merchant.order(), accept=accept).status == 200


def test_without_a_version_the_oldest_shape_may_be_served(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    order = merchant.order()
    emulator.behaviour = Behaviour(takes=frozenset({Leniency.NO_VERSION}))
    answer = merchant.call("GET", order, accept="application/json")
    assert answer.order["state"] == "Ready"
    assert "status" not in answer.order


# Create


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("PaymentOrder.Amount", {"amount": 0}),
    ("PaymentOrder.Amount", {"amount": 2**31}),
    ("PaymentOrder.Amount", {"amount": 1500.0}),
    ("PaymentOrder.VatAmount", {"vatAmount": 1501}),
    ("PaymentOrder.Currency", {"currency": "USD"}),
    ("PaymentOrder.Language", {"language": "sv"}),
    ("PaymentOrder.Description", {"description": "x" * 41}),
    ("PaymentOrder.Operation", {"operation": "Payout"}),
    ("PaymentOrder.GeneratePaymentToken", {"generatePaymentToken": True}),
    ("PaymentOrder.Instrument", {"instrument": "Vipps"}),
    ("PaymentOrder.RestrictedToInstruments", {"restrictedToInstruments": ["Vipps"]}),
    ("PaymentOrder.RestrictedToInstruments[1]", {"restrictedToInstruments": ["Swish", "Cash"]}),
    ("PaymentOrder.Payee", {"payee": {}}),
    ("PaymentOrder.PayeeInfo.PayeeReference", {"payeeInfo": {**PAYEE, "payeeReference": "A-1"}}),
    ("PaymentOrder.PayeeInfo.PayeeReference", {"payeeInfo": {**PAYEE, "payeeReference": "A" * 31}}),
    ("PaymentOrder.PayeeInfo.OrderReference", {"payeeInfo": {**PAYEE, "orderReference": "x" * 51}}),
    ("PaymentOrder.PayeeInfo.Subsite", {"payeeInfo": {**PAYEE, "subsite": "x" * 41}}),
    ("PaymentOrder.PayeeInfo.SiteId", {"payeeInfo": {**PAYEE, "siteId": "x" * 16}}),
    ("PaymentOrder.Urls.HostUrls[0]", {"urls": {**URLS, "hostUrls": ["https://shop.example/path"]}}),
    ("PaymentOrder.Urls.CompleteUrl", {"urls": {**URLS, "completeUrl": "http://shop.example/"}}),
    ("PaymentOrder.Urls.CompleteUrl", {"urls": {**URLS, "completeUrl": "https://[shop"}}),
    ("PaymentOrder.Urls.CancelUrl", {"urls": {**URLS, "cancelUrl": None}}),
    ("PaymentOrder.Urls.PaymentUrl", {"urls": {**URLS, "paymentUrl": "https://shop.example/?Swp_Ut=1"}}),
    ("PaymentOrder.Urls.LogoUrl", {"urls": {**URLS, "logoUrl": "http://localhost/logo.png"}}),
    ("PaymentOrder.Payer.Msisdn", {"payer": {"msisdn": "0739000001"}}),
    ("PaymentOrder.Payer.AccountInfo.AccountAgeIndicator", {"payer": {"accountInfo": {"accountAgeIndicator": "06"}}}),
    ("PaymentOrder.EnablePaymentDetailsConsentCheckbox", {"enablePaymentDetailsConsentCheckbox": True}),
    ("PaymentOrder.AutoClick", {"autoClick": True, "urls": {**URLS, "termsOfServiceUrl": "https://shop.example/t"}}),
    ("PaymentOrder.PayeeInfo.Mcc", {"generateAfdPayment": True}),
    ("PaymentOrder.OrderItems", {"generateAfdPayment": True, "orderItems": [ITEM]}),
    ("PaymentOrder.OrderItems[0]", {"orderItems": ["shoes"]}),
    ("PaymentOrder.Amount", {"orderItems": [{**ITEM, "amount": 1499}]}),
    ("PaymentOrder.OrderItems[0].Amount", {"orderItems": [{**ITEM, "amount": -5}]}),
    ("PaymentOrder.OrderItems[0].Class", {"orderItems": [{**ITEM, "class": "two words"}]}),
    ("PaymentOrder.OrderItems[0].Quantity", {"orderItems": [{**ITEM, "quantity": 1.23456}]}),
    ("PaymentOrder.Operation", {"operation": ["Purchase"]}),
    ("PaymentOrder.GenerateUnscheduledToken", verify(payer=None)),
]
"""What the documents forbid, at the edge of what they allow, and between fields. Each row alone: ``test_fields``."""


def test_what_the_documents_forbid_is_named_and_nothing_happens(merchant: Merchant) -> None:
    for path, changes in WRONG:
        answer = merchant.create(**changes)
        assert (answer.status, answer.problem) == (400, "inputerror"), path
        assert path in answer.problem_names
        assert answer.answer.headers[0][1].startswith("application/problem+json")
    assert merchant.emulator.orders == ()
    every = merchant.create(amount="1500", description="", payeeInfo={"payeeId": DEFAULT_PAYEE_ID})
    names = ["Amount", "Description", "PayeeInfo.PayeeReference"]
    assert sorted(every.problem_names) == [f"PaymentOrder.{name}" for name in names]


RIGHT: list[dict[str, Any]] = [
    {"amount": 2**31 - 1},
    {"description": "x" * 40},
    {"urls": {**URLS, "completeUrl": "http://localhost:8000/done", "callbackUrl": "https://shop.example:443/cb?a=b"}},
    {"urls": {**URLS, "cancelUrl": None, "paymentUrl": "https://shop.example/pay?order=1"}},
    {"payeeInfo": {"payeeReference": "A" * 30, "orderReference": "x" * 50, "subsite": "S" * 40}},
    {"orderItems": [{**ITEM, "quantity": 351.3514}]},
    {"orderItems": [{**ITEM, "amount": 2000}, {**ITEM, "type": "DISCOUNT", "amount": -500, "unitPrice": -500}]},
    {"orderItems": [ITEM, {**ITEM, "amount": 1900, "restrictedToInstruments": ["Invoice-PayExFinancingSe"]}]},
    {"generatePaymentToken": False, "disableStoredPaymentDetails": True, "orderItems": None},
    {"metadata": {"key1": "value1", "key2": 2, "key3": 3.1, "key4": False}},
    {"payer": {"payerReference": "p", "firstName": "Leia", "msisdn": "+46739000001", "email": "leia@example.com"}},
    {"instrument": "Swish"},
    {"restrictedToInstruments": ["CreditAccount", "CreditCard"]},
    {"productName": "Checkout3", "implementation": "PaymentsOnly"},
]


def test_what_the_documents_allow_is_taken(merchant: Merchant) -> None:
    for number, changes in enumerate(RIGHT):
        reference = {**PAYEE, "payeeReference": f"R{number}", **changes.get("payeeInfo", {})}
        assert merchant.create(**{**changes, "payeeInfo": reference}).status == 201, changes


def test_only_an_address_that_the_gateway_can_call_is_taken(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    for url in (*PRIVATE, "https://shop.example:8443/cb", "http://127.0.0.1:8000/cb"):
        answer = merchant.create(urls={**URLS, "callbackUrl": url})
        assert answer.problem_names == ["PaymentOrder.Urls.CallbackUrl"], url
    emulator.behaviour = Behaviour(callback_addresses=CallbackAddresses.LOCAL)
    for number, url in enumerate((*PRIVATE, "http://127.0.0.1:8000/cb")):
        assert merchant.create(f"L{number}", urls={**URLS, "callbackUrl": url}).status == 201, url
    assert merchant.create("L99", urls={**URLS, "callbackUrl": "http://shop.example/cb"}).status == 400


def test_the_reference_follows_the_agreement() -> None:
    cases: list[tuple[ReferenceFormat, str, str]] = [
        (ReferenceFormat.SETTLED_BY_OWN_ACQUIRER, "123456789012", "A1"),
        (ReferenceFormat.LONG, "A" * 50, "A" * 51),
    ]
    for format_, good, bad in cases:
        merchant = Merchant(SwedbankPayEmulator(merchants=[Agreement(reference_format=format_)]))
        assert merchant.create(good).status == 201
        assert merchant.create(bad).status == 400


def test_a_body_that_is_no_json_object_is_refused() -> None:
    cases: list[bytes] = [b"{", b"[]", b'{"paymentorder": {"amount": NaN}}']
    for body in cases:
        merchant = Merchant()
        answer = merchant.call("POST", "/psp/paymentorders", body)
        assert (answer.status, answer.problem_names) == (400, ["Body"])


def test_members_beside_the_order_are_refused_but_for_the_card_filter(merchant: Merchant) -> None:
    answer = merchant.call("POST", "/psp/paymentorders", {**purchase(), "extra": 1})
    assert (answer.status, answer.problem_names) == (400, ["extra"])
    assert merchant.call("POST", "/psp/paymentorders", {**purchase(), "creditCard": {}}).status == 201


def test_unknown_members_may_be_let_through(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    emulator.behaviour = Behaviour(takes=frozenset({Leniency.UNKNOWN_MEMBERS}))
    order = merchant.order(newThing=1)
    assert merchant.call("GET", f"{order}?$expand=newPart").status == 200


def test_the_key_of_the_order_may_be_written_either_way(merchant: Merchant) -> None:
    body = {"paymentOrder": purchase()["paymentorder"]}
    assert merchant.call("POST", "/psp/paymentorders", body).status == 201


# Everything else


def test_what_later_bodies_may_not_have_is_named(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    order, good = merchant.order(), {"description": "x", "amount": 1, "vatAmount": 0, "payeeReference": "C1"}
    update: dict[str, Any] = {"operation": "UpdateOrder", "amount": 1, "vatAmount": 0, "orderItems": [ITEM]}
    for wrong, path in ((update, "Amount"), ({"operation": "Explode"}, "Operation"), ({}, "Operation")):
        answer = merchant.call("PATCH", order, {"paymentorder": wrong})
        assert (answer.status, answer.problem_names) == (400, [f"PaymentOrder.{path}"])
    emulator.pay_by_card(order)
    cases: list[tuple[str, dict[str, Any], str]] = [
        ("captures", {**good, "vatAmount": 2}, "VatAmount"),
        ("captures", {**good, "orderItems": [ITEM]}, "Amount"),
        ("reversals", {**good, "amount": 0}, "Amount"),
        ("cancellations", {"description": "x" * 41, "payeeReference": "X1"}, "Description"),
        ("cancellations", {"description": "x", "payeeReference": "X1", "amount": 1}, "Amount"),
        ("cancellations", {"description": "x", "payeeReference": "X 1"}, "PayeeReference"),
    ]
    for ending, body, path in cases:
        answer = merchant.call("POST", f"{order}/{ending}", {"transaction": body})
        assert (answer.status, answer.problem_names) == (400, [f"Transaction.{path}"])
    assert len(emulator.order(order).transactions) == 1


def test_what_is_not_there_or_not_emulated_says_so() -> None:
    cases: list[tuple[str, str, int]] = [
        ("GET", "/psp/paymentorders/none", 404),
        ("GET", "/psp/other", 404),
        ("DELETE", "/psp/paymentorders/none", 404),
        ("GET", "/psp/paymentorders/payerownedtokens/p1", 404),
        ("PATCH", "/psp/paymentorders/unscheduledtokens/t1", 400),
        ("GET", "/online/payers/p1", 404),
    ]
    for method, path, status in cases:
        merchant = Merchant()
        answer = merchant.call(method, path, None if method == "GET" else {})
        assert answer.status == status
        assert answer.problem == ("notfound" if status == 404 else "inputerror")


def test_an_unknown_part_is_not_expanded(merchant: Merchant) -> None:
    order = merchant.order()
    answer = merchant.call("GET", f"{order}?$expand=paid,pade")
    assert (answer.status, answer.problem_names) == (400, ["$expand"])
    assert merchant.call("GET", f"{order}/pade").status == 404
