"""What a failed exchange proves about the request, and what is sent again: one table decides both."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import anyio
import httpx
import pytest

from prenopay._blocking import run_blocking
from prenopay._transport import EXCEPTIONS, AccountSender, AwaitingSender, BlockingSender
from prenopay.errors import NotSent, OutcomeUnknown, TransportError
from prenopay.ports import HttpRequest, HttpResponse

from .fakes import FakeClock, FakeEntropy, ScriptedSender

_HOST = "api.gateway.example"
_OK = HttpResponse(status=200, body=b"{}")


def post(url: str = f"https://{_HOST}/captures", **fields: Any) -> HttpRequest:
    return HttpRequest(method="POST", url=url, label="capture", body=b'{"a":1}', **fields)


def get(url: str = f"https://{_HOST}/order") -> HttpRequest:
    return HttpRequest(method="GET", url=url, label="observe", retry_safe=True)


def busy(status: int, retry_after: str | None = None) -> HttpResponse:
    return HttpResponse(status=status, headers=() if retry_after is None else (("retry-after", retry_after),))


class Exchange:
    """One request through an account's sender, and its result."""

    def __init__(
        self,
        *script: HttpResponse | Exception,
        takes: float = 0.0,
        byte: int = 128,
        hosts: tuple[str, ...] = (_HOST,),
    ) -> None:
        self.clock = FakeClock()
        self.wire = ScriptedSender(script, clock=self.clock, takes=takes)
        self._sender = AccountSender(
            self.wire,
            account="paper",
            provider="swedbankpay",
            hosts=frozenset(hosts),
            clock=self.clock,
            entropy=FakeEntropy(byte),
        )

    def of(self, request: HttpRequest, *, timeout: float = 30.0) -> HttpResponse:
        return run_blocking(self._sender.send(request, timeout=timeout))


# The table


def test_every_exception_of_the_http_client_is_in_the_table() -> None:
    every = {each for each in vars(httpx).values() if isinstance(each, type) and issubclass(each, Exception)}
    assert every == set(EXCEPTIONS)


def test_only_what_fails_before_anything_leaves_counts_as_not_sent() -> None:
    expected = {
        httpx.ConnectError,
        httpx.ConnectTimeout,
        httpx.InvalidURL,
        httpx.PoolTimeout,
        httpx.ProxyError,
        httpx.UnsupportedProtocol,
    }
    assert expected == {kind for kind, ours in EXCEPTIONS.items() if ours is NotSent}


class _Unheard(httpx.TransportError):
    """A failure that a later release of the client may add."""


_CAUGHT = [kind for kind in EXCEPTIONS if issubclass(kind, httpx.HTTPError | httpx.InvalidURL | httpx.StreamError)]


def failing(kind: type[Exception]) -> Exception:
    if kind is httpx.HTTPStatusError:
        answer = httpx.Response(500, request=httpx.Request("GET", f"https://{_HOST}/"))
        return httpx.HTTPStatusError("it broke", request=answer.request, response=answer)
    if kind in {httpx.RequestNotRead, httpx.ResponseNotRead, httpx.StreamClosed, httpx.StreamConsumed}:
        return kind()
    return kind("it broke")


def sending(error: Exception) -> BlockingSender:
    def refuse(_request: httpx.Request) -> httpx.Response:
        raise error

    return BlockingSender(client=httpx.Client(transport=httpx.MockTransport(refuse)))


@pytest.mark.parametrize("kind", _CAUGHT, ids=lambda kind: kind.__name__)
def test_a_failure_becomes_what_the_table_says(kind: type[Exception]) -> None:
    with pytest.raises(TransportError, match=f"capture: .*{kind.__name__}") as caught:
        run_blocking(sending(failing(kind)).send(post(), timeout=5))
    assert EXCEPTIONS[kind] is type(caught.value)


def test_a_failure_nobody_has_heard_of_may_have_been_acted_on() -> None:
    with pytest.raises(OutcomeUnknown):
        run_blocking(sending(_Unheard("it broke")).send(post(), timeout=5))


