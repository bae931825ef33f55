"""Every input that ever broke something, and some of the kind that might, replayed before any new one is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from .targets import DOORS, TARGETS, only

_CORPUS = Path(__file__).parent / "corpus"
_KEPT = {"books", "receive"}
"""Targets whose inputs reach a database: each is replayed on every one."""
_FILES = sorted(_CORPUS.glob("*/*.bin"))


def name_of(file: Path) -> str:
    return f"{file.parent.name}/{file.stem}"


@pytest.mark.parametrize("file", _FILES, ids=name_of)
def test_an_input_of_the_corpus_breaks_nothing(file: Path) -> None:
    for doors in [*DOORS]:
        with only(doors):
            TARGETS[file.parent.name](file.read_bytes())
        if file.parent.name not in _KEPT:
            break


def test_every_target_has_inputs() -> None:
    assert {file.parent.name for file in _FILES} == set(TARGETS)
    assert [file.name for file in _CORPUS.rglob("*") if file.is_file() and file not in _FILES] == []
