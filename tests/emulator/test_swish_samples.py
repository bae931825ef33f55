"""The Swish emulator's members against samples from Swish's own guides, where a folder with them is named.

The folder named by ``PRENOPAY_SAMPLES`` holds ``swish/*.json``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from prenopay.testing.emulators.swish import (
    MSS,
    AbsentStyle,
    Behaviour,
    ReferenceSigns,
    SwishEmulator,
    SwishMerchant,
    is_payout_signature,
)
from prenopay.testing.emulators.swish.authority import payload_bytes
from prenopay.testing.emulators.swish.problems import Call, provokes_at_once, provokes_later, text_of
from prenopay.testing.emulators.swish.qr import commerce_content, prefilled_content

from .samples import load
from .swish_calling import PAYER, Shop


def _kind(name: str, value: object) -> str:
    """Return what a value is, as far as a reader of the wire cares."""
    if value is None or value == "":
        return "nothing"
    if name.startswith("date"):
        return "date" if str(value).endswith("Z") and len(str(value)) == 24 else "another date"
    return {"float": "number", "int": "number"}.get(type(value).__name__, type(value).__name__)


def _shape(body: dict[str, Any]) -> dict[str, str]:
    return {name: _kind(name, value) for name, value in body.items()}


def _told(shop: Shop, payment: str) -> Any:
    return next(body for body in reversed(shop.told) if body["id"] == payment)


def _approved(failing: str) -> Callable[[Shop], Any]:
    def act(shop: Shop) -> Any:
        payment = shop.created()
        shop.emulator.approve(payment, failing=failing)
        return _told(shop, payment)

    return act


def _declined(shop: Shop) -> Any:
    payment = shop.created()
    shop.emulator.decline(payment)
    return shop.get(payment)


def _cancelled(shop: Shop) -> Any:
    payment = shop.created(payerAlias=PAYER)
    return shop.cancel(payment).body


def _unopened(shop: Shop) -> Any:
    payment = shop.created()
    shop.wait(600)
    return shop.get(payment)


def _refund(seconds: float, **changes: object) -> Callable[[Shop], Any]:
    def act(shop: Shop) -> Any:
        answer = shop.refund(shop.paid(), **changes)
        shop.wait(seconds)
        return shop.get_refund(answer.headers["location"].rsplit("/", 1)[-1])

    return act


STRICT = Behaviour()
BARE: dict[str, object] = {"message": None, "payerPaymentReference": None}
SAMPLES: list[tuple[str, Behaviour, Callable[[Shop], Any], dict[str, str]]] = [
    ("pay_get_paid_mcom.json", STRICT, _approved(""), {}),
    ("cb_pay_paid.json", replace(STRICT, absent=AbsentStyle.EMPTY), _approved(""), {"callbackIdentifier": "str"}),
    ("pay_get_declined.json", STRICT, _declined, {"payerAlias": "nothing"}),
    ("cb_pay_declined.json", STRICT, _declined, {"payerAlias": "nothing"}),
    ("pay_get_error_tm01.json", STRICT, _unopened, {}),
    ("pay_cancel_200.json", replace(MSS, pays_itself_after=None), _cancelled, {}),
    ("cb_pay_cancelled.json", STRICT, _cancelled, {}),
    ("cb_pay_error_rf07.json", replace(STRICT, reference_early=True), _approved("RF07"), {}),
    ("cb_pay_error_ds24.json", STRICT, _approved("DS24"), {}),
    ("ref_get_validated.json", STRICT, _refund(0), {}),
    ("ref_get_debited.json", STRICT, _refund(4, **BARE), {"callbackIdentifier": "str"}),
    ("ref_get_paid.json", STRICT, _refund(8), {}),
    ("cb_ref_paid.json", STRICT, _refund(8), {}),
]  # fmt: skip


def test_objects_have_the_samples_shapes() -> None:
    for name, behaviour, act, ours in SAMPLES:
        theirs = load("swish", name)
        body = act(Shop(SwishEmulator(behaviour=behaviour)))
        assert _shape(body) == {**_shape(theirs), **ours}
        assert body["status"] == theirs["status"]
        assert [body.get(member) for member in ("errorCode",)] == [theirs["errorCode"]]


ERRORS: list[tuple[str, int, Callable[[Shop], Any]]] = [
    ("pay_err_403_pa01.json", 403, lambda shop: shop.create(payeeAlias="1231181189")),
    ("pay_err_404_rp04.json", 404, lambda shop: shop.call("GET", f"/swish-cpcapi/api/v1/paymentrequests/{'A' * 32}")),
    ("pay_err_422_be18.json", 422, lambda shop: shop.create(payerAlias="1")),
    ("pay_err_422_rp06.json", 422, lambda shop: [shop.create(payerAlias=PAYER) for _ in range(2)][1]),
    ("pay_err_422_rp09.json", 422, lambda shop: [shop.create("A" * 32) for _ in range(2)][1]),
    ("pay_cancel_err_rp07.json", 422, lambda shop: [shop.cancel(payment) for payment in [shop.created()] * 2][1]),
    ("ref_err_422_acmt07.json", 422, lambda shop: shop.refund(shop.paid(), message="ACMT07")),
    ("ref_err_422_rf09.json", 422, lambda shop: shop.refund(shop.paid(), message="RF09")),
    (
        "ref_err_422_rf08.json",
        422,
        lambda shop: [shop.refund(original, amount="60") for original in [shop.paid()] * 2][1],
    ),
]


def test_errors_are_the_samples() -> None:
    for name, status, act in ERRORS:
        answer = act(Shop())
        assert (answer.status, answer.body) == (status, load("swish", name))


def test_their_requests_are_taken_as_they_are() -> None:
    cases: list[tuple[str, str]] = [
        ("pay_create_minimal_req.json", "1234679304"),
        ("pay_create_full_req.json", "1234679304"),
        ("pay_create_ecom_req.json", "1231181189"),
        ("pay_create_mcom_req.json", "1231181189"),
    ]
    for name, payee in cases:
        shop = Shop(SwishEmulator(merchants=[SwishMerchant(number=payee)]), number=payee)
        path = f"/swish-cpcapi/api/v2/paymentrequests/{shop.new_id()}"
        answer, body = shop.call("PUT", path, load("swish", name)), load("swish", name)
        assert answer.status == 201, answer
        assert bool(answer.token) is ("payerAlias" not in body)
        theirs = load("swish", "pay_create_mcom_201.json")["headers"]
        assert (
            answer.headers["location"].rsplit("/", 1)[0].endswith(theirs["Location"].split(".net")[1].rsplit("/", 1)[0])
        )


def test_their_refund_requests_are_taken_as_they_are() -> None:
    for name in ("ref_create_req.json", "ref_create_req_min.json"):
        body = load("swish", name)
        merchant = SwishMerchant(number=body["payerAlias"])
        shop = Shop(SwishEmulator(merchants=[merchant], behaviour=MSS), number=merchant.number)
        assert shop.call("PUT", f"/swish-cpcapi/api/v2/refunds/{shop.new_id()}", body).status == 201


def test_their_cancel_request_cancels() -> None:
    shop = Shop()
    assert shop.cancel(shop.created(), load("swish", "pay_cancel_req.json")).body["status"] == "CANCELLED"


def test_every_field_case_is_answered_as_expected() -> None:
    """Cases of certainty A or B, and the rest in the reading that their switch gives."""
    developer_site = replace(Behaviour(), reference_signs=ReferenceSigns.DEVELOPER_SITE)
    for case in load("swish", "validation_cases.json"):
        field, value, expected = case["field"], case["value"], case["expect"]
        if case["certainty"] not in {"A", "B"} or field == "instructionUUID":
            continue
        for behaviour in (Behaviour(), developer_site):
            shop = Shop(SwishEmulator(behaviour=behaviour))
            answer = shop.create(**{field: value})
            code = expected.split()[0]
            if expected == "403 PA01":
                assert answer.status == 403
            elif code == "ok":
                assert answer.status == 201, case
            else:
                assert answer.codes == [code], case


def test_messages_provoke_what_the_guide_says() -> None:
    table = load("swish", "mss_simulation.json")
    for name, call in (("payment_ecom", Call.ECOM), ("payment_mcom", Call.MCOM), ("refund", Call.REFUND)):
        part = table[name]
        at_once = {*part["sync_422"], *part["sync_403"]}
        assert {code for code in at_once if provokes_at_once(code, call) == code} == at_once
        later = set(part["async_error"])
        assert {code for code in later if provokes_later(code, call) == code} == later
        assert not {code for code in later if provokes_at_once(code, call)}
    for code in table["payout"]["sync_error"]:
        assert provokes_at_once(code, Call.PAYOUT)
    assert [MSS.pays_itself_after, MSS.debited_after, MSS.settled_after] == [
        timedelta(seconds=table["delays_seconds"][name])
        for name in ("payment_result_callback", "refund_debited_callback", "refund_paid_callback")
    ]
    assert MSS.fake_payer == table["mcom_fake_payerAlias"]


def test_codes_have_the_texts_of_the_guide() -> None:
    for entry in load("swish", "errors.json"):
        assert text_of(entry["code"]) != entry["code"]
        if entry["wire_text"]:
            assert text_of(entry["code"]) == entry["wire_text"]
    assert text_of("RP02", Call.PAYOUT) == load("swish", "po_err_422_rp02.json")[0]["errorMessage"]


def test_their_payout_signature_is_good_and_the_others_are_not() -> None:
    vector = load("swish", "po_signature_vector.json")
    key = load_pem_public_key(vector["public_key_pem"].encode())
    assert isinstance(key, rsa.RSAPublicKey)
    payload = bytes.fromhex(vector["payload_bytes_hex"])
    assert payload_bytes(vector["request_body_utf8"].encode()) == payload
    assert is_payout_signature(key, payload, vector["signature_ok_double_hash_b64"])
    assert not is_payout_signature(key, payload, vector["signature_bad_single_hash_b64"])
    assert not is_payout_signature(key, payload, vector["signature_bad_raw_digest_no_digestinfo_b64"])
    assert not is_payout_signature(key, payload + b" ", vector["signature_ok_double_hash_b64"])


def test_codes_say_what_theirs_say() -> None:
    contents = {entry["kind"]: entry["content"] for entry in load("swish", "qr_payload_examples.json")}
    token, prefilled = load("swish", "qr_commerce_req.json"), load("swish", "qr_prefilled_req.json")
    assert commerce_content(token) == contents["commerce token"]
    assert prefilled_content(prefilled).startswith(f"C{prefilled['payee']['value']};149,50;Order%201042")
    for body, path in ((token, "commerce"), (prefilled, "prefilled")):
        assert Shop(number="").call("POST", f"/qrg-swish/api/v1/{path}", body).status == 200


def test_their_recurring_requests_are_taken_as_they_are() -> None:
    consent, by_token = load("swish", "rec_consent_ecom_req.json"), load("swish", "rec_consent_mcom_req.json")
    charge = load("swish", "rec_payment_req.json")
    number = consent["payee"]["alias"]
    shop = Shop(SwishEmulator(merchants=[SwishMerchant(number=number)]), number=number)
    base = "/recurring/merchant/v1"
    assert shop.call("POST", f"{base}/consents/{charge['consentId']}", consent).status == 201
    assert shop.call("POST", f"{base}/consents/{'B' * 32}/token", by_token).token
    shop.emulator.sign_consent(charge["consentId"])
    assert shop.call("POST", f"{base}/payments/single/{'C' * 32}", charge).status == 201
    moved = load("swish", "rec_consent_callback_put_req.json")
    assert shop.call("PUT", f"{base}/consent/{'B' * 32}/callback", moved).status == 204
    asked = load("swish", "rec_availability_req.json")
    assert shop.call("POST", f"{base}/recurring/alias", asked).body == load("swish", "rec_availability_200.json")
