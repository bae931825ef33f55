"""Payouts: what they must hold, the signature over exactly the bytes sent, and how they move."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, utils

from prenopay.testing.emulators.swish import (
    DEFAULT_NUMBER,
    MSS,
    Behaviour,
    IssuedCertificate,
    Status,
    SwishAuthority,
    SwishEmulator,
    SwishMerchant,
    SwishPayer,
    is_payout_signature,
    sign_payout,
)
from prenopay.testing.emulators.swish.authority import payload_bytes

from .swish_calling import CALLBACK, IDENTIFIER, Answer, Shop

PATH = "/swish-cpcapi/api/v1/payouts"
RECIPIENT = "46701740609"
SSN = "190001010000"


@pytest.fixture(scope="module")
def authority() -> SwishAuthority:
    return SwishAuthority()


@dataclass
class Payer:
    """A merchant whose payouts are signed and sent."""

    authority: SwishAuthority
    behaviour: Behaviour = field(default_factory=Behaviour)
    purpose: str = "signing"

    def __post_init__(self) -> None:
        self.shop = Shop(SwishEmulator(authority=self.authority, behaviour=self.behaviour))
        self.certificate: IssuedCertificate = self.authority.issue(DEFAULT_NUMBER, key_size=2048, purpose=self.purpose)

    def payload(self, **changes: object) -> dict[str, object]:
        body: dict[str, object] = {
            "payoutInstructionUUID": self.shop.new_id(),
            "payerPaymentReference": "UT1",
            "payerAlias": DEFAULT_NUMBER,
            "payeeAlias": RECIPIENT,
            "payeeSSN": SSN,
            "amount": "200.00",
            "currency": "SEK",
            "payoutType": "PAYOUT",
            "message": "Arvode, tack",
            "instructionDate": "2026-01-15T12:00:00",
            "signingCertificateSerialNumber": self.certificate.serial,
            **changes,
        }
        return {name: value for name, value in body.items() if value is not None}

    def pay(self, payload: bytes | None = None, signature: str | None = None, **changes: object) -> Answer:
        """Send a payout; the signature is good unless one is given."""
        signed = json.dumps(self.payload(**changes)).encode() if payload is None else payload
        key = self.certificate.private_key
        assert key is not None
        around = json.dumps({
            "callbackUrl": CALLBACK,
            "callbackIdentifier": IDENTIFIER,
            "signature": sign_payout(key, signed) if signature is None else signature,
        })  # fmt: skip
        return self.shop.call("POST", PATH, b'{ "payload" : ' + signed + b" ," + around[1:].encode())

    def get(self, payout: str) -> Any:
        return self.shop.call("GET", f"{PATH}/{payout}").body


@pytest.fixture
def payer(authority: SwishAuthority) -> Payer:
    return Payer(authority)


def test_a_payout_moves_from_state_to_state(payer: Payer) -> None:
    answer = payer.pay()
    assert (answer.status, answer.body) == (201, b"")
    name = answer.headers["location"].rsplit("/", 1)[-1]
    assert payer.get(name)["status"] == "CREATED"
    payer.shop.wait(4)
    assert payer.get(name)["status"] == "DEBITED"
    payer.shop.wait(4)
    body = payer.get(name)
    assert body == {
        "paymentReference": body["paymentReference"],
        "payoutInstructionUUID": name,
        "payerPaymentReference": "UT1",
        "callbackUrl": CALLBACK,
        "callbackIdentifier": IDENTIFIER,
        "payerAlias": DEFAULT_NUMBER,
        "payeeAlias": RECIPIENT,
        "payeeSSN": SSN,
        "amount": 200.0,
        "currency": "SEK",
        "message": "Arvode, tack",
        "payoutType": "PAYOUT",
        "status": "PAID",
        "dateCreated": "2026-01-15T12:00:00.000",
        "datePaid": "2026-01-15T12:00:04.000",
        "errorMessage": None,
        "additionalInformation": None,
        "errorCode": None,
    }
    assert payer.shop.statuses_told == ["DEBITED", "PAID"]


def test_the_bytes_are_the_senders(payer: Payer) -> None:
    cases: list[dict[str, Any]] = [
        {"separators": (",", ":")},
        {"indent": 2},
        {"sort_keys": True},
        {"ensure_ascii": False},
    ]
    for spaced in cases:
        payload = json.dumps(payer.payload(message="Återbäring 1"), **spaced).encode()
        assert payer.pay(payload).status == 201


def test_only_the_double_hash_is_a_signature(payer: Payer) -> None:
    key, payload = payer.certificate.private_key, json.dumps(payer.payload()).encode()
    assert key is not None
    digest = hashlib.sha512(payload).digest()
    prehashed = utils.Prehashed(hashes.SHA512())
    single = base64.b64encode(key.sign(digest, padding.PKCS1v15(), prehashed)).decode()
    for wrong in (single, "", "not base64!", base64.b64encode(b"x" * 256).decode()):
        assert payer.pay(payload, wrong).codes == ["PA01"]
    good = sign_payout(key, payload)
    assert payer.pay(payload.replace(b"200.00", b"900.00"), good).codes == ["PA01"]
    assert payer.pay(payload, good).status == 201


def test_who_may_sign(authority: SwishAuthority) -> None:
    assert Payer(authority, purpose="tls").pay().status == 201
    assert Payer(authority, MSS, purpose="tls").pay().codes == ["PA01"]
    assert Payer(authority, MSS).pay().status == 201
    strict = replace(Behaviour(), bad_signature="401", payout_parameter_status=403)
    answer = Payer(authority, strict).pay(signingCertificateSerialNumber="0" * 32)
    assert (answer.status, answer.body) == (401, b"")
    assert Payer(authority, strict).pay(payoutType="X").status == 403


def test_an_expired_certificate_does_not_sign(authority: SwishAuthority) -> None:
    payer = Payer(authority)
    payer.shop.emulator.clock.advance(timedelta(days=4000))
    assert payer.pay().codes == ["PA01"]


def test_another_merchants_certificate_does_not_sign(payer: Payer, authority: SwishAuthority) -> None:
    other = authority.issue("1230000025", key_size=2048, purpose="signing")
    assert payer.pay(signingCertificateSerialNumber=other.serial).codes == ["PA01"]


def test_fields(payer: Payer) -> None:
    cases: list[tuple[dict[str, object], str]] = [
        ({"payeeSSN": None}, "PA06"),
        ({"payeeSSN": "0001010000"}, "PA06"),
        ({"amount": "12.5"}, ""),
        ({"amount": "12.555"}, "PA02"),
        ({"amount": "150000.01"}, "AM02"),
        ({"amount": "0"}, "AM06"),
        ({"currency": "NOK"}, "AM03"),
        ({"message": "x" * 51}, "RP02"),
        ({"message": None}, ""),
        ({"payerPaymentReference": None}, "FF08"),
        ({"payerPaymentReference": "a b"}, "FF08"),
        ({"payerAlias": None}, "RP01"),
        ({"payeeAlias": None}, "ACMT17"),
        ({"payeeAlias": "0701740609"}, ""),
        ({"payeeAlias": "+46701740609"}, "ACMT17"),
        ({"payoutType": "SALARY"}, "PA01"),
        ({"instructionDate": None}, "PA01"),
        ({"instructionDate": "2026-01-15T12:00:01"}, "PA01"),
        ({"instructionDate": "2026-01-15T12:00:00Z"}, ""),
        ({"instructionDate": "2026-01-15T13:59:59+02:00"}, ""),
        ({"instructionDate": "2026-01-15"}, "PA01"),
        ({"instructionDate": "2026-13-45T12:00:00"}, "PA01"),
        ({"payoutInstructionUUID": "x"}, "PA01"),
        ({"signingCertificateSerialNumber": "0x12"}, "PA01"),
        ({"message": "ACMT13"}, "ACMT13"),
        ({"message": "ACMT14"}, "ACMT14"),
        ({"message": "ACMT15"}, "ACMT15"),
        ({"message": "TM01"}, "TM01"),
        ({"message": "RF07"}, "RF07"),
        ({"message": "PA01"}, "PA01"),
    ]
    for changes, code in cases:
        answer = payer.pay(None, None, **changes)
        assert (answer.codes == [code]) if code else (answer.status == 201), answer


def test_members_have_one_spelling(payer: Payer) -> None:
    assert payer.pay(payeeSsn=SSN).status == 400
    assert payer.shop.call("POST", PATH, {"payload": payer.payload(), "callbackURL": CALLBACK}).status == 400
    assert payer.shop.call("POST", PATH, {"payload": []}).codes == ["PA01"]
    assert payer.shop.call("POST", PATH, {}).status == 400
    assert payer.shop.call("POST", PATH, b'{"payload": {}, "payload": {}}').status == 400
    unsafe = {"payload": payer.payload(), "callbackUrl": "http://x"}
    assert payer.shop.call("POST", PATH, unsafe).codes == ["RP03"]


def test_an_id_is_paid_once(payer: Payer) -> None:
    payload = json.dumps(payer.payload()).encode()
    assert payer.pay(payload).status == 201
    assert payer.pay(payload).codes == ["RP09"]
    assert len(payer.shop.emulator.payouts) == 1


def test_what_agreement_and_people_do_not_allow(payer: Payer) -> None:
    emulator = payer.shop.emulator
    emulator.enrol(SwishPayer(msisdn=RECIPIENT, ssn="190101010000"))
    assert payer.pay().codes == ["VR02"]
    emulator.enrol(SwishPayer(msisdn=RECIPIENT, is_enrolled=False))
    assert payer.pay().codes == ["ACMT07"]
    emulator.enrol(SwishPayer(msisdn=RECIPIENT), SwishMerchant(may_pay_out=False))
    assert payer.pay().codes == ["ACMT14"]
    emulator.enrol(SwishMerchant(opening_balance=Decimal(10)))
    assert payer.pay().status == 201
    payer.shop.wait(9)
    (payout,) = emulator.payouts
    assert (payout.status, payout.error_code) == (Status.ERROR, "RF07")


def test_payload_bytes_are_found_wherever_they_stand() -> None:
    assert payload_bytes(b'{"a":"\\"payload\\":1", "payload" :\t{"x": [1,{}]} ,"b":2}') == b'{"x": [1,{}]}'
    for wrong in (b"{}", b"[]", b'{"payload"', b'{"a":1}', b'{"payload" 1}', b"\xff"):
        with pytest.raises(ValueError):
            payload_bytes(wrong)


def test_a_payout_needs_no_callback(payer: Payer) -> None:
    payload = json.dumps(payer.payload()).encode()
    key = payer.certificate.private_key
    assert key is not None
    signature = sign_payout(key, payload)
    assert is_payout_signature(key.public_key(), payload, signature)
    body = b'{"payload":' + payload + b',"signature":"' + signature.encode() + b'"}'
    assert payer.shop.call("POST", PATH, body).status == 201
    payer.shop.wait(9)
    assert payer.shop.told == []
    assert payer.shop.emulator.payouts[0].paid == datetime(2026, 1, 15, 12, 0, 4, tzinfo=UTC)