# Answers


def answering(answer: httpx.Response) -> BlockingSender:
    return BlockingSender(client=httpx.Client(transport=httpx.MockTransport(lambda _request: answer)))


def test_an_answer_comes_whole_with_its_header_names_in_lower_case() -> None:
    sender = answering(httpx.Response(403, headers=[("X-A", "1"), ("x-a", "2")], content=b"no"))
    answer = run_blocking(sender.send(post(), timeout=5))
    expected = (403, b"no", "1", None)
    assert expected == (answer.status, answer.body, answer.header("x-a"), answer.header("x-b"))


def test_an_endless_answer_is_cut_off() -> None:
    sender = answering(httpx.Response(200, content=iter([b" " * 1024 * 1024] * 5)))
    with pytest.raises(OutcomeUnknown, match="the answer is larger than"):
        run_blocking(sender.send(post(), timeout=5))


def test_a_request_is_sent_as_it_is() -> None:
    seen: list[tuple[str, str, bytes, str | None]] = []

    def look(request: httpx.Request) -> httpx.Response:
        seen.append((request.method, str(request.url), request.content, request.headers.get("x-a")))
        return httpx.Response(200)

    sender = BlockingSender(client=httpx.Client(transport=httpx.MockTransport(look)))
    run_blocking(sender.send(post(headers=(("x-a", "1"),)), timeout=5))
    expected = [("POST", f"https://{_HOST}/captures", b'{"a":1}', "1")]
    assert expected == seen


# The same within an event loop


@pytest.mark.anyio
@pytest.mark.parametrize("kind", [httpx.ConnectError, httpx.ReadTimeout, httpx.InvalidURL, httpx.StreamClosed])
async def test_an_awaiting_sender_goes_by_the_same_table(kind: type[Exception]) -> None:
    def refuse(_request: httpx.Request) -> httpx.Response:
        raise failing(kind)

    sender = AwaitingSender(client=httpx.AsyncClient(transport=httpx.MockTransport(refuse)))
    with pytest.raises(TransportError, match=f"capture: .*{kind.__name__}") as caught:
        await sender.send(post(), timeout=5)
    assert EXCEPTIONS[kind] is type(caught.value)
    await sender.aclose()


@pytest.mark.anyio
async def test_an_awaiting_sender_stops_waiting_at_the_deadline() -> None:
    async def never(_request: httpx.Request) -> httpx.Response:
        await anyio.sleep_forever()
        raise AssertionError

    sender = AwaitingSender(client=httpx.AsyncClient(transport=httpx.MockTransport(never)))
    with pytest.raises(OutcomeUnknown, match="capture: no whole answer within"):
        await sender.send(post(), timeout=0.01)
    await sender.aclose()


