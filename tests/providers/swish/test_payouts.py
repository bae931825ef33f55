"""Payouts: what is signed is what is sent, byte for byte, once; and how they end."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from prenopay import Money
from prenopay._blocking import run_blocking
from prenopay.errors import (
    DuplicateReference,
    ForeignAnswer,
    InvalidOrder,
    OutcomeUnknown,
    PrenopayError,
    ProviderUnavailable,
    Rejected,
    Unauthenticated,
    UnexpectedAnswer,
)
from prenopay.ports import HttpResponse
from prenopay.provider import Reply
from prenopay.providers.swish import signing
from prenopay.providers.swish.encoding import callback_identifier
from prenopay.values.payments import Outcome

from .authority import NUMBER, issued, rsa_key
from .samples import (
    API,
    CALLBACK,
    MISSING,
    MISSING_WITH_BODY,
    PHONE,
    UUID,
    Json,
    Script,
    answer,
    errors,
    made,
    payout,
    payout_request,
    provider,
)

_POST = ("POST", f"{API}/v1/payouts")
_LOOK = ("GET", f"{API}/v1/payouts/{UUID}")
_BODY = provider().write_payout(payout_request())


def written(**fields: Any) -> bytes:
    return provider().write_payout(payout_request(**fields))


def payload_of(body: bytes) -> bytes:
    """Return the bytes between ``"payload":`` and what follows it, without decoding them."""
    begins = len(b'{"payload":')
    return body[begins : body.index(b',"callbackUrl":')]


def pay(script: Script, *, again: bool = False) -> Reply:
    return run_blocking(provider().pay_out(script, UUID, _BODY, again=again))


# Writing


def test_a_payout_says_every_field() -> None:
    decoded = json.loads(written())
    assert decoded.pop("signature")
    expected = {
        "payload": {
            "payoutInstructionUUID": UUID,
            "payerPaymentReference": "prize-1",
            "payerAlias": NUMBER,
            "payeeAlias": PHONE,
            "payeeSSN": "197501082387",
            "amount": "500.00",
            "currency": "SEK",
            "payoutType": "PAYOUT",
            "message": "Första pris",
            "instructionDate": "2026-10-28T12:00:01",
            "signingCertificateSerialNumber": "0000000000000000000000000000000A",
        },
        "callbackUrl": CALLBACK,
        "callbackIdentifier": callback_identifier(CALLBACK),
    }
    assert expected == decoded


def test_the_signature_is_of_the_bytes_that_are_sent() -> None:
    body, key = written(), rsa_key("merchant")
    assert written() == body
    payload, signature = payload_of(body), json.loads(body)["signature"]
    assert payload.decode().count("Första") == 1
    assert signing.is_signature(key.public_key(), payload, signature)
    assert not signing.is_signature(key.public_key(), payload + b" ", signature)
    assert not signing.is_signature(rsa_key("other").public_key(), payload, signature)
    once = base64.b64encode(key.sign(payload, padding.PKCS1v15(), hashes.SHA512())).decode()  # not hashed again
    for wrong in (once, "", "?", "åäö", "AAAA"):
        assert not signing.is_signature(key.public_key(), payload, wrong)


def test_another_pair_may_sign() -> None:
    other = issued(key="signing", serial=0xABCDEF)
    gateway = provider(signing_certificate=other.chain_pem, signing_key=other.key_pem)
    body = gateway.write_payout(payout_request())
    decoded = json.loads(body)
    assert f"{0xABCDEF:032X}" == decoded["payload"]["signingCertificateSerialNumber"]
    assert signing.is_signature(other.key.public_key(), payload_of(body), decoded["signature"])


def test_a_personal_number_may_be_left_out_where_the_account_says_so() -> None:
    gateway = provider(payouts_without_personal_number=True)
    decoded = json.loads(gateway.write_payout(payout_request(payee_personal_number="", description="")))
    assert not {"payeeSSN", "message"} & set(decoded["payload"])


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"amount": Money(100, "EUR")}, "amount"),
        ({"payee_phone": "12"}, "payee_phone"),
        ({"payee_personal_number": ""}, "payee_personal_number"),
        ({"payee_personal_number": "7501082387"}, "payee_personal_number"),
        ({"reference": "å"}, "reference"),
        ({"description": "100 %"}, "description"),
    ],
)
def test_what_cannot_be_expressed_is_refused(fields: Json, field: str) -> None:
    with pytest.raises(InvalidOrder) as refused:
        written(**fields)
    assert field == refused.value.field


# Sending


def test_a_payout_is_sent_as_it_was_written() -> None:
    script = Script(made("payouts"))
    assert Outcome.PENDING is pay(script).outcome
    (sent,) = script.sent
    assert (*_POST, _BODY, False) == (sent.method, sent.url, sent.body, sent.retry_safe)


_FOUND: list[tuple[HttpResponse, Outcome, str | None]] = [
    *((answer(payout(status)), Outcome.PENDING, None) for status in ("CREATED", "DEBITED", "SOMETHING")),
    (answer(payout("PAID")), Outcome.SUCCEEDED, None),
    (answer(payout("DECLINED")), Outcome.DECLINED, "DECLINED"),
    (answer(payout("DECLINED", errorCode="CD01")), Outcome.DECLINED, "CD01"),
    (answer(payout("DECLINED", errorCode="TA01")), Outcome.UNKNOWN, "TA01"),
    (answer(payout("ERROR", errorCode="CD01")), Outcome.DECLINED, "CD01"),
    (answer(payout("ERROR", errorCode="XX99")), Outcome.UNKNOWN, "XX99"),
    (answer(payout("ERROR")), Outcome.UNKNOWN, ""),
    (answer(payout("ERROR", errorCode="TA01")), Outcome.UNKNOWN, "TA01"),
    (answer(payout("ERROR", errorCode="DS24")), Outcome.UNKNOWN, "DS24"),
]


@pytest.mark.parametrize(("found", "outcome", "code"), _FOUND)
def test_a_payout_is_looked_up_by_its_uuid_and_not_sent_again(
    found: HttpResponse, outcome: Outcome, code: str | None
) -> None:
    script = Script(found, found)
    for reply in (run_blocking(provider().observe_payout(script, UUID, _BODY)), pay(script, again=True)):
        assert (outcome, code) == (reply.outcome, reply.decline and reply.decline.provider_code)
    assert script.calls == [_LOOK] * 2


@pytest.mark.parametrize("missing", [MISSING, MISSING_WITH_BODY])
def test_a_payout_that_does_not_exist_yet_is_pending(missing: HttpResponse) -> None:
    assert Outcome.PENDING is run_blocking(provider().observe_payout(Script(missing), UUID, _BODY)).outcome


_NOT_OURS: tuple[Json, ...] = (
    {"payoutInstructionUUID": "0" * 32},
    {"payerAlias": "1231181189"},
    {"payeeAlias": "46739000009"},
    {"amount": 499.99},
    {"payerPaymentReference": "prize-2"},
    {"dateCreated": "2026-10-28T11:58:59"},
)


@pytest.mark.parametrize("changed", _NOT_OURS)
def test_a_payout_that_is_not_ours_is_not_taken(changed: Json) -> None:
    found = answer(payout("PAID", **changed))
    with pytest.raises(ForeignAnswer):
        run_blocking(provider().observe_payout(Script(found), UUID, _BODY))
    with pytest.raises(ForeignAnswer):
        pay(Script(found), again=True)
    with pytest.raises((DuplicateReference, ForeignAnswer)):
        pay(Script(errors("RP09"), found))


def test_a_payout_that_never_arrived_is_sent_as_the_same_bytes() -> None:
    script = Script(MISSING, made("payouts"))
    pay(script, again=True)
    assert script.calls == [_LOOK, _POST]
    assert script.sent[1].body == _BODY


def test_a_payout_seen_before_is_ours_only_if_it_was_sent_before() -> None:
    assert Outcome.SUCCEEDED is pay(Script(MISSING, errors("RP09"), answer(payout("PAID"))), again=True).outcome
    with pytest.raises(OutcomeUnknown):
        pay(Script(errors("RP09"), answer(payout("PAID"))))
    with pytest.raises(UnexpectedAnswer, match="has seen"):
        pay(Script(errors("RP09"), MISSING))


@pytest.mark.parametrize("code", ["ACMT03", "ACMT07", "ACMT15", "ACMT17", "VR02", "RF07", "TM01", "FF10"])
def test_a_payout_may_be_declined(code: str) -> None:
    reply = pay(Script(errors(code)))
    assert reply.decline is not None
    assert (Outcome.DECLINED, code) == (reply.outcome, reply.decline.provider_code)


@pytest.mark.parametrize(
    ("given", "kind", "advice"),
    [
        (errors("PA01", status=400), Rejected, "signing certificate"),
        (errors("PA01", status=422), Rejected, "signing certificate"),
        (errors("PA01", status=403), Unauthenticated, "signing certificate"),
        (errors("PA06"), Rejected, "12 digits"),
        (errors("ACMT14"), Unauthenticated, "Swish Utbetalning"),
        (errors("TA01"), ProviderUnavailable, "compare"),
        (answer(b"", 401), Unauthenticated, "certificate"),
        (answer(b"", 500), ProviderUnavailable, "same id"),
        (made("payouts", "0" * 32), UnexpectedAnswer, ""),
    ],
)
def test_a_payout_that_fails_says_what_to_do(given: HttpResponse, kind: type[PrenopayError], advice: str) -> None:
    with pytest.raises(kind) as refused:
        pay(Script(given))
    assert advice in str(getattr(refused.value, "advice", ""))
