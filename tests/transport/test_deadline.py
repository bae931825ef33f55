"""The deadline limits the whole exchange, not each byte: slow, stalled and silent answers all end by it."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress

import pytest

from prenopay._system import AwaitingClock, BlockingClock, SystemEntropy
from prenopay._transport import AccountSender
from prenopay.errors import NotSent, OutcomeUnknown, TransportError
from tests.transport.caller import Caller, get, post
from tests.transport.gateway import Gateway, Line, Talk, answer, answering, name_gateway_test, silent

_SHORT = 0.5
"""Long enough for a busy machine to connect."""
_SURELY_LESS = 60.0
"""The slow answers below would take minutes; a busy machine may be many seconds late."""
_LONG = b" " * 5000


@contextmanager
def in_time() -> Iterator[None]:
    began = time.monotonic()
    yield
    passed = time.monotonic() - began
    assert passed < _SURELY_LESS


def drip_the_head(line: Line) -> None:
    line.request()
    line.drip(b"HTTP/1.1 200 OK\r\nx-slow: " + b"y" * 5000)


def drip_the_body(line: Line) -> None:
    line.request()
    line.say(b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n")
    line.drip(_LONG)


def drip_chunks(line: Line) -> None:
    line.request()
    line.say(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    line.drip(b"1\r\nx\r\n" * 1000)


def drip_a_body_without_length(line: Line) -> None:
    line.request()
    line.say(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
    line.drip(_LONG)


def drip_promises_to_go_on(line: Line) -> None:
    line.request()
    line.drip(b"HTTP/1.1 100 Continue\r\n\r\n" * 200)


_SLOW: list[Talk] = [
    drip_the_head,
    drip_the_body,
    drip_chunks,
    drip_a_body_without_length,
    drip_promises_to_go_on,
    silent,
]


@pytest.mark.parametrize("slow", _SLOW, ids=lambda slow: slow.__name__)
def test_a_slow_answer_ends_by_the_deadline(caller: Caller, serve: Callable[..., Gateway], slow: Talk) -> None:
    gateway = serve(slow)
    with in_time(), pytest.raises(OutcomeUnknown, match="capture: "):
        caller.send(post(gateway.url), timeout=_SHORT)
    gateway.until_hung_up()


def test_a_slow_answer_over_tls_ends_by_the_deadline(
    call: Callable[..., Caller],
    serve: Callable[..., Gateway],
    server_tls: ssl.SSLContext,
    trusting: ssl.SSLContext,
) -> None:
    gateway = serve(drip_the_body, tls=server_tls)
    with in_time(), pytest.raises(OutcomeUnknown):
        call(tls=trusting).send(post(gateway.url), timeout=_SHORT)
    gateway.until_hung_up()


def test_an_answer_that_drips_fast_enough_comes_whole(caller: Caller, serve: Callable[..., Gateway]) -> None:
    def talk(line: Line) -> None:
        line.request()
        line.drip(answer(b'{"paid":true}'), pause=0.001)

    assert caller.send(get(serve(talk).url)).body == b'{"paid":true}'


def test_a_handshake_that_never_comes_ends_by_the_deadline_and_nothing_was_sent(
    caller: Caller,
    serve: Callable[..., Gateway],
) -> None:
    gateway = serve(Line.wait_for_the_end)
    with in_time(), pytest.raises(NotSent):
        caller.send(post(gateway.url.replace("http:", "https:")), timeout=_SHORT)


def test_a_host_that_does_not_take_the_call_was_sent_nothing(caller: Caller) -> None:
    with a_full_house() as host, in_time(), pytest.raises(NotSent):
        caller.send(post(f"http://{host}"), timeout=_SHORT)


def test_a_name_with_several_addresses_has_one_deadline(
    caller: Caller,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name_gateway_test(monkeypatch, *["127.0.0.1"] * 30)
    with a_full_house() as host, in_time(), pytest.raises(TransportError):
        caller.send(post(f"http://{host.replace('127.0.0.1', 'gateway.test')}"), timeout=_SHORT)


@contextmanager
def a_full_house() -> Iterator[str]:
    """Listen without accepting, with every place in the queue taken."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            guest = stack.enter_context(socket.socket())
            guest.setblocking(False)  # noqa: FBT003 - the name it has
            with suppress(BlockingIOError):
                guest.connect(listener.getsockname())
        yield f"127.0.0.1:{listener.getsockname()[1]}"


# Exchanges do not share a deadline; the tries of one exchange do


def test_a_deadline_that_passed_does_not_shorten_the_next_exchange(
    caller: Caller,
    serve: Callable[..., Gateway],
) -> None:
    with pytest.raises(OutcomeUnknown):
        caller.send(get(serve(silent).url), timeout=_SHORT)
    assert caller.send(get(serve(answering(answer())).url)).status == 200


def test_a_connection_that_outlives_a_deadline_is_good_for_the_next(serve: Callable[..., Gateway]) -> None:
    gateway = serve(answering(answer()))
    with closing(Caller("blocking")) as caller:
        caller.send(get(gateway.url), timeout=2)
        with pytest.raises(OutcomeUnknown):
            caller.send(get(serve(silent).url), timeout=2)  # now the first deadline has passed
        assert caller.send(get(gateway.url)).status == 200
    assert gateway.accepted == 1


def test_all_tries_of_a_read_share_one_deadline(caller: Caller, serve: Callable[..., Gateway]) -> None:
    gateway = serve(drip_the_body)
    sender = AccountSender(
        caller.sender,
        account="paper",
        provider="swedbankpay",
        hosts=frozenset({gateway.host}),
        clock=BlockingClock() if caller.colour == "blocking" else AwaitingClock(),
        entropy=SystemEntropy(),
    )
    with in_time(), pytest.raises(OutcomeUnknown):
        caller.send(get(gateway.url), timeout=_SHORT, by=sender)
    gateway.until_hung_up(gateway.accepted)
