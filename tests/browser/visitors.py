"""People at a browser: a reader who buys and pays, and staff who look after payments."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

from .shops import EMAIL, PASSWORD, RunningShop

PATIENCE_SECONDS = 60
PHONE = {"width": 390, "height": 780}
DESKTOP = {"width": 1280, "height": 800}
CHALLENGED_CARD = "Visa som slutar på 0416"
PLAIN_CARD = "Visa som slutar på 0004"


class Visitor:
    """One browser of one person. It keeps every complaint of a page in its console."""

    def __init__(
        self, browser: Any, shop: RunningShop, *, viewport: dict[str, int] | None = None, scripts: bool = True
    ) -> None:
        self.shop = shop
        self.context = browser.new_context(
            viewport=viewport or DESKTOP, locale="sv-SE", reduced_motion="reduce", java_script_enabled=scripts
        )
        self.context.set_default_timeout(PATIENCE_SECONDS * 1000)
        self.complaints: list[str] = []
        self.paths: dict[str, str] = {}
        self.page = self.new_tab()

    def new_tab(self) -> Any:
        """Open another tab."""
        page = self.context.new_page()
        page.on("console", lambda message: self._hear(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("response", self._look_at)
        return page

    def close(self) -> None:
        """Close the browser, no matter what is under way in it."""
        self.context.close()

    def _hear(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"} and not text.startswith("Failed to load resource"):
            self.complaints.append(f"{kind}: {text}")

    def _look_at(self, response: Any) -> None:
        """Note a missing part of a page as a mistake. A page itself may refuse a person."""
        if response.status >= 400 and not response.request.is_navigation_request():
            self.complaints.append(f"{response.status} {response.url}")

    # The shop

    def go(self, path: str) -> None:
        """Open a page of the shop."""
        self.page.goto(f"{self.shop.url}{path}")

    def speak(self, language: str) -> None:
        """Choose a language without looking for its link."""
        self.context.add_cookies([{"name": "language", "value": language, "url": self.shop.url}])

    def fill_in_order(self, offer: str = "digital", *, by: str = "card") -> None:
        """Fill in the order form, up to the button."""
        self.go(f"/buy/{offer}")
        self.page.locator("#email").fill(EMAIL)
        self.page.locator(f"input[name=instrument][value={by}]").check()

    def order(self, offer: str = "digital", *, by: str = "card") -> None:
        """Order, and arrive at the gateway's page."""
        self.fill_in_order(offer, by=by)
        self.page.locator("button.wide").click()
        self.page.wait_for_url("**/checkout/**")

    def swish(self, offer: str = "digital", *, phone: str = "") -> None:
        """Order by the newspaper's own Swish, and arrive at the page that waits for the app."""
        self.fill_in_order(offer, by="swish")
        self.page.locator("#phone").fill(phone)
        self.page.locator("button.wide").click()
        self.page.locator("[data-standing=swish_app], [data-standing=swish_phone]").wait_for()

    def see(self, heading: str) -> None:
        """Wait for the page's main heading."""
        self.page.get_by_role("heading", level=1, name=heading).wait_for()

    def arrive(self, address: str) -> None:
        """Wait until the page's address contains ``address``, whatever a second click breaks off on the way."""
        from playwright.sync_api import expect  # noqa: PLC0415 - loaded only where a browser is

        expect(self.page).to_have_url(re.compile(re.escape(address)), timeout=PATIENCE_SECONDS * 1000)

    @property
    def number(self) -> str:
        """Return the number of the order on the page, which its address does not show."""
        found = re.search(r"ND-[A-Z2-7]{12}", self.page.locator("#receipt dl").inner_text())
        assert found, self.page.url
        assert found[0] not in self.page.url
        return found[0]

    # The gateway's page

    def press(self, name: str) -> None:
        """Press the button that begins with ``name``."""
        self.page.get_by_role("button", name=re.compile(f"^{name}")).first.click()

    def approve_card(self) -> None:
        """Pay by the card in the form, and confirm it at the bank."""
        self.press("Betala|Pay")
        self.press("Godkänn|Approve")

    def buy(self, offer: str = "digital") -> str:
        """Order and pay by card, wait until the shop knows, and return the order's number."""
        self.order(offer)
        self.approve_card()
        self.page.locator("[data-standing=thanks], [data-standing=reserved]").wait_for()
        return self.number

    # The staff's pages

    def come_in(self) -> None:
        """Log in as staff without looking at the login page."""
        answer = self.context.request.post(f"{self.shop.url}/staff/login", form={"password": PASSWORD})
        assert answer.url == f"{self.shop.url}/staff/"

    def log_in(self, password: str = PASSWORD) -> None:
        """Log in as staff."""
        self.go("/staff/")
        self.page.locator("#password").fill(password)
        self.page.locator("main form button").click()

    def open_payment(self, number: str) -> None:
        """Open a payment from the staff's list."""
        self.go("/staff/")
        self.page.get_by_role("link", name=number).click()
        self.page.get_by_role("heading", level=1, name=number).wait_for()

    def do(self, action: str, amount: str = "", *, asked: bool = True) -> None:
        """Fill in and send one of the payment's forms; if ``asked`` whether one is sure, say yes."""
        if action != "cancel":
            self.page.locator(f"#{action}-amount").fill(amount)
        self.page.locator(f"form.action:has([value={action}]) button").click()
        if asked and action != "capture":
            self.page.locator("form:has([name=sure]) button").click()

    @property
    def steps(self) -> list[str]:
        """Return the payment's timeline, line by line."""
        texts: list[str] = self.page.locator(".timeline li > span").all_inner_texts()
        return [" ".join(text.split()) for text in texts]

    def reload_until(self, text: str) -> None:
        """Reload the page until its message says ``text``."""
        self.reload_while(lambda: text not in self.page.get_by_role("status").inner_text())
        self.says(text)

    def reload_while(self, waits: Callable[[], bool]) -> None:
        """Reload the page until the sweep has changed it, for as long as a test waits."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline and waits():
            self.page.reload()

    def says(self, text: str) -> None:
        """Wait for a message that screen readers hear."""
        self.page.locator("[role=alert], [role=status]").filter(has_text=text).wait_for()
