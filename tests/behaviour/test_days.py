"""Days are the merchant's: they end at midnight in the account's time zone, wherever the server is."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from prenopay import StoreMethod
from prenopay.errors import ConfigurationError, InvalidOrder, MandateUnusable
from prenopay.mandates.aging import Standing, next_step, next_step_at
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


def test_a_time_that_names_no_moment_is_refused_and_every_other_is_shown(shop: Shop) -> None:
    with pytest.raises(InvalidOrder, match="at: must be a time with its zone"):
        shop.payments.local_time(datetime(2026, 1, 1))  # noqa: DTZ001 - the mistake
    assert shop.payments.local_time(datetime.max.replace(tzinfo=UTC)).date() == date.max
    assert shop.payments.local_time(datetime.min.replace(tzinfo=UTC)).date() == date.min


_DAYS = [date.min + timedelta(days=each) for each in range(4)] + [date.max - timedelta(days=each) for each in range(4)]
_ZONES = ["UTC", "Europe/Stockholm", "Pacific/Apia", "Etc/GMT+12", "America/Los_Angeles"]


@pytest.mark.parametrize("zone", _ZONES)
def test_a_mandate_has_a_next_step_or_none_at_both_ends_of_the_calendar(zone: str) -> None:
    now = datetime(2026, 6, 1, tzinfo=UTC)
    for until, expires, state in itertools.product((None, *_DAYS), (None, *_DAYS), MandateState):
        standing = Standing(
            state=state, time_zone=zone, until=until, expires=expires, resume_at=now, updated_at=now - timedelta(days=1)
        )
        step, at = next_step(standing, now), next_step_at(standing)
        assert at is None or date.min <= at.astimezone(UTC).date() <= date.max
        assert step is None or (at is not None and at <= now)
        if state is MandateState.ACTIVE:
            is_over = any(each is not None and each.year == 1 for each in (until, expires))
            assert (step is not None) is is_over, (until, expires)


@pytest.mark.parametrize(
    "zone",
    [
        "",
        "Stockholm",
        "../Stockholm",
        "Europe",
        "CET+1",
        "CET",
        "Factory",
        "localtime",
        "posixrules",
        "right/UTC",
    ],
)
def test_a_time_zone_that_does_not_exist_is_refused_by_name(shop: Shop, zone: str) -> None:
    with pytest.raises(ConfigurationError, match="time_zone: use a name such as Europe/Stockholm"):
        shop.add("elsewhere", time_zone=zone)
