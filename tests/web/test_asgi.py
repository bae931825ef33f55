"""What only ASGI knows: bodies in parts, callers who hang up, lifespan, other protocols, and mounting."""

from __future__ import annotations

from typing import Any

import anyio
import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from prenopay import PaymentState
from prenopay.values.callbacks import BODY_LIMIT_BYTES
from prenopay.web.asgi import CallbackApp
from tests.web.host import Host, body
from tests.web.raw import Talk, call_asgi, scope


def part(content: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.request", "body": content, "more_body": more}


def test_a_body_in_parts_is_put_together(host: Host) -> None:
    payment = host.paid()
    content = body(payment)
    messages = [part(content[number : number + 1], more=True) for number in range(len(content))]
    talk = call_asgi(host, scope(host.path(payment)), Talk(*messages, {"type": "http.request"}))
    assert talk.reply.status == 200
    (stored,) = host.callbacks()
    assert stored.names == (payment.provider_reference,)


def test_a_body_that_does_not_end_is_read_no_further_than_needed(host: Host) -> None:
    payment = host.paid()
    talk = Talk(*[part(b" " * (BODY_LIMIT_BYTES // 4), more=True)] * 100)
    assert call_asgi(host, scope(host.path(payment)), talk).reply.status == 413
    assert talk.received == 5


@pytest.mark.parametrize("said", [[], [part(b"{", more=True)]])
def test_a_caller_who_hangs_up_early_gets_no_answer_and_leaves_nothing(host: Host, said: list[dict[str, Any]]) -> None:
    payment = host.paid()
    talk = call_asgi(host, scope(host.path(payment)), Talk(*said, {"type": "http.disconnect"}))
    assert talk.sent == []
    assert host.callbacks() == ()


@pytest.mark.parametrize("asked", [scope("/pay/callbacks/cards/payment/pay_1/forged"), scope("/")])
def test_a_body_that_nobody_needs_is_not_read(host: Host, asked: dict[str, Any]) -> None:
    talk = call_asgi(host, asked, Talk(part(b" ", more=True)))
    assert (talk.reply.status, talk.received) == (404, 0)


@pytest.mark.parametrize("broken_after", [0, 1])
def test_a_caller_who_hangs_up_before_the_reply_was_heard(host: Host, broken_after: int) -> None:
    payment = host.paid()
    with pytest.raises(OSError, match="the caller hung up"):
        call_asgi(host, scope(host.path(payment)), Talk(part(body(payment), more=False), broken_after=broken_after))
    assert len(host.callbacks()) == 1
    host.blocking().sweep()
    assert host.heard == [f"{payment.payment_id} payment.authorized"]


def test_a_server_may_leave_out_what_it_does_not_know(host: Host) -> None:
    payment = host.paid()
    asked = scope(host.path(payment))
    del asked["client"], asked["query_string"]
    assert call_asgi(host, asked, Talk(part(body(payment), more=False))).reply.status == 200


def test_starting_and_stopping_are_acknowledged(host: Host) -> None:
    talk = Talk({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})
    call_asgi(host, {"type": "lifespan", "asgi": {"version": "3.0"}}, talk)
    assert talk.sent == [{"type": "lifespan.startup.complete"}, {"type": "lifespan.shutdown.complete"}]


def test_a_web_socket_is_closed(host: Host) -> None:
    talk = call_asgi(host, {**scope("/"), "type": "websocket"}, Talk({"type": "websocket.connect"}))
    assert [message["type"] for message in talk.sent] == ["websocket.close"]


@pytest.mark.parametrize("prefix", ["", "/pay/callbacks", "/a/b/c/d"])
def test_it_may_be_mounted_under_any_prefix(host: Host, prefix: str) -> None:
    payment = host.paid()
    path = host.path(payment).removeprefix("/pay/callbacks")

    async def main() -> list[int]:
        accounts = host.awaiting()
        app = Starlette(routes=[Mount(prefix or "/", app=CallbackApp(accounts))])
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://shop.example") as client:
            replies = [await client.post(prefix + path + end, content=body(payment)) for end in ("", "x")]
        await accounts.aclose()
        return [reply.status_code for reply in replies]

    assert anyio.run(main) == [200, 404]
    assert host.desk["cards"].get(payment.payment_id).state is PaymentState.AUTHORIZED


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_many_at_once_in_one_loop_are_each_reported_once(host: Host, backend: str) -> None:
    payments = [host.paid(number) for number in range(40)]

    async def main() -> None:
        accounts = host.awaiting()
        app = CallbackApp(accounts)
        async with anyio.create_task_group() as tasks:
            for payment in payments:
                talk = Talk(part(body(payment), more=False))
                tasks.start_soon(app, scope(host.path(payment)), talk.receive, talk.send)
        await accounts.aclose()

    anyio.run(main, backend=backend)
    assert sorted(host.heard) == sorted(f"{payment.payment_id} payment.authorized" for payment in payments)
    assert all(stored.done_at is not None for stored in host.callbacks())
