"""A desk with a served gateway behind it; one server serves every test's own emulator."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from prenopay.testing.callbacks import CallbackAddresses, CallbackQueue
from prenopay.testing.clock import VirtualClock
from prenopay.testing.emulators.swedbankpay import Behaviour, SwedbankPayEmulator
from prenopay.testing.http import EmulatorRequest, Outcome
from prenopay.testing.server import Served, serve
from tests.cli.desk import KEY, PASSWORD, TOKEN, TOKEN_KEY, Desk

LOCAL = Behaviour(callback_addresses=CallbackAddresses.LOCAL)


class Switchboard:
    """Passes calls on to the emulator of the test that runs."""

    def __init__(self) -> None:
        self.emulator = SwedbankPayEmulator(behaviour=LOCAL)

    @property
    def clock(self) -> VirtualClock:
        return self.emulator.clock

    @property
    def callbacks(self) -> CallbackQueue:
        return self.emulator.callbacks

    def handle(self, request: EmulatorRequest) -> Outcome:
        return self.emulator.handle(request)

    def settle(self) -> None:
        self.emulator.settle()


@pytest.fixture(scope="session")
def switchboard() -> Iterator[tuple[Switchboard, Served]]:
    board = Switchboard()
    with serve(board, deliver_callbacks=False) as served:
        yield board, served


@pytest.fixture
def desk(
    tmp_path: Path,
    sqlite_database: str,
    switchboard: tuple[Switchboard, Served],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Desk:
    monkeypatch.setenv("DESK_TOKEN", TOKEN)
    monkeypatch.setenv("DESK_KEY", KEY)
    monkeypatch.setenv("DESK_PASSWORD", PASSWORD)
    monkeypatch.setenv("DESK_SEAL_KEY", TOKEN_KEY)
    monkeypatch.delenv("PRENOPAY_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    board, served = switchboard
    board.emulator = SwedbankPayEmulator(clock=VirtualClock(real_time=True), access_token=TOKEN, behaviour=LOCAL)
    return Desk(tmp_path, sqlite_database, board.emulator, served, capsys)
