"""Refunds: compared with their payment, moving on their own, reported twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from prenopay.testing.emulators.swish import (
    MSS,
    Behaviour,
    RemainingStyle,
    Status,
    SwishEmulator,
    SwishMerchant,
    SwishPayer,
)

from .swish_calling import IDENTIFIER, PAYER, Shop

OTHER = "1230000025"


def _shop(**behaviour: object) -> Shop:
    return Shop(SwishEmulator(behaviour=replace(Behaviour(), **behaviour)))  # type: ignore[arg-type]  # checked by the dataclass


def test_a_refund_moves_from_state_to_state() -> None:
    shop = Shop()
    original = shop.paid()
    answer = shop.refund(original)
    name = answer.headers["location"].rsplit("/", 1)[-1]
    assert (answer.status, answer.body) == (201, b"")
    assert "/swish-cpcapi/api/v1/refunds/" in answer.headers["location"]
    assert "paymentrequesttoken" not in answer.headers
    first = shop.get_refund(name)
    assert (first["status"], first["paymentReference"], first["datePaid"]) == ("VALIDATED", None, None)
    shop.wait(4)
    assert (shop.get_refund(name)["status"], shop.get_refund(name)["datePaid"]) == ("DEBITED", None)
    shop.wait(4)
    body = shop.get_refund(name)
    assert body == {
        "id": name,
        "paymentReference": body["paymentReference"],
        "payerPaymentReference": "BACK1",
        "originalPaymentReference": original,
        "callbackUrl": "https://shop.example/swish",
        "callbackIdentifier": IDENTIFIER,
        "payerAlias": shop.number,
        "payeeAlias": "46701740605",
        "amount": 100.0,
        "currency": "SEK",
        "message": "Pengar tillbaka",
        "status": "PAID",
        "dateCreated": "2026-01-15T12:00:00.000Z",
        "datePaid": "2026-01-15T12:00:08.000Z",
        "errorMessage": None,
        "additionalInformation": None,
        "errorCode": None,
    }
    assert shop.statuses_told == ["PAID", "DEBITED", "PAID"]


def test_the_first_state_is_another_in_the_simulator_and_any_reference_is_taken() -> None:
    shop = Shop(SwishEmulator(behaviour=MSS))
    shop.refund("0" * 32)
    (refund,) = shop.emulator.refunds
    assert (refund.status, refund.payment) == (Status.CREATED, "")
    assert shop.get_refund(refund.id)["payeeAlias"] is None


def test_parts_are_held_against_the_payment() -> None:
    shop = Shop()
    original = shop.paid()
    payment = shop.emulator.payments[0].id
    assert shop.refund(original, amount="60.00").status == 201
    shop.wait(5)
    totals = shop.emulator.books()[payment]
    assert (totals.paid, totals.refunded, totals.refunding) == (10_000, 0, 6_000)
    answer = shop.refund(original, amount="40.01")
    assert answer.codes == ["RF08"]
    assert answer.body[0]["additionalInformation"] == "40.00"
    assert shop.refund(original, amount="40.00").status == 201
    shop.wait(8)
    totals = shop.emulator.books()[payment]
    assert (totals.refunded, totals.refunding) == (10_000, 0)
    assert shop.refund(original, amount="0.01").body[0]["additionalInformation"] == "0.00"


def test_what_rf08_says_of_the_rest() -> None:
    cases: list[tuple[RemainingStyle, str | None]] = [
        (RemainingStyle.TEXT, "Remaining amount: 100.00 SEK"),
        (RemainingStyle.NOTHING, None),
    ]
    for style, said in cases:
        shop = _shop(remaining=style)
        assert shop.refund(shop.paid(), amount="100.01").body[0]["additionalInformation"] == said


def test_a_refund_that_failed_gives_its_amount_back() -> None:
    shop = Shop()
    original = shop.paid()
    shop.refund(original, message="RF07")
    shop.wait(4)
    (refund,) = shop.emulator.refunds
    assert (refund.status, refund.error_code) == (Status.ERROR, "RF07")
    assert shop.statuses_told == ["PAID", "ERROR"]
    shop.wait(10)
    assert shop.refund(original).status == 201
    shop.emulator.fail(shop.emulator.refunds[1].id, "DS24")
    assert shop.get_refund(shop.emulator.refunds[1].id)["errorCode"] == "DS24"


def test_only_what_was_paid_can_be_refunded() -> None:
    shop = _shop(reference_early=True)
    payment = shop.created()
    early = shop.get(payment)["paymentReference"]
    assert shop.refund(early).codes == ["RF02"]
    assert shop.refund("0" * 32).codes == ["RF02"]
    assert shop.refund(payment).codes == ["RF02"]
    assert shop.call("PUT", f"/swish-cpcapi/api/v2/refunds/{shop.new_id()}", {}).codes == [
        "RP01",
        "RF02",
        "RP03",
        "PA02",
        "AM03",
    ]


def test_after_thirteen_months_it_is_too_late() -> None:
    shop = Shop()
    original = shop.paid()
    shop.emulator.clock.set(datetime(2027, 2, 15, 11, 59, tzinfo=UTC))
    assert shop.refund(original, amount="1").status == 201
    shop.emulator.clock.advance(timedelta(minutes=1))
    assert shop.refund(original, amount="1").codes == ["RF02"]


def test_only_the_merchant_that_was_paid_may_refund() -> None:
    emulator = SwishEmulator(merchants=[SwishMerchant(), SwishMerchant(number=OTHER)])
    original = Shop(emulator).paid()
    other = Shop(emulator, number=OTHER)
    assert other.refund(original).codes == ["RF03"]
    assert other.refund(original, payerAlias="1230000017").status == 403


def test_people_and_companies_change() -> None:
    shop = Shop()
    original = shop.paid(payerAlias=PAYER)
    shop.emulator.enrol(SwishPayer(msisdn=PAYER, is_enrolled=False))
    answer = shop.refund(original)
    assert (answer.codes, answer.body[0]["errorMessage"]) == (["ACMT07"], "Payee alias not enrolled")
    shop.emulator.enrol(SwishPayer(msisdn=PAYER))
    shop.emulator.hand_on(PAYER)
    assert shop.refund(original).codes == ["RF06"]
    shop.emulator.enrol(SwishMerchant(organisation="5569999999"))
    assert shop.refund(original).codes == ["RF04"]


def test_the_merchants_account_must_hold_it() -> None:
    emulator = SwishEmulator(merchants=[SwishMerchant(opening_balance=Decimal(-30))])
    shop = Shop(emulator)
    original = shop.paid()
    assert shop.refund(original, amount="70.01").codes == ["AM04"]
    assert shop.refund(original, amount="70.00").status == 201


def test_an_id_that_is_in_progress_has_a_code_of_its_own_if_wanted() -> None:
    shop = _shop(refund_in_progress="RF09")
    original = shop.paid()
    assert shop.refund(original, "A" * 32, amount="1").status == 201
    assert shop.refund(original, "A" * 32, amount="1").codes == ["RF09"]
    shop.wait(10)
    assert shop.refund(original, "A" * 32, amount="1").codes == ["RP09"]


def test_who_hurries_is_told_to_wait() -> None:
    shop = _shop(refund_pause=timedelta(seconds=5))
    original = shop.paid()
    assert shop.refund(original, amount="1").status == 201
    answer = shop.refund(original, amount="1")
    assert (answer.status, answer.headers["retry-after"]) == (429, "5")
    shop.wait(5)
    assert shop.refund(original, amount="1").status == 201


def test_an_amount_without_end_is_rf08() -> None:
    shop = Shop()
    assert shop.refund(shop.paid(), amount="1000000000000").codes == ["RF08"]
