"""Plain English in docs, docstrings, comments and messages: the list of idioms, and where they may still be."""

from __future__ import annotations

import json

import pytest

from .words import IDIOMS, LEFT, found_in, idioms, prose_files


def test_no_file_gains_an_idiom() -> None:
    allowed: dict[str, int] = json.loads(LEFT.read_text(encoding="utf-8"))
    checked = prose_files()
    assert len(checked) > 200
    found = {str(file): found_in(file) for file in checked}
    assert {file: places for file, places in found.items() if len(places) > allowed.get(file, 0)} == {}


@pytest.mark.parametrize("pattern", IDIOMS)
def test_an_idiom_is_seen(pattern: str) -> None:
    instead, example = IDIOMS[pattern]
    assert instead in {said for _, said in idioms(f'"""It is so, {example}, and more."""')}


@pytest.mark.parametrize(
    "said",
    [
        "A merchant signs a payout once, and its key signs the request.",
        "The consent is a standing one; a token stands for a card.",
        "There is a sign of life.",
        "Write ``anew`` or `mend` as code.",
        "An understanding host, outstanding amounts, amended terms.",
    ],
)
def test_plain_english_is_left_alone(said: str) -> None:
    assert list(idioms(said)) == []
