"""The project passes both type checkers, and so does a host's right code; its wrong code fails where expected."""

from __future__ import annotations

from pathlib import Path

import pytest

from .checkers import MISUSES, Finding, causes, expected, pyright, run_mypy, run_pyright

pytestmark = pytest.mark.tool

each_misuse = pytest.mark.parametrize("sample", MISUSES, ids=lambda sample: sample.stem)


@pytest.fixture(scope="module")
def mypy_finds() -> list[Finding]:
    return run_mypy()


@pytest.fixture(scope="module")
def pyright_finds() -> list[Finding]:
    return run_pyright()


def in_right_code(found: list[Finding]) -> list[Finding]:
    wrong = {sample.name for sample in MISUSES}
    return [each for each in found if each.file not in wrong]


def test_right_code_passes_mypy(mypy_finds: list[Finding]) -> None:
    assert in_right_code(mypy_finds) == []


def test_right_code_passes_pyright(pyright_finds: list[Finding]) -> None:
    assert in_right_code(pyright_finds) == []


@each_misuse
def test_wrong_code_fails_in_mypy(sample: Path, mypy_finds: list[Finding]) -> None:
    wanted = expected(sample, "mypy")
    assert wanted == causes(mypy_finds, sample)
    assert len(wanted) > 5


@each_misuse
def test_wrong_code_fails_in_pyright(sample: Path, pyright_finds: list[Finding]) -> None:
    wanted = expected(sample, "pyright")
    assert wanted == causes(pyright_finds, sample)
    assert len(wanted) > 5


def test_every_public_type_is_known(tmp_path: Path) -> None:
    report = pyright("--verifytypes", "prenopay", "--ignoreexternal", cwd=tmp_path)["typeCompleteness"]
    unknown = [
        f"{symbol['name']}: {diagnostic['message']}"
        for symbol in report["symbols"]
        if symbol["isExported"] and not symbol["isTypeKnown"]
        for diagnostic in symbol["diagnostics"]
    ]
    assert unknown == []
    assert report["completenessScore"] == 1
    assert report["exportedSymbolCounts"]["withKnownType"] > 1000
