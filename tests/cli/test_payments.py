"""``prenopay payments``: what there is, for people as a table and for scripts as JSON."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from prenopay import CaptureMode
from prenopay.books import schema
from prenopay.books.engine import open_engine
from prenopay.testing.faults import Fault, FaultKind
from tests.cli.desk import Desk

_HEADINGS = ["PAYMENT", "CREATED", "ACCOUNT", "ORDER", "STATE", "AMOUNT", "CAPTURED", "REFUNDED", "FLAGS"]


@pytest.fixture
def three(desk: Desk) -> Desk:
    """A desk where one order is open, one reserved and one taken."""
    desk.bought(1)
    desk.paid(2)
    desk.paid(3, capture=CaptureMode.AUTOMATIC)
    accounts = desk.accounts()
    for payment in accounts["cards"].find():
        accounts["cards"].observe(payment.payment_id)
    accounts.close()
    return desk


def test_nothing_is_said_in_words_and_as_an_empty_list(desk: Desk) -> None:
    assert desk.run("payments", "list").out == "no payments\n"
    assert desk.run("payments", "list", "--json").json == []


def test_the_list_is_a_table_newest_first(three: Desk) -> None:
    headings, *rows = three.run("payments", "list").lines
    assert headings.split() == _HEADINGS
    assert [(row.split()[4], row.split()[5]) for row in rows] == [
        ("K-3", "captured"),
        ("K-2", "authorized"),
        ("K-1", "pending"),
    ]
    assert "119.00 SEK" in rows[0]
    places = {headings.index(name) for name in ("CREATED", "ORDER", "STATE", "AMOUNT")}
    assert all(row[place - 1] == " " != row[place] for row in rows for place in places)


def test_the_list_for_scripts_holds_amounts_in_minor_units(three: Desk) -> None:
    newest, _, oldest = three.run("payments", "list", "--json").json
    assert (newest["state"], newest["captured"]) == ("captured", {"minor": 11900, "currency": "SEK"})
    assert (oldest["state"], oldest["account"], oldest["order_reference"]) == ("pending", "cards", "K-1")


@pytest.mark.parametrize(
    ("asked", "orders"),
    [
        (["--state", "authorized"], ["K-2"]),
        (["--state", "declined"], []),
        (["--order", "K-1"], ["K-1"]),
        (["--order", "K-1", "--state", "captured"], []),
        (["--account", "cards"], ["K-3", "K-2", "K-1"]),
        (["--limit", "2"], ["K-3", "K-2"]),
    ],
)
def test_the_list_is_narrowed(three: Desk, asked: list[str], orders: list[str]) -> None:
    listed = three.run("payments", "list", "--json", *asked).json
    assert [each["order_reference"] for each in listed] == orders


@pytest.mark.parametrize("asked", [["--state", "odd"], ["--limit", "many"], ["--limit", "0"], ["--limit", "-1"], ["x"]])
def test_what_makes_no_sense_is_refused_with_the_usage(desk: Desk, asked: list[str]) -> None:
    ran = desk.run("payments", "list", *asked)
    assert ran.code == 2
    assert "usage: prenopay" in ran.err


def test_an_account_that_nobody_has_is_refused(desk: Desk) -> None:
    assert desk.run("payments", "list", "--account", "nobody").code == 2


def test_one_payment_is_shown_with_all_that_happened(three: Desk) -> None:
    payment = three.run("payments", "list", "--json", "--order", "K-3").json[0]
    ran = three.run("payments", "show", payment["payment_id"])
    values, _, table = ran.out.partition("\n\n")
    shown = {line[:12].strip(): line[12:].strip() for line in values.splitlines()}
    assert shown["payment"] == payment["payment_id"]
    assert shown["account"] == "cards (swedbankpay)"
    assert shown["order"] == "K-3"
    assert shown["captured"] == "119.00 SEK"
    assert (shown["open"], shown["flags"]) == ("-", "-")
    headings, *rows = table.splitlines()
    assert headings.split() == ["AT", "WHAT", "AMOUNT"]
    assert any("movement.capture" in row and "119.00 SEK" in row for row in rows)


def test_an_operation_without_an_outcome_is_shown_with_its_failed_try(desk: Desk) -> None:
    payment = desk.paid(1, capture=CaptureMode.AUTOMATIC)
    accounts = desk.accounts()
    payments: Any = accounts["cards"]
    payments.observe(payment.payment_id)
    desk.emulator.faults.add(Fault(kind=FaultKind.DROP_AFTER, call="reversal"))
    payments.refund(payment.payment_id, operation_id="refund:K-1:1")
    accounts.close()

    values, _, table = desk.run("payments", "show", payment.payment_id).out.partition("\n\n")
    (line,) = [line for line in values.splitlines() if line.startswith("open ")]
    assert line[12:].strip().startswith("refund:K-1:1 (refund, unknown since 20")
    assert line.endswith("): prenopay operations list")
    (tried,) = [row for row in table.splitlines() if "operation.refund.unknown" in row]
    assert "died before the answer" in tried
    (told,) = desk.run("payments", "show", payment.payment_id, "--json").json["open"]
    assert told["operation_id"] == "refund:K-1:1"


def test_one_payment_is_shown_to_scripts(three: Desk) -> None:
    payment = three.run("payments", "list", "--json", "--order", "K-2").json[0]
    shown = three.run("payments", "show", payment["payment_id"], "--json").json
    assert shown["payment"] == payment
    assert shown["timeline"][0]["kind"] == "operation.create"


def test_a_payment_that_nobody_has_is_refused(desk: Desk) -> None:
    expected = "prenopay: there is no payment 'pay_1' in any account in these settings\n"
    assert desk.run("payments", "show", "pay_1").err == expected


def test_links_to_the_payment_page_are_not_shown(three: Desk) -> None:
    payment = three.bought(4)
    assert payment.redirect_url is not None
    shown = (
        three.run("payments", "list", "--json").out + three.run("payments", "show", payment.payment_id, "--json").out
    )
    assert payment.redirect_url not in shown


def test_what_others_wrote_cannot_play_with_the_terminal(desk: Desk) -> None:
    payment, strange = desk.bought(), "K\n\u2028\u202eK"
    engine = open_engine(desk.database)
    with engine.begin() as connection:
        connection.execute(update(schema.payments).values(order_reference=strange))
    engine.dispose()
    listed = desk.run("payments", "list", "--json")
    for shown in (listed, desk.run("payments", "list"), desk.run("payments", "show", payment.payment_id)):
        assert not {"\u2028", "\u202e"} & set(shown.out)
    assert len(desk.run("payments", "list").lines) == 2
    assert listed.json[0]["order_reference"] == strange
