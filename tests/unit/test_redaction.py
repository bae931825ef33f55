"""Secrets never leave: they are masked in texts, in JSON and in every repr."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from prenopay import Secret, _redaction
from prenopay._redaction import MASK, TEXT_MOST, redact, scrub

_CARD = "4925000000000004"

# Texts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (_CARD, "***"),
        (f"card {_CARD} refused", "card *** refused"),
        ("4925 0000 0000 0004", "***"),
        ("4925-0000-0000-0004", "***"),
        (f"{_CARD} 12/26", "*** 12/26"),
        (f"{_CARD} 123", "*** 123"),
        (f"12 {_CARD}", "12 ***"),
        (f"149 {_CARD}, 31 {_CARD} 7", "149 ***, 31 *** 7"),
        (f"({_CARD})", "(***)"),
        (f"{_CARD}-", "***-"),
        ("4222222222222", "***"),  # thirteen digits
        ("6304000000000000000", "***"),  # nineteen
    ],
)
def test_a_card_number_is_masked(text: str, expected: str) -> None:
    assert expected == scrub(text)


@pytest.mark.parametrize(
    "text",
    [
        "4925000000000005",  # the check digit is wrong
        "492500******0004",
        "5cabf558-5283-4827-9252-49250000000000041",
        "09ccd29a-7c4f-4752-9396-121003456789",
        "ref4925000000000004",
        "number 40129782830",
        "2026-10-28T12:00:00.1234567Z",
        "4925",
    ],
)
def test_other_numbers_stay_readable(text: str) -> None:
    assert text == scrub(text)


@pytest.mark.parametrize(
    "text",
    ["850709-9805", "8507099805", "19850709-9805", "198507099805", "850769-9802", "190709+9806"],
)
def test_a_swedish_personal_number_is_masked(text: str) -> None:
    expected = "payer *** refused"
    assert expected == scrub(f"payer {text} refused")


@pytest.mark.parametrize("text", ["850709-9806", "851309-9805", "order 850799-9805"])
def test_what_only_looks_like_a_personal_number_stays(text: str) -> None:
    assert text == scrub(text)


@pytest.mark.parametrize(
    "text",
    [
        *("+46701234567", "+4798765432", "+358401234567", "0046701234567", "070-123 45 67"),
        # as Swish (docs: guide, section 5.1), Vipps and MobilePay write them
        *("46701234567", "4671234768", "46 70 123 45 67", "4798765432", "4520123456", "358401234567"),
    ],
)
def test_a_phone_number_is_masked(text: str) -> None:
    expected = "sms to ***."
    assert expected == scrub(f"sms to {text}.")


@pytest.mark.parametrize("text", ["leia@shop.example", "leia.ahlström+news@mail.shop.example", "a@b.se"])
def test_an_email_address_is_masked(text: str) -> None:
    expected = "<***>"
    assert expected == scrub(f"<{text}>")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Authorization: Bearer abc.DEF-1_2~+/=", "Authorization: Bearer ***"),
        ("authorization: bearer  abc", "authorization: bearer  ***"),
        ("Basic dXNlcjpwdw==", "Basic ***"),
    ],
)
def test_a_credential_is_masked(text: str, expected: str) -> None:
    assert expected == scrub(text)


_STORED = "5f0e1d2c-0001-4a5b-8c9d-secret"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"/online/payers/tokens/{_STORED}-Unscheduled", "/online/payers/tokens/***"),
        (
            f"https://api.example/online/payers/tokens/{_STORED}-Payment/archives",
            "https://api.example/online/payers/tokens/***/archives",
        ),
        (
            f"PATCH /psp/paymentorders/unscheduledTokens/{_STORED}?x=1 failed",
            "PATCH /psp/paymentorders/unscheduledTokens/***?x=1 failed",
        ),
        (f"/psp/paymentorders/paymenttokens/{_STORED}", "/psp/paymentorders/paymenttokens/***"),
        ("tokens and paths/", "tokens and paths/"),
    ],
)
def test_a_stored_token_in_a_path_is_masked(text: str, expected: str) -> None:
    assert expected == scrub(text)
    assert {"id": expected} == redact({"id": text})


# JSON


_SECRET_KEYS = [
    "token",
    "paymentToken",
    "recurrence_token",
    "UNSCHEDULEDTOKEN",
    "Authorization",
    "set-cookie",
    "msisdn",
    "misidn",
    "firstName",
    "socialSecurityNumber",
    "paymentAccountReference",
    "zipCode",
]
_HELD: list[Any] = ["abc", 123, 1.5, True, ["abc", 5], {"value": "abc", "more": [{"x": "abc"}]}]


def test_a_secret_key_hides_what_it_holds() -> None:
    for key, value in itertools.product(_SECRET_KEYS, _HELD):
        shown = repr(redact({"a": [{key: value}]}))
        assert not [secret for secret in ("abc", "123", "1.5", "5", "True") if secret in shown], key


@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_value_still_shows(value: str | None) -> None:
    assert {"token": value} == redact({"token": value})


def test_everything_about_a_person_is_masked_but_links() -> None:
    payer = {
        "id": "/psp/paymentorders/1/payers",
        "reference": "reader-7",
        "birthYear": 1985,
        "digital": True,
        "nothing": None,
        "empty": "",
        "device": {"platform": "Linux", "screens": ["1920"]},
        "score": 7,
    }
    expected = {
        "id": "/psp/paymentorders/1/payers",
        "reference": MASK,
        "birthYear": MASK,
        "digital": True,
        "nothing": None,
        "empty": "",
        "device": {"platform": MASK, "screens": [MASK]},
        "score": MASK,
    }
    assert {"payer": expected} == redact({"payer": payer})


def test_what_is_no_secret_stays() -> None:
    plain = {"status": "Paid", "amount": 14900, "rate": 1.5, "paid": True, "list": [1, "two", None], "number": "1"}
    assert plain == redact(plain)


def test_a_card_number_is_masked_as_a_number_too() -> None:
    expected = {"bin": 492500, "pan": MASK}
    assert expected == redact({"bin": 492500, "pan": int(_CARD)})


def test_texts_in_json_are_scrubbed() -> None:
    expected = {"detail": ["card *** of ***"]}
    assert expected == redact({"detail": (f"card {_CARD} of leia@shop.example",)})


def test_what_is_not_json_is_masked() -> None:
    expected = "***"
    assert expected == redact(object())


def test_the_original_is_left_alone() -> None:
    original, before = [{"payer": {"email": "leia@shop.example"}} for _ in range(2)]
    redact(original)
    assert before == original


# Secrets


def test_a_secret_prints_a_mask() -> None:
    secret = Secret("hunter2")
    shown = [repr(secret), str(secret), f"{secret}", f"{secret!s:>10}", f"{[secret]}"]
    assert not [text for text in shown if "hunter2" in text]


def test_a_secret_is_revealed_when_asked() -> None:
    expected = "hunter2"
    assert expected == Secret("hunter2").reveal()


def test_an_empty_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        Secret("")


def test_secrets_are_equal_by_what_they_hold() -> None:
    assert {Secret("a")} == {Secret("a"), Secret("a")}
    assert Secret("a") not in [Secret("b"), "a"]


# Long and strange texts


def test_a_text_is_one_line_without_what_a_terminal_obeys() -> None:
    expected = "a b\N{REPLACEMENT CHARACTER}[31mc\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}d e"
    assert expected == scrub("a\nb\x1b[31mc\0\ud83dd\u2028e")
    assert {expected: [expected]} == redact({expected: ["a\nb\x1b[31mc\0\ud83dd\u2028e"]})


@pytest.mark.parametrize("secret", [_CARD, "leia@shop.example", "46701234567", "Bearer " + "abc" * 400])
@pytest.mark.parametrize("before", range(TEXT_MOST - 60, TEXT_MOST + 2, 3))
def test_a_secret_at_the_end_of_what_is_shown_is_masked_whole(secret: str, before: int) -> None:
    shown = scrub("." * (before - 1) + " " + secret + " " + "x" * 5_000)
    assert not [part for part in (secret[:6], secret[-6:], "abcabc") if part in shown.replace("Bearer", "")]
    assert len(shown) <= TEXT_MOST


_SLOW: list[str] = [
    "1 ",
    "1",
    "1-",
    "a.",
    "a@",
    "a@b.",
    "%40",
    "bearer ",
    "bearer",
    "tokens/",
    "+4",
    "07",
    "4670",
    "\0",
]


@pytest.mark.parametrize("piece", _SLOW)
def test_the_patterns_pass_over_a_bounded_part_of_a_text(piece: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[int] = []
    secrets, luhn = _redaction._secrets, _redaction._passes_luhn

    def counted(text: str) -> Any:
        looked_at.append(len(text))
        return secrets(text)

    def summed(number: str) -> bool:
        looked_at.append(len(number))
        return luhn(number)

    monkeypatch.setattr(_redaction, "_secrets", counted)
    monkeypatch.setattr(_redaction, "_passes_luhn", summed)

    def characters_looked_at(length: int) -> int:
        looked_at.clear()
        assert len(scrub((piece * length)[:length])) <= TEXT_MOST
        return sum(looked_at)

    once, twice, longest = map(characters_looked_at, (1_000, 2_000, 1_000_000))
    assert twice <= 2.1 * once + 100, "twice the text is twice the work"
    assert longest <= 2 * twice + 2_000, "a longer text is no more work than what is shown of it"
