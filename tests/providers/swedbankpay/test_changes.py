"""Capture, refund, cancel and update: look first, act once, and say exactly how it ended."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from prenopay import Action, DeclineCode, OrderLine, Outcome, PaymentState
from prenopay._blocking import run_blocking
from prenopay.errors import (
    Conflict,
    DuplicateReference,
    NotSent,
    OutcomeUnknown,
    ProviderUnavailable,
    Rejected,
    Unauthenticated,
    UnexpectedAnswer,
)
from prenopay.ports import HttpResponse
from prenopay.provider import ChangeRequest, Reply

from .samples import (
    API,
    ERRORS,
    OPEN,
    ORDER_ID,
    REFERENCE,
    RESERVED,
    SEEN_BEFORE,
    TAKEN,
    Json,
    Script,
    answer,
    body_of,
    change,
    named,
    operation,
    order,
    paid,
    problem,
    provider,
    sek,
    transaction,
    transactions,
)

_EXPAND = (
    "$expand=payeeinfo,paid,cancelled,reversed,failed,aborted,failedattempts,"
    "financialtransactions,postpurchasefailedattempts"
)


def reserved(*listed: Json, rels: tuple[str, ...] = RESERVED, **members: Any) -> Json:
    """Return an order whose money is reserved."""
    return order(
        "Paid",
        rels=rels,
        paid=paid(),
        financialTransactions=transactions(*listed),
        **{"remainingCaptureAmount": 14900, "remainingCancellationAmount": 14900, **members},
    )


def taken(*listed: Json, rels: tuple[str, ...] = TAKEN, left: int = 14900) -> Json:
    """Return an order whose money is taken."""
    all_listed = listed or (transaction("Capture", 14900, 1001, REFERENCE),)
    return order(
        "Paid",
        rels=rels,
        paid=paid(),
        financialTransactions=transactions(*all_listed),
        remainingReversalAmount=left,
    )


def ask(verb: str, script: Script, request: ChangeRequest | None = None) -> Reply:
    reply: Reply = run_blocking(getattr(provider(), verb)(script, request or change()))
    return reply


# Looking first


def test_a_look_reads_the_stored_order_with_everything_it_tells() -> None:
    script = Script(answer(reserved()), answer(taken()))
    ask("capture", script)
    look = script.sent[0]
    expected = ("GET", f"{API}{ORDER_ID}?{_EXPAND}", "capture", True, b"")
    assert expected == (look.method, look.url, look.label, look.retry_safe, look.body)


@pytest.mark.parametrize("verb", ["capture", "refund", "cancel", "update"])
@pytest.mark.parametrize(
    "strange", ["", "1", "/psp/paymentorders/", "/psp/paymentorders/1?a=b", f"https://evil.example{ORDER_ID}"]
)
def test_nothing_is_sent_for_what_is_no_payment_order(verb: str, strange: str) -> None:
    script = Script()
    with pytest.raises(Conflict, match="is not the id of a payment order"):
        ask(verb, script, replace(change(), provider_reference=strange))
    assert not script.sent


@pytest.mark.parametrize("verb", ["capture", "refund", "cancel", "update"])
@pytest.mark.parametrize("lost", [OutcomeUnknown("lost"), NotSent("refused")])
def test_a_look_that_fails_changes_nothing(verb: str, lost: Exception) -> None:
    script = Script(lost)
    with pytest.raises(type(lost)):
        ask(verb, script)
    expected = [("GET", API + ORDER_ID)]
    assert expected == script.calls


@pytest.mark.parametrize("verb", ["capture", "refund", "cancel", "update"])
@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (404, problem("notfound", 404), Conflict),
        (401, b"", Unauthenticated),
        (500, b"<html>", ProviderUnavailable),
        (200, b"<html>", UnexpectedAnswer),
    ],
)
def test_a_look_that_cannot_be_read_changes_nothing(
    verb: str, status: int, body: object, kind: type[Exception]
) -> None:
    script = Script(answer(body, status))
    with pytest.raises(kind):
        ask(verb, script)
    expected = 1
    assert expected == len(script.sent)


# Acting once: capture and refund go the same way


@dataclass(frozen=True)
class Move:
    """A capture or a reversal: how it is asked for, and the order before and after."""

    verb: str
    rel: str
    path: str
    before: Json

    def after(self, reference: str = REFERENCE) -> Json:
        if self.verb == "capture":
            return taken(transaction("Capture", 14900, 1002, reference))
        listed = (transaction("Capture", 14900, 1001, "OTHER"), transaction("Reversal", 14900, 1002, reference))
        return order("Reversed", rels=(), paid=paid(), financialTransactions=transactions(*listed))


_CAPTURE = Move("capture", "capture", "/captures", reserved())
_REFUND = Move("refund", "reversal", "/reversals", taken(transaction("Capture", 14900, 1001, "OTHER")))


@pytest.fixture(params=[_CAPTURE, _REFUND], ids=["capture", "refund"])
def move(request: pytest.FixtureRequest) -> Move:
    made: Move = request.param
    return made


def test_one_request_moves_the_money(move: Move) -> None:
    script = Script(answer(move.before), answer(move.after()))
    reply = ask(move.verb, script)
    assert [("GET", API + ORDER_ID), ("POST", API + ORDER_ID + move.path)] == script.calls
    act = script.sent[1]
    expected = (f"{API}{ORDER_ID}{move.path}?{_EXPAND}", move.rel, False)
    assert expected == (act.url, act.label, act.retry_safe)
    assert reply.outcome is Outcome.SUCCEEDED
    assert reply.observation is not None
    assert PaymentState.CAPTURED is reply.observation.state


def test_the_request_is_written_field_by_field(move: Move) -> None:
    script = Script(answer(move.before), answer(move.after()))
    ask(move.verb, script, change(5000, vat=283))
    expected = {
        "transaction": {
            "description": "Digital, one month",
            "amount": 5000,
            "vatAmount": 283,
            "payeeReference": REFERENCE,
        },
    }
    assert expected == body_of(script.sent[1])


def test_lines_are_written_too(move: Move) -> None:
    script = Script(answer(move.before), answer(move.after()))
    ask(move.verb, script, change(14900, OrderLine(name="Paper", amount=sek(14900), vat_percent=6)))
    (item,) = body_of(script.sent[1])["transaction"]["orderItems"]
    expected = ("1", "Paper", 14900, 843)
    assert expected == (item["reference"], item["name"], item["amount"], item["vatAmount"])


def test_a_long_description_is_cut_to_what_fits() -> None:
    script = Script(answer(reserved()), answer(taken()))
    ask("capture", script, replace(change(), description="x" * 41))
    expected = "x" * 39 + "…"
    assert expected == body_of(script.sent[1])["transaction"]["description"]


def test_what_was_done_before_is_not_done_again(move: Move) -> None:
    script = Script(answer(move.after()))
    reply = ask(move.verb, script)
    expected = 1
    assert (Outcome.SUCCEEDED, expected) == (reply.outcome, len(script.sent))
    assert reply.observation is not None


def test_another_operations_transaction_is_not_this_one(move: Move) -> None:
    script = Script(answer(move.before), answer(move.after("SOMEONE-ELSES")))
    assert Outcome.PENDING is ask(move.verb, script).outcome


def test_what_is_not_possible_now_is_not_tried(move: Move) -> None:
    closed = {**move.before, "operations": [operation("redirect-checkout")]}
    script = Script(answer(closed))
    with pytest.raises(Conflict, match=f"{move.rel} is not possible now: .* the gateway allows nothing") as caught:
        ask(move.verb, script)
    expected = 1
    assert expected == len(script.sent)
    assert "try later" in caught.value.advice


def test_a_link_is_followed_as_it_is_given(move: Move) -> None:
    href = "https://api.externalintegration.swedbankpay.com/elsewhere?of=theirs"
    linked = {**move.before, "operations": [{"rel": move.rel, "method": "POST", "href": href}]}
    script = Script(answer(linked), answer(move.after()))
    ask(move.verb, script)
    assert f"{href}&{_EXPAND}" == script.sent[1].url


# How it ended


@pytest.mark.parametrize("given", [(202, True), (202, False), (200, False)])
def test_what_is_only_accepted_is_pending(
    move: Move,
    given: tuple[int, bool],
) -> None:
    status, is_listed = given
    script = Script(answer(move.before), answer(move.after() if is_listed else move.before, status))
    reply = ask(move.verb, script)
    assert Outcome.PENDING is reply.outcome
    assert reply.observation is not None


def test_a_decline_is_a_result(move: Move) -> None:
    refused = answer(
        problem("creditcard/acquirererrordonotretry"),
        403,
        date="Wed, 28 Oct 2026 12:00:00 GMT",
    )
    reply = ask(move.verb, Script(answer(move.before), refused))
    assert Outcome.DECLINED is reply.outcome
    assert reply.observation is None
    assert reply.decline is not None
    expected = (DeclineCode.DO_NOT_RETRY, datetime(2026, 10, 28, 12, tzinfo=UTC) + timedelta(days=30))
    assert expected == (reply.decline.code, reply.decline.not_before)


def test_a_server_that_fails_has_not_declined(move: Move) -> None:
    for word in ("creditcard/acquirererror", "vipps/bad_request", "bankiderror", "systemerror"):
        with pytest.raises(ProviderUnavailable):
            ask(move.verb, Script(answer(move.before), answer(problem(word, 502), 502)))


@pytest.mark.parametrize("lost", [OutcomeUnknown("lost"), NotSent("refused")])
def test_a_lost_answer_is_passed_on_and_settled_by_the_next_look(
    move: Move,
    lost: Exception,
) -> None:
    first = Script(answer(move.before), lost)
    with pytest.raises(type(lost)):
        ask(move.verb, first)
    second = Script(answer(move.after()))
    assert Outcome.SUCCEEDED is ask(move.verb, second).outcome
    expected = ["GET", "POST", "GET"]
    assert expected == [each.method for each in (*first.sent, *second.sent)]


@pytest.mark.parametrize(
    ("status", "body", "kind_of_error"),
    [
        (400, problem("inputerror", 400), Rejected),
        (403, problem("forbidden"), Conflict),
        (404, problem("notfound", 404), Conflict),
        (401, b"", Unauthenticated),
        (500, b"", ProviderUnavailable),
        (504, problem("creditcard/acquirergatewaytimeout", 504), ProviderUnavailable),
        (200, b"{}", UnexpectedAnswer),
        (200, b"", UnexpectedAnswer),
        (302, b"", UnexpectedAnswer),
    ],
)
def test_anything_else_is_raised(
    move: Move,
    status: int,
    body: object,
    kind_of_error: type[Exception],
) -> None:
    with pytest.raises(kind_of_error, match=f"^{move.rel}: "):
        ask(move.verb, Script(answer(move.before), answer(body, status)))


# A reference that the gateway has seen before


@pytest.mark.parametrize("refusal", SEEN_BEFORE)
def test_a_reference_seen_before_is_looked_up(
    move: Move,
    refusal: HttpResponse,
) -> None:
    script = Script(answer(move.before), refusal, answer(move.after()))
    assert Outcome.SUCCEEDED is ask(move.verb, script).outcome
    expected = ["GET", "POST", "GET"]
    assert expected == [each.method for each in script.sent]


@pytest.mark.parametrize("refusal", SEEN_BEFORE)
def test_a_reference_seen_before_but_not_found_is_told(
    move: Move,
    refusal: HttpResponse,
) -> None:
    told = OutcomeUnknown if move.rel == "reversal" else DuplicateReference  # an accepted reversal is listed days later
    with pytest.raises(told, match=f"^{move.rel}"):
        ask(move.verb, Script(answer(move.before), refusal, answer(move.before)))


def test_a_reversal_that_may_be_under_way_is_not_called_impossible() -> None:
    under_way, lost = taken(rels=()), change(reference="OURS")
    with pytest.raises(OutcomeUnknown, match="may be under way"):
        run_blocking(provider().refund(Script(answer(under_way)), replace(lost, again=True)))
    with pytest.raises(Conflict, match="not possible now"):
        run_blocking(provider().refund(Script(answer(under_way)), lost))


@pytest.mark.parametrize(
    "refusal",
    [answer(named("must not be longer than 30"), 400), answer(named("already used", "Transaction.Amount"), 400)],
)
def test_a_wrong_field_is_no_duplicate(refusal: HttpResponse) -> None:
    with pytest.raises(Rejected):
        ask("capture", Script(answer(reserved()), refusal))


@pytest.mark.parametrize(
    "refusal",
    [
        answer(problem("swishalreadyinuse", detail="payeeAlias already in use"), 403),
        answer(problem("bankidalreadyinuse", 409), 409),
    ],
)
def test_a_busy_payer_is_no_duplicate(refusal: HttpResponse) -> None:
    assert Outcome.DECLINED is ask("capture", Script(answer(reserved()), refusal)).outcome


# Cancel


def released(reference: str = REFERENCE) -> Json:
    listed = transactions(transaction("Cancellation", 14900, 1002, reference))
    return order("Cancelled", rels=(), paid=paid(), financialTransactions=listed)


def test_reserved_money_is_released_whole() -> None:
    script = Script(answer(reserved()), answer(released()))
    reply = ask("cancel", script, change(None))
    assert ("POST", f"{API}{ORDER_ID}/cancellations") == script.calls[1]
    expected = {"transaction": {"description": "Digital, one month", "payeeReference": REFERENCE}}
    assert expected == body_of(script.sent[1])
    assert reply.observation is not None
    state = PaymentState.CANCELLED
    assert (Outcome.SUCCEEDED, state, sek(14900)) == (
        reply.outcome,
        reply.observation.state,
        reply.observation.cancelled,
    )


def test_a_release_whose_order_is_cancelled_needs_no_list() -> None:
    listed = order("Cancelled", rels=(), paid=paid())
    assert Outcome.SUCCEEDED is ask("cancel", Script(answer(reserved()), answer(listed)), change(None)).outcome


@pytest.mark.parametrize(("reference", "expected"), [(REFERENCE, Outcome.SUCCEEDED), ("OTHER", Outcome.PENDING)])
def test_what_is_left_after_a_part_capture_is_released(reference: str, expected: Outcome) -> None:
    part = transaction("Capture", 5000, 1001, "OTHER")
    before = reserved(part, remainingCaptureAmount=9900, remainingCancellationAmount=9900, remainingReversalAmount=5000)
    done = taken(part, transaction("Cancellation", 9900, 1002, reference), left=5000)
    reply = ask("cancel", Script(answer(before), answer(done)), change(None))
    assert reply.observation is not None
    seen = reply.observation
    totals = (expected, PaymentState.CAPTURED, sek(5000), sek(9900))
    assert totals == (reply.outcome, seen.state, seen.captured, seen.cancelled)


def test_an_order_nobody_has_paid_is_closed() -> None:
    script = Script(answer(order()), answer(order("Aborted", rels=())))
    reply = ask("cancel", script, change(None))
    assert script.calls[1:] == [("PATCH", API + ORDER_ID)]
    expected = {"paymentorder": {"operation": "Abort", "abortReason": "CancelledByConsumer"}}
    assert expected == body_of(script.sent[1])
    assert script.sent[1].retry_safe is False
    assert reply.observation is not None
    assert Outcome.SUCCEEDED is reply.outcome
    assert PaymentState.CANCELLED is reply.observation.state


@pytest.mark.parametrize("ended", [order("Aborted", rels=()), released("OTHER"), order("Cancelled", rels=())])
def test_what_is_over_is_not_cancelled_again(ended: Json) -> None:
    script = Script(answer(ended))
    assert Outcome.SUCCEEDED is ask("cancel", script, change(None)).outcome
    expected = 1
    assert expected == len(script.sent)


@pytest.mark.parametrize(
    "fixed",
    [
        taken(transaction("Capture", 14900, 1001, "OTHER")),
        order("Failed", rels=()),
        order(rels=("redirect-checkout",)),  # the payer is inside an app
    ],
)
def test_what_can_no_longer_be_cancelled_is_a_conflict(fixed: Json) -> None:
    script = Script(answer(fixed))
    with pytest.raises(Conflict, match="cancel is not possible now"):
        ask("cancel", script, change(None))
    expected = 1
    assert expected == len(script.sent)


def test_a_conflict_says_what_is_possible() -> None:
    with pytest.raises(Conflict, match=r"the payment is captured \(Paid\), the gateway allows refund"):
        ask("cancel", Script(answer(taken(transaction("Capture", 14900, 1001, "OTHER")))), change(None))


# Update


def test_an_open_order_gets_another_amount_and_lines() -> None:
    updated = order(amount=20000)
    script = Script(answer(order()), answer(updated))
    reply = ask("update", script, change(20000, OrderLine(name="Paper", amount=sek(20000), vat_percent=6), vat=1132))
    assert script.calls[1:] == [("PATCH", API + ORDER_ID)]
    body = body_of(script.sent[1])["paymentorder"]
    expected = ("UpdateOrder", 20000, 1132, 20000)
    assert expected == (body["operation"], body["amount"], body["vatAmount"], body["orderItems"][0]["amount"])
    assert reply.observation is not None
    assert (Outcome.SUCCEEDED, sek(20000)) == (reply.outcome, reply.observation.submitted)


def test_an_update_without_lines_sends_none() -> None:
    script = Script(answer(order()), answer(order(amount=20000)))
    ask("update", script, change(20000))
    expected = {"paymentorder": {"operation": "UpdateOrder", "amount": 20000, "vatAmount": 843}}
    assert expected == body_of(script.sent[1])


def test_an_amount_that_stands_already_is_sent_again_for_its_lines_may_differ() -> None:
    script = Script(answer(order(amount=20000)), answer(order(amount=20000)))
    assert Outcome.SUCCEEDED is ask("update", script, change(20000)).outcome
    expected = ["GET", "PATCH"]
    assert expected == [call.method for call in script.sent]


@pytest.mark.parametrize("fixed", [reserved(), taken(), order("Aborted", rels=()), order(rels=("abort",))])
def test_what_was_paid_or_is_over_is_not_updated(fixed: Json) -> None:
    with pytest.raises(Conflict, match="update is not possible now"):
        ask("update", Script(answer(fixed)), change(20000))


@pytest.mark.parametrize(("verb", "rel"), [("update", "update-order"), ("cancel", "abort")])
def test_an_open_orders_change_that_is_refused_is_raised(verb: str, rel: str) -> None:
    refused = problem("inputerror", 400, problems=[{"name": "PaymentOrder.Amount", "description": "differs"}])
    with pytest.raises(Rejected, match=f"^{rel}: ") as caught:
        ask(verb, Script(answer(order()), answer(refused, 400)), change(20000))
    expected = (("PaymentOrder.Amount", "differs"),)
    assert expected == caught.value.problems


# Observing


def test_observing_is_one_look() -> None:
    script = Script(answer(taken()))
    seen = run_blocking(provider().observe(script, ORDER_ID))
    (look,) = script.sent
    assert ("GET", f"{API}{ORDER_ID}?{_EXPAND}", True) == (look.method, look.url, look.retry_safe)
    assert (PaymentState.CAPTURED, frozenset({Action.REFUND})) == (seen.state, seen.allowed_actions)


@pytest.mark.parametrize("rels", [OPEN, RESERVED, TAKEN])
def test_the_whole_answer_is_kept_for_support(rels: tuple[str, ...]) -> None:
    given = order(rels=rels)
    assert given == run_blocking(provider().observe(Script(answer(given)), ORDER_ID)).raw


def test_problem_types_are_names_and_not_addresses() -> None:
    script = Script(answer(problem("notfound", 404), 404))
    with pytest.raises(Conflict):
        run_blocking(provider().observe(script, ORDER_ID))
    assert not [each for each in script.sent if each.url.startswith(ERRORS)]
