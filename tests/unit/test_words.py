"""Words of our own rows: those of a newer version are kept and shown, and no file reads a row more strictly."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path

import pytest

import prenopay
from prenopay import MandateState, Outcome, PaymentState
from prenopay.books.words import known, require_known, word
from prenopay.errors import IllegalTransition
from prenopay.values import events, mandates, orders, payments, subjects

_KINDS = {
    name
    for module in (events, mandates, orders, payments, subjects)
    for name, kind in vars(module).items()
    if isinstance(kind, type) and issubclass(kind, StrEnum)
}
_SOURCES = Path(prenopay.__file__).parent


def test_a_known_word_is_the_member() -> None:
    assert all(word(Outcome, each) is Outcome(each) for each in known(Outcome))
    require_known("it", *Outcome)


def test_a_newer_word_is_shown_and_equals_none_of_ours() -> None:
    newer = word(MandateState, "paused")
    assert (str(newer), newer.value, f"{newer}", repr(newer)) == (
        "paused",
        "paused",
        "paused",
        "<MandateState.PAUSED: 'paused'>",
    )
    assert isinstance(newer, MandateState)
    assert newer not in set(MandateState)
    assert newer == word(MandateState, "paused")
    assert (newer.is_chargeable, newer.has_ended) == (False, False)
    assert "paused" not in known(MandateState)
    with pytest.raises(IllegalTransition, match="mandate x has the word 'paused'"):
        require_known("mandate x", newer)


def test_what_a_host_says_is_read_strictly() -> None:
    with pytest.raises(ValueError, match="frozen"):
        PaymentState("frozen")


def test_no_row_is_read_by_a_word_that_must_be_known() -> None:
    strict = re.compile(rf"\b(?:{'|'.join(sorted(_KINDS))})\((?:row\.|body\[)")
    read = [*_SOURCES.glob("books/*.py"), *_SOURCES.glob("*/rows.py")]
    found = [f"{file.name}: {each}" for file in read for each in strict.findall(file.read_text(encoding="utf-8"))]
    assert len(read) > 10
    assert found == []
