"""A reader's own pages and the staff's page for one reader: cards saved, charged, changed and removed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from prenopay.testing.faults import Fault, FaultKind

from .shops import RunningShop
from .visitors import PHONE, PLAIN_CARD, Visitor

pytestmark = pytest.mark.browser

KR = "\N{NO-BREAK SPACE}kr"
FIRST, SECOND = "Visa •••• 0416, 12/34", "Visa •••• 0004, 12/34"


def _subscribe(reader: Visitor) -> str:
    """Buy a subscription and save the card; return the order's number."""
    reader.fill_in_order("digital")
    reader.page.locator("[name=save]").check()
    reader.page.locator("button.wide").click()
    reader.page.wait_for_url("**/checkout/**")
    reader.approve_card()
    reader.see("Tack! Tidningen är din.")
    return reader.number


def _open_reader(staff: Visitor, number: str) -> None:
    staff.open_payment(number)
    staff.page.get_by_role("link", name="Läsare").click()
    staff.see("Läsare")


def _part(visitor: Visitor, name: str) -> str:
    """Return the text of one section of the page."""
    text: str = visitor.page.get_by_role("region", name=name, exact=True).inner_text()
    return " ".join(text.replace("\N{NO-BREAK SPACE}", " ").split())


def _change_card(reader: Visitor) -> None:
    """Change to a card without a question from the bank."""
    reader.go("/my/")
    reader.page.get_by_role("link", name="Byt kort").click()
    reader.press("Till betalsidan")
    reader.page.wait_for_url("**/checkout/**")
    reader.page.get_by_text("Andra testkort").click()
    reader.page.get_by_role("link", name=PLAIN_CARD).first.click()
    reader.press("Spara")
    reader.says("Ditt nya kort är sparat")


def _active_tokens(shop: RunningShop) -> list[str]:
    return [token.name[-4:] for token in shop.emulator.tokens() if token.is_active]


def test_a_card_is_saved_with_the_purchase_and_shown(shop: RunningShop, reader: Visitor) -> None:
    reader.go("/my/")
    assert "Än så länge är det tomt" in reader.page.locator("main").inner_text()
    reader.go("/buy/digital")
    shown = reader.page.locator("#save-text").inner_text()
    assert f"drar 119,00{KR} för varje ny månad" in shown
    assert "subscription-2026-11" in shown
    number = _subscribe(reader)
    reader.page.get_by_role("link", name="Mina sidor").click()
    reader.see("Mina sidor")
    assert "Du har inget att betala just nu." in _part(reader, "Att betala")
    assert f"{FIRST} Betalar din prenumeration Gäller till och med december 2034" in _part(reader, "Sparade kort")
    assert "Digital prenumeration" in _part(reader, "Dina betalningar")
    assert f"119,00 kr Betald Visa kvitto {number}" in _part(reader, "Dina betalningar")
    assert f"Kortet sparades {FIRST}" in _part(reader, "Dina val hittills")
    agreed = "Du valde att spara ett kort Villkor subscription-2026-11, på webben, 119,00 kr per månad"
    assert agreed in _part(reader, "Dina val hittills")
    assert _active_tokens(shop) == ["0416"]


def test_a_reader_who_does_not_choose_it_saves_nothing(shop: RunningShop, reader: Visitor) -> None:
    reader.buy("digital")
    reader.go("/my/")
    assert "Du har inget sparat kort" in _part(reader, "Sparade kort")
    reader.go("/buy/issue")
    assert reader.page.locator("[name=save]").count() == 0
    reader.go("/buy/digital")
    reader.page.locator("input[value=swish]").check()
    assert not reader.page.locator("[name=save]").is_visible()
    assert shop.emulator.tokens() == ()


def test_a_returning_reader_is_shown_the_card_and_may_change_it_with_a_purchase(
    shop: RunningShop, reader: Visitor
) -> None:
    _subscribe(reader)
    reader.fill_in_order("digital")
    assert f"Ditt sparade kort: {FIRST}" in reader.page.locator("main form").inner_text()
    reader.page.get_by_label("Byt till kortet jag betalar med nu").check()
    reader.page.locator("button.wide").click()
    reader.page.wait_for_url("**/checkout/**")
    reader.page.get_by_text("Andra testkort").click()
    reader.page.get_by_role("link", name=PLAIN_CARD).first.click()
    reader.press("Betala")
    reader.see("Tack! Tidningen är din.")
    reader.go("/my/")
    assert SECOND in _part(reader, "Sparade kort")
    assert FIRST not in _part(reader, "Sparade kort")
    assert f"Kortet ersattes av {SECOND} {FIRST}" in _part(reader, "Dina val hittills")
    assert shop.captured == 2 * 11900


