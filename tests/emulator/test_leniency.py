"""What each gateway takes although its documents ask for something else: one way at a time, and no further."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from prenopay.testing.emulators import swedbankpay, swish
from prenopay.testing.emulators.leniency import Leniency
from prenopay.testing.emulators.swedbankpay import DEFAULT_PAYEE_ID, SwedbankPayEmulator
from prenopay.testing.emulators.swish import SwishEmulator

from .calling import ITEM, Answer, Merchant, purchase
from .swish_calling import Shop

URLS: dict[str, object] = {
    "hostUrls": ["https://shop.example"],
    "completeUrl": "https://shop.example/complete",
    "cancelUrl": "https://shop.example/cancel",
}
PAYEE: dict[str, object] = {"payeeId": DEFAULT_PAYEE_ID, "payeeReference": "A1"}
VERSION = "application/json;version=3.1; charset=utf-8"


def creates(**changes: Any) -> Callable[[Merchant], Answer]:
    return lambda merchant: merchant.create(**changes)


def reads(order: str = "", **headers: str) -> Callable[[Merchant], Answer]:
    return lambda merchant: merchant.call("GET", f"{merchant.order()}{order}", **headers)


def posts(body: object, **headers: str) -> Callable[[Merchant], Answer]:
    return lambda merchant: merchant.call("POST", "/psp/paymentorders", body, **headers)


def captures(amount: object, **more: object) -> Callable[[Merchant], Answer]:
    def capture(merchant: Merchant) -> Answer:
        order = merchant.order()
        merchant.emulator.pay_by_card(order)
        return merchant.capture(order, amount, "C1", **more)  # type: ignore[arg-type]  # a text is what is tried

    return capture


SWEDBANK_PAY: list[tuple[Leniency, Callable[[Merchant], Answer]]] = [
    (Leniency.UNKNOWN_MEMBERS, creates(disablePaymentMenu=False)),
    (Leniency.UNKNOWN_MEMBERS, creates(orderItems=[{**ITEM, "sku": "P1"}])),
    (Leniency.UNKNOWN_MEMBERS, lambda m: m.patch(m.order(), "UpdateOrder", amount=2, vatAmount=0, clientInfo={})),
    (Leniency.UNKNOWN_MEMBERS, captures(1500, intent="x")),
    (Leniency.UNKNOWN_MEMBERS, reads("?$expand=newPart")),
    (Leniency.EMPTY_TEXTS, creates(orderItems=[{**ITEM, "itemUrl": "", "imageUrl": "", "description": ""}])),
    (Leniency.EMPTY_TEXTS, creates(urls={**URLS, "logoUrl": "", "termsOfServiceUrl": ""})),
    (Leniency.EMPTY_TEXTS, creates(payer={"firstName": "", "msisdn": "", "email": "leia@example.com"})),
    (Leniency.EMPTY_TEXTS, creates(instrument="")),
    (Leniency.TEXTS_FOR_NUMBERS, creates(amount="1500")),
    (Leniency.TEXTS_FOR_NUMBERS, creates(orderItems=[{**ITEM, "quantity": "1.5", "vatPercent": "600"}])),
    (Leniency.TEXTS_FOR_NUMBERS, captures("700")),
    (Leniency.TEXTS_FOR_BOOLEANS, creates(corporateMode="true")),
    (Leniency.NUMBERS_FOR_TEXTS, creates(orderItems=[{**ITEM, "discountDescription": 0}])),
    (Leniency.ANY_SCHEME, creates(urls={**URLS, "paymentUrl": "examplepayment://payment/"})),
    (
        Leniency.ANY_SCHEME,
        creates(urls={**URLS, "completeUrl": "http://shop.example/", "hostUrls": ["http://a.example"]}),
    ),
    (Leniency.ANY_SCHEME, creates(orderItems=[{**ITEM, "itemUrl": "http://shop.example/1"}])),
    (Leniency.VERSION_IN_CONTENT_TYPE, reads(accept="application/json", content_type=VERSION)),
    (Leniency.NO_VERSION, reads(accept="application/json")),
    (Leniency.NO_VERSION, posts(purchase(orderItems=[ITEM]), content_type="application/json")),
]
"""Refused by the strict; taken by a gateway that is lenient in this way."""

NEVER: list[Callable[[Merchant], Answer]] = [
    creates(amount="many"),
    creates(amount="1500.50"),
    creates(amount="0"),
    creates(amount=""),
    creates(amount="\N{ARABIC-INDIC DIGIT ONE}500"),
    creates(amount=None, intent="x"),
    creates(description=""),
    creates(corporateMode="maybe"),
    creates(orderItems=[]),
    creates(orderItems=[{**ITEM, "amount": "1499"}]),
    creates(orderItems=""),
    creates(payer={"msisdn": "0739000001"}),
    creates(payeeInfo={**PAYEE, "payeeReference": True}),
    creates(restrictedToInstruments=[""]),
    creates(urls={**URLS, "callbackUrl": "http://shop.example/callback"}),
    creates(urls={**URLS, "logoUrl": "http://shop.example/logo.png"}),
    creates(urls={**URLS, "completeUrl": "javascript://shop.example/%0aalert(1)"}),
    creates(urls={**URLS, "completeUrl": "/complete"}),
    creates(urls={**URLS, "paymentUrl": "examplepayment://payment/?swp_ut=1"}),
    reads(accept="application/json", content_type="application/json;version=9.9"),
    captures("1501"),
]
"""Refused by the most lenient, too."""


def test_each_leniency_of_swedbank_pay_takes_what_the_strict_refuse_and_nothing_else_does() -> None:
    assert {way for way, _ in SWEDBANK_PAY} == swedbankpay.LENIENCIES.keys() == swedbankpay.LENIENT.takes
    for number, (way, call) in enumerate(SWEDBANK_PAY):
        others = frozenset(Leniency) - {way, *({Leniency.NO_VERSION} if "VERSION" in way.name else ())}
        for takes in (frozenset[Leniency](), others):
            behaviour = swedbankpay.Behaviour(takes=takes)
            assert call(Merchant(SwedbankPayEmulator(behaviour=behaviour))).status == 400, (number, way)
        for behaviour in (swedbankpay.Behaviour(takes=frozenset({way})), swedbankpay.LENIENT):
            answer = call(Merchant(SwedbankPayEmulator(behaviour=behaviour)))
            assert answer.status in {200, 201}, (number, way, answer.body)


def test_the_most_lenient_gateway_still_refuses_what_nobody_can_mean() -> None:
    for number, call in enumerate(NEVER):
        answer = call(Merchant(SwedbankPayEmulator(behaviour=swedbankpay.Behaviour(takes=frozenset(Leniency)))))
        assert answer.status in {400, 403}, (number, answer.body)


def test_what_is_taken_counts_as_what_was_meant() -> None:
    merchant = Merchant(SwedbankPayEmulator(behaviour=swedbankpay.LENIENT))
    item = {**ITEM, "amount": "1500", "description": "", "discountDescription": 0, "quantity": "1"}
    order = merchant.order(amount="1500", payer={"msisdn": ""}, orderItems=[item], autoClick="False")
    shown = merchant.get(order, "orderItems,payer").order
    assert (shown["amount"], shown["payer"].get("msisdn")) == (1500, None)
    read = shown["orderItems"]["orderItemList"][0]
    assert (read["amount"], read["description"], read["discountDescription"], read["quantity"]) == (1500, None, "0", 1)
    merchant.emulator.pay_by_card(order)
    assert merchant.capture(order, "700", "C1").status == 200  # type: ignore[arg-type]  # a text is what is tried
    assert merchant.emulator.order(order).totals.captured == 700


def test_client_info_can_be_read(merchant: Merchant) -> None:
    info = {"clientType": "NATIVE", "platformName": "SALESFORCE"}
    assert merchant.call("GET", f"{merchant.order(clientInfo=info)}/clientInfo").body == {"clientInfo": info}


SWISH: list[tuple[Leniency, dict[str, Any]]] = [
    (Leniency.UNKNOWN_MEMBERS, {"id": "0" * 32}),
    (Leniency.NUMBERS_FOR_TEXTS, {"ageLimit": 22}),
    (Leniency.NUMBERS_FOR_TEXTS, {"payeePaymentReference": 1001}),
]


def test_each_leniency_of_swish_takes_what_the_strict_refuse_and_nothing_else_does() -> None:
    assert {way for way, _ in SWISH} == swish.LENIENCIES.keys() == swish.LENIENT.takes
    for way, changes in SWISH:
        for takes in (frozenset[Leniency](), frozenset(Leniency) - {way}):
            shop = Shop(SwishEmulator(behaviour=swish.Behaviour(takes=takes)))
            assert shop.create(**changes).status in {400, 422}, way
        shop = Shop(SwishEmulator(behaviour=replace(swish.Behaviour(), takes=frozenset({way}))))
        assert shop.create(**changes).status == 201, way
        assert shop.refund(shop.paid(), id="0" * 32 if way is Leniency.UNKNOWN_MEMBERS else None).status == 201
    lenient = Shop(SwishEmulator(behaviour=swish.LENIENT))
    assert lenient.create(ageLimit=100).codes == ["PA01"]
    payment = lenient.created(ageLimit=22, payerAlias="46701740606")
    assert lenient.emulator.payment(payment).id == payment


def test_every_preset_of_the_command_line_is_a_behaviour_of_its_own() -> None:
    for emulator in (SwedbankPayEmulator, SwishEmulator):
        presets = list(emulator.presets.values())
        assert presets[0] == type(presets[0])()
        assert [name for name in ("strict", "lenient", "awkward") if name not in emulator.presets] == []
        assert all(presets.count(each) == 1 for each in presets)
