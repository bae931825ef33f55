"""The served emulator: real sockets, real faults on the wire, callbacks over real HTTP, and a clean end."""

from __future__ import annotations

import ipaddress
import json
import queue
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection, IncompleteRead, RemoteDisconnected
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from prenopay.testing.callbacks import CallbackAddresses
from prenopay.testing.clock import VirtualClock
from prenopay.testing.emulators.swedbankpay import (
    DEFAULT_ACCESS_TOKEN,
    DEFAULT_PAYEE_ID,
    LENIENCIES,
    Behaviour,
    SwedbankPayEmulator,
)
from prenopay.testing.faults import Fault, FaultKind
from prenopay.testing.server import Served, serve

from .calling import purchase

HEADERS = {
    "Authorization": f"Bearer {DEFAULT_ACCESS_TOKEN}",
    "Content-Type": "application/json;version=3.1",
    "Accept": "application/json;version=3.1",
}


@pytest.fixture
def served(emulator: SwedbankPayEmulator) -> Iterator[Served]:
    with serve(emulator) as served:
        yield served


@contextmanager
def _connection(served: Served) -> Iterator[HTTPConnection]:
    connection = HTTPConnection(served.host, served.port, timeout=10)
    try:
        yield connection
    finally:
        connection.close()


def _call(connection: HTTPConnection, method: str, path: str, body: object = None) -> tuple[int, Any]:
    sent = None if body is None else json.dumps(body).encode()
    connection.request(method, path, body=sent, headers=HEADERS)
    answer = connection.getresponse()
    received = answer.read()
    return answer.status, json.loads(received) if received else None


def test_one_connection_carries_many_calls_and_links_point_at_the_server(served: Served) -> None:
    with _connection(served) as connection:
        status, body = _call(connection, "POST", "/psp/paymentorders", purchase())
        kept = connection.sock
        assert status == 201
        for operation in body["operations"]:
            assert operation["href"].startswith(served.url)
        assert _call(connection, "GET", body["paymentOrder"]["id"])[0] == 200
        assert connection.sock is kept


def test_a_dropped_answer_closes_the_socket_after_acting(emulator: SwedbankPayEmulator, served: Served) -> None:
    emulator.faults.add(Fault(kind=FaultKind.DROP_AFTER, call="create"))
    with _connection(served) as connection, pytest.raises((RemoteDisconnected, ConnectionResetError)):
        _call(connection, "POST", "/psp/paymentorders", purchase())
    assert len(emulator.orders) == 1


@pytest.mark.parametrize("kind", [FaultKind.DROP_BEFORE, FaultKind.REFUSE])
def test_a_lost_request_closes_the_socket_and_nothing_happens(
    emulator: SwedbankPayEmulator, served: Served, kind: FaultKind
) -> None:
    emulator.faults.add(Fault(kind=kind, call="create"))
    with _connection(served) as connection, pytest.raises((RemoteDisconnected, ConnectionResetError)):
        _call(connection, "POST", "/psp/paymentorders", purchase())
    assert emulator.orders == ()


def test_half_a_body_is_half_of_what_was_promised(emulator: SwedbankPayEmulator, served: Served) -> None:
    emulator.faults.add(Fault(kind=FaultKind.HALF_BODY, call="create"))
    with _connection(served) as connection, pytest.raises(IncompleteRead) as caught:
        _call(connection, "POST", "/psp/paymentorders", purchase())
    half, missing = caught.value.partial, caught.value.expected
    assert missing is not None
    assert len(half) - missing in {-1, 0}
    assert len(emulator.orders) == 1


def test_a_delayed_answer_comes_late(emulator: SwedbankPayEmulator, served: Served) -> None:
    emulator.faults.add(Fault(kind=FaultKind.DELAY, seconds=0.2))
    with _connection(served) as connection:
        began = time.monotonic()
        assert _call(connection, "POST", "/psp/paymentorders", purchase())[0] == 201
        assert time.monotonic() - began >= 0.2


_REACHED_BY = ("127.0.0.1:{port}", "localhost:9001", "[::1]:80", "192.0.2.7", "shop.localhost", "LOCALHOST.")
_REBOUND = ("evil.example", "evil.example:{port}", "127.0.0.1.evil.example", "localhost.evil.example", "0x7f.1", "[")


@pytest.mark.parametrize("host", [*_REACHED_BY, *_REBOUND])
def test_a_name_that_a_foreign_page_points_at_this_machine_is_not_served(served: Served, host: str) -> None:
    with _connection(served) as connection:
        connection.putrequest("GET", "/__emulator__/transcript", skip_host=True)
        connection.putheader("host", host.format(port=served.port))
        connection.endheaders()
        answer = connection.getresponse()
        assert answer.status == (200 if host in _REACHED_BY else 421)
        assert (b"seen" in answer.read()) is (host in _REACHED_BY)


