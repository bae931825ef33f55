"""Every input that ever broke something, and some of the kind that might, replayed before any new one is made."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import InvalidOperation
from pathlib import Path

import pytest
from cryptography import x509

from .targets import TARGETS

_KNOWN: Mapping[str, type[Exception]] = {
    **dict.fromkeys(("card_emulator/control_nested", "card_emulator/nested_without_end"), RecursionError),
    **dict.fromkeys(("card_emulator/control_exponent", "card_emulator/exponent_without_end"), InvalidOperation),
    "swish_emulator/control_nested": RecursionError,
    "swish_emulator/control_exponent": InvalidOperation,
    **dict.fromkeys((f"{each}_emulator/control_times_without_end" for each in ("card", "swish")), OverflowError),
    "certificate/certificate_of_version_six": x509.InvalidVersion,
    "receive/surrogate_in_a_header_of_swish": UnicodeEncodeError,
    "receive/surrogate_in_the_peer": UnicodeEncodeError,
    "swish_answers/currency_of_one_sign": ValueError,
    "swish_callback/surrogate_in_the_identifier": UnicodeEncodeError,
    "swish_callback/surrogate_in_the_path": UnicodeEncodeError,
}
"""What still breaks something, and how: whoever mends it takes the line away."""
_CORPUS = Path(__file__).parent / "corpus"
_FILES = sorted(_CORPUS.glob("*/*.bin"))


def name_of(file: Path) -> str:
    return f"{file.parent.name}/{file.stem}"


def replayed(file: Path) -> object:
    """Return the file as a parameter; of one that breaks something still, that it does."""
    known = _KNOWN.get(name_of(file))
    marks = () if known is None else pytest.mark.xfail(raises=known, strict=True, reason="not yet mended")
    return pytest.param(file, id=name_of(file), marks=marks)


@pytest.mark.parametrize("file", [replayed(file) for file in _FILES])
def test_an_input_of_the_corpus_breaks_nothing(file: Path) -> None:
    TARGETS[file.parent.name](file.read_bytes())


def test_every_target_has_inputs() -> None:
    assert {name_of(file) for file in _FILES} >= _KNOWN.keys()
    assert {file.parent.name for file in _FILES} == set(TARGETS)
    assert [file.name for file in _CORPUS.rglob("*") if file.is_file() and file not in _FILES] == []
