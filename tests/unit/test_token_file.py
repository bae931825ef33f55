"""The file of tokens from another system: what is read. Every fault is named by its line and column."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from prenopay import Money
from prenopay.mandates.import_file import read
from prenopay.values.mandates import ConsentKind, MandateKind

_HEADER = "payer_reference,kind,token,display,instrument,expires,consent,most,currency,text_version,agreed_at,channel\n"
_GOOD = "R-1,unscheduled,token-1,Visa •••• 0004,card,2027-12,fixed,149.00,SEK,terms-3,2025-03-01T10:00:00+00:00,web\n"
_SHORT = "payer_reference,kind,token,text_version,agreed_at\n"


def test_a_whole_line_is_read() -> None:
    (line,), problems = read(_HEADER + _GOOD)
    assert problems == ()
    assert (line.payer_reference, line.kind, line.token.reveal()) == ("R-1", MandateKind.UNSCHEDULED, "token-1")
    assert (line.display, line.instrument, line.expires) == ("Visa •••• 0004", "card", date(2027, 12, 31))
    assert (line.consent.kind, line.consent.most) == (ConsentKind.FIXED, Money(14900, "SEK"))
    assert (line.consent.text_version, line.consent.agreed_at) == ("terms-3", datetime(2025, 3, 1, 10, tzinfo=UTC))
    assert "token-1" not in repr(line)


def test_what_need_not_be_there_has_a_default() -> None:
    (line,), problems = read(_SHORT + "R-1,recurrence,token-1,terms-3,2025-03-01T10:00:00Z\n")
    assert problems == ()
    assert (line.consent.kind, line.consent.most, line.consent.channel) == (ConsentKind.VARIABLE, None, "import")


@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_semicolons_and_a_byte_order_mark_are_taken(start: str) -> None:
    text = start + (_HEADER + _GOOD).replace(",", ";")
    lines, problems = read(text)
    assert (len(lines), problems) == (1, ())


@pytest.mark.parametrize(
    ("wrong", "right", "column", "why"),
    [
        ("R-1,", ",", "payer_reference", "is empty"),
        ("unscheduled", "monthly", "kind", "must be one of"),
        ("token-1", "", "token", "is empty"),
        ("2027-12", "12/27", "expires", "a month such as 2027-12"),
        ("fixed", "sometimes", "consent", "fixed or variable"),
        ("149.00", "149,5x", "most", ""),
        ("SEK", "kr", "most", "three capital letters"),
        ("2025-03-01T10:00:00+00:00", "1/3 2025", "agreed_at", "must be a time"),
        ("2025-03-01T10:00:00+00:00", "2025-03-01T10:00:00", "agreed_at", "zone"),
        ("terms-3", "", "text_version", "is empty"),
        ("149.00,SEK", ",", "most", "names its amount"),
    ],
)
def test_each_fault_is_named_by_its_line_and_column(wrong: str, right: str, column: str, why: str) -> None:
    quoted = f'"{right}"' if "," in right and right != "," else right
    lines, problems = read(_HEADER + _GOOD + _GOOD.replace("token-1", "token-2").replace(wrong, quoted, 1))
    if column == "token":
        lines, problems = read(_HEADER + _GOOD + _GOOD.replace("token-1", ""))
    (problem,) = problems
    assert (len(lines), problem.line, problem.column) == (1, 3, column)
    assert why in problem.why


def test_a_repeated_token_is_named_with_both_lines() -> None:
    lines, (problem,) = read(_HEADER + _GOOD + _GOOD)
    assert (len(lines), problem.line, problem.why) == (1, 3, "repeats the token of line 2")


@pytest.mark.parametrize(
    ("header", "column"),
    [("kind,token,text_version,agreed_at", "payer_reference"), (_SHORT.strip() + ",colour", "colour")],
)
def test_a_header_that_is_not_known_is_refused_before_any_line(header: str, column: str) -> None:
    lines, (problem,) = read(f"{header}\nR-1,recurrence,t,terms-3,2025-03-01T10:00:00Z\n")
    assert (lines, problem.line, problem.column) == ((), 1, column)


def test_a_file_that_is_not_csv_is_refused() -> None:
    _lines, (problem,) = read(_SHORT + '"R-1,recurrence\n')
    assert "CSV" in problem.why or "empty" in problem.why
