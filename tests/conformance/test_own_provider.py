"""The provider that "Write a provider" shows keeps every rule that applies to it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from examples.own_provider.provider import Nordpay
from examples.own_provider.test_conformance import TestNordpay

from prenopay import PaymentState
from prenopay.testing.conformance import ProviderSuite

__all__ = ["TestNordpay"]


def test_what_does_not_apply_is_said() -> None:
    missing = {rule.name: rule.missing for rule in TestNordpay.applies()}
    assert missing["test_captures_in_parts_add_up"] == "nordpay does not inherit Captures"
    assert missing["test_a_refund_gives_all_back"] == ""
    assert missing.keys() == {name for name in dir(ProviderSuite) if name.startswith("test_")}


def test_a_copy_of_the_example_is_found_by_plain_pytest(tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "examples" / "own_provider"
    shutil.copytree(example, tmp_path / "ours", ignore=shutil.ignore_patterns("__pycache__"))

    found = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert found.returncode == 0, found.stdout + found.stderr
    for rule in TestNordpay.applies():
        assert f"ours/test_conformance.py::TestNordpay::{rule.name}" in found.stdout


def test_a_stored_payment_can_be_read() -> None:
    assert Nordpay.inspect(b'{"status": "paid"}').state is PaymentState.CAPTURED
