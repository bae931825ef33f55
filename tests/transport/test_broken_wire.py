"""Broken exchanges: requests that certainly never arrived are ``NotSent``; all others may have been acted on."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from prenopay.errors import NotSent, OutcomeUnknown, TransportError
from tests.transport.caller import Caller, get, post
from tests.transport.gateway import Gateway, Line, Talk, answer, answering, name_gateway_test

# When a connection dies while the request is written, httpcore leaves httpx's stream unfinished, and trio
# reports that when the garbage collector runs. The stream has nothing to close.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <async_generator object ByteStream:pytest.PytestUnraisableExceptionWarning",
)


def reset_after_the_request(line: Line) -> None:
    line.request()
    line.reset()


def hang_up_after_the_request(line: Line) -> None:
    line.request()


def reset_within_the_head(line: Line) -> None:
    line.request()
    line.say(b"HTTP/1.1 200 OK\r\ncontent-le")
    line.reset()


def hang_up_within_the_head(line: Line) -> None:
    line.request()
    line.say(b"HTTP/1.1 200 OK\r\ncontent-le")


def reset_within_the_body(line: Line) -> None:
    line.request()
    line.say(answer(b'{"paid":true}')[:-3])
    line.reset()


def hang_up_within_the_body(line: Line) -> None:
    line.request()
    line.say(answer(b'{"paid":true}')[:-3])


def hang_up_between_chunks(line: Line) -> None:
    line.request()
    line.say(b'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\n{"a"\r\n')


def speak_something_else(line: Line) -> None:
    line.request()
    line.say(b"220 mail.example ESMTP\r\n")


def count_wrongly(line: Line) -> None:
    line.request()
    line.say(b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n{}")


def chunk_wrongly(line: Line) -> None:
    line.request()
    line.say(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n")


def never_stop_the_head(line: Line) -> None:
    line.request()
    line.say(b"HTTP/1.1 200 OK\r\n")
    while True:
        line.say(b"x-more: " + b"y" * 8000 + b"\r\n")


_BROKEN: list[Talk] = [
    reset_after_the_request,
    hang_up_after_the_request,
    reset_within_the_head,
    hang_up_within_the_head,
    reset_within_the_body,
    hang_up_within_the_body,
    hang_up_between_chunks,
    speak_something_else,
    count_wrongly,
    chunk_wrongly,
    never_stop_the_head,
]


@pytest.mark.parametrize("broken", _BROKEN, ids=lambda broken: broken.__name__)
def test_what_breaks_on_a_connection_may_have_been_acted_on(
    caller: Caller,
    serve: Callable[..., Gateway],
    broken: Talk,
) -> None:
    gateway = serve(broken)
    with pytest.raises(OutcomeUnknown, match="capture: sent, but no whole answer came"):
        caller.send(post(gateway.url))
    gateway.until_hung_up()
    assert gateway.accepted == 1, "not sent again"


def test_a_connection_that_is_cut_at_once_is_an_error_of_ours(caller: Caller, serve: Callable[..., Gateway]) -> None:
    gateway = serve(Line.reset)
    with pytest.raises(TransportError):  # which one depends on whether connecting or sending sees it first
        caller.send(post(gateway.url))
    assert gateway.requests == []


def test_a_broken_connection_is_not_used_again(caller: Caller, serve: Callable[..., Gateway]) -> None:
    def talk(line: Line) -> None:
        line.request()
        if gateway.accepted == 1:
            line.say(answer(b"half")[:-1])
        else:
            line.say(answer(b"whole"))

    gateway = serve(talk)
    with pytest.raises(OutcomeUnknown):
        caller.send(post(gateway.url))
    assert caller.send(post(gateway.url)).body == b"whole"


def test_where_nobody_listens_nothing_was_sent(caller: Caller) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(NotSent, match="capture: the request did not reach the gateway"):
        caller.send(post(f"http://127.0.0.1:{port}"))


def test_a_name_that_nobody_has_was_sent_nothing(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> object:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(NotSent, match="Name or service not known"):
        caller.send(post("http://gateway.test"))


def test_the_next_address_of_a_name_is_tried(
    caller: Caller,
    serve: Callable[..., Gateway],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway = serve(answering(answer(b"here")))
    name_gateway_test(monkeypatch, "127.0.0.2", "127.0.0.1")
    request = post(gateway.url.replace("127.0.0.1", "gateway.test"))
    assert caller.send(request).body == b"here"
    assert gateway.requests[0].header("host") == gateway.host.replace("127.0.0.1", "gateway.test")


def test_what_goes_before_the_answer_is_passed_over(caller: Caller, serve: Callable[..., Gateway]) -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n"
    gateway = serve(answering(hints + answer(b"after", status=201)))
    got = caller.send(get(gateway.url))
    assert (got.status, got.body) == (201, b"after")
