"""How a stored body is read: orders of any version, single nodes, callbacks and problems, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from prenopay import Action, Advice, DeclineCode, PaymentState
from prenopay.provider import Inspection
from prenopay.providers.swedbankpay import SwedbankPay

from .samples import (
    ORDER_ID,
    RESERVED,
    TAKEN,
    Json,
    operation,
    order,
    paid,
    problem,
    transaction,
    transactions,
)

_PENDING, _AUTHORIZED, _CAPTURED = PaymentState.PENDING, PaymentState.AUTHORIZED, PaymentState.CAPTURED
_CANCELLED, _DECLINED, _UNKNOWN = PaymentState.CANCELLED, PaymentState.DECLINED, PaymentState.UNKNOWN

_TOKEN = "5f0e1d2c-secret-token"


def inspected(body: object) -> Inspection:
    return SwedbankPay.inspect(body if isinstance(body, bytes) else json.dumps(body).encode())


def sums(seen: Inspection) -> tuple[int | None, int | None, int | None, int | None]:
    return seen.authorized, seen.captured, seen.refunded, seen.cancelled


# Payment orders


@pytest.mark.parametrize(
    ("body", "state", "expected"),
    [
        (order(), _PENDING, (0, 0, 0, 0)),
        (order("Paid", rels=RESERVED, paid=paid(), remainingCaptureAmount=14900), _AUTHORIZED, (14900, 0, 0, 0)),
        (order("Paid", rels=TAKEN, paid=paid(), remainingReversalAmount=14900), _CAPTURED, (14900, 14900, 0, 0)),
        (order("Paid", rels=TAKEN, paid=paid(), remainingReversalAmount=10000), _CAPTURED, (14900, 14900, 4900, 0)),
        (order("Reversed", rels=()), _CAPTURED, (14900, 14900, 14900, 0)),
        (order("Cancelled", rels=()), _CANCELLED, (14900, 0, 0, 14900)),
        (order("Aborted", rels=()), _CANCELLED, (0, 0, 0, 0)),
        (order("Failed", rels=(), failed={"problem": problem("acquirererror")}), _DECLINED, (0, 0, 0, 0)),
        (order(None, state="Ready", rels=()), _PENDING, (0, 0, 0, 0)),
        (order(None, state="Ready", rels=("create-paymentorder-capture",)), _AUTHORIZED, (14900, 0, 0, 0)),
    ],
)
def test_an_order_says_its_state_and_money(
    body: Json,
    state: PaymentState,
    expected: tuple[int, int, int, int],
) -> None:
    seen = inspected(body)
    assert state is seen.state
    assert ("payment_order", ORDER_ID, "SEK", *expected) == (
        seen.kind,
        seen.provider_reference,
        seen.currency,
        *sums(seen),
    )


def test_an_order_says_how_it_was_paid_and_what_is_possible() -> None:
    seen = inspected(order("Paid", rels=(*RESERVED, "reversal"), paid=paid(), remainingCaptureAmount=9900))
    expected = ("card", (Action.CANCEL, Action.CAPTURE, Action.REFUND))
    assert expected == (seen.instrument, seen.allowed_actions)


def test_an_unknown_status_is_noted() -> None:
    seen = inspected(order("Frozen"))
    assert _PENDING is seen.state
    assert "unknown status 'Frozen'" in seen.note


def test_a_verification_that_is_done_says_so() -> None:
    seen = inspected(order("Paid", rels=(), operation="Verify", amount=0, paid=paid(amount=0, submittedAmount=0)))
    expected = (_CAPTURED, (0, 0, 0, 0))
    assert expected == (seen.state, sums(seen))
    assert "nothing was bought" in seen.note


def test_a_verification_under_way_says_nothing_of_it() -> None:
    seen = inspected(order(operation="Verify", amount=0))
    assert (seen.state, seen.note) == (_PENDING, "")


def test_a_charge_that_failed_says_why() -> None:
    seen = inspected(
        order("Failed", rels=(), operation="Recur", failed={"problem": problem("creditcard/acquirererrordonotretry")})
    )
    assert _DECLINED is seen.state
    assert seen.decline is not None
    assert (seen.decline.code, seen.decline.advice) == (DeclineCode.DO_NOT_RETRY, Advice.NEVER)


def test_the_name_of_a_stored_card_never_shows_the_whole_number() -> None:
    tokens = [{"type": "recurrence", "token": _TOKEN, "name": "4925000000000004", "expiryDate": "12/2030"}]
    seen = inspected(order("Paid", paid=paid(tokens=tokens)))
    assert "4925000000000004" not in repr(seen)


def test_an_open_order_tells_the_latest_failed_try() -> None:
    tries = [
        {"number": number, "problem": problem(kind)} for number, kind in ((1, "acquirererror"), (2, "swishtimeout"))
    ]
    seen = inspected(order(failedAttempts={"failedAttemptList": tries}))
    assert seen.decline is not None
    assert DeclineCode.TIMED_OUT is seen.decline.code


def test_an_order_that_was_paid_in_the_end_tells_no_decline() -> None:
    tries = [{"number": 1, "problem": problem("acquirererror")}]
    seen = inspected(order("Paid", paid=paid(), failedAttempts={"failedAttemptList": tries}))
    assert seen.decline is None


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            order(
                "Paid",
                paid=paid(
                    tokens=[
                        {"type": "Unscheduled", "token": _TOKEN, "name": "492500******0004", "expiryDate": "12/2030"}
                    ]
                ),
            ),
            [("unscheduled", "492500******0004", "12/2030")],
        ),
        (order("Paid", paid=paid(tokens=[{"type": "payment", "token": ""}, "junk"])), []),
        (
            order(None, state="Ready", recurrenceToken=_TOKEN, paymentToken=_TOKEN),
            [("payment", "", ""), ("recurrence", "", "")],
        ),
        (order(None, state="Ready", unscheduledToken=_TOKEN), [("unscheduled", "", "")]),
    ],
)
def test_stored_ways_to_pay_are_told_without_their_tokens(body: Json, expected: list[tuple[str, str, str]]) -> None:
    seen = inspected(body)
    assert expected == [(each.kind, each.display, each.expires) for each in seen.mandates]
    assert _TOKEN not in repr(seen)


# Single nodes


def node(name: str, content: Json) -> Json:
    return {"paymentorder": ORDER_ID, name: {"id": f"{ORDER_ID}/{name.lower()}", **content}}


_SWISH = paid(instrument="Swish", transaction_type="Sale", details={"misidn": "+46701234567"})
_HISTORY = [
    {"name": "PaymentCreated"},
    {"name": "PaymentAttemptFailed", "amount": 14900},
    {"name": "PaymentPaid", "amount": 14900},
    {"name": "PaymentPartiallyCaptured", "amount": 5000},
    {"name": "PaymentPartiallyCaptured", "amount": 4000},
    {"name": "PaymentCapturedFailed", "amount": 9900},
    {"name": "PaymentPartiallyReversed", "amount": 1000},
    {"name": "PaymentPartiallyCancelled", "amount": 5900},
    {"name": "SomethingNew", "amount": 1},
]


@pytest.mark.parametrize(
    ("body", "state", "expected"),
    [
        (node("paid", paid()), _AUTHORIZED, (14900, 0, 0, 0)),
        (node("paid", _SWISH), _CAPTURED, (14900, 14900, 0, 0)),
        (node("cancelled", paid()), _CANCELLED, (14900, 0, 0, 14900)),
        (node("reversed", paid()), _CAPTURED, (14900, 14900, 14900, 0)),
        (node("failed", {"problem": problem("creditcard/acquirererror")}), _DECLINED, (0, 0, 0, 0)),
        (node("aborted", {"abortReason": "by payer"}), _CANCELLED, (0, 0, 0, 0)),
        (
            node("failedAttempts", {"failedAttemptList": [{"problem": problem("usercancelled")}]}),
            _PENDING,
            (0, 0, 0, 0),
        ),
        (node("financialTransactions", transactions()), _AUTHORIZED, (0, 0, 0, 0)),
        (
            node(
                "financialTransactions", transactions(transaction("Capture", 5000, 1), transaction("Reversal", 900, 2))
            ),
            _CAPTURED,
            (5000, 5000, 900, 0),
        ),
        (
            node(
                "financialTransactions",
                transactions(transaction("Authorization", 14900, 1), transaction("Capture", 5000, 2)),
            ),
            _CAPTURED,
            (14900, 5000, 0, 0),
        ),
        (node("financialTransactions", transactions(transaction("Sale", 14900, 1))), _CAPTURED, (14900, 14900, 0, 0)),
        (node("history", {"historyList": _HISTORY}), _CAPTURED, (14900, 9000, 1000, 5900)),
        (node("history", {"historyList": _HISTORY[:2]}), _PENDING, (0, 0, 0, 0)),
        (node("history", {"historyList": []}), _PENDING, (0, 0, 0, 0)),
    ],
)
def test_a_node_says_what_it_can(body: Json, state: PaymentState, expected: tuple[int, int, int, int]) -> None:
    seen = inspected(body)
    assert state is seen.state
    assert ("payment_order", ORDER_ID, None, *expected) == (
        seen.kind,
        seen.provider_reference,
        seen.currency,
        *sums(seen),
    )
    assert "only the node" in seen.note


def test_failed_changes_say_nothing_of_the_state() -> None:
    failed = {"type": "Capture", "number": 1, "problem": problem("creditcard/acquirererrordonotretry")}
    seen = inspected(node("postPurchaseFailedAttempts", {"postpurchaseFailedAttemptList": [failed]}))
    assert seen.state is None
    assert seen.decline is not None
    assert DeclineCode.DO_NOT_RETRY is seen.decline.code


def test_a_node_without_its_order_is_found_by_its_own_id() -> None:
    assert inspected({"paid": {"id": f"{ORDER_ID}/paid", **paid()}}).provider_reference == ORDER_ID


def test_a_node_of_nobody_names_no_order() -> None:
    assert inspected({"paid": {"amount": 5}}).provider_reference is None


def test_a_node_tells_instrument_and_stored_ways_to_pay() -> None:
    token = {"type": "recurrence", "token": _TOKEN, "name": "492500******0004", "expiryDate": "12/2030"}
    seen = inspected(node("paid", paid(instrument="ClickToPay", tokens=[token])))
    expected = ("click_to_pay", "recurrence")
    assert expected == (seen.instrument, seen.mandates[0].kind)


# Answers of version 3.0 and 2.0 to a change


def changed(name: str, state: str, **members: Any) -> Json:
    inner = {**transaction(name.title(), 5000, 1001), "state": state, **members}
    return {"payment": "/psp/creditcard/payments/1", name: {"id": "x", "transaction": inner}}


@pytest.mark.parametrize(
    ("body", "state", "expected"),
    [
        (changed("capture", "Completed"), _CAPTURED, (5000, 5000, 0, 0)),
        (changed("sale", "Completed"), _CAPTURED, (5000, 5000, 0, 0)),
        (changed("reversal", "Completed"), _CAPTURED, (5000, 5000, 5000, 0)),
        (changed("cancellation", "Completed"), _CANCELLED, (5000, 0, 0, 5000)),
        (changed("authorization", "Completed"), _AUTHORIZED, (5000, 0, 0, 0)),
        (changed("capture", "Initialized"), _PENDING, (0, 0, 0, 0)),
        (changed("capture", ""), _PENDING, (0, 0, 0, 0)),
        (changed("capture", "Failed", problem=problem("acquirererror")), _DECLINED, (0, 0, 0, 0)),
        ({"capture": transaction("Capture", 5000, 1) | {"state": "Completed"}}, _CAPTURED, (5000, 5000, 0, 0)),
    ],
)
def test_an_older_answer_to_a_change_is_read(
    body: Json,
    state: PaymentState,
    expected: tuple[int, int, int, int],
) -> None:
    seen = inspected(body)
    assert state is seen.state
    assert expected == sums(seen)


def test_an_older_answer_that_failed_says_why() -> None:
    seen = inspected(changed("capture", "Failed", problem=problem("creditcard/acquirererror")))
    assert seen.decline is not None
    assert DeclineCode.DECLINED is seen.decline.code


# Callbacks and problems


@pytest.mark.parametrize(
    "body",
    [
        {"paymentOrder": {"id": ORDER_ID, "instrument": "Swish", "number": 1}},
        {"orderReference": "4711", "paymentOrder": {"id": ORDER_ID, "instrument": "swish"}},
        {"paymentOrder": {"id": ORDER_ID, "instrument": "Swish"}, "payment": {"id": "x"}, "transaction": {"id": "y"}},
    ],
)
def test_a_callback_says_whose_it_is_and_no_more(body: Json) -> None:
    seen = inspected(body)
    expected = ("callback", ORDER_ID, "swish", None, (None,) * 4)
    assert expected == (seen.kind, seen.provider_reference, seen.instrument, seen.state, sums(seen))
    assert "a callback is a hint" in seen.note


@pytest.mark.parametrize(
    ("body", "state", "code", "note"),
    [
        (problem("creditcard/acquirererror"), _DECLINED, DeclineCode.DECLINED, ""),
        (problem("paymentorders/paymenttokeninactive", 422), _DECLINED, DeclineCode.MANDATE_INACTIVE, ""),
        (problem("systemerror", 500), _UNKNOWN, None, "what happened is unknown: look it up"),
        (problem("inputerror", 400), None, None, "nothing happened: wrong_request"),
        (problem("forbidden"), None, None, "nothing happened: not_now"),
        (problem("configerror"), None, None, "nothing happened: our_setup"),
        (problem("brandnew"), None, None, "an unknown type, read by its HTTP status"),
        ({"type": "swishtimeout", "title": "No"}, _DECLINED, DeclineCode.TIMED_OUT, ""),
    ],
)
def test_a_problem_says_what_became_of_it(
    body: Json,
    state: PaymentState | None,
    code: DeclineCode | None,
    note: str,
) -> None:
    seen = inspected(body)
    found = None if seen.decline is None else seen.decline.code
    assert ("problem", state, code, note) == (seen.kind, seen.state, found, seen.note)


# What is none of these

_REFUSED: list[tuple[object, str]] = [
    (b"", "the body is empty"),
    (b" \n", "the body is empty"),
    (b"<html></html>", "the body is not JSON"),
    (b'{"paymentOrder": {"id": "/psp', "the body is not JSON"),
    (b"\xff\xfe\xfd", "the body is not JSON"),
    (b"[" * 100_000, "the body is not JSON"),
    (b"null", "the body is a JSON NoneType, not an object"),
    (b"[]", "the body is a JSON list, not an object"),
    (b"5", "the body is a JSON int, not an object"),
    (b"{}", "its members are: none"),
    (
        {"event": "OnPaid", "paymentOrder": {"id": ORDER_ID}, "redirectUrl": "https://shop.example"},
        "its members are: event",
    ),
    (
        {"paymentorder": {"id": ORDER_ID}, "operations": [operation("abort")]},
        "its members are: operations, paymentorder",
    ),
    ({"payerOwnedTokens": {"id": "x", "tokens": []}}, "its members are: payerownedtokens"),
    ({"paymentOrder": ORDER_ID, "urls": {"id": "x"}}, "its members are: paymentorder, urls"),
    ({"transaction": {"amount": 5}}, "its members are: transaction"),
    ({"type": "OnError", "event": "x", "detail": "y"}, "this is none of"),
    (order(amount=None), "amount is missing"),
    (order(currency=None), "currency is missing"),
    (order(currency="kr"), "currency must be three capital letters"),
    (order(amount="14900"), "paymentorder.amount"),
    ({"paymentOrder": {"status": "Paid"}}, "paymentorder.id"),
    ({"capture": {"transaction": {"state": "Completed"}}}, "capture.transaction.amount is missing"),
    ({"capture": {"transaction": "junk"}}, "capture.transaction.amount is missing"),
    ({"paid": {"amount": "5"}}, "paid.amount"),
    (order(deep=json.loads("[" * 60 + "]" * 60)), "nests more than 40 deep"),
]


@pytest.mark.parametrize(("body", "why"), _REFUSED, ids=range(len(_REFUSED)))
def test_anything_else_is_refused_with_a_clear_line(body: object, why: str) -> None:
    with pytest.raises(ValueError) as caught:
        inspected(body)
    told = str(caught.value)
    assert why in told
    assert "\n" not in told


def test_a_body_of_many_megabytes_is_read() -> None:
    huge = order(noise=["x" * 1000] * 4000)
    assert _PENDING is inspected(huge).state


def test_a_refusal_does_not_repeat_the_body() -> None:
    with pytest.raises(ValueError) as caught:
        inspected(order(amount="hunter2"))
    assert "hunter2" not in str(caught.value)
