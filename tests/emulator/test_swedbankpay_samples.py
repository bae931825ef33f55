"""The Swedbank Pay emulator's members against the gateway's own samples, where a folder with them is named.

The folder named by ``PRENOPAY_SAMPLES`` holds ``swedbankpay/*.json``.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from prenopay.testing.emulators.swedbankpay import PayerAnswer

from .calling import ITEM, Answer, Merchant


def _paid(merchant: Merchant) -> str:
    order = merchant.order()
    merchant.emulator.pay_by_card(order)
    return order


def _sample(name: str) -> Any:
    folder = os.environ.get("PRENOPAY_SAMPLES")
    if not folder:
        pytest.skip("PRENOPAY_SAMPLES names no folder with the gateway's own samples")
    return json.loads((Path(folder) / "swedbankpay" / name).read_text())


def _names(value: Any, path: str = "") -> set[str]:
    """Return the paths of all members, lists merged, the order's key in one case."""
    if isinstance(value, list):
        return set().union(*(_names(entry, path) for entry in value))
    if not isinstance(value, dict):
        return set()
    found: set[str] = set()
    for key, member in value.items():
        here = f"{path}/{'paymentOrder' if key == 'paymentorder' else key}"
        found |= {here} | _names(member, here)
    return found


def _created(merchant: Merchant) -> Answer:
    return merchant.create()


def _captured(merchant: Merchant) -> Answer:
    return merchant.call("POST", f"{_paid(merchant)}/captures", _move(amount=1500, vatAmount=0))


def _cancelled(merchant: Merchant) -> Answer:
    return merchant.call("POST", f"{_paid(merchant)}/cancellations", _move())


def _reversed(merchant: Merchant) -> Answer:
    order = _paid(merchant)
    merchant.capture(order, 1500, "C0")
    return merchant.call("POST", f"{order}/reversals", _move(amount=1500, vatAmount=0))


def _aborted(merchant: Merchant) -> Answer:
    return merchant.patch(merchant.order(), "Abort", abortReason="x")


def _move(**members: object) -> dict[str, object]:
    return {"transaction": {"description": "x", "payeeReference": "M1", **members}}


def _node(name: str) -> Callable[[Merchant], Answer]:
    def fetch(merchant: Merchant) -> Answer:
        order = _paid(merchant)
        merchant.capture(order, 700, "C1", receiptReference="K1")
        merchant.cancel(order, "X1")
        return merchant.call("GET", f"{order}/{name}")

    return fetch


def _paid_by(instrument: str, currency: str = "SEK") -> Callable[[Merchant], Answer]:
    def fetch(merchant: Merchant) -> Answer:
        order = merchant.order(currency=currency)
        if instrument == "Swish":
            merchant.emulator.pay_by_swish(order)
        else:
            merchant.emulator.pay_by(order, instrument)
        return merchant.call("GET", f"{order}/paid")

    return fetch


def _failed_attempts(merchant: Merchant) -> Answer:
    order = merchant.order(currency="NOK")
    merchant.emulator.pay_by_card(order, pan="4761739001010416", answer=PayerAnswer.CANCEL)
    merchant.emulator.pay_by(order, "Vipps", answer=PayerAnswer.DECLINE)
    return merchant.call("GET", f"{order}/failedattempts")


ORDER = "/paymentOrder/"
REMAINING = {f"{ORDER}remaining{word}Amount" for word in ("Capture", "Cancellation", "Reversal")}
VIEWABLE = {f"{ORDER}viewableInstruments"}
PAID_ALWAYS = {f"/paid/{name}" for name in ("orderReference", "submittedAmount", "feeAmount", "discountAmount")}
TOKENS = {"/paid/tokens", *(f"/paid/tokens/{name}" for name in ("type", "token", "name", "expiryDate"))}
CARD_TOKENS = {f"/paid/details/{name}" for name in ("nonPaymentToken", "externalNonPaymentToken")}
CARD_TOKENS |= {"/paid/details/issuingBank", "/paid/details/paymentAccountReference"}


