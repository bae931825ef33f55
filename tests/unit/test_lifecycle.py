"""The whole life of a payment as one table: the state here, the gateway's state, and what follows."""

from __future__ import annotations

from prenopay import PaymentState
from prenopay.payments.lifecycle import ENDED, Step, advance

# Rows: the state here. Columns: what the gateway says. "!" marks money that came after the end
# ("late"), "?" a gateway that withdraws what it said ("contradiction").
_WITHOUT_MONEY_BEFORE = """
              created    pending    authorized  captured   cancelled  declined   expired    unknown
created       pending    pending    authorized  captured   cancelled  declined   expired    unknown
pending       pending    pending    authorized  captured   cancelled  declined   expired    unknown
unknown       pending    pending    authorized  captured   cancelled  declined   expired    unknown
authorized    authorized authorized authorized  captured   cancelled  authorized? expired   authorized
captured      captured   captured   captured    captured   captured   captured?  captured?  captured
cancelled     cancelled  cancelled  authorized! captured!  cancelled  cancelled  cancelled  cancelled
declined      declined   declined   authorized! captured!  declined   declined   declined   declined
expired       expired    expired    authorized! captured!  expired    expired    expired    expired
"""

_WITH_MONEY_BEFORE = """
              created    pending    authorized  captured   cancelled  declined   expired    unknown
created       pending    pending    authorized  captured   cancelled  declined   expired    unknown
pending       pending    pending    authorized  captured   cancelled  declined   expired    unknown
unknown       pending    pending    authorized  captured   cancelled  declined   expired    unknown
authorized    authorized authorized authorized  captured   cancelled  authorized? expired   authorized
captured      captured   captured   captured    captured   captured   captured?  captured?  captured
cancelled     cancelled  cancelled  cancelled   captured   cancelled  cancelled  cancelled  cancelled
declined      declined   declined   declined    captured   declined   declined   declined   declined
expired       expired    expired    expired     captured   expired    expired    expired    expired
"""


def rows(table: str, *, had_money: bool) -> list[tuple[PaymentState, PaymentState, bool, Step]]:
    columns, *lines = (line.split() for line in table.strip().splitlines())
    return [
        (PaymentState(line[0]), PaymentState(column), had_money, step(cell))
        for line in lines
        for column, cell in zip(columns, line[1:], strict=True)
    ]


def step(cell: str) -> Step:
    return Step(PaymentState(cell.rstrip("!?")), late="!" in cell, contradiction="?" in cell)


_ROWS = [*rows(_WITHOUT_MONEY_BEFORE, had_money=False), *rows(_WITH_MONEY_BEFORE, had_money=True)]


def test_the_tables_hold_every_pair_of_states() -> None:
    pairs = {(current, observed, had_money) for current, observed, had_money, _step in _ROWS}
    assert len(PaymentState) ** 2 * 2 == len(pairs)


def test_what_follows_is_what_the_table_says() -> None:
    for current, observed, had_money, expected in _ROWS:
        found = advance(current, observed, had_money=had_money)
        assert expected == found, (current, observed, had_money)


def test_no_money_is_expected_after_three_ends() -> None:
    expected = {PaymentState.CANCELLED, PaymentState.DECLINED, PaymentState.EXPIRED}
    assert expected == ENDED
