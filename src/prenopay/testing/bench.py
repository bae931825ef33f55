"""The bench of one test: its clock, the gateways on it, the shops at the mock, and what must not be seen."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from prenopay._arguments import check_arguments, checked_fields, refuse_misuse
from prenopay.accounts.accounts import AsyncAccounts
from prenopay.providers.swedbankpay import SwedbankPay
from prenopay.providers.swish import Swish
from prenopay.testing.clock import VirtualClock
from prenopay.testing.delivery import AsyncCallbacks, AsyncPost, Callbacks, to_accounts
from prenopay.testing.emulators.swedbankpay import SwedbankPayEmulator
from prenopay.testing.emulators.swedbankpay.gateway import SwedbankPayGateway
from prenopay.testing.emulators.swish import IssuedCertificate, SwishEmulator, serve_swish
from prenopay.testing.emulators.swish.gateway import SwishGateway
from prenopay.testing.gateway import Gateway
from prenopay.testing.http import Emulator
from prenopay.testing.mock import Mock, MockGateway, MockSender, mock_accounts, mock_accounts_async
from prenopay.testing.mock.shop import CALLBACK_KEY, TOKEN_KEY, AsyncMockShop, MockShop
from prenopay.testing.payer import AsyncTestPayer, TestPayer
from prenopay.testing.secrets import ways_to_write
from prenopay.testing.server import serve
from prenopay.values.events import AsyncEventHandler, EventHandler

__all__ = [
    "Bench",
    "BenchSender",
    "OpenMock",
    "OpenMockAsync",
    "SwedbankPayServer",
    "SwishServer",
    "mock_shops",
    "mock_shops_async",
    "served_swedbankpay",
    "served_swish",
]


class BenchSender(MockSender):
    """Sends in process to the gateways of the test, and to every mock: the ``sender=`` of ``Accounts.open``."""


@check_arguments(refuse_misuse, any_text=True)
class Bench:
    """What the fixtures of one test share. A gateway that is asked for is put on it."""

    def __init__(self, clock: VirtualClock) -> None:
        """Run everything on ``clock``."""
        self.clock: VirtualClock = clock
        self._gateways: dict[str, Gateway] = {}
        self._mounts: dict[str, Emulator] = {}
        self._secrets: list[Callable[[], Iterable[str]]] = []
        self._personal: list[Callable[[], Iterable[str]]] = []
        self._transcripts: list[Callable[[], object]] = []
        self.mocks: dict[str, MockGateway] = {}
        """The mock that the shop on each database uses."""
        self.sender: BenchSender = BenchSender(self._mounts)
        self.callbacks: Callbacks = Callbacks(self._gateways)
        self.payer: TestPayer = TestPayer(self._gateways, deliver=self.callbacks.deliver)

    def callbacks_async(self, host: AsyncAccounts | AsyncPost) -> AsyncCallbacks:
        """Return the callbacks of the gateways on the bench, for a host in async code."""
        return AsyncCallbacks(self._gateways, host)

    def payer_async(self, callbacks: AsyncCallbacks) -> AsyncTestPayer:
        """Return someone who pays at the gateways on the bench, and awaits what ``callbacks`` deliver."""
        return AsyncTestPayer(self._gateways, deliver=callbacks.deliver)

    def add(self, provider: str, gateway: Gateway) -> None:
        """Put a gateway on the bench. Payer and callbacks use the first gateway of each provider."""
        self._gateways.setdefault(provider, gateway)
        self._mounts.update(gateway.mounts)
        self._secrets.append(gateway.secrets)
        self._personal.append(gateway.personal)
        self._transcripts.append(lambda: gateway.transcript.seen)

    def watch(self, secrets: Callable[[], Iterable[str]]) -> None:
        """Add secrets that are known only when they are looked for."""
        self._secrets.append(secrets)

    def knows(self, *secrets: str) -> None:
        """Add secrets that no gateway has: callback keys, token keys, personal numbers."""
        self._secrets.append(lambda: secrets)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Everything that must not be seen at this moment; payers' data in every way of writing it."""
        personal = ways_to_write(each for known in self._personal for each in known())
        return tuple(dict.fromkeys([*(secret for known in self._secrets for secret in known()), *personal]))

    @property
    def transcripts(self) -> tuple[str, ...]:
        """What each gateway wrote down of the calls it got."""
        return tuple(repr(written()) for written in self._transcripts)


# Shops at the mock


