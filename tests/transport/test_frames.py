"""Whatever breaks an exchange, no frame of its error shows URL, body or headers, nor does any text."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from prenopay.errors import TransportError
from prenopay.testing.frames import shown_in
from tests.transport.caller import Caller, post
from tests.transport.gateway import Gateway, Line, Talk
from tests.transport.test_broken_wire import (
    chunk_wrongly,
    count_wrongly,
    reset_after_the_request,
    reset_within_the_body,
    speak_something_else,
)

SECRETS = ("leia@example.com", "hunter2hunter2", "the-path-is-a-capability", "the-answer-is-secret")
BODY = b'{"email":"leia@example.com"}'
PATH = "/payments/the-path-is-a-capability"
HEADERS = (("x-api-key", "hunter2hunter2"),)

# See test_broken_wire.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <async_generator object ByteStream:pytest.PytestUnraisableExceptionWarning",
)


def say_more_than_is_true(line: Line) -> None:
    line.request()
    line.say(b"HTTP/1.1 200 OK\r\ncontent-length: 90\r\nx-it: the-answer-is-secret\r\n\r\n{the-answer-is-secret")


def tell(error: TransportError) -> list[str]:
    return [each.where for each in shown_in(error) if any(secret in each.text for secret in SECRETS)]


@pytest.mark.parametrize(
    "talk",
    [
        reset_after_the_request,
        reset_within_the_body,
        speak_something_else,
        count_wrongly,
        chunk_wrongly,
        say_more_than_is_true,
    ],
)
def test_a_broken_exchange_shows_nothing(caller: Caller, serve: Callable[..., Gateway], talk: Talk) -> None:
    url = serve(talk).url
    with pytest.raises(TransportError) as caught:
        caller.send(post(f"{url}{PATH}", BODY, headers=HEADERS), timeout=20)

    assert tell(caught.value) == []


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("http://127.0.0.1:1", HEADERS),
        ("http://127.0.0.1:1\x00", HEADERS),
        ("gopher://127.0.0.1:1", HEADERS),
        ("http://127.0.0.1:1", (("x-api-key", "hunter2hunter2\n"),)),
        ("http://127.0.0.1:1", (("x-api\n-key", "hunter2hunter2"),)),
    ],
)
def test_a_request_that_cannot_leave_shows_nothing(
    caller: Caller, url: str, headers: tuple[tuple[str, str], ...]
) -> None:
    with pytest.raises(TransportError) as caught:
        caller.send(post(url + PATH, BODY, headers=headers), timeout=20)

    assert tell(caught.value) == []


def test_a_header_that_http_does_not_take_is_not_repeated(caller: Caller, serve: Callable[..., Gateway]) -> None:
    url = serve(reset_after_the_request).url
    with pytest.raises(TransportError) as caught:
        caller.send(post(f"{url}{PATH}", BODY, headers=(("x-api-key", "hunter2hunter2\nx: y"),)), timeout=20)

    assert "LocalProtocolError" in str(caught.value)
    assert tell(caught.value) == []