def test_staff_charge_the_fee_and_both_see_it(shop: RunningShop, reader: Visitor, staff: Visitor) -> None:
    number = _subscribe(reader)
    shop.clock.advance(timedelta(days=40))  # the month that the purchase paid for is over
    _open_reader(staff, number)
    staff.press("Dra avgiften för")
    staff.says(f"Avgift 119,00{KR}: genomförd.")
    assert shop.captured == 2 * 11900
    assert len(shop.emulator.charges()) == 1
    reader.go("/my/")
    assert "Betald Drogs från ditt sparade kort." in _part(reader, "Dina betalningar")
    staff.press("Dra avgiften för")  # the month after, which may be charged ahead
    staff.page.get_by_text("Den här månaden och nästa är betalda.").wait_for()
    assert staff.page.get_by_role("button", name="Dra avgiften").count() == 0
    assert shop.captured == 3 * 11900


def test_the_month_of_the_purchase_is_not_charged_again(shop: RunningShop, reader: Visitor, staff: Visitor) -> None:
    number, bought_in = _subscribe(reader), f"{shop.clock.now().astimezone(ZoneInfo('Europe/Stockholm')):%Y-%m}"
    _open_reader(staff, number)
    charged = staff.page.locator("[name=period]").get_attribute("value")
    assert charged > bought_in


def test_a_double_click_and_two_tabs_charge_once(shop: RunningShop, reader: Visitor, staff: Visitor) -> None:
    _open_reader(staff, _subscribe(reader))
    second = staff.new_tab()
    second.goto(staff.page.url)
    staff.page.get_by_role("button", name="Dra avgiften").dblclick()
    staff.arrive("?did=")
    second.get_by_role("button", name="Dra avgiften").click()
    second.wait_for_url("**?did=*")
    staff.reload_until("genomförd")
    assert len(shop.emulator.charges()) == 1
    assert shop.captured == 2 * 11900


def test_the_fee_form_sent_many_times_at_once_charges_once(shop: RunningShop, reader: Visitor, staff: Visitor) -> None:
    _open_reader(staff, _subscribe(reader))
    staff.page.evaluate(
        """async () => {
            const form = document.querySelector("#fee form");
            const body = () => new URLSearchParams(new FormData(form));
            const send = () => fetch(form.action, {method: "POST", body: body(), redirect: "manual"});
            await Promise.all([send(), send(), send(), send()]);
        }""",
    )
    assert len(shop.emulator.charges()) == 1


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("acquirerinsufficientfunds", ("Försök igen en annan dag.", "Vi försöker igen; du behöver inte göra något.")),
        ("acquirercardexpired", ("Be läsaren byta kort.", "Byt kort, så drar vi avgiften från det nya.")),
    ],
)
def test_a_declined_fee(shop: RunningShop, reader: Visitor, staff: Visitor, word: str, told: tuple[str, str]) -> None:
    to_the_staff, to_the_reader = told
    _open_reader(staff, _subscribe(reader))
    shop.emulator.decline_next_charge(word)
    staff.press("Dra avgiften")
    staff.says(f"Avgift 119,00{KR}: nekad.")
    staff.says(to_the_staff)
    assert word in _part(staff, "Betalningar och försök")
    assert shop.captured == 11900
    reader.go("/my/")
    assert f"119,00 kr Banken sade nej. Inget drogs. {to_the_reader}" in _part(reader, "Att betala")
    assert "Gick inte igenom" in _part(reader, "Dina betalningar")
    assert word not in reader.page.content()


def test_a_card_that_may_not_be_tried_again_is_changed_and_then_charged(
    shop: RunningShop, reader: Visitor, staff: Visitor
) -> None:
    _open_reader(staff, _subscribe(reader))
    shop.emulator.decline_next_charge("acquirererrordonotretry")
    staff.press("Dra avgiften")
    staff.says("Dra inget mer på det här kortet.")
    staff.says("Tidigast ")
    assert "avstängt" in _part(staff, "Kort")
    assert "Inget kort går att dra från." in _part(staff, "Nästa avgift")
    reader.go("/my/")
    assert "Vilar Gäller till och med december 2034 Banken tar inte emot" in _part(reader, "Sparade kort")
    assert "Kortet vilar" in _part(reader, "Dina val hittills")
    _change_card(reader)
    staff.page.reload()
    staff.press("Dra avgiften")
    staff.says("genomförd")
    reader.go("/my/")
    assert "Du har inget att betala just nu." in _part(reader, "Att betala")


