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


@pytest.mark.parametrize("state", [PaymentState.CREATED, PaymentState.PENDING, PaymentState.UNKNOWN])
@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (timedelta(0), timedelta(minutes=2)),
        (timedelta(minutes=9, seconds=59), timedelta(minutes=2)),
        (timedelta(minutes=10), timedelta(minutes=10)),
        (timedelta(minutes=59), timedelta(minutes=10)),
        (timedelta(hours=1), timedelta(hours=1)),
        (timedelta(hours=23), timedelta(hours=1)),
        (timedelta(days=1), timedelta(hours=12)),
        (timedelta(days=27), timedelta(hours=12)),
        (timedelta(days=28), timedelta(days=1)),
        (timedelta(days=365), timedelta(days=1)),
    ],
)
def test_an_open_payment_is_looked_at_less_and_less_often(
    state: PaymentState,
    age: timedelta,
    expected: timedelta,
) -> None:
    assert expected == provider().next_check(state, age)


@pytest.mark.parametrize(
    ("age", "expected"),
    [(timedelta(0), timedelta(days=1)), (timedelta(days=179), timedelta(days=1)), (timedelta(days=180), None)],
)
def test_reserved_money_is_looked_at_daily_while_it_can_be_taken(age: timedelta, expected: timedelta | None) -> None:
    assert expected == provider().next_check(PaymentState.AUTHORIZED, age)


@pytest.mark.parametrize(
    "state",
    [PaymentState.CAPTURED, PaymentState.CANCELLED, PaymentState.DECLINED, PaymentState.EXPIRED],
)
def test_what_is_settled_is_not_looked_at(state: PaymentState) -> None:
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


@pytest.mark.parametrize("status", [200, 400, 404])
def test_credentials_are_good_when_the_answer_is_about_the_order(status: int) -> None:
    credentials, _clock = probed(answer(b"", status))
    expected = ("credentials", True, f"the gateway answered {status}", "")
    assert expected == (credentials.name, credentials.ok, credentials.found, credentials.fix)


@pytest.mark.parametrize("status", [401, 403, 500, 503])
def test_credentials_that_are_refused_say_what_to_mend(status: int) -> None:
    credentials, _clock = probed(answer(b"", status))
    assert not credentials.ok
    assert not [part for part in ("access_token", PAYEE, "test environment") if part not in credentials.fix]


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
