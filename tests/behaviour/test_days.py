"""Days are the merchant's: they end at midnight in the account's time zone, wherever the server is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from prenopay import StoreMethod
from prenopay.errors import ConfigurationError, MandateUnusable
from prenopay.values.mandates import MandateState
from tests.behaviour.shop import CONSENT, Shop

LAST_DAY = date(2027, 6, 30)
"""A day in summer: its midnight in Stockholm is 22:00 UTC, in Reykjavik 24:00."""


@pytest.fixture
def there(shop: Shop) -> Iterator[Shop]:
    """Another publisher's process on the same database."""
    other = Shop(
        shop.colour, shop.database, emulator=shop.emulator, account="reykjavik", time_zone="Atlantic/Reykjavik"
    )
    yield other
    other.close()


@pytest.fixture(params=["Pacific/Auckland", "America/Los_Angeles"])
def server_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the server's own clock show another day."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("server_zone")
def test_a_consent_ends_at_midnight_where_the_merchant_is(shop: Shop, there: Shop) -> None:
    store = StoreMethod(consent=replace(CONSENT, until=LAST_DAY))
    ours, theirs = shop.stored(store=store), there.stored(store=store)
    shop.clock.set(datetime(2027, 6, 30, 21, 59, tzinfo=UTC))
    shop.accounts.sweep()
    assert {each.mandates.get(one.mandate_id).state for each, one in ((shop, ours), (there, theirs))} == {
        MandateState.ACTIVE
    }

    shop.clock.set(datetime(2027, 6, 30, 22, 1, tzinfo=UTC))
    assert isinstance(shop.tries(lambda: shop.drawn(ours, "renewal:1")), MandateUnusable)
    assert there.tries(lambda: there.drawn(theirs, "renewal:1")) is None
    shop.accounts.sweep()
    there.accounts.sweep()
    assert shop.mandates.get(ours.mandate_id).state is MandateState.EXPIRED
    assert there.mandates.get(theirs.mandate_id).state is MandateState.ACTIVE


def test_the_merchants_clock_names_the_month(shop: Shop, there: Shop) -> None:
    at = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    assert [f"{each.payments.local_time(at):%Y-%m-%d %H:%M}" for each in (shop, there)] == [
        "2027-01-01 00:30",
        "2026-12-31 23:30",
    ]
    assert shop.payments.local_time() == shop.clock.now()


@pytest.mark.parametrize("zone", ["", "Stockholm", "../Stockholm", "Europe", "CET+1"])
def test_a_time_zone_that_does_not_exist_is_refused_by_name(shop: Shop, zone: str) -> None:
    with pytest.raises(ConfigurationError, match="time_zone: use a name such as Europe/Stockholm"):
        shop.add("elsewhere", time_zone=zone)
