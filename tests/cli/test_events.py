"""``prenopay events``, and what ``doctor`` and ``inbox`` say of what would pass in silence."""

from __future__ import annotations

import json
from typing import Any

import pytest

from prenopay import CallbackRequest, CaptureMode, Event
from prenopay.values.subjects import Subject
from tests.cli.desk import Desk


@pytest.fixture
def refused(desk: Desk) -> Desk:
    """A desk whose shop failed on the first event of a payment that was taken."""
    payment = desk.paid(capture=CaptureMode.AUTOMATIC)

    def hear(_event: Event) -> None:
        message = "the readers' database is away"
        raise RuntimeError(message)

    accounts = desk.accounts(on_event=hear)
    accounts["cards"].observe(payment.payment_id)
    accounts.close()
    return desk


def test_no_event_is_said_in_words_and_as_an_empty_list(desk: Desk) -> None:
    assert desk.run("events", "list").out == "no event waits\n"
    assert desk.run("events", "list", "--json").json == []


def test_events_that_wait_are_listed_with_their_money_and_why(refused: Desk) -> None:
    headings, first, second = refused.run("events", "list").lines
    assert headings.split() == ["EVENT", "SINCE", "ACCOUNT", "KIND", "AMOUNT", "FAILED", "NEXT", "WHY"]
    assert ("payment.authorized" in first, "119.00 SEK" in first, "readers' database" in first) == (True, True, True)
    assert "payment.captured" in second
    (failed,) = refused.run("events", "list", "--failed", "--account", "cards", "--json").json
    assert (failed["event"]["kind"], failed["tries"], "raw" in failed["event"]) == ("payment.authorized", 1, False)


def test_an_event_is_made_due_and_the_shop_takes_it(refused: Desk) -> None:
    (failed,) = refused.run("events", "list", "--failed", "--json").json
    event_id = failed["event"]["event_id"]
    ran = refused.run("events", "retry", event_id)
    assert ran.lines == ["1 event is due now: the shop's next sweep delivers them", f"  {event_id}"]
    told: list[Event] = []
    accounts = refused.accounts(on_event=told.append)
    assert accounts.sweep().delivered == 2
    accounts.close()
    assert [event.kind.value for event in told] == ["payment.authorized", "payment.captured"]
    assert refused.run("events", "retry", "--all", "--json").json == {"due": []}


@pytest.mark.parametrize("asked", [(), ("evt_1",), ("--all", "evt_1")])
def test_what_is_not_there_or_not_said_is_refused(desk: Desk, asked: tuple[str, ...]) -> None:
    ran = desk.run("events", "retry", *asked)
    assert (ran.code, ran.out) == (2, "")


def probes(desk: Desk, account: str = "cards") -> dict[str, Any]:
    examined = desk.run("doctor", "--json").json["accounts"]
    return {probe["name"]: probe for probe in examined.get(account, ())}


def test_doctor_finds_a_handler_that_fails(refused: Desk) -> None:
    probe = probes(refused)["events"]
    assert (probe["ok"], "on 1 event;" in probe["found"], "prenopay events" in probe["fix"]) == (False, True, True)


def test_doctor_finds_an_account_that_was_left_out(desk: Desk) -> None:
    desk.bought()
    text = desk.write().read_text(encoding="utf-8").replace("[accounts.cards]", "[accounts.kort]")
    desk.write_text(text)
    probe = probes(desk)["settings"]
    assert (probe["ok"], "1 open payment (119.00 SEK)" in probe["found"]) == (False, True)
    assert "prenopay: there is no" not in desk.run("doctor").out


def test_a_callback_about_nothing_in_the_books_is_found_and_dismissed(desk: Desk) -> None:
    accounts = desk.accounts()
    path = accounts.callback_urls.url("cards", Subject.payment("pay_1")).removeprefix("http://127.0.0.1:9")
    content = {"paymentOrder": {"id": "/psp/paymentorders/1", "instrument": "CreditCard", "number": 1}}
    reply = accounts.receive(CallbackRequest(path=path, body=json.dumps(content).encode()))
    assert reply.address is not None
    accounts.work(reply.address)
    accounts.close()
    probe = probes(desk)["inbox"]
    assert (probe["ok"], "/psp/paymentorders/1" in probe["found"]) == (False, True)
    (number,) = [str(each["inbox_id"]) for each in desk.run("inbox", "list", "--json").json]
    assert "required: --person, --reason" in desk.run("inbox", "dismiss", number).err
    given = ("--person", "Ann", "--reason", "given back")
    assert desk.run("inbox", "dismiss", number, *given).out == f"callback {number}: dismissed\n"
    assert desk.run("inbox", "dismiss", number, *given).code == 2
    assert desk.run("inbox", "list", "--open").out == "no callbacks\n"
    assert "inbox" not in probes(desk)
