"""Killed at any moment of a charge: one operation id never takes the money twice, whatever was lost.

One test raises an exception at each await in turn, in this process. The other sends SIGKILL to a process of its
own that charges over a real socket.
"""

from __future__ import annotations

import functools
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from prenopay import Outcome, PaymentState
from prenopay.testing.server import serve
from prenopay.values.mandates import Mandate
from tests.behaviour.shop import READER, Shop, sek
from tests.behaviour.test_crashes import DEATHS, MortalSender, mortal, survives

LEAST_AWAITS = 10
"""With fewer awaits, the executioner does not guard every port."""
MOST_AWAITS = 80


@pytest.mark.every_store
@pytest.mark.parametrize("death", DEATHS)
@pytest.mark.parametrize(("database", "colour"), [("sqlite", "awaiting")], indirect=True)
def test_dying_at_every_await_of_a_charge_never_takes_it_twice(open_shop: Callable[..., Shop], death: str) -> None:
    deaths, died = 0, True
    while died:
        deaths += 1
        shop = open_shop(account=f"charge-{deaths}")
        mandate = shop.stored()
        executioner = DEATHS[death]()
        executioner.kill_at = deaths
        process = mortal(shop, executioner)
        drawing = functools.partial(process.drawn, mandate, "renewal:1", period="2026-02")
        died = not survives(drawing) or executioner.count >= deaths
        process.close()
        assert isinstance(process.sender, MortalSender)
        if death == "cancelled" and not process.sender.used:
            assert shop.payments.open_operations() == (), "what was not sent is free at once"
        _repaired(shop, mandate)
    assert deaths > LEAST_AWAITS, "every await was a place to die"


def test_killed_at_every_point_of_a_charge_never_takes_it_twice(database: str) -> None:
    shop = Shop("blocking", database, account="killed-0")
    step = 1 if database.startswith("sqlite") else 3  # a server outlives who is killed: not each point is another case
    try:
        with serve(shop.emulator, deliver_callbacks=False) as served, _mortals() as mortals:
            point, killed = 1 - step, True
            while killed:
                point += step
                assert point < MOST_AWAITS
                killed = _killed_at(point, shop, served.url, mortals)
    finally:
        shop.close()
    assert point > LEAST_AWAITS, "every await was a place to die"


@contextmanager
def _mortals() -> Iterator[subprocess.Popen[str]]:
    """Start the program that makes each charge in a process of its own."""
    command = [sys.executable, str(Path(__file__).with_name("charging_process.py"))]
    with subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as mortals:
        yield mortals


def _killed_at(point: int, before: Shop, url: str, mortals: subprocess.Popen[str]) -> bool:
    """Let a process of its own charge and be killed at ``point``; return whether it was killed."""
    shop = Shop(before.colour, before.database, emulator=before.emulator, account=f"killed-{point}")
    mandate = shop.stored(f"order:{point}")
    charge = {
        "database": shop.database,
        "url": url,
        "account": shop.account_name,
        "mandate_id": mandate.mandate_id,
        "point": point,
        "now": shop.clock.now().isoformat(),
    }
    assert mortals.stdin is not None
    assert mortals.stdout is not None
    print(json.dumps(charge), file=mortals.stdin, flush=True)
    code = int(mortals.stdout.readline())
    assert code in {0, -signal.SIGKILL}
    _repaired(shop, mandate)
    shop.close()
    return code == -signal.SIGKILL


def _repaired(shop: Shop, mandate: Mandate) -> None:
    """Let the host repeat, the sweep run and a person settle the rest; check that the money was taken once."""
    later = shop.restarted()
    for _ in range(2):
        later.later(minutes=15)
        later.tries(lambda: later.drawn(mandate, "renewal:1", period="2026-02"))
        later.accounts.sweep()
    made = later.payments.operation("renewal:1")
    if made.outcome is Outcome.UNKNOWN:
        found = [each for each in later.emulator.charges() if each.payee_reference == made.reference]
        later.payments.settle_by_hand(
            "renewal:1",
            provider_reference=found[0].order if found else None,
            person="Ann",
            reason="looked in the portal",
        )
    later.later(minutes=15)
    later.tries(lambda: later.drawn(mandate, "renewal:1", period="2026-02"))
    later.accounts.sweep()
    made = later.payments.operation("renewal:1")
    payment = later.payments.get(made.payment_id)
    assert (made.outcome, payment.state, payment.captured) == (Outcome.SUCCEEDED, PaymentState.CAPTURED, sek(11900))
    taken = [each for each in later.emulator.charges() if each.payee_reference == made.reference]
    assert len(taken) == 1
    assert later.emulator.books()[taken[0].order].captured == sek(11900).minor
    later.books_agree()
    assert later.mandates.of_payer(READER.reference)
    later.close()
