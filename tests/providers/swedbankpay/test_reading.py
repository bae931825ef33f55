"""What an answer says of a payment: state, money, attempts and transactions, in every version and spelling."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from prenopay import Action, Advice, DeclineCode, Money, PaymentState
from prenopay._blocking import run_blocking
from prenopay.errors import UnexpectedAnswer
from prenopay.provider import Observation, TransactionKind

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


def read(body: Json) -> Observation:
    return run_blocking(provider().observe(Script(answer(body)), ORDER_ID))


def remaining(capture: int = 0, cancel: int = 0, reversal: int = 0) -> Json:
    """Return the remaining amounts; what is nothing is left out, as the gateway does."""
    named = {
        "remainingCaptureAmount": capture,
        "remainingCancellationAmount": cancel,
        "remainingReversalAmount": reversal,
    }
    return {name: amount for name, amount in named.items() if amount}


def listed(*each: tuple[str, int]) -> Json:
    """Return the financial transactions, numbered from 1001."""
    numbered = (transaction(kind, amount, 1001 + place) for place, (kind, amount) in enumerate(each))
    return {"financialTransactions": transactions(*numbered)}


def card(*each: tuple[str, int], rels: tuple[str, ...] = (), status: str = "Paid", **left: Any) -> Json:
    """Return a paid card order with its list of transactions."""
    return order(status, rels=rels, paid=paid(), **listed(*each), **remaining(**left))


def unlisted(rels: tuple[str, ...] = (), status: str = "Paid", node: Json | None = None, **left: Any) -> Json:
    """Return a paid order whose list of transactions is only a link."""
    return order(status, rels=rels, paid=node or paid(), **remaining(**left))


def swish(**members: Any) -> Json:
    return paid(instrument="Swish", transaction_type="Sale", details={"msisdn": "+46701234567"}, **members)


# State and money: (authorized, captured, refunded, released)

_NOTHING = (0, 0, 0, 0)
_ORDERS: list[tuple[str, Json, PaymentState, tuple[int, int, int, int]]] = [
    ("open", order(), _PENDING, _NOTHING),
    ("open, nothing possible", order(rels=()), _PENDING, _NOTHING),
    ("reserved", card(rels=RESERVED, capture=14900, cancel=14900), _AUTHORIZED, (14900, 0, 0, 0)),
    ("reserved, unlisted", unlisted(RESERVED, capture=14900, cancel=14900), _AUTHORIZED, (14900, 0, 0, 0)),
    (
        "reserved, the authorization listed",
        card(("Authorization", 14900), rels=RESERVED, capture=14900, cancel=14900),
        _AUTHORIZED,
        (14900, 0, 0, 0),
    ),
    ("taken", card(("Capture", 14900), rels=TAKEN, reversal=14900), _CAPTURED, (14900, 14900, 0, 0)),
    ("taken, unlisted", unlisted(TAKEN, reversal=14900), _CAPTURED, (14900, 14900, 0, 0)),
    ("taken, the list lags", card(rels=TAKEN, reversal=14900), _CAPTURED, (14900, 14900, 0, 0)),
    ("taken, only the link tells", unlisted(TAKEN), _CAPTURED, (14900, 14900, 0, 0)),
    (
        "taken in part",
        card(("Capture", 5000), rels=(*RESERVED, *TAKEN), capture=9900, cancel=9900, reversal=5000),
        _CAPTURED,
        (14900, 5000, 0, 0),
    ),
    (
        "taken in part, unlisted",
        unlisted((*RESERVED, *TAKEN), capture=9900, cancel=9900, reversal=5000),
        _CAPTURED,
        (14900, 5000, 0, 0),
    ),
    (
        "taken in two parts",
        card(("Capture", 5000), ("Capture", 9900), rels=TAKEN, reversal=14900),
        _CAPTURED,
        (14900, 14900, 0, 0),
    ),
    (
        "taken in part, the rest released",
        card(("Capture", 5000), ("Cancellation", 9900), rels=TAKEN, reversal=5000),
        _CAPTURED,
        (14900, 5000, 0, 9900),
    ),
    (
        "given back in part",
        card(("Capture", 14900), ("Reversal", 4900), rels=TAKEN, reversal=10000),
        _CAPTURED,
        (14900, 14900, 4900, 0),
    ),
    ("given back in part, unlisted", unlisted(TAKEN, reversal=10000), _CAPTURED, (14900, 14900, 4900, 0)),
    (
        "given back whole",
        card(("Capture", 14900), ("Reversal", 4900), ("Reversal", 10000), status="Reversed"),
        _CAPTURED,
        (14900, 14900, 14900, 0),
    ),
    ("given back whole, unlisted", unlisted(status="Reversed"), _CAPTURED, (14900, 14900, 14900, 0)),
    (
        "given back what was taken of it",
        card(("Capture", 5000), ("Cancellation", 9900), ("Reversal", 5000), status="Reversed"),
        _CAPTURED,
        (14900, 5000, 5000, 9900),
    ),
    (
        "given back whole, in the words of 3.0",
        card(("Capture", 14900), ("Reversal", 14900)),
        _CAPTURED,
        (14900, 14900, 14900, 0),
    ),
    ("released", card(("Cancellation", 14900), status="Cancelled"), _CANCELLED, (14900, 0, 0, 14900)),
    ("released, unlisted", order("Cancelled", rels=(), cancelled=paid()), _CANCELLED, (14900, 0, 0, 14900)),
    ("closed", order("Aborted", rels=(), aborted={"abortReason": "by payer"}), _CANCELLED, _NOTHING),
    ("declined", order("Failed", rels=()), _DECLINED, _NOTHING),
    ("Swish", unlisted(TAKEN, node=swish(), reversal=14900), _CAPTURED, (14900, 14900, 0, 0)),
    ("Swish, nothing remaining said", unlisted(TAKEN, node=swish()), _CAPTURED, (14900, 14900, 0, 0)),
    (
        "Swish, listed",
        order("Paid", rels=TAKEN, paid=swish(), **listed(("Sale", 14900)), **remaining(reversal=14900)),
        _CAPTURED,
        (14900, 14900, 0, 0),
    ),
    (
        "Swish given back in part",
        order("Paid", rels=TAKEN, paid=swish(), **listed(("Reversal", 900)), **remaining(reversal=14000)),
        _CAPTURED,
        (14900, 14900, 900, 0),
    ),
    (
        "Swish given back in part, unlisted",
        unlisted(TAKEN, node=swish(), reversal=14000),
        _CAPTURED,
        (14900, 14900, 900, 0),
    ),
    (
        "Swish without a word on its kind",
        unlisted(TAKEN, node=swish(transactionType=None)),
        _CAPTURED,
        (14900, 14900, 0, 0),
    ),
    (
        "Trustly without a word on its kind",
        unlisted(TAKEN, node=paid(instrument="Trustly", transaction_type="")),
        _CAPTURED,
        (14900, 14900, 0, 0),
    ),
    (
        "a wallet without a word on its kind",
        unlisted(RESERVED, node=paid(instrument="GooglePay", transaction_type=""), capture=14900, cancel=14900),
        _AUTHORIZED,
        (14900, 0, 0, 0),
    ),
    (
        "a card sale listed as one",
        order("Paid", rels=TAKEN, paid=paid(transaction_type=""), **listed(("Sale", 14900))),
        _CAPTURED,
        (14900, 14900, 0, 0),
    ),
    (
        "approved in part",
        unlisted(RESERVED, node=paid(amount=9000), capture=9000, cancel=9000),
        _AUTHORIZED,
        (9000, 0, 0, 0),
    ),
    (
        "with a fee on top",
        unlisted(RESERVED, node=paid(amount=16800, feeAmount=1900), capture=16800, cancel=16800),
        _AUTHORIZED,
        (16800, 0, 0, 0),
    ),
    (
        "a card stored and nothing paid",
        {**order("Paid", rels=(), operation="Verify", paid=paid())},
        _CAPTURED,
        _NOTHING,
    ),
    ("a payout", {**order("Paid", rels=(), operation="Payout", paid=paid())}, _AUTHORIZED, _NOTHING),
    (
        "nodes that nobody used",
        order(cancelled={"id": "x", "amount": 5}, reversed={"id": "y"}, paid={"paymentTokenGenerated": False}),
        _PENDING,
        _NOTHING,
    ),
    (
        "transactions of no known kind",
        card(("Chargeback", 14900), ("", 1), rels=RESERVED, capture=14900),
        _AUTHORIZED,
        (14900, 0, 0, 0),
    ),
    ("a status in other letters", unlisted(TAKEN, status="PAID", reversal=14900), _CAPTURED, (14900, 14900, 0, 0)),
    ("another spelling of released", order("canceled", rels=(), paid=paid()), _CANCELLED, (14900, 0, 0, 14900)),
]


@pytest.mark.parametrize(("body", "state", "money"), [row[1:] for row in _ORDERS], ids=[row[0] for row in _ORDERS])
def test_state_and_money_are_read(body: Json, state: PaymentState, money: tuple[int, int, int, int]) -> None:
    seen = read(body)
    assert (state, *map(sek, money)) == (seen.state, seen.authorized, seen.captured, seen.refunded, seen.cancelled)


def test_what_was_submitted_and_what_was_added_are_told_apart() -> None:
    node = paid(amount=16300, feeAmount=1900, discountAmount=-500)
    seen = read(unlisted(RESERVED, node=node, capture=16300, cancel=16300))
    expected = (sek(14900), sek(16300), sek(1900), sek(500))
    assert expected == (seen.submitted, seen.authorized, seen.fee, seen.discount)


@pytest.mark.parametrize("discount", [500, -500, None])
def test_a_discount_is_read_with_or_without_its_sign(discount: int | None) -> None:
    seen = read(unlisted(RESERVED, node=paid(discountAmount=discount), capture=14900))
    assert sek(abs(discount or 0)) == seen.discount


def test_an_order_in_another_currency_stays_in_it() -> None:
    seen = read(order("Paid", currency="NOK", rels=RESERVED, paid=paid(), **remaining(capture=14900)))
    assert Money(14900, "NOK") == seen.authorized


# What an unpaid order cannot know


@pytest.mark.parametrize("status", ["Initialized", "Aborted", "Failed"])
def test_a_paid_node_of_an_order_that_is_not_paid_says_nothing(status: str) -> None:
    seen = read(order(status, paid=paid(payeeReference="OTHER", submittedAmount=1, feeAmount=5)))
    expected = (None, sek(14900), sek(0), sek(0))
    assert expected == (seen.reference, seen.submitted, seen.fee, seen.authorized)


def test_a_paid_order_repeats_our_references() -> None:
    seen = read(unlisted(RESERVED, node=paid(orderReference="4711"), capture=14900))
    expected = (REFERENCE, "4711")
    assert expected == (seen.reference, seen.order_reference)


# Unknown words survive


@pytest.mark.parametrize("status", ["Frozen", "UnderReview", "paid?"])
def test_an_unknown_status_is_pending_and_kept(status: str) -> None:
    seen = read(order(status))
    assert (status, False) == (seen.raw_status, seen.status_is_known)
    assert _PENDING is seen.state


def test_a_known_status_is_said_to_be_known() -> None:
    seen = read(order("Paid", rels=RESERVED, paid=paid()))
    expected = ("Paid", True)
    assert expected == (seen.raw_status, seen.status_is_known)


_ACTIONS = [
    ("capture", Action.CAPTURE),
    ("cancel", Action.CANCEL),
    ("abort", Action.CANCEL),
    ("reversal", Action.REFUND),
    ("update-order", Action.UPDATE),
    ("create-paymentorder-capture", Action.CAPTURE),
    ("create-paymentorder-cancel", Action.CANCEL),
    ("create-paymentorder-reversal", Action.REFUND),
    ("update-paymentorder-abort", Action.CANCEL),
    ("update-paymentorder-updateorder", Action.UPDATE),
]


@pytest.mark.parametrize(("rel", "action"), _ACTIONS)
def test_each_link_allows_an_action(rel: str, action: Action) -> None:
    assert frozenset({action}) == read(order(rels=(rel,))).allowed_actions


def test_unknown_links_allow_nothing() -> None:
    rels = ("redirect-checkout", "view-paymentsession", "abort-paymentattempt", "set-instrument", "brand-new", "")
    assert not read(order(rels=rels)).allowed_actions


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
def test_an_instrument_is_named_in_our_word_where_we_have_one(theirs: str | None, expected: str | None) -> None:
    assert expected == read(unlisted(RESERVED, node=paid(instrument=theirs), capture=14900)).instrument


# Spelling


def shouted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name.upper(): shouted(member) for name, member in value.items()}
    return [shouted(member) for member in value] if isinstance(value, list) else value


def whispered(value: Any) -> Any:
    if isinstance(value, dict):
        return {name.lower(): whispered(member) for name, member in value.items()}
    return [whispered(member) for member in value] if isinstance(value, list) else value


@pytest.mark.parametrize("spelled", [shouted, whispered])
def test_names_are_read_in_any_case(spelled: Any) -> None:
    body = card(("Capture", 5000), rels=(*RESERVED, *TAKEN), capture=9900, cancel=9900, reversal=5000)
    plain, odd = read(body), read(spelled(body))
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


# Older versions


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
        (version_2("Ready", "create-paymentorder-capture", **remaining(capture=14900)), _AUTHORIZED, 14900, 0),
        (version_2("Ready", "create-paymentorder-cancel"), _AUTHORIZED, 14900, 0),
        (version_2("Ready", "create-paymentorder-reversal", **remaining(reversal=14900)), _CAPTURED, 14900, 14900),
        (version_2("Ready", **remaining(reversal=14900)), _CAPTURED, 14900, 14900),
        (version_2("Ready", "paid-paymentorder"), _AUTHORIZED, 14900, 0),
        (version_2("Ready", "paid-paymentorder", instrument="Swish"), _CAPTURED, 14900, 14900),
        (version_2("Ready", "update-paymentorder-abort", **remaining(capture=14900)), _PENDING, 0, 0),
        (version_2("Ready", "failed-paymentorder"), _DECLINED, 0, 0),
        (version_2("Failed"), _DECLINED, 0, 0),
        (version_2("Aborted"), _CANCELLED, 0, 0),
    ],
)
def test_version_2_is_read_by_its_links(body: Json, state: PaymentState, authorized: int, captured: int) -> None:
    seen = read(body)
    assert (state, sek(authorized), sek(captured)) == (seen.state, seen.authorized, seen.captured)


def test_a_transaction_that_failed_moved_nothing() -> None:
    failed = {**transaction("Capture", 14900, 1001), "state": "Failed"}
    seen = read(order("Paid", rels=RESERVED, paid=paid(), financialTransactions=transactions(failed)))
    assert sek(0) == seen.captured
    assert not seen.transactions


# Transactions


def test_transactions_are_listed_with_our_references() -> None:
    each = (transaction("Capture", 5000, 1001, "REF1"), transaction("Reversal", 900, "1002", "REF2"))
    seen = read(order("Paid", rels=TAKEN, paid=paid(), financialTransactions=transactions(*each)))
    at = datetime(2026, 10, 28, 12, 30, 0, 120000, tzinfo=UTC)
    expected = [
        (TransactionKind.CAPTURE, "1001", sek(5000), "REF1", at),
        (TransactionKind.REFUND, "1002", sek(900), "REF2", at),
    ]
    found = [(each.kind, each.number, each.amount, each.reference, each.created_at) for each in seen.transactions]
    assert expected == found


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [
        ("Authorization", [TransactionKind.AUTHORIZATION]),
        ("Sale", [TransactionKind.AUTHORIZATION, TransactionKind.CAPTURE]),
        ("Capture", [TransactionKind.CAPTURE]),
        ("Cancellation", [TransactionKind.RELEASE]),
        ("Cancel", [TransactionKind.RELEASE]),
        ("Reversal", [TransactionKind.REFUND]),
        ("REVERSAL", [TransactionKind.REFUND]),
        ("Chargeback", []),
        ("", []),
    ],
)
def test_each_kind_of_transaction_is_ours(theirs: str, expected: list[TransactionKind]) -> None:
    one = transactions(transaction(theirs, 100, 1001))
    seen = read(order("Paid", rels=TAKEN, paid=paid(), financialTransactions=one))
    assert expected == [each.kind for each in seen.transactions]


def test_a_transaction_without_an_amount_is_listed_without_one() -> None:
    nameless = transactions(transaction("Capture", None, 1001, REFERENCE))
    (one,) = read(order("Paid", rels=TAKEN, paid=paid(), financialTransactions=nameless)).transactions
    expected = (None, REFERENCE)
    assert expected == (one.amount, one.reference)


# Attempts of the payer's


def attempt(number: object, kind: str = "creditcard/acquirererror", **members: Any) -> Json:
    created = "2026-10-28T11:59:00.1Z"
    return {"created": created, "instrument": "CreditCard", "number": number, "problem": problem(kind), **members}


def test_failed_tries_of_the_payers_are_told() -> None:
    tries = [attempt(2001, "creditcard/dailylimitexceeded"), attempt("2002", "usercancelled", instrument="Swish")]
    first, second = read(order(failedAttempts={"failedAttemptList": tries})).attempts
    at = datetime(2026, 10, 28, 11, 59, 0, 100000, tzinfo=UTC)
    expected = ("2001", at, "card", DeclineCode.LIMIT_EXCEEDED, Advice.RETRY_LATER, at + timedelta(days=1))
    decline = first.decline
    found = (first.number, first.created_at, first.instrument, decline.code, decline.advice, decline.not_before)
    assert expected == found
    expected_second = ("2002", "swish", DeclineCode.CANCELLED_BY_PAYER)
    assert expected_second == (second.number, second.instrument, second.decline.code)


@pytest.mark.parametrize(
    ("members", "expected"),
    [({}, "2026-10-28T11:59:00.100000+00:00"), ({"created": "junk"}, "")],
)
def test_a_try_without_a_number_goes_by_its_time(members: Json, expected: str) -> None:
    (one,) = read(order(failedAttempts={"failedAttemptList": [attempt(None, **members)]})).attempts
    assert expected == one.number


def test_a_try_without_a_problem_is_a_plain_decline() -> None:
    (one,) = read(order(failedAttempts={"failedAttemptList": [attempt(1, problem=None)]})).attempts
    assert DeclineCode.DECLINED is one.decline.code


@pytest.mark.parametrize("name", ["postPurchaseFailedAttempts", "postpurchaseFailedAttempts"])
@pytest.mark.parametrize("inner", ["postPurchaseFailedAttemptList", "postpurchaseFailedAttemptList"])
@pytest.mark.parametrize("type_name", ["type", "transactionType"])
def test_failed_changes_are_told_in_each_spelling(name: str, inner: str, type_name: str) -> None:
    failed = {
        "created": "2026-10-28T11:59:00Z",
        type_name: "Reversal",
        "number": 3001,
        "problem": problem("swishdeclined"),
    }
    body = order("Paid", rels=TAKEN, paid=paid())
    del body["paymentOrder"]["postPurchaseFailedAttempts"]
    body["paymentOrder"][name] = {inner: [failed, {"type": "Unknown"}]}
    (one,) = read(body).failed_transactions
    assert one.decline is not None
    expected = (TransactionKind.REFUND, "3001", None, None, DeclineCode.DECLINED)
    assert expected == (one.kind, one.number, one.amount, one.reference, one.decline.code)


# A final no


@pytest.mark.parametrize(
    ("failed", "code"),
    [
        ({"problem": problem("creditcard/acquirerinsufficientfunds")}, DeclineCode.INSUFFICIENT_FUNDS),
        ({"problem": {"type": "acquirercardexpired"}}, DeclineCode.CARD_EXPIRED),
        ({"problem": {"type": "brandnew", "title": "No"}}, DeclineCode.DECLINED),
        ({"problem": None}, DeclineCode.DECLINED),
        ({"id": "only a link"}, DeclineCode.DECLINED),
    ],
)
def test_a_failed_order_says_why(failed: Json, code: DeclineCode) -> None:
    seen = read(order("Failed", rels=(), failed=failed))
    assert seen.decline is not None
    assert code is seen.decline.code


@pytest.mark.parametrize("status", ["Initialized", "Paid", "Aborted", "Cancelled", "Reversed"])
def test_only_a_failed_order_is_declined(status: str) -> None:
    body = order(status, failed={"problem": problem("creditcard/acquirererror")})
    assert read(body).decline is None


# Times


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
def test_times_are_read_and_junk_is_no_time(written: object, expected: datetime | None) -> None:
    one = {**transaction("Capture", 100, 1001), "created": written}
    (found,) = read(order("Paid", rels=TAKEN, paid=paid(), financialTransactions=transactions(one))).transactions
    assert expected == found.created_at


@pytest.mark.parametrize("created", ["9999-12-31T23:59:59.9999999Z", "0001-01-01T00:00:00Z"])
def test_a_time_beyond_all_calendars_says_no_wait(created: str) -> None:
    (one,) = read(
        order(failedAttempts={"failedAttemptList": [attempt(1, "creditcard/monthlylimitexceeded", created=created)]}),
    ).attempts
    assert one.decline.not_before is None or one.decline.not_before.year == 1


# What cannot be read is never guessed


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


@pytest.mark.parametrize("status", ["Forbidden", "403", 403.5, [], {}])
def test_a_number_nothing_depends_on_may_be_junk(status: object) -> None:
    junk = problem("creditcard/acquirererror") | {"status": status, "suspension": {"remaining": "few", "attempts": {}}}
    (one,) = read(order(failedAttempts={"failedAttemptList": [attempt(1, problem=junk)]})).attempts
    expected = (DeclineCode.DECLINED, None)
    assert expected == (one.decline.code, one.decline.attempts_left)


def test_an_open_order_can_be_closed_and_updated() -> None:
    assert frozenset({Action.CANCEL, Action.UPDATE}) == read(order(rels=OPEN)).allowed_actions
