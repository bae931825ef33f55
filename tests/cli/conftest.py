"""A desk with a served gateway behind it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from prenopay.testing.emulators.clock import VirtualClock
from prenopay.testing.emulators.server import serve
from prenopay.testing.emulators.swedbankpay import SwedbankPayEmulator
from tests.cli.desk import KEY, PASSWORD, TOKEN, Desk


@pytest.fixture
def desk(
    tmp_path: Path,
    sqlite_database: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Desk]:
    monkeypatch.setenv("DESK_TOKEN", TOKEN)
    monkeypatch.setenv("DESK_KEY", KEY)
    monkeypatch.setenv("DESK_PASSWORD", PASSWORD)
    monkeypatch.delenv("PRENOPAY_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    emulator = SwedbankPayEmulator(clock=VirtualClock(real_time=True), access_token=TOKEN)
    with serve(emulator, deliver_callbacks=False) as served:
        yield Desk(tmp_path, sqlite_database, emulator, served, capsys)
