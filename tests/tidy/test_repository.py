"""What lies in the repository: nothing secret, nobody's number, no trace of one machine, a current changelog."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import prenopay

from .sources import ROOT, files, text

TEST_CARDS = Path("src/prenopay/testing/emulators/swedbankpay/cards.py")
TEXTBOOK_CARDS = {"4111111111111111", "4222222222222", "6304000000000000000"}

SWEDISH = re.compile(r"(?<![\w.-])(?:19|20)?(\d\d(?:0[1-9]|1[0-2])(?:[0-3]|[6-9])\d)[-+]?(\d{4})(?![\w-])")
SWEDISH_TEST_SERIALS = ("238", "239", "98")
"""Skatteverket hands out test numbers with these serials; nobody living has one."""
NORWEGIAN = re.compile(r"(?<![\w.-])\d{6} ?\d{5}(?![\w.-])")
FINNISH = re.compile(r"(?<![\w-])[0-3]\d[01]\d{3}[-+A-FU-Y]\d{3}[0-9A-FHJ-NPR-Y](?![\w-])")
CARD = re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-])")
KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE " + r"KEY|AKIA[0-9A-Z]{16}|\beyJ[\w-]{20,}\.[\w-]+\.")
ONE_MACHINE = re.compile(r"(?<![\w.~}])/(?:wo" + r"rk|ho" + r"me|ro" + r"ot|Us" + r"ers|t" + r"mp)/\w|\b[A-Z]:\\\w")
REGISTRY = re.compile(r"(?:py" + r"pi\.org|python" + r"hosted\.org|registry\.np" + r"mjs)|extra-index" + r"-url")


def passes_luhn(digits: str) -> bool:
    doubled = [
        int(sign) if place % 2 == 0 else sum(divmod(2 * int(sign), 10)) for place, sign in enumerate(digits[::-1])
    ]
    return sum(doubled) % 10 == 0


def passes_norwegian_check(digits: str) -> bool:
    weights = ((3, 7, 6, 1, 8, 9, 4, 5, 2, 1, 0), (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1))
    return all(sum(w * int(sign) for w, sign in zip(row, digits, strict=True)) % 11 == 0 for row in weights)


def personal_numbers(said: str) -> Iterator[str]:
    for match in SWEDISH.finditer(said):
        if passes_luhn(match[1] + match[2]) and not match[2].startswith(SWEDISH_TEST_SERIALS):
            yield match[0]
    for match in NORWEGIAN.finditer(said):
        if passes_norwegian_check(match[0].replace(" ", "")):
            yield match[0]
    for match in FINNISH.finditer(said):
        number = match[0]
        check = "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(number[:6] + number[7:10]) % 31]
        if number[10] == check and number[7] != "9":  # 900 to 999 are given to nobody for good
            yield number


def card_numbers(said: str) -> Iterator[str]:
    known = TEXTBOOK_CARDS | set(re.findall(r"\d{13,19}", text(TEST_CARDS)))
    for match in CARD.finditer(said):
        digits = re.sub(r"\D", "", match[0])
        if passes_luhn(digits) and digits not in known:
            yield match[0]


def matches_of(pattern: re.Pattern[str]) -> Callable[[str], Iterator[str]]:
    return lambda said: (match[0] for match in pattern.finditer(said))


NOT_HERE: dict[str, tuple[Callable[[str], Iterator[str]], str]] = {
    "personal numbers": (personal_numbers, "born 19640823" + "-3234"),
    "Norwegian numbers": (personal_numbers, "010203 " + "00082"),
    "card numbers": (card_numbers, "4539 1488 0343 " + "6467"),
    "keys": (matches_of(KEY), "-----BEGIN EC PRIVATE " + "KEY-----"),
    "one machine's paths": (matches_of(ONE_MACHINE), "see /ho" + "me/ada/shop"),
    "package registries": (matches_of(REGISTRY), "https://py" + "pi.org/simple"),
}


@pytest.mark.parametrize("what", NOT_HERE)
def test_no_file_holds(what: str) -> None:
    find, _ = NOT_HERE[what]
    assert len(files()) > 200
    assert [f"{file}: {found}" for file in files() for found in find(text(file))] == []


@pytest.mark.parametrize("what", NOT_HERE)
def test_it_would_be_seen(what: str) -> None:
    find, example = NOT_HERE[what]
    assert len(list(find(example))) == 1


def test_no_database_settings_or_leftovers_are_kept() -> None:
    kept = [
        str(file)
        for file in files()
        if re.search(r"\.(?:db|sqlite3?|pem|key|p12|pfx|orig|rej|env|pyc)(?:-\w+)?$", file.name)
    ]
    assert kept == []


def test_the_changelog_speaks_of_this_version() -> None:
    headings = re.findall(r"^## (\S+)", text(Path("CHANGELOG.md")), re.MULTILINE)
    assert headings[0].strip("[]") in {"Unreleased", prenopay.__version__}
    released = [heading.strip("[]") for heading in headings if heading.strip("[]") != "Unreleased"]
    assert released[:1] in ([], [prenopay.__version__])
    first = text(Path("CHANGELOG.md")).partition("\n## ")[2].partition("\n## ")[0]
    assert re.search(r"^- \*\*[^*]+\*\*", first, re.MULTILINE)


def test_every_task_the_contributors_guide_names_exists() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    tasks = set(settings["tool"]["poe"]["tasks"])
    named = set(re.findall(r"`poe (\w+)`", text(Path("CONTRIBUTING.md"))))
    assert {"check", "fmt", "docs", "bench", "demo"} <= tasks
    assert named == {name for name in tasks if not name.startswith("_")}
