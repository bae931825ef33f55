"""When the sweep looks at a payment, and how ``doctor`` asks the gateway without touching anything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from prenopay import PaymentState
from prenopay._blocking import run_blocking
from prenopay.errors import OutcomeUnknown
from prenopay.ports import HttpResponse
from prenopay.provider import Probe

from .samples import API, PAYEE, Script, answer, problem, provider

# The sweep


_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.mark.parametrize("state", [PaymentState.CREATED, PaymentState.PENDING, PaymentState.UNKNOWN])
@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (timedelta(0), 2 * _MINUTE),
        (10 * _MINUTE - timedelta(seconds=1), 2 * _MINUTE),
        (10 * _MINUTE, 10 * _MINUTE),
        (59 * _MINUTE, 10 * _MINUTE),
        (_HOUR, _HOUR),
        (23 * _HOUR, _HOUR),
        (_DAY, 12 * _HOUR),
        (27 * _DAY, 12 * _HOUR),
        (28 * _DAY, _DAY),
        (365 * _DAY, _DAY),
    ],
)
def test_an_open_payment_is_looked_at_less_and_less_often(
    state: PaymentState, age: timedelta, expected: timedelta
) -> None:
    assert expected == provider().next_check(state, age)


def test_reserved_money_is_looked_at_daily_and_an_ended_payment_never() -> None:
    reserved = [provider().next_check(PaymentState.AUTHORIZED, age) for age in (timedelta(0), 179 * _DAY, 180 * _DAY)]
    assert reserved == [_DAY, _DAY, None]
    for state in (PaymentState.CAPTURED, PaymentState.CANCELLED, PaymentState.DECLINED, PaymentState.EXPIRED):
        assert provider().next_check(state, timedelta(0)) is None


# Doctor


def probed(given: HttpResponse) -> tuple[Probe, Probe]:
    credentials, clock = run_blocking(provider().probe(Script(given)))
    return credentials, clock


def test_the_probe_reads_an_order_that_nobody_has() -> None:
    script = Script(answer(problem("notfound", 404), 404))
    run_blocking(provider().probe(script))
    (sent,) = script.sent
    expected = ("GET", f"{API}/psp/paymentorders/00000000-0000-0000-0000-000000000000", True, b"")
    assert expected == (sent.method, sent.url, sent.retry_safe, sent.body)


_TOKEN_FIX = ("access_token", PAYEE, "test environment")


@pytest.mark.parametrize(
    ("status", "fix"),
    [
        *((status, ()) for status in (200, 400, 404)),
        *((status, _TOKEN_FIX) for status in (401, 403, 500, 503)),
        (302, ("base_url",)),
        (429, ("try again later",)),
    ],
)
def test_credentials_are_valid_if_the_answer_is_about_the_order(status: int, fix: tuple[str, ...]) -> None:
    credentials, _clock = probed(answer(b"", status))
    accepted = (
        f"accepted (asked for a payment that does not exist: {status}); payee_id is checked only when a payment is made"
    )
    expected = ("credentials", not fix, f"the gateway answered {status}" if fix else accepted, bool(fix))
    assert expected == (credentials.name, credentials.ok, credentials.found, bool(credentials.fix))
    assert not [part for part in fix if part not in credentials.fix]


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("Wed, 28 Oct 2026 12:00:00 GMT", datetime(2026, 10, 28, 12, tzinfo=UTC)),
        ("Wed, 28 Oct 2026 14:00:00 +0200", datetime(2026, 10, 28, 12, tzinfo=UTC)),
        ("Wed, 28 Oct 2026 12:00:00 -0000", datetime(2026, 10, 28, 12, tzinfo=UTC)),
        ("soon", None),
        ("", None),
    ],
)
def test_the_gateways_time_is_told(date: str, expected: datetime | None) -> None:
    _credentials, clock = probed(answer(b"", 404, date=date))
    assert expected == clock.gateway_time


def test_a_gateway_that_is_not_reached_is_told() -> None:
    with pytest.raises(OutcomeUnknown):
        run_blocking(provider().probe(Script(OutcomeUnknown("lost"))))
