"""Messages and references: what fits, and what is left after cleaning if the host asks for it."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from prenopay.errors import InvalidOrder
from prenopay.providers.swish import encoding


@pytest.mark.parametrize("text", ["Åäö (1), 2: 3; 4. 5! 6?", "x" * 50, "a", "Kingston USB Flash Drive 8 GB"])
def test_a_message_that_fits_is_sent_as_it_is(text: str) -> None:
    assert text == encoding.message(text, field="description", clean=False)


@pytest.mark.parametrize("text", ["", " ", "x" * 51, "a-b", "10 %", "é", "emoji 😀", "rad\nbyte", "a\u0308", '"'])
def test_a_message_that_does_not_is_refused(text: str) -> None:
    with pytest.raises(InvalidOrder):
        encoding.message(text, field="description", clean=False)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Läs & lyssna \u2013 10 % rabatt", "Läs och lyssna 10 rabatt"),
        ("Crème brûlée", "Creme brulee"),
        ("Blåbærsyltetøy", "Blåbärsyltetöy"),
        ("Łódź, straße", "Lodz, strasse"),
        ("a\u0308pple", "äpple"),
        ("[x] {y} “z” it's…", "(x) (y) z its..."),
        ("rad\nbyte\ttab", "rad byte tab"),
        ("x" * 60, "x" * 50),
        ("emoji 😀 bort", "emoji bort"),
        ("½ pris", "1 2 pris"),
    ],
)
def test_a_message_is_cleaned_where_asked_for(text: str, cleaned: str) -> None:
    assert cleaned == encoding.message(text, field="description", clean=True)


def test_nothing_left_is_refused() -> None:
    with pytest.raises(InvalidOrder, match="holds nothing"):
        encoding.message("😀", field="description", clean=True)


@given(st.text(max_size=120))
def test_whatever_is_cleaned_fits_and_is_clean(text: str) -> None:
    cleaned = encoding.clean_message(text)
    assert cleaned == encoding.clean_message(cleaned)
    if cleaned:
        assert cleaned == encoding.message(cleaned, field="description", clean=False)
    if reference := encoding.clean_reference(text):
        assert reference == encoding.reference(reference, field="reference", clean=False)


@pytest.mark.parametrize("text", ["4711", "ORDER-2026-000123", "x" * 35])
def test_a_reference_that_fits_is_sent_as_it_is(text: str) -> None:
    assert text == encoding.reference(text, field="order_reference", clean=False)


@pytest.mark.parametrize("text", ["", "x" * 36, "a_b", "2026/1", "å", "a b", "4711\n"])
def test_a_reference_that_does_not_is_refused(text: str) -> None:
    with pytest.raises(InvalidOrder):
        encoding.reference(text, field="order_reference", clean=False)


@pytest.mark.parametrize(("text", "cleaned"), [("2026/4711", "2026-4711"), ("Åre_1", "Are-1"), ("x" * 40, "x" * 35)])
def test_a_reference_is_cleaned_where_asked_for(text: str, cleaned: str) -> None:
    assert cleaned == encoding.reference(text, field="order_reference", clean=True)