def test_a_charge_whose_answer_is_lost_waits(shop: RunningShop, reader: Visitor, staff: Visitor) -> None:
    _open_reader(staff, _subscribe(reader))
    form = staff.page.evaluate("Object.fromEntries(new FormData(document.querySelector('#fee form')))")
    shop.emulator.faults.add(Fault(kind=FaultKind.DROP_AFTER, call="charge"))
    staff.press("Dra avgiften")
    staff.says("oklar. Inget svar kom, så ingen vet om pengarna drogs. Vänta, och dra inte igen.")
    assert "En dragning väntar på besked." in _part(staff, "Nästa avgift")
    path = staff.page.url.partition("?")[0]
    again = staff.page.request.post(path, form=form)
    assert "Vänta, och dra inte igen." in again.text()
    other = staff.page.request.post(path, form={**form, "attempt": "2"})
    assert other.status == 422
    assert "Avgiften är redan dragen, eller något annat pågår." in other.text()
    assert len(shop.emulator.charges()) == 1
    reader.go("/my/")
    assert "Vi väntar på besked från banken. Avgiften dras aldrig två gånger." in _part(reader, "Dina betalningar")


def test_a_fee_that_the_gateway_does_not_take_is_charged_at_the_next_try(
    shop: RunningShop, reader: Visitor, staff: Visitor
) -> None:
    _open_reader(staff, _subscribe(reader))
    shop.emulator.faults.add(Fault(kind=FaultKind.STATUS_BEFORE, status=401, call="charge"))
    staff.press("Dra avgiften")
    staff.says("Inget gjordes. Betalväxeln tog inte emot det.")
    assert "inte utförd" in _part(staff, "Betalningar och försök")
    staff.press("Dra avgiften")
    staff.says(f"Avgift 119,00{KR}: genomförd.")
    assert [charge.problem for charge in shop.emulator.charges()] == [""]


def test_another_charge_that_the_card_networks_forbid_is_reported_and_not_sent(
    shop: RunningShop, reader: Visitor, visit: Callable[..., Visitor], staff: Visitor
) -> None:
    _open_reader(staff, _subscribe(reader))
    shop.emulator.decline_next_charge("acquirererrordonotretry")
    staff.press("Dra avgiften")
    staff.says("nekad")
    _open_reader(staff, _subscribe(visit()))  # another reader, with the same card
    staff.press("Dra avgiften")
    staff.says("Inget gjordes. Kortnätverken tillåter inget försök till nu (do-not-retry). Tidigast ")
    assert len(shop.emulator.charges()) == 1


def test_a_card_is_changed(shop: RunningShop, reader: Visitor, staff: Visitor) -> None:
    number = _subscribe(reader)
    reader.go("/my/")
    reader.page.get_by_role("link", name="Byt kort").click()
    reader.press("Till betalsidan")
    reader.page.wait_for_url("**/checkout/**")
    reader.press("Avbryt och gå tillbaka")
    reader.says("Kortet är inte bytt. Ditt gamla kort gäller som förut.")
    assert FIRST in _part(reader, "Sparade kort")
    assert "Kortet sparades inte" in _part(reader, "Dina val hittills")
    _change_card(reader)
    assert FIRST not in _part(reader, "Sparade kort")
    assert f"Kortet ersattes av {SECOND} {FIRST}" in _part(reader, "Dina val hittills")
    assert shop.captured == 11900
    _open_reader(staff, number)
    assert f"119,00 kr från {SECOND}." in _part(staff, "Nästa avgift")
    staff.reload_while(lambda: "0416" in _active_tokens(shop))  # the sweep removes the old one at the gateway
    assert _active_tokens(shop) == ["0004"]


