"""How a stored body is read: orders of any version, single nodes, callbacks and problems, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from prenopay import Action, DeclineCode, PaymentState
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
        (order("Paid", rels=TAKEN, paid=paid(), remainingReversalAmount=10000), _CAPTURED, (14900, 14900, 4900, None)),
        (order("Paid", rels=TAKEN, paid={"id": f"{ORDER_ID}/paid"}), _CAPTURED, (14900, 14900, None, None)),
        (order("Paid", rels=(), paid={"id": f"{ORDER_ID}/paid"}), _AUTHORIZED, (14900, None, None, None)),
        (order("Reversed", rels=(), paid=paid()), _CAPTURED, (14900, 14900, 14900, None)),
        (order("Frozen"), _PENDING, (None,) * 4),
        (order("Cancelled", rels=()), _CANCELLED, (14900, 0, 0, 14900)),
        (order("Failed", rels=(), failed={"problem": problem("acquirererror")}), _DECLINED, (0, 0, 0, 0)),
        (order(None, state="Ready", rels=()), None, (None,) * 4),
        (order(None, state="Ready", rels=("create-paymentorder-capture",)), _AUTHORIZED, (14900, 0, 0, None)),
        (order(noise=["x" * 1000] * 4000), _PENDING, (0, 0, 0, 0)),
    ],
)
def test_an_order_says_its_state_and_money(
    body: Json, state: PaymentState | None, expected: tuple[int | None, ...]
) -> None:
    seen = inspected(body)
    assert (state, expected) == (seen.state, sums(seen))
    assert (seen.kind, seen.provider_reference, seen.currency) == ("payment_order", ORDER_ID, "SEK")


def test_an_order_says_how_it_was_paid_what_is_possible_and_what_is_odd() -> None:
    seen = inspected(order("Paid", rels=(*RESERVED, "reversal"), paid=paid(), remainingCaptureAmount=9900))
    assert (seen.instrument, seen.allowed_actions) == ("card", (Action.CANCEL, Action.CAPTURE, Action.REFUND))
    assert "unknown status 'Frozen'" in inspected(order("Frozen")).note
    verified = order("Paid", rels=(), operation="Verify", amount=0, paid=paid(amount=0, submittedAmount=0))
    assert inspected(verified).state is _CAPTURED
    assert "nothing was bought" in inspected(verified).note
    assert not inspected(order(operation="Verify", amount=0)).note


_TRIES = [{"number": number, "problem": problem(kind)} for number, kind in ((1, "acquirererror"), (2, "swishtimeout"))]
_FAILED_CHANGE = {"type": "Capture", "number": 1, "problem": problem("creditcard/acquirererrordonotretry")}


@pytest.mark.parametrize(
    ("body", "state", "code"),
    [
        (order(failedAttempts={"failedAttemptList": _TRIES}), _PENDING, DeclineCode.TIMED_OUT),
        (order("Paid", paid=paid(), failedAttempts={"failedAttemptList": _TRIES}), _AUTHORIZED, None),
        ({"failedAttempts": {"failedAttemptList": _TRIES}}, None, DeclineCode.TIMED_OUT),
        ({"failedAttempts": {"failedAttemptList": _TRIES[:1]}}, None, DeclineCode.DECLINED),
        (
            order(
                "Failed", rels=(), operation="Recur", failed={"problem": problem("creditcard/acquirererrordonotretry")}
            ),
            _DECLINED,
            DeclineCode.DO_NOT_RETRY,
        ),
        (
            {"postPurchaseFailedAttempts": {"id": "x", "postpurchaseFailedAttemptList": [_FAILED_CHANGE]}},
            None,  # says nothing about the state
            DeclineCode.DO_NOT_RETRY,
        ),
        (
            {"capture": {"transaction": {"amount": 5, "state": "Failed", "problem": problem("acquirererror")}}},
            _DECLINED,
            DeclineCode.DECLINED,
        ),
    ],
)
def test_the_latest_decline_is_shown(body: Json, state: PaymentState | None, code: DeclineCode | None) -> None:
    seen = inspected(body)
    assert (state, code) == (seen.state, None if seen.decline is None else seen.decline.code)


def listed(name: str) -> Json:
    return {"type": "Unscheduled", "token": _TOKEN, "name": name, "expiryDate": "12/2030"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            order("Paid", paid=paid(tokens=[listed("492500******0004")])),
            [("unscheduled", "492500******0004", "12/2030")],
        ),
        (order("Paid", paid=paid(tokens=[listed("4925000000000004")])), [("unscheduled", "***", "12/2030")]),
        (order("Paid", paid=paid(tokens=[{"type": "payment", "token": ""}, "junk"])), []),
        (
            order(None, state="Ready", recurrenceToken=_TOKEN, paymentToken=_TOKEN),
            [("payment", "", ""), ("recurrence", "", "")],
        ),
        (order(None, state="Ready", unscheduledToken=_TOKEN), [("unscheduled", "", "")]),
        ({"paid": paid(tokens=[listed("x")])}, [("unscheduled", "x", "12/2030")]),
    ],
)
def test_stored_methods_are_shown_without_their_tokens(body: Json, expected: list[tuple[str, str, str]]) -> None:
    seen = inspected(body)
    assert expected == [(each.kind, each.display, each.expires) for each in seen.mandates]
    assert _TOKEN not in repr(seen)


# Single nodes


def node(name: str, content: Json) -> Json:
    return {"paymentorder": ORDER_ID, name: {"id": f"{ORDER_ID}/{name.lower()}", **content}}


def moved(*each: tuple[str, int]) -> Json:
    return node("financialTransactions", transactions(*(transaction(kind, amount, 1) for kind, amount in each)))


_SWISH = paid(instrument="Swish", transaction_type="Sale", details={"misidn": "+46701234567"})
_PAID_BY_SWISH = {"name": "PaymentPaid", "amount": 14900, "instrument": "Swish"}
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
        (node("paid", paid()), _AUTHORIZED, (14900, None, None, None)),
        (node("paid", _SWISH), _CAPTURED, (14900, 14900, None, 0)),
        (node("cancelled", paid()), _CANCELLED, (14900, 0, 0, 14900)),
        (node("reversed", paid()), _CAPTURED, (14900, 14900, 14900, None)),
        (node("failed", {"problem": problem("creditcard/acquirererror")}), _DECLINED, (0, 0, 0, 0)),
        (node("aborted", {"abortReason": "by payer"}), _CANCELLED, (0, 0, 0, 0)),
        (node("failedAttempts", {"failedAttemptList": _TRIES}), None, (None,) * 4),
        (moved(), None, (None, None, 0, 0)),
        (moved(("Reversal", 900)), _CAPTURED, (None, None, 900, 0)),
        (moved(("Authorization", 900), ("Cancellation", 900)), _CANCELLED, (900, 0, 0, 900)),
        (moved(("Capture", 5000), ("Reversal", 900)), _CAPTURED, (None, 5000, 900, 0)),
        (moved(("Authorization", 14900), ("Capture", 5000)), _CAPTURED, (14900, 5000, 0, 0)),
        (moved(("Sale", 14900)), _CAPTURED, (14900, 14900, 0, 0)),
        (node("history", {"historyList": _HISTORY}), _CAPTURED, (14900, 9000, 1000, 5900)),
        (node("history", {"historyList": _HISTORY[:2]}), _PENDING, (0, 0, 0, 0)),
        (node("history", {"historyList": []}), None, (None,) * 4),
        (
            node("history", {"historyList": [{"name": "PaymentPaid", "amount": 14900, "instrument": "Swish"}]}),
            _CAPTURED,
            (14900, 14900, 0, 0),
        ),
    ],
)
def test_a_node_says_what_it_can(body: Json, state: PaymentState | None, expected: tuple[int | None, ...]) -> None:
    seen = inspected(body)
    assert (state, expected) == (seen.state, sums(seen))
    assert (seen.kind, seen.provider_reference, seen.currency) == ("payment_order", ORDER_ID, None)
    assert "only the node" in seen.note


@pytest.mark.parametrize("name", ["paid", "cancelled", "reversed", "failed", "financialTransactions", "history"])
def test_a_node_that_is_only_a_link_says_nothing(name: str) -> None:
    seen = inspected(node(name, {}))
    assert (seen.provider_reference, seen.state, sums(seen)) == (ORDER_ID, None, (None,) * 4)
    assert "only a link" in seen.note


@pytest.mark.parametrize(
    "body",
    [
        node("urls", {"completeUrl": "https://example.com/x"}),
        node("payeeInfo", {"payeeId": "x"}),
        node("payer", {"email": "leia@example.com"}),
        node("metadata", {"key": 1}),
        {"paymentorder": {"id": ORDER_ID}, "operations": [operation("abort")]},
    ],
)
def test_what_says_nothing_about_money_is_read_so(body: Json) -> None:
    seen = inspected(body)
    expected = ("payment_order", ORDER_ID, None, (None,) * 4)
    assert expected == (seen.kind, seen.provider_reference, seen.state, sums(seen))
    assert "it says nothing about money" in seen.note
    assert "leia" not in repr(seen)


def test_links_alone_say_what_is_possible() -> None:
    assert inspected({"operations": [operation("capture"), operation("reversal")]}).allowed_actions == (
        Action.CAPTURE,
        Action.REFUND,
    )


# Payouts


@pytest.mark.parametrize(
    ("status", "state", "paid_out"),
    [("Paid", _CAPTURED, 14900), ("Initialized", _PENDING, 0), ("Aborted", _DECLINED, 0), ("Frozen", _PENDING, None)],
)
def test_money_that_went_out_is_nothing_to_capture(status: str, state: PaymentState, paid_out: int | None) -> None:
    seen = inspected(order(status, rels=("capture", "reversal"), operation="Payout", paid=paid()))
    assert ("payout", state, paid_out) == (seen.kind, seen.state, seen.paid_out)
    assert (sums(seen), seen.allowed_actions) == ((None,) * 4, ())


# Stored methods

_CARD: Json = {
    "token": _TOKEN,
    "tokenType": "Recurrence",
    "instrument": "CreditCard",
    "state": "Archived",
    "instrumentParameters": {"cardBrand": "Visa", "expiryPan": "12/2030", "lastFourPan": "0004"},
}
_INVOICE = {"token": _TOKEN, "tokenType": "Payment", "instrument": "Invoice", "instrumentDisplayName": "+46701234567"}
_SHOWN = ("recurrence", "Visa •••• 0004, 12/30", "12/2030", "archived")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"tokens": {"id": "x", "payerReference": "P", "tokenList": [_CARD]}, "operations": []}, [_SHOWN]),
        ({"payerOwnedTokens": {"id": "x", "tokens": [_CARD, _INVOICE]}}, [_SHOWN, ("payment", "Invoice", "", "")]),
        ({"payerOwnedTokens": {"id": "x", "tokens": []}}, []),
        ({"id": "x", "payerReference": "P", "token": _CARD}, [_SHOWN]),
        (
            {"paymentToken": _TOKEN, "instrument": "CreditCard", "instrumentDisplayName": "492500******0004"},
            [("payment", "Card •••• 0004", "", "")],
        ),
        ({"token": _TOKEN, "isDeleted": True}, [("", "", "", "deleted")]),
        ({"state": "Deleted", "comment": "x"}, []),
    ],
)
def test_answers_about_stored_methods_are_read(body: Json, expected: list[tuple[str, ...]]) -> None:
    seen = inspected(body)
    assert seen.kind == "stored_methods"
    assert expected == [(each.kind, each.display, each.expires, each.state) for each in seen.mandates]
    assert not [secret for secret in (_TOKEN, "46701234567") if secret in repr(seen)]


def test_a_node_names_its_order_and_instrument_if_it_can() -> None:
    assert inspected({"paid": {**paid(instrument="ClickToPay"), "id": f"{ORDER_ID}/paid"}}).instrument == "click_to_pay"
    assert inspected({"paid": {"id": f"{ORDER_ID}/paid", **paid()}}).provider_reference == ORDER_ID
    assert inspected({"paid": {"amount": 5}}).provider_reference is None


# Answers of version 3.0 and 2.0 to a change


def changed(name: str, state: str, **members: Any) -> Json:
    inner = {**transaction(name.title(), 5000, 1001), "state": state, **members}
    return {"payment": "/psp/creditcard/payments/1", name: {"id": "x", "transaction": inner}}


@pytest.mark.parametrize(
    ("body", "state", "expected"),
    [
        (changed("capture", "Completed"), _CAPTURED, (None, 5000, None, None)),
        (changed("sale", "Completed"), _CAPTURED, (5000, 5000, None, 0)),
        (changed("reversal", "Completed"), _CAPTURED, (None, None, 5000, None)),
        (changed("cancellation", "Completed"), _CANCELLED, (None, None, None, 5000)),
        (changed("authorization", "Completed"), _AUTHORIZED, (5000, None, None, None)),
        (changed("capture", "Initialized"), _PENDING, (None,) * 4),
        (changed("capture", ""), _PENDING, (None,) * 4),
        (changed("capture", "Failed", problem=problem("acquirererror")), _DECLINED, (None,) * 4),
        (
            {"capture": transaction("Capture", 5000, 1) | {"state": "Completed"}},
            _CAPTURED,
            (None, 5000, None, None),
        ),
    ],
)
def test_an_older_answer_to_a_change_is_read(body: Json, state: PaymentState, expected: tuple[int | None, ...]) -> None:
    seen = inspected(body)
    assert (state, expected) == (seen.state, sums(seen))


def test_a_payment_of_the_older_api_says_nothing_about_money() -> None:
    seen = inspected({"payment": {"id": "/psp/creditcard/payments/1", "state": "Ready"}, "operations": []})
    expected = ("payment", "/psp/creditcard/payments/1", None, (None,) * 4)
    assert expected == (seen.kind, seen.provider_reference, seen.state, sums(seen))


# Callbacks and problems


@pytest.mark.parametrize(
    "body",
    [
        {"paymentOrder": {"id": ORDER_ID, "instrument": "Swish", "number": 1}},
        {"orderReference": "4711", "paymentOrder": {"id": ORDER_ID, "instrument": "swish"}},
        {"paymentOrder": {"id": ORDER_ID, "instrument": "Swish"}, "payment": {"id": "x"}, "transaction": {"id": "y"}},
        {"payment": {"id": ORDER_ID, "number": 1, "instrument": "Swish"}, "transaction": {"id": "y", "number": 2}},
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
def test_a_problem_says_what_happened(body: Json, state: Any, code: DeclineCode | None, note: str) -> None:
    seen = inspected(body)
    found = None if seen.decline is None else seen.decline.code
    assert ("problem", state, code, note) == (seen.kind, seen.state, found, seen.note)


@pytest.mark.parametrize("wrap", [{"problem": 0}, {"error": 0}, {"problems": [0]}, {"errors": [0], "id": "x"}])
def test_a_wrapped_problem_is_read_as_a_bare_one(wrap: Json) -> None:
    bare = problem("creditcard/acquirererror")
    body = {name: bare if inside == 0 else [bare] if inside == [0] else inside for name, inside in wrap.items()}
    assert inspected(body) == inspected(bare)


def test_a_callback_may_be_as_short_as_its_reference() -> None:
    seen = inspected({"paymentOrder": ORDER_ID})
    assert (seen.kind, seen.provider_reference) == ("callback", ORDER_ID)


# Anything else

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
    ({"payerOwnedTokens": {"id": "x"}}, "its members are: payerownedtokens"),
    ({"paymentOrder": {"id": ORDER_ID, "amount": 5}}, "status is missing"),
    ({"transaction": {"amount": 5}}, "its members are: transaction"),
    ({"type": "OnError", "event": "x", "detail": "y"}, "this is none of"),
    (order(amount=None), "amount is missing"),
    (order(currency=None), "currency is missing"),
    (order(currency="kr"), "currency must be three capital letters"),
    (order(amount="hunter2"), "paymentorder.amount"),
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
    said = str(caught.value)
    assert why in said
    assert not [part for part in ("\n", "hunter2") if part in said]
