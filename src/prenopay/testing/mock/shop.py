"""Accounts with one mock, opened on an empty database and thrown away after the test: three lines in a host's test.

::

    with mock_accounts(on_event=host.hear) as shop:
        payment = shop.payments.create(order, operation_id="order:1")
        shop.payer.approve(payment)  # pays; the callback arrives, and the host is notified
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Final, TypedDict

from prenopay._arguments import check_arguments, checked_fields, refuse_setting
from prenopay.accounts.accounts import AsyncAccounts
from prenopay.blocking import Accounts, Payments
from prenopay.errors import ConfigurationError
from prenopay.payments.use_cases import AsyncPayments
from prenopay.testing.clock import VirtualClock
from prenopay.testing.databases import empty_sqlite
from prenopay.testing.delivery import AsyncCallbacks, Callbacks, to_accounts
from prenopay.testing.mock.gateway import MockGateway, MockSender
from prenopay.testing.mock.provider import Mock, MockProvider
from prenopay.testing.mock.telling import ToldTwice
from prenopay.testing.payer import AsyncTestPayer, TestPayer
from prenopay.values.events import AsyncEventHandler, EventHandler

__all__ = [
    "CALLBACK_KEY",
    "CALLBACK_URL",
    "TOKEN_KEY",
    "AsyncMockShop",
    "MockShop",
    "mock_accounts",
    "mock_accounts_async",
]

CALLBACK_URL: Final = "https://shop.example/callbacks"
"""Where the shop says that it takes callbacks."""
CALLBACK_KEY: Final = "a-key-that-signs-addresses-in-tests"
"""The key of callback addresses; no secret, tests only."""
TOKEN_KEY: Final = "a-key-that-seals-tokens-in-tests-only"  # noqa: S105 - it protects nothing
"""The key of stored methods; no secret, tests only."""


class _Ports(TypedDict):
    callback_url: str
    callback_keys: list[str]
    token_keys: list[str]
    sender: MockSender
    clock: VirtualClock


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class MockShop:
    """What a test of blocking code works with."""

    accounts: Accounts
    payments: Payments[MockProvider]
    gateway: MockGateway
    payer: TestPayer
    callbacks: Callbacks
    clock: VirtualClock
    database: str


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class AsyncMockShop:
    """What a test of async code works with."""

    accounts: AsyncAccounts
    payments: AsyncPayments[MockProvider]
    gateway: MockGateway
    payer: AsyncTestPayer
    callbacks: AsyncCallbacks
    clock: VirtualClock
    database: str


@check_arguments(refuse_setting, any_text=True)
@contextmanager
def mock_accounts(
    *,
    on_event: EventHandler | None = None,
    account: str | None = None,
    mock: Mock | None = None,
    database: str = "",
    tell_twice: bool = True,
) -> Generator[MockShop]:
    """Open accounts with one mock account; ``mock`` has its settings, ``database`` is where the tables are.

    With ``tell_twice`` every third event, and the first that says an order is paid, comes twice. Raises
    ``ConfigurationError`` for an argument that makes no sense. When the block ends without an error, raises
    ``NotIdempotent`` if ``on_event`` took an event and raised at its repeat, ``EventsNotTaken`` if it raised and
    never took an event, ``ScriptUnused`` if a script met no call.
    """
    config, telling = _config(account, mock), ToldTwice(repeats=tell_twice)
    handler = None if on_event is None else telling.blocking(on_event)
    gateways = {MockProvider.name: config.gateway}
    with config.gateway.in_use(), _on(database) as url:
        accounts = Accounts.open(url, on_event=handler, **_ports(config.gateway))
        callbacks = Callbacks(gateways)
        callbacks.connect(to_accounts(accounts))
        try:
            yield MockShop(
                accounts=accounts,
                payments=accounts.add(config),
                gateway=config.gateway,
                payer=TestPayer(gateways, deliver=callbacks.deliver),
                callbacks=callbacks,
                clock=config.gateway.clock,
                database=url,
            )
        finally:
            accounts.close()
        telling.require_taken()


@check_arguments(refuse_setting, any_text=True)
@asynccontextmanager
async def mock_accounts_async(
    *,
    on_event: AsyncEventHandler | None = None,
    account: str | None = None,
    mock: Mock | None = None,
    database: str = "",
    tell_twice: bool = True,
) -> AsyncGenerator[AsyncMockShop]:
    """Do as ``mock_accounts``, for async code; ``payer.approve`` and ``callbacks.release`` are awaited."""
    config, telling = _config(account, mock), ToldTwice(repeats=tell_twice)
    handler = None if on_event is None else telling.awaiting(on_event)
    gateways = {MockProvider.name: config.gateway}
    with config.gateway.in_use(), _on(database) as url:
        accounts = AsyncAccounts.open(url, on_event=handler, **_ports(config.gateway))
        callbacks = AsyncCallbacks(gateways, accounts)
        try:
            yield AsyncMockShop(
                accounts=accounts,
                payments=accounts.add(config),
                gateway=config.gateway,
                payer=AsyncTestPayer(gateways, deliver=callbacks.deliver),
                callbacks=callbacks,
                clock=config.gateway.clock,
                database=url,
            )
        finally:
            await accounts.aclose()
        telling.require_taken()


def _config(account: str | None, mock: Mock | None) -> Mock:
    if mock is None:
        return Mock(account="mock" if account is None else account)
    if not isinstance(mock, Mock):
        message = f"mock: must be Mock(account=…), not a {type(mock).__name__}; a gateway goes in as Mock(…, gateway=…)"
        raise ConfigurationError(message)
    if account is not None and account != mock.account:
        message = f"account: mock= names its account {mock.account!r} already; leave account={account!r} out"
        raise ConfigurationError(message)
    return mock


def _ports(gateway: MockGateway) -> _Ports:
    return {
        "callback_url": CALLBACK_URL,
        "callback_keys": [CALLBACK_KEY],
        "token_keys": [TOKEN_KEY],
        "sender": MockSender(),
        "clock": gateway.clock,
    }


@contextmanager
def _on(database: str) -> Generator[str]:
    if database:
        yield database
        return
    with empty_sqlite() as url:
        yield url
