"""The table of codes: every one is there, says what to do, and where it is known from."""

from __future__ import annotations

import pytest

from prenopay.ports import HttpResponse
from prenopay.providers.swish import Swish
from prenopay.providers.swish.problems import TABLE, Certainty, Verdict, decline_of, meaning_of, read_refusal
from prenopay.values.payments import Advice, DeclineCode, DeclineKind

from .samples import errors

_CODES = (
    "FF08 RP01 RP02 RP03 RP04 RP06 RP07 RP08 RP09 BE18 PA01 PA02 PA06 AM02 AM03 AM04 AM06 AM21 ACMT01 ACMT03 ACMT07 "
    "ACMT13 ACMT14 ACMT15 ACMT17 UNKW VR01 VR02 RF02 RF03 RF04 RF06 RF07 RF08 RF09 BANKIDCL BANKIDONGOING BANKIDUNKN "
    "FF10 TM01 DS24 CD01 RR04 TA01"
)


def test_every_code_is_there() -> None:
    assert set(_CODES.split()) == set(TABLE)


def test_every_code_says_what_it_means_what_to_do_and_how_sure_that_is() -> None:
    for code, meaning in TABLE.items():
        assert code.isupper()
        assert all((meaning.text, meaning.fix, meaning.seen_in, meaning.source, meaning.certainty)), code


def test_each_special_verdict_and_source_has_its_codes() -> None:
    def codes(wanted: Verdict | Certainty) -> str:
        return " ".join(code for code, each in TABLE.items() if wanted in {each.verdict, each.certainty})

    assert codes(Verdict.UNCERTAIN) == "DS24 TA01"
    assert codes(Verdict.SEEN_BEFORE) == "RP09 RF09"
    assert codes(Certainty.REPORTED) == "RP08 ACMT17 AM21 CD01 RR04 TA01"


def test_what_is_hard_is_never_tried_again_the_same_way() -> None:
    hard = [each for each in TABLE.values() if each.kind is DeclineKind.HARD]
    assert hard
    assert not [each for each in hard if each.advice is Advice.RETRY_LATER]


def test_codes_are_read_in_any_spelling_and_unknown_ones_invite_to_nothing() -> None:
    assert meaning_of("rf07") is TABLE["RF07"]
    assert meaning_of("XX99") is None
    decline = decline_of("XX99", "call +46701234567")
    assert (decline.code, decline.advice, decline.provider_code) == (DeclineCode.UNAVAILABLE, Advice.NEVER, "XX99")
    assert "46701234567" not in decline.text
    seen = Swish.inspect(b'[{"code": "RF07", "message": "no", "traceId": "x"}]')  # as recurring answers spell it
    assert seen.decline is not None
    assert seen.decline.provider_code == "RF07"


@pytest.mark.parametrize(
    ("codes", "verdict"),
    [
        (("FF08", "RP09"), Verdict.SEEN_BEFORE),
        (("RP09", "DS24"), Verdict.UNCERTAIN),
        (("FF08", "RF07"), Verdict.DECLINE),
        (("RP06", "XX99"), Verdict.UNCERTAIN),
        (("XX99",), Verdict.UNCERTAIN),
    ],
)
def test_of_several_codes_the_one_that_may_mean_money_decides(codes: tuple[str, ...], verdict: Verdict) -> None:
    assert verdict is read_refusal(errors(*codes), "create").verdict


def test_a_404_says_which_number_to_check() -> None:
    bare, told = HttpResponse(status=404, headers=(), body=b""), errors("RP04", status=404)
    for call, word in {
        "create": "payee number",
        "ask consent": "payee number",
        "payout": "payee's number",
        "refund": "account's number",
        "charge": "account's number",
    }.items():
        for answer in (bare, told):
            error = read_refusal(answer, call).error()
            assert word in str(error)
            assert str(error).endswith(error.advice)
