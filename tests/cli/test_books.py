"""``inbox``, ``sweep`` and ``db``: what waits is seen and worked on, and the books are made, updated and checked."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import text

from prenopay import CallbackRequest, Payment
from prenopay.books import schema
from prenopay.books.engine import open_engine
from prenopay.testing.faults import Fault, FaultKind
from prenopay.values.subjects import Subject
from tests.cli.desk import PASSWORD, Desk


def told(desk: Desk, payment: Payment, *, names: str = "") -> None:
    """Let a callback about ``payment`` arrive, and go no further."""
    accounts = desk.accounts()
    path = accounts.callback_urls.url("cards", Subject.payment(payment.payment_id)).removeprefix("http://127.0.0.1:9")
    content = {"paymentOrder": {"id": names or payment.provider_reference, "instrument": "CreditCard", "number": 1}}
    reply = accounts.receive(CallbackRequest(path=path, body=json.dumps(content).encode()))
    accounts.close()
    assert reply.status == 200


def state(desk: Desk) -> str:
    (payment,) = desk.run("payments", "list", "--json").json
    word: str = payment["state"]
    return word


# The inbox


def test_an_empty_inbox_is_said_in_words_and_as_an_empty_list(desk: Desk) -> None:
    assert desk.run("inbox", "list").out == "no callbacks\n"
    assert desk.run("inbox", "list", "--json").json == []


def test_a_callback_that_waits_is_listed_and_replayed(desk: Desk) -> None:
    payment = desk.paid()
    told(desk, payment)
    headings, row = desk.run("inbox", "list", "--open").lines
    assert headings.split() == ["NUMBER", "RECEIVED", "ACCOUNT", "SUBJECT", "TIMES", "DONE", "FAILED", "WHY"]
    number, _day, _time, *rest = row.split()
    assert rest == ["cards", payment.payment_id, "1", "-", "0", "-"]

    assert desk.run("inbox", "replay", number).out == f"callback {number}: done\n"

    assert state(desk) == "authorized"
    assert desk.run("inbox", "list", "--open").out == "no callbacks\n"
    (listed,) = desk.run("inbox", "list", "--json").json
    assert (listed["inbox_id"], listed["done_at"] is not None, "body" in listed) == (int(number), True, False)


def test_a_replay_that_fails_says_why_and_is_kept(desk: Desk) -> None:
    told(desk, desk.paid())
    (listed,) = desk.run("inbox", "list", "--json").json
    desk.emulator.faults.add(Fault(kind=FaultKind.STATUS_BEFORE, status=500, times=9))
    ran = desk.run("inbox", "replay", str(listed["inbox_id"]), "--json")
    assert (ran.code, ran.json["callback"]) == (1, listed["inbox_id"])
    assert "500" in ran.json["failure"]
    assert ran.json["failure"] in desk.run("inbox", "list", "--open").out

    desk.emulator.faults.clear()
    assert desk.run("inbox", "replay", str(listed["inbox_id"]), "--json").json["failure"] is None
    assert state(desk) == "authorized"


@pytest.mark.parametrize("number", ["1", "9223372036854775807"])
def test_a_callback_that_is_not_there_is_refused(desk: Desk, number: str) -> None:
    assert desk.run("inbox", "replay", number).err.startswith(f"prenopay: there is no callback {number} ")


@pytest.mark.parametrize("number", ["-1", "0", "one", "9223372036854775808", "9" * 50])
def test_what_is_no_number_of_a_callback_is_refused_with_the_usage(desk: Desk, number: str) -> None:
    ran = desk.run("inbox", "replay", "--", number)
    assert ran.code == 2
    assert "whole number from 1" in ran.err


def test_the_newest_come_first_and_no_more_than_asked_for(desk: Desk) -> None:
    payments = [desk.paid(number) for number in range(3)]
    for payment in payments:
        told(desk, payment)
    listed = desk.run("inbox", "list", "--json", "--limit", "2").json
    expected = [{"kind": "payment", "id": payments[number].payment_id} for number in (2, 1)]
    assert [each["subject"] for each in listed] == expected


def test_what_a_stranger_wrote_cannot_play_with_the_terminal(desk: Desk) -> None:
    payment = desk.paid()
    told(desk, payment, names="/psp/paymentorders/\x1b[2J\x9b\u202e\n1")
    desk.run("sweep")
    shown = desk.run("inbox", "list").out + desk.run("payments", "show", payment.payment_id).out
    assert "foreign_callback" in shown
    assert not {"\x1b", "\x9b", "\u202e"} & set(shown)


# The sweep


def test_a_sweep_with_nothing_to_do_says_so(desk: Desk) -> None:
    assert desk.run("sweep").out == "looked at 0 callbacks, 0 operations, 0 payments; 0 failed\n"
    expected = {"callbacks": 0, "operations": 0, "payments": 0, "delivered": 0, "failures": [], "clock": []}
    assert desk.run("sweep", "--json").json == expected


def test_a_sweep_works_on_what_waits_and_leaves_events_to_the_host(desk: Desk) -> None:
    told(desk, desk.paid())
    assert desk.run("sweep", "--json").json["callbacks"] == 1
    assert state(desk) == "authorized"
    heard: list[str] = []
    accounts = desk.accounts(on_event=lambda event: heard.append(event.kind.value))
    accounts.deliver_pending()
    accounts.close()
    assert heard == ["payment.authorized"]


def test_a_sweep_that_fails_says_what_and_ends_with_1(desk: Desk) -> None:
    payment = desk.paid()
    told(desk, payment)
    desk.emulator.faults.add(Fault(kind=FaultKind.STATUS_BEFORE, status=500, times=9))
    ran = desk.run("sweep")
    assert ran.code == 1
    assert ran.lines[0].endswith("1 failed")
    assert "500" in ran.lines[1]


# The database


def test_tables_are_made_and_then_found_current(desk: Desk) -> None:
    desk.write(database=f"sqlite:///{desk.folder}/new.db")
    missing = desk.run("db", "check")
    assert missing.code == 1
    assert "run: prenopay db upgrade" in missing.lines[-1]
    checked = desk.run("db", "check", "--json").json
    assert checked == {"schema": None, "needed": schema.SCHEMA_VERSION, "totals_that_disagree": []}

    for _ in range(2):
        assert desk.run("db", "upgrade").out == f"the tables are at version {schema.SCHEMA_VERSION}\n"

    assert desk.run("db", "check").code == 0
    assert desk.run("db", "upgrade", "--json").json == {"schema": schema.SCHEMA_VERSION}
    assert desk.run("payments", "list").code == 0


def test_a_database_may_be_named_without_settings(desk: Desk) -> None:
    (desk.folder / "prenopay.toml").unlink()
    url = f"sqlite:///{desk.folder}/other.db"
    assert desk.run("db", "upgrade", "--database", url).code == 0
    assert desk.run("db", "check", "--database", url, "--json").json["schema"] == schema.SCHEMA_VERSION


def test_an_upgrade_keeps_what_is_there(desk: Desk) -> None:
    payment = desk.paid()
    assert desk.run("db", "upgrade").code == 0
    assert [each["payment_id"] for each in desk.run("payments", "list", "--json").json] == [payment.payment_id]


def tamper(desk: Desk, statement: str) -> None:
    engine = open_engine(desk.database)
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def test_totals_that_are_not_the_sums_are_found(desk: Desk) -> None:
    right, wrong = desk.paid(1), desk.paid(2)
    for payment in (right, wrong):
        told(desk, payment)
    desk.run("sweep")
    assert desk.run("db", "check").code == 0
    tamper(desk, f"UPDATE {schema.payments.name} SET captured = 1 WHERE payment_id = '{wrong.payment_id}'")  # noqa: S608 - our own
    assert desk.run("db", "check").code == 1
    assert desk.run("db", "check", "--json").json["totals_that_disagree"] == [wrong.payment_id]
    assert wrong.payment_id in desk.run("db", "check").out
    assert right.payment_id not in desk.run("db", "check").out


def test_tables_of_a_newer_prenopay_are_left_as_they_are(desk: Desk) -> None:
    tamper(desk, f"UPDATE {schema.VERSION_TABLE} SET version_num = '9999'")  # noqa: S608 - our own
    assert desk.run("db", "check", "--json").json["schema"] == "9999"
    ran = desk.run("db", "upgrade")
    assert ran.code == 2
    assert "run the newer prenopay" in ran.err
    assert "run the newer prenopay" in desk.run("db", "check").out
    assert desk.run("db", "check", "--json").json["schema"] == "9999"


@pytest.mark.parametrize(
    "database",
    [
        "shop.db",
        "mysql://u@h/d",
        f"nonsense://u:{PASSWORD}@h/d",
        f"postgresql://u:{PASSWORD}@127.0.0.1:1/d",
        "sqlite:////no/such/x.db",
    ],
)
@pytest.mark.parametrize("command", ["upgrade", "check"])
def test_a_database_that_cannot_be_used_is_refused_without_its_password(
    desk: Desk,
    command: str,
    database: str,
) -> None:
    assert desk.run("db", command, "--database", database).code == 2


def test_old_things_are_removed_and_young_ones_are_not(desk: Desk) -> None:
    desk.paid()
    refused = desk.run("db", "prune", "--days", "7")
    assert refused.code == 2
    assert "--days: at least 30" in refused.err
    assert desk.run("db", "prune", "--days", "30", "--json").json == {"answers": 0, "callbacks": 0, "events": 0}
    assert "the books stay" in desk.run("db", "prune", "--days", "40").out
