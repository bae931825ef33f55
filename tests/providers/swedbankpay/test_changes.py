"""Capture, refund, cancel and update: look first, act once, and say exactly how it ended."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from prenopay import Action, DeclineCode, OrderLine, Outcome, PaymentState
from prenopay._blocking import run_blocking
from prenopay.errors import (
    Conflict,
    DuplicateReference,
    ForeignAnswer,
    NotSent,
    OutcomeUnknown,
    PrenopayError,
    ProviderUnavailable,
    Rejected,
    Unauthenticated,
    UnexpectedAnswer,
)
from prenopay.ports import HttpResponse
from prenopay.provider import ChangeRequest, Reply

from .samples import (
    API,
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


def released(reference: str = REFERENCE) -> Json:
    listed = transactions(transaction("Cancellation", 14900, 1002, reference))
    return order("Cancelled", rels=(), paid=paid(), financialTransactions=listed)


def ask(verb: str, script: Script, request: ChangeRequest | None = None) -> Reply:
    reply: Reply = run_blocking(getattr(provider(), verb)(script, request or change()))
    return reply


# Looking first


def test_a_look_reads_the_stored_order_with_every_node() -> None:
    given = taken()
    script = Script(answer(given), answer(reserved()), answer(given))
    seen = run_blocking(provider().observe(script, ORDER_ID))
    ask("capture", script)
    for look, label in zip(script.sent, ("observe", "capture"), strict=False):
        expected = ("GET", f"{API}{ORDER_ID}?{_EXPAND}", label, True, b"")
        assert expected == (look.method, look.url, look.label, look.retry_safe, look.body)
    assert (PaymentState.CAPTURED, frozenset({Action.REFUND})) == (seen.state, seen.allowed_actions)
    assert given == seen.raw


_VERBS = ("capture", "refund", "cancel", "update")
_NO_IDS = ("", "1", "/psp/paymentorders/", "/psp/paymentorders/1?a=b", f"https://evil.example{ORDER_ID}")


@pytest.mark.parametrize("verb", _VERBS)
def test_nothing_is_sent_for_what_is_no_payment_order(verb: str) -> None:
    script = Script()
    for strange in _NO_IDS:
        with pytest.raises(Conflict, match="is not the id of a payment order"):
            ask(verb, script, replace(change(), provider_reference=strange))
    assert not script.sent


@pytest.mark.parametrize("verb", _VERBS)
@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        (OutcomeUnknown("lost"), OutcomeUnknown),
        (NotSent("refused"), NotSent),
        (answer(problem("notfound", 404), 404), Conflict),
        (answer(b"", 401), Unauthenticated),
        (answer(b"<html>", 500), ProviderUnavailable),
        (answer(b"<html>"), UnexpectedAnswer),
    ],
)
def test_a_look_that_fails_changes_nothing(
    verb: str, trouble: HttpResponse | Exception, kind: type[PrenopayError]
) -> None:
    script = Script(trouble)
    with pytest.raises(kind):
        ask(verb, script)
    assert script.calls == [("GET", API + ORDER_ID)]


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
    href = "https://api.externalintegration.swedbankpay.com/elsewhere?of=theirs"
    linked = {**move.before, "operations": [{"rel": move.rel, "method": "POST", "href": href}]}
    script = Script(answer(linked), answer(move.after()), answer(move.before), answer(move.after()))
    with suppress(ForeignAnswer):  # the answer is about another amount
        ask(move.verb, script, replace(change(5000, vat=283), description="x" * 41))
    assert f"{href}&{_EXPAND}" == script.sent[1].url
    expected = {"description": "x" * 39 + "…", "amount": 5000, "vatAmount": 283, "payeeReference": REFERENCE}
    assert {"transaction": expected} == body_of(script.sent[1])
    ask(move.verb, script, change(14900, OrderLine(name="Paper", amount=sek(14900), vat_percent=6)))
    (item,) = body_of(script.sent[3])["transaction"]["orderItems"]
    assert (item["reference"], item["name"], item["amount"], item["vatAmount"]) == ("1", "Paper", 14900, 843)


def test_what_was_done_before_is_not_done_again(move: Move) -> None:
    script = Script(answer(move.after()), answer(move.after()))
    reply = ask(move.verb, script, replace(change(), again=True))
    expected = 1
    assert (Outcome.SUCCEEDED, expected) == (reply.outcome, len(script.sent))
    assert reply.observation is not None
    with pytest.raises(ForeignAnswer):
        ask(move.verb, script)  # nothing was sent before, so it cannot be ours


def test_what_is_not_possible_now_is_not_tried(move: Move) -> None:
    closed = {**move.before, "operations": [operation("redirect-checkout")]}
    script = Script(answer(closed))
    with pytest.raises(Conflict, match=r"is not possible now: .* the gateway allows nothing") as caught:
        ask(move.verb, script)
    expected = 1
    assert expected == len(script.sent)
    assert "try later" in caught.value.advice


# How it ended


@pytest.mark.parametrize(("status", "reference"), [(202, REFERENCE), (202, None), (200, None), (200, "SOMEONE-ELSES")])
def test_what_is_only_accepted_is_pending(move: Move, status: int, reference: str | None) -> None:
    after = move.before if reference is None else move.after(reference)
    reply = ask(move.verb, Script(answer(move.before), answer(after, status)))
    assert Outcome.PENDING is reply.outcome
    assert reply.observation is not None


def test_a_decline_is_a_result(move: Move) -> None:
    date = "Wed, 28 Oct 2026 12:00:00 GMT"
    refused = answer(problem("creditcard/acquirererrordonotretry"), 403, date=date)
    reply = ask(move.verb, Script(answer(move.before), refused))
    assert (reply.outcome, reply.observation) == (Outcome.DECLINED, None)
    assert reply.decline is not None
    expected = (DeclineCode.DO_NOT_RETRY, datetime(2026, 10, 28, 12, tzinfo=UTC) + timedelta(days=30))
    assert expected == (reply.decline.code, reply.decline.not_before)
    busy = [
        answer(problem("swishalreadyinuse", detail="payeeAlias already in use"), 403),
        answer(problem("bankidalreadyinuse", 409), 409),
    ]
    for each in busy:  # is no duplicate
        assert Outcome.DECLINED is ask(move.verb, Script(answer(move.before), each)).outcome


@pytest.mark.parametrize("lost", [OutcomeUnknown("lost"), NotSent("refused")])
def test_a_lost_answer_is_passed_on_and_settled_by_the_next_look(
    move: Move,
    lost: Exception,
) -> None:
    first = Script(answer(move.before), lost)
    with pytest.raises(type(lost)):
        ask(move.verb, first)
    second = Script(answer(move.after()))
    assert Outcome.SUCCEEDED is ask(move.verb, second, replace(change(), again=True)).outcome
    expected = ["GET", "POST", "GET"]
    assert expected == [each.method for each in (*first.sent, *second.sent)]


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, problem("inputerror", 400), Rejected),
        (400, named("must not be longer than 30"), Rejected),
        (400, named("already used", "Transaction.Amount"), Rejected),
        (403, problem("forbidden"), Conflict),
        (404, problem("notfound", 404), Conflict),
        (401, b"", Unauthenticated),
        (500, b"", ProviderUnavailable),
        *((502, problem(word, 502), ProviderUnavailable) for word in ("creditcard/acquirererror", "bankiderror")),
        *((502, problem(word, 502), ProviderUnavailable) for word in ("vipps/bad_request", "systemerror")),
        (504, problem("creditcard/acquirergatewaytimeout", 504), ProviderUnavailable),
        (200, b"{}", UnexpectedAnswer),
        (200, b"", UnexpectedAnswer),
        (302, b"", UnexpectedAnswer),
    ],
)
def test_anything_else_is_raised(move: Move, status: int, body: object, kind: type[PrenopayError]) -> None:
    with pytest.raises(kind, match=f"^{move.rel}: "):
        ask(move.verb, Script(answer(move.before), answer(body, status)))


# A reference that the gateway has seen before


@pytest.mark.parametrize("refusal", SEEN_BEFORE)
def test_a_reference_seen_before_is_looked_up(move: Move, refusal: HttpResponse) -> None:
    script = Script(answer(move.before), refusal, answer(move.after()))
    assert Outcome.SUCCEEDED is ask(move.verb, script).outcome
    assert [each.method for each in script.sent] == ["GET", "POST", "GET"]
    kind = OutcomeUnknown if move.rel == "reversal" else DuplicateReference  # an accepted reversal is listed days later
    with pytest.raises(kind, match=f"^{move.rel}"):
        ask(move.verb, Script(answer(move.before), refusal, answer(move.before)))


def test_a_reversal_that_may_be_under_way_is_not_called_impossible() -> None:
    under_way, lost = taken(rels=()), change(reference="OURS")
    with pytest.raises(OutcomeUnknown, match="may be under way"):
        run_blocking(provider().refund(Script(answer(under_way)), replace(lost, again=True)))
    with pytest.raises(Conflict, match="not possible now"):
        run_blocking(provider().refund(Script(answer(under_way)), lost))


# Cancel


@pytest.mark.parametrize("after", [released(), order("Cancelled", rels=(), paid=paid())])
def test_reserved_money_is_released_in_full(after: Json) -> None:
    script = Script(answer(reserved()), answer(after))
    reply = ask("cancel", script, change(None))
    assert ("POST", f"{API}{ORDER_ID}/cancellations") == script.calls[1]
    expected = {"transaction": {"description": "Digital, one month", "payeeReference": REFERENCE}}
    assert expected == body_of(script.sent[1])
    seen = reply.observation
    assert seen is not None
    assert (Outcome.SUCCEEDED, PaymentState.CANCELLED, sek(14900)) == (reply.outcome, seen.state, seen.cancelled)


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
    ("fixed", "why"),
    [
        (taken(transaction("Capture", 14900, 1001, "OTHER")), r"is captured \(Paid\), the gateway allows refund"),
        (order("Failed", rels=()), "allows nothing"),
        (order(rels=("redirect-checkout",)), "allows nothing"),  # the payer is inside an app
    ],
)
def test_what_can_no_longer_be_cancelled_is_a_conflict(fixed: Json, why: str) -> None:
    script = Script(answer(fixed))
    with pytest.raises(Conflict, match=f"cancel is not possible now: the payment .*{why}"):
        ask("cancel", script, change(None))
    assert len(script.sent) == 1


# Update


def test_an_open_order_gets_another_amount_and_lines() -> None:
    updated = order(amount=20000)
    for before in (order(), updated):  # an equal amount is sent too, because its lines may differ
        script = Script(answer(before), answer(updated))
        reply = ask(
            "update", script, change(20000, OrderLine(name="Paper", amount=sek(20000), vat_percent=6), vat=1132)
        )
        assert script.calls[1:] == [("PATCH", API + ORDER_ID)]
        body = body_of(script.sent[1])["paymentorder"]
        expected = ("UpdateOrder", 20000, 1132, 20000)
        assert expected == (body["operation"], body["amount"], body["vatAmount"], body["orderItems"][0]["amount"])
        assert reply.observation is not None
        assert (Outcome.SUCCEEDED, sek(20000)) == (reply.outcome, reply.observation.submitted)
    script = Script(answer(order()), answer(updated))
    ask("update", script, change(20000))
    assert body_of(script.sent[1])["paymentorder"] == {"operation": "UpdateOrder", "amount": 20000, "vatAmount": 843}


@pytest.mark.parametrize("fixed", [reserved(), taken(), order("Aborted", rels=()), order(rels=("abort",))])
def test_what_is_paid_or_over_is_not_updated(fixed: Json) -> None:
    with pytest.raises(Conflict, match="update is not possible now"):
        ask("update", Script(answer(fixed)), change(20000))


@pytest.mark.parametrize(("verb", "rel"), [("update", "update-order"), ("cancel", "abort")])
def test_an_open_orders_change_that_is_refused_is_raised(verb: str, rel: str) -> None:
    refused = problem("inputerror", 400, problems=[{"name": "PaymentOrder.Amount", "description": "differs"}])
    with pytest.raises(Rejected, match=f"^{rel}: ") as caught:
        ask(verb, Script(answer(order()), answer(refused, 400)), change(20000))
    expected = (("PaymentOrder.Amount", "differs"),)
    assert expected == caught.value.problems
