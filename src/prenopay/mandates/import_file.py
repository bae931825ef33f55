"""Reads a CSV file of tokens that another system stored. Every fault is named by its line.

The columns of the header, in any order, separated by ``,`` or ``;``: ``payer_reference``, ``kind``, ``token``,
``display``, ``instrument``, ``expires``, ``consent``, ``most``, ``currency``, ``text_version``, ``agreed_at``,
``channel``.

``kind`` is ``unscheduled``, ``recurrence`` or ``one_click``. ``expires`` is ``2027-12`` or empty. ``consent`` is
``variable`` or ``fixed``. ``most`` is in major units (``149.00``) with its ``currency``; both are empty if there
is no limit. ``agreed_at`` is ISO 8601 with a zone. Only ``payer_reference``, ``kind``, ``token``, ``text_version``
and ``agreed_at`` must be filled in.
"""

from __future__ import annotations

import calendar
import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final, NoReturn

from prenopay._hidden import raise_alone
from prenopay._redaction import Secret
from prenopay._text import flaw, name_flaw, quoted
from prenopay.errors import InvalidOrder
from prenopay.values.mandates import Consent, ConsentKind, ImportProblem, MandateKind
from prenopay.values.money import Money

__all__ = ["COLUMNS", "TokenLine", "read"]

COLUMNS: Final = (
    "payer_reference",
    "kind",
    "token",
    "display",
    "instrument",
    "expires",
    "consent",
    "most",
    "currency",
    "text_version",
    "agreed_at",
    "channel",
)
_NEEDED: Final = ("payer_reference", "kind", "token", "text_version", "agreed_at")
_LONGEST: Final = {"payer_reference": 200, "display": 200, "instrument": 60}
_FIELD_MOST: Final = 2000
"""No token, time or amount comes near this. The limit also keeps messages short, because they repeat what is refused.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLine:
    """One stored method of the file; ``line`` is its line number."""

    line: int
    payer_reference: str
    kind: MandateKind
    token: Secret = field(repr=False)
    display: str
    instrument: str
    expires: date | None
    consent: Consent


def read(text: str) -> tuple[tuple[TokenLine, ...], tuple[ImportProblem, ...]]:
    """Return the lines of the file, and everything that is wrong with it. A line with a fault is not returned."""
    delimiter = ";" if ";" in text.partition("\n")[0] else ","
    rows = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), delimiter=delimiter, strict=True)
    try:
        header = [name.strip().lower() for name in rows.fieldnames or ()]
        problems = list(_faults_of(header))
        if problems:
            return (), tuple(problems)
        rows.fieldnames = header
        return _lines(rows)
    except csv.Error as error:
        return (), (ImportProblem(line=rows.line_num, column="", why=f"is not CSV: {error}"),)


def _lines(rows: csv.DictReader[str]) -> tuple[tuple[TokenLine, ...], tuple[ImportProblem, ...]]:
    found: list[TokenLine] = []
    problems: list[ImportProblem] = []
    seen: dict[str, int] = {}
    for row in rows:
        line = rows.line_num
        values = {name: (row.get(name) or "").strip() for name in COLUMNS}
        if None in row:
            problems.append(ImportProblem(line=line, column="", why="has more fields than the header"))
            continue
        try:
            read_line = _line(line, values)
        except InvalidOrder as error:
            column, _, why = str(error).partition(": ")
            problems.append(ImportProblem(line=line, column=column.removeprefix("consent."), why=why))
            continue
        first = seen.setdefault(read_line.token.reveal(), line)
        if first != line:
            problems.append(ImportProblem(line=line, column="token", why=f"repeats the token of line {first}"))
        else:
            found.append(read_line)
    return tuple(found), tuple(problems)


def _faults_of(header: list[str]) -> Iterator[ImportProblem]:
    for name in _NEEDED:
        if name not in header:
            yield ImportProblem(line=1, column=name, why="is missing in the header")
    for name, times in Counter(header).items():
        if name not in COLUMNS:
            yield ImportProblem(line=1, column=name, why=f"is not a column; known are: {', '.join(COLUMNS)}")
        elif times > 1:
            yield ImportProblem(line=1, column=name, why="is twice in the header")


def _line(line: int, values: Mapping[str, str]) -> TokenLine:
    for name in _NEEDED:
        if not values[name]:
            _refuse(name, "is empty")
    for name, value in values.items():
        longest = _LONGEST.get(name, _FIELD_MOST)
        if len(value) > longest:
            _refuse(name, f"is longer than {longest} characters")
        if name == "payer_reference" and (wrong := name_flaw(value)):
            _refuse(name, wrong)
        if found := flaw(value):
            _refuse(name, f"must not hold the character {found}")
    return TokenLine(
        line=line,
        payer_reference=values["payer_reference"],
        kind=_kind(values["kind"]),
        token=Secret(values["token"]),
        display=values["display"],
        instrument=values["instrument"],
        expires=_expiry(values["expires"]),
        consent=_consent(values),
    )


def _kind(text: str) -> MandateKind:
    known = [kind.value for kind in MandateKind if kind is not MandateKind.CONSENT]
    if text.lower() not in known:
        _refuse("kind", f"must be one of {', '.join(known)}, not {quoted(text)}")
    return MandateKind(text.lower())


def _consent(values: Mapping[str, str]) -> Consent:
    kind = values["consent"].lower() or ConsentKind.VARIABLE.value
    if kind not in {each.value for each in ConsentKind}:
        _refuse("consent", f"must be fixed or variable, not {quoted(kind)}")
    try:
        agreed_at = datetime.fromisoformat(values["agreed_at"])
    except ValueError:
        _refuse("agreed_at", f"must be a time such as 2026-01-31T12:00:00+01:00, not {quoted(values['agreed_at'])}")
    return Consent(
        kind=ConsentKind(kind),
        most=_most(values),
        text_version=values["text_version"],
        agreed_at=agreed_at,
        channel=values["channel"] or "import",
    )


def _most(values: Mapping[str, str]) -> Money | None:
    if not values["most"] and not values["currency"]:
        return None
    try:
        return Money.from_decimal(values["most"], values["currency"])
    except ValueError as error:
        _refuse("most", f"{error}")


def _expiry(text: str) -> date | None:
    """Read ``2027-12``: a card works to the last day of its month."""
    if not text:
        return None
    try:
        year, month = (int(part) for part in text.split("-"))
        return date(year, month, calendar.monthrange(year, month)[1])
    except (ValueError, OverflowError):
        _refuse("expires", f"must be a month such as 2027-12, not {quoted(text)}")


def _refuse(column: str, why: str) -> NoReturn:
    message = f"{column}: {why}"
    raise_alone(InvalidOrder(message, field=column))
