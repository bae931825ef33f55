"""Staff capture, cancel and refund. The page says plainly what happened and what is not possible."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from prenopay.testing.callbacks import Manner
from prenopay.testing.faults import Fault, FaultKind

from .shops import PASSWORD, RunningShop
from .visitors import DESKTOP, PHONE, Visitor

pytestmark = pytest.mark.browser

KR = "\N{NO-BREAK SPACE}kr"


def test_only_staff_come_in(shop: RunningShop, visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    for path in ("/staff/", "/staff/payments/norrvik-cards/pay_1"):
        visitor.go(path)
        visitor.see("Logga in som personal")
    visitor.log_in("a guess")
    visitor.says("Fel lösenord. Försök igen.")
    visitor.log_in()
    visitor.see("Betalningar")
    assert PASSWORD not in visitor.page.content()
    visitor.press("Logga ut")
    visitor.see("Logga in som personal")
    visitor.context.add_cookies([{"name": "staff", "value": "99999999999.forged", "url": f"{shop.url}/staff"}])
    visitor.go("/staff/")
    visitor.see("Logga in som personal")


def test_capturing_when_the_paper_is_sent_opens_access(shop: RunningShop, reader: Visitor, staff: Visitor) -> None:
    number = reader.buy("paper")
    staff.open_payment(number)
    staff.do("capture")
    staff.says(f"Dragning 897,00{KR}: genomförd.")
    assert shop.captured == 89700
    reader.go(shop.path_of(number))
    reader.see("Tack! Tidningen är din.")
    assert "Moms 25 %" in reader.page.locator("#receipt").inner_text()


def test_capturing_in_two_parts_opens_access_with_the_last(shop: RunningShop, reader: Visitor, staff: Visitor) -> None:
    number = reader.buy("paper")
    staff.open_payment(number)
    staff.do("capture", "60,50")
    staff.says(f"Dragning 60,50{KR}: genomförd.")
    reader.go(shop.path_of(number))
    reader.see("Tack för din betalning!")
    staff.do("capture", "900")
    staff.says(f"Inget gjordes. Beloppet är för stort. Som mest går 836,50{KR}.")
    staff.do("capture")
    staff.says(f"Dragning 836,50{KR}: genomförd.")
    reader.see("Tack! Tidningen är din.")  # shown in place
    assert shop.captured == 89700


def test_cancelling_releases_what_is_reserved(shop: RunningShop, reader: Visitor, staff: Visitor) -> None:
    number = reader.buy("paper")
    staff.open_payment(number)
    staff.do("cancel")
    staff.says("Makulering: genomförd.")
    assert staff.page.locator("dt:text('Släppt') + dd").inner_text() == f"897,00{KR}"
    reader.go(shop.path_of(number))
    reader.see("Ingenting har dragits")
    assert shop.captured == 0


def test_cancelling_closes_an_open_page(shop: RunningShop, reader: Visitor, staff: Visitor) -> None:
    reader.order("digital")
    staff.open_payment(shop.emulator.orders[0].order_reference)
    staff.do("cancel")
    staff.says("Makulering: genomförd.")
    reader.page.reload()
    reader.see("Betalningen är stängd")
    reader.page.get_by_role("link", name="Tillbaka till").click()
    reader.see("Ingenting har dragits")


def test_refunding_a_part_keeps_access_and_the_rest_closes_it(
    shop: RunningShop,
    reader: Visitor,
    staff: Visitor,
) -> None:
    number = reader.buy("digital")
    staff.open_payment(number)
    staff.do("refund", "19.50")
    staff.says(f"Återbetalning 19,50{KR}: genomförd.")
    reader.page.reload()
    reader.see("Tack! Tidningen är din.")
    assert f"\N{MINUS SIGN}19,50{KR}" in reader.page.locator("#receipt").inner_text()
    staff.do("refund")
    staff.says(f"Återbetalning 99,50{KR}: genomförd.")
    staff.see(f"{number} återbetald")
    staff.go("/staff/")
    assert staff.page.locator(".payments .state").all_inner_texts() == ["återbetald"]
    reader.page.reload()
    reader.see("Pengarna är på väg tillbaka")
    reader.go(f"{shop.path_of(number)}/read")
    reader.see("Pengarna är på väg tillbaka")
    assert shop.reversed == 11900


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP])
def test_what_cannot_be_undone_is_asked_about_once(
    shop: RunningShop, reader: Visitor, visit: Callable[..., Visitor], viewport: dict[str, int]
) -> None:
    staff = visit(viewport=viewport, scripts=False)
    staff.come_in()
    staff.open_payment(reader.buy("digital"))
    staff.do("refund", asked=False)
    staff.see(f"Betala tillbaka 119,00{KR}?")
    staff.page.reload()
    staff.page.get_by_role("link", name="Nej, ändra inget").click()
    assert (shop.reversed, staff.page.locator("#refund-amount").count()) == (0, 1)
    staff.do("refund", "60,5", asked=False)
    staff.see(f"Betala tillbaka 60,50{KR}?")
    staff.press("Betala tillbaka 60,50")
    staff.says(f"Återbetalning 60,50{KR}: genomförd.")
    staff.open_payment(reader.buy("paper"))
    staff.do("cancel", asked=False)
    staff.see("Makulera betalningen?")
    assert (shop.reversed, shop.statuses[-1]) == (6050, "Paid")


def test_an_impossible_amount_is_reported_at_its_field(shop: RunningShop, reader: Visitor, staff: Visitor) -> None:
    staff.open_payment(reader.buy("digital"))
    for typed in ("119,01", "0", "-5", "femtio", "1,005"):
        staff.do("refund", typed, asked=False)
        staff.says("Som mest går 119,00" if typed == "119,01" else "Skriv ett belopp större än noll")
        field = staff.page.locator("#refund-amount")
        assert field.input_value() == typed
        assert field.evaluate("field => field === document.activeElement")
    assert shop.reversed == 0


def test_a_refund_whose_answer_is_lost_settles_by_itself(shop: RunningShop, reader: Visitor, staff: Visitor) -> None:
    staff.open_payment(reader.buy("digital"))
    shop.emulator.faults.add(Fault(kind=FaultKind.DROP_AFTER, call="reversal"))
    staff.do("refund", "50")
    staff.says("Återbetalning 50,00")
    staff.says("oklar. Inget svar än.")
    shop.clock.advance(timedelta(minutes=5))
    staff.reload_until(f"Återbetalning 50,00{KR}: genomförd.")
    assert shop.reversed == 5000


def test_the_gateway_is_away_when_staff_refund(shop: RunningShop, reader: Visitor, staff: Visitor) -> None:
    staff.open_payment(reader.buy("digital"))
    shop.emulator.faults.add(Fault(kind=FaultKind.STATUS_BEFORE, status=401, call="reversal"))
    staff.do("refund")
    staff.says("Betalväxeln tog inte emot det.")
    staff.do("refund")
    staff.says(f"Återbetalning 119,00{KR}: genomförd.")
    assert shop.reversed == 11900


def test_the_staffs_pages_in_english_on_a_phone(shop: RunningShop, visit: Callable[..., Visitor]) -> None:
    shop.emulator.callbacks.behave(Manner.DROP, times=99)  # so that the reader's return brings the news
    reader = visit()
    number = reader.buy("digital")
    staff = visit(viewport=PHONE)
    staff.speak("en")
    staff.log_in()
    staff.open_payment(number)
    staff.do("refund", "200", asked=False)
    staff.says("Nothing was done. The amount is too large. At most SEK\N{NO-BREAK SPACE}119.00 is left.")
    staff.do("refund", "19")
    staff.says("Refund SEK\N{NO-BREAK SPACE}19.00: done.")
    assert "Gateway asked when the reader came back" in staff.steps
    assert shop.reversed == 1900


def test_another_sites_form_is_refused(shop: RunningShop, reader: Visitor, staff: Visitor) -> None:
    number = reader.buy("digital")
    staff.open_payment(number)
    there = staff.page.url
    staff.page.route(
        "http://elsewhere.test/",
        lambda route: route.fulfill(
            content_type="text/html",
            body=f"""<form method="post" action="{there}"><input name="action" value="refund">
                <input name="operation_id" value="forged"></form>
                <script>document.forms[0].submit()</script>""",
        ),
    )
    staff.page.goto("http://elsewhere.test/")
    staff.see("Det gick inte att ta emot")
    assert shop.reversed == 0
