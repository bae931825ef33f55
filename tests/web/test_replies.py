"""Both apps, called directly: the same calls get the same replies, and leave the same rows in the inbox."""

from __future__ import annotations

import pytest

from prenopay import FlagKind, PaymentState, Secret
from prenopay.testing.faults import Fault, FaultKind
from prenopay.values.callbacks import BODY_LIMIT_BYTES, CallbackUrls
from prenopay.values.subjects import Subject
from tests.behaviour.shop import KEY
from tests.web.host import CALLBACK_URL, Host, body
from tests.web.raw import APPS, Reply

_TEXT = "text/plain; charset=utf-8"


@pytest.fixture(params=APPS)
def app(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def replied(status: int, content: bytes, **more: str) -> Reply:
    return Reply(status, {**more, "content-length": str(len(content)), "content-type": _TEXT}, content)


def test_a_callback_gets_an_empty_200_and_the_host_is_notified(host: Host, app: str) -> None:
    payment = host.paid()
    assert APPS[app](host, host.path(payment), body(payment)) == replied(200, b"")
    assert host.heard == [f"{payment.payment_id} payment.authorized"]


def test_a_repeat_reports_nothing_new(host: Host, app: str) -> None:
    payment = host.paid()
    for _ in range(3):
        assert APPS[app](host, host.path(payment), body(payment)).status == 200
    assert len(host.told) == 1
    (stored,) = host.callbacks()
    assert stored.times == 3


def test_the_caller_is_written_down(host: Host, app: str) -> None:
    payment = host.paid()
    APPS[app](host, host.path(payment), body(payment))
    (stored,) = host.callbacks()
    assert (stored.account, stored.subject, stored.names) == (
        "cards",
        Subject.payment(payment.payment_id),
        (payment.provider_reference,),
    )


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"<html>", b'{"paymentOrder":{}}', b"[" * 5000])
def test_a_malformed_body_gets_400_is_kept_and_looked_into(host: Host, app: str, content: bytes) -> None:
    payment = host.paid()
    assert APPS[app](host, host.path(payment), content) == replied(400, b"unreadable callback\n")
    (stored,) = host.callbacks()
    assert (stored.names, bool(stored.note)) == ((), True)
    seen = host.desk["cards"].get(payment.payment_id)
    assert seen.state is PaymentState.AUTHORIZED
    assert [flag.kind for flag in seen.flags] == [FlagKind.MALFORMED_CALLBACK]


def test_the_largest_body_is_read_and_one_byte_more_is_not(host: Host, app: str) -> None:
    payment = host.paid()
    padded = body(payment) + b" " * (BODY_LIMIT_BYTES - len(body(payment)))
    assert APPS[app](host, host.path(payment), padded) == replied(200, b"")
    assert APPS[app](host, host.path(payment), padded + b" ") == replied(413, b"too large\n")
    (stored,) = host.callbacks()
    assert (stored.names, stored.note, stored.times) == ((), "the body is too large", 2)


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_any_other_method_gets_405(host: Host, app: str, method: str) -> None:
    payment = host.paid()
    expected = replied(405, b"callbacks are POSTed\n", allow="POST")
    assert APPS[app](host, host.path(payment), body(payment), method=method) == expected
    assert host.callbacks() == ()


def test_a_head_gets_no_body(host: Host) -> None:
    payment = host.paid()
    reply = APPS["wsgi"](host, host.path(payment), b"", method="HEAD")
    assert (reply.status, reply.headers["allow"], reply.body) == (405, "POST", b"")


def test_a_doctor_gets_an_empty_204_by_any_method(host: Host, app: str) -> None:
    url = host.desk.callback_urls.url("cards", Subject.payment("doctor"))
    for method in ("POST", "GET"):
        reply = APPS[app](host, url.removeprefix("https://shop.example"), b"{}", method=method)
        assert reply == Reply(204, {}, b"")
    assert host.callbacks() == ()


def forgeries(path: str) -> list[str]:
    _, account, kind, payment, mac = path.removeprefix("/pay/callbacks").split("/")
    other_key = CallbackUrls(CALLBACK_URL, [Secret(KEY[::-1])]).url(account, Subject.payment(payment)).rsplit("/", 1)[1]
    return [
        f"/pay/callbacks/{account}/{kind}/{payment}/{mac[:-1]}",
        f"/pay/callbacks/{account}/{kind}/{payment}/{mac}A",
        f"/pay/callbacks/{account}/{kind}/{payment}/{mac.swapcase()}",
        f"/pay/callbacks/{account}/{kind}/{payment}/{other_key}",
        f"/pay/callbacks/{payment}/{account}/{mac}",
        f"/pay/callbacks/{account}/pay_00000000000000000000/{mac}",
        f"/pay/callbacks/{account}//{mac}",
        f"/pay/callbacks/{account}/{kind}/{payment}/",
        f"/pay/callbacks/{account}/{kind}/{payment}/\xe5\xe4\xf6",
        f"/pay/callbacks/{account}/{kind}/{payment}/\x00",
        "/pay/callbacks",
        "/",
        "",
    ]


def test_a_forged_path_gets_404_and_leaves_no_trace(host: Host, app: str) -> None:
    payment = host.paid()
    calls = len(host.emulator.transcript.seen)
    for forged in forgeries(host.path(payment)):
        assert APPS[app](host, forged, body(payment)) == replied(404, b"unknown callback address\n"), forged
    assert host.callbacks() == ()
    assert len(host.emulator.transcript.seen) == calls


def test_what_fails_after_the_reply_is_left_to_the_sweep(host: Host, app: str) -> None:
    payment = host.paid()
    host.emulator.faults.add(Fault(kind=FaultKind.STATUS_BEFORE, status=500, call="get", times=3))
    assert APPS[app](host, host.path(payment), body(payment)).status == 200
    assert host.told == []
    (stored,) = host.callbacks()
    assert (stored.done_at, stored.tries) == (None, 1)

    host.emulator.faults.clear()
    host.emulator.clock.set(stored.received_at.replace(year=stored.received_at.year + 1))
    host.blocking().sweep()

    assert host.heard == [f"{payment.payment_id} payment.authorized"]


def test_an_inbox_that_is_full_makes_the_gateway_send_again(
    host: Host,
    app: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    payment = host.paid()
    monkeypatch.setattr("prenopay.books.inbox.OPEN_MOST", 0)
    path = host.desk.callback_urls.url("cards").removeprefix("https://shop.example")
    assert APPS[app](host, path, body(payment)) == replied(503, b"try again later\n", **{"retry-after": "30"})
    assert host.callbacks() == ()
