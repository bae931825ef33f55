"""``prenopay inspect``: how a stored body is read, as JSON; what cannot be read is one clear line and exit 2."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.desk import Desk
from tests.providers.swedbankpay.samples import ORDER_ID, TAKEN, order, paid, problem

_CALLBACK = {"orderReference": "K-1", "paymentOrder": {"id": ORDER_ID, "instrument": "CreditCard", "number": 1}}
_ORDER = order("Paid", rels=TAKEN, paid=paid(), remainingReversalAmount=10000)


def stored(desk: Desk, content: object, *, name: str = "body.json") -> str:
    file = desk.folder / name
    file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return str(file)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            _ORDER,
            {"kind": "payment_order", "state": "captured", "captured": 14900, "refunded": 4900, "currency": "SEK"},
        ),
        (_CALLBACK, {"kind": "callback", "provider_reference": ORDER_ID, "state": None, "captured": None}),
        (problem("acquirererror"), {"kind": "problem", "state": "declined"}),
        ({"type": "https://x.example/nobody-knows", "title": "?"}, {"kind": "problem", "state": None}),
    ],
    ids=["payment order", "callback", "decline", "problem"],
)
def test_a_body_is_read_as_json(desk: Desk, content: object, expected: dict[str, Any]) -> None:
    read = desk.run("inspect", "swedbankpay", stored(desk, content)).json
    assert {name: read[name] for name in expected} == expected


def test_the_entries_of_a_problem_are_shown(desk: Desk) -> None:
    listed = [
        {"name": "PaymentOrder.Amount", "description": "Must be positive"},
        {"name": "PaymentOrder.Payer.Email", "description": "Must be an address"},
    ]
    ran = desk.run("inspect", "swedbankpay", stored(desk, problem("inputerror", 400, problems=listed)))
    assert ran.json["problems"] == [[each["name"], each["description"]] for each in listed]


def test_json_is_what_it_prints_whether_asked_or_not(desk: Desk) -> None:
    file = stored(desk, _ORDER)
    assert desk.run("inspect", "swedbankpay", file) == desk.run("inspect", "--json", "swedbankpay", file)


def test_settings_are_not_needed(desk: Desk) -> None:
    (desk.folder / "prenopay.toml").unlink()
    assert desk.run("inspect", "swedbankpay", stored(desk, _CALLBACK)).code == 0


def test_tokens_and_people_are_not_shown(desk: Desk) -> None:
    secret = "8e2f-token-of-the-payer"
    tokens = [{"type": "recurrence", "token": secret, "name": "476173******0416", "expiryDate": "12/2027"}]
    content = order("Paid", rels=TAKEN, paid=paid(tokens=tokens), payer={"email": "leia@example.com"})
    ran = desk.run("inspect", "swedbankpay", stored(desk, content))
    assert ran.json["mandates"][0]["kind"] == "recurrence"
    assert [hidden for hidden in (secret, "leia@example.com") if hidden in ran.out] == []


_UNREADABLE = {
    "empty": b"",
    "cut": b'{"paymentOrder": {"id": ',
    "html": b"<html>\n<body>502</body></html>",
    "binary": bytes(range(256)),
    "a list": b"[]",
    "a number": b"17",
    "deep": b'{"a":' * 5000 + b"1" + b"}" * 5000,
    "of another world": b'{"hello": "w\\u001brld\\n", "\\u001b[2J\\n": 1}',
    "without an amount": b'{"paymentOrder": {"id": "/psp/paymentorders/1", "status": "Paid"}}',
    "text for a number": b'{"paymentOrder": {"id": "/psp/paymentorders/1", "status": "Paid", "amount": "1\\n2"}}',
}


@pytest.mark.parametrize("name", _UNREADABLE)
def test_what_cannot_be_read_is_one_line_that_names_the_file(desk: Desk, name: str) -> None:
    file = stored(desk, _UNREADABLE[name])
    ran = desk.run("inspect", "swedbankpay", file)
    assert ran.code == 2
    assert ran.err.startswith(f"prenopay: {file}: ")
    assert len(ran.err) > len(f"prenopay: {file}: ") + 10
    assert ran.err[:-1].isprintable()


@pytest.mark.parametrize(("made", "why"), [(None, "No such file or directory"), ("folder", "Is a directory")])
def test_a_file_that_cannot_be_opened_is_named(desk: Desk, tmp_path: Path, made: str | None, why: str) -> None:
    file = tmp_path / "x.json"
    if made:
        file.mkdir()
    assert desk.run("inspect", "swedbankpay", str(file)).err == f"prenopay: {file}: {why}\n"


def test_a_provider_that_is_not_installed_is_refused(desk: Desk) -> None:
    ran = desk.run("inspect", "bank", stored(desk, _ORDER))
    assert ran.err == "prenopay: 'bank' is not installed; there are: swedbankpay, swish\n"


def test_the_program_reads_standard_input(desk: Desk) -> None:
    ran = desk.script("inspect", "swedbankpay", "-", stdin=json.dumps(_ORDER).encode())
    assert (ran.code, ran.json) == (0, desk.run("inspect", "swedbankpay", stored(desk, _ORDER)).json)


def test_the_program_refuses_standard_input_in_one_line(desk: Desk) -> None:
    ran = desk.script("inspect", "swedbankpay", "-", stdin=b"{")
    assert ran.code == 2
    assert ran.err.startswith("prenopay: standard input: ")
