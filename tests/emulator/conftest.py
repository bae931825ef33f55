"""One emulator a test, on a virtual clock, and a merchant who calls it."""

from __future__ import annotations

import pytest

from prenopay.testing.emulators.swedbankpay import SwedbankPayEmulator

from .calling import Merchant


@pytest.fixture
def emulator() -> SwedbankPayEmulator:
    return SwedbankPayEmulator()


@pytest.fixture
def merchant(emulator: SwedbankPayEmulator) -> Merchant:
    return Merchant(emulator)
