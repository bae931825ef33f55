"""Phone numbers as people write them."""

from __future__ import annotations

import pytest

from prenopay.errors import InvalidOrder
from prenopay.providers.swish.encoding import msisdn


@pytest.mark.parametrize(
    ("written", "digits"),
    [
        ("070-123 45 67", "46701234567"),
        ("0701234567", "46701234567"),
        ("+46 70-123 45 67", "46701234567"),
        ("+46 (0)70 123 45 67", "46701234567"),
        ("+460701234567", "46701234567"),
        ("0046 70 123 45 67", "46701234567"),
        ("46701234567", "46701234567"),
        ("460701234567", "46701234567"),
        (" 070/123.45.67 ", "46701234567"),
        ("070\u2011123\u00a045\u00a067", "46701234567"),
        ("4671234768", "4671234768"),
        ("+47 912 34 567", "4791234567"),
        ("00358 40 1234567", "358401234567"),
        ("+12345678", "12345678"),
        ("+123456789012345", "123456789012345"),
    ],
)
def test_a_number_gets_its_country_code_and_nothing_but_digits(written: str, digits: str) -> None:
    assert digits == msisdn(written, field="phone")


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("", "holds only digits"),
        ("+", "holds only digits"),
        ("call me", "holds only digits"),
        ("070-123 45 6x", "holds only digits"),
        ("٠٧٠١٢٣٤٥٦٧", "holds only digits"),
        ("70++1", "holds only digits"),
        ("701234567", "the country is not clear"),
        ("4791234567", "the country is not clear"),
        ("0701", "8 to 15 digits"),
        ("+1234567", "8 to 15 digits"),
        ("+1234567890123456", "8 to 15 digits"),
        ("+0701234567", "do not begin with 0"),
        ("000701234567", "do not begin with 0"),
    ],
)
def test_what_is_no_number_is_refused_with_the_reason(written: str, why: str) -> None:
    with pytest.raises(InvalidOrder, match=why) as refused:
        msisdn(written, field="payer.phone")
    assert refused.value.field == "payer.phone"


def test_a_refusal_does_not_repeat_the_number() -> None:
    with pytest.raises(InvalidOrder) as refused:
        msisdn("7012345678901234567", field="phone")
    assert "7012345" not in str(refused.value)