def test_a_double_click_on_the_way_to_another_card_makes_one_page(shop: RunningShop, reader: Visitor) -> None:
    _subscribe(reader)
    reader.go("/my/")
    reader.page.get_by_role("link", name="Byt kort").click()
    reader.page.locator("main form").wait_for()
    landed = reader.page.evaluate(
        """async () => {
            const body = () => new URLSearchParams(new FormData(document.querySelector("main form")));
            const send = () => fetch(location.href, {method: "POST", body: body(), redirect: "manual"});
            return (await Promise.all([send(), send(), send()])).map((answer) => answer.type);
        }""",
    )
    assert landed == ["opaqueredirect"] * 3
    assert len(shop.emulator.orders) == 2


def test_a_card_is_removed(shop: RunningShop, reader: Visitor, staff: Visitor) -> None:
    number = _subscribe(reader)
    reader.go("/my/")
    reader.page.get_by_role("link", name="Ta bort").click()
    reader.see("Ta bort kortet?")
    reader.page.get_by_role("link", name="Nej, behåll det").click()
    assert FIRST in _part(reader, "Sparade kort")
    reader.page.get_by_role("link", name="Ta bort").click()
    reader.press("Ja, ta bort kortet")
    reader.says("Kortet är borttaget. Inga fler avgifter dras från det.")
    assert "Du har inget sparat kort" in _part(reader, "Sparade kort")
    assert f"Du tog bort kortet {FIRST}" in _part(reader, "Dina val hittills")
    assert _active_tokens(shop) == []
    _open_reader(staff, number)
    assert "Inget kort går att dra från." in _part(staff, "Nästa avgift")
    assert "Borttaget av läsaren" in " ".join(staff.steps)


def test_a_card_is_removed_although_the_gateway_is_away(shop: RunningShop, reader: Visitor) -> None:
    _subscribe(reader)
    reader.go("/my/")
    reader.page.get_by_role("link", name="Ta bort").click()
    for call in ("delete-token", "get-token"):
        shop.emulator.faults.add(Fault(kind=FaultKind.STATUS_BEFORE, status=503, call=call, times=99))
    reader.press("Ja, ta bort kortet")
    reader.says("Kortet är borttaget.")
    assert "Du tog bort kortet" in _part(reader, "Dina val hittills")
    assert _active_tokens(shop) == ["0416"]
    shop.emulator.faults.clear()
    shop.clock.advance(timedelta(minutes=31))
    reader.reload_while(lambda: bool(_active_tokens(shop)))
    assert _active_tokens(shop) == []


def test_nobody_sees_or_changes_another_readers_card(
    shop: RunningShop, reader: Visitor, visit: Callable[..., Visitor]
) -> None:
    _subscribe(reader)
    reader.go("/my/")
    there = reader.page.get_by_role("link", name="Ta bort").get_attribute("href")
    other = visit()
    other.buy("issue")
    other.go("/my/")
    assert "Digital prenumeration" not in _part(other, "Dina betalningar")
    other.go(there)
    other.see("Sidan finns inte")
    assert other.page.request.post(f"{shop.url}{there}").status == 404
    assert _active_tokens(shop) == ["0416"]
    other.go("/staff/readers/L-AAAAAAAAAAAA")
    other.see("Logga in som personal")


def test_a_fee_left_unpaid_can_be_paid_without_a_card(shop: RunningShop, reader: Visitor, staff: Visitor) -> None:
    _open_reader(staff, _subscribe(reader))
    shop.emulator.decline_next_charge("acquirercardexpired")
    staff.press("Dra avgiften")
    staff.says("nekad")
    reader.go("/my/")
    reader.page.get_by_role("link", name="Ta bort").click()
    reader.press("Ja, ta bort kortet")
    assert "Betala månaden själv" in _part(reader, "Att betala")
    reader.page.get_by_role("region", name="Att betala").get_by_role("link", name="Betala 119,00").click()
    reader.see("Din beställning")
    reader.buy("digital")
    reader.go("/my/")
    assert "Du har inget att betala just nu." in _part(reader, "Att betala")


def test_my_pages_in_english_on_a_phone(visit: Callable[..., Visitor]) -> None:
    small = visit(viewport=PHONE)
    small.speak("en")
    small.fill_in_order("digital")
    small.page.get_by_label("Save my card for the subscription").check()
    small.page.locator("button.wide").click()
    small.page.wait_for_url("**/checkout/**")
    small.approve_card()
    small.see("Thank you! The paper is yours.")
    small.go("/my/")
    assert "You have nothing to pay right now." in _part(small, "To pay")
    assert "Good through December 2034" in _part(small, "Saved cards")
    assert small.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
