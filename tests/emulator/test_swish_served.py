"""Swish served whole: callbacks without a server name, and the command line."""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import ssl
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partialmethod
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from prenopay.errors import ConfigurationError
from prenopay.testing.callbacks import CallbackAddresses, posting_without_name
from prenopay.testing.clock import VirtualClock
from prenopay.testing.emulators.swish import (
    DEFAULT_NUMBER,
    Behaviour,
    SwishAuthority,
    SwishEmulator,
    serve_swish,
)
from prenopay.testing.emulators.swish.authority import load_pair
from prenopay.testing.emulators.swish.keeping import kept_authority

from .swish_calling import IDENTIFIER, Shop


@pytest.fixture(scope="module")
def authority() -> SwishAuthority:
    return SwishAuthority()


class Host:
    """A shop's HTTPS server: what it received, and by which server name it was called."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.told: queue.Queue[tuple[dict[str, str], Any]] = queue.Queue()
        self.names: list[str | None] = []


@contextmanager
def _host(authority: SwishAuthority, *names: str) -> Iterator[Host]:
    class _Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            found.told.put((dict(self.headers.items()), json.loads(body)))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load_pair(tls, *authority.server_pair(hosts=names))
    server = HTTPServer(("127.0.0.1", 0), _Handler)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    found = Host(server.server_port)
    tls.sni_callback = lambda _socket, name, _context: found.names.append(name)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _trust(authority: SwishAuthority) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=authority.server_root_pem.decode())


def test_callbacks_come_over_tls_without_a_server_name(authority: SwishAuthority) -> None:
    local = Behaviour(callback_addresses=CallbackAddresses.LOCAL)
    emulator = SwishEmulator(authority=authority, clock=VirtualClock(real_time=True), behaviour=local)
    with _host(authority, "localhost") as host, serve_swish(emulator, callback_trust=_trust(authority)):
        payment = Shop(emulator).created(callbackUrl=f"https://localhost:{host.port}/cb")
        emulator.approve(payment)
        headers, body = host.told.get(timeout=10)
    assert (body["id"], body["status"]) == (payment, "PAID")
    assert headers["callbackIdentifier"] == IDENTIFIER
    assert host.names == [None]


@pytest.mark.parametrize(
    ("names", "called", "arrives"),
    [
        (("localhost",), "localhost", True),
        (("127.0.0.1",), "127.0.0.1", True),
        (("shop.example",), "localhost", False),
        (("127.0.0.2", "localhost"), "127.0.0.1", False),
        (("*.example",), "localhost", False),
    ],
)
def test_the_hosts_certificate_must_name_it(
    authority: SwishAuthority,
    names: tuple[str, ...],
    called: str,
    arrives: bool,  # noqa: FBT001
) -> None:
    with _host(authority, *names) as host:
        status = posting_without_name(_trust(authority))(f"https://{called}:{host.port}/", b"{}", ())
    assert (status == 200) is arrives


def test_a_host_that_nobody_trusts_is_not_told(authority: SwishAuthority) -> None:
    with _host(authority, "localhost") as host:
        post = posting_without_name(ssl.create_default_context())
        assert post(f"https://localhost:{host.port}/", b"{}", ()) is None
        assert post("https://127.0.0.1:9/", b"{}", ()) is None
        assert post("http://127.0.0.1:9/", b"{}", ()) is None


def test_the_control_api_plays_the_payer(authority: SwishAuthority) -> None:
    emulator = SwishEmulator(authority=authority)
    with (
        serve_swish(emulator, deliver_callbacks=False) as served,
        httpx.Client(base_url=f"{served.phone.url}/__emulator__/") as control,
    ):
        shop = Shop(emulator)
        paid, declined, failed = (shop.created() for _ in range(3))
        assert len(control.get("orders").json()["orders"]) == 3
        scan = {"action": "scan", "order": paid, "msisdn": "46701740611"}
        assert control.post("payer", json=scan).json()["payer"] == "46701740611"
        assert control.post("payer", json={"action": "approve", "order": paid}).json()["status"] == "PAID"
        assert control.post("payer", json={"action": "decline", "order": declined}).json()["status"] == "DECLINED"
        assert control.post("payer", json={"action": "fail", "order": failed, "code": "FF10"}).status_code == 200
        assert control.get(f"orders/{failed}").json()["errorCode"] == "FF10"
        assert control.post("payer", json={"action": "approve", "order": paid}).status_code == 400
        assert control.post("payer", json={"action": "dance", "order": paid}).status_code == 400


def test_the_port_that_is_taken_is_named_even_if_it_is_the_phones(authority: SwishAuthority) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        serving = serve_swish(SwishEmulator(authority=authority), phone_port=port)
        with pytest.raises(ConfigurationError, match=f"^port {port} on 127.0.0.1 cannot be used: Address"), serving:
            pass


SMALL_KEYS = """
import functools, sys
from prenopay.cli import main
from prenopay.testing.emulators.swish import SwishAuthority
SwishAuthority.issue = functools.partialmethod(SwishAuthority.issue, key_size=2048)
sys.exit(main(["emulate", "swish", "--port", "0", *sys.argv[1:]]))
"""
"""The command, but for the keys: to make two of 4096 bits takes many seconds."""
COMMAND = [sys.executable, "-c", SMALL_KEYS]


@contextmanager
def _emulating(folder: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "TMPDIR": str(folder)}
    with subprocess.Popen([*COMMAND, *options], stdout=subprocess.PIPE, text=True, cwd=folder, env=environment) as it:
        try:
            yield it
        finally:
            it.send_signal(signal.SIGINT)
    assert it.returncode in {0, 130}


def test_the_command_line_serves_swish_and_keeps_its_certificates(tmp_path: Path) -> None:
    def pays() -> tuple[dict[str, str], bytes]:
        with _emulating(tmp_path, "--json", "--preset", "lenient") as process:
            assert process.stdout is not None
            said = json.loads(process.stdout.readline())
            tls = ssl.create_default_context(cafile=said["trust"])
            tls.load_cert_chain(said["certificate"], said["private_key"])
            shop = Shop(number=said["number"])
            with httpx.Client(verify=tls) as client:
                path = f"{said['url']}/swish-cpcapi/api/v2/paymentrequests/{shop.new_id()}"
                local = shop.request(callbackUrl="http://127.0.0.1:9/cb", ageLimit=22)
                assert client.put(path, json=local).status_code == 201
            assert "100,00" in httpx.get(said["phone"]).text
            return said, Path(said["certificate"]).read_bytes()

    said, certificate = pays()
    folder = Path(said["folder"])
    assert folder == tmp_path / ".prenopay" / "emulated-swish"
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
    assert (folder / ".gitignore").read_text(encoding="utf-8") == "*\n"
    assert list(tmp_path.iterdir()) == [tmp_path / ".prenopay"]

    again, same = pays()  # a shop's settings fit the next start, too
    assert (again["certificate"], same) == (said["certificate"], certificate)

    with _emulating(tmp_path) as process:
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("Control it"):
                break
    begins = next(place for place, line in enumerate(lines) if "[accounts.swish]" in line)
    account = tomllib.loads("".join(lines[begins:-2]))["accounts"]["swish"]
    assert account["number"] == DEFAULT_NUMBER
    assert account["base_url"].startswith("https://127.0.0.1:")
    for key in ("certificate", "private_key", "trust"):
        assert account[key] == f"file:{said[key]}"


def test_kept_certificates_are_used_again_and_those_of_no_use_are_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SwishAuthority, "issue", partialmethod(SwishAuthority.issue, key_size=2048))
    first, files = kept_authority(tmp_path, DEFAULT_NUMBER)
    again, _ = kept_authority(tmp_path, DEFAULT_NUMBER)
    assert [each.serial for each in again.issued] == [each.serial for each in first.issued]
    assert (again.root_pem, again.server_root_pem) == (first.root_pem, first.server_root_pem)
    signing = again.issued[1]
    assert again.signing_certificate(DEFAULT_NUMBER, signing.serial, signing_only=True) == signing.leaf
    assert again.issue(DEFAULT_NUMBER).chain[0] == first.issued[0].chain[0]

    other, _ = kept_authority(tmp_path, "1230000025")
    assert {each.number for each in other.issued} == {"1230000025"}
    for name in ("private_key", "trust", "certificate"):
        Path(files[name]).write_bytes(b"half a fi")
        replaced, _ = kept_authority(tmp_path, "1230000025")
        assert replaced.root_pem != other.root_pem
        other = replaced
