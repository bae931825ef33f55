"""Every body of a gateway or a stranger becomes a value or one of our errors, and never anything else."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings, strategies as st

from prenopay import CallbackRequest, Money, Order, Outcome, PageStyle, PaymentState
from prenopay._blocking import run_blocking
from prenopay.errors import InvalidOrder, PrenopayError
from prenopay.ports import HttpResponse
from prenopay.provider import ChangeRequest, Created, CreateRequest, Inspection, Observation, Reply
from prenopay.providers.swedbankpay import SwedbankPay
from prenopay.values.callbacks import Heard

from .gateway import ANSWERS, ANY_BODY, ORDER_ID, ORDERS, PAID_ORDERS, PROVIDER, Answering
from .strategies import orders

_SEK = "SEK"
_ORDER = Order(
    amount=Money(14900, _SEK),
    description="Digital",
    return_url="https://shop.example",
    page=PageStyle.SEAMLESS,
    payment_page_url="https://shop.example/pay",
)
_CHANGE = ChangeRequest(
    payment_id="pay_1",
    provider_reference=ORDER_ID,
    reference="REF1",
    amount=Money(14900, _SEK),
    vat=Money(843, _SEK),
    lines=(),
    description="Digital",
)


def answer(body: Any) -> HttpResponse:
    return HttpResponse(status=200, body=json.dumps(body).encode())


# Strangers


@settings(max_examples=300)
@given(ANY_BODY)
def test_any_body_is_inspected_or_refused_in_one_line(body: bytes) -> None:
    try:
        said: object = SwedbankPay.inspect(body)
    except ValueError as error:
        said = str(error)
    assert isinstance(said, Inspection) or (isinstance(said, str) and len(said.splitlines()) == 1)


@settings(max_examples=120)
@given(ANY_BODY)
def test_any_callback_is_a_hint_or_rejected(body: bytes) -> None:
    trust = PROVIDER.read_callback(CallbackRequest(path="/", body=body, peer="203.0.113.9"))
    assert isinstance(trust, Heard)


@settings(max_examples=150)
@given(ANSWERS)
def test_any_answer_to_a_look_is_an_observation_or_one_of_our_errors(given_answer: HttpResponse) -> None:
    try:
        seen = run_blocking(PROVIDER.observe(Answering(given_answer), ORDER_ID))
    except PrenopayError:
        return
    assert isinstance(seen, Observation)


@settings(max_examples=120)
@given(ANSWERS)
def test_any_answer_to_a_create_is_a_payment_or_one_of_our_errors(given_answer: HttpResponse) -> None:
    request = CreateRequest(order=_ORDER, payment_id="pay_1", reference="REF1", callback_url="https://shop.example/cb")
    try:
        made = run_blocking(PROVIDER.create_payment(Answering(given_answer), request))
    except PrenopayError:
        return
    assert isinstance(made, Created)


@settings(max_examples=200)
@given(st.sampled_from(["capture", "cancel", "refund", "update"]), ORDERS, ANSWERS)
def test_any_answer_to_a_change_is_a_reply_or_one_of_our_errors(
    verb: str,
    before: dict[str, Any],
    given_answer: HttpResponse,
) -> None:
    try:
        reply = run_blocking(getattr(PROVIDER, verb)(Answering(answer(before), given_answer), _CHANGE))
    except PrenopayError:
        return
    assert isinstance(reply, Reply)
    assert (reply.outcome is Outcome.DECLINED) is (reply.decline is not None)


@given(ANSWERS)
def test_any_answer_to_a_probe_is_reported_or_one_of_our_errors(given_answer: HttpResponse) -> None:
    credentials, clock = run_blocking(PROVIDER.probe(Answering(given_answer)))
    assert (credentials.name, clock.name) == ("credentials", "clock")


# What is read adds up


@settings(max_examples=250)
@given(PAID_ORDERS)
def test_no_total_is_ever_negative(body: dict[str, Any]) -> None:
    seen = run_blocking(PROVIDER.observe(Answering(answer(body)), ORDER_ID))
    assert seen.refunded is not None
    totals = (seen.authorized, seen.captured, seen.refunded, seen.cancelled, seen.discount)
    assert all(total >= Money.zero(_SEK) for total in totals)


@settings(max_examples=150)
@given(PAID_ORDERS)
def test_a_payment_is_captured_when_something_was(body: dict[str, Any]) -> None:
    seen = run_blocking(PROVIDER.observe(Answering(answer(body)), ORDER_ID))
    if seen.captured:
        assert PaymentState.CAPTURED is seen.state


@settings(max_examples=120)
@given(PAID_ORDERS)
def test_inspecting_and_observing_agree(body: dict[str, Any]) -> None:
    observed = run_blocking(PROVIDER.observe(Answering(answer(body)), ORDER_ID))
    inspected = SwedbankPay.inspect(json.dumps(body).encode())
    assert observed.refunded is not None
    assert observed.state == inspected.state
    assert inspected.captured in {None, observed.captured.minor}
    assert inspected.refunded in {None, observed.refunded.minor}


@given(ORDERS)
def test_reading_twice_is_reading_once(body: dict[str, Any]) -> None:
    one, other = (run_blocking(PROVIDER.observe(Answering(answer(body)), ORDER_ID)) for _ in range(2))
    assert one == other


# What is written


@settings(max_examples=40)
@given(orders())
def test_an_order_that_is_taken_can_be_written(order: Order) -> None:
    try:
        PROVIDER.check_order(order)
    except InvalidOrder:
        return
    sent: list[bytes] = []

    async def send(request: Any) -> HttpResponse:
        sent.append(request.body)
        return answer({"paymentOrder": {"id": ORDER_ID, "status": "Initialized", "amount": 1, "currency": _SEK}})

    request = CreateRequest(order=order, payment_id="pay_1", reference="REF1", callback_url="https://shop.example/cb")
    run_blocking(PROVIDER.create_payment(send, request))
    body = json.loads(sent[0])["paymentorder"]
    items = body.get("orderItems", [])
    assert sum(item["amount"] for item in items) in {0, order.amount.minor}
    assert not [name for name in ("amount", "vatAmount") if name not in order.extra and not isinstance(body[name], int)]