class OpenMock(Protocol):
    """Opens blocking accounts with the mock of the test."""

    def __call__(
        self, *, on_event: EventHandler | None = None, database: str = "", tell_twice: bool = True
    ) -> MockShop:
        """See ``mock_accounts``."""
        ...


class OpenMockAsync(Protocol):
    """Opens async accounts with the mock of the test."""

    def __call__(
        self, *, on_event: AsyncEventHandler | None = None, database: str = "", tell_twice: bool = True
    ) -> AbstractAsyncContextManager[AsyncMockShop]:
        """See ``mock_accounts_async``."""
        ...


@check_arguments(refuse_misuse, any_text=True)
@contextmanager
def mock_shops(bench: Bench, gateway: MockGateway) -> Generator[OpenMock]:
    """Yield a function that opens shops; close them at the end.

    The first shop uses ``gateway``, and so does every other shop on the same database: the bench delivers its
    callbacks to the last of them. A shop on another database is another host, with its own gateway and payer.
    """
    bench.knows(CALLBACK_KEY, TOKEN_KEY)
    with ExitStack() as stack:

        def opened(*, on_event: EventHandler | None = None, database: str = "", tell_twice: bool = True) -> MockShop:
            config = _mock_of(database, bench, gateway)
            opening = mock_accounts(on_event=on_event, mock=config, database=database, tell_twice=tell_twice)
            shop = stack.enter_context(opening)
            bench.mocks[shop.database] = shop.gateway
            if shop.gateway is gateway:
                bench.callbacks.connect(to_accounts(shop.accounts))
            return shop

        yield opened


@check_arguments(refuse_misuse, any_text=True)
def mock_shops_async(bench: Bench, gateway: MockGateway) -> OpenMockAsync:
    """Return a function that opens shops as async context managers, with the same gateways as in ``mock_shops``."""
    bench.knows(CALLBACK_KEY, TOKEN_KEY)

    @asynccontextmanager
    async def opening(
        *, on_event: AsyncEventHandler | None = None, database: str = "", tell_twice: bool = True
    ) -> AsyncGenerator[AsyncMockShop]:
        config = _mock_of(database, bench, gateway)
        opened = mock_accounts_async(on_event=on_event, mock=config, database=database, tell_twice=tell_twice)
        async with opened as shop:
            bench.mocks[shop.database] = shop.gateway
            yield shop

    return opening


def _mock_of(database: str, bench: Bench, first: MockGateway) -> Mock:
    gateway = bench.mocks.get(database) if bench.mocks else first
    if gateway is None:
        gateway = MockGateway(clock=bench.clock)
        bench.add("mock", gateway)
    return Mock(account="mock", gateway=gateway)


# Emulators on sockets, for hosts that are tested over real HTTP


@check_arguments(refuse_misuse, any_text=True)
@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class SwedbankPayServer:
    """An emulated Swedbank Pay at ``url``."""

    url: str
    emulator: SwedbankPayEmulator

    def account(self, name: str = "cards") -> SwedbankPay:
        """Return the settings of an account with it."""
        return SwedbankPayGateway(self.emulator).account(name, base_url=self.url)


@check_arguments(refuse_misuse, any_text=True)
@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class SwishServer:
    """An emulated Swish: merchants reach it at ``url`` with their certificate, phones at ``phone_url``."""

    url: str
    phone_url: str
    emulator: SwishEmulator
    certificate: IssuedCertificate = field(repr=False)

    def account(self, name: str = "swish") -> Swish:
        """Return the settings of an account with it, certificate and trust included."""
        return SwishGateway(self.emulator, certificate=self.certificate).account(name, base_url=self.url)


@check_arguments(refuse_misuse, any_text=True)
@contextmanager
def served_swedbankpay(emulator: SwedbankPayEmulator) -> Generator[SwedbankPayServer]:
    """Serve until the block ends; callbacks go where ``Callbacks.connect`` says, not over the network."""
    with serve(emulator, deliver_callbacks=False) as served:
        yield SwedbankPayServer(url=served.url, emulator=emulator)


@check_arguments(refuse_misuse, any_text=True)
@contextmanager
def served_swish(emulator: SwishEmulator, certificate: IssuedCertificate) -> Generator[SwishServer]:
    """Serve over mutual TLS until the block ends; callbacks go where ``Callbacks.connect`` says."""
    with serve_swish(emulator, deliver_callbacks=False) as served:
        yield SwishServer(url=served.api.url, phone_url=served.phone.url, emulator=emulator, certificate=certificate)
