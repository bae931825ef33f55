"""The payment page and the seamless view in a real Chromium, by keyboard and on a phone."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from prenopay.testing.clock import VirtualClock
from prenopay.testing.emulators.swedbankpay import DEFAULT_ACCESS_TOKEN, DEFAULT_PAYEE_ID, Status, SwedbankPayEmulator
from prenopay.testing.server import Served, serve
from tests.chromium import chromium

from .calling import purchase

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture
def emulator() -> SwedbankPayEmulator:
    return SwedbankPayEmulator(clock=VirtualClock(real_time=True))


@pytest.fixture
def served(emulator: SwedbankPayEmulator) -> Iterator[Served]:
    with serve(emulator, deliver_callbacks=False) as served:
        yield served


@contextmanager
def _shop() -> Iterator[tuple[str, dict[str, str]]]:
    """Serve a shop whose pages are set by the test."""
    pages: dict[str, str] = {}

    class _Shop(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = pages.get(self.path.split("?")[0], "<!doctype html><title>Shop</title><h1>Shop</h1>").encode()
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), _Shop)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", pages
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _rels(served: Served, shop: str, **changes: Any) -> dict[str, str]:
    urls = {
        "hostUrls": [shop],
        "completeUrl": f"{shop}/complete",
        "cancelUrl": f"{shop}/cancel",
        "paymentUrl": f"{shop}/pay",
    }
    connection = HTTPConnection(served.host, served.port)
    headers = {"Authorization": f"Bearer {DEFAULT_ACCESS_TOKEN}", "Content-Type": "application/json;version=3.1"}
    try:
        connection.request("POST", "/psp/paymentorders", json.dumps(purchase(urls=urls, **changes)), headers)
        body = json.load(connection.getresponse())
    finally:
        connection.close()
    return {operation["rel"]: operation["href"] for operation in body["operations"]}


def test_a_person_pays_on_a_phone_after_a_failed_try(
    browser: Any, served: Served, emulator: SwedbankPayEmulator
) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 780}, java_script_enabled=False)
    with _shop() as (shop, _):
        page.goto(_rels(served, shop)["redirect-checkout"])
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.locator("summary", has_text="Kort").first.click()
        page.get_by_role("button", name="Betala").click()
        page.get_by_role("button", name="Avbryt").click()
        assert "Du avbröt hos din bank." in page.get_by_role("alert").inner_text()
        page.locator("summary", has_text="Swish").click()
        page.get_by_label("Mobilnummer").fill("0739000001")
        page.get_by_role("button", name="Betala").click()
        page.get_by_role("button", name="Godkänn").click()
        page.wait_for_url(f"{shop}/complete")
    page.close()
    assert emulator.order("A1").status is Status.PAID


def test_a_person_pays_by_keyboard_alone(browser: Any, served: Served, emulator: SwedbankPayEmulator) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    with _shop() as (shop, _):
        menu = {"restrictedToInstruments": ["CreditCard", "Swish"], "expandFirstInstrument": True}
        page.goto(_rels(served, shop, language="en-US", **menu)["redirect-checkout"])
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == "pan"
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="Your bank asks").wait_for()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_url(f"{shop}/complete")
    page.close()
    assert emulator.order("A1").status is Status.PAID


def test_the_control_page_fits_a_phone_and_a_desk_and_pays(
    browser: Any, served: Served, emulator: SwedbankPayEmulator
) -> None:
    with _shop() as (shop, _):
        for width in (320, 1280):
            _rels(served, shop, payeeInfo={"payeeId": DEFAULT_PAYEE_ID, "payeeReference": f"A{width}"})
            page = browser.new_page(viewport={"width": width, "height": 844})
            page.goto(f"{served.url}/__emulator__")
            assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
            page.get_by_label("Call").select_option("capture")
            page.get_by_role("button", name="Plan it").click()
            page.get_by_role("button", name=f"Approve A{width}").press("Enter")
            page.get_by_role("status").get_by_text("The payer approved.").wait_for()
            page.close()
    assert {order.status for order in emulator.orders} == {Status.PAID}
    assert [fault.call for fault in emulator.faults.waiting] == ["capture"] * 2


def _page_that_listens(script: str) -> str:
    return f"""<!doctype html><title>Pay</title><div id="checkout"></div>
        <script src="{script}"></script>
        <script>
          window.told = [];
          window.view = payex.hostedView.checkout({{
            container: {{ checkout: "checkout" }},
            culture: "sv-SE",
            onPaymentAttemptFailed: (event) => told.push(event),
            onEventNotification: (event) => told.push(event),
          }}).open();
        </script>"""


def test_the_seamless_view_tells_its_host_what_happens(
    browser: Any, served: Served, emulator: SwedbankPayEmulator
) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    with _shop() as (shop, pages):
        rels = _rels(served, shop, restrictedToInstruments=["CreditCard", "Swish"])
        pages["/pay"] = _page_that_listens(rels["view-checkout"])
        page.goto(f"{shop}/pay")
        frame = page.frame_locator("iframe[title=Betalning]")
        frame.locator("summary", has_text="Kort").first.click()
        frame.get_by_role("button", name="Betala").click()
        frame.get_by_role("button", name="Avbryt").click()
        frame.get_by_role("alert").wait_for()
        page.wait_for_function("told.some((event) => event.event === 'OnPaymentAttemptFailed')")
        order = emulator.order("A1").id
        told = page.evaluate("told")
        assert {event["paymentOrder"]["id"] for event in told} == {order}
        assert [event["details"] for event in told if event["event"] == "OnPaymentAttemptFailed"] == [
            "3dsecureusercancelled"
        ]
        heard = {event.get("sourceEvent") for event in told}
        assert {"OnCheckoutLoaded", "OnInstrumentSelected", "OnPaymentAttemptStarted"} <= heard
        page.evaluate("view.update({ culture: 'en-US' })")
        page.frame_locator("iframe").get_by_text("How do you want to pay?").wait_for()
        frame.locator("summary", has_text="Card").first.click()
        frame.get_by_role("button", name="Pay").click()
        frame.get_by_role("button", name="Approve").click()
        page.wait_for_url(f"{shop}/complete")
    page.close()
    assert emulator.order("A1").status is Status.PAID


def test_the_seamless_view_replaces_defaults_and_closes(browser: Any, served: Served) -> None:
    page = browser.new_page()
    with _shop() as (shop, pages):
        rels = _rels(served, shop, restrictedToInstruments=["Trustly"])
        pages["/pay"] = f"""<!doctype html><title>Pay</title><div id="checkout"></div>
            <script src="{rels["view-checkout"]}"></script>
            <script>
              window.told = [];
              const tell = (event) => told.push([event.event, event.redirectUrl || event.details]);
              window.view = payex.hostedView.checkout({{
                container: "checkout", onPaid: tell, onError: tell, culture: "en-US",
              }}).open();
              view.open();
            </script>"""
        page.goto(f"{shop}/pay")
        page.frame_locator("iframe").get_by_role("button", name="Pay").click()
        page.wait_for_function("told.length === 2")
        assert page.evaluate("told") == [["OnError", "open() may be called once only"], ["OnPaid", f"{shop}/complete"]]
        page.evaluate("view.refresh() && view.close()")
        assert page.locator("iframe").count() == 0
        assert page.url == f"{shop}/pay"
    page.close()


def test_the_seamless_view_stays_shut_on_a_site_that_is_not_named(browser: Any, served: Served) -> None:
    page = browser.new_page()
    with _shop() as (shop, pages):
        rels = _rels(served, "https://shop.example")
        pages["/pay"] = f"""<!doctype html><title>Pay</title><div id="checkout"></div>
            <script src="{rels["view-checkout"]}"></script>
            <script>
              window.told = [];
              const onError = (event) => told.push(event.details);
              payex.hostedView.checkout({{ container: {{ checkout: "checkout" }}, onError }}).open();
              payex.hostedView.checkout({{ container: {{ checkout: "missing" }}, onError }}).open();
            </script>"""
        page.goto(f"{shop}/pay")
        told = page.evaluate("told")
        assert "hostUrls" in told[0]
        assert "container.checkout" in told[1]
        assert page.locator("iframe").count() == 0
    page.close()
