"""Money moves once, even if something is clicked twice, sent again or done in two tabs."""

from __future__ import annotations

import re
import socket
from urllib.parse import urlsplit

import httpx
import pytest

from prenopay.testing.callbacks import Manner
from prenopay.testing.emulators.swedbankpay import Status

from .shops import RunningShop
from .visitors import Visitor

pytestmark = pytest.mark.browser


def test_a_double_click_on_pay_makes_one_order(shop: RunningShop, reader: Visitor) -> None:
    reader.fill_in_order("digital")
    reader.page.locator("button.wide").dblclick()
    reader.arrive("/checkout/")
    reader.approve_card()
    reader.see("Tack! Tidningen är din.")
    assert shop.statuses == [Status.PAID]
    assert shop.captured == 11900


def test_the_order_form_sent_twice_at_once_leads_to_one_page(shop: RunningShop, reader: Visitor) -> None:
    reader.fill_in_order("digital")
    landed = reader.page.evaluate(
        """async () => {
            const send = () => fetch(location.href, {
                method: "POST",
                body: new URLSearchParams(new FormData(document.querySelector("main form"))),
                redirect: "manual",
            });
            return (await Promise.all([send(), send(), send()])).map((answer) => answer.type);
        }""",
    )
    assert landed == ["opaqueredirect"] * 3
    assert shop.statuses == [Status.INITIALIZED]


def test_going_back_and_choosing_another_way_is_another_order(shop: RunningShop, reader: Visitor) -> None:
    reader.order("digital", by="card")
    reader.page.go_back()
    reader.page.locator("#email").fill("tove.ek@exempel.se")
    reader.page.locator("input[value=swish]").check()
    reader.press("Betala")
    reader.page.wait_for_url("**/checkout/**")
    reader.press("Betala")
    reader.press("Godkänn")
    reader.see("Tack! Tidningen är din.")
    assert shop.statuses == [Status.INITIALIZED, Status.PAID]


def test_two_tabs_on_the_gateways_page_pay_once(shop: RunningShop, reader: Visitor) -> None:
    reader.order("digital")
    second = reader.new_tab()
    second.goto(reader.page.url)
    reader.approve_card()
    reader.see("Tack! Tidningen är din.")
    second.get_by_role("button", name=re.compile("^Betala")).first.click()
    second.get_by_role("heading", level=1, name="Betalningen är klar").wait_for()
    second.get_by_role("link", name="Tillbaka till").click()
    second.get_by_role("heading", level=1, name="Tack! Tidningen är din.").wait_for()
    assert shop.captured == 11900


def test_two_tabs_that_try_again_after_a_cancelled_payment_share_one_page(shop: RunningShop, reader: Visitor) -> None:
    reader.order("digital")
    reader.press("Avbryt och gå tillbaka")
    reader.see("Ingenting har dragits")
    second = reader.new_tab()
    second.goto(reader.page.url)
    reader.press("Försök igen")
    second.get_by_role("button", name="Försök igen").click()
    for tab in (reader.page, second):
        tab.wait_for_url("**/checkout/**")
    assert reader.page.url == second.url
    assert shop.statuses == [Status.ABORTED, Status.INITIALIZED]


def test_an_old_tab_cannot_pay_a_paid_order_again(shop: RunningShop, reader: Visitor) -> None:
    shop.emulator.callbacks.behave(Manner.HOLD)
    reader.order("digital")
    old = reader.new_tab()
    old.route("**/status", lambda route: route.abort())  # this tab does not learn that the order is paid
    old.goto(f"{shop.url}{shop.path_of(shop.emulator.orders[0].order_reference)}")
    old.get_by_role("heading", level=1, name="Vi väntar på besked").wait_for()
    reader.approve_card()
    reader.see("Tack! Tidningen är din.")
    old.get_by_role("button", name="Gå till betalsidan").click()
    old.get_by_role("heading", level=1, name="Tack! Tidningen är din.").wait_for()
    assert shop.statuses == [Status.PAID]


def test_a_waiting_tab_learns_what_happened_in_another(shop: RunningShop, reader: Visitor) -> None:
    reader.order("digital")
    waiting = reader.new_tab()
    waiting.goto(f"{shop.url}{shop.path_of(shop.emulator.orders[0].order_reference)}")
    status = waiting.get_by_role("status")
    status.get_by_role("heading", name="Vi väntar på besked").wait_for()
    waiting.evaluate("window.neverReloaded = true")
    reader.approve_card()
    status.get_by_role("heading", name="Tack! Tidningen är din.").wait_for()
    assert waiting.evaluate("window.neverReloaded")
    assert waiting.title().startswith("Tack!")


def test_a_double_click_on_refund_gives_back_once(shop: RunningShop, reader: Visitor, staff: Visitor) -> None:
    number = reader.buy("digital")
    staff.open_payment(number)
    staff.page.locator("#refund-amount").fill("40")
    staff.page.get_by_role("button", name="Betala tillbaka").click()
    staff.page.get_by_role("button", name="Betala tillbaka 40,00").dblclick()
    staff.arrive("?did=")
    arrived = staff.page.url
    staff.page = staff.new_tab()  # the second click's page may have been drawn while the first was under way
    staff.page.goto(arrived)
    staff.says("Återbetalning 40,00\N{NO-BREAK SPACE}kr: genomförd.")
    assert shop.reversed == 4000


def test_a_form_sent_again_from_the_history_acts_once(shop: RunningShop, reader: Visitor, staff: Visitor) -> None:
    number = reader.buy("digital")
    staff.open_payment(number)
    form = staff.page.evaluate("Object.fromEntries(new FormData(document.querySelector('form.action')))")
    path = staff.page.url
    form["sure"] = "yes"
    answers = [staff.page.request.post(path, form={**form, "amount": amount}) for amount in ("119", "119", "60")]
    assert [answer.status for answer in answers] == [200, 200, 422]
    assert "Formuläret har redan använts" in answers[2].text()
    assert shop.reversed == 11900


def test_a_form_that_the_browser_breaks_off_is_no_error(shop: RunningShop) -> None:
    address = urlsplit(shop.url)
    with socket.create_connection((address.hostname, address.port)) as browser:
        browser.sendall(
            b"POST /staff/login HTTP/1.1\r\nHost: shop\r\nContent-Length: 100\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\n\r\npassword=n"
        )
    assert httpx.get(shop.url).status_code == 200
