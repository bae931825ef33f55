"""Served on real sockets by uvicorn and wsgiref: nothing is lost, no call waits for another, the reply comes first."""

from __future__ import annotations

from prenopay import PaymentState
from tests.web.host import Host, body
from tests.web.wire import SERVERS, Post, at_once, post

_BURST = 200


def test_a_callback_is_stored_answered_and_worked_on(host: Host, server: str) -> None:
    payment = host.paid()
    with SERVERS[server](host) as port:
        assert post(port, host.path(payment), body(payment)) == 200
    assert host.heard == [f"{payment.payment_id} payment.authorized"]
    (stored,) = host.callbacks()
    assert (stored.note, stored.times, stored.done_at is not None) == ("", 1, True)


def test_a_burst_loses_nothing_and_reports_each_payment_once(host: Host, server: str) -> None:
    payments = [host.paid(number) for number in range(_BURST)]
    with SERVERS[server](host) as port:
        statuses = at_once(port, [(host.path(payment), body(payment)) for payment in payments])
    assert statuses == [200] * _BURST
    assert sorted(host.heard) == sorted(f"{payment.payment_id} payment.authorized" for payment in payments)
    assert {(str(stored.subject), stored.times) for stored in host.callbacks()} == {
        (payment.payment_id, 1) for payment in payments
    }
    assert all(stored.done_at is not None for stored in host.callbacks())


def test_the_same_callback_many_times_at_once_is_one_row_and_one_event(host: Host, server: str) -> None:
    payment = host.paid()
    with SERVERS[server](host) as port:
        statuses = at_once(port, [(host.path(payment), body(payment))] * 50)
    assert statuses == [200] * 50
    assert host.heard == [f"{payment.payment_id} payment.authorized"]
    (stored,) = host.callbacks()
    assert stored.times == 50


def test_the_reply_does_not_wait_for_the_gateway(host: Host, server: str) -> None:
    payment = host.paid()
    with SERVERS[server](host) as port:
        host.sender.gate.clear()
        sent = Post(port).head(host.path(payment), len(body(payment))).say(body(payment))
        assert sent.status() == 200
        assert host.told == []
        host.sender.gate.set()
        sent.rest()
        sent.hang_up()
    assert host.heard == [f"{payment.payment_id} payment.authorized"]


def test_a_slow_body_holds_up_nobody_else_and_is_taken_when_it_is_whole(host: Host, server: str) -> None:
    slow, quick = host.paid(1), host.paid(2)
    content = body(slow)
    with SERVERS[server](host) as port:
        sent = Post(port).head(host.path(slow), len(content)).say(content[:10])
        assert post(port, host.path(quick), body(quick)) == 200
        for number in range(10, len(content)):
            sent.say(content[number : number + 1])
        assert sent.status() == 200
        sent.rest()
        sent.hang_up()
    assert {stored.names for stored in host.callbacks()} == {(slow.provider_reference,), (quick.provider_reference,)}


def test_a_caller_who_hangs_up_within_the_body_leaves_nothing(host: Host, server: str) -> None:
    payment = host.paid()
    with SERVERS[server](host) as port:
        sent = Post(port).head(host.path(payment), 1000).say(body(payment)).no_more()
        assert sent.status() in {0, 400}
        sent.hang_up()
    assert host.callbacks() == ()
    assert host.told == []


def test_a_body_that_is_longer_than_promised_ends_where_it_was_promised_to(host: Host, server: str) -> None:
    payment = host.paid()
    content = body(payment)
    with SERVERS[server](host) as port:
        sent = Post(port).head(host.path(payment), len(content)).say(content + b"GET / HTTP/1.1\r\n\r\n")
        assert sent.status() == 200
        sent.rest()
        sent.hang_up()
    (stored,) = host.callbacks()
    assert stored.names == (payment.provider_reference,)


def test_an_invalid_length_gets_a_refusal_and_leaves_no_trace(host: Host, server: str) -> None:
    payment = host.bought()
    with SERVERS[server](host) as port:
        for length in ("-1", "many", "9" * 5000):
            sent = Post(port).head(host.path(payment), length).no_more()
            assert sent.status() in {400, 413}, length[:9]
            sent.rest()
            sent.hang_up()
        assert post(port, host.path(payment), body(payment)) == 200, "it goes on serving"
    (stored,) = host.callbacks()
    assert stored.names == (payment.provider_reference,)


def test_a_chunked_body_is_taken_where_the_server_can(host: Host) -> None:
    payment = host.paid()
    content = body(payment)
    with SERVERS["uvicorn"](host) as port:
        head = ["Host: shop.example", "Connection: close", "Transfer-Encoding: chunked", "", ""]
        sent = Post(port).say("\r\n".join([f"POST {host.path(payment)} HTTP/1.1", *head]).encode())
        for number in range(0, len(content), 7):
            part = content[number : number + 7]
            sent.say(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        assert sent.say(b"0\r\n\r\n").status() == 200
        sent.rest()
        sent.hang_up()
    (stored,) = host.callbacks()
    assert stored.names == (payment.provider_reference,)


def test_a_burst_of_forged_paths_touches_neither_books_nor_gateway(host: Host, server: str) -> None:
    payment = host.paid()
    calls = len(host.emulator.transcript.seen)
    forged = [(f"{host.path(payment)[:-2]}{number:02}", body(payment)) for number in range(50)]
    with SERVERS[server](host) as port:
        assert at_once(port, forged) == [404] * 50
    assert host.callbacks() == ()
    assert len(host.emulator.transcript.seen) == calls
    assert host.desk["cards"].get(payment.payment_id).state is PaymentState.PENDING


def test_the_reply_to_other_methods_names_the_right_one(host: Host, server: str) -> None:
    payment = host.bought()
    with SERVERS[server](host) as port:
        for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS"):
            sent = Post(port).head(host.path(payment), 0, method=method)
            assert sent.status() == 405, method
            head, _, content = sent.rest().partition(b"\r\n\r\n")
            sent.hang_up()
            assert b"allow: post" in head.lower()
            assert content == (b"" if method == "HEAD" else b"callbacks are POSTed\n")
    assert host.callbacks() == ()