@pytest.mark.parametrize(
    ("headers", "is_let_in"),
    [
        ({}, True),
        ({"origin": "{own}"}, True),
        ({"origin": "null", "sec-fetch-site": "same-origin"}, True),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "null"}, False),
        ({"origin": "{own}", "sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "same-site"}, False),
    ],
)
@pytest.mark.parametrize("path", ["/__emulator__/clock", "/__emulator__/faults/clear", "/psp/paymentorders"])
def test_a_page_of_another_origin_changes_nothing(
    served: Served, emulator: SwedbankPayEmulator, path: str, headers: dict[str, str], *, is_let_in: bool
) -> None:
    before = emulator.clock.now()
    sent = {**HEADERS, **{name: value.format(own=served.url) for name, value in headers.items()}}
    with _connection(served) as connection:
        connection.request("POST", path, body=b'{"advance_seconds": 60}', headers=sent)
        answer = connection.getresponse()
        answer.read()
    assert (answer.status == 403) is not is_let_in
    assert is_let_in or emulator.clock.now() == before


def test_a_body_may_come_in_chunks(emulator: SwedbankPayEmulator, served: Served) -> None:
    body = json.dumps(purchase(description="En bok på svenska"), ensure_ascii=False).encode()
    with _connection(served) as connection:
        for reference in (b"A1", b"A2"):  # the second on the same connection: nothing of the first is left in it
            sent = body.replace(b'"A1"', b'"%s"' % reference)
            parts = (sent[place : place + 100] for place in range(0, len(sent), 100))
            connection.request("POST", "/psp/paymentorders", parts, HEADERS, encode_chunked=True)
            assert "En bok på svenska" in connection.getresponse().read().decode()
    assert [order.payee_reference for order in emulator.orders] == ["A1", "A2"]


CHUNKED = "transfer-encoding: chunked"
UNREADABLE: list[tuple[str, str, int]] = [
    ("content-length: many", "", 411),
    ("content-length: 99999999", "", 413),
    ("content-length: -1", "", 411),
    (f"content-length: {'9' * 5000}", "", 400),
    ("content-length: 2\r\ncontent-length: 20", "{}", 400),
    ("host: evil.example", "", 400),
    ("host: localhost", "", 400),
    ("transfer-encoding: gzip", "", 501),
    ("transfer-encoding: gzip, chunked", "0\r\n\r\n", 501),
    (f"{CHUNKED}\r\ncontent-length: 5", "0\r\n\r\n", 400),
    (CHUNKED, "x\r\n", 400),
    (CHUNKED, "-1\r\n", 400),
    (CHUNKED, "3\r\nabcd\r\n0\r\n\r\n", 400),
    (CHUNKED, "100001\r\n", 413),
    (CHUNKED, f"{'0' * 9000}\r\n", 400),
    (CHUNKED, f"0\r\n{'a: b' * 1000}\r\n{'a: b' * 1100}\r\n\r\n", 431),
]


@pytest.mark.parametrize(("headers", "body", "status"), UNREADABLE)
def test_a_body_without_a_sensible_length_is_refused(served: Served, headers: str, body: str, status: int) -> None:
    with socket.create_connection((served.host, served.port), timeout=10) as line:
        line.sendall(f"POST /psp/paymentorders HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n\r\n{body}".encode())
        answer = HTTPResponse(line)
        answer.begin()
        assert (answer.status, answer.headers["connection"]) == (status, "close")


