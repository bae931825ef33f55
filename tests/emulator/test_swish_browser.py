"""The emulated phone in a real Chromium, as wide as a phone and by keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from prenopay.testing.clock import VirtualClock
from prenopay.testing.emulators.swish import Status, SwishEmulator
from prenopay.testing.server import Served, serve
from tests.chromium import chromium

from .swish_calling import PAYER, Shop

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def shop() -> Shop:
    return Shop(SwishEmulator(clock=VirtualClock(real_time=True)))


@pytest.fixture
def served(shop: Shop) -> Iterator[Served]:
    with serve(shop.emulator.phone, deliver_callbacks=False) as served:
        yield served


@pytest.fixture
def phone(browser: Any) -> Iterator[Any]:
    page = browser.new_page(viewport={"width": 390, "height": 844}, locale="sv-SE")
    yield page
    page.close()


def _overflows(page: Any) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > innerWidth"))


def test_a_payer_opens_a_link_and_pays_by_keyboard(shop: Shop, served: Served, phone: Any) -> None:
    token = shop.create(message="M" * 50, payeePaymentReference="R" * 35).token
    phone.goto(f"{served.url}/phone")
    assert not _overflows(phone)
    phone.get_by_label("Kod eller länk").fill(f"swish://paymentrequest?token={token}&callbackurl={served.url}/phone")
    phone.keyboard.press("Enter")
    phone.get_by_role("button", name="Godkänn med BankID").wait_for()
    assert "100,00" in phone.locator("h1").inner_text()
    assert not _overflows(phone)
    phone.get_by_label("Ditt mobilnummer").fill("nej")
    phone.get_by_role("button", name="Godkänn med BankID").press("Enter")
    phone.get_by_role("alert").wait_for()
    phone.get_by_label("Ditt mobilnummer").fill("070-174 06 06")
    phone.get_by_role("button", name="Godkänn med BankID").press("Enter")
    phone.wait_for_url(f"{served.url}/phone")
    (payment,) = shop.emulator.payments
    assert (payment.status, payment.payer) == (Status.PAID, PAYER)


def test_a_named_payer_finds_the_request_and_declines(shop: Shop, served: Served, phone: Any) -> None:
    shop.created(payerAlias=PAYER)
    phone.goto(f"{served.url}/phone?number=0701740606")
    phone.get_by_role("link", name="Emulerat förlag").click()
    phone.get_by_role("button", name="Avbryt").click()
    phone.get_by_role("heading", name="Avbrutet").wait_for()
    assert not _overflows(phone)
    assert shop.emulator.payments[0].status is Status.DECLINED
