"""The control API: everything a test in another process, or a person with curl, needs."""

from __future__ import annotations

from typing import Any

from prenopay.testing.emulators.swedbankpay import Status, SwedbankPayEmulator
from prenopay.testing.faults import Fault, FaultKind

from .calling import Answer, Merchant


def _control(merchant: Merchant, method: str, path: str, body: object = None) -> Answer:
    return merchant.call(method, f"/__emulator__/{path}", body)


def _good(merchant: Merchant, method: str, path: str, body: object = None) -> Any:
    answer = _control(merchant, method, path, body)
    assert answer.status == 200, answer.body
    return answer.body


def test_orders_are_shown_with_their_totals(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    order = merchant.order()
    emulator.pay_by_card(order)
    merchant.capture(order, 500, "C1")
    (shown,) = _good(merchant, "GET", "orders")["orders"]
    assert (shown["status"], shown["authorized"], shown["captured"]) == ("Paid", 1500, 500)
    assert [entry["payeeReference"] for entry in shown["transactions"]] == ["A1", "C1"]
    assert _good(merchant, "GET", "orders/A1") == shown


def test_the_payer_is_driven() -> None:
    cases: list[tuple[dict[str, str], Status]] = [
        ({"action": "pay_by_card", "pan": "4761739001010416", "expiry": "12/2030"}, Status.PAID),
        ({"action": "pay_by_swish", "msisdn": "+46739000001", "answer": "decline"}, Status.INITIALIZED),
        ({"action": "pay_by", "instrument": "Trustly"}, Status.PAID),
        ({"action": "cancel"}, Status.ABORTED),
        ({"action": "walk_away"}, Status.INITIALIZED),
    ]
    for body, status in cases:
        merchant = Merchant(SwedbankPayEmulator())
        order = merchant.order()
        assert _good(merchant, "POST", "payer", {"order": order, **body})["status"] == status


def test_an_open_question_is_answered(merchant: Merchant) -> None:
    order = merchant.order()
    left = _good(merchant, "POST", "payer", {"order": order, "action": "pay_by_swish", "answer": "leave"})
    answer = {"order": order, "action": "answer", "answer": "approve", "attempt": left["attempt"]}
    assert _good(merchant, "POST", "payer", answer)["next"] == "https://shop.example/complete"


def test_faults_are_planned_and_cleared(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    fault = {"kind": "delay", "call": "get", "times": 2, "seconds": 1.5}
    (shown,) = _good(merchant, "POST", "faults", fault)["faults"]
    assert emulator.faults.waiting == (Fault(kind=FaultKind.DELAY, call="get", times=2, seconds=1.5),)
    assert shown["seconds"] == 1.5
    status = {"kind": "status_before", "status": 429, "body": "empty", "retry_after": 3}
    assert len(_good(merchant, "POST", "faults", status)["faults"]) == 2
    assert len(_good(merchant, "GET", "faults")["faults"]) == 2
    assert _good(merchant, "POST", "faults/clear")["faults"] == []


def test_time_is_pushed_and_set(merchant: Merchant) -> None:
    assert _good(merchant, "POST", "clock", {"set": "2026-03-01T00:00:00+00:00"})["now"].startswith("2026-03-01")
    assert _good(merchant, "POST", "clock", {"advance_seconds": 86400})["now"].startswith("2026-03-02")
    assert _good(merchant, "GET", "clock")["now"].startswith("2026-03-02")


def test_callbacks_are_shown_held_and_forged(merchant: Merchant, emulator: SwedbankPayEmulator) -> None:
    order = merchant.order()
    assert _good(merchant, "POST", "callbacks", {"manner": "hold"}) == {"manner": "hold"}
    emulator.pay_by_card(order)
    assert emulator.deliver_callbacks(lambda *_: 200) == ()
    forged = _good(merchant, "POST", "callbacks/forge", {"order": order, "naming": "/psp/paymentorders/other"})
    assert "/psp/paymentorders/other" in forged["body"]
    _good(merchant, "POST", "callbacks", {"manner": "release"})
    _good(merchant, "POST", "callbacks", {"manner": "drop", "times": 1})
    emulator.deliver_callbacks(lambda *_: 200)
    shown = _good(merchant, "GET", "callbacks")
    assert [attempt["lost"] for attempt in shown["attempts"]] == [True, False]
    assert shown["waiting"] == []


def test_the_transcript_names_calls_and_references_and_leaves_control_out(merchant: Merchant) -> None:
    order = merchant.order()
    merchant.get(order)
    merchant.capture(order, 1, "C1")
    seen = _good(merchant, "GET", "transcript")["seen"]
    assert [(entry["call"], entry["reference"], entry["outcome"]) for entry in seen] == [
        ("create", "A1", "201"),
        ("get", "", "200"),
        ("capture", "C1", "403"),
    ]


def test_nonsense_is_explained() -> None:
    cases: list[tuple[str, object]] = [
        ("payer", {"order": "A1", "action": "fly"}),
        ("payer", {"order": "A1"}),
        ("payer", {"order": "none", "action": "cancel"}),
        ("payer", {"order": "A1", "action": "pay_by_card", "pan": "4111111111111111"}),
        ("payer", {"order": "A1", "action": "pay_by_swish", "answer": "perhaps"}),
        ("payer", {"order": "A1", "action": "pay_by_card", "answr": "decline"}),
        ("payer", {"order": "A1", "action": "pay_by_card", "pan": "4925000000000004", "answer": "decline"}),
        ("faults", {"kind": "explode"}),
        ("faults", {"kind": "refuse"}),
        ("faults", {"kind": "delay", "call": "captrue"}),
        ("faults", {"kind": "delay", "method": "PSOT"}),
        ("faults", {"kind": "status_before", "status": 7}),
        ("faults/clear", {"all": True}),
        ("callbacks", {"manner": "drop", "time": 2}),
        ("callbacks/forge", {"order": "A1", "naming": "x", "times": 2}),
        ("clock", {"advance_seconds": 1, "then": "stop"}),
        ("faults", {"kind": "delay", "loud": True}),
        ("faults", {"kind": "delay", "seconds": "soon"}),
        ("faults", {"kind": "delay", "times": 0}),
        ("faults", {"kind": "delay", "times": True}),
        ("clock", {"advance_seconds": -1}),
        ("clock", {"set": "yesterday"}),
        ("clock", {}),
        ("callbacks", {"manner": "polite"}),
        ("callbacks/forge", {"order": "A2", "naming": "x"}),
        ("clock", b"no json"),
        ("clock", []),
    ]
    for path, body in cases:
        merchant = Merchant(SwedbankPayEmulator())
        merchant.order("A1")
        merchant.order("A2", urls={**_urls(), "callbackUrl": None})
        answer = _control(merchant, "POST", path, body)
        assert answer.status == 400
        assert answer.body["error"]


def test_a_misspelled_call_is_refused_with_the_calls_that_there_are(merchant: Merchant) -> None:
    told = _control(merchant, "POST", "faults", {"kind": "delay", "call": "captrue"}).body["error"]
    assert told.startswith("call: 'captrue' is not one of create, charge, get,")
    assert "a served emulator cannot refuse" in _control(merchant, "POST", "faults", {"kind": "refuse"}).body["error"]


def test_a_payer_who_declines_without_a_card_has_one_that_asks(merchant: Merchant) -> None:
    order = merchant.order()
    shown = _good(merchant, "POST", "payer", {"order": order, "action": "pay_by_card", "answer": "decline"})
    assert (shown["status"], shown["problem"] != "") == ("Initialized", True)


def test_an_unknown_control_lists_those_there_are(merchant: Merchant) -> None:
    answer = _control(merchant, "GET", "nothing")
    assert answer.status == 404
    assert "GET /__emulator__/orders" in answer.body["controls"]


def _urls() -> dict[str, object]:
    return {
        "hostUrls": ["https://shop.example"],
        "completeUrl": "https://shop.example/complete",
        "cancelUrl": "https://shop.example/cancel",
    }