@pytest.mark.parametrize("target", ["http://[x/psp/paymentorders", "http://[::1"])
def test_a_target_that_is_no_address_is_refused(
    served: Served, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_connection((served.host, served.port), timeout=10) as line:
        line.sendall(f"GET {target} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
        answer = HTTPResponse(line)
        answer.begin()
        assert (answer.status, answer.headers["connection"]) == (400, "close")
    assert capsys.readouterr().err == ""


def test_head_and_options_answer_as_http_says(served: Served, emulator: SwedbankPayEmulator) -> None:
    with _connection(served) as connection:
        whole = _call(connection, "GET", "/__emulator__/orders")
        connection.request("HEAD", "/__emulator__/orders")
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b"")
        assert int(answer.headers["content-length"]) > 0
        connection.request("OPTIONS", "/psp/paymentorders", headers={"origin": "https://evil.example"})
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (204, b"")
        assert {"GET", "POST", "HEAD"} <= set(answer.headers["allow"].split(", "))
        assert "access-control-allow-origin" not in answer.headers
        assert _call(connection, "GET", "/__emulator__/orders") == whole
    assert len(emulator.transcript.seen) == 0


def test_leaving_hangs_up_on_idle_callers_and_ends_every_thread(emulator: SwedbankPayEmulator) -> None:
    before = threading.active_count()
    with serve(emulator) as served:
        idle = socket.create_connection((served.host, served.port))
        with _connection(served) as connection:
            assert _call(connection, "GET", "/__emulator__/clock")[0] == 200
    assert threading.active_count() == before
    assert idle.recv(1) == b""
    idle.close()


def test_it_speaks_tls(emulator: SwedbankPayEmulator, tmp_path: Path) -> None:
    server_side, client_side = _contexts(tmp_path)
    with serve(emulator, tls=server_side) as served:
        assert served.url.startswith("https://")
        connection = HTTPSConnection("127.0.0.1", served.port, context=client_side, timeout=10)
        try:
            status, body = _call(connection, "POST", "/psp/paymentorders", purchase())
        finally:
            connection.close()
        assert status == 201
        assert body["operations"][0]["href"].startswith(served.url)
        with socket.create_connection((served.host, served.port)) as stranger:
            stranger.sendall(b"this is no handshake\r\n\r\n")
            stranger.recv(100)


def test_callbacks_arrive_over_http_without_being_asked_for() -> None:
    arrived: queue.Queue[tuple[str, dict[str, str], bytes]] = queue.Queue()

    class _Host(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            arrived.put((self.path, dict(self.headers.items()), body))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    host = HTTPServer(("127.0.0.1", 0), _Host)
    listening = threading.Thread(target=host.serve_forever, kwargs={"poll_interval": 0.02})
    listening.start()
    local = Behaviour(callback_addresses=CallbackAddresses.LOCAL)
    emulator = SwedbankPayEmulator(clock=VirtualClock(real_time=True), behaviour=local)
    urls: dict[str, object] = dict(purchase()["paymentorder"]["urls"])  # type: ignore[index]  # plain JSON
    urls["callbackUrl"] = f"http://127.0.0.1:{host.server_port}/cb?secret=1"
    try:
        with serve(emulator) as served, _connection(served) as connection:
            _, body = _call(connection, "POST", "/psp/paymentorders", purchase(urls=urls))
            emulator.pay_by_card(body["paymentOrder"]["id"])
            path, headers, told = arrived.get(timeout=10)
    finally:
        host.shutdown()
        listening.join()
        host.server_close()
    assert path == "/cb?secret=1"
    assert "authorization" not in {name.lower() for name in headers}
    assert json.loads(told)["paymentOrder"]["id"] == body["paymentOrder"]["id"]


def test_of_many_callers_at_once_one_takes_the_money(emulator: SwedbankPayEmulator, served: Served) -> None:
    with _connection(served) as connection:
        _, body = _call(connection, "POST", "/psp/paymentorders", purchase())
    order = body["paymentOrder"]["id"]
    emulator.pay_by_card(order)

    def capture(number: int) -> int:
        transaction = {"description": "all", "amount": 1500, "vatAmount": 0, "payeeReference": f"C{number}"}
        with _connection(served) as connection:
            return _call(connection, "POST", f"{order}/captures", {"transaction": transaction})[0]

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(capture, range(16)))
    assert sorted(statuses) == [200] + [403] * 15
    assert emulator.order(order).totals.captured == 1500


@pytest.mark.parametrize(("as_json", "preset"), [(True, "strict"), (False, "lenient")])
def test_it_serves_from_the_command_line_until_interrupted(as_json: bool, preset: str) -> None:  # noqa: FBT001
    program = (
        "from prenopay.testing.emulators.swedbankpay import SwedbankPayEmulator; "
        f"SwedbankPayEmulator.serve_forever(port=0, preset={preset!r}, as_json={as_json})"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        said = running.stdout.readline()
        url = re.search(r"http://127\.0\.0\.1:(\d+)", said)
        assert url is not None
        connection = HTTPConnection("127.0.0.1", int(url[1]), timeout=10)
        try:
            assert _call(connection, "GET", "/__emulator__/orders") == (200, {"orders": []})
            taken = _call(connection, "POST", "/psp/paymentorders", purchase(amount="1500"))[0]
            assert taken == (201 if preset == "lenient" else 400)
        finally:
            connection.close()
        running.send_signal(signal.SIGINT)
        rest = running.stdout.read()
        assert running.wait(timeout=10) == 0
    assert DEFAULT_PAYEE_ID in said + rest
    assert DEFAULT_ACCESS_TOKEN in said + rest
    told = [f"{way}: {source}".replace("`", "") in said + rest for way, source in LENIENCIES.items()]
    assert told == [preset == "lenient"] * len(LENIENCIES)


def _contexts(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    both = folder / "server.pem"
    both.write_bytes(pem + certificate.public_bytes(serialization.Encoding.PEM))
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(both)
    trusted = certificate.public_bytes(serialization.Encoding.PEM).decode()
    return server_side, ssl.create_default_context(cadata=trusted)
