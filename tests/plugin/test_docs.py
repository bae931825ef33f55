"""The pages on mock and fixtures say what the code has, and the tutorial's files pass in a pytest of their own."""

from __future__ import annotations

import re
from pathlib import Path

from prenopay.testing import pytest_plugin
from prenopay.testing.mock import AMOUNTS, DECLINES
from tests.plugin.projects import run_tests

DOCS = Path(__file__).parents[2] / "docs"
MOST_LINES = 40


def blocks(page: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def test_the_tutorials_tests_pass(tmp_path: Path) -> None:
    shop, tests = blocks("tutorial-tests.md")[:2]
    assert len(tests.splitlines()) <= MOST_LINES
    ran = run_tests(tmp_path, shop=shop, test_shop=tests)
    assert (ran.count("passed"), ran.count("failed")) == (2, 0), ran.said


def test_the_tutorials_tests_fail_a_handler_that_is_told_twice_and_acts_twice(tmp_path: Path) -> None:
    shop, tests = blocks("tutorial-tests.md")[:2]
    remembers = (
        "        if event.event_id in self._heard:\n            return\n        self._heard.add(event.event_id)\n"
    )
    assert remembers in shop
    ran = run_tests(tmp_path, shop=shop.replace(remembers, ""), test_shop=tests)
    assert (ran.count("passed"), ran.count("failed")) == (0, 2), ran.said
    assert "assert 2 == 1" in ran.said


def test_every_amount_is_on_the_page() -> None:
    page = (DOCS / "reference" / "mock.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\d+)` \| `(\w+)` \| (?:`(\w+)`)? \| (?:`(\w+)`)? \|$", page, re.MULTILINE)
    assert rows == [
        (
            str(each.minor),
            str(each.manner),
            "" if each.code is None else str(each.code),
            "" if each.code is None else str(DECLINES[each.code][1]),
        )
        for each in AMOUNTS
    ]


def test_every_fixture_is_on_the_page() -> None:
    page = (DOCS / "reference" / "fixtures.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    assert named == {name for name in pytest_plugin.__all__ if not name.startswith("pytest_")}
