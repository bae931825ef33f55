"""``prenopay mandates``: stored methods shown, taken over and sealed again; no token is ever printed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from prenopay import Payer
from prenopay.values.mandates import Consent, Mandate, StoreMethod
from tests.cli.desk import Desk

READER = "R-77"
_HEADER = "payer_reference,kind,token,display,text_version,agreed_at\n"
_CONSENT = Consent(text_version="terms-1", agreed_at=datetime(2026, 1, 2, tzinfo=UTC), channel="web")


@pytest.fixture
def mandate(desk: Desk) -> Mandate:
    """A reader's card, stored with a purchase."""
    payment = desk.paid(1, payer=Payer(reference=READER), store=StoreMethod(consent=_CONSENT))
    accounts = desk.accounts()
    payments: Any = accounts["cards"]
    payments.observe(payment.payment_id)
    (found,) = payments.mandates.of_payer(READER)
    accounts.close()
    assert isinstance(found, Mandate)
    return found


def a_file(folder: Path, *tokens: str, kind: str = "unscheduled") -> str:
    file = folder / "tokens.csv"
    lines = [f"old-1,{kind},{token},Visa •••• 0004,terms-1,2024-05-01T12:00:00Z\n" for token in tokens]
    file.write_text(_HEADER + "".join(lines), encoding="utf-8")
    return str(file)


def test_a_payer_without_any_is_said_in_words_and_as_an_empty_list(desk: Desk) -> None:
    assert desk.run("mandates", "list", "cards", "nobody").out == "no stored methods\n"
    assert desk.run("mandates", "list", "cards", "nobody", "--json").json == []


@pytest.mark.parametrize("more", [(), ("--refresh",)])
def test_the_list_shows_the_card_and_no_token(desk: Desk, mandate: Mandate, more: tuple[str, ...]) -> None:
    ran = desk.run("mandates", "list", "cards", READER, *more)
    headings, row = ran.lines
    assert headings.split() == ["MANDATE", "KIND", "STATE", "METHOD", "SINCE", "WHY"]
    assert row.startswith(mandate.mandate_id)
    assert mandate.display in row
    (listed,) = desk.run("mandates", "list", "cards", READER, "--json", *more).json
    assert (listed["state"], listed["consent"]["text_version"]) == ("active", "terms-1")
    (token,) = desk.emulator.tokens(READER)
    assert token.token not in ran.out + str(listed)


def test_a_card_that_the_gateway_does_not_show_is_listed_as_missing(desk: Desk, mandate: Mandate) -> None:
    (token,) = desk.emulator.tokens(READER)
    desk.emulator.archive_token(token.token)
    assert desk.run("mandates", "missing", "cards").out == "no method is missing\n"
    assert " active " in desk.run("mandates", "list", "cards", READER, "--refresh").lines[1]
    assert desk.run("mandates", "missing", "cards").lines[1].startswith(mandate.mandate_id)
    shown = desk.run("mandates", "show", "cards", mandate.mandate_id).lines
    assert "the gateway did not show it; the next look decides" in shown[-1]


def test_one_is_shown_with_all_that_happened(desk: Desk, mandate: Mandate) -> None:
    first, headings, *rows = desk.run("mandates", "show", "cards", mandate.mandate_id).lines
    assert (mandate.display in first, READER in first) == (True, True)
    assert headings.split() == ["AT", "STATE", "WHO", "WHY"]
    assert ["proposed" in rows[0], "active" in rows[1]] == [True, True]
    shown = desk.run("mandates", "show", "cards", mandate.mandate_id, "--json").json
    assert [each["actor"] for each in shown["history"]] == ["host", "gateway"]


@pytest.mark.parametrize("asked", [["show", "cards", "man_1"], ["list", "nobody", READER], ["reseal", "nobody"]])
def test_what_nobody_has_is_refused(desk: Desk, asked: list[str]) -> None:
    assert desk.run("mandates", *asked).code == 2


def test_a_file_is_tried_taken_and_known(desk: Desk, tmp_path: Path) -> None:
    file = a_file(tmp_path, desk.emulator.store_card("old-1").token)
    assert desk.run("mandates", "import", "cards", file, "--dry-run").out == "cards: 1 would be imported, 0 known\n"
    assert desk.run("mandates", "list", "cards", "old-1", "--json").json == []
    assert desk.run("mandates", "import", "cards", file).out == "cards: 1 imported, 0 known\n"
    assert desk.run("mandates", "import", "cards", file).out == "cards: 0 imported, 1 known\n"
    (listed,) = desk.run("mandates", "list", "cards", "old-1", "--json").json
    shown = desk.run("mandates", "show", "cards", listed["mandate_id"], "--json").json
    assert shown["history"][0]["actor"] == "prenopay mandates import"


def test_lines_that_are_wrong_are_named_and_nothing_is_taken(desk: Desk, tmp_path: Path) -> None:
    good, foreign = desk.emulator.store_card("old-1").token, "00000000-0000-4000-8000-000000000000"
    ran = desk.run("mandates", "import", "cards", a_file(tmp_path, good, foreign))
    assert ran.code == 1
    assert ran.lines[0].startswith("line 3: token: the gateway has no such token")
    assert ran.lines[-1] == "nothing was imported: fix these lines"
    assert (good in ran.out, foreign in ran.out) == (False, False)
    report = desk.run("mandates", "import", "cards", a_file(tmp_path, good, kind="weekly"), "--json", "--unchecked")
    assert (report.code, report.json["problems"][0]["column"]) == (1, "kind")
    assert desk.run("mandates", "list", "cards", "old-1", "--json").json == []


def test_unchecked_takes_what_the_gateway_was_not_asked_about(desk: Desk, tmp_path: Path) -> None:
    file = a_file(tmp_path, "00000000-0000-4000-8000-000000000000")
    assert desk.run("mandates", "import", "cards", file, "--unchecked").out == "cards: 1 imported, 0 known\n"
    assert desk.emulator.transcript.seen == ()


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_named(desk: Desk, tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "tokens.csv"
    if content is not None:
        file.write_bytes(content)
    ran = desk.run("mandates", "import", "cards", str(file))
    assert (ran.code, str(file) in ran.err) == (2, True)


@pytest.mark.usefixtures("mandate")
def test_tokens_are_sealed_under_the_newest_key(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_NEW_KEY", "a-newer-secret-that-seals-the-tokens")
    keys = 'token_keys = ["env:DESK_SEAL_KEY"]'
    text = (desk.folder / "prenopay.toml").read_text(encoding="utf-8")
    desk.write_text(text.replace(keys, 'token_keys = ["env:DESK_NEW_KEY", "env:DESK_SEAL_KEY"]'))
    assert desk.run("mandates", "reseal", "cards").out == "cards: 1 token sealed with the newest key\n"
    desk.write_text(text.replace(keys, 'token_keys = ["env:DESK_NEW_KEY"]'))
    assert desk.run("mandates", "reseal", "cards", "--json").json == {"sealed": 1}
    desk.write_text(text)
    ran = desk.run("mandates", "reseal", "cards")
    assert (ran.code, "put the key that sealed it back" in ran.err) == (2, True)


def test_an_account_that_stores_nothing_says_so(desk: Desk) -> None:
    desk.write_text((desk.folder / "prenopay.toml").read_text(encoding="utf-8").replace("token_keys", "#"))
    token = desk.emulator.store_card("old-1").token
    ran = desk.run("mandates", "import", "cards", a_file(desk.folder, token))
    assert (ran.code, "token_keys must hold" in ran.err) == (2, True)