def test_members_are_those_of_the_samples() -> None:
    cases: list[tuple[str, Callable[[Merchant], Answer], set[str] | None, set[str]]] = [
        ("purchase-response-initialized-redirect-v3.1.json", _created, VIEWABLE, set()),
        ("capture-response-v3.1.json", _captured, VIEWABLE, REMAINING),
        ("cancel-response-v3.1.json", _cancelled, VIEWABLE, set()),
        ("reversal-response-v3.1.json", _reversed, VIEWABLE, REMAINING),
        ("abort-response-redirect.json", _aborted, None, set()),
        ("paymentorder-aborted.json", lambda m: m.call("GET", f"{_aborted(m).order['id']}/aborted"), set(), set()),
        ("paymentorder-paid-card.json", _node("paid"), set(), TOKENS | {"/paid/details/maskedDPan"}),
        ("paymentorder-paid-swish.json", _paid_by("Swish"), PAID_ALWAYS, set()),
        ("paymentorder-paid-invoice.json", _paid_by("Invoice-PayExFinancingSe"), PAID_ALWAYS, set()),
        ("paymentorder-paid-apple-pay.json", _paid_by("ApplePay"), PAID_ALWAYS | CARD_TOKENS, set()),
        (
            "paymentorder-paid-google-pay.json",
            _paid_by("GooglePay"),
            PAID_ALWAYS | CARD_TOKENS | {"/paid/transactionType"},
            set(),
        ),
        (
            "paymentorder-paid-click-to-pay.json",
            _paid_by("ClickToPay"),
            PAID_ALWAYS | CARD_TOKENS | {"/paid/transactionType"},
            set(),
        ),
        ("paymentorder-paid-mobilepay.json", _paid_by("MobilePay", "DKK"), PAID_ALWAYS | CARD_TOKENS, set()),
        ("paymentorder-financialtransactions.json", _node("financialtransactions"), set(), set()),
        ("paymentorder-history.json", _node("history"), set(), set()),
        ("paymentorder-failedattempts.json", _failed_attempts, set(), set()),
        ("urls-response.json", lambda m: m.call("GET", f"{_all_urls(m)}/urls"), set(), set()),
    ]
    for name, answer, ours_more, theirs_more in cases:
        merchant = Merchant()
        theirs, ours = _names(_sample(name)), _names(answer(merchant).body)
        assert theirs - ours <= theirs_more | {
            f"/operations/{part}" for part in ("method", "href", "rel", "contentType")
        }
        if ours_more is not None:
            assert ours - theirs <= ours_more


def _all_urls(merchant: Merchant) -> str:
    urls = {
        "hostUrls": ["https://shop.example"],
        "completeUrl": "https://shop.example/1",
        "cancelUrl": "https://shop.example/2",
        "paymentUrl": "https://shop.example/3",
        "callbackUrl": "https://shop.example/4",
        "logoUrl": "https://shop.example/5",
        "termsOfServiceUrl": "https://shop.example/6",
    }
    return merchant.order(urls=urls)


def test_callbacks_are_those_of_the_samples() -> None:
    cases: list[tuple[str, str]] = [
        ("callback-v3.1-paymentorder.json", "3.1"),
        ("callback-v3.0-migration-guide.json", "3.0"),
    ]
    for name, version in cases:
        merchant = Merchant()
        order = dataclasses.replace(merchant, version=version).order(orderItems=[ITEM])
        merchant.emulator.pay_by_swish(order)
        (callback,) = merchant.emulator.callbacks.waiting
        assert _names(json.loads(callback.body)) == _names(_sample(name))


def test_older_transactions_are_those_of_the_samples(merchant: Merchant) -> None:
    order, old = _paid(merchant), dataclasses.replace(merchant, version="3.0")
    answers = {
        "capture": old.capture(order, 500, "C1", receiptReference="K1"),
        "reversal": old.reverse(order, 500, "R1", receiptReference="K1"),
        "cancel": old.cancel(order, "X1"),
    }
    extra = {f"/reversal/transaction/{part}" for part in ("isOperational", "reconciliationNumber", "operations")}
    for verb, answer in answers.items():
        assert _names(_sample(f"{verb}-response-v3.0.json")) - extra == _names(answer.body)


def test_a_real_purchase_request_is_taken_as_it_is(merchant: Merchant) -> None:
    sample = _sample("purchase-request-v3.1.json")
    payee = merchant.emulator.merchants[0].payee_id
    sample["paymentorder"]["payeeInfo"]["payeeId"] = payee
    assert merchant.call("POST", "/psp/paymentorders", sample).status == 201
