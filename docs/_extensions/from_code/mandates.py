"""Stored methods: their states, the columns of a file of tokens, and the card schemes' ceilings."""

from __future__ import annotations

from from_code.markdown import Texts, code, table
from from_code.swedbankpay import duration
from prenopay.mandates import import_file as token_file
from prenopay.mandates.ceilings import BLOCKED_FOR, CEILINGS
from prenopay.values.mandates import MandateState

__all__ = ["ceilings", "columns", "states"]


def ceilings(_texts: Texts) -> str:
    """Return every ceiling, with its source."""
    rows = [
        (scheme.value, code(each.rule), str(each.failures), duration(each.window), each.source)
        for scheme, bounds in CEILINGS.items()
        for each in bounds
    ]
    rows.append(("all", code("do-not-retry"), "1 that says “do not retry”", duration(BLOCKED_FOR), "the same page"))
    return table(("Scheme", "`rule`", "Failed charges", "Within", "Source"), rows)


def columns(texts: Texts) -> str:
    """Return the columns that a file of tokens may have."""
    rows = [
        (code(name), "yes" if name in token_file._NEEDED else "", texts[name])  # noqa: SLF001 - the header is documented
        for name in token_file.COLUMNS
    ]
    return table(("Column", "Needed", "Holds"), rows)


def states(texts: Texts) -> str:
    """Return what each state means, and whether it may be charged."""
    rows = [
        (code(each.name), "yes" if each.is_chargeable else "", "yes" if each.has_ended else "", texts[each.value])
        for each in MandateState
    ]
    return table(("State", "Chargeable", "An end", "Meaning"), rows)
