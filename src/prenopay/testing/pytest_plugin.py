"""Fixtures for a host's own tests, active in pytest wherever prenopay is installed; loaded when asked for.

A fixture of the same name in a ``conftest.py`` replaces the one here. ``docs/reference/fixtures.md`` describes each.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from prenopay.accounts.accounts import AsyncAccounts
    from prenopay.providers.swedbankpay import SwedbankPay
    from prenopay.providers.swish import Swish
    from prenopay.testing.bench import Bench, BenchSender, OpenMock, OpenMockAsync, SwedbankPayServer, SwishServer
    from prenopay.testing.clock import VirtualClock
    from prenopay.testing.databases import PostgresqlSchema
    from prenopay.testing.delivery import AsyncCallbacks, AsyncPost, Callbacks
    from prenopay.testing.emulators.swedbankpay import SwedbankPayEmulator
    from prenopay.testing.emulators.swish import IssuedCertificate, SwishAuthority, SwishEmulator
    from prenopay.testing.mock import MockGateway
    from prenopay.testing.payer import AsyncTestPayer, TestPayer
    from prenopay.testing.secrets import SecretSeeker

# Nothing of prenopay is imported before a fixture is asked for: every test run of every host pays for this module.
# ruff: noqa: PLC0415 - see above

__all__ = [
    "assert_no_secrets",
    "callbacks",
    "callbacks_async",
    "ledger",
    "mock_gateway",
    "payer",
    "payer_async",
    "prenopay_bench",
    "prenopay_clock",
    "prenopay_ledger_kind",
    "prenopay_mock",
    "prenopay_mock_async",
    "prenopay_mock_gateway",
    "prenopay_postgresql",
    "prenopay_sender",
    "prenopay_swish_authority",
    "prenopay_swish_certificate",
    "pytest_addoption",
    "pytest_configure",
    "pytest_generate_tests",
    "swedbankpay_account",
    "swedbankpay_emulator",
    "swedbankpay_server",
    "swish_account",
    "swish_emulator",
    "swish_server",
    "virtual_clock",
]

_OPTION: Final = "prenopay_postgresql"
_VARIABLE: Final = "PRENOPAY_TEST_POSTGRESQL"
_SERVER: Final = f"--prenopay-postgresql (or {_VARIABLE})"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--prenopay-postgresql``."""
    parser.getgroup("prenopay").addoption(
        "--prenopay-postgresql",
        dest=_OPTION,
        metavar="URL",
        default=os.environ.get(_VARIABLE, ""),
        help=f"let the fixture ledger also use this PostgreSQL server (or set {_VARIABLE})",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a server that is not PostgreSQL, before any test runs."""
    kind, there_is_one, _ = str(config.getoption(_OPTION)).partition("://")
    if kind and not (there_is_one and kind in {"postgresql", "postgresql+psycopg"}):
        said = f"{kind}://…" if there_is_one else "a text that is no URL"  # the rest may hold a password
        message = f"{_SERVER} takes postgresql://user@host/name, not {said}; tests run on SQLite without it"
        raise pytest.UsageError(message)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests that use ``ledger`` once for each kind of database there is."""
    if "prenopay_ledger_kind" in metafunc.fixturenames:
        kinds = ["sqlite", "postgresql"] if metafunc.config.getoption(_OPTION) else ["sqlite"]
        metafunc.parametrize("prenopay_ledger_kind", kinds, indirect=True)


# Time, and what the gateways of a test share


@pytest.fixture
def prenopay_clock() -> VirtualClock:
    """Return the clock of every gateway here; a ``conftest.py`` may replace it for all of them."""
    from prenopay.testing.clock import VirtualClock

    return VirtualClock()


@pytest.fixture
def virtual_clock(prenopay_clock: VirtualClock) -> VirtualClock:
    """Return the clock of every gateway here, which moves only when pushed; give it to ``Accounts.open``."""
    return prenopay_clock


@pytest.fixture
def prenopay_bench(prenopay_clock: VirtualClock) -> Bench:
    """Return what the fixtures of one test share."""
    from prenopay.testing.bench import Bench

    return Bench(prenopay_clock)


@pytest.fixture
def payer(prenopay_bench: Bench) -> TestPayer:
    """Return someone who approves, declines, waits or vanishes, at whichever gateway a payment is with."""
    return prenopay_bench.payer


@pytest.fixture
def callbacks(prenopay_bench: Bench) -> Callbacks:
    """Return the gateways' callbacks: hold, release, drop, duplicate, reorder, forge; ``connect`` the host first."""
    return prenopay_bench.callbacks


@pytest.fixture
def callbacks_async(prenopay_bench: Bench) -> Callable[[AsyncAccounts | AsyncPost], AsyncCallbacks]:
    """Return a function that connects a host in async code: its accounts or its client. Its callbacks are awaited."""
    return prenopay_bench.callbacks_async


@pytest.fixture
def payer_async(prenopay_bench: Bench) -> Callable[[AsyncCallbacks], AsyncTestPayer]:
    """Return a function that makes a payer from such callbacks, whose methods are awaited too."""
    return prenopay_bench.payer_async


@pytest.fixture
def prenopay_sender(prenopay_bench: Bench) -> BenchSender:
    """Return the ``sender=`` with which ``Accounts.open`` reaches mock and emulators in process."""
    return prenopay_bench.sender


# The mock


@pytest.fixture
def prenopay_mock_gateway(prenopay_bench: Bench) -> Iterator[MockGateway]:
    """Return the mock gateway of the test; a script that met no call fails the test."""
    from prenopay.testing.mock import MockGateway

    gateway = MockGateway(clock=prenopay_bench.clock)
    prenopay_bench.add("mock", gateway)
    with gateway.in_use():
        yield gateway


@pytest.fixture
def mock_gateway(prenopay_mock_gateway: MockGateway) -> MockGateway:
    """Return a mock gateway, also for accounts that the host opens itself, with ``sender=prenopay_sender``."""
    return prenopay_mock_gateway


@pytest.fixture
def prenopay_mock(prenopay_bench: Bench, prenopay_mock_gateway: MockGateway) -> Iterator[OpenMock]:
    """Return a function that opens blocking accounts with the mock: ``prenopay_mock(on_event=host.hear)``."""
    from prenopay.testing.bench import mock_shops

    with mock_shops(prenopay_bench, prenopay_mock_gateway) as opened:
        yield opened


@pytest.fixture
def prenopay_mock_async(prenopay_bench: Bench, prenopay_mock_gateway: MockGateway) -> OpenMockAsync:
    """Return the same for async code: ``async with`` what calling it returns."""
    from prenopay.testing.bench import mock_shops_async

    return mock_shops_async(prenopay_bench, prenopay_mock_gateway)


# Emulators in process


@pytest.fixture
def swedbankpay_emulator(prenopay_bench: Bench) -> SwedbankPayEmulator:
    """Return an emulated Swedbank Pay, which ``prenopay_sender`` reaches."""
    from prenopay.testing.emulators.swedbankpay import SwedbankPayEmulator
    from prenopay.testing.emulators.swedbankpay.gateway import SwedbankPayGateway

    emulator = SwedbankPayEmulator(clock=prenopay_bench.clock)
    prenopay_bench.add("swedbankpay", SwedbankPayGateway(emulator))
    return emulator


@pytest.fixture
def swedbankpay_account(swedbankpay_emulator: SwedbankPayEmulator) -> SwedbankPay:
    """Return the settings of an account, named ``cards``, with the emulator in process."""
    from prenopay.testing.emulators.swedbankpay.gateway import SwedbankPayGateway

    return SwedbankPayGateway(swedbankpay_emulator).account("cards")


@pytest.fixture(scope="session")
def prenopay_swish_authority() -> SwishAuthority:
    """Return the one authority of the run: its keys take a while to make."""
    from prenopay.testing.emulators.swish import SwishAuthority

    return SwishAuthority()


@pytest.fixture(scope="session")
def prenopay_swish_certificate(prenopay_swish_authority: SwishAuthority) -> IssuedCertificate:
    """Return the merchant's certificate; its key is made in the run and is stored nowhere."""
    from prenopay.testing.emulators.swish import DEFAULT_NUMBER

    return prenopay_swish_authority.issue(DEFAULT_NUMBER, key_size=2048)


@pytest.fixture
def swish_emulator(prenopay_bench: Bench, prenopay_swish_authority: SwishAuthority) -> SwishEmulator:
    """Return an emulated Swish, which ``prenopay_sender`` reaches."""
    from prenopay.testing.emulators.swish import SwishEmulator
    from prenopay.testing.emulators.swish.gateway import SwishGateway

    emulator = SwishEmulator(clock=prenopay_bench.clock, authority=prenopay_swish_authority)
    gateway = SwishGateway(emulator)
    prenopay_bench.add("swish", gateway)
    prenopay_bench.watch(gateway.links)
    return emulator


@pytest.fixture
def swish_account(swish_emulator: SwishEmulator, prenopay_swish_certificate: IssuedCertificate) -> Swish:
    """Return the settings of an account, named ``swish``, with the emulator in process."""
    from prenopay.testing.emulators.swish.gateway import SwishGateway

    return SwishGateway(swish_emulator, certificate=prenopay_swish_certificate).account("swish")


# Emulators on sockets


@pytest.fixture
def swedbankpay_server(swedbankpay_emulator: SwedbankPayEmulator) -> Iterator[SwedbankPayServer]:
    """Serve the emulated Swedbank Pay over HTTP; ``swedbankpay_server.account()`` are the settings for it."""
    from prenopay.testing.bench import served_swedbankpay

    with served_swedbankpay(swedbankpay_emulator) as server:
        yield server


@pytest.fixture
def swish_server(swish_emulator: SwishEmulator, prenopay_swish_certificate: IssuedCertificate) -> Iterator[SwishServer]:
    """Serve the emulated Swish over mutual TLS; ``swish_server.account()`` are the settings for it."""
    from prenopay.testing.bench import served_swish

    with served_swish(swish_emulator, prenopay_swish_certificate) as server:
        yield server


# What must never be seen


@pytest.fixture
def assert_no_secrets(prenopay_bench: Bench, caplog: pytest.LogCaptureFixture) -> Iterator[SecretSeeker]:
    """Return a check of logs, transcripts and what it is given; logs are checked once more after the test."""
    from prenopay.testing.listening import Logged, listening
    from prenopay.testing.secrets import SecretSeeker

    level = caplog.handler.level
    for name in (None, "prenopay"):
        # At the end caplog restores the levels that it saw first: show it the present ones before the listening.
        caplog.set_level(logging.getLogger(name).level, logger=name)
    caplog.handler.setLevel(level)
    heard: list[Logged] = []
    with listening(heard.append):
        seeker = SecretSeeker(prenopay_bench, lambda: heard)
        yield seeker
        seeker()


# Databases


@pytest.fixture(scope="session")
def prenopay_postgresql(pytestconfig: pytest.Config) -> Iterator[PostgresqlSchema]:
    """Make a schema with tables, for this run alone, on the given server."""
    from prenopay.testing.databases import postgresql_schema

    server = str(pytestconfig.getoption(_OPTION))
    if not server:
        message = f"prenopay_postgresql needs a server: name a database with {_SERVER}, or use the fixture ledger"
        raise pytest.UsageError(message)
    with postgresql_schema(server) as made:
        yield made


@pytest.fixture
def prenopay_ledger_kind(request: pytest.FixtureRequest) -> str:
    """Return which kind of database this run of the test is on."""
    kind: str = getattr(request, "param", "sqlite")  # unittest and getfixturevalue cannot parametrize
    return kind


@pytest.fixture
def ledger(request: pytest.FixtureRequest, prenopay_ledger_kind: str) -> Iterator[str]:
    """Return the URL of an empty database with tables: SQLite, and PostgreSQL where a server is given."""
    from prenopay.testing.databases import empty_sqlite

    if prenopay_ledger_kind == "sqlite":
        with empty_sqlite() as url:
            yield url
        return
    server: PostgresqlSchema = request.getfixturevalue("prenopay_postgresql")
    server.empty()
    yield server.url
