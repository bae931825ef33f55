"""Access opens for each way in which the news comes: the browser's return, the callback, or the sweep."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from prenopay.testing.callbacks import Manner
from prenopay.testing.faults import Fault, FaultKind

from .shops import RunningShop
from .visitors import Visitor

pytestmark = pytest.mark.browser

RETURNED = "Betalväxeln tillfrågad när läsaren kom tillbaka"
CALLED = "Betalväxeln tillfrågad på grund av anropet"
SWEPT = "Betalväxeln tillfrågad av svepet"


def _pay_and_vanish(reader: Visitor) -> str:
    """Order, pay, and close the browser before the gateway can send it back; return the order's number."""
    reader.order("digital")
    number: str = reader.shop.emulator.orders[-1].order_reference

    def hear_no_answer(route: Any) -> None:
        route.fetch(max_redirects=0)
        route.abort()

    reader.page.route("**/answer", hear_no_answer)
    with reader.page.expect_event("requestfailed"):
        reader.approve_card()
    reader.close()
    return number


def test_the_browser_never_comes_back(shop: RunningShop, visit: Callable[..., Visitor], staff: Visitor) -> None:
    number = _pay_and_vanish(visit())
    later = visit()
    later.go(shop.path_of(number))
    later.see("Tack! Tidningen är din.")  # the page asks until the callback has come
    staff.open_payment(number)
    assert CALLED in staff.steps
    assert RETURNED not in staff.steps
    assert shop.captured == 11900


def test_the_callback_never_comes(shop: RunningShop, reader: Visitor, staff: Visitor) -> None:
    shop.emulator.callbacks.behave(Manner.DROP, times=99)
    number = reader.buy("digital")
    reader.see("Tack! Tidningen är din.")
    staff.open_payment(number)
    assert RETURNED in staff.steps
    assert CALLED not in staff.steps


def test_neither_comes(shop: RunningShop, visit: Callable[..., Visitor], staff: Visitor) -> None:
    shop.emulator.callbacks.behave(Manner.DROP, times=99)
    number = _pay_and_vanish(visit())
    later = visit()
    later.go(shop.path_of(number))
    later.see("Vi väntar på besked")
    shop.clock.advance(timedelta(minutes=5))
    later.see("Tack! Tidningen är din.")  # shown in place: nobody reloads
    staff.open_payment(number)
    assert SWEPT in staff.steps
    assert RETURNED not in staff.steps
    assert CALLED not in staff.steps


def test_callbacks_that_come_twice_change_nothing(shop: RunningShop, reader: Visitor) -> None:
    shop.emulator.callbacks.behave(Manner.DUPLICATE, times=99)
    reader.buy("digital")
    reader.see("Tack! Tidningen är din.")
    assert shop.captured == 11900


def test_the_gateway_cannot_be_asked_when_the_reader_returns(shop: RunningShop, reader: Visitor) -> None:
    shop.makes_errors = True
    shop.emulator.callbacks.behave(Manner.HOLD)
    reader.order("digital")
    reader.press("Betala")
    shop.emulator.faults.add(Fault(kind=FaultKind.STATUS_BEFORE, status=503, method="GET", path="/psp/", times=9))
    reader.press("Godkänn")
    reader.see("Vi väntar på besked")
    shop.emulator.faults.clear()
    shop.emulator.callbacks.behave(Manner.RELEASE)
    reader.see("Tack! Tidningen är din.")


def test_the_gateways_answer_to_the_order_is_lost(shop: RunningShop, reader: Visitor) -> None:
    shop.emulator.faults.add(Fault(kind=FaultKind.DROP_AFTER, method="POST", path="/psp/paymentorders"))
    reader.order("digital")
    reader.approve_card()
    reader.see("Tack! Tidningen är din.")
    assert shop.captured == 11900


def test_the_gateway_is_away(shop: RunningShop, reader: Visitor) -> None:
    shop.makes_errors = True
    shop.emulator.faults.add(Fault(kind=FaultKind.REFUSE, path="/psp/paymentorders", times=99))
    reader.fill_in_order("digital")
    reader.press("Betala")
    reader.see("Det går inte att betala just nu")
    shop.emulator.faults.clear()
    reader.press("Försök igen")
    reader.page.wait_for_url("**/checkout/**")
    reader.approve_card()
    reader.see("Tack! Tidningen är din.")
    assert shop.captured == 11900