class Endless(httpx.AsyncByteStream):
    """A body that never ends."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            yield b" " * 1024 * 1024


def test_an_awaiting_sender_cuts_an_endless_answer_off() -> None:
    async def main() -> None:
        answer = httpx.Response(200, stream=Endless())
        sender = AwaitingSender(client=httpx.AsyncClient(transport=httpx.MockTransport(lambda _request: answer)))
        with pytest.raises(OutcomeUnknown, match="the answer is larger than"):
            await sender.send(post(), timeout=5)
        await sender.aclose()

    anyio.run(main)


# Hosts


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/captures",
        f"https://{_HOST}.evil.example/captures",
        f"https://evil.example/{_HOST}",
        f"https://{_HOST}@evil.example/captures",
        f"https://user:password@{_HOST}/captures",
        f"https://{_HOST}:8443/captures",
        f"//evil.example\\@{_HOST}/captures",
        f"http://{_HOST}/captures",  # in the clear
        "https://[broken/captures",
        "/psp/paymentorders/1/captures",
        "",
    ],
)
def test_nothing_is_sent_to_any_other_host(url: str) -> None:
    exchange = Exchange(_OK)
    with pytest.raises(NotSent, match="nothing was sent"):
        exchange.of(post(url))
    assert not exchange.wire.sent


@pytest.mark.parametrize("url", [f"https://{_HOST}/a", f"https://{_HOST.upper()}/a", "http://127.0.0.1:8001/a"])
def test_the_accounts_own_hosts_are_reached(url: str) -> None:
    exchange = Exchange(busy(200), hosts=(_HOST, "127.0.0.1:8001"))
    assert busy(200) == exchange.of(post(url))


# What is never sent again


@pytest.mark.parametrize("answer", [busy(200), busy(400), busy(429, "1"), busy(500), busy(502), busy(503), busy(504)])
def test_a_change_that_was_answered_is_never_sent_again(answer: HttpResponse) -> None:
    exchange = Exchange(answer, _OK)
    assert answer == exchange.of(post())
    expected = 1
    assert expected == len(exchange.wire.sent)


def test_a_change_whose_answer_was_lost_is_never_sent_again() -> None:
    exchange = Exchange(OutcomeUnknown("lost"), _OK)
    with pytest.raises(OutcomeUnknown, match="lost"):
        exchange.of(post())
    expected = 1
    assert expected == len(exchange.wire.sent)


def test_a_change_that_left_the_second_time_is_not_sent_a_third() -> None:
    exchange = Exchange(NotSent("refused"), OutcomeUnknown("lost"), _OK)
    with pytest.raises(OutcomeUnknown, match="lost"):
        exchange.of(post())
    expected = 2
    assert expected == len(exchange.wire.sent)


def test_an_error_that_is_no_failed_exchange_is_passed_on() -> None:
    exchange = Exchange(RuntimeError("a bug"), _OK)
    with pytest.raises(RuntimeError, match="a bug"):
        exchange.of(get())
    expected = 1
    assert expected == len(exchange.wire.sent)


# What is sent again


def test_a_change_that_certainly_did_not_leave_is_sent_again() -> None:
    exchange = Exchange(NotSent("refused"), NotSent("refused"), busy(200))
    assert busy(200) == exchange.of(post())
    assert [post()] * 3 == exchange.wire.sent


@pytest.mark.parametrize("first", [OutcomeUnknown("lost"), NotSent("refused"), *map(busy, (429, 502, 503, 504))])
def test_a_read_is_sent_again(first: HttpResponse | Exception) -> None:
    exchange = Exchange(first, busy(200))
    assert busy(200) == exchange.of(get())


@pytest.mark.parametrize("status", [200, 301, 400, 401, 403, 404, 409, 500])
def test_a_read_that_was_answered_for_good_is_not_sent_again(status: int) -> None:
    exchange = Exchange(busy(status), _OK)
    assert status == exchange.of(get()).status


def test_three_tries_are_enough_and_the_last_result_counts() -> None:
    exchange = Exchange(OutcomeUnknown("first"), OutcomeUnknown("second"), busy(503), _OK)
    expected = 503
    assert expected == exchange.of(get()).status
    exchange = Exchange(busy(503), OutcomeUnknown("second"), OutcomeUnknown("third"), _OK)
    with pytest.raises(OutcomeUnknown, match="third"):
        exchange.of(get())


# Pauses


@pytest.mark.parametrize(("byte", "expected"), [(0, [0.125, 0.25]), (128, [0.25, 0.5])])
def test_pauses_double_and_are_spread_by_chance(byte: int, expected: list[float]) -> None:
    exchange = Exchange(OutcomeUnknown("lost"), OutcomeUnknown("lost"), _OK, byte=byte)
    exchange.of(get())
    assert expected == exchange.clock.pauses


def test_the_gateway_says_how_long_to_wait() -> None:
    exchange = Exchange(busy(429, "7"), busy(503, "2"), _OK)
    exchange.of(get())
    expected = [7.0, 2.0]
    assert expected == exchange.clock.pauses


_AT = "Wed, 28 Oct 2026 12:00:05 GMT"


@pytest.mark.parametrize(
    ("answered_at", "until", "waits"),
    [
        ("Wed, 28 Oct 2026 11:59:58 GMT", _AT, 7.0),
        (_AT, "Wed, 28 Oct 2026 12:00:06 -0000", 1.0),
        (_AT, "Wed, 28 Oct 2026 14:00:07 +0200", 2.0),
        (_AT, "Wed, 28 Oct 2026 12:00:00 GMT", 0.0),
        (_AT, "Wed, 28 Oct 9999 12:00:00 GMT", 86_400.0),
        ("soon", "Wed, 28 Oct 2026 12:00:09 GMT", 9.0),
    ],
)
def test_a_date_to_wait_for_becomes_seconds_of_the_gateways_own_clock(
    answered_at: str, until: str, waits: float
) -> None:
    answer = replace(busy(429, until), headers=(("date", answered_at), ("retry-after", until)))
    assert waits == Exchange(answer).of(post()).retry_after


@pytest.mark.parametrize("stated", ["0", "-5", "soon", "1.5", ""])
def test_a_wait_nobody_can_read_is_our_own_pause(stated: str) -> None:
    exchange = Exchange(busy(503, stated), _OK)
    exchange.of(get())
    expected = [0.25]
    assert expected == exchange.clock.pauses


# The deadline


def test_each_try_gets_what_is_left_of_the_deadline() -> None:
    exchange = Exchange(OutcomeUnknown("lost"), OutcomeUnknown("lost"), _OK, takes=10.0)
    exchange.of(get(), timeout=30.0)
    expected = [30.0, 19.75, 9.25]
    assert expected == exchange.wire.timeouts


def test_nothing_is_sent_again_when_the_time_is_over() -> None:
    exchange = Exchange(OutcomeUnknown("lost"), _OK, takes=10.0)
    with pytest.raises(OutcomeUnknown, match="lost"):
        exchange.of(get(), timeout=10.0)
    assert not exchange.clock.pauses


@pytest.mark.parametrize("stated", ["31", "9" * 400])
def test_a_wait_beyond_the_deadline_is_not_waited(stated: str) -> None:
    exchange = Exchange(busy(429, stated), _OK)
    expected = 429
    assert expected == exchange.of(get(), timeout=30.0).status
    assert not exchange.clock.pauses


# One line for each try


def test_each_try_is_logged_once_without_url_headers_or_body(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="prenopay.exchange")
    exchange = Exchange(NotSent("refused"), _OK, takes=0.5)
    exchange.of(post(headers=(("authorization", "Bearer hunter2"),)))
    expected = [
        "paper POST capture -> NotSent in 500 ms",
        "paper POST capture -> 200 in 500 ms",
    ]
    assert expected == caplog.messages


def test_a_log_line_can_be_searched_by_its_parts(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="prenopay.exchange")
    Exchange(_OK, takes=0.5).of(post())
    told = vars(caplog.records[0])
    expected = ["paper", "swedbankpay", "capture", "200", 500]
    assert expected == [told[name] for name in ("account", "provider", "call", "result", "milliseconds")]


def test_nothing_is_logged_unless_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, logger="prenopay.exchange")
    Exchange(_OK).of(post())
    assert not caplog.records


def test_what_the_client_logs_by_itself_holds_no_secret_either(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client = httpx.Client(transport=httpx.MockTransport(lambda _request: httpx.Response(200)))
    sender = BlockingSender(client=client)

    run_blocking(sender.send(get(f"https://{_HOST}/payers/leia@example.com"), timeout=1.0))
    run_blocking(sender.aclose())

    logged = [record.getMessage() for record in caplog.records if record.name == "httpx"]
    assert logged
    assert not any("leia@example.com" in message for message in logged)


def test_no_header_of_an_answer_reaches_the_clients_own_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("httpcore.http11", "httpcore.http2"):
        said = ("receive_response_headers.complete return_value=%r", [(b"PaymentRequestToken", b"a-token")])
        logging.getLogger(name).debug(*said)
    assert len(caplog.records) == 2
    assert not any("a-token" in record.getMessage() for record in caplog.records)
