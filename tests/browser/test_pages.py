"""Every page, in both languages, on phone and desktop: readable, named, translated, no wider than the window."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from examples.publisher_shop.texts import TEXTS

from prenopay.testing.faults import Fault, FaultKind

from .shops import EMAIL, PHONE_NUMBER, SECRETS, RunningShop, open_shop
from .visitors import DESKTOP, PHONE, Visitor

pytestmark = pytest.mark.browser

AUDIT = (Path(__file__).parent / "audit.js").read_text(encoding="utf-8")
KEYS = [key for key in TEXTS["sv"] if "_" in key or "." in key]
LONG_ENOUGH = 8
"""Shorter texts may be words of the other language, or parts of them."""


@pytest.fixture(scope="module")
def visitor(browser: Any, module_database: str) -> Iterator[Visitor]:
    """Return a visitor who is logged in as staff of a shop where something of everything has happened."""
    with open_shop(module_database, is_demo=True) as shop, _looking_around(browser, shop, _make_history) as visitor:
        yield visitor


@pytest.fixture(scope="module")
def swish_visitor(browser: Any, swish_database: str) -> Iterator[Visitor]:
    """Return a visitor who is logged in as staff of a shop that takes Swish to a number of its own."""
    with (
        open_shop(swish_database, is_demo=True, own_swish=True) as shop,
        _looking_around(browser, shop, _make_swish_history) as visitor,
    ):
        yield visitor


@contextmanager
def _looking_around(
    browser: Any,
    shop: RunningShop,
    make_history: Callable[[Visitor], Iterator[tuple[str, str]]],
) -> Iterator[Visitor]:
    visitor = Visitor(browser, shop)
    visitor.paths.update(make_history(visitor))
    yield visitor
    visitor.close()
    assert visitor.complaints == []


def _make_history(visitor: Visitor) -> Iterator[tuple[str, str]]:
    """Buy in every way; return where each kind of page is."""
    emulator = visitor.shop.emulator
    paid = visitor.buy("digital")
    reserved = visitor.buy("paper")
    visitor.order("issue")
    visitor.press("Avbryt och gå tillbaka")
    nothing = visitor.number
    visitor.order("issue")
    visitor.press("Betala")
    visitor.press("Avbryt")
    visitor.says("Du avbröt hos din bank.")
    declined = emulator.orders[-1].order_reference
    yield "gateway, declined", visitor.page.url
    visitor.go(f"{visitor.shop.path_of(declined)}/return")
    visitor.order("digital", by="swish")
    waiting = emulator.orders[-1].order_reference
    yield "gateway", visitor.page.url
    visitor.press("Betala")
    visitor.see("Öppna Swish i din telefon")
    yield "gateway, app", visitor.page.url
    visitor.order("digital")
    visitor.press("Betala")
    visitor.see("Din bank frågar")
    yield "gateway, bank", visitor.page.url
    yield from (
        ("front", "/"),
        ("buy", "/buy/paper"),
        ("read", f"{visitor.shop.path_of(paid)}/read"),
        ("missing", "/nothing/here"),
    )
    yield from (
        ("paid", visitor.shop.path_of(paid)),
        ("reserved", visitor.shop.path_of(reserved)),
        ("nothing", visitor.shop.path_of(nothing)),
    )
    yield from (("declined", visitor.shop.path_of(declined)), ("waiting", visitor.shop.path_of(waiting)))
    visitor.come_in()
    yield from _make_cards(visitor)
    visitor.open_payment(paid)
    visitor.do("refund", "19")
    visitor.says("genomförd")
    yield from (("staff list", "/staff/"), ("staff login", "/staff/login"), ("staff, refunded", visitor.page.url))
    visitor.open_payment(reserved)
    yield "staff, reserved", visitor.page.url
    visitor.open_payment(declined)
    yield "staff, declined", visitor.page.url


def _make_cards(visitor: Visitor) -> Iterator[tuple[str, str]]:
    """Save a card as a new reader, and charge it in vain; return where reader and staff see it."""
    visitor.context.clear_cookies(name="reader")
    visitor.fill_in_order("digital")
    visitor.page.locator("[name=save]").check()
    visitor.page.locator("button.wide").click()
    visitor.page.wait_for_url("**/checkout/**")
    visitor.approve_card()
    visitor.see("Tack! Tidningen är din.")
    visitor.open_payment(visitor.number)
    visitor.page.get_by_role("link", name="Läsare").click()
    visitor.shop.emulator.decline_next_charge("acquirerinsufficientfunds")
    visitor.press("Dra avgiften")
    visitor.says("nekad")
    yield "staff, reader, declined", visitor.page.url
    visitor.shop.emulator.faults.add(Fault(kind=FaultKind.DROP_AFTER, call="charge"))
    visitor.press("Dra avgiften")
    visitor.says("oklar")
    yield "staff, reader, unknown", visitor.page.url
    visitor.go("/my/")
    for name, link in (("change", "Byt kort"), ("remove", "Ta bort")):
        yield f"my pages, {name}", str(visitor.page.get_by_role("link", name=link).get_attribute("href"))
    yield from (("my pages", "/my/"), ("buy, with a saved card", "/buy/digital"))


def _make_swish_history(visitor: Visitor) -> Iterator[tuple[str, str]]:
    """Let Swish end in every way; return where each kind of page is."""
    swish = visitor.shop.swish
    visitor.swish("digital")
    swish.decline(visitor.shop.asked.id)
    visitor.see("Betalningen gick inte igenom")
    yield "swish, declined", visitor.page.url
    visitor.swish("digital")
    visitor.shop.clock.advance(timedelta(minutes=3, seconds=1))
    visitor.see("Tiden gick ut")
    yield "swish, expired", visitor.page.url
    visitor.swish("digital")
    swish.approve(visitor.shop.asked.id)
    visitor.see("Tack! Tidningen är din.")
    paid, there = visitor.number, visitor.page.url
    yield "swish, paid", there
    visitor.swish("digital", phone=PHONE_NUMBER)
    yield "swish, to a number", visitor.page.url
    visitor.swish("digital")
    yield from (("swish, code", visitor.page.url), ("buy, swish", "/buy/digital"))
    visitor.come_in()
    visitor.open_payment(paid)
    visitor.do("refund", "19")
    visitor.says("pågår")
    yield from (("staff list", "/staff/"), ("staff, pending", visitor.page.url))


def _problems(visitor: Visitor) -> list[str]:
    language = visitor.page.locator("html").get_attribute("lang")
    ours, theirs = (TEXTS["sv"], TEXTS["en"]) if language == "sv" else (TEXTS["en"], TEXTS["sv"])
    texts = [text for text in theirs.values() if len(text) >= LONG_ENOUGH and "{" not in text]
    foreign = [text for text in texts if text not in ours.values()]
    found: list[str] = visitor.page.evaluate(AUDIT, {"keys": KEYS, "foreign": foreign})
    return found


@pytest.mark.parametrize("language", ["sv", "en"])
@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_every_page_can_be_used_by_everyone(visitor: Visitor, viewport: dict[str, int], language: str) -> None:
    assert _problems_of_all(visitor, viewport, language) == {}


@pytest.mark.parametrize("language", ["sv", "en"])
@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_every_page_of_swish_can_be_used_by_everyone(
    swish_visitor: Visitor,
    viewport: dict[str, int],
    language: str,
) -> None:
    assert _problems_of_all(swish_visitor, viewport, language) == {}
    swish_visitor.go("/buy/digital")
    swish_visitor.page.locator("input[value=swish]").check()
    swish_visitor.page.locator("#email").fill(EMAIL)
    swish_visitor.page.locator("#phone").fill("0")
    swish_visitor.page.locator("main form button").click()
    swish_visitor.page.locator("[role=alert]").wait_for()
    assert _problems(swish_visitor) == []


def _problems_of_all(visitor: Visitor, viewport: dict[str, int], language: str) -> dict[str, list[str]]:
    """Check every page; return the problems of the pages that have some."""
    visitor.page.set_viewport_size(viewport)
    visitor.speak(language)
    found = {}
    for name, path in visitor.paths.items():
        visitor.page.goto(path if "://" in path else f"{visitor.shop.url}{path}")
        if not name.startswith("gateway"):
            assert visitor.page.locator("html").get_attribute("lang") == language
        found[name] = _problems(visitor)
    return {name: problems for name, problems in found.items() if problems}


@pytest.mark.parametrize("language", ["sv", "en"])
def test_pages_that_say_no_can_be_used_by_everyone(visitor: Visitor, language: str) -> None:
    visitor.page.set_viewport_size(PHONE)
    visitor.speak(language)
    visitor.go("/buy/digital")
    visitor.page.locator("main form button").click()
    visitor.page.locator("[role=alert]").wait_for()
    assert _problems(visitor) == []
    visitor.page.goto(visitor.shop.url + visitor.paths["staff, reserved"].removeprefix(visitor.shop.url))
    visitor.do("capture", "100000")
    visitor.page.locator("[role=alert]").wait_for()
    assert _problems(visitor) == []


def test_no_page_holds_a_secret(visitor: Visitor) -> None:
    for name, path in visitor.paths.items():
        visitor.page.goto(path if "://" in path else f"{visitor.shop.url}{path}")
        source = visitor.page.content()
        shown_on_purpose = SECRETS[-1:] if name == "staff login" else ()
        assert [secret for secret in {*SECRETS, EMAIL} - {*shown_on_purpose} if secret in source] == [], name


def test_where_money_moves_no_password_is_shown(reader: Visitor) -> None:
    reader.go("/staff/login")
    assert [secret for secret in SECRETS if secret in reader.page.content()] == []


def test_both_languages_say_the_same_things() -> None:
    assert TEXTS["sv"].keys() == TEXTS["en"].keys()
    for key, text in TEXTS["sv"].items():
        assert text.count("{") == TEXTS["en"][key].count("{"), key
