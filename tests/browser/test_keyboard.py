"""Everything can be done by keyboard alone, and the focus is always visible."""

from __future__ import annotations

import pytest

from .shops import EMAIL, RunningShop
from .visitors import Visitor

pytestmark = pytest.mark.browser

MOST_STOPS = 60


def _tab_to(visitor: Visitor, selector: str) -> None:
    """Press Tab until ``selector`` has the focus; every stop on the way must be visible."""
    for _ in range(MOST_STOPS):
        visitor.page.keyboard.press("Tab")
        outline, width = visitor.page.evaluate(
            """() => {
                const style = getComputedStyle(document.activeElement);
                return [style.outlineStyle, parseFloat(style.outlineWidth)];
            }""",
        )
        assert outline == "solid"
        assert width >= 3
        if visitor.page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    pytest.fail(f"Tab never comes to {selector}")


def test_a_purchase(shop: RunningShop, reader: Visitor) -> None:
    keyboard = reader.page.keyboard
    reader.go("/")
    _tab_to(reader, ".skip")
    keyboard.press("Enter")
    _tab_to(reader, "a[href='/buy/digital']")
    keyboard.press("Enter")
    reader.see("Din beställning")
    _tab_to(reader, "#email")
    keyboard.type(EMAIL)
    _tab_to(reader, "input[type=radio]")
    keyboard.press("ArrowDown")
    assert reader.page.locator("input[value=swish]").is_checked()
    _tab_to(reader, "button.wide")
    keyboard.press("Enter")
    reader.page.wait_for_url("**/checkout/**")
    _tab_to(reader, "details[open] button.pay")
    keyboard.press("Enter")
    reader.see("Öppna Swish i din telefon")
    _tab_to(reader, "button[value=approve]")
    keyboard.press("Enter")
    reader.see("Tack! Tidningen är din.")
    _tab_to(reader, "a[href$='/read']")
    keyboard.press("Enter")
    reader.see("Islossningen tre veckor tidig")
    assert shop.captured == 11900


def test_the_first_stop_leads_past_the_masthead(reader: Visitor) -> None:
    reader.go("/buy/digital")
    _tab_to(reader, ".skip")
    assert reader.page.locator(".skip").bounding_box()["x"] >= 0
    reader.page.keyboard.press("Enter")
    reader.page.keyboard.press("Tab")
    assert reader.page.evaluate("document.activeElement.id") == "email"


def test_staff_refund(shop: RunningShop, reader: Visitor, staff: Visitor) -> None:
    number = reader.buy("digital")
    keyboard = staff.page.keyboard
    staff.go("/staff/")
    _tab_to(staff, ".payments a")
    keyboard.press("Enter")
    staff.see(number)
    _tab_to(staff, "#refund-amount")
    keyboard.type("19")
    keyboard.press("Enter")
    staff.see("Betala tillbaka 19,00\N{NO-BREAK SPACE}kr?")
    _tab_to(staff, "main button")
    keyboard.press("Enter")
    staff.says("Återbetalning")
    assert shop.reversed == 1900


def test_a_saved_card_is_removed(shop: RunningShop, reader: Visitor) -> None:
    keyboard = reader.page.keyboard
    reader.fill_in_order("digital")
    _tab_to(reader, "[name=save]")
    keyboard.press("Space")
    _tab_to(reader, "button.wide")
    keyboard.press("Enter")
    reader.page.wait_for_url("**/checkout/**")
    reader.approve_card()
    reader.see("Tack! Tidningen är din.")
    reader.go("/")
    _tab_to(reader, "a[href='/my/']")
    keyboard.press("Enter")
    reader.see("Mina sidor")
    _tab_to(reader, "a[href$='/remove']")
    keyboard.press("Enter")
    reader.see("Ta bort kortet?")
    _tab_to(reader, "main button")
    keyboard.press("Enter")
    reader.says("Kortet är borttaget.")
    assert [token.is_active for token in shop.emulator.tokens()] == [False]
