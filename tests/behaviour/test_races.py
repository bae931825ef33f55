"""Two processes at once: at each await of one, in turn, another acts, and no payment is left behind."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import count

import pytest

from prenopay import PaymentState
from prenopay.testing.faults import Fault, FaultKind
from tests.behaviour.shop import Shop
from tests.behaviour.test_crashes import Executioner, mortal


class Interrupter(Executioner):
    """Lets somebody else act at one of the awaits, instead of killing."""

    def __init__(self, at: int, act: Callable[[], object]) -> None:
        super().__init__()
        self._at = at
        self._act = act

    def _step(self) -> None:
        self.count += 1
        if self.count == self._at:
            self._act()


@pytest.fixture
def colour() -> str:
    """Return the only colour here: event loops do not run within each other, and the core is the same."""
    return "blocking"


def test_a_page_that_another_process_found_meanwhile_is_closed_when_its_time_is_over(
    open_shop: Callable[..., Shop],
) -> None:
    closed = 0
    for at in count(1):
        shop = open_shop(account=f"cards-{at}")
        shop.emulator.faults.add(Fault(kind=FaultKind.DROP_BEFORE, call="create"))
        payment_id = str(getattr(shop.tries(shop.bought), "payment_id", None))
        interrupter = Interrupter(at, partial(shop.payments.resolve, "order:1"))
        process = mortal(shop, interrupter)
        process.payments.expire(payment_id)
        process.close()

        assert shop.payments.get(payment_id).state is PaymentState.EXPIRED
        assert not any(order.is_payable for order in shop.emulator.orders), f"interrupted at await {at}"
        closed += len(shop.emulator.orders)
        if interrupter.count < at:
            break
    assert closed > 1
