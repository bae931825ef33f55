"""Connections: kept and reused, replaced when stale, shared without confusion, and all closed at the end."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from prenopay._blocking import run_blocking
from prenopay._transport import BlockingSender
from prenopay.errors import OutcomeUnknown
from tests.transport.caller import Caller, get, post
from tests.transport.gateway import PATIENCE, Gateway, Line, answer, answering, silent

_MANY = 60
_CONNECTIONS_MOST = 20


def test_one_connection_carries_many_exchanges(caller: Caller, serve: Callable[..., Gateway]) -> None:
    gateway = serve(answering(answer(b"1"), answer(b"2"), answer(b"3")))
    assert [caller.send(post(gateway.url)).body for _ in range(3)] == [b"1", b"2", b"3"]
    assert gateway.accepted == 1


def test_closing_hangs_up_every_idle_connection(colour: str, serve: Callable[..., Gateway]) -> None:
    gateways = [serve(answering(answer())) for _ in range(3)]
    caller = Caller(colour)
    for gateway in gateways:
        caller.send(get(gateway.url))
    caller.close()
    for gateway in gateways:
        gateway.until_hung_up()
    gc.collect()  # Python would warn now about a connection that is still open


def test_a_server_that_says_it_will_close_is_believed(caller: Caller, serve: Callable[..., Gateway]) -> None:
    gateway = serve(answering(answer(headers=["connection: close"])))
    for _ in range(2):
        assert caller.send(post(gateway.url)).status == 200
    assert gateway.accepted == 2


def test_a_connection_that_the_server_closed_meanwhile_is_replaced(
    caller: Caller,
    serve: Callable[..., Gateway],
) -> None:
    def talk(line: Line) -> None:
        line.request()
        line.say(answer())

    gateway = serve(talk)
    for _ in range(3):
        assert caller.send(post(gateway.url)).status == 200
        gateway.until_hung_up()
    assert len(gateway.requests) == 3


def test_cookies_are_not_kept_for_the_next_caller(caller: Caller, serve: Callable[..., Gateway]) -> None:
    gateway = serve(answering(answer(headers=["set-cookie: session=somebody; Path=/"])))
    for _ in range(2):
        caller.send(get(gateway.url))
    assert [request.header("cookie") for request in gateway.requests] == [None, None]


def echo(line: Line) -> None:
    while (request := line.request()) is not None:
        line.say(answer(request.body))


def test_many_callers_at_once_get_each_their_own_answer(caller: Caller, serve: Callable[..., Gateway]) -> None:
    gateway = serve(echo)
    bodies = [f"number {number}".encode() for number in range(_MANY)]
    with ThreadPoolExecutor(_MANY) as pool:
        answers = list(pool.map(lambda body: caller.send(post(gateway.url, body)).body, bodies))
    assert answers == bodies
    assert gateway.accepted <= _CONNECTIONS_MOST


def test_a_caller_who_finds_no_free_connection_waits_for_one(caller: Caller, serve: Callable[..., Gateway]) -> None:
    all_taken, go_on = threading.Barrier(_CONNECTIONS_MOST), threading.Event()

    def talk(line: Line) -> None:
        while line.request() is not None:
            if not go_on.is_set():
                all_taken.wait(PATIENCE)
                go_on.set()
            line.say(answer())

    gateway = serve(talk)
    with ThreadPoolExecutor(_CONNECTIONS_MOST + 5) as pool:
        sending = [pool.submit(caller.send, get(gateway.url)) for _ in range(_CONNECTIONS_MOST + 5)]
        assert {each.result().status for each in sending} == {200}
    assert gateway.accepted == _CONNECTIONS_MOST


def test_ones_short_deadline_is_not_anothers(caller: Caller, serve: Callable[..., Gateway]) -> None:
    hurry_is_over = threading.Event()

    def talk(line: Line) -> None:
        line.request()
        hurry_is_over.wait(PATIENCE)
        line.say(answer(b"late"))

    patient_gateway, hurried_gateway = serve(talk), serve(silent)
    with ThreadPoolExecutor(1) as pool:
        patient = pool.submit(caller.send, get(patient_gateway.url))
        with pytest.raises(OutcomeUnknown):
            caller.send(get(hurried_gateway.url), timeout=0.5)
        hurry_is_over.set()
        assert patient.result().body == b"late"


def test_a_client_of_the_hosts_own_follows_no_redirect_either(serve: Callable[..., Gateway]) -> None:
    elsewhere = serve(answering(answer()))
    gateway = serve(answering(answer(status=307, headers=[f"location: {elsewhere.url}/"])))
    sender = BlockingSender(client=httpx.Client(trust_env=False, follow_redirects=True))
    try:
        assert run_blocking(sender.send(post(gateway.url), timeout=PATIENCE)).status == 307
    finally:
        run_blocking(sender.aclose())
    assert elsewhere.accepted == 0


def test_a_proxy_in_the_environment_is_not_used(
    colour: str,
    serve: Callable[..., Gateway],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    proxy, gateway = serve(answering(answer(b"proxied"))), serve(answering(answer(b"direct")))
    for name in ("HTTP_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.setenv(name, proxy.url)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    caller = Caller(colour)
    try:
        assert caller.send(get(gateway.url)).body == b"direct"
    finally:
        caller.close()
    assert proxy.accepted == 0
