"""What only WSGI knows: lengths that lie, prefixes, chunked bodies, and work that waits until the reply has left."""

from __future__ import annotations

import io
from typing import Any
from wsgiref.validate import validator

import pytest

from prenopay.web.wsgi import CallbackApp
from tests.web.host import Host, body
from tests.web.raw import Reply, call_wsgi, environ


def test_the_work_begins_when_the_server_closes_the_reply(host: Host) -> None:
    payment = host.paid()
    started: list[str] = []

    def start_response(status: str, _headers: list[tuple[str, str]], _error: Any = None) -> Any:
        started.append(status)

    answer = CallbackApp(host.blocking())(environ(host.path(payment), body(payment)), start_response)

    assert (started, list(answer), host.told) == (["200 OK"], [b""], [])
    answer.close()  # type: ignore[attr-defined]  # what servers look for
    assert len(host.told) == 1


@pytest.mark.parametrize("stated", ["", "0", "10"])
def test_no_more_is_read_than_the_length_says(host: Host, stated: str) -> None:
    payment = host.paid()
    asked = environ(host.path(payment), body(payment), CONTENT_LENGTH=stated)
    assert call_wsgi(CallbackApp(host.blocking()), asked).status == 400
    (stored,) = host.callbacks()
    assert stored.names == ()
    assert asked["wsgi.input"].tell() == int(stated or "0")


@pytest.mark.parametrize("stated", ["1000", "-1", "many", "1e3", "0x10", "+5", " 7"])
def test_a_length_that_lies_gets_400_and_nothing_is_kept(host: Host, stated: str) -> None:
    payment = host.paid()
    asked = environ(host.path(payment), body(payment), CONTENT_LENGTH=stated)
    assert call_wsgi(CallbackApp(host.blocking()), asked).body == b"the body is incomplete\n"
    assert host.callbacks() == ()


@pytest.mark.parametrize("stated", ["9" * 18, "9" * 19, "9" * 5000])
def test_a_length_beyond_all_bounds_costs_no_more_than_the_bound(host: Host, stated: str) -> None:
    asked = environ(host.path(host.paid()), b" " * 1_000_000, CONTENT_LENGTH=stated)
    assert call_wsgi(CallbackApp(host.blocking()), asked).status == 413
    assert asked["wsgi.input"].tell() == 64 * 1024 + 1


def test_a_chunked_body_is_read_where_the_server_ends_it(host: Host) -> None:
    payment = host.paid()
    asked = environ(host.path(payment), body(payment)) | {"wsgi.input_terminated": True}
    del asked["CONTENT_LENGTH"]
    assert call_wsgi(CallbackApp(host.blocking()), asked).status == 200
    (stored,) = host.callbacks()
    assert stored.names == (payment.provider_reference,)


@pytest.mark.parametrize("path", ["/pay/callbacks/cards/payment/pay_1/forged", "/"])
def test_a_body_that_nobody_needs_is_not_read(host: Host, path: str) -> None:
    asked = environ(path, b"{}")
    assert call_wsgi(CallbackApp(host.blocking()), asked).status == 404
    assert asked["wsgi.input"].tell() == 0


@pytest.mark.parametrize("prefix", ["", "/pay/callbacks", "/a/b"])
def test_it_may_be_mounted_under_any_prefix(host: Host, prefix: str) -> None:
    payment = host.paid()
    path = host.path(payment).removeprefix("/pay/callbacks")
    asked = environ(path, body(payment), SCRIPT_NAME=prefix)
    assert call_wsgi(validator(CallbackApp(host.blocking())), asked).status == 200


def test_a_prefix_may_be_within_the_path_that_was_signed(host: Host) -> None:
    payment = host.paid()
    above, mac = host.path(payment).rsplit("/", 1)
    asked = environ(f"/{mac}", body(payment), SCRIPT_NAME=above)
    assert call_wsgi(CallbackApp(host.blocking()), asked).status == 200


def test_a_server_may_leave_out_what_it_does_not_know(host: Host) -> None:
    payment = host.paid()
    needed = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": host.path(payment),
        "CONTENT_LENGTH": str(len(body(payment))),
        "wsgi.input": io.BytesIO(body(payment)),
    }
    assert call_wsgi(CallbackApp(host.blocking()), needed).status == 200


def test_a_path_in_another_encoding_is_just_unknown(host: Host) -> None:
    asked = environ("/pay/callbacks/cards/\xc3\xa5/\xff", b"{}")
    expected = {"content-length": "25", "content-type": "text/plain; charset=utf-8"}
    assert call_wsgi(CallbackApp(host.blocking()), asked) == Reply(404, expected, b"unknown callback address\n")
