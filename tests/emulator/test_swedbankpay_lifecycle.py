"""A payment order's life at the Swedbank Pay emulator: states, sums, rels, and who may do what when."""

from __future__ import annotations

from datetime import timedelta

import pytest

from prenopay.testing.emulators.swedbankpay import (
    AsynchronousReversal,
    Behaviour,
    DuplicateAnswer,
    PayerAnswer,
    Status,
    SwedbankPayEmulator,
    Totals,
)

from .calling import ITEM, Answer, Merchant

PAGES = {"redirect-checkout", "view-checkout"}


def _remaining(answer: Answer) -> dict[str, int]:
    return {
        name.removeprefix("remaining").removesuffix("Amount"): amount
        for name, amount in answer.order.items()
        if name.startswith("remaining")
    }


@pytest.fixture
def paid(merchant: Merchant) -> str:
    """An order of 1500, authorized by card."""
    return _paid(merchant)


def _paid(merchant: Merchant) -> str:
    order = merchant.order()
    merchant.emulator.pay_by_card(order)
    return order


# Before payment


def test_a_new_order_is_open(merchant: Merchant) -> None:
    answer = merchant.create()
    assert answer.order["status"] == "Initialized"
    assert answer.rels.keys() == {"update-order", "abort", "abort-paymentattempt"} | PAGES
    assert _remaining(answer) == {}


