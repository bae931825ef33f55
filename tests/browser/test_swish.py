"""A reader pays to the newspaper's own Swish number by QR code, app link or phone number, now or at a later try."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import segno

from prenopay.testing.callbacks import Manner
from prenopay.testing.emulators.swish import Status
from prenopay.testing.faults import Fault, FaultKind

from .shops import PHONE_NUMBER, RunningShop, open_shop
from .visitors import PHONE, Visitor

pytestmark = pytest.mark.browser

THANKS = "Tack! Tidningen är din."
RETURNED = "Betalväxeln tillfrågad när läsaren kom tillbaka"
CALLED = "Betalväxeln tillfrågad på grund av anropet"
SWEPT = "Betalväxeln tillfrågad av svepet"
KR = "\N{NO-BREAK SPACE}kr"


@pytest.fixture
def shop(sqlite_database: str) -> Iterator[RunningShop]:
    """Open a shop with a Swish number of its own, where nothing has been sold."""
    with open_shop(sqlite_database, own_swish=True) as shop:
        yield shop
    shop.check_log()


def _answer(visitor: Visitor, says: str = "Godkänn") -> None:
    """Open the emulated phone in another tab, and answer the request that waits there."""
    phone = visitor.new_tab()
    phone.goto(f"{visitor.shop.phone_url}?token={visitor.shop.asked.token}")
    phone.get_by_role("button", name=says).click()
    phone.get_by_role("heading", level=1, name="Betalt" if says == "Godkänn" else "Avbrutet").wait_for()
    phone.close()


def _drawn(content: str) -> str:
    """Return the path that draws ``content``."""
    svg = io.BytesIO()
    segno.make(content, error="h", micro=False).save(svg, kind="svg", border=4)
    found = re.search(r' d="([^"]+)"', svg.getvalue().decode())
    assert found
    return found[1]


def test_a_code_on_the_desktop_opens_access_in_place(shop: RunningShop, reader: Visitor) -> None:
    reader.swish("digital")
    reader.see("Betala med Swish")
    assert reader.page.locator(".qr path").get_attribute("d") == _drawn(f"D{shop.asked.token}")
    assert reader.page.get_by_role("img", name="QR-kod").is_visible()
    assert not reader.page.get_by_role("link", name="Öppna Swish").is_visible()
    reader.page.evaluate("window.neverReloaded = true")
    _answer(reader)
    reader.see(THANKS)
    assert reader.page.evaluate("window.neverReloaded")
    assert "Swish" in reader.page.locator("#receipt").inner_text()
    reader.page.get_by_role("link", name="Läs tidningen").click()
    reader.see("Islossningen tre veckor tidig")
    assert shop.swished == 11900
    assert shop.captured == 0


def test_the_app_on_the_phone_comes_back_to_the_paper(shop: RunningShop, visit: Callable[..., Visitor]) -> None:
    shop.swish.callbacks.behave(Manner.DROP, times=99)  # coming back is enough
    reader = visit(viewport=PHONE)
    reader.swish("digital")
    assert not reader.page.locator(".qr").is_visible()
    reader.page.get_by_role("link", name="Öppna Swish", exact=True).click()
    reader.press("Godkänn")
    reader.see(THANKS)
    assert "Swish" in reader.page.locator("#receipt").inner_text()
    assert shop.swished == 11900


def test_a_request_that_is_sent_to_a_number(shop: RunningShop, reader: Visitor) -> None:
    reader.swish("issue", phone=PHONE_NUMBER)
    reader.see("Öppna Swish i din mobil")
    assert reader.page.locator(".qr").count() == 0
    shop.swish.approve(shop.asked.id)
    reader.see(THANKS)
    assert (shop.asked.payer, shop.swished) == ("46701740606", 3500)


def test_a_wrong_number_is_reported_and_kept(shop: RunningShop, reader: Visitor) -> None:
    reader.fill_in_order("digital", by="card")
    assert not reader.page.locator("#phone").is_visible()
    reader.fill_in_order("digital", by="swish")
    reader.page.locator("#phone").fill("min mobil")
    reader.press("Betala")
    reader.says("Skriv ett mobilnummer")
    assert reader.page.locator("#phone").input_value() == "min mobil"
    assert reader.page.locator("#phone").evaluate("field => field === document.activeElement")
    assert shop.swish.payments == ()


def test_no_and_then_yes_under_a_request_of_its_own(shop: RunningShop, reader: Visitor) -> None:
    reader.swish("digital")
    _answer(reader, "Avbryt")
    reader.see("Betalningen gick inte igenom")
    reader.press("Försök igen")
    reader.see("Betala med Swish")
    _answer(reader)
    reader.see(THANKS)
    assert [asked.status for asked in shop.swish.payments] == [Status.DECLINED, Status.PAID]
    assert shop.swished == 11900


def test_no_and_then_by_card(shop: RunningShop, reader: Visitor) -> None:
    reader.swish("digital")
    _answer(reader, "Avbryt")
    reader.see("Betalningen gick inte igenom")
    reader.press("Betala med kort i stället")
    reader.page.wait_for_url("**/checkout/**")
    reader.approve_card()
    reader.see(THANKS)
    assert "Kort" in reader.page.locator("#receipt").inner_text()
    assert (shop.captured, shop.swished) == (11900, 0)


def test_a_cancelled_card_and_then_swish(shop: RunningShop, reader: Visitor) -> None:
    reader.order("digital")
    reader.press("Avbryt och gå tillbaka")
    reader.press("Betala med Swish i stället")
    reader.see("Betala med Swish")
    _answer(reader)
    reader.see(THANKS)
    assert (shop.captured, shop.swished) == (0, 11900)


def test_nobody_answers_in_time(shop: RunningShop, reader: Visitor) -> None:
    reader.swish("digital")
    reader.says("Du har 3 minuter på dig.")
    shop.clock.advance(timedelta(minutes=3, seconds=1))
    reader.see("Tiden gick ut")
    assert shop.asked.status is Status.CANCELLED  # so that nobody pays it any more
    reader.press("Försök igen")
    reader.see("Betala med Swish")
    _answer(reader)
    reader.see(THANKS)
    assert shop.swished == 11900


def test_the_reader_cancels(shop: RunningShop, reader: Visitor) -> None:
    reader.swish("digital")
    reader.press("Avbryt betalningen")
    reader.see("Ingenting har dragits")
    assert shop.asked.status is Status.CANCELLED
    reader.press("Försök igen")
    reader.see("Betala med Swish")
    assert [asked.status for asked in shop.swish.payments] == [Status.CANCELLED, Status.CREATED]


def test_a_payment_of_a_moment_before_cannot_be_cancelled(shop: RunningShop, reader: Visitor) -> None:
    shop.swish.callbacks.behave(Manner.DROP, times=99)
    reader.swish("digital")
    shop.swish.approve(shop.asked.id)
    reader.press("Avbryt betalningen")
    reader.see(THANKS)
    assert shop.swished == 11900


def test_the_callback_never_comes(shop: RunningShop, reader: Visitor, staff: Visitor) -> None:
    shop.swish.callbacks.behave(Manner.DROP, times=99)
    reader.swish("digital")
    _answer(reader)
    shop.clock.advance(timedelta(seconds=20))
    reader.see(THANKS)  # shown in place
    staff.open_payment(reader.number)
    assert SWEPT in staff.steps
    assert CALLED not in staff.steps
    assert RETURNED not in staff.steps


def test_the_answer_to_the_request_is_lost(shop: RunningShop, reader: Visitor) -> None:
    shop.swish.faults.add(Fault(kind=FaultKind.DROP_AFTER, call="create"))
    reader.swish("digital")
    reader.see("Betala med Swish")
    _answer(reader)
    reader.see(THANKS)
    assert [asked.status for asked in shop.swish.payments] == [Status.CANCELLED, Status.PAID]


def test_a_double_click_makes_one_request(shop: RunningShop, reader: Visitor) -> None:
    reader.fill_in_order("digital", by="swish")
    reader.page.locator("button.wide").dblclick()
    reader.see("Betala med Swish")
    assert len(shop.swish.payments) == 1


def test_staff_see_both_accounts_and_refund_swish(shop: RunningShop, reader: Visitor, staff: Visitor) -> None:
    reader.buy("paper")
    reader.swish("paper")
    _answer(reader)
    reader.see(THANKS)
    number = reader.number
    staff.go("/staff/")
    rows: list[str] = staff.page.locator(".payments tbody tr").all_inner_texts()
    assert [re.findall(r"norrvik-\w+", row) for row in rows] == [["norrvik-swish"], ["norrvik-cards"]]
    staff.open_payment(number)
    assert staff.page.locator("[value=capture]").count() == 0
    assert CALLED in staff.steps
    staff.do("refund", "97")
    staff.says(f"Återbetalning 97,00{KR}: pågår.")
    assert staff.page.locator("[value=refund]").count() == 0  # not twice by mistake
    staff.page.evaluate("window.neverReloaded = true")
    shop.clock.advance(timedelta(seconds=10))
    staff.says(f"Återbetalning 97,00{KR}: genomförd.")  # shown in place
    assert staff.page.locator("dt:text-is('Återbetalt') + dd").inner_text() == f"97,00{KR}"
    assert staff.page.evaluate("window.neverReloaded")
    assert shop.swished == 80000
    staff.do("refund")
    shop.clock.advance(timedelta(seconds=10))
    staff.says(f"Återbetalning 800,00{KR}: genomförd.")
    reader.page.reload()
    reader.see("Pengarna är på väg tillbaka")
    assert shop.swished == 0


def test_swish_in_english(shop: RunningShop, reader: Visitor) -> None:
    reader.speak("en")
    reader.swish("digital")
    reader.see("Pay with Swish")
    reader.press("Cancel the payment")
    reader.see("Nothing was taken")
    reader.press("Try again")
    reader.see("Pay with Swish")
    _answer(reader)
    reader.see("Thank you! The paper is yours.")
    assert shop.swished == 11900


def test_where_money_moves_the_link_opens_the_app(sqlite_database: str, browser: Any) -> None:
    with open_shop(sqlite_database, own_swish=True, has_emulated_phone=False) as shop:
        reader = Visitor(browser, shop, viewport=PHONE)
        reader.swish("digital")
        link = reader.page.get_by_role("link", name="Öppna Swish").get_attribute("href")
        back = f"{shop.url}{shop.path_of(reader.number)}/return".replace(":", "%3A").replace("/", "%2F")
        assert link == f"swish://paymentrequest?token={shop.asked.token}&callbackurl={back}"
        assert reader.page.locator(".note").count() == 0
        reader.close()
