"""The in-process sender: the port's promises kept over an emulator, in both colours, without a socket."""

from __future__ import annotations

import json
from datetime import timedelta

import anyio
import pytest

from prenopay._blocking import run_blocking
from prenopay.errors import NotSent, OutcomeUnknown, TransportError
from prenopay.ports import HttpRequest, HttpResponse
from prenopay.testing.emulators.swedbankpay import DEFAULT_ACCESS_TOKEN, SwedbankPayEmulator
from prenopay.testing.faults import Fault, FaultKind
from prenopay.testing.http import EmulatorSender

from .calling import API, purchase

HEADERS = (
    ("Authorization", f"Bearer {DEFAULT_ACCESS_TOKEN}"),
    ("Content-Type", "application/json;version=3.1"),
    ("Accept", "application/json;version=3.1, application/problem+json;q=0.9"),
)


def _create(url: str = f"{API}/psp/paymentorders") -> HttpRequest:
    body = json.dumps(purchase()).encode()
    return HttpRequest(method="POST", url=url, label="create", headers=HEADERS, body=body)


def _send(emulator: SwedbankPayEmulator, request: HttpRequest, *, timeout: float = 10.0) -> HttpResponse:
    return run_blocking(EmulatorSender(emulator.mounts).send(request, timeout=timeout))


def test_a_request_reaches_the_emulator_and_links_carry_the_gateways_hosts(emulator: SwedbankPayEmulator) -> None:
    answer = _send(emulator, _create())
    assert answer.status == 201
    assert answer.header("content-type") == "application/json; charset=utf-8; version=3.1"
    hrefs = {operation["rel"]: operation["href"] for operation in json.loads(answer.body)["operations"]}
    assert hrefs["abort"].startswith(f"{API}/psp/paymentorders/")
    assert hrefs["redirect-checkout"].startswith("https://ecom.externalintegration.payex.com/checkout/")


def test_it_serves_awaiting_use_cases_as_well(emulator: SwedbankPayEmulator) -> None:
    async def send() -> HttpResponse:
        return await EmulatorSender(emulator.mounts).send(_create(), timeout=10)

    assert anyio.run(send).status == 201


def test_a_host_where_nothing_is_mounted_was_not_sent_to(emulator: SwedbankPayEmulator) -> None:
    with pytest.raises(NotSent, match="no emulator"):
        _send(emulator, _create("https://api.payex.com/psp/paymentorders"))


def test_faults_become_the_errors_of_the_port() -> None:
    cases: list[tuple[FaultKind, type[TransportError], int]] = [
        (FaultKind.REFUSE, NotSent, 0),
        (FaultKind.DROP_BEFORE, OutcomeUnknown, 0),
        (FaultKind.DROP_AFTER, OutcomeUnknown, 1),
        (FaultKind.HALF_BODY, OutcomeUnknown, 1),
    ]
    for kind, error, orders in cases:
        emulator = SwedbankPayEmulator()
        emulator.faults.add(Fault(kind=kind, call="create"))
        with pytest.raises(error):
            _send(emulator, _create())
        assert len(emulator.orders) == orders


def test_a_delay_within_the_timeout_only_takes_time(emulator: SwedbankPayEmulator) -> None:
    before = emulator.clock.now()
    emulator.faults.add(Fault(kind=FaultKind.DELAY, seconds=4))
    assert _send(emulator, _create()).status == 201
    assert emulator.clock.now() - before == timedelta(seconds=4)


def test_a_delay_beyond_the_timeout_loses_the_answer_after_acting(emulator: SwedbankPayEmulator) -> None:
    before = emulator.clock.now()
    emulator.faults.add(Fault(kind=FaultKind.DELAY, seconds=60))
    with pytest.raises(OutcomeUnknown, match="no whole answer"):
        _send(emulator, _create(), timeout=10)
    assert emulator.clock.now() - before == timedelta(seconds=10)
    assert len(emulator.orders) == 1


def test_a_status_fault_is_an_answer(emulator: SwedbankPayEmulator) -> None:
    emulator.faults.add(Fault(kind=FaultKind.STATUS_AFTER, status=504, call="create"))
    assert _send(emulator, _create()).status == 504
    assert [seen.outcome for seen in emulator.transcript.calls("create")] == ["504"]
    assert len(emulator.orders) == 1
