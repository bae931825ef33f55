"""``prenopay operations``: what is open is listed, looked up again, and settled by a person with a name."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from prenopay import Money, Outcome, Payer
from prenopay.errors import OutcomeUnknown
from prenopay.testing.faults import Fault, FaultKind
from prenopay.values.mandates import Consent, StoreMethod
from tests.behaviour.shop import an_order
from tests.cli.desk import Desk

LOST = "renewal:S-1:1"
ANN = ("--person", "Ann", "--reason", "looked in the portal")
_CONSENT = Consent(text_version="terms-1", agreed_at=datetime(2026, 1, 2, tzinfo=UTC), channel="web")


def draw(desk: Desk, kind: FaultKind | None) -> Any:
    """Charge the reader's card, an answer being lost; long enough ago that nothing is on its way any more."""
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
    """A desk where the answer to a charge that took the money was lost half an hour ago."""
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
    assert ran.out.startswith(f"{LOST} in cards: unknown")
    assert len(lost.emulator.charges()) == 1


def test_what_a_person_found_settles_it(lost: Desk) -> None:
    (charge,) = lost.emulator.charges()
    ran = lost.run("operations", "resolve", LOST, "--happened", charge.order, *ANN)
    assert (ran.code, ran.out) == (0, f"{LOST} in cards: succeeded\n")
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
    assert desk.run("operations", "resolve", LOST).out == f"{LOST} in cards: succeeded\n"
    assert desk.run("operations", "resolve", LOST, "--did-not-happen", *ANN).code == 2


def test_both_at_once_make_no_sense(desk: Desk) -> None:
    ran = desk.run("operations", "resolve", LOST, "--did-not-happen", "--happened", "x", *ANN)
    assert (ran.code, "usage: prenopay" in ran.err) == (2, True)


def test_an_operation_that_nobody_has_is_refused(desk: Desk) -> None:
    expected = "prenopay: there is no operation 'x:1' in any account in these settings\n"
    assert desk.run("operations", "resolve", "x:1").err == expected


# The same id in two accounts


@pytest.fixture
def both(lost: Desk) -> Desk:
    """A desk where another account has an open operation under the same id: a payment whose answer was lost."""
    values = "\n".join(f"{key} = {json.dumps(value)}" for key, value in lost.account.items())
    lost.write(more=f"[accounts.alfa]\n{values}")
    accounts = lost.accounts(also=("alfa",))
    payments: Any = accounts["alfa"]
    lost.emulator.faults.add(Fault(kind=FaultKind.DROP_AFTER, call="create"))
    with pytest.raises(OutcomeUnknown):
        payments.create(an_order(), operation_id=LOST)
    accounts.close()
    return lost


def outcomes(desk: Desk) -> dict[str, str]:
    return {each["account"]: each["outcome"] for each in desk.run("operations", "list", "--json").json}


@pytest.mark.parametrize("how", [(), ("--did-not-happen", *ANN)])
def test_an_id_that_two_accounts_have_settles_neither_until_one_is_named(both: Desk, how: tuple[str, ...]) -> None:
    ran = both.run("operations", "resolve", LOST, *how)
    assert (ran.code, "(alfa, cards)" in ran.err, "--account" in ran.err) == (2, True, True)
    assert outcomes(both) == {"alfa": "unknown", "cards": "unknown"}


def test_the_account_that_is_named_is_the_one_that_is_settled_and_shown(both: Desk) -> None:
    ran = both.run("operations", "resolve", LOST, "--account", "cards", "--did-not-happen", *ANN)
    assert (ran.code, ran.out.startswith(f"{LOST} in cards: not_attempted")) == (0, True)
    assert outcomes(both) == {"alfa": "unknown"}


def test_open_operations_of_one_account_are_listed_alone(both: Desk) -> None:
    (row,) = both.run("operations", "list", "--account", "alfa", "--json").json
    assert (row["account"], row["operation_id"]) == ("alfa", LOST)


def test_an_account_that_does_not_have_the_operation_is_said(lost: Desk) -> None:
    ran = lost.run("operations", "resolve", "x:1", "--account", "cards")
    assert ran.err == "prenopay: there is no operation 'x:1' in account 'cards'\n"
