"""``python -m examples.publisher_shop`` says where it is, sells a paper, and stops on request."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from examples.publisher_shop import __main__ as shop

from prenopay.errors import ConfigurationError

from .shops import EMAIL

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.browser


def _free_ports(count: int) -> list[str]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [str(each.getsockname()[1]) for each in sockets]


@contextmanager
def _started(*options: str) -> Iterator[subprocess.Popen[str]]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SHOP_", "PRENOPAY_"))}
    process = subprocess.Popen(
        [sys.executable, "-m", "examples.publisher_shop", *options],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def _buy(browser: Any, url: str) -> None:
    page = browser.new_page()
    page.goto(url)
    page.locator("a[href='/buy/issue']").click()
    page.locator("#email").fill(EMAIL)
    page.get_by_role("button", name="Betala").click()
    page.wait_for_url("**/checkout/**")
    page.get_by_role("button", name="Betala").first.click()
    page.get_by_role("button", name="Godkänn").click()
    page.get_by_role("heading", level=1, name="Tack! Tidningen är din.").wait_for()
    page.close()


def _swish(browser: Any, url: str) -> None:
    page = browser.new_page(locale="sv-SE")
    page.goto(f"{url}/buy/issue")
    page.locator("#email").fill(EMAIL)
    page.locator("[name=instrument][value=swish]").check()
    page.get_by_role("button", name="Betala").click()
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Öppna den i en ny flik").click()
    opened.value.get_by_role("button", name="Godkänn").click()
    page.get_by_role("heading", level=1, name="Tack! Tidningen är din.").wait_for()
    page.close()


def test_the_shop_starts_sells_and_ends(browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    port, gateway_port, swish_port, phone_port = _free_ports(4)
    ports = ("--port", port, "--gateway-port", gateway_port, "--swish-port", swish_port, "--phone-port", phone_port)
    with _started(*ports) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(3)]
        assert said[0] == f"Norrviks Dagblad   http://127.0.0.1:{port}\n"
        assert re.fullmatch(rf"staff pages        http://127.0.0.1:{port}/staff/   \(password: \S{{12}}\)\n", said[1])
        phone = f"http://127.0.0.1:{phone_port}/phone"
        assert said[2] == f"emulated phone     {phone}   (replaces the Swish app)\n"
        _buy(browser, f"http://127.0.0.1:{port}")
        _swish(browser, f"http://127.0.0.1:{port}")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    assert (out, err, process.returncode) == ("", "", 0)
    assert list(tmp_path.iterdir()) == []


def test_a_port_that_is_taken_is_reported_plainly() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with _started("--gateway-port", str(port)) as it:
            _, err = it.communicate(timeout=120)
    assert f"--gateway-port: port {port} on 127.0.0.1 cannot be used: Address already in use" in err
    assert "Traceback" not in err
    assert it.returncode == 2


def test_a_port_that_nobody_named_is_the_next_free_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(shop, "PORTS", {"port": (port, "the shop's"), "gateway_port": (port, "the gateway's")})
        options = Namespace(config=None, port=None, gateway_port=None)
        shop.choose_ports(options)
        assert port < options.port < options.gateway_port
        with pytest.raises(ConfigurationError, match=f"--port: port {port} on 127.0.0.1 cannot be used"):
            shop.choose_ports(Namespace(config="prenopay.toml", port=None, gateway_port=None))