def test_an_aborted_order_stays_aborted(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    order = merchant.order()
    answer = merchant.patch(order, "Abort", abortReason="CancelledByConsumer")
    assert (answer.status, answer.order["status"], answer.rels) == (200, "Aborted", {})
    assert merchant.get(order, "aborted").order["aborted"]["abortReason"] == "CancelledByConsumer"
    assert merchant.patch(order, "Abort", abortReason="again").status == 403
    assert merchant.capture(order, 1500, "C1").status == 403
    assert emulator.callbacks.waiting == ()


def test_an_update_replaces_amount_and_lines(merchant: Merchant) -> None:
    order = merchant.order(orderItems=[ITEM])
    items = [{**ITEM, "amount": 2000, "unitPrice": 2000}]
    answer = merchant.patch(order, "UpdateOrder", amount=2000, vatAmount=0, description="More", orderItems=items)
    assert (answer.status, answer.order["amount"], answer.order["description"]) == (200, 2000, "More")
    assert merchant.get(order, "orderItems").order["orderItems"]["orderItemList"][0]["amount"] == 2000


def test_an_update_must_bring_the_lines_again(merchant: Merchant) -> None:
    order = merchant.order(orderItems=[ITEM])
    answer = merchant.patch(order, "UpdateOrder", amount=2000, vatAmount=0)
    assert (answer.status, answer.problem_names) == (400, ["PaymentOrder.OrderItems"])
    assert merchant.get(order).order["amount"] == 1500


def test_the_instrument_is_changed_in_instrument_mode_only(merchant: Merchant) -> None:
    locked = merchant.create(instrument="CreditCard")
    assert locked.order["instrumentMode"] is True
    assert locked.order["viewableInstruments"] == ["CreditCard"]
    answer = merchant.call("PATCH", locked.rels["set-instrument"], _set_instrument("Swish"))
    assert answer.order["viewableInstruments"] == ["Swish"]
    assert merchant.call("PATCH", str(locked.order["id"]), _set_instrument("Vipps")).status == 400
    free = merchant.create("A2")
    assert "set-instrument" not in free.rels
    assert merchant.call("PATCH", str(free.order["id"]), _set_instrument("Swish")).status == 403


def _set_instrument(name: str) -> dict[str, object]:
    return {"paymentorder": {"operation": "SetInstrument", "instrument": name}}


def test_while_the_payer_is_in_the_app_nothing_can_be_aborted(
    merchant: Merchant, emulator: SwedbankPayEmulator
) -> None:
    order = merchant.order()
    emulator.pay_by_swish(order, answer=PayerAnswer.LEAVE)
    assert merchant.get(order).rels.keys() == {"abort-paymentattempt"} | PAGES
    assert merchant.patch(order, "Abort", abortReason="x").status == 403
    assert merchant.patch(order, "UpdateOrder", amount=1, vatAmount=0).status == 403
    ended = merchant.patch(order, "PaymentAttemptAborted", abortReason="AbortedByUI")
    assert {"abort", "update-order"} <= ended.rels.keys()
    history = merchant.get(order, "history,failedAttempts").order
    assert history["history"]["historyList"][-1]["name"] == "PaymentAttemptAborted"
    assert history["failedAttempts"]["failedAttemptList"] == []
    assert emulator.order(order).open_attempts == ()


# After payment


def test_an_authorized_order_can_be_captured_or_cancelled(merchant: Merchant, paid: str) -> None:
    answer = merchant.get(paid)
    assert answer.order["status"] == "Paid"
    assert answer.rels.keys() == {"capture", "cancel"} | PAGES
    assert _remaining(answer) == {"Capture": 1500, "Cancellation": 1500}
    assert merchant.patch(paid, "Abort", abortReason="late").status == 403


def test_partial_captures_add_up_and_the_rest_can_be_cancelled(
    merchant: Merchant, emulator: SwedbankPayEmulator, paid: str
) -> None:
    first = merchant.capture(paid, 600, "C1", receiptReference="R1")
    assert (first.status, first.order["status"]) == (200, "Paid")
    assert _remaining(first) == {"Capture": 900, "Cancellation": 900, "Reversal": 600}
    assert first.rels.keys() == {"capture", "cancel", "reversal"} | PAGES
    merchant.capture(paid, 400, "C2")
    rest = merchant.cancel(paid, "X1")
    assert (rest.order["status"], _remaining(rest)) == ("Paid", {"Reversal": 1000})
    assert rest.rels.keys() == {"reversal"} | PAGES
    assert emulator.books() == {paid: Totals(currency="SEK", authorized=1500, captured=1000, cancelled=500, reversed=0)}
    listed = merchant.get(paid, "financialTransactions").order["financialTransactions"]["financialTransactionsList"]
    assert [(entry["type"], entry["amount"], entry["payeeReference"]) for entry in listed] == [
        ("Capture", 600, "C1"),
        ("Capture", 400, "C2"),
        ("Cancellation", 500, "X1"),
    ]
    assert listed[0]["receiptReference"] == "R1"
    assert len({entry["number"] for entry in listed}) == 3
    assert all(len(str(entry["number"])) == 11 for entry in listed)


def test_what_is_cancelled_whole_is_cancelled(merchant: Merchant, paid: str) -> None:
    answer = merchant.cancel(paid, "X1", description="Out of stock")
    assert (answer.order["status"], answer.rels, _remaining(answer)) == ("Cancelled", {}, {})
    cancelled = merchant.get(paid, "cancelled").order["cancelled"]
    assert (cancelled["cancelReason"], cancelled["payeeReference"]) == ("Out of stock", "X1")
    assert merchant.capture(paid, 1, "C1").status == 403


def test_what_is_reversed_whole_is_reversed(merchant: Merchant, paid: str) -> None:
    merchant.capture(paid, 1500, "C1")
    part = merchant.reverse(paid, 500, "R1")
    assert (part.order["status"], _remaining(part)) == ("Paid", {"Reversal": 1000})
    whole = merchant.reverse(paid, 1000, "R2")
    assert (whole.order["status"], whole.rels, _remaining(whole)) == ("Reversed", {}, {})
    assert merchant.get(paid, "reversed").order["reversed"]["payeeReference"] == "R2"


def test_captured_in_part_reversed_in_whole_is_reversed_once_the_rest_is_released(
    merchant: Merchant, paid: str
) -> None:
    merchant.capture(paid, 600, "C1")
    assert merchant.reverse(paid, 600, "R1").order["status"] == "Paid"
    assert merchant.cancel(paid, "X1").order["status"] == "Reversed"


def test_too_much_is_refused_and_recorded() -> None:
    cases: list[str] = ["capture", "reverse"]
    for verb in cases:
        merchant = Merchant()
        paid = _paid(merchant)
        merchant.capture(paid, 500, "C0")
        answer = merchant.capture(paid, 1001, "B1") if verb == "capture" else merchant.reverse(paid, 501, "B1")
        name = "Capture" if verb == "capture" else "Reversal"
        assert (answer.status, answer.problem) == (403, "forbidden")
        assert answer.body["problems"] == [{"name": name, "description": f"{name} amount too high."}]
        shown = merchant.get(paid, "postPurchaseFailedAttempts,history").order
        (failed,) = shown["postPurchaseFailedAttempts"]["postpurchaseFailedAttemptList"]
        assert (failed["type"], failed["status"], failed["problem"]["status"]) == (name, "Failed", 403)
        assert failed.keys() == {"created", "status", "type", "number", "problem"}
        assert shown["history"]["historyList"][-1]["name"].endswith("Failed")


def test_there_must_be_something_to_cancel(merchant: Merchant, paid: str) -> None:
    merchant.capture(paid, 1500, "C1")
    answer = merchant.cancel(paid, "X1")
    assert (answer.status, answer.problem_names) == (403, ["Cancellation"])


def test_five_failures_in_a_row_lock_the_order(merchant: Merchant, emulator: SwedbankPayEmulator, paid: str) -> None:
    for number in range(4):
        assert merchant.capture(paid, 9999, f"B{number}").problem_names == ["Capture"]
    assert merchant.capture(paid, 100, "C1").status == 200
    for number in range(5):
        merchant.capture(paid, 9999, f"D{number}")
    assert emulator.order(paid).is_locked
    assert merchant.get(paid).rels.keys() == PAGES
    for answer in (merchant.capture(paid, 1, "C2"), merchant.cancel(paid, "X2"), merchant.reverse(paid, 1, "R2")):
        assert answer.status == 403
    assert len(emulator.order(paid).failed_operations) == 9
    emulator.unlock(paid)
    assert merchant.capture(paid, 1, "C2").status == 200


def test_the_acquirer_may_decline(merchant: Merchant, emulator: SwedbankPayEmulator, paid: str) -> None:
    emulator.behaviour = Behaviour(declined_operations=frozenset({"capture", "reversal"}))
    answer = merchant.capture(paid, 1500, "C1")
    assert (answer.status, answer.problem) == (403, "acquirererror")
    assert emulator.order(paid).failed_operations == ("Capture",)


def test_a_capture_takes_lines_only_if_the_order_had_some(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    for number, instrument in enumerate(("CreditCard", "Invoice-PayExFinancingSe")):
        bare, itemized = merchant.order(f"A1{number}"), merchant.order(f"A2{number}", orderItems=[ITEM])
        for order in (bare, itemized):
            emulator.pay_by_card(order) if instrument == "CreditCard" else emulator.pay_by(order, instrument)
        assert merchant.capture(bare, 1500, f"C1{number}", orderItems=[ITEM]).status == 400
        assert merchant.capture(itemized, 1500, f"C2{number}", orderItems=[ITEM]).status == 200


def test_lines_may_be_required_where_the_order_has_some(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    order = merchant.order("A1", orderItems=[ITEM])
    emulator.pay_by_card(order)
    emulator.behaviour = Behaviour(items_are_required=True)
    assert merchant.capture(order, 1500, "C1").status == 400
    assert merchant.capture(order, 1500, "C2", orderItems=[ITEM]).status == 200
    assert merchant.reverse(order, 1500, "R1").status == 400


def test_the_lines_of_a_capture_can_be_read(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    paid = merchant.order("A9", orderItems=[ITEM])
    emulator.pay_by_card(paid)
    answer = merchant.capture(paid, 1500, "C1", orderItems=[ITEM])
    (captured,) = answer.order["financialTransactions"]["financialTransactionsList"]
    lines = merchant.call("GET", captured["orderItems"]["id"]).body["orderItems"]["orderItemList"]
    assert lines == [ITEM]
    assert merchant.call("GET", f"{paid}/financialtransactions/none/orderitems").status == 404


# References


def test_a_reference_is_good_for_one_operation() -> None:
    cases: list[tuple[DuplicateAnswer, int, str]] = [
        (DuplicateAnswer.CONFLICT, 409, "conflict"),
        (DuplicateAnswer.INPUT_ERROR, 400, "inputerror"),
        (DuplicateAnswer.FORBIDDEN, 403, "forbidden"),
    ]
    for manner, status, problem in cases:
        merchant = Merchant()
        emulator = merchant.emulator
        emulator.behaviour = Behaviour(duplicate_reference=manner)
        paid = merchant.order()
        emulator.pay_by_card(paid)
        merchant.capture(paid, 500, "C1")
        before = emulator.books()
        for again in (merchant.capture(paid, 500, "C1"), merchant.reverse(paid, 1, "C1"), merchant.cancel(paid, "A1")):
            assert (again.status, again.problem) == (status, problem)
            assert again.problem_names == ["Transaction.PayeeReference"]
        created = merchant.create("C1")
        assert (created.status, created.problem_names) == (status, ["PaymentOrder.PayeeInfo.PayeeReference"])
        assert emulator.books() == before


def test_a_repeat_may_get_the_first_answer(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    emulator.behaviour = Behaviour(duplicate_reference=DuplicateAnswer.REPLAY)
    first = merchant.create()
    order = str(first.order["id"])
    assert merchant.create().answer == first.answer
    emulator.pay_by_card(order)
    captured = merchant.capture(order, 500, "C1")
    assert merchant.capture(order, 500, "C1").answer == captured.answer
    assert merchant.capture(order, 501, "C1").status == 409
    assert emulator.order(order).totals.captured == 500
    assert len(emulator.orders) == 1


def test_a_refused_operation_does_not_use_its_reference_up(merchant: Merchant, paid: str) -> None:
    assert merchant.capture(paid, 9999, "C1").status == 403
    assert merchant.capture(paid, 1500, "C1").status == 200


# Reversals that take their time


def test_an_asynchronous_reversal_settles_later_and_tells() -> None:
    cases: list[bool] = [True, False]
    for succeeds in cases:
        merchant = Merchant()
        paid = _paid(merchant)
        merchant.capture(paid, 1500, "C1")
        emulator = merchant.emulator
        emulator.deliver_callbacks(lambda *_: 200)
        emulator.behaviour = Behaviour(asynchronous_reversal=AsynchronousReversal(succeeds=succeeds))
        pending = merchant.reverse(paid, 1500, "R1")
        assert (pending.status, pending.order["status"], set(pending.rels)) == (202, "Paid", PAGES)
        assert merchant.reverse(paid, 1, "R2").status == 403
        emulator.clock.advance(timedelta(days=1))
        assert emulator.deliver_callbacks(lambda *_: 200) == ()
        emulator.clock.advance(timedelta(days=1))
        assert len(emulator.deliver_callbacks(lambda *_: 200)) == 1
        settled = merchant.get(paid, "financialTransactions,postPurchaseFailedAttempts")
        moved = settled.order["financialTransactions"]["financialTransactionsList"]
        failed = settled.order["postPurchaseFailedAttempts"]["postpurchaseFailedAttemptList"]
        if succeeds:
            assert (settled.order["status"], moved[-1]["payeeReference"], failed) == ("Reversed", "R1", [])
        else:
            assert (settled.order["status"], len(moved), len(failed)) == ("Paid", 1, 1)
            assert "payeeReference" not in failed[0]
            assert "reversal" in settled.rels
        assert merchant.create("R1").status == 409


def test_what_settled_in_between_happened_at_its_own_time(
    merchant: Merchant, emulator: SwedbankPayEmulator, paid: str
) -> None:
    merchant.capture(paid, 1500, "C1")
    emulator.behaviour = Behaviour(asynchronous_reversal=AsynchronousReversal(after=timedelta(hours=3)))
    asked = emulator.clock.now()
    merchant.reverse(paid, 1500, "R1")
    emulator.clock.advance(timedelta(days=20))
    assert emulator.order(paid).transactions[-1].created == asked + timedelta(hours=3)


def test_a_swish_reversal_shows_what_remains_only_later(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    order = merchant.order()
    emulator.pay_by_swish(order)
    assert merchant.get(order).rels.keys() == {"reversal"} | PAGES
    assert _remaining(merchant.reverse(order, 500, "R1")) == {}
    assert _remaining(merchant.get(order)) == {"Reversal": 1000}
    emulator.behaviour = Behaviour(swish_reversal_lags=False)
    assert _remaining(merchant.reverse(order, 500, "R2")) == {"Reversal": 500}


def test_swish_gives_nothing_back_after_thirteen_months(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    order = merchant.order()
    emulator.pay_by_swish(order)
    emulator.clock.advance(timedelta(days=400))
    answer = merchant.reverse(order, 500, "R1")
    assert (answer.status, answer.problem) == (403, "swishdeclined")
    assert emulator.order(order).status is Status.PAID


def test_the_same_seed_and_calls_give_the_same_bytes() -> None:
    def story(seed: int) -> list[bytes]:
        emulator = SwedbankPayEmulator(seed=seed)
        merchant = Merchant(emulator)
        first = merchant.create()
        order = str(first.order["id"])
        emulator.pay_by_card(order)
        return [first.answer.body, merchant.capture(order, 500, "C1").answer.body, merchant.create("A1").answer.body]

    assert story(7) == story(7)
    assert story(7) != story(8)
