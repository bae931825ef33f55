"""A host's right code passes both type checkers; its wrong code fails in exactly the expected places."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from .checkers import HERE, Finding, causes, expected, pyright, run_mypy, run_pyright

CONSUMER = HERE / "consumer.py"
MISUSES = sorted(HERE.glob("misuse_*.py"))


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder outside the project that holds the samples and nothing else."""
    folder = tmp_path_factory.mktemp("host")
    for sample in (CONSUMER, *MISUSES):
        shutil.copy(sample, folder)
    return folder


@pytest.fixture(scope="module")
def mypy_finds(host: Path) -> list[Finding]:
    return run_mypy(host)


@pytest.fixture(scope="module")
def pyright_finds(host: Path) -> list[Finding]:
    return run_pyright(host)


def test_right_code_passes_mypy(mypy_finds: list[Finding]) -> None:
    assert [each for each in mypy_finds if each.file == CONSUMER.name] == []


def test_right_code_passes_pyright(pyright_finds: list[Finding]) -> None:
    assert [each for each in pyright_finds if each.file == CONSUMER.name] == []


@pytest.mark.parametrize("sample", MISUSES, ids=lambda sample: sample.stem)
def test_wrong_code_fails_in_mypy(sample: Path, mypy_finds: list[Finding]) -> None:
    wanted = expected(sample, "mypy")
    assert wanted == causes(mypy_finds, sample)
    assert len(wanted) > 5


@pytest.mark.parametrize("sample", MISUSES, ids=lambda sample: sample.stem)
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
