"""A payment request's life: who ends it and how, what GET shows, what callbacks report, and when time ends it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest

from prenopay._blocking import run_blocking
from prenopay.errors import NotSent, OutcomeUnknown
from prenopay.ports import HttpRequest, HttpResponse
from prenopay.testing.callbacks import RetrySchedule, hand_over
from prenopay.testing.clock import VirtualClock
from prenopay.testing.control import ControlRefused
from prenopay.testing.emulators.swish import (
    AWKWARD,
    MSS,
    AbsentStyle,
    AmountStyle,
    Behaviour,
    DateStyle,
    IdentifierPlace,
    PayerRefused,
    Status,
    SwishEmulator,
)
from prenopay.testing.faults import Fault, FaultBody, FaultKind
from prenopay.testing.http import Dropped, EmulatorSender
from prenopay.values.callbacks import CallbackRequest

from .swish_calling import API, CALLBACK, IDENTIFIER, PAYER, Shop


def _shop(**behaviour: object) -> Shop:
    return Shop(SwishEmulator(behaviour=replace(Behaviour(), **behaviour)))  # type: ignore[arg-type]  # checked by the dataclass


def test_a_request_is_paid_by_whoever_scans_it() -> None:
    shop = Shop()
    answer = shop.create(payeePaymentReference="BOK1")
    payment = answer.headers["location"].rsplit("/", 1)[-1]
    assert len(answer.token) == 32
    assert answer.body == b""
    assert shop.get(payment)["payerAlias"] is None
    shop.emulator.scan(answer.token, PAYER)
    assert shop.get(payment)["payerAlias"] == PAYER
    assert shop.emulator.approve(answer.token).status is Status.PAID
    body = shop.get(payment)
    assert body == {
        "id": payment,
        "payeePaymentReference": "BOK1",
        "paymentReference": body["paymentReference"],
        "callbackUrl": CALLBACK,
        "callbackIdentifier": IDENTIFIER,
        "payerAlias": PAYER,
        "payeeAlias": shop.number,
        "amount": 100.0,
        "currency": "SEK",
        "message": "En bok",
        "status": "PAID",
        "dateCreated": "2026-01-15T12:00:00.000Z",
        "datePaid": "2026-01-15T12:00:00.000Z",
        "errorCode": None,
        "errorMessage": None,
    }
    assert shop.told == [body]
    (callback,) = shop.emulator.callbacks.waiting
    assert dict(callback.headers)["callbackIdentifier"] == IDENTIFIER
    assert shop.emulator.books()[payment].paid == 10_000


def test_a_named_payer_gets_no_token() -> None:
    shop = Shop()
    answer = shop.create(payerAlias=PAYER)
    assert answer.token == ""
    payment = shop.emulator.payments[0].id
    with pytest.raises(PayerRefused, match="another number"):
        shop.emulator.scan(payment, "46701740613")
    shop.emulator.scan(payment, PAYER)
    assert shop.emulator.approve(payment, msisdn="46701740613").payer == PAYER


def test_a_declined_request_is_final() -> None:
    shop = Shop()
    payment = shop.created()
    shop.emulator.decline(payment)
    body = shop.get(payment)
    assert (body["status"], body["errorCode"], body["datePaid"], body["paymentReference"]) == (
        "DECLINED",
        None,
        None,
        None,
    )
    assert shop.statuses_told == ["DECLINED"]
    with pytest.raises(PayerRefused, match="DECLINED already"):
        shop.emulator.approve(payment)
    assert shop.cancel(payment).codes == ["RP07"]


def test_a_cancelled_request_is_told_of_too() -> None:
    shop = Shop()
    payment = shop.created()
    answer = shop.cancel(payment)
    assert (answer.status, answer.body["status"]) == (200, "CANCELLED")
    assert shop.statuses_told == ["CANCELLED"]
    assert shop.cancel(payment).codes == ["RP07"]
    with pytest.raises(PayerRefused):
        shop.emulator.approve(payment)
    quiet = _shop(callback_on_cancel=False)
    quiet.cancel(quiet.created())
    assert quiet.told == []


def test_a_paid_request_cannot_be_cancelled() -> None:
    shop = Shop()
    payment = shop.created()
    shop.emulator.approve(payment)
    assert shop.cancel(payment).codes == ["RP07"]
    assert shop.get(payment)["status"] == "PAID"


def test_a_bank_can_say_no() -> None:
    cases: list[str] = ["RF07", "BANKIDCL", "FF10", "TM01", "DS24"]
    for code in cases:
        shop = Shop()
        by_message, by_hand = shop.created(message=code), shop.created()
        assert shop.emulator.approve(by_message).error_code == code
        assert shop.emulator.approve(by_hand, failing=code).error_code == code
        body = shop.get(by_hand)
        assert (body["status"], body["errorCode"]) == ("ERROR", code)
        assert body["errorMessage"]
        assert shop.statuses_told == ["ERROR", "ERROR"]
        assert shop.emulator.books()[by_hand].paid == 0


def test_a_bank_fails_without_the_payer() -> None:
    shop = Shop()
    payment = shop.created()
    with pytest.raises(ControlRefused, match="no code"):
        shop.emulator.fail(payment, "XX99")
    shop.emulator.fail(payment, "FF10")
    assert shop.get(payment)["errorCode"] == "FF10"
    with pytest.raises(PayerRefused):
        shop.emulator.fail(payment, "FF10")


def test_a_request_that_nobody_opens_times_out() -> None:
    cases: list[str | None] = [None, PAYER]
    for payer in cases:
        shop = Shop()
        payment = shop.created(payerAlias=payer)
        shop.wait(180)
        assert shop.get(payment)["status"] == "CREATED"
        shop.wait(1)
        with pytest.raises(PayerRefused, match="too long"):
            shop.emulator.approve(payment)
        shop.wait(148)
        assert shop.get(payment)["status"] == "CREATED"
        shop.wait(1)
        body = shop.get(payment)
        assert (body["status"], body["errorCode"], body["payerAlias"]) == ("ERROR", "TM01", payer)
        assert shop.statuses_told == ["ERROR"]
        (callback,) = shop.emulator.callbacks.waiting
        assert callback.due == datetime(2026, 1, 15, 12, 5, 30, tzinfo=UTC)
        assert shop.create(payerAlias=PAYER).status == 201


def test_the_simulator_pays_after_four_seconds() -> None:
    shop = Shop(SwishEmulator(behaviour=MSS))
    payment, failing = shop.created(), shop.created(message="VR01")
    early = shop.get(payment)
    assert early["status"] == "CREATED"
    assert early["paymentReference"]
    assert early["payerAlias"] == "46464646464"
    shop.wait(3.9)
    assert shop.told == []
    shop.wait(0.1)
    body = shop.get(payment)
    assert (body["status"], body["datePaid"]) == ("PAID", "2026-01-15T12:00:04.000Z")
    assert shop.get(failing)["errorCode"] == "VR01"
    cancelled = shop.created()
    body = shop.cancel(cancelled).body
    assert body["paymentReference"]
    assert body["datePaid"]
    shop.wait(10)
    assert shop.get(cancelled)["status"] == "CANCELLED"


def test_amounts_are_written_in_every_way() -> None:
    cases: list[tuple[AmountStyle, object]] = [
        (AmountStyle.NUMBER, 100.0),
        (AmountStyle.WHOLE_NUMBER, 100),
        (AmountStyle.STRING, "100.00"),
    ]
    for style, expected in cases:
        shop = _shop(amounts=style)
        written = shop.get(shop.created())["amount"]
        assert (written, type(written)) == (expected, type(expected))
        assert float(shop.get(shop.created(amount="149.50"))["amount"]) == 149.5
        assert shop.emulator.payments[1].amount == Decimal("149.50")


def test_dates_are_written_in_every_way() -> None:
    cases: list[tuple[DateStyle, str, str]] = [
        (DateStyle.ZULU, "2026-01-15T12:00:00.000Z", "2026-07-01T12:00:00.000Z"),
        (DateStyle.OFFSET, "2026-01-15T13:00:00.000+0100", "2026-07-01T14:00:00.000+0200"),
        (DateStyle.BARE, "2026-01-15T12:00:00.000", "2026-07-01T12:00:00.000"),
        (DateStyle.BARE_SWEDISH, "2026-01-15T13:00:00.000", "2026-07-01T14:00:00.000"),
    ]
    for style, winter, summer in cases:
        shop = _shop(dates=style)
        assert shop.get(shop.created())["dateCreated"] == winter
        shop.emulator.clock.set(datetime(2026, 7, 1, 12, tzinfo=UTC))
        assert shop.get(shop.created())["dateCreated"] == summer


def test_swedish_time_changes_when_it_does() -> None:
    cases: list[tuple[datetime, str]] = [
        (datetime(2026, 3, 29, 0, 59, tzinfo=UTC), "2026-03-29T01:59:00.000"),
        (datetime(2026, 3, 29, 1, 0, tzinfo=UTC), "2026-03-29T03:00:00.000"),
        (datetime(2026, 10, 25, 0, 59, tzinfo=UTC), "2026-10-25T02:59:00.000"),
        (datetime(2026, 10, 25, 1, 0, tzinfo=UTC), "2026-10-25T02:00:00.000"),
    ]
    for moment, written in cases:
        behaviour = Behaviour(dates=DateStyle.BARE_SWEDISH)
        shop = Shop(SwishEmulator(behaviour=behaviour, clock=VirtualClock(moment)))
        assert shop.get(shop.created())["dateCreated"] == written


def test_what_is_absent_is_written_in_every_way() -> None:
    bare: dict[str, object] = {"message": None, "payeePaymentReference": None, "callbackIdentifier": None}
    body = {style: _shop(absent=style) for style in AbsentStyle}
    seen = {style: shop.get(shop.created(**bare)) for style, shop in body.items()}
    assert seen[AbsentStyle.NULL]["message"] is None
    assert seen[AbsentStyle.EMPTY]["message"] == ""
    assert seen[AbsentStyle.EMPTY]["datePaid"] is None
    assert not {"message", "datePaid", "errorCode"} & seen[AbsentStyle.MISSING].keys()


def test_everything_awkward_at_once() -> None:
    shop = Shop(SwishEmulator(behaviour=replace(AWKWARD, token_in_object=True)))
    answer = shop.create(message=None)
    assert answer.headers["location"].startswith(f"{API}/swish-cpcapi/v1/paymentrequests/")
    body = shop.get(shop.emulator.payments[0].id)
    assert (body["status"], body["amount"], body["paymentRequestToken"]) == ("PENDING", "100.00", answer.token)
    assert body["links"] == [{"rel": "self"}]
    assert body["additionalInformation"] is None
    shop.emulator.approve(answer.token)
    (callback,) = shop.emulator.callbacks.waiting
    assert "callbackIdentifier" not in dict(callback.headers)
    assert "callbackIdentifier" not in shop.told[0]


def test_where_a_callback_carries_its_identifier() -> None:
    cases: list[tuple[IdentifierPlace, bool, bool]] = [
        (IdentifierPlace.BOTH, True, True),
        (IdentifierPlace.HEADER, True, False),
        (IdentifierPlace.BODY, False, True),
        (IdentifierPlace.NOWHERE, False, False),
    ]
    for place, header, body in cases:
        shop = _shop(identifier_place=place)
        shop.paid()
        (callback,) = shop.emulator.callbacks.waiting
        assert ("callbackIdentifier" in dict(callback.headers)) is header
        assert ("callbackIdentifier" in shop.told[0]) is body


def test_callbacks_are_sent_again_until_exactly_200() -> None:
    shop, statuses, times = Shop(), [500, None, 201, 204, *[503] * 20], list[datetime]()

    def take(_: CallbackRequest) -> int | None:
        times.append(shop.emulator.clock.now())
        return statuses.pop(0)

    shop.paid()
    for _ in range(700):
        shop.emulator.deliver_callbacks(hand_over(take))
        shop.wait(1)
    assert [(after - before).seconds for before, after in pairwise(times)] == [5, 10, 20, 40, *[60] * 6]
    assert shop.emulator.callbacks.waiting == ()


def test_a_callback_that_is_taken_is_not_sent_again() -> None:
    shop = Shop()
    shop.paid()
    (attempt,) = shop.emulator.deliver_callbacks(hand_over(lambda _: 200))
    assert attempt.taken
    assert shop.emulator.callbacks.waiting == ()


def test_a_forged_callback_names_another() -> None:
    shop = Shop()
    payment = shop.created()
    shop.emulator.forge_callback(payment, naming="F" * 32)
    assert shop.told[0]["id"] == "F" * 32


def test_payments_are_found_by_every_name() -> None:
    shop = Shop()
    record = shop.emulator.payment(shop.created(payeePaymentReference="NAMN1"))
    location = f"{API}/swish-cpcapi/api/v1/paymentrequests/{record.id}"
    link = f"swish://paymentrequest?token={record.token}&callbackurl=https%3A%2F%2Fshop.example"
    for name in (record.id, record.token, "NAMN1", location, link, record.page_path, record.payment_reference):
        assert shop.emulator.payment(name) == record
    with pytest.raises(ControlRefused, match="no payment request"):
        shop.emulator.payment("nothing")
    assert record.token not in repr(record)


def test_behaviour_can_change_between_calls() -> None:
    shop = Shop()
    payment = shop.created()
    assert shop.emulator.behaviour == Behaviour()
    shop.emulator.behaviour = replace(AWKWARD, retry_schedule=RetrySchedule())
    assert shop.get(payment)["status"] == "PENDING"
    assert shop.emulator.callbacks.schedule == RetrySchedule()
    assert shop.emulator.describe_order(payment)["status"] == "CREATED"


def test_the_same_seed_tells_the_same_story() -> None:
    tokens = [Shop(SwishEmulator(seed=seed)).create().token for seed in (1, 1, 2)]
    assert tokens[0] == tokens[1] != tokens[2]


# Faults


def _is_lost(shop: Shop, kind: FaultKind) -> str:
    shop.emulator.faults.add(Fault(kind=kind, call="create"))
    name = shop.new_id()
    path = f"/swish-cpcapi/api/v2/paymentrequests/{name}"
    assert shop.send("PUT", path, shop.request()) == Dropped()
    return name


def test_an_answer_lost_before_acting_leaves_nothing() -> None:
    shop = Shop()
    name = _is_lost(shop, FaultKind.DROP_BEFORE)
    assert shop.call("GET", f"/swish-cpcapi/api/v1/paymentrequests/{name}").status == 404
    assert shop.create(name).status == 201


def test_an_answer_lost_after_acting_is_found_again_by_its_id() -> None:
    shop = Shop()
    name = _is_lost(shop, FaultKind.DROP_AFTER)
    assert shop.create(name).codes == ["RP09"]
    assert "paymentRequestToken" not in shop.get(name)
    assert [(seen.call, seen.reference, seen.outcome) for seen in shop.emulator.transcript.seen] == [
        ("create", name, "dropped"),
        ("create", name, "422"),
        ("get", name, "200"),
    ]


def test_statuses_in_between() -> None:
    cases: list[int] = [429, 500, 504]
    for status in cases:
        shop = Shop()
        shop.emulator.faults.add(
            Fault(kind=FaultKind.STATUS_BEFORE, call="refund", status=status, body=FaultBody.EMPTY, retry_after=7)
        )
        answer = shop.refund(shop.paid())
        assert (answer.status, answer.body, answer.headers["retry-after"]) == (status, b"", "7")
        assert shop.emulator.refunds == ()


def test_in_process_the_first_merchant_calls_or_another() -> None:
    emulator = SwishEmulator()
    request = HttpRequest(method="GET", url=f"{API}/swish-cpcapi/api/v1/paymentrequests/{'A' * 32}", label="get")

    def send(sender: EmulatorSender) -> HttpResponse:
        return run_blocking(sender.send(request, timeout=5))

    assert send(EmulatorSender(emulator.mounts)).status == 404
    assert send(EmulatorSender(emulator.mounts_for("1239999999"))).status == 401
    with pytest.raises(NotSent):
        send(EmulatorSender(emulator.mounts_for("")))
    emulator.faults.add(Fault(kind=FaultKind.DROP_AFTER, call="get"))
    with pytest.raises(OutcomeUnknown):
        send(EmulatorSender(emulator.mounts))


def test_an_advance_that_passes_much_settles_each_thing_at_its_time() -> None:
    shop = Shop()
    payment = shop.created()
    shop.emulator.clock.advance(timedelta(hours=1))
    shop.emulator.settle()
    (callback,) = shop.emulator.callbacks.waiting
    assert callback.due == datetime(2026, 1, 15, 12, 5, 30, tzinfo=UTC)
    assert shop.get(payment)["status"] == "ERROR"
