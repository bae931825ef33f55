"""A reader pays on the gateway's page, in every way that the shop offers, at the first try or a later one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from prenopay.testing.emulators.swedbankpay import Status

from .shops import RunningShop
from .visitors import PHONE, PLAIN_CARD, Visitor

pytestmark = pytest.mark.browser


def test_a_card_that_the_bank_asks_about(shop: RunningShop, reader: Visitor) -> None:
    reader.order("digital")
    reader.press("Betala")
    reader.see("Din bank frågar")
    reader.press("Godkänn")
    reader.see("Tack! Tidningen är din.")
    receipt = reader.page.locator("#receipt").inner_text()
    assert "Digital prenumeration" in receipt
    assert "119,00\N{NO-BREAK SPACE}kr" in receipt
    assert "Moms 6 %: 6,74\N{NO-BREAK SPACE}kr" in receipt
    assert "Kort" in receipt
    reader.page.get_by_role("link", name="Läs tidningen").click()
    reader.see("Islossningen tre veckor tidig")
    assert shop.captured == 11900


def test_a_card_that_pays_at_once(shop: RunningShop, reader: Visitor) -> None:
    reader.order("issue")
    reader.page.get_by_text("Andra testkort").click()
    reader.page.get_by_role("link", name=PLAIN_CARD).first.click()
    reader.press("Betala")
    reader.see("Tack! Tidningen är din.")
    assert shop.captured == 3500


def test_swish_on_a_phone(shop: RunningShop, visit: Callable[..., Visitor]) -> None:
    reader = visit(viewport=PHONE)
    reader.order("digital", by="swish")
    reader.press("Betala")
    reader.see("Öppna Swish i din telefon")
    reader.press("Godkänn")
    reader.see("Tack! Tidningen är din.")
    assert "Swish" in reader.page.locator("#receipt").inner_text()
    assert shop.captured == 11900


@pytest.mark.parametrize(
    ("answer", "why"),
    [("Neka", "Du nekade i Swish."), ("Gör ingenting", "Det tog för lång tid.")],
)
def test_swish_that_says_no_and_then_yes(shop: RunningShop, reader: Visitor, answer: str, why: str) -> None:
    reader.order("digital", by="swish")
    reader.press("Betala")
    reader.press(answer)
    reader.says(why)
    assert shop.captured == 0
    reader.press("Betala")
    reader.press("Godkänn")
    reader.see("Tack! Tidningen är din.")
    assert shop.captured == 11900


def test_a_declined_card_and_then_another(shop: RunningShop, reader: Visitor) -> None:
    reader.order("digital")
    reader.press("Betala")
    reader.press("Avbryt")
    reader.says("Du avbröt hos din bank.")
    reader.page.get_by_text("Andra testkort").click()
    reader.page.get_by_role("link", name=PLAIN_CARD).first.click()
    reader.press("Betala")
    reader.see("Tack! Tidningen är din.")
    assert shop.captured == 11900


def test_a_reader_who_leaves_after_a_declined_card_sees_it(reader: Visitor) -> None:
    reader.order("digital")
    number = reader.shop.emulator.orders[0].order_reference
    reader.press("Betala")
    reader.press("Avbryt")
    reader.says("Du avbröt hos din bank.")
    reader.go(f"{reader.shop.path_of(number)}/return")
    reader.see("Betalningen gick inte igenom")
    reader.press("Försök igen")
    reader.page.wait_for_url("**/checkout/**")
    reader.approve_card()
    reader.see("Tack! Tidningen är din.")


def test_cancelling_on_the_page_and_paying_later(shop: RunningShop, reader: Visitor) -> None:
    reader.order("digital")
    reader.press("Avbryt och gå tillbaka")
    reader.see("Ingenting har dragits")
    reader.press("Försök igen")
    reader.page.wait_for_url("**/checkout/**")
    reader.approve_card()
    reader.see("Tack! Tidningen är din.")
    assert shop.statuses == [Status.ABORTED, Status.PAID]


def test_the_paper_is_reserved_until_it_is_sent(shop: RunningShop, reader: Visitor) -> None:
    number = reader.buy("paper")
    reader.see("Tack för din beställning!")
    reader.go(f"{shop.path_of(number)}/read")
    reader.see("Tack för din beställning!")
    assert "Porto" in reader.page.locator("#receipt").inner_text()
    assert shop.captured == 0


def test_a_purchase_in_english(shop: RunningShop, reader: Visitor) -> None:
    reader.go("/buy/paper")
    reader.page.get_by_role("link", name="English").click()
    reader.see("Your order")  # the same page, in the other language
    reader.order("paper")
    assert reader.page.locator("html").get_attribute("lang") == "en"
    assert "Postage" in reader.page.locator(".lines").inner_text()
    reader.approve_card()
    reader.see("Thank you for your order!")
    assert shop.statuses == [Status.PAID]


def test_a_wrong_field_is_named_and_keeps_its_text(reader: Visitor) -> None:
    reader.go("/buy/digital")
    reader.page.locator("#email").fill("asta.lind")
    reader.page.locator("input[value=swish]").check()
    reader.press("Betala")
    reader.says("Skriv en e-postadress")
    field = reader.page.locator("#email")
    assert field.input_value() == "asta.lind"
    assert field.evaluate("field => field === document.activeElement")
    assert reader.page.locator("input[value=swish]").is_checked()
    assert reader.page.title().startswith("Fel: ")
    assert reader.shop.statuses == []
