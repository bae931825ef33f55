"""A shop at the mock, in both colours, driven as if it were blocking."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from zlib import crc32

import pytest

from prenopay import Event
from prenopay.errors import PrenopayError
from prenopay.testing.mock import MockGateway, mock_accounts, mock_accounts_async
from prenopay.values.mandates import Mandate, StoreMethod
from tests.behaviour.shop import COLOURS, CONSENT, READER, Driven, an_order


class Shop:
    """What ``mock_accounts`` gives, whichever colour."""

    def __init__(self, shop: Any, run: Callable[[Any], Any], heard: list[Event]) -> None:
        self.accounts, self.payments = Driven(shop.accounts, run), Driven(shop.payments, run)
        self.payer, self.callbacks = Driven(shop.payer, run), Driven(shop.callbacks, run)
        self.gateway: MockGateway = shop.gateway
        self.clock = shop.clock
        self.heard = heard
        self._run = run

    @property
    def mandates(self) -> Driven:
        return Driven(self.payments.mandates, self._run)

    @property
    def told(self) -> list[str]:
        return [event.kind.value for event in self.heard]

    def bought(self, operation_id: str = "order:1", **changes: Any) -> Any:
        return self.payments.create(an_order(**changes), operation_id=operation_id)

    def paid(self, operation_id: str = "order:1", **changes: Any) -> Any:
        payment = self.bought(operation_id, **changes)
        self.payer.approve(payment)
        return self.payments.get(payment.payment_id)

    def tries(self, use_case: Callable[[], object]) -> PrenopayError | None:
        try:
            use_case()
        except PrenopayError as error:
            return error
        return None

    def stored(self, operation_id: str = "order:store") -> Mandate:
        payment = self.paid(operation_id, payer=READER, store=StoreMethod(consent=CONSENT))
        found: tuple[Mandate, ...] = self.mandates.of_payer(READER.reference)
        return next(each for each in found if each.payment_id == payment.payment_id)


OpenShop = Callable[..., Shop]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Try the shop and its door in both colours; what gateway and scripts do, in one of them by the test's name."""
    if "colour" in metafunc.fixturenames:
        name = metafunc.function.__name__
        one = COLOURS[crc32(name.encode()) % len(COLOURS)]
        is_of_shop = metafunc.module.__name__.endswith(("test_shop", "test_wrong_types"))
        metafunc.parametrize("colour", COLOURS if is_of_shop else [one])


@pytest.fixture
def open_shop(colour: str) -> Iterator[OpenShop]:
    """Return a function that opens a shop; all are closed at the end."""
    with ExitStack() as stack:
        runner = stack.enter_context(asyncio.Runner()) if colour == "awaiting" else None

        def opened(**settings: Any) -> Shop:
            heard: list[Event] = []
            hear: Callable[[Event], None] = settings.pop("on_event", heard.append)
            if runner is None:
                shop: Any = stack.enter_context(mock_accounts(on_event=hear, **settings))
                return Shop(shop, lambda value: value, heard)

            async def on_event(event: Event) -> None:
                hear(event)

            opening = mock_accounts_async(on_event=on_event, **settings)
            shop = runner.run(opening.__aenter__())
            stack.push(lambda *error: runner.run(opening.__aexit__(*error)))
            return Shop(shop, runner.run, heard)

        yield opened


@pytest.fixture
def shop(open_shop: OpenShop) -> Shop:
    return open_shop(tell_twice=False)
