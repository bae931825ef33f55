"""Recurring payments and QR codes: the experimental interface, and pictures that hold the right words."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from prenopay.testing.control import ControlRefused
from prenopay.testing.emulators.swish import DEFAULT_NUMBER, SwishEmulator, SwishMerchant, SwishPayer
from prenopay.testing.emulators.swish.qr import commerce_content, prefilled_content
from prenopay.testing.http import EmulatorAnswer

from .swish_calling import CALLBACK, IDENTIFIER, PAYER, Shop

BASE = "/recurring/merchant/v1"
CONSENT = "C" * 32
CHARGE = "D" * 32


def _consent(shop: Shop, *, ending: str = "", **changes: object) -> Any:
    body = {
        "callbackUrl": CALLBACK,
        "callbackIdentifier": IDENTIFIER,
        "payee": {"alias": DEFAULT_NUMBER},
        "payeePaymentReference": "PREN1",
        **changes,
    }
    return shop.call("POST", f"{BASE}/consents/{CONSENT}{ending}", body)


def _charge(shop: Shop, name: str = CHARGE, **changes: object) -> Any:
    body = {
        "consentId": CONSENT,
        "callbackUrl": CALLBACK,
        "payee": {"alias": DEFAULT_NUMBER},
        "amount": {"value": 99.5, "currency": "SEK"},
        "message": "Prenumeration",
        **changes,
    }
    return shop.call("POST", f"{BASE}/payments/single/{name}", body)


def test_a_consent_is_signed_charged_and_revoked() -> None:
    shop = Shop()
    answer = _consent(shop, payer={"alias": PAYER})
    assert (answer.status, answer.token) == (201, "")
    path = f"{BASE}/consents/{CONSENT}"
    assert shop.call("GET", path).body["status"] == "PENDING"
    assert _charge(shop).codes == ["PA01"]
    assert shop.emulator.sign_consent(CONSENT) == "ACTIVE"
    assert shop.call("GET", path).body["payer"] == {"alias": PAYER}
    assert _charge(shop).status == 201
    assert _charge(shop).codes == ["RP09"]
    status = f"{BASE}/payments/single/{CHARGE}/status"
    assert shop.call("GET", status).body["status"] == "CREATED"
    shop.wait(4)
    body = shop.call("GET", status).body
    assert (body["status"], body["amount"], body["consentId"]) == ("PAID", {"value": 99.5, "currency": "SEK"}, CONSENT)
    assert _charge(shop, "E" * 32, message="RF07").status == 201
    shop.wait(4)
    assert shop.call("GET", f"{BASE}/payments/single/{'E' * 32}/status").body["errorCode"] == "RF07"
    assert _charge(shop, "F" * 32).status == 201
    assert shop.call("DELETE", path).status == 204
    shop.wait(4)
    assert shop.statuses_told == ["ACTIVE", "PAID", "ERROR", "REVOKED", "ERROR"]


def test_a_charge_is_refunded_like_a_payment() -> None:
    shop = Shop()
    _consent(shop, payer={"alias": PAYER})
    shop.emulator.sign_consent(CONSENT)
    _charge(shop)
    status = f"{BASE}/payments/single/{CHARGE}/status"
    assert "paymentReference" not in {name for name, value in shop.call("GET", status).body.items() if value}
    shop.wait(4)
    body = {
        "originalPaymentReference": shop.call("GET", status).body["paymentReference"],
        "callbackUrl": CALLBACK,
        "payerAlias": DEFAULT_NUMBER,
        "amount": "99.50",
        "currency": "SEK",
    }
    assert shop.call("PUT", f"/swish-cpcapi/api/v2/refunds/{'B' * 32}", body).status == 201
    shop.wait(10)
    totals = shop.emulator.books()[CHARGE]
    assert (totals.paid, totals.refunded) == (9950, 9950)


def test_a_consent_by_token_is_signed_by_whoever_has_it() -> None:
    shop = Shop()
    answer = _consent(shop, ending="/token", tin="190001010000")
    assert answer.token
    assert shop.emulator.sign_consent(answer.token, msisdn=PAYER, agrees=False) == "DECLINED"
    with pytest.raises(ControlRefused):
        shop.emulator.sign_consent(answer.token)


def test_what_recurring_refuses() -> None:
    emulator = SwishEmulator(merchants=[SwishMerchant(), SwishMerchant(number="1230000025")])
    shop, other = Shop(emulator), Shop(emulator, number="1230000025")
    assert _consent(shop).status == 400
    assert _consent(shop, ending="/token", payer={"alias": PAYER}).status == 400
    assert _consent(shop, payer={"alias": PAYER}, payee={}).codes == ["RP01"]
    assert _consent(shop, payer={"alias": PAYER}, callbackUrl="x").codes == ["RP03"]
    assert _consent(other, payer={"alias": PAYER}).status == 403
    assert _consent(shop, payer={"alias": PAYER}).status == 201
    assert _consent(shop, payer={"alias": PAYER}).codes == ["RP09"]
    assert other.call("GET", f"{BASE}/consents/{CONSENT}").status == 404
    assert shop.call("GET", f"{BASE}/payments/single/{CHARGE}/status").status == 404
    assert _charge(shop, amount={"value": 1, "currency": "NOK"}).codes == ["AM03"]


def test_a_consents_callback_can_be_moved_under_its_singular_path() -> None:
    shop = Shop()
    _consent(shop, payer={"alias": PAYER})
    path = f"{BASE}/consent/{CONSENT}/callback"
    assert shop.call("PUT", path, {"callbackUrl": "https://shop.example/new"}).status == 204
    shop.emulator.sign_consent(CONSENT)
    assert shop.emulator.callbacks.waiting[0].url == "https://shop.example/new"


def test_who_is_offered_recurring() -> None:
    shop = Shop(SwishEmulator(payers=[SwishPayer(msisdn="46701740613", is_enrolled=False)]))
    assert shop.call("POST", f"{BASE}/recurring/alias", {"alias": PAYER}).body == {"recurringIsOffered": True}
    assert shop.call("POST", f"{BASE}/recurring/alias", {"alias": "46701740613"}).body == {"recurringIsOffered": False}
    assert shop.call("POST", f"{BASE}/recurring/tin", {"tin": "190001010000"}).status == 200
    assert shop.call("POST", f"{BASE}/recurring/tin", {}).status == 400


# QR codes


def _drawn(path: str, **body: object) -> EmulatorAnswer:
    outcome = Shop(number="").send("POST", f"/qrg-swish/api/v1/{path}", body)
    assert isinstance(outcome, EmulatorAnswer)
    return outcome


def test_a_token_is_drawn_without_a_certificate() -> None:
    answer = _drawn("commerce", token="a" * 32, format="png", size=300, border=1, transparent=True)
    assert (answer.status, dict(answer.headers)["content-type"]) == (200, "image/png")
    assert answer.body.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", answer.body[16:24])
    assert 200 < width == height <= 300
    answer = _drawn("commerce", token="a" * 32, format="svg")
    assert b"<svg" in answer.body


def test_prefilled_codes_are_drawn() -> None:
    answer = _drawn("prefilled", format="svg", payee={"value": DEFAULT_NUMBER}, amount={"value": 149.5})
    assert answer.status == 200
    answer = _drawn("prefilled", format="png", size=300, message={"value": "Hej"}, border=None)
    assert answer.body.startswith(b"\x89PNG")


def test_what_is_not_drawn() -> None:
    cases: list[tuple[str, dict[str, object], int]] = [
        ("commerce", {"format": "png", "size": 300}, 400),
        ("commerce", {"token": "x", "format": "png"}, 400),
        ("commerce", {"token": "x", "format": "png", "size": 299}, 400),
        ("commerce", {"token": "x", "format": "gif"}, 400),
        ("commerce", {"token": "x", "format": "svg", "colour": "red"}, 400),
        ("commerce", {"token": "x", "format": "jpg", "size": 300, "transparent": True}, 400),
        ("commerce", {"token": "x", "format": "jpg", "size": 300}, 500),
        ("prefilled", {"format": "svg"}, 400),
        ("prefilled", {"format": "svg", "amount": {"value": "1"}}, 400),
        ("prefilled", {"format": "svg", "payee": "1230000017"}, 400),
        ("prefilled", {"format": "svg", "message": {"value": "x" * 71}}, 400),
        ("nothing", {"format": "svg"}, 404),
    ]
    for path, body, status in cases:
        assert _drawn(path, **body).status == status


def test_what_a_prefilled_code_says() -> None:
    cases: list[tuple[dict[str, object], str]] = [
        (
            {"payee": {"value": "1230000017"}, "amount": {"value": 100}, "message": {"value": "B 1"}},
            "C1230000017;100,00;B%201",
        ),
        (
            {
                "payee": {"value": "1230000017"},
                "amount": {"value": 0, "editable": True},
                "message": {"value": "å", "editable": True},
            },
            "C1230000017;0,00;%C3%A5;6",
        ),
        ({"payee": {"value": "1230000017", "editable": True}}, "C1230000017;;;1"),
    ]
    for body, content in cases:
        assert prefilled_content(body) == content
        assert commerce_content({"token": "abc"}) == "Dabc"
