"""Names that the ledger makes: payment ids that sort by time, and one reference for each operation."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from prenopay.books import ids
from prenopay.provider import ReferenceAlphabet, ReferenceRule
from prenopay.values.subjects import SubjectKind

from .fakes import NOON, FakeEntropy

_DIGITS_12 = ReferenceRule(alphabet=ReferenceAlphabet.DIGITS, length=12)
_LONG = ReferenceRule(alphabet=ReferenceAlphabet.CAPITALS_AND_DIGITS, length=30)

_WORLD = "a database and a merchant"

# Payment ids


def test_payment_ids_sort_by_the_millisecond_they_were_made_in() -> None:
    moments = [NOON + timedelta(milliseconds=step) for step in (0, 1, 999, 1000, 60_000, 86_400_000, 10**10)]
    made = [
        ids.subject(SubjectKind.PAYMENT, moment, FakeEntropy(255 - place)).id for place, moment in enumerate(moments)
    ]
    assert sorted(made) == made


def test_payment_ids_of_one_millisecond_differ() -> None:
    assert ids.subject(SubjectKind.PAYMENT, NOON, FakeEntropy(1)) != ids.subject(
        SubjectKind.PAYMENT, NOON, FakeEntropy(2)
    )


@pytest.mark.parametrize("byte", [0, 255])
@pytest.mark.parametrize("now", [NOON, datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)])
def test_a_payment_id_is_30_small_letters_and_digits(now: datetime, byte: int) -> None:
    made = ids.subject(SubjectKind.PAYMENT, now, FakeEntropy(byte)).id
    assert made.startswith("pay_")
    assert set(made[4:]) <= set("0123456789abcdefghjkmnpqrstvwxyz")
    expected = 30
    assert expected == len(made)


def test_an_events_id_is_the_same_for_every_repeat() -> None:
    now = datetime(2026, 1, 15, 12, tzinfo=UTC)
    made = ids.event_id("pay_01abc", 3, now)
    assert re.fullmatch("evt_pay_01abc_3_[0-9a-f]{6}", made)
    assert ids.event_id("pay_01abc", 3, now) == made
    assert ids.event_id("pay_01abc", 3, now + timedelta(seconds=1)) != made, "restored books count from there again"


# Gateway references


@pytest.mark.parametrize("rule", [_DIGITS_12, _LONG])
def test_a_reference_is_in_the_gateways_own_alphabet_and_length(rule: ReferenceRule) -> None:
    for number in range(200):
        made = ids.reference(rule, _WORLD, "paper", f"capture:{number}", 1)
        assert (rule.length, set()) == (len(made), set(made) - set(rule.alphabet.value))


@pytest.mark.parametrize("rule", [_DIGITS_12, _LONG])
def test_the_same_operation_gets_the_same_reference(rule: ReferenceRule) -> None:
    assert ids.reference(rule, _WORLD, "paper", "capture:1", 1) == ids.reference(rule, _WORLD, "paper", "capture:1", 1)


def test_references_stay_what_they_were_in_earlier_releases() -> None:
    expected = ("851033679684", "M1N4743KBAPS9WQ9Q26TXQWXZFY1T4")
    made = tuple(ids.reference(rule, _WORLD, "paper", "capture:1", 1) for rule in (_DIGITS_12, _LONG))
    assert expected == made


def test_other_operations_accounts_tries_and_worlds_get_other_references() -> None:
    made = {
        ids.reference(_LONG, world, account, operation, attempt)
        for world in ("one", "other")
        for account in ("paper", "other")
        for operation in ("capture:1", "capture:2", "capture:11")
        for attempt in (1, 2, 11)
    }
    expected = 2 * 2 * 3 * 3
    assert expected == len(made)


def test_a_thousand_operations_get_a_thousand_references() -> None:
    made = {ids.reference(_LONG, _WORLD, "paper", f"renewal:{number}", 1) for number in range(1000)}
    expected = 1000
    assert expected == len(made)


def test_a_reference_of_32_hexadecimal_digits_is_a_uuid_of_version_5() -> None:
    rule = ReferenceRule(alphabet=ReferenceAlphabet.HEX, length=32)
    made = ids.reference(rule, _WORLD, "swish", "order:1", 1)
    assert re.fullmatch(r"[0-9A-F]{12}5[0-9A-F]{3}[89AB][0-9A-F]{15}", made)
    assert (
        made == ids.reference(rule, _WORLD, "swish", "order:1", 1) != ids.reference(rule, _WORLD, "swish", "order:1", 2)
    )
