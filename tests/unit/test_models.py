"""What prenopay answers: operation ids that are refused early, and payments that say whether they are paid."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from typing import Any

import pytest

from prenopay import Money, Operation, OperationId, OperationKind, Outcome, PaymentState
from prenopay.errors import InvalidOrder
from prenopay.values.payments import SeamlessView
from prenopay.values.subjects import Subject

from .examples import payment
from .fakes import NOON

# Operation ids


@pytest.mark.parametrize("text", ["a", "renewal:4711:2026-11", "!" * 100, "~"])
def test_visible_ascii_is_an_operation_id(text: str) -> None:
    assert text == OperationId(text)


@pytest.mark.parametrize("text", ["", "a b", "a\n", "é", "x" * 101, "\x7f", "\t", None, 7, b"a"])
def test_anything_else_is_refused(text: Any) -> None:
    with pytest.raises(InvalidOrder, match="1 to 100 visible ASCII characters") as caught:
        OperationId(text)
    expected = "operation_id"
    assert expected == caught.value.field


def test_an_operation_id_is_made_of_what_the_operation_is() -> None:
    expected = "refund:4711:1"
    assert expected == OperationId.of("refund", 4711, 1)


def test_parts_that_cannot_be_in_an_id_are_refused() -> None:
    with pytest.raises(InvalidOrder):
        OperationId.of("refund", "order 4711")


def test_an_operation_id_survives_copying_and_pickling() -> None:
    made = OperationId("a:1")
    copies = [copy.copy(made), copy.deepcopy(made), pickle.loads(pickle.dumps(made))]  # noqa: S301 - our own bytes
    assert [(made, OperationId)] * 3 == [(each, type(each)) for each in copies]


# Payments


@pytest.mark.parametrize(
    ("captured", "due", "quarantined", "expected"),
    [
        (14900, 14900, False, True),
        (15000, 14900, False, True),
        (14899, 14900, False, False),
        (0, 14900, False, False),
        (14900, 16800, False, False),
        (14900, 14900, True, False),
    ],
)
def test_it_is_paid_when_all_that_is_due_was_taken(
    captured: int,
    due: int,
    quarantined: bool,  # noqa: FBT001 - a column of the table
    expected: bool,  # noqa: FBT001 - as above
) -> None:
    amounts = {"captured": Money(captured, "SEK"), "due": Money(due, "SEK")}
    taken = payment(state=PaymentState.CAPTURED, quarantined=quarantined, **amounts)
    assert expected is taken.is_paid


def test_a_refund_does_not_make_it_unpaid() -> None:
    whole = Money(14900, "SEK")
    assert payment(state=PaymentState.CAPTURED, captured=whole, refunded=whole).is_paid


def test_the_payer_may_pay_until_the_payment_ended_or_was_paid() -> None:
    expected = {PaymentState.CREATED, PaymentState.PENDING, PaymentState.UNKNOWN}
    assert expected == {state for state in PaymentState if payment(state=state).is_open}


def test_the_way_to_the_page_does_not_show() -> None:
    view = SeamlessView(script_url="https://ecom.example/secret", content_sources=())
    shown = repr(payment(redirect_url="https://ecom.example/secret", seamless_view=view))
    assert "https://ecom.example/secret" not in shown


def test_only_a_success_has_succeeded() -> None:
    operation = Operation(
        operation_id="a",
        kind=OperationKind.CAPTURE,
        account="paper",
        subject=Subject.payment("pay_1"),
        amount=None,
        outcome=Outcome.UNKNOWN,
        decline=None,
        reference="R1",
        attempts=1,
        created_at=NOON,
        settled_at=None,
    )
    expected = {Outcome.SUCCEEDED}
    assert expected == {outcome for outcome in Outcome if replace(operation, outcome=outcome).succeeded}


@pytest.mark.parametrize("part", [None, "", "1:2", True, 1.5, b"1"])
def test_a_part_that_could_make_two_ids_one_is_refused(part: Any) -> None:
    with pytest.raises(InvalidOrder, match=r"^operation_id: part 2 must be a text without colons") as caught:
        OperationId.of("order", part)
    assert caught.value.field == "operation_id"
