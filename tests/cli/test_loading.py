"""A command loads what it needs and no more: help, version and ``inspect`` start fast."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FOR_BOOKS_OR_NETWORK = frozenset({"alembic", "anyio", "httpx", "psycopg", "sqlalchemy", "tenacity"})
FOR_BODIES = frozenset({"pydantic"})
HEAVY = FOR_BOOKS_OR_NETWORK | FOR_BODIES | {"cryptography"}

LIGHT = (
    ["--help"],
    ["--version"],
    *([command, "--help"] for command in ("payments", "inbox", "sweep", "doctor", "db", "emulate", "inspect")),
    *([command, "--help"] for command in ("mandates", "operations", "simulate", "swish")),
    ["payments", "list", "--help"],
)


def loaded_by(*arguments: str) -> frozenset[str]:
    """Return the packages that the process of a command has loaded when it ends."""
    code = """
import sys
from prenopay.cli import main
try:
    main(sys.argv[1:])
finally:
    print(*{name.partition(".")[0] for name in sys.modules}, file=sys.stderr)
"""
    ran = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return frozenset(ran.stderr.split())


@pytest.mark.parametrize("arguments", LIGHT, ids=" ".join)
def test_help_and_version_load_nothing_heavy(arguments: list[str]) -> None:
    loaded = loaded_by(*arguments)
    assert "prenopay" in loaded
    assert loaded & HEAVY == set()


@pytest.mark.parametrize("provider", ["swedbankpay", "swish"])
def test_inspect_loads_what_reads_the_body_and_nothing_for_books_or_network(provider: str, tmp_path: Path) -> None:
    file = tmp_path / "body.json"
    file.write_text(
        '{"paymentOrder": {"id": "/psp/paymentorders/1"}}'
        if provider == "swedbankpay"
        else '[{"errorCode": "RP01", "errorMessage": "x", "additionalInformation": null}]',
        encoding="utf-8",
    )
    assert loaded_by("inspect", provider, str(file)) & (FOR_BOOKS_OR_NETWORK | FOR_BODIES) == FOR_BODIES
