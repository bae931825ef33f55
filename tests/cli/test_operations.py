"""``prenopay operations``: what is open is listed, looked up again, and settled by a person with a name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from prenopay import Money, Outcome, Payer
from prenopay.testing.faults import Fault, FaultKind
from prenopay.values.mandates import Consent, StoreMethod
from tests.cli.desk import Desk

LOST = "renewal:S-1:1"
ANN = ("--person", "Ann", "--reason", "looked in the portal")
_CONSENT = Consent(text_version="terms-1", agreed_at=datetime(2026, 1, 2, tzinfo=UTC), channel="web")


def draw(desk: Desk, kind: FaultKind | None) -> Any:
    """Draw on the reader's card, an answer being lost; long enough ago that nothing is on its way any more."""
    payment = desk.paid(1, payer=Payer(reference="R-77"), store=StoreMethod(consent=_CONSENT))
    accounts = desk.accounts()
    payments: Any = accounts["cards"]
    payments.observe(payment.payment_id)
    (mandate,) = payments.mandates.of_payer("R-77")
    if kind is not None:
        desk.emulator.faults.add(Fault(kind=kind, call="charge"))
    made = payments.charge(mandate.mandate_id, Money(11900, "SEK"), operation_id=LOST, description="One month")
    accounts.close()
    return made


@pytest.fixture
def lost(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk where the answer to a draw that took the money was lost half an hour ago."""
    monkeypatch.setattr(type(desk.emulator.clock), "now", lambda _clock: datetime.now(UTC) - timedelta(minutes=30))
    assert draw(desk, FaultKind.DROP_AFTER).outcome is Outcome.UNKNOWN
    return desk


def test_nothing_open_is_said_in_words_and_as_an_empty_list(desk: Desk) -> None:
    assert desk.run("operations", "list").out == "nothing is open\n"
    assert desk.run("operations", "list", "--json").json == []


def test_a_lost_draw_is_listed(lost: Desk) -> None:
    headings, row = lost.run("operations", "list").lines
    assert headings.split() == ["OPERATION", "ACCOUNT", "KIND", "AMOUNT", "OUTCOME", "SINCE", "WHY"]
    assert row.split()[:3] == [LOST, "cards", "charge"]
    assert ("119.00 SEK" in row, "unknown" in row) == (True, True)
    (listed,) = lost.run("operations", "list", "--json").json
    assert (listed["operation_id"], listed["amount"]) == (LOST, {"minor": 11900, "currency": "SEK"})


def test_looking_again_sends_nothing_and_leaves_it_open(lost: Desk) -> None:
    ran = lost.run("operations", "resolve", LOST)
    assert ran.code == 1
    assert ran.out.startswith(f"{LOST}: unknown")
    assert len(lost.emulator.charges()) == 1


def test_what_a_person_found_settles_it(lost: Desk) -> None:
    (charge,) = lost.emulator.charges()
    ran = lost.run("operations", "resolve", LOST, "--happened", charge.order, *ANN)
    assert (ran.code, ran.out) == (0, f"{LOST}: succeeded\n")
    assert lost.run("operations", "list", "--json").json == []
    shown = lost.run("payments", "list", "--json", "--state", "captured").json
    assert 11900 in [each["captured"]["minor"] for each in shown]


def test_another_payment_is_not_taken_for_it(lost: Desk) -> None:
    other = lost.paid(2)
    ran = lost.run("operations", "resolve", LOST, "--happened", str(other.provider_reference), *ANN)
    assert (ran.code, "it is not this one" in ran.err) == (2, True)
    assert len(lost.run("operations", "list", "--json").json) == 1


def test_what_did_not_happen_is_settled_too(lost: Desk) -> None:
    made = lost.run("operations", "resolve", LOST, "--did-not-happen", *ANN, "--json")
    assert (made.code, made.json["outcome"]) == (0, "not_attempted")
    again = lost.run("operations", "resolve", LOST, "--did-not-happen", *ANN)
    assert (again.code, "only an unknown outcome" in again.err) == (2, True)


@pytest.mark.parametrize("left_out", ["--person", "--reason"])
def test_nobody_settles_without_name_and_reason(lost: Desk, left_out: str) -> None:
    given = [each for pair in (ANN[:2], ANN[2:]) if pair[0] != left_out for each in pair]
    ran = lost.run("operations", "resolve", LOST, "--did-not-happen", *given)
    assert (ran.code, "must not be empty" in ran.err) == (2, True)


def test_a_draw_that_is_settled_stays_so(desk: Desk) -> None:
    draw(desk, None)
    assert desk.run("operations", "resolve", LOST).out == f"{LOST}: succeeded\n"
    assert desk.run("operations", "resolve", LOST, "--did-not-happen", *ANN).code == 2


def test_both_at_once_make_no_sense(desk: Desk) -> None:
    ran = desk.run("operations", "resolve", LOST, "--did-not-happen", "--happened", "x", *ANN)
    assert (ran.code, "usage: prenopay" in ran.err) == (2, True)


def test_an_operation_that_nobody_has_is_refused(desk: Desk) -> None:
    expected = "prenopay: there is no operation 'x:1' in any account in these settings\n"
    assert desk.run("operations", "resolve", "x:1").err == expected
