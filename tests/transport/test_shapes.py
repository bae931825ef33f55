"""The shape of each call when it leaves: method, address, headers and body, the same in both colours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import respx

from prenopay import CaptureMode
from prenopay._transport import AwaitingSender, BlockingSender
from prenopay.testing.emulators.swedbankpay import DEFAULT_ACCESS_TOKEN, DEFAULT_PAYEE_ID, SwedbankPayEmulator
from prenopay.testing.http import EmulatorAnswer, EmulatorRequest
from prenopay.values.subjects import Subject
from tests.behaviour.shop import COLOURS, Shop

_HOST = "api.externalintegration.payex.com"


@pytest.fixture
def shop(mocked: respx.MockRouter, colour: str, sqlite_database: str) -> Iterator[Shop]:
    emulator = SwedbankPayEmulator()

    def answer(request: httpx.Request) -> httpx.Response:
        outcome = emulator.handle(
            EmulatorRequest(
                method=request.method,
                target=request.url.raw_path.decode(),
                headers=tuple((name.lower(), value) for name, value in request.headers.items()),
                body=request.content,
                origin=f"https://{_HOST}",
            ),
        )
        assert isinstance(outcome, EmulatorAnswer)
        return httpx.Response(outcome.status, headers=list(outcome.headers), content=outcome.body)

    mocked.route(host=_HOST).mock(side_effect=answer)
    sender: BlockingSender | AwaitingSender = BlockingSender() if colour == "blocking" else AwaitingSender()
    shop = Shop(colour, sqlite_database, emulator=emulator, sender=sender)
    yield shop
    shop.close()


@pytest.fixture(params=COLOURS)
def colour(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def mocked() -> Iterator[respx.MockRouter]:
    with respx.mock(assert_all_called=False) as router:
        yield router


def sent(mocked: respx.MockRouter, *, method: str, after: str = "") -> list[httpx.Request]:
    requests = [call.request for call in mocked.calls]
    return [each for each in requests if each.method == method and each.url.path.endswith(after)]


def test_every_request_carries_the_same_headers_and_no_others(mocked: respx.MockRouter, shop: Shop) -> None:
    payment = shop.paid(capture=CaptureMode.AUTOMATIC)
    shop.payments.refund(payment.payment_id, operation_id="refund:1")
    shop.payments.probe()
    expected = {
        "accept": "application/json;version=3.1, application/problem+json;q=0.9",
        "accept-encoding": "identity",
        "authorization": f"Bearer {DEFAULT_ACCESS_TOKEN}",
        "content-type": "application/json;version=3.1",
        "host": _HOST,
        "user-agent": "prenopay",
    }
    assert len(mocked.calls) >= 4
    for call in mocked.calls:
        headers = dict(call.request.headers)
        length = headers.pop("content-length", None)
        assert headers == expected
        assert length == (str(len(call.request.content)) if call.request.content else None)


def test_an_order_is_posted_once_with_what_the_gateway_needs(mocked: respx.MockRouter, shop: Shop) -> None:
    payment = shop.bought()
    (request,) = sent(mocked, method="POST")
    order: dict[str, Any] = json.loads(request.content)["paymentorder"]
    assert str(request.url) == f"https://{_HOST}/psp/paymentorders"
    assert (order["operation"], order["currency"], order["amount"], order["vatAmount"]) == (
        "Purchase",
        "SEK",
        11900,
        674,
    )
    assert order["payeeInfo"]["payeeId"] == DEFAULT_PAYEE_ID
    assert order["payeeInfo"]["payeeReference"].isalnum()
    assert order["urls"]["callbackUrl"] == shop.accounts.callback_urls.url("cards", Subject.payment(payment.payment_id))


def test_a_look_asks_for_everything_in_one_read(mocked: respx.MockRouter, shop: Shop) -> None:
    payment = shop.bought()
    shop.payments.observe(payment.payment_id)
    (request,) = sent(mocked, method="GET")
    nodes = "payeeinfo,paid,cancelled,reversed,failed,aborted,failedattempts,"
    nodes += "financialtransactions,postpurchasefailedattempts"
    assert request.url.path == payment.provider_reference
    assert request.url.query == f"$expand={nodes}".encode()
    assert request.content == b""


@pytest.mark.parametrize(
    ("verb", "rel"), [("capture", "captures"), ("refund", "reversals"), ("cancel", "cancellations")]
)
def test_a_change_of_money_is_posted_to_the_link_that_the_gateway_gave(
    mocked: respx.MockRouter,
    shop: Shop,
    verb: str,
    rel: str,
) -> None:
    payment = shop.paid(capture=CaptureMode.AUTOMATIC if verb == "refund" else CaptureMode.MANUAL)
    getattr(shop.payments, verb)(payment.payment_id, operation_id="it")
    (request,) = sent(mocked, method="POST", after=rel)
    transaction: dict[str, Any] = json.loads(request.content)["transaction"]
    assert request.url.path == f"{payment.provider_reference}/{rel}"
    assert request.url.query.startswith(b"$expand=")
    assert transaction["payeeReference"].isalnum()
    amounts = {name: transaction[name] for name in ("amount", "vatAmount") if name in transaction}
    assert amounts == ({} if verb == "cancel" else {"amount": 11900, "vatAmount": 674})


def test_an_unpaid_order_is_closed_with_a_patch(mocked: respx.MockRouter, shop: Shop) -> None:
    payment = shop.bought()
    shop.payments.cancel(payment.payment_id, operation_id="cancel:1")
    (request,) = sent(mocked, method="PATCH")
    assert request.url.path == payment.provider_reference
    assert json.loads(request.content)["paymentorder"]["operation"] == "Abort"


def test_nothing_leaves_for_a_host_that_is_not_the_gateways(mocked: respx.MockRouter, shop: Shop) -> None:
    payment = shop.paid()
    shop.payments.capture(payment.payment_id, operation_id="capture:1")
    assert {call.request.url.host for call in mocked.calls} == {_HOST}
