"""Answers of the wrong kind: too large, compressed, or with a redirect; none of them costs more than an error."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import pytest

from prenopay.errors import OutcomeUnknown
from tests.transport.caller import Caller, get, post
from tests.transport.gateway import Gateway, Line, answer, answering

_LIMIT = 4 * 1024 * 1024
_FAR_LESS_THAN_A_BOMB = 20 * 1024 * 1024


def test_an_answer_of_the_largest_size_comes_whole(caller: Caller, serve: Callable[..., Gateway]) -> None:
    gateway = serve(answering(answer(b"x" * _LIMIT)))
    assert len(caller.send(get(gateway.url)).body) == _LIMIT


def test_one_byte_more_is_too_large(caller: Caller, serve: Callable[..., Gateway]) -> None:
    gateway = serve(answering(answer(b"x" * (_LIMIT + 1))))
    with pytest.raises(OutcomeUnknown, match="the answer is larger than"):
        caller.send(get(gateway.url))


def endless_chunks(line: Line) -> None:
    line.request()
    line.say(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        line.say(b"10000\r\n" + b" " * 0x10000 + b"\r\n")


def endless_until_the_end(line: Line) -> None:
    line.request()
    line.say(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        line.say(b" " * 0x10000)


@pytest.mark.parametrize("talk", [endless_chunks, endless_until_the_end])
def test_an_endless_answer_is_cut_off_and_its_connection_closed(
    caller: Caller,
    serve: Callable[..., Gateway],
    talk: Callable[[Line], None],
) -> None:
    gateway = serve(talk)
    with pytest.raises(OutcomeUnknown, match="the answer is larger than"):
        caller.send(get(gateway.url))
    gateway.until_hung_up()


def test_compressed_answers_are_not_asked_for(caller: Caller, serve: Callable[..., Gateway]) -> None:
    gateway = serve(answering(answer()))
    caller.send(get(gateway.url))
    assert gateway.requests[0].header("accept-encoding") == "identity"


def test_an_answer_may_say_that_it_is_not_compressed(caller: Caller, serve: Callable[..., Gateway]) -> None:
    gateway = serve(answering(answer(b"plain", headers=["content-encoding: Identity"])))
    assert caller.send(get(gateway.url)).body == b"plain"


_ZEROS = bytes(40 * 1024 * 1024)
_PACKED = gzip.compress(_ZEROS, 1)
_BOMBS = {
    "gzip": _PACKED,
    "deflate": zlib.compress(_ZEROS, 1),
    "gzip, gzip": gzip.compress(_PACKED),
    "gzip, identity": _PACKED,
}


@pytest.mark.parametrize("coding", _BOMBS)
def test_a_few_bytes_do_not_unpack_to_more_than_there_is_memory(
    caller: Caller,
    serve: Callable[..., Gateway],
    coding: str,
) -> None:
    gateway = serve(answering(answer(_BOMBS[coding], headers=[f"content-encoding: {coding}"])))
    tracemalloc.start()
    try:
        with pytest.raises(OutcomeUnknown, match="the answer is compressed"):
            caller.send(get(gateway.url))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < _FAR_LESS_THAN_A_BOMB


def test_no_answer_leads_anywhere_else(caller: Caller, serve: Callable[..., Gateway]) -> None:
    elsewhere, statuses = serve(answering(answer(b"come in"))), [301, 302, 303, 307, 308]
    there = f"location: {elsewhere.url}/"
    gateway = serve(answering(*[answer(b"moved", status=status, headers=[there]) for status in statuses]))
    for status in statuses:
        got = caller.send(post(gateway.url, headers=(("authorization", "Bearer t"),)))
        assert (got.status, got.body, got.header("location")) == (status, b"moved", f"{elsewhere.url}/")
    assert (gateway.accepted, elsewhere.accepted) == (1, 0)


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_without_a_body_ends_with_its_head(
    caller: Caller,
    serve: Callable[..., Gateway],
    status: int,
) -> None:
    gateway = serve(answering(f"HTTP/1.1 {status} Nothing\r\n\r\n".encode()))
    assert [caller.send(get(gateway.url)).body for _ in range(2)] == [b"", b""]
    assert gateway.accepted == 1
