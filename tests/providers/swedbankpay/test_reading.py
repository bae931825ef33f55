"""What an answer says about a payment, in every version and spelling; one that cannot be read is an error."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from prenopay import Action, Advice, DeclineCode, Money, Order, PaymentState
from prenopay._blocking import run_blocking
from prenopay.errors import UnexpectedAnswer
from prenopay.provider import CreateRequest, Observation, TransactionKind

from .samples import (
    OPEN,
    ORDER_ID,
    REFERENCE,
    RESERVED,
    TAKEN,
    Json,
    Script,
    answer,
    order,
    paid,
    problem,
    provider,
    sek,
    transaction,
    transactions,
)

_PENDING, _AUTHORIZED, _CAPTURED = PaymentState.PENDING, PaymentState.AUTHORIZED, PaymentState.CAPTURED
_CANCELLED, _DECLINED = PaymentState.CANCELLED, PaymentState.DECLINED
_BOTH = (*RESERVED, *TAKEN)


def read(body: Json) -> Observation:
    return run_blocking(provider().observe(Script(answer(body)), ORDER_ID))


def left(capture: int = 0, reversal: int = 0) -> Json:
    """Return the remaining amounts; an amount of zero is left out, as the gateway does."""
    named = {
        "remainingCaptureAmount": capture,
        "remainingCancellationAmount": capture,
        "remainingReversalAmount": reversal,
    }
    return {name: amount for name, amount in named.items() if amount}


def listed(*each: tuple[str, int]) -> Json:
    """Return the financial transactions, numbered from 1001."""
    numbered = (transaction(kind, amount, 1001 + place) for place, (kind, amount) in enumerate(each))
    return {"financialTransactions": transactions(*numbered)}


def card(*each: tuple[str, int], rels: tuple[str, ...] = (), status: str = "Paid", **amounts: Any) -> Json:
    """Return a paid card order with its list of transactions."""
    return order(status, rels=rels, paid=paid(), **listed(*each), **left(**amounts))


def unlisted(rels: tuple[str, ...] = (), status: str = "Paid", node: Json | None = None, **amounts: Any) -> Json:
    """Return a paid order whose list of transactions is only a link."""
    return order(status, rels=rels, paid=node or paid(), **left(**amounts))


def swish(*each: tuple[str, int], reversal: int) -> Json:
    """Return a paid Swish order with its list of transactions."""
    return order("Paid", rels=TAKEN, paid=_SWISH, **listed(*each), **left(reversal=reversal))


_SWISH = paid(instrument="Swish", transaction_type="Sale", details={"msisdn": "+46701234567"})
_WORDLESS = {name: paid(instrument=name, transaction_type="", details={}) for name in ("Swish", "Trustly", "GooglePay")}
_ALL = 14900

# Name, order, state, and the money: authorized, captured, refunded, released.
_CAPTURE, _REVERSAL, _CANCELLATION = "Capture", "Reversal", "Cancellation"
_ORDERS: list[tuple[str, Json, PaymentState, tuple[int, int, int, int]]] = [
    ("open", order(), _PENDING, (0, 0, 0, 0)),
    ("open, nothing possible", order(rels=()), _PENDING, (0, 0, 0, 0)),
    ("reserved", card(rels=RESERVED, capture=_ALL), _AUTHORIZED, (_ALL, 0, 0, 0)),
    ("reserved, unlisted", unlisted(RESERVED, capture=_ALL), _AUTHORIZED, (_ALL, 0, 0, 0)),
    ("reserved, listed", card(("Authorization", _ALL), rels=RESERVED, capture=_ALL), _AUTHORIZED, (_ALL, 0, 0, 0)),
    ("captured", card((_CAPTURE, _ALL), rels=TAKEN, reversal=_ALL), _CAPTURED, (_ALL, _ALL, 0, 0)),
    ("captured, unlisted", unlisted(TAKEN, reversal=_ALL), _CAPTURED, (_ALL, _ALL, 0, 0)),
    ("captured, the list is late", card(rels=TAKEN, reversal=_ALL), _CAPTURED, (_ALL, _ALL, 0, 0)),
    ("captured, only the link says so", unlisted(TAKEN), _CAPTURED, (_ALL, _ALL, 0, 0)),
    ("part", card((_CAPTURE, 5000), rels=_BOTH, capture=9900, reversal=5000), _CAPTURED, (_ALL, 5000, 0, 0)),
    ("part, unlisted", unlisted(_BOTH, capture=9900, reversal=5000), _CAPTURED, (_ALL, 5000, 0, 0)),
    ("two parts", card((_CAPTURE, 5000), (_CAPTURE, 9900), rels=TAKEN, reversal=_ALL), _CAPTURED, (_ALL, _ALL, 0, 0)),
    (
        "part, the rest released",
        card((_CAPTURE, 5000), (_CANCELLATION, 9900), rels=TAKEN, reversal=5000),
        _CAPTURED,
        (_ALL, 5000, 0, 9900),
    ),
    (
        "part refunded",
        card((_CAPTURE, _ALL), (_REVERSAL, 4900), rels=TAKEN, reversal=10000),
        _CAPTURED,
        (_ALL, _ALL, 4900, 0),
    ),
    ("part refunded, unlisted", unlisted(TAKEN, reversal=10000), _CAPTURED, (_ALL, _ALL, 4900, 0)),
    (
        "refunded",
        card((_CAPTURE, _ALL), (_REVERSAL, 4900), (_REVERSAL, 10000), status="Reversed"),
        _CAPTURED,
        (_ALL, _ALL, _ALL, 0),
    ),
    ("refunded, unlisted", unlisted(status="Reversed"), _CAPTURED, (_ALL, _ALL, _ALL, 0)),
    (
        "refunded as far as captured",
        card((_CAPTURE, 5000), (_CANCELLATION, 9900), (_REVERSAL, 5000), status="Reversed"),
        _CAPTURED,
        (_ALL, 5000, 5000, 9900),
    ),
    ("refunded, in the words of 3.0", card((_CAPTURE, _ALL), (_REVERSAL, _ALL)), _CAPTURED, (_ALL, _ALL, _ALL, 0)),
    ("released", card((_CANCELLATION, _ALL), status="Cancelled"), _CANCELLED, (_ALL, 0, 0, _ALL)),
    ("released, unlisted", order("Cancelled", rels=(), cancelled=paid()), _CANCELLED, (_ALL, 0, 0, _ALL)),
    ("released, in another spelling", order("canceled", rels=(), paid=paid()), _CANCELLED, (_ALL, 0, 0, _ALL)),
    ("closed", order("Aborted", rels=(), aborted={"abortReason": "by payer"}), _CANCELLED, (0, 0, 0, 0)),
    ("declined", order("Failed", rels=()), _DECLINED, (0, 0, 0, 0)),
    ("Swish", unlisted(TAKEN, node=_SWISH, reversal=_ALL), _CAPTURED, (_ALL, _ALL, 0, 0)),
    ("Swish, nothing remaining given", unlisted(TAKEN, node=_SWISH), _CAPTURED, (_ALL, _ALL, 0, 0)),
    ("Swish, listed", swish(("Sale", _ALL), reversal=_ALL), _CAPTURED, (_ALL, _ALL, 0, 0)),
    ("Swish, part refunded", swish((_REVERSAL, 900), reversal=14000), _CAPTURED, (_ALL, _ALL, 900, 0)),
    ("the same, unlisted", unlisted(TAKEN, node=_SWISH, reversal=14000), _CAPTURED, (_ALL, _ALL, 900, 0)),
    ("Swish of no kind", unlisted(TAKEN, node=_WORDLESS["Swish"]), _CAPTURED, (_ALL, _ALL, 0, 0)),
    ("Trustly of no kind", unlisted(TAKEN, node=_WORDLESS["Trustly"]), _CAPTURED, (_ALL, _ALL, 0, 0)),
    ("wallet of no kind", unlisted(RESERVED, node=_WORDLESS["GooglePay"], capture=_ALL), _AUTHORIZED, (_ALL, 0, 0, 0)),
    (
        "a card sale listed as one",
        order("Paid", rels=TAKEN, paid=paid(transaction_type=""), **listed(("Sale", _ALL))),
        _CAPTURED,
        (_ALL, _ALL, 0, 0),
    ),
    ("approved in part", unlisted(RESERVED, node=paid(amount=9000), capture=9000), _AUTHORIZED, (9000, 0, 0, 0)),
    ("a method stored", order("Paid", rels=(), operation="Verify", paid=paid()), _CAPTURED, (0, 0, 0, 0)),
    ("a payout", order("Paid", rels=(), operation="Payout", paid=paid()), _AUTHORIZED, (0, 0, 0, 0)),
    ("unused nodes", order(cancelled={"id": "x", "amount": 5}, reversed={"id": "y"}), _PENDING, (0, 0, 0, 0)),
    ("unknown kinds", card(("Chargeback", _ALL), ("", 1), rels=RESERVED), _AUTHORIZED, (_ALL, 0, 0, 0)),
    ("a status in capitals", unlisted(TAKEN, status="PAID", reversal=_ALL), _CAPTURED, (_ALL, _ALL, 0, 0)),
    ("an unknown status", order("Frozen"), _PENDING, (0, 0, 0, 0)),
]


@pytest.mark.parametrize(("body", "state", "money"), [row[1:] for row in _ORDERS], ids=[row[0] for row in _ORDERS])
def test_state_and_money_are_read(body: Json, state: PaymentState, money: tuple[int, int, int, int]) -> None:
    seen = read(body)
    assert (state, *map(sek, money)) == (seen.state, seen.authorized, seen.captured, seen.refunded, seen.cancelled)
    status = body["paymentOrder"]["status"]
    assert (status, status != "Frozen") == (seen.raw_status, seen.status_is_known)


@pytest.mark.parametrize("discount", [500, -500, None])
def test_fee_and_discount_are_separate_from_what_was_submitted(discount: int | None) -> None:
    seen = read(unlisted(RESERVED, node=paid(amount=16300, feeAmount=1900, discountAmount=discount), capture=16300))
    expected = (sek(14900), sek(16300), sek(1900), sek(abs(discount or 0)))
    assert expected == (seen.submitted, seen.authorized, seen.fee, seen.discount)


def test_an_order_in_another_currency_stays_in_it() -> None:
    assert Money(14900, "NOK") == read(order("Paid", currency="NOK", rels=RESERVED, paid=paid())).authorized


def test_a_paid_order_repeats_our_references() -> None:
    seen = read(unlisted(RESERVED, node=paid(orderReference="4711"), capture=14900))
    assert (seen.reference, seen.order_reference) == (REFERENCE, "4711")


@pytest.mark.parametrize("status", ["Initialized", "Aborted", "Failed"])
def test_the_paid_node_of_an_unpaid_order_is_ignored(status: str) -> None:
    seen = read(order(status, paid=paid(payeeReference="OTHER", submittedAmount=1, feeAmount=5)))
    expected = (None, sek(14900), sek(0), sek(0))
    assert expected == (seen.reference, seen.submitted, seen.fee, seen.authorized)


@pytest.mark.parametrize(
    ("rels", "actions"),
    [
        (("capture",), {Action.CAPTURE}),
        (("cancel",), {Action.CANCEL}),
        (("abort",), {Action.CANCEL}),
        (("reversal",), {Action.REFUND}),
        (("update-order",), {Action.UPDATE}),
        (("create-paymentorder-capture",), {Action.CAPTURE}),
        (("create-paymentorder-cancel",), {Action.CANCEL}),
        (("create-paymentorder-reversal",), {Action.REFUND}),
        (("update-paymentorder-abort",), {Action.CANCEL}),
        (("update-paymentorder-updateorder",), {Action.UPDATE}),
        (OPEN, {Action.CANCEL, Action.UPDATE}),
        (
            ("redirect-checkout", "view-paymentsession", "abort-paymentattempt", "set-instrument", "brand-new", ""),
            set(),
        ),
    ],
)
def test_links_allow_actions(rels: tuple[str, ...], actions: set[Action]) -> None:
    assert actions == read(order(rels=rels)).allowed_actions


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [
        ("CreditCard", "card"),
        ("Creditcard", "card"),
        ("Swish", "swish"),
        ("Vipps", "vipps"),
        ("MobilePay", "mobilepay"),
        ("ApplePay", "apple_pay"),
        ("GooglePay", "google_pay"),
        ("ClickToPay", "click_to_pay"),
        ("Trustly", "trustly"),
        ("Invoice", "invoice"),
        ("Invoice-PayExFinancingSe", "invoice"),
        ("Invoice-PayExFinancingNo", "invoice"),
        ("Invoice-PayMonthlyInvoiceSe", "monthly_invoice"),
        ("CreditAccount", "credit_account"),
        ("CreditAccount-CreditAccountSe", "credit_account"),
        ("CreditAccount-CreditAccountNo", "credit_account"),
        ("Banklink", "Banklink"),
        ("paymentorders", None),
        ("", None),
        (None, None),
    ],
)
def test_an_instrument_gets_our_name_if_we_have_one(theirs: str | None, expected: str | None) -> None:
    assert expected == read(unlisted(RESERVED, node=paid(instrument=theirs), capture=14900)).instrument


# Spelling


def spelled(value: Any, how: Any) -> Any:
    if isinstance(value, dict):
        return {how(name): spelled(member, how) for name, member in value.items()}
    return [spelled(member, how) for member in value] if isinstance(value, list) else value


@pytest.mark.parametrize("how", [str.upper, str.lower])
def test_names_are_read_in_any_case(how: Any) -> None:
    body = card(("Capture", 5000), rels=_BOTH, capture=9900, reversal=5000)
    plain, odd = read(body), read(spelled(body, how))
    assert (plain.state, plain.captured, plain.allowed_actions) == (odd.state, odd.captured, odd.allowed_actions)
    assert plain.transactions == odd.transactions


@pytest.mark.parametrize("link", [None, "", "/psp/paymentorders/1/paid", 5, [], {}, {"id": "x"}])
def test_a_node_that_is_only_a_link_is_empty(link: object) -> None:
    names = "paid cancelled reversed failed aborted financialTransactions failedAttempts postPurchaseFailedAttempts"
    members: Json = dict.fromkeys(names.split(), link)
    assert _PENDING is read(order(**members)).state


def test_noise_is_ignored() -> None:
    noisy = order(noise={"deep": [1, {"er": None}]}, viewableInstruments="none", integration=7)
    noisy["more"] = [None]
    noisy["operations"] += ["junk", None, {"rel": None}, {"href": 5}]
    assert read(order()).allowed_actions == read(noisy).allowed_actions


def version_2(state: str, *rels: str, **members: Any) -> Json:
    body = order(None, rels=(), state=state, **members)
    body["paymentOrder"].pop("status")
    body["operations"] = [{"rel": rel, "method": "GET", "href": "https://api.payex.com/x"} for rel in rels]
    return body


@pytest.mark.parametrize(
    ("body", "state", "authorized", "captured"),
    [
        (version_2("Ready", "update-paymentorder-abort", "redirect-paymentorder"), _PENDING, 0, 0),
        (version_2("Pending"), _PENDING, 0, 0),
        (version_2("Ready", "create-paymentorder-capture", **left(capture=14900)), _AUTHORIZED, 14900, 0),
        (version_2("Ready", "create-paymentorder-cancel"), _AUTHORIZED, 14900, 0),
        (version_2("Ready", "create-paymentorder-reversal", **left(reversal=14900)), _CAPTURED, 14900, 14900),
        (version_2("Ready", **left(reversal=14900)), _CAPTURED, 14900, 14900),
        (version_2("Ready", "paid-paymentorder"), _AUTHORIZED, 14900, 0),
        (version_2("Ready", "paid-paymentorder", instrument="Swish"), _CAPTURED, 14900, 14900),
        (version_2("Ready", "update-paymentorder-abort", **left(capture=14900)), _PENDING, 0, 0),
        (version_2("Ready", "failed-paymentorder"), _DECLINED, 0, 0),
        (version_2("Failed"), _DECLINED, 0, 0),
        (version_2("Aborted"), _CANCELLED, 0, 0),
    ],
)
def test_version_2_is_read_by_its_links(body: Json, state: PaymentState, authorized: int, captured: int) -> None:
    seen = read(body)
    assert (state, sek(authorized), sek(captured)) == (seen.state, seen.authorized, seen.captured)


# Transactions, and attempts that failed

_AUTHORIZATION = TransactionKind.AUTHORIZATION
_KINDS: list[tuple[str, list[TransactionKind]]] = [
    ("Authorization", [_AUTHORIZATION]),
    ("Sale", [_AUTHORIZATION, TransactionKind.CAPTURE]),
    ("Capture", [TransactionKind.CAPTURE]),
    ("Cancellation", [TransactionKind.RELEASE]),
    ("Cancel", [TransactionKind.RELEASE]),
    ("REVERSAL", [TransactionKind.REFUND]),
    ("Chargeback", []),
    ("", []),
]


def only(one: Json) -> Observation:
    return read(order("Paid", rels=TAKEN, paid=paid(), financialTransactions=transactions(one)))


@pytest.mark.parametrize(("theirs", "expected"), _KINDS)
def test_transactions_are_listed_with_our_kinds_and_references(theirs: str, expected: list[TransactionKind]) -> None:
    at = datetime(2026, 10, 28, 12, 30, 0, 120000, tzinfo=UTC)
    for number, amount in ((1001, 100), ("1002", None)):
        money = None if amount is None else sek(amount)
        rows = [(kind, str(number), money, REFERENCE, at) for kind in expected]
        seen = only(transaction(theirs, amount, number, REFERENCE)).transactions
        assert rows == [(each.kind, each.number, each.amount, each.reference, each.created_at) for each in seen]


def test_a_transaction_that_failed_moved_nothing() -> None:
    seen = only({**transaction("Capture", 14900, 1001), "state": "Failed"})
    assert (seen.captured, seen.transactions) == (sek(0), ())


def attempt(number: object, kind: str = "creditcard/acquirererror", **members: Any) -> Json:
    created = "2026-10-28T11:59:00.1Z"
    return {"created": created, "instrument": "CreditCard", "number": number, "problem": problem(kind), **members}


def tried(*attempts: Json) -> Observation:
    return read(order(failedAttempts={"failedAttemptList": list(attempts)}))


def test_failed_attempts_of_the_payer_are_listed() -> None:
    tries = (attempt(2001, "creditcard/dailylimitexceeded"), attempt("2002", "usercancelled", instrument="Swish"))
    first, second = tried(*tries).attempts
    at = datetime(2026, 10, 28, 11, 59, 0, 100000, tzinfo=UTC)
    expected = ("2001", at, "card", DeclineCode.LIMIT_EXCEEDED, Advice.RETRY_LATER, at + timedelta(days=1))
    decline = first.decline
    found = (first.number, first.created_at, first.instrument, decline.code, decline.advice, decline.not_before)
    assert expected == found
    assert (second.number, second.instrument, second.decline.code) == ("2002", "swish", DeclineCode.CANCELLED_BY_PAYER)


@pytest.mark.parametrize(
    ("members", "number"),
    [
        ({}, "2026-10-28T11:59:00.100000+00:00"),
        ({"created": "junk"}, ""),
        ({"problem": None}, "2026-10-28T11:59:00.100000+00:00"),
    ],
)
def test_an_attempt_may_lack_number_time_and_problem(members: Json, number: str) -> None:
    (one,) = tried(attempt(None, **members)).attempts
    assert (one.number, one.decline.code) == (number, DeclineCode.DECLINED)


@pytest.mark.parametrize("status", ["Forbidden", "403", 403.5, [], {}])
def test_a_wrong_number_that_nothing_depends_on_is_ignored(status: object) -> None:
    junk = problem("creditcard/acquirererror") | {"status": status, "suspension": {"remaining": "few", "attempts": {}}}
    (one,) = tried(attempt(1, problem=junk)).attempts
    assert (one.decline.code, one.decline.attempts_left) == (DeclineCode.DECLINED, None)


@pytest.mark.parametrize("created", ["9999-12-31T23:59:59.9999999Z", "0001-01-01T00:00:00Z"])
def test_a_time_at_the_end_of_the_calendar_sets_no_wait(created: str) -> None:
    (one,) = tried(attempt(1, "creditcard/monthlylimitexceeded", created=created)).attempts
    assert one.decline.not_before is None or one.decline.not_before.year == 1


@pytest.mark.parametrize("name", ["postPurchaseFailedAttempts", "postpurchaseFailedAttempts"])
@pytest.mark.parametrize("type_name", ["type", "transactionType"])
def test_failed_changes_are_listed_in_each_spelling(name: str, type_name: str) -> None:
    failed = {"created": "2026-10-28T11:59:00Z", type_name: "Reversal", "number": 3001}
    body = order("Paid", rels=TAKEN, paid=paid())
    del body["paymentOrder"]["postPurchaseFailedAttempts"]
    body["paymentOrder"][name] = {
        name.removesuffix("s") + "List": [{**failed, "problem": problem("swishdeclined")}, {"type": "Unknown"}]
    }
    (one,) = read(body).failed_transactions
    assert one.decline is not None
    expected = (TransactionKind.REFUND, "3001", None, None, DeclineCode.DECLINED)
    assert expected == (one.kind, one.number, one.amount, one.reference, one.decline.code)


@pytest.mark.parametrize(
    ("status", "node", "code"),
    [
        ("Failed", {"problem": problem("creditcard/acquirerinsufficientfunds")}, DeclineCode.INSUFFICIENT_FUNDS),
        ("Failed", {"problem": {"type": "acquirercardexpired"}}, DeclineCode.CARD_EXPIRED),
        ("Failed", {"problem": {"type": "brandnew", "title": "No"}}, DeclineCode.UNAVAILABLE),
        ("Failed", {"problem": None}, DeclineCode.DECLINED),
        ("Failed", {"id": "only a link"}, DeclineCode.DECLINED),
        *((status, {"problem": problem("acquirererror")}, None) for status in ("Initialized", "Paid", "Aborted")),
        *((status, {"problem": problem("acquirererror")}, None) for status in ("Cancelled", "Reversed")),
    ],
)
def test_only_a_failed_order_is_declined_and_says_why(status: str, node: Json, code: DeclineCode | None) -> None:
    decline = read(order(status, rels=(), failed=node)).decline
    assert code is (None if decline is None else decline.code)


# What cannot be read is never guessed


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-10-28T12:00:00.12Z", datetime(2026, 10, 28, 12, 0, 0, 120000, tzinfo=UTC)),
        ("2026-10-28T12:00:00.1234567Z", datetime(2026, 10, 28, 12, 0, 0, 123456, tzinfo=UTC)),
        ("2026-10-28T12:00:00", datetime(2026, 10, 28, 12, tzinfo=UTC)),
        ("2026-10-28T14:00:00+02:00", datetime(2026, 10, 28, 12, tzinfo=UTC)),
        ("12/0023", None),
        ("", None),
        (5, None),
        (None, None),
    ],
)
def test_a_wrong_time_is_no_time(written: object, expected: datetime | None) -> None:
    (found,) = only({**transaction("Capture", 100, 1001), "created": written}).transactions
    assert expected == found.created_at


@pytest.mark.parametrize(
    ("change", "culprit"),
    [
        ({"status": None}, "status is missing"),
        ({"amount": None}, "amount is missing"),
        ({"currency": None}, "currency is missing"),
        ({"amount": "14900"}, "paymentorder.amount"),
        ({"amount": 149.0}, "paymentorder.amount"),
        ({"amount": True}, "paymentorder.amount"),
        ({"currency": "kronor"}, "currency must be three capital letters"),
        ({"remainingCaptureAmount": "all"}, "paymentorder.remainingcaptureamount"),
        ({"paid": {"amount": "14900"}}, "paymentorder.paid.amount"),
    ],
)
def test_money_and_status_have_no_default(change: Json, culprit: str) -> None:
    with pytest.raises(UnexpectedAnswer, match=f"(?i){culprit}"):
        read(order(**change))


_WHOLE = json.dumps(order()).encode()
_BROKEN = {
    "empty": b"",
    "blank": b" \r\n",
    "html": b"<!doctype html><title>Bad gateway</title>",
    "cut off": _WHOLE[:-1],
    "cut in half": _WHOLE[: len(_WHOLE) // 2],
    "two of them": _WHOLE * 2,
    "null": b"null",
    "a list": b"[]",
    "a text": b'"Paid"',
    "no order": b'{"operations": []}',
    "an order that is a link": json.dumps({"paymentOrder": ORDER_ID}).encode(),
    "an order without an id": b'{"paymentOrder": {"status": "Paid", "amount": 1, "currency": "SEK"}}',
    "not UTF-8": b'{"paymentOrder": "\xff"}',
    "nested forever": b'{"a":' * 200_000,
    "nested too deep": json.dumps(order(deep=json.loads("[" * 41 + "]" * 41))).encode(),
    "a very long number": b'{"a": ' + b"9" * 5000 + b"}",
    "an answer of version 3.0 to a capture": b'{"payment": "/psp/x", "capture": {"transaction": {"amount": 5}}}',
}


@pytest.mark.parametrize("body", _BROKEN.values(), ids=_BROKEN)
def test_a_broken_answer_is_an_error(body: bytes) -> None:
    match = r"^{}: the gateway answered 20. with something that is not"
    with pytest.raises(UnexpectedAnswer, match=match.format("observe")) as caught:
        run_blocking(provider().observe(Script(answer(body)), ORDER_ID))
    assert caught.value.http_status == 200
    asked = Order(amount=sek(100), description="Digital", return_url="https://shop.example")
    request = CreateRequest(order=asked, payment_id="pay_1", reference=REFERENCE, callback_url="https://shop.example")
    with pytest.raises(UnexpectedAnswer, match=match.format("create")):
        run_blocking(provider().create_payment(Script(answer(body, 201)), request))


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(order(noise=["x" * 1000] * 3000)).encode(),
        json.dumps(order(deep=json.loads("[" * 30 + "]" * 30))).encode(),
        b"\xef\xbb\xbf" + _WHOLE,
    ],
    ids=["large", "deep", "byte order mark"],
)
def test_an_unusual_answer_is_read(body: bytes) -> None:
    assert PaymentState.PENDING is run_blocking(provider().observe(Script(answer(body)), ORDER_ID)).state


def test_an_error_does_not_repeat_the_body() -> None:
    with pytest.raises(UnexpectedAnswer) as caught:
        run_blocking(provider().observe(Script(answer(order(amount="hunter2", currency="hunter2"))), ORDER_ID))
    assert "hunter2" not in str(caught.value)
